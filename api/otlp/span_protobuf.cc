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

void read_scope_spans(pbf_reader reader, SpanGroup& group) {
  while (reader.next()) {
    if (field(reader) == bytes(1)) {
      read_scope(reader.get_message(), group.scope_name, group.scope_version);
    } else if (field(reader) == bytes(2)) {
      group.spans.push_back(read_span(reader.get_message()));
    } else {
      reader.skip();
    }
  }
}

}  // namespace

Result<std::vector<SpanGroup>> decode_traces_protobuf(std::string_view body) {
  std::vector<SpanGroup> groups;
  try {
    pbf_reader request(body.data(), body.size());
    while (request.next()) {
      if (field(request) != bytes(1)) {
        request.skip();
        continue;
      }
      auto resource_spans = request.get_message();
      Attributes resource;
      const std::size_t first = groups.size();
      while (resource_spans.next()) {
        if (field(resource_spans) == bytes(1)) {
          resource = read_resource(resource_spans.get_message());
        } else if (field(resource_spans) == bytes(2)) {
          read_scope_spans(resource_spans.get_message(), groups.emplace_back());
        } else {
          resource_spans.skip();
        }
      }
      for (std::size_t i = first; i < groups.size(); ++i) groups[i].resource = resource;
    }
  } catch (const protozero::exception& broken) {
    return Error::invalid(std::string("not an ExportTraceServiceRequest: ") + broken.what());
  }
  return groups;
}

}  // namespace fog::otlp
