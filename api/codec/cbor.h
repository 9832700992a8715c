// CBOR (RFC 8949) as rpc-v2-cbor uses it.
#pragma once

#include <string>
#include <string_view>

#include "api/codec/decode.h"
#include "api/common/shape.h"
#include "storage/base/result.h"

namespace fog {

// Appends the value: definite lengths, smallest widths, doubles as float64, times as tag 1 float64.
void encode_cbor(const Shape& shape, const void* value, std::string& out);

// One text string; one map head of n pairs: for writing errors member by member.
void append_cbor_text(std::string_view text, std::string& out);
void append_cbor_map(std::size_t pairs, std::string& out);

// Reads one map into *out, which must be fresh; an empty body is an empty map. Indefinite lengths,
// any width, half floats, unknown members and tags are taken. Errors: SerializationException.
Status decode_cbor(std::string_view body, const Shape& shape, void* out, Decoding& decoding);

}  // namespace fog
