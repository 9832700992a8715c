// Composite rules: a boolean expression over the states of other alarms.
//
//   ALARM("db high") AND NOT (OK(deploy) OR AT_LEAST(50%, NOT OK, (a, b, c)))
//
// parse() checks grammar and limits. References are kept as written (a name or an ARN); the caller
// resolves them. Immutable after parse(): any number of threads may evaluate.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "query/alarm_rules/evaluate.h"
#include "storage/base/result.h"

namespace fog::alarm_rules {

namespace limits {
inline constexpr std::size_t kRuleCharsMax = 10'240;
inline constexpr std::size_t kChildrenMax = 100;   // distinct
inline constexpr std::size_t kElementsMax = 500;   // children, TRUE, FALSE, parentheses
inline constexpr std::size_t kDepthMax = 200;
}  // namespace limits

class CompositeRule {
 public:
  // State of a child by its reference; nothing: it does not exist (counts as no state at all).
  using StateOf = std::function<std::optional<State>(std::string_view reference)>;

  static Result<CompositeRule> parse(std::string_view text);

  bool evaluate(const StateOf& state_of) const;
  // Distinct references in order of first appearance.
  const std::vector<std::string>& children() const { return children_; }

  struct Node {
    enum class Kind { kTrue, kFalse, kNot, kAnd, kOr, kState, kAtLeast };
    Kind kind = Kind::kTrue;
    std::vector<Node> parts{};              // not, and, or
    State state = State::kAlarm;            // state, at least
    bool negated = false;                   // at least: NOT state
    std::vector<std::size_t> references{};  // state: one; at least: the list
    std::int64_t count = 0;
    bool percent = false;
  };

 private:
  Node root_;
  std::vector<std::string> children_;
};

}  // namespace fog::alarm_rules
