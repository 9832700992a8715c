// filter, where, filterIndex: keep the rows for which a condition is true.
#include "query/insights/commands/kit.h"
#include "query/insights/commands/table.h"

namespace fog::insights {

namespace {

class Filter final : public Command {
 public:
  Filter(bool index, ExprPtr expr) : index_(index), expr_(std::move(expr)) {}
  void print(std::string& out) const override {
    out += index_ ? "filterIndex " : "filter ";
    print_expr(*expr_, out);
  }
  Status bind(Binder& binder) override {
    TRY(node_, binder.scalar(*expr_));
    if (index_) binder.program().index_fields.push_back(expr_->args[0]->field_name());
    return Ok{};
  }
  Shape shape() const override { return Shape::kRows; }
  void uses(std::set<int>& slots) const override { use(node_, slots); }
  Result<BatchPtr> apply(BatchPtr batch, Run&) const override {
    batch->filter(*node_);
    return batch;
  }
  const NodePtr* filter() const override { return &node_; }

 private:
  bool index_;
  ExprPtr expr_;
  NodePtr node_;
};

}  // namespace

Result<CommandPtr> parse_filter(Parser& parser) {
  TRY(ExprPtr expr, parser.expr());
  return CommandPtr(std::make_unique<Filter>(false, std::move(expr)));
}

Result<CommandPtr> parse_filter_index(Parser& parser) {
  std::size_t begin = parser.peek().begin;
  TRY(ExprPtr field, parser.field());
  auto expr = std::make_unique<Expr>();
  expr->begin = begin;
  expr->args.push_back(std::move(field));
  if (parser.at_symbol("=")) {
    TRYV(parser.advance());
    expr->kind = Expr::Kind::kBinary;
    expr->text = "=";
    TRY(ExprPtr value, parser.arith());
    expr->args.push_back(std::move(value));
  } else {
    TRYV(parser.expect_word("in"));
    expr->kind = Expr::Kind::kIn;
    TRY(auto items, parser.list());
    for (ExprPtr& item : items) expr->args.push_back(std::move(item));
  }
  expr->end = parser.last_end();
  return CommandPtr(std::make_unique<Filter>(true, std::move(expr)));
}

}  // namespace fog::insights
