#include "api/xray/compiled.h"

#include <simdjson.h>

#include <unordered_map>

#include "api/codec/json.h"
#include "api/codec/text.h"

namespace fog::xray {

namespace {

using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::size_t kStringCharactersMax = 250;

// --- what may stand in a document ----------------------------------------------------------------

enum class Type {
  kString,
  kLongString,  // not cut
  kNumber,
  kNumberOrString,
  kBool,
  kScalar,
  kObject,       // of `members`; others are dropped
  kOpenObject,   // of `members`; others are kept as they are
  kAnyObject,    // any JSON inside
  kAnnotations,  // scalars only
  kObjects,      // array of objects of `members`
  kStrings,      // array of strings
  kCause,        // an exception id, or an object
};

struct Member {
  std::string_view name;
  Type type;
  std::span<const Member> members{};
};

constexpr Member kRequest[] = {{"method", Type::kString},        {"url", Type::kString},
                               {"user_agent", Type::kString},    {"client_ip", Type::kString},
                               {"x_forwarded_for", Type::kBool}, {"traced", Type::kBool}};
constexpr Member kResponse[] = {{"status", Type::kNumber}, {"content_length", Type::kNumberOrString}};
constexpr Member kHttp[] = {{"request", Type::kObject, kRequest}, {"response", Type::kObject, kResponse}};
constexpr Member kStack[] = {{"path", Type::kString}, {"line", Type::kNumber}, {"label", Type::kString}};
constexpr Member kException[] = {{"id", Type::kString},       {"message", Type::kLongString},
                                 {"type", Type::kString},     {"remote", Type::kBool},
                                 {"truncated", Type::kNumber}, {"skipped", Type::kNumber},
                                 {"cause", Type::kString},    {"stack", Type::kObjects, kStack}};
constexpr Member kCause[] = {{"working_directory", Type::kString},
                             {"paths", Type::kStrings},
                             {"exceptions", Type::kObjects, kException},
                             {"id", Type::kString}};
constexpr Member kSql[] = {{"connection_string", Type::kString}, {"url", Type::kString},
                           {"sanitized_query", Type::kLongString}, {"database_type", Type::kString},
                           {"database_version", Type::kString},  {"driver_version", Type::kString},
                           {"user", Type::kString},              {"preparation", Type::kString}};
constexpr Member kLogReference[] = {{"log_group", Type::kString}, {"arn", Type::kString}};
constexpr Member kAws[] = {{"account_id", Type::kString},
                           {"ec2", Type::kOpenObject},
                           {"ecs", Type::kOpenObject},
                           {"eks", Type::kOpenObject},
                           {"elastic_beanstalk", Type::kOpenObject},
                           {"cloudwatch_logs", Type::kObjects, kLogReference},
                           {"xray", Type::kOpenObject},
                           {"function_arn", Type::kString},
                           {"operation", Type::kString},
                           {"region", Type::kString},
                           {"request_id", Type::kString},
                           {"id_2", Type::kString},
                           {"retries", Type::kNumber},
                           {"queue_url", Type::kString},
                           {"table_name", Type::kString},
                           {"table_names", Type::kStrings},
                           {"topic_arn", Type::kString},
                           {"bucket_name", Type::kString},
                           {"resource_names", Type::kStrings}};
constexpr Member kLink[] = {{"trace_id", Type::kString}, {"id", Type::kString}, {"attributes", Type::kAnyObject}};
// `subsegments` is walked by the compiler itself.
constexpr Member kSegment[] = {{"id", Type::kString},
                               {"name", Type::kString},
                               {"start_time", Type::kNumber},
                               {"end_time", Type::kNumber},
                               {"in_progress", Type::kBool},
                               {"trace_id", Type::kString},
                               {"parent_id", Type::kString},
                               {"origin", Type::kString},
                               {"resource_arn", Type::kLongString},
                               {"user", Type::kString},
                               {"service", Type::kOpenObject},
                               {"http", Type::kObject, kHttp},
                               {"aws", Type::kOpenObject, kAws},
                               {"error", Type::kBool},
                               {"fault", Type::kBool},
                               {"throttle", Type::kBool},
                               {"cause", Type::kCause, kCause},
                               {"annotations", Type::kAnnotations},
                               {"metadata", Type::kAnyObject},
                               {"links", Type::kObjects, kLink}};
constexpr Member kSubsegment[] = {{"id", Type::kString},
                                  {"name", Type::kString},
                                  {"start_time", Type::kNumber},
                                  {"end_time", Type::kNumber},
                                  {"in_progress", Type::kBool},
                                  {"namespace", Type::kString},
                                  {"http", Type::kObject, kHttp},
                                  {"aws", Type::kOpenObject, kAws},
                                  {"sql", Type::kObject, kSql},
                                  {"error", Type::kBool},
                                  {"fault", Type::kBool},
                                  {"throttle", Type::kBool},
                                  {"cause", Type::kCause, kCause},
                                  {"annotations", Type::kAnnotations},
                                  {"metadata", Type::kAnyObject},
                                  {"links", Type::kObjects, kLink},
                                  {"precursor_ids", Type::kStrings},
                                  {"traced", Type::kBool}};

// --- writing -----------------------------------------------------------------------------------

std::string_view cut(std::string_view text) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) continue;
    if (characters++ == kStringCharactersMax) return text.substr(0, i);
  }
  return text;
}

bool write_number(const element& value, std::string& out) {
  switch (value.type()) {
    case simdjson::dom::element_type::INT64: append_integer(value.get_int64().value_unsafe(), out); return true;
    case simdjson::dom::element_type::UINT64: out += std::to_string(value.get_uint64().value_unsafe()); return true;
    case simdjson::dom::element_type::DOUBLE: append_double(value.get_double().value_unsafe(), out, true); return true;
    default: return false;
  }
}

bool write_scalar(const element& value, std::string& out) {
  if (value.is_bool()) {
    out += value.get_bool().value_unsafe() ? "true" : "false";
    return true;
  }
  if (value.is_string()) {
    append_json_string(cut(value.get_string().value_unsafe()), out);
    return true;
  }
  return write_number(value, out);
}

bool write_value(const element& value, const Member& schema, std::string& out);

// Members of `json` that fit; `first` says whether a comma is due.
void write_members(const object& json, std::span<const Member> members, bool keep_others, bool& first,
                   std::string& out) {
  for (const auto& [key, value] : json) {
    const auto known = std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.name == key; });
    if (known == members.end() && !keep_others) continue;
    const std::size_t before = out.size();
    if (!first) out.push_back(',');
    append_json_string(key, out);
    out.push_back(':');
    const bool written = known != members.end()
                             ? write_value(value, *known, out)
                             : !value.is_null() && (out += simdjson::minify(value), true);
    if (written) first = false;
    else out.resize(before);
  }
}

bool write_value(const element& value, const Member& schema, std::string& out) {
  switch (schema.type) {
    case Type::kString:
      if (!value.is_string()) return false;
      return write_scalar(value, out);
    case Type::kLongString:
      if (!value.is_string()) return false;
      append_json_string(value.get_string().value_unsafe(), out);
      return true;
    case Type::kNumber: return write_number(value, out);
    case Type::kNumberOrString: return !value.is_bool() && write_scalar(value, out);
    case Type::kBool: return value.is_bool() && write_scalar(value, out);
    case Type::kScalar: return write_scalar(value, out);
    case Type::kAnyObject:
      if (!value.is_object()) return false;
      out += simdjson::minify(value);
      return true;
    case Type::kCause:
      if (value.is_string()) return write_scalar(value, out);
      [[fallthrough]];
    case Type::kObject:
    case Type::kOpenObject: {
      if (!value.is_object()) return false;
      out.push_back('{');
      bool first = true;
      write_members(value.get_object().value_unsafe(), schema.members, schema.type == Type::kOpenObject, first, out);
      out.push_back('}');
      return true;
    }
    case Type::kAnnotations: {
      if (!value.is_object()) return false;
      out.push_back('{');
      bool first = true;
      for (const auto& [key, each] : simdjson::dom::object(value.get_object().value_unsafe())) {
        const std::size_t before = out.size();
        if (!first) out.push_back(',');
        append_json_string(key, out);
        out.push_back(':');
        if (write_scalar(each, out)) first = false;
        else out.resize(before);
      }
      out.push_back('}');
      return true;
    }
    case Type::kObjects:
    case Type::kStrings: {
      if (!value.is_array()) return false;
      out.push_back('[');
      bool first = true;
      for (const element& each : simdjson::dom::array(value.get_array().value_unsafe())) {
        const bool fits = schema.type == Type::kStrings ? each.is_string() : each.is_object();
        if (!fits) continue;
        if (!first) out.push_back(',');
        first = false;
        if (schema.type == Type::kStrings) {
          write_scalar(each, out);
        } else {
          out.push_back('{');
          bool first_member = true;
          write_members(each.get_object().value_unsafe(), schema.members, false, first_member, out);
          out.push_back('}');
        }
      }
      out.push_back(']');
      return true;
    }
  }
  return false;
}

// --- the trace as a forest -----------------------------------------------------------------------

struct Part {
  std::string id;
  std::uint64_t number = 0;
  double start = 0;
  bool segment = false;
  bool top = false;  // came as a document of its own
  bool call = false;       // namespace aws or remote
  std::uint64_t parent_id = 0;
  std::int32_t parent = -1;
  std::string members;     // JSON members without subsegments, no braces
  std::string place;       // of an orphan or inferred segment: trace_id, parent_id, type
  std::string inferred;    // members the generated segment copies
  std::string inferred_origin;
  std::vector<std::size_t> children;
};

std::string_view text_in(const object& json, std::string_view key) {
  element value;
  if (json[key].get(value) != simdjson::SUCCESS || !value.is_string()) return {};
  return value.get_string().value_unsafe();
}

class Compiler {
 public:
  explicit Compiler(traces::TraceId trace) : trace_(trace), trace_text_(to_string(trace)) {}

  std::vector<CompiledDocument> compile(std::span<const std::shared_ptr<const traces::StoredDocument>> documents) {
    for (const auto& document : documents) tops_.push_back(document->id);
    simdjson::dom::parser parser;
    if (parser.allocate(128 * 1024, 2200) != simdjson::SUCCESS) return {};
    for (const auto& document : documents) {
      element root;
      if (parser.parse(document->text).get(root) != simdjson::SUCCESS || !root.is_object()) continue;
      read(root.get_object().value_unsafe(), -1, !document->subsegment);
    }
    attach();
    return write();
  }

 private:
  void read(const object& json, std::int32_t parent, bool segment) {
    Part part;
    part.segment = segment;
    part.top = parent < 0;
    part.parent = parent;
    part.id = text_in(json, "id");
    part.number = traces::parse_span_id(part.id).value_or(0);
    element start;
    if (json["start_time"].get(start) == simdjson::SUCCESS && start.get_double().get(part.start) != simdjson::SUCCESS)
      part.start = 0;
    if (part.top) part.parent_id = traces::parse_span_id(text_in(json, "parent_id")).value_or(0);
    part.members = members_of(json, segment);
    if (!segment && part.top) {
      part.place = ",\"type\":\"subsegment\",\"trace_id\":\"" + trace_text_ + "\",\"parent_id\":";
      append_json_string(text_in(json, "parent_id"), part.place);
    }
    if (!segment) note_call(json, part);
    const auto index = static_cast<std::int32_t>(parts_.size());
    parts_.push_back(std::move(part));
    if (parent >= 0) parts_[static_cast<std::size_t>(parent)].children.push_back(static_cast<std::size_t>(index));
    element children;
    if (json["subsegments"].get(children) != simdjson::SUCCESS || !children.is_array()) return;
    for (const element& child : simdjson::dom::array(children.get_array().value_unsafe())) {
      if (!child.is_object()) continue;
      const auto embedded = child.get_object().value_unsafe();
      const auto number = traces::parse_span_id(text_in(embedded, "id"));
      // The independent document of the same id wins.
      if (number && std::find(tops_.begin(), tops_.end(), *number) != tops_.end()) continue;
      read(embedded, index, false);
    }
  }

  static std::string members_of(const object& json, bool segment) {
    std::string out;
    bool first = true;
    write_members(json, segment ? std::span<const Member>(kSegment) : std::span<const Member>(kSubsegment), false,
                  first, out);
    // The marker of work under way goes once the work is done.
    element end;
    if (json["end_time"].get(end) != simdjson::SUCCESS) return out;
    for (const char* marker : {",\"in_progress\":false", "\"in_progress\":false,", ",\"in_progress\":true",
                               "\"in_progress\":true,"}) {
      const auto at = top_level_find(out, marker);
      if (at != std::string::npos) out.erase(at, std::string_view(marker).size());
    }
    return out;
  }

  // Where `marker` stands outside any nested value.
  static std::size_t top_level_find(const std::string& text, std::string_view marker) {
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (!quoted && depth == 0 && text.compare(i, marker.size(), marker) == 0) return i;
      const char c = text[i];
      if (quoted) {
        if (c == '\\') ++i;
        else if (c == '"') quoted = false;
      } else if (c == '"') {
        quoted = true;
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (c == '}' || c == ']') {
        --depth;
      }
    }
    return std::string::npos;
  }

  void note_call(const object& json, Part& part) {
    const auto name_space = text_in(json, "namespace");
    part.call = name_space == "aws" || name_space == "remote";
    if (!part.call) return;
    traces::CallFacts call;
    call.name = text_in(json, "name");
    call.name_space = name_space;
    element aws, sql;
    if (json["aws"].get(aws) == simdjson::SUCCESS && aws.is_object()) {
      call.table_name = text_in(aws.get_object().value_unsafe(), "table_name");
      call.queue_url = text_in(aws.get_object().value_unsafe(), "queue_url");
    }
    call.has_sql = json["sql"].get(sql) == simdjson::SUCCESS && sql.is_object();
    const auto node = traces::infer_node(call);
    if (node.type != "remote") part.inferred_origin = node.type;
    constexpr std::string_view kCopied[] = {"name", "start_time", "end_time", "in_progress", "http", "aws",
                                            "sql",  "error",      "fault",    "throttle",    "cause"};
    std::vector<Member> copied;
    for (const auto& member : kSubsegment)
      if (std::find(std::begin(kCopied), std::end(kCopied), member.name) != std::end(kCopied)) copied.push_back(member);
    bool first = true;
    write_members(json, copied, false, first, part.inferred);
  }

  void attach() {
    std::unordered_map<std::uint64_t, std::int32_t> by_id;
    for (std::size_t i = 0; i < parts_.size(); ++i) by_id.emplace(parts_[i].number, static_cast<std::int32_t>(i));
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      auto& part = parts_[i];
      if (!part.top || part.parent_id == 0) continue;
      const auto found = by_id.find(part.parent_id);
      if (found == by_id.end() || reaches(found->second, static_cast<std::int32_t>(i))) continue;
      part.parent = found->second;
      if (!part.segment) parts_[static_cast<std::size_t>(found->second)].children.push_back(i);
    }
  }

  // Whether walking up from `at` meets `target`: attaching there would close a circle.
  bool reaches(std::int32_t at, std::int32_t target) const {
    for (std::size_t steps = 0; at >= 0 && steps <= parts_.size(); ++steps) {
      if (at == target) return true;
      at = parts_[static_cast<std::size_t>(at)].parent;
    }
    return false;
  }

  void write_part(std::size_t index, bool as_document, std::string& out) const {
    const Part& part = parts_[index];
    out.push_back('{');
    out += part.members;
    if (as_document) out += part.place;
    if (!part.children.empty()) {
      auto children = part.children;
      std::stable_sort(children.begin(), children.end(),
                       [&](std::size_t a, std::size_t b) { return parts_[a].start < parts_[b].start; });
      out += ",\"subsegments\":[";
      for (std::size_t i = 0; i < children.size(); ++i) {
        if (i > 0) out.push_back(',');
        write_part(children[i], false, out);
      }
      out.push_back(']');
    }
    out.push_back('}');
  }

  bool belongs_to_segment(std::size_t index) const {
    auto at = static_cast<std::int32_t>(index);
    for (std::size_t steps = 0; at >= 0 && steps <= parts_.size(); ++steps) {
      if (parts_[static_cast<std::size_t>(at)].segment) return true;
      at = parts_[static_cast<std::size_t>(at)].parent;
    }
    return false;
  }

  std::vector<CompiledDocument> write() const {
    std::vector<bool> answered(parts_.size(), false);
    for (const auto& part : parts_)
      if (part.segment && part.parent >= 0) answered[static_cast<std::size_t>(part.parent)] = true;
    std::vector<CompiledDocument> out;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const auto& part = parts_[i];
      if (part.segment || (part.top && part.parent < 0)) {
        CompiledDocument document{part.id, part.start, {}};
        write_part(i, true, document.text);
        out.push_back(std::move(document));
      }
      if (!part.call || answered[i] || !belongs_to_segment(i)) continue;
      CompiledDocument document{traces::span_id_text(traces::inferred_id(trace_, part.number)), part.start, {}};
      document.text = "{\"id\":\"" + document.id + "\"," + part.inferred + ",\"trace_id\":\"" + trace_text_ +
                      "\",\"parent_id\":\"" + part.id + "\",\"inferred\":true";
      if (!part.inferred_origin.empty()) {
        document.text += ",\"origin\":";
        append_json_string(part.inferred_origin, document.text);
      }
      document.text.push_back('}');
      out.push_back(std::move(document));
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
      return std::pair(a.start_s, std::string_view(a.id)) < std::pair(b.start_s, std::string_view(b.id));
    });
    return out;
  }

  traces::TraceId trace_;
  std::string trace_text_;
  std::vector<std::uint64_t> tops_;
  std::vector<Part> parts_;
};

}  // namespace

std::vector<CompiledDocument> compile_documents(
    traces::TraceId trace, std::span<const std::shared_ptr<const traces::StoredDocument>> documents) {
  return Compiler(trace).compile(documents);
}

}  // namespace fog::xray
