// Filter patterns of CloudWatch Logs: which log events FilterLogEvents, metric filters, subscription
// filters and live tail take.
//
//   ERROR -"BAD REQUEST"                 terms
//   { $.errorCode = 4* && $.user IS TRUE }   JSON
//   [ip, user, status = 4*, bytes > 1000]    space-delimited
//
// Threads: a pattern is immutable; any number of threads may match with it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.h"
#include "storage/log_block.h"

namespace fog::filter_pattern {

constexpr std::size_t kPatternCharsMax = 1024;

class Pattern {
 public:
  enum class Kind { kTerms, kJson, kDelimited };
  virtual ~Pattern() = default;
  virtual Kind kind() const = 0;
  virtual bool matches(std::string_view message) const = 0;
  // The extractedValues of TestMetricFilter; meaningful for a message that matches. Delimited: every
  // column (`$name`, `$3`); JSON: the selectors that lead to a scalar, as written; terms: none.
  virtual std::map<std::string, std::string> extract(std::string_view message) const = 0;
  // The value of one name (`$.latency`, `$bytes`, `$3`) in a message, as a metric filter's value and
  // dimensions use it; nothing when it is absent or no scalar.
  virtual std::optional<std::string> value(std::string_view message, std::string_view name) const = 0;
  // Number of %regular expressions%, which have quotas.
  virtual std::size_t regexes() const = 0;
  // Conditions that every matching message satisfies, for LogScanSpec::where.
  virtual std::vector<std::vector<LogPredicate>> where() const = 0;
  virtual bool matches_all() const { return false; }
};

// Errors: invalid, "Invalid metric filter pattern", with the position in bytes.
Result<std::shared_ptr<const Pattern>> parse(std::string_view text);

// The value a JSON selector such as `$.a.b[0]` leads to, where it is a scalar. Works without a
// pattern (metric values of `{ $.x = * }` and the like). Error: not a selector.
Result<std::optional<std::string>> select_json(std::string_view message, std::string_view selector);

}  // namespace fog::filter_pattern
