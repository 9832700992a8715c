#include "api/apply/text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace fog::apply {
namespace {

std::string base64(std::string_view bytes) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) out += i + k > bytes.size() ? '=' : kLetters[group >> (18 - 6 * k) & 63];
  }
  return out;
}

Result<Json> join(const Json& argument) {
  if (!argument.is_array() || argument.size() != 2 || !argument[1].is_array()) return Error::invalid("Fn::Join takes a delimiter and a list");
  const std::string delimiter = text_of(argument[0]);
  std::string out;
  for (std::size_t i = 0; i < argument[1].size(); ++i) {
    if (!argument[1][i].is_primitive()) return Error::invalid("Fn::Join takes a list of texts");
    out += (i == 0 ? "" : delimiter) + text_of(argument[1][i]);
  }
  return Json(std::move(out));
}

Result<Json> split(const Json& argument) {
  if (!argument.is_array() || argument.size() != 2 || !argument[1].is_string()) return Error::invalid("Fn::Split takes a delimiter and a text");
  const std::string delimiter = text_of(argument[0]);
  const std::string text = argument[1].get<std::string>();
  if (delimiter.empty()) return Error::invalid("Fn::Split takes a delimiter that is not empty");
  Json out = Json::array();
  std::size_t from = 0;
  for (std::size_t at = text.find(delimiter); at != std::string::npos; at = text.find(delimiter, from)) {
    out.push_back(text.substr(from, at - from));
    from = at + delimiter.size();
  }
  out.push_back(text.substr(from));
  return out;
}

Result<Json> select(const Json& argument) {
  if (!argument.is_array() || argument.size() != 2 || !argument[1].is_array()) return Error::invalid("Fn::Select takes an index and a list");
  const std::string text = text_of(argument[0]);
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc() || end != text.data() + text.size() || index >= argument[1].size()) {
    return Error::invalid(fmt::format("Fn::Select cannot select nonexistent value at index {}", text));
  }
  return argument[1][index];
}

}  // namespace

std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null() || value.is_discarded()) return {};
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (number == std::floor(number) && std::fabs(number) < 1e15) return fmt::format("{}", static_cast<std::int64_t>(number));
    return fmt::format("{}", number);
  }
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::string> names_in_pattern(std::string_view pattern) {
  std::vector<std::string> names;
  const auto done = substitute_pattern(pattern, [&](const std::string& name) -> Result<std::string> {
    names.push_back(name);
    return std::string();
  });
  static_cast<void>(done.ok());  // what is malformed is said when it is carried out
  return names;
}

Result<Json> substitute_pattern(std::string_view pattern, const std::function<Result<std::string>(const std::string& name)>& value_of) {
  std::string out;
  while (!pattern.empty()) {
    const std::size_t mark = pattern.find("${");
    out += pattern.substr(0, mark);
    if (mark == std::string_view::npos) break;
    pattern.remove_prefix(mark + 2);
    const std::size_t end = pattern.find('}');
    if (end == std::string_view::npos) return Error::invalid("Fn::Sub: ${ without its }");
    std::string name(pattern.substr(0, end));
    pattern.remove_prefix(end + 1);
    if (name.starts_with('!')) {
      out += "${" + name.substr(1) + "}";
      continue;
    }
    name.erase(0, name.find_first_not_of(' '));
    name.erase(name.find_last_not_of(' ') + 1);
    if (name.empty()) return Error::invalid("Fn::Sub: ${} names nothing");
    TRY(const std::string value, value_of(name));
    out += value;
  }
  return Json(std::move(out));
}

Result<Json> call_pure(const std::string& function, const Json& argument, std::string_view region) {
  if (function == "Fn::Join") return join(argument);
  if (function == "Fn::Split") return split(argument);
  if (function == "Fn::Select") return select(argument);
  if (function == "Fn::Base64") return Json(base64(text_of(argument)));
  if (function == "Fn::ToJsonString") return Json(argument.dump(-1, ' ', false, Json::error_handler_t::replace));
  if (function == "Fn::Length") {
    if (!argument.is_array()) return Error::invalid("Fn::Length takes a list");
    return Json(argument.size());
  }
  if (function == "Fn::GetAZs") {
    const std::string of = text_of(argument).empty() ? std::string(region) : text_of(argument);
    return Json::array({of + "a", of + "b", of + "c"});
  }
  return Error::invalid(fmt::format("{} is not carried out here", function));
}

}  // namespace fog::apply
