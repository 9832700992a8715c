#include "api/control/control.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <cmath>
#include <fstream>

#include <nlohmann/json.hpp>

#include "api/control/iso8601.h"
#include "api/control/json_page.h"
#include "storage/base/log.h"

namespace fog {
namespace {

using page::Json;

constexpr std::size_t kRequestsShownDefault = 100;
constexpr std::size_t kRequestsShownMax = 10'000;
// Ten years; beyond that a typing error is more likely than a test.
constexpr double kAdvanceSecondsMax = 10.0 * 366 * 86400;

http::Response text_answer(std::string body, std::string_view type = "text/plain; charset=utf-8") {
  http::Response response;
  response.set("Content-Type", std::string(type));
  response.body = std::move(body);
  return response;
}

http::Response bad_body() { return page::error(400, "InvalidBody", "The body is not a JSON object."); }

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
  if (request.method == "GET" || request.method == "HEAD") return request.target.starts_with("/_fogwatch/outbox") || request.target.starts_with("/_fogwatch/usage") || page::path_of(request.target).ends_with("/metrics/raw");
  return true;
}

http::Response ControlPlane::answer(const http::Request& request) {
  const std::string_view path = page::path_of(request.target);
  for (const auto& [own, answer] : parts_.pages) {
    if (own.ends_with('*') ? path.starts_with(std::string_view(own).substr(0, own.size() - 1)) : path == own) return answer(request);
  }
  const Page* page = find_page(path);
  if (page == nullptr) return page::error(404, "NotFound", fmt::format("There is no page {}.", path));
  return (this->*page->answer)(request);
}

// --- the clock ---------------------------------------------------------------------------------------

http::Response ControlPlane::clock_state() const {
  const VirtualClock& clock = parts_.clock.clock();
  const Timestamp now = clock.now();
  return page::json({{"now", format_iso8601(now)},
                      {"offset_ms", (now - clock.real_now()).count()},
                      {"rate", clock.state().rate}});
}

http::Response ControlPlane::clock_page(const http::Request& request) {
  VirtualClock& clock = parts_.clock.clock();
  if (request.method == "GET" || request.method == "HEAD") return clock_state();
  if (request.method == "DELETE") {
    clock.reset();
  } else if (request.method == "PUT") {
    const auto body = page::object_of(request);
    if (!body) return bad_body();
    if (!body->contains("now") && !body->contains("rate")) {
      return page::error(400, "InvalidClock", "Give \"now\" (ISO 8601), \"rate\" (0 or 1), or both.");
    }
    std::optional<Timestamp> now;
    if (body->contains("now")) {
      const Json& value = (*body)["now"];
      if (value.is_string()) now = parse_iso8601(value.get_ref<const std::string&>());
      if (!now) return page::error(400, "InvalidClock", "\"now\" is not an ISO 8601 time such as 2026-01-31T12:00:00Z.");
    }
    std::optional<int> rate;
    if (body->contains("rate")) {
      const Json& value = (*body)["rate"];
      const double number = value.is_number() ? value.get<double>() : -1;
      if (number != 0 && number != 1) return page::error(400, "InvalidClock", "\"rate\" is neither 0 nor 1.");
      rate = static_cast<int>(number);
    }
    if (now) clock.set(*now);
    if (rate) {
      clock.set_rate(*rate);
      // Freezing must not lose the milliseconds between the two steps.
      if (now) clock.set(*now);
    }
  } else {
    return page::wrong_method("GET, PUT, DELETE");
  }
  if (auto saved = parts_.clock.save(); !saved.ok()) return page::failure(saved.error());
  return clock_state();
}

http::Response ControlPlane::advance_page(const http::Request& request) {
  if (request.method != "POST") return page::wrong_method("POST");
  const auto body = page::object_of(request);
  if (!body) return bad_body();
  const double seconds = body->contains("seconds") && (*body)["seconds"].is_number() ? (*body)["seconds"].get<double>() : -1;
  if (!(seconds >= 0) || seconds > kAdvanceSecondsMax) {
    return page::error(400, "InvalidClock", "\"seconds\" must be a number from 0 to ten years.");
  }
  const Millis by(std::llround(seconds * 1000));
  if (!parts_.advance(by)) LOG_WARN("clock advanced by {} s; some of what it started is still under way", seconds);
  if (auto saved = parts_.clock.save(); !saved.ok()) return page::failure(saved.error());
  return clock_state();
}

// --- data --------------------------------------------------------------------------------------------

http::Response ControlPlane::reset(const std::string& account, const std::string& region) {
  for (Resettable* resettable : parts_.resettables) {
    if (auto done = resettable->reset(account, region); !done.ok()) return page::failure(done.error());
  }
  parts_.requests.clear(account, region);
  return page::json(Json::object());
}

http::Response ControlPlane::reset_page(const http::Request& request) {
  if (request.method != "POST") return page::wrong_method("POST");
  const auto body = page::object_of(request);
  if (!body) return bad_body();
  bool ok = true;
  const auto account = text_member(*body, "account", ok);
  const auto region = text_member(*body, "region", ok);
  if (!ok) return page::error(400, "InvalidScope", "\"account\" and \"region\" are texts.");
  for (const auto& [key, value] : body->items()) {
    // A misspelt scope must not widen the reset to everything.
    if (key != "account" && key != "region") {
      return page::error(400, "InvalidScope", fmt::format("Unknown member \"{}\"; a scope has \"account\" and \"region\".", key));
    }
  }
  return reset(account.value_or(""), region.value_or(""));
}

http::Response ControlPlane::outbox_page(const http::Request& request) {
  OutboxFilter filter{.account = page::parameter(request.target, "account"),
                      .region = page::parameter(request.target, "region"),
                      .protocol = page::parameter(request.target, "protocol"),
                      .topic = page::parameter(request.target, "topic"),
                      .endpoint = page::parameter(request.target, "endpoint")};
  if (request.method == "DELETE") {
    if (auto done = parts_.outbox.clear(filter); !done.ok()) return page::failure(done.error());
    return page::json({{"messages", Json::array()}});
  }
  if (request.method != "GET" && request.method != "HEAD") return page::wrong_method("GET, DELETE");
  Json messages = Json::array();
  for (const OutboxMessage& message : parts_.outbox.list(filter)) messages.push_back(message_json(message));
  return page::json({{"messages", std::move(messages)}});
}

http::Response ControlPlane::requests_page(const http::Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return page::wrong_method("GET");
  std::size_t limit = kRequestsShownDefault;
  if (const std::string text = page::parameter(request.target, "limit"); !text.empty()) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error != std::errc() || end != text.data() + text.size() || limit == 0 || limit > kRequestsShownMax) {
      return page::error(400, "InvalidLimit", fmt::format("limit must be a number from 1 to {}.", kRequestsShownMax));
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
  return page::json({{"requests", std::move(list)}});
}

http::Response ControlPlane::operations_page(const http::Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return page::wrong_method("GET");
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
  return page::json({{"services", std::move(services)}});
}

http::Response ControlPlane::faults_page(const http::Request& request) {
  if (request.method == "DELETE") {
    parts_.faults.replace({});
  } else if (request.method == "PUT") {
    auto rules = parse_fault_rules(request.body, parts_.registry);
    if (!rules.ok()) return page::error(400, "InvalidFaults", rules.error().message());
    parts_.faults.replace(std::move(*rules));
  } else if (request.method != "GET" && request.method != "HEAD") {
    return page::wrong_method("GET, PUT, DELETE");
  }
  return text_answer(parts_.faults.json(), "application/json");
}

http::Response ControlPlane::later_page(const http::Request& request) {
  return page::error(404, "NotAvailable",
                      fmt::format("{} is not available in Fogwatch {}.", page::path_of(request.target), FOG_VERSION));
}

// --- health ------------------------------------------------------------------------------------------

http::Response ControlPlane::health_page(const http::Request&) {
  for (const HealthCheck& check : parts_.checks) {
    if (const std::string problem = check.problem(); !problem.empty()) {
      return page::json({{"status", "failing"}, {"check", check.name}, {"problem", problem}}, 503);
    }
  }
  return page::json({{"status", "ok"}, {"version", FOG_VERSION}});
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
  return page::json({{"status", all_well ? "ok" : "failing"},
                      {"version", FOG_VERSION},
                      {"uptime_seconds", uptime_seconds()},
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
      .value(uptime_seconds());
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

double ControlPlane::uptime_seconds() const { return static_cast<double>((parts_.clock.clock().real_now() - parts_.started).count()) / 1000.0; }

http::Response ControlPlane::root_page(const http::Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return page::wrong_method("GET");
  std::string text = fmt::format("Fogwatch {}\n", FOG_VERSION);
  for (const std::string& address : parts_.addresses()) text += address + "\n";
  return text_answer(std::move(text));
}

}  // namespace fog
