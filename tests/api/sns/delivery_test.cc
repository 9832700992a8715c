#include "api/sns/delivery.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <nlohmann/json.hpp>

#include "harness.h"

namespace fog::sns {
namespace {

using Json = nlohmann::ordered_json;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// --- retry phases -------------------------------------------------------------------------------

struct PhaseRow {
  const char* policy;
  std::vector<int> seconds;
};

TEST(DeliveryPolicy, has_the_documented_phases) {
  const PhaseRow rows[] = {
      {"", {20, 20, 20}},
      {R"({"healthyRetryPolicy":{"numRetries":0}})", {}},
      {R"({"healthyRetryPolicy":{"minDelayTarget":10,"maxDelayTarget":100,"numRetries":10,"numNoDelayRetries":2,
          "numMinDelayRetries":2,"numMaxDelayRetries":2,"backoffFunction":"linear"}})",
       {0, 0, 10, 10, 10, 40, 70, 100, 100, 100}},
      {R"({"healthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":16,"numRetries":5,"backoffFunction":"geometric"}})",
       {1, 2, 4, 8, 16}},
      {R"({"healthyRetryPolicy":{"minDelayTarget":10,"maxDelayTarget":110,"numRetries":3,"backoffFunction":"arithmetic"}})",
       {10, 48, 110}},
      {R"({"healthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":1024,"numRetries":2,"backoffFunction":"exponential"}})",
       {1, 1024}},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.policy);
    const RetryPolicy policy = effective_policy("", row.policy).retry;
    std::vector<int> got;
    for (int n = 1; const auto delay = policy.delay(n); ++n)
      got.push_back(static_cast<int>((delay->count() + 500) / 1000));
    EXPECT_EQ(got, row.seconds);
  }
}

TEST(DeliveryPolicy, of_queues_and_mail_last_as_long_as_documented) {
  const auto total = [](const RetryPolicy& policy) {
    Millis sum{0};
    for (int n = 1; n <= policy.retries; ++n) sum += *policy.delay(n);
    return sum;
  };
  EXPECT_EQ(queue_retry_policy().retries, 100'015);
  EXPECT_NEAR(static_cast<double>(total(queue_retry_policy()).count()) / 86'400'000, 23.15, 0.1) << "23 days";
  EXPECT_EQ(mail_retry_policy().retries, 50);
  EXPECT_NEAR(static_cast<double>(total(mail_retry_policy()).count()) / 3'600'000, 6.6, 0.5) << "6 hours";
}

TEST(DeliveryPolicy, topic_may_forbid_overrides) {
  const char* topic = R"({"http":{"defaultHealthyRetryPolicy":{"numRetries":7},"disableSubscriptionOverrides":true}})";
  const char* own = R"({"healthyRetryPolicy":{"numRetries":1},"throttlePolicy":{"maxReceivesPerSecond":3}})";
  EXPECT_EQ(effective_policy(topic, own).retry.retries, 7);
  EXPECT_FALSE(effective_policy(topic, own).receives_per_second_max);
  EXPECT_EQ(effective_policy("", own).receives_per_second_max, 3);
}

TEST(DeliveryPolicy, is_checked) {
  for (const char* policy : {"x", R"({"healthyRetryPolicy":{"numRetries":101}})",
                             R"({"healthyRetryPolicy":{"minDelayTarget":0}})",
                             R"({"healthyRetryPolicy":{"minDelayTarget":30,"maxDelayTarget":20}})",
                             R"({"healthyRetryPolicy":{"numRetries":2,"numNoDelayRetries":3}})",
                             R"({"healthyRetryPolicy":{"maxDelayTarget":3601}})",
                             R"({"healthyRetryPolicy":{"numRetries":100,"minDelayTarget":60,"maxDelayTarget":60}})",
                             R"({"healthyRetryPolicy":{"backoffFunction":"random"}})",
                             R"({"throttlePolicy":{"maxReceivesPerSecond":0}})",
                             R"({"requestPolicy":{"headerContentType":"image/png"}})", R"({"nonsense":1})"})
    EXPECT_FALSE(check_subscription_policy(policy).ok()) << policy;
  EXPECT_EQ(*check_subscription_policy(R"({"healthyRetryPolicy":{"numRetries":5,"minDelayTarget":null}})"),
            R"({"healthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":5,"numMaxDelayRetries":0,)"
            R"("numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"}})");
}

// --- documents --------------------------------------------------------------------------------------

class Delivery : public SnsTest {};

bool verifies(const std::string& pem, const std::string& text, const std::string& signature_text, const EVP_MD* hash) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  if (certificate == nullptr) return false;
  EVP_PKEY* key = X509_get_pubkey(certificate);
  X509_free(certificate);
  std::string signature(signature_text.size(), '\0');
  int n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(signature.data()),
                          reinterpret_cast<const unsigned char*>(signature_text.data()), static_cast<int>(signature_text.size()));
  for (auto c = signature_text.rbegin(); c != signature_text.rend() && *c == '='; ++c) --n;
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_DigestVerifyInit(context, nullptr, hash, nullptr, key);
  const int result = EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(signature.data()), static_cast<std::size_t>(n),
                                      reinterpret_cast<const unsigned char*>(text.data()), text.size());
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(key);
  return result == 1;
}

// The text a receiver builds from the document, as the public validators do.
std::string signed_text(const Json& document, std::initializer_list<const char*> names) {
  std::string out;
  for (const char* name : names) {
    if (document.contains(name)) out += std::string(name) + "\n" + document[name].get<std::string>() + "\n";
  }
  return out;
}

TEST_F(Delivery, notifications_have_the_documented_form) {
  const std::string topic = create("t");
  const std::string arn = subscribe(topic, "http", "http://user:secret@x.example/hook");
  PublishInput in;
  in.topic_arn = topic;
  in.subject = "Hello";
  in.message = "line one\nline \"two\" ä";
  in.message_attributes = std::map<std::string, MessageAttributeValue>{
      {"n", {.data_type = "Number", .string_value = "1.50"}},
      {"b", {.data_type = "Binary", .string_value = {}, .binary_value = std::string("\x01\x02", 2)}}};
  const std::string id = run(in)->message_id.value();
  pump();
  ASSERT_EQ(outbound.requests.size(), 1u);
  const OutboundRequest& sent = outbound.requests[0];
  EXPECT_EQ(sent.method, "POST");
  EXPECT_EQ(sent.url, "http://x.example/hook");
  EXPECT_EQ(header(sent, "Authorization"), "Basic dXNlcjpzZWNyZXQ=");
  EXPECT_EQ(header(sent, "x-amz-sns-message-type"), "Notification");
  EXPECT_EQ(header(sent, "x-amz-sns-message-id"), id);
  EXPECT_EQ(header(sent, "x-amz-sns-topic-arn"), topic);
  EXPECT_EQ(header(sent, "x-amz-sns-subscription-arn"), arn);
  EXPECT_EQ(header(sent, "x-amz-sns-rawdelivery"), "(absent)");
  EXPECT_EQ(header(sent, "Accept-Encoding"), "gzip,deflate");
  EXPECT_EQ(header(sent, "Connection"), "Keep-Alive");
  EXPECT_EQ(sent.timeout, seconds(15));
  const std::string start = "{\n  \"Type\" : \"Notification\",\n  \"MessageId\" : \"" + id + "\",\n  \"TopicArn\" : \"" +
                            topic + "\",\n  \"Subject\" : \"Hello\",\n  \"Message\" : \"line one\\nline \\\"two\\\" ä\",\n" +
                            "  \"Timestamp\" : \"2024-01-02T03:00:00.000Z\",\n  \"SignatureVersion\" : \"1\",\n  \"Signature\" : \"";
  EXPECT_TRUE(sent.body.starts_with(start)) << sent.body;
  const Json document = Json::parse(sent.body);
  EXPECT_EQ(document["UnsubscribeURL"], "http://127.0.0.1:4566/?Action=Unsubscribe&SubscriptionArn=" + arn);
  EXPECT_EQ(document["MessageAttributes"]["n"].dump(), R"({"Type":"Number","Value":"1.50"})");
  EXPECT_EQ(document["MessageAttributes"]["b"].dump(), R"({"Type":"Binary","Value":"AQI="})");
  const std::string url = document["SigningCertURL"];
  EXPECT_TRUE(url.starts_with("http://127.0.0.1:4566/SimpleNotificationService-"));
  Call call = make_call();
  const auto served = serve_link(*sns, call, url.substr(url.rfind('/')));
  ASSERT_TRUE(served);
  EXPECT_EQ(served->status, 200);
  const std::string text = signed_text(document, {"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"});
  EXPECT_TRUE(verifies(served->body, text, document["Signature"], EVP_sha1()));
  EXPECT_FALSE(verifies(served->body, text + "x", document["Signature"], EVP_sha1()));
}

TEST_F(Delivery, confirmations_are_signed_over_their_own_members) {
  keep_confirmations = true;
  const std::string topic = create("t", {{"SignatureVersion", "2"}});
  subscribe(topic, "http", "http://x.example/hook");
  ASSERT_EQ(outbound.requests.size(), 1u);
  const Json document = Json::parse(outbound.requests[0].body);
  EXPECT_EQ(document["SignatureVersion"], "2");
  EXPECT_EQ(document["Message"], "You have chosen to subscribe to the topic " + topic +
                                     ".\nTo confirm the subscription, visit the SubscribeURL included in this message.");
  std::vector<std::string> names;
  for (const auto& [name, value] : document.items()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"Type", "MessageId", "Token", "TopicArn", "Message", "SubscribeURL", "Timestamp",
                                             "SignatureVersion", "Signature", "SigningCertURL"}));
  EXPECT_EQ(document["SubscribeURL"], "http://127.0.0.1:4566/?Action=ConfirmSubscription&TopicArn=" + topic +
                                          "&Token=" + document["Token"].get<std::string>());
  EXPECT_TRUE(verifies(*sns->signer().certificate_pem(),
                       signed_text(document, {"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}),
                       document["Signature"], EVP_sha256()));
}

TEST_F(Delivery, the_key_is_the_same_after_a_restart) {
  const std::string pem = *sns->signer().certificate_pem();
  open();
  EXPECT_EQ(*sns->signer().certificate_pem(), pem);
}

TEST_F(Delivery, raw_messages_are_bare) {
  const std::string topic = create("t");
  subscribe(topic, "http", "http://x.example/hook",
            {{"RawMessageDelivery", "true"},
             {"DeliveryPolicy", R"({"requestPolicy":{"headerContentType":"application/json"}})"}});
  publish(topic, R"({"a":1})");
  pump();
  ASSERT_EQ(outbound.requests.size(), 1u);
  EXPECT_EQ(outbound.requests[0].body, R"({"a":1})");
  EXPECT_EQ(header(outbound.requests[0], "x-amz-sns-rawdelivery"), "true");
  EXPECT_EQ(header(outbound.requests[0], "Content-Type"), "application/json");
}

TEST_F(Delivery, protocols_get_their_own_text) {
  const std::string topic = create("t");
  subscribe(topic, "http", "http://x.example/hook", {{"RawMessageDelivery", "true"}});
  subscribe(topic, "sms", "+15551234567");
  subscribe(topic, "lambda", "arn:aws:lambda:us-east-1:123456789012:function:f");
  PublishInput in;
  in.topic_arn = topic;
  in.message_structure = "json";
  in.message = R"({"default":"D","http":"H","sms":"S"})";
  run(in).value();
  pump();
  EXPECT_EQ(outbound.requests.at(0).body, "H");
  ASSERT_EQ(outbox.messages.size(), 2u);
  for (const auto& message : outbox.messages) EXPECT_EQ(message.message, message.protocol == "sms" ? "S" : "D");
}

TEST_F(Delivery, filters_choose) {
  const std::string topic = create("t");
  subscribe(topic, "sms", "+15551111111", {{"FilterPolicy", R"({"kind":["a"]})"}});
  subscribe(topic, "sms", "+15552222222", {{"FilterPolicyScope", "MessageBody"}, {"FilterPolicy", R"({"x":{"y":[1]}})"}});
  PublishInput in;
  in.topic_arn = topic;
  in.message = R"({"x":{"y":1}})";
  run(in).value();
  in.message = "text";
  in.message_attributes = std::map<std::string, MessageAttributeValue>{{"kind", {.data_type = "String", .string_value = "a"}}};
  run(in).value();
  pump();
  ASSERT_EQ(outbox.messages.size(), 2u);
  EXPECT_EQ(outbox.messages[0].endpoint, "+15552222222");
  EXPECT_EQ(outbox.messages[1].endpoint, "+15551111111");
}

TEST_F(Delivery, functions_get_an_event) {
  const std::string topic = create("t", {{"SignatureVersion", "2"}});
  subscribe(topic, "lambda", "arn:aws:lambda:us-east-1:123456789012:function:f");
  publish(topic, "m");
  pump();
  ASSERT_EQ(outbox.messages.size(), 1u);
  const Json record = Json::parse(outbox.messages[0].raw)["Records"][0];
  EXPECT_EQ(record["EventSource"], "aws:sns");
  EXPECT_EQ(record["EventVersion"], "1.0");
  const Json& message = record["Sns"];
  EXPECT_TRUE(message["Subject"].is_null());
  EXPECT_EQ(message["SignatureVersion"], "1");
  EXPECT_TRUE(message.contains("SigningCertUrl"));
  EXPECT_TRUE(message.contains("UnsubscribeUrl"));
  EXPECT_EQ(message["MessageAttributes"], Json::object());
}

TEST_F(Delivery, queues_and_functions_elsewhere_are_called_and_signed) {
  options.targets = {{.arn_prefix = "arn:aws:sqs:", .base_url = "http://queues.example:9324/"},
                     {.arn_prefix = "arn:aws:lambda:", .base_url = "http://functions.example"}};
  open();
  const std::string topic = create("t");
  subscribe(topic, "sqs", "arn:aws:sqs:us-east-1:123456789012:q", {{"RawMessageDelivery", "true"}});
  subscribe(topic, "lambda", "arn:aws:lambda:us-east-1:123456789012:function:f");
  PublishInput in;
  in.topic_arn = topic;
  in.message = "m";
  in.message_attributes = std::map<std::string, MessageAttributeValue>{{"k", {.data_type = "String", .string_value = "v"}}};
  run(in).value();
  pump();
  ASSERT_EQ(outbound.requests.size(), 2u);
  for (const auto& request : outbound.requests) {
    if (request.url == "http://queues.example:9324/") {
      EXPECT_EQ(header(request, "X-Amz-Target"), "AmazonSQS.SendMessage");
      EXPECT_TRUE(header(request, "Authorization").starts_with("AWS4-HMAC-SHA256 Credential=fogwatch/20240102/us-east-1/sqs/aws4_request"));
      EXPECT_EQ(request.body,
                R"({"QueueUrl":"http://queues.example:9324/123456789012/q","MessageBody":"m","MessageAttributes":)"
                R"({"k":{"DataType":"String","StringValue":"v"}}})");
    } else {
      EXPECT_EQ(request.url, "http://functions.example/2015-03-31/functions/f/invocations");
      EXPECT_EQ(header(request, "X-Amz-Invocation-Type"), "Event");
    }
  }
}

// --- mail ---------------------------------------------------------------------------------------------

TEST_F(Delivery, mail_has_a_footer_to_cut_at) {
  const std::string topic = create("t", {{"DisplayName", "Shop"}});
  const std::string arn = subscribe(topic, "email", "jane@example.com");
  PublishInput in;
  in.topic_arn = topic;
  in.subject = "Stock";
  in.message = "All sold.";
  run(in).value();
  pump();
  ASSERT_EQ(outbox.messages.size(), 1u);
  const OutboxMessage& mail = outbox.messages[0];
  EXPECT_EQ(mail.subject, "Stock");
  EXPECT_TRUE(mail.message.starts_with("All sold.\n\n--\nIf you wish to stop receiving notifications from this topic"));
  EXPECT_NE(mail.message.find("\nhttp://127.0.0.1:4566/unsubscribe.html?SubscriptionArn=" + arn + "&Endpoint=jane@example.com\n"),
            std::string::npos);
  EXPECT_NE(mail.message.find("\n\nPlease do not reply directly to this email"), std::string::npos);
  EXPECT_TRUE(mail.raw.starts_with("From: \"Shop\" <no-reply@fogwatch.localhost>\r\nTo: jane@example.com\r\nSubject: Stock\r\n"));
  EXPECT_NE(mail.raw.find("\r\nDate: Tue, 02 Jan 2024 03:00:00 +0000\r\n"), std::string::npos);
}

TEST_F(Delivery, mail_goes_through_the_relay_when_there_is_one) {
  outbound.relay = true;
  const std::string topic = create("t");
  subscribe(topic, "email", "jane@example.com");
  publish(topic, "Grüße");
  pump();
  EXPECT_TRUE(outbox.messages.empty());
  ASSERT_EQ(outbound.mails.size(), 1u);
  EXPECT_EQ(outbound.mails[0].to, "jane@example.com");
  EXPECT_NE(outbound.mails[0].data.find("Subject: AWS Notification Message\r\n"), std::string::npos);
  EXPECT_NE(outbound.mails[0].data.find("Gr=C3=BC=C3=9Fe"), std::string::npos);
}

TEST_F(Delivery, mail_headers_cannot_be_broken) {
  const std::string topic = create("t", {{"DisplayName", "Evil\" <x@y>"}});
  subscribe(topic, "email", "jane@example.com");
  publish(topic, "m");
  pump();
  EXPECT_TRUE(outbox.messages.at(0).raw.starts_with("From: \"Evil\\\" <x@y>\" <no-reply@fogwatch.localhost>\r\n"));
  SubscribeInput in;
  in.topic_arn = topic;
  in.protocol = "email";
  in.endpoint = "jane@example.com\r\nBcc: all@example.com";
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: Email address");
}

// --- retries --------------------------------------------------------------------------------------------

TEST_F(Delivery, failed_ones_return_in_the_policy_s_phases) {
  const std::string topic = create("t");
  subscribe(topic, "http", "http://x.example/hook");
  outbound.status = 500;
  const std::string id = publish(topic, "m");
  pump();
  EXPECT_EQ(outbound.requests.size(), 1u);
  advance(seconds(15));
  EXPECT_EQ(outbound.requests.size(), 1u);
  advance(seconds(8));
  EXPECT_EQ(outbound.requests.size(), 2u) << "after 20 s, give or take a tenth";
  advance(minutes(10));
  EXPECT_EQ(outbound.requests.size(), 4u) << "one attempt and three retries";
  for (const auto& request : outbound.requests) EXPECT_EQ(header(request, "x-amz-sns-message-id"), id);
  EXPECT_FALSE(sns->deliveries().next_due(clock.now()));
  EXPECT_EQ(sns->deliveries().stats().waiting, 0u);
}

TEST_F(Delivery, an_endpoint_down_for_an_hour_gets_everything) {
  const std::string topic = create("t");
  subscribe(topic, "http", "http://x.example/hook",
            {{"DeliveryPolicy", R"({"healthyRetryPolicy":{"minDelayTarget":60,"maxDelayTarget":60,"numRetries":60}})"}});
  outbound.connects = false;
  for (int i = 0; i < 20; ++i) publish(topic, std::to_string(i));
  advance(minutes(50));
  outbound.connects = true;
  outbound.requests.clear();
  advance(minutes(2));
  EXPECT_EQ(outbound.requests.size(), 20u);
  EXPECT_EQ(sns->deliveries().stats().waiting, 0u);
}

TEST_F(Delivery, client_errors_are_final_and_go_to_the_dead_letter_queue) {
  const std::string topic = create("t");
  const std::string dead = "arn:aws:sqs:us-east-1:123456789012:dlq";
  subscribe(topic, "http", "http://x.example/hook", {{"RedrivePolicy", R"({"deadLetterTargetArn":")" + dead + R"("})"}});
  outbound.status = 404;
  publish(topic, "m");
  pump();
  EXPECT_EQ(outbound.requests.size(), 1u);
  ASSERT_EQ(outbox.messages.size(), 1u);
  EXPECT_EQ(outbox.messages[0].protocol, "sqs");
  EXPECT_EQ(outbox.messages[0].endpoint, dead);
  EXPECT_NE(outbox.messages[0].raw.find("\"Type\" : \"Notification\""), std::string::npos);
  outbound.status = 429;
  publish(topic, "n");
  advance(minutes(5));
  EXPECT_EQ(outbound.requests.size(), 5u) << "too many requests is retried";
  EXPECT_EQ(outbox.messages.size(), 2u);
}

TEST_F(Delivery, throttled_endpoints_get_so_many_a_second) {
  const std::string topic = create("t");
  subscribe(topic, "http", "http://x.example/hook", {{"DeliveryPolicy", R"({"throttlePolicy":{"maxReceivesPerSecond":2}})"}});
  clock.advance(seconds(1));  // the confirmation counted, too
  for (int i = 0; i < 6; ++i) publish(topic, std::to_string(i));
  pump();
  EXPECT_EQ(outbound.requests.size(), 1u);
  advance(Millis(1'000));
  EXPECT_EQ(outbound.requests.size(), 3u);
  advance(Millis(1'500));
  ASSERT_EQ(outbound.requests.size(), 6u);
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(Json::parse(outbound.requests[static_cast<std::size_t>(i)].body)["Message"], std::to_string(i)) << "in order";
}

TEST_F(Delivery, a_blocked_fifo_message_blocks_its_group_only) {
  const std::string topic = create("f.fifo");
  options.targets = {{.arn_prefix = "arn:aws:sqs:", .base_url = "http://queues.example"}};
  open();
  subscribe(topic, "sqs", "arn:aws:sqs:us-east-1:123456789012:q.fifo", {{"RawMessageDelivery", "true"}});
  const auto send = [&](const std::string& group, const std::string& text) {
    PublishInput in;
    in.topic_arn = topic;
    in.message = text;
    in.message_group_id = group;
    in.message_deduplication_id = text;
    run(in).value();
  };
  const auto body = [&](std::size_t i) { return Json::parse(outbound.requests[i].body)["MessageBody"].get<std::string>(); };
  outbound.statuses = {500, 500, 500, 500, 500};  // the first message fails until a second has passed
  send("a", "a1");
  pump();
  send("a", "a2");
  send("b", "b1");
  pump();
  std::vector<std::string> seen;
  for (std::size_t i = 0; i < outbound.requests.size(); ++i) seen.push_back(body(i));
  EXPECT_EQ(std::count(seen.begin(), seen.end(), "a2"), 0);
  advance(minutes(1));
  seen.clear();
  for (std::size_t i = 0; i < outbound.requests.size(); ++i) seen.push_back(body(i));
  EXPECT_GE(std::count(seen.begin(), seen.end(), "b1"), 1);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), "a2"), 1);
  EXPECT_LT(std::find(seen.begin(), seen.end(), "b1"), std::find(seen.begin(), seen.end(), "a2"));
  EXPECT_EQ(Json::parse(outbound.requests[0].body)["MessageGroupId"], "a");
}

TEST_F(Delivery, confirmed_or_not_matters_at_the_time_of_sending) {
  const std::string topic = create("t");
  SubscribeInput in;
  in.topic_arn = topic;
  in.protocol = "http";
  in.endpoint = "http://x.example/hook";
  run(in).value();
  pump();
  publish(topic, "m");
  pump();
  EXPECT_EQ(outbound.requests.size(), 1u) << "the confirmation only";
}

// --- crash ----------------------------------------------------------------------------------------------

class Restart : public SnsTest {
 protected:
  Restart() {
    wal_folder = testing::TempDir() + "sns-wal-" + std::to_string(::getpid());
    std::filesystem::remove_all(wal_folder);
    wal.reset();
    open();
  }
  ~Restart() override {
    sns.reset();
    wal.reset();
    std::filesystem::remove_all(wal_folder);
  }
  void restart() {
    sns.reset();
    wal.reset();
    open();
  }
};

TEST_F(Restart, what_was_not_sent_is_sent_afterwards) {
  const std::string topic = create("t");
  subscribe(topic, "http", "http://x.example/hook");
  subscribe(topic, "sms", "+15551234567");
  for (int i = 0; i < 5; ++i) publish(topic, std::to_string(i));
  restart();  // nothing was pumped: only the log knows
  pump();
  EXPECT_EQ(outbound.requests.size(), 5u);
  EXPECT_EQ(outbox.messages.size(), 5u);
  restart();
  pump();
  EXPECT_EQ(outbound.requests.size(), 5u) << "and not again";
}

TEST_F(Restart, waiting_ones_keep_their_place_in_the_phases) {
  const std::string topic = create("t");
  subscribe(topic, "http", "http://x.example/hook");
  outbound.status = 503;
  publish(topic, "m");
  advance(seconds(25));
  EXPECT_EQ(outbound.requests.size(), 2u);
  EXPECT_EQ(sns->deliveries().stats().waiting, 1u);
  restart();
  EXPECT_EQ(sns->deliveries().stats().waiting, 1u);
  advance(minutes(5));
  EXPECT_EQ(outbound.requests.size(), 4u) << "two more, not a new round";
  restart();
  EXPECT_EQ(sns->deliveries().stats().waiting, 0u);
}

TEST_F(Restart, in_flight_ones_are_offered_again) {
  const std::string topic = create("t");
  subscribe(topic, "http", "http://x.example/hook");
  outbound.hold = true;
  publish(topic, "m");
  pump();
  EXPECT_EQ(outbound.held.size(), 1u);
  EXPECT_FALSE(sns->deliveries().idle());
  outbound.held.clear();
  outbound.hold = false;
  restart();
  pump();
  EXPECT_EQ(outbound.requests.size(), 2u);
  EXPECT_EQ(sns->deliveries().stats().waiting, 0u);
}

}  // namespace
}  // namespace fog::sns
