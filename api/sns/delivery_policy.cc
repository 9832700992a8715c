#include "api/sns/delivery_policy.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace fog::sns {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kRetryFields[] = {"minDelayTarget", "maxDelayTarget", "numRetries",
                                             "numMaxDelayRetries", "numNoDelayRetries",
                                             "numMinDelayRetries", "backoffFunction"};
constexpr int kRetrySecondsMax = 3600;

Json default_retry() {
  return {{"minDelayTarget", 20},    {"maxDelayTarget", 20},     {"numRetries", 3},
          {"numMaxDelayRetries", 0}, {"numNoDelayRetries", 0},   {"numMinDelayRetries", 0},
          {"backoffFunction", "linear"}};
}

Json parse(std::string_view text) {
  return text.empty() ? Json::object() : Json::parse(text, nullptr, false);
}

const Json& member(const Json& object, std::string_view name) {
  static const Json none;
  if (!object.is_object()) return none;
  const auto found = object.find(name);
  return found == object.end() ? none : *found;
}

// Members of `over` that are not null replace those of `base`.
void overlay(Json& base, const Json& over) {
  if (!over.is_object()) return;
  for (const auto& [name, value] : over.items()) {
    if (!value.is_null()) base[name] = value;
  }
}

RetryPolicy::Backoff backoff_of(std::string_view name) {
  if (name == "arithmetic") return RetryPolicy::Backoff::kArithmetic;
  if (name == "geometric") return RetryPolicy::Backoff::kGeometric;
  if (name == "exponential") return RetryPolicy::Backoff::kExponential;
  return RetryPolicy::Backoff::kLinear;
}

RetryPolicy to_retry(const Json& json) {
  RetryPolicy out;
  const auto number = [&](std::string_view name, int otherwise) {
    const Json& value = member(json, name);
    return value.is_number() ? value.get<int>() : otherwise;
  };
  out.min_delay = std::chrono::seconds(number("minDelayTarget", 20));
  out.max_delay = std::chrono::seconds(number("maxDelayTarget", 20));
  out.retries = number("numRetries", 3);
  out.no_delay_retries = number("numNoDelayRetries", 0);
  out.min_delay_retries = number("numMinDelayRetries", 0);
  out.max_delay_retries = number("numMaxDelayRetries", 0);
  const Json& backoff = member(json, "backoffFunction");
  if (backoff.is_string()) out.backoff = backoff_of(backoff.get<std::string>());
  return out;
}

// The seven retry fields within their ranges.
Status check_retry(const Json& given) {
  if (given.is_null()) return Ok{};
  if (!given.is_object()) return Error::invalid("healthyRetryPolicy must be an object");
  for (const auto& [name, value] : given.items()) {
    if (std::find(std::begin(kRetryFields), std::end(kRetryFields), name) == std::end(kRetryFields))
      return Error::invalid(fmt::format("Unexpected JSON member: {}", name));
    if (value.is_null()) continue;
    if (name == "backoffFunction") {
      if (!value.is_string() || (value != "linear" && value != "arithmetic" && value != "geometric" &&
                                 value != "exponential"))
        return Error::invalid("backoffFunction must be one of linear, arithmetic, geometric, exponential");
      continue;
    }
    if (!value.is_number_integer() || value.get<std::int64_t>() < 0)
      return Error::invalid(fmt::format("{} must be a non-negative integer", name));
  }
  Json whole = default_retry();
  overlay(whole, given);
  const auto number = [&](std::string_view name) { return member(whole, name).get<std::int64_t>(); };
  const auto low = number("minDelayTarget"), high = number("maxDelayTarget"), retries = number("numRetries");
  if (low < 1) return Error::invalid("minDelayTarget must be greater than or equal to 1");
  if (low > high && member(given, "maxDelayTarget").is_null() == false)
    return Error::invalid("minDelayTarget must be less than or equal to maxDelayTarget");
  if (low > high) return Error::invalid("maxDelayTarget must be specified");
  if (high > kRetrySecondsMax) return Error::invalid("maxDelayTarget must be less than or equal to 3600");
  if (retries > 100) return Error::invalid("numRetries must be less than or equal to 100");
  if (number("numNoDelayRetries") + number("numMinDelayRetries") + number("numMaxDelayRetries") > retries)
    return Error::invalid("numNoDelayRetries + numMinDelayRetries + numMaxDelayRetries must be less than or equal to numRetries");
  const RetryPolicy policy = to_retry(whole);
  Millis total{0};
  for (int n = 1; n <= policy.retries; ++n) total += policy.delay(n).value_or(Millis(0));
  if (total > std::chrono::seconds(kRetrySecondsMax))
    return Error::invalid("total retry time must be less than or equal to 3600 seconds");
  return Ok{};
}

Status check_throttle(const Json& given) {
  if (given.is_null()) return Ok{};
  const Json& rate = member(given, "maxReceivesPerSecond");
  if (rate.is_null()) return Ok{};
  if (!rate.is_number_integer() || rate.get<std::int64_t>() < 1)
    return Error::invalid("maxReceivesPerSecond must be greater than or equal to 1");
  return Ok{};
}

Status check_request(const Json& given) {
  if (given.is_null()) return Ok{};
  constexpr std::string_view kTypes[] = {
      "text/css", "text/csv", "text/html", "text/plain", "text/xml", "application/atom+xml",
      "application/json", "application/octet-stream", "application/soap+xml", "application/x-www-form-urlencoded",
      "application/xhtml+xml", "application/xml"};
  const Json& type = member(given, "headerContentType");
  if (type.is_null()) return Ok{};
  if (!type.is_string()) return Error::invalid("headerContentType must be a string");
  const auto text = type.get<std::string>();
  const auto bare = text.substr(0, text.find(';'));
  if (std::find(std::begin(kTypes), std::end(kTypes), bare) == std::end(kTypes) ||
      text.find_first_of("\r\n") != std::string::npos)
    return Error::invalid("headerContentType is not supported");
  return Ok{};
}

// Given nulls drop.
Json without_nulls(const Json& json) {
  if (!json.is_object()) return json;
  Json out = Json::object();
  for (const auto& [name, value] : json.items()) {
    if (!value.is_null()) out[name] = without_nulls(value);
  }
  return out;
}

Json effective_topic(std::string_view topic_policy) {
  const Json given = parse(topic_policy);
  const Json& http = member(given, "http");
  Json retry = default_retry();
  overlay(retry, member(http, "defaultHealthyRetryPolicy"));
  Json out;
  out["defaultHealthyRetryPolicy"] = std::move(retry);
  const Json& forbidden = member(http, "disableSubscriptionOverrides");
  out["disableSubscriptionOverrides"] = forbidden.is_boolean() && forbidden.get<bool>();
  if (const Json& throttle = member(http, "defaultThrottlePolicy"); !throttle.is_null())
    out["defaultThrottlePolicy"] = throttle;
  Json request = {{"headerContentType", "text/plain; charset=UTF-8"}};
  overlay(request, member(http, "defaultRequestPolicy"));
  out["defaultRequestPolicy"] = std::move(request);
  return out;
}

Json effective_subscription(std::string_view topic_policy, std::string_view subscription_policy) {
  const Json topic = effective_topic(topic_policy);
  Json out;
  out["healthyRetryPolicy"] = topic["defaultHealthyRetryPolicy"];
  out["sicklyRetryPolicy"] = nullptr;
  out["throttlePolicy"] = member(topic, "defaultThrottlePolicy");
  out["requestPolicy"] = topic["defaultRequestPolicy"];
  out["guaranteed"] = false;
  if (topic["disableSubscriptionOverrides"].get<bool>()) return out;
  const Json own = parse(subscription_policy);
  overlay(out["healthyRetryPolicy"], member(own, "healthyRetryPolicy"));
  if (const Json& throttle = member(own, "throttlePolicy"); !throttle.is_null()) out["throttlePolicy"] = throttle;
  overlay(out["requestPolicy"], member(own, "requestPolicy"));
  return out;
}

}  // namespace

std::optional<Millis> RetryPolicy::delay(int n) const {
  if (n < 1 || n > retries) return std::nullopt;
  if (n <= no_delay_retries) return Millis(0);
  n -= no_delay_retries;
  if (n <= min_delay_retries) return min_delay;
  n -= min_delay_retries;
  const int steps = retries - no_delay_retries - min_delay_retries - max_delay_retries;
  if (n > steps) return max_delay;
  const double low = static_cast<double>(min_delay.count()), high = static_cast<double>(max_delay.count());
  const double t = steps == 1 ? 0 : static_cast<double>(n - 1) / (steps - 1);
  double ms = low;
  switch (backoff) {
    case Backoff::kLinear: ms = low + (high - low) * t; break;
    case Backoff::kArithmetic: ms = low + (high - low) * t * (t + 1) / 2; break;
    case Backoff::kGeometric: ms = low * std::pow(high / low, t); break;
    case Backoff::kExponential: ms = low + (high - low) * (std::pow(2, 10 * t) - 1) / 1023; break;
  }
  return Millis(std::llround(ms));
}

RetryPolicy queue_retry_policy() {
  return {.min_delay = Millis(1'000), .max_delay = Millis(20'000), .retries = 3 + 2 + 10 + 100'000,
          .no_delay_retries = 3, .min_delay_retries = 2, .max_delay_retries = 100'000,
          .backoff = RetryPolicy::Backoff::kExponential};
}

RetryPolicy mail_retry_policy() {
  return {.min_delay = Millis(10'000), .max_delay = Millis(600'000), .retries = 2 + 10 + 38,
          .no_delay_retries = 0, .min_delay_retries = 2, .max_delay_retries = 38,
          .backoff = RetryPolicy::Backoff::kExponential};
}

EffectivePolicy effective_policy(std::string_view topic_policy, std::string_view subscription_policy) {
  EffectivePolicy out;
  if (topic_policy.empty() && subscription_policy.empty()) return out;
  const Json json = effective_subscription(topic_policy, subscription_policy);
  out.retry = to_retry(json["healthyRetryPolicy"]);
  if (const Json& rate = member(json["throttlePolicy"], "maxReceivesPerSecond"); rate.is_number())
    out.receives_per_second_max = rate.get<int>();
  if (const Json& type = member(json["requestPolicy"], "headerContentType"); type.is_string())
    out.content_type = type.get<std::string>();
  return out;
}

Result<std::string> check_topic_policy(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Error::invalid("failed to parse JSON.");
  const Json& http = member(json, "http");
  if (!http.is_object()) return Error::invalid("Unexpected JSON member");
  for (const auto& [name, value] : http.items()) {
    if (name != "defaultHealthyRetryPolicy" && name != "defaultSicklyRetryPolicy" &&
        name != "disableSubscriptionOverrides" && name != "defaultThrottlePolicy" && name != "defaultRequestPolicy")
      return Error::invalid(fmt::format("Unexpected JSON member: {}", name));
  }
  TRYV(check_retry(member(http, "defaultHealthyRetryPolicy")));
  TRYV(check_throttle(member(http, "defaultThrottlePolicy")));
  TRYV(check_request(member(http, "defaultRequestPolicy")));
  const Json& forbidden = member(http, "disableSubscriptionOverrides");
  if (!forbidden.is_null() && !forbidden.is_boolean())
    return Error::invalid("disableSubscriptionOverrides must be a boolean");
  Json out = without_nulls(json);
  if (member(out["http"], "disableSubscriptionOverrides").is_null())
    out["http"]["disableSubscriptionOverrides"] = false;
  return out.dump();
}

Result<std::string> check_subscription_policy(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Error::invalid("failed to parse JSON.");
  for (const auto& [name, value] : json.items()) {
    if (name != "healthyRetryPolicy" && name != "sicklyRetryPolicy" && name != "throttlePolicy" &&
        name != "requestPolicy" && name != "guaranteed")
      return Error::invalid(fmt::format("Unexpected JSON member: {}", name));
  }
  TRYV(check_retry(member(json, "healthyRetryPolicy")));
  TRYV(check_throttle(member(json, "throttlePolicy")));
  TRYV(check_request(member(json, "requestPolicy")));
  Json out = without_nulls(json);
  if (const Json& own = member(out, "healthyRetryPolicy"); own.is_object()) {
    Json whole = default_retry();
    overlay(whole, own);
    out["healthyRetryPolicy"] = std::move(whole);
  }
  return out.dump();
}

std::string effective_topic_json(std::string_view topic_policy) {
  Json out;
  out["http"] = effective_topic(topic_policy);
  return out.dump();
}

std::string effective_subscription_json(std::string_view topic_policy, std::string_view subscription_policy) {
  return effective_subscription(topic_policy, subscription_policy).dump();
}

}  // namespace fog::sns
