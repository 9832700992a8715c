// Plain decimals as integers: what the column encoder and decoder share.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace fog::segments {

inline constexpr std::array<std::int64_t, 19> kPowers = [] {
  std::array<std::int64_t, 19> powers{};
  std::int64_t p = 1;
  for (auto& power : powers) {
    power = p;
    p = p > INT64_MAX / 10 ? p : p * 10;
  }
  return powers;
}();

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A plain decimal as a mantissa and a number of decimals; false where the text is not the canonical
// form ("01", "+1", "1.", "-0", more than 18 digits, exponents).
struct Decimal {
  std::int64_t mantissa = 0;
  int scale = 0;
};
inline bool parse_decimal(std::string_view text, Decimal& out) {
  std::size_t at = 0;
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) ++at;
  const std::size_t first = at;
  std::int64_t mantissa = 0;
  int digits = 0;
  while (at < text.size() && is_digit(text[at])) {
    if (++digits > 18) return false;  // before it overflows
    mantissa = mantissa * 10 + (text[at++] - '0');
  }
  if (at == first || (text[first] == '0' && at - first > 1)) return false;
  int scale = 0;
  if (at < text.size()) {
    if (text[at] != '.') return false;
    ++at;
    while (at < text.size() && is_digit(text[at])) {
      if (++digits > 18) return false;
      mantissa = mantissa * 10 + (text[at++] - '0');
      ++scale;
    }
    if (scale == 0 || at < text.size()) return false;
  }
  if (negative && mantissa == 0) return false;
  out.mantissa = negative ? -mantissa : mantissa;
  out.scale = scale;
  return true;
}

}  // namespace fog::segments
