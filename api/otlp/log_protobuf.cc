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
  return read_export<LogGroupRecords>(body, "ExportLogsServiceRequest", [](pbf_reader reader, LogGroupRecords& group) { group.records.push_back(read_record(reader)); });
}

}  // namespace fog::otlp
