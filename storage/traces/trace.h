// Trace: what is known about one trace once its documents are put together.
//
// assemble() merges documents by the rules of X-Ray: independent subsegments hang below the entity
// they name as parent, segments below the entity that called them, and a call to something that
// sent no segment of its own gets an inferred segment. From a Trace come summaries, filters, root
// causes and the service graph; the documents themselves are needed only to show them.
//
// Strings are views into the trace's own text (or the stored block it was decoded from), alive as
// long as the Trace. Immutable once built; any thread may read it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "storage/traces/document.h"

namespace fog::traces {

enum class EntityKind : std::uint8_t {
  kSegment,
  kSubsegment,
  kInferred,  // stands for the other end of a call that sent no segment
};

struct Annotation {
  std::string_view key;
  std::variant<std::string_view, double, bool> value;
};

struct ExceptionFact {
  std::string_view type;
  std::string_view message;
  bool remote = false;
};

// A span link to an entity of another trace.
struct LinkFact {
  TraceId trace;
  std::uint64_t span = 0;
};

struct Entity {
  EntityKind kind = EntityKind::kSegment;
  bool in_progress = false;
  bool error = false;
  bool fault = false;
  bool throttle = false;
  bool remote = false;     // subsegment of namespace aws or remote; always true for inferred ones
  bool has_parent_id = false;
  bool orphan = false;     // belongs to no segment yet
  std::int32_t parent = -1;   // index of the entity it hangs below; -1: none
  std::int32_t segment = -1;  // index of the segment that owns it (itself for segments); -1: orphan
  std::uint64_t id = 0;       // 0 in a trace decoded from its stored form
  std::int64_t start_us = 0;
  std::int64_t end_us = 0;    // 0 while in progress
  std::string_view name;
  // The graph node of a segment; empty for subsegments. An empty type or account is "absent".
  std::string_view node_name, node_type, account;
  std::string_view http_url, http_method, user_agent, client_ip;
  std::int32_t http_status = -1;  // -1: absent
  bool has_http = false;
  std::string_view user, resource_arn, instance_id, availability_zone;
  std::uint32_t first_annotation = 0, annotations = 0;  // range in Trace::annotations
  std::uint32_t first_exception = 0, exceptions = 0;    // range in Trace::exceptions
  std::uint32_t first_link = 0, links = 0;              // range in Trace::links

  bool is_segment() const { return kind != EntityKind::kSubsegment; }
  bool is_root() const { return kind == EntityKind::kSegment && parent < 0; }
  // Rounded to milliseconds; 0 while in progress.
  std::int64_t duration_ms() const {
    return in_progress ? 0 : (end_us - start_us + 500) / 1000;
  }
};

// One accepted document, as an event in the life of the trace.
struct TraceUpdate {
  std::int64_t received_ms = 0;
};

struct Trace {
  TraceId id;
  std::vector<Entity> entities;
  std::vector<Annotation> annotations;
  std::vector<ExceptionFact> exceptions;
  std::vector<LinkFact> links;
  std::vector<std::int64_t> updates_ms;  // when documents were received, ascending
  std::vector<std::uint64_t> labels;     // groups it matched when it was stored
  std::int32_t root = -1;                // index of the root segment; -1: only orphans so far
  std::int64_t start_us = 0;             // earliest start of a segment (of anything without one)
  std::int64_t end_us = 0;               // latest end of anything; start_us if all is in progress
  std::uint32_t revision = 0;            // documents accepted
  bool partial = false;                  // something is still in progress
  bool limit_exceeded = false;

  std::int64_t duration_ms() const { return (end_us - start_us + 500) / 1000; }
  // Nothing without a root or while the root is in progress.
  std::optional<std::int64_t> response_ms() const {
    if (root < 0 || at(root).in_progress) return std::nullopt;
    return at(root).duration_ms();
  }
  // The time by which a trace is filed: the epoch in its id, or its start when that is another day.
  std::int64_t time_s() const;
  bool has_throttle() const;
  bool has_inferred() const;
  const Entity& at(std::int32_t index) const {
    return entities[static_cast<std::size_t>(index)];
  }
  std::span<const Annotation> annotations_of(const Entity& e) const {
    return std::span(annotations).subspan(e.first_annotation, e.annotations);
  }
  std::span<const ExceptionFact> exceptions_of(const Entity& e) const {
    return std::span(exceptions).subspan(e.first_exception, e.exceptions);
  }
  std::span<const LinkFact> links_of(const Entity& e) const {
    return std::span(links).subspan(e.first_link, e.links);
  }

  std::shared_ptr<const void> text;  // keeps the views alive
};

std::int64_t filing_time_s(TraceId id, std::int64_t start_us);

// A document as the store keeps it.
struct StoredDocument {
  std::uint64_t id = 0;
  bool subsegment = false;
  bool complete = false;
  std::int64_t start_us = 0;
  std::int64_t received_ms = 0;
  std::uint64_t lsn = 0;  // of the record that brought it
  std::string text;
};

// Adds `document` by the merge rules: a complete one replaces any of the same id, an in-progress
// one replaces only an in-progress one. False when it changes nothing.
bool merge_document(std::vector<std::shared_ptr<const StoredDocument>>& documents,
                    std::shared_ptr<const StoredDocument> document);

// The documents must have passed DocumentParser. `updates_ms` and `revision` are copied into it.
class TraceAssembler {
 public:
  TraceAssembler();
  ~TraceAssembler();
  Trace assemble(TraceId id, std::span<const std::shared_ptr<const StoredDocument>> documents,
                 std::vector<std::int64_t> updates_ms, std::uint32_t revision);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Name and type of the node a call leads to when the other side sent no segment.
struct InferredNode {
  std::string_view name;
  std::string type;
};
struct CallFacts {
  std::string_view name, name_space, table_name, queue_url;
  bool has_sql = false;
};
InferredNode infer_node(const CallFacts& call);

// The id of the generated segment for a call: stable, from trace and subsegment.
std::uint64_t inferred_id(TraceId trace, std::uint64_t subsegment);

}  // namespace fog::traces
