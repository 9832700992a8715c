// Topics: create, delete, list, attributes, permissions, data protection policies.
#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "api/sns/archive.h"
#include "api/sns/common.h"
#include "api/sns/delivery_policy.h"
#include "api/sns/operations.h"
#include "api/sns/sns.h"

namespace fog::sns {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kStandardTopicsMax = 100'000;
constexpr std::size_t kFifoTopicsMax = 1'000;
constexpr std::size_t kTagsMax = 50;

constexpr std::string_view kFeedbackProtocols[] = {"HTTP", "Firehose", "Lambda", "Application", "SQS"};

bool is_feedback_attribute(std::string_view name) {
  for (const auto protocol : kFeedbackProtocols) {
    if (!name.starts_with(protocol)) continue;
    const std::string_view rest = name.substr(protocol.size());
    if (rest == "SuccessFeedbackRoleArn" || rest == "SuccessFeedbackSampleRate" || rest == "FailureFeedbackRoleArn")
      return true;
  }
  return false;
}

bool valid_topic_name(std::string_view name) {
  if (name.empty() || name.size() > 256) return false;
  if (name.ends_with(".fifo")) name.remove_suffix(5);
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

// The value to store for an attribute a caller sets; "" removes it. The error's message is what
// follows "Invalid parameter: ".
Result<std::string> check_attribute(std::string_view name, const std::string& value, bool fifo) {
  const auto unknown = [] { return Error::invalid("AttributeName"); };
  if (name == "DisplayName") {
    if (characters(value) > 100 || value.find_first_of("\r\n") != std::string::npos)
      return Error::invalid("DisplayName");
    return value;
  }
  if (name == "Policy") {
    if (value.empty()) return std::string();
    const Json policy = Json::parse(value, nullptr, false);
    if (!policy.is_object()) return Error::invalid("Policy Error: null");
    return value;
  }
  if (name == "DeliveryPolicy") {
    if (value.empty()) return std::string();
    auto checked = check_topic_policy(value);
    if (!checked.ok()) return Error::invalid("DeliveryPolicy: " + checked.error().message());
    return checked;
  }
  if (name == "KmsMasterKeyId") return value;
  if (name == "SignatureVersion") {
    if (!value.empty() && value != "1" && value != "2") return Error::invalid("SignatureVersion");
    return value;
  }
  if (name == "TracingConfig") {
    if (fifo) return Error::invalid("TracingConfig");
    if (!value.empty() && value != "PassThrough" && value != "Active") return Error::invalid("TracingConfig");
    return value;
  }
  if (is_feedback_attribute(name)) {
    if (name.ends_with("SampleRate") && !value.empty()) {
      int rate = -1;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), rate);
      if (error != std::errc{} || end != value.data() + value.size() || rate < 0 || rate > 100)
        return Error::invalid(std::string(name));
    }
    return value;
  }
  if (!fifo) return unknown();
  if (name == "ContentBasedDeduplication") {
    if (value != "true" && value != "false") return Error::invalid("ContentBasedDeduplication");
    return value;
  }
  if (name == "FifoThroughputScope") {
    if (value != "Topic" && value != "MessageGroup") return Error::invalid("FifoThroughputScope");
    return value;
  }
  if (name == "ArchivePolicy") {
    const Json policy = value.empty() ? Json::object() : Json::parse(value, nullptr, false);
    if (!policy.is_object()) return Error::invalid("ArchivePolicy");
    if (policy.empty()) return std::string();
    const auto period = policy.find("MessageRetentionPeriod");
    int days = 0;
    if (period != policy.end() && period->is_string()) {
      const auto text = period->get<std::string>();
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), days);
      if (error != std::errc{} || end != text.data() + text.size()) days = 0;
    } else if (period != policy.end() && period->is_number_integer()) {
      days = period->get<int>();
    }
    if (days < 1 || days > 365) return Error::invalid("ArchivePolicy: MessageRetentionPeriod must be 1 to 365 days");
    return value;
  }
  return unknown();
}

std::string default_policy(const StoredTopic& topic) {
  const Json policy = {
      {"Version", "2008-10-17"},
      {"Id", "__default_policy_ID"},
      {"Statement",
       Json::array({{{"Sid", "__default_statement_ID"},
                     {"Effect", "Allow"},
                     {"Principal", {{"AWS", "*"}}},
                     {"Action", {"SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission",
                                 "SNS:RemovePermission", "SNS:DeleteTopic", "SNS:Subscribe",
                                 "SNS:ListSubscriptionsByTopic", "SNS:Publish"}},
                     {"Resource", topic.arn},
                     {"Condition", {{"StringEquals", {{"AWS:SourceOwner", topic.account}}}}}}})}};
  return policy.dump();
}

Result<TopicPtr> find_topic(Call& call, const std::string& arn) {
  TRYV(check_arn(call, arn, "TopicArn"));
  TopicPtr topic = call.service<Sns>().state().topic(arn);
  if (!topic) return not_found("Topic");
  return topic;
}

// The same tags, whatever their order.
bool same_tags(std::vector<Tag> a, std::vector<Tag> b) {
  const auto by_key = [](const Tag& x, const Tag& y) { return x.key < y.key; };
  std::sort(a.begin(), a.end(), by_key);
  std::sort(b.begin(), b.end(), by_key);
  return a == b;
}

Result<CreateTopicResponse> create_topic(Call& call, const CreateTopicInput& in) {
  Sns& sns = call.service<Sns>();
  const auto given = in.attributes.value_or(std::map<std::string, std::string>{});
  const auto fifo_given = given.find("FifoTopic");
  const bool wants_fifo = fifo_given != given.end() && (fifo_given->second == "true" || fifo_given->second == "True");
  if (!valid_topic_name(in.name) || in.name.ends_with(".fifo") != wants_fifo) return invalid("Topic Name");
  StoredTopic topic;
  topic.arn = topic_arn(call, in.name);
  topic.account = call.account;
  topic.region = call.region;
  topic.name = in.name;
  for (const auto& [name, value] : given) {
    if (name == "FifoTopic") continue;
    auto checked = check_attribute(name, value, wants_fifo);
    if (!checked.ok()) {
      const std::string& what = checked.error().message();
      return invalid(what == "AttributeName" ? "Attributes Reason: Unknown attribute: " + name
                                             : "Attributes Reason: " + what);
    }
    if (!checked->empty() || name == "DisplayName") topic.attributes[name] = std::move(checked).value();
  }
  if (in.tags) {
    topic.tags = *in.tags;
    std::vector<std::string> keys;
    for (const auto& tag : topic.tags) keys.push_back(tag.key);
    std::sort(keys.begin(), keys.end());
    if (std::adjacent_find(keys.begin(), keys.end()) != keys.end())
      return invalid("Duplicated keys are not allowed.");
    if (topic.tags.size() > kTagsMax)
      return fault(TagLimitExceededException{.message = "Could not complete request: tag quota of per resource exceeded"});
  }
  if (in.data_protection_policy && !in.data_protection_policy->empty()) {
    TRYV(check_data_protection_policy(*in.data_protection_policy));
    topic.data_protection_policy = in.data_protection_policy;
  }
  const std::lock_guard changes(sns.state().changes());
  if (const TopicPtr existing = sns.state().topic(topic.arn)) {
    for (const auto& [name, value] : given) {
      if (name == "FifoTopic") continue;
      const auto stored = existing->document.attributes.find(name);
      const auto normal = topic.attributes.find(name);
      const std::string& wanted = normal == topic.attributes.end() ? value : normal->second;
      if (stored == existing->document.attributes.end() || (stored->second != value && stored->second != wanted))
        return invalid("Attributes Reason: Topic already exists with different attributes");
    }
    if (in.tags && !in.tags->empty() && !same_tags(*in.tags, existing->document.tags))
      return invalid("Tags Reason: Topic already exists with different tags");
    return CreateTopicResponse{.topic_arn = topic.arn};
  }
  if (sns.state().topic_count(call.account, call.region, wants_fifo) >=
      (wants_fifo ? kFifoTopicsMax : kStandardTopicsMax))
    return fault(TopicLimitExceededException{.message = "Topic limit exceeded"});
  if (topic.attributes.contains("ArchivePolicy")) topic.attributes["BeginningArchiveTime"] = iso_time(call.now);
  CreateTopicResponse out{.topic_arn = topic.arn};
  TRYV(sns.state().put(std::move(topic)));
  return out;
}

Result<Empty> delete_topic(Call& call, const DeleteTopicInput& in) {
  TRYV(check_arn(call, in.topic_arn, "TopicArn"));
  Sns& sns = call.service<Sns>();
  const std::lock_guard changes(sns.state().changes());
  const TopicPtr topic = sns.state().topic(in.topic_arn);
  if (topic && archive_days(*topic) > 0)
    return fault(InvalidStateException{.message = "Cannot delete a topic with an ArchivePolicy. Deactivate the policy first."});
  TRYV(sns.state().erase_topic(in.topic_arn, call.now));
  return Empty{};
}

Result<ListTopicsResponse> list_topics(Call& call, const ListTopicsInput& in) {
  TRY(const std::string after, page_start("ListTopics", in.next_token));
  const auto page = call.service<Sns>().state().topics(call.account, call.region, after, kPageItems + 1);
  ListTopicsResponse out;
  out.topics.emplace();
  for (const auto& topic : page) {
    if (out.topics->size() == kPageItems) {
      out.next_token = page_token("ListTopics", *out.topics->back().topic_arn);
      break;
    }
    out.topics->push_back(Topic{.topic_arn = topic->document.arn});
  }
  return out;
}

Result<GetTopicAttributesResponse> get_topic_attributes(Call& call, const GetTopicAttributesInput& in) {
  TRY(const TopicPtr topic, find_topic(call, in.topic_arn));
  const StoredTopic& document = topic->document;
  std::map<std::string, std::string> out = document.attributes;
  out["TopicArn"] = document.arn;
  out["Owner"] = document.account;
  out.try_emplace("DisplayName", "");
  if (const auto policy = out.find("Policy"); policy == out.end() || policy->second.empty())
    out["Policy"] = default_policy(document);
  out["EffectiveDeliveryPolicy"] = effective_topic_json(topic->attribute("DeliveryPolicy"));
  std::int64_t confirmed = 0, pending = 0;
  for (const auto& subscription : *call.service<Sns>().state().subscriptions_of(document.arn))
    ++(subscription->document.confirmed ? confirmed : pending);
  out["SubscriptionsConfirmed"] = std::to_string(confirmed);
  out["SubscriptionsPending"] = std::to_string(pending);
  out["SubscriptionsDeleted"] = std::to_string(document.subscriptions_deleted);
  if (topic->fifo) {
    out["FifoTopic"] = "true";
    out.try_emplace("ContentBasedDeduplication", "false");
    out.try_emplace("FifoThroughputScope", "Topic");
  }
  return GetTopicAttributesResponse{.attributes = std::move(out)};
}

Result<Empty> set_topic_attributes(Call& call, const SetTopicAttributesInput& in) {
  Sns& sns = call.service<Sns>();
  TRYV(check_arn(call, in.topic_arn, "TopicArn"));
  const std::lock_guard changes(sns.state().changes());
  TRY(const TopicPtr topic, find_topic(call, in.topic_arn));
  auto checked = check_attribute(in.attribute_name, in.attribute_value.value_or(""), topic->fifo);
  if (!checked.ok()) return invalid(checked.error().message());
  StoredTopic document = topic->document;
  if (checked->empty() && in.attribute_name != "DisplayName") document.attributes.erase(in.attribute_name);
  else document.attributes[in.attribute_name] = std::move(checked).value();
  if (in.attribute_name == "ArchivePolicy") {
    if (document.attributes.contains("ArchivePolicy"))
      document.attributes.try_emplace("BeginningArchiveTime", iso_time(call.now));
    else document.attributes.erase("BeginningArchiveTime");
  }
  TRYV(sns.state().put(std::move(document)));
  return Empty{};
}

// --- permissions ------------------------------------------------------------------------------------

constexpr std::string_view kGrantableActions[] = {
    "GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic",
    "Subscribe", "ListSubscriptionsByTopic", "Publish", "Receive"};

Json policy_of(const TopicEntry& topic) {
  const std::string& text = topic.attribute("Policy");
  return Json::parse(text.empty() ? default_policy(topic.document) : text, nullptr, false);
}

Status store_policy(Sns& sns, const TopicEntry& topic, const Json& policy) {
  StoredTopic document = topic.document;
  document.attributes["Policy"] = policy.dump();
  return sns.state().put(std::move(document));
}

Result<Empty> add_permission(Call& call, const AddPermissionInput& in) {
  Sns& sns = call.service<Sns>();
  const std::lock_guard changes(sns.state().changes());
  TRY(const TopicPtr topic, find_topic(call, in.topic_arn));
  for (const auto& action : in.action_name) {
    if (std::find(std::begin(kGrantableActions), std::end(kGrantableActions), action) == std::end(kGrantableActions))
      return invalid("Policy statement action out of service scope!");
  }
  Json policy = policy_of(*topic);
  Json& statements = policy["Statement"];
  if (!statements.is_array()) statements = Json::array();
  for (const auto& statement : statements) {
    if (statement.is_object() && statement.value("Sid", Json()) == in.label)
      return invalid("Statement already exists");
  }
  const auto one_or_list = [](const std::vector<std::string>& values) {
    return values.size() == 1 ? Json(values.front()) : Json(values);
  };
  std::vector<std::string> principals, actions;
  for (const auto& account : in.aws_account_id)
    principals.push_back(fmt::format("arn:{}:iam::{}:root", partition_of(call.region), account));
  for (const auto& action : in.action_name) actions.push_back("SNS:" + action);
  statements.push_back({{"Sid", in.label},
                        {"Effect", "Allow"},
                        {"Principal", {{"AWS", one_or_list(principals)}}},
                        {"Action", one_or_list(actions)},
                        {"Resource", topic->document.arn}});
  TRYV(store_policy(sns, *topic, policy));
  return Empty{};
}

Result<Empty> remove_permission(Call& call, const RemovePermissionInput& in) {
  Sns& sns = call.service<Sns>();
  const std::lock_guard changes(sns.state().changes());
  TRY(const TopicPtr topic, find_topic(call, in.topic_arn));
  Json policy = policy_of(*topic);
  Json kept = Json::array();
  bool found = false;
  for (const auto& statement : policy["Statement"]) {
    if (statement.is_object() && statement.value("Sid", Json()) == in.label) found = true;
    else kept.push_back(statement);
  }
  if (!found) return Empty{};
  policy["Statement"] = std::move(kept);
  TRYV(store_policy(sns, *topic, policy));
  return Empty{};
}

// --- tags ---------------------------------------------------------------------------------------------

Result<TopicPtr> tagged_topic(Call& call, const std::string& arn) {
  TRYV(check_arn(call, arn, "ResourceArn"));
  TopicPtr topic = call.service<Sns>().state().topic(arn);
  if (!topic) return fault(ResourceNotFoundException{.message = "Resource does not exist"});
  return topic;
}

Result<ListTagsForResourceResponse> list_tags_for_resource(Call& call, const ListTagsForResourceRequest& in) {
  TRY(const TopicPtr topic, tagged_topic(call, in.resource_arn));
  return ListTagsForResourceResponse{.tags = topic->document.tags};
}

Result<TagResourceResponse> tag_resource(Call& call, const TagResourceRequest& in) {
  Sns& sns = call.service<Sns>();
  std::vector<std::string> keys;
  for (const auto& tag : in.tags) keys.push_back(tag.key);
  std::sort(keys.begin(), keys.end());
  if (std::adjacent_find(keys.begin(), keys.end()) != keys.end()) return invalid("Duplicated keys are not allowed.");
  const std::lock_guard changes(sns.state().changes());
  TRY(const TopicPtr topic, tagged_topic(call, in.resource_arn));
  StoredTopic document = topic->document;
  for (const auto& tag : in.tags) {
    const auto old = std::find_if(document.tags.begin(), document.tags.end(), [&](const Tag& t) { return t.key == tag.key; });
    if (old == document.tags.end()) document.tags.push_back(tag);
    else old->value = tag.value;
  }
  if (document.tags.size() > kTagsMax)
    return fault(TagLimitExceededException{.message = "Could not complete request: tag quota of per resource exceeded"});
  TRYV(sns.state().put(std::move(document)));
  return TagResourceResponse{};
}

Result<UntagResourceResponse> untag_resource(Call& call, const UntagResourceRequest& in) {
  Sns& sns = call.service<Sns>();
  const std::lock_guard changes(sns.state().changes());
  TRY(const TopicPtr topic, tagged_topic(call, in.resource_arn));
  StoredTopic document = topic->document;
  std::erase_if(document.tags, [&](const Tag& tag) {
    return std::find(in.tag_keys.begin(), in.tag_keys.end(), tag.key) != in.tag_keys.end();
  });
  TRYV(sns.state().put(std::move(document)));
  return UntagResourceResponse{};
}

// --- data protection ------------------------------------------------------------------------------------

Result<Empty> put_data_protection_policy(Call& call, const PutDataProtectionPolicyInput& in) {
  Sns& sns = call.service<Sns>();
  TRYV(check_arn(call, in.resource_arn, "ResourceArn"));
  const std::lock_guard changes(sns.state().changes());
  const TopicPtr topic = sns.state().topic(in.resource_arn);
  if (!topic) return not_found("Topic");
  StoredTopic document = topic->document;
  if (in.data_protection_policy.empty()) {
    document.data_protection_policy.reset();
  } else {
    TRYV(check_data_protection_policy(in.data_protection_policy));
    document.data_protection_policy = in.data_protection_policy;
  }
  TRYV(sns.state().put(std::move(document)));
  return Empty{};
}

Result<GetDataProtectionPolicyResponse> get_data_protection_policy(Call& call, const GetDataProtectionPolicyInput& in) {
  TRYV(check_arn(call, in.resource_arn, "ResourceArn"));
  const TopicPtr topic = call.service<Sns>().state().topic(in.resource_arn);
  if (!topic) return not_found("Topic");
  return GetDataProtectionPolicyResponse{.data_protection_policy = topic->document.data_protection_policy};
}

constexpr Operation kOperations[] = {
    bind<create_topic>(),
    bind<delete_topic>(),
    bind<list_topics>(),
    bind<get_topic_attributes>(),
    bind<set_topic_attributes>(),
    bind<add_permission>(),
    bind<remove_permission>(),
    bind<list_tags_for_resource>(),
    bind<tag_resource>(),
    bind<untag_resource>(),
    bind<put_data_protection_policy>(),
    bind<get_data_protection_policy>(),
};

}  // namespace

std::span<const Operation> topic_operations() { return kOperations; }

}  // namespace fog::sns
