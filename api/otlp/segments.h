// Spans to X-Ray segment documents.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/otlp/span.h"

namespace fog::otlp {

struct SegmentOptions {
  bool index_all_attributes = false;  // all scalar attributes become annotations
};

// One document, or two for a local root that is itself a call; nothing for a span without valid ids.
std::vector<std::string> segments_of(const Span& span, const SpanGroup& group, const SegmentOptions& options);

struct StackFrame {
  std::string path, label;
  std::int64_t line = 0;
};
// Frames of a stack trace as `language` (telemetry.sdk.language) prints it.
std::vector<StackFrame> parse_stack(std::string_view language, std::string_view text);

}  // namespace fog::otlp
