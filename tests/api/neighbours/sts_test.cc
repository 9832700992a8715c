// Who am I, and keys for a role: what Terraform, Grafana and the CLI ask first.
#include "api/neighbours/neighbours.h"

#include <gtest/gtest.h>

#include "api/neighbours/request.h"

namespace fog::neighbours {
namespace {

constexpr const char* kForm = "application/x-www-form-urlencoded; charset=utf-8";

std::string authorization(const std::string& key, const std::string& region = "us-east-1", const std::string& service = "sts") {
  return "AWS4-HMAC-SHA256 Credential=" + key + "/20260101/" + region + "/" + service + "/aws4_request, SignedHeaders=host, Signature=00";
}

http::Request call(std::string body, std::string_view auth, std::string_view target = "/") {
  http::Request request;
  request.method = "POST";
  request.target = target;
  request.headers = {{"Content-Type", kForm}};
  if (!auth.empty()) request.headers.push_back({"Authorization", auth});
  request.body = std::move(body);
  return request;
}

bool has(const http::Response& response, const std::string& piece) { return response.body.find(piece) != std::string::npos; }

std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const std::size_t from = text.find(begin);
  if (from == std::string::npos) return {};
  const std::size_t at = from + begin.size();
  return text.substr(at, text.find(end, at) - at);
}

struct StsTest : testing::Test {
  http::Response ask(std::string body, const std::string& key = "test", const std::string& region = "us-east-1", const std::string& service = "sts") {
    const std::string auth = authorization(key, region, service);
    return all.answer(call(std::move(body), auth), "id-1");
  }
  ManualClock clock{Timestamp(Millis(1767225600000))};  // 2026-01-01T00:00:00Z
  SeededRandom random{3};
  static std::string own(std::string_view key) { return key.starts_with(kOwnKeyPrefix) ? account_in_key(key) : std::string(); }
  Neighbours all{{.account = "000000000000", .region = "us-east-1", .account_of = own}, clock, random};
};

TEST_F(StsTest, twelve_digits_are_the_account_anything_else_the_default) {
  const std::string body = "Action=GetCallerIdentity&Version=2011-06-15";
  for (const auto& [key, region, arn] : {std::tuple{"123456789012", "eu-west-1", "arn:aws:iam::123456789012:root"},
                                         std::tuple{"test", "us-east-1", "arn:aws:iam::000000000000:root"},
                                         std::tuple{"AKIA/WITH/SLASH", "us-east-1", "arn:aws:iam::000000000000:root"},
                                         std::tuple{"AKIARZPUZDIKGB2VALC4", "us-east-1", "arn:aws:iam::000000000000:root"},
                                         std::tuple{"test", "cn-north-1", "arn:aws-cn:iam::000000000000:root"},
                                         std::tuple{"test", "us-gov-west-1", "arn:aws-us-gov:iam::000000000000:root"}}) {
    const http::Response answer = ask(body, key, region);
    EXPECT_EQ(answer.status, 200);
    EXPECT_TRUE(has(answer, std::string("<Arn>") + arn + "</Arn>")) << answer.body;
    EXPECT_TRUE(has(answer, "<RequestId>id-1</RequestId>"));
  }
}

TEST_F(StsTest, an_assumed_role_is_who_one_is_and_its_key_names_its_account) {
  const http::Response given = ask("Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fops%2Freader&RoleSessionName=me&DurationSeconds=900");
  ASSERT_EQ(given.status, 200) << given.body;
  EXPECT_TRUE(has(given, "<Arn>arn:aws:sts::123456789012:assumed-role/reader/me</Arn>")) << given.body;
  EXPECT_TRUE(has(given, "<Expiration>2026-01-01T00:15:00Z</Expiration>")) << given.body;
  const std::string key = between(given.body, "<AccessKeyId>", "<");
  EXPECT_EQ(account_in_key(key), "123456789012") << key;
  EXPECT_TRUE(has(ask("Action=GetCallerIdentity&Version=2011-06-15", key), "<Arn>arn:aws:sts::123456789012:assumed-role/reader/me</Arn>"));
  EXPECT_TRUE(has(ask("Action=GetAccessKeyInfo&Version=2011-06-15&AccessKeyId=" + key), "<Account>123456789012</Account>"));
  const http::Response session = ask("Action=GetSessionToken&Version=2011-06-15", "123456789012");
  EXPECT_EQ(account_in_key(between(session.body, "<AccessKeyId>", "<")), "123456789012");
  EXPECT_TRUE(has(session, "<Expiration>2026-01-01T12:00:00Z</Expiration>"));
}

TEST_F(StsTest, a_web_identity_is_read_from_its_token) {
  // {"alg":"none"}.{"sub":"pod-7","aud":["sts.amazonaws.com"],"iss":"https://issuer"}
  const std::string token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwb2QtNyIsImF1ZCI6WyJzdHMuYW1hem9uYXdzLmNvbSJdLCJpc3MiOiJodHRwczovL2lzc3VlciJ9.";
  const std::string body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/pod&RoleSessionName=s1&WebIdentityToken=";
  const http::Response given = ask(body + token);
  ASSERT_EQ(given.status, 200) << given.body;
  EXPECT_TRUE(has(given, "<SubjectFromWebIdentityToken>pod-7</SubjectFromWebIdentityToken><Audience>sts.amazonaws.com</Audience><Provider>https://issuer</Provider>")) << given.body;
  EXPECT_TRUE(has(ask(body + "no.token"), "<Code>InvalidIdentityToken</Code>"));
}

TEST_F(StsTest, bad_input_is_refused_in_its_words) {
  const struct {
    const char* body;
    const char* piece;
  } rows[] = {
      {"Action=AssumeRole&RoleSessionName=ab", "Value null at 'roleArn' failed to satisfy constraint: Member must not be null"},
      {"Action=AssumeRole&RoleArn=arn:aws:iam::1:role/r&RoleSessionName=ab", "arn:aws:iam::1:role/r is invalid"},
      {"Action=AssumeRole&RoleArn=short&RoleSessionName=ab", "Value 'short' at 'roleArn' failed to satisfy constraint: Member must have length greater than or equal to 20"},
      {"Action=AssumeRole&RoleArn=arn:aws:iam::123456789012:role/r&RoleSessionName=a", "Member must have length greater than or equal to 2"},
      {"Action=AssumeRole&RoleArn=arn:aws:iam::123456789012:role/r&RoleSessionName=a%20b", "Member must satisfy regular expression pattern: [\\w+=,.@-]*"},
      {"Action=AssumeRole&RoleArn=arn:aws:iam::123456789012:role/r&RoleSessionName=ab&DurationSeconds=899", "Member must have value greater than or equal to 900"},
      {"Action=AssumeRole&RoleArn=arn:aws:iam::123456789012:role/r&RoleSessionName=ab&DurationSeconds=43201", "Member must have value less than or equal to 43200"},
      {"Action=AssumeRole&RoleArn=arn:aws:iam::123456789012:role/r&RoleSessionName=ab&DurationSeconds=x", "is not a number"},
      {"Action=AssumeRole&RoleArn=arn:aws:iam::123456789012:user/some-body&RoleSessionName=ab", "is invalid"},
      {"Action=DecodeAuthorizationMessage", "Fogwatch does not implement sts:DecodeAuthorizationMessage."},
      {"Version=2011-06-15", "<Code>MissingAction</Code>"},
      {"Action=<b>&Version=2011-06-15", "sts:&lt;b&gt;."},
      {"Action=GetCallerIdentity&Version=2010-05-08", "<Code>InvalidAction</Code>"},
  };
  for (const auto& row : rows) {
    const http::Response answer = ask(row.body);
    EXPECT_EQ(answer.status, 400) << row.body;
    EXPECT_TRUE(has(answer, row.piece)) << row.body << "\n" << answer.body;
  }
}

// Where signatures are enforced, whoever signed is asked about, and credentials hang on that key.
TEST_F(StsTest, an_enforcing_server_asks_who_signed) {
  AccessKey ann;
  ann.name = "ann";
  ann.access_key = "AKIAANN";
  ann.secret_key = "a secret of some length";
  ann.account = "123456789012";
  AccessKey browser = ann;  // a person at the console signs nothing
  browser.secret_key.clear();
  const std::string role = "&RoleArn=arn:aws:iam::123456789012:role/r&RoleSessionName=me";
  const struct {
    const char* what;
    std::string body;
    const AccessKey* caller;
    int status;
    std::string piece;
  } rows[] = {
      {"one's own name", "Action=GetCallerIdentity", &ann, 200, "<Arn>arn:aws:iam::123456789012:user/ann</Arn>"},
      {"a role", "Action=AssumeRole" + role, &ann, 200, "<Arn>arn:aws:sts::123456789012:assumed-role/r/me</Arn>"},
      {"a role elsewhere", "Action=AssumeRole&RoleArn=arn:aws:iam::999999999999:role/r&RoleSessionName=me", &ann, 403,
       "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::999999999999:role/r"},
      {"a role for a browser", "Action=AssumeRole" + role, &browser, 403, "<Code>AccessDenied</Code>"},
      {"a token for a browser", "Action=GetSessionToken", &browser, 403, "<Code>AccessDenied</Code>"},
      {"a token", "Action=GetSessionToken", &ann, 200, "<AccessKeyId>ASIA"},
      {"a token of strangers", "Action=AssumeRoleWithWebIdentity&WebIdentityToken=a.e30.b" + role, &ann, 400, "<Code>InvalidIdentityToken</Code>"},
      {"a policy that is none", "Action=AssumeRole&Policy={}" + role, &ann, 400, "<Code>MalformedPolicyDocument</Code>"},
      {"a managed policy", "Action=AssumeRole&PolicyArns.member.1.arn=arn:aws:iam::aws:policy/A" + role, &ann, 400, "<Code>MalformedPolicyDocument</Code>"},
  };
  for (const auto& row : rows) {
    const auto answer = all.answer(call(row.body, authorization("AKIAANN")), "id", row.caller);
    EXPECT_EQ(answer.status, row.status) << row.what << "\n" << answer.body;
    EXPECT_TRUE(has(answer, row.piece)) << row.what << "\n" << answer.body;
  }
  EXPECT_TRUE(has(all.answer(call("Action=GetUser&Version=2010-05-08", authorization("AKIAANN", "us-east-1", "iam")), "id", &ann),
                  "<UserName>ann</UserName>"));
}

TEST_F(StsTest, iam_ec2_and_oam_say_what_little_there_is) {
  EXPECT_TRUE(has(ask("Action=ListAccountAliases&Version=2010-05-08", "test", "us-east-1", "iam"), "<AccountAliases/>"));
  EXPECT_TRUE(has(ask("Action=GetUser&Version=2010-05-08", "123456789012", "us-east-1", "iam"), "<Arn>arn:aws:iam::123456789012:root</Arn>"));
  EXPECT_EQ(ask("Action=GetUser&UserName=x&Version=2010-05-08", "test", "us-east-1", "iam").status, 404);
  const http::Response regions = ask("Action=DescribeRegions&Version=2016-11-15&RegionName.1=eu-west-1", "test", "us-east-1", "ec2");
  EXPECT_TRUE(has(regions, "<regionName>eu-west-1</regionName>"));
  EXPECT_FALSE(has(regions, "us-east-1"));
  EXPECT_TRUE(has(ask("Action=DescribeRegions&RegionName.1=mars-1", "test", "us-east-1", "ec2"), "<Code>InvalidParameterValue</Code>"));
  EXPECT_TRUE(has(ask("Action=DescribeInstances", "test", "us-east-1", "ec2"), "<reservationSet/>"));
  EXPECT_TRUE(has(ask("Action=RunInstances", "test", "us-east-1", "ec2"), "<Response><Errors><Error><Code>InvalidAction</Code>"));
  const std::string oam = authorization("test", "us-east-1", "oam");
  EXPECT_EQ(all.answer(call("{}", oam, "/ListSinks"), "id").body, R"({"Items":[]})");
  EXPECT_EQ(all.answer(call("{}", oam, "/ListAttachedLinks"), "id").status, 400);
  EXPECT_EQ(all.answer(call("[", oam, "/ListSinks"), "id").status, 400);
}

TEST(Neighbours, claim_their_own_calls_and_no_others) {
  const std::string sts = authorization("test"), sns = authorization("test", "us-east-1", "sns"), odd = authorization("k/sts", "us-east-1", "logs");
  EXPECT_EQ(Neighbours::claims(call("Action=AssumeRole&Version=2011-06-15", sts)), "sts");
  EXPECT_EQ(Neighbours::claims(call("Action=GetCallerIdentity&Version=2011-06-15", sns)), "");
  EXPECT_EQ(Neighbours::claims(call("Version=2011-06-15", odd)), "");
  EXPECT_EQ(Neighbours::claims(call("Version=2011-06-15&Action=GetCallerIdentity", "")), "sts");
  EXPECT_EQ(Neighbours::claims(call("Version=2010-03-31&Action=Publish&Message=Version%3D2011-06-15", "")), "");
  EXPECT_EQ(Neighbours::claims(call("", "", "/?Action=GetCallerIdentity&Version=2011-06-15")), "sts");
  EXPECT_EQ(Neighbours::claims(call("", "", "/?Action=GetCallerIdentity&X-Amz-Credential=k%2F20260101%2Fus-east-1%2Fsts%2Faws4_request")), "sts");
  EXPECT_EQ(Neighbours::claims(call("{}", "")), "");
}

TEST(AccessKeys, name_their_account) {
  EXPECT_EQ(account_in_key("ASIAQAAAAAAAGMKEM7X5"), "000000000000");
  EXPECT_EQ(account_in_key("AKIARZPUZDIKGB2VALC4"), "123456789012");
  for (const char* bad : {"", "AKIAIOSFODNN7EXAMPL", "AKIA0000000000000000", "AKIAAAAAAAAAAAAAAAAA"}) EXPECT_EQ(account_in_key(bad), "") << bad;
  for (const char* account : {"000000000000", "123456789012", "999999999999", "000000000001"}) {
    for (const std::uint64_t salt : {0ull, 12345ull, ~0ull}) EXPECT_EQ(account_in_key(key_for_account("LSIA", account, salt)), account);
  }
}

}  // namespace
}  // namespace fog::neighbours
