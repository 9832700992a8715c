// AnomalyDetectors: mines the patterns of a log group interval by interval and remembers how often
// each occurs; a pattern that is new, or whose count leaves what was usual, is an anomaly.
//
// An interval is looked at once, when it is over, on the clock of the server. The first intervals
// train; what was stored before the detector trains it at once.
#pragma once

#include <string>

#include "api/logs/jobs.h"
#include "api/logs/logs.h"
#include "api/logs/stored.h"
#include "storage/base/random.h"
#include "storage/base/worker.h"

namespace fog::logs {

constexpr std::string_view kDetectorKind = "log-anomaly-detector";  // by id
constexpr std::string_view kAnomalyKind = "log-anomaly";            // "<detector id>:<anomaly id>"

Millis interval_of(const AnomalyDetector& detector);
// 32 hexadecimal digits that stand for a pattern.
std::string pattern_id(std::string_view pattern);

class AnomalyDetectors final : public Worker {
 public:
  struct Deps {
    Logs& logs;
    WorkerPool& pool;
    const Clock& clock;
    Random& random;
    int training_intervals = 24;
  };
  explicit AnomalyDetectors(Deps deps) : deps_(deps), jobs_(deps.pool) {}

  std::string_view name() const override { return "log-anomaly-detectors"; }
  std::optional<Timestamp> next_due(Timestamp now) override;
  void tick(Timestamp now) override;
  bool idle() override { return jobs_.idle(); }
  void stop() { jobs_.stop(); }

  // Where a new detector begins, so that it trains on what is there.
  std::int64_t first_run_ms(const AnomalyDetector& detector, std::int64_t now_ms) const;

 private:
  struct Mined {
    std::string pattern;
    std::int64_t count = 0;
    std::string severity;
  };
  void run(const ResourceKey& key, Timestamp now);
  Result<std::vector<Mined>> mine(const StoredDetector& stored, const GroupPtr& group, std::int64_t from_ms, std::int64_t to_ms);
  Status look(const ResourceKey& key, StoredDetector& stored, const GroupPtr& group);
  Status report(const ResourceKey& key, const StoredDetector& stored, const GroupPtr& group, const Mined& mined,
                const StoredPatternModel& model, std::string why, std::int64_t from_ms, std::int64_t to_ms);
  void calm(const ResourceKey& key, std::int64_t now_ms, std::int64_t interval_ms);

  Deps deps_;
  Jobs jobs_;
};

}  // namespace fog::logs
