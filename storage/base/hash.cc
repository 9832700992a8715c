#include "storage/base/hash.h"

#include <array>
#include <cstring>
#include <zlib.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace fog {
namespace {

constexpr std::array<std::uint32_t, 256> make_crc32c_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78u : 0u);
    table[i] = crc;
  }
  return table;
}
constexpr auto kCrc32cTable = make_crc32c_table();

std::uint32_t crc32c_portable(const unsigned char* p, std::size_t n, std::uint32_t crc) {
  while (n-- > 0) crc = (crc >> 8) ^ kCrc32cTable[(crc ^ *p++) & 0xff];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(const unsigned char* p, std::size_t n,
                                                             std::uint32_t crc) {
  std::uint64_t wide = crc;
  for (; n >= 8; n -= 8, p += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  auto narrow = static_cast<std::uint32_t>(wide);
  while (n-- > 0) narrow = _mm_crc32_u8(narrow, *p++);
  return narrow;
}
#endif

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t previous) {
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  const std::uint32_t start = ~previous;
#if defined(__x86_64__)
  static const bool has_sse42 = __builtin_cpu_supports("sse4.2") != 0;
  if (has_sse42) return ~crc32c_sse42(p, bytes.size(), start);
#endif
  return ~crc32c_portable(p, bytes.size(), start);
}

std::uint32_t crc32_ieee(std::string_view bytes, std::uint32_t previous) {
  return static_cast<std::uint32_t>(
      ::crc32_z(previous, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

// Multiply-and-fold over 16-byte strides (the idea of wyhash), with the length mixed in at the end.
namespace {
constexpr std::uint64_t kMulA = 0xa0761d6478bd642full;
constexpr std::uint64_t kMulB = 0xe7037ed1a0b428dbull;
__extension__ typedef unsigned __int128 Wide;

std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}
std::uint64_t load(const char* p, std::size_t n) {
  std::uint64_t word = 0;
  std::memcpy(&word, p, n);
  return word;
}
}  // namespace

std::uint64_t hash64(std::string_view bytes, std::uint64_t seed) {
  const char* p = bytes.data();
  std::size_t n = bytes.size();
  std::uint64_t state = seed ^ kMulA;
  for (; n > 16; n -= 16, p += 16) state = fold(load(p, 8) ^ kMulB, load(p + 8, 8) ^ state);
  const std::uint64_t low = n >= 8 ? load(p, 8) : n > 0 ? load(p, n) : 0;  // an empty view may point nowhere
  const std::uint64_t high = n > 8 ? load(p + 8, n - 8) : 0;
  return fold(kMulB ^ bytes.size(), fold(low ^ kMulA, high ^ state));
}

}  // namespace fog
