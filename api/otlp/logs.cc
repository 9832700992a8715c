#include "api/otlp/logs.h"

#include <fmt/format.h>

#include <map>

#include "api/codec/json.h"
#include "api/codec/text.h"
#include "api/otlp/answer.h"

namespace fog::otlp {
namespace {

constexpr std::size_t kMessageBytesMax = 1'048'550;
constexpr int kNotFound = 5;

void append_value(const Value& value, std::string& out);

void append_attributes(const Attributes& attributes, std::string& out) {
  out += '{';
  bool first = true;
  for (const auto& [name, value] : attributes) {
    if (!first) out += ',';
    first = false;
    append_json_string(name, out);
    out += ':';
    append_value(value, out);
  }
  out += '}';
}

void append_value(const Value& value, std::string& out) {
  if (const auto* text = std::get_if<std::string>(&value.is)) {
    append_json_string(*text, out);
  } else if (const auto* truth = std::get_if<bool>(&value.is)) {
    out += *truth ? "true" : "false";
  } else if (const auto* whole = std::get_if<std::int64_t>(&value.is)) {
    append_integer(*whole, out);
  } else if (const auto* real = std::get_if<double>(&value.is)) {
    if (*real - *real == 0) append_double(*real, out, false);
    else out += "null";  // JSON has no infinity
  } else if (const auto* items = std::get_if<std::vector<Value>>(&value.is)) {
    out += '[';
    for (std::size_t i = 0; i < items->size(); ++i) {
      if (i > 0) out += ',';
      append_value((*items)[i], out);
    }
    out += ']';
  } else if (const auto* members = std::get_if<Attributes>(&value.is)) {
    append_attributes(*members, out);
  } else {
    out += "null";
  }
}

// A name that a log group may have.
std::string group_for(const Attributes& resource) {
  const std::string_view service = text(resource, "service.name");
  std::string name = "/otel/";
  for (const char c : service.empty() ? std::string_view("unknown_service") : service.substr(0, 400)) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("._-/#").find(c) != std::string_view::npos;
    name += fits ? c : '_';
  }
  return name;
}

std::int64_t ms_of(std::uint64_t ns) { return static_cast<std::int64_t>(ns / 1'000'000); }

}  // namespace

std::string event_of(const LogGroupRecords& group, const LogRecord& record) {
  std::string out = R"({"resource":{"attributes":)";
  append_attributes(group.resource, out);
  out += R"(},"scope":{)";
  if (!group.scope_name.empty()) {
    out += R"("name":)";
    append_json_string(group.scope_name, out);
  }
  if (!group.scope_version.empty()) {
    out += group.scope_name.empty() ? R"("version":)" : R"(,"version":)";
    append_json_string(group.scope_version, out);
  }
  out += '}';
  const auto number = [&](std::string_view name, std::uint64_t value) {
    if (value > 0) out += fmt::format(R"(,"{}":{})", name, value);
  };
  const auto words = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    out += fmt::format(R"(,"{}":)", name);
    append_json_string(value, out);
  };
  number("timeUnixNano", record.time_ns);
  number("observedTimeUnixNano", record.observed_ns);
  if (record.severity_number != 0) out += fmt::format(R"(,"severityNumber":{})", record.severity_number);
  words("severityText", record.severity_text);
  if (!std::holds_alternative<std::monostate>(record.body.is)) {
    out += R"(,"body":)";
    append_value(record.body, out);
  }
  out += R"(,"attributes":)";
  append_attributes(record.attributes, out);
  number("flags", record.flags);
  words("traceId", record.trace_id);
  words("spanId", record.span_id);
  return out + "}";
}

ExportAnswer export_logs(LogSink& sink, const Clock& clock, const LogScope& scope, std::string_view content_type,
                         std::string_view content_encoding, std::string_view body) {
  OpenedBody opened;
  if (const auto refusal = open_body(content_type, content_encoding, body, opened)) return refuse(*refusal);
  const bool json = opened.is_json;
  if (scope.group.empty() != scope.stream.empty())
    return refuse({400, kInvalidArgument, json, "The headers x-aws-log-group and x-aws-log-stream belong together."});
  auto groups = json ? decode_logs_json(opened.body) : decode_logs_protobuf(opened.body);
  if (!groups.ok()) return refuse({400, kInvalidArgument, json, groups.error().message()});

  const std::int64_t now_ms = to_ms(clock.now());
  struct Batch {
    std::vector<std::string> messages;
    std::vector<std::int64_t> times;
  };
  std::map<std::string, Batch> batches;  // by group name
  std::size_t too_large = 0;
  for (const LogGroupRecords& group : *groups) {
    Batch& batch = batches[scope.group.empty() ? group_for(group.resource) : scope.group];
    for (const LogRecord& record : group.records) {
      std::string message = event_of(group, record);
      if (message.size() > kMessageBytesMax) {
        ++too_large;
        continue;
      }
      const std::uint64_t ns = record.time_ns != 0 ? record.time_ns : record.observed_ns;
      batch.times.push_back(ns != 0 ? ms_of(ns) : now_ms);
      batch.messages.push_back(std::move(message));
    }
  }
  LogSink::Outcome sum;
  for (const auto& [name, batch] : batches) {
    std::vector<LogEventIn> events;
    events.reserve(batch.messages.size());
    for (std::size_t i = 0; i < batch.messages.size(); ++i) events.push_back({batch.times[i], batch.messages[i]});
    if (events.empty()) continue;
    const bool named = !scope.group.empty();
    const auto outcome = sink.put_logs(scope.account, scope.region, name, named ? scope.stream : "default", events, !named);
    if (!outcome.ok()) {
      switch (outcome.error().kind()) {
        case ErrorKind::kNotFound: return refuse({404, kNotFound, json, outcome.error().message()});
        case ErrorKind::kLimit: return refuse({413, kResourceExhausted, json, outcome.error().message()});
        case ErrorKind::kInvalid: return refuse({400, kInvalidArgument, json, outcome.error().message()});
        default: return refuse({503, kUnavailable, json, outcome.error().message()});
      }
    }
    sum.lsn = std::max(sum.lsn, outcome->lsn);
    sum.too_old += outcome->too_old;
    sum.too_new += outcome->too_new;
    sum.expired += outcome->expired;
  }
  const std::string why = fmt::format(R"({{"tooOldLogEventCount": {}, "tooNewLogEventCount": {}, "expiredLogEventCount": {}}})", sum.too_old,
                                      sum.too_new, sum.expired);
  ExportAnswer answer = accept(json, "rejectedLogRecords", sum.too_old + sum.too_new + sum.expired + too_large, why);
  answer.lsn = sum.lsn;
  return answer;
}

}  // namespace fog::otlp
