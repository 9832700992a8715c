// The gate: what is open, what each page's action is called, what telemetry needs.
#include "server/gate.h"

#include <gtest/gtest.h>

#include "api/auth/password.h"

namespace fog {
namespace {

http::Request request(std::string_view method, std::string_view target, std::vector<http::Header> headers = {}, const char* peer = "10.0.0.9") {
  http::Request r;
  r.method = method;
  r.target = target;
  r.headers = std::move(headers);
  r.peer = peer;
  return r;
}

TEST(Gate, names_the_action_of_every_page) {
  const struct {
    const char* method;
    const char* path;
    const char* action;
  } rows[] = {
      {"GET", "/_fogwatch/requests", "fogwatch:GetRequests"}, {"HEAD", "/_fogwatch/requests", "fogwatch:GetRequests"},
      {"POST", "/_fogwatch/clock/advance", "fogwatch:PostClock"}, {"PUT", "/_fogwatch/faults", "fogwatch:PutFaults"},
      {"DELETE", "/_fogwatch/keys/AKIA1", "fogwatch:DeleteKeys"}, {"POST", "/_fogwatch/reset", "fogwatch:PostReset"},
      {"GET", "/health/detailed", "fogwatch:GetHealth"},      {"GET", "/metrics", "fogwatch:GetMetrics"},
      {"POST", "/_localstack/state/reset", "fogwatch:PostLocalstack"}, {"GET", "/_aws/sns/sms-messages", "fogwatch:GetAws"},
      {"POST", "/moto-api/reset", "fogwatch:PostMotoApi"},
  };
  for (const auto& row : rows) EXPECT_EQ(control_action(row.method, row.path), row.action);
}

TEST(Gate, leaves_open_only_what_shows_life_and_the_way_in) {
  EXPECT_TRUE(is_open_page(request("GET", "/health")));
  EXPECT_TRUE(is_open_page(request("GET", "/_fogwatch/session")));
  EXPECT_TRUE(is_open_page(request("POST", "/_fogwatch/login")));
  for (const char* shut : {"/health/detailed", "/metrics", "/_fogwatch/keys", "/_fogwatch/users", "/_fogwatch/session/x", "/_fogwatch/loginx", "/_fogwatch/", "/health/"})
    EXPECT_FALSE(is_open_page(request("GET", shut))) << shut;
  EXPECT_TRUE(is_open_page(request("GET", "/metrics", {}, "127.0.0.1")));
  EXPECT_FALSE(is_open_page(request("GET", "/metrics", {{"X-Forwarded-For", "1.2.3.4"}}, "127.0.0.1"))) << "a proxy of this machine speaks for others";
}

TEST(Gate, knows_telemetry_at_any_prefix) {
  const struct {
    const char* target;
    const char* action;  // null: no telemetry
  } rows[] = {
      {"/v1/traces", "xray:PutTraceSegments"}, {"/any/prefix/v1/traces", "xray:PutTraceSegments"}, {"/v1/metrics", "cloudwatch:PutMetricData"},
      {"/api/v1/write?namespace=x", "cloudwatch:PutMetricData"}, {"/v1/logs", "logs:PutLogEvents"}, {"/ingest/bulk?logGroup=%2Fa&logStream=s", "logs:PutLogEvents"},
      {"/services/collector/event", "logs:PutLogEvents"}, {"/v1/logsx", nullptr}, {"/", nullptr},
  };
  for (const auto& row : rows) {
    const auto found = telemetry_action(request("POST", row.target));
    ASSERT_EQ(found.has_value(), row.action != nullptr) << row.target;
    if (found) {
      EXPECT_EQ(found->action, row.action) << row.target;
    }
  }
  EXPECT_NE(telemetry_action(request("POST", "/ingest/bulk?logGroup=%2Fa&logStream=s"))->resource.find(":log-group:/a:log-stream:s"), std::string::npos);
}

struct Session : testing::Test {
  Session() {
    User user;
    user.identity.name = "ann";
    user.identity.account = "123456789012";
    user.identity.policies.push_back(*iam::parse_policy(R"({"Statement": {"Effect": "Allow", "Action": "fogwatch:Get*", "Resource": "*"}})"));
    user.password = *hash_password("correct horse battery", random);
    Users::Table table;
    table.emplace("ann", std::move(user));
    users.replace(std::move(table));
    const Millis now = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch());
    cookie = "theme=dark; fogwatch_session=" + sessions.sign_in("ann", "correct horse battery", "::1", now).opened->token + "; x=y";
  }
  SeededRandom random{7};
  Users users;
  Keys keys;
  Sessions sessions{users, random};
  Gate gate{keys, sessions};
  std::string cookie;
};

TEST_F(Session, speaks_only_beside_the_consoles_header_but_may_read_pages) {
  EXPECT_TRUE(gate.session(request("POST", "/", {{"Cookie", cookie}, {"X-Fogwatch-Console", "1"}}), false));
  EXPECT_FALSE(gate.session(request("POST", "/", {{"Cookie", cookie}}), false));
  EXPECT_FALSE(gate.session(request("GET", "/?Action=DeleteTopic", {{"Cookie", cookie}}), false));
  EXPECT_TRUE(gate.session(request("GET", "/metrics", {{"Cookie", cookie}}), true));
  EXPECT_FALSE(gate.session(request("POST", "/_fogwatch/reset", {{"Cookie", cookie}}), true));
  http::Request tls = request("GET", "/metrics", {{"Cookie", cookie}});
  tls.is_tls = true;
  EXPECT_FALSE(gate.session(tls, true)) << "under TLS only the cookie that TLS set counts";
}

TEST_F(Session, may_do_what_its_user_may) {
  const auto read = gate.admit(request("GET", "/_fogwatch/requests", {{"Cookie", cookie}}), {"fogwatch"}, "fogwatch:GetRequests");
  ASSERT_TRUE(read.identity);
  EXPECT_EQ(read.identity->account, "123456789012");
  const auto reset = gate.admit(request("POST", "/_fogwatch/reset", {{"Cookie", cookie}, {"X-Fogwatch-Console", "1"}}), {"fogwatch"}, "fogwatch:PostReset");
  EXPECT_FALSE(reset.identity);
  EXPECT_EQ(reset.refusal.status, 403);
  EXPECT_EQ(reset.refusal.message, "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: fogwatch:PostReset on resource: * "
                                   "because no identity-based policy allows the fogwatch:PostReset action");
  const auto over = gate.admit(request("POST", "/_fogwatch/reset", {{"Cookie", "fogwatch_session=" + std::string(64, '0')}, {"X-Fogwatch-Console", "1"}}), {"fogwatch"}, "fogwatch:PostReset");
  EXPECT_EQ(over.refusal.status, 401);
  EXPECT_EQ(over.refusal.code, "SignInRequired");
  EXPECT_EQ(gate.admit(request("GET", "/_fogwatch/requests"), {"fogwatch"}, "fogwatch:GetRequests").refusal.status, 403);
}

}  // namespace
}  // namespace fog
