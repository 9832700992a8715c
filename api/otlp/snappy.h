// Snappy's block format (no framing), as Prometheus packs remote-write bodies.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "storage/base/result.h"

namespace fog::otlp {

// Errors: invalid (damaged), limit (the block says that more than bytes_max come out).
Result<std::string> unsnappy(std::string_view packed, std::size_t bytes_max);

}  // namespace fog::otlp
