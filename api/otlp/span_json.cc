// ExportTraceServiceRequest in JSON: ids in hex, 64-bit numbers as text or number, enums as number or
// name.
#include "api/otlp/json.h"

namespace fog::otlp {

namespace {

std::string unhex(const element& value) {
  const auto digits = string_of(value);
  std::string out;
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    const int high = digit(digits[i]);
    const int low = digit(digits[i + 1]);
    if (high < 0 || low < 0) return {};
    out.push_back(static_cast<char>(high << 4 | low));
  }
  return digits.size() % 2 == 0 ? out : std::string();
}

SpanKind kind_of(const element& value) {
  constexpr std::string_view kNames[] = {"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER",
                                         "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"};
  const auto name = string_of(value);
  for (std::size_t i = 0; i < std::size(kNames); ++i)
    if (name == kNames[i]) return static_cast<SpanKind>(i);
  const auto number = unsigned_of(value);
  return number <= 5 ? static_cast<SpanKind>(number) : SpanKind::kUnspecified;
}

StatusCode status_of(const element& value) {
  const auto name = string_of(value);
  if (name == "STATUS_CODE_OK") return StatusCode::kOk;
  if (name == "STATUS_CODE_ERROR") return StatusCode::kError;
  const auto number = unsigned_of(value);
  return number <= 2 ? static_cast<StatusCode>(number) : StatusCode::kUnset;
}

Span span_of(const object& json) {
  Span span;
  for (const auto& [key, value] : json) {
    if (key == "traceId") span.trace_id = unhex(value);
    else if (key == "spanId") span.span_id = unhex(value);
    else if (key == "parentSpanId") span.parent_id = unhex(value);
    else if (key == "name") span.name = string_of(value);
    else if (key == "kind") span.kind = kind_of(value);
    else if (key == "startTimeUnixNano") span.start_ns = unsigned_of(value);
    else if (key == "endTimeUnixNano") span.end_ns = unsigned_of(value);
    else if (key == "attributes") span.attributes = attributes_of(value);
    else if (key == "status" && value.is_object()) {
      for (const auto& [name, each] : simdjson::dom::object(value.get_object().value_unsafe())) {
        if (name == "code") span.status = status_of(each);
        else if (name == "message") span.status_message = string_of(each);
      }
    } else if (key == "events" && value.is_array()) {
      for (const element& item : simdjson::dom::array(value.get_array().value_unsafe())) {
        if (!item.is_object()) continue;
        auto& event = span.events.emplace_back();
        for (const auto& [name, each] : simdjson::dom::object(item.get_object().value_unsafe())) {
          if (name == "timeUnixNano") event.time_ns = unsigned_of(each);
          else if (name == "name") event.name = string_of(each);
          else if (name == "attributes") event.attributes = attributes_of(each);
        }
      }
    } else if (key == "links" && value.is_array()) {
      for (const element& item : simdjson::dom::array(value.get_array().value_unsafe())) {
        if (!item.is_object()) continue;
        auto& link = span.links.emplace_back();
        for (const auto& [name, each] : simdjson::dom::object(item.get_object().value_unsafe())) {
          if (name == "traceId") link.trace_id = unhex(each);
          else if (name == "spanId") link.span_id = unhex(each);
          else if (name == "attributes") link.attributes = attributes_of(each);
        }
      }
    }
  }
  return span;
}

}  // namespace

Result<std::vector<SpanGroup>> decode_traces_json(std::string_view body) {
  simdjson::dom::parser parser;
  element root;
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS || !root.is_object())
    return Error::invalid("not an ExportTraceServiceRequest: invalid JSON");
  std::vector<SpanGroup> groups;
  for_each_object(root.get_object().value_unsafe(), "resourceSpans", [&](const object& resource_spans) {
    const Attributes resource = resource_of(resource_spans);
    for_each_object(resource_spans, "scopeSpans", [&](const object& scope_spans) {
      auto& group = groups.emplace_back();
      group.resource = resource;
      scope_of(scope_spans, group.scope_name, group.scope_version);
      for_each_object(scope_spans, "spans", [&](const object& span) { group.spans.push_back(span_of(span)); });
    });
  });
  return groups;
}

}  // namespace fog::otlp
