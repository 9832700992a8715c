// Filter policies of subscriptions: the policy, then a body to match.
#include "query/filter_policy/filter_policy.h"

#include "tests/fuzz/target.h"

namespace fog::fuzz {

using namespace filter_policy;

FOG_FUZZ(filter_policy) {
  Cut cut(input);
  const std::string_view text = cut.next(), body = cut.rest();
  Values values;
  const bool is_object = values.add_body(body);
  values.add_attribute("store", "String.Array", body);
  values.add_attribute("price", "Number", body);
  for (const Scope scope : {Scope::kMessageAttributes, Scope::kMessageBody}) {
    const auto policy = FilterPolicy::parse(text, scope);
    if (!policy.ok()) continue;
    must(policy->combinations() >= 0, "combinations are counted");
    if (scope == Scope::kMessageAttributes || is_object) (void)policy->matches(values);
  }
  (void)parse_ip(body.substr(0, 100));
}

}  // namespace fog::fuzz
