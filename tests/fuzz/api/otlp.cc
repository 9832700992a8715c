// OTLP bodies in both encodings: spans to segment documents, metrics, logs. The first byte chooses the encoding.
#include "api/otlp/logs.h"
#include "api/otlp/metric.h"
#include "api/otlp/segments.h"
#include "api/otlp/span.h"
#include "storage/traces/document.h"
#include "tests/fuzz/target.h"

namespace fog::fuzz {

using namespace otlp;

FOG_FUZZ(otlp) {
  if (input.empty()) return;
  const bool json = input[0] == 'j';
  const std::string_view body = input.substr(1);
  if (const auto groups = json ? decode_traces_json(body) : decode_traces_protobuf(body); groups.ok()) {
    static traces::DocumentParser parser;
    for (const SpanGroup& group : *groups)
      for (const Span& span : group.spans)
        for (const std::string& document : segments_of(span, group, {.index_all_attributes = true})) {
          std::vector<traces::DocumentHead> heads;
          (void)parser.parse(document, {}, 0, heads);
        }
  }
  (void)(json ? decode_metrics_json(body) : decode_metrics_protobuf(body));
  if (const auto logs = json ? decode_logs_json(body) : decode_logs_protobuf(body); logs.ok())
    for (const LogGroupRecords& group : *logs)
      for (const LogRecord& record : group.records) (void)event_of(group, record);
  Cut cut(body);
  const std::string_view language = cut.next();
  (void)parse_stack(language, cut.rest());
}

FOG_FUZZ_SEEDS(otlp) {
  return {R"(j{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},"scopeMetrics":[{"scope":{"name":"s"},"metrics":[{"name":"m","unit":"ms","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"1760000000000000000","count":"3","sum":3,"scale":1,"zeroCount":"1","positive":{"offset":-1,"bucketCounts":["1","1"]}}]}},{"name":"s","summary":{"dataPoints":[{"count":"1","sum":2,"quantileValues":[{"quantile":0.5,"value":1}]}]}},{"name":"g","gauge":{"dataPoints":[{"asInt":"5","attributes":[{"key":"k","value":{"arrayValue":{"values":[{"kvlistValue":{"values":[]}}]}}}]}]}}]}]}]})",
          R"(j{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1760000000000000000","severityNumber":9,"body":{"kvlistValue":{"values":[{"key":"a","value":{"bytesValue":"AAE="}}]}},"traceId":"5b8efff798038103d269b633813fc60c","flags":1}]}]}]})",
          "ppython\x1fTraceback (most recent call last):\n  File \"a.py\", line 3, in f\n    x()\nValueError: x", "pjava\x1fjava.lang.E: x\n\tat a.B.c(B.java:12)\nCaused by: y", "pnodejs\x1f" "Error: x\n    at f (/a/b.js:1:2)\n    at /c.js:3:4"};
}

}  // namespace fog::fuzz
