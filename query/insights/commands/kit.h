// What the commands share: small base classes and helpers.
#pragma once

#include <string>
#include <vector>

#include "query/insights/batch.h"
#include "query/insights/command.h"
#include "query/insights/json.h"
#include "query/insights/lex.h"
#include "query/insights/limits.h"
#include "query/insights/parse.h"
#include "query/insights/run.h"

namespace fog::insights {

// A command that leaves the rows alone; what it makes appears on demand.
class RowsCommand : public Command {
 public:
  Shape shape() const override { return Shape::kRows; }
  Result<BatchPtr> apply(BatchPtr batch, Run&) const override { return batch; }
};

class WholeCommand : public Command {
 public:
  Shape shape() const override { return Shape::kWhole; }
};

inline void use(const NodePtr& node, std::set<int>& slots) {
  if (node) slots_of(*node, slots);
}
inline void use(const std::vector<NodePtr>& nodes, std::set<int>& slots) {
  for (const NodePtr& node : nodes) slots_of(*node, slots);
}

// Storage for a column of values, all null.
inline Value* null_values(Batch& batch) {
  auto* values = batch.arena().array<Value>(batch.rows());
  for (std::size_t k = 0; k < batch.rows(); ++k) new (values + k) Value();
  return values;
}

inline void print_field_list(const std::vector<ExprPtr>& fields, std::string& out, std::string_view separator = ", ") {
  for (std::size_t k = 0; k < fields.size(); ++k) {
    if (k > 0) out += separator;
    print_expr(*fields[k], out);
  }
}

inline Result<std::vector<NodePtr>> bind_all(const std::vector<ExprPtr>& exprs, Binder& binder) {
  std::vector<NodePtr> nodes;
  for (const ExprPtr& expr : exprs) {
    TRY(NodePtr node, binder.scalar(*expr));
    nodes.push_back(std::move(node));
  }
  return nodes;
}

// The text by which rows are matched in joins and lookups of keys: equal numbers have equal keys.
// Nothing for null, maps and lists.
inline bool match_key(const Value& value, std::string& out) {
  out.clear();
  if (value.null() || value.container()) return false;
  Num n = numeric(value);
  if (n)
    render(n.is_int() ? Value::integer(n.i) : Value::number_text(std::to_string(n.d)), out);
  else
    render(value, out);
  return true;
}

}  // namespace fog::insights
