// ExportMetricsServiceRequest in protobuf. Field numbers are those of
// opentelemetry/proto/metrics/v1/metrics.proto; unknown fields are skipped.
#include "api/otlp/metric.h"
#include "api/otlp/protobuf.h"

namespace fog::otlp {

namespace {

constexpr std::uint32_t kNoRecordedValue = 1;  // of flags

// Repeated numbers come packed, or one a field.
void read_doubles(pbf_reader& reader, std::vector<double>& into) {
  if (reader.wire_type() == protozero::pbf_wire_type::length_delimited)
    for (const double v : reader.get_packed_double()) into.push_back(v);
  else
    into.push_back(reader.get_double());
}
void read_fixed64s(pbf_reader& reader, std::vector<std::uint64_t>& into) {
  if (reader.wire_type() == protozero::pbf_wire_type::length_delimited)
    for (const std::uint64_t v : reader.get_packed_fixed64()) into.push_back(v);
  else
    into.push_back(reader.get_fixed64());
}

MetricPointIn read_number(pbf_reader reader) {
  MetricPointIn point;
  while (reader.next()) {
    switch (field(reader)) {
      case fixed64(2): point.start_ns = reader.get_fixed64(); break;
      case fixed64(3): point.time_ns = reader.get_fixed64(); break;
      case fixed64(4): point.value = reader.get_double(); break;
      case fixed64(6): point.value = static_cast<double>(reader.get_sfixed64()); break;
      case bytes(7): point.attributes.push_back(read_pair(reader.get_message())); break;
      case varint(8): point.has_no_value = (reader.get_uint32() & kNoRecordedValue) != 0; break;
      default: reader.skip();
    }
  }
  return point;
}

MetricPointIn read_histogram(pbf_reader reader) {
  MetricPointIn point;
  while (reader.next()) {
    switch (field(reader)) {
      case fixed64(2): point.start_ns = reader.get_fixed64(); break;
      case fixed64(3): point.time_ns = reader.get_fixed64(); break;
      case fixed64(4): point.count = reader.get_fixed64(); break;
      case fixed64(5): point.sum = reader.get_double(); break;
      case bytes(6):
      case fixed64(6): read_fixed64s(reader, point.counts); break;
      case bytes(7):
      case fixed64(7): read_doubles(reader, point.bounds); break;
      case bytes(9): point.attributes.push_back(read_pair(reader.get_message())); break;
      case varint(10): point.has_no_value = (reader.get_uint32() & kNoRecordedValue) != 0; break;
      case fixed64(11): point.min = reader.get_double(); break;
      case fixed64(12): point.max = reader.get_double(); break;
      default: reader.skip();
    }
  }
  return point;
}

ExponentialBuckets read_buckets(pbf_reader reader) {
  ExponentialBuckets buckets;
  while (reader.next()) {
    switch (field(reader)) {
      case varint(1): buckets.offset = reader.get_sint32(); break;
      case varint(2): buckets.counts.push_back(reader.get_uint64()); break;
      case bytes(2):
        for (const std::uint64_t n : reader.get_packed_uint64()) buckets.counts.push_back(n);
        break;
      default: reader.skip();
    }
  }
  return buckets;
}

MetricPointIn read_exponential(pbf_reader reader) {
  MetricPointIn point;
  while (reader.next()) {
    switch (field(reader)) {
      case bytes(1): point.attributes.push_back(read_pair(reader.get_message())); break;
      case fixed64(2): point.start_ns = reader.get_fixed64(); break;
      case fixed64(3): point.time_ns = reader.get_fixed64(); break;
      case fixed64(4): point.count = reader.get_fixed64(); break;
      case fixed64(5): point.sum = reader.get_double(); break;
      case varint(6): point.scale = reader.get_sint32(); break;
      case fixed64(7): point.zero_count = reader.get_fixed64(); break;
      case bytes(8): point.positive = read_buckets(reader.get_message()); break;
      case bytes(9): point.negative = read_buckets(reader.get_message()); break;
      case varint(10): point.has_no_value = (reader.get_uint32() & kNoRecordedValue) != 0; break;
      case fixed64(12): point.min = reader.get_double(); break;
      case fixed64(13): point.max = reader.get_double(); break;
      default: reader.skip();
    }
  }
  return point;
}

MetricPointIn read_summary(pbf_reader reader) {
  MetricPointIn point;
  while (reader.next()) {
    switch (field(reader)) {
      case fixed64(2): point.start_ns = reader.get_fixed64(); break;
      case fixed64(3): point.time_ns = reader.get_fixed64(); break;
      case fixed64(4): point.count = reader.get_fixed64(); break;
      case fixed64(5): point.sum = reader.get_double(); break;
      case bytes(6): {
        auto quantile = reader.get_message();
        std::pair<double, double> pair;
        while (quantile.next()) {
          if (field(quantile) == fixed64(1)) pair.first = quantile.get_double();
          else if (field(quantile) == fixed64(2)) pair.second = quantile.get_double();
          else quantile.skip();
        }
        point.quantiles.push_back(pair);
        break;
      }
      case bytes(7): point.attributes.push_back(read_pair(reader.get_message())); break;
      case varint(8): point.has_no_value = (reader.get_uint32() & kNoRecordedValue) != 0; break;
      default: reader.skip();
    }
  }
  return point;
}

void read_data(pbf_reader reader, MetricIn& metric, MetricPointIn (*read_point)(pbf_reader)) {
  while (reader.next()) {
    switch (field(reader)) {
      case bytes(1): metric.points.push_back(read_point(reader.get_message())); break;
      case varint(2): {
        const auto n = reader.get_enum();
        metric.temporality = n == 1 ? Temporality::kDelta : n == 2 ? Temporality::kCumulative : Temporality::kUnspecified;
        break;
      }
      case varint(3): metric.is_monotonic = reader.get_bool(); break;
      default: reader.skip();
    }
  }
}

MetricIn read_metric(pbf_reader reader) {
  MetricIn metric;
  const auto data = [&](MetricKind kind, MetricPointIn (*read_point)(pbf_reader)) {
    metric.kind = kind;
    read_data(reader.get_message(), metric, read_point);
  };
  while (reader.next()) {
    switch (field(reader)) {
      case bytes(1): metric.name = bytes_of(reader); break;
      case bytes(3): metric.unit = bytes_of(reader); break;
      case bytes(5): data(MetricKind::kGauge, read_number); break;
      case bytes(7): data(MetricKind::kSum, read_number); break;
      case bytes(9): data(MetricKind::kHistogram, read_histogram); break;
      case bytes(10): data(MetricKind::kExponentialHistogram, read_exponential); break;
      case bytes(11): data(MetricKind::kSummary, read_summary); break;
      default: reader.skip();
    }
  }
  return metric;
}

}  // namespace

Result<std::vector<MetricGroup>> decode_metrics_protobuf(std::string_view body) {
  return read_export<MetricGroup>(body, "ExportMetricsServiceRequest", [](pbf_reader reader, MetricGroup& group) { group.metrics.push_back(read_metric(reader)); });
}

}  // namespace fog::otlp
