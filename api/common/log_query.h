// LogQueries: how other services run Logs Insights queries over log groups (log alarms).
// Any thread; the caller waits.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/result.h"

namespace fog {

class LogQueries {
 public:
  struct Spec {
    std::string account{};
    std::string region{};
    std::vector<std::string> groups{};  // names or ARNs; those that do not exist are passed over
    std::string text{};
    Timestamp start{};  // inclusive
    Timestamp end{};    // exclusive
    Timestamp now{};
    std::int64_t limit = 10'000;  // rows
  };
  struct Answer {
    std::vector<std::string> columns{};
    std::vector<std::vector<std::optional<std::string>>> rows{};
  };
  virtual ~LogQueries() = default;
  // Error: invalid, with the text a caller of StartQuery would see.
  virtual Status check_query(std::string_view text) = 0;
  virtual Result<Answer> run_query(const Spec& spec) = 0;
};

}  // namespace fog
