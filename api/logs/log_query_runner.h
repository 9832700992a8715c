// LogQueryRunner: Insights for other services, on the calling thread.
#pragma once

#include "api/common/log_query.h"
#include "api/logs/logs.h"

namespace fog::logs {

class LogQueryRunner final : public LogQueries {
 public:
  explicit LogQueryRunner(Logs& logs) : logs_(logs) {}
  Status check_query(std::string_view text) override;
  Result<Answer> run_query(const Spec& spec) override;

 private:
  Logs& logs_;
};

}  // namespace fog::logs
