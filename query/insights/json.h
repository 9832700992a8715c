// JSON values inside the language: jsonParse, logfmt maps, lists. Trees live in an Arena; numbers
// keep their source text, objects the order of their keys.
#pragma once

#include <string>
#include <string_view>

#include "query/insights/value.h"

namespace fog::insights {

struct Json {
  enum class Kind : std::uint8_t { kNull, kTrue, kFalse, kNumber, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  std::uint32_t count = 0;               // members
  std::string_view text;                 // kNumber: as written; kString: unescaped
  const Json* items = nullptr;           // members
  const std::string_view* keys = nullptr;  // kObject: one for each member

  const Json* member(std::string_view key) const;  // the first of that name
};

// One JSON text with blanks around it; nullptr when it is not exactly that, or nested too deep.
const Json* parse_json(std::string_view text, Arena& arena);
void print_json(const Json& json, std::string& out);  // compact
const Json* copy_json(const Json& json, Arena& arena);
// A list or map built from parts.
const Json* make_list(const std::vector<Value>& values, Arena& arena);
const Json* make_map(const std::vector<std::pair<std::string_view, Value>>& members, Arena& arena);

// Follows `path` ("a.b.0", already split at the dots of the query); keys that contain dots are tried whole first.
Value json_path(const Json* json, const std::vector<std::string>& steps);

}  // namespace fog::insights
