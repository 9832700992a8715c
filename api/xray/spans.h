// Spans of a compiled document in OpenTelemetry's shape, as transaction search shows and logs them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/traces/document.h"

namespace fog::xray {

struct SpanText {
  std::string id;
  std::string json;  // traceId, spanId, parentSpanId, name, kind, times, status, attributes, resource
};

// The segment and its subsegments, outermost first.
std::vector<SpanText> spans_of(traces::TraceId trace, std::string_view document);

}  // namespace fog::xray
