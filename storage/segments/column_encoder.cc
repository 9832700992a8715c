// The writing side of the column codec: takes the tightest form that gives every text back exactly.
//
// Format: at the top of column_codec.cc.
#include "storage/segments/column_codec.h"
#include "storage/segments/decimal.h"
#include "storage/segments/shape.h"

#include <algorithm>
#include <cstring>

// The loops over columns are worth vector instructions, which -O2 of GCC 12 uses for the simplest only.
#pragma GCC optimize("tree-vectorize", "vect-cost-model=dynamic")

namespace fog::segments {

namespace {

// Values lie in messages all over the memory: the one that comes a little later is fetched now.
void fetch_ahead(std::span<const std::string_view> values, std::size_t i) {
  constexpr std::size_t kAhead = 12;
  if (i + kAhead < values.size()) __builtin_prefetch(values[i + kAhead].data());
}

// ---- texts of one shape of hex digits ---------------------------------------------------------------------

constexpr std::size_t kHexShapeMin = 8;  // shorter ones gain nothing
constexpr std::size_t kHexShapeMax = 128;

using Bytes = std::array<std::uint8_t, kHexShapeMax>;

bool is_hex(std::uint8_t c) {
  return static_cast<std::uint8_t>(c - '0') < 10 || static_cast<std::uint8_t>(c - 'a') < 6;
}

// What all values have in common: a constant character, or any hex digit, at each place.
class HexShape {
 public:
  // False when they have nothing like that in common.
  bool find(std::span<const std::string_view> values) {
    if (values.size() < 2) return false;
    size_ = values[0].size();
    if (size_ < kHexShapeMin || size_ > kHexShapeMax) return false;
    std::memcpy(expected_.data(), values[0].data(), size_);
    varies_.fill(0);
    for (std::size_t i = 0; i < values.size(); ++i) {
      fetch_ahead(values, i);
      if (values[i].size() != size_ || (!fits(values[i]) && !widen(values[i]))) return false;
    }
    for (std::size_t i = 0; i < size_; ++i)
      if (varies_[i] != 0) places_.push_back(i);
    return places_.size() * 2 >= size_;
  }
  // The constant characters, 0 where digits vary.
  std::string mask() const {
    std::string mask(reinterpret_cast<const char*>(expected_.data()), size_);
    for (const std::size_t place : places_) mask[place] = '\0';
    return mask;
  }
  std::size_t packed_size() const { return (places_.size() + 1) / 2; }
  // Two digits a byte.
  void pack(std::string_view value, char* to) const {
    Bytes digits;
    const auto* from = reinterpret_cast<const std::uint8_t*>(value.data());
    for (std::size_t i = 0; i < size_; ++i)
      digits[i] = static_cast<std::uint8_t>(from[i] - (from[i] >= 'a' ? 'a' - 10 : '0'));
    const std::size_t pairs = places_.size() / 2;
    for (std::size_t i = 0; i < pairs; ++i)
      *to++ = static_cast<char>(digits[places_[2 * i]] << 4 | digits[places_[2 * i + 1]]);
    if (places_.size() % 2 != 0) *to = static_cast<char>(digits[places_.back()] << 4);
  }

 private:
  bool fits(std::string_view value) const {
    const auto* from = reinterpret_cast<const std::uint8_t*>(value.data());
    std::uint8_t wrong = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      const std::uint8_t c = from[i];
      const auto hex = static_cast<std::uint8_t>(
          (static_cast<std::uint8_t>(c - '0') < 10 ? 1 : 0) | (static_cast<std::uint8_t>(c - 'a') < 6 ? 1 : 0));
      const auto same = static_cast<std::uint8_t>(c == expected_[i] ? 1 : 0);
      wrong = static_cast<std::uint8_t>(wrong | (varies_[i] != 0 ? hex ^ 1 : same ^ 1));
    }
    return wrong == 0;
  }
  // Lets digits vary where this value differs.
  bool widen(std::string_view value) {
    for (std::size_t i = 0; i < size_; ++i) {
      const auto c = static_cast<std::uint8_t>(value[i]);
      if (varies_[i] != 0 ? is_hex(c) : c == expected_[i]) continue;
      if (varies_[i] != 0 || !is_hex(c) || !is_hex(expected_[i])) return false;
      varies_[i] = 1;
    }
    return true;
  }

  std::size_t size_ = 0;
  Bytes expected_{};
  Bytes varies_{};
  std::vector<std::size_t> places_;
};

void encode_plain_texts(std::span<const std::string_view> values, std::string& out) {
  ByteWriter(out).fixed<std::uint8_t>(0);
  std::vector<std::int64_t> lengths;
  lengths.reserve(values.size());
  std::size_t total = 0;
  for (const std::string_view value : values) {
    lengths.push_back(static_cast<std::int64_t>(value.size()));
    total += value.size();
  }
  encode_ints(lengths, out);
  out.reserve(out.size() + total);
  for (std::size_t i = 0; i < values.size(); ++i) {
    fetch_ahead(values, i);
    out.append(values[i]);
  }
}

void encode_hex_texts(const HexShape& shape, std::span<const std::string_view> values, std::string& out) {
  ByteWriter to(out);
  to.fixed<std::uint8_t>(1);
  to.text(shape.mask());
  const std::size_t packed = shape.packed_size();
  const std::size_t base = out.size();
  out.resize(base + packed * values.size());
  char* at = out.data() + base;
  for (std::size_t i = 0; i < values.size(); ++i) {
    fetch_ahead(values, i);
    shape.pack(values[i], at);
    at += packed;
  }
}

// ---- dictionaries -----------------------------------------------------------------------------------------

// Not stored; only spreads dictionary candidates over the table.
std::uint64_t quick_hash(std::string_view text) {
  std::uint64_t h = text.size() * 0x9e3779b97f4a7c15ull;
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t piece = 0;
    std::memcpy(&piece, text.data() + i, 8);
    h = (h ^ piece) * 0xff51afd7ed558ccdull;
    h ^= h >> 32;
  }
  if (i < text.size()) {
    std::uint64_t piece = 0;
    std::memcpy(&piece, text.data() + i, text.size() - i);
    h = (h ^ piece) * 0xff51afd7ed558ccdull;
    h ^= h >> 32;
  }
  return h * 0x9fb21c651e98df25ull;
}

bool same_text(std::string_view a, std::string_view b) {
  const std::size_t n = a.size();
  if (n != b.size()) return false;
  if (n < 8 || n > 16) return std::memcmp(a.data(), b.data(), n) == 0;
  // Most words: two overlapping pieces instead of a call.
  std::uint64_t x[2];
  std::uint64_t y[2];
  std::memcpy(&x[0], a.data(), 8);
  std::memcpy(&y[0], b.data(), 8);
  std::memcpy(&x[1], a.data() + n - 8, 8);
  std::memcpy(&y[1], b.data() + n - 8, 8);
  return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

// Distinct values in order of first use. Gives up when nearly every value is new.
class DictionaryBuilder {
 public:
  bool build(std::span<const std::string_view> values) {
    codes.resize(values.size());
    slots_.assign(1024, kEmpty);
    for (std::size_t i = 0; i < values.size(); ++i) {
      fetch_ahead(values, i);
      codes[i] = code_of(values[i]);
      if ((i & 1023) == 1023 && entries.size() * 4 > i * 3 && i > 2000) return false;
    }
    return entries.size() * 4 <= values.size() * 3 || values.size() < 16;
  }
  std::vector<std::string_view> entries;
  std::vector<std::int64_t> codes;

 private:
  static constexpr std::uint32_t kEmpty = 0xffffffffu;
  std::int64_t code_of(std::string_view value) {
    if (entries.size() * 2 >= slots_.size()) grow();
    const std::uint64_t hash = quick_hash(value);
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t i = (hash >> 24) & mask;; i = (i + 1) & mask) {
      const std::uint32_t slot = slots_[i];
      if (slot == kEmpty) {
        slots_[i] = static_cast<std::uint32_t>(entries.size());
        entries.push_back(value);
        hashes_.push_back(hash);
        return static_cast<std::int64_t>(entries.size()) - 1;
      }
      if (hashes_[slot] == hash && same_text(entries[slot], value)) return slot;
    }
  }
  void grow() {
    slots_.assign(slots_.size() * 4, kEmpty);
    const std::size_t mask = slots_.size() - 1;
    for (std::uint32_t entry = 0; entry < hashes_.size(); ++entry) {
      std::size_t i = (hashes_[entry] >> 24) & mask;
      while (slots_[i] != kEmpty) i = (i + 1) & mask;
      slots_[i] = entry;
    }
  }
  std::vector<std::uint32_t> slots_;
  std::vector<std::uint64_t> hashes_;
};

bool all_equal(std::span<const std::string_view> values) {
  for (const std::string_view value : values)
    if (value != values[0]) return false;
  return true;
}

// ---- times and numbers ------------------------------------------------------------------------------------

bool encode_iso(std::span<const std::string_view> values, const RowTimes& row_times, std::string& out) {
  std::int64_t first = 0;
  if (!parse_iso_time(values[0], first)) return false;
  const std::vector<std::int64_t> times = row_times();
  std::vector<std::int64_t> distance(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    fetch_ahead(values, i);
    std::int64_t ms = 0;
    if (!parse_iso_time(values[i], ms)) return false;
    distance[i] = static_cast<std::int64_t>(static_cast<std::uint64_t>(ms) - static_cast<std::uint64_t>(times[i]));
  }
  encode_ints(distance, out);
  return true;
}
bool encode_numbers(std::span<const std::string_view> values, EncodedColumn& column) {
  std::vector<Decimal> numbers(values.size());
  int scale = 0;
  bool fixed = true;      // all of one scale
  bool shortest = true;   // none ends in a zero decimal
  for (std::size_t i = 0; i < values.size(); ++i) {
    fetch_ahead(values, i);
    if (!parse_decimal(values[i], numbers[i])) return false;
    if (i > 0 && numbers[i].scale != numbers[0].scale) fixed = false;
    if (numbers[i].scale > 0 && numbers[i].mantissa % 10 == 0) shortest = false;
    if (!fixed && !shortest) return false;
    scale = std::max(scale, numbers[i].scale);
  }
  std::vector<std::int64_t> mantissas(values.size());
  std::int64_t low = INT64_MAX;
  std::int64_t high = INT64_MIN;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::int64_t wide = 0;
    const std::int64_t power = kPowers[static_cast<std::size_t>(scale - numbers[i].scale)];
    if (__builtin_mul_overflow(numbers[i].mantissa, power, &wide)) return false;
    mantissas[i] = wide;
    low = std::min(low, wide);
    high = std::max(high, wide);
  }
  const double unit = static_cast<double>(kPowers[static_cast<std::size_t>(scale)]);
  column.numeric = true;
  column.min = static_cast<double>(low) / unit;
  column.max = static_cast<double>(high) / unit;
  if (scale == 0) {
    column.encoding = Encoding::kInt;
  } else {
    column.encoding = Encoding::kDecimal;
    ByteWriter to(column.bytes);
    to.fixed<std::uint8_t>(static_cast<std::uint8_t>(scale));
    to.fixed<std::uint8_t>(fixed ? 0 : 1);
  }
  encode_ints(mantissas, column.bytes);
  return true;
}

}  // namespace

EncodedColumn encode_column(std::span<const std::string_view> values, const RowTimes& times, bool unescape,
                            TokenSet* tokens) {
  EncodedColumn column;
  std::string plain;
  const auto add_tokens = [&](std::string_view value) {
    if (tokens != nullptr) tokens->add_text(value);
    if (std::memchr(value.data(), '\\', value.size()) == nullptr) return;
    column.escaped = true;
    if (!unescape || tokens == nullptr) return;
    plain.clear();
    append_unescaped(value, plain);
    tokens->add_text(plain);
  };
  const char lead = values.empty() || values[0].empty() ? '\0' : values[0][0];
  if (is_digit(lead) || lead == '-') {
    if (encode_numbers(values, column)) return column;
    column = {};
    if (encode_iso(values, times, column.bytes)) {
      column.encoding = Encoding::kIsoTime;
      return column;
    }
    column = {};
  }
  ByteWriter to(column.bytes);
  if (!values.empty() && all_equal(values)) {
    column.encoding = Encoding::kConstant;
    to.text(values[0]);
    add_tokens(values[0]);
    return column;
  }
  DictionaryBuilder dictionary;
  const bool has_few = dictionary.build(values);
  const std::span<const std::string_view> texts = has_few ? std::span<const std::string_view>(dictionary.entries) : values;
  column.encoding = has_few ? Encoding::kDictionary : Encoding::kText;
  if (has_few) to.varint(texts.size());
  HexShape shape;
  if (shape.find(texts)) {
    encode_hex_texts(shape, texts, column.bytes);
    if (tokens != nullptr) {
      const std::string mask = shape.mask();
      const ShapedWords words(mask);
      for (const std::string_view value : texts) words.add(value, *tokens);
      // No digit is a backslash: only the constant part can hold one.
      column.escaped = mask.find('\\') != std::string::npos;
      if (column.escaped && unescape)
        for (const std::string_view value : texts) add_tokens(value);
    } else {
      column.escaped = shape.mask().find('\\') != std::string::npos;
    }
  } else {
    encode_plain_texts(texts, column.bytes);
    for (const std::string_view value : texts) add_tokens(value);
  }
  if (!has_few) return column;
  if (texts.size() > 256) {
    std::int64_t used = 0;
    for (std::int64_t& code : dictionary.codes) {
      const std::int64_t plain_code = code;
      code = used - plain_code;
      if (plain_code == used) ++used;
    }
  }
  encode_ints(dictionary.codes, column.bytes);
  return column;
}

}  // namespace fog::segments
