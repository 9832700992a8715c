// Anomaly detectors as other files need them: the band around a metric.
#pragma once

#include <utility>

#include "api/cloudwatch/metric_queries.h"

namespace fog::cloudwatch {

// Upper and lower bound at each slot of the request's range, trained on up to 14 days before it. With
// context.for_alarm a missing detector is created.
Result<std::pair<metric_math::Series, metric_math::Series>> anomaly_band(const MetricQueryContext& context,
                                                                         const metric_math::Series& series,
                                                                         const SeriesSource* source, double width);

}  // namespace fog::cloudwatch
