// What the decoders of OTLP/JSON share: 64-bit numbers are text or numbers, attributes are lists of pairs.
#pragma once

#include <simdjson.h>

#include <string>

#include "api/otlp/span.h"

namespace fog::otlp {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

// Empty, 0 or nothing for what is of another type.
std::string string_of(const element& value);
std::uint64_t unsigned_of(const element& value);
Attributes attributes_of(const element& list);
// Of an element of resourceSpans, resourceMetrics ...; of scopeSpans, scopeMetrics ...
Attributes resource_of(const object& of);
void scope_of(const object& of, std::string& name, std::string& version);

// The objects of the list `name` of `json`.
template <typename Visit>
void for_each_object(const object& json, const char* name, const Visit& visit) {
  element list;
  if (json[name].get(list) != simdjson::SUCCESS || !list.is_array()) return;
  for (const element& each : simdjson::dom::array(list.get_array().value_unsafe()))
    if (each.is_object()) visit(each.get_object().value_unsafe());
}

}  // namespace fog::otlp
