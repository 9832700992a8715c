// Rules of injected faults: what is accepted, what fires, what is spent.
#include "api/control/faults.h"

#include <gtest/gtest.h>

#include <future>

#include "api/sns/shapes.h"

namespace fog {
namespace {

const Registry& registry() {
  static const Registry registry = [] {
    Registry made;
    made.add({.info = &sns::kService});
    return made;
  }();
  return registry;
}

std::vector<FaultRule> rules_of(const std::string& json) {
  auto rules = parse_fault_rules(json, registry());
  EXPECT_TRUE(rules.ok()) << json << (rules.ok() ? "" : rules.error().message());
  return rules.ok() ? *rules : std::vector<FaultRule>{};
}

TEST(FaultRules, bad_rules_are_refused_by_name) {
  const struct {
    const char* json;
    const char* message;
  } rows[] = {
      {"", "the body is not {\"rules\": [...]}"},
      {"[]", "the body is not {\"rules\": [...]}"},
      {R"({"rules": [7]})", "rule 1: a rule is not an object"},
      {R"({"rules": [{}]})", "rule 1: a rule needs one of latency_ms, drop, throttle and error"},
      {R"({"rules": [{"drop": true}, {"drop": true, "throttle": true}]})", "rule 2: a rule has one of drop, throttle and error"},
      {R"({"rules": [{"drop": "yes"}]})", "rule 1: \"drop\" is neither true nor false"},
      {R"({"rules": [{"drop": true, "probability": 1.5}]})", "rule 1: \"probability\" is not a number from 0 to 1"},
      {R"({"rules": [{"drop": true, "count": -1}]})", "rule 1: \"count\" is not a whole number"},
      {R"({"rules": [{"latency_ms": 300001}]})", "rule 1: \"latency_ms\" is not a whole number from 0 to 300000"},
      {R"({"rules": [{"drop": true, "service": "s3"}]})", "rule 1: there is no service \"s3\""},
      {R"({"rules": [{"drop": true, "service": "sns", "operation": "PutMetricData"}]})", "rule 1: there is no operation \"PutMetricData\""},
      {R"({"rules": [{"error": {"status": 500}}]})", "rule 1: an error needs a \"code\""},
      {R"({"rules": [{"error": {"code": "X", "status": 200}}]})", "rule 1: \"status\" is not a number from 400 to 599"},
      {R"({"rules": [{"drop": true, "speed": 1}]})", "rule 1: a rule has no member \"speed\""},
  };
  for (const auto& row : rows) {
    const auto rules = parse_fault_rules(row.json, registry());
    ASSERT_FALSE(rules.ok()) << row.json;
    EXPECT_EQ(rules.error().message(), row.message);
  }
}

TEST(Faults, the_first_rule_that_fires_decides_and_counts_run_out) {
  SeededRandom random(1);
  Faults faults(random);
  EXPECT_FALSE(faults.any());
  faults.replace(rules_of(R"({"rules": [
      {"service": "sns", "operation": "Publish", "access_key": "AKIDSLOW", "latency_ms": 20, "drop": true},
      {"service": "sns", "operation": "Publish", "count": 2, "error": {"code": "InternalError", "status": 500, "message": "no"}},
      {"service": "sns", "throttle": true, "region": "eu-west-1"}]})"));
  const FaultCall publish{.service = "sns", .operation = "Publish", .account = "1", .region = "us-east-1", .access_key = "k"};
  for (int i = 0; i < 2; ++i) {
    const auto fault = faults.decide(publish);
    ASSERT_TRUE(fault && fault->error);
    EXPECT_EQ(fault->error->code, "InternalError");
    EXPECT_EQ(fault->error->status, 500);
  }
  EXPECT_FALSE(faults.decide(publish)) << "spent";
  FaultCall other = publish;
  other.access_key = "AKIDSLOW";
  const auto dropped = faults.decide(other);
  ASSERT_TRUE(dropped);
  EXPECT_TRUE(dropped->drops);
  EXPECT_EQ(dropped->latency, Millis(20));
  other = publish;
  other.region = "eu-west-1";
  const auto throttled = faults.decide(other);
  ASSERT_TRUE(throttled && throttled->error);
  EXPECT_EQ(throttled->error->query_code, "Throttled");
  EXPECT_EQ(throttled->error->status, 429);
  EXPECT_NE(faults.json().find(R"("count":2,"error":{"code":"InternalError","message":"no","status":500},"fired":2)"), std::string::npos)
      << faults.json();
  EXPECT_EQ(rules_of(faults.json()).size(), 3u) << "what is shown can be put back";
}

TEST(Faults, probability_is_a_share_of_calls) {
  SeededRandom random(42);
  Faults faults(random);
  faults.replace(rules_of(R"({"rules": [{"probability": 0.25, "drop": true}]})"));
  int fired = 0;
  for (int i = 0; i < 10'000; ++i) fired += faults.decide({.service = "sns", .operation = "Publish"}).has_value();
  EXPECT_NEAR(fired, 2500, 150);
}

TEST(Delays, calls_come_in_order_of_their_time_and_all_at_the_end) {
  std::promise<void> second;
  std::vector<int> order;
  int late = 0;
  {
    Delays delays;
    delays.after(Millis(40), [&] {
      order.push_back(2);
      second.set_value();
    });
    delays.after(Millis(5), [&] { order.push_back(1); });
    delays.after(Millis(600'000), [&] { ++late; });
    second.get_future().wait();
    EXPECT_EQ(order, (std::vector<int>{1, 2}));
    EXPECT_EQ(late, 0);
  }
  EXPECT_EQ(late, 1);
}

}  // namespace
}  // namespace fog
