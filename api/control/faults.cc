#include "api/control/faults.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace fog {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kRulesMax = 100;
// A client gives up long before.
constexpr std::int64_t kLatencyMsMax = 300'000;

Error bad(std::string message) { return Error::invalid(std::move(message)); }

bool matches(const std::string& wanted, std::string_view found) { return wanted.empty() || wanted == found; }

bool matches(const FaultRule& rule, const FaultCall& call) {
  return matches(rule.service, call.service) && matches(rule.operation, call.operation) &&
         matches(rule.account, call.account) && matches(rule.region, call.region) &&
         matches(rule.access_key, call.access_key);
}

// How each service says that calls come too fast (protocols.md 2.7).
WireFault throttling_of(std::string_view service) {
  if (service == "sns") return {.code = "ThrottledException", .query_code = "Throttled", .status = 429, .message = "Rate exceeded"};
  if (service == "xray") return {.code = "ThrottledException", .status = 429, .message = "Rate exceeded"};
  return {.code = "ThrottlingException", .query_code = "Throttling", .status = 400, .message = "Rate exceeded"};
}

// The names of the rule are those of the registry.
Status check_names(const FaultRule& rule, const Registry& registry) {
  bool has_service = rule.service.empty();
  bool has_operation = rule.operation.empty();
  for (const auto& service : registry.services()) {
    if (!matches(rule.service, service->info->name)) continue;
    has_service = true;
    has_operation = has_operation || registry.find(*service, rule.operation) != nullptr;
  }
  if (!has_service) return bad(fmt::format("there is no service \"{}\"", rule.service));
  if (!has_operation) return bad(fmt::format("there is no operation \"{}\"", rule.operation));
  return Ok{};
}

// One member after the other; what is of the wrong type or unknown is said by name.
class RuleReader {
 public:
  explicit RuleReader(const Json& json) : json_(json) {}

  Result<FaultRule> read() {
    if (!json_.is_object()) return bad("a rule is not an object");
    FaultRule rule;
    for (const auto& [name, value] : json_.items()) TRYV(member(rule, name, value));
    if (rule.latency == Millis(0) && !rule.drops && !rule.throttles && !rule.error) {
      return bad("a rule needs one of latency_ms, drop, throttle and error");
    }
    if (int{rule.drops} + int{rule.throttles} + int{rule.error.has_value()} > 1) {
      return bad("a rule has one of drop, throttle and error");
    }
    return rule;
  }

 private:
  static Status text(const std::string& name, const Json& value, std::string& into) {
    if (!value.is_string()) return bad(fmt::format("\"{}\" is not a text", name));
    into = value.get<std::string>();
    return Ok{};
  }

  static Status flag(const std::string& name, const Json& value, bool& into) {
    if (!value.is_boolean()) return bad(fmt::format("\"{}\" is neither true nor false", name));
    into = value.get<bool>();
    return Ok{};
  }

  Status member(FaultRule& rule, const std::string& name, const Json& value) {
    if (name == "service") return text(name, value, rule.service);
    if (name == "operation") return text(name, value, rule.operation);
    if (name == "account") return text(name, value, rule.account);
    if (name == "region") return text(name, value, rule.region);
    if (name == "access_key") return text(name, value, rule.access_key);
    if (name == "drop") return flag(name, value, rule.drops);
    if (name == "throttle") return flag(name, value, rule.throttles);
    if (name == "error") return error(rule, value);
    if (name == "fired") return Ok{};  // what GET shows may be put back
    if (name == "probability") {
      rule.probability = value.is_number() ? value.get<double>() : -1;
      if (!(rule.probability >= 0 && rule.probability <= 1)) return bad("\"probability\" is not a number from 0 to 1");
      return Ok{};
    }
    if (name == "count") {
      if (!value.is_number_unsigned()) return bad("\"count\" is not a whole number");
      rule.count = value.get<std::uint64_t>();
      return Ok{};
    }
    if (name == "latency_ms") {
      const bool fits = value.is_number_unsigned() && value.get<std::uint64_t>() <= kLatencyMsMax;
      if (!fits) return bad(fmt::format("\"latency_ms\" is not a whole number from 0 to {}", kLatencyMsMax));
      rule.latency = Millis(value.get<std::int64_t>());
      return Ok{};
    }
    return bad(fmt::format("a rule has no member \"{}\"", name));
  }

  static Status error(FaultRule& rule, const Json& value) {
    if (!value.is_object()) return bad("\"error\" is not an object");
    WireFault wire;
    wire.message = "An injected fault.";
    for (const auto& [name, part] : value.items()) {
      if (name == "code") {
        TRYV(text(name, part, wire.code));
      } else if (name == "message") {
        TRYV(text(name, part, wire.message));
      } else if (name == "status" && part.is_number_unsigned() && part.get<std::uint64_t>() >= 400 && part.get<std::uint64_t>() <= 599) {
        wire.status = part.get<int>();
      } else {
        return bad(name == "status" ? "\"status\" is not a number from 400 to 599" : fmt::format("an error has no member \"{}\"", name));
      }
    }
    if (wire.code.empty()) return bad("an error needs a \"code\"");
    rule.error = std::move(wire);
    return Ok{};
  }

  const Json& json_;
};

}  // namespace

Result<std::vector<FaultRule>> parse_fault_rules(const std::string& json, const Registry& registry) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object() || !document.contains("rules") || !document["rules"].is_array()) {
    return bad("the body is not {\"rules\": [...]}");
  }
  if (document["rules"].size() > kRulesMax) return bad(fmt::format("there may be {} rules", kRulesMax));
  std::vector<FaultRule> rules;
  for (const Json& entry : document["rules"]) {
    auto rule = RuleReader(entry).read();
    if (!rule.ok()) return bad(fmt::format("rule {}: {}", rules.size() + 1, rule.error().message()));
    if (auto known = check_names(*rule, registry); !known.ok()) {
      return bad(fmt::format("rule {}: {}", rules.size() + 1, known.error().message()));
    }
    rules.push_back(std::move(*rule));
  }
  return rules;
}

void Faults::replace(std::vector<FaultRule> rules) {
  auto held = rules_.lock();
  *held = std::move(rules);
  any_.store(!held->empty(), std::memory_order_relaxed);
}

std::vector<FaultRule> Faults::rules() const { return *rules_.lock_shared(); }

std::string Faults::json() const {
  Json list = Json::array();
  for (const FaultRule& rule : rules()) {
    Json entry = Json::object();
    const auto put = [&entry](const char* name, const std::string& value) {
      if (!value.empty()) entry[name] = value;
    };
    put("service", rule.service);
    put("operation", rule.operation);
    put("account", rule.account);
    put("region", rule.region);
    put("access_key", rule.access_key);
    if (rule.probability < 1) entry["probability"] = rule.probability;
    if (rule.count) entry["count"] = *rule.count;
    if (rule.latency.count() > 0) entry["latency_ms"] = rule.latency.count();
    if (rule.drops) entry["drop"] = true;
    if (rule.throttles) entry["throttle"] = true;
    if (rule.error) entry["error"] = {{"code", rule.error->code}, {"message", rule.error->message}, {"status", rule.error->status}};
    entry["fired"] = rule.fired;
    list.push_back(std::move(entry));
  }
  return Json{{"rules", std::move(list)}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<InjectedFault> Faults::decide(const FaultCall& call) {
  if (!any()) return std::nullopt;
  auto rules = rules_.lock();
  for (FaultRule& rule : *rules) {
    if (!matches(rule, call) || (rule.count && rule.fired >= *rule.count)) continue;
    // The upper 53 bits as a fraction below 1.
    if (rule.probability < 1 && static_cast<double>(random_.next() >> 11) * 0x1p-53 >= rule.probability) continue;
    ++rule.fired;
    InjectedFault fault{.latency = rule.latency, .drops = rule.drops, .error = rule.error};
    if (rule.throttles) fault.error = throttling_of(call.service);
    return fault;
  }
  return std::nullopt;
}

Delays::~Delays() {
  if (thread_) thread_->stop();
  for (auto& [due, call] : waiting_) call();
}

void Delays::after(Millis time, std::function<void()> call) {
  const std::lock_guard lock(mutex_);
  waiting_.emplace(std::chrono::steady_clock::now() + time, std::move(call));
  if (!thread_) thread_ = std::make_unique<BackgroundThread>([this] { return run(); });
  thread_->wake();
}

Millis Delays::run() {
  constexpr Millis kIdle{60'000};
  for (;;) {
    std::function<void()> call;
    {
      const std::lock_guard lock(mutex_);
      const auto now = std::chrono::steady_clock::now();
      if (waiting_.empty()) return kIdle;
      const auto first = waiting_.begin();
      if (first->first > now) return std::min(kIdle, std::chrono::ceil<Millis>(first->first - now));
      call = std::move(first->second);
      waiting_.erase(first);
    }
    call();
  }
}

}  // namespace fog
