// Format: varint length of the result, then elements. The low two bits of an element's first byte say its kind:
//   0  literal: length - 1 in the upper six bits, or 60 to 63: in the 1 to 4 bytes that follow; then the bytes
//   1  copy: length 4 to 11 (bits 2 to 4), offset of 11 bits (bits 5 to 7 are the upper ones, a byte follows)
//   2  copy: length 1 to 64 (upper six bits), offset in 2 bytes
//   3  copy: length 1 to 64, offset in 4 bytes
// A copy takes bytes from `offset` before the end of what is there; it may reach into what it writes.
#include "api/otlp/snappy.h"

#include <cstdint>
#include <cstring>

#include "storage/base/bytes.h"

namespace fog::otlp {

Result<std::string> unsnappy(std::string_view packed, std::size_t bytes_max) {
  const auto broken = [] { return Error::invalid("the body is not a snappy block"); };
  ByteReader in(packed);
  const std::uint64_t size = in.varint();
  if (!in.ok()) return broken();
  if (size > bytes_max) return Error::limit("the body is too large when unpacked");
  std::string out;
  // A few bytes may claim a lot: room is made as it is needed.
  out.reserve(std::min<std::size_t>(size, packed.size() * 8 + 64));
  while (!in.at_end()) {
    const auto tag = in.fixed<std::uint8_t>();
    std::size_t length = tag >> 2;
    if ((tag & 3) == 0) {
      if (length >= 60) {
        const std::size_t bytes = length - 59;
        length = 0;
        for (std::size_t i = 0; i < bytes; ++i) length |= static_cast<std::size_t>(in.fixed<std::uint8_t>()) << (8 * i);
      }
      const std::string_view literal = in.raw(length + 1);
      if (!in.ok() || out.size() + literal.size() > size) return broken();
      out += literal;
      continue;
    }
    std::size_t offset = 0;
    if ((tag & 3) == 1) {
      length = (tag >> 2 & 7) + 4u;
      offset = static_cast<std::size_t>(tag >> 5) << 8 | in.fixed<std::uint8_t>();
    } else {
      length += 1;
      offset = (tag & 3) == 2 ? in.fixed<std::uint16_t>() : in.fixed<std::uint32_t>();
    }
    if (!in.ok() || offset == 0 || offset > out.size() || out.size() + length > size) return broken();
    const std::size_t from = out.size() - offset;
    if (offset >= length) {
      out.append(out, from, length);
    } else {
      for (std::size_t i = 0; i < length; ++i) out.push_back(out[from + i]);
    }
  }
  if (out.size() != size) return broken();
  return out;
}

}  // namespace fog::otlp
