// A fuzz target: what a parser or decoder must stand, written once a file.
//
//   FOG_FUZZ(search) { (void)metric_math::Search::parse(input); }
//   FOG_FUZZ_SEEDS(search) { return {"{App} Latency"}; }      // beside those of seeds.py; optional
//
// One program a folder holds its targets with the driver in driver.cc. With clang each file can also be a libFuzzer
// program: compile it with -DFOG_FUZZ_ALONE -fsanitize=fuzzer.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace fog::fuzz {

struct Target {
  using One = void (*)(std::string_view input);
  using Seeds = std::vector<std::string> (*)();
  Target(const char* target_name, One target_one) : name(target_name), one(target_one), next(first) { first = this; }
  std::string_view name;
  One one;
  Seeds seeds = nullptr;
  Target* next;
  static inline Target* first = nullptr;
};

struct TargetSeeds {
  TargetSeeds(Target& target, Target::Seeds seeds) { target.seeds = seeds; }
};

// A promise of the code under test; breaking it counts as a crash.
inline void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: broken promise: %s\n", what);
  std::abort();
}

// Cuts the input at the bytes 0x1f: most targets want a text and something to use it on.
class Cut {
 public:
  explicit Cut(std::string_view input) : rest_(input) {}
  std::string_view next() {
    const auto end = rest_.find('\x1f');
    const std::string_view part = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    return part;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

}  // namespace fog::fuzz

// Names carry the target's, so that several files may be compiled as one.
#ifdef FOG_FUZZ_ALONE
#define FOG_FUZZ(target)                                                              \
  static void fuzz_##target(std::string_view input);                                  \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { \
    fuzz_##target({reinterpret_cast<const char*>(data), size});                       \
    return 0;                                                                         \
  }                                                                                   \
  static void fuzz_##target(std::string_view input)
#define FOG_FUZZ_SEEDS(target) [[maybe_unused]] static std::vector<std::string> seeds_of_##target()
#else
#define FOG_FUZZ(target)                                                        \
  static void fuzz_##target(std::string_view input);                            \
  static ::fog::fuzz::Target fuzz_target_##target(#target, fuzz_##target);      \
  static void fuzz_##target(std::string_view input)
#define FOG_FUZZ_SEEDS(target)                                                                            \
  static std::vector<std::string> seeds_of_##target();                                                    \
  static const ::fog::fuzz::TargetSeeds fuzz_seeds_##target(fuzz_target_##target, seeds_of_##target); \
  static std::vector<std::string> seeds_of_##target()
#endif
