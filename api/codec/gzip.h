// gzip: Content-Encoding of request bodies.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "storage/base/result.h"

namespace fog {

// Inflates one or several gzip members (zlib streams too). Errors: invalid (bad or truncated data),
// limit (more than bytes_max come out; nothing beyond that is ever held).
Result<std::string> gunzip(std::string_view bytes, std::size_t bytes_max);

}  // namespace fog
