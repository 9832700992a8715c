// Identity-based policies: what is allowed, what is denied, what is no policy.
#include "api/auth/policy.h"

#include <gtest/gtest.h>

namespace fog::iam {
namespace {

Policy policy_of(const std::string& json) {
  auto policy = parse_policy(json);
  EXPECT_TRUE(policy.ok()) << json << (policy.ok() ? "" : policy.error().message());
  return policy.ok() ? *policy : Policy{};
}

std::string decide(const std::string& json, const Access& access) {
  const Policy policy = policy_of(json);
  switch (evaluate({&policy, 1}, access)) {
    case Decision::kAllowed: return "allowed";
    case Decision::kExplicitDeny: return "denied";
    case Decision::kImplicitDeny: return "not allowed";
  }
  return "";
}

// The policy of the users' own documents: one namespace, one tree of log groups, segments only.
constexpr const char* kWaferMonitor = R"({"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*",
   "Condition": {"StringEquals": {"cloudwatch:namespace": "WaferMonitor"}}},
  {"Effect": "Allow", "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
   "Resource": "arn:aws:logs:*:*:log-group:/wafer-monitor/*"},
  {"Effect": "Allow", "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "Resource": "*"}]})";

TEST(Policy, the_wafer_monitor_may_do_its_work_and_nothing_else) {
  const struct {
    Access access;
    const char* decision;
  } rows[] = {
      {{"cloudwatch:PutMetricData", {"*"}, {{"cloudwatch:namespace", {"WaferMonitor"}}}}, "allowed"},
      {{"cloudwatch:PutMetricData", {"*"}, {{"cloudwatch:namespace", {"Other"}}}}, "not allowed"},
      {{"cloudwatch:PutMetricData", {"*"}, {{"cloudwatch:namespace", {"wafermonitor"}}}}, "not allowed"},
      {{"cloudwatch:PutMetricData", {"*"}}, "not allowed"},
      {{"cloudwatch:GetMetricData", {"*"}}, "not allowed"},
      {{"logs:PutLogEvents", {"arn:aws:logs:us-east-1:123456789012:log-group:/wafer-monitor/etch:log-stream:s1"}}, "allowed"},
      {{"logs:CreateLogGroup", {"arn:aws:logs:us-east-1:123456789012:log-group:/wafer-monitor"}}, "not allowed"},
      {{"LOGS:putlogevents", {"arn:aws:logs:us-east-1:123456789012:log-group:/wafer-monitor/etch:log-stream:s1"}}, "allowed"},
      {{"logs:PutLogEvents", {"arn:aws:logs:us-east-1:123456789012:log-group:/Wafer-Monitor/etch:log-stream:s1"}}, "not allowed"},
      {{"xray:PutTraceSegments", {"*"}}, "allowed"},
      {{"xray:GetSamplingRules", {"*"}}, "not allowed"},
  };
  for (const auto& row : rows) EXPECT_EQ(decide(kWaferMonitor, row.access), row.decision) << row.access.action << " " << row.access.resources.front();
}

TEST(Policy, a_deny_outweighs_every_allow) {
  const std::string policy = R"({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"},
      {"Effect": "Deny", "Action": "sns:*", "Resource": "arn:aws:sns:*:*:secret-?"}]})";
  EXPECT_EQ(decide(policy, {"sns:Publish", {"arn:aws:sns:us-east-1:1:secret-1"}}), "denied");
  EXPECT_EQ(decide(policy, {"sns:Publish", {"arn:aws:sns:us-east-1:1:secret-12"}}), "allowed");
  EXPECT_EQ(decide(policy, {"logs:StartQuery", {"*"}}), "allowed");
}

TEST(Policy, not_action_and_not_resource) {
  const std::string policy = R"({"Statement": {"Effect": "Allow", "NotAction": "logs:Delete*", "NotResource": "arn:*:audit*"}})";
  EXPECT_EQ(decide(policy, {"logs:PutLogEvents", {"arn:aws:logs:r:a:log-group:app"}}), "allowed");
  EXPECT_EQ(decide(policy, {"logs:DeleteLogGroup", {"arn:aws:logs:r:a:log-group:app"}}), "not allowed");
  EXPECT_EQ(decide(policy, {"logs:PutLogEvents", {"arn:aws:logs:r:a:log-group:audit"}}), "not allowed");
}

TEST(Policy, conditions) {
  const std::map<std::string, std::vector<std::string>> context = {{"aws:sourceip", {"10.1.2.3"}}, {"aws:requestedregion", {"eu-west-1"}},
                                                                   {"aws:securetransport", {"false"}}, {"aws:tagkeys", {"team", "cost"}}, {"n", {"7"}}};
  const struct {
    const char* condition;
    bool holds;
  } rows[] = {
      {R"("IpAddress": {"aws:SourceIp": "10.0.0.0/8"})", true},
      {R"("IpAddress": {"aws:SourceIp": ["192.168.0.0/16", "10.1.2.0/30"]})", true},
      {R"("IpAddress": {"aws:SourceIp": "10.1.2.4/30"})", false},
      {R"("IpAddress": {"aws:SourceIp": "10.1.2.3/33"})", false},
      {R"("NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"})", false},
      {R"("StringLike": {"aws:requestedregion": "eu-*"}, "Bool": {"aws:SecureTransport": false})", true},
      {R"("StringLike": {"aws:requestedregion": "eu-*"}, "Bool": {"aws:SecureTransport": "true"})", false},
      {R"("StringNotLike": {"aws:RequestedRegion": ["us-*", "ap-*"]})", true},
      {R"("StringNotEquals": {"aws:RequestedRegion": ["us-east-1", "eu-west-1"]})", false},
      {R"("StringEqualsIgnoreCase": {"aws:RequestedRegion": "EU-WEST-1"})", true},
      {R"("StringEquals": {"aws:PrincipalTag/x": "1"})", false},
      {R"("StringEqualsIfExists": {"aws:PrincipalTag/x": "1"})", true},
      {R"("StringNotEquals": {"aws:PrincipalTag/x": "1"})", true},
      {R"("Null": {"aws:PrincipalTag/x": "true"})", true},
      {R"("Null": {"aws:SourceIp": "true"})", false},
      {R"("ForAllValues:StringEquals": {"aws:TagKeys": ["team", "cost", "more"]})", true},
      {R"("ForAllValues:StringEquals": {"aws:TagKeys": ["team"]})", false},
      {R"("ForAllValues:StringEquals": {"absent": ["team"]})", true},
      {R"("ForAnyValue:StringEquals": {"aws:TagKeys": ["team"]})", true},
      {R"("ForAnyValue:StringEquals": {"aws:TagKeys": ["none"]})", false},
      {R"("NumericLessThanEquals": {"n": 7})", true},
      {R"("NumericLessThan": {"n": "7"})", false},
      {R"("NumericGreaterThan": {"n": "x"})", false},
  };
  for (const auto& row : rows) {
    const std::string policy = std::string(R"({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {)") + row.condition + "}}}";
    EXPECT_EQ(decide(policy, {"a:B", {"*"}, context}), row.holds ? "allowed" : "not allowed") << row.condition;
  }
}

TEST(Policy, an_unknown_operator_never_allows_and_always_denies) {
  const std::string allow = R"({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"DateSometime": {"aws:CurrentTime": "x"}}}]})";
  EXPECT_EQ(policy_of(allow).warnings, std::vector<std::string>{"condition operator DateSometime is not known"});
  EXPECT_EQ(decide(allow, {"a:B", {"*"}}), "not allowed");
  const std::string deny = R"({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"},
      {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"DateSometime": {"aws:CurrentTime": "x"}}}]})";
  EXPECT_EQ(decide(deny, {"a:B", {"*"}}), "denied");
}

TEST(Policy, what_is_no_policy_is_refused_in_words) {
  const struct {
    const char* json;
    const char* message;
  } rows[] = {
      {"", "the policy is not a JSON object"},
      {"{}", "the policy has no Statement"},
      {R"({"Statement": [7]})", "a Statement is not an object"},
      {R"({"Statement": [{"Effect": "Maybe", "Action": "*", "Resource": "*"}]})", "Effect must be Allow or Deny"},
      {R"({"Statement": [{"Effect": "Allow", "Resource": "*"}]})", "a Statement has one of Action and NotAction"},
      {R"({"Statement": [{"Effect": "Allow", "Action": "*"}]})", "a Statement has one of Resource and NotResource"},
      {R"({"Statement": [{"Effect": "Allow", "Action": [], "Resource": "*"}]})", "Action is empty"},
      {R"({"Statement": [{"Effect": "Allow", "Action": {}, "Resource": "*"}]})", "Action is neither a text nor a list of texts"},
      {R"({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}]})", "a Statement has no member Principal in an identity-based policy"},
      {R"({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": []}]})", "Condition is not an object"},
  };
  for (const auto& row : rows) {
    const auto policy = parse_policy(row.json);
    ASSERT_FALSE(policy.ok()) << row.json;
    EXPECT_EQ(policy.error().message(), row.message);
  }
}

TEST(Wildcards, rows) {
  const struct {
    const char* pattern;
    const char* text;
    bool matches;
  } rows[] = {{"", "", true},       {"*", "", true},        {"?", "", false},       {"a*c", "abbc", true}, {"a*c", "abcd", false}, {"*a*b*", "xxaxxbxx", true},
              {"a?c", "abc", true}, {"a?c", "ac", false},   {"**", "x", true},      {"a", "A", false},     {"*/x", "a/b/x", true}, {"a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false}};
  for (const auto& row : rows) EXPECT_EQ(matches_wildcard(row.pattern, row.text), row.matches) << row.pattern << " " << row.text;
  EXPECT_TRUE(matches_wildcard("LOGS:put*", "logs:PutLogEvents", true));
}

}  // namespace
}  // namespace fog::iam
