// parseJSON, csv, parseKeyValue, listToMap.
#include <fmt/format.h>

#include <algorithm>

#include "query/transformers/processor.h"

namespace fog::transformers {
namespace {

constexpr std::size_t kColumnsMax = 100;

class ParseJson final : public Processor {
 public:
  ParseJson(Source source, Target target) : source_(std::move(source)), target_(std::move(target)) {}
  bool apply(JsonTree& root, const Event& event) const override {
    const auto text = source_.read(root, event);
    if (!text) return true;
    auto parsed = parse_json(*text);
    if (!parsed || !parsed->is_object()) return false;
    return target_.put(root, std::move(*parsed), true);
  }

 private:
  Source source_;
  Target target_;
};

class Csv final : public Processor {
 public:
  Csv(Source source, Target target, char delimiter, char quote, std::vector<Path> columns)
      : source_(std::move(source)), target_(std::move(target)), delimiter_(delimiter), quote_(quote), columns_(std::move(columns)) {}
  bool apply(JsonTree& root, const Event& event) const override {
    const auto text = source_.read(root, event);
    if (!text) return true;
    JsonTree found = JsonTree::object();
    std::size_t column = 0;
    for (std::string& value : split(*text)) {
      if (column == kColumnsMax) break;
      JsonTree leaf = JsonTree::string(value);
      if (column < columns_.size()) put_at_path(found, columns_[column], std::move(leaf), true);
      else found.set(fmt::format("column_{}", column + 1), std::move(leaf));
      ++column;
    }
    return target_.put(root, std::move(found), true);
  }

 private:
  std::vector<std::string> split(std::string_view text) const {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
    std::vector<std::string> values(1);
    bool quoted = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
      const char c = text[at];
      if (quoted) {
        if (c != quote_) values.back() += c;
        else if (at + 1 < text.size() && text[at + 1] == quote_) values.back() += text[++at];
        else quoted = false;
      } else if (c == delimiter_) {
        values.emplace_back();
      } else if (c == quote_ && values.back().find_first_not_of(' ') == std::string::npos) {
        values.back().clear();
        quoted = true;
      } else {
        values.back() += c;
      }
    }
    return values;
  }
  Source source_;
  Target target_;
  char delimiter_, quote_;
  std::vector<Path> columns_;
};

class ParseKeyValue final : public Processor {
 public:
  struct Rules {
    Source source;
    Target target;
    std::string field_delimiter, key_value_delimiter, prefix;
    std::optional<std::string> non_match;
    bool overwrite = false;
  };
  explicit ParseKeyValue(Rules rules) : rules_(std::move(rules)) {}
  bool apply(JsonTree& root, const Event& event) const override {
    const auto text = rules_.source.read(root, event);
    if (!text) return true;
    JsonTree found = JsonTree::object();
    std::string_view rest = *text;
    for (bool more = true; more;) {
      const std::size_t end = rest.find(rules_.field_delimiter);
      more = end != std::string_view::npos;
      pair(rest.substr(0, end), found);
      if (more) rest.remove_prefix(end + rules_.field_delimiter.size());
    }
    if (rules_.target.path && !rules_.overwrite && at_path(root, *rules_.target.path) != nullptr) return true;
    return rules_.target.put(root, std::move(found), rules_.overwrite);
  }

 private:
  void pair(std::string_view text, JsonTree& found) const {
    const std::size_t middle = text.find(rules_.key_value_delimiter);
    const std::string_view key = text.substr(0, middle);
    if (key.empty()) return;
    const std::string name = rules_.prefix + std::string(key);
    if (middle != std::string_view::npos) found.set(name, JsonTree::string(text.substr(middle + rules_.key_value_delimiter.size())));
    else if (rules_.non_match) found.set(name, JsonTree::string(*rules_.non_match));
    else found.set(name, JsonTree{});
  }
  Rules rules_;
};

class ListToMap final : public Processor {
 public:
  struct Rules {
    Path source;
    Path key;
    std::optional<Path> value_key;
    Target target;
    bool flatten = false;
    bool last = false;
  };
  explicit ListToMap(Rules rules) : rules_(std::move(rules)) {}
  bool apply(JsonTree& root, const Event&) const override {
    const JsonTree* list = at_path(root, rules_.source);
    if (list == nullptr || !list->is_array()) return true;
    JsonTree found = JsonTree::object();
    for (const JsonTree& item : list->items) {
      JsonTree copy = item;
      const JsonTree* key = at_path(copy, rules_.key);
      if (key == nullptr || !key->is_scalar()) continue;
      const std::string name = key->as_text();
      std::optional<JsonTree> value;
      if (!rules_.value_key) value = item;
      else if (const JsonTree* held = at_path(copy, *rules_.value_key)) value = *held;
      if (!value) continue;
      JsonTree* old = found.find(name);
      if (rules_.flatten) {
        if (old == nullptr) found.set(name, std::move(*value));
        else if (rules_.last) *old = std::move(*value);
      } else {
        if (old == nullptr) {
          found.set(name, JsonTree::array());
          old = found.find(name);
        }
        old->items.push_back(std::move(*value));
      }
    }
    return rules_.target.put(root, std::move(found), true);
  }

 private:
  Rules rules_;
};

}  // namespace

Result<ProcessorPtr> make_parse_json(const Parameters& parameters) {
  TRY(Source source, source_of(parameters));
  TRY(Target target, target_of(parameters));
  return ProcessorPtr(std::make_unique<ParseJson>(std::move(source), std::move(target)));
}

Result<ProcessorPtr> make_csv(const Parameters& parameters) {
  TRY(Source source, source_of(parameters));
  TRY(Target target, target_of(parameters));
  std::string delimiter = parameters.text("delimiter", ",");
  if (delimiter == "\\t") delimiter = "\t";
  if (delimiter == "\\s") delimiter = " ";
  const std::string quote = parameters.text("quoteCharacter", "\"");
  if (delimiter.size() != 1) return parameters.error("delimiter must be a single character, \\t or \\s.");
  if (quote.size() != 1) return parameters.error("quoteCharacter must be a single character.");
  if (delimiter == quote) return parameters.error("delimiter and quoteCharacter must differ.");
  std::vector<Path> columns;
  if (const JsonTree* list = parameters.list("columns")) {
    if (list->items.size() > kColumnsMax) return parameters.error(fmt::format("at most {} columns are allowed.", kColumnsMax));
    for (const JsonTree& item : list->items) {
      TRY(Path path, parameters.path_of(item.text));
      columns.push_back(std::move(path));
    }
  }
  return ProcessorPtr(std::make_unique<Csv>(std::move(source), std::move(target), delimiter[0], quote[0], std::move(columns)));
}

Result<ProcessorPtr> make_parse_key_value(const Parameters& parameters) {
  ParseKeyValue::Rules rules;
  TRY(rules.source, source_of(parameters));
  TRY(rules.target, target_of(parameters));
  rules.field_delimiter = parameters.text("fieldDelimiter", "&");
  rules.key_value_delimiter = parameters.text("keyValueDelimiter", "=");
  if (rules.field_delimiter == rules.key_value_delimiter) return parameters.error("fieldDelimiter and keyValueDelimiter must differ.");
  rules.prefix = parameters.text("keyPrefix");
  if (parameters.has("nonMatchValue")) rules.non_match = parameters.text("nonMatchValue");
  rules.overwrite = parameters.flag("overwriteIfExists");
  return ProcessorPtr(std::make_unique<ParseKeyValue>(std::move(rules)));
}

Result<ProcessorPtr> make_list_to_map(const Parameters& parameters) {
  ListToMap::Rules rules;
  TRY(rules.source, parameters.path("source"));
  TRY(rules.key, parameters.path("key"));
  if (parameters.has("valueKey")) {
    TRY(Path path, parameters.path("valueKey"));
    rules.value_key = std::move(path);
  }
  TRY(rules.target, target_of(parameters, "target"));
  rules.flatten = parameters.flag("flatten");
  const std::string element = parameters.text("flattenedElement", rules.flatten ? "" : "first");
  if (rules.flatten && element.empty()) return parameters.error("flattenedElement is required when flatten is true.");
  rules.last = element == "last";
  return ProcessorPtr(std::make_unique<ListToMap>(std::move(rules)));
}

}  // namespace fog::transformers
