// A text in a text, by the C library's vectorised search: several times as fast as std::string_view::find.
#pragma once

#include <cstring>
#include <string_view>

namespace fog {

// Where `needle` begins at or behind `from`; npos: nowhere. An empty needle is everywhere.
inline std::size_t find_text(std::string_view text, std::string_view needle, std::size_t from = 0) {
  if (from > text.size() || needle.size() > text.size() - from) return std::string_view::npos;
  if (needle.empty()) return from;  // its address may be null, which memmem does not take
  const void* hit = ::memmem(text.data() + from, text.size() - from, needle.data(), needle.size());
  return hit == nullptr ? std::string_view::npos : static_cast<std::size_t>(static_cast<const char*>(hit) - text.data());
}

inline bool holds_text(std::string_view text, std::string_view needle) { return find_text(text, needle) != std::string_view::npos; }

}  // namespace fog
