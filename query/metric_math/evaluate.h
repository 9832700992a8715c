// Metric math: the queries of one request, evaluated together.
//
// A query is given (a metric's series, the result of a Metrics Insights statement) or an expression
// over the ids of other queries, earlier or later. Expressions are computed on the grid of their
// period: slots from the start rounded down to the period, while before the end.
// Two series meet on the union of their times, a missing side counting as 0; points that would be
// infinite or NaN are dropped.
// Errors: kInvalid, "Error in expression 'e1': ..." in CloudWatch's words. Any thread.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "query/metric_math/series.h"
#include "storage/base/result.h"

namespace fog::metric_math {

struct Query {
  std::string id;
  std::string expression;      // empty: given
  std::optional<Value> given;  // a Series or an Array
  bool is_metric = false;      // a metric query: METRICS() and PERIOD() see it
  std::int64_t period_ms = 0;  // of the metric; of an expression without series (0: 60 s)
};

struct Message {
  std::string code;
  std::string value;
};

struct Evaluated {
  Array series;
  bool is_array = false;
  std::vector<Message> messages;
};

struct SearchCall {
  std::string query;
  std::string statistic;
  std::int64_t period_ms = 0;  // 0: not said
};

// What expressions reach beyond the request. Absent ones give an empty result and a message.
struct Environment {
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;
  std::function<Result<Array>(const SearchCall&)> search;
  // Upper and lower bound around a series, for the query that the series is.
  std::function<Result<std::pair<Series, Series>>(const Series&, double width)> band;
  std::function<Result<Series>(const std::string& rule, const std::string& metric, std::int64_t period_ms)>
      insight_rule;
};

Result<std::vector<Evaluated>> evaluate(std::span<const Query> queries, const Environment& environment);

// Ids that an expression names, and whether it calls a function (METRICS, SEARCH ...). Error: syntax.
struct Mentions {
  std::vector<std::string> ids;
  std::vector<std::string> functions;
};
Result<Mentions> mentions(std::string_view expression);

}  // namespace fog::metric_math
