#include "api/logs/lambda_lines.h"

#include <nlohmann/json.hpp>

#include "api/codec/text.h"
#include "storage/base/find_bytes.h"

namespace fog::logs {
namespace {

constexpr std::string_view kRequestId = "RequestId: ";

// The word behind `label`, up to a blank.
std::string_view word_after(std::string_view text, std::string_view label) {
  const std::size_t at = find_bytes(text, label);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + label.size());
  return text.substr(0, std::min(text.find_first_of(" \t\r\n"), text.size()));
}
std::optional<double> number_after(std::string_view text, std::string_view label) {
  return parse_double(word_after(text, label));
}

// REPORT RequestId: 7f..  Duration: 2.03 ms  Billed Duration: 3 ms  Memory Size: 512 MB  Max Memory Used: 70 MB
LambdaLine report_of(std::string_view text) {
  LambdaLine line;
  line.kind = LambdaLine::Kind::kReport;
  line.request_id = word_after(text, kRequestId);
  line.duration_ms = number_after(text, "\tDuration: ");
  if (!line.duration_ms) line.duration_ms = number_after(text, " Duration: ");
  line.billed_ms = number_after(text, "Billed Duration: ");
  line.init_ms = number_after(text, "Init Duration: ");
  line.memory_mb = number_after(text, "Memory Size: ");
  line.memory_used_mb = number_after(text, "Max Memory Used: ");
  const std::string_view status = word_after(text, "Status: ");
  line.failed = status == "timeout" || status == "error" || status == "failure";
  return line;
}

// {"time": "...", "type": "platform.report", "record": {"requestId": "...", "status": "success", "metrics": {...}}}
std::optional<LambdaLine> json_line(std::string_view text) {
  if (find_bytes(text, "\"platform.") == std::string_view::npos) return std::nullopt;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("type") || !json["type"].is_string()) return std::nullopt;
  const std::string type = json["type"];
  LambdaLine line;
  if (type == "platform.start") line.kind = LambdaLine::Kind::kStart;
  else if (type == "platform.report") line.kind = LambdaLine::Kind::kReport;
  else if (type == "platform.runtimeDone") line.kind = LambdaLine::Kind::kEnd;
  else return std::nullopt;
  const auto record = json.find("record");
  if (record == json.end() || !record->is_object()) return line;
  const auto text_of = [&](const char* name) {
    const auto found = record->find(name);
    return found != record->end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  line.request_id = text_of("requestId");
  const std::string status = text_of("status");
  line.failed = status == "error" || status == "timeout" || status == "failure";
  if (line.kind == LambdaLine::Kind::kEnd && line.failed) line.kind = LambdaLine::Kind::kError;
  const auto metrics = record->find("metrics");
  if (metrics == record->end() || !metrics->is_object()) return line;
  const auto number = [&](const char* name) -> std::optional<double> {
    const auto found = metrics->find(name);
    return found != metrics->end() && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
  };
  line.duration_ms = number("durationMs");
  line.billed_ms = number("billedDurationMs");
  line.init_ms = number("initDurationMs");
  line.memory_mb = number("memorySizeMB");
  line.memory_used_mb = number("maxMemoryUsedMB");
  return line;
}

// What the runtimes print about an invocation that failed; what a function logs as an error is not that.
bool is_failure(std::string_view text) {
  if (text.starts_with("[ERROR] ")) return true;  // Python; its logger puts a tab there
  const auto has = [&](std::string_view mark) { return find_bytes(text, mark) != std::string_view::npos; };
  return has("Task timed out after ") || has("\tERROR\tInvoke Error") || has("\tERROR\tUncaught Exception") ||
         has("\tERROR\tUnhandled Promise Rejection") || has(" Error: Runtime exited ");
}

}  // namespace

std::optional<LambdaLine> read_lambda_line(std::string_view message) {
  if (message.starts_with("REPORT RequestId: ")) return report_of(message);
  LambdaLine line;
  if (message.starts_with("START RequestId: ") || message.starts_with("END RequestId: ")) {
    line.kind = message.front() == 'S' ? LambdaLine::Kind::kStart : LambdaLine::Kind::kEnd;
    line.request_id = word_after(message, kRequestId);
    return line;
  }
  if (message.starts_with('{')) return json_line(message);
  if (!is_failure(message)) return std::nullopt;
  line.kind = LambdaLine::Kind::kError;
  line.request_id = word_after(message, kRequestId);
  return line;
}

}  // namespace fog::logs
