#include "query/filter_policy/json_reader.h"

#include <charconv>
#include <cstdlib>

namespace fog::filter_policy {

using Token = JsonReader::Token;

namespace {

void append_utf8(std::string& out, std::uint32_t c) {
  const auto byte = [&](std::uint32_t b) { out.push_back(static_cast<char>(b)); };
  if (c < 0x80) {
    byte(c);
  } else if (c < 0x800) {
    byte(0xc0 | (c >> 6));
    byte(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    byte(0xe0 | (c >> 12));
    byte(0x80 | ((c >> 6) & 0x3f));
    byte(0x80 | (c & 0x3f));
  } else {
    byte(0xf0 | (c >> 18));
    byte(0x80 | ((c >> 12) & 0x3f));
    byte(0x80 | ((c >> 6) & 0x3f));
    byte(0x80 | (c & 0x3f));
  }
}

// Four hexadecimal digits at `at`, or -1.
int hex4(std::string_view text, std::size_t at) {
  if (at + 4 > text.size()) return -1;
  int value = 0;
  const char* end = text.data() + at + 4;
  const auto [stop, error] = std::from_chars(text.data() + at, end, value, 16);
  return error == std::errc{} && stop == end && text[at] != '-' ? value : -1;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

void JsonReader::skip_blanks() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r') break;
    ++at_;
  }
}

Token JsonReader::fail() {
  failed_ = true;
  return Token::kError;
}

void JsonReader::after_value() {
  expect_ = in_object_.empty() ? Expect::kNothing : Expect::kCommaOrEnd;
}

bool JsonReader::read_string() {
  value_.clear();
  ++at_;  // the quote
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"') {
      ++at_;
      return true;
    }
    if (static_cast<unsigned char>(c) < 0x20) return false;
    if (c != '\\') {
      value_.push_back(c);
      ++at_;
      continue;
    }
    if (at_ + 1 >= text_.size()) return false;
    const char escaped = text_[at_ + 1];
    at_ += 2;
    switch (escaped) {
      case '"': case '\\': case '/': value_.push_back(escaped); break;
      case 'b': value_.push_back('\b'); break;
      case 'f': value_.push_back('\f'); break;
      case 'n': value_.push_back('\n'); break;
      case 'r': value_.push_back('\r'); break;
      case 't': value_.push_back('\t'); break;
      case 'u': {
        const int high = hex4(text_, at_);
        if (high < 0) return false;
        at_ += 4;
        std::uint32_t c32 = static_cast<std::uint32_t>(high);
        if (c32 >= 0xd800 && c32 < 0xdc00 && text_.substr(at_, 2) == "\\u") {
          const int low = hex4(text_, at_ + 2);
          if (low >= 0xdc00 && low < 0xe000) {
            c32 = 0x10000 + ((c32 - 0xd800) << 10) + (static_cast<std::uint32_t>(low) - 0xdc00);
            at_ += 6;
          }
        }
        if (c32 >= 0xd800 && c32 < 0xe000) c32 = 0xfffd;  // half of a pair
        append_utf8(value_, c32);
        break;
      }
      default: return false;
    }
  }
  return false;
}

bool JsonReader::read_number() {
  const std::size_t begin = at_;
  if (text_[at_] == '-') ++at_;
  const auto digits = [&] {
    const std::size_t from = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return at_ - from;
  };
  const std::size_t first = at_;
  const std::size_t whole = digits();
  if (whole == 0 || (whole > 1 && text_[first] == '0')) return false;
  if (at_ < text_.size() && text_[at_] == '.') {
    ++at_;
    if (digits() == 0) return false;
  }
  if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
    ++at_;
    if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
    if (digits() == 0) return false;
  }
  value_.assign(text_.substr(begin, at_ - begin));
  const auto [end, error] = std::from_chars(value_.data(), value_.data() + value_.size(), number_);
  // Out of range is still JSON; strtod then gives the infinity or zero that is nearest.
  if (error == std::errc::result_out_of_range) number_ = std::strtod(value_.c_str(), nullptr);
  return true;
}

Token JsonReader::value_token() {
  if (at_ >= text_.size()) return fail();
  const char c = text_[at_];
  const auto word = [&](std::string_view name, Token token) {
    if (text_.substr(at_, name.size()) != name) return fail();
    value_.assign(name);
    at_ += name.size();
    after_value();
    return token;
  };
  switch (c) {
    case '{': case '[':
      if (in_object_.size() >= kDepthMax) return fail();
      ++at_;
      value_.assign(1, c);
      in_object_.push_back(c == '{');
      expect_ = c == '{' ? Expect::kFirstKey : Expect::kFirstElement;
      return c == '{' ? Token::kObjectBegin : Token::kArrayBegin;
    case '"':
      if (!read_string()) return fail();
      after_value();
      return Token::kString;
    case 't': return word("true", Token::kTrue);
    case 'f': return word("false", Token::kFalse);
    case 'n': return word("null", Token::kNull);
    default:
      if ((c != '-' && !is_digit(c)) || !read_number()) return fail();
      after_value();
      return Token::kNumber;
  }
}

Token JsonReader::next() {
  if (failed_) return Token::kError;
  skip_blanks();
  if (expect_ == Expect::kNothing) return at_ == text_.size() ? Token::kEnd : fail();
  if (at_ >= text_.size()) return fail();

  const bool may_end = expect_ == Expect::kCommaOrEnd || expect_ == Expect::kFirstKey ||
                       expect_ == Expect::kFirstElement;
  if (may_end && !in_object_.empty() && text_[at_] == (in_object_.back() ? '}' : ']')) {
    const bool object = in_object_.back();
    in_object_.pop_back();
    value_.assign(1, text_[at_]);
    ++at_;
    after_value();
    return object ? Token::kObjectEnd : Token::kArrayEnd;
  }
  if (expect_ == Expect::kCommaOrEnd) {
    if (text_[at_] != ',') return fail();
    ++at_;
    skip_blanks();
    if (at_ >= text_.size()) return fail();
    expect_ = in_object_.back() ? Expect::kKey : Expect::kValue;
  }
  if (expect_ == Expect::kFirstKey || expect_ == Expect::kKey) {
    if (text_[at_] != '"' || !read_string()) return fail();
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != ':') return fail();
    ++at_;
    expect_ = Expect::kValue;
    return Token::kKey;
  }
  return value_token();
}

bool JsonReader::skip(Token first) {
  if (first == Token::kError) return false;
  if (first != Token::kObjectBegin && first != Token::kArrayBegin) return true;
  const std::size_t depth = in_object_.size();
  while (in_object_.size() >= depth) {
    if (next() == Token::kError) return false;
  }
  return true;
}

}  // namespace fog::filter_policy
