#include "api/apply/read.h"

#include <fmt/format.h>
#include <yaml.h>

#include <charconv>
#include <map>
#include <optional>

namespace fog::apply {
namespace {

// CloudFormation takes 1 MB; ten times that is certainly a mistake.
constexpr std::size_t kTextBytesMax = 10u << 20;
constexpr std::size_t kDepthMax = 100;
// Aliases multiply: a bound on all nodes together.
constexpr std::size_t kNodesMax = 500'000;

constexpr std::string_view kFunctions[] = {"And",   "Base64", "Cidr",   "Equals", "FindInMap", "ForEach",      "GetAZs", "If",
                                           "ImportValue", "Join", "Length", "Not", "Or",       "Select",       "Split",  "Sub",
                                           "ToJsonString", "Transform"};
constexpr std::string_view kCoreTag = "tag:yaml.org,2002:";

bool all_digits(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos; }

// -12, 0, 1.5, 2e3; not 007, not 1_000.
std::optional<Json> number_of(std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with('-')) digits.remove_prefix(1);
  if (digits.empty() || digits[0] < '0' || digits[0] > '9') return std::nullopt;
  if (digits.size() > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9') return std::nullopt;
  const char* const end = text.data() + text.size();
  if (all_digits(digits)) {
    std::int64_t value = 0;
    const auto [at, error] = std::from_chars(text.data(), end, value);
    return error == std::errc() && at == end ? std::optional<Json>(value) : std::nullopt;
  }
  double value = 0;
  const auto [at, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && at == end ? std::optional<Json>(value) : std::nullopt;
}

Json plain_scalar(std::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  if (auto number = number_of(text)) return std::move(*number);
  return std::string(text);
}

// "!Sub" -> "Fn::Sub"; empty: no function of a template.
std::string function_of(std::string_view tag) {
  tag.remove_prefix(1);
  if (tag == "Ref" || tag == "Condition") return std::string(tag);
  if (tag == "GetAtt") return "Fn::GetAtt";
  for (const std::string_view name : kFunctions) {
    if (tag == name) return "Fn::" + std::string(name);
  }
  return {};
}

class Reader {
 public:
  explicit Reader(std::string_view text) {
    ::yaml_parser_initialize(&parser_);
    ::yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~Reader() { ::yaml_parser_delete(&parser_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Result<Json> read() {
    TRYV(next());  // of the stream
    TRYV(next());
    if (event_.event.type == YAML_STREAM_END_EVENT) return Error::invalid("the template is empty");
    TRYV(next());
    TRY(Json root, node(0));
    TRYV(next());  // the document's end
    TRYV(next());
    if (event_.event.type != YAML_STREAM_END_EVENT) return wrong("a template is one document");
    return root;
  }

 private:
  struct Event {
    yaml_event_t event{};
    bool held = false;
    void drop() {
      if (held) ::yaml_event_delete(&event);
      held = false;
    }
    ~Event() { drop(); }
  };

  Status next() {
    event_.drop();
    if (::yaml_parser_parse(&parser_, &event_.event) == 0) {
      return Error::invalid(fmt::format("line {}: {}", parser_.problem_mark.line + 1, parser_.problem != nullptr ? parser_.problem : "not YAML"));
    }
    event_.held = true;
    return Ok{};
  }

  Error wrong(std::string_view what) const { return Error::invalid(fmt::format("line {}: {}", event_.event.start_mark.line + 1, what)); }

  static std::string text(const yaml_char_t* chars) { return chars == nullptr ? std::string() : reinterpret_cast<const char*>(chars); }

  // The node that the present event begins; the present event is its last one afterwards.
  Result<Json> node(std::size_t depth) {
    if (depth > kDepthMax) return wrong("nested too deep");
    if (++nodes_ > kNodesMax) return wrong("too many values");
    std::string anchor;
    std::string tag;
    Json made;
    switch (event_.event.type) {
      case YAML_ALIAS_EVENT: {
        const auto found = anchors_.find(text(event_.event.data.alias.anchor));
        if (found == anchors_.end()) return wrong("an alias without its anchor");
        nodes_ += found->second.second;
        if (nodes_ > kNodesMax) return wrong("too many values");
        return found->second.first;
      }
      case YAML_SCALAR_EVENT: {
        const auto& scalar = event_.event.data.scalar;
        anchor = text(scalar.anchor);
        tag = text(scalar.tag);
        const std::string value(reinterpret_cast<const char*>(scalar.value), scalar.length);
        const bool is_plain = scalar.style == YAML_PLAIN_SCALAR_STYLE && (tag.empty() || !tag.starts_with(kCoreTag));
        if (tag.empty() && is_plain) made = plain_scalar(value);
        else if (tag.starts_with(kCoreTag) && tag != "tag:yaml.org,2002:str") made = plain_scalar(value);
        else made = value;
        return finish(std::move(made), anchor, tag, 1);
      }
      case YAML_SEQUENCE_START_EVENT: {
        anchor = text(event_.event.data.sequence_start.anchor);
        tag = text(event_.event.data.sequence_start.tag);
        const std::size_t before = nodes_;
        made = Json::array();
        for (;;) {
          TRYV(next());
          if (event_.event.type == YAML_SEQUENCE_END_EVENT) break;
          TRY(Json item, node(depth + 1));
          made.push_back(std::move(item));
        }
        return finish(std::move(made), anchor, tag, nodes_ - before + 1);
      }
      case YAML_MAPPING_START_EVENT: {
        anchor = text(event_.event.data.mapping_start.anchor);
        tag = text(event_.event.data.mapping_start.tag);
        const std::size_t before = nodes_;
        TRY(made, mapping(depth));
        return finish(std::move(made), anchor, tag, nodes_ - before + 1);
      }
      default: return wrong("a value is missing");
    }
  }

  Result<Json> mapping(std::size_t depth) {
    Json made = Json::object();
    Json merged = Json::object();
    for (;;) {
      TRYV(next());
      if (event_.event.type == YAML_MAPPING_END_EVENT) break;
      if (event_.event.type != YAML_SCALAR_EVENT) return wrong("a key must be text");
      const std::string key(reinterpret_cast<const char*>(event_.event.data.scalar.value), event_.event.data.scalar.length);
      if (made.contains(key)) return wrong(fmt::format("the key '{}' is here twice", key));
      TRYV(next());
      TRY(Json value, node(depth + 1));
      if (key != "<<") {
        made[key] = std::move(value);
        continue;
      }
      const Json all = value.is_array() ? value : Json::array({value});
      for (const Json& one : all) {
        if (!one.is_object()) return wrong("'<<' takes a mapping");
        for (const auto& [name, content] : one.items()) {
          if (!merged.contains(name)) merged[name] = content;
        }
      }
    }
    for (const auto& [name, content] : merged.items()) {
      if (!made.contains(name)) made[name] = content;
    }
    return made;
  }

  Result<Json> finish(Json made, const std::string& anchor, const std::string& tag, std::size_t nodes) {
    if (tag.size() > 1 && tag[0] == '!') {
      const std::string function = function_of(tag);
      if (function.empty()) return wrong(fmt::format("{} is not a function of templates", tag));
      if (function == "Fn::GetAtt" && made.is_string()) {
        const std::string both = made.get<std::string>();
        const std::size_t dot = both.find('.');
        if (dot == std::string::npos) return wrong("!GetAtt takes RESOURCE.ATTRIBUTE");
        made = Json::array({both.substr(0, dot), both.substr(dot + 1)});
      }
      Json call = Json::object();
      call[function] = std::move(made);
      made = std::move(call);
    }
    if (!anchor.empty()) anchors_[anchor] = {made, nodes};
    return made;
  }

  yaml_parser_t parser_{};
  Event event_;
  std::map<std::string, std::pair<Json, std::size_t>> anchors_;
  std::size_t nodes_ = 0;
};

}  // namespace

Result<Json> read_template(std::string_view text) {
  if (text.size() > kTextBytesMax) return Error::invalid("the template is larger than 10 MB");
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') {
    // JSON by its own reader: YAML 1.1 reads some of it differently.
    Json json = Json::parse(text, nullptr, false);
    if (json.is_object()) return json;
  }
  TRY(Json root, Reader(text).read());
  if (!root.is_object()) return Error::invalid("the template is not an object");
  return root;
}

}  // namespace fog::apply
