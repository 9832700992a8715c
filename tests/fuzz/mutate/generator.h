// Generator: inputs of operations from their shapes: sound ones, and for each rule of the model one that
// breaks it and nothing else.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/common/operation.h"
#include "tests/fuzz/mutate/sampler.h"
#include "tests/fuzz/mutate/tree.h"

namespace fog::fuzz {

enum class Breach : std::uint8_t {
  kRequired, kNull, kLengthMin, kLengthMax, kValueMin, kValueMax, kPattern, kEnum, kElement, kMapKey, kMapValue,
  kType,
  kUnknownMember, kOptionalNull,  // no breach: must be taken as if they were not there
};
inline constexpr std::size_t kBreaches = 14;
std::string_view name_of(Breach breach);

struct BreachCase {
  Breach breach = Breach::kRequired;
  std::string where;   // MetricData.0.Unit
  std::string member;  // the name that the message should mention
  Tree input;
};

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : dice(seed) {}

  // `fill`: how many of 100 optional members are there.
  Tree input(const OperationInfo& operation, int fill);
  Tree value(const Shape& shape, std::string_view name, int fill, int depth = 0);
  // Every rule in the input's shapes, each broken once.
  std::vector<BreachCase> breaches(const OperationInfo& operation);

  // Values that calls have brought to light ("queryId", "TopicArn"), for later calls.
  void learn(std::string_view name, std::string value);
  std::int64_t now_ms = 0;
  Dice dice;

 private:
  struct Step {
    std::string name;  // of a member; empty: the first entry of a list or map
  };
  using Way = std::vector<Step>;
  std::string text(const Shape& shape, std::string_view name);
  std::string sized_text(const Shape& shape, std::size_t length);
  std::int64_t integer(const Shape& shape, std::string_view name);
  Tree* reach(Tree& root, const Shape& shape, const Way& way);
  void add(const OperationInfo& operation, const Way& way, Breach breach, Tree value, std::vector<BreachCase>& out);
  void walk(const OperationInfo& operation, const Shape& shape, Way& way, std::vector<const Shape*>& above,
            std::vector<BreachCase>& out);
  void break_value(const OperationInfo& operation, const Shape& shape, Way& way, std::vector<BreachCase>& out);

  std::map<std::string, std::vector<std::string>, std::less<>> learned_;  // by name in lower case
};

// Sound by the model, as the decoders judge it.
bool fits(const Shape& shape, const std::string& text);
std::string lower(std::string_view text);

}  // namespace fog::fuzz
