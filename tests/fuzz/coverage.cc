#include "tests/fuzz/coverage.h"

namespace fog::fuzz {

std::array<std::uint8_t, kPlaces> places;

}  // namespace fog::fuzz

extern "C" void __sanitizer_cov_trace_pc();

extern "C" void __sanitizer_cov_trace_pc() {
  const auto where = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
  auto& count = fog::fuzz::places[((where >> 18U) ^ (where * 0x9E3779B1U >> 7U)) & (fog::fuzz::kPlaces - 1)];
  const auto old = __atomic_load_n(&count, __ATOMIC_RELAXED);  // other threads count too; a lost one is no loss
  if (old != 255) __atomic_store_n(&count, static_cast<std::uint8_t>(old + 1), __ATOMIC_RELAXED);
}
