// Bound expressions: what the executor runs. Names are slots, functions are table records, constants
// are values; patterns are compiled.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "query/insights/time_bin.h"
#include "query/insights/value.h"
#include "storage/base/result.h"

namespace re2 {
class RE2;
}

namespace fog::insights {

struct Function;
struct Node;
using NodePtr = std::shared_ptr<const Node>;

// A compiled pattern with the longest literal every match must contain (may be empty).
struct Pattern {
  std::shared_ptr<const re2::RE2> re;
  std::string literal;
  bool pure = false;  // the pattern is nothing but the literal
  std::vector<std::string> group_names;  // named groups in order of number; "" for unnamed ones
};

enum class NodeKind {
  kConst,
  kSlot,
  kPath,     // args[0]: the map or list; steps
  kCall,     // fn over args
  kAnd,
  kOr,
  kNot,
  kCompare,  // op over two args
  kArith,    // op over two args
  kNegate,
  kContains,  // args[0] like args[1]
  kMatch,     // args[0] like pattern
  kIn,        // args[0] in args[1..]; negated
  kInQuery,   // args[0] in the result of subquery number `query`; negated
};

enum class Op : std::uint8_t { kEq, kNe, kLt, kLe, kGt, kGe, kAdd, kSub, kMul, kDiv, kMod, kPow };

struct Node {
  NodeKind kind = NodeKind::kConst;
  Op op = Op::kEq;
  bool negated = false;
  int slot = -1;
  int query = -1;
  const Function* fn = nullptr;
  Value constant;
  Period period;  // of a call that takes one
  std::vector<std::string> steps;
  std::vector<NodePtr> args;
  std::shared_ptr<const Pattern> pattern;
};

NodePtr slot_node(int slot);
NodePtr constant_node(Value value);

// Compiles with RE2 (linear time); (?<name>...) works as in newer versions. Error: invalid.
Result<std::shared_ptr<const Pattern>> compile_pattern(std::string_view text);

// The slots an expression reads, each once.
void slots_of(const Node& node, std::set<int>& slots);

}  // namespace fog::insights
