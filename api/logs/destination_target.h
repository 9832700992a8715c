// Logical destinations: what stands behind arn:aws:logs:REGION:ACCOUNT:destination:NAME.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "storage/resource_store.h"

namespace fog::logs {

inline constexpr std::string_view kDestinationKind = "log-destination";  // named by destinationName; a Destination

// The ARN a destination leads to; nothing: there is none of that name.
std::optional<std::string> destination_target(const ResourceStore& resources, std::string_view arn);

}  // namespace fog::logs
