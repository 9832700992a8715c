// What the decoders of protobuf share. protozero is included by them alone. It throws on broken input: decoders catch
// protozero::exception.
#pragma once

#include <protozero/pbf_reader.hpp>

#include <string>
#include <string_view>

#include "api/otlp/span.h"

namespace fog::otlp {

using protozero::pbf_reader;

// Field numbers with their wire type: a known number with another type is skipped like an unknown
// field, because protozero takes a mismatch for a programmer's error.
constexpr std::uint32_t varint(std::uint32_t number) { return number << 3; }
constexpr std::uint32_t fixed64(std::uint32_t number) { return number << 3 | 1; }
constexpr std::uint32_t bytes(std::uint32_t number) { return number << 3 | 2; }

inline std::uint32_t field(const pbf_reader& reader) {
  return reader.tag() << 3 | static_cast<std::uint32_t>(reader.wire_type());
}

inline std::string_view view_of(pbf_reader& reader) {
  const auto view = reader.get_view();
  return {view.data(), view.size()};
}
inline std::string bytes_of(pbf_reader& reader) { return std::string(view_of(reader)); }

// A KeyValue; arrays and maps deeper than 32 are left out.
Attributes::value_type read_pair(pbf_reader reader, int depth = 0);
// The attributes of a Resource, and name and version of an InstrumentationScope.
Attributes read_resource(pbf_reader reader);
void read_scope(pbf_reader reader, std::string& name, std::string& version);

}  // namespace fog::otlp
