// JSON: awsJson and restJson bodies, and documents of the resource store.
//
//   std::string bytes = encode_json(group);            // any generated struct
//   TRY(auto group, decode_json<LogGroup>(bytes));     // lenient: no constraint is checked
//
// Structure comes from simdjson on demand (its SIMD index, UTF-8 check and numbers); strings are
// unescaped here, because on-demand's own routine is scalar in a binary built for any x86-64.
#pragma once

#include <string>
#include <string_view>

#include "api/codec/decode.h"
#include "api/common/shape.h"
#include "storage/base/result.h"

namespace fog {

// Appends the value as JSON: absent members left out, timestamps as epoch seconds, blobs as base64.
void encode_json(const Shape& shape, const void* value, std::string& out);

// Appends `text` quoted and escaped. Ill-formed UTF-8 becomes U+FFFD.
void append_json_string(std::string_view text, std::string& out);

// Reads `body` into *out, which must be fresh. An empty body is {}. The body may be moved in memory
// to gain padding. Errors: SerializationException for what is not JSON of this shape.
Status decode_json(std::string& body, const Shape& shape, void* out, Decoding& decoding);

template <typename T>
std::string encode_json(const T& value) {
  std::string out;
  encode_json(T::kShape, &value, out);
  return out;
}

template <typename T>
Result<T> decode_json(std::string_view bytes) {
  T value;
  std::string body(bytes);
  Decoding decoding;
  if (Status status = decode_json(body, T::kShape, &value, decoding); !status.ok())
    return Error::corrupt(status.error().message());
  return value;
}

}  // namespace fog
