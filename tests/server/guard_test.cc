// Who is let in: rows of browser headers.
#include "server/guard.h"

#include <gtest/gtest.h>

namespace fog {
namespace {

struct Row {
  const char* what;
  const char* method;
  const char* target;
  std::vector<http::Header> headers;
  bool let_in;
};

const GuardRules kRules{.allowed_hosts = {"fog.example.com"}, .allowed_origins = {"https://app.example.com"}};
const std::vector<http::Header> kLinkClick = {
    {"Host", "127.0.0.1:4566"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Dest", "document"}};

TEST(Guard, rows) {
  const Row rows[] = {
      {"an SDK", "POST", "/", {{"host", "anything.example.net"}, {"user-agent", "Boto3/1.43"}}, true},
      {"an SDK in node", "POST", "/", {{"host", "evil.example.net"}, {"user-agent", "aws-sdk-js/3"}}, true},
      {"own console", "POST", "/", {{"Host", "127.0.0.1:4566"}, {"Origin", "http://127.0.0.1:4566"}, {"Sec-Fetch-Site", "same-origin"}}, true},
      {"own console by name", "POST", "/", {{"Host", "localhost:4566"}, {"Origin", "http://LOCALHOST:4566"}}, true},
      {"another port is another origin", "POST", "/", {{"Host", "127.0.0.1:4566"}, {"Origin", "http://127.0.0.1:3000"}}, false},
      {"a foreign page", "POST", "/", {{"Host", "127.0.0.1:4566"}, {"Origin", "https://evil.example"}}, false},
      {"a sandboxed page", "POST", "/", {{"Host", "127.0.0.1:4566"}, {"Origin", "null"}}, false},
      {"an empty origin", "POST", "/", {{"Host", "127.0.0.1:4566"}, {"Origin", ""}}, false},
      {"an allowed page", "POST", "/", {{"Host", "127.0.0.1:4566"}, {"Origin", "https://app.example.com"}, {"Sec-Fetch-Site", "cross-site"}}, true},
      {"a lookalike", "POST", "/", {{"Host", "127.0.0.1:4566"}, {"Origin", "https://app.example.com.evil.net"}}, false},
      {"an image on a foreign page", "GET", "/?Action=Publish", {{"Host", "127.0.0.1:4566"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "no-cors"}, {"Sec-Fetch-Dest", "image"}}, false},
      {"a confirmation link", "GET", "/?Action=ConfirmSubscription&TopicArn=a&Token=b", kLinkClick, true},
      {"an unsubscribe link", "GET", "/?Action=Unsubscribe&SubscriptionArn=a", kLinkClick, true},
      {"the start page", "GET", "/", kLinkClick, true},
      {"the console", "GET", "/console/", kLinkClick, true},
      {"the confirmation page", "GET", "/confirmation.html?x=1", kLinkClick, true},
      {"any other action by link", "GET", "/?Action=DeleteTopic", kLinkClick, false},
      {"two actions", "GET", "/?Action=Unsubscribe&Action=DeleteTopic", kLinkClick, false},
      {"the control plane by link", "GET", "/_fogwatch/clock", kLinkClick, false},
      {"a form on a foreign page", "POST", "/", kLinkClick, false},
      {"rebinding: a browser and a strange name", "GET", "/", {{"Host", "evil.example.net"}, {"User-Agent", "Mozilla/5.0"}}, false},
      {"rebinding by fetch", "POST", "/", {{"Host", "evil.example.net:4566"}, {"Origin", "http://evil.example.net:4566"}, {"Sec-Fetch-Site", "same-origin"}}, false},
      {"rebinding by referer", "GET", "/", {{"Host", "evil.example.net"}, {"Referer", "http://evil.example.net/"}}, false},
      {"a browser by address", "GET", "/", {{"Host", "10.1.2.3:4566"}, {"User-Agent", "Mozilla/5.0"}}, true},
      {"a browser by IPv6 address", "GET", "/", {{"Host", "[::1]:4566"}, {"User-Agent", "Mozilla/5.0"}}, true},
      {"a browser by single label", "GET", "/", {{"Host", "fogwatch:4566"}, {"User-Agent", "Mozilla/5.0"}}, true},
      {"a browser by *.localhost", "GET", "/", {{"Host", "logs.us-east-1.localhost:4566"}, {"User-Agent", "Mozilla/5.0"}}, true},
      {"a browser by docker's name", "GET", "/", {{"Host", "host.docker.internal:4566"}, {"User-Agent", "Mozilla/5.0"}}, true},
      {"a browser by AWS's name", "GET", "/", {{"Host", "logs.us-east-1.amazonaws.com"}, {"User-Agent", "Mozilla/5.0"}}, true},
      {"a lookalike of AWS's name", "GET", "/", {{"Host", "evilamazonaws.com"}, {"User-Agent", "Mozilla/5.0"}}, false},
      {"a configured name", "GET", "/", {{"Host", "FOG.example.com"}, {"User-Agent", "Mozilla/5.0"}}, true},
      {"a browser without a name", "GET", "/", {{"User-Agent", "Mozilla/5.0"}}, false},
      {"almost an address", "GET", "/", {{"Host", "1.2.3.4.evil.net"}, {"User-Agent", "Mozilla/5.0"}}, false},
  };
  for (const Row& row : rows) {
    http::Request request;
    request.method = row.method;
    request.target = row.target;
    request.headers = row.headers;
    const GuardVerdict verdict = judge(request, kRules);
    EXPECT_EQ(verdict.refused.empty(), row.let_in) << row.what << ": " << verdict.refused;
  }
}

TEST(Guard, preflights_of_allowed_origins_name_the_headers_they_asked_for) {
  http::Request request;
  request.method = "OPTIONS";
  request.target = "/";
  request.headers = {{"Host", "127.0.0.1:4566"},
                     {"Origin", "https://app.example.com"},
                     {"Access-Control-Request-Method", "POST"},
                     {"Access-Control-Request-Headers", "authorization,x-amz-target"}};
  const GuardVerdict verdict = judge(request, kRules);
  ASSERT_TRUE(verdict.is_preflight);
  const http::Response answer = preflight_answer(request, verdict.cors_origin);
  EXPECT_EQ(answer.status, 204);
  const auto header = [&](const std::string& name) {
    for (const auto& [n, v] : answer.headers) {
      if (n == name) return v;
    }
    return std::string();
  };
  EXPECT_EQ(header("Access-Control-Allow-Origin"), "https://app.example.com");
  EXPECT_EQ(header("Access-Control-Allow-Headers"), "authorization,x-amz-target");
}

}  // namespace
}  // namespace fog
