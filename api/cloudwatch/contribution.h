// Contribution: the definition of an insight rule, and what log events say under it.
// Pure; any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.h"

namespace fog::cloudwatch {

class Contribution {
 public:
  // Error: invalid, saying what is wrong with the definition.
  static Result<Contribution> parse(std::string_view definition);

  struct Event {
    std::vector<std::string> keys;
    double value = 1;
  };
  // Nothing: the event does not count (a key is missing, a filter refuses it).
  std::optional<Event> match(std::string_view message) const;

  const std::string& schema() const { return schema_; }  // "CloudWatchLogRule/1"
  const std::vector<std::string>& groups() const { return groups_; }
  const std::vector<std::string>& keys() const { return keys_; }
  bool is_sum() const { return is_sum_; }

 private:
  struct Filter {
    enum class Kind { kIn, kNotIn, kStartsWith, kGreater, kLess, kEqual, kNotEqual, kPresent };
    std::string field;
    Kind kind = Kind::kPresent;
    std::vector<std::string> texts;
    double number = 0;
    bool present = true;
  };
  class Fields;
  bool passes(const Filter& filter, const Fields& fields) const;

  std::string schema_;
  std::vector<std::string> groups_;
  bool is_json_ = true;
  std::map<std::string, std::size_t> aliases_;  // CLF: alias or position to index
  std::vector<std::string> keys_;
  std::string value_of_;
  std::vector<Filter> filters_;
  bool is_sum_ = false;
};

}  // namespace fog::cloudwatch
