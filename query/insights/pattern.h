// What storage can look for in place of a pattern.
#pragma once

#include <string>
#include <vector>

#include "query/insights/node.h"

namespace fog::insights {

// Texts of which every match contains at least one: a literal of each alternative of the whole pattern
// (`Retry [23]|reset by peer` gives "Retry " and "reset by peer"). Empty: nothing is known.
std::vector<std::string> required_alternatives(const Pattern& pattern);
// The same where a text that contains one of them is a match; else empty.
std::vector<std::string> pure_alternatives(const Pattern& pattern);

}  // namespace fog::insights
