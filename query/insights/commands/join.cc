// join: rows of two sources with an equal field. appendcols: columns of a subquery by row position.
#include <unordered_map>

#include "query/insights/commands/kit.h"
#include "query/insights/commands/table.h"

namespace fog::insights {

namespace {

class Join final : public WholeCommand {
 public:
  struct Clause {
    bool typed = false;
    bool left_join = false;
    std::string left, right;
    ExprPtr a, b;
    std::shared_ptr<Subquery> query;
  };
  explicit Join(Clause clause) : clause_(std::move(clause)) {}
  void print(std::string& out) const override {
    out += "join ";
    if (clause_.typed) out += clause_.left_join ? "type=left " : "type=inner ";
    out += "left=";
    print_name(clause_.left, out);
    out += " right=";
    print_name(clause_.right, out);
    out += " where ";
    print_expr(*clause_.a, out);
    out += " = ";
    print_expr(*clause_.b, out);
    out += " (";
    print_pipeline(clause_.query->pipeline, out);
    out += ')';
  }
  Status bind(Binder& binder) override {
    command_ = binder.command();
    if (clause_.left == clause_.right) return binder.error(at_begin, at_end, "the two sides of a join need different names");
    TRYV(bind_pipeline(binder.query(), clause_.query->pipeline, clause_.query->program, binder.options(), true, &right_));
    // One side of the equation is named after each alias.
    const Expr* a = clause_.a.get();
    const Expr* b = clause_.b.get();
    if (a->path[0].text == clause_.right) std::swap(a, b);
    auto part = [&](const Expr& expr, const std::string& alias) -> Result<std::string> {
      if (expr.path.size() < 2 || expr.path[0].text != alias)
        return binder.error(expr, "the join condition must compare " + clause_.left + ".field with " + clause_.right + ".field");
      return expr.field_name().substr(alias.size() + 1);
    };
    TRY(std::string left_name, part(*a, clause_.left));
    TRY(std::string right_name, part(*b, clause_.right));
    TRY(left_key_, binder.field(left_name, a->begin, a->end));
    TRY(right_key_, right_->field(right_name, b->begin, b->end));
    wanted_.insert(right_key_);
    binder.drop_pointer();
    binder.aliases[clause_.left] = [&binder](const std::string& name, std::size_t from, std::size_t to) {
      return binder.field(name, from, to);
    };
    // Fields of the right side become columns of this command when they are first named.
    binder.aliases[clause_.right] = [this, &binder](const std::string& name, std::size_t from, std::size_t to) -> Result<int> {
      TRY(int source, right_->field(name, from, to));
      for (const auto& [theirs, ours] : columns_)
        if (theirs == source) return ours;
      int now = binder.command();
      binder.begin(command_);
      int slot = binder.hidden_made();
      binder.begin(now);
      columns_.emplace_back(source, slot);
      wanted_.insert(source);
      return slot;
    };
    return Ok{};
  }
  void uses(std::set<int>& slots) const override { slots.insert(left_key_); }
  Result<BatchPtr> apply(BatchPtr batch, Run& run) const override {
    const Pipeline& pipeline = clause_.query->pipeline;
    TRY(BatchPtr right, run.inner(pipeline, clause_.query->program, run.info, pipeline.commands.size(), wanted_));
    std::unordered_map<std::string, std::vector<std::uint32_t>> index;
    std::string key;
    for (std::uint32_t row : right->sel) {
      if (!match_key(right->value(right_key_, row), key)) continue;
      index[key].push_back(row);
      if (index.size() > kJoinKeysMax) return Error::limit("the right side of the join has more than 50000 distinct keys");
    }
    std::vector<std::uint32_t> left_rows, right_rows;
    for (std::uint32_t row : batch->sel) {
      auto found = match_key(batch->value(left_key_, row), key) ? index.find(key) : index.end();
      if (found == index.end()) {
        if (!clause_.left_join) continue;
        left_rows.push_back(row);
        right_rows.push_back(kNoRow);
        continue;
      }
      for (std::uint32_t other : found->second) {
        left_rows.push_back(row);
        right_rows.push_back(other);
      }
      if ((left_rows.size() & 4095) == 0) {
        run.memory.add(0);
        if (left_rows.size() * 64 > run.options.memory_bytes_max) return Error::limit("the join has too many rows");
        if (run.stop()) break;
      }
    }
    auto result = std::make_shared<Batch>(run, batch, std::move(left_rows), command_ + 1);
    for (const auto& [theirs, ours] : columns_) {
      Value* values = null_values(*result);
      const Vec& vec = right->column(theirs);
      for (std::size_t k = 0; k < right_rows.size(); ++k)
        if (right_rows[k] != kNoRow) values[k] = vec.get(right_rows[k], right->arena());
      result->set_values(ours, values);
    }
    result->keep(right);
    return result;
  }

 private:
  Clause clause_;
  int command_ = 0;
  std::unique_ptr<Binder> right_;
  int left_key_ = -1, right_key_ = -1;
  std::set<int> wanted_;
  std::vector<std::pair<int, int>> columns_;  // slot there, slot here
};

class AppendCols final : public WholeCommand {
 public:
  AppendCols(std::optional<bool> override, std::optional<std::int64_t> max, std::shared_ptr<Subquery> query)
      : override_(override), max_(max), query_(std::move(query)) {}
  void print(std::string& out) const override {
    out += "appendcols ";
    if (override_) out += *override_ ? "override=true " : "override=false ";
    if (max_) out += "max=" + std::to_string(*max_) + ' ';
    out += '(';
    print_pipeline(query_->pipeline, out);
    out += ')';
  }
  Status bind(Binder& binder) override {
    TRYV(bind_pipeline(binder.query(), query_->pipeline, query_->program, binder.options(), true));
    auto existing = binder.output_names();
    for (const Program::Output& output : query_->program.outputs) {
      bool known = std::find(existing.begin(), existing.end(), output.name) != existing.end();
      if (known && !override_.value_or(false)) continue;
      int old = -1;
      if (known) {
        TRY(old, binder.field(output.name, at_begin, at_end));
      }
      columns_.push_back({output.slot, binder.define_made(output.name), old});
    }
    return Ok{};
  }
  void uses(std::set<int>& slots) const override {
    for (const Column& column : columns_)
      if (column.old >= 0) slots.insert(column.old);
  }
  Result<BatchPtr> apply(BatchPtr batch, Run& run) const override {
    std::set<int> wanted;
    for (const Column& column : columns_) wanted.insert(column.theirs);
    TRY(BatchPtr rows, run.inner(query_->pipeline, query_->program, run.info, query_->pipeline.commands.size(), wanted));
    std::size_t n = std::min({batch->sel.size(), rows->sel.size(), static_cast<std::size_t>(max_.value_or(10'000))});
    for (const Column& column : columns_) {
      Value* values = null_values(*batch);
      if (column.old >= 0)
        for (std::uint32_t row : batch->sel) values[row] = batch->value(column.old, row);
      for (std::size_t k = 0; k < n; ++k) values[batch->sel[k]] = rows->value(column.theirs, rows->sel[k]);
      batch->set_values(column.ours, values);
    }
    batch->keep(rows);
    return batch;
  }

 private:
  struct Column {
    int theirs, ours, old;
  };
  std::optional<bool> override_;
  std::optional<std::int64_t> max_;
  std::shared_ptr<Subquery> query_;
  std::vector<Column> columns_;
};

}  // namespace

Result<CommandPtr> parse_join(Parser& parser) {
  Join::Clause clause;
  TRY(clause.typed, parser.accept_option("type"));
  if (clause.typed) {
    if (!parser.at_word("inner") && !parser.at_word("left")) return parser.unexpected();
    clause.left_join = parser.at_word("left");
    TRYV(parser.advance());
  }
  TRYV(parser.expect_word("left"));
  TRYV(parser.expect_symbol("="));
  TRY(clause.left, parser.name());
  TRYV(parser.expect_word("right"));
  TRYV(parser.expect_symbol("="));
  TRY(clause.right, parser.name());
  TRYV(parser.expect_word("where"));
  TRY(clause.a, parser.field());
  TRYV(parser.expect_symbol("="));
  TRY(clause.b, parser.field());
  TRY(clause.query, parser.subquery());
  return CommandPtr(std::make_unique<Join>(std::move(clause)));
}

Result<CommandPtr> parse_appendcols(Parser& parser) {
  std::optional<bool> override;
  std::optional<std::int64_t> max;
  for (;;) {
    TRY(bool o, parser.accept_option("override"));
    if (o) {
      TRY(override, parser.boolean());
      continue;
    }
    TRY(bool m, parser.accept_option("max"));
    if (!m) break;
    TRY(max, parser.integer());
  }
  TRY(auto query, parser.subquery());
  return CommandPtr(std::make_unique<AppendCols>(override, max, std::move(query)));
}

}  // namespace fog::insights
