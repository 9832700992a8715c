// The syntax tree of a metric math expression.
//
//   expr   = or;  or = and { ("OR" | "||") and };  and = cmp { ("AND" | "&&") cmp }
//   cmp    = add { ("==" | "!=" | "<=" | ">=" | "<" | ">") add }
//   add    = mul { ("+" | "-") mul };  mul = unary { ("*" | "/") unary }
//   unary  = "-" unary | power;  power = primary [ "^" unary ]
//   primary= number | string | id | FUNC [ "(" [ expr {"," expr} ] ")" ] | "(" expr ")"
//          | "[" expr {"," expr} "]"
// Ids begin with a lower-case letter; functions and words (REPEAT, ASC ...) are upper case.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.h"

namespace fog::metric_math {

enum class Op { kOr, kAnd, kEq, kNe, kLe, kGe, kLt, kGt, kAdd, kSub, kMul, kDiv, kPow };

struct Expr {
  enum class Kind { kNumber, kText, kId, kWord, kCall, kNegate, kBinary, kArray };
  Kind kind = Kind::kNumber;
  double number = 0;
  std::string text;  // text, id, word, name of the function
  Op op = Op::kAdd;
  std::vector<Expr> args;
};

inline constexpr std::size_t kExpressionLengthMax = 2048;
// Deeper nesting is refused, so that recursion over the tree is bounded.
inline constexpr int kDepthMax = 200;

// Error: invalid, "Invalid syntax" with the position.
Result<Expr> parse(std::string_view text);

}  // namespace fog::metric_math
