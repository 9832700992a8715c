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

// The frame of every export request: resources, scopes in them, items in those. A Group has resource,
// scope_name and scope_version; `read_item` puts one item into it. Error: what is not such a message.
template <typename Group, typename ReadItem>
Result<std::vector<Group>> read_export(std::string_view body, std::string_view name, ReadItem read_item) {
  std::vector<Group> groups;
  try {
    pbf_reader request(body.data(), body.size());
    while (request.next()) {
      if (field(request) != bytes(1)) {
        request.skip();
        continue;
      }
      auto of_resource = request.get_message();
      Attributes resource;
      const std::size_t first = groups.size();
      while (of_resource.next()) {
        if (field(of_resource) == bytes(1)) {
          resource = read_resource(of_resource.get_message());
        } else if (field(of_resource) == bytes(2)) {
          Group& group = groups.emplace_back();
          auto of_scope = of_resource.get_message();
          while (of_scope.next()) {
            if (field(of_scope) == bytes(1)) read_scope(of_scope.get_message(), group.scope_name, group.scope_version);
            else if (field(of_scope) == bytes(2)) read_item(of_scope.get_message(), group);
            else of_scope.skip();
          }
        } else {
          of_resource.skip();
        }
      }
      for (std::size_t i = first; i < groups.size(); ++i) groups[i].resource = resource;
    }
  } catch (const protozero::exception& broken) {
    return Error::invalid("not an " + std::string(name) + ": " + broken.what());
  }
  return groups;
}

}  // namespace fog::otlp
