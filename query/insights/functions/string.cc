// String functions. They see the rendered text of their arguments; maps and lists count as null.
#include <locale.h>
#include <re2/re2.h>
#include <wctype.h>

#include "query/insights/function.h"
#include "query/insights/json.h"

namespace fog::insights {

namespace {

using Args = std::span<const Value>;

Value keep(CallContext& c, std::string_view text) { return Value::text(c.arena.copy(text)); }
// A piece of an argument: stays where it is when the argument was text already.
Value piece(CallContext& c, const Value& source, std::string_view part) {
  return source.is_text() ? Value::text(part) : keep(c, part);
}

Value isempty_kernel(CallContext& c, Args args) {
  return Value::boolean(!has_text(args[0]) || text_of(args[0], c.a).empty());
}
Value isblank_kernel(CallContext& c, Args args) {
  return Value::boolean(!has_text(args[0]) || trim(text_of(args[0], c.a)).empty());
}
Value concat_kernel(CallContext& c, Args args) {
  std::string out;
  bool any = false;
  for (const Value& arg : args) {
    if (!has_text(arg)) continue;
    any = true;
    render(arg, out);
  }
  return any ? keep(c, out) : Value{};
}

// Is the code point at text[k] among the characters of `set`?
bool in_set(std::string_view text, std::size_t k, std::size_t size, std::string_view set) {
  std::string_view one = text.substr(k, size);
  for (std::size_t p = set.find(one); p != std::string_view::npos; p = set.find(one, p + 1))
    if ((static_cast<unsigned char>(set[p]) & 0xC0) != 0x80) return true;
  return false;
}
constexpr std::string_view kBlank = " \t\n\r\f\v";
std::string_view left_trim(std::string_view text, std::string_view set) {
  while (!text.empty()) {
    std::size_t size = utf8_offset(text, 1);
    if (!in_set(text, 0, size, set)) break;
    text.remove_prefix(size);
  }
  return text;
}
std::string_view right_trim(std::string_view text, std::string_view set) {
  while (!text.empty()) {
    std::size_t k = text.size() - 1;
    while (k > 0 && (static_cast<unsigned char>(text[k]) & 0xC0) == 0x80) --k;
    if (!in_set(text, k, text.size() - k, set)) break;
    text.remove_suffix(text.size() - k);
  }
  return text;
}
template <bool kLeft, bool kRight>
Value trim_kernel(CallContext& c, Args args) {
  if (!has_text(args[0]) || (args.size() > 1 && !has_text(args[1]))) return {};
  std::string_view text = text_of(args[0], c.a);
  std::string_view set = args.size() > 1 ? text_of(args[1], c.b) : kBlank;
  if (kLeft) text = left_trim(text, set);
  if (kRight) text = right_trim(text, set);
  return piece(c, args[0], text);
}
Value strlen_kernel(CallContext& c, Args args) {
  return has_text(args[0]) ? Value::integer(static_cast<std::int64_t>(utf8_length(text_of(args[0], c.a)))) : Value{};
}

// Unicode simple case mapping comes from the C library's UTF-8 locale.
locale_t utf8_locale() {
  static const locale_t kLocale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return kLocale;
}
unsigned decode(std::string_view text, std::size_t& k) {
  auto byte = [&](std::size_t p) { return static_cast<unsigned>(static_cast<unsigned char>(text[p])); };
  unsigned b = byte(k);
  std::size_t more = b >= 0xF0 ? 3 : b >= 0xE0 ? 2 : b >= 0xC0 ? 1 : 0;
  if (b < 0x80 || more == 0 || k + more >= text.size()) {
    ++k;
    return b < 0x80 ? b : 0x110000 + b;  // a broken byte stays as it is
  }
  unsigned c = b & (0x3Fu >> more);
  for (std::size_t m = 1; m <= more; ++m) c = c << 6 | (byte(k + m) & 0x3F);
  k += more + 1;
  return c;
}
void encode(unsigned c, std::string& out) {
  auto byte = [&out](unsigned b) { out += static_cast<char>(b); };
  if (c >= 0x110000) {
    byte(c - 0x110000);
  } else if (c < 0x80) {
    byte(c);
  } else if (c < 0x800) {
    byte(0xC0 | c >> 6), byte(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F));
  } else {
    byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 0x3F)), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F));
  }
}
std::string map_case(std::string_view text, bool upper) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t k = 0; k < text.size();) {
    unsigned c = decode(text, k);
    if (c < 0x80) {
      if (upper && c >= 'a' && c <= 'z') c -= 32;
      if (!upper && c >= 'A' && c <= 'Z') c += 32;
    } else if (c < 0x110000 && utf8_locale() != nullptr) {
      c = upper ? towupper_l(c, utf8_locale()) : towlower_l(c, utf8_locale());
    }
    encode(c, out);
  }
  return out;
}
template <bool kUpper>
Value case_kernel(CallContext& c, Args args) {
  return has_text(args[0]) ? keep(c, map_case(text_of(args[0], c.a), kUpper)) : Value{};
}
Value substr_kernel(CallContext& c, Args args) {
  if (!has_text(args[0])) return {};
  std::string_view text = text_of(args[0], c.a);
  Num start = numeric(args[1]);
  if (!start) return {};
  auto index = [](double d) { return d <= 0 ? std::size_t{0} : static_cast<std::size_t>(std::min(d, 1e15)); };
  std::string_view rest = text.substr(utf8_offset(text, index(start.d)));
  if (args.size() > 2) {
    Num length = numeric(args[2]);
    if (!length) return {};
    rest = rest.substr(0, utf8_offset(rest, index(length.d)));
  }
  return piece(c, args[0], rest);
}
std::string replace_all(std::string_view text, std::string_view find, std::string_view by) {
  std::string out;
  std::size_t k = 0;
  for (;;) {
    std::size_t p = text.find(find, k);
    if (p == std::string_view::npos) break;
    out += text.substr(k, p - k);
    out += by;
    k = p + find.size();
  }
  out += text.substr(k);
  return out;
}
Value replace_kernel(CallContext& c, Args args) {
  if (!has_text(args[0]) || !has_text(args[1]) || !has_text(args[2])) return {};
  std::string_view text = text_of(args[0], c.a), find = text_of(args[1], c.b), by = text_of(args[2], c.c);
  if (find.empty() || text.find(find) == std::string_view::npos) return piece(c, args[0], text);
  return keep(c, replace_all(text, find, by));
}
Value regex_replace_kernel(CallContext& c, Args args) {
  if (!has_text(args[0]) || !has_text(args[2])) return {};
  const re2::RE2& re = *c.node->pattern->re;
  std::string text(text_of(args[0], c.a));
  // The replacement is literal, but for \0 .. \9 of groups that exist.
  std::string_view by = text_of(args[2], c.b);
  std::string rewrite;
  for (std::size_t k = 0; k < by.size(); ++k) {
    if (by[k] == '\\' && !(k + 1 < by.size() && by[k + 1] >= '0' && by[k + 1] <= '9' &&
                           by[k + 1] - '0' <= re.NumberOfCapturingGroups()))
      rewrite += '\\';
    rewrite += by[k];
  }
  re2::RE2::GlobalReplace(&text, re, rewrite);
  return keep(c, text);
}
Value strcontains_kernel(CallContext& c, Args args) {
  if (!has_text(args[0]) || !has_text(args[1])) return Value::boolean(false);
  std::string_view text = text_of(args[0], c.a), part = text_of(args[1], c.b);
  if (args.size() > 2 && truthy(args[2]))
    return Value::boolean(map_case(text, false).find(map_case(part, false)) != std::string::npos);
  return Value::boolean(text.find(part) != std::string_view::npos);
}
Value starts_kernel(CallContext& c, Args args) {
  return Value::boolean(has_text(args[0]) && has_text(args[1]) &&
                        text_of(args[0], c.a).starts_with(text_of(args[1], c.b)));
}
Value ends_kernel(CallContext& c, Args args) {
  return Value::boolean(has_text(args[0]) && has_text(args[1]) &&
                        text_of(args[0], c.a).ends_with(text_of(args[1], c.b)));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
Value urlencode_kernel(CallContext& c, Args args) {
  if (!has_text(args[0])) return {};
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (char ch : text_of(args[0], c.a)) {
    auto b = static_cast<unsigned char>(ch);
    if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '.' || ch == '-' ||
        ch == '*' || ch == '_') {
      out += ch;
    } else if (ch == ' ') {
      out += '+';
    } else {
      out += '%';
      out += kHex[b >> 4];
      out += kHex[b & 15];
    }
  }
  return keep(c, out);
}
Value urldecode_kernel(CallContext& c, Args args) {
  if (!has_text(args[0])) return {};
  std::string_view text = text_of(args[0], c.a);
  std::string out;
  for (std::size_t k = 0; k < text.size(); ++k) {
    if (text[k] == '+') {
      out += ' ';
    } else if (text[k] == '%' && k + 2 < text.size() && hex_digit(text[k + 1]) >= 0 && hex_digit(text[k + 2]) >= 0) {
      out += static_cast<char>(hex_digit(text[k + 1]) * 16 + hex_digit(text[k + 2]));
      k += 2;
    } else {
      out += text[k];
    }
  }
  return keep(c, out);
}
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
Value base64encode_kernel(CallContext& c, Args args) {
  if (!has_text(args[0])) return {};
  std::string_view text = text_of(args[0], c.a);
  std::string out;
  for (std::size_t k = 0; k < text.size(); k += 3) {
    unsigned v = 0;
    std::size_t n = std::min<std::size_t>(3, text.size() - k);
    for (std::size_t m = 0; m < 3; ++m) v = v << 8 | (m < n ? static_cast<unsigned char>(text[k + m]) : 0u);
    for (std::size_t m = 0; m < 4; ++m) out += m <= n ? kBase64[v >> (18 - 6 * m) & 63] : '=';
  }
  return keep(c, out);
}
Value base64decode_kernel(CallContext& c, Args args) {
  if (!has_text(args[0])) return {};
  std::string_view text = text_of(args[0], c.a);
  if (text.size() % 4 != 0) return {};
  std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::string out;
  unsigned v = 0;
  for (std::size_t k = 0; k < text.size(); ++k) {
    std::size_t digit = k >= text.size() - padding ? 0 : kBase64.find(text[k]);
    if (digit == std::string_view::npos) return {};
    v = v << 6 | static_cast<unsigned>(digit);
    if (k % 4 == 3) {
      for (unsigned shift : {16u, 8u, 0u}) out += static_cast<char>(v >> shift & 255);
      v = 0;
    }
  }
  for (; padding > 0; --padding) out.pop_back();
  return keep(c, out);
}
Value split_kernel(CallContext& c, Args args) {
  if (!has_text(args[0]) || !has_text(args[1])) return {};
  std::string_view text = text_of(args[0], c.a), by = text_of(args[1], c.b);
  std::vector<Value> parts;
  while (!by.empty()) {
    std::size_t p = text.find(by);
    if (p == std::string_view::npos) break;
    parts.push_back(Value::text(text.substr(0, p)));
    text.remove_prefix(p + by.size());
  }
  parts.push_back(Value::text(text));
  return Value::of(make_list(parts, c.arena));
}
std::string_view without_0x(std::string_view text) {
  return text.starts_with("0x") || text.starts_with("0X") ? text.substr(2) : text;
}
Value hex_to_ascii_kernel(CallContext& c, Args args) {
  if (!has_text(args[0])) return {};
  std::string_view text = without_0x(text_of(args[0], c.a));
  if (text.size() % 2 != 0) return {};
  std::string out;
  for (std::size_t k = 0; k < text.size(); k += 2) {
    int high = hex_digit(text[k]), low = hex_digit(text[k + 1]);
    if (high < 0 || low < 0) return {};
    out += static_cast<char>(high * 16 + low);
  }
  return keep(c, out);
}
Value hex_to_dec_kernel(CallContext& c, Args args) {
  if (!has_text(args[0])) return {};
  std::string_view text = trim(text_of(args[0], c.a));
  bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  text = without_0x(text);
  if (text.empty() || text.size() > 16) return {};
  std::uint64_t n = 0;
  for (char ch : text) {
    int d = hex_digit(ch);
    if (d < 0) return {};
    n = n * 16 + static_cast<std::uint64_t>(d);
  }
  if (n > static_cast<std::uint64_t>(INT64_MAX)) return Value::number((negative ? -1 : 1) * static_cast<double>(n));
  return Value::integer(negative ? -static_cast<std::int64_t>(n) : static_cast<std::int64_t>(n));
}
Value dec_to_hex_kernel(CallContext& c, Args args) {
  Num n = numeric(args[0]);
  if (!n.is_int()) return {};
  std::uint64_t v = n.i < 0 ? 0 - static_cast<std::uint64_t>(n.i) : static_cast<std::uint64_t>(n.i);
  std::string digits;
  do {
    digits.insert(digits.begin(), "0123456789abcdef"[v & 15]);
    v >>= 4;
  } while (v != 0);
  return keep(c, (n.i < 0 ? "-0x" : "0x") + digits);
}

constexpr Function kString[] = {
    {"isempty", 1, 1, isempty_kernel, "1 for null and empty text"},
    {"isblank", 1, 1, isblank_kernel, "1 for null and white space"},
    {"concat", 1, kAnyNumber, concat_kernel, "texts joined; nulls are empty"},
    {"trim", 1, 2, trim_kernel<true, true>, "without blanks, or the given characters, at both ends"},
    {"ltrim", 1, 2, trim_kernel<true, false>, "the same at the start"},
    {"rtrim", 1, 2, trim_kernel<false, true>, "the same at the end"},
    {"strlen", 1, 1, strlen_kernel, "number of characters", true},
    {"toupper", 1, 1, case_kernel<true>, "upper case", true},
    {"tolower", 1, 1, case_kernel<false>, "lower case", true},
    {"substr", 2, 3, substr_kernel, "part from a position, of a length", true},
    {"replace", 3, 3, replace_kernel, "all occurrences replaced", true},
    {"regexreplace", 3, 3, regex_replace_kernel, "all matches replaced", true, -1, 1},
    {"strcontains", 2, 3, strcontains_kernel, "1 if the text occurs"},
    {"startswith", 2, 2, starts_kernel, "1 if the text begins so"},
    {"endswith", 2, 2, ends_kernel, "1 if the text ends so"},
    {"urlencode", 1, 1, urlencode_kernel, "form encoding", true},
    {"urldecode", 1, 1, urldecode_kernel, "form decoding", true},
    {"base64encode", 1, 1, base64encode_kernel, "base 64", true},
    {"base64decode", 1, 1, base64decode_kernel, "from base 64", true},
    {"split", 2, 2, split_kernel, "list of the parts", true},
    {"hextoascii", 1, 1, hex_to_ascii_kernel, "bytes of hex digits", true},
    {"hextodec", 1, 1, hex_to_dec_kernel, "number of hex digits", true},
    {"dectohex", 1, 1, dec_to_hex_kernel, "0x and hex digits", true},
};

}  // namespace

std::span<const Function> string_functions() { return kString; }

}  // namespace fog::insights
