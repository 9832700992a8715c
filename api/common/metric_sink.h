// MetricSink: how other parts of Fogwatch put metrics: metric filters, embedded metrics, OTLP, X-Ray.
//
// What arrives is taken as a program's own PutMetricData would be; datums that break a rule of the
// service (bad names, NaN, time out of range) are left out and counted in the answer.
// Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/clock.h"
#include "storage/metric_store.h"
#include "storage/metric_units.h"

namespace fog {

struct SinkDatum {
  std::string metric_namespace;
  std::string metric_name;
  std::vector<std::pair<std::string, std::string>> dimensions;
  Timestamp time;
  UnitCode unit = kUnitNone;
  bool high_resolution = false;
  std::vector<double> values;
  std::vector<double> counts;  // empty: one each
  std::optional<StatisticSetValue> set;
};

class MetricSink {
 public:
  struct Outcome {
    Lsn lsn = 0;  // wait for it where the answer promises durability
    std::size_t rejected = 0;
  };
  virtual ~MetricSink() = default;
  virtual Result<Outcome> put_metrics(std::string_view account, std::string_view region,
                                      std::span<const SinkDatum> datums) = 0;
};

}  // namespace fog
