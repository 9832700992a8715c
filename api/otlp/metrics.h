// OTLP/HTTP metrics: POST /v1/metrics, whatever door it came through.
//
// How a data point becomes a CloudWatch datum:
//   namespace   resource attributes service.namespace and service.name joined by "/", either, or "OTLP"
//   name        of the metric;  dimensions: the point's attributes as text (at most 30)
//   unit        UCUM where CloudWatch knows it (s, ms, us, By, kBy, MBy, GBy, TBy, bit, %, X/s, {anything}: Count)
//   gauge, non-monotonic sum    its value
//   monotonic sum               what was added since the point before, as CloudWatch counters are
//   histogram, summary          a statistic set: count, sum, minimum, maximum
//   exponential histogram       values in the middle of buckets and their counts: percentiles work
// Cumulative points need their predecessor: it is remembered by resource, metric and attributes. The first point
// of a stream that began before this server saw it only sets the mark. A restart of the program (a new start time, or
// a count that falls) begins anew.
// Points without a recorded value, NaN and infinities, and what breaks CloudWatch's rules, are left out and counted.
// Threads: any.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/common/metric_sink.h"
#include "api/otlp/metric.h"
#include "api/otlp/traces.h"
#include "storage/base/clock.h"
#include "storage/base/guarded.h"

namespace fog::otlp {

class MetricReceiver {
 public:
  struct Scope {
    std::string account;
    std::string region;
  };
  struct Options {
    std::size_t streams_max = 200'000;  // cumulative streams remembered; the longest silent one goes first
  };
  MetricReceiver(MetricSink& sink, const Clock& clock) : MetricReceiver(sink, clock, Options{}) {}
  MetricReceiver(MetricSink& sink, const Clock& clock, Options options);

  // As export_traces: 200 with a partial success where points were left out; 400, 413, 415, 503.
  ExportAnswer take(const Scope& scope, std::string_view content_type, std::string_view content_encoding,
                    std::string_view body);

 private:
  // What a cumulative stream had reached.
  struct Reached {
    std::uint64_t start_ns = 0;
    double sum = 0;
    std::uint64_t count = 0;
    std::uint64_t zero_count = 0;
    std::vector<std::uint64_t> buckets;
    std::int32_t scale = 0;
    std::int32_t positive_offset = 0;
    std::int32_t negative_offset = 0;
    std::list<std::string>::iterator age;
  };
  struct Streams {
    std::unordered_map<std::string, Reached> reached;
    std::list<std::string> by_age;  // the longest silent first
  };
  enum class Made { kDatum, kNothing, kRefused };

  Made make(const MetricIn& metric, MetricPointIn& point, const std::string& stream, SinkDatum& datum);
  // Turns a cumulative point into what happened since its predecessor; false: there was none.
  bool subtract(MetricKind kind, MetricPointIn& point, const std::string& stream);

  MetricSink& sink_;
  const Clock& clock_;
  const Options options_;
  const std::uint64_t born_ns_;
  Guarded<Streams> streams_;
};

// The CloudWatch unit of a UCUM unit.
UnitCode unit_of_ucum(std::string_view unit);

}  // namespace fog::otlp
