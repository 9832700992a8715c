#include "storage/segments/point_read.h"

#include <cstring>

namespace fog::segments {

namespace {

constexpr char kDigits[] = "0123456789abcdef";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// A list of integers, looked at in place.
class IntList {
 public:
  bool read(ByteReader& in, std::size_t n) {
    n_ = n;
    mode_ = in.fixed<std::uint8_t>();
    base_ = static_cast<std::uint64_t>(in.zigzag());
    width_ = in.fixed<std::uint8_t>();
    if (!in.ok() || mode_ > 1 || width_ > 8) return false;
    lanes_ = in.raw(n * width_);
    return in.ok();
  }
  std::int64_t at(std::size_t rank) const {
    if (mode_ == 0) return static_cast<std::int64_t>(base_ + stored(rank));
    std::uint64_t sum = base_;
    for (std::size_t i = 0; i <= rank; ++i) sum += difference(i);
    return static_cast<std::int64_t>(sum);
  }
  // visit(value) of the values from the first one until it returns false.
  template <typename Visit>
  void each(Visit&& visit) const {
    std::uint64_t sum = base_;
    for (std::size_t i = 0; i < n_; ++i) {
      if (mode_ == 1) sum += difference(i);
      if (!visit(static_cast<std::int64_t>(mode_ == 1 ? sum : base_ + stored(i)))) return;
    }
  }

 private:
  std::uint64_t lane(std::size_t k, std::size_t i) const {
    return static_cast<std::uint64_t>(static_cast<unsigned char>(lanes_[k * n_ + i])) << (8 * k);
  }
  std::uint64_t stored(std::size_t i) const {
    if (width_ == 1) return lane(0, i);
    if (width_ == 2) return lane(0, i) | lane(1, i);
    std::uint64_t v = 0;
    for (std::size_t k = 0; k < width_; ++k) v |= lane(k, i);
    return v;
  }
  std::uint64_t difference(std::size_t i) const {
    const std::uint64_t v = stored(i);
    return (v >> 1) ^ (0 - (v & 1));
  }
  std::size_t n_ = 0;
  std::size_t width_ = 0;
  std::uint8_t mode_ = 0;
  std::uint64_t base_ = 0;
  std::string_view lanes_;
};

// A list of texts packed by a mask: 0 where a hex digit is stored.
struct PackedList {
  std::string_view mask;
  std::size_t digits = 0;
  std::size_t width = 0;  // bytes of a value
  std::string_view data;

  bool read(ByteReader& in, std::size_t n) {  // behind the mode
    mask = in.text();
    for (const char c : mask) digits += c == 0 ? 1 : 0;
    width = (digits + 1) / 2;
    data = in.raw(width * n);
    return in.ok() && !mask.empty();
  }
};

// Text number `rank` of a list; `in` is behind the list afterwards.
bool read_text(ByteReader& in, std::size_t n, std::size_t rank, std::string& text) {
  const auto mode = in.fixed<std::uint8_t>();
  if (!in.ok() || mode > 1) return false;
  if (mode == 1) {
    PackedList list;
    if (!list.read(in, n)) return false;
    std::size_t digit = 0;
    for (const char c : list.mask) {
      if (c != 0) {
        text += c;
        continue;
      }
      const auto byte = static_cast<unsigned char>(list.data[rank * list.width + digit / 2]);
      text += kDigits[digit % 2 == 0 ? byte >> 4 : byte & 15];
      ++digit;
    }
    return true;
  }
  IntList lengths;
  if (!lengths.read(in, n)) return false;
  const std::size_t most = in.rest().size();
  std::size_t begin = 0;
  std::size_t size = 0;
  std::size_t end = 0;
  std::size_t i = 0;
  lengths.each([&](std::int64_t length) {
    if (length < 0 || static_cast<std::uint64_t>(length) > most - end) {
      end = SIZE_MAX;
      return false;
    }
    if (i++ == rank) {
      begin = end;
      size = static_cast<std::size_t>(length);
    }
    end += static_cast<std::size_t>(length);
    return true;
  });
  if (end > most || i != n) return false;
  text.append(in.raw(end).substr(begin, size));
  return true;
}

bool append_entry(ByteReader in, std::size_t n, std::size_t rank, std::string& out) {
  const std::uint64_t entries64 = in.varint();
  if (!in.ok() || entries64 == 0 || entries64 > n) return false;
  const auto entries = static_cast<std::size_t>(entries64);
  // The codes lie behind the texts.
  ByteReader behind = in;
  std::string first;
  if (!read_text(behind, entries, 0, first)) return false;
  IntList codes;
  if (!codes.read(behind, n)) return false;
  std::uint64_t code = 0;
  if (entries <= 256) {
    code = static_cast<std::uint64_t>(codes.at(rank));
  } else {
    std::uint64_t used = 0;
    std::size_t i = 0;
    codes.each([&](std::int64_t back) {
      code = used - static_cast<std::uint64_t>(back);
      used += back == 0 ? 1 : 0;
      return i++ < rank;
    });
  }
  return code < entries && read_text(in, entries, static_cast<std::size_t>(code), out);
}

}  // namespace

bool append_value(Encoding encoding, std::string_view bytes, std::size_t n, std::size_t rank, std::int64_t row_time_ms,
                  std::string& out) {
  if (rank >= n) return false;
  ByteReader in(bytes);
  IntList ints;
  switch (encoding) {
    case Encoding::kConstant: out.append(in.text()); return in.ok();
    case Encoding::kInt:
      if (!ints.read(in, n)) return false;
      append_int(ints.at(rank), out);
      return true;
    case Encoding::kDecimal: {
      const int scale = in.fixed<std::uint8_t>();
      const bool shortest = in.fixed<std::uint8_t>() != 0;
      if (scale > 18 || !ints.read(in, n)) return false;
      append_decimal(ints.at(rank), scale, shortest, out);
      return true;
    }
    case Encoding::kIsoTime: {
      if (!ints.read(in, n)) return false;
      char text[kIsoTimeSize];
      format_iso_time(static_cast<std::int64_t>(static_cast<std::uint64_t>(ints.at(rank)) + static_cast<std::uint64_t>(row_time_ms)), text);
      out.append(text, kIsoTimeSize);
      return true;
    }
    case Encoding::kDictionary: return append_entry(in, n, rank, out);
    case Encoding::kText: return read_text(in, n, rank, out);
  }
  return false;
}

bool find_packed(Encoding encoding, std::string_view bytes, std::size_t n, std::string_view text,
                 std::vector<std::size_t>& ranks) {
  if (encoding != Encoding::kText) return false;
  ByteReader in(bytes);
  if (in.fixed<std::uint8_t>() != 1) return false;
  PackedList list;
  if (!list.read(in, n) || list.mask.size() != text.size()) return false;
  std::string packed(list.width, '\0');
  std::size_t digit = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (list.mask[i] != 0) {
      if (list.mask[i] != text[i]) return true;  // another shape: equals none
      continue;
    }
    const int value = hex_digit(text[i]);
    if (value < 0) return true;
    packed[digit / 2] = static_cast<char>(packed[digit / 2] | (digit % 2 == 0 ? value << 4 : value));
    ++digit;
  }
  const char* at = list.data.data();
  for (std::size_t rank = 0; rank < n; ++rank, at += list.width)
    if (std::memcmp(at, packed.data(), list.width) == 0) ranks.push_back(rank);
  return true;
}

}  // namespace fog::segments
