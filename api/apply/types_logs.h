// The types of CloudWatch Logs that take more than one Put.
#pragma once

#include <span>

#include "api/apply/resource_type.h"

namespace fog::apply {

// LogGroup, LogStream, Destination, LogAnomalyDetector, DeliveryDestination, Delivery.
std::span<const ResourceType* const> log_group_types();

}  // namespace fog::apply
