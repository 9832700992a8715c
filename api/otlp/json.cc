#include "api/otlp/json.h"

#include "api/codec/text.h"

namespace fog::otlp {

std::string string_of(const element& value) {
  return value.is_string() ? std::string(value.get_string().value_unsafe()) : std::string();
}

std::uint64_t unsigned_of(const element& value) {
  if (value.is_string()) return static_cast<std::uint64_t>(parse_integer(value.get_string().value_unsafe()).value_or(0));
  if (value.is_uint64()) return value.get_uint64().value_unsafe();
  double number = 0;
  if (value.is_number() && value.get_double().get(number) == simdjson::SUCCESS && number > 0 && number < 1.8e19)
    return static_cast<std::uint64_t>(number);
  return 0;
}

namespace {

// Depth is bounded by the parser's.
Value value_of(const element& json) {
  Value value;
  if (!json.is_object()) return value;
  for (const auto& [key, each] : simdjson::dom::object(json.get_object().value_unsafe())) {
    if (key == "stringValue") {
      value.is = string_of(each);
    } else if (key == "boolValue" && each.is_bool()) {
      value.is = each.get_bool().value_unsafe();
    } else if (key == "intValue") {
      if (each.is_string()) value.is = parse_integer(each.get_string().value_unsafe()).value_or(0);
      else if (each.is_int64()) value.is = each.get_int64().value_unsafe();
      else if (each.is_double()) value.is = each.get_double().value_unsafe();
    } else if (key == "doubleValue") {
      double number = 0;
      if (each.is_number() && each.get_double().get(number) == simdjson::SUCCESS) value.is = number;
    } else if (key == "arrayValue" && each.is_object()) {
      std::vector<Value> items;
      element values;
      if (each["values"].get(values) == simdjson::SUCCESS && values.is_array())
        for (const element& item : simdjson::dom::array(values.get_array().value_unsafe())) items.push_back(value_of(item));
      value.is = std::move(items);
    } else if (key == "kvlistValue" && each.is_object()) {
      element values;
      value.is = each["values"].get(values) == simdjson::SUCCESS ? attributes_of(values) : Attributes{};
    } else if (key == "bytesValue") {
      value.is = string_of(each);
    }
  }
  return value;
}

}  // namespace

Attributes attributes_of(const element& list) {
  Attributes out;
  if (!list.is_array()) return out;
  for (const element& pair : simdjson::dom::array(list.get_array().value_unsafe())) {
    element key, value;
    if (!pair.is_object() || pair["key"].get(key) != simdjson::SUCCESS) continue;
    out.emplace_back(string_of(key), pair["value"].get(value) == simdjson::SUCCESS ? value_of(value) : Value{});
  }
  return out;
}

Attributes resource_of(const object& of) {
  element resource, list;
  if (of["resource"].get(resource) != simdjson::SUCCESS || !resource.is_object() ||
      resource["attributes"].get(list) != simdjson::SUCCESS)
    return {};
  return attributes_of(list);
}

void scope_of(const object& of, std::string& name, std::string& version) {
  element scope, part;
  if (of["scope"].get(scope) != simdjson::SUCCESS || !scope.is_object()) return;
  if (scope["name"].get(part) == simdjson::SUCCESS) name = string_of(part);
  if (scope["version"].get(part) == simdjson::SUCCESS) version = string_of(part);
}

}  // namespace fog::otlp
