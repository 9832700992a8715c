// Metrics: PutMetricData, ListMetrics, GetMetricStatistics, GetMetricData; and the sink by which
// other parts of Fogwatch put metrics.
#pragma once

#include <memory>
#include <span>

#include "api/common/metric_sink.h"
#include "api/common/operation.h"
#include "storage/base/clock.h"

namespace fog::cloudwatch {

std::span<const Operation> put_metric_operations();   // PutMetricData
std::span<const Operation> metric_read_operations();  // ListMetrics, GetMetricStatistics
std::span<const Operation> metric_data_operations();  // GetMetricData

// `store` and `clock` outlive the sink.
std::unique_ptr<MetricSink> make_metric_sink(MetricStore& store, const Clock& clock);

// The rules of PutMetricData for names; used by the sink and by the operation.
bool is_valid_name(std::string_view text, bool colon_first_allowed, std::size_t length_max);
bool is_valid_metric_value(double value);

}  // namespace fog::cloudwatch
