// ExportTraceServiceRequest in protobuf; the only place that includes protozero. Field numbers are
// those of opentelemetry/proto/trace/v1/trace.proto; unknown fields are skipped.
#include <protozero/pbf_reader.hpp>

#include "api/otlp/span.h"

namespace fog::otlp {

namespace {

using protozero::pbf_reader;

// Field numbers with their wire type: a known number with another type is skipped like an unknown
// field, because protozero takes a mismatch for a programmer's error.
constexpr std::uint32_t varint(std::uint32_t number) { return number << 3; }
constexpr std::uint32_t fixed64(std::uint32_t number) { return number << 3 | 1; }
constexpr std::uint32_t bytes(std::uint32_t number) { return number << 3 | 2; }

std::uint32_t field(const pbf_reader& reader) {
  return reader.tag() << 3 | static_cast<std::uint32_t>(reader.wire_type());
}

constexpr int kDepthMax = 32;  // of arrays and maps inside attribute values

std::string bytes_of(pbf_reader& reader) {
  const auto view = reader.get_view();
  return {view.data(), view.size()};
}

Attributes::value_type read_pair(pbf_reader reader, int depth);

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

Attributes::value_type read_pair(pbf_reader reader, int depth) {
  Attributes::value_type pair;
  while (reader.next()) {
    if (field(reader) == bytes(1)) pair.first = bytes_of(reader);
    else if (field(reader) == bytes(2)) pair.second = read_value(reader.get_message(), depth);
    else reader.skip();
  }
  return pair;
}

SpanEvent read_event(pbf_reader reader) {
  SpanEvent event;
  while (reader.next()) {
    switch (field(reader)) {
      case fixed64(1): event.time_ns = reader.get_fixed64(); break;
      case bytes(2): event.name = bytes_of(reader); break;
      case bytes(3): event.attributes.push_back(read_pair(reader.get_message(), 0)); break;
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
      case bytes(4): link.attributes.push_back(read_pair(reader.get_message(), 0)); break;
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
      case bytes(9): span.attributes.push_back(read_pair(reader.get_message(), 0)); break;
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
      auto scope = reader.get_message();
      while (scope.next()) {
        if (field(scope) == bytes(1)) group.scope_name = bytes_of(scope);
        else if (field(scope) == bytes(2)) group.scope_version = bytes_of(scope);
        else scope.skip();
      }
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
          auto reader = resource_spans.get_message();
          while (reader.next()) {
            if (field(reader) == bytes(1)) resource.push_back(read_pair(reader.get_message(), 0));
            else reader.skip();
          }
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
