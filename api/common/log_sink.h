// LogSink: how other parts of Fogwatch put log events: OTLP, the EMF agent door, ingest-stdin, vended
// logs. What arrives is taken as a program's own PutLogEvents would be, listeners included.
// Any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "storage/base/result.h"
#include "storage/log_store.h"

namespace fog {

class LogSink {
 public:
  struct Outcome {
    Lsn lsn = 0;  // wait for it where the answer promises durability; 0: nothing was stored
    std::size_t too_old = 0;
    std::size_t too_new = 0;
    std::size_t expired = 0;
  };
  virtual ~LogSink() = default;
  // Events in any order of time. A missing group or stream is made when `create` is set, else
  // not_found. Errors: not_found, invalid, limit, busy.
  virtual Result<Outcome> put_logs(std::string_view account, std::string_view region, std::string_view group,
                                   std::string_view stream, std::span<const LogEventIn> events, bool create) = 0;
};

}  // namespace fog
