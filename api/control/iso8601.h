// Times as people write them to the control plane and read them there.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "storage/base/clock.h"

namespace fog {

// "2026-01-02T03:04:05.678Z", also with an offset, without seconds, or the date alone (UTC).
std::optional<Timestamp> parse_iso8601(std::string_view text);
std::string format_iso8601(Timestamp time);

}  // namespace fog
