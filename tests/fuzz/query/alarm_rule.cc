// Rules of composite alarms.
#include "query/alarm_rules/composite.h"

#include "tests/fuzz/target.h"

namespace fog::fuzz {

using namespace alarm_rules;

FOG_FUZZ(alarm_rule) {
  const auto rule = CompositeRule::parse(input);
  if (!rule.ok()) return;
  for (const State state : {State::kAlarm, State::kOk, State::kInsufficientData}) (void)rule->evaluate([state](std::string_view) { return state; });
  (void)rule->evaluate([](std::string_view) { return std::nullopt; });
}

FOG_FUZZ_SEEDS(alarm_rule) {
  return {"ALARM(\"db high\") AND NOT (OK(deploy) OR AT_LEAST(50%, NOT OK, (a, b, c)))", "TRUE", "(INSUFFICIENT_DATA(arn:aws:cloudwatch:us-east-1:1:alarm:x) or FALSE)",
          "AT_LEAST(2, ALARM, (a,b,\"c d\"))", "NOT NOT ALARM('x')"};
}

}  // namespace fog::fuzz
