// Subscriptions: subscribe, confirm, unsubscribe, list, attributes.
#include "api/sns/subscriptions.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/common/violations.h"
#include "api/sns/archive.h"
#include "api/sns/common.h"
#include "api/sns/delivery_policy.h"
#include "api/sns/operations.h"
#include "api/sns/sns.h"

namespace fog::sns {
namespace {

using Json = nlohmann::ordered_json;
using Attributes = std::map<std::string, std::string>;

constexpr std::size_t kFifoSubscriptionsMax = 100;
constexpr std::size_t kFilterPoliciesPerTopicMax = 200;
constexpr std::chrono::hours kTokenLife{48};
constexpr std::size_t kTokensKept = 5;

bool confirms_itself(std::string_view protocol) {
  return protocol == "sqs" || protocol == "lambda" || protocol == "firehose" || protocol == "application" ||
         protocol == "sms";
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

bool valid_sms_endpoint(std::string_view number) {
  if (number.starts_with('+')) number.remove_prefix(1);
  return number.size() >= 2 && number.size() <= 15 && number.front() >= '1' && number.front() <= '9' &&
         std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_arn_of(std::string_view text, std::string_view service) {
  const auto arn = parse_arn(text);
  return arn && arn->service == service && !arn->resource.empty();
}

Status check_endpoint(std::string_view protocol, const std::string& endpoint, bool fifo) {
  if (protocol == "http" || protocol == "https") {
    if (!endpoint.starts_with(std::string(protocol) + "://"))
      return invalid("Endpoint must match the specified protocol");
  } else if (protocol == "email" || protocol == "email-json") {
    if (endpoint.find('@') == std::string::npos || endpoint.find_first_of(" \t\r\n<>,;") != std::string::npos)
      return invalid("Email address");
  } else if (protocol == "sms") {
    if (!valid_sms_endpoint(endpoint)) return fault(InvalidParameterException{.message = fmt::format("Invalid SMS endpoint: {}", endpoint)});
  } else if (protocol == "sqs") {
    if (!is_arn_of(endpoint, "sqs")) return invalid("SQS endpoint ARN");
    if (endpoint.ends_with(".fifo") && !fifo)
      return invalid(
          "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics");
  } else if (protocol == "lambda") {
    if (!is_arn_of(endpoint, "lambda")) return invalid("Lambda endpoint ARN");
  } else if (protocol == "firehose") {
    if (!is_arn_of(endpoint, "firehose")) return invalid("Firehose endpoint ARN");
  } else if (protocol == "application") {
    if (!is_arn_of(endpoint, "sns")) return invalid("ApplicationEndpoint ARN");
  } else {
    return invalid(fmt::format("Amazon SNS does not support this protocol string: {}", protocol));
  }
  if (endpoint.size() > 2048 ||
      std::any_of(endpoint.begin(), endpoint.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
    return invalid("Endpoint");
  if (fifo && protocol != "sqs")
    return invalid(fmt::format("Protocol Reason: FIFO topics do not support the protocol {}", protocol));
  return Ok{};
}

// What follows the operation's prefix; the value to store.
Result<std::string> check_attribute(const std::string& name, const std::string& value, const Attributes& all,
                                    const TopicEntry* topic, std::string_view protocol, const std::string& endpoint) {
  if (name == "RawMessageDelivery") {
    const std::string flag = lower(value);
    if (flag != "true" && flag != "false")
      return Error::invalid(fmt::format("RawMessageDelivery: Invalid value [{}]. Must be true or false.", value));
    return flag;
  }
  if (name == "FilterPolicyScope") {
    if (value != "MessageAttributes" && value != "MessageBody")
      return Error::invalid(fmt::format(
          "FilterPolicyScope: Invalid value [{}]. Please use either MessageBody or MessageAttributes", value));
    return value;
  }
  if (name == "FilterPolicy") {
    if (value.empty()) return std::string();
    const auto scope = all.find("FilterPolicyScope");
    auto policy = filter_policy::FilterPolicy::parse(value, scope != all.end() && scope->second == "MessageBody"
                                                                ? filter_policy::Scope::kMessageBody
                                                                : filter_policy::Scope::kMessageAttributes);
    if (policy.ok()) return policy->empty() ? std::string() : value;
    const Error& error = policy.error();
    // One text bears no attribute name; grammar errors say where they stand.
    std::string text = error.kind() == ErrorKind::kConflict ? error.message() : "FilterPolicy: " + error.message();
    if (const auto position = error.position()) {
      const std::string_view before = std::string_view(value).substr(0, *position);
      const auto line = std::count(before.begin(), before.end(), '\n') + 1;
      const std::size_t newline = before.rfind('\n');
      const std::size_t column = newline == std::string_view::npos ? *position + 1 : *position - newline;
      text += fmt::format("\n at [Source: (String)\"{}\"; line: {}, column: {}]", value, line, column);
    }
    return Error::invalid(std::move(text));
  }
  if (name == "RedrivePolicy") {
    if (value.empty()) return std::string();
    const Json policy = Json::parse(value, nullptr, false);
    if (policy.is_discarded()) return Error::invalid("RedrivePolicy: failed to parse JSON.");
    if (policy.is_object() && policy.empty()) return std::string();
    const auto target = policy.is_object() ? policy.find("deadLetterTargetArn") : policy.end();
    if (!policy.is_object() || target == policy.end() || !target->is_string() ||
        !is_arn_of(target->get<std::string>(), "sqs"))
      return Error::invalid("RedrivePolicy: deadLetterTargetArn is an invalid arn");
    const bool fifo_target = target->get<std::string>().ends_with(".fifo");
    if (topic != nullptr && topic->fifo && endpoint.ends_with(".fifo") && !fifo_target)
      return Error::invalid("RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.");
    return value;
  }
  if (name == "DeliveryPolicy") {
    if (value.empty()) return std::string();
    auto checked = check_subscription_policy(value);
    if (!checked.ok()) return Error::invalid("DeliveryPolicy: " + checked.error().message());
    return checked;
  }
  if (name == "SubscriptionRoleArn") {
    if (!value.empty() && !is_arn_of(value, "iam")) return Error::invalid("SubscriptionRoleArn");
    return value;
  }
  if (name == "ReplayPolicy") {
    if (value.empty()) return std::string();
    const Json policy = Json::parse(value, nullptr, false);
    if (!policy.is_object()) return Error::invalid("ReplayPolicy: failed to parse JSON.");
    if (policy.empty()) return std::string();
    if (topic != nullptr && !topic->fifo) return Error::invalid("ReplayPolicy: Replay is supported for FIFO topics only");
    if (protocol != "sqs") return Error::invalid("ReplayPolicy");
    if (const auto window = parse_replay_policy(value); !window.ok()) return Error::invalid("ReplayPolicy: " + window.error().message());
    if (topic != nullptr && archive_days(*topic) == 0) return Error::invalid("ReplayPolicy: The topic has no archive policy");
    return value;
  }
  return Error::invalid("AttributeName");
}

// Given attributes against stored ones: booleans ignore case and defaults count.
bool same_attributes(const Attributes& given, const Attributes& stored) {
  return std::all_of(given.begin(), given.end(), [&](const auto& entry) {
    const auto& [name, value] = entry;
    const auto found = stored.find(name);
    if (found != stored.end()) return found->second == value;
    if (name == "RawMessageDelivery") return value == "false";
    if (name == "FilterPolicyScope") return value == "MessageAttributes";
    return value.empty();
  });
}

// Which region the token is for, then what nobody guesses.
std::string make_token(Sns& sns, const std::string& region) {
  std::string bytes;
  bytes.push_back('\x23');
  bytes.push_back(static_cast<char>(region.size()));
  bytes += region;
  for (int i = 0; i < 5; ++i) {
    const std::uint64_t word = sns.random().next();
    bytes.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  return hex(bytes);
}

// The region of a token of ours; nothing: not decodable.
std::optional<std::string> token_region(std::string_view token) {
  std::string bytes;
  if (token.size() % 2 != 0 || token.size() > 512) return std::nullopt;
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  for (std::size_t i = 0; i < token.size(); i += 2) {
    const int high = digit(token[i]), low = digit(token[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  if (bytes.size() < 3 || bytes[0] != '\x23') return std::nullopt;
  const std::size_t size = static_cast<unsigned char>(bytes[1]);
  if (bytes.size() != 2 + size + 40) return std::nullopt;
  return bytes.substr(2, size);
}

void add_token(StoredSubscription& subscription, std::string token, Timestamp now) {
  auto& tokens = subscription.tokens;
  std::erase_if(tokens, [&](const StoredToken& t) { return t.expires_ms <= to_ms(now); });
  if (tokens.size() >= kTokensKept) tokens.erase(tokens.begin());
  tokens.push_back({.token = std::move(token), .expires_ms = to_ms(now + kTokenLife)});
}

// Without a policy the scope does not show; a stored scope still counts when a policy comes.
Attributes readable(Sns& sns, const SubscriptionEntry& entry) {
  const StoredSubscription& document = entry.document;
  Attributes out = document.attributes;
  out["SubscriptionArn"] = document.arn;
  out["TopicArn"] = document.topic_arn;
  out["Owner"] = document.owner;
  out["SubscriptionPrincipal"] = document.principal;
  out["Protocol"] = document.protocol;
  out["Endpoint"] = document.endpoint;
  out["PendingConfirmation"] = document.confirmed ? "false" : "true";
  out["ConfirmationWasAuthenticated"] = document.authenticated ? "true" : "false";
  out.try_emplace("RawMessageDelivery", "false");
  if (out.contains("FilterPolicy")) out.try_emplace("FilterPolicyScope", "MessageAttributes");
  else out.erase("FilterPolicyScope");
  if (document.protocol == "http" || document.protocol == "https") {
    const TopicPtr topic = sns.state().topic(document.topic_arn);
    out["EffectiveDeliveryPolicy"] = effective_subscription_json(
        topic ? topic->attribute("DeliveryPolicy") : std::string(), entry.attribute("DeliveryPolicy"));
  }
  return out;
}

Result<SubscribeResponse> subscribe(Call& call, const SubscribeInput& in) {
  Sns& sns = call.service<Sns>();
  TRYV(check_arn(call, in.topic_arn, "TopicArn"));
  const std::string endpoint = in.endpoint.value_or("");
  const bool fifo = in.topic_arn.ends_with(".fifo");
  TRYV(check_endpoint(in.protocol, endpoint, fifo));
  const std::lock_guard changes(sns.state().changes());
  const SnsState::Publication topic = sns.state().publication(in.topic_arn);

  Attributes attributes;
  const Attributes given = in.attributes.value_or(Attributes{});
  for (const auto& [name, value] : given) {
    auto checked = check_attribute(name, value, given, topic.topic.get(), in.protocol, endpoint);
    if (!checked.ok()) return invalid("Attributes Reason: " + checked.error().message());
    if (!checked->empty()) attributes[name] = std::move(checked).value();
  }
  if (!topic.topic) return not_found("Topic");
  if (in.protocol == "firehose" && !attributes.contains("SubscriptionRoleArn"))
    return invalid("Attributes Reason: SubscriptionRoleArn is required for the firehose protocol");

  StoredSubscription document;
  if (const SubscriptionPtr existing = sns.state().subscription_by_endpoint(in.topic_arn, in.protocol, endpoint)) {
    if (!same_attributes(given.empty() ? given : attributes, existing->document.attributes))
      return invalid("Attributes Reason: Subscription already exists with different attributes");
    document = existing->document;
    if (document.confirmed) return SubscribeResponse{.subscription_arn = document.arn};
  } else {
    if (fifo && topic.subscriptions->size() >= kFifoSubscriptionsMax)
      return fault(SubscriptionLimitExceededException{.message = "Subscription limit exceeded"});
    if (attributes.contains("FilterPolicy")) TRYV(check_filter_policy_count(sns, in.topic_arn));
    document.arn = in.topic_arn + ":" + sns.random().uuid();
    document.topic_arn = in.topic_arn;
    document.account = call.account;
    document.region = call.region;
    document.owner = call.account;
    document.principal = call.principal.empty()
                             ? fmt::format("arn:{}:iam::{}:root", partition_of(call.region), call.account)
                             : call.principal;
    document.protocol = in.protocol;
    document.endpoint = endpoint;
    document.attributes = std::move(attributes);
    document.confirmed = confirms_itself(in.protocol);
    if (document.attributes.contains("ReplayPolicy")) document.attributes["ReplayStatus"] = "Completed";
    document.authenticated = document.confirmed;
  }
  SubscribeResponse out{.subscription_arn = document.arn};
  if (document.confirmed) {
    const auto replay = document.attributes.find("ReplayPolicy");
    const std::string policy = replay == document.attributes.end() ? std::string() : replay->second;
    TRYV(sns.state().put(std::move(document)));
    if (!policy.empty()) {
      TRY(const ReplayWindow window, parse_replay_policy(policy));
      Lsn lsn = 0;
      if (const SubscriptionPtr made = sns.state().subscription(*out.subscription_arn)) TRYV(sns.replay(*made, window, call.now, lsn));
      call.durable_after(lsn);
    }
    return out;
  }
  const std::string token = make_token(sns, call.region);
  add_token(document, token, call.now);
  TRYV(sns.state().put(document));
  call.durable_after(sns.send_confirmation(call, kSubscriptionConfirmation, document, token));
  if (!in.return_subscription_arn.value_or(false)) out.subscription_arn = "pending confirmation";
  return out;
}

Result<ConfirmSubscriptionResponse> confirm_subscription(Call& call, const ConfirmSubscriptionInput& in) {
  TRY(std::string arn, confirm_by_token(call, in.topic_arn, in.token,
                                        lower(in.authenticate_on_unsubscribe.value_or("")) == "true"));
  return ConfirmSubscriptionResponse{.subscription_arn = std::move(arn)};
}

Result<Empty> unsubscribe(Call& call, const UnsubscribeInput& in) {
  TRYV(unsubscribe_by_arn(call, in.subscription_arn));
  return Empty{};
}

Error unsubscribe_invalid(const OperationInfo& operation, std::span<const Violation> violations) {
  for (const auto& violation : violations) {
    if (violation.constraint == Constraint::kNotNull)
      return invalid("SubscriptionArn Reason: no value for required parameter");
  }
  return validation_error(operation, violations);
}

Subscription listed(const StoredSubscription& document) {
  return {.subscription_arn = document.confirmed ? document.arn : "PendingConfirmation",
          .owner = document.owner,
          .protocol = document.protocol,
          .endpoint = document.endpoint,
          .topic_arn = document.topic_arn};
}

Result<ListSubscriptionsResponse> list_subscriptions(Call& call, const ListSubscriptionsInput& in) {
  TRY(const std::string after, page_start("ListSubscriptions", in.next_token));
  const auto page = call.service<Sns>().state().subscriptions(call.account, call.region, after, kPageItems + 1);
  ListSubscriptionsResponse out;
  out.subscriptions.emplace();
  for (std::size_t i = 0; i < page.size(); ++i) {
    if (i == kPageItems) {
      out.next_token = page_token("ListSubscriptions", page[i - 1]->document.arn);
      break;
    }
    out.subscriptions->push_back(listed(page[i]->document));
  }
  return out;
}

Result<ListSubscriptionsByTopicResponse> list_subscriptions_by_topic(Call& call, const ListSubscriptionsByTopicInput& in) {
  TRYV(check_arn(call, in.topic_arn, "TopicArn"));
  const std::string name = "ListSubscriptionsByTopic " + in.topic_arn;
  TRY(const std::string after, page_start(name, in.next_token));
  const SnsState::Publication topic = call.service<Sns>().state().publication(in.topic_arn);
  if (!topic.topic) return not_found("Topic");
  const SubscriptionList& all = *topic.subscriptions;
  auto it = std::upper_bound(all.begin(), all.end(), after,
                             [](const std::string& a, const SubscriptionPtr& s) { return a < s->document.arn; });
  ListSubscriptionsByTopicResponse out;
  out.subscriptions.emplace();
  for (; it != all.end(); ++it) {
    if (out.subscriptions->size() == kPageItems) {
      out.next_token = page_token(name, (*std::prev(it))->document.arn);
      break;
    }
    out.subscriptions->push_back(listed((*it)->document));
  }
  return out;
}

Result<SubscriptionPtr> find_subscription(Call& call, const std::string& arn) {
  TRYV(check_arn(call, arn, "SubscriptionArn"));
  SubscriptionPtr found = call.service<Sns>().state().subscription(arn);
  if (!found) return not_found("Subscription");
  return found;
}

Result<GetSubscriptionAttributesResponse> get_subscription_attributes(Call& call, const GetSubscriptionAttributesInput& in) {
  TRY(const SubscriptionPtr found, find_subscription(call, in.subscription_arn));
  return GetSubscriptionAttributesResponse{.attributes = readable(call.service<Sns>(), *found)};
}

Result<Empty> set_subscription_attributes(Call& call, const SetSubscriptionAttributesInput& in) {
  Sns& sns = call.service<Sns>();
  const std::lock_guard changes(sns.state().changes());
  TRY(const SubscriptionPtr found, find_subscription(call, in.subscription_arn));
  const TopicPtr topic = sns.state().topic(found->document.topic_arn);
  const std::string value = in.attribute_value.value_or("");
  auto checked = check_attribute(in.attribute_name, value, found->document.attributes, topic.get(),
                                 found->document.protocol, found->document.endpoint);
  if (!checked.ok()) return invalid(checked.error().message());
  StoredSubscription document = found->document;
  if (in.attribute_name == "FilterPolicy" && !checked->empty() && !document.attributes.contains("FilterPolicy"))
    TRYV(check_filter_policy_count(sns, document.topic_arn));
  // A nested policy cannot stay behind when the scope goes back to attributes.
  if (in.attribute_name == "FilterPolicyScope" && *checked == "MessageAttributes") {
    if (const auto policy = document.attributes.find("FilterPolicy"); policy != document.attributes.end()) {
      Attributes wanted = document.attributes;
      wanted["FilterPolicyScope"] = *checked;
      auto fits = check_attribute("FilterPolicy", policy->second, wanted, topic.get(), document.protocol, document.endpoint);
      if (!fits.ok()) return invalid(fits.error().message());
    }
  }
  const bool starts_replay = in.attribute_name == "ReplayPolicy" && !checked->empty();
  if (in.attribute_name == "ReplayPolicy") document.attributes.erase("ReplayStatus");
  if (checked->empty()) document.attributes.erase(in.attribute_name);
  else document.attributes[in.attribute_name] = std::move(checked).value();
  if (starts_replay) {
    TRY(const ReplayWindow window, parse_replay_policy(document.attributes["ReplayPolicy"]));
    Lsn lsn = 0;
    TRYV(sns.replay(*found, window, call.now, lsn));
    call.durable_after(lsn);
    // Everything archived so far is on its way; what comes later arrives as it is published.
    document.attributes["ReplayStatus"] = "Completed";
  }
  TRYV(sns.state().put(std::move(document)));
  return Empty{};
}

constexpr Operation kOperations[] = {
    bind<subscribe>(),
    bind<confirm_subscription>(),
    bind<unsubscribe>(unsubscribe_invalid),
    bind<list_subscriptions>(),
    bind<list_subscriptions_by_topic>(),
    bind<get_subscription_attributes>(),
    bind<set_subscription_attributes>(),
};

}  // namespace

std::span<const Operation> subscription_operations() { return kOperations; }

Status check_filter_policy_count(Sns& sns, const std::string& topic_arn) {
  const auto all = sns.state().subscriptions_of(topic_arn);
  if (!all) return Ok{};
  const auto n = std::count_if(all->begin(), all->end(), [](const auto& s) { return s->filter.has_value(); });
  if (static_cast<std::size_t>(n) >= kFilterPoliciesPerTopicMax)
    return fault(FilterPolicyLimitExceededException{.message = "Filter policy limit exceeded"});
  return Ok{};
}

Result<std::string> confirm_by_token(Call& call, const std::string& topic_arn, const std::string& token,
                                     bool authenticate_on_unsubscribe) {
  Sns& sns = call.service<Sns>();
  const auto arn = parse_arn(topic_arn);
  // A link opened in a browser carries no region of its own: its topic says it.
  if (!arn || arn->service != "sns" || (call.is_signed && arn->region != call.region)) return invalid("Topic");
  const auto region = token_region(token);
  if (!region) return fault(InvalidParameterException{.message = "Invalid token"});
  if (*region != arn->region) return invalid("Topic");
  const std::lock_guard changes(sns.state().changes());
  const SubscriptionPtr found = sns.state().subscription_by_token(token);
  if (!found) return invalid("Token");
  StoredSubscription document = found->document;
  const auto known = std::find_if(document.tokens.begin(), document.tokens.end(),
                                  [&](const StoredToken& t) { return t.token == token; });
  if (known == document.tokens.end() || known->expires_ms <= to_ms(call.now)) return invalid("Token");
  if (document.confirmed && !document.gone_ms) return document.arn;
  if (!sns.state().topic(document.topic_arn)) return not_found("Topic");
  document.confirmed = true;
  document.authenticated = call.is_signed;
  document.unsubscribe_needs_signature = call.is_signed && authenticate_on_unsubscribe;
  document.gone_ms.reset();
  std::string out = document.arn;
  TRYV(sns.state().put(std::move(document)));
  return out;
}

Status unsubscribe_by_arn(Call& call, const std::string& arn) {
  Sns& sns = call.service<Sns>();
  const auto parts = std::count(arn.begin(), arn.end(), ':') + 1;
  if (arn.empty()) return invalid("SubscriptionArn Reason: no value for required parameter");
  if (parts < 6)
    return invalid(fmt::format("SubscriptionArn Reason: An ARN must have at least 6 elements, not {}", parts));
  if (parts == 6) return invalid("SubscriptionId");
  const std::lock_guard changes(sns.state().changes());
  const SubscriptionPtr found = sns.state().subscription(arn);
  if (!found || found->document.topic_gone) {
    if (found) TRYV(sns.state().erase_subscription(arn, call.now));
    return Ok{};
  }
  if (found->document.unsubscribe_needs_signature && !call.is_signed)
    return fault(AuthorizationErrorException{.message = "The unsubscribe request did not include a valid signature"});
  const bool web = found->document.protocol == "http" || found->document.protocol == "https";
  if (!web || !found->document.confirmed) {
    TRYV(sns.state().erase_subscription(arn, call.now));
    return Ok{};
  }
  // The endpoint is told, and its token brings the subscription back.
  StoredSubscription kept = found->document;
  const std::string token = make_token(sns, kept.region);
  kept.tokens.clear();
  add_token(kept, token, call.now);
  const StoredSubscription told = kept;
  TRYV(sns.state().erase_subscription(arn, call.now, std::move(kept)));
  call.durable_after(sns.send_confirmation(call, kUnsubscribeConfirmation, told, token));
  return Ok{};
}

}  // namespace fog::sns
