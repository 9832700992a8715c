// JsonReader: a strict pull parser for JSON text that knows where it stands.
//
// Filter policies need positions in their errors and message bodies need their leaves in one pass
// without a tree, so both read tokens. Members and elements come in the order of the text; commas,
// colons and nesting are checked; a nesting deeper than kDepthMax is an error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fog::filter_policy {

class JsonReader {
 public:
  enum class Token {
    kObjectBegin, kObjectEnd, kArrayBegin, kArrayEnd,
    kKey, kString, kNumber, kTrue, kFalse, kNull,
    kEnd,    // the document is complete and nothing but blanks follows
    kError,  // not JSON; every further call says so again
  };
  static constexpr std::size_t kDepthMax = 200;

  explicit JsonReader(std::string_view text) : text_(text) {}

  Token next();
  // Skips the value whose first token was just read. False: not JSON.
  bool skip(Token first);

  // Of the last key or string: decoded. Of any other token: as written.
  const std::string& text() const { return value_; }
  double number() const { return number_; }
  // Bytes consumed so far: the column after the last token is position() + 1.
  std::size_t position() const { return at_; }

 private:
  enum class Expect { kValue, kFirstElement, kFirstKey, kKey, kCommaOrEnd, kNothing };

  Token fail();
  Token value_token();
  bool read_string();
  bool read_number();
  void skip_blanks();
  void after_value();

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<bool> in_object_;  // one entry a level
  Expect expect_ = Expect::kValue;
  bool failed_ = false;
  std::string value_;
  double number_ = 0;
};

}  // namespace fog::filter_policy
