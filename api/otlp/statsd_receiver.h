// StatsdReceiver: what the StatsD door hands its lines to. Puts them at once; sets when their minute has ended.
// Threads: take and tick from any.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "api/common/metric_sink.h"
#include "api/otlp/statsd.h"
#include "storage/base/clock.h"
#include "storage/base/guarded.h"
#include "storage/base/worker.h"

namespace fog::otlp {

class StatsdReceiver final : public Worker {
 public:
  struct Scope {
    std::string account;
    std::string region;
  };
  StatsdReceiver(MetricSink& sink, const Clock& clock, Scope scope, std::string metric_namespace)
      : sink_(sink), clock_(clock), scope_(std::move(scope)), statsd_(Statsd(std::move(metric_namespace))) {}

  // Gives how many lines were refused.
  std::size_t take(std::span<const std::string_view> lines) {
    std::vector<SinkDatum> datums;
    std::size_t bad = 0;
    {
      const Timestamp now = clock_.now();
      auto statsd = statsd_.lock();
      statsd->close(now, datums);
      for (const std::string_view line : lines) bad += statsd->take(line, now, datums);
    }
    return bad + put(datums);
  }

  std::string_view name() const override { return "statsd"; }
  std::optional<Timestamp> next_due(Timestamp now) override {
    return statsd_.lock()->next_close(now);
  }
  void tick(Timestamp now) override {
    std::vector<SinkDatum> datums;
    statsd_.lock()->close(now, datums);
    put(datums);
  }

 private:
  std::size_t put(const std::vector<SinkDatum>& datums) {
    if (datums.empty()) return 0;
    const auto outcome = sink_.put_metrics(scope_.account, scope_.region, datums);
    return outcome.ok() ? outcome->rejected : datums.size();
  }

  MetricSink& sink_;
  const Clock& clock_;
  const Scope scope_;
  Guarded<Statsd> statsd_;
};

}  // namespace fog::otlp
