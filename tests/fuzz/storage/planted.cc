// No parser: a fault that only guidance by coverage finds, so that the driver itself is tested. Crashes.
#include "tests/fuzz/target.h"

namespace fog::fuzz {

FOG_FUZZ(planted) {
  const std::string_view wanted = "BUG!";
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (input.size() <= i || input[i] != wanted[i]) return;
    if (i == 3) std::abort();
    if (i == 2) std::fputs("", stderr);
    if (i == 1) std::fputs("", stdout);
  }
}

}  // namespace fog::fuzz
