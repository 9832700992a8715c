// Metrics as OTLP carries them, whatever the encoding, and their decoders.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/otlp/span.h"
#include "storage/base/result.h"

namespace fog::otlp {

enum class Temporality { kUnspecified, kDelta, kCumulative };
enum class MetricKind { kNone, kGauge, kSum, kHistogram, kExponentialHistogram, kSummary };

// Buckets of an exponential histogram: bucket i covers (base^(offset+i), base^(offset+i+1)].
struct ExponentialBuckets {
  std::int32_t offset = 0;
  std::vector<std::uint64_t> counts;
};

// A point of any kind; which members count depends on the metric's kind.
struct MetricPointIn {
  Attributes attributes;
  std::uint64_t start_ns = 0;
  std::uint64_t time_ns = 0;
  bool has_no_value = false;  // flags: no recorded value
  std::optional<double> value;
  std::uint64_t count = 0;
  std::optional<double> sum;
  std::optional<double> min;
  std::optional<double> max;
  std::vector<double> bounds;           // explicit histogram: counts has one more
  std::vector<std::uint64_t> counts;
  std::int32_t scale = 0;               // exponential: base = 2^(2^-scale)
  std::uint64_t zero_count = 0;
  ExponentialBuckets positive;
  ExponentialBuckets negative;
  std::vector<std::pair<double, double>> quantiles;  // summary: quantile, value
};

struct MetricIn {
  std::string name;
  std::string unit;
  MetricKind kind = MetricKind::kNone;
  Temporality temporality = Temporality::kUnspecified;
  bool is_monotonic = false;
  std::vector<MetricPointIn> points;
};

struct MetricGroup {
  Attributes resource;
  std::string scope_name;
  std::string scope_version;
  std::vector<MetricIn> metrics;
};

// An ExportMetricsServiceRequest. Errors: invalid.
Result<std::vector<MetricGroup>> decode_metrics_protobuf(std::string_view body);
Result<std::vector<MetricGroup>> decode_metrics_json(std::string_view body);

}  // namespace fog::otlp
