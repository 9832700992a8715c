#include "api/apply/coerce.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "api/apply/text.h"

namespace fog::apply {
namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

const Member* member_of(const Shape& shape, std::string_view name) {
  const Member* other_case = nullptr;
  for (std::size_t i = 0; i < shape.member_count; ++i) {
    if (shape.members[i].name == name) return &shape.members[i];
    if (equal_ignoring_case(shape.members[i].name, name)) other_case = &shape.members[i];
  }
  return other_case;
}

Error not_a(const std::string& path, const char* what, const Json& value) {
  return Error::invalid(fmt::format("{} is not {}: {}", path.empty() ? "the value" : path, what, value.dump(-1, ' ', false, Json::error_handler_t::replace)));
}

template <typename T>
std::optional<T> number(const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty() ? std::optional(value) : std::nullopt;
}

Result<Json> scalar(const Json& value, const Shape& shape, const std::string& path) {
  switch (shape.kind) {
    case Kind::kBoolean:
      if (value.is_boolean()) return value;
      if (value.is_string() && equal_ignoring_case(value.get_ref<const std::string&>(), "true")) return Json(true);
      if (value.is_string() && equal_ignoring_case(value.get_ref<const std::string&>(), "false")) return Json(false);
      return not_a(path, "true or false", value);
    case Kind::kInteger:
    case Kind::kLong: {
      if (value.is_number_integer()) return value;
      if (const auto n = number<std::int64_t>(text_of(value)); n && value.is_primitive() && !value.is_boolean()) return Json(*n);
      return not_a(path, "a whole number", value);
    }
    case Kind::kDouble:
    case Kind::kTimestamp:
      if (value.is_number()) return value;
      if (const auto n = number<double>(text_of(value)); n && value.is_string()) return Json(*n);
      if (shape.kind == Kind::kTimestamp && value.is_string()) return value;
      return not_a(path, "a number", value);
    default: return Json(text_of(value));
  }
}

Result<Json> map_of(const Json& value, const Shape& shape, const std::string& path, std::vector<std::string>& ignored) {
  Json out = Json::object();
  if (value.is_object()) {
    for (const auto& [key, content] : value.items()) {
      TRY(Json one, coerce(content, *shape.element, path + "." + key, ignored));
      out[key] = std::move(one);
    }
    return out;
  }
  if (!value.is_array()) return not_a(path, "a map", value);
  for (const Json& entry : value) {  // [{"Key": ..., "Value": ...}]
    if (!entry.is_object() || !entry.contains("Key") || !entry.contains("Value")) return not_a(path, "a list of Key and Value", value);
    TRY(Json one, coerce(entry["Value"], *shape.element, path + "." + text_of(entry["Key"]), ignored));
    out[text_of(entry["Key"])] = std::move(one);
  }
  return out;
}

// What two equal states have in common.
Json canonical(const Json& value, bool is_ordered) {
  if (value.is_object()) {
    std::vector<std::pair<std::string, Json>> members;
    for (const auto& [key, content] : value.items()) {
      Json one = canonical(content, is_ordered);
      if (one.is_null() || ((one.is_object() || one.is_array()) && one.empty())) continue;
      members.emplace_back(key, std::move(one));
    }
    std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    Json out = Json::object();
    for (auto& [key, content] : members) out[key] = std::move(content);
    return out;
  }
  if (value.is_array()) {
    std::vector<Json> items;
    for (const Json& item : value) items.push_back(canonical(item, is_ordered));
    if (!is_ordered) std::sort(items.begin(), items.end(), [](const Json& a, const Json& b) { return a.dump() < b.dump(); });
    return Json(items);
  }
  if (value.is_number()) return Json(value.get<double>());
  if (value.is_string()) {
    const std::string& text = value.get_ref<const std::string&>();
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first != std::string::npos && (text[first] == '{' || text[first] == '[')) {
      const Json inner = Json::parse(text, nullptr, false);
      if (!inner.is_discarded()) return canonical(inner, is_ordered);
    }
  }
  return value;
}

}  // namespace

Result<Json> coerce(const Json& value, const Shape& shape, const std::string& path, std::vector<std::string>& ignored) {
  if (shape.kind == Kind::kMap) return map_of(value, shape, path, ignored);
  if (shape.kind == Kind::kList) {
    if (!value.is_array()) return not_a(path, "a list", value);
    Json out = Json::array();
    for (std::size_t i = 0; i < value.size(); ++i) {
      TRY(Json one, coerce(value[i], *shape.element, fmt::format("{}[{}]", path, i), ignored));
      out.push_back(std::move(one));
    }
    return out;
  }
  if (shape.kind != Kind::kStruct) return scalar(value, shape, path);
  if (!value.is_object()) return not_a(path, "an object", value);
  Json out = Json::object();
  for (const auto& [key, content] : value.items()) {
    const std::string below = path.empty() ? key : path + "." + key;
    const Member* member = member_of(shape, key);
    if (member == nullptr) {
      ignored.push_back(below);
      continue;
    }
    if (content.is_null()) continue;
    TRY(Json one, coerce(content, *member->shape, below, ignored));
    out[std::string(member->name)] = std::move(one);
  }
  return out;
}

bool same(const Json& one, const Json& other, bool is_ordered) { return canonical(one, is_ordered) == canonical(other, is_ordered); }

}  // namespace fog::apply
