// SelfMonitoring: the server's own health as metrics of namespace Fogwatch, once a minute of its clock, in
// its own account and region, so that its own alarms can watch it; and, once in the life of a data folder,
// a dashboard "Fogwatch" and alarms "Fogwatch-..." over them, made by the same calls that anybody makes.
// What a user changes or deletes of these stays changed or deleted.
//
// The numbers are those of GET /metrics: one table in self_monitoring.cc says which of them become which metric.
// Threads: tick() as a Worker; prepare() before the server serves.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "api/common/metric_sink.h"
#include "api/common/protocol.h"
#include "storage/base/worker.h"
#include "storage/resource_store.h"

namespace fog {

class SelfMonitoring final : public Worker {
 public:
  struct Parts {
    MetricSink& sink;
    ResourceStore& resources;
    std::function<std::string()> numbers;  // the text of GET /metrics
    std::filesystem::path data;            // empty: no disk to watch
    std::string account;
    std::string region;
  };

  explicit SelfMonitoring(Parts parts) : parts_(std::move(parts)) {}

  // Makes the dashboard and the alarms, the first time.
  Status prepare(const Api& api);

  std::string_view name() const override { return "self-monitoring"; }
  std::optional<Timestamp> next_due(Timestamp now) override;
  void tick(Timestamp now) override;

 private:
  using Samples = std::map<std::string, double, std::less<>>;
  void put(Timestamp minute, const Samples& samples);
  void note_round(Timestamp now);

  Parts parts_;
  Timestamp next_{};  // the end of the minute that is being gathered
  Samples before_;    // at the last put
  // Within the minute: how much later than planned a round of workers began, and since when something waits.
  std::chrono::steady_clock::time_point last_round_{};
  double lag_seconds_ = 0;
  Timestamp waiting_since_{};
};

// "name{label="value"} 1.5" lines -> sums by name, and by name with labels.
std::map<std::string, double, std::less<>> parse_prometheus(std::string_view text);

}  // namespace fog
