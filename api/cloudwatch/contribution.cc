#include "api/cloudwatch/contribution.h"

#include <charconv>
#include <nlohmann/json.hpp>

namespace fog::cloudwatch {
namespace {

using nlohmann::json;

constexpr std::size_t kKeysMax = 4;
constexpr std::size_t kFiltersMax = 4;
constexpr std::size_t kFilterTextsMax = 10;

Error bad(const std::string& what) { return Error::invalid("The rule definition is invalid: " + what); }

std::optional<double> to_number(std::string_view text) {
  double v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return v;
}

// "$.a.b[0].c" within a document; null when there is nothing there.
const json* walk(const json& document, std::string_view path) {
  if (path.empty() || path[0] != '$') return nullptr;
  path.remove_prefix(1);
  const json* at = &document;
  while (!path.empty()) {
    if (path[0] == '.') {
      path.remove_prefix(1);
      const std::string name(path.substr(0, path.find_first_of(".[")));
      if (!at->is_object()) return nullptr;
      const auto found = at->find(name);
      if (found == at->end()) return nullptr;
      at = &*found;
      path.remove_prefix(name.size());
    } else if (path[0] == '[') {
      std::size_t index = 0;
      const auto [end, error] = std::from_chars(path.data() + 1, path.data() + path.size(), index);
      if (error != std::errc() || end == path.data() + path.size() || *end != ']') return nullptr;
      if (!at->is_array() || index >= at->size()) return nullptr;
      at = &(*at)[index];
      path.remove_prefix(static_cast<std::size_t>(end - path.data()) + 1);
    } else {
      return nullptr;
    }
  }
  return at;
}

// Fields of a line in the common log format: split at spaces; quoted texts and [..] are one field.
std::vector<std::string> split_clf(std::string_view line) {
  std::vector<std::string> fields;
  std::size_t at = 0;
  while (at < line.size()) {
    if (line[at] == ' ') {
      ++at;
      continue;
    }
    const char close = line[at] == '"' ? '"' : line[at] == '[' ? ']' : ' ';
    const std::size_t from = close == ' ' ? at : at + 1;
    std::size_t end = line.find(close, from);
    if (end == std::string_view::npos) end = line.size();
    fields.emplace_back(line.substr(from, end - from));
    at = end + 1;
  }
  return fields;
}

}  // namespace

// The fields of one event, as text, by the names that the definition uses.
class Contribution::Fields {
 public:
  Fields(const Contribution& rule, std::string_view message) : rule_(rule) {
    if (rule.is_json_)
      document_ = json::parse(message, nullptr, false);
    else
      split_ = split_clf(message);
  }
  std::optional<std::string> text(const std::string& field) const {
    if (rule_.is_json_) {
      const json* v = document_.is_discarded() ? nullptr : walk(document_, field);
      if (v == nullptr || v->is_null()) return std::nullopt;
      return v->is_string() ? v->get<std::string>() : v->dump(-1, ' ', false, json::error_handler_t::replace);
    }
    const auto found = rule_.aliases_.find(field);
    if (found == rule_.aliases_.end() || found->second >= split_.size()) return std::nullopt;
    return split_[found->second];
  }

 private:
  const Contribution& rule_;
  json document_;
  std::vector<std::string> split_;
};

bool Contribution::passes(const Filter& filter, const Fields& fields) const {
  const auto text = fields.text(filter.field);
  if (filter.kind == Filter::Kind::kPresent) return text.has_value() == filter.present;
  if (!text) return false;
  const auto listed = [&] { return std::find(filter.texts.begin(), filter.texts.end(), *text) != filter.texts.end(); };
  switch (filter.kind) {
    case Filter::Kind::kIn:
      return listed();
    case Filter::Kind::kNotIn:
      return !listed();
    case Filter::Kind::kStartsWith:
      return std::any_of(filter.texts.begin(), filter.texts.end(), [&](const std::string& t) { return text->starts_with(t); });
    case Filter::Kind::kGreater:
    case Filter::Kind::kLess:
    case Filter::Kind::kEqual:
    case Filter::Kind::kNotEqual: {
      const auto number = to_number(*text);
      if (!number) return false;
      return filter.kind == Filter::Kind::kGreater ? *number > filter.number
             : filter.kind == Filter::Kind::kLess  ? *number < filter.number
             : filter.kind == Filter::Kind::kEqual ? *number == filter.number
                                                   : *number != filter.number;
    }
    case Filter::Kind::kPresent:
      break;
  }
  return false;
}

std::optional<Contribution::Event> Contribution::match(std::string_view message) const {
  const Fields fields(*this, message);
  for (const Filter& filter : filters_)
    if (!passes(filter, fields)) return std::nullopt;
  Event event;
  for (const std::string& key : keys_) {
    auto text = fields.text(key);
    if (!text) return std::nullopt;
    event.keys.push_back(std::move(*text));
  }
  if (is_sum_) {
    const auto text = fields.text(value_of_);
    const auto number = text ? to_number(*text) : std::nullopt;
    if (!number) return std::nullopt;
    event.value = *number;
  }
  return event;
}

Result<Contribution> Contribution::parse(std::string_view definition) {
  const json d = json::parse(definition, nullptr, false);
  if (!d.is_object()) return bad("not a JSON object");
  Contribution rule;
  const auto object = [](const json& of, const char* name) -> const json* {
    const auto found = of.find(name);
    return found == of.end() ? nullptr : &*found;
  };
  const json* schema = object(d, "Schema");
  if (schema == nullptr || !schema->is_object() || !schema->contains("Name") || !(*schema)["Name"].is_string() ||
      !schema->contains("Version") || !(*schema)["Version"].is_number_integer())
    return bad("Schema with Name and Version is required");
  if ((*schema)["Name"] != "CloudWatchLogRule" || (*schema)["Version"] != 1)
    return bad("Schema must be CloudWatchLogRule, version 1");
  rule.schema_ = "CloudWatchLogRule/1";

  const json* names = object(d, "LogGroupNames");
  const json* arns = object(d, "LogGroupARNs");
  if ((names == nullptr) == (arns == nullptr)) return bad("exactly one of LogGroupNames and LogGroupARNs is required");
  const json& groups = names != nullptr ? *names : *arns;
  if (!groups.is_array() || groups.empty()) return bad("the list of log groups must not be empty");
  for (const json& group : groups) {
    if (!group.is_string()) return bad("log groups must be strings");
    std::string name = group;
    if (arns != nullptr) {
      const std::size_t at = name.find(":log-group:");
      if (at == std::string::npos) return bad("'" + name + "' is not the ARN of a log group");
      name.erase(0, at + 11);
      if (name.ends_with(":*")) name.resize(name.size() - 2);
    }
    rule.groups_.push_back(std::move(name));
  }

  const json* format = object(d, "LogFormat");
  if (format == nullptr || (*format != "JSON" && *format != "CLF")) return bad("LogFormat must be JSON or CLF");
  rule.is_json_ = *format == "JSON";
  if (!rule.is_json_) {
    for (std::size_t i = 1; i <= 100; ++i) rule.aliases_[std::to_string(i)] = i - 1;
    if (const json* fields = object(d, "Fields")) {
      if (!fields->is_object()) return bad("Fields must be an object");
      for (const auto& [position, alias] : fields->items()) {
        const auto number = to_number(position);
        if (!number || *number < 1 || *number > 100 || !alias.is_string()) return bad("Fields maps positions to names");
        rule.aliases_[alias] = static_cast<std::size_t>(*number) - 1;
      }
    }
  }

  const json* aggregate = object(d, "AggregateOn");
  if (aggregate == nullptr || (*aggregate != "Count" && *aggregate != "Sum")) return bad("AggregateOn must be Count or Sum");
  rule.is_sum_ = *aggregate == "Sum";

  const json* contribution = object(d, "Contribution");
  if (contribution == nullptr || !contribution->is_object()) return bad("Contribution is required");
  const json* keys = object(*contribution, "Keys");
  if (keys == nullptr || !keys->is_array() || keys->empty() || keys->size() > kKeysMax) return bad("Keys must have 1 to 4 entries");
  const auto is_field = [&](const json& field) {
    return field.is_string() &&
           (rule.is_json_ ? field.get_ref<const std::string&>().starts_with("$") : rule.aliases_.contains(field));
  };
  for (const json& key : *keys) {
    if (!is_field(key)) return bad("unknown field " + key.dump());
    rule.keys_.push_back(key);
  }
  const json* value_of = object(*contribution, "ValueOf");
  if (rule.is_sum_ != (value_of != nullptr)) return bad("ValueOf is required with Sum and not allowed with Count");
  if (value_of != nullptr) {
    if (!is_field(*value_of)) return bad("unknown field " + value_of->dump());
    rule.value_of_ = *value_of;
  }
  if (const json* filters = object(*contribution, "Filters")) {
    if (!filters->is_array() || filters->size() > kFiltersMax) return bad("at most 4 Filters are allowed");
    static const std::map<std::string, Filter::Kind> kOperators = {
        {"In", Filter::Kind::kIn},           {"NotIn", Filter::Kind::kNotIn},
        {"StartsWith", Filter::Kind::kStartsWith}, {"GreaterThan", Filter::Kind::kGreater},
        {"LessThan", Filter::Kind::kLess},   {"EqualTo", Filter::Kind::kEqual},
        {"NotEqualTo", Filter::Kind::kNotEqual}, {"IsPresent", Filter::Kind::kPresent}};
    for (const json& f : *filters) {
      if (!f.is_object() || f.size() != 2 || !f.contains("Match") || !is_field(f["Match"]))
        return bad("a filter has a field to Match and one operator");
      Filter filter;
      filter.field = f["Match"];
      for (const auto& [name, operand] : f.items()) {
        if (name == "Match") continue;
        const auto found = kOperators.find(name);
        if (found == kOperators.end()) return bad("unknown operator " + name);
        filter.kind = found->second;
        switch (filter.kind) {
          case Filter::Kind::kIn:
          case Filter::Kind::kNotIn:
          case Filter::Kind::kStartsWith:
            if (!operand.is_array() || operand.empty() || operand.size() > kFilterTextsMax) return bad(name + " takes 1 to 10 strings");
            for (const json& text : operand) {
              if (!text.is_string()) return bad(name + " takes 1 to 10 strings");
              filter.texts.push_back(text);
            }
            break;
          case Filter::Kind::kPresent:
            if (!operand.is_boolean()) return bad("IsPresent takes true or false");
            filter.present = operand;
            break;
          case Filter::Kind::kGreater:
          case Filter::Kind::kLess:
          case Filter::Kind::kEqual:
          case Filter::Kind::kNotEqual:
            if (!operand.is_number()) return bad(name + " takes a number");
            filter.number = operand;
            break;
        }
      }
      rule.filters_.push_back(std::move(filter));
    }
  }
  return rule;
}

}  // namespace fog::cloudwatch
