// Properties of a template as an operation of ours takes them: names in the model's spelling, scalars of the
// model's types ("60" for a number, objects for policies that are texts), lists of Key and Value as maps.
#pragma once

#include <string>
#include <vector>

#include "api/apply/json.h"
#include "api/common/shape.h"
#include "storage/base/result.h"

namespace fog::apply {

// `ignored` receives the paths of members that the model does not have. Errors name the path.
Result<Json> coerce(const Json& value, const Shape& shape, const std::string& path, std::vector<std::string>& ignored);

// Whether two states are the same: absent, null and empty alike; texts that hold JSON by what they hold; numbers by
// value; the order of lists only if `is_ordered`.
bool same(const Json& one, const Json& other, bool is_ordered);

}  // namespace fog::apply
