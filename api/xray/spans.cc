#include "api/xray/spans.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace fog::xray {

namespace {

using nlohmann::json;

std::int64_t nanoseconds(const json& seconds) {
  return seconds.is_number() ? std::llround(seconds.get<double>() * 1e6) * 1000 : 0;
}

bool flag(const json& entity, const char* name) {
  const auto it = entity.find(name);
  return it != entity.end() && it->is_boolean() && it->get<bool>();
}

void add_http(const json& http, json& attributes) {
  const auto request = http.value("request", json::object());
  if (request.contains("method")) attributes["http.request.method"] = request["method"];
  if (request.contains("url")) attributes["url.full"] = request["url"];
  if (request.contains("user_agent")) attributes["user_agent.original"] = request["user_agent"];
  if (request.contains("client_ip")) attributes["client.address"] = request["client_ip"];
  const auto response = http.value("response", json::object());
  if (response.contains("status")) attributes["http.response.status_code"] = response["status"];
}

json exceptions_of(const json& entity) {
  json events = json::array();
  const auto cause = entity.value("cause", json());
  if (!cause.is_object()) return events;
  for (const auto& exception : cause.value("exceptions", json::array())) {
    if (!exception.is_object()) continue;
    json attributes = json::object();
    if (exception.contains("type")) attributes["exception.type"] = exception["type"];
    if (exception.contains("message")) attributes["exception.message"] = exception["message"];
    events.push_back({{"name", "exception"}, {"timeUnixNano", nanoseconds(entity.value("end_time", json()))},
                      {"attributes", attributes}});
  }
  return events;
}

// Depth is bounded by that of stored documents.
void add(const std::string& trace, const json& entity, const std::string& parent, const json& resource, bool segment,
         std::vector<SpanText>& out) {
  if (!entity.is_object() || !entity.contains("id") || !entity["id"].is_string()) return;
  const auto id = entity["id"].get<std::string>();
  const auto name_space = entity.value("namespace", json());
  const bool call = name_space == "aws" || name_space == "remote" || flag(entity, "inferred");
  json attributes = json::object();
  if (entity.contains("http") && entity["http"].is_object()) add_http(entity["http"], attributes);
  if (entity.contains("annotations") && entity["annotations"].is_object())
    for (const auto& [key, value] : entity["annotations"].items()) attributes["annotation." + key] = value;
  if (entity.contains("user")) attributes["enduser.id"] = entity["user"];
  if (const auto aws = entity.value("aws", json()); aws.is_object() && !segment) {
    if (aws.contains("operation")) attributes["rpc.method"] = aws["operation"];
    if (aws.contains("region")) attributes["aws.region"] = aws["region"];
    if (aws.contains("request_id")) attributes["aws.request_id"] = aws["request_id"];
    if (aws.contains("table_name")) attributes["aws.dynamodb.table_names"] = json::array({aws["table_name"]});
  }
  const auto start = nanoseconds(entity.value("start_time", json()));
  const bool ended = entity.contains("end_time");
  const auto end = ended ? nanoseconds(entity["end_time"]) : start;
  json links = json::array();
  for (const auto& link : entity.value("links", json::array())) {
    if (!link.is_object() || !link.contains("trace_id") || !link["trace_id"].is_string()) continue;
    auto hex = link["trace_id"].get<std::string>();
    if (hex.size() == 35) hex = hex.substr(2, 8) + hex.substr(11);
    links.push_back({{"traceId", hex}, {"spanId", link.contains("id") ? link["id"] : json("")}, {"attributes", link.value("attributes", json::object())}});
  }
  const bool failed = flag(entity, "fault") || flag(entity, "error");
  json span = {{"traceId", trace},
               {"spanId", id},
               {"flags", 1},
               {"name", entity.contains("name") && entity["name"].is_string() ? entity["name"] : json("")},
               {"kind", segment ? "SERVER" : call ? "CLIENT" : "INTERNAL"},
               {"startTimeUnixNano", start},
               {"endTimeUnixNano", end},
               {"durationNano", end - start},
               {"attributes", attributes},
               {"status", {{"code", failed ? "ERROR" : "UNSET"}}},
               {"events", exceptions_of(entity)},
               {"links", links},
               {"resource", {{"attributes", resource}}},
               {"scope", {{"name", "fogwatch"}, {"version", "1"}}}};
  if (!parent.empty()) span["parentSpanId"] = parent;
  out.push_back({id, end / 1'000'000, span.dump(-1, ' ', false, json::error_handler_t::replace)});
  const auto children = entity.find("subsegments");
  if (children == entity.end() || !children->is_array()) return;
  for (const auto& child : *children) add(trace, child, id, resource, false, out);
}

}  // namespace

namespace {

void add_document(traces::TraceId trace, const json& document, std::vector<SpanText>& out) {
  if (!document.is_object()) return;
  auto hex = to_string(trace);
  hex = hex.substr(2, 8) + hex.substr(11);
  const auto text = [&](const char* name) {
    const auto found = document.find(name);
    return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const bool segment = text("type") != "subsegment" && !flag(document, "inferred");
  json resource = json::object();
  if (segment || flag(document, "inferred")) resource["service.name"] = text("name");
  if (const auto origin = text("origin"); !origin.empty()) resource["cloud.platform"] = origin;
  add(hex, document, text("parent_id"), resource, segment, out);
}

}  // namespace

std::vector<SpanText> spans_of(traces::TraceId trace, std::string_view document) {
  std::vector<SpanText> out;
  add_document(trace, json::parse(document, nullptr, false), out);
  return out;
}

void append_spans_of_sent(std::string_view document, std::vector<SpanText>& out) {
  auto parsed = json::parse(document, nullptr, false);
  if (!parsed.is_array()) parsed = json::array({std::move(parsed)});
  for (const auto& each : parsed) {
    if (!each.is_object() || !each.contains("trace_id") || !each["trace_id"].is_string()) continue;
    if (const auto id = traces::parse_trace_id(each["trace_id"].get<std::string>())) add_document(*id, each, out);
  }
}

}  // namespace fog::xray
