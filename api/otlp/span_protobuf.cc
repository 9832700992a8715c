// ExportTraceServiceRequest in protobuf. Field numbers are those of
// opentelemetry/proto/trace/v1/trace.proto; unknown fields are skipped.
#include "api/otlp/protobuf.h"

namespace fog::otlp {

namespace {

SpanEvent read_event(pbf_reader reader) {
  SpanEvent event;
  while (reader.next()) {
    switch (field(reader)) {
      case fixed64(1): event.time_ns = reader.get_fixed64(); break;
      case bytes(2): event.name = bytes_of(reader); break;
      case bytes(3): event.attributes.push_back(read_pair(reader.get_message())); break;
      default: reader.skip();
    }
  }
  return event;
}

SpanLink read_link(pbf_reader reader) {
  SpanLink link;
  while (reader.next()) {
    switch (field(reader)) {
      case bytes(1): link.trace_id = bytes_of(reader); break;
      case bytes(2): link.span_id = bytes_of(reader); break;
      case bytes(4): link.attributes.push_back(read_pair(reader.get_message())); break;
      default: reader.skip();
    }
  }
  return link;
}

Span read_span(pbf_reader reader) {
  Span span;
  while (reader.next()) {
    switch (field(reader)) {
      case bytes(1): span.trace_id = bytes_of(reader); break;
      case bytes(2): span.span_id = bytes_of(reader); break;
      case bytes(4): span.parent_id = bytes_of(reader); break;
      case bytes(5): span.name = bytes_of(reader); break;
      case varint(6): {
        const auto kind = reader.get_enum();
        span.kind = kind >= 0 && kind <= 5 ? static_cast<SpanKind>(kind) : SpanKind::kUnspecified;
        break;
      }
      case fixed64(7): span.start_ns = reader.get_fixed64(); break;
      case fixed64(8): span.end_ns = reader.get_fixed64(); break;
      case bytes(9): span.attributes.push_back(read_pair(reader.get_message())); break;
      case bytes(11): span.events.push_back(read_event(reader.get_message())); break;
      case bytes(13): span.links.push_back(read_link(reader.get_message())); break;
      case bytes(15): {
        auto status = reader.get_message();
        while (status.next()) {
          if (field(status) == bytes(2)) {
            span.status_message = bytes_of(status);
          } else if (field(status) == varint(3)) {
            const auto code = status.get_enum();
            span.status = code >= 0 && code <= 2 ? static_cast<StatusCode>(code) : StatusCode::kUnset;
          } else {
            status.skip();
          }
        }
        break;
      }
      default: reader.skip();
    }
  }
  return span;
}

}  // namespace

Result<std::vector<SpanGroup>> decode_traces_protobuf(std::string_view body) {
  return read_export<SpanGroup>(body, "ExportTraceServiceRequest", [](pbf_reader reader, SpanGroup& group) { group.spans.push_back(read_span(reader)); });
}

}  // namespace fog::otlp
