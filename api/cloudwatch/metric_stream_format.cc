// OpenTelemetry: ExportMetricsServiceRequest, field numbers of opentelemetry-proto 0.7 and 1.0.
#include "api/cloudwatch/metric_stream_format.h"

#include <nlohmann/json.hpp>
#include <protozero/pbf_writer.hpp>

#include <algorithm>
#include <array>
#include <cmath>

#include "storage/metric_units.h"

namespace fog::cloudwatch {
namespace {

// In the order of kMetricUnits.
constexpr std::array<std::string_view, kMetricUnits.size()> kOtelUnits = {
    "MBit",   "Tbit",  "GBit",   "{Count}", "By",     "GBy",    "GBy/s", "kBy",       "kbit/s", "TBy",   "Tbit/s", "By/s", "%", "MBy",
    "MBit/s", "ms",    "us",     "kBy/s",   "GBit/s", "MBy/s",  "bit",   "bit/s",     "{Count}/s", "s",  "kbit",   "TBy/s", "1"};

std::uint64_t ns(std::int64_t ms) { return static_cast<std::uint64_t>(ms) * 1'000'000; }

void append_json(const StreamRecord& r, std::string& out) {
  nlohmann::ordered_json record;
  record["metric_stream_name"] = r.stream;
  record["account_id"] = r.series->account;
  record["region"] = r.series->region;
  record["namespace"] = r.series->metric_namespace;
  record["metric_name"] = r.series->metric_name;
  record["dimensions"] = nlohmann::ordered_json::object();
  for (const auto& [name, value] : r.series->dimensions) record["dimensions"][name] = value;
  record["timestamp"] = r.start_ms;
  auto& value = record["value"];
  value["max"] = r.max;
  value["min"] = r.min;
  value["sum"] = r.sum;
  value["count"] = r.count;
  for (const StreamRecord::Extra& extra : r.extra) value[extra.name] = extra.value;
  record["unit"] = r.unit < kMetricUnits.size() ? kMetricUnits[r.unit] : "None";
  out += record.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  out += '\n';
}

void add_text(protozero::pbf_writer& writer, protozero::pbf_tag_type tag, std::string_view text) {
  writer.add_string(tag, text.data(), text.size());
}

// KeyValue{key = 1, value = 2 AnyValue{string_value = 1}}
void add_attribute(protozero::pbf_writer& to, protozero::pbf_tag_type tag, std::string_view key, std::string_view value) {
  protozero::pbf_writer pair(to, tag);
  add_text(pair, 1, key);
  protozero::pbf_writer any(pair, 2);
  add_text(any, 1, value);
}

// KeyValue with an AnyValue{kvlist_value = 6 KeyValueList{values = 1}}
void add_dimensions(protozero::pbf_writer& to, protozero::pbf_tag_type tag, const SeriesInfo& series) {
  protozero::pbf_writer pair(to, tag);
  add_text(pair, 1, "Dimensions");
  protozero::pbf_writer any(pair, 2);
  protozero::pbf_writer list(any, 6);
  for (const auto& [name, value] : series.dimensions) add_attribute(list, 1, name, value);
}

// Quantiles: 0 is the minimum, 1 the maximum. Both formats: {quantile = 1, value = 2} in field 6 of the point.
void add_quantiles(protozero::pbf_writer& point, const StreamRecord& r) {
  const auto add = [&](double quantile, double value) {
    protozero::pbf_writer entry(point, 6);
    entry.add_double(1, quantile);
    entry.add_double(2, value);
  };
  add(0, r.min);
  for (const StreamRecord::Extra& extra : r.extra) add(extra.quantile, extra.value);
  add(1, r.max);
}

void add_resource(protozero::pbf_writer& to, const StreamRecord& r) {
  protozero::pbf_writer resource(to, 1);
  add_attribute(resource, 1, "cloud.provider", "aws");
  add_attribute(resource, 1, "cloud.account.id", r.series->account);
  add_attribute(resource, 1, "cloud.region", r.series->region);
  add_attribute(resource, 1, "aws.exporter.arn", r.stream_arn);
}

// Metric{name = 1, unit = 3, double_summary = 11 (0.7) or summary = 11 (1.0)}
void add_metric(protozero::pbf_writer& to, bool is_old, const StreamRecord& r) {
  protozero::pbf_writer metric(to, 2);
  const std::string name = "amazonaws.com/" + r.series->metric_namespace + "/" + r.series->metric_name;
  add_text(metric, 1, name);
  add_text(metric, 3, otel_unit(r.unit));
  protozero::pbf_writer summary(metric, 11);
  protozero::pbf_writer point(summary, 1);
  if (is_old) {
    // DoubleSummaryDataPoint: labels = 1 {key = 1, value = 2}
    const auto label = [&](std::string_view key, std::string_view value) {
      protozero::pbf_writer pair(point, 1);
      add_text(pair, 1, key);
      add_text(pair, 2, value);
    };
    label("Namespace", r.series->metric_namespace);
    label("MetricName", r.series->metric_name);
    for (const auto& [key, value] : r.series->dimensions) label(key, value);
  }
  point.add_fixed64(2, ns(r.start_ms));
  point.add_fixed64(3, ns(r.end_ms));
  point.add_fixed64(4, static_cast<std::uint64_t>(std::llround(std::clamp(r.count, 0.0, 9e18))));
  point.add_double(5, r.sum);
  add_quantiles(point, r);
  if (!is_old) {
    // SummaryDataPoint: attributes = 7
    add_attribute(point, 7, "Namespace", r.series->metric_namespace);
    add_attribute(point, 7, "MetricName", r.series->metric_name);
    add_dimensions(point, 7, *r.series);
  }
}

void append_otel(bool is_old, const StreamRecord& r, std::string& out) {
  std::string message;
  {
    protozero::pbf_writer request(message);
    protozero::pbf_writer resource_metrics(request, 1);
    add_resource(resource_metrics, r);
    protozero::pbf_writer scope_metrics(resource_metrics, 2);
    add_metric(scope_metrics, is_old, r);
  }
  protozero::add_varint_to_buffer(&out, message.size());
  out += message;
}

}  // namespace

std::string_view otel_unit(UnitCode unit) { return unit < kOtelUnits.size() ? kOtelUnits[unit] : "1"; }

void append_record(MetricStreamOutputFormat format, const StreamRecord& record, std::string& out) {
  switch (format) {
    case MetricStreamOutputFormat::json:
      return append_json(record, out);
    case MetricStreamOutputFormat::opentelemetry0_7:
      return append_otel(true, record, out);
    case MetricStreamOutputFormat::opentelemetry1_0:
      return append_otel(false, record, out);
  }
}

}  // namespace fog::cloudwatch
