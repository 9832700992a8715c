// All scalar functions and aggregates by name.
#include "query/insights/function.h"
#include "query/insights/lex.h"

namespace fog::insights {

const Function* find_function(std::string_view name) {
  std::string key = lower(name);
  for (auto table : {numeric_functions(), time_functions(), general_functions(), json_functions(), ip_functions(),
                     string_functions(), hash_functions()})
    for (const Function& function : table)
      if (function.name == key) return &function;
  return nullptr;
}

namespace {

constexpr AggregateFunction kAggregates[] = {
    {"count", 0, 1, Aggregation::kCount, "rows, or rows where the field is present"},
    {"countovertime", 0, 1, Aggregation::kCount, "count per time bin"},
    {"count_distinct", 1, 1, Aggregation::kCountDistinct, "distinct rendered values"},
    {"countdistinct", 1, 1, Aggregation::kCountDistinct, "distinct rendered values"},
    {"sum", 1, 1, Aggregation::kSum, "sum of the numeric views"},
    {"sumovertime", 1, 1, Aggregation::kSum, "sum per time bin"},
    {"avg", 1, 1, Aggregation::kAvg, "mean of the numeric views"},
    {"stddev", 1, 1, Aggregation::kStddev, "population standard deviation"},
    {"variance", 1, 1, Aggregation::kVariance, "population variance"},
    {"min", 1, 1, Aggregation::kMin, "smallest number, or else smallest text"},
    {"max", 1, 1, Aggregation::kMax, "largest number, or else largest text"},
    {"pct", 2, 2, Aggregation::kPct, "nearest-rank percentile"},
    {"percentile", 2, 2, Aggregation::kPct, "nearest-rank percentile"},
    {"earliest", 1, 1, Aggregation::kEarliest, "value of the oldest event"},
    {"latest", 1, 1, Aggregation::kLatest, "value of the newest event"},
    {"sortsfirst", 1, 1, Aggregation::kSortsFirst, "first value in sort order"},
    {"sortslast", 1, 1, Aggregation::kSortsLast, "last value in sort order"},
    {"values", 1, 1, Aggregation::kValues, "list of distinct values in first-seen order"},
    {"collect_values", 1, 1, Aggregation::kValues, "list of distinct values in first-seen order"},
    {"topk", 2, 2, Aggregation::kTopk, "the k most frequent values, a row each"},
    {"rate", 2, 2, Aggregation::kRate, "change per period between the oldest and the newest event"},
    {"histogram", 2, 2, Aggregation::kHistogram, "map of n equally wide ranges to counts"},
};

}  // namespace

const AggregateFunction* find_aggregate(std::string_view name) {
  std::string key = lower(name);
  for (const AggregateFunction& aggregate : kAggregates)
    if (aggregate.name == key) return &aggregate;
  return nullptr;
}

}  // namespace fog::insights
