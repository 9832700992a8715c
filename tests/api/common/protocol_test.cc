// From request to answer: routing where it is not obvious, refusals, words of the validator.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "api/codec/event_stream.h"
#include "api/common/violations.h"
#include "tests/api/common/raw_http.h"
#include "tests/api/common/stub_api.h"

namespace fog::test {
namespace {

std::string header(const http::Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers)
    if (http::equal_ignoring_case(key, name)) return value;
  return {};
}

http::Response send(const StubApi& stub, const std::string& text) { return stub.api->answer(parse_request(text).request); }

constexpr const char* kNow = "Authorization: AWS4-HMAC-SHA256 Credential=";

struct Refusal {
  const char* what;
  std::string request;
  int status;
  const char* words;  // in the body
  const char* header_name;
  const char* header_value;
};

TEST(Requests, that_we_cannot_serve_get_the_fault_of_their_protocol) {
  const StubApi stub;
  const std::vector<Refusal> rows = {
      {"no handler, query", "POST / HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n\nAction=ListMetricStreams&Version=2010-08-01", 400, "<Code>InvalidAction</Code><Message>Fogwatch does not implement cloudwatch:ListMetricStreams.</Message>", "Content-Type", "text/xml"},
      {"no handler, JSON", "POST / HTTP/1.1\nX-Amz-Target: Logs_20140328.CreateExportTask\nContent-Type: application/x-amz-json-1.1\n\n{}", 400, R"({"__type":"UnknownOperationException","message":"Fogwatch does not implement logs:CreateExportTask."})", "x-amzn-ErrorType", "UnknownOperationException"},
      {"no handler, JSON 1.0", "POST / HTTP/1.1\nX-Amz-Target: GraniteServiceVersion20100801.ListMetricStreams\nContent-Type: application/x-amz-json-1.0\n\n{}", 400, "#UnknownOperationException", "x-amzn-query-error", "InvalidAction;Sender"},
      {"no handler, REST", "POST /CancelTraceRetrieval HTTP/1.1\n\n{}", 404, R"("Message":"Fogwatch does not implement xray:CancelTraceRetrieval.")", "x-amzn-ErrorType", "UnknownOperationException"},
      {"no handler, CBOR", "POST /service/GraniteServiceVersion20100801/operation/ListMetricStreams HTTP/1.1\nsmithy-protocol: rpc-v2-cbor\nContent-Type: application/cbor\n\n\xa0", 404, "UnknownOperationException", "smithy-protocol", "rpc-v2-cbor"},
      {"unknown operation", "POST / HTTP/1.1\nX-Amz-Target: Logs_20140328.Nonsense\nContent-Type: application/x-amz-json-1.1\n\n{}", 400, "logs:Nonsense", "x-amzn-ErrorType", "UnknownOperationException"},
      {"unknown service, JSON", "POST / HTTP/1.1\nX-Amz-Target: DynamoDB_20120810.ListTables\nContent-Type: application/x-amz-json-1.0\n\n{}", 400, "DynamoDB_20120810:ListTables", "x-amzn-ErrorType", "UnknownOperationException"},
      {"unknown service, query", std::string("POST / HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n") + kNow + "A/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0\n\nAction=ListUsers&Version=2010-05-08", 400, "Fogwatch does not implement iam:ListUsers.", "Content-Type", "text/xml"},
      {"unknown service, signed", std::string("PUT /bucket/key HTTP/1.1\n") + kNow + "A/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\n\n", 404, "s3:PUT /bucket/key", "x-amzn-ErrorType", "UnknownOperationException"},
      {"no action", "POST / HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n\nVersion=2010-08-01", 400, "<Code>MissingAction</Code>", "Content-Type", "text/xml"},
      {"wrong method", "GET / HTTP/1.1\nX-Amz-Target: Logs_20140328.DescribeLogGroups\nAuthorization: AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/logs/aws4_request\n\n", 404, "UnknownOperationException", "x-amzn-ErrorType", "UnknownOperationException"},
      {"wrong type, JSON", "POST / HTTP/1.1\nX-Amz-Target: Logs_20140328.DescribeLogGroups\nContent-Type: text/plain\n\n{}", 404, "UnknownOperationException", "x-amzn-ErrorType", "UnknownOperationException"},
      {"wrong type, REST", "POST /TraceSegments HTTP/1.1\nContent-Type: text/plain\n\n{}", 415, "UnsupportedMediaTypeException", "x-amzn-ErrorType", "UnsupportedMediaTypeException"},
      {"two protocols", "POST /service/GraniteServiceVersion20100801/operation/ListMetrics HTTP/1.1\nX-Amz-Target: Logs_20140328.DescribeLogGroups\nContent-Type: application/cbor\n\n\xa0", 400, "UnknownOperationException", "smithy-protocol", "rpc-v2-cbor"},
      {"bad gzip", "POST / HTTP/1.1\nX-Amz-Target: Logs_20140328.DescribeLogGroups\nContent-Type: application/x-amz-json-1.1\nContent-Encoding: gzip\n\nhello", 400, "MalformedHttpRequestException", "x-amzn-ErrorType", "MalformedHttpRequestException"},
      {"aws-chunked", "POST / HTTP/1.1\nX-Amz-Target: Logs_20140328.DescribeLogGroups\nContent-Type: application/x-amz-json-1.1\nContent-Encoding: aws-chunked\n\n{}", 400, "Unsupported Content-Encoding", "", ""},
      {"bad JSON", "POST / HTTP/1.1\nX-Amz-Target: Logs_20140328.DescribeLogGroups\nContent-Type: application/x-amz-json-1.1\n\n{\"limit\":\"x\"}", 400, "STRING_VALUE can not be converted to Integer", "x-amzn-ErrorType", "SerializationException"},
      {"bad form", "POST / HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n\nAction=ListMetrics&Version=2010-08-01&IncludeLinkedAccounts=maybe", 400, "<Code>MalformedInput</Code>", "", ""},
      {"unsigned GET", "GET /?Action=ListTopics&Version=2010-03-31 HTTP/1.1\n\n", 403, "<Code>MissingAuthenticationToken</Code>", "", ""},
      {"bad enum, query", "POST / HTTP/1.1\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\n\nAction=SetAlarmState&Version=2010-08-01&AlarmName=a&StateValue=BAD&StateReason=r", 400, "<Code>ValidationError</Code><Message>1 validation error detected: Value 'BAD' at 'stateValue' failed to satisfy constraint: Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]</Message>", "", ""},
      {"bad enum, JSON", "POST / HTTP/1.1\nX-Amz-Target: GraniteServiceVersion20100801.SetAlarmState\nContent-Type: application/x-amz-json-1.0\n\n{\"AlarmName\":\"a\",\"StateValue\":\"BAD\",\"StateReason\":\"r\"}", 400, R"("__type":"com.amazon.coral.validate#ValidationException")", "x-amzn-query-error", "ValidationError;Sender"},
  };
  for (const Refusal& row : rows) {
    const http::Response response = send(stub, row.request);
    EXPECT_EQ(response.status, row.status) << row.what << "\n" << response.body;
    EXPECT_NE(response.body.find(row.words), std::string::npos) << row.what << "\n" << response.body;
    if (*row.header_name != '\0') {
      EXPECT_EQ(header(response, row.header_name), row.header_value) << row.what;
    }
    EXPECT_EQ(header(response, "x-amzn-requestid").size(), 36u) << row.what;
  }
}

struct Found {
  std::string request;
  const char* operation;  // "service:Name"; "": not ours
  const char* scope;
};

TEST(Requests, find_their_operation_account_and_region) {
  const StubApi stub;
  const std::string form = "Content-Type: application/x-www-form-urlencoded\n";
  const std::vector<Found> rows = {
      {"POST / HTTP/1.1\n" + form + "\nVersion=2010-03-31&Name=x&Action=TagResource", "sns:TagResource", "000000000000/us-east-1"},
      {"POST / HTTP/1.1\n" + form + "\nAction=TagResource&Version=2010-08-01", "cloudwatch:TagResource", "000000000000/us-east-1"},
      {"POST / HTTP/1.1\n" + form + "\nAction=ListTopics", "sns:ListTopics", "000000000000/us-east-1"},
      {"POST / HTTP/1.1\nHost: sns.eu-west-1.amazonaws.com\n" + form + "\nAction=TagResource", "sns:TagResource", "000000000000/eu-west-1"},
      {"POST / HTTP/1.1\nHost: monitoring-fips.us-gov-west-1.amazonaws.com\n" + form + "\nAction=TagResource", "cloudwatch:TagResource", "000000000000/us-gov-west-1"},
      {"POST /?Action=ListTopics HTTP/1.1\n\n", "sns:ListTopics", "000000000000/us-east-1"},
      {"GET /?Action=ConfirmSubscription&TopicArn=arn:aws:sns:eu-west-1:111122223333:t&Token=x HTTP/1.1\n\n", "sns:ConfirmSubscription", "111122223333/eu-west-1"},
      {"POST http://stream-logs.us-east-1.amazonaws.com/ HTTP/1.1\nX-Amz-Target: Logs_20140328.StartLiveTail\n\n{}", "logs:StartLiveTail", "000000000000/us-east-1"},
      {"POST /pre/TraceSegments/ HTTP/1.1\n\n{}", "xray:PutTraceSegments", "000000000000/us-east-1"},
      {"POST /tracesegments HTTP/1.1\n\n{}", "xray:PutTraceSegments", "000000000000/us-east-1"},
      {"POST /a/b/service/com.amazonaws.cloudwatch.GraniteServiceVersion20100801/operation/ListMetrics HTTP/1.1\n\n", "cloudwatch:ListMetrics", "000000000000/us-east-1"},
      {"POST / HTTP/1.1\nX-Amz-Target: SNS_20100331.Publish\nContent-Type: application/x-amz-json-1.0\n\n{}", "sns:Publish", "000000000000/us-east-1"},
      {std::string("POST / HTTP/1.1\nX-Amz-Target: Logs_20140328.DescribeLogGroups\n") + kNow + "111122223333/20260101/ap-southeast-2/logs/aws4_request,SignedHeaders=host,Signature=0\n\n{}", "logs:DescribeLogGroups", "111122223333/ap-southeast-2"},
      {std::string("POST / HTTP/1.1\nX-Amz-Target: Logs_20140328.DescribeLogGroups\n") + kNow + "a/b/20260101//logs/aws4_request, SignedHeaders=host, Signature=0\n\n{}", "logs:DescribeLogGroups", "000000000000/us-east-1"},
      {"POST /v1/traces HTTP/1.1\nContent-Type: application/json\n\n{}", "", ""},
      {"POST /pre/v1/logs HTTP/1.1\n\n{}", "", ""},
      {"GET /health HTTP/1.1\n\n", "", ""},
      {"GET / HTTP/1.1\n\n", "", ""},
      {"POST /_fogwatch/reset HTTP/1.1\n" + form + "\nAction=ListTopics", "", ""},
      {"GET /TraceSegments HTTP/1.1\n\n", "", ""},
  };
  for (const Found& row : rows) {
    RawRequest raw = parse_request(row.request);
    Exchange x(std::move(raw.request));
    const auto ours = stub.api->route(x);
    ASSERT_TRUE(ours.ok()) << row.request;
    EXPECT_EQ(ours.value(), *row.operation != '\0') << row.request;
    if (!ours.value()) continue;
    ASSERT_NE(x.service, nullptr) << row.request;
    EXPECT_EQ(std::string(x.service->info->name) + ':' + x.operation_name, row.operation) << row.request;
    EXPECT_NE(x.entry, nullptr) << row.request;
    EXPECT_EQ(x.call.account + '/' + x.call.region, row.scope) << row.request;
  }
}

TEST(Requests, larger_than_their_operation_takes_get_413) {
  const StubApi stub;
  const std::string body = R"({"Namespace":"a","x":")" + std::string(1u << 20, 'x') + "\"}";
  const auto response = send(stub, "POST / HTTP/1.1\nX-Amz-Target: GraniteServiceVersion20100801.PutMetricData\nContent-Type: application/x-amz-json-1.0\n\n" + body);
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(header(response, "x-amzn-query-error"), "RequestEntityTooLarge;Sender");
  const auto form = send(stub, "POST / HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n\nAction=PutMetricData&Version=2010-08-01&x=" + body);
  EXPECT_EQ(form.status, 413);
}

TEST(Signatures, are_required_when_the_server_enforces_them) {
  Api::Options options;
  options.auth = AuthMode::kEnforce;
  options.secrets_of = [](const sigv4::Signature&) { return std::optional<sigv4::Secrets>(); };
  const StubApi stub(options);
  const auto query = send(stub, "POST / HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n\nAction=ListTopics&Version=2010-03-31");
  EXPECT_EQ(query.status, 403);
  EXPECT_NE(query.body.find("<Code>MissingAuthenticationToken</Code>"), std::string::npos);
  const auto json = send(stub, "POST / HTTP/1.1\nX-Amz-Target: Logs_20140328.DescribeLogGroups\n\n{}");
  EXPECT_EQ(json.status, 400);
  EXPECT_NE(json.body.find("\"MissingAuthenticationTokenException\""), std::string::npos);
  const auto rest = send(stub, "POST /TraceSegments HTTP/1.1\n\n{}");
  EXPECT_EQ(rest.status, 403);
  const auto link = send(stub, "GET /?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-east-1:000000000000:t&Token=x HTTP/1.1\n\n");
  EXPECT_EQ(link.status, 200);
}

// One row a rule: what is sent to Logs, and the validator's words.
TEST(Violations, are_told_in_the_words_of_aws) {
  const StubApi stub;
  const std::vector<std::array<std::string, 3>> rows = {
      {"CreateLogGroup", "{}", "1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null"},
      {"CreateLogGroup", R"({"logGroupName":""})", "2 validation errors detected: Value '' at 'logGroupName' failed to satisfy constraint: Member must have length greater than or equal to 1; Value '' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"},
      {"CreateLogGroup", R"({"logGroupName":"a b"})", "1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"},
      {"DescribeLogGroups", R"({"limit":51})", "1 validation error detected: Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50"},
      {"DescribeLogStreams", R"({"logGroupName":"a","orderBy":"Name"})", "1 validation error detected: Value 'Name' at 'orderBy' failed to satisfy constraint: Member must satisfy enum value set: [LogStreamName, LastEventTime]"},
      {"PutMetricFilter", R"({"logGroupName":"a","filterName":"f","filterPattern":"","metricTransformations":[{"metricName":"m","metricValue":"1"}]})", "1 validation error detected: Value null at 'metricTransformations.1.member.metricNamespace' failed to satisfy constraint: Member must not be null"},
      {"PutMetricFilter", R"({"logGroupName":"a","filterName":"f","filterPattern":"","metricTransformations":[{"metricName":"m","metricNamespace":"n","metricValue":"1"},{"metricName":"m","metricNamespace":"n","metricValue":"1"}]})", "1 validation error detected: Value '[MetricTransformation(metricName=m, metricNamespace=n, metricValue=1, defaultValue=null, unit=null, dimensions=null), MetricTransformation(metricName=m, metricNamespace=n, metricValue=1, defaultValue=null, unit=null, dimensions=null)]' at 'metricTransformations' failed to satisfy constraint: Member must have length less than or equal to 1"},
      {"UntagLogGroup", R"({"logGroupName":"a","tags":[""]})", "1 validation error detected: Value '[]' at 'tags' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: ^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+)$]"},
      {"TagLogGroup", R"({"logGroupName":"a","tags":{"k":"ü$"}})", "1 validation error detected: Value '{k=ü$}' at 'tags' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length less than or equal to 256, Member must satisfy regular expression pattern: ^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$]"},
      {"TagLogGroup", R"({"logGroupName":"a","tags":{"ключ":"ü 1"}})", ""},
  };
  for (const auto& [operation, body, expected] : rows) {
    const auto response = send(stub, "POST / HTTP/1.1\nX-Amz-Target: Logs_20140328." + operation + "\n\n" + body);
    if (expected.empty()) {
      EXPECT_EQ(response.status, 200) << response.body;
      continue;
    }
    EXPECT_EQ(response.status, 400) << body;
    EXPECT_EQ(nlohmann::json::parse(response.body).value("message", ""), expected) << body;
  }
}

TEST(Violations, name_their_place_in_both_styles) {
  Violation violation;
  violation.path = {{"MetricData", 0, false}, {"", 3, false}, {"Dimensions", 0, false}, {"", 1, false}, {"Name", 0, false}};
  EXPECT_EQ(violation.coral_path(), "metricData.3.member.dimensions.1.member.name");
  EXPECT_EQ(violation.query_path(), "MetricData.member.3.Dimensions.member.1.Name");
}

class Recorder final : public http::ByteSink {
 public:
  bool write(std::string bytes) override {
    written.push_back(std::move(bytes));
    return true;
  }
  void close() override { is_closed = true; }
  bool is_open() const override { return !is_closed; }
  std::vector<std::string> written;
  bool is_closed = false;
};

Status tail(Call&, const logs::StartLiveTailRequest& in, Sink& sink) {
  if (in.log_group_identifiers.size() > 1) return fault(logs::LimitExceededException{.message = "too many"});
  logs::StartLiveTailResponseStream event;
  event.session_start = logs::LiveTailSessionStart{.session_id = "s"};
  sink.send(event);
  auto kept = sink.shared_from_this();
  kept->fail(Error::internal("over"));
  return Ok{};
}

TEST(Streams, begin_with_the_initial_response_and_refuse_in_json) {
  Registry registry;
  static constexpr Operation kOperations[] = {bind_stream<tail>()};
  registry.add({.info = &logs::kService, .operations = {kOperations}, .errors = {}, .on_invalid = nullptr});
  const Services services;
  const ManualClock clock(from_ms(0));
  SeededRandom random(1);
  const Api api(registry, services, clock, random, {});
  for (const bool good : {true, false}) {
    RawRequest raw = parse_request(std::string("POST / HTTP/1.1\nX-Amz-Target: Logs_20140328.StartLiveTail\n\n{\"logGroupIdentifiers\":[\"a\"") + (good ? "" : ",\"b\"") + "]}");
    Exchange x(std::move(raw.request));
    ASSERT_TRUE(api.route(x).value());
    ASSERT_TRUE(api.decode(x).ok());
    ASSERT_TRUE(Api::is_streaming(x));
    auto recorder = std::make_shared<Recorder>();
    const Status status = api.call_stream(x, recorder);
    const http::Response response = api.encode(x, status);
    if (good) {
      EXPECT_TRUE(response.is_stream);
      EXPECT_EQ(header(response, "content-type"), "application/vnd.amazon.eventstream");
      ASSERT_EQ(recorder->written.size(), 3u);
      EXPECT_EQ(recorder->written[0], initial_response_frame());
      EXPECT_NE(recorder->written[1].find("sessionStart"), std::string::npos);
      EXPECT_NE(recorder->written[2].find(":error-code"), std::string::npos);
      EXPECT_TRUE(recorder->is_closed);
    } else {
      EXPECT_FALSE(response.is_stream);
      EXPECT_EQ(response.status, 400);
      EXPECT_TRUE(recorder->written.empty());
    }
  }
}

}  // namespace
}  // namespace fog::test
