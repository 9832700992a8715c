#include "api/logs/line_ingest.h"

#include <simdjson.h>

#include <map>
#include <vector>

#include "api/codec/text.h"
#include "api/logs/syslog.h"
#include "query/emf/emf.h"
#include "storage/base/log.h"

namespace fog::logs {
namespace {

constexpr std::size_t kMessageBytesMax = 1'048'550;

// Events by group and stream, in the order they came.
class Gathering {
 public:
  void add(std::string group, std::string stream, std::int64_t time_ms, std::string message) {
    Batch& batch = batches_[{std::move(group), std::move(stream)}];
    batch.times.push_back(time_ms);
    batch.messages.push_back(std::move(message));
  }
  std::size_t put(LogSink& sink, const LineScope& scope) {
    std::size_t refused = 0;
    for (const auto& [place, batch] : batches_) {
      std::vector<LogEventIn> events;
      events.reserve(batch.messages.size());
      for (std::size_t i = 0; i < batch.messages.size(); ++i) events.push_back({batch.times[i], batch.messages[i]});
      const auto outcome = sink.put_logs(scope.account, scope.region, place.first, place.second, events, true);
      if (outcome.ok()) {
        refused += outcome->too_old + outcome->too_new + outcome->expired;
      } else {
        LOG_WARN("lines for {} cannot be kept: {}", place.first, outcome.error().message());
        refused += events.size();
      }
    }
    return refused;
  }

 private:
  struct Batch {
    std::vector<std::int64_t> times;
    std::vector<std::string> messages;
  };
  std::map<std::pair<std::string, std::string>, Batch> batches_;
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  return text;
}

// A name as CreateLogGroup and CreateLogStream take it, or else the other.
std::string name_or(std::string_view name, const std::string& other, bool is_group) {
  if (name.empty() || name.size() > 512) return other;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("._-/#").find(c) != std::string_view::npos;
    if (is_group ? !plain : (c == ':' || c == '*')) return other;
  }
  return std::string(name);
}

}  // namespace

std::size_t take_emf_lines(LogSink& sink, const Clock& clock, const LineScope& scope, std::span<const IncomingLine> lines) {
  const std::int64_t now_ms = to_ms(clock.now());
  Gathering events;
  std::size_t refused = 0;
  simdjson::dom::parser parser;
  for (const IncomingLine& line : lines) {
    const std::string_view text = trimmed(line.text);
    if (text.empty()) continue;
    if (text.size() > kMessageBytesMax) {
      ++refused;
      continue;
    }
    std::string group = scope.group, stream = scope.stream;
    std::int64_t time_ms = now_ms;
    simdjson::dom::element root, aws;
    if (emf::may_be_document(text) && parser.parse(text.data(), text.size()).get(root) == simdjson::SUCCESS && root.is_object() &&
        root["_aws"].get(aws) == simdjson::SUCCESS && aws.is_object()) {
      std::string_view name;
      std::int64_t ms = 0;
      if (aws["LogGroupName"].get_string().get(name) == simdjson::SUCCESS) group = name_or(name, scope.group, true);
      if (aws["LogStreamName"].get_string().get(name) == simdjson::SUCCESS) stream = name_or(name, scope.stream, false);
      if (aws["Timestamp"].get_int64().get(ms) == simdjson::SUCCESS && ms > 0) time_ms = ms;
    }
    events.add(std::move(group), std::move(stream), time_ms, to_utf8(text));
  }
  return refused + events.put(sink, scope);
}

std::size_t take_syslog_lines(LogSink& sink, const Clock& clock, const LineScope& scope, std::span<const IncomingLine> lines) {
  const std::int64_t now_ms = to_ms(clock.now());
  Gathering events;
  std::size_t refused = 0;
  for (const IncomingLine& line : lines) {
    if (line.text.size() > kMessageBytesMax / 2) {  // escapes make it longer
      ++refused;
      continue;
    }
    SyslogEvent event = read_syslog(line.text, now_ms);
    if (event.message.empty()) continue;
    std::string host = event.hostname.empty() ? std::string(line.peer) : event.hostname;
    for (char& c : host)
      if (c == ':' || c == '*') c = '_';
    events.add(scope.group, name_or(host, scope.stream, false), event.time_ms.value_or(now_ms), std::move(event.message));
  }
  return refused + events.put(sink, scope);
}

}  // namespace fog::logs
