#include "query/alarm_rules/composite.h"

#include <gtest/gtest.h>

namespace fog::alarm_rules {
namespace {

std::optional<State> state_of(std::string_view name) {
  if (name.starts_with("a")) return State::kAlarm;
  if (name.starts_with("o")) return State::kOk;
  if (name.starts_with("i")) return State::kInsufficientData;
  return std::nullopt;
}

struct Row {
  const char* rule;
  bool result;
};

TEST(CompositeRule, evaluates) {
  const Row rows[] = {
      {"TRUE", true},
      {"false", false},
      {"ALARM(a1)", true},
      {"ALARM(o1)", false},
      {"OK(\"o with blanks\")", true},
      {"INSUFFICIENT_DATA(i)", true},
      {"ALARM(a1) AND OK(o1)", true},
      {"ALARM(o1) OR ALARM(a1) AND ALARM(o2)", false},
      {"(ALARM(o1) OR ALARM(a1)) AND OK(o2)", true},
      {"NOT ALARM(o1)", true},
      {"NOT NOT ALARM(a1)", true},
      {"not alarm(a1) or ok(o1)", true},
      {"AT_LEAST(2, ALARM, (a1, a2, o1))", true},
      {"AT_LEAST(3, ALARM, (a1, a2, o1))", false},
      {"AT_LEAST(67%, ALARM, (a1, a2, o1))", false},
      {"AT_LEAST(66%, ALARM, (a1, a2, o1))", true},
      {"AT_LEAST(1, NOT OK, (o1, i1))", true},
      {"AT_LEAST(100%,NOT OK,(a1,i1))", true},
      {"ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:x)", true},
      {"ALARM(\"a \\\"quoted\\\" name\")", true},
      {"ALARM(zzz)", false},
      {"NOT ALARM(zzz)", true},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.rule);
    const auto rule = CompositeRule::parse(row.rule);
    ASSERT_TRUE(rule.ok()) << rule.error().message();
    EXPECT_EQ(rule->evaluate(state_of), row.result);
  }
}

TEST(CompositeRule, refuses_what_is_not_a_rule) {
  for (const char* text : {"", "ALARM", "ALARM()", "ALARM(a", "ALARM(a) AND", "ALARM(a) OK(b)", "AND", "(TRUE",
                           "TRUE)", "MAYBE(a)", "AT_LEAST(0, ALARM, (a))", "AT_LEAST(101%, ALARM, (a))",
                           "AT_LEAST(2, ALARM, (a))", "AT_LEAST(1, ALARM, a)", "ALARM(\"a)", "NOT"}) {
    EXPECT_FALSE(CompositeRule::parse(text).ok()) << text;
  }
  EXPECT_FALSE(CompositeRule::parse(std::string(10'241, ' ')).ok());
  EXPECT_FALSE(CompositeRule::parse(std::string(5'000, '(')).ok());
  std::string nots;
  for (int i = 0; i < 2'000; ++i) nots += "NOT ";
  EXPECT_FALSE(CompositeRule::parse(nots + "TRUE").ok());
}

std::string any_of(int n) {
  std::string rule = "ALARM(a0)";
  for (int i = 1; i < n; ++i) rule += " OR ALARM(a" + std::to_string(i) + ")";
  return rule;
}

TEST(CompositeRule, allows_a_hundred_children) {
  const auto rule = CompositeRule::parse(any_of(100));
  ASSERT_TRUE(rule.ok());
  EXPECT_EQ(rule->children().size(), 100u);
  EXPECT_FALSE(CompositeRule::parse(any_of(101)).ok());
  std::string repeated = "ALARM(a)";
  for (int i = 1; i < 500; ++i) repeated += " OR ALARM(a)";
  EXPECT_TRUE(CompositeRule::parse(repeated).ok());
  EXPECT_FALSE(CompositeRule::parse(repeated + " OR ALARM(a)").ok());
}

}  // namespace
}  // namespace fog::alarm_rules
