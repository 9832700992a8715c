// What a metric stream's records look like: JSON lines, or OpenTelemetry 0.7 and 1.0 messages, each with its length
// before it. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/cloudwatch/shapes.h"
#include "storage/metric_store.h"

namespace fog::cloudwatch {

struct StreamRecord {
  std::string_view stream;
  std::string_view stream_arn;
  const SeriesInfo* series = nullptr;
  UnitCode unit = 0;
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;
  double count = 0;
  double sum = 0;
  double min = 0;
  double max = 0;
  // Further statistics by name; of percentiles also the share (0 to 1) that OpenTelemetry wants.
  struct Extra {
    std::string name;
    double quantile = 0;
    double value = 0;
  };
  std::vector<Extra> extra;
};

void append_record(MetricStreamOutputFormat format, const StreamRecord& record, std::string& out);

// The unit as OpenTelemetry spells it.
std::string_view otel_unit(UnitCode unit);

}  // namespace fog::cloudwatch
