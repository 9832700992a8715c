// Decoding: what the three decoders share: limits, the path to the value being read, and the checks
// of the model's constraints, each made right after a value was read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "api/common/shape.h"
#include "api/common/violations.h"
#include "storage/base/result.h"

namespace fog {

// Deeper nesting than any model has; protects the stack.
inline constexpr int kDepthMax = 64;
// Memory that list and map elements of one request may take: a few bytes on the wire can be a
// structure of hundreds.
inline constexpr std::size_t kElementBytesMax = 256u << 20;
inline constexpr std::size_t kViolationsMax = 100;

struct Decoding {
  // Where breaches of the model go; null: nothing is checked, and an unknown enum value is an error.
  std::vector<Violation>* violations = nullptr;
  std::size_t element_bytes_left = kElementBytesMax;
};

Error serialization_error(std::string message);

// The way from the input's root to a value, as a chain on the stack.
struct Path {
  const Path* up = nullptr;
  std::string_view name;  // of a member, or a map key
  std::size_t index = 0;  // of a list entry, from 1
  bool is_map_key = false;
};

// Which members of a structure a request named, by position.
class Seen {
 public:
  void set(std::size_t member) { bits_ |= std::uint64_t{1} << (member & 63); }
  bool has(std::size_t member) const { return (bits_ >> (member & 63) & 1) != 0; }
  int count() const { return __builtin_popcountll(bits_); }
  bool covers(std::uint64_t mask) const { return (bits_ & mask) == mask; }

 private:
  std::uint64_t bits_ = 0;  // no structure has more than 64 members; the generator makes sure
};

// Short texts, compared without a call.
inline bool same_bytes(const char* a, const char* b, std::size_t n) {
  std::uint64_t x = 0, y = 0;
  if (n >= 8) {
    for (std::size_t i = 0; i + 8 < n; i += 8) {
      std::memcpy(&x, a + i, 8);
      std::memcpy(&y, b + i, 8);
      if (x != y) return false;
    }
    std::memcpy(&x, a + n - 8, 8);  // the last eight, some of them for the second time
    std::memcpy(&y, b + n - 8, 8);
    return x == y;
  }
  if (n >= 4) {
    std::memcpy(&x, a, 4);
    std::memcpy(&y, b, 4);
    if (x != y) return false;
    std::memcpy(&x, a + n - 4, 4);
    std::memcpy(&y, b + n - 4, 4);
    return x == y;
  }
  for (std::size_t i = 0; i < n; ++i)
    if (a[i] != b[i]) return false;
  return true;
}

// The member of that name, searched from `hint` onwards and around; moves `hint` behind it. Null: unknown.
const Member* find_member(const Shape& shape, std::string_view name, std::size_t& hint);

// False when the elements of this request take too much memory.
bool charge_element(const Shape& element, Decoding& decoding);

// Stores the enumerator of `text`; an unknown one is a violation. False: an error without violations.
bool set_enum(const Shape& shape, std::string_view text, void* at, const Path* path, Decoding& decoding);

// Checks lengths, range, pattern of one value that was just read. Elements of lists and maps are
// checked with their container.
void check_value(const Shape& shape, const void* value, const Path* path, Decoding& decoding);

// True when a string's number of bytes alone shows that it breaks no rule; false says nothing. A
// character is one byte to four.
inline bool surely_fits(const Shape& shape, const std::string& text) {
  const auto bytes = static_cast<double>(text.size());
  return shape.pattern.empty() && (!shape.bounds.has_max || bytes <= shape.bounds.max) &&
         (!shape.bounds.has_min || bytes >= shape.bounds.min * 4);
}

// True when check_value would report nothing about the value itself; its elements aside.
bool is_sound(const Shape& shape, const void* value);

// Reports the required members that `seen` lacks.
void report_missing(const Shape& shape, const Seen& seen, const Path* path, Decoding& decoding);
inline void check_required(const Shape& shape, const Seen& seen, const Path* path, Decoding& decoding) {
  if (!seen.covers(shape.required_mask) && decoding.violations != nullptr) report_missing(shape, seen, path, decoding);
}

// True when `decoding` asks for checks and this shape has any.
inline bool wants_check(const Shape& shape, const Decoding& decoding) {
  if (decoding.violations == nullptr) return false;
  if (shape.is_constrained()) return true;
  return (shape.element != nullptr && shape.element->is_constrained()) ||
         (shape.key != nullptr && shape.key->is_constrained());
}

}  // namespace fog
