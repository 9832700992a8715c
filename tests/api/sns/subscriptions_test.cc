#include "harness.h"

namespace fog::sns {
namespace {

using Attributes = std::map<std::string, std::string>;

class Subscriptions : public SnsTest {
 protected:
  std::string attempt(const std::string& protocol, const std::string& endpoint, Attributes attributes = {},
                      const std::string& topic = "t") {
    SubscribeInput in;
    in.topic_arn = create(topic);
    in.protocol = protocol;
    in.endpoint = endpoint;
    if (!attributes.empty()) in.attributes = attributes;
    return fault_of(in);
  }
};

struct EndpointRow {
  const char* protocol;
  const char* endpoint;
  const char* fault;
};

TEST_F(Subscriptions, endpoints_are_checked_by_protocol) {
  const EndpointRow rows[] = {
      {"http", "https://x.example", "InvalidParameter: Invalid parameter: Endpoint must match the specified protocol"},
      {"https", "http://x.example", "InvalidParameter: Invalid parameter: Endpoint must match the specified protocol"},
      {"http", "", "InvalidParameter: Invalid parameter: Endpoint must match the specified protocol"},
      {"email", "nobody", "InvalidParameter: Invalid parameter: Email address"},
      {"sms", "abc", "InvalidParameter: Invalid SMS endpoint: abc"},
      {"sms", "+15551234567", ""},
      {"sqs", "http://q", "InvalidParameter: Invalid parameter: SQS endpoint ARN"},
      {"sqs", "arn:aws:sqs:us-east-1:123456789012:q", ""},
      {"sqs", "arn:aws:sqs:us-east-1:123456789012:q.fifo",
       "InvalidParameter: Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed "
       "to standard SNS topics"},
      {"lambda", "x", "InvalidParameter: Invalid parameter: Lambda endpoint ARN"},
      {"application", "x", "InvalidParameter: Invalid parameter: ApplicationEndpoint ARN"},
      {"pigeon", "x", "InvalidParameter: Invalid parameter: Amazon SNS does not support this protocol string: pigeon"},
  };
  for (const auto& row : rows) EXPECT_EQ(attempt(row.protocol, row.endpoint), row.fault) << row.protocol << ' ' << row.endpoint;
}

struct AttributeRow {
  const char* name;
  const char* value;
  const char* fault;  // after the operation's prefix
};

TEST_F(Subscriptions, attributes_are_checked_alike_by_both_operations) {
  const AttributeRow rows[] = {
      {"Nonsense", "x", "AttributeName"},
      {"RawMessageDelivery", "maybe", "RawMessageDelivery: Invalid value [maybe]. Must be true or false."},
      {"FilterPolicyScope", "Moon",
       "FilterPolicyScope: Invalid value [Moon]. Please use either MessageBody or MessageAttributes"},
      {"FilterPolicy", R"({"k":[["v"]]})",
       "FilterPolicy: Match value must be String, number, true, false, or null\n at [Source: "
       "(String)\"{\"k\":[[\"v\"]]}\"; line: 1, column: 8]"},
      {"FilterPolicy", R"({"a":{"b":["c"]}})",
       "Filter policy scope MessageAttributes does not support nested filter policy"},
      {"FilterPolicy", R"({"a":["1"],"b":["1"],"c":["1"],"d":["1"],"e":["1"],"f":["1"]})",
       "FilterPolicy: Filter policy can not have more than 5 keys"},
      {"RedrivePolicy", R"({"deadLetterTargetArn":"x"})", "RedrivePolicy: deadLetterTargetArn is an invalid arn"},
  };
  const std::string arn = subscribe(create("t"), "sqs", "arn:aws:sqs:us-east-1:123456789012:first");
  for (const auto& row : rows) {
    SCOPED_TRACE(row.value);
    EXPECT_EQ(attempt("sqs", "arn:aws:sqs:us-east-1:123456789012:q", {{row.name, row.value}}),
              std::string("InvalidParameter: Invalid parameter: Attributes Reason: ") + row.fault);
    SetSubscriptionAttributesInput set;
    set.subscription_arn = arn;
    set.attribute_name = row.name;
    set.attribute_value = row.value;
    EXPECT_EQ(fault_of(set), std::string("InvalidParameter: Invalid parameter: ") + row.fault);
  }
  EXPECT_TRUE(attempt("sqs", "arn:aws:sqs:us-east-1:123456789012:q", {{"FilterPolicy", "{"}})
                  .starts_with("InvalidParameter: Invalid parameter: Attributes Reason: FilterPolicy: failed to parse JSON."));
  EXPECT_TRUE(attempt("sqs", "arn:aws:sqs:us-east-1:123456789012:q", {{"RedrivePolicy", "{"}})
                  .starts_with("InvalidParameter: Invalid parameter: Attributes Reason: RedrivePolicy: failed to parse JSON."));
}

TEST_F(Subscriptions, of_fifo_topics_need_fifo_dead_letter_queues) {
  EXPECT_EQ(attempt("sqs", "arn:aws:sqs:us-east-1:123456789012:q.fifo",
                    {{"RedrivePolicy", R"({"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dlq"})"}}, "f.fifo"),
            "InvalidParameter: Invalid parameter: Attributes Reason: RedrivePolicy: must use a FIFO queue as DLQ for a FIFO "
            "Subscription to a FIFO Topic.");
}

TEST_F(Subscriptions, are_idempotent_by_endpoint) {
  const std::string topic = create("t");
  const std::string queue = "arn:aws:sqs:us-east-1:123456789012:q";
  const std::string arn = subscribe(topic, "sqs", queue, {{"RawMessageDelivery", "true"}});
  EXPECT_EQ(subscribe(topic, "sqs", queue), arn);
  EXPECT_EQ(subscribe(topic, "sqs", queue, {{"RawMessageDelivery", "TRUE"}}), arn);
  EXPECT_EQ(attempt("sqs", queue, {{"RawMessageDelivery", "false"}}),
            "InvalidParameter: Invalid parameter: Attributes Reason: Subscription already exists with different attributes");
  const std::string other = subscribe(topic, "sqs", queue + "2");
  EXPECT_EQ(subscribe(topic, "sqs", queue + "2", {{"RawMessageDelivery", "False"}}), other) << "the default counts";
}

TEST_F(Subscriptions, show_their_attributes) {
  const std::string arn = subscribe(create("t"), "sqs", "arn:aws:sqs:us-east-1:123456789012:q",
                                    {{"FilterPolicyScope", "MessageBody"}, {"RawMessageDelivery", "True"}});
  Attributes a = subscription_attributes(arn);
  EXPECT_EQ(a["RawMessageDelivery"], "true");
  EXPECT_EQ(a["PendingConfirmation"], "false");
  EXPECT_EQ(a["ConfirmationWasAuthenticated"], "true");
  EXPECT_EQ(a["Owner"], "123456789012");
  EXPECT_FALSE(a.contains("FilterPolicyScope")) << "not without a policy";
  EXPECT_FALSE(a.contains("EffectiveDeliveryPolicy"));
  SetSubscriptionAttributesInput in;
  in.subscription_arn = arn;
  in.attribute_name = "FilterPolicy";
  in.attribute_value = R"({"a":{"b":["c"]}})";
  EXPECT_EQ(fault_of(in), "");
  EXPECT_EQ(subscription_attributes(arn)["FilterPolicyScope"], "MessageBody");
  in.attribute_value = "{}";
  EXPECT_EQ(fault_of(in), "");
  EXPECT_FALSE(subscription_attributes(arn).contains("FilterPolicy"));
  const std::string web = subscribe(create("t"), "http", "http://x.example");
  EXPECT_EQ(subscription_attributes(web)["EffectiveDeliveryPolicy"],
            R"({"healthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"numMaxDelayRetries":0,)"
            R"("numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},"sicklyRetryPolicy":null,)"
            R"("throttlePolicy":null,"requestPolicy":{"headerContentType":"text/plain; charset=UTF-8"},"guaranteed":false})");
}

TEST_F(Subscriptions, over_http_shake_hands) {
  const std::string topic = create("t");
  SubscribeInput in;
  in.topic_arn = topic;
  in.protocol = "http";
  in.endpoint = "http://x.example/hook";
  EXPECT_EQ(run(in)->subscription_arn, "pending confirmation");
  pump();
  ASSERT_EQ(outbound.requests.size(), 1u);
  const OutboundRequest& sent = outbound.requests[0];
  EXPECT_EQ(sent.url, "http://x.example/hook");
  EXPECT_EQ(header(sent, "x-amz-sns-message-type"), "SubscriptionConfirmation");
  EXPECT_EQ(header(sent, "x-amz-sns-topic-arn"), topic);
  EXPECT_EQ(header(sent, "x-amz-sns-subscription-arn"), "(absent)");
  EXPECT_EQ(header(sent, "Content-Type"), "text/plain; charset=UTF-8");
  EXPECT_EQ(header(sent, "User-Agent"), "Amazon Simple Notification Service Agent");
  EXPECT_NE(sent.body.find("\"Type\" : \"SubscriptionConfirmation\""), std::string::npos);
  EXPECT_EQ(topic_attributes(topic)["SubscriptionsPending"], "1");
  ListSubscriptionsByTopicInput list;
  list.topic_arn = topic;
  EXPECT_EQ(run(list)->subscriptions->front().subscription_arn, "PendingConfirmation");

  EXPECT_EQ(run(in)->subscription_arn, "pending confirmation") << "asked again, a new message goes out";
  pump();
  ASSERT_EQ(outbound.requests.size(), 2u);
  const auto token_of = [](const std::string& body) {
    const std::size_t at = body.find("\"Token\" : \"") + 11;
    return body.substr(at, body.find('"', at) - at);
  };
  ConfirmSubscriptionInput confirm;
  confirm.topic_arn = std::string(kArn) + "another-name";
  confirm.token = token_of(outbound.requests[0].body);
  const auto confirmed = run(confirm);
  ASSERT_TRUE(confirmed.ok()) << "the name is not compared";
  EXPECT_EQ(run(confirm)->subscription_arn, confirmed->subscription_arn);
  confirm.token = token_of(outbound.requests[1].body);
  EXPECT_EQ(run(confirm)->subscription_arn, confirmed->subscription_arn);
  EXPECT_EQ(topic_attributes(topic)["SubscriptionsConfirmed"], "1");

  confirm.topic_arn = "arn:aws:sns:eu-west-1:123456789012:t";
  EXPECT_EQ(fault_of(confirm), "InvalidParameter: Invalid parameter: Topic");
  confirm.topic_arn = "x";
  EXPECT_EQ(fault_of(confirm), "InvalidParameter: Invalid parameter: Topic");
  confirm.topic_arn = topic;
  confirm.token = "zz";
  EXPECT_EQ(fault_of(confirm), "InvalidParameter: Invalid token");
  confirm.token = token_of(outbound.requests[1].body);
  confirm.token.back() = confirm.token.back() == '0' ? '1' : '0';
  EXPECT_EQ(fault_of(confirm), "InvalidParameter: Invalid parameter: Token");
}

TEST_F(Subscriptions, tokens_last_two_days) {
  const std::string topic = create("t");
  SubscribeInput in;
  in.topic_arn = topic;
  in.protocol = "email";
  in.endpoint = "jane@example.com";
  run(in).value();
  pump();
  ASSERT_EQ(outbox.messages.size(), 1u);
  ConfirmSubscriptionInput confirm;
  confirm.topic_arn = topic;
  confirm.token = outbox.messages[0].token;
  clock.advance(std::chrono::hours(48));
  EXPECT_EQ(fault_of(confirm), "InvalidParameter: Invalid parameter: Token");
  clock.advance(-std::chrono::hours(1));
  EXPECT_EQ(fault_of(confirm), "");
}

TEST_F(Subscriptions, end_politely) {
  const std::string topic = create("t");
  const std::string arn = subscribe(topic, "http", "http://x.example/hook");
  UnsubscribeInput in;
  in.subscription_arn = arn;
  EXPECT_EQ(fault_of(in), "");
  pump();
  ASSERT_EQ(outbound.requests.size(), 1u);
  EXPECT_EQ(header(outbound.requests[0], "x-amz-sns-message-type"), "UnsubscribeConfirmation");
  EXPECT_EQ(topic_attributes(topic)["SubscriptionsDeleted"], "1");
  GetSubscriptionAttributesInput get;
  get.subscription_arn = arn;
  EXPECT_EQ(fault_of(get), "NotFound: Subscription does not exist");
  // Its token brings the subscription back.
  const std::string& body = outbound.requests[0].body;
  const std::size_t at = body.find("\"Token\" : \"") + 11;
  ConfirmSubscriptionInput confirm;
  confirm.topic_arn = topic;
  confirm.token = body.substr(at, body.find('"', at) - at);
  EXPECT_EQ(run(confirm)->subscription_arn, arn);
  EXPECT_EQ(fault_of(get), "");
  EXPECT_EQ(topic_attributes(topic)["SubscriptionsConfirmed"], "1");

  EXPECT_EQ(fault_of(in), "");
  EXPECT_EQ(fault_of(in), "") << "idempotent";
  in.subscription_arn = "arn:aws:sns:us-east-1:123456789012:t";
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: SubscriptionId");
  in.subscription_arn = "";
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: SubscriptionArn Reason: no value for required parameter");
}

TEST_F(Subscriptions, may_be_protected_against_unsigned_leavers) {
  const std::string topic = create("t");
  SubscribeInput in;
  in.topic_arn = topic;
  in.protocol = "email";
  in.endpoint = "jane@example.com";
  in.return_subscription_arn = true;
  const std::string arn = run(in)->subscription_arn.value();
  ConfirmSubscriptionInput confirm;
  confirm.topic_arn = topic;
  confirm.token = sns->state().subscription(arn)->document.tokens.back().token;
  confirm.authenticate_on_unsubscribe = "true";
  EXPECT_EQ(fault_of(confirm), "");
  is_signed = false;
  UnsubscribeInput leave;
  leave.subscription_arn = arn;
  EXPECT_TRUE(fault_of(leave).starts_with("AuthorizationError: "));
  is_signed = true;
  EXPECT_EQ(fault_of(leave), "");
}

TEST_F(Subscriptions, are_confirmed_and_left_by_links) {
  const std::string topic = create("t");
  SubscribeInput in;
  in.topic_arn = topic;
  in.protocol = "email";
  in.endpoint = "jane+x@example.com";
  run(in).value();
  pump();
  ASSERT_EQ(outbox.messages.size(), 1u);
  const auto link_in = [](const std::string& text, const std::string& page) {
    const std::size_t at = text.find("/" + page);
    return text.substr(at, text.find_first_of("\"\n", at) - at);
  };
  EXPECT_EQ(outbox.messages[0].subject, "AWS Notification - Subscription Confirmation");
  Call call = make_call();
  call.is_signed = false;
  call.region = "eu-west-1";
  const auto page = serve_link(*sns, call, link_in(outbox.messages[0].message, "confirmation.html"));
  ASSERT_TRUE(page);
  EXPECT_EQ(page->status, 200);
  EXPECT_NE(page->body.find("Subscription confirmed!"), std::string::npos);
  EXPECT_NE(page->body.find("Your subscription's id is:"), std::string::npos);
  EXPECT_EQ(topic_attributes(topic)["SubscriptionsConfirmed"], "1");

  publish(topic, "hello");
  pump();
  ASSERT_EQ(outbox.messages.size(), 2u);
  const auto left = serve_link(*sns, call, link_in(outbox.messages[1].message, "unsubscribe.html"));
  ASSERT_TRUE(left);
  EXPECT_EQ(left->status, 200);
  EXPECT_EQ(topic_attributes(topic)["SubscriptionsConfirmed"], "0");
  EXPECT_EQ(serve_link(*sns, call, "/confirmation.html?TopicArn=x&Token=<script>")->status, 400);
  EXPECT_FALSE(serve_link(*sns, call, "/other"));
}

}  // namespace
}  // namespace fog::sns
