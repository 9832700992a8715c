// Contributor Insights as other files need it: a rule's metric as a series.
#pragma once

#include <string>

#include "api/cloudwatch/metric_queries.h"

namespace fog::cloudwatch {

// INSIGHT_RULE_METRIC. Error: invalid, where rule or metric is unknown.
Result<metric_math::Series> insight_rule_series(const MetricQueryContext& context, const std::string& rule,
                                                const std::string& metric, std::int64_t period_ms);

}  // namespace fog::cloudwatch
