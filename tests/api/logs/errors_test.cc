// Every error of the specification that the implemented operations give: exception and text.
#include "tests/api/logs/logs_fixture.h"

namespace fog::logs {
namespace {

TEST_F(LogsTest, answers_each_mistake_with_the_words_of_the_service) {
  make("/g", "s");
  ok("CreateLogGroup", {{"logGroupName", "/delivery"}, {"logGroupClass", "DELIVERY"}});
  const std::string long_name(513, 'a');
  const std::string kNoGroup = "The specified log group does not exist.";
  const std::string kNoStream = "The specified log stream does not exist.";
  const std::string kToken = "The specified nextToken is invalid.";
  const auto event = [](std::int64_t time, std::string message) { return json{{"timestamp", time}, {"message", std::move(message)}}; };
  const auto events = [&](json list, const char* group = "/g", const char* stream = "s") {
    return json{{"logGroupName", group}, {"logStreamName", stream}, {"logEvents", std::move(list)}};
  };
  json huge = json::array();
  for (int i = 0; i < 3; ++i) huge.push_back(event(kNowMs, std::string(400'000, 'x')));
  struct Row {
    const char* operation;
    json input;
    const char* code;
    std::string message;
  };
  const Row rows[] = {
      {"CreateLogGroup", {{"logGroupName", "/g"}}, "ResourceAlreadyExistsException", "The specified log group already exists"},
      {"CreateLogStream", {{"logGroupName", "/g"}, {"logStreamName", "s"}}, "ResourceAlreadyExistsException", "The specified log stream already exists"},
      {"CreateLogStream", {{"logGroupName", "/no"}, {"logStreamName", "s"}}, "ResourceNotFoundException", kNoGroup},
      {"CreateLogGroup", {{"logGroupName", long_name}}, "InvalidParameterException", "Invalid LogGroup or LogStream, both must have length less than or equal to 512."},
      {"CreateLogGroup", {{"logGroupName", "bad name"}}, "InvalidParameterException",
       "1 validation error detected: Value 'bad name' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"},
      {"CreateLogGroup", json::object(), "InvalidParameterException",
       "1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null"},
      {"CreateLogGroup", {{"logGroupName", "aws/x"}}, "InvalidParameterException", "Log groups starting with AWS/ are reserved for AWS."},
      {"DeleteLogGroup", {{"logGroupName", "/no"}}, "ResourceNotFoundException", kNoGroup},
      {"DeleteLogStream", {{"logGroupName", "/g"}, {"logStreamName", "no"}}, "ResourceNotFoundException", kNoStream},
      {"DescribeLogGroups", {{"logGroupNamePrefix", "/a"}, {"logGroupNamePattern", "b"}}, "InvalidParameterException",
       "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."},
      {"DescribeLogGroups", {{"limit", 51}}, "InvalidParameterException",
       "1 validation error detected: Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50"},
      {"DescribeLogGroups", {{"nextToken", "rubbish"}}, "InvalidParameterException", kToken},
      {"DescribeLogStreams", {{"logGroupName", "/g"}, {"logGroupIdentifier", "/g"}}, "ValidationException",
       "LogGroup name and LogGroup ARN are mutually exclusive parameters."},
      {"DescribeLogStreams", {{"logGroupName", "/g"}, {"orderBy", "LastEventTime"}, {"logStreamNamePrefix", "s"}}, "InvalidParameterException",
       "Cannot order by LastEventTime with a logStreamNamePrefix."},
      {"DescribeLogStreams", {{"logGroupName", "/no"}}, "ResourceNotFoundException", kNoGroup},
      {"PutRetentionPolicy", {{"logGroupName", "/g"}, {"retentionInDays", 2}}, "InvalidParameterException",
       "1 validation error detected: Value '2' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: "
       "[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]"},
      {"PutRetentionPolicy", {{"logGroupName", "/no"}, {"retentionInDays", 7}}, "ResourceNotFoundException", kNoGroup},
      {"PutLogEvents", events(json::array({event(kNowMs, "b"), event(kNowMs - 1, "a")})), "InvalidParameterException",
       "Log events in a single PutLogEvents request must be in chronological order."},
      {"PutLogEvents", events(json::array({event(kNowMs - 86'400'001, "a"), event(kNowMs, "b")})), "InvalidParameterException",
       "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."},
      {"PutLogEvents", events(huge), "InvalidParameterException", "Upload too large: 1200078 bytes exceeds limit of 1048576"},
      {"PutLogEvents", events(json::array({event(kNowMs, std::string(1'048'551, 'x'))})), "InvalidParameterException",
       "Log event too large: 1048577 bytes exceeds limit of 1048576"},
      {"PutLogEvents", events(json::array({event(kNowMs, "a")}), "/no"), "ResourceNotFoundException", kNoGroup},
      {"PutLogEvents", events(json::array({event(kNowMs, "a")}), "/g", "no"), "ResourceNotFoundException", kNoStream},
      {"PutLogEvents", events(json::array({event(kNowMs, "")})), "InvalidParameterException",
       "1 validation error detected: Value '' at 'logEvents.1.member.message' failed to satisfy constraint: Member must have length greater than or equal to 1"},
      {"GetLogEvents", {{"logGroupName", "/g"}, {"logStreamName", "no"}}, "ResourceNotFoundException", kNoStream},
      {"GetLogEvents", {{"logGroupName", "/no"}, {"logStreamName", "s"}}, "ResourceNotFoundException", kNoGroup},
      {"GetLogEvents", {{"logStreamName", "s"}}, "InvalidParameterException", "Either logGroupName or logGroupIdentifier must be given."},
      {"GetLogEvents", {{"logGroupName", "/g"}, {"logStreamName", "s"}, {"nextToken", "x/123"}}, "InvalidParameterException", kToken},
      {"GetLogEvents", {{"logGroupName", "/g"}, {"logStreamName", "s"}, {"nextToken", "f/12"}}, "InvalidParameterException", kToken},
      {"GetLogEvents", {{"logGroupName", "/g"}, {"logStreamName", "s"}, {"limit", 10001}}, "InvalidParameterException",
       "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000"},
      {"FilterLogEvents", {{"logGroupName", "/g"}, {"nextToken", "no"}}, "InvalidParameterException", kToken},
      {"FilterLogEvents", {{"logGroupName", "/g"}, {"logStreamNames", {"s"}}, {"logStreamNamePrefix", "s"}}, "InvalidParameterException",
       "logStreamNames and logStreamNamePrefix are mutually exclusive parameters."},
      {"FilterLogEvents", {{"logGroupName", "/g"}, {"logStreamNames", {"no"}}}, "ResourceNotFoundException", kNoStream},
      {"FilterLogEvents", {{"logGroupName", "/g"}, {"filterPattern", "{ $.a = }"}}, "InvalidParameterException", "Invalid metric filter pattern"},
      {"FilterLogEvents", {{"logGroupName", "/g"}, {"startFromHead", false}, {"startTime", 1}}, "InvalidParameterException",
       "startFromHead can be false only when startTime is on or after January 1, 2024 00:00:00 UTC."},
      {"TestMetricFilter", {{"filterPattern", "[a"}, {"logEventMessages", {"x"}}}, "InvalidParameterException", "Invalid metric filter pattern"},
      {"GetQueryResults", {{"queryId", "no"}}, "ResourceNotFoundException", "The specified query does not exist."},
      {"StopQuery", {{"queryId", "no"}}, "ResourceNotFoundException", "The specified query does not exist."},
      {"StartQuery", {{"logGroupName", "/no"}, {"startTime", 0}, {"endTime", 1}, {"queryString", ""}}, "ResourceNotFoundException",
       "Log group '/no' does not exist for account ID '000000000000'"},
      {"StartQuery", {{"logGroupName", "/g"}, {"logGroupNames", {"/g"}}, {"startTime", 0}, {"endTime", 1}, {"queryString", ""}},
       "InvalidParameterException", "Only one of logGroupName, logGroupNames and logGroupIdentifiers can be provided."},
      {"StartQuery", {{"logGroupName", "/g"}, {"startTime", 2}, {"endTime", 1}, {"queryString", ""}}, "InvalidParameterException",
       "startTime must be less than or equal to endTime."},
      {"StartQuery", {{"logGroupName", "/g"}, {"startTime", 0}, {"endTime", 1}, {"queryString", "x"}, {"queryLanguage", "SQL"}},
       "InvalidParameterException", "queryLanguage SQL is not supported"},
      {"StartQuery", {{"logGroupName", "/delivery"}, {"startTime", 0}, {"endTime", 1}, {"queryString", ""}}, "InvalidParameterException",
       "Log groups of class DELIVERY cannot be queried."},
      {"GetLogRecord", {{"logRecordPointer", "!"}}, "InvalidParameterException", "The specified logRecordPointer is invalid."},
      {"TagLogGroup", {{"logGroupName", "/no"}, {"tags", {{"a", "b"}}}}, "ResourceNotFoundException", kNoGroup},
  };
  for (const Row& row : rows) fails(row.operation, row.input, row.code, row.message);
  // Nothing of it was stored.
  EXPECT_TRUE(messages(ok("FilterLogEvents", {{"logGroupName", "/g"}})).empty());
}

TEST_F(LogsTest, refuses_more_than_fifty_tags_and_fifty_groups) {
  make("/g", "s");
  json tags;
  for (int i = 0; i < 50; ++i) tags["k" + std::to_string(i)] = "v";
  ok("TagLogGroup", {{"logGroupName", "/g"}, {"tags", tags}});
  EXPECT_EQ(call("TagLogGroup", {{"logGroupName", "/g"}, {"tags", {{"more", "v"}}}}).code, "TooManyTagsException");
  json names = json::array();
  for (int i = 0; i < 51; ++i) names.push_back("/g");
  EXPECT_EQ(call("StartQuery", {{"logGroupNames", names}, {"startTime", 0}, {"endTime", 1}, {"queryString", ""}}).code, "InvalidParameterException");
}

TEST_F(LogsTest, a_malformed_query_names_the_place) {
  make("/g", "s");
  const Answer answer = call("StartQuery", {{"logGroupName", "/g"}, {"startTime", 0}, {"endTime", 1}, {"queryString", "fields @message | bogus x"}});
  EXPECT_EQ(answer.code, "MalformedQueryException");
  ASSERT_TRUE(answer.body.contains("queryCompileError"));
  EXPECT_EQ(answer.body["queryCompileError"]["location"]["startCharOffset"], 18);
  EXPECT_EQ(answer.body["queryCompileError"]["message"], answer.message);
}

}  // namespace
}  // namespace fog::logs
