// ExportLogsServiceRequest in protobuf. Field numbers are those of opentelemetry/proto/logs/v1/logs.proto.
#include "api/otlp/logs.h"
#include "api/otlp/protobuf.h"

namespace fog::otlp {
namespace {

constexpr std::uint32_t fixed32(std::uint32_t number) { return number << 3 | 5; }

std::string hex_of(std::string_view id) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  bool zero = true;
  for (const char c : id) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
    zero = zero && byte == 0;
  }
  return zero ? std::string() : out;
}

// An AnyValue, read as the value of a KeyValue without a key.
Value any_value(std::string_view encoded) {
  std::string pair(1, static_cast<char>(bytes(2)));
  std::uint64_t length = encoded.size();
  for (; length >= 0x80; length >>= 7) pair.push_back(static_cast<char>(length | 0x80));
  pair.push_back(static_cast<char>(length));
  pair.append(encoded);
  return read_pair(pbf_reader(pair)).second;
}

LogRecord read_record(pbf_reader reader) {
  LogRecord record;
  while (reader.next()) {
    switch (field(reader)) {
      case fixed64(1): record.time_ns = reader.get_fixed64(); break;
      case varint(2): record.severity_number = reader.get_int32(); break;
      case bytes(3): record.severity_text = bytes_of(reader); break;
      case bytes(5): record.body = any_value(view_of(reader)); break;
      case bytes(6): record.attributes.push_back(read_pair(reader.get_message())); break;
      case fixed32(8): record.flags = reader.get_fixed32(); break;
      case bytes(9): record.trace_id = hex_of(view_of(reader)); break;
      case bytes(10): record.span_id = hex_of(view_of(reader)); break;
      case fixed64(11): record.observed_ns = reader.get_fixed64(); break;
      default: reader.skip();
    }
  }
  return record;
}

}  // namespace

Result<std::vector<LogGroupRecords>> decode_logs_protobuf(std::string_view body) {
  std::vector<LogGroupRecords> groups;
  try {
    pbf_reader request(body.data(), body.size());
    while (request.next()) {
      if (field(request) != bytes(1)) {
        request.skip();
        continue;
      }
      auto resource_logs = request.get_message();
      Attributes resource;
      const std::size_t first = groups.size();
      while (resource_logs.next()) {
        if (field(resource_logs) == bytes(1)) {
          resource = read_resource(resource_logs.get_message());
        } else if (field(resource_logs) == bytes(2)) {
          LogGroupRecords& group = groups.emplace_back();
          auto scope_logs = resource_logs.get_message();
          while (scope_logs.next()) {
            if (field(scope_logs) == bytes(1)) read_scope(scope_logs.get_message(), group.scope_name, group.scope_version);
            else if (field(scope_logs) == bytes(2)) group.records.push_back(read_record(scope_logs.get_message()));
            else scope_logs.skip();
          }
        } else {
          resource_logs.skip();
        }
      }
      for (std::size_t i = first; i < groups.size(); ++i) groups[i].resource = resource;
    }
  } catch (const protozero::exception& broken) {
    return Error::invalid(std::string("not an ExportLogsServiceRequest: ") + broken.what());
  }
  return groups;
}

}  // namespace fog::otlp
