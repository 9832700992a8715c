#include "query/insights/lex.h"

#include "query/insights/value.h"

namespace fog::insights {

namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }
bool ident_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '@' ||
         (static_cast<unsigned char>(c) & 0x80);
}
bool ident_char(char c) { return ident_start(c) || digit(c); }

}  // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool same_word(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t k = 0; k < a.size(); ++k) {
    auto fold = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    if (fold(a[k]) != fold(b[k])) return false;
  }
  return true;
}

Error query_error(std::string_view query, std::size_t begin, std::size_t end, std::string message) {
  begin = std::min(begin, query.size());
  end = std::min(std::max(begin, end), query.size());
  auto detail = std::make_shared<QueryErrorDetail>();
  detail->start = utf8_length(query.substr(0, begin));
  detail->end = detail->start + utf8_length(query.substr(begin, end - begin));
  return Error::invalid(std::move(message)).at(begin).with(std::move(detail));
}

Error unexpected(std::string_view query, std::size_t begin, std::size_t end) {
  begin = std::min(begin, query.size());
  end = std::min(std::max(begin, end), query.size());
  std::size_t line = 1, start = 0;
  for (std::size_t k = 0; k < begin; ++k)
    if (query[k] == '\n') {
      ++line;
      start = k + 1;
    }
  std::string token(query.substr(begin, std::min<std::size_t>(end - begin, 80)));
  if (token.empty()) token = "<EOF>";
  return query_error(query, begin, end,
                     "unexpected symbol found " + token + " at line " + std::to_string(line) + " and position " +
                         std::to_string(utf8_length(query.substr(start, begin - start))));
}

void Lexer::skip() {
  while (position_ < text_.size()) {
    char c = text_[position_];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      ++position_;
    } else if (c == '#') {
      while (position_ < text_.size() && text_[position_] != '\n') ++position_;
    } else {
      return;
    }
  }
}

Result<Token> Lexer::next() {
  skip();
  if (position_ == text_.size()) {
    Token token;
    token.begin = token.end = position_;
    return token;
  }
  char c = text_[position_];
  if (c == '"' || c == '\'') return string();
  if (digit(c) || (c == '.' && position_ + 1 < text_.size() && digit(text_[position_ + 1]))) return number();
  if (ident_start(c) || c == '`') return identifier();

  Token token;
  token.kind = Token::Kind::kSymbol;
  token.begin = position_;
  static constexpr std::string_view kTwo[] = {"!=", "<=", ">=", "=~"};
  std::string_view rest = text_.substr(position_);
  std::size_t size = 1;
  for (std::string_view two : kTwo)
    if (rest.starts_with(two)) size = 2;
  if (size == 1 && std::string_view("|,()[]=<>!+-*/%^:").find(c) == std::string_view::npos)
    return unexpected(text_, position_, position_ + 1);
  token.text = rest.substr(0, size);
  token.end = position_ += size;
  return token;
}

Result<Token> Lexer::identifier() {
  Token token;
  token.kind = Token::Kind::kIdent;
  token.begin = position_;
  for (;;) {
    std::string segment;
    if (position_ < text_.size() && text_[position_] == '`') {
      token.quoted = true;
      std::size_t close = text_.find('`', position_ + 1);
      if (close == std::string_view::npos) return unexpected(text_, position_, text_.size());
      segment = text_.substr(position_ + 1, close - position_ - 1);
      if (segment.empty()) return unexpected(text_, position_, close + 1);
      position_ = close + 1;
    } else {
      std::size_t start = position_;
      while (position_ < text_.size() && ident_char(text_[position_])) ++position_;
      segment = text_.substr(start, position_ - start);
    }
    if (!token.text.empty() || !token.path.empty()) token.text += '.';
    token.text += segment;
    token.path.push_back(std::move(segment));
    if (position_ + 1 < text_.size() && text_[position_] == '.' &&
        (ident_char(text_[position_ + 1]) || text_[position_ + 1] == '`')) {
      ++position_;
      continue;
    }
    break;
  }
  token.end = position_;
  return token;
}

Result<Token> Lexer::string() {
  Token token;
  token.kind = Token::Kind::kString;
  token.begin = position_;
  char quote = text_[position_++];
  while (position_ < text_.size() && text_[position_] != quote) {
    char c = text_[position_++];
    if (c != '\\' || position_ == text_.size()) {
      token.text += c;
      continue;
    }
    char e = text_[position_++];
    switch (e) {
      case '\\': case '"': case '\'': token.text += e; break;
      case 'n': token.text += '\n'; break;
      case 't': token.text += '\t'; break;
      case 'r': token.text += '\r'; break;
      default:
        token.text += c;
        token.text += e;
    }
  }
  if (position_ == text_.size()) return unexpected(text_, token.begin, text_.size());
  token.end = ++position_;
  return token;
}

Result<Token> Lexer::number() {
  Token token;
  token.kind = Token::Kind::kNumber;
  token.begin = position_;
  auto digits = [this] {
    while (position_ < text_.size() && digit(text_[position_])) ++position_;
  };
  digits();
  if (position_ + 1 < text_.size() && text_[position_] == '.' && digit(text_[position_ + 1])) {
    ++position_;
    digits();
  }
  if (position_ < text_.size() && (text_[position_] == 'e' || text_[position_] == 'E')) {
    std::size_t p = position_ + 1;
    if (p < text_.size() && (text_[p] == '+' || text_[p] == '-')) ++p;
    if (p < text_.size() && digit(text_[p])) {
      position_ = p;
      digits();
    }
  }
  std::size_t letters = position_;
  while (position_ < text_.size() && ident_char(text_[position_])) ++position_;
  if (position_ > letters) token.kind = Token::Kind::kPeriod;
  token.end = position_;
  token.text = text_.substr(token.begin, token.end - token.begin);
  return token;
}

Result<Token> Lexer::regex(std::size_t begin) {
  Token token;
  token.kind = Token::Kind::kRegex;
  token.begin = begin;
  std::size_t p = begin + 1;
  while (p < text_.size() && text_[p] != '/') {
    char c = text_[p];
    if (c == '\\' && p + 1 < text_.size()) {
      if (text_[p + 1] != '/') token.text += c;
      token.text += text_[p + 1];
      p += 2;
      continue;
    }
    token.text += c;
    ++p;
  }
  if (p >= text_.size()) return unexpected(text_, begin, text_.size());
  token.end = position_ = p + 1;
  return token;
}

}  // namespace fog::insights
