// Lexer: the text of a query into tokens, one at a time, because a slash means division or the start
// of a pattern depending on what the parser expects.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.h"

namespace fog::insights {

struct Token {
  enum class Kind {
    kEnd,
    kIdent,   // path: one text a segment; `text` joins them with dots
    kString,  // text: unescaped
    kNumber,  // text: as written
    kPeriod,  // text: as written, such as 5m
    kRegex,   // text: the pattern, \/ replaced
    kSymbol,  // text: operator or punctuation
  };
  Kind kind = Kind::kEnd;
  std::string text;
  std::vector<std::string> path;
  bool quoted = false;  // kIdent: some part was in backticks, so it is no keyword
  std::size_t begin = 0, end = 0;  // bytes in the query
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}
  std::string_view text() const { return text_; }
  Result<Token> next();
  // Scans a /pattern/ whose first slash is at `begin`; continues behind it.
  Result<Token> regex(std::size_t begin);
  void seek(std::size_t position) { position_ = position; }

 private:
  void skip();
  Result<Token> identifier();
  Result<Token> string();
  Result<Token> number();

  std::string_view text_;
  std::size_t position_ = 0;
};

// An error of the language: the span in code points (end exclusive) travels with it, for the
// queryCompileError of the API.
struct QueryErrorDetail final : ErrorDetail {
  std::size_t start = 0;
  std::size_t end = 0;
};
// "unexpected symbol found <token> at line 1 and position 4"
Error unexpected(std::string_view query, std::size_t begin, std::size_t end);
// Any other message with the same detail.
Error query_error(std::string_view query, std::size_t begin, std::size_t end, std::string message);

bool same_word(std::string_view a, std::string_view b);  // ASCII case ignored
std::string lower(std::string_view text);                // ASCII

}  // namespace fog::insights
