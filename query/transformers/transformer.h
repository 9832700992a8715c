// Transformers: turn a log event into JSON by a chain of processors (parseJSON, grok, addKeys ...).
//
//   TRY(const auto transformer, transformers::parse(R"([{"parseJSON": {}}])"));
//   std::optional<std::string> json = transformer->transform({.message = text});
//
// Threads: a transformer is immutable.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.h"

namespace fog::transformers {

// What an event knows besides its text: sources of copyValue.
struct Event {
  std::string_view message;
  std::string_view log_group{};
  std::string_view log_stream{};
  std::string_view account{};
  std::string_view region{};
};

class Transformer {
 public:
  virtual ~Transformer() = default;
  // The transformed event as a JSON object; nothing when a processor could not do its work: the
  // event then stays as it was.
  virtual std::optional<std::string> transform(const Event& event) const = 0;
};

// A list of processors as the API's JSON writes them, alone or as member `transformerConfig`.
// Error: invalid, with a sentence for the user.
Result<std::shared_ptr<const Transformer>> parse(std::string_view config);

}  // namespace fog::transformers
