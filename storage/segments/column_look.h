// ColumnLook: what a glance at the decompressed bytes of a text column tells about searches in it: the
// shape that all its texts have, or which bytes occur in them. Small enough to be kept when the bytes are
// not, so that most searches need not decompress a column again that cannot hold what they look for.
#pragma once

#include <bitset>
#include <optional>
#include <string>
#include <string_view>

#include "storage/segments/column_codec.h"

namespace fog::segments {

struct ColumnLook {
  std::string mask;          // not empty: the texts have this shape; 0 stands for a hex digit (column_codec.cc)
  std::bitset<256> present;  // else: bytes that occur

  bool may_hold(std::string_view needle) const;
};

// False: no value of the encoded column holds the needle, as far as its bytes show without decoding it.
bool column_may_contain(Encoding encoding, std::string_view bytes, std::size_t n, std::string_view needle);

// Nothing where the encoding has no texts, or the bytes are damaged.
std::optional<ColumnLook> look_at(Encoding encoding, std::string_view bytes, std::size_t n);

}  // namespace fog::segments
