// Stand-ins: what Ref and Fn::GetAtt give of a resource that is not made here: the name and the ARN it would have.
#pragma once

#include <string>
#include <string_view>

#include "api/apply/resource_type.h"

namespace fog::apply {

// The property that names a resource of the type, unevaluated; null: none does.
Json stand_in_name(std::string_view type, const Json& properties);
// `name` empty: it is called after the stack.
Identity stand_in(const Context& context, std::string_view type, std::string name);
// For the report.
std::string reason_to_skip(std::string_view type);

}  // namespace fog::apply
