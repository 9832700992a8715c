#include "storage/base/random.h"

#include "storage/base/result.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <sys/random.h>

namespace fog {
namespace {
constexpr char kHex[] = "0123456789abcdef";
}

std::string Random::hex(std::size_t n) {
  std::string out(n, '0');
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (i % 16 == 0) word = next();
    out[i] = kHex[word & 0xf];
    word >>= 4;
  }
  return out;
}

std::string Random::uuid() {
  std::string out(36, '-');
  std::uint64_t word = next();
  const auto put = [&](std::size_t from, std::size_t end) {
    for (; from < end; ++from, word >>= 4) out[from] = kHex[word & 0xf];
  };
  put(0, 8);
  put(9, 13);
  put(14, 18);
  word = next();
  const std::uint64_t variant = word & 3;
  put(19, 23);
  put(24, 36);
  out[14] = '4';  // version
  out[19] = "89ab"[variant];
  return out;
}

std::uint64_t SystemRandom::next() {
  // A system call per 64 words; each thread has its own buffer.
  thread_local std::array<std::uint64_t, 64> buffer;
  thread_local std::size_t used = buffer.size();
  if (used == buffer.size()) {
    std::size_t have = 0;
    auto* bytes = reinterpret_cast<unsigned char*>(buffer.data());
    while (have < sizeof(buffer)) {
      const ssize_t got = ::getrandom(bytes + have, sizeof(buffer) - have, 0);
      FOG_ASSERT(got > 0 || errno == EINTR, "the kernel gives random bytes");
      if (got > 0) have += static_cast<std::size_t>(got);
    }
    used = 0;
  }
  return buffer[used++];
}

std::uint64_t SeededRandom::next() {
  state_ += 0x9e3779b97f4a7c15ull;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

}  // namespace fog
