// Spans as OTLP carries them, whatever the encoding, and their decoders.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "storage/base/result.h"

namespace fog::otlp {

struct Value;
using Attributes = std::vector<std::pair<std::string, Value>>;
struct Value {
  // Nothing, text, bool, integer, double, array, map.
  std::variant<std::monostate, std::string, bool, std::int64_t, double, std::vector<Value>, Attributes> is;
};

// The value of `key`; null when absent.
const Value* find(const Attributes& attributes, std::string_view key);
// Its text; empty when absent or not a text.
std::string_view text(const Attributes& attributes, std::string_view key);

enum class SpanKind { kUnspecified, kInternal, kServer, kClient, kProducer, kConsumer };
enum class StatusCode { kUnset, kOk, kError };

struct SpanEvent {
  std::uint64_t time_ns = 0;
  std::string name;
  Attributes attributes;
};
struct SpanLink {
  std::string trace_id, span_id;  // bytes
  Attributes attributes;
};
struct Span {
  std::string trace_id;   // 16 bytes
  std::string span_id;    // 8 bytes
  std::string parent_id;  // 8 bytes or none
  std::string name;
  SpanKind kind = SpanKind::kUnspecified;
  std::uint64_t start_ns = 0, end_ns = 0;
  Attributes attributes;
  std::vector<SpanEvent> events;
  std::vector<SpanLink> links;
  StatusCode status = StatusCode::kUnset;
  std::string status_message;
};
struct SpanGroup {
  Attributes resource;
  std::string scope_name, scope_version;
  std::vector<Span> spans;
};

// An ExportTraceServiceRequest. Errors: invalid.
Result<std::vector<SpanGroup>> decode_traces_protobuf(std::string_view body);
Result<std::vector<SpanGroup>> decode_traces_json(std::string_view body);

}  // namespace fog::otlp
