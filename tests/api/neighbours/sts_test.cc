// Who am I: what Terraform, Grafana and the CLI ask first.
#include "api/neighbours/sts.h"

#include <gtest/gtest.h>

namespace fog {
namespace {

const Sts kSts("000000000000", "us-east-1");
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

TEST(Sts, twelve_digits_are_the_account_anything_else_the_default) {
  const std::string body = "Action=GetCallerIdentity&Version=2011-06-15";
  for (const auto& [key, region, arn] : {std::tuple{"123456789012", "eu-west-1", "arn:aws:iam::123456789012:root"},
                                         std::tuple{"test", "us-east-1", "arn:aws:iam::000000000000:root"},
                                         std::tuple{"AKIA/WITH/SLASH", "us-east-1", "arn:aws:iam::000000000000:root"},
                                         std::tuple{"test", "cn-north-1", "arn:aws-cn:iam::000000000000:root"},
                                         std::tuple{"test", "us-gov-west-1", "arn:aws-us-gov:iam::000000000000:root"}}) {
    const std::string auth = authorization(key, region);
    const http::Request request = call(body, auth);
    ASSERT_TRUE(Sts::claims(request));
    const http::Response answer = kSts.answer(request, "id-1");
    EXPECT_EQ(answer.status, 200);
    EXPECT_TRUE(has(answer, std::string("<Arn>") + arn + "</Arn>")) << answer.body;
    EXPECT_TRUE(has(answer, "<RequestId>id-1</RequestId>"));
  }
}

TEST(Sts, claims_its_own_calls_and_no_others) {
  const std::string sts = authorization("test"), sns = authorization("test", "us-east-1", "sns");
  EXPECT_TRUE(Sts::claims(call("Action=AssumeRole&Version=2011-06-15", sts)));
  EXPECT_FALSE(Sts::claims(call("Action=GetCallerIdentity&Version=2011-06-15", sns)));
  EXPECT_TRUE(Sts::claims(call("Version=2011-06-15&Action=GetCallerIdentity", "")));
  EXPECT_FALSE(Sts::claims(call("Version=2010-03-31&Action=Publish&Message=Version%3D2011-06-15", "")));
  EXPECT_TRUE(Sts::claims(call("", "", "/?Action=GetCallerIdentity&Version=2011-06-15")));
  EXPECT_TRUE(Sts::claims(call("", "", "/?Action=GetCallerIdentity&X-Amz-Credential=k%2F20260101%2Fus-east-1%2Fsts%2Faws4_request")));
  EXPECT_FALSE(Sts::claims(call("{}", "")));
}

TEST(Sts, other_operations_say_that_they_are_not_here) {
  const std::string auth = authorization("test");
  const http::Response answer = kSts.answer(call("Action=AssumeRole&Version=2011-06-15", auth), "id");
  EXPECT_EQ(answer.status, 400);
  EXPECT_TRUE(has(answer, "<Code>InvalidAction</Code>"));
  EXPECT_TRUE(has(answer, "Fogwatch does not implement sts:AssumeRole."));
  EXPECT_TRUE(has(kSts.answer(call("Version=2011-06-15", auth), "id"), "<Code>MissingAction</Code>"));
  EXPECT_TRUE(has(kSts.answer(call("Action=<b>&Version=2011-06-15", auth), "id"), "sts:&lt;b&gt;."));
  EXPECT_TRUE(has(kSts.answer(call("Action=GetCallerIdentity&Version=2010-05-08", auth), "id"), "<Code>InvalidAction</Code>"));
}

}  // namespace
}  // namespace fog
