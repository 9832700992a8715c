#include "api/sns/sns.h"

#include <fmt/format.h>

#include "api/sns/archive.h"
#include "api/sns/common.h"
#include "api/sns/mobile.h"
#include "api/sns/protection.h"
#include "storage/base/log.h"

namespace fog::sns {
namespace {

constexpr std::chrono::minutes kDeduplicationWindow{5};

std::string signature_version(const TopicEntry& topic) {
  return topic.attribute("SignatureVersion") == "2" ? "2" : "1";
}

}  // namespace

// What filters look at: attributes once, a body once, however many subscriptions filter.
struct Sns::Bodies {
  struct Body {
    bool is_object = false;
    filter_policy::Values values{};
  };
  std::optional<filter_policy::Values> attributes{};
  std::map<std::string_view, Body> by_text{};
};

Sns::Sns(Deps deps, Options options)
    : deps_(deps),
      options_(std::move(options)),
      state_(deps.resources),
      signer_(deps.resources, deps.clock, deps.random),
      telemetry_({.state = state_, .clock = deps.clock, .random = deps.random}),
      deliveries_({.resources = deps.resources,
                   .wal = deps.wal,
                   .outbound = deps.outbound,
                   .outbox = deps.outbox,
                   .clock = deps.clock,
                   .random = deps.random,
                   .state = state_,
                   .signer = signer_,
                   .options = options_,
                   .pool = deps.pool,
                   .queues = deps.queues}) {
  deliveries_.on_opted_out([this](std::string_view account, std::string_view region, std::string_view number) {
    return is_opted_out(deps_.resources, account, region, number) ||
           (options_.sms_sandbox && !is_verified(deps_.resources, account, region, number));
  });
  deliveries_.on_report([this](const DeliveryReport& report) { telemetry_.report(report); });
}

Sns::~Sns() = default;

Status Sns::load() {
  TRYV(state_.load());
  return deliveries_.load();
}

std::string Sns::base_url(const Call& call) const {
  std::string url = !options_.external_url.empty() ? options_.external_url
                    : !call.base_url.empty()       ? call.base_url
                                                   : options_.default_url;
  while (url.ends_with('/')) url.pop_back();
  return url;
}

Result<Published> Sns::publish(const Publisher& publisher, const SnsState::Publication& to, const Draft& draft,
                               Checked checked) {
  Published out;
  out.message_id = deps_.random.uuid();
  const TopicEntry& topic = *to.topic;
  // The policy looks first, then masks, then refuses.
  const std::optional<Protection> protection = protection_of(topic);
  if (protection) {
    for (const AuditFinding& finding : protection->audit(checked, publisher.principal, deps_.random.next() % 100)) {
      telemetry_.count(topic.document.arn, finding.identifiers.empty() ? Telemetry::Count::kWithoutFindings : Telemetry::Count::kWithFindings);
      if (!finding.log_group.empty())
        telemetry_.log(topic.document.account, topic.document.region, finding.log_group,
                       finding.event(out.message_id, publisher.principal, topic.document.arn, publisher.now), publisher.now);
    }
  }
  if (protection) TRYV(protection->apply_inbound(checked, publisher.principal));
  std::optional<std::string> deduplication_id = draft.deduplication_id;
  if (topic.fifo) {
    if (!deduplication_id) {
      const auto sqs = checked.bodies.find("sqs");
      deduplication_id = hex(sha256(sqs == checked.bodies.end() ? checked.message : sqs->second));
    }
    std::string key = *deduplication_id;
    if (topic.attribute("FifoThroughputScope") == "MessageGroup") key = draft.group_id.value_or("") + "\n" + key;
    auto fifo = fifo_.lock();
    Fifo& own = (*fifo)[topic.document.arn];
    std::erase_if(own.seen, [&](const auto& s) { return s.second.until <= publisher.now; });
    const auto before = own.seen.find(key);
    if (before != own.seen.end()) {
      out.message_id = before->second.message_id;
      out.sequence_number = before->second.sequence_number;
      return out;
    }
    // Twenty digits that grow, also over a restart: they begin with the time.
    constexpr std::uint64_t kFirst = 10'000'000'000'000'000'000u;
    const std::uint64_t by_time = kFirst + static_cast<std::uint64_t>(std::max<std::int64_t>(0, to_ms(publisher.now))) * 100'000u;
    own.last_sequence = std::max(own.last_sequence + 1, by_time);
    out.sequence_number = fmt::format("{:020}", own.last_sequence);
    own.seen[key] = {publisher.now + kDeduplicationWindow, out.message_id, *out.sequence_number};
  }
  telemetry_.count(topic.document.arn, Telemetry::Count::kPublished);
  telemetry_.count(topic.document.arn, Telemetry::Count::kPublishBytes, static_cast<double>(checked.message.size()));
  std::string trace_header = publisher.trace_header.empty() ? std::string() : telemetry_.trace(topic, publisher.trace_header, publisher.now);
  const bool keeps = topic.fifo && archive_days(topic) > 0;
  if (to.subscriptions->empty() && !keeps) return out;
  StoredMessage message;
  message.account = topic.document.account;
  message.region = topic.document.region;
  message.kind = std::string(kNotification);
  message.topic_arn = topic.document.arn;
  message.message_id = out.message_id;
  message.subject = draft.subject;
  message.message = std::move(checked.message);
  message.bodies = std::move(checked.bodies);
  message.attributes = draft.attributes;
  message.time_ms = to_ms(publisher.now);
  message.sequence_number = out.sequence_number;
  message.group_id = draft.group_id;
  if (topic.fifo) message.deduplication_id = deduplication_id;
  message.base_url = publisher.base_url;
  message.signature_version = signature_version(topic);
  if (const auto& name = topic.attribute("DisplayName"); !name.empty()) message.sender_name = name;
  if (!trace_header.empty()) message.trace_header = std::move(trace_header);
  message.principal = publisher.principal;
  if (keeps) {
    TRY(out.lsn, archive_message(deps_.resources, deps_.log, message));
  }
  Bodies bodies;
  for (const auto& subscription : *to.subscriptions) {
    if (!subscription->document.confirmed) continue;
    if (!wants(*subscription, topic, message.attributes, message.message, message.bodies, bodies)) continue;
    if (protection && protection->denies_outbound(text_for(message, subscription->document.protocol), subscription->document.principal)) {
      telemetry_.denied(message, subscription->document, protection->name());
      continue;
    }
    message.targets.push_back(subscription->document.arn);
  }
  if (message.targets.empty()) return out;
  out.lsn = std::max(out.lsn, deliveries_.enqueue(std::move(message)));
  return out;
}

bool Sns::wants(const SubscriptionEntry& subscription, const TopicEntry& topic, const std::map<std::string, MessageAttributeValue>& attributes,
                const std::string& message, const std::map<std::string, std::string>& texts, Bodies& bodies) {
  using Count = Telemetry::Count;
  if (!subscription.filter) return true;
  const auto refuse = [&](Count why) {
    telemetry_.count(topic.document.arn, Count::kFilteredOut);
    telemetry_.count(topic.document.arn, why);
    return false;
  };
  if (subscription.filter->scope() == filter_policy::Scope::kMessageAttributes) {
    if (!bodies.attributes) {
      bodies.attributes.emplace();
      for (const auto& [name, value] : attributes) bodies.attributes->add_attribute(name, value.data_type, value.string_value.value_or(""));
    }
    if (subscription.filter->matches(*bodies.attributes)) return true;
    return refuse(attributes.empty() ? Count::kFilteredOutNoAttributes : Count::kFilteredOutByAttributes);
  }
  const auto own = texts.find(subscription.document.protocol);
  const std::string& text = own == texts.end() ? message : own->second;
  const auto [entry, is_new] = bodies.by_text.try_emplace(text);
  if (is_new) entry->second.is_object = entry->second.values.add_body(text);
  if (!entry->second.is_object) return refuse(Count::kFilteredOutInvalidBody);
  return subscription.filter->matches(entry->second.values) || refuse(Count::kFilteredOutByBody);
}

Result<std::size_t> Sns::replay(const SubscriptionEntry& subscription, const ReplayWindow& window, Timestamp now, Lsn& lsn) {
  const TopicPtr topic = state_.topic(subscription.document.topic_arn);
  if (!topic) return Error::not_found("Topic does not exist");
  TRY(auto messages, archived_messages(deps_.resources, deps_.log, *topic, window.start, window.end.value_or(now)));
  std::size_t n = 0;
  for (StoredMessage& message : messages) {
    Bodies bodies;
    if (!wants(subscription, *topic, message.attributes, message.message, message.bodies, bodies)) continue;
    message.targets = {subscription.document.arn};
    lsn = std::max(lsn, deliveries_.enqueue(std::move(message)));
    ++n;
  }
  return n;
}

void Sns::trim(Timestamp now) {
  if (Status status = trim_archive(deps_.resources, deps_.log, state_, now); !status.ok())
    LOG_WARN("archived messages cannot be trimmed: {}", status.error().message());
}

Result<Published> Sns::publish_direct(const Publisher& publisher, std::string protocol, std::string endpoint,
                                      const Draft& draft, Checked checked) {
  Published out;
  out.message_id = deps_.random.uuid();
  StoredMessage message;
  message.account = publisher.account;
  message.region = publisher.region;
  message.kind = std::string(kNotification);
  message.message_id = out.message_id;
  message.subject = draft.subject;
  message.message = std::move(checked.message);
  message.bodies = std::move(checked.bodies);
  message.attributes = draft.attributes;
  message.time_ms = to_ms(publisher.now);
  message.base_url = publisher.base_url;
  message.signature_version = "1";
  if (!publisher.trace_header.empty()) message.trace_header = publisher.trace_header;
  message.principal = publisher.principal;
  message.direct_protocol = std::move(protocol);
  message.direct_endpoint = std::move(endpoint);
  message.targets = {""};
  out.lsn = deliveries_.enqueue(std::move(message));
  return out;
}

Lsn Sns::send_confirmation(const Call& call, std::string_view kind, const StoredSubscription& subscription,
                           const std::string& token) {
  StoredMessage message;
  message.account = subscription.account;
  message.region = subscription.region;
  message.kind = std::string(kind);
  message.topic_arn = subscription.topic_arn;
  message.message_id = deps_.random.uuid();
  if (kind == kSubscriptionConfirmation) {
    message.message = fmt::format(
        "You have chosen to subscribe to the topic {}.\nTo confirm the subscription, visit the SubscribeURL included "
        "in this message.",
        subscription.topic_arn);
  } else {
    message.message = fmt::format(
        "You have chosen to deactivate subscription {}.\nTo cancel this operation and restore the subscription, visit "
        "the SubscribeURL included in this message.",
        subscription.arn);
  }
  message.time_ms = to_ms(call.now);
  message.token = token;
  message.base_url = base_url(call);
  message.signature_version = "1";
  if (const TopicPtr topic = state_.topic(subscription.topic_arn)) {
    message.signature_version = signature_version(*topic);
    if (const auto& name = topic->attribute("DisplayName"); !name.empty()) message.sender_name = name;
  }
  message.targets = {subscription.arn};
  return deliveries_.enqueue(std::move(message));
}

Result<std::string> Sns::publish(const TopicMessage& message) {
  const SnsState::Publication to = state_.publication(message.topic_arn);
  if (!to.topic) return Error::not_found("Topic does not exist");
  Draft draft;
  draft.message = message.message;
  if (!message.subject.empty()) draft.subject = message.subject;
  if (to.topic->fifo) draft.group_id = "fogwatch";
  Checked checked;
  checked.message = message.message;
  checked.bodies = message.by_protocol;
  if (draft.message.empty() || message_bytes(draft) > kMessageBytesMax)
    return Error::invalid("Invalid parameter: Message too long");
  Publisher publisher;
  publisher.account = to.topic->document.account;
  publisher.region = to.topic->document.region;
  publisher.base_url = base_url(Call{.base_url = ""});
  publisher.now = deps_.clock.now();
  TRY(const Published published, publish(publisher, to, draft, std::move(checked)));
  return published.message_id;
}

Status Sns::reset(std::string_view account, std::string_view region) {
  // The resource store's part of the scope is erased by its own reset; here memory follows.
  state_.forget(account, region);
  deliveries_.forget(account, region);
  fifo_.lock()->clear();
  return Ok{};
}

}  // namespace fog::sns
