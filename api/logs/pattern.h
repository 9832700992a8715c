// EventPattern: a filter pattern as reading operations use it: predicates that skip blocks and rows,
// and a function that decides.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "storage/base/result.h"
#include "storage/log_block.h"

namespace fog::logs {

struct EventPattern {
  std::vector<std::vector<LogPredicate>> where;
  std::function<bool(std::string_view message)> matches;  // null: everything matches
};

// InvalidParameterException "Invalid metric filter pattern".
Result<EventPattern> parse_pattern(std::string_view text);

}  // namespace fog::logs
