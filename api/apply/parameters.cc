#include "api/apply/parameters.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <charconv>
#include <optional>

#include "api/apply/text.h"

namespace fog::apply {
namespace {

std::string member(const Json& object, const char* name) { return object.contains(name) ? text_of(object[name]) : std::string(); }

std::optional<double> number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// Of one item; a list is judged item by item.
Status judge(const std::string& name, const Json& declaration, const std::string& value, bool is_number) {
  const auto refuse = [&](std::string_view what) {
    const std::string own = member(declaration, "ConstraintDescription");
    return Error::invalid(own.empty() ? fmt::format("Parameter '{}' {}", name, what) : fmt::format("Parameter {} failed to satisfy constraint: {}", name, own));
  };
  if (declaration.contains("AllowedValues") && declaration["AllowedValues"].is_array()) {
    bool found = false;
    for (const Json& allowed : declaration["AllowedValues"]) found = found || text_of(allowed) == value;
    if (!found) return refuse("must be one of AllowedValues");
  }
  if (const std::string pattern = member(declaration, "AllowedPattern"); !pattern.empty()) {
    const re2::RE2 compiled(pattern, re2::RE2::Quiet);
    if (!compiled.ok()) return Error::invalid(fmt::format("the AllowedPattern of the parameter {} is not a regular expression: {}", name, compiled.error()));
    if (!re2::RE2::FullMatch(value, compiled)) return refuse(fmt::format("must match pattern {}", pattern));
  }
  const auto bound = [&](const char* which) { return number(member(declaration, which)); };
  if (const auto min = bound("MinLength"); min && static_cast<double>(value.size()) < *min) return refuse(fmt::format("must contain at least {} characters", *min));
  if (const auto max = bound("MaxLength"); max && static_cast<double>(value.size()) > *max) return refuse(fmt::format("must contain at most {} characters", *max));
  if (!is_number) return Ok{};
  const auto n = number(value);
  if (!n) return Error::invalid(fmt::format("Parameter '{}' must be a number", name));
  if (const auto min = bound("MinValue"); min && *n < *min) return refuse(fmt::format("must be a number not less than {}", *min));
  if (const auto max = bound("MaxValue"); max && *n > *max) return refuse(fmt::format("must be a number not greater than {}", *max));
  return Ok{};
}

}  // namespace

Result<Json> parameter_value(const std::string& name, const Json& declaration, const std::string* given) {
  const std::string type = declaration.contains("Type") ? member(declaration, "Type") : "String";
  const bool is_stored = type.starts_with("AWS::SSM::Parameter::Value<");
  if (given == nullptr && is_stored) {
    return Error::not_found(fmt::format("the parameter {} stands for {} in the parameter store of an account: give its value with --parameters {}=...", name,
                                        member(declaration, "Default"), name));
  }
  if (given == nullptr && !declaration.contains("Default")) return Error::invalid(fmt::format("Parameters: [{}] must have values", name));
  const std::string text = given != nullptr ? *given : text_of(declaration["Default"]);
  const bool is_list = type == "CommaDelimitedList" || type.starts_with("List<") || type.find("<List<") != std::string::npos;
  const bool is_number = type == "Number" || type == "List<Number>";
  if (!is_list) {
    TRYV(judge(name, declaration, text, is_number));
    return Json(text);
  }
  Json list = Json::array();
  for (std::size_t from = 0; from <= text.size() && !text.empty();) {
    const std::size_t comma = std::min(text.find(',', from), text.size());
    std::string item = text.substr(from, comma - from);
    item.erase(0, item.find_first_not_of(' '));
    item.erase(item.find_last_not_of(' ') + 1);
    TRYV(judge(name, declaration, item, is_number));
    list.push_back(std::move(item));
    from = comma + 1;
  }
  return list;
}

}  // namespace fog::apply
