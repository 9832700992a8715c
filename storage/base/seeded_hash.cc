#include "storage/base/seeded_hash.h"

#include <sys/random.h>

#include <cstring>
#include <ctime>

namespace fog {
namespace {

// Four words of the system's randomness, read before main(): tables of static objects need them, too.
struct Secret {
  std::uint64_t words[4];
};

Secret make_secret() {
  Secret secret{{0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89}};
  Secret fresh{};
  if (::getrandom(&fresh, sizeof(fresh), 0) == static_cast<ssize_t>(sizeof(fresh))) {
    for (int i = 0; i < 4; ++i) secret.words[i] = fresh.words[i] | 1;
  } else {
    secret.words[0] ^= static_cast<std::uint64_t>(::time(nullptr));
    secret.words[1] ^= reinterpret_cast<std::uintptr_t>(&secret);
  }
  return secret;
}

const Secret& secret() {
  static const Secret kept = make_secret();
  return kept;
}

// The 128-bit product folded onto itself: every bit of either depends on all of both.
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t word(const char* at, std::size_t size) {
  std::uint64_t out = 0;
  std::memcpy(&out, at, size);
  return out;
}

std::uint64_t hash(const char* at, std::size_t size, std::uint64_t seed) {
  const Secret& s = secret();
  std::uint64_t h = fold(seed ^ s.words[0], size ^ s.words[1]);
  std::size_t left = size;
  for (; left > 16; at += 16, left -= 16) h = fold(word(at, 8) ^ s.words[2] ^ h, word(at + 8, 8) ^ s.words[3]);
  const std::uint64_t a = word(at, left < 8 ? left : 8);
  const std::uint64_t b = left > 8 ? word(at + 8, left - 8) : 0;
  h = fold(a ^ s.words[2] ^ h, b ^ s.words[3]);
  return fold(h ^ s.words[1], s.words[0]);
}

}  // namespace

std::uint64_t seeded_hash(std::string_view bytes) { return hash(bytes.data(), bytes.size(), 0); }

std::uint64_t process_seed() { return secret().words[0] ^ secret().words[3]; }

}  // namespace fog

// What libstdc++'s std::hash of texts calls. The library's own hashes with a seed that everybody knows;
// a definition in the program takes its place.
namespace std {
size_t _Hash_bytes(const void* bytes, size_t size, size_t seed) { return fog::hash(static_cast<const char*>(bytes), size, seed); }
}  // namespace std
