// The control plane's pages, asked as a test suite asks them.
#include "api/control/control.h"
#include "api/control/iso8601.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "api/control/outbox_store.h"

namespace fog {
namespace {

using Json = nlohmann::json;

struct Recorder final : Resettable {
  Status reset(std::string_view account, std::string_view region) override {
    scopes.push_back(std::string(account) + "/" + std::string(region));
    return Ok{};
  }
  std::vector<std::string> scopes;
};

struct ControlTest : testing::Test {
  ControlTest() : resources(std::move(*ResourceStore::open(""))), outbox(*resources), keeper(clock, file()), plane(parts()) {
    std::filesystem::remove(file());
  }
  static std::filesystem::path file() { return testing::TempDir() + "/fogwatch-clock-test.json"; }
  ControlPlane::Parts parts() {
    return {.clock = keeper,
            .registry = registry,
            .outbox = outbox,
            .requests = requests,
            .faults = faults,
            .resettables = {&recorder, &outbox},
            .advance =
                [this](Millis by) {
                  advanced += by;
                  clock.set(clock.now() + by);
                  return true;
                },
            .checks = {{"disk", [this] { return problem; }}},
            .metrics = {[](PrometheusText& out) { out.gauge("g", "Help.").value(1.5, {{"name", "a\"b\\c\nd"}}); }},
            .neighbours = {"sts"},
            .addresses = [] { return std::vector<std::string>{"api http://127.0.0.1:1"}; },
            .default_account = "000000000000",
            .default_region = "us-east-1",
            .started = clock.real_now()};
  }
  http::Response ask(std::string_view method, std::string_view target, std::string body = "") {
    http::Request request;
    request.method = method;
    request.target = target;
    request.body = std::move(body);
    return plane.answer(request);
  }
  Json json(std::string_view method, std::string_view target, std::string body = "", int status = 200) {
    const http::Response response = ask(method, target, std::move(body));
    EXPECT_EQ(response.status, status) << response.body;
    return Json::parse(response.body);
  }
  std::string code(std::string_view method, std::string_view target, std::string body, int status) {
    return json(method, target, std::move(body), status)["error"]["code"];
  }
  void put_in_outbox(std::string protocol, std::string endpoint, std::string topic = "", std::string region = "us-east-1") {
    EXPECT_TRUE(outbox.add({.time = clock.now(), .account = "000000000000", .region = std::move(region), .protocol = std::move(protocol),
                            .endpoint = std::move(endpoint), .topic = std::move(topic), .message = "hello", .message_id = "m-1"})
                    .ok());
  }

  VirtualClock clock;
  std::unique_ptr<ResourceStore> resources;
  OutboxStore outbox;
  Registry registry;
  SeededRandom random{7};
  Faults faults{random};
  RequestLog requests;
  Recorder recorder;
  ClockKeeper keeper;
  Millis advanced{0};
  std::string problem;
  ControlPlane plane;
};

TEST_F(ControlTest, the_clock_is_set_frozen_advanced_and_let_go) {
  EXPECT_EQ(json("GET", "/_fogwatch/clock")["rate"], 1);
  EXPECT_EQ(json("GET", "/_fogwatch/clock")["offset_ms"], 0);
  Json state = json("PUT", "/_fogwatch/clock", R"({"now":"2026-01-01T00:00:00Z","rate":0})");
  EXPECT_EQ(state["now"], "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(state["rate"], 0);
  EXPECT_EQ(json("POST", "/_fogwatch/clock/advance", R"({"seconds":300.5})")["now"], "2026-01-01T00:05:00.500Z");
  EXPECT_EQ(advanced, Millis(300'500));
  // A time alone keeps the rate, and backwards is allowed.
  EXPECT_EQ(json("PUT", "/_fogwatch/clock", R"({"now":"2020-02-29T12:00:00+02:00"})")["now"], "2020-02-29T10:00:00.000Z");
  EXPECT_EQ(json("PUT", "/_fogwatch/clock", R"({"rate":1})")["rate"], 1);
  EXPECT_LT(clock.now(), *parse_iso8601("2020-02-29T10:01:00Z"));
  EXPECT_EQ(json("DELETE", "/_fogwatch/clock")["offset_ms"], 0);
}

TEST_F(ControlTest, the_clock_survives_a_restart) {
  json("PUT", "/_fogwatch/clock", R"({"now":"2026-01-01T00:00:00Z","rate":0})");
  VirtualClock second;
  ASSERT_TRUE(ClockKeeper(second, file()).restore().ok());
  EXPECT_EQ(format_iso8601(second.now()), "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(second.state().rate, 0);
  json("PUT", "/_fogwatch/clock", R"({"now":"2030-01-01T00:00:00Z","rate":1})");
  VirtualClock third;
  ASSERT_TRUE(ClockKeeper(third, file()).restore().ok());
  EXPECT_GE(third.now(), *parse_iso8601("2030-01-01T00:00:00Z"));
  json("DELETE", "/_fogwatch/clock");
  EXPECT_FALSE(std::filesystem::exists(file()));
  std::ofstream(file()) << "{\"offset_ms\":";
  EXPECT_EQ(ClockKeeper(third, file()).restore().error().kind(), ErrorKind::kCorrupt);
  std::filesystem::remove(file());
}

TEST_F(ControlTest, what_makes_no_sense_is_a_4xx_that_says_so) {
  const struct {
    const char *method, *target, *body;
    int status;
    const char* code;
  } rows[] = {
      {"PUT", "/_fogwatch/clock", "{}", 400, "InvalidClock"},
      {"PUT", "/_fogwatch/clock", "", 400, "InvalidClock"},
      {"PUT", "/_fogwatch/clock", "[1]", 400, "InvalidBody"},
      {"PUT", "/_fogwatch/clock", "{\"now\":", 400, "InvalidBody"},
      {"PUT", "/_fogwatch/clock", R"({"now":"yesterday"})", 400, "InvalidClock"},
      {"PUT", "/_fogwatch/clock", R"({"now":5})", 400, "InvalidClock"},
      {"PUT", "/_fogwatch/clock", R"({"now":"2026-02-30T00:00:00Z"})", 400, "InvalidClock"},
      {"PUT", "/_fogwatch/clock", R"({"rate":2})", 400, "InvalidClock"},
      {"PUT", "/_fogwatch/clock", R"({"rate":"0"})", 400, "InvalidClock"},
      {"POST", "/_fogwatch/clock", "{}", 405, "MethodNotAllowed"},
      {"GET", "/_fogwatch/clock/advance", "", 405, "MethodNotAllowed"},
      {"POST", "/_fogwatch/clock/advance", "{}", 400, "InvalidClock"},
      {"POST", "/_fogwatch/clock/advance", R"({"seconds":-1})", 400, "InvalidClock"},
      {"POST", "/_fogwatch/clock/advance", R"({"seconds":"5"})", 400, "InvalidClock"},
      {"POST", "/_fogwatch/clock/advance", R"({"seconds":1e300})", 400, "InvalidClock"},
      {"GET", "/_fogwatch/reset", "", 405, "MethodNotAllowed"},
      {"POST", "/_fogwatch/reset", R"({"acount":"000000000000"})", 400, "InvalidScope"},
      {"POST", "/_fogwatch/reset", R"({"account":7})", 400, "InvalidScope"},
      {"PUT", "/_fogwatch/outbox", "", 405, "MethodNotAllowed"},
      {"GET", "/_fogwatch/requests?limit=0", "", 400, "InvalidLimit"},
      {"GET", "/_fogwatch/requests?limit=x", "", 400, "InvalidLimit"},
      {"POST", "/_fogwatch/requests", "", 405, "MethodNotAllowed"},
      {"POST", "/_fogwatch/faults", "", 405, "MethodNotAllowed"},
      {"PUT", "/_fogwatch/faults", "{}", 400, "InvalidFaults"},
      {"POST", "/_fogwatch/snapshot", "", 404, "NotAvailable"},
      {"GET", "/_fogwatch/nowhere", "", 404, "NotFound"},
      {"GET", "/_fogwatch/clock/", "", 404, "NotFound"},
      {"POST", "/", "", 405, "MethodNotAllowed"},
  };
  for (const auto& row : rows) EXPECT_EQ(code(row.method, row.target, row.body, row.status), row.code) << row.target << ' ' << row.body;
}

TEST_F(ControlTest, reset_reaches_everything_in_its_scope) {
  put_in_outbox("email", "a@example.com");
  put_in_outbox("email", "b@example.com", "", "eu-west-1");
  requests.add({.service = "logs", .account = "000000000000", .region = "us-east-1", .time_ms = 5});
  requests.add({.service = "logs", .account = "000000000000", .region = "eu-west-1", .time_ms = 6});
  json("POST", "/_fogwatch/reset", R"({"account":"000000000000","region":"us-east-1"})");
  EXPECT_EQ(json("GET", "/_fogwatch/outbox")["messages"].size(), 1u);
  EXPECT_EQ(json("GET", "/_fogwatch/requests")["requests"].size(), 1u);
  json("POST", "/_fogwatch/reset");
  EXPECT_EQ(json("GET", "/_fogwatch/outbox")["messages"].size(), 0u);
  json("POST", "/_localstack/state/reset");
  EXPECT_EQ(recorder.scopes, (std::vector<std::string>{"000000000000/us-east-1", "/", "/"}));
}

TEST_F(ControlTest, the_outbox_is_listed_filtered_and_emptied) {
  put_in_outbox("email", "a@example.com", "arn:aws:sns:us-east-1:000000000000:t");
  put_in_outbox("sms", "+15550100");
  EXPECT_EQ(json("GET", "/_fogwatch/outbox")["messages"].size(), 2u);
  const Json mail = json("GET", "/_fogwatch/outbox?topic=arn%3Aaws%3Asns%3Aus-east-1%3A000000000000%3At")["messages"];
  ASSERT_EQ(mail.size(), 1u);
  EXPECT_EQ(mail[0]["endpoint"], "a@example.com");
  EXPECT_EQ(mail[0]["message"], "hello");
  EXPECT_EQ(json("GET", "/_fogwatch/outbox?protocol=sms")["messages"][0]["endpoint"], "+15550100");
  const Json sms = json("GET", "/_aws/sns/sms-messages");
  EXPECT_EQ(sms["sms_messages"]["+15550100"][0]["Message"], "hello");
  EXPECT_EQ(ask("DELETE", "/_aws/sns/sms-messages").status, 204);
  EXPECT_EQ(json("GET", "/_fogwatch/outbox")["messages"].size(), 1u);
  json("DELETE", "/_fogwatch/outbox");
  EXPECT_EQ(json("GET", "/_fogwatch/outbox")["messages"].size(), 0u);
}

TEST_F(ControlTest, requests_are_shown_newest_first_and_bounded) {
  for (int i = 0; i < 2000; ++i) {
    requests.add({.service = "logs", .operation = std::to_string(i), .error = i % 2 == 0 ? "" : "Oops", .status = i % 2 == 0 ? 200 : 400, .time_ms = 1000 + i});
  }
  const Json list = json("GET", "/_fogwatch/requests?limit=3")["requests"];
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0]["operation"], "1999");
  EXPECT_EQ(list[0]["error"], "Oops");
  EXPECT_FALSE(list[1].contains("error"));
  EXPECT_EQ(json("GET", "/_fogwatch/requests?limit=10000")["requests"].size(), 512u);
  EXPECT_EQ(requests.totals().requests, 2000u);
  EXPECT_EQ(requests.totals().client_errors, 1000u);
}

TEST_F(ControlTest, health_follows_its_checks) {
  EXPECT_EQ(json("GET", "/health")["status"], "ok");
  EXPECT_GT(json("GET", "/health/detailed")["memory_bytes"], 1'000'000);
  problem = "the disk is full";
  EXPECT_EQ(json("GET", "/health", "", 503)["problem"], "the disk is full");
  EXPECT_EQ(json("GET", "/health/detailed", "", 503)["checks"]["disk"]["status"], "failing");
  EXPECT_NE(ask("GET", "/metrics").body.find("fogwatch_check_ok{check=\"disk\"} 0\n"), std::string::npos);
}

TEST_F(ControlTest, metrics_are_prometheus_text) {
  const std::string text = ask("GET", "/metrics").body;
  EXPECT_NE(text.find("# TYPE g gauge\ng{name=\"a\\\"b\\\\c\\nd\"} 1.5\n"), std::string::npos);
  EXPECT_NE(text.find("# TYPE process_resident_memory_bytes gauge\n"), std::string::npos);
}

TEST_F(ControlTest, start_page_and_localstack_health) {
  EXPECT_NE(ask("GET", "/").body.find("api http://127.0.0.1:1"), std::string::npos);
  EXPECT_EQ(json("GET", "/_localstack/health")["services"]["sts"], "running");
}

TEST(Iso8601, rows) {
  const struct {
    const char* text;
    const char* time;  // null: refused
  } rows[] = {
      {"2026-01-31T12:34:56Z", "2026-01-31T12:34:56.000Z"},
      {"2026-01-31T12:34:56.7Z", "2026-01-31T12:34:56.700Z"},
      {"2026-01-31T12:34:56.123456Z", "2026-01-31T12:34:56.123Z"},
      {"2026-01-31T12:34:56+01:30", "2026-01-31T11:04:56.000Z"},
      {"2026-01-31T12:34:56-0800", "2026-01-31T20:34:56.000Z"},
      {"2026-01-31 12:34", "2026-01-31T12:34:00.000Z"},
      {"2026-01-31", "2026-01-31T00:00:00.000Z"},
      {"1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"},
      {"2026-01-32T00:00:00Z", nullptr},
      {"2026-02-29", nullptr},
      {"2026-01-31T24:00:00Z", nullptr},
      {"2026-01-31T12:60:00Z", nullptr},
      {"2026-01-31T12:34:56.Z", nullptr},
      {"2026-01-31T12:34:56ZZ", nullptr},
      {"2026-01-31T12:34:56+1", nullptr},
      {"2026-1-31", nullptr},
      {"", nullptr},
      {"now", nullptr},
  };
  for (const auto& row : rows) {
    const auto time = parse_iso8601(row.text);
    EXPECT_EQ(time ? format_iso8601(*time) : "refused", row.time == nullptr ? "refused" : row.time) << row.text;
  }
}

}  // namespace
}  // namespace fog
