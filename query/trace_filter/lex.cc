#include "query/trace_filter/lex.h"

#include <charconv>
#include <cmath>

namespace fog::trace_filter {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_word(char c) { return is_word_start(c) || is_digit(c) || c == '.' || c == '-'; }

// `at` stands on the opening quote; leaves it behind the closing one.
Result<std::string> read_string(std::string_view text, std::size_t& at) {
  const std::size_t start = at++;
  std::string out;
  for (; at < text.size(); ++at) {
    if (text[at] == '"') {
      ++at;
      return out;
    }
    if (text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == '"' || text[at + 1] == '\\'))
      ++at;
    out.push_back(text[at]);
  }
  return Error::invalid("unterminated string").at(start);
}

// `at` stands on '['; returns the text up to the matching ']'.
Result<std::string_view> read_json_array(std::string_view text, std::size_t& at) {
  const std::size_t start = at;
  int depth = 0;
  bool quoted = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c == '\\') ++at;
      else if (c == '"') quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && --depth == 0) {
      ++at;
      return text.substr(start, at - start);
    }
  }
  return Error::invalid("unterminated JSON").at(start);
}

}  // namespace

Result<std::vector<Token>> lex(std::string_view text) {
  std::vector<Token> tokens;
  std::size_t at = 0;
  while (true) {
    while (at < text.size() && (text[at] == ' ' || (text[at] >= '\t' && text[at] <= '\r'))) ++at;
    Token token;
    token.position = at;
    if (at == text.size()) {
      tokens.push_back(std::move(token));
      return tokens;
    }
    const char c = text[at];
    const char next = at + 1 < text.size() ? text[at + 1] : '\0';
    if (c == '"') {
      token.kind = TokenKind::kString;
      TRY(token.text, read_string(text, at));
    } else if (c == '#') {
      if (next != '[') return Error::invalid("expected a JSON array after '#'").at(at);
      token.kind = TokenKind::kJson;
      ++at;
      TRY(token.text, read_json_array(text, at));
    } else if (is_word_start(c)) {
      token.kind = TokenKind::kWord;
      const std::size_t start = at;
      while (at < text.size() && is_word(text[at])) ++at;
      token.text = text.substr(start, at - start);
    } else if (is_digit(c) || (c == '-' && is_digit(next))) {
      token.kind = TokenKind::kNumber;
      const auto* begin = text.data() + at;
      const auto [end, error] = std::from_chars(begin, text.data() + text.size(), token.number);
      if (error != std::errc{} || !std::isfinite(token.number))
        return Error::invalid("invalid number").at(at);
      token.text.assign(begin, end);
      at += token.text.size();
    } else {
      token.kind = TokenKind::kSymbol;
      const bool two = next == '=' && (c == '!' || c == '<' || c == '>');
      if (!two && std::string_view("(){}[],:!=<>").find(c) == std::string_view::npos)
        return Error::invalid(std::string("unexpected character '") + c + "'").at(at);
      token.text = text.substr(at, two ? 2 : 1);
      at += token.text.size();
    }
    tokens.push_back(std::move(token));
  }
}

}  // namespace fog::trace_filter
