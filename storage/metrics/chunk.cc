// Format of a chunk (integers little-endian, varint and zigzag as in storage/base/bytes.h):
//
//   u8      version, 1
//   varint  n, number of slots (at least 1)
//   varint  number of the first slot
//   times   u8 mode:
//             0  every following slot is one more than the last
//             1  varint pairs, then (varint gap - 1, varint run) each: `run` times a step of `gap`
//             2  varint span, then a bitmap of span bits; bit i: slot first + 1 + i is present
//   varint  w, number of wide slots (more than one observation); if w > 0 their positions as varint
//           distances (the first from -1, so each is at least 1)
//   column  of the n - w single values, if there are any
//   if w > 0:
//     four columns of w: count, sum, min, max
//     varint raw length, u8 packing (0 plain, 1 zstd), varint stored length; raw is: varint number of
//     exact values, their column, then the rest of each distribution in order
//   u32     crc32c of everything before
//
// A column of m doubles: u8 mode:
//   0  all equal: one double
//   1  scaled decimals: u8 exponent e, then packed integers; value = integer / 10^e
//   2  the same, integers being differences to the one before (the first stored as zigzag)
//   3  for each value its XOR with the one before: u8 (leading zero bytes << 4 | trailing), the rest
//   4  raw doubles
// Packed integers: groups of 128: zigzag minimum, u8 width (0-56, or 64), then the differences to
// the minimum in `width` bits each, lowest bit first, padded to a byte.
//
// Example: one value 1.5 in slot 7: 01 01 07 00 00 | 00 00000000 0000f83f | crc.
#include "storage/metrics/chunk.h"

#include <zstd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <span>

#include "storage/base/bytes.h"
#include "storage/base/hash.h"

namespace fog::metrics {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint64_t kSlotsMax = 1u << 20;
constexpr std::uint64_t kDistributionBytesMax = 1u << 30;
constexpr std::size_t kGroup = 128;
constexpr int kExponentMax = 12;
constexpr std::array<double, kExponentMax + 1> kPowers = {1e0, 1e1, 1e2, 1e3, 1e4,  1e5, 1e6,
                                                          1e7, 1e8, 1e9, 1e10, 1e11, 1e12};
constexpr double kIntegerMax = 4503599627370496.0;  // 2^52: exact in a double with room to round

// --- integers -----------------------------------------------------------------------------------

int width_of(std::uint64_t range) { return range == 0 ? 0 : 64 - std::countl_zero(range); }

void pack(ByteWriter& out, std::span<const std::int64_t> integers) {
  for (std::size_t at = 0; at < integers.size(); at += kGroup) {
    const auto group = integers.subspan(at, std::min(kGroup, integers.size() - at));
    const auto [low, high] = std::minmax_element(group.begin(), group.end());
    const std::int64_t base = *low;
    int width = width_of(static_cast<std::uint64_t>(*high) - static_cast<std::uint64_t>(base));
    if (width > 56) width = 64;
    out.zigzag(base);
    out.fixed(static_cast<std::uint8_t>(width));
    if (width == 64) {
      for (const std::int64_t value : group)
        out.fixed(static_cast<std::uint64_t>(value) - static_cast<std::uint64_t>(base));
      continue;
    }
    std::uint64_t pending = 0;
    int bits = 0;
    for (const std::int64_t value : group) {
      const auto delta = static_cast<std::uint64_t>(value) - static_cast<std::uint64_t>(base);
      pending |= delta << bits;  // bits < 8 here, width <= 56
      bits += width;
      while (bits >= 8) {
        out.fixed(static_cast<std::uint8_t>(pending));
        pending >>= 8;
        bits -= 8;
      }
    }
    if (bits > 0) out.fixed(static_cast<std::uint8_t>(pending));
  }
}

// Which values of a column are wanted: groups wholly outside are passed over.
struct Wanted {
  std::size_t from = 0;
  std::size_t to = SIZE_MAX;
};

bool unpack(ByteReader& in, std::span<std::int64_t> integers, Wanted wanted = {}) {
  for (std::size_t at = 0; at < integers.size(); at += kGroup) {
    const auto group = integers.subspan(at, std::min(kGroup, integers.size() - at));
    const std::int64_t base = in.zigzag();
    const unsigned width = in.fixed<std::uint8_t>();
    if (width > 56 && width != 64) return false;
    if (at + group.size() <= wanted.from || at >= wanted.to) {
      in.raw((group.size() * width + 7) / 8);
      if (!in.ok()) return false;
      continue;
    }
    if (width == 64) {
      for (std::int64_t& value : group)
        value = static_cast<std::int64_t>(static_cast<std::uint64_t>(base) +
                                          in.fixed<std::uint64_t>());
      if (!in.ok()) return false;
      continue;
    }
    const std::size_t bytes = (group.size() * width + 7) / 8;
    const std::size_t readable = in.rest().size();
    const std::string_view raw = in.raw(bytes);
    if (!in.ok()) return false;
    const char* data = raw.data();
    // The last words are read past the group's end: from a copy where the chunk ends too soon.
    std::array<char, kGroup * 7 + 8> copy;
    if (readable < bytes + 8) {
      std::memcpy(copy.data(), data, bytes);
      std::memset(copy.data() + bytes, 0, 8);
      data = copy.data();
    }
    const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
    std::size_t bit = 0;
    for (std::int64_t& value : group) {
      std::uint64_t word = 0;
      std::memcpy(&word, data + bit / 8, 8);
      value = base + static_cast<std::int64_t>((word >> (bit % 8)) & mask);
      bit += width;
    }
  }
  return true;
}

// --- columns of doubles ---------------------------------------------------------------------------

// The smallest power of ten that turns all values into integers that divide back exactly.
int decimal_exponent(std::span<const double> values, std::vector<std::int64_t>& integers) {
  int exponent = 0;
  for (const double value : values) {
    while (exponent <= kExponentMax) {
      const double scaled = value * kPowers[static_cast<std::size_t>(exponent)];
      if (!(std::fabs(scaled) < kIntegerMax)) return -1;
      if (std::nearbyint(scaled) / kPowers[static_cast<std::size_t>(exponent)] == value) break;
      ++exponent;
    }
    if (exponent > kExponentMax) return -1;
  }
  const double power = kPowers[static_cast<std::size_t>(exponent)];
  integers.clear();
  for (const double value : values) {
    const double scaled = std::nearbyint(value * power);
    if (!(std::fabs(scaled) < kIntegerMax) || scaled / power != value || std::signbit(value) != std::signbit(scaled / power))
      return -1;
    integers.push_back(static_cast<std::int64_t>(scaled));
  }
  return exponent;
}

std::size_t packed_bits(std::span<const std::int64_t> integers) {
  std::size_t bits = 0;
  for (std::size_t at = 0; at < integers.size(); at += kGroup) {
    const auto group = integers.subspan(at, std::min(kGroup, integers.size() - at));
    const auto [low, high] = std::minmax_element(group.begin(), group.end());
    bits += group.size() * static_cast<std::size_t>(width_of(static_cast<std::uint64_t>(*high) -
                                                             static_cast<std::uint64_t>(*low)));
  }
  return bits;
}

void put_xor(std::string& out, std::span<const double> values) {
  std::uint64_t previous = 0;
  for (const double value : values) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    const std::uint64_t difference = bits ^ previous;
    previous = bits;
    const int lead = difference == 0 ? 8 : std::countl_zero(difference) / 8;
    const int trail = difference == 0 ? 0 : std::countr_zero(difference) / 8;
    out.push_back(static_cast<char>(lead << 4 | trail));
    for (int byte = trail; byte < 8 - lead; ++byte)
      out.push_back(static_cast<char>(difference >> (8 * byte)));
  }
}

void put_column(std::string& out, std::span<const double> values) {
  ByteWriter writer(out);
  if (std::all_of(values.begin(), values.end(), [&](double v) {
        return std::bit_cast<std::uint64_t>(v) == std::bit_cast<std::uint64_t>(values[0]);
      })) {
    writer.fixed(std::uint8_t{0});
    writer.fixed(values[0]);
    return;
  }
  std::vector<std::int64_t> integers;
  integers.reserve(values.size());
  if (const int exponent = decimal_exponent(values, integers); exponent >= 0) {
    std::vector<std::int64_t> steps(integers.size() - 1);
    for (std::size_t i = 1; i < integers.size(); ++i) steps[i - 1] = integers[i] - integers[i - 1];
    const bool differences = packed_bits(steps) < packed_bits(integers);
    writer.fixed(static_cast<std::uint8_t>(differences ? 2 : 1));
    writer.fixed(static_cast<std::uint8_t>(exponent));
    if (differences) writer.zigzag(integers[0]);
    pack(writer, differences ? steps : integers);
    return;
  }
  std::string packed;
  put_xor(packed, values);
  if (packed.size() < values.size() * 8) {
    writer.fixed(std::uint8_t{3});
    writer.raw(packed);
    return;
  }
  writer.fixed(std::uint8_t{4});
  for (const double value : values) writer.fixed(value);
}

bool get_column(ByteReader& in, std::span<double> values, std::vector<std::int64_t>& integers,
                Wanted wanted = {}) {
  wanted.to = std::min(wanted.to, values.size());
  const auto mode = in.fixed<std::uint8_t>();
  switch (mode) {
    case 0:
      std::fill(values.begin(), values.end(), in.fixed<double>());
      break;
    case 1:
    case 2: {
      const auto exponent = in.fixed<std::uint8_t>();
      if (exponent > kExponentMax || values.empty()) return false;
      const double power = kPowers[exponent];
      integers.resize(values.size());
      if (mode == 1) {
        if (!unpack(in, integers, wanted)) return false;
      } else {
        integers[0] = in.zigzag();
        if (!unpack(in, std::span(integers).subspan(1))) return false;
        for (std::size_t i = 1; i < integers.size(); ++i)
          integers[i] = static_cast<std::int64_t>(static_cast<std::uint64_t>(integers[i]) +
                                                  static_cast<std::uint64_t>(integers[i - 1]));
      }
      if (exponent == 0)
        for (std::size_t i = wanted.from; i < wanted.to; ++i) values[i] = static_cast<double>(integers[i]);
      else
        for (std::size_t i = wanted.from; i < wanted.to; ++i)
          values[i] = static_cast<double>(integers[i]) / power;
      break;
    }
    case 3: {
      std::uint64_t previous = 0;
      for (double& value : values) {
        const auto control = in.fixed<std::uint8_t>();
        const unsigned lead = control >> 4;
        const unsigned trail = control & 15;
        if (lead + trail > 8) return false;
        std::uint64_t difference = 0;
        for (unsigned byte = trail; byte < 8 - lead; ++byte)
          difference |= static_cast<std::uint64_t>(in.fixed<std::uint8_t>()) << (8 * byte);
        previous ^= difference;
        value = std::bit_cast<double>(previous);
      }
      break;
    }
    case 4:
      for (double& value : values) value = in.fixed<double>();
      break;
    default:
      return false;
  }
  return in.ok();
}

// --- times ----------------------------------------------------------------------------------------

void put_times(std::string& out, const std::vector<std::uint32_t>& slots) {
  ByteWriter writer(out);
  const std::uint64_t span = slots.back() - slots.front();
  if (span == slots.size() - 1) {
    writer.fixed(std::uint8_t{0});
    return;
  }
  std::string runs;
  ByteWriter run_writer(runs);
  std::uint64_t pairs = 0;
  for (std::size_t i = 1; i < slots.size();) {
    const std::uint32_t gap = slots[i] - slots[i - 1];
    std::size_t next = i + 1;
    while (next < slots.size() && slots[next] - slots[next - 1] == gap) ++next;
    run_writer.varint(gap - 1);
    run_writer.varint(next - i);
    ++pairs;
    i = next;
  }
  if (runs.size() <= (span + 7) / 8) {
    writer.fixed(std::uint8_t{1});
    writer.varint(pairs);
    writer.raw(runs);
    return;
  }
  writer.fixed(std::uint8_t{2});
  writer.varint(span);
  std::string bitmap((span + 7) / 8, '\0');
  for (std::size_t i = 1; i < slots.size(); ++i) {
    const std::uint32_t bit = slots[i] - slots[0] - 1;
    bitmap[bit / 8] = static_cast<char>(bitmap[bit / 8] | (1 << (bit % 8)));
  }
  writer.raw(bitmap);
}

bool get_times(ByteReader& in, std::uint64_t n, std::vector<std::uint32_t>& slots) {
  const std::uint64_t first = in.varint();
  if (first > UINT32_MAX) return false;
  slots.clear();
  slots.push_back(static_cast<std::uint32_t>(first));
  std::uint64_t last = first;
  switch (in.fixed<std::uint8_t>()) {
    case 0:
      slots.resize(n);
      for (std::uint64_t i = 1; i < n; ++i) slots[i] = static_cast<std::uint32_t>(first + i);
      last = first + n - 1;
      break;
    case 1:
      for (std::uint64_t pairs = in.varint(); pairs > 0 && in.ok(); --pairs) {
        const std::uint64_t gap = in.varint() + 1;
        const std::uint64_t run = in.varint();
        if (run > n - slots.size() || gap > UINT32_MAX) return false;
        for (std::uint64_t i = 0; i < run; ++i) {
          last += gap;
          slots.push_back(static_cast<std::uint32_t>(last));
        }
      }
      break;
    case 2: {
      const std::uint64_t span = in.varint();
      if (span > kSlotsMax * 8) return false;
      const std::string_view bitmap = in.raw((span + 7) / 8);
      for (std::size_t byte = 0; byte < bitmap.size(); ++byte)
        for (auto bits = static_cast<unsigned char>(bitmap[byte]); bits != 0;
             bits = static_cast<unsigned char>(bits & (bits - 1))) {
          last = first + 1 + byte * 8 + static_cast<unsigned>(std::countr_zero(bits));
          slots.push_back(static_cast<std::uint32_t>(last));
        }
      break;
    }
    default:
      return false;
  }
  return in.ok() && slots.size() == n && last <= UINT32_MAX;
}

// --- distributions --------------------------------------------------------------------------------

void put_distributions(std::string& out, const std::vector<const WideSlot*>& wides) {
  std::string raw;
  std::string rest;
  ByteWriter rest_writer(rest);
  std::vector<double> values;
  for (const WideSlot* wide : wides) wide->distribution.encode(rest_writer, values);
  ByteWriter raw_writer(raw);
  raw_writer.varint(values.size());
  if (!values.empty()) put_column(raw, values);
  raw_writer.raw(rest);
  ByteWriter writer(out);
  writer.varint(raw.size());
  std::string packed(ZSTD_compressBound(raw.size()), '\0');
  const std::size_t size = ZSTD_compress(packed.data(), packed.size(), raw.data(), raw.size(), 1);
  const bool use = ZSTD_isError(size) == 0 && size < raw.size();
  packed.resize(use ? size : 0);
  writer.fixed(static_cast<std::uint8_t>(use ? 1 : 0));
  writer.text(use ? packed : raw);
}

bool get_distributions(ByteReader& in, bool wanted, std::vector<WideSlot>& wides) {
  const std::uint64_t raw_size = in.varint();
  const auto packing = in.fixed<std::uint8_t>();
  const std::string_view stored = in.text();
  if (!in.ok() || packing > 1 || raw_size > kDistributionBytesMax) return false;
  if (!wanted) return true;
  std::string raw;
  std::string_view bytes = stored;
  if (packing == 1) {
    if (ZSTD_getFrameContentSize(stored.data(), stored.size()) != raw_size) return false;
    raw.resize(raw_size);
    const std::size_t size = ZSTD_decompress(raw.data(), raw.size(), stored.data(), stored.size());
    if (ZSTD_isError(size) != 0 || size != raw_size) return false;
    bytes = raw;
  }
  ByteReader reader(bytes);
  const std::uint64_t n = reader.varint();
  if (n > kDistributionBytesMax / sizeof(double)) return false;
  std::vector<double> values(n);
  std::vector<std::int64_t> integers;
  if (n > 0 && !get_column(reader, values, integers)) return false;
  std::span<const double> left = values;
  for (WideSlot& wide : wides) wide.distribution = Distribution::decode(reader, left);
  return reader.ok();
}

}  // namespace

std::string encode_chunk(const SlotBlock& block) {
  FOG_ASSERT(block.size() > 0, "a chunk has slots");
  std::string out;
  out.reserve(block.size() * 3 + 32);
  ByteWriter writer(out);
  writer.fixed(kVersion);
  writer.varint(block.size());
  writer.varint(block.slots[0]);
  put_times(out, block.slots);

  std::vector<double> singles;
  std::vector<const WideSlot*> wides;
  std::string positions;
  ByteWriter position_writer(positions);
  std::size_t previous = SIZE_MAX;  // -1
  for (std::size_t i = 0; i < block.size(); ++i) {
    if (!is_wide(block.values[i])) {
      singles.push_back(block.values[i]);
      continue;
    }
    wides.push_back(&block.wides[wide_index(block.values[i])]);
    position_writer.varint(i - previous);
    previous = i;
  }
  writer.varint(wides.size());
  writer.raw(positions);
  if (!singles.empty()) put_column(out, singles);
  if (!wides.empty()) {
    std::vector<double> column(wides.size());
    for (const auto member : {&WideSlot::count, &WideSlot::sum, &WideSlot::min, &WideSlot::max}) {
      for (std::size_t i = 0; i < wides.size(); ++i) column[i] = wides[i]->*member;
      put_column(out, column);
    }
    put_distributions(out, wides);
  }
  writer.fixed(crc32c(out));
  return out;
}

Status decode_chunk(std::string_view bytes, bool with_distributions, SlotBlock& into,
                    std::uint32_t from, std::uint32_t to) {
  const auto corrupt = [] { return Error::corrupt("metric chunk is damaged"); };
  into.clear();
  if (bytes.size() < 4) return corrupt();
  const std::string_view body = bytes.substr(0, bytes.size() - 4);
  std::uint32_t crc = 0;
  std::memcpy(&crc, bytes.data() + body.size(), 4);
  if (crc != crc32c(body)) return corrupt();

  ByteReader in(body);
  if (in.fixed<std::uint8_t>() != kVersion) return corrupt();
  const std::uint64_t n = in.varint();
  if (n == 0 || n > kSlotsMax || !get_times(in, n, into.slots)) return corrupt();
  const std::uint64_t wide_n = in.varint();
  if (wide_n > n) return corrupt();
  std::vector<std::uint64_t> positions(wide_n);
  std::uint64_t position = UINT64_MAX;  // -1
  for (std::uint64_t& p : positions) {
    const std::uint64_t step = in.varint();
    position += step;
    if (step == 0 || step > n || position >= n) return corrupt();
    p = position;
  }
  std::vector<std::int64_t> integers;
  into.values.resize(n);
  if (wide_n == 0) {
    const auto first = std::lower_bound(into.slots.begin(), into.slots.end(), from);
    const auto last = std::lower_bound(first, into.slots.end(), to);
    const Wanted wanted{static_cast<std::size_t>(first - into.slots.begin()),
                        static_cast<std::size_t>(last - into.slots.begin())};
    if (!get_column(in, into.values, integers, wanted)) return corrupt();
    if (wanted.to - wanted.from == n) return Ok{};
    into.slots.erase(last, into.slots.end());
    into.slots.erase(into.slots.begin(), first);
    into.values.resize(wanted.to);
    into.values.erase(into.values.begin(), into.values.begin() + static_cast<std::ptrdiff_t>(wanted.from));
    return Ok{};
  }
  std::vector<double> column(n - wide_n);
  if (!column.empty() && !get_column(in, column, integers)) return corrupt();
  std::size_t next_wide = 0;
  std::size_t next_single = 0;
  for (std::size_t i = 0; i < n; ++i)
    if (next_wide < wide_n && positions[next_wide] == i)
      into.values[i] = wide_mark(static_cast<std::uint32_t>(next_wide++));
    else
      into.values[i] = column[next_single++];
  into.wides.resize(wide_n);
  column.resize(wide_n);
  for (const auto member : {&WideSlot::count, &WideSlot::sum, &WideSlot::min, &WideSlot::max}) {
    if (!get_column(in, column, integers)) return corrupt();
    for (std::size_t i = 0; i < wide_n; ++i) into.wides[i].*member = column[i];
  }
  if (!get_distributions(in, with_distributions, into.wides)) return corrupt();
  return Ok{};
}

SlotBlock merge_blocks(const SlotBlock& a, const SlotBlock& b) {
  SlotBlock out;
  out.slots.reserve(a.size() + b.size());
  out.values.reserve(a.size() + b.size());
  const auto copy = [&out](const SlotBlock& from, std::size_t i) {
    if (is_wide(from.values[i]))
      out.push_wide(from.slots[i], from.wides[wide_index(from.values[i])]);
    else
      out.push_value(from.slots[i], from.values[i]);
  };
  std::size_t i = 0;
  std::size_t k = 0;
  while (i < a.size() || k < b.size()) {
    if (k == b.size() || (i < a.size() && a.slots[i] < b.slots[k])) {
      copy(a, i++);
    } else if (i == a.size() || b.slots[k] < a.slots[i]) {
      copy(b, k++);
    } else {
      WideSlot wide = a.wide_at(i);
      wide.merge(b.wide_at(k));
      out.push_wide(a.slots[i], std::move(wide));
      ++i;
      ++k;
    }
  }
  return out;
}

SlotBlock coarsen(const SlotBlock& block, std::uint32_t factor) {
  SlotBlock out;
  for (std::size_t i = 0; i < block.size();) {
    const std::uint32_t slot = block.slots[i] / factor;
    std::size_t end = i + 1;
    while (end < block.size() && block.slots[end] / factor == slot) ++end;
    if (end == i + 1 && !is_wide(block.values[i])) {
      out.push_value(slot, block.values[i]);
    } else {
      WideSlot wide = block.wide_at(i);
      for (std::size_t k = i + 1; k < end; ++k) {
        if (is_wide(block.values[k]))
          wide.merge(block.wides[wide_index(block.values[k])]);
        else
          wide.add_value(block.values[k], 1);
      }
      out.push_wide(slot, std::move(wide));
    }
    i = end;
  }
  return out;
}

}  // namespace fog::metrics
