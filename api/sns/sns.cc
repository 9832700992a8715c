#include "api/sns/sns.h"

#include <fmt/format.h>

#include "api/sns/common.h"
#include "api/sns/mobile.h"

namespace fog::sns {
namespace {

constexpr std::chrono::minutes kDeduplicationWindow{5};

std::string signature_version(const TopicEntry& topic) {
  return topic.attribute("SignatureVersion") == "2" ? "2" : "1";
}

}  // namespace

Sns::Sns(Deps deps, Options options)
    : deps_(deps),
      options_(std::move(options)),
      state_(deps.resources),
      signer_(deps.resources, deps.clock, deps.random),
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
    return is_opted_out(deps_.resources, account, region, number);
  });
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
  if (to.subscriptions->empty()) return out;

  // Which subscriptions want it. Attributes and bodies are looked at once, however many filter.
  std::optional<filter_policy::Values> attributes;
  struct Body {
    bool is_object = false;
    filter_policy::Values values{};
  };
  std::map<std::string_view, Body> bodies;
  std::vector<std::string> targets;
  for (const auto& subscription : *to.subscriptions) {
    const StoredSubscription& document = subscription->document;
    if (!document.confirmed) continue;
    if (subscription->filter) {
      if (subscription->filter->scope() == filter_policy::Scope::kMessageAttributes) {
        if (!attributes) {
          attributes.emplace();
          for (const auto& [name, value] : draft.attributes)
            attributes->add_attribute(name, value.data_type, value.string_value.value_or(""));
        }
        if (!subscription->filter->matches(*attributes)) continue;
      } else {
        const auto own = checked.bodies.find(document.protocol);
        const std::string& text = own == checked.bodies.end() ? checked.message : own->second;
        const auto [entry, is_new] = bodies.try_emplace(text);
        if (is_new) entry->second.is_object = entry->second.values.add_body(text);
        if (!entry->second.is_object || !subscription->filter->matches(entry->second.values)) continue;
      }
    }
    targets.push_back(document.arn);
  }
  if (targets.empty()) return out;

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
  if (!publisher.trace_header.empty()) message.trace_header = publisher.trace_header;
  message.principal = publisher.principal;
  message.targets = std::move(targets);
  out.lsn = deliveries_.enqueue(std::move(message));
  return out;
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
