// Shared by the three kinds of patterns. Inside this room only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "query/filter_pattern/filter_pattern.h"

namespace re2 {
class RE2;
}

namespace fog::filter_pattern {

// What a value of a message is compared with.
struct Operand {
  enum class Kind { kNumber, kText, kRegex } kind = Kind::kText;
  std::string text;  // kText: with * as wildcard; escaped stars do not exist
  double number = 0;
  std::shared_ptr<const re2::RE2> regex;
};
enum class Compare { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual };

// Reads a pattern from left to right.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}
  bool end() const { return at_ == text_.size(); }
  char peek() const { return end() ? '\0' : text_[at_]; }
  char ahead(std::size_t n) const { return at_ + n < text_.size() ? text_[at_ + n] : '\0'; }
  void skip(std::size_t n = 1) { at_ += n; }
  void blanks();
  bool accept(std::string_view word);         // exactly
  bool accept_keyword(std::string_view word);  // any case, not followed by a name character
  std::size_t at() const { return at_; }
  std::string_view since(std::size_t begin) const { return text_.substr(begin, at_ - begin); }
  Error invalid() const;

  Result<std::string> quoted();  // with its quotes
  Result<std::shared_ptr<const re2::RE2>> regex(std::string* source = nullptr);  // with its percent signs
  std::optional<Compare> comparison();
  // Number, quoted text, bare word (up to one of `stops` or a blank) or pattern.
  Result<Operand> operand(std::string_view stops, bool number_only);

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

bool name_char(char c);
std::optional<double> number_of(std::string_view text);  // the whole text
bool wildcard_match(std::string_view pattern, std::string_view text);
bool regex_match(const re2::RE2& regex, std::string_view text);
bool numbers_hold(Compare op, double a, double b);

Result<std::shared_ptr<const Pattern>> parse_terms(std::string_view text);
Result<std::shared_ptr<const Pattern>> parse_json(std::string_view text);
Result<std::shared_ptr<const Pattern>> parse_delimited(std::string_view text);

constexpr std::size_t kRegexesMax = 2;  // in a JSON or delimited pattern
constexpr std::size_t kDepthMax = 50;   // parentheses

}  // namespace fog::filter_pattern
