#include <nlohmann/json.hpp>

#include "harness.h"

namespace fog::sns {
namespace {

using Json = nlohmann::ordered_json;
using Attributes = std::map<std::string, std::string>;

class Topics : public SnsTest {};

TEST_F(Topics, every_operation_of_the_model_has_a_handler) {
  std::size_t n = 0;
  for (const auto& table : registered.operations) n += table.size();
  EXPECT_EQ(n, registered.info->operations.size());
  EXPECT_EQ(n, 42u);
}

TEST_F(Topics, are_created_once) {
  EXPECT_EQ(create("t"), std::string(kArn) + "t");
  EXPECT_EQ(create("t"), std::string(kArn) + "t");
  EXPECT_EQ(create("named", {{"DisplayName", "x"}}), create("named", {{"DisplayName", "x"}}));
  EXPECT_EQ(create("t", {{"FifoTopic", "false"}}), std::string(kArn) + "t");
  CreateTopicInput in;
  in.name = "named";
  in.attributes = Attributes{{"DisplayName", "y"}};
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: Attributes Reason: Topic already exists with different attributes");
  in.name = "t";
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: Attributes Reason: Topic already exists with different attributes");
  in.attributes.reset();
  in.tags = std::vector<Tag>{{.key = "a", .value = "b"}};
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: Tags Reason: Topic already exists with different tags");
}

TEST_F(Topics, names_are_checked) {
  const auto name = [&](const std::string& text, bool fifo) {
    CreateTopicInput in;
    in.name = text;
    if (fifo) in.attributes = Attributes{{"FifoTopic", "true"}};
    return fault_of(in);
  };
  const std::string wrong = "InvalidParameter: Invalid parameter: Topic Name";
  EXPECT_EQ(name("", false), wrong);
  EXPECT_EQ(name("a b", false), wrong);
  EXPECT_EQ(name(std::string(257, 'a'), false), wrong);
  EXPECT_EQ(name(std::string(256, 'a'), false), "");
  EXPECT_EQ(name("x.fifo", false), wrong);
  EXPECT_EQ(name("x", true), wrong);
  EXPECT_EQ(name("x.fifo", true), "");
}

TEST_F(Topics, attributes_show_what_applies) {
  const std::string arn = create("t");
  Attributes a = topic_attributes(arn);
  EXPECT_EQ(a["TopicArn"], arn);
  EXPECT_EQ(a["Owner"], "123456789012");
  EXPECT_EQ(a["DisplayName"], "");
  EXPECT_EQ(a["SubscriptionsConfirmed"], "0");
  EXPECT_EQ(a["SubscriptionsPending"], "0");
  EXPECT_EQ(a["SubscriptionsDeleted"], "0");
  EXPECT_FALSE(a.contains("FifoTopic"));
  EXPECT_EQ(a["EffectiveDeliveryPolicy"],
            R"({"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,)"
            R"("numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},)"
            R"("disableSubscriptionOverrides":false,"defaultRequestPolicy":{"headerContentType":"text/plain; charset=UTF-8"}}})");
  EXPECT_EQ(a["Policy"],
            R"({"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{"Sid":"__default_statement_ID",)"
            R"("Effect":"Allow","Principal":{"AWS":"*"},"Action":["SNS:GetTopicAttributes","SNS:SetTopicAttributes",)"
            R"("SNS:AddPermission","SNS:RemovePermission","SNS:DeleteTopic","SNS:Subscribe",)"
            R"("SNS:ListSubscriptionsByTopic","SNS:Publish"],"Resource":"arn:aws:sns:us-east-1:123456789012:t",)"
            R"("Condition":{"StringEquals":{"AWS:SourceOwner":"123456789012"}}}]})");
  Attributes f = topic_attributes(create("f.fifo"));
  EXPECT_EQ(f["FifoTopic"], "true");
  EXPECT_EQ(f["ContentBasedDeduplication"], "false");
}

TEST_F(Topics, attributes_are_set_and_removed) {
  const std::string arn = create("t");
  SetTopicAttributesInput in;
  in.topic_arn = arn;
  in.attribute_name = "DeliveryPolicy";
  in.attribute_value = R"({"http":{"defaultHealthyRetryPolicy":{"numRetries":5,"numMinDelayRetries":null}}})";
  ASSERT_EQ(fault_of(in), "");
  EXPECT_EQ(topic_attributes(arn)["DeliveryPolicy"],
            R"({"http":{"defaultHealthyRetryPolicy":{"numRetries":5},"disableSubscriptionOverrides":false}})");
  EXPECT_EQ(Json::parse(topic_attributes(arn)["EffectiveDeliveryPolicy"])["http"]["defaultHealthyRetryPolicy"]["numRetries"], 5);
  in.attribute_value = "";
  ASSERT_EQ(fault_of(in), "");
  EXPECT_FALSE(topic_attributes(arn).contains("DeliveryPolicy"));
  for (const char* name : {"Owner", "TopicArn", "FifoTopic", "Nonsense", "ContentBasedDeduplication"}) {
    in.attribute_name = name;
    in.attribute_value = "true";
    EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: AttributeName") << name;
  }
  in.attribute_name = "SignatureVersion";
  in.attribute_value = "2";
  EXPECT_EQ(fault_of(in), "");
  EXPECT_EQ(topic_attributes(arn)["SignatureVersion"], "2");
}

TEST_F(Topics, arns_are_judged_before_topics) {
  GetTopicAttributesInput in;
  in.topic_arn = "nonsense";
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1");
  in.topic_arn = "arn:aws:sns:eu-west-1:123456789012:t";
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: TopicArn");
  in.topic_arn = std::string(kArn) + "missing";
  EXPECT_EQ(fault_of(in), "NotFound: Topic does not exist");
}

TEST_F(Topics, permissions_become_statements) {
  const std::string arn = create("t");
  AddPermissionInput in;
  in.topic_arn = arn;
  in.label = "one";
  in.aws_account_id = {"999999999999"};
  in.action_name = {"Publish"};
  ASSERT_EQ(fault_of(in), "");
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: Statement already exists");
  const Json statement = Json::parse(topic_attributes(arn)["Policy"])["Statement"][1];
  EXPECT_EQ(statement.dump(),
            R"({"Sid":"one","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999999999999:root"},"Action":"SNS:Publish",)"
            R"("Resource":"arn:aws:sns:us-east-1:123456789012:t"})");
  in.label = "two";
  in.action_name = {"Fly"};
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: Policy statement action out of service scope!");
  RemovePermissionInput out;
  out.topic_arn = arn;
  out.label = "unknown";
  EXPECT_EQ(fault_of(out), "");
  out.label = "one";
  EXPECT_EQ(fault_of(out), "");
  EXPECT_EQ(Json::parse(topic_attributes(arn)["Policy"])["Statement"].size(), 1u);
}

TEST_F(Topics, tags_are_kept) {
  const std::string arn = create("t");
  TagResourceRequest in;
  in.resource_arn = arn;
  in.tags = {{.key = "k", .value = "v"}, {.key = "k", .value = "w"}};
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: Duplicated keys are not allowed.");
  in.tags = {{.key = "k", .value = "v"}};
  EXPECT_EQ(fault_of(in), "");
  in.tags = {{.key = "k", .value = "w"}, {.key = "l", .value = "x"}};
  EXPECT_EQ(fault_of(in), "");
  ListTagsForResourceRequest list;
  list.resource_arn = arn;
  EXPECT_EQ(run(list)->tags, (std::vector<Tag>{{.key = "k", .value = "w"}, {.key = "l", .value = "x"}}));
  UntagResourceRequest untag;
  untag.resource_arn = arn;
  untag.tag_keys = {"k", "unknown"};
  EXPECT_EQ(fault_of(untag), "");
  EXPECT_EQ(run(list)->tags->size(), 1u);
  in.tags.clear();
  for (int i = 0; i < 50; ++i) in.tags.push_back({.key = "t" + std::to_string(i), .value = ""});
  EXPECT_TRUE(fault_of(in).starts_with("TagLimitExceeded: "));
  list.resource_arn = std::string(kArn) + "missing";
  EXPECT_EQ(fault_of(list), "ResourceNotFound: Resource does not exist");
}

TEST_F(Topics, lists_come_in_pages_of_a_hundred) {
  for (int i = 0; i < 150; ++i) create("t" + std::to_string(i));
  ListTopicsInput in;
  const auto first = run(in).value();
  EXPECT_EQ(first.topics->size(), 100u);
  ASSERT_TRUE(first.next_token);
  in.next_token = first.next_token;
  const auto second = run(in).value();
  EXPECT_EQ(second.topics->size(), 50u);
  EXPECT_FALSE(second.next_token);
  in.next_token = "garbage!";
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: NextToken");
}

TEST_F(Topics, deletion_is_idempotent_and_takes_the_tags) {
  const std::string arn = create("t");
  DeleteTopicInput in;
  in.topic_arn = arn;
  const std::string subscription = subscribe(arn, "sqs", "arn:aws:sqs:us-east-1:123456789012:q");
  EXPECT_EQ(fault_of(in), "");
  EXPECT_EQ(fault_of(in), "");
  EXPECT_EQ(subscription_attributes(subscription)["TopicArn"], arn) << "still answers for a while";
  ListSubscriptionsInput list;
  EXPECT_TRUE(run(list)->subscriptions->empty());
  create("t");
  ListSubscriptionsByTopicInput by_topic;
  by_topic.topic_arn = arn;
  EXPECT_TRUE(run(by_topic)->subscriptions->empty());
}

TEST_F(Topics, survive_a_restart) {
  const std::string arn = create("t", {{"DisplayName", "Shop"}});
  const std::string subscription = subscribe(arn, "http", "http://example.com/in", {{"FilterPolicy", R"({"k":["v"]})"}});
  open();
  EXPECT_EQ(topic_attributes(arn)["DisplayName"], "Shop");
  EXPECT_EQ(topic_attributes(arn)["SubscriptionsConfirmed"], "1");
  EXPECT_EQ(subscription_attributes(subscription)["FilterPolicy"], R"({"k":["v"]})");
}

TEST_F(Topics, data_protection_policies_are_checked) {
  const std::string arn = create("t");
  PutDataProtectionPolicyInput in;
  in.resource_arn = arn;
  in.data_protection_policy = "{}";
  EXPECT_TRUE(fault_of(in).starts_with("InvalidParameter: Invalid parameter: DataProtectionPolicy Reason: "));
  in.data_protection_policy =
      R"({"Name":"p","Version":"2021-06-01","Statement":[{"DataDirection":"Inbound","Principal":["*"],)"
      R"("DataIdentifier":["arn:aws:dataprotection::aws:data-identifier/EmailAddress"],"Operation":{"Deny":{}}}]})";
  EXPECT_EQ(fault_of(in), "");
  GetDataProtectionPolicyInput get;
  get.resource_arn = arn;
  EXPECT_EQ(run(get)->data_protection_policy, in.data_protection_policy);
  EXPECT_FALSE(topic_attributes(arn).contains("DataProtectionPolicy"));
  PublishInput publish;
  publish.topic_arn = arn;
  publish.message = "write to jane@example.com";
  EXPECT_TRUE(fault_of(publish).starts_with("AuthorizationError: "));
  publish.message = "nothing to see";
  EXPECT_EQ(fault_of(publish), "");
}

}  // namespace
}  // namespace fog::sns
