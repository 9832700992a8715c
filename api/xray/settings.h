// Settings of the scope: encryption, indexing rules, where segments go.
#pragma once

#include "api/common/call.h"
#include "api/xray/xray.h"

namespace fog::xray {

// The setting (a StoredDestination) that says where segments go.
inline constexpr const char* kDestinationSetting = "segment-destination";

// The share of traces (0 to 1) that become searchable summaries: all of them unless segments go to
// CloudWatch Logs.
double indexed_share(const Call& call);

}  // namespace fog::xray
