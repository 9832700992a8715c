#include "storage/segments/column_look.h"

#include <array>

#include "storage/base/find_text.h"

namespace fog::segments {

namespace {

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

// All values have the mask's form: the needle must fit somewhere into it.
bool mask_may_hold(std::string_view mask, std::string_view needle) {
  for (std::size_t at = 0; at + needle.size() <= mask.size(); ++at) {
    std::size_t i = 0;
    while (i < needle.size() && (mask[at + i] == 0 ? is_hex(needle[i]) : mask[at + i] == needle[i])) ++i;
    if (i == needle.size()) return true;
  }
  return false;
}

// A list of texts (see column_codec.cc): the mask if they have one, else all of them in a row.
struct TextList {
  std::string_view mask;
  std::string_view bytes;
};
TextList read_list(ByteReader& in, std::size_t n, bool to_the_end) {
  if (in.fixed<std::uint8_t>() == 1) return {in.text(), {}};
  if (to_the_end) {
    in.fixed<std::uint8_t>();  // of the lengths: mode, base, width, lanes
    in.zigzag();
    const std::size_t width = in.fixed<std::uint8_t>();
    in.raw(n * width);
    return {{}, in.rest()};
  }
  std::vector<std::int64_t> lengths;
  std::size_t total = in.rest().size();
  if (decode_ints(in, n, lengths)) {
    total = 0;
    for (const std::int64_t length : lengths) total += static_cast<std::size_t>(length);
  }
  return {{}, in.raw(total)};
}

// The texts of a column; nothing where it has none (numbers, times).
std::optional<TextList> texts_of(Encoding encoding, ByteReader& in, std::size_t n) {
  switch (encoding) {
    case Encoding::kConstant: return TextList{{}, in.text()};
    case Encoding::kText: return read_list(in, n, true);
    case Encoding::kDictionary: {
      const std::uint64_t entries = in.varint();
      if (entries > n) return std::nullopt;
      return read_list(in, static_cast<std::size_t>(entries), false);
    }
    case Encoding::kInt:
    case Encoding::kDecimal:
    case Encoding::kIsoTime: break;
  }
  return std::nullopt;
}

}  // namespace

bool column_may_contain(Encoding encoding, std::string_view bytes, std::size_t n, std::string_view needle) {
  ByteReader in(bytes);
  const std::optional<TextList> texts = texts_of(encoding, in, n);
  if (!texts || !in.ok()) return true;
  return texts->mask.empty() ? holds_text(texts->bytes, needle) : mask_may_hold(texts->mask, needle);
}

bool ColumnLook::may_hold(std::string_view needle) const {
  if (!mask.empty()) return mask_may_hold(mask, needle);
  for (const char c : needle)
    if (!present.test(static_cast<unsigned char>(c))) return false;
  return true;
}

std::optional<ColumnLook> look_at(Encoding encoding, std::string_view bytes, std::size_t n) {
  ByteReader in(bytes);
  const std::optional<TextList> list = texts_of(encoding, in, n);
  if (!list || !in.ok()) return std::nullopt;
  ColumnLook look;
  look.mask = list->mask;
  if (!look.mask.empty()) return look;
  const std::string_view texts = list->bytes;
  // Four tables: repeated characters do not wait for each other's store.
  std::array<std::array<bool, 256>, 4> seen{};
  std::size_t i = 0;
  for (; i + 4 <= texts.size(); i += 4)
    for (std::size_t k = 0; k < 4; ++k) seen[k][static_cast<unsigned char>(texts[i + k])] = true;
  for (; i < texts.size(); ++i) seen[0][static_cast<unsigned char>(texts[i])] = true;
  for (std::size_t c = 0; c < 256; ++c) look.present.set(c, seen[0][c] || seen[1][c] || seen[2][c] || seen[3][c]);
  return look;
}

}  // namespace fog::segments
