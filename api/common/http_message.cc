#include "api/common/http_message.h"

#include <cstdint>
#include <cstring>

namespace fog::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

namespace {

bool equal_bytewise(const char* a, const char* b, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

}  // namespace

// Eight bytes at a time: letters that differ in case differ in one bit only.
bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  constexpr std::uint64_t kCaseBits = 0x2020202020202020u;
  std::size_t i = 0;
  for (; i + 8 <= a.size(); i += 8) {
    std::uint64_t x = 0;
    std::uint64_t y = 0;
    std::memcpy(&x, a.data() + i, 8);
    std::memcpy(&y, b.data() + i, 8);
    if (x == y) continue;
    if (((x ^ y) & ~kCaseBits) != 0 || !equal_bytewise(a.data() + i, b.data() + i, 8)) return false;
  }
  return equal_bytewise(a.data() + i, b.data() + i, a.size() - i);
}

std::string_view Request::header(std::string_view name) const {
  for (const Header& h : headers)
    if (h.name.size() == name.size() && equal_ignoring_case(h.name, name)) return h.value;
  return {};
}

bool Request::has_header(std::string_view name) const {
  for (const Header& h : headers)
    if (equal_ignoring_case(h.name, name)) return true;
  return false;
}

}  // namespace fog::http
