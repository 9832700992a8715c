// OTLP/HTTP logs: POST /v1/logs, whatever door it came through.
//
// A record becomes one event, a JSON object: {"resource": {"attributes": {}}, "scope": {"name", "version"},
// "timeUnixNano", "observedTimeUnixNano", "severityNumber", "severityText", "body", "attributes": {}, "flags",
// "traceId", "spanId"}; what a record does not have is left out. Its time is timeUnixNano, else
// observedTimeUnixNano, else now.
// Group and stream are named by the headers x-aws-log-group and x-aws-log-stream and must exist. A program
// that sends neither gets the group /otel/SERVICE and the stream "default", made on demand.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/common/log_sink.h"
#include "api/otlp/span.h"
#include "api/otlp/traces.h"
#include "storage/base/clock.h"

namespace fog::otlp {

struct LogRecord {
  std::uint64_t time_ns = 0, observed_ns = 0;
  std::int64_t severity_number = 0;
  std::string severity_text;
  Value body;
  Attributes attributes;
  std::uint64_t flags = 0;
  std::string trace_id, span_id;  // lower-case hex
};
struct LogGroupRecords {
  Attributes resource;
  std::string scope_name, scope_version;
  std::vector<LogRecord> records;
};
// An ExportLogsServiceRequest. Errors: invalid.
Result<std::vector<LogGroupRecords>> decode_logs_protobuf(std::string_view body);
Result<std::vector<LogGroupRecords>> decode_logs_json(std::string_view body);

std::string event_of(const LogGroupRecords& group, const LogRecord& record);

struct LogScope {
  std::string account, region;
  std::string group, stream;  // of the headers; both empty: by service
};
// As export_traces; 404 for a group or stream that does not exist.
ExportAnswer export_logs(LogSink& sink, const Clock& clock, const LogScope& scope, std::string_view content_type,
                         std::string_view content_encoding, std::string_view body);

}  // namespace fog::otlp
