// StoreLogReader: events of groups for other services, by name (api/common/log_reader.h).
#pragma once

#include "api/common/log_reader.h"
#include "api/logs/logs.h"

namespace fog::logs {

class StoreLogReader final : public LogReader {
 public:
  explicit StoreLogReader(Logs& logs) : logs_(logs) {}
  Status read_logs(const Spec& spec, const Visit& visit) override;

 private:
  Logs& logs_;
};

}  // namespace fog::logs
