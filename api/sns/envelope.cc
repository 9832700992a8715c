#include "api/sns/envelope.h"

#include <fmt/format.h>

#include "api/sns/common.h"

namespace fog::sns {
namespace {

std::string attribute_text(const MessageAttributeValue& value) {
  if (value.binary_value) return base64(*value.binary_value);
  return value.string_value.value_or("");
}

// {"Type":"String","Value":"x"}
std::string attribute_json(const MessageAttributeValue& value) {
  return fmt::format(R"({{"Type":{},"Value":{}}})", json_string(value.data_type), json_string(attribute_text(value)));
}

}  // namespace

const std::string& text_for(const StoredMessage& message, const std::string& protocol) {
  const auto found = message.bodies.find(protocol);
  return found == message.bodies.end() ? message.message : found->second;
}

std::string subscribe_url(const StoredMessage& message) {
  return fmt::format("{}/?Action=ConfirmSubscription&TopicArn={}&Token={}", message.base_url, message.topic_arn,
                     message.token.value_or(""));
}

std::string unsubscribe_url(const StoredMessage& message, std::string_view subscription_arn) {
  return fmt::format("{}/?Action=Unsubscribe&SubscriptionArn={}", message.base_url, subscription_arn);
}

std::string string_to_sign(const StoredMessage& message, std::string_view text) {
  std::string out;
  const auto pair = [&](std::string_view name, std::string_view value) {
    out += name;
    out += '\n';
    out += value;
    out += '\n';
  };
  pair("Message", text);
  pair("MessageId", message.message_id);
  if (message.kind == kNotification) {
    if (message.subject) pair("Subject", *message.subject);
  } else {
    pair("SubscribeURL", subscribe_url(message));
  }
  pair("Timestamp", iso_time(from_ms(message.time_ms)));
  if (message.kind != kNotification) pair("Token", message.token.value_or(""));
  pair("TopicArn", message.topic_arn);
  pair("Type", message.kind);
  return out;
}

Result<Seal> seal(Signer& signer, const StoredMessage& message, std::string_view text) {
  if (message.sequence_number) return Seal{};
  TRY(std::string signature, signer.sign(string_to_sign(message, text), message.signature_version));
  TRY(const std::string name, signer.certificate_name());
  return Seal{.signature = std::move(signature), .certificate_url = message.base_url + "/" + name};
}

std::string envelope(const StoredMessage& message, std::string_view text, const Seal& seal,
                     std::string_view subscription_arn) {
  std::string out = "{\n";
  bool first = true;
  const auto name = [&](std::string_view n) {
    out += first ? "  \"" : ",\n  \"";
    first = false;
    out += n;
    out += "\" : ";
  };
  const auto member = [&](std::string_view n, std::string_view value) {
    name(n);
    append_json_string(out, value);
  };
  const bool notification = message.kind == kNotification;
  member("Type", message.kind);
  member("MessageId", message.message_id);
  if (!notification) member("Token", message.token.value_or(""));
  if (message.sequence_number) member("SequenceNumber", *message.sequence_number);
  member("TopicArn", message.topic_arn);
  if (notification && message.subject) member("Subject", *message.subject);
  member("Message", text);
  if (!notification) member("SubscribeURL", subscribe_url(message));
  member("Timestamp", iso_time(from_ms(message.time_ms)));
  if (!message.sequence_number) {
    member("SignatureVersion", message.signature_version);
    member("Signature", seal.signature);
    member("SigningCertURL", seal.certificate_url);
  }
  if (notification) {
    member("UnsubscribeURL", unsubscribe_url(message, subscription_arn));
    if (!message.attributes.empty()) {
      name("MessageAttributes");
      out += "{";
      bool first_attribute = true;
      for (const auto& [key, value] : message.attributes) {
        out += first_attribute ? "\n    " : ",\n    ";
        first_attribute = false;
        append_json_string(out, key);
        out += " : " + attribute_json(value);
      }
      out += "\n  }";
    }
  }
  out += "\n}";
  return out;
}

std::string lambda_event(const StoredMessage& message, std::string_view text, const Seal& seal,
                         std::string_view subscription_arn) {
  std::string attributes;
  for (const auto& [key, value] : message.attributes) {
    if (!attributes.empty()) attributes += ",";
    attributes += json_string(key) + ":" + attribute_json(value);
  }
  return fmt::format(
      R"({{"Records":[{{"EventSource":"aws:sns","EventVersion":"1.0","EventSubscriptionArn":{},"Sns":{{)"
      R"("Type":"Notification","MessageId":{},"TopicArn":{},"Subject":{},"Message":{},"Timestamp":{},)"
      R"("SignatureVersion":"1","Signature":{},"SigningCertUrl":{},"UnsubscribeUrl":{},"MessageAttributes":{{{}}}}}}}]}})",
      json_string(subscription_arn), json_string(message.message_id), json_string(message.topic_arn),
      message.subject ? json_string(*message.subject) : "null", json_string(text),
      json_string(iso_time(from_ms(message.time_ms))), json_string(seal.signature),
      json_string(seal.certificate_url), json_string(unsubscribe_url(message, subscription_arn)), attributes);
}

}  // namespace fog::sns
