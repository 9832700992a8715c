// EventPage: one page of events of a group in order of (time, sequence number), up or down, from a
// place on. What GetLogEvents and FilterLogEvents have in common.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/logs/common.h"
#include "storage/log_store.h"

namespace fog::logs {

struct PageSpec {
  LogGroupId group = 0;
  std::optional<std::vector<LogStreamId>> streams;
  std::int64_t from_ms = 0;
  std::int64_t to_ms = INT64_MAX;  // inclusive
  bool ascending = true;
  std::optional<Position> beyond;  // only events after it (before it, when descending)
  std::size_t events_max = 10'000;
  // Skips blocks and rows; `matches` decides. Null: every event.
  std::vector<std::vector<LogPredicate>> where;
  std::function<bool(std::string_view message)> matches;
};

struct EventPage {
  std::vector<::fog::LogEvent> events;  // in the direction asked for
  bool more = false;             // further events may exist in that direction
};

// Damaged blocks are passed over.
Result<EventPage> read_page(LogStore& store, const PageSpec& spec);

}  // namespace fog::logs
