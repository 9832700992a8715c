// Sampling rules as they are stored.
#pragma once

#include <map>

#include "api/common/call.h"
#include "api/xray/shapes.h"

namespace fog::xray {

// Default first, then by priority and name.
std::vector<SamplingRuleRecord> sampling_rules(const Call& call);
// Latest change of any rule, deletions included.
Timestamp last_rule_modification(const Call& call);

}  // namespace fog::xray
