// Which processors there are, their limits and order; the chain.
#include "query/transformers/transformer.h"

#include <fmt/format.h>

#include <algorithm>

#include "query/transformers/processor.h"

namespace fog::transformers {
namespace {

constexpr std::size_t kProcessorsMax = 20;
constexpr std::size_t kParsersMax = 5;
constexpr std::size_t kPathCharsMax = 128;
constexpr std::size_t kPathStepsMax = 3;

struct Record {
  std::string_view name;
  Result<ProcessorPtr> (*make)(const Parameters&);
  bool is_parser = false;
  bool is_vended = false;  // only as the first, and once
  bool is_single = false;  // once in a transformer
};

Result<ProcessorPtr> make_ocsf(const Parameters& parameters);

constexpr Record kRecords[] = {
    {"parseJSON", make_parse_json, true},
    {"grok", make_grok, true, false, true},
    {"csv", make_csv, true, false, true},
    {"parseKeyValue", make_parse_key_value, true, false, true},
    {"parseToOCSF", make_ocsf, true, false, true},
    {"parseWAF", make_vended, true, true, true},
    {"parseVPC", make_vended, true, true, true},
    {"parseRoute53", make_vended, true, true, true},
    {"parseCloudfront", make_vended, true, true, true},
    {"parsePostgres", make_vended, true, true, true},
    {"dateTimeConverter", make_date_time},
    {"listToMap", make_list_to_map},
    {"addKeys", make_key_editor, false, false, true},
    {"deleteKeys", make_key_editor},
    {"moveKeys", make_key_editor},
    {"copyValue", make_key_editor, false, false, true},
    {"renameKeys", make_key_editor},
    {"lowerCaseString", make_text_editor},
    {"upperCaseString", make_text_editor},
    {"trimString", make_text_editor},
    {"splitString", make_text_editor},
    {"substituteString", make_text_editor},
    {"typeConverter", make_text_editor},
};

const Record* find_record(std::string_view name) {
  for (const Record& record : kRecords)
    if (record.name == name) return &record;
  return nullptr;
}

// The mapping to the Open Cybersecurity Schema is the service's own; the event's JSON stands as it is.
class Ocsf final : public Processor {
 public:
  explicit Ocsf(Source source) : source_(std::move(source)) {}
  bool apply(JsonTree& root, const Event& event) const override {
    const auto text = source_.read(root, event);
    if (!text) return true;
    auto parsed = parse_json(*text);
    if (!parsed || !parsed->is_object()) return true;
    return Target{}.put(root, std::move(*parsed), true);
  }

 private:
  Source source_;
};

Result<ProcessorPtr> make_ocsf(const Parameters& parameters) {
  TRYV(parameters.required("eventSource"));
  TRYV(parameters.required("ocsfVersion"));
  TRY(Source source, source_of(parameters));
  return ProcessorPtr(std::make_unique<Ocsf>(std::move(source)));
}

class Chain final : public Transformer {
 public:
  std::optional<std::string> transform(const Event& event) const override {
    JsonTree root = JsonTree::object();
    for (const ProcessorPtr& processor : processors)
      if (!processor->apply(root, event)) return std::nullopt;
    if (root.members.empty()) return std::nullopt;
    std::string out;
    print_json(root, out);
    return out;
  }
  std::vector<ProcessorPtr> processors;
};

}  // namespace

// ---- parameters -------------------------------------------------------------------------------------

std::string Parameters::text(std::string_view parameter, std::string_view otherwise) const {
  const JsonTree* found = from_.find(parameter);
  return found != nullptr && found->is_string() ? found->text : std::string(otherwise);
}

bool Parameters::flag(std::string_view parameter) const {
  const JsonTree* found = from_.find(parameter);
  return found != nullptr && found->kind == JsonTree::Kind::kTrue;
}

const JsonTree* Parameters::list(std::string_view parameter) const {
  const JsonTree* found = from_.find(parameter);
  return found != nullptr && found->is_array() ? found : nullptr;
}

Result<const JsonTree*> Parameters::required_list(std::string_view parameter) const {
  const JsonTree* found = list(parameter);
  if (found == nullptr || found->items.empty()) return error(fmt::format("{} must not be empty.", parameter));
  return found;
}

Result<std::string> Parameters::required(std::string_view parameter) const {
  const JsonTree* found = from_.find(parameter);
  if (found == nullptr || !found->is_string() || found->text.empty()) return error(fmt::format("{} is required.", parameter));
  return found->text;
}

Result<Path> Parameters::path_of(std::string_view text) const {
  if (text.empty() || text.size() > kPathCharsMax)
    return error(fmt::format("key {} must have between 1 and {} characters.", text, kPathCharsMax));
  const auto path = parse_path(text);
  if (!path) return error(fmt::format("key {} is not valid.", text));
  if (path->steps.size() > kPathStepsMax)
    return error(fmt::format("key {} exceeds the maximum nested depth of {}.", text, kPathStepsMax));
  return *path;
}

Result<Path> Parameters::path(std::string_view parameter) const {
  TRY(const std::string text, required(parameter));
  return path_of(text);
}

Error Parameters::error(std::string message) const {
  return Error::invalid(fmt::format("Invalid transformer configuration: {}: {}", name_, message));
}

// ---- sources and targets ----------------------------------------------------------------------------

std::optional<std::string> Source::read(const JsonTree& root, const Event& event) const {
  if (!path) return std::string(event.message);
  const JsonTree* found = at_path(const_cast<JsonTree&>(root), *path);
  if (found == nullptr || !found->is_scalar() || found->kind == JsonTree::Kind::kNull) return std::nullopt;
  return found->as_text();
}

Result<Source> source_of(const Parameters& parameters) {
  Source source;
  const std::string text = parameters.text("source", "@message");
  if (text == "@message") return source;
  TRY(Path path, parameters.path_of(text));
  source.path = std::move(path);
  return source;
}

bool Target::put(JsonTree& root, JsonTree found, bool overwrite) const {
  if (path) return put_at_path(root, *path, std::move(found), true);
  for (auto& [name, value] : found.members)
    if (overwrite || root.find(name) == nullptr) root.set(name, std::move(value));
  return true;
}

Result<Target> target_of(const Parameters& parameters, std::string_view parameter) {
  Target target;
  if (!parameters.has(parameter)) return target;
  TRY(Path path, parameters.path(parameter));
  target.path = std::move(path);
  return target;
}

bool is_json_number(std::string_view text) {
  const auto tree = parse_json(text);
  return tree && tree->kind == JsonTree::Kind::kNumber;
}

JsonTree number_or_text(std::string_view text) {
  return is_json_number(text) && text.find_first_of(" \t") == std::string_view::npos ? JsonTree::number(text) : JsonTree::string(text);
}

// ---- the whole --------------------------------------------------------------------------------------

Result<std::shared_ptr<const Transformer>> parse(std::string_view config) {
  const auto tree = parse_json(config);
  const auto bad = [](std::string why) { return Error::invalid("Invalid transformer configuration: " + std::move(why)); };
  if (!tree) return bad("the document is not valid JSON.");
  const JsonTree* list = tree->is_array() ? &*tree : tree->find("transformerConfig");
  if (list == nullptr || !list->is_array()) return bad("a list of processors is expected.");
  if (list->items.empty() || list->items.size() > kProcessorsMax)
    return bad(fmt::format("a transformer must have between 1 and {} processors.", kProcessorsMax));
  auto chain = std::make_shared<Chain>();
  std::vector<std::string_view> seen;
  std::size_t parsers = 0;
  for (std::size_t k = 0; k < list->items.size(); ++k) {
    const JsonTree& item = list->items[k];
    if (!item.is_object() || item.members.size() != 1) return bad("each entry must have exactly one processor.");
    const auto& [name, body] = item.members[0];
    const Record* record = find_record(name);
    if (record == nullptr) return bad(fmt::format("unknown processor {}.", name));
    if (!body.is_object()) return bad(fmt::format("processor {} must be an object.", name));
    if (k == 0 && !record->is_parser) return bad("the first processor must be a parser.");
    if (k > 0 && record->is_vended) return bad(fmt::format("{} must be the first processor.", name));
    if (record->is_single && std::find(seen.begin(), seen.end(), record->name) != seen.end())
      return bad(fmt::format("only one {} processor is allowed.", name));
    seen.push_back(record->name);
    if (record->is_parser && ++parsers > kParsersMax)
      return bad(fmt::format("at most {} parser processors are allowed.", kParsersMax));
    TRY(ProcessorPtr processor, record->make(Parameters(record->name, body)));
    chain->processors.push_back(std::move(processor));
  }
  return std::shared_ptr<const Transformer>(std::move(chain));
}

}  // namespace fog::transformers
