// Tree: a request's input without a schema, so that it can break one; and its three wire forms.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/common/shape.h"

namespace fog::fuzz {

struct Tree {
  enum class Kind : std::uint8_t { kNull, kBool, kInt, kDouble, kText, kBytes, kTime, kList, kMap };
  Kind kind = Kind::kNull;
  std::int64_t integer = 0;  // kBool, kInt, kTime (ms since 1970)
  double number = 0;
  std::string text{};        // kText, kBytes
  std::vector<Tree> items{};
  std::vector<std::pair<std::string, Tree>> members{};

  static Tree of(std::string value) { return {.kind = Kind::kText, .text = std::move(value)}; }
  static Tree of(std::int64_t value) { return {.kind = Kind::kInt, .integer = value}; }
  static Tree real(double value) { return {.kind = Kind::kDouble, .number = value}; }
  static Tree boolean(bool value) { return {.kind = Kind::kBool, .integer = value}; }
  static Tree map() { return {.kind = Kind::kMap}; }
  static Tree list() { return {.kind = Kind::kList}; }

  Tree* find(std::string_view name);
  void erase(std::string_view name);
};

std::string to_json(const Tree& tree);
std::string to_cbor(const Tree& tree);
// Parameters "A.member.1.B=..." behind what is in `out`; the shape says how lists and maps are named.
// Null: of a member no shape knows.
void to_form(const Tree& tree, const Shape* shape, const std::string& prefix, std::string& out);

std::string percent_encode(std::string_view text);

}  // namespace fog::fuzz
