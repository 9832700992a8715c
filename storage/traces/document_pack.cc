// Block: varint length and pack_blob of the values; crc32c of the ids; the ids.
// Values: varint n and n texts {varint length, bytes}; then of each trace varint documents (its id, 2 x 8
// bytes, goes to the ids), each: zigzag received_ms and lsn since the one before, varint number of the
// shape, and for each mark in the shape what it stands for:
//   kText     varint number of the text between the quotes
//   kVerbatim varint number of the text (a number no other kind holds)
//   kInteger  zigzag
//   kDecimal  varint: zigzag(digits without the point - those of the decimal before) * 8 + places
//   kTrace    nothing: "<id of the trace>";  kId, kWideId: 8 or 16 bytes of the ids, as hex in quotes
// Marks are control characters, which can't stand in JSON.
#include "storage/traces/document_pack.h"

#include <bit>
#include <cstring>
#include <utility>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/base/hash.h"
#include "storage/traces/facts.h"
#include "storage/traces/wrapping.h"

namespace fog::traces {

namespace {

enum Mark : char { kText = 1, kVerbatim, kInteger, kDecimal, kTrace, kId, kWideId };

constexpr std::array<std::int64_t, 8> kPowers = {1, 10, 100, 1000, 10'000, 100'000, 1'000'000, 10'000'000};
constexpr std::int64_t kWholeMax = 20'000'000'000;  // of decimals; sevenfold places fit 64 bits
constexpr std::size_t kIntegerDigitsMax = 18;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr auto kLowerHex = [] {
  std::array<std::uint8_t, 256> table{};
  table.fill(0xff);
  for (std::uint8_t i = 0; i < 10; ++i) table['0' + i] = i;
  for (std::uint8_t i = 0; i < 6; ++i) table['a' + i] = static_cast<std::uint8_t>(10 + i);
  return table;
}();

// Appends the bytes of lower-case hex; false, with nothing appended, for any other text.
bool append_bytes(std::string_view hex, std::string& out) {
  std::array<char, 16> bytes;
  unsigned bad = 0;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const unsigned high = kLowerHex[static_cast<unsigned char>(hex[i])];
    const unsigned low = kLowerHex[static_cast<unsigned char>(hex[i + 1])];
    bad |= high | low;
    bytes[i / 2] = static_cast<char>(high << 4 | (low & 15));
  }
  if (bad > 15) return false;
  out.append(bytes.data(), hex.size() / 2);
  return true;
}

// Where the string that begins at `at` (its quote) ends: after the closing quote. Eight bytes a step.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u, kHighs = 0x8080808080808080u;
  const auto zero_bytes = [](std::uint64_t word) { return (word - kOnes) & ~word & kHighs; };
  ++at;
  while (at < text.size()) {
    if (at + 8 <= text.size()) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data() + at, 8);
      const auto found = zero_bytes(word ^ (kOnes * '"')) | zero_bytes(word ^ (kOnes * '\\'));
      if (found == 0) {
        at += 8;
        continue;
      }
      at += static_cast<std::size_t>(std::countr_zero(found)) / 8;
    }
    if (text[at] == '"') return at + 1;
    at += text[at] == '\\' ? 2 : 1;
  }
  return text.size();
}

void append_hex(std::string_view bytes, std::string& out) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (const char c : bytes) {
    out.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    out.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
  }
}

void append_number(std::int64_t value, std::size_t places, std::string& out) {
  const bool negative = value < 0;
  auto rest = negative ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  std::array<char, 24> digits;
  std::size_t at = digits.size();
  for (std::size_t n = 0; rest > 0 || n <= places; ++n) {
    if (n == places && places > 0) digits[--at] = '.';
    digits[--at] = static_cast<char>('0' + rest % 10);
    rest /= 10;
  }
  if (negative) digits[--at] = '-';
  out.append(digits.data() + at, digits.size() - at);
}

std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}

// A shape taken apart: a literal before each mark, one after the last.
struct Shape {
  struct Piece {
    std::string_view literal;
    char mark;
  };
  std::vector<Piece> pieces;
  std::string_view tail;
  bool known = false;

  void read(std::string_view text) {
    known = true;
    std::size_t from = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (text[at] < kText || text[at] > kWideId) continue;
      pieces.push_back({text.substr(from, at - from), text[at]});
      from = at + 1;
    }
    tail = text.substr(from);
  }
};

// Reads the documents of a block one after the other.
class Unpacker {
 public:
  Unpacker(std::string_view values, std::string_view ids) : in_(values), ids_(ids) {}

  bool read_strings() {
    const auto n = in_.varint();
    if (n > in_.rest().size()) return false;
    strings_.reserve(static_cast<std::size_t>(n));
    for (std::uint64_t i = 0; i < n; ++i) strings_.push_back(in_.text());
    shapes_.resize(strings_.size());
    return in_.ok();
  }
  bool at_end() const { return in_.at_end(); }
  bool sound() const { return in_.ok() && ids_.ok() && sound_; }

  std::uint64_t begin_trace() {
    TraceId id;
    id.hi = ids_.fixed<std::uint64_t>();
    id.lo = ids_.fixed<std::uint64_t>();
    trace_text_ = to_string(id);
    return in_.varint();
  }

  // `text` null: only past it.
  void document(PackedDocument& out, std::string* text) {
    out.received_ms = wrapping_sum(out.received_ms, in_.zigzag());
    out.lsn += static_cast<std::uint64_t>(in_.zigzag());
    const auto number = in_.varint();
    if (number >= shapes_.size()) {
      sound_ = false;
      return;
    }
    auto& shape = shapes_[static_cast<std::size_t>(number)];
    if (!shape.known) shape.read(strings_[static_cast<std::size_t>(number)]);
    for (const auto& [literal, mark] : shape.pieces) {
      if (text == nullptr) {
        pass(mark);
        continue;
      }
      text->append(literal);
      value(mark, *text);
    }
    if (text != nullptr) text->append(shape.tail);
  }

 private:
  std::string_view text_of(std::uint64_t number) {
    if (number < strings_.size()) return strings_[static_cast<std::size_t>(number)];
    sound_ = false;
    return {};
  }
  // Decimals follow one another, so each must be read.
  std::pair<std::int64_t, std::size_t> decimal() {
    const auto code = in_.varint();
    const std::size_t places = code & 7;
    const auto difference = static_cast<std::int64_t>(code >> 4) ^ -static_cast<std::int64_t>(code >> 3 & 1);
    // Unsigned, because damage that passes the checks must not be undefined.
    const auto value = static_cast<std::int64_t>(static_cast<std::uint64_t>(before_decimal_ / kPowers[7 - places]) +
                                                 static_cast<std::uint64_t>(difference));
    before_decimal_ = static_cast<std::int64_t>(static_cast<std::uint64_t>(value) *
                                                static_cast<std::uint64_t>(kPowers[7 - places]));
    return {value, places};
  }
  void pass(char mark) {
    if (mark == kDecimal) decimal();
    else if (mark == kId) ids_.raw(8);
    else if (mark == kWideId) ids_.raw(16);
    else if (mark != kTrace) in_.varint();
  }
  void value(char mark, std::string& text) {
    switch (mark) {
      case kVerbatim: text += text_of(in_.varint()); return;
      case kInteger: append_number(in_.zigzag(), 0, text); return;
      case kDecimal: {
        const auto [value, places] = decimal();
        append_number(value, places, text);
        return;
      }
      default: break;
    }
    text.push_back('"');
    if (mark == kText) text += text_of(in_.varint());
    else if (mark == kTrace) text += trace_text_;
    else append_hex(ids_.raw(mark == kId ? 8 : 16), text);
    text.push_back('"');
  }

  ByteReader in_, ids_;
  std::vector<std::string_view> strings_;
  std::vector<Shape> shapes_;  // of the strings that are one
  std::string trace_text_;
  std::int64_t before_decimal_ = 0;
  bool sound_ = true;
};

}  // namespace

void DocumentPacker::begin_trace(TraceId id, std::size_t documents) {
  const auto text = to_string(id);
  std::copy(text.begin(), text.end(), trace_text_.begin());
  ByteWriter(values_).varint(documents);
  ByteWriter ids(ids_);
  ids.fixed(id.hi);
  ids.fixed(id.lo);
}

void DocumentPacker::add(const PackedDocument& document) {
  raw_bytes_ += document.text.size();
  shape_.clear();
  of_document_.clear();
  split(document.text);
  ByteWriter out(values_);
  out.zigzag(document.received_ms - before_ms_);
  out.zigzag(static_cast<std::int64_t>(document.lsn - before_lsn_));
  before_ms_ = document.received_ms;
  before_lsn_ = document.lsn;
  out.varint(strings_.ref(shape_));
  values_ += of_document_;
}

void DocumentPacker::split(std::string_view text) {
  std::size_t copied = 0;  // up to here the text is in the shape or a value
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c != '"' && c != '-' && !is_digit(c)) {
      ++at;
      continue;
    }
    std::size_t end = at;
    if (c == '"') {
      end = end_of_string(text, at);
      std::size_t next = end;
      while (next < text.size() && text[next] != ':' && text[next] != ',' && (text[next] == ' ' || text[next] == '\n' || text[next] == '\r' || text[next] == '\t')) ++next;
      if (next < text.size() && text[next] == ':') {  // the name of a member
        at = next;
        continue;
      }
    }
    shape_.append(text.substr(copied, at - copied));
    copied = at = c == '"' ? take_string(text.substr(0, end), at) : take_number(text, at);
  }
  shape_.append(text.substr(copied));
}

// `text` ends after the closing quote.
std::size_t DocumentPacker::take_string(std::string_view text, std::size_t at) {
  const auto inner = text.substr(at + 1, text.size() - at - 2);
  if (inner.size() == 35 && inner == std::string_view(trace_text_.data(), 35)) {
    shape_.push_back(kTrace);
  } else if (inner.size() == 16 && append_bytes(inner, ids_)) {
    shape_.push_back(kId);
  } else if (inner.size() == 32 && append_bytes(inner, ids_)) {
    shape_.push_back(kWideId);
  } else {
    shape_.push_back(kText);
    ByteWriter(of_document_).varint(strings_.ref(inner));
  }
  return text.size();
}

std::size_t DocumentPacker::take_number(std::string_view text, std::size_t at) {
  std::size_t end = at + (text[at] == '-' ? 1u : 0u);
  const bool negative = end > at;
  std::int64_t digits = 0;
  std::size_t whole = 0, places = 0;
  for (; end < text.size() && is_digit(text[end]); ++end, ++whole)
    if (whole < kIntegerDigitsMax) digits = digits * 10 + (text[end] - '0');
  const std::int64_t whole_part = digits;
  const bool point = end < text.size() && text[end] == '.';
  if (point) {
    for (++end; end < text.size() && is_digit(text[end]); ++end, ++places)
      if (whole + places < kIntegerDigitsMax && places < 7) digits = digits * 10 + (text[end] - '0');
  }
  const bool exponent = end < text.size() && (text[end] == 'e' || text[end] == 'E');
  // "-0" and the like would come back without their sign, numbers that no JSON holds without zeros.
  const bool plain = !exponent && whole > 0 && !(negative && digits == 0) && (whole == 1 || text[at + (negative ? 1u : 0u)] != '0');
  const std::int64_t value = negative ? -digits : digits;
  ByteWriter out(of_document_);
  if (plain && !point && whole <= kIntegerDigitsMax) {
    shape_.push_back(kInteger);
    out.zigzag(value);
  } else if (plain && point && places >= 1 && places <= 7 && whole_part < kWholeMax && whole + places <= kIntegerDigitsMax) {
    shape_.push_back(kDecimal);
    out.varint(zigzag(value - before_decimal_ / kPowers[7 - places]) * 8 + places);
    before_decimal_ = value * kPowers[7 - places];
  } else {
    while (end < text.size() && (is_digit(text[end]) || std::string_view("+-.eE").find(text[end]) != std::string_view::npos)) ++end;
    shape_.push_back(kVerbatim);
    out.varint(strings_.ref(text.substr(at, end - at)));
  }
  return end;
}

std::string DocumentPacker::finish() {
  std::string raw;
  ByteWriter out(raw);
  out.varint(strings_.size());
  for (std::uint32_t i = 0; i < strings_.size(); ++i) out.text(strings_.at(i));
  out.raw(values_);
  std::string block;
  ByteWriter whole(block);
  whole.text(pack_blob(raw));
  whole.fixed(crc32c(ids_));
  whole.raw(ids_);
  strings_.clear();
  values_.clear();
  ids_.clear();
  before_ms_ = before_decimal_ = 0;
  before_lsn_ = 0;
  raw_bytes_ = 0;
  return block;
}

Status unpack_documents(std::string_view block, const std::function<bool(std::size_t trace)>& wanted,
                        const std::function<void(std::size_t trace, const PackedDocument&)>& document) {
  const auto corrupt = [] { return Error::corrupt("a block of documents does not make sense"); };
  ByteReader whole(block);
  const auto packed = whole.text();
  const auto sum = whole.fixed<std::uint32_t>();
  const auto ids = whole.rest();
  if (!whole.ok() || crc32c(ids) != sum) return Error::corrupt("stored ids fail their check");
  TRY(const auto raw, unpack_blob(packed));
  Unpacker unpacker(raw, ids);
  if (!unpacker.read_strings()) return corrupt();
  PackedDocument out;
  std::string text;
  for (std::size_t trace = 0; !unpacker.at_end() && unpacker.sound(); ++trace) {
    const bool keep = wanted(trace);
    for (auto left = unpacker.begin_trace(); left > 0 && unpacker.sound(); --left) {
      text.clear();
      unpacker.document(out, keep ? &text : nullptr);
      if (!keep) continue;
      if (!unpacker.sound()) return corrupt();
      out.text = text;
      document(trace, out);
    }
  }
  if (!unpacker.sound()) return corrupt();
  return Ok{};
}

}  // namespace fog::traces
