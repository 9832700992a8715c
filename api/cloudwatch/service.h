// The CloudWatch service as main sees it: operations, error table, and what handlers ask for.
//
// Call::service<T>() must find: MetricStore, ResourceStore; and where main has them LogEvents
// (insight rules), Outbound (metric streams). Alarm operations live in alarm*.cc of this folder.
#pragma once

#include <span>

#include "api/common/operation.h"
#include "api/common/registry.h"

namespace fog::cloudwatch {

Service service();

// One table per resource file.
std::span<const Operation> put_metric_operations();
std::span<const Operation> metric_read_operations();
std::span<const Operation> metric_data_operations();
std::span<const Operation> dashboard_operations();
std::span<const Operation> tag_operations();
std::span<const Operation> anomaly_operations();
std::span<const Operation> insight_rule_operations();
std::span<const Operation> metric_stream_operations();
std::span<const Operation> setting_operations();
std::span<const Operation> widget_image_operations();

}  // namespace fog::cloudwatch
