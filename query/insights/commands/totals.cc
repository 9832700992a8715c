// addtotals, outlier, fillmissing, estimate: sums, far values, absent time bins, size.
#include <cmath>
#include <unordered_set>

#include "query/insights/commands/kit.h"
#include "query/insights/commands/table.h"

namespace fog::insights {

namespace {

// A number to add up: times are none.
Num summand(const Vec& vec, std::size_t row, Batch& batch) {
  if (vec.kind == Vec::Kind::kTime) return {};
  if (vec.kind == Vec::Kind::kValues || vec.kind == Vec::Kind::kConst || vec.kind == Vec::Kind::kDict) {
    Value value = vec.get(row, batch.arena());
    return value.type == Type::kTime ? Num{} : numeric(value);
  }
  return vec.num(row);
}

class AddTotals final : public WholeCommand {
 public:
  struct Clause {
    std::optional<std::string> name;
    std::optional<bool> row, col;
    std::vector<ExprPtr> fields;
  };
  explicit AddTotals(Clause clause) : clause_(std::move(clause)) {}
  void print(std::string& out) const override {
    out += "addtotals";
    if (clause_.name) {
      out += " fieldname=";
      print_name(*clause_.name, out);
    }
    if (clause_.row) out += *clause_.row ? " row=true" : " row=false";
    if (clause_.col) out += *clause_.col ? " col=true" : " col=false";
    if (!clause_.fields.empty()) {
      out += ' ';
      print_field_list(clause_.fields, out);
    }
  }
  Status bind(Binder& binder) override {
    command_ = binder.command();
    std::vector<std::string> names;
    for (const ExprPtr& field : clause_.fields) names.push_back(field->field_name());
    if (names.empty())
      for (const std::string& name : binder.output_names())
        if (name != "@ptr" && name != "@message" && name != "@timestamp" && name != "@ingestionTime") names.push_back(name);
    for (const std::string& name : names) {
      TRY(int slot, binder.field(name, at_begin, at_end));
      columns_.push_back({slot, -1});
    }
    // With a summary row the columns themselves get another value, and stay where they are.
    if (clause_.col.value_or(false))
      for (std::size_t k = 0; k < names.size(); ++k) columns_[k].second = binder.define_made(names[k], false);
    if (clause_.row.value_or(true)) total_ = binder.define_made(clause_.name.value_or("Total"));
    return Ok{};
  }
  void uses(std::set<int>& slots) const override {
    for (auto [old, slot] : columns_) slots.insert(old);
  }
  Result<BatchPtr> apply(BatchPtr batch, Run& run) const override {
    std::vector<std::uint32_t> map = batch->sel;
    bool summary = clause_.col.value_or(false);
    if (summary) map.push_back(kNoRow);
    std::vector<Value> totals(map.size()), sums(columns_.size());
    auto add = [](Value& sum, const Num& n) {
      if (n) sum = sum.null() ? arithmetic(Op::kAdd, Num{Num::Kind::kInt, 0, 0}, n) : arithmetic(Op::kAdd, numeric(sum), n);
    };
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const Vec& vec = batch->column(columns_[c].first);
      for (std::size_t k = 0; k < batch->sel.size(); ++k) {
        Num n = summand(vec, batch->sel[k], *batch);
        add(totals[k], n);
        add(sums[c], n);
      }
    }
    if (summary)
      for (const Value& sum : sums) add(totals.back(), numeric(sum));
    auto result = std::make_shared<Batch>(run, batch, std::move(map), command_ + 1);
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (columns_[c].second < 0) continue;
      Value* values = null_values(*result);
      const Vec& vec = batch->column(columns_[c].first);
      for (std::size_t k = 0; k < batch->sel.size(); ++k) values[k] = vec.get(batch->sel[k], batch->arena());
      values[result->rows() - 1] = sums[c];
      result->set_values(columns_[c].second, values);
    }
    if (total_ >= 0) {
      Value* values = null_values(*result);
      std::copy(totals.begin(), totals.end(), values);
      result->set_values(total_, values);
    }
    return result;
  }

 private:
  Clause clause_;
  int command_ = 0;
  std::vector<std::pair<int, int>> columns_;
  int total_ = -1;
};

class Outlier final : public WholeCommand {
 public:
  struct Clause {
    std::optional<std::string> action;
    std::optional<double> param;
    std::optional<bool> lower, mark;
    std::vector<ExprPtr> fields;
  };
  explicit Outlier(Clause clause) : clause_(std::move(clause)) {}
  void print(std::string& out) const override {
    out += "outlier";
    if (clause_.action) out += " action=" + *clause_.action;
    if (clause_.param) out += " param=" + to_text(Value::number(*clause_.param));
    if (clause_.lower) out += *clause_.lower ? " uselower=true" : " uselower=false";
    if (clause_.mark) out += *clause_.mark ? " mark=true" : " mark=false";
    out += ' ';
    print_field_list(clause_.fields, out, " ");
  }
  Status bind(Binder& binder) override {
    bool remove = clause_.action.value_or("transform") == "remove";
    for (const ExprPtr& field : clause_.fields) {
      Column column;
      TRY(column.input, binder.scalar(*field));
      std::string name = field->field_name();
      if (!remove) column.slot = binder.define_made(name, false);
      if (clause_.mark.value_or(false)) column.mark = binder.define_made(name + "_outlier");
      columns_.push_back(std::move(column));
    }
    return Ok{};
  }
  void uses(std::set<int>& slots) const override {
    for (const Column& column : columns_) use(column.input, slots);
  }
  Result<BatchPtr> apply(BatchPtr batch, Run&) const override {
    std::vector<char> drop(batch->rows(), 0);
    bool remove = clause_.action.value_or("transform") == "remove";
    for (const Column& column : columns_) {
      Vec vec = batch->eval(*column.input);
      std::vector<double> numbers;
      for (std::uint32_t row : batch->sel)
        if (Num n = vec.num(row)) numbers.push_back(n.d);
      std::sort(numbers.begin(), numbers.end());
      double q1 = quantile(numbers, 0.25), q3 = quantile(numbers, 0.75);
      double reach = clause_.param.value_or(2.5) * (q3 - q1);
      double high = q3 + reach;
      double low = clause_.lower.value_or(false) ? q1 - reach : -HUGE_VAL;
      Value* values = null_values(*batch);
      Value* marks = null_values(*batch);
      for (std::uint32_t row : batch->sel) {
        values[row] = vec.get(row, batch->arena());
        Num n = vec.num(row);
        bool out = n && (n.d > high || n.d < low);
        if (n) marks[row] = Value::boolean(out);
        if (out) {
          drop[row] = 1;
          values[row] = Value::number(n.d > high ? high : low);
        }
      }
      if (column.slot >= 0) batch->set_values(column.slot, values);
      if (column.mark >= 0) batch->set_values(column.mark, marks);
    }
    if (remove) std::erase_if(batch->sel, [&](std::uint32_t row) { return drop[row] != 0; });
    return batch;
  }

 private:
  struct Column {
    NodePtr input;
    int slot = -1, mark = -1;
  };
  // Between the two nearest ranks, in proportion.
  static double quantile(const std::vector<double>& sorted, double q) {
    if (sorted.empty()) return 0;
    double at = q * static_cast<double>(sorted.size() - 1);
    auto k = static_cast<std::size_t>(at);
    if (k + 1 >= sorted.size()) return sorted.back();
    return sorted[k] + (sorted[k + 1] - sorted[k]) * (at - static_cast<double>(k));
  }
  Clause clause_;
  std::vector<Column> columns_;
};

class FillMissing final : public WholeCommand {
 public:
  struct Fill {
    ExprPtr value;
    std::string name;
  };
  explicit FillMissing(std::vector<Fill> fills) : fills_(std::move(fills)) {}
  void print(std::string& out) const override {
    out += "fillmissing";
    for (std::size_t k = 0; k < fills_.size(); ++k) {
      out += k > 0 ? ", " : " with ";
      print_expr(*fills_[k].value, out);
      out += " for ";
      print_name(fills_[k].name, out);
    }
  }
  Status bind(Binder& binder) override {
    command_ = binder.command();
    if (!binder.grouped || binder.grouped->time_slot < 0)
      return binder.error(at_begin, at_end, "fillmissing must follow stats ... by bin()");
    grouped_ = *binder.grouped;
    std::size_t which = 0;
    while (grouped_.key_slots[which] != grouped_.time_slot) ++which;
    time_new_ = binder.define_made(grouped_.keys[which], false);
    for (const Fill& fill : fills_) {
      TRY(NodePtr node, binder.scalar(*fill.value));
      if (node->kind != NodeKind::kConst && node->kind != NodeKind::kNegate)
        return binder.error(*fill.value, "fillmissing fills with constants");
      TRY(int old, binder.field(fill.name, at_begin, at_end));
      columns_.push_back({std::move(node), old, binder.define_made(fill.name, false)});
    }
    binder.grouped->time_slot = time_new_;
    binder.grouped->key_slots[which] = time_new_;
    return Ok{};
  }
  void uses(std::set<int>& slots) const override {
    slots.insert(grouped_.time_slot);
    for (const Column& column : columns_) slots.insert(column.old);
  }
  Result<BatchPtr> apply(BatchPtr batch, Run& run) const override {
    std::unordered_set<std::int64_t> seen;
    std::vector<std::pair<std::int64_t, std::uint32_t>> rows;  // time, row of the batch
    bool ascending = batch->sel.size() > 1;
    for (std::uint32_t row : batch->sel) {
      Num time = numeric(batch->value(grouped_.time_slot, row));
      if (time) {
        if (!rows.empty() && time.i < rows.back().first) ascending = false;
        seen.insert(time.i);
      }
      rows.emplace_back(time.i, row);
    }
    std::int64_t shift = grouped_.offset_ms;
    std::int64_t from = run.info.start_ms - shift, to = run.info.end_ms - shift;
    std::size_t added = 0;
    for (std::int64_t t = bin_floor(from, grouped_.period); t <= to; t = bin_next(t, grouped_.period)) {
      if (seen.contains(t + shift)) continue;
      if (++added > kFillRowsMax) return Error::limit("fillmissing would add more than 100000 rows");
      rows.emplace_back(t + shift, kNoRow);
    }
    std::stable_sort(rows.begin(), rows.end(), [ascending](const auto& a, const auto& b) {
      return ascending ? a.first < b.first : a.first > b.first;
    });
    std::vector<std::uint32_t> map;
    for (const auto& row : rows) map.push_back(row.second);
    auto result = std::make_shared<Batch>(run, batch, map, command_ + 1);
    Value* times = null_values(*result);
    for (std::size_t k = 0; k < rows.size(); ++k)
      times[k] = map[k] == kNoRow ? Value::time(rows[k].first) : batch->value(grouped_.time_slot, map[k]);
    result->set_values(time_new_, times);
    for (const Column& column : columns_) {
      Value* values = null_values(*result);
      Vec constant = batch->eval(*column.value);
      for (std::size_t k = 0; k < rows.size(); ++k)
        values[k] = map[k] == kNoRow ? copy(constant.constant, result->arena()) : batch->value(column.old, map[k]);
      result->set_values(column.slot, values);
    }
    return result;
  }

 private:
  struct Column {
    NodePtr value;
    int old, slot;
  };
  std::vector<Fill> fills_;
  int command_ = 0;
  Binder::Grouped grouped_;
  int time_new_ = -1;
  std::vector<Column> columns_;
};

// Runs nothing: the executor sums up the bytes of the window.
class Estimate final : public WholeCommand {
 public:
  void print(std::string& out) const override { out += "estimate"; }
  Status bind(Binder& binder) override {
    binder.replace_columns({{"estimatedBytes", binder.hidden_made()}});
    return Ok{};
  }
  void uses(std::set<int>&) const override {}
  Result<BatchPtr> apply(BatchPtr batch, Run&) const override { return batch; }
};

}  // namespace

Result<CommandPtr> parse_addtotals(Parser& parser) {
  AddTotals::Clause clause;
  for (;;) {
    TRY(bool name, parser.accept_option("fieldname"));
    if (name) {
      TRY(clause.name, parser.name());
      continue;
    }
    TRY(bool row, parser.accept_option("row"));
    if (row) {
      TRY(clause.row, parser.boolean());
      continue;
    }
    TRY(bool col, parser.accept_option("col"));
    if (!col) break;
    TRY(clause.col, parser.boolean());
  }
  if (!parser.at_clause_end()) {
    TRY(clause.fields, parser.field_list());
  }
  return CommandPtr(std::make_unique<AddTotals>(std::move(clause)));
}

Result<CommandPtr> parse_outlier(Parser& parser) {
  Outlier::Clause clause;
  for (;;) {
    TRY(bool action, parser.accept_option("action"));
    if (action) {
      if (!parser.at_word("remove") && !parser.at_word("transform")) return parser.unexpected();
      clause.action = lower(parser.peek().text);
      TRYV(parser.advance());
      continue;
    }
    TRY(bool param, parser.accept_option("param"));
    if (param) {
      TRY(clause.param, parser.number());
      continue;
    }
    TRY(bool low, parser.accept_option("uselower"));
    if (low) {
      TRY(clause.lower, parser.boolean());
      continue;
    }
    TRY(bool mark, parser.accept_option("mark"));
    if (!mark) break;
    TRY(clause.mark, parser.boolean());
  }
  do {
    TRY(ExprPtr field, parser.field());
    clause.fields.push_back(std::move(field));
    TRYV(parser.accept_symbol(","));
  } while (!parser.at_clause_end());
  return CommandPtr(std::make_unique<Outlier>(std::move(clause)));
}

Result<CommandPtr> parse_fillmissing(Parser& parser) {
  std::vector<FillMissing::Fill> fills;
  TRY(bool with, parser.accept_word("with"));
  while (with) {
    FillMissing::Fill fill;
    TRY(fill.value, parser.arith());
    TRYV(parser.expect_word("for"));
    TRY(fill.name, parser.name());
    fills.push_back(std::move(fill));
    TRY(with, parser.accept_symbol(","));
  }
  return CommandPtr(std::make_unique<FillMissing>(std::move(fills)));
}

Result<CommandPtr> parse_estimate(Parser&) { return CommandPtr(std::make_unique<Estimate>()); }

}  // namespace fog::insights
