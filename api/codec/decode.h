// Decoding: what the three decoders share: limits, the path to the value being read, and the checks
// of the model's constraints, each made right after a value was read.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "api/common/shape.h"
#include "api/common/violations.h"
#include "storage/base/result.h"

namespace fog {

// Deeper nesting than any model has; protects the stack.
inline constexpr int kDepthMax = 64;

struct Decoding {
  // Where breaches of the model go; null: nothing is checked and unknown enum values are errors.
  std::vector<Violation>* violations = nullptr;
};

Error serialization_error(std::string message);

}  // namespace fog
