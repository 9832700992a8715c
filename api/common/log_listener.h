// LogListener: who wants to see log events once they are accepted: metric filters, embedded metrics,
// subscription filters, live tail, counters.
//
// Called on the thread of the request, after the events became visible and before the answer; it must
// not block and must not fail the call. Views hold during the call only.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "storage/log_store.h"

namespace fog {

struct CommittedLogBatch {
  std::string_view account;
  std::string_view region;
  std::string_view group_name;
  std::string_view stream_name;
  LogGroupId group = 0;
  LogStreamId stream = 0;
  std::int64_t ingestion_ms = 0;
  LogSequence first_sequence = 0;
  std::span<const LogEventIn> events;
  Lsn lsn = 0;
};

class LogListener {
 public:
  virtual ~LogListener() = default;
  virtual void on_log_batch(const CommittedLogBatch& batch) = 0;
};

}  // namespace fog
