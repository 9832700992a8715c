// No parser: a fault that only guidance by coverage finds, so that the driver itself is tested. Crashes.
#include "tests/fuzz/target.h"

namespace fog::fuzz {

FOG_FUZZ(planted) {
  const std::string_view wanted = "BUG";
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (input.size() <= i || input[i] != wanted[i]) return;
    if (i == 2) std::abort();
    std::fputs("", i == 1 ? stdout : stderr);
  }
}

}  // namespace fog::fuzz
