#include "api/logs/http_ingest.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <cmath>

#include "api/codec/gzip.h"
#include "api/codec/json.h"
#include "api/codec/text.h"

namespace fog::logs {
namespace {

using simdjson::dom::element;

constexpr std::size_t kBodyBytesMax = 1u << 20;
constexpr std::size_t kEventsMax = 10'000;
constexpr std::size_t kMessageBytesMax = 1'048'550;

struct Event {
  std::int64_t time_ms = 0;
  std::string message;
};

IngestAnswer refused(int status, std::string_view message) {
  IngestAnswer answer;
  answer.status = status;
  answer.body = R"({"message":)";
  append_json_string(message, answer.body);
  answer.body += '}';
  return answer;
}

std::string decoded(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      out += static_cast<char>(digit(text[i + 1]) << 4 | digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::string query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t equal = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equal) == name) return decoded(pair.substr(std::min(equal + 1, pair.size())));
  }
  return {};
}

// A number, also as text.
std::optional<double> number_of(const element& value) {
  double number = 0;
  std::string_view text;
  if (value.get_double().get(number) == simdjson::SUCCESS) return number;
  if (value.get_string().get(text) == simdjson::SUCCESS) return parse_double(text);
  return std::nullopt;
}

std::optional<std::int64_t> milliseconds(double number) {
  if (!std::isfinite(number) || number <= 0 || number > 9e15) return std::nullopt;
  return static_cast<std::int64_t>(std::llround(number));
}

struct Reader {
  std::int64_t now_ms;
  std::vector<Event> events;
  std::size_t skipped = 0;

  void take(const element& value, std::optional<std::int64_t> time_ms) {
    std::string_view text;
    std::string message;
    if (value.get_string().get(text) == simdjson::SUCCESS) message = text;
    else message = simdjson::minify(value);
    if (message.empty() || message.size() > kMessageBytesMax) {
      ++skipped;
      return;
    }
    events.push_back({time_ms.value_or(now_ms), std::move(message)});
  }
  void take_timestamped(const element& value) {
    element time;
    std::optional<std::int64_t> time_ms;
    if (value.is_object() && value["timestamp"].get(time) == simdjson::SUCCESS) {
      if (const auto number = number_of(time)) time_ms = milliseconds(*number);
    }
    take(value, time_ms);
  }
  // HLC: {"event": ..., "time": seconds, ...}.
  void take_hlc(const element& value) {
    element time, event;
    if (!value.is_object() || value["event"].get(event) != simdjson::SUCCESS || event.is_null()) {
      ++skipped;
      return;
    }
    std::optional<std::int64_t> time_ms;
    if (value["time"].get(time) == simdjson::SUCCESS) {
      if (const auto number = number_of(time)) time_ms = milliseconds(*number * 1000);
    }
    take(value, time_ms);
  }
};

template <typename Visit>
void each_element(const element& value, Visit&& visit) {
  simdjson::dom::array list;
  if (value.get_array().get(list) != simdjson::SUCCESS) return visit(value);
  for (const element& item : list) visit(item);
}

// Documents one behind the other, separated by blanks or nothing. False: what follows cannot be read.
template <typename Visit>
bool each_document(std::string_view body, Visit&& visit) {
  simdjson::dom::parser parser;
  simdjson::dom::document_stream stream;
  const simdjson::padded_string padded(body);
  // A window must hold the largest document.
  if (parser.parse_many(padded, std::max<std::size_t>(body.size() + 64, 1024)).get(stream) != simdjson::SUCCESS) return false;
  for (auto document : stream) {
    element value;
    if (document.get(value) != simdjson::SUCCESS) return false;
    visit(value);
  }
  return stream.truncated_bytes() == 0;
}

}  // namespace

void scope_of_authorization(std::string_view authorization, std::string& account, std::string& region) {
  constexpr std::string_view kCredential = "Credential=";
  const std::size_t at = authorization.find(kCredential);
  if (at == std::string_view::npos) return;
  std::string_view rest = authorization.substr(at + kCredential.size());  // KEY/DATE/REGION/SERVICE/aws4_request
  const auto part = [&] {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view found = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return found;
  };
  const std::string_view key = part();
  part();
  const std::string_view named = part();
  const bool digits = key.size() == 12 && std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (digits) account = key;
  if (!named.empty() && named.size() <= 32) region = named;
}

bool is_ingest_path(std::string_view path) {
  return path == "/services/collector/event" || path == "/ingest/bulk" || path == "/ingest/json";
}

std::string rejection_counts(const LogSink::Outcome& outcome) {
  return fmt::format(R"({{"tooOldLogEventCount": {}, "tooNewLogEventCount": {}, "expiredLogEventCount": {}}})", outcome.too_old,
                     outcome.too_new, outcome.expired);
}

std::string partial_success(const LogSink::Outcome& outcome, std::size_t otherwise_rejected) {
  const std::size_t rejected = outcome.too_old + outcome.too_new + outcome.expired + otherwise_rejected;
  if (rejected == 0) return "{}";
  std::string out = fmt::format(R"({{"partialSuccess":{{"rejectedLogRecords":{},"errorMessage":)", rejected);
  append_json_string(rejection_counts(outcome), out);
  return out + "}}";
}

IngestAnswer ingest(LogSink& sink, const Clock& clock, const IngestRequest& request) {
  const std::string_view type = request.content_type.substr(0, std::min(request.content_type.find(';'), request.content_type.size()));
  const bool bulk = request.path == "/ingest/bulk";
  if (type != "application/json" && !(bulk && type == "application/x-ndjson"))
    return refused(415, bulk ? "Content-Type must be application/json or application/x-ndjson" : "Content-Type must be application/json");
  const std::string group = query_value(request.query, "logGroup");
  const std::string stream = query_value(request.query, "logStream");
  if (group.empty() || stream.empty()) return refused(400, "The query parameters logGroup and logStream are required.");
  std::string inflated;
  std::string_view body = request.body;
  if (request.content_encoding == "gzip") {
    auto plain = gunzip(body, kBodyBytesMax);
    if (!plain.ok()) return refused(plain.error().kind() == ErrorKind::kLimit ? 413 : 400, plain.error().message());
    inflated = std::move(plain).value();
    body = inflated;
  } else if (!request.content_encoding.empty() && request.content_encoding != "identity") {
    return refused(415, "Content-Encoding must be gzip or none");
  }
  if (body.size() > kBodyBytesMax) return refused(413, "The request body is larger than 1 MB.");

  Reader reader{to_ms(clock.now()), {}, 0};
  if (bulk) {
    simdjson::dom::parser parser;
    std::size_t lines = 0;
    while (!body.empty()) {
      const std::size_t end = std::min(body.find('\n'), body.size());
      const std::string_view line = body.substr(0, end);
      body.remove_prefix(std::min(end + 1, body.size()));
      if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
      ++lines;
      element value;
      if (parser.parse(line.data(), line.size()).get(value) != simdjson::SUCCESS) {
        ++reader.skipped;
        continue;
      }
      each_element(value, [&](const element& item) { reader.take_timestamped(item); });
    }
    if (reader.events.empty()) return refused(400, lines == 0 ? "The request holds no events." : "All events were invalid");
  } else if (request.path == "/ingest/json") {
    simdjson::dom::parser parser;
    element value;
    if (parser.parse(body.data(), body.size()).get(value) != simdjson::SUCCESS) return refused(400, "The request body is not valid JSON.");
    each_element(value, [&](const element& item) {
      if (item.is_object()) reader.take_timestamped(item);
      else ++reader.skipped;
    });
    if (reader.events.empty()) return refused(400, "All events were invalid");
  } else {
    const bool whole = each_document(body, [&](const element& document) {
      each_element(document, [&](const element& item) { reader.take_hlc(item); });
    });
    if (!whole) return refused(400, "The request body is not valid JSON.");
    if (reader.events.empty()) return refused(400, "All events were invalid");
  }
  if (reader.events.size() > kEventsMax) return refused(413, "The request holds more than 10000 events.");

  std::vector<LogEventIn> events;
  events.reserve(reader.events.size());
  for (const Event& event : reader.events) events.push_back({event.time_ms, event.message});
  const auto outcome = sink.put_logs(request.account, request.region, group, stream, events, false);
  if (!outcome.ok()) {
    switch (outcome.error().kind()) {
      case ErrorKind::kNotFound: return refused(404, outcome.error().message());
      case ErrorKind::kLimit: return refused(413, outcome.error().message());
      case ErrorKind::kInvalid: return refused(400, outcome.error().message());
      default: return refused(503, outcome.error().message());
    }
  }
  IngestAnswer answer;
  answer.lsn = outcome->lsn;
  answer.body = partial_success(*outcome, reader.skipped);
  return answer;
}

}  // namespace fog::logs
