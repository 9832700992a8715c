#include "api/otlp/protobuf.h"

namespace fog::otlp {

namespace {

constexpr int kDepthMax = 32;  // of arrays and maps inside attribute values

Value read_value(pbf_reader reader, int depth) {
  Value value;
  while (reader.next()) {
    switch (field(reader)) {
      case bytes(1): value.is = bytes_of(reader); break;
      case varint(2): value.is = reader.get_bool(); break;
      case varint(3): value.is = reader.get_int64(); break;
      case fixed64(4): value.is = reader.get_double(); break;
      case bytes(5): {
        std::vector<Value> items;
        auto list = reader.get_message();
        while (list.next()) {
          if (field(list) == bytes(1) && depth < kDepthMax) items.push_back(read_value(list.get_message(), depth + 1));
          else list.skip();
        }
        value.is = std::move(items);
        break;
      }
      case bytes(6): {
        Attributes items;
        auto list = reader.get_message();
        while (list.next()) {
          if (field(list) == bytes(1) && depth < kDepthMax) items.push_back(read_pair(list.get_message(), depth + 1));
          else list.skip();
        }
        value.is = std::move(items);
        break;
      }
      case bytes(7): value.is = bytes_of(reader); break;
      default: reader.skip();
    }
  }
  return value;
}

}  // namespace

Attributes::value_type read_pair(pbf_reader reader, int depth) {
  Attributes::value_type pair;
  while (reader.next()) {
    if (field(reader) == bytes(1)) pair.first = bytes_of(reader);
    else if (field(reader) == bytes(2)) pair.second = read_value(reader.get_message(), depth);
    else reader.skip();
  }
  return pair;
}

Attributes read_resource(pbf_reader reader) {
  Attributes attributes;
  while (reader.next()) {
    if (field(reader) == bytes(1)) attributes.push_back(read_pair(reader.get_message()));
    else reader.skip();
  }
  return attributes;
}

void read_scope(pbf_reader reader, std::string& name, std::string& version) {
  while (reader.next()) {
    if (field(reader) == bytes(1)) name = bytes_of(reader);
    else if (field(reader) == bytes(2)) version = bytes_of(reader);
    else reader.skip();
  }
}

}  // namespace fog::otlp
