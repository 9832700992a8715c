// ExportTraceServiceRequest in JSON: ids in hex, 64-bit numbers as text or number, enums as number or
// name.
#include <simdjson.h>

#include "api/codec/text.h"
#include "api/otlp/span.h"

namespace fog::otlp {

namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

std::string string_of(const element& value) {
  return value.is_string() ? std::string(value.get_string().value_unsafe()) : std::string();
}

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

std::uint64_t unsigned_of(const element& value) {
  if (value.is_string()) return static_cast<std::uint64_t>(parse_integer(value.get_string().value_unsafe()).value_or(0));
  if (value.is_uint64()) return value.get_uint64().value_unsafe();
  double number = 0;
  if (value.is_number() && value.get_double().get(number) == simdjson::SUCCESS && number > 0 && number < 1.8e19)
    return static_cast<std::uint64_t>(number);
  return 0;
}

Attributes attributes_of(const element& list);

// Depth is bounded by the parser's.
Value value_of(const element& json) {
  Value value;
  if (!json.is_object()) return value;
  for (const auto& [key, each] : simdjson::dom::object(json.get_object().value_unsafe())) {
    if (key == "stringValue") {
      value.is = string_of(each);
    } else if (key == "boolValue" && each.is_bool()) {
      value.is = each.get_bool().value_unsafe();
    } else if (key == "intValue") {
      if (each.is_string()) value.is = parse_integer(each.get_string().value_unsafe()).value_or(0);
      else if (each.is_int64()) value.is = each.get_int64().value_unsafe();
      else if (each.is_double()) value.is = each.get_double().value_unsafe();
    } else if (key == "doubleValue") {
      double number = 0;
      if (each.is_number() && each.get_double().get(number) == simdjson::SUCCESS) value.is = number;
    } else if (key == "arrayValue" && each.is_object()) {
      std::vector<Value> items;
      element values;
      if (each["values"].get(values) == simdjson::SUCCESS && values.is_array())
        for (const element& item : simdjson::dom::array(values.get_array().value_unsafe())) items.push_back(value_of(item));
      value.is = std::move(items);
    } else if (key == "kvlistValue" && each.is_object()) {
      element values;
      value.is = each["values"].get(values) == simdjson::SUCCESS ? attributes_of(values) : Attributes{};
    } else if (key == "bytesValue") {
      value.is = string_of(each);
    }
  }
  return value;
}

Attributes attributes_of(const element& list) {
  Attributes out;
  if (!list.is_array()) return out;
  for (const element& pair : simdjson::dom::array(list.get_array().value_unsafe())) {
    element key, value;
    if (!pair.is_object() || pair["key"].get(key) != simdjson::SUCCESS) continue;
    out.emplace_back(string_of(key), pair["value"].get(value) == simdjson::SUCCESS ? value_of(value) : Value{});
  }
  return out;
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

// The objects of the list `name` of `json`.
template <typename Visit>
void for_each_object(const object& json, const char* name, const Visit& visit) {
  element list;
  if (json[name].get(list) != simdjson::SUCCESS || !list.is_array()) return;
  for (const element& each : simdjson::dom::array(list.get_array().value_unsafe()))
    if (each.is_object()) visit(each.get_object().value_unsafe());
}

}  // namespace

Result<std::vector<SpanGroup>> decode_traces_json(std::string_view body) {
  simdjson::dom::parser parser;
  element root;
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS || !root.is_object())
    return Error::invalid("not an ExportTraceServiceRequest: invalid JSON");
  std::vector<SpanGroup> groups;
  for_each_object(root.get_object().value_unsafe(), "resourceSpans", [&](const object& resource_spans) {
    Attributes resource;
    element json_resource, list;
    if (resource_spans["resource"].get(json_resource) == simdjson::SUCCESS && json_resource.is_object() &&
        json_resource["attributes"].get(list) == simdjson::SUCCESS)
      resource = attributes_of(list);
    for_each_object(resource_spans, "scopeSpans", [&](const object& scope_spans) {
      auto& group = groups.emplace_back();
      group.resource = resource;
      element scope;
      if (scope_spans["scope"].get(scope) == simdjson::SUCCESS && scope.is_object()) {
        element part;
        if (scope["name"].get(part) == simdjson::SUCCESS) group.scope_name = string_of(part);
        if (scope["version"].get(part) == simdjson::SUCCESS) group.scope_version = string_of(part);
      }
      for_each_object(scope_spans, "spans", [&](const object& span) { group.spans.push_back(span_of(span)); });
    });
  });
  return groups;
}

}  // namespace fog::otlp
