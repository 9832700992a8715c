// Violation: one breach of a constraint in shapes.idl, found while a request was decoded; and the
// words services use for it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/common/operation.h"
#include "api/common/shape.h"
#include "storage/base/result.h"

namespace fog {

enum class Constraint {
  kNotNull,
  kEnum,
  kLengthMin,
  kLengthMax,
  kValueMin,
  kValueMax,
  kPattern,
  kElement,   // an element of a list of scalars breaks a rule of its shape
  kMapKey,
  kMapValue,
};

struct Violation {
  // One step into the input: a member, an entry of a list (1 is the first) or of a map (by key).
  struct Step {
    std::string name;       // member name or map key
    std::size_t index = 0;  // of a list; 0: not a list entry
    bool is_map_key = false;
  };
  Constraint constraint = Constraint::kNotNull;
  std::vector<Step> path;
  const Shape* shape = nullptr;  // of the value
  std::string value;             // as Java prints it; meaningless for kNotNull

  std::string coral_path() const;  // metricData.1.member.unit
  std::string query_path() const;  // MetricData.member.1.Unit
  std::string rule() const;        // Member must have length less than or equal to 512
};

// "1 validation error detected: Value 'x' at 'y' failed to satisfy constraint: ...", joined by "; ".
std::string validation_text(std::span<const Violation> violations);

// ValidationException / ValidationError with that text: what most services answer.
Error validation_error(const OperationInfo& operation, std::span<const Violation> violations);

}  // namespace fog
