// One attempt at a delivery: where a message goes to, and in which form.
#include "api/sns/delivery.h"

#include <fmt/format.h>

#include "api/sns/aws_request.h"
#include "api/sns/common.h"
#include "api/sns/mail.h"

namespace fog::sns {
namespace {

constexpr Millis kHttpTimeout{15'000};

// {"deadLetterTargetArn":"..."}: the text was checked when it was set.
std::string dead_letter_of(const std::string& redrive_policy) {
  filter_policy::Values values;
  if (redrive_policy.empty() || !values.add_body(redrive_policy)) return {};
  const auto found = values.by_name.find("deadLetterTargetArn");
  return found == values.by_name.end() || found->second.empty() ? std::string() : found->second.front().text;
}

// "https://user:password@host/" -> the user part, removed from `url`.
std::string take_user_info(std::string& url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return {};
  const std::size_t begin = scheme + 3;
  const std::size_t end = std::min(url.find_first_of("/?#", begin), url.size());
  const std::size_t at = url.rfind('@', end);
  if (at == std::string::npos || at < begin || at >= end) return {};
  std::string user = url.substr(begin, at - begin);
  url.erase(begin, at + 1 - begin);
  return user;
}

}  // namespace

std::optional<DeliveryQueue::Route> DeliveryQueue::route(const Message& message, std::size_t index) const {
  const StoredMessage& document = message.document;
  const Target& target = message.targets[index];
  Route out;
  if (document.direct_protocol) {
    out.protocol = *document.direct_protocol;
    out.endpoint = document.direct_endpoint.value_or("");
    out.retry = mail_retry_policy();
    return out;
  }
  out.subscription_arn = document.targets[index];
  if (document.kind == kUnsubscribeConfirmation) {
    // The subscription is gone; its document, found by the token, still knows the endpoint.
    out.subscription = deps_.state.subscription_by_token(document.token.value_or(""));
  } else {
    out.subscription = deps_.state.subscription(out.subscription_arn);
  }
  if (!out.subscription) return std::nullopt;
  const StoredSubscription& subscription = out.subscription->document;
  if (document.kind == kNotification && (!subscription.confirmed || subscription.topic_gone)) return std::nullopt;
  if (document.kind == kSubscriptionConfirmation && subscription.confirmed) return std::nullopt;
  out.protocol = subscription.protocol;
  out.endpoint = subscription.endpoint;
  out.raw = out.subscription->raw && document.kind == kNotification;
  if (document.kind != kUnsubscribeConfirmation)
    out.dead_letter_arn = dead_letter_of(out.subscription->attribute("RedrivePolicy"));
  if (target.dead_letter) {
    out.retry = queue_retry_policy();
  } else if (out.protocol == "http" || out.protocol == "https") {
    const TopicPtr topic = deps_.state.topic(document.topic_arn);
    const EffectivePolicy policy = effective_policy(topic ? topic->attribute("DeliveryPolicy") : std::string(),
                                                    out.subscription->attribute("DeliveryPolicy"));
    out.retry = policy.retry;
    out.rate = policy.receives_per_second_max;
    out.content_type = policy.content_type;
  } else if (out.protocol == "sqs" || out.protocol == "lambda" || out.protocol == "firehose") {
    out.retry = queue_retry_policy();
  } else {
    out.retry = mail_retry_policy();
  }
  return out;
}

bool DeliveryQueue::start(const Job& job) {
  const auto found = route(*job.message, job.target);
  if (!found) {
    finish(job, Route{}, {.kind = Attempt::Kind::kDropped});
    return true;
  }
  const Route& to = *found;
  if (to.rate) {
    const Timestamp now = deps_.clock.now();
    const std::lock_guard lock(mutex_);
    Lane& lane = lane_of(job);
    if (lane.not_before > now) return false;  // taken together with one that used this moment's share
    lane.not_before = now + Millis(std::max(1, 1000 / *to.rate));
  }
  if (job.message->targets[job.target].dead_letter) {
    deliver_queue(job, to, to.dead_letter_arn);
  } else if (to.protocol == "http" || to.protocol == "https") {
    deliver_http(job, to);
  } else if (to.protocol == "email" || to.protocol == "email-json") {
    deliver_mail(job, to);
  } else if (to.protocol == "sqs") {
    deliver_queue(job, to, to.endpoint);
  } else if (to.protocol == "lambda") {
    deliver_lambda(job, to);
  } else if (to.protocol == "firehose") {
    deliver_firehose(job, to);
  } else {
    const StoredMessage& document = job.message->document;
    std::string text = text_for(document, to.protocol);
    if (to.protocol == "sms") {
      if (opted_out_ && opted_out_(document.account, document.region, to.endpoint)) {
        finish(job, to, {.kind = Attempt::Kind::kRefused, .response = "Phone number is opted out"});
        return true;
      }
      if (!document.direct_protocol && document.sender_name && !document.sender_name->empty())
        text = *document.sender_name + "> " + text;
      if (!deps_.options.sms_webhook.empty()) {
        OutboundRequest request;
        request.url = deps_.options.sms_webhook;
        request.headers = {{"Content-Type", "application/json"}};
        request.body = fmt::format(R"({{"phoneNumber":{},"message":{},"messageId":{}}})", json_string(to.endpoint),
                                   json_string(text), json_string(document.message_id));
        send_request(job, to, std::move(request));
        return true;
      }
    } else if (const auto platform = to.endpoint.find("endpoint/"); platform != std::string::npos) {
      // arn:...:endpoint/<PLATFORM>/<name>/<id>: the payload of that platform.
      const std::size_t begin = platform + 9;
      std::string name = to.endpoint.substr(begin, to.endpoint.find('/', begin) - begin);
      if (name == "FCM") name = "GCM";
      text = text_for(document, name);
    }
    std::string raw = text;
    deliver_outbox(job, to, std::move(text), std::move(raw));
  }
  return true;
}

Result<const Seal*> DeliveryQueue::seal_of(Message& message, const std::string& text) {
  const auto found = message.seals.find(&text);
  if (found != message.seals.end()) return &found->second;
  TRY(Seal made, seal(deps_.signer, message.document, text));
  return &message.seals.emplace(&text, std::move(made)).first->second;
}

void DeliveryQueue::deliver_http(const Job& job, const Route& to) {
  const StoredMessage& document = job.message->document;
  const std::string& text = text_for(document, to.protocol);
  OutboundRequest request;
  request.url = to.endpoint;
  request.timeout = kHttpTimeout;
  const std::string user = take_user_info(request.url);
  const bool notification = document.kind == kNotification;
  request.headers = {{"Content-Type", notification ? to.content_type : "text/plain; charset=UTF-8"},
                     {"User-Agent", "Amazon Simple Notification Service Agent"},
                     {"Accept-Encoding", "gzip,deflate"},
                     {"Connection", "Keep-Alive"},
                     {"x-amz-sns-message-type", document.kind},
                     {"x-amz-sns-message-id", document.message_id},
                     {"x-amz-sns-topic-arn", document.topic_arn}};
  if (document.kind != kSubscriptionConfirmation)
    request.headers.emplace_back("x-amz-sns-subscription-arn", to.subscription_arn);
  if (to.raw) request.headers.emplace_back("x-amz-sns-rawdelivery", "true");
  if (document.trace_header) request.headers.emplace_back("X-Amzn-Trace-Id", *document.trace_header);
  if (!user.empty()) request.headers.emplace_back("Authorization", "Basic " + base64(user));
  if (to.raw) {
    request.body = text;
  } else {
    auto sealed = seal_of(*job.message, text);
    if (!sealed.ok()) {
      finish(job, to, {.kind = Attempt::Kind::kRetry, .response = sealed.error().message()});
      return;
    }
    request.body = envelope(document, text, **sealed, to.subscription_arn);
  }
  send_request(job, to, std::move(request));
}

void DeliveryQueue::send_request(const Job& job, const Route& to, OutboundRequest request) {
  deps_.outbound.http(std::move(request), [life = life_, job, to](Result<OutboundResponse> answer) {
    const std::lock_guard alive(life->mutex);
    if (life->queue == nullptr) return;
    Attempt attempt;
    if (!answer.ok()) {
      // A forbidden or malformed address stays so; everything else may pass.
      const ErrorKind kind = answer.error().kind();
      attempt.kind = kind == ErrorKind::kInvalid || kind == ErrorKind::kDenied ? Attempt::Kind::kRefused
                                                                               : Attempt::Kind::kRetry;
      attempt.response = answer.error().message();
    } else {
      attempt.status_code = answer->status;
      attempt.response = answer->body.substr(0, 1024);
      if (answer->status >= 200 && answer->status < 300) attempt.kind = Attempt::Kind::kDelivered;
      else if (answer->status >= 300 && answer->status < 500 && answer->status != 429)
        attempt.kind = Attempt::Kind::kRefused;
      else attempt.kind = Attempt::Kind::kRetry;
    }
    life->queue->finish(job, to, std::move(attempt));
    life->queue->wake();
  });
}

void DeliveryQueue::deliver_mail(const Job& job, const Route& to) {
  const StoredMessage& document = job.message->document;
  const std::string& text = text_for(document, to.protocol);
  std::string body = text;
  if (to.protocol == "email-json") {
    auto sealed = seal_of(*job.message, text);
    if (!sealed.ok()) {
      finish(job, to, {.kind = Attempt::Kind::kRetry, .response = sealed.error().message()});
      return;
    }
    body = envelope(document, text, **sealed, to.subscription_arn);
  }
  Mail mail;
  if (document.kind == kNotification) {
    mail = notification_mail(document, body, to.subscription_arn, deps_.options.mail_from, to.endpoint);
  } else if (to.protocol == "email-json") {
    mail = json_confirmation_mail(document, body, deps_.options.mail_from, to.endpoint);
  } else {
    mail = confirmation_mail(document, deps_.options.mail_from, to.endpoint);
  }
  if (deps_.outbound.has_mail_relay()) {
    deps_.outbound.mail({.from = deps_.options.mail_from, .to = to.endpoint, .data = std::move(mail.data)},
                        [life = life_, job, to](Status status) {
                          const std::lock_guard alive(life->mutex);
                          if (life->queue == nullptr) return;
                          Attempt attempt;
                          if (!status.ok()) {
                            attempt.kind = status.error().kind() == ErrorKind::kInvalid ? Attempt::Kind::kRefused
                                                                                       : Attempt::Kind::kRetry;
                            attempt.response = status.error().message();
                          }
                          life->queue->finish(job, to, std::move(attempt));
                          life->queue->wake();
                        });
    return;
  }
  OutboxMessage out;
  out.subject = std::move(mail.subject);
  out.message = std::move(mail.text);
  out.raw = std::move(mail.data);
  out.protocol = to.protocol;
  out.endpoint = to.endpoint;
  keep_in_outbox(job, to, std::move(out));
}

void DeliveryQueue::deliver_outbox(const Job& job, const Route& to, std::string text, std::string raw) {
  const bool dead_letter = job.message->targets[job.target].dead_letter;
  OutboxMessage out;
  out.subject = job.message->document.subject.value_or("");
  out.message = std::move(text);
  out.raw = std::move(raw);
  out.protocol = dead_letter ? "sqs" : to.protocol;
  out.endpoint = dead_letter ? to.dead_letter_arn : to.endpoint;
  keep_in_outbox(job, to, std::move(out));
}

void DeliveryQueue::keep_in_outbox(const Job& job, const Route& to, OutboxMessage out) {
  const StoredMessage& document = job.message->document;
  out.time = deps_.clock.now();
  out.account = document.account;
  out.region = document.region;
  out.topic = document.topic_arn;
  out.message_id = document.message_id;
  out.subscription = to.subscription_arn;
  out.token = document.token.value_or("");
  const Status status = deps_.outbox.add(std::move(out));
  Attempt attempt;
  attempt.kind = status.ok() ? Attempt::Kind::kDelivered : Attempt::Kind::kRetry;
  if (!status.ok()) attempt.response = status.error().message();
  finish(job, to, std::move(attempt));
}

void DeliveryQueue::deliver_queue(const Job& job, const Route& to, const std::string& queue_arn) {
  const StoredMessage& document = job.message->document;
  // Function subscribers' dead letters are envelopes of the queue kind.
  const std::string& text = text_for(document, "sqs");
  const bool fifo_queue = queue_arn.ends_with(".fifo");
  QueueMessage message;
  if (to.raw) {
    if (document.attributes.size() > 10) {
      finish(job, to, {.kind = Attempt::Kind::kRefused, .response = "more than 10 message attributes"});
      return;
    }
    message.body = text;
    for (const auto& [name, value] : document.attributes) {
      message.attributes[name] = {value.data_type, value.binary_value ? *value.binary_value : value.string_value.value_or("")};
    }
  } else {
    auto sealed = seal_of(*job.message, text);
    if (!sealed.ok()) {
      finish(job, to, {.kind = Attempt::Kind::kRetry, .response = sealed.error().message()});
      return;
    }
    message.body = envelope(document, text, **sealed, to.subscription_arn);
  }
  if (document.sequence_number) {
    if (fifo_queue) {
      message.group_id = document.group_id.value_or("");
      message.deduplication_id = document.deduplication_id.value_or("");
    }
  } else if (!fifo_queue) {
    message.group_id = document.group_id.value_or("");
  }
  message.trace_header = document.trace_header.value_or("");
  if (deps_.queues != nullptr) {
    const Status status = deps_.queues->send(queue_arn, message);
    if (status.ok()) {
      finish(job, to, {.kind = Attempt::Kind::kDelivered, .status_code = 200});
      return;
    }
    if (status.error().kind() != ErrorKind::kNotFound) {
      const bool for_good = status.error().kind() == ErrorKind::kInvalid;
      finish(job, to, {.kind = for_good ? Attempt::Kind::kRefused : Attempt::Kind::kRetry, .response = status.error().message()});
      return;
    }
  }
  auto elsewhere = send_message_request(deps_.options, deps_.clock.real_now(), queue_arn, message);
  // The queue is not here and nobody else has it: what has a queue of dead letters goes there.
  if (!elsewhere && deps_.queues != nullptr && !to.dead_letter_arn.empty() && !job.message->targets[job.target].dead_letter) {
    finish(job, to, {.kind = Attempt::Kind::kRefused, .status_code = 400, .response = "AWS.SimpleQueueService.NonExistentQueue"});
    return;
  }
  if (auto request = std::move(elsewhere)) {
    send_request(job, to, std::move(*request));
    return;
  }
  deliver_outbox(job, to, message.body, message.body);
}

void DeliveryQueue::deliver_lambda(const Job& job, const Route& to) {
  const StoredMessage& document = job.message->document;
  const std::string& text = text_for(document, to.protocol);
  auto sealed = seal_of(*job.message, text);
  if (!sealed.ok()) {
    finish(job, to, {.kind = Attempt::Kind::kRetry, .response = sealed.error().message()});
    return;
  }
  std::string event = lambda_event(document, text, **sealed, to.subscription_arn);
  if (auto request = invoke_request(deps_.options, deps_.clock.real_now(), to.endpoint, event)) {
    if (document.trace_header) request->headers.emplace_back("X-Amzn-Trace-Id", *document.trace_header);
    send_request(job, to, std::move(*request));
    return;
  }
  deliver_outbox(job, to, text, std::move(event));
}

void DeliveryQueue::deliver_firehose(const Job& job, const Route& to) {
  const StoredMessage& document = job.message->document;
  const std::string& text = text_for(document, to.protocol);
  std::string record = text;
  if (!to.raw) {
    auto sealed = seal_of(*job.message, text);
    if (!sealed.ok()) {
      finish(job, to, {.kind = Attempt::Kind::kRetry, .response = sealed.error().message()});
      return;
    }
    record = envelope(document, text, **sealed, to.subscription_arn);
  }
  record += "\n";
  if (auto request = put_record_request(deps_.options, deps_.clock.real_now(), to.endpoint, record)) {
    send_request(job, to, std::move(*request));
    return;
  }
  deliver_outbox(job, to, text, std::move(record));
}

}  // namespace fog::sns
