#include <charconv>

#include "query/filter_policy/filter_policy.h"
#include "query/filter_policy/json_reader.h"

namespace fog::filter_policy {
namespace {

using Token = JsonReader::Token;

bool scalar(Token token, JsonReader& reader, Value& out) {
  switch (token) {
    case Token::kString: out = {.kind = Value::Kind::kString, .text = reader.text()}; return true;
    case Token::kNumber:
      out = {.kind = Value::Kind::kNumber, .text = {}, .number = reader.number()};
      return true;
    case Token::kTrue: out = {.kind = Value::Kind::kTrue}; return true;
    case Token::kFalse: out = {.kind = Value::Kind::kFalse}; return true;
    case Token::kNull: out = {.kind = Value::Kind::kNull}; return true;
    default: return false;
  }
}

bool parse_number(std::string_view text, double& out) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

// Elements of a String.Array; whatever is not a JSON array of scalars gives none.
std::vector<Value> array_elements(std::string_view json) {
  JsonReader reader(json);
  std::vector<Value> out;
  if (reader.next() != Token::kArrayBegin) return {};
  for (;;) {
    const Token token = reader.next();
    if (token == Token::kArrayEnd) return reader.next() == Token::kEnd ? out : std::vector<Value>{};
    Value value;
    if (!scalar(token, reader, value)) return {};
    out.push_back(std::move(value));
  }
}

}  // namespace

void Values::add_attribute(std::string_view name, std::string_view type, std::string_view value) {
  if (type.starts_with("Binary")) return;
  auto& values = by_name[std::string(name)];
  if (type == "String.Array") {
    values = array_elements(value);
  } else if (type.starts_with("Number")) {
    Value number{.kind = Value::Kind::kNumber};
    if (parse_number(value, number.number)) values.push_back(std::move(number));
  } else {
    values.push_back({.kind = Value::Kind::kString, .text = std::string(value)});
  }
}

bool Values::add_body(std::string_view body) {
  JsonReader reader(body);
  if (reader.next() != Token::kObjectBegin) return false;
  // `path` grows and shrinks with the nesting; `lengths` remembers where each open container began.
  std::string path;
  std::vector<std::size_t> lengths{0};
  std::map<std::string, std::vector<Value>, std::less<>> found;
  std::size_t value_path = 0;  // length of the path before the key now being read
  bool have_key = false;
  for (;;) {
    const Token token = reader.next();
    switch (token) {
      case Token::kKey:
        value_path = path.size();
        have_key = true;
        if (!path.empty()) path.push_back('.');
        path += reader.text();
        break;
      case Token::kObjectBegin: case Token::kArrayBegin:
        lengths.push_back(have_key ? value_path : path.size());
        have_key = false;
        break;
      case Token::kObjectEnd: case Token::kArrayEnd:
        path.resize(lengths.back());
        lengths.pop_back();
        have_key = false;
        break;
      case Token::kEnd: by_name = std::move(found); return true;
      case Token::kError: return false;
      default: {
        Value value;
        scalar(token, reader, value);
        found[path].push_back(std::move(value));
        if (have_key) path.resize(value_path);
        have_key = false;
      }
    }
  }
}

}  // namespace fog::filter_policy
