// EventBatch: events of one call, copied, on their way through what happens behind a write.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/logs/event_filters.h"
#include "api/logs/masking.h"

namespace fog::logs {

struct EventBatch {
  struct Event {
    std::int64_t timestamp_ms = 0;
    std::size_t begin = 0;
    std::size_t size = 0;
  };
  std::string account;
  std::string region;
  std::string group_name;
  std::string stream_name;
  LogGroupId group = 0;
  LogStreamId stream = 0;
  std::int64_t ingestion_ms = 0;
  LogSequence first_sequence = 0;
  Lsn lsn = 0;
  std::string text;  // all messages, one behind the other
  std::vector<Event> events;
  GroupPlanPtr plan;
  GroupRulesPtr rules;      // data protection and transformers; null: none
  bool embeds = false;      // some line may hold embedded metrics
  bool is_durable = false;  // what follows from it must survive a crash
  bool is_replayed = false;

  std::string_view message(std::size_t i) const { return std::string_view(text).substr(events[i].begin, events[i].size); }
  LogSequence sequence(std::size_t i) const { return first_sequence + i; }
};

// The events that may match: all that hold one of the pattern's literals. Ascending.
std::vector<std::size_t> candidates(const CompiledPattern& pattern, const EventBatch& batch);
// Those that do match. With `on_transformed` the pattern sees what the group's transformer makes of an
// event; `transformed` then gets it, beside each index.
std::vector<std::size_t> matching(const CompiledPattern& pattern, const EventBatch& batch, bool on_transformed,
                                  std::vector<std::string>* transformed = nullptr);

}  // namespace fog::logs
