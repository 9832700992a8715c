// ExportLogsServiceRequest in JSON.
#include <array>

#include "api/otlp/json.h"
#include "api/otlp/logs.h"

namespace fog::otlp {
namespace {

Value any_value(const element& value) {
  element text;
  if (value.is_object() && value["stringValue"].get(text) == simdjson::SUCCESS) return {string_of(text)};
  // As the value of an attribute.
  simdjson::dom::parser parser;
  element list;
  const std::string wrapped = R"([{"key":"body","value":)" + std::string(simdjson::minify(value)) + "}]";
  if (parser.parse(wrapped).get(list) != simdjson::SUCCESS) return {};
  Attributes one = attributes_of(list);
  return one.empty() ? Value{} : std::move(one.front().second);
}

std::string id_of(const element& value) {
  std::string id = string_of(value);
  bool zero = true;
  for (char& c : id) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c + 32);
    zero = zero && c == '0';
  }
  return zero ? std::string() : id;
}

std::int64_t severity_of(const element& value) {
  const std::string name = string_of(value);
  if (name.empty()) return static_cast<std::int64_t>(unsigned_of(value) % 1000);
  // SEVERITY_NUMBER_ERROR2 and the like.
  constexpr std::array<std::string_view, 6> kLevels = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};
  constexpr std::string_view kPrefix = "SEVERITY_NUMBER_";
  if (!name.starts_with(kPrefix)) return static_cast<std::int64_t>(unsigned_of(value) % 1000);
  std::string_view level = std::string_view(name).substr(kPrefix.size());
  std::int64_t step = 0;
  if (!level.empty() && level.back() >= '2' && level.back() <= '4') {
    step = level.back() - '1';
    level.remove_suffix(1);
  }
  const auto found = std::find(kLevels.begin(), kLevels.end(), level);
  return found == kLevels.end() ? 0 : (found - kLevels.begin()) * 4 + 1 + step;
}

LogRecord record_of(const object& json) {
  LogRecord record;
  for (const auto& [key, value] : json) {
    if (key == "timeUnixNano") record.time_ns = unsigned_of(value);
    else if (key == "observedTimeUnixNano") record.observed_ns = unsigned_of(value);
    else if (key == "severityNumber") record.severity_number = severity_of(value);
    else if (key == "severityText") record.severity_text = string_of(value);
    else if (key == "body") record.body = any_value(value);
    else if (key == "attributes") record.attributes = attributes_of(value);
    else if (key == "flags") record.flags = unsigned_of(value);
    else if (key == "traceId") record.trace_id = id_of(value);
    else if (key == "spanId") record.span_id = id_of(value);
  }
  return record;
}

}  // namespace

Result<std::vector<LogGroupRecords>> decode_logs_json(std::string_view body) {
  simdjson::dom::parser parser;
  element root;
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS || !root.is_object())
    return Error::invalid("not an ExportLogsServiceRequest: invalid JSON");
  std::vector<LogGroupRecords> groups;
  for_each_object(root.get_object().value_unsafe(), "resourceLogs", [&](const object& resource_logs) {
    const Attributes resource = resource_of(resource_logs);
    for_each_object(resource_logs, "scopeLogs", [&](const object& scope_logs) {
      LogGroupRecords& group = groups.emplace_back();
      group.resource = resource;
      scope_of(scope_logs, group.scope_name, group.scope_version);
      for_each_object(scope_logs, "logRecords", [&](const object& record) { group.records.push_back(record_of(record)); });
    });
  });
  return groups;
}

}  // namespace fog::otlp
