// The metric data queries of one request, brought to series: GetMetricData, alarms and pictures all
// ask here.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/cloudwatch/shapes.h"
#include "query/metric_math/series.h"
#include "query/statistics/statistic.h"
#include "storage/metric_store.h"

namespace fog {
class ResourceStore;
class Services;
}  // namespace fog

namespace fog::cloudwatch {

struct MetricQueryContext {
  const Services* services = nullptr;
  std::string account;
  std::string region;
  Timestamp now{};
  Timestamp start{};
  Timestamp end{};
  // Windows at start + k * period, as alarms want; else at multiples of the period.
  bool align_to_start = false;
  // What the texts of errors call the list.
  std::string_view parameter = "MetricDataQueries";
  bool for_alarm = false;  // a missing anomaly detector is created
};

// Where a series came from, for its label.
struct SeriesSource {
  std::string account;
  std::string region;
  std::string metric_namespace;
  std::string metric_name;
  std::vector<std::pair<std::string, std::string>> dimensions;
  std::string statistic;
  std::int64_t period_s = 60;
};

struct QueriedSeries {
  metric_math::Series series;  // ascending
  std::string default_label;
  std::optional<SeriesSource> source;
};

struct QueryResult {
  const MetricDataQuery* query = nullptr;
  std::vector<QueriedSeries> series;
  bool is_array = false;
  std::vector<MessageData> messages;
};

struct QueryResults {
  std::vector<QueryResult> results;     // one a query, in order
  std::vector<MessageData> messages;    // of the whole request
  bool is_partial = false;              // a Metrics Insights query went over its bounds
};

// Checks that need no data: ids, exclusive members, periods, statistics, syntax of expressions.
Status check_queries(std::span<const MetricDataQuery> queries, std::string_view parameter);

Result<QueryResults> run_queries(const MetricQueryContext& context, std::span<const MetricDataQuery> queries);

// A SELECT of Metrics Insights rather than an expression of metric math.
bool is_select(std::string_view expression);

}  // namespace fog::cloudwatch
