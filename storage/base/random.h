// Random: ids and salts, passed in so that a test can fix them. Any thread.
#pragma once

#include <cstdint>
#include <string>

namespace fog {

class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;

  std::string uuid();              // version 4, lower case, 36 characters
  std::string hex(std::size_t n);  // n lower-case hex digits
};

// The operating system's generator, buffered.
class SystemRandom final : public Random {
 public:
  std::uint64_t next() override;
};

// Repeatable, for tests (splitmix64).
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() override;

 private:
  std::uint64_t state_;
};

}  // namespace fog
