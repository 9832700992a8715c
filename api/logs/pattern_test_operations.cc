#include "api/logs/operations.h"

namespace fog::logs {
std::span<const Operation> pattern_test_operations() { return {}; }
}  // namespace fog::logs
