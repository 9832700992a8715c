// Metrics Insights: one SELECT over the series of a namespace.
//
//   SELECT fn(metric) FROM (ns | SCHEMA(ns {, label})) [WHERE cond] [GROUP BY label {, label}]
//   [ORDER BY fn() [ASC|DESC]] [LIMIT n]
//   fn    = AVG | COUNT | MAX | MIN | SUM
//   cond  = terms joined by AND, OR, parentheses; term = label (= | !=) 'value' | label IN ('a', ...)
//   label = identifier | tag.identifier | AWS.AccountId
// Keywords in any case; names in double quotes unless letters, digits, underscore and no keyword;
// values in single quotes. Aggregates are over observations, not over series.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "query/metric_math/series.h"
#include "storage/metric_store.h"

namespace fog::metrics_insights {

enum class Function { kAvg, kCount, kMax, kMin, kSum };

struct Label {
  enum class Kind { kDimension, kTag, kAccount };
  Kind kind = Kind::kDimension;
  std::string name;
  bool operator==(const Label&) const = default;
};

struct Condition {
  enum class Kind { kAnd, kOr, kEqual, kNotEqual, kIn };
  Kind kind = Kind::kAnd;
  std::vector<Condition> children;
  Label label;
  std::vector<std::string> values;
};

struct Select {
  Function function = Function::kAvg;
  std::string metric_name;
  std::string metric_namespace;
  std::optional<std::vector<std::string>> schema;  // exactly these dimensions
  std::optional<Condition> where;
  std::vector<Label> group_by;
  struct Order {
    Function function = Function::kAvg;
    bool descending = false;
  };
  std::optional<Order> order_by;
  std::size_t limit = 500;
};

inline constexpr std::size_t kSeriesScannedMax = 10'000;
inline constexpr std::size_t kSeriesReturnedMax = 500;

// Error: invalid, what is wrong, with the position.
Result<Select> parse(std::string_view text);

// Tags of the resource that a metric's dimensions name.
using TagsOf = std::function<std::map<std::string, std::string>(const SeriesView&)>;

struct Plan {
  struct Group {
    std::vector<std::string> values;  // of the labels; a missing one is "Other"
    std::vector<SeriesId> series;
  };
  std::vector<Group> groups;  // ascending by values
  bool is_truncated = false;  // more than kSeriesScannedMax series match
};
// Which series take part, and in which group. Uses the store's index.
Plan plan(const Select& select, const MetricStore& store, std::string_view account, std::string_view region,
          const TagsOf& tags_of);

struct Outcome {
  metric_math::Array series;  // labels: the group's values joined by spaces; empty without GROUP BY
  bool is_grouped = false;
  bool is_truncated = false;
};
// `parallel(n, task)` runs task(0) .. task(n-1), perhaps at the same time.
using Parallel = std::function<void(std::size_t, const std::function<void(std::size_t)>&)>;
Result<Outcome> execute(const Select& select, const Plan& plan, const MetricStore& store, Timestamp start,
                        Timestamp end, std::chrono::seconds period, const Parallel& parallel = {});

}  // namespace fog::metrics_insights
