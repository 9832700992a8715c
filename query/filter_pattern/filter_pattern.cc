#include "query/filter_pattern/filter_pattern.h"

#include <re2/re2.h>

#include <charconv>
#include <cmath>

#include "query/filter_pattern/internal.h"

namespace fog::filter_pattern {

namespace {

constexpr std::int64_t kRegexBytesMax = 1 << 20;

bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// The subset of regular expressions the service allows.
bool regex_allowed(std::string_view text) {
  for (std::size_t k = 0; k < text.size(); ++k) {
    char c = text[k];
    if (c == '\\') {
      if (++k == text.size()) return false;
      char e = text[k];
      if (e == 'x') {
        if (k + 2 >= text.size() || !hex(text[k + 1]) || !hex(text[k + 2])) return false;
        k += 2;
      } else if (letter_or_digit(e)) {
        if (std::string_view("dDsSwW").find(e) == std::string_view::npos) return false;
      } else if (std::string_view("^$?[]{}|\\*+.:_#=@/;,-").find(e) == std::string_view::npos) {
        return false;
      }
      continue;
    }
    if (letter_or_digit(c) || std::string_view(":_#=@/;,- ^$?[]{}|*+.").find(c) != std::string_view::npos) continue;
    return false;
  }
  return true;
}

}  // namespace

bool name_char(char c) { return letter_or_digit(c) || c == '_'; }

void Cursor::blanks() {
  while (!end() && blank(text_[at_])) ++at_;
}

bool Cursor::accept(std::string_view word) {
  if (!text_.substr(at_).starts_with(word)) return false;
  at_ += word.size();
  return true;
}

bool Cursor::accept_keyword(std::string_view word) {
  if (text_.size() - at_ < word.size()) return false;
  for (std::size_t k = 0; k < word.size(); ++k) {
    char c = text_[at_ + k];
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c != word[k]) return false;
  }
  if (name_char(ahead(word.size()))) return false;
  at_ += word.size();
  return true;
}

Error Cursor::invalid() const { return Error::invalid("Invalid metric filter pattern").at(at_); }

Result<std::string> Cursor::quoted() {
  std::string out;
  skip();
  while (!end() && peek() != '"') {
    if (peek() == '\\' && (ahead(1) == '"' || ahead(1) == '\\')) skip();
    out += peek();
    skip();
  }
  if (end()) return invalid();
  skip();
  return out;
}

Result<std::shared_ptr<const re2::RE2>> Cursor::regex(std::string* source) {
  std::size_t close = text_.find('%', at_ + 1);
  if (close == std::string_view::npos) return invalid();
  std::string_view body = text_.substr(at_ + 1, close - at_ - 1);
  if (body.empty() || !regex_allowed(body)) return invalid();
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kRegexBytesMax);
  auto re = std::make_shared<re2::RE2>(re2::StringPiece(body.data(), body.size()), options);
  if (!re->ok()) return invalid();
  at_ = close + 1;
  if (source) *source = body;
  return std::shared_ptr<const re2::RE2>(std::move(re));
}

std::optional<Compare> Cursor::comparison() {
  if (accept("!=")) return Compare::kNotEqual;
  if (accept(">=")) return Compare::kGreaterEqual;
  if (accept("<=")) return Compare::kLessEqual;
  if (accept("=")) return Compare::kEqual;
  if (accept(">")) return Compare::kGreater;
  if (accept("<")) return Compare::kLess;
  return std::nullopt;
}

Result<Operand> Cursor::operand(std::string_view stops, bool number_only) {
  Operand operand;
  blanks();
  if (peek() == '"' && !number_only) {
    TRY(operand.text, quoted());
    return operand;
  }
  if (peek() == '%' && !number_only) {
    operand.kind = Operand::Kind::kRegex;
    TRY(operand.regex, regex(&operand.text));
    return operand;
  }
  std::size_t begin = at_;
  while (!end() && !blank(peek()) && stops.find(peek()) == std::string_view::npos && peek() != '"') skip();
  operand.text = since(begin);
  if (operand.text.empty()) return invalid();
  if (auto number = number_of(operand.text)) {
    operand.kind = Operand::Kind::kNumber;
    operand.number = *number;
  } else if (number_only) {
    return invalid();
  }
  return operand;
}

std::optional<double> number_of(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  char first = text[0] == '-' && text.size() > 1 ? text[1] : text[0];
  if (!(first >= '0' && first <= '9') && first != '.') return std::nullopt;  // no inf, nan
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

bool wildcard_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool regex_match(const re2::RE2& regex, std::string_view text) {
  return regex.Match(re2::StringPiece(text.data(), text.size()), 0, text.size(), re2::RE2::UNANCHORED, nullptr, 0);
}

bool numbers_hold(Compare op, double a, double b) {
  switch (op) {
    case Compare::kEqual: return a == b;
    case Compare::kNotEqual: return a != b;
    case Compare::kLess: return a < b;
    case Compare::kLessEqual: return a <= b;
    case Compare::kGreater: return a > b;
    case Compare::kGreaterEqual: return a >= b;
  }
  return false;
}

Result<std::shared_ptr<const Pattern>> parse(std::string_view text) {
  std::size_t chars = 0;
  for (char c : text) chars += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  Cursor cursor(text);
  if (chars > kPatternCharsMax) return cursor.invalid();
  cursor.blanks();
  if (cursor.peek() == '{') return parse_json(text);
  if (cursor.peek() == '[') return parse_delimited(text);
  return parse_terms(text);
}

}  // namespace fog::filter_pattern
