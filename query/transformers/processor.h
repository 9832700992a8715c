// Processor: one step of a transformer, and what steps have in common. Internal to this folder.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "query/transformers/json_tree.h"
#include "query/transformers/transformer.h"
#include "storage/base/result.h"

namespace fog::transformers {

class Processor {
 public:
  virtual ~Processor() = default;
  // False: it could not do its work, and the event stays as it was. A missing source is no failure.
  virtual bool apply(JsonTree& root, const Event& event) const = 0;
};
using ProcessorPtr = std::unique_ptr<Processor>;

// Reads the parameters of a processor; `name` is for messages.
class Parameters {
 public:
  Parameters(std::string_view name, const JsonTree& from) : name_(name), from_(from) {}
  std::string_view name() const { return name_; }
  bool has(std::string_view parameter) const { return from_.find(parameter) != nullptr; }
  std::string text(std::string_view parameter, std::string_view otherwise = {}) const;
  bool flag(std::string_view parameter) const;
  // A list of objects or of strings; null when absent.
  const JsonTree* list(std::string_view parameter) const;
  Result<const JsonTree*> required_list(std::string_view parameter) const;
  Result<std::string> required(std::string_view parameter) const;
  // A key path, at most 128 characters and three levels deep.
  Result<Path> path(std::string_view parameter) const;
  Result<Path> path_of(std::string_view text) const;
  Error error(std::string message) const;

 private:
  std::string_view name_;
  const JsonTree& from_;
};

// Where a parser reads: @message or a key.
struct Source {
  std::optional<Path> path;  // nothing: @message
  // The text; nothing: absent or a container.
  std::optional<std::string> read(const JsonTree& root, const Event& event) const;
};
Result<Source> source_of(const Parameters& parameters);

// Where a parser puts what it found: the root or an object at a path.
struct Target {
  std::optional<Path> path;
  bool put(JsonTree& root, JsonTree found, bool overwrite) const;
};
Result<Target> target_of(const Parameters& parameters, std::string_view parameter = "destination");

Result<ProcessorPtr> make_grok(const Parameters& parameters);
Result<ProcessorPtr> make_parse_json(const Parameters& parameters);
Result<ProcessorPtr> make_csv(const Parameters& parameters);
Result<ProcessorPtr> make_parse_key_value(const Parameters& parameters);
Result<ProcessorPtr> make_vended(const Parameters& parameters);  // by its name
Result<ProcessorPtr> make_date_time(const Parameters& parameters);
Result<ProcessorPtr> make_list_to_map(const Parameters& parameters);
Result<ProcessorPtr> make_key_editor(const Parameters& parameters);    // addKeys .. renameKeys
Result<ProcessorPtr> make_text_editor(const Parameters& parameters);   // lowerCaseString .. typeConverter

// Integers and plain decimals as JSON numbers, "-" and anything else as text.
JsonTree number_or_text(std::string_view text);
bool is_json_number(std::string_view text);

}  // namespace fog::transformers
