// The managed data identifiers that are detected: a pattern and a check.
#pragma once

#include <span>
#include <string_view>

namespace fog::data_protection {

struct Identifier {
  std::string_view name;
  std::string_view pattern;  // RE2; the first group, if there is one, is what is sensitive
  bool (*check)(std::string_view found) = nullptr;
};
const Identifier* find_identifier(std::string_view name);

}  // namespace fog::data_protection
