#include "harness.h"

namespace fog::sns {
namespace {

using MessageAttributes = std::map<std::string, MessageAttributeValue>;

class Publishing : public SnsTest {
 protected:
  PublishInput to(const std::string& topic) {
    PublishInput in;
    in.topic_arn = topic;
    in.message = "m";
    return in;
  }
};

TEST_F(Publishing, subjects_and_messages_have_limits) {
  const std::string topic = create("t");
  for (const char* subject : {"", "two\nlines", "bell\a", "carriage\rreturn"}) {
    PublishInput in = to(topic);
    in.subject = subject;
    EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: Subject");
  }
  PublishInput in = to(topic);
  in.subject = std::string(100, 's');
  EXPECT_EQ(fault_of(in), "");
  in.subject = std::string(101, 's');
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: Subject");
  in = to(topic);
  in.message = "";
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: Empty message");
  in.message = std::string(262'144, 'x');
  EXPECT_EQ(fault_of(in), "");
  in.message += 'x';
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: Message too long");
  in.message = std::string(262'140, 'x');
  in.message_attributes = MessageAttributes{{"n", {.data_type = "String", .string_value = "v"}}};
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: Message too long") << "attributes count";
}

TEST_F(Publishing, targets_are_judged) {
  PublishInput in;
  in.message = "m";
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter");
  in.phone_number = "12";
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: PhoneNumber Reason: 12 is not valid to publish to");
  in.phone_number.reset();
  in.topic_arn = std::string(kArn) + "missing";
  EXPECT_EQ(fault_of(in), "NotFound: Topic does not exist");
  in.topic_arn = "x";
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1");
  in.topic_arn.reset();
  in.target_arn = std::string(kArn) + "endpoint/GCM/app/1234";
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified");
}

struct AttributeRow {
  const char* name;
  MessageAttributeValue value;
  const char* fault;
};

TEST_F(Publishing, attributes_have_rules) {
  const std::string long_name(256, 'n');
  const AttributeRow rows[] = {
      {long_name.c_str(), {.data_type = "String", .string_value = "v"},
       "Length of message attribute name must be less than 256 bytes."},
      {"a^b", {.data_type = "String", .string_value = "v"},
       "Invalid non-alphanumeric character '#x5E' was found in the message attribute name. Can only include alphanumeric "
       "characters, hyphens, underscores, or dots."},
      {".a", {.data_type = "String", .string_value = "v"},
       "Invalid message attribute name starting with character '.' was found."},
      {"a.", {.data_type = "String", .string_value = "v"},
       "Invalid message attribute name ending with character '.' was found."},
      {"a..b", {.data_type = "String", .string_value = "v"},
       "Message attribute name can not have successive '.' character."},
      {"n", {.data_type = "Text", .string_value = "v"},
       "The message attribute 'n' has an invalid message attribute type, the set of supported type prefixes is Binary, "
       "Number, and String."},
      {"n", {.data_type = "String", .string_value = ""},
       "The message attribute 'n' must contain non-empty message attribute value for message attribute type 'String'."},
      {"n", {.data_type = "String"},
       "The message attribute 'n' must contain non-empty message attribute value for message attribute type 'String'."},
      {"n", {.data_type = "String", .string_value = {}, .binary_value = "x"},
       "The message attribute 'n' with type 'String' must use field 'String'."},
      {"n", {.data_type = "Binary", .string_value = "x"},
       "The message attribute 'n' with type 'Binary' must use field 'Binary'."},
  };
  const std::string topic = create("t");
  for (const auto& row : rows) {
    PublishInput in = to(topic);
    in.message_attributes = MessageAttributes{{row.name, row.value}};
    EXPECT_EQ(fault_of(in), std::string("ParameterValueInvalid: ") + row.fault);
  }
  PublishInput in = to(topic);
  in.message_attributes = MessageAttributes{{"n", {.data_type = "Number.int", .string_value = "-3.5e2"}},
                                            {"s", {.data_type = "String.Array", .string_value = "[1]"}},
                                            {"b", {.data_type = "Binary.png", .string_value = {}, .binary_value = "x"}}};
  EXPECT_EQ(fault_of(in), "");
}

TEST_F(Publishing, json_structure_is_read) {
  const std::string topic = create("t");
  PublishInput in = to(topic);
  in.message_structure = "json";
  for (const char* broken : {"plain", R"({"default":"x")", R"({"default":"a","default":"b"})"}) {
    in.message = broken;
    EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: Message Structure - JSON message body failed to parse") << broken;
  }
  for (const char* incomplete : {R"({"sqs":"x"})", R"({"default":5})", R"({"default":{"a":1}})"}) {
    in.message = incomplete;
    EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: Message Structure - No default entry in JSON message body");
  }
  in.message = R"({"default":"d","sqs":"for queues","unknown":1})";
  EXPECT_EQ(fault_of(in), "");
}

TEST_F(Publishing, fifo_topics_want_ids) {
  const std::string topic = create("f.fifo");
  PublishInput in = to(topic);
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: The MessageGroupId parameter is required for FIFO topics");
  in.message_group_id = "g";
  EXPECT_EQ(fault_of(in),
            "InvalidParameter: Invalid parameter: The topic should either have ContentBasedDeduplication enabled or "
            "MessageDeduplicationId provided explicitly");
  in.message_deduplication_id = "d";
  const auto first = run(in).value();
  ASSERT_TRUE(first.sequence_number);
  EXPECT_EQ(first.sequence_number->size(), 20u);
  const auto again = run(in).value();
  EXPECT_EQ(again.message_id, first.message_id) << "a duplicate";
  in.message_deduplication_id = "e";
  const auto second = run(in).value();
  EXPECT_GT(*second.sequence_number, *first.sequence_number);
  in.message_deduplication_id = "d";
  clock.advance(std::chrono::minutes(5));
  EXPECT_NE(run(in)->message_id, first.message_id) << "after five minutes it is new";

  PublishInput standard = to(create("t"));
  standard.message_deduplication_id = "d";
  EXPECT_EQ(fault_of(standard),
            "InvalidParameter: Invalid parameter: MessageDeduplicationId Reason: The request includes MessageDeduplicationId "
            "parameter that is not valid for this topic type");
  standard.message_deduplication_id.reset();
  standard.message_group_id = "fair";
  EXPECT_EQ(fault_of(standard), "");
}

TEST_F(Publishing, duplicates_are_not_delivered_twice) {
  const std::string topic = create("c.fifo", {{"ContentBasedDeduplication", "true"}});
  subscribe(topic, "sqs", "arn:aws:sqs:us-east-1:123456789012:q.fifo");
  PublishInput in = to(topic);
  in.message_group_id = "g";
  run(in).value();
  run(in).value();
  in.message = "other";
  run(in).value();
  pump();
  ASSERT_EQ(outbox.messages.size(), 2u);
  EXPECT_EQ(outbox.messages[0].raw.find("\"Signature\""), std::string::npos) << "FIFO documents are not signed";
  EXPECT_NE(outbox.messages[0].raw.find("\"SequenceNumber\" : \""), std::string::npos);
}

PublishBatchRequestEntry entry(const std::string& id, const std::string& message) {
  PublishBatchRequestEntry out;
  out.id = id;
  out.message = message;
  return out;
}

TEST_F(Publishing, batches_have_rules_of_their_own) {
  const std::string topic = create("t");
  PublishBatchInput in;
  in.topic_arn = topic;
  EXPECT_TRUE(fault_of(in).starts_with("EmptyBatchRequest: "));
  for (int i = 0; i < 11; ++i) in.publish_batch_request_entries.push_back(entry(std::to_string(i), "m"));
  EXPECT_EQ(fault_of(in), "TooManyEntriesInBatchRequest: The batch request contains more entries than permissible.");
  in.publish_batch_request_entries = {entry("a", "m"), entry("a", "n")};
  EXPECT_EQ(fault_of(in), "BatchEntryIdsNotDistinct: Two or more batch entries in the request have the same Id.");
  in.publish_batch_request_entries = {entry(std::string(81, 'i'), "m")};
  EXPECT_EQ(fault_of(in), "InvalidBatchEntryId: The Id of a batch entry in the batch request is too long: " + std::string(81, 'i'));
  in.publish_batch_request_entries = {entry("a b", "m")};
  EXPECT_EQ(fault_of(in),
            "InvalidBatchEntryId: The Id of a batch entry in the batch request contains an impermissible character: a b");
  in.publish_batch_request_entries = {entry("a", std::string(200'000, 'x')), entry("b", std::string(100'000, 'x'))};
  EXPECT_EQ(fault_of(in), "BatchRequestTooLong: The length of all the messages put together is more than the limit.");
  in.publish_batch_request_entries = {entry("a", "m"), entry("b", "n")};
  const auto out = run(in).value();
  EXPECT_EQ(out.successful->size(), 2u);
  EXPECT_TRUE(out.failed->empty());
  in.publish_batch_request_entries[1].message = "";
  EXPECT_EQ(fault_of(in), "InvalidParameter: Invalid parameter: Empty message");
}

TEST_F(Publishing, straight_to_a_number_lands_in_the_outbox) {
  PublishInput in;
  in.phone_number = "+15551234567";
  in.message = "code 42";
  in.subject = "hello";
  run(in).value();
  pump();
  ASSERT_EQ(outbox.messages.size(), 1u);
  EXPECT_EQ(outbox.messages[0].protocol, "sms");
  EXPECT_EQ(outbox.messages[0].endpoint, "+15551234567");
  EXPECT_EQ(outbox.messages[0].message, "code 42");
  EXPECT_EQ(outbox.messages[0].subject, "hello");
}

TEST_F(Publishing, without_subscribers_costs_no_log_record) {
  const std::string topic = create("t");
  const Lsn before = wal->last_lsn();
  for (int i = 0; i < 10; ++i) publish(topic, "m");
  EXPECT_EQ(wal->last_lsn(), before);
  subscribe(topic, "sms", "+15551234567");
  publish(topic, "m");
  EXPECT_EQ(wal->last_lsn(), before + 1);
}

TEST_F(Publishing, mobile_endpoints_take_messages_while_enabled) {
  CreatePlatformApplicationInput app;
  app.name = "app";
  app.platform = "GCM";
  app.attributes = {{"PlatformCredential", "key"}};
  const std::string application = run(app)->platform_application_arn.value();
  EXPECT_EQ(application, std::string(kArn) + "app/GCM/app");
  CreatePlatformEndpointInput create_endpoint;
  create_endpoint.platform_application_arn = application;
  create_endpoint.token = "device";
  const std::string endpoint = run(create_endpoint)->endpoint_arn.value();
  EXPECT_EQ(run(create_endpoint)->endpoint_arn, endpoint);
  create_endpoint.custom_user_data = "other";
  EXPECT_EQ(fault_of(create_endpoint), "InvalidParameter: Invalid parameter: Token Reason: Endpoint " + endpoint +
                                           " already exists with the same Token, but different attributes.");
  PublishInput in;
  in.target_arn = endpoint;
  in.message_structure = "json";
  in.message = R"({"default":"d","GCM":"{\"data\":1}"})";
  EXPECT_EQ(fault_of(in), "");
  pump();
  ASSERT_EQ(outbox.messages.size(), 1u);
  EXPECT_EQ(outbox.messages[0].message, R"({"data":1})");
  SetEndpointAttributesInput set;
  set.endpoint_arn = endpoint;
  set.attributes = {{"Enabled", "False"}};
  EXPECT_EQ(fault_of(set), "");
  EXPECT_EQ(fault_of(in), "EndpointDisabled: Endpoint is disabled");
  DeletePlatformApplicationInput remove;
  remove.platform_application_arn = application;
  EXPECT_EQ(fault_of(remove), "");
  GetEndpointAttributesInput get;
  get.endpoint_arn = endpoint;
  EXPECT_EQ(fault_of(get), "NotFound: Endpoint does not exist");
  get.endpoint_arn = std::string(kArn) + "endpoint/GCM";
  EXPECT_EQ(fault_of(get),
            "InvalidParameter: Invalid parameter: EndpointArn Reason: Wrong number of slashes in relative portion of the ARN.");
  app.platform = "Pager";
  EXPECT_EQ(fault_of(app), "InvalidParameter: Invalid parameter: Platform Reason: Pager is not supported");
  app.platform = "APNS";
  EXPECT_EQ(fault_of(app),
            "InvalidParameter: Invalid parameter: Attributes Reason: PlatformCredential attribute provided without PlatformPrincipal");
}

TEST_F(Publishing, sms_settings_and_sandbox) {
  SetSMSAttributesInput set;
  set.attributes = {{"Nonsense", "x"}};
  EXPECT_EQ(fault_of(set), "InvalidParameter: Nonsense is not a valid attribute");
  set.attributes = {{"DefaultSMSType", "Loud"}};
  EXPECT_EQ(fault_of(set), "InvalidParameter: DefaultSMSType is invalid");
  set.attributes = {{"DefaultSMSType", "Transactional"}, {"DefaultSenderID", "Shop1"}};
  EXPECT_EQ(fault_of(set), "");
  const auto all = run(GetSMSAttributesInput{})->attributes.value();
  EXPECT_EQ(all.at("MonthlySpendLimit"), "1");
  EXPECT_EQ(all.at("DefaultSMSType"), "Transactional");
  OptInPhoneNumberInput opt_in;
  opt_in.phone_number = "nonsense";
  EXPECT_EQ(fault_of(opt_in), "InvalidParameter: Invalid parameter: PhoneNumber Reason: input incorrectly formatted");
  CreateSMSSandboxPhoneNumberInput number;
  number.phone_number = "+15551234567";
  EXPECT_EQ(fault_of(number), "");
  ASSERT_EQ(outbox.messages.size(), 1u);
  VerifySMSSandboxPhoneNumberInput verify;
  verify.phone_number = "+15551234567";
  verify.one_time_password = outbox.messages[0].token == "11111" ? "22222" : "11111";
  EXPECT_TRUE(fault_of(verify).starts_with("VerificationException: "));
  verify.one_time_password = outbox.messages[0].token;
  EXPECT_EQ(fault_of(verify), "");
  EXPECT_EQ(run(ListSMSSandboxPhoneNumbersInput{})->phone_numbers.at(0).status, SMSSandboxPhoneNumberVerificationStatus::Verified);
  DeleteSMSSandboxPhoneNumberInput remove;
  remove.phone_number = "+15551234567";
  EXPECT_EQ(fault_of(remove), "");
  EXPECT_TRUE(fault_of(remove).starts_with("ResourceNotFound: "));
}

}  // namespace
}  // namespace fog::sns
