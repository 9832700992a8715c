#include "api/control/control.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <cmath>
#include <fstream>

#include <nlohmann/json.hpp>

#include "storage/base/log.h"

namespace fog {
namespace {

// Keys stay in the order in which they are written.
using Json = nlohmann::ordered_json;

constexpr std::size_t kRequestsShownDefault = 100;
constexpr std::size_t kRequestsShownMax = 10'000;
// Ten years; beyond that a typing error is more likely than a test.
constexpr double kAdvanceSecondsMax = 10.0 * 366 * 86400;

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

http::Response json_answer(const Json& json, int status = 200) {
  http::Response response;
  response.status = status;
  response.set("Content-Type", "application/json");
  response.body = dump(json);
  return response;
}

http::Response error_answer(int status, std::string_view code, std::string message) {
  return json_answer({{"error", {{"code", code}, {"message", std::move(message)}}}}, status);
}

http::Response text_answer(std::string body, std::string_view type = "text/plain; charset=utf-8") {
  http::Response response;
  response.set("Content-Type", std::string(type));
  response.body = std::move(body);
  return response;
}

http::Response wrong_method(std::string_view allowed) {
  auto response = error_answer(405, "MethodNotAllowed", fmt::format("This path answers {} only.", allowed));
  response.set("Allow", std::string(allowed));
  return response;
}

http::Response error_of(const Error& error) {
  return error_answer(error.kind() == ErrorKind::kBusy ? 503 : 500, "InternalError", error.message());
}

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// The value of a query parameter; "" when absent.
std::string parameter(std::string_view target, std::string_view name) {
  const std::size_t mark = target.find('?');
  std::string_view rest = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const std::size_t equal = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equal) == name) return percent_decode(pair.substr(std::min(pair.size(), equal + 1)));
  }
  return {};
}

// The body as a JSON object; an empty body is {}.
std::optional<Json> body_of(const http::Request& request) {
  if (request.body.find_first_not_of(" \t\r\n") == std::string::npos) return Json::object();
  Json json = Json::parse(request.body, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  return json;
}

http::Response bad_body() { return error_answer(400, "InvalidBody", "The body is not a JSON object."); }

// A member that must be text when it is there.
std::optional<std::string> text_member(const Json& body, const char* name, bool& ok) {
  if (!body.contains(name) || body[name].is_null()) return std::nullopt;
  if (body[name].is_string()) return body[name].get<std::string>();
  ok = false;
  return std::nullopt;
}

Json message_json(const OutboxMessage& m) {
  Json json{{"id", m.id},           {"time", format_iso8601(m.time)}, {"protocol", m.protocol},
            {"endpoint", m.endpoint}, {"topic", m.topic},             {"subject", m.subject},
            {"message", m.message}, {"raw", m.raw},                   {"account", m.account},
            {"region", m.region}};
  if (!m.message_id.empty()) json["message_id"] = m.message_id;
  if (!m.subscription.empty()) json["subscription"] = m.subscription;
  if (!m.token.empty()) json["token"] = m.token;
  return json;
}

struct ProcessFacts {
  std::uint64_t resident_bytes = 0;
  double cpu_seconds = 0;
};

ProcessFacts process_facts() {
  ProcessFacts facts;
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  if (statm >> size >> resident) facts.resident_bytes = resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
    facts.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  return facts;
}

double uptime_seconds(Timestamp started, Timestamp now) {
  return static_cast<double>((now - started).count()) / 1000.0;
}

}  // namespace

// --- where pages live --------------------------------------------------------------------------------

struct ControlPlane::Page {
  std::string_view path;  // ending in '*': everything below
  http::Response (ControlPlane::*answer)(const http::Request&);
};

const ControlPlane::Page ControlPlane::kPages[] = {
    {"/", &ControlPlane::root_page},
    {"/health", &ControlPlane::health_page},
    {"/health/detailed", &ControlPlane::detailed_health_page},
    {"/metrics", &ControlPlane::metrics_page},
    {"/_fogwatch/clock", &ControlPlane::clock_page},
    {"/_fogwatch/clock/advance", &ControlPlane::advance_page},
    {"/_fogwatch/reset", &ControlPlane::reset_page},
    {"/_fogwatch/outbox", &ControlPlane::outbox_page},
    {"/_fogwatch/requests", &ControlPlane::requests_page},
    {"/_fogwatch/operations", &ControlPlane::operations_page},
    {"/_fogwatch/snapshot", &ControlPlane::later_page},
    {"/_fogwatch/restore", &ControlPlane::later_page},
    {"/_fogwatch/faults", &ControlPlane::faults_page},
    {"/_localstack/health", &ControlPlane::localstack_health_page},
    {"/_localstack/info", &ControlPlane::localstack_info_page},
    {"/_localstack/init", &ControlPlane::localstack_init_page},
    {"/_localstack/init/*", &ControlPlane::localstack_init_page},
    {"/_localstack/state/reset", &ControlPlane::localstack_reset_page},
    {"/moto-api/reset", &ControlPlane::moto_reset_page},
    {"/_aws/sns/sms-messages", &ControlPlane::sms_page},
    {"/_aws/sns/platform-endpoint-messages", &ControlPlane::push_page},
    {"/_aws/sns/subscription-tokens/*", &ControlPlane::token_page},
};

const ControlPlane::Page* ControlPlane::find_page(std::string_view path) {
  for (const Page& page : kPages) {
    if (page.path.ends_with('*') ? path.starts_with(page.path.substr(0, page.path.size() - 1)) : path == page.path) {
      return &page;
    }
  }
  return nullptr;
}

bool ControlPlane::owns(std::string_view path) {
  return path.starts_with("/_fogwatch/") || path == "/_fogwatch" || path.starts_with("/_localstack/") ||
         path.starts_with("/_aws/") || path == "/cloudwatch/metrics/raw" || path.starts_with("/moto-api/") || path == "/health" || path == "/health/detailed" || path == "/metrics";
}

bool ControlPlane::is_slow(const http::Request& request) {
  if (request.method == "GET" || request.method == "HEAD") return request.target.starts_with("/_fogwatch/outbox") || request.target.starts_with("/_fogwatch/usage") || path_of(request.target).ends_with("/metrics/raw");
  return true;
}

http::Response ControlPlane::answer(const http::Request& request) {
  const std::string_view path = path_of(request.target);
  for (const auto& [own, answer] : parts_.pages) {
    if (own.ends_with('*') ? path.starts_with(std::string_view(own).substr(0, own.size() - 1)) : path == own) return answer(request);
  }
  const Page* page = find_page(path);
  if (page == nullptr) return error_answer(404, "NotFound", fmt::format("There is no page {}.", path));
  return (this->*page->answer)(request);
}

// --- the clock ---------------------------------------------------------------------------------------

http::Response ControlPlane::clock_state() const {
  const VirtualClock& clock = parts_.clock.clock();
  const Timestamp now = clock.now();
  return json_answer({{"now", format_iso8601(now)},
                      {"offset_ms", (now - clock.real_now()).count()},
                      {"rate", clock.state().rate}});
}

http::Response ControlPlane::clock_page(const http::Request& request) {
  VirtualClock& clock = parts_.clock.clock();
  if (request.method == "GET" || request.method == "HEAD") return clock_state();
  if (request.method == "DELETE") {
    clock.reset();
  } else if (request.method == "PUT") {
    const auto body = body_of(request);
    if (!body) return bad_body();
    if (!body->contains("now") && !body->contains("rate")) {
      return error_answer(400, "InvalidClock", "Give \"now\" (ISO 8601), \"rate\" (0 or 1), or both.");
    }
    std::optional<Timestamp> now;
    if (body->contains("now")) {
      const Json& value = (*body)["now"];
      if (value.is_string()) now = parse_iso8601(value.get_ref<const std::string&>());
      if (!now) return error_answer(400, "InvalidClock", "\"now\" is not an ISO 8601 time such as 2026-01-31T12:00:00Z.");
    }
    std::optional<int> rate;
    if (body->contains("rate")) {
      const Json& value = (*body)["rate"];
      const double number = value.is_number() ? value.get<double>() : -1;
      if (number != 0 && number != 1) return error_answer(400, "InvalidClock", "\"rate\" is neither 0 nor 1.");
      rate = static_cast<int>(number);
    }
    if (now) clock.set(*now);
    if (rate) {
      clock.set_rate(*rate);
      // Freezing must not lose the milliseconds between the two steps.
      if (now) clock.set(*now);
    }
  } else {
    return wrong_method("GET, PUT, DELETE");
  }
  if (auto saved = parts_.clock.save(); !saved.ok()) return error_of(saved.error());
  return clock_state();
}

http::Response ControlPlane::advance_page(const http::Request& request) {
  if (request.method != "POST") return wrong_method("POST");
  const auto body = body_of(request);
  if (!body) return bad_body();
  const double seconds = body->contains("seconds") && (*body)["seconds"].is_number() ? (*body)["seconds"].get<double>() : -1;
  if (!(seconds >= 0) || seconds > kAdvanceSecondsMax) {
    return error_answer(400, "InvalidClock", "\"seconds\" must be a number from 0 to ten years.");
  }
  const Millis by(std::llround(seconds * 1000));
  if (!parts_.advance(by)) LOG_WARN("clock advanced by {} s; some of what it started is still under way", seconds);
  if (auto saved = parts_.clock.save(); !saved.ok()) return error_of(saved.error());
  return clock_state();
}

// --- data --------------------------------------------------------------------------------------------

http::Response ControlPlane::reset(const std::string& account, const std::string& region) {
  for (Resettable* resettable : parts_.resettables) {
    if (auto done = resettable->reset(account, region); !done.ok()) return error_of(done.error());
  }
  parts_.requests.clear(account, region);
  return json_answer(Json::object());
}

http::Response ControlPlane::reset_page(const http::Request& request) {
  if (request.method != "POST") return wrong_method("POST");
  const auto body = body_of(request);
  if (!body) return bad_body();
  bool ok = true;
  const auto account = text_member(*body, "account", ok);
  const auto region = text_member(*body, "region", ok);
  if (!ok) return error_answer(400, "InvalidScope", "\"account\" and \"region\" are texts.");
  for (const auto& [key, value] : body->items()) {
    // A misspelt scope must not widen the reset to everything.
    if (key != "account" && key != "region") {
      return error_answer(400, "InvalidScope", fmt::format("Unknown member \"{}\"; a scope has \"account\" and \"region\".", key));
    }
  }
  return reset(account.value_or(""), region.value_or(""));
}

http::Response ControlPlane::outbox_page(const http::Request& request) {
  OutboxFilter filter{.account = parameter(request.target, "account"),
                      .region = parameter(request.target, "region"),
                      .protocol = parameter(request.target, "protocol"),
                      .topic = parameter(request.target, "topic"),
                      .endpoint = parameter(request.target, "endpoint")};
  if (request.method == "DELETE") {
    if (auto done = parts_.outbox.clear(filter); !done.ok()) return error_of(done.error());
    return json_answer({{"messages", Json::array()}});
  }
  if (request.method != "GET" && request.method != "HEAD") return wrong_method("GET, DELETE");
  Json messages = Json::array();
  for (const OutboxMessage& message : parts_.outbox.list(filter)) messages.push_back(message_json(message));
  return json_answer({{"messages", std::move(messages)}});
}

http::Response ControlPlane::requests_page(const http::Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return wrong_method("GET");
  std::size_t limit = kRequestsShownDefault;
  if (const std::string text = parameter(request.target, "limit"); !text.empty()) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error != std::errc() || end != text.data() + text.size() || limit == 0 || limit > kRequestsShownMax) {
      return error_answer(400, "InvalidLimit", fmt::format("limit must be a number from 1 to {}.", kRequestsShownMax));
    }
  }
  Json list = Json::array();
  for (const auto& e : parts_.requests.latest(limit)) {
    Json entry{{"time", format_iso8601(from_ms(e.time_ms))},
               {"service", e.service},
               {"operation", e.operation},
               {"protocol", e.protocol},
               {"status", e.status},
               {"took_ms", static_cast<double>(e.took_us) / 1000.0},
               {"client", e.client},
               {"user_agent", e.user_agent},
               {"account", e.account},
               {"region", e.region},
               {"request_id", e.request_id},
               {"bytes_in", e.bytes_in},
               {"bytes_out", e.bytes_out}};
    if (!e.error.empty()) entry["error"] = e.error;
    list.push_back(std::move(entry));
  }
  return json_answer({{"requests", std::move(list)}});
}

http::Response ControlPlane::operations_page(const http::Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return wrong_method("GET");
  Json services = Json::object();
  for (const auto& service : parts_.registry.services()) {
    Json operations = Json::array();
    for (const Registry::Entry* entry : parts_.registry.entries(*service)) {
      operations.push_back({{"name", entry->info->name},
                            {"implemented", entry->operation != nullptr},
                            {"calls", entry->calls.load()}});
    }
    services[std::string(service->info->name)] = std::move(operations);
  }
  return json_answer({{"services", std::move(services)}});
}

http::Response ControlPlane::faults_page(const http::Request& request) {
  if (request.method == "DELETE") {
    parts_.faults.replace({});
  } else if (request.method == "PUT") {
    auto rules = parse_fault_rules(request.body, parts_.registry);
    if (!rules.ok()) return error_answer(400, "InvalidFaults", rules.error().message());
    parts_.faults.replace(std::move(*rules));
  } else if (request.method != "GET" && request.method != "HEAD") {
    return wrong_method("GET, PUT, DELETE");
  }
  return text_answer(parts_.faults.json(), "application/json");
}

http::Response ControlPlane::later_page(const http::Request& request) {
  return error_answer(404, "NotAvailable",
                      fmt::format("{} is not available in Fogwatch {}.", path_of(request.target), FOG_VERSION));
}

// --- health ------------------------------------------------------------------------------------------

http::Response ControlPlane::health_page(const http::Request&) {
  for (const HealthCheck& check : parts_.checks) {
    if (const std::string problem = check.problem(); !problem.empty()) {
      return json_answer({{"status", "failing"}, {"check", check.name}, {"problem", problem}}, 503);
    }
  }
  return json_answer({{"status", "ok"}, {"version", FOG_VERSION}});
}

http::Response ControlPlane::detailed_health_page(const http::Request&) {
  bool all_well = true;
  Json checks = Json::object();
  for (const HealthCheck& check : parts_.checks) {
    const std::string problem = check.problem();
    all_well = all_well && problem.empty();
    checks[check.name] = problem.empty() ? Json{{"status", "ok"}} : Json{{"status", "failing"}, {"problem", problem}};
  }
  const ProcessFacts facts = process_facts();
  const auto totals = parts_.requests.totals();
  const double requests = static_cast<double>(totals.requests);
  const auto share = [&](double part) { return requests > 0 ? part / requests : 0.0; };
  return json_answer({{"status", all_well ? "ok" : "failing"},
                      {"version", FOG_VERSION},
                      {"uptime_seconds", uptime_seconds(parts_.started, parts_.clock.clock().real_now())},
                      {"memory_bytes", facts.resident_bytes},
                      {"cpu_seconds", facts.cpu_seconds},
                      {"requests", totals.requests},
                      {"client_errors", totals.client_errors},
                      {"server_errors", totals.server_errors},
                      {"error_rate", share(static_cast<double>(totals.client_errors + totals.server_errors))},
                      {"mean_ms", share(static_cast<double>(totals.took_us)) / 1000.0},
                      {"checks", std::move(checks)}},
                     all_well ? 200 : 503);
}

http::Response ControlPlane::metrics_page(const http::Request&) {
  PrometheusText out;
  const ProcessFacts facts = process_facts();
  const auto totals = parts_.requests.totals();
  const auto number = [](auto n) { return static_cast<double>(n); };
  out.gauge("fogwatch_info", "Version of this server.").value(1, {{"version", FOG_VERSION}});
  out.gauge("fogwatch_uptime_seconds", "Time since start.")
      .value(uptime_seconds(parts_.started, parts_.clock.clock().real_now()));
  out.gauge("process_resident_memory_bytes", "Resident memory.").value(number(facts.resident_bytes));
  out.counter("process_cpu_seconds_total", "User and system CPU time.").value(facts.cpu_seconds);
  out.counter("fogwatch_requests_total", "Requests answered.").value(number(totals.requests));
  out.counter("fogwatch_request_errors_total", "Requests answered with an error.")
      .value(number(totals.client_errors), {{"class", "4xx"}})
      .value(number(totals.server_errors), {{"class", "5xx"}});
  out.counter("fogwatch_request_seconds_total", "Time from the whole request to the whole answer.")
      .value(number(totals.took_us) / 1e6);
  out.counter("fogwatch_operation_calls_total", "Calls of AWS operations.");
  for (const auto& service : parts_.registry.services()) {
    for (const Registry::Entry* entry : parts_.registry.entries(*service)) {
      const auto calls = entry->calls.load();
      if (calls > 0) out.value(number(calls), {{"service", service->info->name}, {"operation", entry->info->name}});
    }
  }
  out.gauge("fogwatch_check_ok", "1 while a health check passes.");
  for (const HealthCheck& check : parts_.checks) out.value(check.problem().empty() ? 1 : 0, {{"check", check.name}});
  for (const auto& source : parts_.metrics) source(out);
  return text_answer(out.text(), "text/plain; version=0.0.4; charset=utf-8");
}

// --- for suites written against LocalStack -----------------------------------------------------------

http::Response ControlPlane::localstack_health_page(const http::Request&) {
  Json services = Json::object();
  for (const auto& service : parts_.registry.services()) services[std::string(service->info->name)] = "running";
  for (const std::string& neighbour : parts_.neighbours) services[neighbour] = "running";
  return json_answer({{"services", std::move(services)}, {"edition", "fogwatch"}, {"version", FOG_VERSION}});
}

http::Response ControlPlane::localstack_reset_page(const http::Request& request) {
  return request.method == "POST" ? reset("", "") : wrong_method("POST");
}

http::Response ControlPlane::localstack_info_page(const http::Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return wrong_method("GET");
  const Timestamp now = parts_.clock.clock().real_now();
  return json_answer({{"version", FOG_VERSION},
                      {"edition", "fogwatch"},
                      {"is_license_activated", false},
                      {"session_id", ""},
                      {"machine_id", ""},
                      {"system", "linux"},
                      {"is_docker", std::ifstream("/.dockerenv").good()},
                      {"server_time_utc", format_iso8601(now)},
                      {"uptime", static_cast<std::int64_t>(uptime_seconds(parts_.started, now))}});
}

// There are no start-up scripts: each stage that could have some is over when this can be asked.
http::Response ControlPlane::localstack_init_page(const http::Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return wrong_method("GET");
  std::string stage(path_of(request.target).substr(std::string_view("/_localstack/init").size()));
  if (stage.empty()) return json_answer({{"completed", {{"BOOT", true}, {"START", true}, {"READY", true}, {"SHUTDOWN", false}}}, {"scripts", Json::array()}});
  for (char& c : stage) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (stage != "/BOOT" && stage != "/START" && stage != "/READY" && stage != "/SHUTDOWN") return error_answer(404, "NotFound", "There is no such stage.");
  return json_answer({{"completed", stage != "/SHUTDOWN"}, {"scripts", Json::array()}});
}

http::Response ControlPlane::moto_reset_page(const http::Request& request) {
  if (request.method != "POST") return wrong_method("POST");
  const http::Response done = reset("", "");
  return done.status == 200 ? json_answer({{"status", "ok"}}) : done;
}

namespace {

OutboxFilter localstack_filter(const http::Request& request, std::string protocol, const ControlPlane::Parts& parts) {
  OutboxFilter filter{.account = parameter(request.target, "accountId"),
                      .region = parameter(request.target, "region"),
                      .protocol = std::move(protocol)};
  if (filter.account.empty()) filter.account = parts.default_account;
  if (filter.region.empty()) filter.region = parts.default_region;
  return filter;
}

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

http::Response no_content() {
  http::Response response;
  response.status = 204;
  return response;
}

}  // namespace

http::Response ControlPlane::sms_page(const http::Request& request) {
  OutboxFilter filter = localstack_filter(request, "sms", parts_);
  filter.endpoint = parameter(request.target, "phoneNumber");
  if (request.method == "DELETE") {
    if (auto done = parts_.outbox.clear(filter); !done.ok()) return error_of(done.error());
    return no_content();
  }
  if (request.method != "GET") return wrong_method("GET, DELETE");
  Json by_number = Json::object();
  if (!filter.endpoint.empty()) by_number[filter.endpoint] = Json::array();
  for (const OutboxMessage& m : parts_.outbox.list(filter)) {
    by_number[m.endpoint].push_back({{"PhoneNumber", m.endpoint},
                                     {"TopicArn", text_or_null(m.topic)},
                                     {"SubscriptionArn", text_or_null(m.subscription)},
                                     {"MessageId", m.message_id},
                                     {"Message", m.message},
                                     {"Subject", text_or_null(m.subject)}});
  }
  return json_answer({{"sms_messages", std::move(by_number)}, {"region", filter.region}});
}

http::Response ControlPlane::push_page(const http::Request& request) {
  OutboxFilter filter = localstack_filter(request, "application", parts_);
  filter.endpoint = parameter(request.target, "endpointArn");
  if (request.method == "DELETE") {
    if (auto done = parts_.outbox.clear(filter); !done.ok()) return error_of(done.error());
    return no_content();
  }
  if (request.method != "GET") return wrong_method("GET, DELETE");
  Json by_endpoint = Json::object();
  if (!filter.endpoint.empty()) by_endpoint[filter.endpoint] = Json::array();
  for (const OutboxMessage& m : parts_.outbox.list(filter)) {
    by_endpoint[m.endpoint].push_back({{"TargetArn", m.endpoint},
                                       {"TopicArn", text_or_null(m.topic)},
                                       {"MessageId", m.message_id},
                                       {"Message", m.message},
                                       {"Subject", text_or_null(m.subject)}});
  }
  return json_answer({{"platform_endpoint_messages", std::move(by_endpoint)}, {"region", filter.region}});
}

http::Response ControlPlane::token_page(const http::Request& request) {
  if (request.method != "GET") return wrong_method("GET");
  const std::string_view path = path_of(request.target);
  const std::string arn = percent_decode(path.substr(std::string_view("/_aws/sns/subscription-tokens/").size()));
  const auto messages = parts_.outbox.list({});
  for (auto m = messages.rbegin(); m != messages.rend(); ++m) {
    if (m->subscription == arn && !m->token.empty()) {
      return json_answer({{"subscription_token", m->token}, {"subscription_arn", arn}});
    }
  }
  return json_answer({{"error", "The provided SubscriptionARN is not found"}, {"subscription_arn", arn}}, 404);
}

http::Response ControlPlane::root_page(const http::Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return wrong_method("GET");
  std::string text = fmt::format("Fogwatch {}\n", FOG_VERSION);
  for (const std::string& address : parts_.addresses()) text += address + "\n";
  return text_answer(std::move(text));
}

// --- times -------------------------------------------------------------------------------------------

namespace {

// Reads exactly `digits` digits.
bool take_number(std::string_view& text, std::size_t digits, int& number) {
  if (text.size() < digits) return false;
  number = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return true;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::optional<Timestamp> parse_iso8601(std::string_view text) {
  using namespace std::chrono;
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0, ms = 0;
  if (!take_number(text, 4, y) || !take(text, '-') || !take_number(text, 2, mo) || !take(text, '-') || !take_number(text, 2, d)) {
    return std::nullopt;
  }
  const year_month_day date{year(y), month(static_cast<unsigned>(mo)), day(static_cast<unsigned>(d))};
  if (!date.ok()) return std::nullopt;
  minutes zone{0};
  if (take(text, 'T') || take(text, ' ')) {
    if (!take_number(text, 2, h) || !take(text, ':') || !take_number(text, 2, mi)) return std::nullopt;
    if (take(text, ':')) {
      if (!take_number(text, 2, s)) return std::nullopt;
      if (take(text, '.')) {
        int scale = 100;
        std::size_t digits = 0;
        for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; ++digits, scale /= 10) {
          ms += (text.front() - '0') * scale;
          text.remove_prefix(1);
        }
        if (digits == 0) return std::nullopt;
      }
    }
    if (h > 23 || mi > 59 || s > 59) return std::nullopt;
    if (!text.empty() && (text.front() == '+' || text.front() == '-')) {
      const bool west = text.front() == '-';
      text.remove_prefix(1);
      int zone_hours = 0, zone_minutes = 0;
      if (!take_number(text, 2, zone_hours)) return std::nullopt;
      take(text, ':');
      if (!take_number(text, 2, zone_minutes) || zone_hours > 14 || zone_minutes > 59) return std::nullopt;
      zone = hours(zone_hours) + minutes(zone_minutes);
      if (west) zone = -zone;
    } else {
      take(text, 'Z');
    }
  }
  if (!text.empty()) return std::nullopt;
  return Timestamp(sys_days(date) + hours(h) + minutes(mi) + seconds(s) + milliseconds(ms) - zone);
}

std::string format_iso8601(Timestamp time) {
  using namespace std::chrono;
  const auto days_part = floor<days>(time);
  const year_month_day date(days_part);
  const hh_mm_ss clock(time - days_part);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

}  // namespace fog
