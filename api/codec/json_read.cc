// JSON in. One walk over the text, guided by the shape; members are expected in the model's order
// and found by comparison when they come in another.
#include <simdjson.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "api/codec/json.h"
#include "api/codec/text.h"
#include "api/common/http_message.h"

namespace fog {
namespace {

namespace od = simdjson::ondemand;
using Type = od::json_type;

static_assert(http::kBodyPadding >= simdjson::SIMDJSON_PADDING);
static_assert(std::endian::native == std::endian::little, "the lowest byte of a word is the first in memory");

// A parser's buffers grow with the largest document it saw; beyond this they are given back.
constexpr std::size_t kParserKeepBytes = 4u << 20;

int hex4(const char* at) {
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = at[i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

char* put_utf8(std::uint32_t c, char* to) {
  if (c < 0x80) {
    *to++ = static_cast<char>(c);
  } else if (c < 0x800) {
    *to++ = static_cast<char>(0xc0 | c >> 6);
    *to++ = static_cast<char>(0x80 | (c & 63));
  } else if (c < 0x10000) {
    *to++ = static_cast<char>(0xe0 | c >> 12);
    *to++ = static_cast<char>(0x80 | (c >> 6 & 63));
    *to++ = static_cast<char>(0x80 | (c & 63));
  } else {
    *to++ = static_cast<char>(0xf0 | c >> 18);
    *to++ = static_cast<char>(0x80 | (c >> 12 & 63));
    *to++ = static_cast<char>(0x80 | (c >> 6 & 63));
    *to++ = static_cast<char>(0x80 | (c & 63));
  }
  return to;
}

// What the letter after a backslash stands for; 0: \u and what is no escape.
constexpr auto kSimpleEscapes = [] {
  struct {
    char of[256];
  } table{};
  for (const char c : {'"', '\\', '/'}) table.of[static_cast<int>(c)] = c;
  table.of[static_cast<int>('b')] = '\b';
  table.of[static_cast<int>('f')] = '\f';
  table.of[static_cast<int>('n')] = '\n';
  table.of[static_cast<int>('r')] = '\r';
  table.of[static_cast<int>('t')] = '\t';
  return table;
}();

// Undoes one escape at `from`, which points at the backslash. A lone surrogate becomes U+FFFD.
// False: not an escape of JSON.
bool unescape(const char*& from, const char* end, char*& to) {
  if (end - from < 2) return false;
  const char kind = from[1];
  from += 2;
  if (const char simple = kSimpleEscapes.of[static_cast<unsigned char>(kind)]; simple != 0) {
    *to++ = simple;
    return true;
  }
  if (kind != 'u') return false;
  if (end - from < 4) return false;
  const int unit = hex4(from);
  if (unit < 0) return false;
  from += 4;
  auto c = static_cast<std::uint32_t>(unit);
  if (c >= 0xd800 && c < 0xdc00 && end - from >= 6 && from[0] == '\\' && from[1] == 'u') {
    const int low = hex4(from + 2);
    if (low >= 0xdc00 && low < 0xe000) {
      c = 0x10000 + ((c - 0xd800) << 10) + (static_cast<std::uint32_t>(low) - 0xdc00);
      from += 6;
    }
  }
  if (c >= 0xd800 && c < 0xe000) c = 0xfffd;
  to = put_utf8(c, to);
  return true;
}

class Reader {
 public:
  explicit Reader(Decoding& decoding) : decoding_(decoding) {}

  Status run(std::string& body, const Shape& shape, void* out) {
    // No body at all is an empty input; blanks are not JSON.
    if (body.empty()) {
      check_required(shape, Seen(), nullptr, decoding_);
      return Ok{};
    }
    if (body.capacity() - body.size() < simdjson::SIMDJSON_PADDING)
      body.reserve(body.size() + simdjson::SIMDJSON_PADDING);
    thread_local od::parser parser;
    if (!read(parser, body, shape, out)) error_ = error_.empty() ? "Unable to parse the request body as JSON" : error_;
    if (parser.capacity() > kParserKeepBytes) parser = od::parser();
    if (!error_.empty()) return serialization_error(error_);
    return Ok{};
  }

 private:
  bool read(od::parser& parser, std::string& body, const Shape& shape, void* out) {
    od::document document;
    if (parser.iterate(simdjson::padded_string_view(body.data(), body.size(), body.capacity())).get(document)) return false;
    end_ = body.data() + body.size();
    od::object object;
    Type type{};
    if (document.type().get(type)) return false;
    if (type != Type::object) return fail_token(type, Kind::kStruct);
    if (document.get_object().get(object)) return false;
    if (!structure(object, shape, out, nullptr, 1)) return false;
    const char* rest = nullptr;
    // Something after the closing brace is an error; being at the end is one for simdjson.
    return document.current_location().get(rest) == simdjson::OUT_OF_BOUNDS;
  }

  bool fail(std::string message) {
    if (error_.empty()) error_ = std::move(message);
    return false;
  }

  // AWS's words for a value of the wrong type.
  bool fail_token(Type type, Kind wanted) {
    static constexpr std::string_view kNames[] = {"Boolean", "Integer", "Long", "Double", "String", "ByteBuffer",
                                                  "Timestamp", "String", "List", "Map", "Structure"};
    switch (type) {
      case Type::object: return fail("Start of structure or map found where not expected.");
      case Type::array: return fail("Start of list found where not expected.");
      default: break;
    }
    if (wanted == Kind::kList) return fail("Expected list or null");
    if (wanted == Kind::kMap || wanted == Kind::kStruct) return fail("Expected structure or map or null");
    const std::string_view token = type == Type::string ? "STRING_VALUE" : type == Type::number ? "NUMBER_VALUE" : type == Type::boolean ? "BOOLEAN_VALUE" : "NULL_VALUE";
    return fail(std::string(token) + " can not be converted to " +
                std::string(kNames[static_cast<std::size_t>(wanted)]));
  }

  // The member a key names. Keys are compared as they stand in the text, hint first; one that
  // holds escapes is undone before. Null: unknown, or an error that fail() has noted.
  const Member* member_of(od::field& field, const Shape& shape, std::size_t& hint) {
    const char* raw = field.key().raw();
    if (hint < shape.member_count) {
      const std::string_view expected = shape.members[hint].name;
      if (static_cast<std::size_t>(end_ - raw) > expected.size() && raw[expected.size()] == '"' &&
          same_bytes(raw, expected.data(), expected.size()))
        return &shape.members[hint++];
    }
    const char* stop = raw;
    while (stop < end_ && *stop != '"' && *stop != '\\') ++stop;
    if (stop < end_ && *stop == '\\') {
      std::string_view name;
      if (field.unescaped_key().get(name)) {
        fail("Bad escape in a member name");
        return nullptr;
      }
      return find_member(shape, name, hint);
    }
    return find_member(shape, {raw, static_cast<std::size_t>(stop - raw)}, hint);
  }

  bool structure(od::object& object, const Shape& shape, void* out, const Path* path, int depth) {
    if (depth > kDepthMax) return fail("The document is nested too deeply");
    Seen seen;
    std::size_t hint = 0;
    int named = 0;  // members with a value, known or not
    for (auto result : object) {
      // By reference: copying the iterator inside, just written in two halves, stalls the processor.
      if (result.error()) return false;
      od::field&& field = std::move(result).value_unsafe();
      const Member* member = member_of(field, shape, hint);
      if (!error_.empty()) return false;
      od::value& value = field.value();
      Type type{};
      if (value.type().get(type)) return false;
      if (type == Type::null) {
        bool is_null = false;
        if (value.is_null().get(is_null) || !is_null) return false;
        continue;
      }
      if (member == nullptr) {
        if (shape.is_union && !is_type_key(field)) ++named;
        if (!skip(value, type, depth + 1)) return false;
        continue;
      }
      const auto at = static_cast<std::size_t>(member - shape.members);
      if (!seen.has(at)) ++named;
      seen.set(at);
      const Path here{path, member->name};
      if (!read_value(value, type, *member->shape, emplace(*member, out), &here, depth)) return false;
    }
    if (shape.is_union && (named != 1 || seen.count() != 1) && decoding_.violations != nullptr)
      return fail("A union must have exactly one member set");
    check_required(shape, seen, path, decoding_);
    return true;
  }

  static bool is_type_key(od::field& field) { return std::strncmp(field.key().raw(), "__type\"", 7) == 0; }

  bool list(od::array array, const Shape& shape, void* out, const Path* path, int depth) {
    if (depth > kDepthMax) return fail("The document is nested too deeply");
    const Shape& element = *shape.element;
    const ListOps& ops = *shape.list;
    ops.clear(shape, out);
    Path here{path};
    for (auto result : array) {
      if (result.error()) return false;
      od::value&& value = std::move(result).value_unsafe();
      Type type{};
      if (value.type().get(type)) return false;
      if (type == Type::null) {
        bool is_null = false;
        if (value.is_null().get(is_null) || !is_null) return false;
        continue;
      }
      if (!charge_element(element, decoding_)) return fail("The request holds too many values");
      ++here.index;
      if (!read_value(value, type, element, ops.append(shape, out), &here, depth, true)) return false;
    }
    return true;
  }

  bool map(od::object object, const Shape& shape, void* out, const Path* path, int depth) {
    if (depth > kDepthMax) return fail("The document is nested too deeply");
    const MapOps& ops = *shape.map;
    ops.clear(shape, out);
    Path here{path};
    here.is_map_key = true;
    for (auto result : object) {
      od::field field;
      if (std::move(result).get(field)) return false;
      std::string_view name;
      if (field.unescaped_key().get(name)) return false;
      std::string key(name);
      od::value& value = field.value();
      Type type{};
      if (value.type().get(type)) return false;
      if (type == Type::null) {
        bool is_null = false;
        if (value.is_null().get(is_null) || !is_null) return false;
        continue;
      }
      if (!charge_element(*shape.element, decoding_)) return fail("The request holds too many values");
      here.name = key;
      if (!read_value(value, type, *shape.element, ops.insert(shape, out, key), &here, depth, true)) return false;
    }
    return true;
  }

  bool read_value(od::value& value, Type type, const Shape& shape, void* at, const Path* path, int depth,
                  bool is_entry = false) {
    switch (shape.kind) {
      case Kind::kStruct:
      case Kind::kList:
      case Kind::kMap: return container(value, type, shape, at, path, depth);
      case Kind::kString: {
        if (type != Type::string) return fail_token(type, shape.kind);
        auto& out = *static_cast<std::string*>(at);
        if (!text(value, out)) return false;
        if (surely_fits(shape, out)) return true;
        break;
      }
      case Kind::kEnum:
      case Kind::kBlob:
        if (type != Type::string) return fail_token(type, shape.kind);
        if (!enum_or_blob(value, shape, at, path)) return false;
        break;
      case Kind::kBoolean:
        if (type != Type::boolean) return fail_token(type, shape.kind);
        if (value.get_bool().get(*static_cast<bool*>(at))) return false;
        break;
      case Kind::kInteger:
      case Kind::kLong:
        if (type != Type::number) return fail_token(type, shape.kind);
        if (!integer(value, shape.kind, at)) return false;
        break;
      case Kind::kDouble:
        if (!real(value, type, *static_cast<double*>(at))) return false;
        break;
      case Kind::kTimestamp: return timestamp(value, type, *static_cast<Timestamp*>(at));
    }
    if (!is_entry && wants_check(shape, decoding_)) check_value(shape, at, path, decoding_);
    return true;
  }

  // Kept out of read_value(), as the numbers are: what simdjson inlines there would cost every value.
  [[gnu::noinline]] bool container(od::value& value, Type type, const Shape& shape, void* at, const Path* path, int depth) {
    if (type != (shape.kind == Kind::kList ? Type::array : Type::object)) return fail_token(type, shape.kind);
    if (shape.kind == Kind::kList) {
      od::array array;
      if (value.get_array().get(array) || !list(array, shape, at, path, depth + 1)) return false;
    } else {
      od::object object;
      if (value.get_object().get(object)) return false;
      if (shape.kind == Kind::kStruct) return structure(object, shape, at, path, depth + 1);
      if (!map(object, shape, at, path, depth + 1)) return false;
    }
    if (wants_check(shape, decoding_)) check_value(shape, at, path, decoding_);
    return true;
  }

  [[gnu::noinline]] bool enum_or_blob(od::value& value, const Shape& shape, void* at, const Path* path) {
    std::string_view chars;
    if (value.get_string().get(chars)) return false;
    if (shape.kind == Kind::kEnum)
      return set_enum(shape, chars, at, path, decoding_) || fail("Unknown value of " + std::string(shape.name));
    auto bytes = decode_base64(chars);
    if (!bytes) return fail("Invalid base64");
    *static_cast<std::string*>(at) = std::move(*bytes);
    return true;
  }

  // A string's text. The index already told where the next token begins, so the closing quote is
  // the last one before it; without a backslash in between the bytes are the value.
  bool text(od::value& value, std::string& out) {
    const std::string_view token = value.raw_json_token();
    const char* from = token.data() + 1;
    const char* end = token.data() + token.size();
    while (end > from && end[-1] != '"') --end;
    if (end == from) return false;
    --end;
    const auto length = static_cast<std::size_t>(end - from);
    const char* slash = find_backslash(from, end);
    if (slash >= end) {
      out.assign(from, length);
      return true;
    }
    if (scratch_.size() < length + 16) scratch_.resize(length + 16);
    char* to = scratch_.data();
    std::memcpy(to, from, static_cast<std::size_t>(slash - from));
    to += slash - from;
    from = slash;
    // Copies eight bytes and takes back what follows a backslash or the end.
    while (from < end) {
      std::uint64_t word = 0;
      std::memcpy(&word, from, 8);
      std::memcpy(to, &word, 8);
      const std::uint64_t hit = has_backslash(word);
      const int n = hit == 0 ? 8 : std::countr_zero(hit) / 8;
      from += n;
      to += n;
      if (hit == 0 || from >= end) continue;
      if (const char simple = end - from < 2 ? '\0' : kSimpleEscapes.of[static_cast<unsigned char>(from[1])]; simple != 0) {
        *to++ = simple;
        from += 2;
      } else if (!unescape(from, end, to)) {
        return fail("Bad escape in a string");
      }
    }
    to -= from - end;
    out.assign(scratch_.data(), static_cast<std::size_t>(to - scratch_.data()));
    return true;
  }

  // At or behind `end`: there is none. The body's padding makes it safe to look at whole words.
  static const char* find_backslash(const char* from, const char* end) {
    if (end - from > 64) {
      const auto* found = static_cast<const char*>(std::memchr(from, '\\', static_cast<std::size_t>(end - from)));
      return found == nullptr ? end : found;
    }
    for (std::uint64_t word; from < end; from += 8) {
      std::memcpy(&word, from, 8);
      if (const std::uint64_t hit = has_backslash(word); hit != 0) return from + std::countr_zero(hit) / 8;
    }
    return end;
  }

  // Not zero when a byte is a backslash; the lowest bit tells the first.
  static std::uint64_t has_backslash(std::uint64_t word) {
    word ^= 0x5c5c5c5c5c5c5c5cull;
    return (word - 0x0101010101010101ull) & ~word & 0x8080808080808080ull;
  }

  [[gnu::noinline]] bool integer(od::value& value, Kind kind, void* at) {
    std::int64_t number = 0;
    if (value.get_int64().get(number)) {
      // Whole numbers written as reals are taken: 60.0, 6e1.
      double wide = 0;
      if (value.get_double().get(wide)) return fail("NUMBER_VALUE is out of range");
      if (wide != std::floor(wide)) return fail("Real number found where an integer is expected");
      if (!(std::abs(wide) < 9.2e18)) return fail("NUMBER_VALUE is out of range");
      number = static_cast<std::int64_t>(wide);
    }
    if (kind == Kind::kLong) {
      *static_cast<std::int64_t*>(at) = number;
      return true;
    }
    if (number < INT32_MIN || number > INT32_MAX) return fail("NUMBER_VALUE is out of range of Integer");
    *static_cast<std::int32_t*>(at) = static_cast<std::int32_t>(number);
    return true;
  }

  [[gnu::noinline]] bool real(od::value& value, Type type, double& out) {
    if (type == Type::number) return value.get_double().get(out) ? fail("NUMBER_VALUE is out of range of Double") : true;
    if (type != Type::string) return fail_token(type, Kind::kDouble);
    std::string_view name;
    if (value.get_string().get(name)) return false;
    if (name != "NaN" && name != "Infinity" && name != "-Infinity") return fail_token(type, Kind::kDouble);
    out = *parse_double(name);
    return true;
  }

  [[gnu::noinline]] bool timestamp(od::value& value, Type type, Timestamp& out) {
    std::optional<Timestamp> time;
    if (type == Type::number) {
      double seconds = 0;
      if (value.get_double().get(seconds)) return fail("Invalid timestamp");
      time = timestamp_of_seconds(seconds);
    } else if (type == Type::string) {
      std::string_view form;
      if (value.get_string().get(form)) return false;
      time = parse_timestamp(form);
    } else {
      return fail_token(type, Kind::kTimestamp);
    }
    if (!time) return fail("Invalid timestamp");
    out = *time;
    return true;
  }

  // Passes over a value nobody asked for, but only over JSON.
  bool skip(od::value& value, Type type, int depth) {
    if (depth > kDepthMax) return fail("The document is nested too deeply");
    switch (type) {
      case Type::object: {
        od::object object;
        if (value.get_object().get(object)) return false;
        for (auto result : object) {
          od::field field;
          if (std::move(result).get(field)) return false;
          Type inner{};
          if (field.value().type().get(inner) || !skip(field.value(), inner, depth + 1)) return false;
        }
        return true;
      }
      case Type::array: {
        od::array array;
        if (value.get_array().get(array)) return false;
        for (auto result : array) {
          od::value element;
          if (std::move(result).get(element)) return false;
          Type inner{};
          if (element.type().get(inner) || !skip(element, inner, depth + 1)) return false;
        }
        return true;
      }
      case Type::number: {
        double ignored = 0;
        return !value.get_double().get(ignored) || fail("NUMBER_VALUE is out of range");
      }
      case Type::string: {
        std::string_view ignored;
        return !value.get_string().get(ignored);
      }
      case Type::boolean: {
        bool ignored = false;
        return !value.get_bool().get(ignored);
      }
      case Type::null: {
        bool is_null = false;
        return !value.is_null().get(is_null) && is_null;
      }
    }
    return false;
  }

  Decoding& decoding_;
  std::string error_;
  std::string scratch_;
  const char* end_ = nullptr;
};

}  // namespace

Status decode_json(std::string& body, const Shape& shape, void* out, Decoding& decoding) {
  return Reader(decoding).run(body, shape, out);
}

}  // namespace fog
