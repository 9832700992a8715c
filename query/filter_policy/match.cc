#include <arpa/inet.h>

#include <cmath>

#include "query/filter_policy/filter_policy.h"

namespace fog::filter_policy {
namespace {

using Kind = Value::Kind;

// Five digits after the point count.
bool same_number(double a, double b) {
  return a == b || std::abs(a - b) < 0.5e-5;
}

bool equals(const Value& a, const Value& b) {
  if (a.kind != b.kind) return false;
  if (a.kind == Kind::kString) return a.text == b.text;
  if (a.kind == Kind::kNumber) return same_number(a.number, b.number);
  return true;
}

// One code point of valid UTF-8; a broken byte stands for itself.
std::uint32_t decode(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t first = byte(0);
  const std::size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
  if (n == 1 || n > text.size()) {
    text.remove_prefix(1);
    return first;
  }
  std::uint32_t c = first & (0x7fu >> n);
  for (std::size_t i = 1; i < n; ++i) c = (c << 6) | (byte(i) & 0x3f);
  text.remove_prefix(n);
  return c;
}

// Lower case of the Latin, Greek and Cyrillic letters.
std::uint32_t fold(std::uint32_t c) {
  if (c >= 'A' && c <= 'Z') return c + 32;
  if (c < 0xc0) return c;
  if (c <= 0xde) return c == 0xd7 ? c : c + 32;
  if (c >= 0x100 && c <= 0x137) return c | 1;
  if (c >= 0x139 && c <= 0x148) return (c & 1) ? c + 1 : c;
  if (c >= 0x14a && c <= 0x177) return c | 1;
  if (c >= 0x391 && c <= 0x3a9) return c + 32;
  if (c >= 0x410 && c <= 0x42f) return c + 32;
  if (c >= 0x400 && c <= 0x40f) return c + 80;
  return c;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    if (fold(decode(a)) != fold(decode(b))) return false;
  }
  return a.empty() && b.empty();
}

// `*` stands for any run; backslash takes the next character as it is. Linear with one backtrack
// point: the last star only ever needs to grow.
bool wildcard(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
      continue;
    }
    const bool escaped = p + 1 < pattern.size() && pattern[p] == '\\';
    const std::size_t at = escaped ? p + 1 : p;
    if (at < pattern.size() && pattern[at] == text[t]) {
      p = at + 1;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool in_network(const Rule& rule, std::string_view text) {
  const std::string address = parse_ip(text);
  if (address.size() != rule.network.size()) return false;
  int bits = rule.mask_bits;
  for (std::size_t i = 0; i < address.size() && bits > 0; ++i, bits -= 8) {
    const unsigned mask = bits >= 8 ? 0xffu : (0xffu << (8 - bits)) & 0xffu;
    const auto a = static_cast<unsigned char>(address[i]);
    const auto b = static_cast<unsigned char>(rule.network[i]);
    if ((a & mask) != (b & mask)) return false;
  }
  return true;
}

bool in_range(const Rule& rule, double v) {
  if (rule.has_low) {
    const bool same = same_number(v, rule.low);
    if (same ? !rule.low_inclusive : v < rule.low) return false;
  }
  if (rule.has_high) {
    const bool same = same_number(v, rule.high);
    if (same ? !rule.high_inclusive : v > rule.high) return false;
  }
  return true;
}

bool matches_value(const Rule& rule, const Value& v) {
  const bool text = v.kind == Kind::kString;
  switch (rule.kind) {
    case Rule::Kind::kEquals: return equals(v, rule.values.front());
    case Rule::Kind::kPrefix: return text && v.text.starts_with(rule.texts.front());
    case Rule::Kind::kSuffix: return text && v.text.ends_with(rule.texts.front());
    case Rule::Kind::kEqualsIgnoreCase:
      return text && equals_ignoring_case(v.text, rule.texts.front());
    case Rule::Kind::kWildcard: return text && wildcard(rule.texts.front(), v.text);
    case Rule::Kind::kCidr: return text && in_network(rule, v.text);
    case Rule::Kind::kExists: return v.kind != Kind::kNull && !(text && v.text.empty());
    case Rule::Kind::kNotExists: return false;  // matches_rule looks at the key itself
    case Rule::Kind::kNumeric: return v.kind == Kind::kNumber && in_range(rule, v.number);
    case Rule::Kind::kAnythingBut:
      return std::none_of(rule.values.begin(), rule.values.end(),
                          [&](const Value& listed) { return equals(v, listed); });
    case Rule::Kind::kAnythingButPrefix: return text && !v.text.starts_with(rule.texts.front());
    case Rule::Kind::kAnythingButWildcard:
      return text && std::none_of(rule.texts.begin(), rule.texts.end(),
                                  [&](const std::string& p) { return wildcard(p, v.text); });
  }
  return false;
}

bool matches_field(const Field& field, const Values& values) {
  const auto found = values.by_name.find(field.path);
  for (const Rule& rule : field.rules) {
    if (rule.kind == Rule::Kind::kNotExists) {
      if (found == values.by_name.end()) return true;
      continue;
    }
    if (found == values.by_name.end()) continue;
    for (const Value& v : found->second) {
      if (matches_value(rule, v)) return true;
    }
  }
  return false;
}

bool matches_policy(const Policy& policy, const Values& values) {
  for (const Field& field : policy.fields) {
    if (!matches_field(field, values)) return false;
  }
  for (const Alternatives& alternatives : policy.alternatives) {
    if (std::none_of(alternatives.branches.begin(), alternatives.branches.end(),
                     [&](const Policy& branch) { return matches_policy(branch, values); }))
      return false;
  }
  return true;
}

}  // namespace

std::string parse_ip(std::string_view text) {
  const std::string address(text);
  if (address.size() != std::char_traits<char>::length(address.c_str())) return {};
  char bytes[16];
  if (inet_pton(AF_INET, address.c_str(), bytes) == 1) return std::string(bytes, 4);
  if (inet_pton(AF_INET6, address.c_str(), bytes) == 1) return std::string(bytes, 16);
  return {};
}

bool FilterPolicy::matches(const Values& values) const {
  if (empty()) return true;
  // A message that carries no attribute at all matches no attribute policy, not even exists:false.
  if (scope_ == Scope::kMessageAttributes && values.by_name.empty()) return false;
  return matches_policy(root_, values);
}

}  // namespace fog::filter_policy
