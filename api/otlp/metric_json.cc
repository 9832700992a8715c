// ExportMetricsServiceRequest in JSON: 64-bit numbers as text or number, enums as number or name, doubles also
// "NaN", "Infinity", "-Infinity".
#include <cmath>

#include "api/codec/text.h"
#include "api/otlp/json.h"
#include "api/otlp/metric.h"

namespace fog::otlp {

namespace {

std::optional<double> double_of(const element& value) {
  double number = 0;
  if (value.is_number() && value.get_double().get(number) == simdjson::SUCCESS) return number;
  const std::string text = string_of(value);
  if (text == "NaN") return NAN;
  if (text == "Infinity") return INFINITY;
  if (text == "-Infinity") return -INFINITY;
  if (const auto whole = parse_integer(text)) return static_cast<double>(*whole);
  return std::nullopt;
}

std::int32_t int_of(const element& value) {
  const double number = double_of(value).value_or(0);
  return std::fabs(number) < 2e9 ? static_cast<std::int32_t>(number) : 0;
}

template <typename T, typename Read>
std::vector<T> list_of(const element& list, const Read& read) {
  std::vector<T> out;
  if (!list.is_array()) return out;
  for (const element& item : array(list.get_array().value_unsafe())) out.push_back(read(item));
  return out;
}

ExponentialBuckets buckets_of(const element& json) {
  ExponentialBuckets buckets;
  element part;
  if (!json.is_object()) return buckets;
  if (json["offset"].get(part) == simdjson::SUCCESS) buckets.offset = int_of(part);
  if (json["bucketCounts"].get(part) == simdjson::SUCCESS) buckets.counts = list_of<std::uint64_t>(part, unsigned_of);
  return buckets;
}

// All kinds of points: their members do not contradict each other.
MetricPointIn point_of(const object& json) {
  MetricPointIn point;
  for (const auto& [key, value] : json) {
    if (key == "attributes") point.attributes = attributes_of(value);
    else if (key == "startTimeUnixNano") point.start_ns = unsigned_of(value);
    else if (key == "timeUnixNano") point.time_ns = unsigned_of(value);
    else if (key == "asDouble" || key == "asInt") point.value = double_of(value);
    else if (key == "flags") point.has_no_value = (unsigned_of(value) & 1) != 0;
    else if (key == "count") point.count = unsigned_of(value);
    else if (key == "sum") point.sum = double_of(value);
    else if (key == "min") point.min = double_of(value);
    else if (key == "max") point.max = double_of(value);
    else if (key == "bucketCounts") point.counts = list_of<std::uint64_t>(value, unsigned_of);
    else if (key == "explicitBounds")
      point.bounds = list_of<double>(value, [](const element& e) { return double_of(e).value_or(NAN); });
    else if (key == "scale") point.scale = int_of(value);
    else if (key == "zeroCount") point.zero_count = unsigned_of(value);
    else if (key == "positive") point.positive = buckets_of(value);
    else if (key == "negative") point.negative = buckets_of(value);
  }
  for_each_object(json, "quantileValues", [&](const object& pair) {
    element quantile, value;
    const double q = pair["quantile"].get(quantile) == simdjson::SUCCESS ? double_of(quantile).value_or(0) : 0;
    const double v = pair["value"].get(value) == simdjson::SUCCESS ? double_of(value).value_or(0) : 0;
    point.quantiles.emplace_back(q, v);
  });
  return point;
}

Temporality temporality_of(const element& value) {
  const std::string name = string_of(value);
  const std::uint64_t n = unsigned_of(value);
  if (n == 1 || name == "AGGREGATION_TEMPORALITY_DELTA") return Temporality::kDelta;
  if (n == 2 || name == "AGGREGATION_TEMPORALITY_CUMULATIVE") return Temporality::kCumulative;
  return Temporality::kUnspecified;
}

MetricIn metric_of(const object& json) {
  MetricIn metric;
  constexpr std::pair<std::string_view, MetricKind> kKinds[] = {{"gauge", MetricKind::kGauge},
                                                                {"sum", MetricKind::kSum},
                                                                {"histogram", MetricKind::kHistogram},
                                                                {"exponentialHistogram", MetricKind::kExponentialHistogram},
                                                                {"summary", MetricKind::kSummary}};
  for (const auto& [key, value] : json) {
    if (key == "name") metric.name = string_of(value);
    else if (key == "unit") metric.unit = string_of(value);
    if (!value.is_object()) continue;
    for (const auto& [name, kind] : kKinds) {
      if (key != name) continue;
      metric.kind = kind;
      const object data = value.get_object().value_unsafe();
      element part;
      if (data["aggregationTemporality"].get(part) == simdjson::SUCCESS) metric.temporality = temporality_of(part);
      if (data["isMonotonic"].get(part) == simdjson::SUCCESS && part.is_bool()) metric.is_monotonic = part.get_bool().value_unsafe();
      for_each_object(data, "dataPoints", [&](const object& point) { metric.points.push_back(point_of(point)); });
    }
  }
  return metric;
}

}  // namespace

Result<std::vector<MetricGroup>> decode_metrics_json(std::string_view body) {
  simdjson::dom::parser parser;
  element root;
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS || !root.is_object())
    return Error::invalid("not an ExportMetricsServiceRequest: invalid JSON");
  std::vector<MetricGroup> groups;
  for_each_object(root.get_object().value_unsafe(), "resourceMetrics", [&](const object& resource_metrics) {
    const Attributes resource = resource_of(resource_metrics);
    for_each_object(resource_metrics, "scopeMetrics", [&](const object& scope_metrics) {
      MetricGroup& group = groups.emplace_back();
      group.resource = resource;
      scope_of(scope_metrics, group.scope_name, group.scope_version);
      for_each_object(scope_metrics, "metrics", [&](const object& metric) { group.metrics.push_back(metric_of(metric)); });
    });
  });
  return groups;
}

}  // namespace fog::otlp
