// Searching short text in long text, sixteen places at a time.
#pragma once

#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace fog {

// The first place at or behind `from` at which `needle` occurs; npos: nowhere. An empty needle is
// everywhere.
inline std::size_t find_bytes(std::string_view hay, std::string_view needle, std::size_t from = 0) {
  if (from > hay.size() || needle.size() > hay.size() - from) return std::string_view::npos;
  if (needle.empty()) return from;
  const std::size_t last = hay.size() - needle.size();  // the last place it may begin
  std::size_t at = from;
#if defined(__SSE2__)
  const __m128i head = _mm_set1_epi8(needle.front());
  const __m128i tail = _mm_set1_epi8(needle.back());
  const char* begin = hay.data();
  for (; at + 15 <= last; at += 16) {
    const __m128i heads = _mm_cmpeq_epi8(head, _mm_loadu_si128(reinterpret_cast<const __m128i*>(begin + at)));
    const __m128i tails =
        _mm_cmpeq_epi8(tail, _mm_loadu_si128(reinterpret_cast<const __m128i*>(begin + at + needle.size() - 1)));
    unsigned hits = static_cast<unsigned>(_mm_movemask_epi8(_mm_and_si128(heads, tails)));
    for (; hits != 0; hits &= hits - 1) {
      const std::size_t place = at + static_cast<std::size_t>(__builtin_ctz(hits));
      if (std::memcmp(begin + place, needle.data(), needle.size()) == 0) return place;
    }
  }
#endif
  for (; at <= last; ++at)
    if (hay[at] == needle.front() && std::memcmp(hay.data() + at, needle.data(), needle.size()) == 0) return at;
  return std::string_view::npos;
}

}  // namespace fog
