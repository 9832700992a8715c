// The CloudWatch Logs service as main sees it: its operations, and the workers that run beside them.
//
// Call::service<T>() must find: Logs, Queries (queries.h).
#pragma once

#include "api/common/registry.h"
#include "api/logs/logs.h"
#include "storage/base/worker.h"

namespace fog::logs {

Service service();

// Retention and housekeeping of the log store.
class LogUpkeep final : public Worker {
 public:
  explicit LogUpkeep(Logs& logs) : logs_(logs) {}
  std::string_view name() const override { return "logs"; }
  std::optional<Timestamp> next_due(Timestamp now) override;
  void tick(Timestamp now) override;

 private:
  Logs& logs_;
  std::optional<Timestamp> retention_due_;
};

}  // namespace fog::logs
