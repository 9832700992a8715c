// The syntax tree of expressions: what parse.cc makes, print.cc writes back, bind.cc resolves.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "query/insights/value.h"

namespace fog::insights {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;
struct Subquery;

// One node. `begin` and `end` are its bytes in the query.
struct Expr {
  enum class Kind {
    kNumber,    // text: as written
    kString,    // text
    kPeriod,    // text: as written
    kField,     // path, or index steps
    kCall,      // text: function name as written; star: count(*)
    kNegate,    // -x
    kPlus,      // +x
    kNot,       // not x, !x
    kBinary,    // text: operator of arithmetic or comparison, "and", "or"
    kLike,      // args: left, then a text expression unless `regex`; negated
    kIn,        // args: left, then the elements; negated
    kInQuery,   // args: left; query; negated
  };
  struct Step {
    std::string text;
    bool index = false;
    bool operator==(const Step&) const = default;
  };

  Kind kind = Kind::kNumber;
  std::string text;
  std::vector<Step> path;
  bool star = false;
  bool negated = false;
  bool regex = false;  // kLike: `text` is a pattern
  std::vector<ExprPtr> args;
  std::shared_ptr<Subquery> query;
  std::size_t begin = 0, end = 0;
  std::size_t depth = 1;  // of the tree below, with this node

  Expr();
  ~Expr();
  // The path joined with dots: the name of a plain field.
  std::string field_name() const;
  bool plain_field() const;  // a field without index steps
};

// `expr as alias`; without alias the column is named after `name`, the text as typed.
struct Projection {
  ExprPtr expr;
  std::string alias;
  std::string name;  // the column's name in either case
};

// Where the rows come from.
struct Source {
  struct Selector {
    enum class Kind { kLogGroups, kDataSource } kind = Kind::kLogGroups;
    std::vector<std::string> prefixes;   // namePrefix
    std::vector<std::string> classes;    // STANDARD, INFREQUENT_ACCESS; none: STANDARD
    std::vector<std::string> accounts;
    std::vector<std::string> tags;
    std::vector<std::string> data_sources;
    bool operator==(const Selector&) const = default;
  };
  std::vector<std::string> groups;    // names or ARNs
  std::vector<Selector> selectors;    // instead of groups
  // Epoch ms, "now", or a signed period such as -1d; empty: the window of the call.
  std::string start, end;
  bool operator==(const Source&) const = default;
};

}  // namespace fog::insights
