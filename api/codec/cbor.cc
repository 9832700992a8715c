#include "api/codec/cbor.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "api/codec/text.h"

namespace fog {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers on the wire are turned round");

enum Major : unsigned { kUnsigned, kNegative, kBytes, kText, kArray, kMap, kTag, kSimple };

constexpr std::uint64_t kIndefinite = ~std::uint64_t{0};

double half(std::uint64_t bits) {
  const auto exponent = static_cast<int>(bits >> 10 & 31);
  const auto mantissa = static_cast<double>(bits & 1023);
  double value = 0;
  if (exponent == 0) {
    value = std::ldexp(mantissa, -24);
  } else if (exponent == 31) {
    value = mantissa == 0 ? HUGE_VAL : std::nan("");
  } else {
    value = std::ldexp(1 + mantissa / 1024, exponent - 15);
  }
  return (bits & 0x8000) != 0 ? -value : value;
}

// The head of a data item.
struct Head {
  unsigned major = 0;
  unsigned info = 0;        // the low five bits: tells floats, simple values and "indefinite" apart
  std::uint64_t value = 0;  // argument; kIndefinite where info is 31
};

class Reader {
 public:
  Reader(std::string_view body, Decoding& decoding)
      : at_(reinterpret_cast<const unsigned char*>(body.data())), end_(at_ + body.size()), decoding_(decoding) {}

  Status run(const Shape& shape, void* out) {
    if (at_ == end_) {
      check_required(shape, Seen(), nullptr, decoding_);
      return Ok{};
    }
    Head h;
    if (!head(h) || !structure(h, shape, out, nullptr, 1)) return serialization_error(error_);
    if (at_ != end_) return serialization_error("Bytes follow the CBOR document");
    return Ok{};
  }

 private:
  bool fail(std::string_view message) {
    if (error_.empty()) error_ = message;
    return false;
  }
  bool truncated() { return fail("The CBOR document ends early"); }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  [[gnu::always_inline]] bool head(Head& h) {
    if (at_ == end_) return truncated();
    const unsigned first = *at_++;
    h.major = first >> 5;
    h.info = first & 31;
    if (h.info < 24) {
      h.value = h.info;
      return true;
    }
    return long_head(h);
  }

  [[gnu::noinline]] bool long_head(Head& h) {
    if (h.info == 31) {
      if (h.major == kUnsigned || h.major == kNegative || h.major == kTag) return fail("Invalid CBOR item");
      h.value = kIndefinite;
      return true;
    }
    if (h.info > 27) return fail("Invalid CBOR item");
    const std::size_t n = std::size_t{1} << (h.info - 24);
    if (left() < n) return truncated();
    switch (n) {
      case 1: h.value = at_[0]; break;
      case 2: h.value = static_cast<std::uint64_t>(at_[0]) << 8 | at_[1]; break;
      case 4: {
        std::uint32_t word = 0;
        std::memcpy(&word, at_, 4);
        h.value = __builtin_bswap32(word);
        break;
      }
      default:
        std::memcpy(&h.value, at_, 8);
        h.value = __builtin_bswap64(h.value);
    }
    at_ += n;
    return true;
  }

  // The head behind any tags, of which only `epoch` (tag 1) matters. Decimal fractions and big
  // numbers do not occur in these services.
  bool untagged(Head& h) { return head(h) && (h.major != kTag || behind_tags(h)); }

  [[gnu::noinline]] bool behind_tags(Head& h) {
    for (int n = 0; h.major == kTag; ++n) {
      if (n > kDepthMax) return fail("The document is nested too deeply");
      if (h.value >= 2 && h.value <= 4) return fail("Big numbers are not supported");
      if (!head(h)) return false;
    }
    return true;
  }

  static bool is_break(const Head& h) { return h.major == kSimple && h.info == 31; }
  static bool is_null(const Head& h) { return h.major == kSimple && (h.info == 22 || h.info == 23); }

  // A text or byte string. A definite one is a view into the body, an indefinite one is gathered
  // in `space`.
  bool chars(const Head& h, unsigned major, std::string& space, std::string_view& out) {
    if (h.major != major) return fail(major == kText ? "Expected a text string" : "Expected a byte string");
    if (h.value != kIndefinite) {
      if (h.value > left()) return truncated();
      out = {reinterpret_cast<const char*>(at_), static_cast<std::size_t>(h.value)};
      at_ += h.value;
      return true;
    }
    space.clear();
    while (true) {
      Head chunk;
      if (!head(chunk)) return false;
      if (is_break(chunk)) break;
      if (chunk.major != major || chunk.value == kIndefinite) return fail("Invalid chunk of a string");
      if (chunk.value > left()) return truncated();
      space.append(reinterpret_cast<const char*>(at_), static_cast<std::size_t>(chunk.value));
      at_ += chunk.value;
    }
    out = space;
    return true;
  }

  bool text(const Head& h, std::string& space, std::string_view& out) {
    return chars(h, kText, space, out) && (is_utf8(out) || fail("A text string is not UTF-8"));
  }

  // True while a map or array has another item; its head is then in `h`.
  bool more(std::uint64_t& remaining, Head& h, bool is_key) {
    if (remaining == 0) return false;
    if (!(is_key ? head(h) : untagged(h))) return false;
    if (remaining == kIndefinite) return !is_break(h);
    --remaining;
    return true;
  }

  // The structure's next member, if that is the key whose head was just read; then the key is passed.
  const Member* expected(const Head& key, const Shape& shape, std::size_t& hint) {
    if (hint >= shape.member_count || key.major != kText) return nullptr;
    const Member& member = shape.members[hint];
    const std::size_t n = member.name.size();
    if (key.value != n || n > left() || !same_bytes(reinterpret_cast<const char*>(at_), member.name.data(), n)) return nullptr;
    at_ += n;
    ++hint;
    return &member;
  }

  bool structure(const Head& map, const Shape& shape, void* out, const Path* path, int depth) {
    if (depth > kDepthMax) return fail("The document is nested too deeply");
    if (map.major != kMap) return fail("Expected a map");
    Seen seen;
    std::size_t hint = 0;
    int named = 0;
    std::uint64_t remaining = map.value;
    Head h;
    while (more(remaining, h, true)) {
      std::string_view name;
      const Member* member = expected(h, shape, hint);
      if (member == nullptr) {
        if (!chars(h, kText, key_, name)) return false;
        member = find_member(shape, name, hint);
      }
      const bool is_type = member == nullptr && name == "__type";
      if (!untagged(h)) return false;
      if (is_null(h)) continue;
      if (is_break(h)) return fail("A map ends between key and value");
      if (member == nullptr) {
        if (!is_type) ++named;
        if (!skip(h, depth + 1)) return false;
        continue;
      }
      const auto position = static_cast<std::size_t>(member - shape.members);
      if (!seen.has(position)) ++named;
      seen.set(position);
      const Path here{path, member->name};
      if (!value(h, *member->shape, emplace(*member, out), &here, depth, false)) return false;
    }
    if (!error_.empty()) return false;
    if (shape.is_union && (named != 1 || seen.count() != 1) && decoding_.violations != nullptr)
      return fail("A union must have exactly one member set");
    check_required(shape, seen, path, decoding_);
    return true;
  }

  bool list(const Head& array, const Shape& shape, void* out, const Path* path, int depth) {
    if (depth > kDepthMax) return fail("The document is nested too deeply");
    if (array.major != kArray) return fail("Expected an array");
    shape.list->clear(shape, out);
    Path here{path};
    std::uint64_t remaining = array.value;
    Head h;
    while (more(remaining, h, false)) {
      if (is_null(h)) continue;
      if (is_break(h)) return fail("Unexpected end of an array");
      if (!charge_element(*shape.element, decoding_)) return fail("The request holds too many values");
      ++here.index;
      if (!value(h, *shape.element, shape.list->append(shape, out), &here, depth, true)) return false;
    }
    return error_.empty();
  }

  bool map(const Head& pairs, const Shape& shape, void* out, const Path* path, int depth) {
    if (depth > kDepthMax) return fail("The document is nested too deeply");
    if (pairs.major != kMap) return fail("Expected a map");
    shape.map->clear(shape, out);
    Path here{path};
    here.is_map_key = true;
    std::uint64_t remaining = pairs.value;
    Head h;
    while (more(remaining, h, true)) {
      std::string_view name;
      std::string space;
      if (!text(h, space, name)) return false;
      std::string key(name);
      if (!untagged(h)) return false;
      if (is_null(h)) continue;
      if (is_break(h)) return fail("A map ends between key and value");
      if (!charge_element(*shape.element, decoding_)) return fail("The request holds too many values");
      here.name = key;
      if (!value(h, *shape.element, shape.map->insert(shape, out, key), &here, depth, true)) return false;
    }
    return error_.empty();
  }

  bool value(const Head& h, const Shape& shape, void* at, const Path* path, int depth, bool is_entry) {
    std::string_view chars_read;
    switch (shape.kind) {
      case Kind::kStruct: return structure(h, shape, at, path, depth + 1);
      case Kind::kList:
        if (!list(h, shape, at, path, depth + 1)) return false;
        break;
      case Kind::kMap:
        if (!map(h, shape, at, path, depth + 1)) return false;
        break;
      case Kind::kString:
        if (!text(h, space_, chars_read)) return false;
        static_cast<std::string*>(at)->assign(chars_read.data(), chars_read.size());
        if (surely_fits(shape, *static_cast<std::string*>(at))) return true;
        break;
      case Kind::kEnum:
        if (!text(h, space_, chars_read)) return false;
        if (!set_enum(shape, chars_read, at, path, decoding_)) return fail("Unknown enum value");
        return true;
      case Kind::kBlob:
        if (!chars(h, kBytes, space_, chars_read)) return false;
        static_cast<std::string*>(at)->assign(chars_read);
        break;
      case Kind::kBoolean:
        if (h.major != kSimple || (h.info != 20 && h.info != 21)) return fail("Expected a boolean");
        *static_cast<bool*>(at) = h.info == 21;
        break;
      case Kind::kInteger:
      case Kind::kLong:
        if (!integer(h, shape.kind, at)) return false;
        break;
      case Kind::kDouble:
        if (!number(h, *static_cast<double*>(at))) return fail("Expected a number");
        break;
      case Kind::kTimestamp: {
        double seconds = 0;
        if (!number(h, seconds)) return fail("Expected a timestamp");
        const auto time = timestamp_of_seconds(seconds);
        if (!time) return fail("Invalid timestamp");
        *static_cast<Timestamp*>(at) = *time;
        return true;
      }
    }
    if (wants_check(shape, decoding_) && (!is_entry || shape.element != nullptr)) check_value(shape, at, path, decoding_);
    return true;
  }

  static bool number(const Head& h, double& out) {
    if (h.major == kUnsigned) {
      out = static_cast<double>(h.value);
    } else if (h.major == kNegative) {
      out = -1.0 - static_cast<double>(h.value);
    } else if (h.major == kSimple && h.info == 27) {
      out = std::bit_cast<double>(h.value);
    } else if (h.major == kSimple && h.info == 26) {
      out = static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(h.value)));
    } else if (h.major == kSimple && h.info == 25) {
      out = half(h.value);
    } else {
      return false;
    }
    return true;
  }

  bool integer(const Head& h, Kind kind, void* at) {
    std::int64_t whole = 0;
    if (h.major == kUnsigned || h.major == kNegative) {
      if (h.value > static_cast<std::uint64_t>(INT64_MAX)) return fail("A number is out of range");
      whole = static_cast<std::int64_t>(h.value);
      if (h.major == kNegative) whole = -1 - whole;
    } else {
      double real = 0;
      if (!number(h, real) || real != std::floor(real)) return fail("Expected an integer");
      if (!(std::abs(real) < 9.2e18)) return fail("A number is out of range");
      whole = static_cast<std::int64_t>(real);
    }
    if (kind == Kind::kLong) {
      *static_cast<std::int64_t*>(at) = whole;
      return true;
    }
    if (whole < INT32_MIN || whole > INT32_MAX) return fail("A number is out of range");
    *static_cast<std::int32_t*>(at) = static_cast<std::int32_t>(whole);
    return true;
  }

  bool skip(const Head& h, int depth) {
    if (depth > kDepthMax) return fail("The document is nested too deeply");
    switch (h.major) {
      case kUnsigned:
      case kNegative: return true;
      case kSimple: return !is_break(h) || fail("Invalid CBOR item");
      case kBytes:
      case kText: {
        std::string_view ignored;
        return chars(h, h.major, space_, ignored);
      }
      default: break;
    }
    std::uint64_t remaining = h.value;
    Head inner;
    while (more(remaining, inner, false)) {
      if (!skip(inner, depth + 1)) return false;
      if (h.major == kMap && (!untagged(inner) || !skip(inner, depth + 1))) return false;
    }
    return error_.empty();
  }

  const unsigned char* at_;
  const unsigned char* end_;
  Decoding& decoding_;
  std::string error_;
  std::string key_;
  std::string space_;
};

// --- writing ---------------------------------------------------------------------------------

void put_head(unsigned major, std::uint64_t value, std::string& out) {
  const auto top = static_cast<char>(major << 5);
  if (value < 24) {
    out.push_back(static_cast<char>(top | static_cast<char>(value)));
    return;
  }
  const unsigned width = value <= 0xff ? 0 : value <= 0xffff ? 1 : value <= 0xffffffff ? 2 : 3;
  char bytes[9] = {static_cast<char>(top | static_cast<char>(24 + width))};
  const int n = 1 << width;
  for (int i = 0; i < n; ++i) bytes[n - i] = static_cast<char>(value >> (8 * i));
  out.append(bytes, static_cast<std::size_t>(n) + 1);
}

void put_integer(std::int64_t value, std::string& out) {
  if (value >= 0) {
    put_head(kUnsigned, static_cast<std::uint64_t>(value), out);
  } else {
    put_head(kNegative, static_cast<std::uint64_t>(-1 - value), out);
  }
}

void put_double(double value, std::string& out) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  char bytes[9] = {static_cast<char>(0xfb)};
  for (int i = 0; i < 8; ++i) bytes[8 - i] = static_cast<char>(bits >> (8 * i));
  out.append(bytes, 9);
}

void write(const Shape& shape, const void* value, std::string& out) {
  switch (shape.kind) {
    case Kind::kBoolean: out.push_back(static_cast<char>(*static_cast<const bool*>(value) ? 0xf5 : 0xf4)); break;
    case Kind::kInteger: put_integer(*static_cast<const std::int32_t*>(value), out); break;
    case Kind::kLong: put_integer(*static_cast<const std::int64_t*>(value), out); break;
    case Kind::kDouble: put_double(*static_cast<const double*>(value), out); break;
    case Kind::kString: append_cbor_text(*static_cast<const std::string*>(value), out); break;
    case Kind::kBlob: {
      const auto& bytes = *static_cast<const std::string*>(value);
      put_head(kBytes, bytes.size(), out);
      out += bytes;
      break;
    }
    case Kind::kTimestamp:
      put_head(kTag, 1, out);
      put_double(static_cast<double>(to_ms(*static_cast<const Timestamp*>(value))) / 1000.0, out);
      break;
    case Kind::kEnum: {
      std::uint16_t i = 0;
      std::memcpy(&i, value, sizeof i);
      append_cbor_text(shape.enum_values[i], out);
      break;
    }
    case Kind::kList: {
      const std::size_t n = shape.list->size(shape, value);
      put_head(kArray, n, out);
      for (std::size_t i = 0; i < n; ++i) write(*shape.element, shape.list->at(shape, value, i), out);
      break;
    }
    case Kind::kMap: {
      struct Context {
        const Shape& element;
        std::string& out;
      } context{*shape.element, out};
      append_cbor_map(shape.map->size(shape, value), out);
      shape.map->each(shape, value, &context, [](void* c, const std::string& key, const void* element) {
        auto& in = *static_cast<Context*>(c);
        append_cbor_text(key, in.out);
        write(in.element, element, in.out);
      });
      break;
    }
    case Kind::kStruct: {
      std::size_t present = 0;
      for (std::size_t i = 0; i < shape.member_count; ++i) present += peek(shape.members[i], value) != nullptr;
      append_cbor_map(present, out);
      for (std::size_t i = 0; i < shape.member_count; ++i) {
        const Member& member = shape.members[i];
        const void* at = peek(member, value);
        if (at == nullptr) continue;
        put_head(kText, member.name.size(), out);
        out += member.name;
        write(*member.shape, at, out);
      }
      break;
    }
  }
}

}  // namespace

void encode_cbor(const Shape& shape, const void* value, std::string& out) { write(shape, value, out); }

void append_cbor_text(std::string_view text, std::string& out) {
  if (!is_utf8(text)) {
    append_cbor_text(to_utf8(text), out);
    return;
  }
  put_head(kText, text.size(), out);
  out += text;
}

void append_cbor_map(std::size_t pairs, std::string& out) { put_head(kMap, pairs, out); }

Status decode_cbor(std::string_view body, const Shape& shape, void* out, Decoding& decoding) {
  return Reader(body, decoding).run(shape, out);
}

}  // namespace fog
