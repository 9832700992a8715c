#include "storage/traces/trace.h"

#include <simdjson.h>

#include <array>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "storage/base/hash.h"
#include "storage/base/result.h"

namespace fog::traces {

std::int64_t filing_time_s(TraceId id, std::int64_t start_us) {
  const std::int64_t start_s = start_us / 1000000;
  const std::int64_t apart = id.epoch_s() - start_s;
  return apart > 86400 || apart < -86400 ? start_s : id.epoch_s();
}

std::int64_t Trace::time_s() const { return filing_time_s(id, start_us); }

bool Trace::has_throttle() const {
  return std::any_of(entities.begin(), entities.end(),
                     [](const Entity& e) { return e.is_segment() && e.throttle; });
}

bool Trace::has_inferred() const {
  return !entities.empty() && entities.back().kind == EntityKind::kInferred;
}

bool merge_document(std::vector<std::shared_ptr<const StoredDocument>>& documents,
                    std::shared_ptr<const StoredDocument> document) {
  for (auto& known : documents) {
    if (known->id != document->id) continue;
    if (known->complete && !document->complete) return false;
    known = std::move(document);
    return true;
  }
  documents.push_back(std::move(document));
  return true;
}

std::uint64_t inferred_id(TraceId trace, std::uint64_t subsegment) {
  char key[24];
  std::memcpy(key, &trace.hi, 8);
  std::memcpy(key + 8, &trace.lo, 8);
  std::memcpy(key + 16, &subsegment, 8);
  return hash64({key, sizeof key}, 0x1f6e);
}

namespace {

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char c = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] + 32) : a[i];
    if (c != b[i]) return false;
  }
  return true;
}

struct ServiceAlias {
  std::string_view alias;
  std::string_view name;
};
constexpr ServiceAlias kCanonicalServices[] = {
    {"dynamodb", "DynamoDB"},       {"dynamodbv2", "DynamoDB"}, {"amazondynamodb", "DynamoDB"},
    {"amazondynamodbv2", "DynamoDB"}, {"sns", "SNS"},           {"amazonsns", "SNS"},
    {"sqs", "SQS"},                 {"amazonsqs", "SQS"},       {"s3", "S3"},
    {"amazons3", "S3"},             {"lambda", "Lambda"},       {"awslambda", "Lambda"}};

std::string_view canonical_service(std::string_view name) {
  for (const auto& [alias, canonical] : kCanonicalServices)
    if (equals_ignoring_case(name, alias)) return canonical;
  return name;
}

}  // namespace

InferredNode infer_node(const CallFacts& call) {
  if (call.name_space != "aws")
    return {call.name, call.has_sql ? "Database::SQL" : "remote"};
  const auto service = canonical_service(call.name);
  if (service == "DynamoDB" && !call.table_name.empty())
    return {call.table_name, "AWS::DynamoDB::Table"};
  if (service == "SQS" && !call.queue_url.empty()) {
    auto url = call.queue_url;
    while (!url.empty() && url.back() == '/') url.remove_suffix(1);
    const auto queue = url.substr(url.rfind('/') + 1);
    if (!queue.empty()) return {queue, "AWS::SQS::Queue"};
  }
  return {service, "AWS::" + std::string(service)};
}

namespace {

using simdjson::dom::element;
using simdjson::dom::object;

// Text that lives as long as the trace: few large pieces, never moved.
class TextPool {
 public:
  std::string_view add(std::string_view text) {
    if (text.empty()) return {};
    if (text.size() > left_) grow(text.size());
    char* to = next_;
    std::memcpy(to, text.data(), text.size());
    next_ += text.size();
    left_ -= text.size();
    return {to, text.size()};
  }

 private:
  void grow(std::size_t needed) {
    const std::size_t size = std::max(needed, std::size_t{2048});
    pieces_.push_back(std::make_unique<char[]>(size));
    next_ = pieces_.back().get();
    left_ = size;
  }
  std::vector<std::unique_ptr<char[]>> pieces_;
  char* next_ = nullptr;
  std::size_t left_ = 0;
};

std::int64_t microseconds(const element& value) {
  double seconds = 0;
  if (value.get_double().get(seconds) != simdjson::SUCCESS) return 0;
  return std::llround(seconds * 1e6);
}

bool flag(const element& value) { return value.is_bool() && value.get_bool().value_unsafe(); }

std::string_view text(const element& value) {
  return value.is_string() ? value.get_string().value_unsafe() : std::string_view{};
}

std::optional<object> object_in(const element& value) {
  if (!value.is_object()) return std::nullopt;
  return value.get_object().value_unsafe();
}

}  // namespace

struct TraceAssembler::Impl {
  simdjson::dom::parser parser;
  std::string padded;

  // Of the call an entity makes; kept beside the entities while assembling.
  struct Extra {
    std::string_view table_name, queue_url, name_space;
    bool has_sql = false;
    std::uint64_t parent_id = 0;
    bool embedded = false;
  };
  std::vector<Extra> extras;
  std::vector<std::uint64_t> top_ids;  // of independent documents; win over embedded copies
  Trace trace;
  TextPool* pool = nullptr;

  std::string_view keep(std::string_view s) { return pool->add(s); }

  void read_http(const object& http, Entity& e) {
    e.has_http = true;
    for (const auto& [key, value] : http) {
      const auto part = object_in(value);
      if (!part) continue;
      if (key == "request") {
        for (const auto& [name, v] : *part) {
          if (name == "method") e.http_method = keep(text(v));
          else if (name == "url") e.http_url = keep(text(v));
          else if (name == "user_agent") e.user_agent = keep(text(v));
          else if (name == "client_ip") e.client_ip = keep(text(v));
        }
      } else if (key == "response") {
        for (const auto& [name, v] : *part) {
          double status = 0;
          if (name == "status" && v.is_number() && v.get_double().get(status) == simdjson::SUCCESS &&
              status >= 0 && status < 1e6)
            e.http_status = static_cast<std::int32_t>(status);
        }
      }
    }
  }

  void read_aws(const object& aws, Entity& e, Extra& extra) {
    for (const auto& [key, value] : aws) {
      if (key == "account_id") e.account = keep(text(value));
      else if (key == "table_name") extra.table_name = keep(text(value));
      else if (key == "queue_url") extra.queue_url = keep(text(value));
      else if (key == "ec2" || key == "ecs") {
        const auto part = object_in(value);
        if (!part) continue;
        for (const auto& [name, v] : *part) {
          if (name == "instance_id" && key == "ec2") e.instance_id = keep(text(v));
          else if (name == "availability_zone") e.availability_zone = keep(text(v));
        }
      }
    }
  }

  void read_annotations(const object& annotations) {
    for (const auto& [key, value] : annotations) {
      Annotation a;
      if (value.is_string()) {
        a.value = keep(text(value));
      } else if (value.is_bool()) {
        a.value = flag(value);
      } else if (value.is_number()) {
        double number = 0;
        if (value.get_double().get(number) != simdjson::SUCCESS) continue;
        a.value = number;
      } else {
        continue;
      }
      a.key = keep(key);
      trace.annotations.push_back(a);
    }
  }

  void read_cause(const object& cause) {
    element list;
    if (cause["exceptions"].get(list) != simdjson::SUCCESS || !list.is_array()) return;
    const simdjson::dom::array elements = list.get_array().value_unsafe();
    for (const element& each : elements) {
      const auto exception = object_in(each);
      if (!exception) continue;
      ExceptionFact fact;
      for (const auto& [key, value] : *exception) {
        if (key == "type") fact.type = keep(text(value));
        else if (key == "message") fact.message = keep(text(value));
        else if (key == "remote") fact.remote = flag(value);
      }
      trace.exceptions.push_back(fact);
    }
  }

  void read_links(const element& links) {
    if (!links.is_array()) return;
    const simdjson::dom::array all_links = links.get_array().value_unsafe();
    for (const element& each : all_links) {
      const auto link = object_in(each);
      if (!link) continue;
      element id, span;
      if ((*link)["trace_id"].get(id) != simdjson::SUCCESS ||
          (*link)["id"].get(span) != simdjson::SUCCESS)
        continue;
      const auto trace_id = parse_trace_id(text(id));
      const auto span_id = parse_span_id(text(span));
      if (trace_id && span_id) trace.links.push_back({*trace_id, *span_id});
    }
  }

  // Adds one entity and everything embedded in it.
  void read_entity(const object& json, EntityKind kind, std::int32_t parent, bool embedded) {
    Entity e;
    Extra extra;
    extra.embedded = embedded;
    e.kind = kind;
    e.parent = parent;
    e.first_annotation = static_cast<std::uint32_t>(trace.annotations.size());
    e.first_exception = static_cast<std::uint32_t>(trace.exceptions.size());
    e.first_link = static_cast<std::uint32_t>(trace.links.size());
    bool has_end = false;
    std::string_view origin;
    std::optional<element> children;
    for (const auto& [key, value] : json) {
      switch (key.size()) {
        case 2:
          if (key == "id") e.id = parse_span_id(text(value)).value_or(0);
          break;
        case 3:
          if (key == "aws") {
            if (const auto aws = object_in(value)) read_aws(*aws, e, extra);
          } else if (key == "sql") {
            extra.has_sql = value.is_object();
          }
          break;
        case 4:
          if (key == "name") e.name = keep(text(value));
          else if (key == "user" && kind == EntityKind::kSegment) e.user = keep(text(value));
          else if (key == "http") {
            if (const auto http = object_in(value)) read_http(*http, e);
          }
          break;
        case 5:
          if (key == "error") e.error = flag(value);
          else if (key == "fault") e.fault = flag(value);
          else if (key == "links") read_links(value);
          else if (key == "cause") {
            if (const auto cause = object_in(value)) read_cause(*cause);
          }
          break;
        case 6:
          if (key == "origin" && kind == EntityKind::kSegment) origin = keep(text(value));
          break;
        case 8:
          if (key == "throttle") e.throttle = flag(value);
          else if (key == "end_time" && value.is_number()) {
            e.end_us = microseconds(value);
            has_end = true;
          }
          break;
        case 9:
          if (key == "parent_id" && !embedded) {
            if (const auto id = parse_span_id(text(value))) {
              extra.parent_id = *id;
              e.has_parent_id = true;
            }
          } else if (key == "namespace" && kind == EntityKind::kSubsegment) {
            extra.name_space = keep(text(value));
          }
          break;
        case 10:
          if (key == "start_time") e.start_us = microseconds(value);
          break;
        case 11:
          if (key == "annotations") {
            if (const auto annotations = object_in(value)) read_annotations(*annotations);
          } else if (key == "subsegments") {
            children = value;
          }
          break;
        case 12:
          if (key == "resource_arn") e.resource_arn = keep(text(value));
          break;
        default: break;
      }
    }
    e.in_progress = !has_end;
    if (!has_end) e.end_us = 0;
    e.remote = extra.name_space == "aws" || extra.name_space == "remote";
    e.annotations = static_cast<std::uint32_t>(trace.annotations.size()) - e.first_annotation;
    e.exceptions = static_cast<std::uint32_t>(trace.exceptions.size()) - e.first_exception;
    e.links = static_cast<std::uint32_t>(trace.links.size()) - e.first_link;
    const auto index = static_cast<std::int32_t>(trace.entities.size());
    if (kind == EntityKind::kSegment) {
      e.segment = index;
      e.node_name = e.name;
      e.node_type = origin;
    }
    trace.entities.push_back(e);
    extras.push_back(extra);
    if (!children || !children->is_array()) return;
    const simdjson::dom::array all_children = children->get_array().value_unsafe();
    for (const element& child : all_children) {
      const auto embedded_json = object_in(child);
      if (!embedded_json) continue;
      element id;
      if ((*embedded_json)["id"].get(id) == simdjson::SUCCESS) {
        const auto span = parse_span_id(text(id));
        if (span && std::find(top_ids.begin(), top_ids.end(), *span) != top_ids.end()) continue;
      }
      read_entity(*embedded_json, EntityKind::kSubsegment, index, true);
    }
  }

  // Hangs the tops of documents below the entities they name.
  void attach() {
    std::unordered_map<std::uint64_t, std::int32_t> by_id;
    by_id.reserve(trace.entities.size());
    for (std::size_t i = 0; i < trace.entities.size(); ++i)
      by_id.emplace(trace.entities[i].id, static_cast<std::int32_t>(i));
    for (std::size_t i = 0; i < trace.entities.size(); ++i) {
      if (extras[i].embedded || !trace.entities[i].has_parent_id) continue;
      const auto found = by_id.find(extras[i].parent_id);
      if (found != by_id.end()) trace.entities[i].parent = found->second;
    }
    cut_cycles();
    for (std::size_t i = 0; i < trace.entities.size(); ++i) find_owner(i);
  }

  // Documents that name each other as parent would loop for ever: the link that closes a circle
  // is cut. An entity is done once its chain is known to end.
  void cut_cycles() {
    enum : std::uint8_t { kNew, kOnPath, kDone };
    std::vector<std::uint8_t> state(trace.entities.size(), kNew);
    std::vector<std::size_t> path;
    for (std::size_t i = 0; i < trace.entities.size(); ++i) {
      path.clear();
      std::size_t at = i;
      while (state[at] == kNew) {
        state[at] = kOnPath;
        path.push_back(at);
        auto& parent = trace.entities[at].parent;
        if (parent < 0) break;
        if (state[static_cast<std::size_t>(parent)] == kOnPath) {
          parent = -1;
          break;
        }
        at = static_cast<std::size_t>(parent);
      }
      for (const std::size_t each : path) state[each] = kDone;
    }
  }

  void find_owner(std::size_t index) {
    std::int32_t at = static_cast<std::int32_t>(index);
    while (at >= 0 && trace.at(at).segment < 0 && !trace.at(at).orphan) at = trace.at(at).parent;
    const std::int32_t owner = at < 0 ? -1 : trace.at(at).segment;
    for (at = static_cast<std::int32_t>(index); at >= 0 && trace.at(at).segment < 0;) {
      auto& e = trace.entities[static_cast<std::size_t>(at)];
      if (e.orphan) break;
      e.segment = owner;
      e.orphan = owner < 0;
      at = e.parent;
    }
  }

  void add_inferred() {
    const std::size_t n = trace.entities.size();
    std::vector<bool> answered(n, false);
    for (const auto& e : trace.entities)
      if (e.kind == EntityKind::kSegment && e.parent >= 0)
        answered[static_cast<std::size_t>(e.parent)] = true;
    for (std::size_t i = 0; i < n; ++i) {
      if (!trace.entities[i].remote || answered[i] || trace.entities[i].orphan) continue;
      Entity e = trace.entities[i];
      const auto& extra = extras[i];
      const auto node = infer_node(
          {e.name, extra.name_space, extra.table_name, extra.queue_url, extra.has_sql});
      e.kind = EntityKind::kInferred;
      e.id = inferred_id(trace.id, e.id);
      e.parent = static_cast<std::int32_t>(i);
      e.segment = static_cast<std::int32_t>(trace.entities.size());
      e.has_parent_id = true;
      e.node_name = node.name;
      e.node_type = keep(node.type);
      e.annotations = e.links = 0;
      e.user = {};
      trace.entities.push_back(e);
    }
  }

  void sum_up() {
    bool any_segment = false;
    std::int64_t first_segment = 0, first = 0;
    bool any = false;
    for (std::size_t i = 0; i < trace.entities.size(); ++i) {
      const auto& e = trace.entities[i];
      if (e.kind == EntityKind::kSegment && (!any_segment || e.start_us < first_segment)) {
        first_segment = e.start_us;
        any_segment = true;
      }
      if (!any || e.start_us < first) first = e.start_us;
      any = true;
      if (e.in_progress) trace.partial = true;
      if (e.kind != EntityKind::kSegment) continue;
      // The root: earliest among those without a parent_id, else earliest of all.
      if (trace.root < 0) {
        trace.root = static_cast<std::int32_t>(i);
      } else {
        const auto& best = trace.at(trace.root);
        const bool better = e.has_parent_id != best.has_parent_id ? !e.has_parent_id
                                                                  : e.start_us < best.start_us;
        if (better) trace.root = static_cast<std::int32_t>(i);
      }
    }
    trace.start_us = any_segment ? first_segment : first;
    trace.end_us = trace.start_us;
    for (const auto& e : trace.entities)
      if (!e.in_progress) trace.end_us = std::max(trace.end_us, e.end_us);
  }
};

TraceAssembler::TraceAssembler() : impl_(std::make_unique<Impl>()) {
  const auto failed = impl_->parser.allocate(128 * 1024, 2200);
  FOG_ASSERT(failed == simdjson::SUCCESS, "a parser needs its buffers");
}
TraceAssembler::~TraceAssembler() = default;

Trace TraceAssembler::assemble(TraceId id,
                               std::span<const std::shared_ptr<const StoredDocument>> documents,
                               std::vector<std::int64_t> updates_ms, std::uint32_t revision) {
  auto& work = *impl_;
  auto pool = std::make_shared<TextPool>();
  work.pool = pool.get();
  work.extras.clear();
  work.top_ids.clear();
  work.trace = Trace{};
  work.trace.entities.reserve(8 * documents.size());
  work.trace.annotations.reserve(8 * documents.size());
  work.trace.id = id;
  work.trace.updates_ms = std::move(updates_ms);
  work.trace.revision = revision;
  for (const auto& document : documents) work.top_ids.push_back(document->id);
  for (const auto& document : documents) {
    auto& buffer = work.padded;
    const std::size_t size = document->text.size();
    buffer.resize(std::max(buffer.size(), size + simdjson::SIMDJSON_PADDING));
    std::memcpy(buffer.data(), document->text.data(), size);
    std::memset(buffer.data() + size, 0, simdjson::SIMDJSON_PADDING);
    element root;
    if (work.parser.parse(buffer.data(), size, false).get(root) != simdjson::SUCCESS) continue;
    if (const auto json = object_in(root))
      work.read_entity(*json, document->subsegment ? EntityKind::kSubsegment : EntityKind::kSegment,
                       -1, false);
  }
  work.attach();
  work.sum_up();
  work.add_inferred();
  work.trace.text = std::move(pool);
  return std::move(work.trace);
}

}  // namespace fog::traces
