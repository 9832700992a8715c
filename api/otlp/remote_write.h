// Prometheus remote write (protocol 1.0): POST /api/v1/write, snappy and protobuf.
//
// A sample becomes a value: namespace "Prometheus" (or ?namespace=NAME), name from the label __name__, every other
// label with a value a dimension. Values are stored as they come, counters as counters: RATE() and DIFF() of metric
// math make rates of them. Stale markers (NaN) and native histograms are passed over.
// Threads: any.
#pragma once

#include <string>
#include <string_view>

#include "api/common/metric_sink.h"
#include "api/otlp/metrics.h"

namespace fog::otlp {

struct WriteAnswer {
  int status = 204;
  std::string message;  // of an error, plain text
  Lsn lsn = 0;
  std::size_t accepted = 0;
  std::size_t rejected = 0;
};

// 204; 400 for what can't be decoded and where samples broke CloudWatch's rules (the rest is stored: senders do not
// repeat a 400); 413, 415; 503 when nothing can be stored now (senders repeat it).
WriteAnswer remote_write(MetricSink& sink, const MetricReceiver::Scope& scope, std::string_view metric_namespace,
                         std::string_view content_type, std::string_view content_encoding, std::string_view body,
                         std::size_t body_bytes_max = 40u << 20);

}  // namespace fog::otlp
