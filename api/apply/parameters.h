// Parameters of a template: the value given or the default, judged by the declaration.
#pragma once

#include <string>

#include "api/apply/json.h"
#include "storage/base/result.h"

namespace fog::apply {

// `given` is null when nothing was. Errors: kInvalid in CloudFormation's words; kNotFound when the value lies
// in the parameter store of an account, which matters only if something refers to it.
Result<Json> parameter_value(const std::string& name, const Json& declaration, const std::string* given);

}  // namespace fog::apply
