// JsonTree: a JSON value that can be changed. Objects keep the order of their members, numbers their
// source text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fog::transformers {

struct JsonTree {
  enum class Kind { kNull, kTrue, kFalse, kNumber, kString, kArray, kObject };
  using Member = std::pair<std::string, JsonTree>;
  Kind kind = Kind::kNull;
  std::string text{};              // kNumber: as written; kString: unescaped
  std::vector<JsonTree> items{};   // kArray
  std::vector<Member> members{};   // kObject

  static JsonTree string(std::string_view value) { return {.kind = Kind::kString, .text = std::string(value)}; }
  static JsonTree number(std::string_view value) { return {.kind = Kind::kNumber, .text = std::string(value)}; }
  static JsonTree boolean(bool value) { return {.kind = value ? Kind::kTrue : Kind::kFalse}; }
  static JsonTree object() { return {.kind = Kind::kObject}; }
  static JsonTree array() { return {.kind = Kind::kArray}; }

  bool is_object() const { return kind == Kind::kObject; }
  bool is_array() const { return kind == Kind::kArray; }
  bool is_string() const { return kind == Kind::kString; }
  bool is_scalar() const { return !is_object() && !is_array(); }

  JsonTree* find(std::string_view key);
  const JsonTree* find(std::string_view key) const { return const_cast<JsonTree*>(this)->find(key); }
  // Replaces or appends.
  void set(std::string_view key, JsonTree value);
  bool erase(std::string_view key);
  // The text of a scalar: strings as they are, null as "null"; containers as JSON.
  std::string as_text() const;
};

// The whole text, blanks around it allowed; nothing when it is no JSON or nests deeper than 64.
std::optional<JsonTree> parse_json(std::string_view text);
void print_json(const JsonTree& tree, std::string& out);  // compact

// A key path: names parted by dots; `a."b.c".d` and `a[2]` are understood.
struct Path {
  struct Step {
    std::string name;
    std::optional<std::size_t> index;
  };
  std::vector<Step> steps;
};
std::optional<Path> parse_path(std::string_view text);
JsonTree* at_path(JsonTree& root, const Path& path);
// Makes the objects on the way; false: something on the way is no object.
bool put_at_path(JsonTree& root, const Path& path, JsonTree value, bool overwrite);
std::optional<JsonTree> take_from_path(JsonTree& root, const Path& path);

}  // namespace fog::transformers
