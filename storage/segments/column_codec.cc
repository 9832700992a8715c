// Format, all little-endian, varints as in storage/base/bytes.h:
//
//   ints       mode u8 (0 plain, 1 zigzagged differences, the first one 0) | base zigzag | width u8 (0..8)
//              | width lanes of n bytes: lane k holds byte k of (value - base)
//   texts      mode u8 0: ints of lengths | bytes
//              mode u8 1: length varint | mask of `length` bytes (0: hex digit, else that constant
//              character) | n times the hex digits of a value, high nibble first, padded to a byte
//   column     kConstant:   the text, length-prefixed
//              kInt:        ints
//              kDecimal:    scale u8 | shortest u8 | ints of mantissas
//              kIsoTime:    ints of (time - timestamp of the row)
//              kDictionary: entries varint | texts | ints of codes. Entries are in order of first
//                           use; with more than 256 of them a code c is stored as `used - c`, where
//                           `used` counts the entries seen so far (0: the next new one)
//              kText:       texts
#include "storage/segments/column_codec.h"

#include "storage/segments/decimal.h"
#include "storage/segments/shape.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

// The loops over columns are worth vector instructions, which -O2 of GCC 12 uses for the simplest only.
#pragma GCC optimize("tree-vectorize", "vect-cost-model=dynamic")

namespace fog::segments {

namespace {

std::uint64_t zigzag(std::int64_t v) {
  return (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63);
}
std::int64_t unzigzag(std::uint64_t v) {
  return static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1);
}

int bytes_for(std::uint64_t range) { return (static_cast<int>(std::bit_width(range)) + 7) / 8; }

void write_lanes(std::span<const std::uint64_t> values, int width, std::string& out) {
  const std::size_t n = values.size();
  const std::size_t base = out.size();
  out.resize(base + n * static_cast<std::size_t>(width));
  for (int lane = 0; lane < width; ++lane) {
    char* to = out.data() + base + n * static_cast<std::size_t>(lane);
    for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<char>(values[i] >> (8 * lane));
  }
}

}  // namespace

void encode_ints(std::span<const std::int64_t> values, std::string& out) {
  ByteWriter to(out);
  if (values.empty()) {
    to.fixed<std::uint8_t>(0);
    to.zigzag(0);
    to.fixed<std::uint8_t>(0);
    return;
  }
  std::int64_t low = values[0];
  std::int64_t high = values[0];
  for (const std::int64_t v : values) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
  const auto diff = [](std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
  };
  std::uint64_t plain_bits = 0;
  std::uint64_t delta_bits = 0;
  std::int64_t previous = values[0];
  for (const std::int64_t v : values) {
    plain_bits += static_cast<std::uint64_t>(std::bit_width(static_cast<std::uint64_t>(diff(v, low))));
    delta_bits += static_cast<std::uint64_t>(std::bit_width(zigzag(diff(v, previous))));
    previous = v;
  }
  std::vector<std::uint64_t> lanes(values.size());
  // Deltas must save a fifth, since they cost the reader a running sum.
  if (delta_bits * 5 < plain_bits * 4) {
    std::uint64_t widest = 0;
    previous = values[0];
    for (std::size_t i = 0; i < values.size(); ++i) {
      lanes[i] = zigzag(diff(values[i], previous));
      widest = std::max(widest, lanes[i]);
      previous = values[i];
    }
    to.fixed<std::uint8_t>(1);
    to.zigzag(values[0]);
    const int width = bytes_for(widest);
    to.fixed<std::uint8_t>(static_cast<std::uint8_t>(width));
    write_lanes(lanes, width, out);
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i) lanes[i] = static_cast<std::uint64_t>(diff(values[i], low));
  to.fixed<std::uint8_t>(0);
  to.zigzag(low);
  const int width = bytes_for(static_cast<std::uint64_t>(diff(high, low)));
  to.fixed<std::uint8_t>(static_cast<std::uint8_t>(width));
  write_lanes(lanes, width, out);
}

bool decode_ints(ByteReader& in, std::size_t n, std::vector<std::int64_t>& values) {
  const auto mode = in.fixed<std::uint8_t>();
  const std::int64_t base = in.zigzag();
  const auto width = in.fixed<std::uint8_t>();
  if (!in.ok() || mode > 1 || width > 8) return false;
  const std::string_view lanes = in.raw(n * width);
  if (!in.ok()) return false;
  values.resize(n);
  const auto* from = reinterpret_cast<const unsigned char*>(lanes.data());
  std::vector<std::uint64_t> wide;
  // The common widths in one pass; wider ones lane by lane.
  const auto unsigned_at = [&](std::size_t i) -> std::uint64_t {
    std::uint64_t v = 0;
    for (std::size_t lane = 0; lane < width; ++lane) v |= static_cast<std::uint64_t>(from[lane * n + i]) << (8 * lane);
    return v;
  };
  const auto base_bits = static_cast<std::uint64_t>(base);
  const auto run = [&](auto&& at) {
    if (mode == 0) {
      for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<std::int64_t>(base_bits + at(i));
    } else {
      std::uint64_t sum = base_bits;
      for (std::size_t i = 0; i < n; ++i) {
        sum += static_cast<std::uint64_t>(unzigzag(at(i)));
        values[i] = static_cast<std::int64_t>(sum);
      }
    }
  };
  switch (width) {
    case 0: run([](std::size_t) -> std::uint64_t { return 0; }); break;
    case 1: run([from](std::size_t i) -> std::uint64_t { return from[i]; }); break;
    case 2:
      run([from, n](std::size_t i) -> std::uint64_t {
        return static_cast<std::uint64_t>(from[i]) | static_cast<std::uint64_t>(from[n + i]) << 8;
      });
      break;
    case 3:
      run([from, n](std::size_t i) -> std::uint64_t {
        return static_cast<std::uint64_t>(from[i]) | static_cast<std::uint64_t>(from[n + i]) << 8 |
               static_cast<std::uint64_t>(from[2 * n + i]) << 16;
      });
      break;
    default: run(unsigned_at);
  }
  return true;
}

// Codes are small numbers counted from zero: they are read into their own width, in one pass.
template <typename Code>
bool decode_codes(ByteReader& in, std::size_t n, std::uint64_t entries, bool from_newest, std::vector<Code>& codes) {
  const std::string_view rest = in.rest();
  ByteReader look(rest);
  const auto mode = look.fixed<std::uint8_t>();
  const std::int64_t base = look.zigzag();
  const auto width = look.fixed<std::uint8_t>();
  if (!look.ok()) return false;
  if (mode == 0 && base == 0 && width <= 2 && width <= sizeof(Code)) {
    const std::string_view lanes = look.raw(n * width);
    if (!look.ok()) return false;
    in.raw(rest.size() - look.rest().size());
    codes.resize(n);
    const auto* from = reinterpret_cast<const unsigned char*>(lanes.data());
    if (width == 1)
      for (std::size_t i = 0; i < n; ++i) codes[i] = from[i];
    else if (width == 2)
      for (std::size_t i = 0; i < n; ++i) codes[i] = static_cast<Code>(from[i] | from[n + i] << 8);
  } else {
    std::vector<std::int64_t> wide;
    if (!decode_ints(in, n, wide)) return false;
    codes.resize(n);
    std::uint64_t used = 0;
    for (std::size_t i = 0; i < n; ++i) {
      auto code = static_cast<std::uint64_t>(wide[i]);
      if (from_newest) {
        if (code > used) return false;
        code = used - code;
        used += code == used ? 1 : 0;
      }
      if (code >= entries) return false;
      codes[i] = static_cast<Code>(code);
    }
    return true;
  }
  if (from_newest) {
    std::uint64_t used = 0;
    for (Code& code : codes) {
      const std::uint64_t back = code;
      if (back > used || (back == 0 && used == entries)) return false;
      code = static_cast<Code>(used - back);
      used += back == 0 ? 1 : 0;
    }
    return true;
  }
  Code highest = 0;
  for (const Code code : codes) highest = std::max(highest, code);
  return highest < entries;
}

template bool decode_codes<std::uint8_t>(ByteReader&, std::size_t, std::uint64_t, bool, std::vector<std::uint8_t>&);
template bool decode_codes<std::uint16_t>(ByteReader&, std::size_t, std::uint64_t, bool, std::vector<std::uint16_t>&);
template bool decode_codes<std::uint32_t>(ByteReader&, std::size_t, std::uint64_t, bool, std::vector<std::uint32_t>&);

// ---- texts ------------------------------------------------------------------------------------------

namespace {

constexpr std::size_t kHexShapeMax = 128;

}  // namespace

bool decode_texts(ByteReader& in, std::size_t n, std::vector<std::uint32_t>& offsets, std::string& bytes) {
  const auto mode = in.fixed<std::uint8_t>();
  if (!in.ok() || mode > 1) return false;
  offsets.clear();
  offsets.reserve(n + 1);
  offsets.push_back(static_cast<std::uint32_t>(bytes.size()));
  if (mode == 1) {
    const std::string_view mask = in.text();
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < mask.size(); ++i)
      if (mask[i] == 0) places.push_back(i);
    const std::size_t packed = (places.size() + 1) / 2;
    const std::string_view data = in.raw(packed * n);
    if (!in.ok() || mask.empty() || mask.size() > kHexShapeMax) return false;
    // Two digits of a packed byte at once.
    struct Digits {
      char text[512];
      constexpr Digits() : text() {
        constexpr char kDigits[] = "0123456789abcdef";
        for (int i = 0; i < 256; ++i) {
          text[2 * i] = kDigits[i >> 4];
          text[2 * i + 1] = kDigits[i & 15];
        }
      }
    };
    static constexpr Digits kPairs;
    const std::size_t base = bytes.size();
    const std::size_t width = mask.size();
    bytes.resize(base + width * n);
    char* at = bytes.data() + base;
    const auto* from = reinterpret_cast<const unsigned char*>(data.data());
    const std::size_t whole = places.size() / 2;
    for (std::size_t row = 0; row < n; ++row, at += width, from += packed) {
      std::memcpy(at, mask.data(), width);
      for (std::size_t i = 0; i < whole; ++i) {
        at[places[2 * i]] = kPairs.text[2 * from[i]];
        at[places[2 * i + 1]] = kPairs.text[2 * from[i] + 1];
      }
      if (places.size() % 2 != 0) at[places.back()] = kPairs.text[2 * from[whole]];
      offsets.push_back(static_cast<std::uint32_t>(base + (row + 1) * width));
    }
    return true;
  }
  std::vector<std::int64_t> lengths;
  if (!decode_ints(in, n, lengths)) return false;
  std::size_t total = 0;
  for (const std::int64_t length : lengths) {
    if (length < 0 || length > static_cast<std::int64_t>(in.rest().size())) return false;
    total += static_cast<std::size_t>(length);
    if (total > in.rest().size()) return false;
    offsets.push_back(static_cast<std::uint32_t>(bytes.size() + total));
  }
  bytes.append(in.raw(total));
  return in.ok();
}

// ---- numbers and times --------------------------------------------------------------------------------

namespace {

// Days since 1970-01-01 of a civil date, and back (Howard Hinnant's algorithms, public domain).
std::int64_t days_from_civil(std::int64_t y, unsigned m, unsigned d) {
  y -= m <= 2;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const auto yoe = static_cast<unsigned>(y - era * 400);
  const unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
  const unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + static_cast<std::int64_t>(doe) - 719468;
}
void civil_from_days(std::int64_t z, int& year, unsigned& month, unsigned& day) {
  z += 719468;
  const std::int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const auto doe = static_cast<unsigned>(z - era * 146097);
  const unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const unsigned mp = (5 * doy + 2) / 153;
  day = doy - (153 * mp + 2) / 5 + 1;
  month = mp < 10 ? mp + 3 : mp - 9;
  year = static_cast<int>(static_cast<std::int64_t>(yoe) + era * 400 + (month <= 2 ? 1 : 0));
}

void put_digits(char* to, unsigned value, int n) {
  for (int i = n - 1; i >= 0; --i) {
    to[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

}  // namespace

void format_iso_time(std::int64_t ms, char* out) {
  std::int64_t days = ms / 86400000;
  std::int64_t rest = ms % 86400000;
  if (rest < 0) {
    rest += 86400000;
    --days;
  }
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  civil_from_days(days, year, month, day);
  const auto r = static_cast<unsigned>(rest);
  std::memcpy(out, "0000-00-00T00:00:00.000Z", kIsoTimeSize);
  put_digits(out, static_cast<unsigned>(year), 4);
  put_digits(out + 5, month, 2);
  put_digits(out + 8, day, 2);
  put_digits(out + 11, r / 3600000, 2);
  put_digits(out + 14, r / 60000 % 60, 2);
  put_digits(out + 17, r / 1000 % 60, 2);
  put_digits(out + 20, r % 1000, 3);
}

bool parse_iso_time(std::string_view text, std::int64_t& ms) {
  static constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd.dddZ";
  if (text.size() != kIsoTimeSize) return false;
  for (std::size_t i = 0; i < kIsoTimeSize; ++i)
    if (kShape[i] == 'd' ? !is_digit(text[i]) : text[i] != kShape[i]) return false;
  const auto number = [&](std::size_t at, int n) {
    unsigned value = 0;
    for (int i = 0; i < n; ++i) value = value * 10 + static_cast<unsigned>(text[at + static_cast<std::size_t>(i)] - '0');
    return value;
  };
  const unsigned year = number(0, 4);
  const unsigned month = number(5, 2);
  const unsigned day = number(8, 2);
  const unsigned hour = number(11, 2);
  const unsigned minute = number(14, 2);
  const unsigned second = number(17, 2);
  // Only what format_iso_time gives back; "24:00" and the leap second stay text.
  static constexpr unsigned kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  if (month < 1 || month > 12 || day < 1 || day > kDays[month - 1] + (leap && month == 2 ? 1u : 0u)) return false;
  if (hour > 23 || minute > 59 || second > 59) return false;
  ms = ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60000 + second * 1000 + number(20, 3);
  return true;
}

void append_int(std::int64_t value, std::string& out) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

void append_decimal(std::int64_t mantissa, int scale, bool shortest, std::string& out) {
  std::uint64_t m = mantissa < 0 ? 0 - static_cast<std::uint64_t>(mantissa) : static_cast<std::uint64_t>(mantissa);
  if (shortest) {
    while (scale > 0 && m % 10 == 0) {
      m /= 10;
      --scale;
    }
  }
  char text[32];
  char* at = text + sizeof text;
  for (int i = 0; i < scale; ++i) {
    *--at = static_cast<char>('0' + m % 10);
    m /= 10;
  }
  if (scale > 0) *--at = '.';
  do {
    *--at = static_cast<char>('0' + m % 10);
    m /= 10;
  } while (m != 0);
  if (mantissa < 0) *--at = '-';
  out.append(at, static_cast<std::size_t>(text + sizeof text - at));
}

bool numeric_view(std::string_view text, double& value) {
  while (!text.empty() && (text.front() == ' ' || (text.front() >= '\t' && text.front() <= '\r'))) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || (text.back() >= '\t' && text.back() <= '\r'))) text.remove_suffix(1);
  std::size_t at = !text.empty() && (text[0] == '+' || text[0] == '-') ? 1 : 0;
  const std::size_t start = text.starts_with('+') ? 1 : 0;
  std::size_t digits = 0;
  while (at < text.size() && is_digit(text[at])) ++at, ++digits;
  if (at < text.size() && text[at] == '.') {
    ++at;
    std::size_t fraction = 0;
    while (at < text.size() && is_digit(text[at])) ++at, ++fraction;
    if (fraction == 0) return false;
    digits += fraction;
  }
  if (digits == 0) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const std::size_t exponent = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    if (at == exponent) return false;
  }
  if (at != text.size()) return false;
  const auto result = std::from_chars(text.data() + start, text.data() + text.size(), value);
  return result.ec == std::errc() && std::isfinite(value);
}

// ---- columns ----------------------------------------------------------------------------------------------

// Mantissas to doubles, correctly rounded.
bool fill_doubles(LogColumn& column) {
  const std::size_t n = column.mantissas.size();
  column.doubles.resize(n);
  const double unit = static_cast<double>(kPowers[static_cast<std::size_t>(column.scale)]);
  constexpr std::int64_t kExact = 1ll << 53;
  std::uint64_t beyond = 0;
  for (const std::int64_t m : column.mantissas) beyond |= static_cast<std::uint64_t>(m ^ (m >> 63));
  if (beyond < static_cast<std::uint64_t>(kExact)) {
    // Both exact: one rounding.
    for (std::size_t i = 0; i < n; ++i) column.doubles[i] = static_cast<double>(column.mantissas[i]) / unit;
    return true;
  }
  std::string text;
  for (std::size_t i = 0; i < n; ++i) {
    text.clear();
    append_decimal(column.mantissas[i], column.scale, false, text);
    if (std::from_chars(text.data(), text.data() + text.size(), column.doubles[i]).ec != std::errc()) return false;
  }
  return true;
}

bool decode_column(Encoding encoding, std::string_view bytes, std::size_t n, const RowTimes& row_times,
                   LogColumn& column) {
  ByteReader in(bytes);
  column.rows = n;
  switch (encoding) {
    case Encoding::kConstant: {
      column.type = LogColumnType::kDictionary;
      column.bytes = in.text();
      column.dictionary = {std::string_view(column.bytes)};
      column.codes8.assign(n, 0);
      break;
    }
    case Encoding::kInt:
      column.type = LogColumnType::kInt;
      if (!decode_ints(in, n, column.ints)) return false;
      break;
    case Encoding::kDecimal: {
      column.type = LogColumnType::kDouble;
      column.scale = in.fixed<std::uint8_t>();
      column.shortest = in.fixed<std::uint8_t>() != 0;
      if (column.scale > 18 || !decode_ints(in, n, column.mantissas)) return false;
      break;
    }
    case Encoding::kIsoTime: {
      column.type = LogColumnType::kInt;
      if (!decode_ints(in, n, column.ints)) return false;
      const std::vector<std::int64_t> times = row_times();
      if (times.size() != n) return false;
      for (std::size_t i = 0; i < n; ++i)
        column.ints[i] = static_cast<std::int64_t>(static_cast<std::uint64_t>(column.ints[i]) +
                                                   static_cast<std::uint64_t>(times[i]));
      break;
    }
    case Encoding::kDictionary: {
      column.type = LogColumnType::kDictionary;
      const std::uint64_t entries = in.varint();
      if (!in.ok() || entries > n || entries == 0) return false;
      std::vector<std::uint32_t> offsets;
      if (!decode_texts(in, static_cast<std::size_t>(entries), offsets, column.bytes)) return false;
      column.dictionary.reserve(static_cast<std::size_t>(entries));
      for (std::size_t i = 0; i < entries; ++i)
        column.dictionary.push_back(std::string_view(column.bytes).substr(offsets[i], offsets[i + 1] - offsets[i]));
      const bool from_newest = entries > 256;
      if (entries <= 256 ? !decode_codes(in, n, entries, from_newest, column.codes8)
                         : entries <= 65536 ? !decode_codes(in, n, entries, from_newest, column.codes16)
                                            : !decode_codes(in, n, entries, from_newest, column.codes32))
        return false;
      break;
    }
    case Encoding::kText:
      column.type = LogColumnType::kText;
      if (!decode_texts(in, n, column.offsets, column.bytes)) return false;
      break;
    default:
      return false;
  }
  return in.ok();
}

}  // namespace fog::segments
