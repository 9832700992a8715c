// Which places of the code the last input reached: a table of counters that the compiler's own calls fill.
//
// With `-fsanitize-coverage=trace-pc` GCC calls __sanitizer_cov_trace_pc() at each basic block; the block's
// address chooses the counter. In a build without that option nothing is ever counted.
#pragma once

#include <array>
#include <cstdint>

namespace fog::fuzz {

constexpr std::size_t kPlaces = 1U << 16U;  // more than the blocks one target reaches, so that few share a counter

/// Counters since they were last cleared; written by the thread that runs the target.
extern std::array<std::uint8_t, kPlaces> places;

}  // namespace fog::fuzz
