// DataProtectionAudit: reports what data protection finds in arriving events to the log group that
// the policy names, and counts it as AWS/Logs LogEventsWithFindings.
#pragma once

#include "api/common/log_listener.h"
#include "api/common/metric_sink.h"
#include "api/logs/jobs.h"
#include "api/logs/logs.h"

namespace fog::logs {

class DataProtectionAudit final : public LogListener {
 public:
  struct Deps {
    Logs& logs;
    WorkerPool& pool;
    MetricSink* metrics = nullptr;
  };
  explicit DataProtectionAudit(Deps deps) : deps_(deps), jobs_(deps.pool) {}
  void on_log_batch(const CommittedLogBatch& batch) override;
  bool idle() const { return jobs_.idle(); }
  void stop() { jobs_.stop(); }

 private:
  struct Line {
    LogSequence sequence = 0;
    std::int64_t timestamp_ms = 0;
    std::string message;
  };
  void examine(const GroupPtr& group, std::int64_t ingestion_ms, const std::vector<Line>& lines);

  Deps deps_;
  Jobs jobs_;
  std::atomic<std::uint64_t> number_{0};
};

}  // namespace fog::logs
