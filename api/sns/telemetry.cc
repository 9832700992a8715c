#include "api/sns/telemetry.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include "api/codec/json.h"
#include "api/sns/common.h"
#include "api/sns/mobile.h"
#include "api/sns/topic_trace.h"
#include "storage/base/log.h"

namespace fog::sns {
namespace {

constexpr std::chrono::minutes kMinute{1};
constexpr std::size_t kResponseBytesMax = 1024;

constexpr std::string_view kNames[] = {"NumberOfMessagesPublished", "NumberOfNotificationsDelivered", "NumberOfNotificationsFailed",
                                       "NumberOfNotificationsFilteredOut", "NumberOfNotificationsFilteredOut-MessageAttributes",
                                       "NumberOfNotificationsFilteredOut-MessageBody", "NumberOfNotificationsFilteredOut-NoMessageAttributes",
                                       "NumberOfNotificationsFilteredOut-InvalidMessageBody", "NumberOfNotificationsRedrivenToDlq",
                                       "NumberOfNotificationsFailedToRedriveToDlq", "MessagesWithFindings", "MessagesWithNoFindings",
                                       "PublishSize"};
static_assert(std::size(kNames) == static_cast<std::size_t>(Telemetry::Count::kCounts));

UnitCode unit_of(std::string_view name) {
  const std::string_view wanted = name == "PublishSize" ? "Bytes" : "Count";
  for (std::size_t i = 0; i < kMetricUnits.size(); ++i) {
    if (kMetricUnits[i] == wanted) return static_cast<UnitCode>(i);
  }
  return kUnitNone;
}

// How the topic's attributes name a protocol; empty: it has no status logs.
std::string_view feedback_name(std::string_view protocol) {
  if (protocol == "http" || protocol == "https") return "HTTP";
  if (protocol == "sqs") return "SQS";
  if (protocol == "lambda") return "Lambda";
  if (protocol == "firehose") return "Firehose";
  if (protocol == "application") return "Application";
  return {};
}

std::string md5_hex(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_md5(), nullptr);
  return hex({reinterpret_cast<const char*>(digest), size});
}

// "2015-01-26 23:07:39.54": hundredths of a second.
std::string log_time(Timestamp t) {
  std::string out = iso_time(t);
  out[10] = ' ';
  out.resize(22);
  return out;
}

int sample_rate(const std::string& text) { return text.empty() ? 100 : std::atoi(text.c_str()); }

}  // namespace

void Telemetry::count(std::string_view topic_arn, Count what, double by) {
  if (topic_arn.empty() || metrics_ == nullptr) return;
  auto counts = counts_.lock();
  auto found = counts->find(topic_arn);
  if (found == counts->end()) found = counts->emplace(std::string(topic_arn), Counts{}).first;
  found->second[static_cast<std::size_t>(what)] += by;
}

std::string Telemetry::trace(const TopicEntry& topic, std::string_view header, Timestamp published) {
  if (traces_ == nullptr || topic.attribute("TracingConfig") != "Active") return std::string(header);
  const auto place = sampled_place(header);
  if (!place) return std::string(header);
  const std::string id = deps_.random.hex(16);
  traces_->put_segment(topic.document.account, topic.document.region, topic_segment(*place, id, topic.document.arn, published, deps_.clock.now()));
  return header_below(*place, id);
}

void Telemetry::trace_delivery(const DeliveryReport& report) {
  const StoredMessage& message = *report.message;
  if (traces_ == nullptr || !message.trace_header || message.kind != kNotification) return;
  const TopicPtr topic = deps_.state.topic(message.topic_arn);
  if (!topic || topic->attribute("TracingConfig") != "Active") return;
  if (const auto place = sampled_place(*message.trace_header); place && !place->parent_id.empty())
    traces_->put_segment(message.account, message.region, delivery_subsegment(*place, deps_.random.hex(16), report));
}

void Telemetry::report(const DeliveryReport& report) {
  using Event = DeliveryReport::Event;
  if (report.event != Event::kFailedAttempt) trace_delivery(report);
  const std::string& topic = report.message->topic_arn;
  const bool web = report.protocol == "http" || report.protocol == "https";
  switch (report.event) {
    case Event::kDelivered:
      ++(*delivered_.lock())[report.protocol];
      if (report.message->kind == kNotification) count(topic, Count::kDelivered);
      return status_log(report, true);
    case Event::kFailedAttempt:
      if (web) count(topic, Count::kFailed);
      return;
    case Event::kFailed:
      count(topic, Count::kFailed);
      return status_log(report, false);
    case Event::kRedriven: return count(topic, Count::kRedriven);
    case Event::kRedriveFailed: return count(topic, Count::kRedriveFailed);
  }
}

void Telemetry::log(std::string_view account, std::string_view region, std::string_view group, std::string_view text, Timestamp now) {
  if (logs_ == nullptr) return;
  const LogEventIn event{.timestamp_ms = to_ms(now), .message = text};
  const std::string stream = deps_.random.uuid();
  auto put = logs_->put_logs(account, region, group, stream, {&event, 1}, true);
  if (!put.ok()) LOG_WARN("delivery status cannot be logged in {}: {}", group, put.error().message());
}

void Telemetry::status_log(const DeliveryReport& report, bool success) {
  if (logs_ == nullptr || report.message->kind != kNotification) return;
  const StoredMessage& message = *report.message;
  const bool sms = report.protocol == "sms";
  std::string group = fmt::format("sns/{}/{}/", message.region, message.account);
  if (message.direct_protocol) {
    if (!sms) return;
    group += "DirectPublishToPhoneNumber";
  }
  std::string role, rate;
  if (sms) {
    const auto attributes = sms_attributes(deps_.state.store(), message.account, message.region);
    const auto value = [&](const char* name) {
      const auto found = attributes.find(name);
      return found == attributes.end() ? std::string() : found->second;
    };
    role = value("DeliveryStatusIAMRole");
    rate = value("DeliveryStatusSuccessSamplingRate");
  } else {
    const std::string_view protocol = feedback_name(report.protocol);
    const TopicPtr topic = deps_.state.topic(message.topic_arn);
    if (protocol.empty() || !topic) return;
    role = topic->attribute(fmt::format("{}{}FeedbackRoleArn", protocol, success ? "Success" : "Failure"));
    rate = topic->attribute(fmt::format("{}SuccessFeedbackSampleRate", protocol));
  }
  if (role.empty()) return;
  if (success && static_cast<int>(deps_.random.next() % 100) >= sample_rate(rate)) return;
  if (!message.direct_protocol) group += message.topic_arn.substr(message.topic_arn.rfind(':') + 1);
  if (!success) group += "/Failure";

  std::string delivery = fmt::format(R"("deliveryId":"{}","destination":{},)", deps_.random.uuid(), json_string(report.destination));
  const std::string& text = text_for(message, report.protocol);
  if (sms) {
    delivery += fmt::format(
        R"("phoneCarrier":"Unknown Carrier","mnc":0,"mcc":0,"numberOfMessageParts":{},"priceInUSD":0.00645,"smsType":"{}",)"
        R"("providerResponse":{},"dwellTimeMs":{},"dwellTimeMsUntilDeviceAck":{},)",
        std::max<std::size_t>(1, (text.size() + 159) / 160), "Promotional",
        json_string(success ? "Message has been accepted by phone carrier" : report.provider_response), report.dwell.count(), report.dwell.count());
  } else {
    std::string response = report.provider_response.substr(0, kResponseBytesMax);
    if (report.protocol == "lambda" && success) response = fmt::format(R"({{"lambdaRequestId":"{}"}})", deps_.random.uuid());
    if (report.protocol == "sqs" && success && response.empty()) response = R"({"sqsRequestId":"Unrecoverable"})";
    delivery += fmt::format(R"("providerResponse":{},"dwellTimeMs":{},)", json_string(response), report.dwell.count());
  }
  delivery += fmt::format(R"("attempts":{},"statusCode":{})", report.attempts,
                          report.status_code != 0 ? report.status_code : success ? (report.protocol == "lambda" ? 202 : 200) : 0);
  log(message.account, message.region, group,
      fmt::format(R"({{"notification":{{"messageMD5Sum":"{}","messageId":"{}","topicArn":{},"timestamp":"{}"}},"delivery":{{{}}},"status":"{}"}})",
                  md5_hex(text), message.message_id, json_string(message.topic_arn), log_time(from_ms(message.time_ms)), delivery,
                  success ? "SUCCESS" : "FAILURE"),
      report.now);
}

void Telemetry::denied(const StoredMessage& message, const StoredSubscription& subscription, std::string_view policy_name) {
  DeliveryReport report;
  report.event = DeliveryReport::Event::kFailed;
  report.message = &message;
  report.protocol = subscription.protocol;
  report.destination = subscription.endpoint;
  report.subscription_arn = subscription.arn;
  report.status_code = 403;
  report.provider_response = fmt::format("Delivery of the message was denied by the data protection policy {}", policy_name);
  report.attempts = 1;
  report.now = from_ms(message.time_ms);
  this->report(report);
}

std::optional<Timestamp> Telemetry::next_due(Timestamp now) {
  if (counts_.lock_shared()->empty()) return std::nullopt;
  auto due = due_.lock();
  if (!*due) *due = std::chrono::floor<std::chrono::minutes>(now) + kMinute;
  return *due;
}

void Telemetry::tick(Timestamp now) {
  const auto due = next_due(now);
  if (!due || now < *due) return;
  due_.lock()->reset();
  std::map<std::string, Counts, std::less<>> counted;
  counts_.lock()->swap(counted);
  // What happened in the minute that has ended belongs to its start.
  const Timestamp at = std::chrono::floor<std::chrono::minutes>(*due - Millis(1));
  for (const auto& [topic, counts] : counted) {
    const auto arn = parse_arn(topic);
    if (!arn || metrics_ == nullptr) continue;
    std::vector<SinkDatum> datums;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] == 0) continue;
      SinkDatum datum;
      datum.metric_namespace = "AWS/SNS";
      datum.metric_name = std::string(kNames[i]);
      datum.dimensions = {{"TopicName", std::string(arn->resource)}};
      datum.time = at;
      datum.unit = unit_of(kNames[i]);
      datum.values = {counts[i]};
      datums.push_back(std::move(datum));
    }
    auto put = metrics_->put_metrics(arn->account, arn->region, datums);
    if (!put.ok()) LOG_WARN("the service's own metrics cannot be stored: {}", put.error().message());
  }
}

}  // namespace fog::sns
