// Tokens of a filter expression.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.h"

namespace fog::trace_filter {

enum class TokenKind {
  kWord,    // keyword, key, AND, CONTAINS ... as written
  kString,  // text without quotes and escapes
  kNumber,
  kSymbol,  // ( ) { } [ ] , : ! = != < <= > >=
  kJson,    // #[...]: the array's text
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  double number = 0;
  std::size_t position = 0;
};

// Always ends with a kEnd token.
Result<std::vector<Token>> lex(std::string_view text);

}  // namespace fog::trace_filter
