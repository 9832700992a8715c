// Spans of a compiled document in OpenTelemetry's shape, as transaction search shows and logs them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/traces/document.h"

namespace fog::xray {

struct SpanText {
  std::string id;
  std::int64_t end_ms = 0;  // its start while it is in progress
  std::string json;  // traceId, spanId, parentSpanId, name, kind, times, status, attributes, resource
};

// The segment and its subsegments, outermost first.
std::vector<SpanText> spans_of(traces::TraceId trace, std::string_view document);

// The same of a document as it was sent: a segment, an independent subsegment, or an array of these.
void append_spans_of_sent(std::string_view document, std::vector<SpanText>& out);

// Where transaction search looks for spans.
inline constexpr std::string_view kSpanGroup = "aws/spans";
inline constexpr std::string_view kSpanStream = "default";

}  // namespace fog::xray
