// LogReader: how other services read log events by group name (Contributor Insights).
// Any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/result.h"

namespace fog {

class LogReader {
 public:
  struct Spec {
    std::string account;
    std::string region;
    std::vector<std::string> groups;  // names; a trailing * means every group that begins so
    Timestamp start;                  // inclusive
    Timestamp end;                    // exclusive
  };
  // Return false to end.
  using Visit = std::function<bool(Timestamp time, std::string_view message)>;
  virtual ~LogReader() = default;
  // Groups that do not exist are passed over. Order: none promised.
  virtual Status read_logs(const Spec& spec, const Visit& visit) = 0;
};

}  // namespace fog
