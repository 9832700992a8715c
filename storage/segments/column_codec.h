// Column codec: the values of one physical column of a block, as compact bytes and back.
//
// The encoder looks at all values and takes the tightest form that gives every text back exactly:
// whole numbers, decimals of a common scale, ISO times as distance from the event's timestamp,
// a dictionary, or plain text. Texts that all have one shape of hex digits (UUIDs, trace ids) are
// packed to half. What comes out is then compressed by the block writer.
//
// Format: at the top of column_codec.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/base/result.h"
#include "storage/log_block.h"
#include "storage/segments/token_filter.h"

namespace fog::segments {

enum class Encoding : std::uint8_t {
  kConstant = 0,
  kInt = 1,
  kDecimal = 2,
  kIsoTime = 3,
  kDictionary = 4,
  kText = 5,
};

// Lists of integers: frame of reference or deltas, split into byte lanes.
void encode_ints(std::span<const std::int64_t> values, std::string& out);
bool decode_ints(ByteReader& in, std::size_t n, std::vector<std::int64_t>& values);
// Codes below `entries` from the same form. With `from_newest` a stored code counts back from the number
// of entries seen so far (see kDictionary). Instantiated for 8, 16 and 32 bits.
template <typename Code>
bool decode_codes(ByteReader& in, std::size_t n, std::uint64_t entries, bool from_newest, std::vector<Code>& codes);

// Lists of texts. Appends to `bytes`; offsets gets n + 1 entries, the first one bytes.size() before the call.
bool decode_texts(ByteReader& in, std::size_t n, std::vector<std::uint32_t>& offsets, std::string& bytes);

struct EncodedColumn {
  Encoding encoding = Encoding::kText;
  bool escaped = false;    // some value holds a backslash (matters for JSON strings)
  bool numeric = false;    // kInt or kDecimal: min and max hold
  double min = 0;
  double max = 0;
  std::string bytes;
};
// The timestamps of the rows that hold the values; asked for only where they may help.
using RowTimes = std::function<std::vector<std::int64_t>()>;

// Words of text values go to `tokens` unless it is null; with `unescape`, those of the unescaped form too.
EncodedColumn encode_column(std::span<const std::string_view> values, const RowTimes& times, bool unescape,
                            TokenSet* tokens);

// The values in row order of the present rows only (compact), as raw text or numbers:
// kInt -> kInt; kDecimal -> kDouble; kIsoTime -> ints hold epoch ms; kDictionary, kConstant ->
// kDictionary; kText -> kText.
bool decode_column(Encoding encoding, std::string_view bytes, std::size_t n, const RowTimes& times,
                   LogColumn& column);
// Fills `doubles` from the mantissas that decode_column leaves (kDecimal), correctly rounded.
bool fill_doubles(LogColumn& column);

// "2026-08-20T00:00:00.001Z"
constexpr std::size_t kIsoTimeSize = 24;
void format_iso_time(std::int64_t ms, char* out);
bool parse_iso_time(std::string_view text, std::int64_t& ms);
// A decimal with `scale` digits after the point; trailing zeros (and a bare point) cut when shortest.
void append_decimal(std::int64_t mantissa, int scale, bool shortest, std::string& out);
void append_int(std::int64_t value, std::string& out);

// The numeric view of a text: trimmed, [+-]?(digits[.digits]|.digits)([eE][+-]?digits)?
bool numeric_view(std::string_view text, double& value);

}  // namespace fog::segments
