// The functions of templates that need nothing but their arguments, and what they share.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/apply/json.h"
#include "storage/base/result.h"

namespace fog::apply {

// A scalar as text: 60 -> "60", true -> "true", 0.5 -> "0.5"; objects and lists as JSON.
std::string text_of(const Json& value);

// "${A} of ${B.Arn}" -> A, B.Arn; "${!x}" names nothing.
std::vector<std::string> names_in_pattern(std::string_view pattern);
Result<Json> substitute_pattern(std::string_view pattern, const std::function<Result<std::string>(const std::string& name)>& value_of);

// Fn::Join, Select, Split, Base64, GetAZs, Length, ToJsonString; the argument is evaluated already.
Result<Json> call_pure(const std::string& function, const Json& argument, std::string_view region);

}  // namespace fog::apply
