// gzip: Content-Encoding of request bodies.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "storage/base/result.h"

namespace fog {

enum class Packing {
  kGzip,     // RFC 1952, one or several members
  kDeflate,  // HTTP's "deflate": RFC 1950, zlib
};

// Inflates a body. Errors: invalid (bad or truncated data, or the other packing), limit (more than
// bytes_max come out; nothing beyond that is ever held).
Result<std::string> gunzip(std::string_view bytes, std::size_t bytes_max,
                           Packing packing = Packing::kGzip);

}  // namespace fog
