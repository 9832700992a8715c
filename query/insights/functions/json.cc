// Functions over JSON text, maps and lists.
#include "query/insights/json.h"

#include "query/insights/function.h"

namespace fog::insights {

namespace {

using Args = std::span<const Value>;

// A list or map as it is, or parsed from text; nullptr when it is neither.
const Json* as_json(CallContext& c, const Value& value) {
  if (value.container()) return value.json;
  if (!value.is_text()) return nullptr;
  return parse_json(value.view(), c.arena);
}
Value parse_kernel(CallContext& c, Args args) {
  Value value = Value::of(as_json(c, args[0]));
  return value.container() ? value : Value{};
}
Value stringify_kernel(CallContext& c, Args args) {
  if (!args[0].container()) return args[0].is_text() ? args[0] : Value::text(c.arena.copy(to_text(args[0])));
  std::string text;
  print_json(*args[0].json, text);
  return Value::text(c.arena.copy(text));
}
Value size_kernel(CallContext& c, Args args) {
  const Json* json = as_json(c, args[0]);
  return json && json->kind == Json::Kind::kArray ? Value::integer(json->count) : Value{};
}
Value contains_kernel(CallContext& c, Args args) {
  const Json* json = as_json(c, args[0]);
  if (json == nullptr || json->kind != Json::Kind::kArray) return Value::boolean(false);
  for (std::uint32_t k = 0; k < json->count; ++k)
    if (equal(Value::of(&json->items[k]), args[1]) == 1) return Value::boolean(true);
  return Value::boolean(false);
}

constexpr Function kJson[] = {
    {"jsonparse", 1, 1, parse_kernel, "a map or list from JSON text, else null", true},
    {"jsonstringify", 1, 1, stringify_kernel, "compact JSON", true},
    {"jsonarraysize", 1, 1, size_kernel, "members of a list", true},
    {"jsonarraycontains", 2, 2, contains_kernel, "1 if the list has the value"},
};

}  // namespace

std::span<const Function> json_functions() { return kJson; }

}  // namespace fog::insights
