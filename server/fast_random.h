// FastRandom: request ids. Unguessable enough to be unique, not a source of secrets.
//
// xoshiro256** (Blackman and Vigna, public domain) per thread, seeded by the operating system.
#pragma once

#include <array>
#include <bit>

#include "storage/base/random.h"

namespace fog {

class FastRandom final : public Random {
 public:
  std::uint64_t next() override {
    thread_local std::array<std::uint64_t, 4> s = seed();
    const std::uint64_t result = std::rotl(s[1] * 5, 7) * 9;
    const std::uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = std::rotl(s[3], 45);
    return result;
  }

 private:
  static std::array<std::uint64_t, 4> seed() {
    SystemRandom system;
    return {system.next() | 1, system.next(), system.next(), system.next()};
  }
};

}  // namespace fog
