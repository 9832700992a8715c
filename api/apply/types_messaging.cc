// SNS and SQS: topics, subscriptions, queues, and the policies on them.
//
// Attributes of both services are texts; a state here is {"attributes": {...}} and what finds the resource.
#include <fmt/format.h>

#include "api/apply/coerce.h"
#include "api/apply/put_type.h"
#include "api/apply/text.h"

namespace fog::apply {
namespace {

// Properties that are attributes under the same name: "A B C" of `names`.
Json take_attributes(const Json& properties, std::string_view names) {
  Json attributes = Json::object();
  while (!names.empty()) {
    const std::string name(names.substr(0, names.find(' ')));
    names.remove_prefix(std::min(names.size(), name.size() + 1));
    if (properties.contains(name) && !properties[name].is_null()) attributes[name] = text_of(properties[name]);
  }
  return attributes;
}

void note_unknown(const Context& context, const Json& properties, std::string_view known) {
  const std::string padded = fmt::format(" {} ", known);
  for (const auto& [name, value] : properties.items()) {
    if (padded.find(" " + name + " ") == std::string::npos) context.ignored->push_back(name);
  }
}

bool attributes_are(const Json& desired, const Json& current) {
  for (const auto& [name, value] : desired.items()) {
    if (!same(value, current.contains(name) ? current[name] : Json(nullptr), false)) return false;
  }
  return true;
}

// --- topics ------------------------------------------------------------------------------------------

constexpr std::string_view kTopicAttributes = "DisplayName FifoTopic ContentBasedDeduplication KmsMasterKeyId SignatureVersion TracingConfig ArchivePolicy FifoThroughputScope DeliveryPolicy";
// Of Topic.DeliveryStatusLogging: protocol -> the word in the attributes' names.
constexpr std::pair<std::string_view, std::string_view> kStatusProtocols[] = {
    {"http", "HTTP"}, {"http/s", "HTTP"}, {"https", "HTTP"}, {"sqs", "SQS"}, {"lambda", "Lambda"}, {"firehose", "Firehose"}, {"application", "Application"}};

class TopicType final : public ResourceType {
 public:
  std::string_view type() const override { return "AWS::SNS::Topic"; }

  Result<Json> want(const Context& context, Json properties) const override {
    Json attributes = take_attributes(properties, kTopicAttributes);
    for (const Json& one : properties.value("DeliveryStatusLogging", Json::array())) {
      for (const auto& [protocol, word] : kStatusProtocols) {
        if (!one.is_object() || text_of(one.value("Protocol", Json(""))) != protocol) continue;
        for (const auto& [member, ending] : {std::pair("SuccessFeedbackRoleArn", "SuccessFeedbackRoleArn"), std::pair("FailureFeedbackRoleArn", "FailureFeedbackRoleArn"),
                                             std::pair("SuccessFeedbackSampleRate", "SuccessFeedbackSampleRate")}) {
          if (one.contains(member)) attributes[std::string(word) + ending] = text_of(one[member]);
        }
      }
    }
    const bool is_fifo = attributes.value("FifoTopic", "") == "true";
    if (attributes.contains("FifoTopic") && !is_fifo) attributes.erase("FifoTopic");
    std::string name = properties.contains("TopicName") ? text_of(properties["TopicName"]) : context.default_name() + (is_fifo ? ".fifo" : "");
    TRY(Json tags, tags_of(properties.value("Tags", Json(nullptr))));
    note_unknown(context, properties, std::string(kTopicAttributes) + " TopicName Tags Subscription DeliveryStatusLogging DataProtectionPolicy");
    const std::string protection = properties.contains("DataProtectionPolicy") ? text_of(properties["DataProtectionPolicy"]) : "";
    return Json{{"name", name}, {"attributes", attributes}, {"tags", tags}, {"protection", protection}, {"subscriptions", properties.value("Subscription", Json::array())}};
  }

  Result<std::optional<Json>> read(const Context& context, const Json& desired) const override {
    const std::string arn = arn_of(context, desired);
    TRY(const Json body, call_unless(context.client, "sns", "GetTopicAttributes", Json{{"TopicArn", arn}}, "NotFound NotFoundException"));
    if (body.is_null()) return std::optional<Json>();
    Json current{{"name", desired["name"]}, {"attributes", body["Attributes"]}, {"protection", ""}, {"subscriptions", Json::array()}};
    TRY(current["tags"], read_tags(context, "sns", Tagging::kList, arn));
    if (!text_of(desired["protection"]).empty()) {
      TRY(const Json policy, call(context.client, "sns", "GetDataProtectionPolicy", Json{{"ResourceArn", arn}}));
      current["protection"] = policy.value("DataProtectionPolicy", "");
    }
    if (!desired["subscriptions"].empty()) {
      TRY(current["subscriptions"], call_all(context.client, "sns", "ListSubscriptionsByTopic", Json{{"TopicArn", arn}}, "Subscriptions", "NextToken"));
    }
    return std::optional<Json>(std::move(current));
  }

  bool is_same(const Json& desired, const Json& current) const override {
    return attributes_are(desired["attributes"], current["attributes"]) && has_tags(desired["tags"], current["tags"]) &&
           same(desired["protection"], current["protection"], false) && missing(desired, &current).empty();
  }

  Status write(const Context& context, const Json& desired, const Json* current) const override {
    const std::string arn = arn_of(context, desired);
    Json left = desired["attributes"];
    if (current == nullptr) {
      Json first = Json::object();
      for (const char* name : {"FifoTopic", "FifoThroughputScope"}) {
        if (!left.contains(name)) continue;
        first[name] = left[name];
        left.erase(name);
      }
      Json input{{"Name", desired["name"]}};
      if (!first.empty()) input["Attributes"] = first;
      TRYV(call(context.client, "sns", "CreateTopic", input));
    }
    for (const auto& [name, value] : left.items()) {
      if (current != nullptr && same(value, (*current)["attributes"].value(name, ""), false)) continue;
      TRYV(call(context.client, "sns", "SetTopicAttributes", Json{{"TopicArn", arn}, {"AttributeName", name}, {"AttributeValue", value}}));
    }
    if (!text_of(desired["protection"]).empty()) TRYV(call(context.client, "sns", "PutDataProtectionPolicy", Json{{"ResourceArn", arn}, {"DataProtectionPolicy", desired["protection"]}}));
    for (const Json& one : missing(desired, current)) {
      TRYV(call(context.client, "sns", "Subscribe", Json{{"TopicArn", arn}, {"Protocol", text_of(one["Protocol"])}, {"Endpoint", text_of(one["Endpoint"])}}));
    }
    return write_tags(context, "sns", Tagging::kList, arn, desired["tags"]);
  }

  Status remove(const Context& context, const Json& desired, const Json&) const override {
    const std::string arn = arn_of(context, desired);
    TRY(const Json list, call_all(context.client, "sns", "ListSubscriptionsByTopic", Json{{"TopicArn", arn}}, "Subscriptions", "NextToken"));
    for (const Json& one : list) {
      if (one.value("SubscriptionArn", "").starts_with("arn:")) TRYV(call_unless(context.client, "sns", "Unsubscribe", Json{{"SubscriptionArn", one["SubscriptionArn"]}}, "NotFound NotFoundException"));
    }
    TRYV(call(context.client, "sns", "DeleteTopic", Json{{"TopicArn", arn}}));
    return Ok{};
  }

  Identity identity(const Context& context, const Json& desired, const Json*) const override {
    const std::string arn = arn_of(context, desired);
    return {.ref = arn, .attributes = {{"TopicArn", arn}, {"TopicName", desired["name"]}}};
  }

 private:
  static std::string arn_of(const Context& context, const Json& desired) { return context.arn("sns", text_of(desired["name"])); }

  // Subscriptions written inside the topic that it does not have.
  static std::vector<Json> missing(const Json& desired, const Json* current) {
    std::vector<Json> out;
    for (const Json& one : desired["subscriptions"]) {
      if (!one.is_object() || !one.contains("Protocol") || !one.contains("Endpoint")) continue;
      bool found = false;
      if (current != nullptr) {
        for (const Json& there : (*current)["subscriptions"]) found = found || (there.value("Protocol", "") == text_of(one["Protocol"]) && there.value("Endpoint", "") == text_of(one["Endpoint"]));
      }
      if (!found) out.push_back(one);
    }
    return out;
  }
};

// --- subscriptions -----------------------------------------------------------------------------------

constexpr std::string_view kSubscriptionAttributes = "FilterPolicyScope FilterPolicy RawMessageDelivery RedrivePolicy DeliveryPolicy SubscriptionRoleArn ReplayPolicy";

class SubscriptionType final : public ResourceType {
 public:
  std::string_view type() const override { return "AWS::SNS::Subscription"; }

  Result<Json> want(const Context& context, Json properties) const override {
    for (const char* name : {"TopicArn", "Protocol"}) {
      if (!properties.contains(name)) return Error::invalid(fmt::format("the property {} is missing", name));
    }
    note_unknown(context, properties, std::string(kSubscriptionAttributes) + " TopicArn Protocol Endpoint Region");
    return Json{{"TopicArn", text_of(properties["TopicArn"])}, {"Protocol", text_of(properties["Protocol"])},
                {"Endpoint", properties.contains("Endpoint") ? text_of(properties["Endpoint"]) : ""}, {"attributes", take_attributes(properties, kSubscriptionAttributes)}};
  }

  Result<std::optional<Json>> read(const Context& context, const Json& desired) const override {
    TRY(const Json answer, call_unless(context.client, "sns", "GetTopicAttributes", Json{{"TopicArn", desired["TopicArn"]}}, "NotFound NotFoundException"));
    if (answer.is_null()) return std::optional<Json>();
    TRY(const Json list, call_all(context.client, "sns", "ListSubscriptionsByTopic", Json{{"TopicArn", desired["TopicArn"]}}, "Subscriptions", "NextToken"));
    for (const Json& one : list) {
      if (one.value("Protocol", "") != text_of(desired["Protocol"]) || one.value("Endpoint", "") != text_of(desired["Endpoint"])) continue;
      const std::string arn = one.value("SubscriptionArn", "");
      Json current{{"arn", arn}, {"attributes", Json::object()}};
      if (arn.starts_with("arn:")) {
        TRY(const Json body, call(context.client, "sns", "GetSubscriptionAttributes", Json{{"SubscriptionArn", arn}}));
        current["attributes"] = body["Attributes"];
      } else {
        current["pending"] = true;  // its attributes cannot be seen before it is confirmed
      }
      return std::optional<Json>(std::move(current));
    }
    return std::optional<Json>();
  }

  bool is_same(const Json& desired, const Json& current) const override {
    return current.contains("pending") || attributes_are(desired["attributes"], current["attributes"]);
  }

  Status write(const Context& context, const Json& desired, const Json* current) const override {
    if (current == nullptr) {
      Json input{{"TopicArn", desired["TopicArn"]}, {"Protocol", desired["Protocol"]}, {"Endpoint", desired["Endpoint"]}, {"ReturnSubscriptionArn", true}};
      if (!desired["attributes"].empty()) input["Attributes"] = desired["attributes"];
      TRYV(call(context.client, "sns", "Subscribe", input));
      return Ok{};
    }
    for (const auto& [name, value] : desired["attributes"].items()) {
      if (same(value, (*current)["attributes"].value(name, ""), false)) continue;
      TRYV(call(context.client, "sns", "SetSubscriptionAttributes", Json{{"SubscriptionArn", (*current)["arn"]}, {"AttributeName", name}, {"AttributeValue", value}}));
    }
    return Ok{};
  }

  Status remove(const Context& context, const Json&, const Json& current) const override {
    if (current.contains("pending")) return Ok{};  // goes with its topic
    TRYV(call_unless(context.client, "sns", "Unsubscribe", Json{{"SubscriptionArn", current["arn"]}}, "NotFound NotFoundException"));
    return Ok{};
  }

  Identity identity(const Context&, const Json&, const Json* current) const override {
    const Json arn = current != nullptr ? (*current)["arn"] : Json(nullptr);
    return {.ref = arn, .attributes = {{"Arn", arn}}};
  }
};

// --- queues ------------------------------------------------------------------------------------------

constexpr std::string_view kQueueAttributes =
    "DelaySeconds MaximumMessageSize MessageRetentionPeriod ReceiveMessageWaitTimeSeconds VisibilityTimeout RedrivePolicy RedriveAllowPolicy KmsMasterKeyId "
    "KmsDataKeyReusePeriodSeconds SqsManagedSseEnabled FifoQueue ContentBasedDeduplication DeduplicationScope FifoThroughputLimit";

class QueueType final : public ResourceType {
 public:
  std::string_view type() const override { return "AWS::SQS::Queue"; }

  Result<Json> want(const Context& context, Json properties) const override {
    Json attributes = take_attributes(properties, kQueueAttributes);
    const bool is_fifo = attributes.value("FifoQueue", "") == "true";
    if (attributes.contains("FifoQueue") && !is_fifo) attributes.erase("FifoQueue");
    note_unknown(context, properties, std::string(kQueueAttributes) + " QueueName Tags");
    TRY(Json tags, tags_of(properties.value("Tags", Json(nullptr))));
    const std::string name = properties.contains("QueueName") ? text_of(properties["QueueName"]) : context.default_name() + (is_fifo ? ".fifo" : "");
    return Json{{"name", name}, {"attributes", attributes}, {"tags", tags}};
  }
  Result<std::optional<Json>> read(const Context& context, const Json& desired) const override {
    TRY(const Json found, call_unless(context.client, "sqs", "GetQueueUrl", Json{{"QueueName", desired["name"]}}, "QueueDoesNotExist AWS.SimpleQueueService.NonExistentQueue"));
    if (found.is_null()) return std::optional<Json>();
    TRY(const Json body, call(context.client, "sqs", "GetQueueAttributes", Json{{"QueueUrl", found["QueueUrl"]}, {"AttributeNames", Json::array({"All"})}}));
    Json current{{"url", found["QueueUrl"]}, {"attributes", body.value("Attributes", Json::object())}, {"tags", Json::object()}};
    if (!desired["tags"].empty()) {
      TRY(const Json tags, call(context.client, "sqs", "ListQueueTags", Json{{"QueueUrl", found["QueueUrl"]}}));
      current["tags"] = tags.value("Tags", Json::object());
    }
    return std::optional<Json>(std::move(current));
  }
  bool is_same(const Json& desired, const Json& current) const override {
    return attributes_are(desired["attributes"], current["attributes"]) && has_tags(desired["tags"], current["tags"]);
  }
  Status write(const Context& context, const Json& desired, const Json* current) const override {
    if (current == nullptr) {
      Json input{{"QueueName", desired["name"]}};
      if (!desired["attributes"].empty()) input["Attributes"] = desired["attributes"];
      if (!desired["tags"].empty()) input["tags"] = desired["tags"];
      TRYV(call(context.client, "sqs", "CreateQueue", input));
      return Ok{};
    }
    if (!attributes_are(desired["attributes"], (*current)["attributes"])) {
      Json attributes = desired["attributes"];
      attributes.erase("FifoQueue");
      TRYV(call(context.client, "sqs", "SetQueueAttributes", Json{{"QueueUrl", (*current)["url"]}, {"Attributes", attributes}}));
    }
    if (!desired["tags"].empty()) TRYV(call(context.client, "sqs", "TagQueue", Json{{"QueueUrl", (*current)["url"]}, {"Tags", desired["tags"]}}));
    return Ok{};
  }
  Status remove(const Context& context, const Json&, const Json& current) const override {
    TRYV(call(context.client, "sqs", "DeleteQueue", Json{{"QueueUrl", current["url"]}}));
    return Ok{};
  }
  Identity identity(const Context& context, const Json& desired, const Json* current) const override {
    const Json url = current != nullptr ? (*current)["url"] : Json(nullptr);
    return {.ref = url, .attributes = {{"Arn", context.arn("sqs", text_of(desired["name"]))}, {"QueueName", desired["name"]}, {"QueueUrl", url}}};
  }
};

// --- policies ----------------------------------------------------------------------------------------

// A policy on topics or queues: an attribute of each of them.
class PolicyType final : public ResourceType {
 public:
  struct Row {
    std::string_view type;
    std::string_view service;
    const char* property;  // the list of those it is on, or the one
    const char* get;
    const char* set;
    const char* target;  // member that names one
    std::string_view absent;
  };
  explicit PolicyType(const Row& row) : row_(row) {}
  std::string_view type() const override { return row_.type; }

  Result<Json> want(const Context&, Json properties) const override {
    if (!properties.contains(row_.property) || !properties.contains("PolicyDocument")) return Error::invalid(fmt::format("{} and PolicyDocument are required", row_.property));
    const Json& on = properties[row_.property];
    Json targets = on.is_array() ? on : Json::array({on});
    return Json{{"on", targets}, {"policy", text_of(properties["PolicyDocument"])}};
  }
  Result<std::optional<Json>> read(const Context& context, const Json& desired) const override {
    Json policies = Json::array();
    for (const Json& target : desired["on"]) {
      Json input{{row_.target, target}};
      if (row_.service == "sqs") input["AttributeNames"] = Json::array({"Policy"});
      TRY(const Json body, call_unless(context.client, row_.service, row_.get, input, row_.absent));
      policies.push_back(body.is_object() && body.contains("Attributes") && body["Attributes"].contains("Policy") ? body["Attributes"]["Policy"] : Json(""));
    }
    // A topic always has a policy: one that nobody set counts as absent.
    const bool any = std::any_of(policies.begin(), policies.end(), [&](const Json& policy) { return same(policy, desired["policy"], false); });
    if (!any) return std::optional<Json>();
    return std::optional<Json>(Json{{"policies", policies}});
  }
  bool is_same(const Json& desired, const Json& current) const override {
    return std::all_of(current["policies"].begin(), current["policies"].end(), [&](const Json& policy) { return same(policy, desired["policy"], false); });
  }
  Status write(const Context& context, const Json& desired, const Json*) const override { return set(context, desired, text_of(desired["policy"])); }
  Status remove(const Context& context, const Json& desired, const Json&) const override {
    if (row_.service == "sns") return Ok{};  // goes with its topics; a topic without a policy does not exist
    return set(context, desired, "");
  }
  Identity identity(const Context& context, const Json&, const Json*) const override {
    return {.ref = context.default_name(), .attributes = {{"Id", context.default_name()}}};
  }

 private:
  Status set(const Context& context, const Json& desired, const std::string& policy) const {
    for (const Json& target : desired["on"]) {
      Json input{{row_.target, target}};
      if (row_.service == "sns") {
        input["AttributeName"] = "Policy";
        input["AttributeValue"] = policy;
      } else {
        input["Attributes"] = Json{{"Policy", policy}};
      }
      TRYV(call(context.client, row_.service, row_.set, input));
    }
    return Ok{};
  }

  Row row_;
};

constexpr std::string_view kNoTopic = "NotFound NotFoundException";
constexpr std::string_view kNoQueue = "QueueDoesNotExist AWS.SimpleQueueService.NonExistentQueue";
const TopicType kTopicType;
const SubscriptionType kSubscriptionType;
const QueueType kQueueType;
const PolicyType kTopicPolicy({"AWS::SNS::TopicPolicy", "sns", "Topics", "GetTopicAttributes", "SetTopicAttributes", "TopicArn", kNoTopic});
const PolicyType kTopicInlinePolicy({"AWS::SNS::TopicInlinePolicy", "sns", "TopicArn", "GetTopicAttributes", "SetTopicAttributes", "TopicArn", kNoTopic});
const PolicyType kQueuePolicy({"AWS::SQS::QueuePolicy", "sqs", "Queues", "GetQueueAttributes", "SetQueueAttributes", "QueueUrl", kNoQueue});
const PolicyType kQueueInlinePolicy({"AWS::SQS::QueueInlinePolicy", "sqs", "Queue", "GetQueueAttributes", "SetQueueAttributes", "QueueUrl", kNoQueue});
const ResourceType* const kTypes[] = {&kTopicType, &kSubscriptionType, &kTopicPolicy, &kTopicInlinePolicy, &kQueueType, &kQueuePolicy, &kQueueInlinePolicy};

}  // namespace

std::span<const ResourceType* const> messaging_types() { return kTypes; }

}  // namespace fog::apply
