// Point reads: single values of an encoded column (column_codec.cc), for the few rows of a block that a
// query wants; the others are not decoded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/segments/column_codec.h"

namespace fog::segments {

// Appends the source text of value number `rank` of `n`; `row_time_ms` is the timestamp of its row.
// False: the bytes are damaged.
bool append_value(Encoding encoding, std::string_view bytes, std::size_t n, std::size_t rank, std::int64_t row_time_ms,
                  std::string& out);

// The numbers of the values that equal `text`, in a text column whose texts are packed by their common
// shape. False: not such a column, or damaged, or the text is of another length.
bool find_packed(Encoding encoding, std::string_view bytes, std::size_t n, std::string_view text,
                 std::vector<std::size_t>& ranks);

}  // namespace fog::segments
