// Selection criteria: which groups or events a filter or policy is about, by system fields.
//
//   @aws.region = "us-east-1" AND @aws.account NOT IN ["111122223333", "444455556666"]
//   LogGroupName NOT IN ["a", "b"]
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/result.h"

namespace fog::logs {

class Selection {
 public:
  virtual ~Selection() = default;
  // `value_of` gives the text of a field by its name as written.
  virtual bool holds(const std::function<std::string_view(std::string_view field)>& value_of) const = 0;
};

// `allowed`: says which field names there are. Error: invalid, with the position.
Result<std::shared_ptr<const Selection>> parse_selection(std::string_view text, const std::function<bool(std::string_view)>& allowed);

}  // namespace fog::logs
