#include "storage/base/result.h"

#include <cstdio>

namespace fog::internal {

void assert_failed(const char* condition, const char* why, const char* file, int line) {
  std::fprintf(stderr, "BUG: %s (%s) at %s:%d\n", why, condition, file, line);
  std::abort();
}

}  // namespace fog::internal
