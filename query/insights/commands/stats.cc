// stats: groups and aggregates. countFrequent: groups and their counts.
#include "query/insights/aggregate.h"
#include "query/insights/commands/kit.h"
#include "query/insights/commands/table.h"

namespace fog::insights {

namespace {

class Grouped : public WholeCommand {
 public:
  void uses(std::set<int>& slots) const override {
    use(grouping_.keys, slots);
    for (const AggregateSpec& spec : grouping_.aggregates) {
      use(spec.arg, slots);
      if (spec.time_slot >= 0) slots.insert(spec.time_slot);
    }
  }
  Result<BatchPtr> apply(BatchPtr batch, Run& run) const override {
    GroupTable rows(grouping_, &run.memory), merged(grouping_, &run.memory);
    rows.add(*batch);
    merged.merge(rows);
    TRYV(run.status());
    return merged.finish(run);
  }
  const Grouping* grouping() const override { return &grouping_; }

 protected:
  Grouping grouping_;
};

class Stats final : public Grouped {
 public:
  Stats(std::vector<Projection> items, std::vector<Projection> keys, std::optional<std::string> offset, Period period)
      : items_(std::move(items)), keys_(std::move(keys)), offset_(std::move(offset)), period_(period) {}

  void print(std::string& out) const override {
    out += "stats";
    auto list = [&out](const std::vector<Projection>& projections) {
      for (std::size_t k = 0; k < projections.size(); ++k) {
        out += k > 0 ? ", " : " ";
        print_projection(projections[k], out);
      }
    };
    list(items_);
    if (keys_.empty()) return;
    out += " by";
    list(keys_);
    if (offset_) out += " offset " + *offset_;
  }

  Status bind(Binder& binder) override {
    grouping_.command = binder.command();
    Binder::Aggregates aggregates;
    Binder::Grouped grouped;
    std::vector<std::pair<std::string, int>> columns;
    if (offset_) {
      grouping_.offset_ms = period_.ms();
      if (binder.stats_seen() > 0 || binder.inner())
        return binder.error(keys_[0].expr->begin, keys_[0].expr->end, "offset needs the events themselves");
      binder.program().window_shift_ms = period_.ms();
    }
    for (const Projection& key : keys_) {
      TRY(NodePtr node, binder.scalar(*key.expr));
      int slot = binder.hidden_made();
      const Node* call = node.get();
      if (call->kind == NodeKind::kSlot) {
        // A bin computed by an earlier fields command.
        const Slot& def = binder.program().slots[static_cast<std::size_t>(call->slot)];
        if (def.kind == Slot::Kind::kExpr) call = def.expr.get();
      }
      if (grouped.time_slot < 0 && call->kind == NodeKind::kCall && call->fn->period_arg == 1) {
        grouped.time_slot = slot;
        grouped.period = call->period;
        grouped.offset_ms = grouping_.offset_ms;
      }
      grouping_.keys.push_back(std::move(node));
      grouping_.key_slots.push_back(slot);
      grouped.keys.push_back(key.name);
      grouped.key_slots.push_back(slot);
      aggregates.locals[key.name] = slot;
      columns.emplace_back(key.name, slot);
    }
    bool topk = false;
    aggregates.call = [&](const Expr& call, const AggregateFunction& function) -> Result<NodePtr> {
      topk = topk || function.kind == Aggregation::kTopk;
      return aggregate(binder, call, function);
    };
    for (const Projection& item : items_) {
      TRY(NodePtr node, binder.item(*item.expr, aggregates));
      int slot = binder.hidden(std::move(node));
      aggregates.locals[item.name] = slot;
      columns.emplace_back(item.name, slot);
    }
    if (topk) {
      if (items_.size() != 1 || !keys_.empty() || items_[0].expr->kind != Expr::Kind::kCall)
        return binder.error(*items_[0].expr, "topk must be the only aggregate, without by");
      // The values are keys, their numbers a column of its own.
      columns = {{items_[0].name, grouping_.key_slots[0]}, {"_count", grouping_.aggregates[0].slot}};
    }
    binder.replace_columns(columns);
    binder.grouped = std::move(grouped);
    return Ok{};
  }

 private:
  Result<NodePtr> aggregate(Binder& binder, const Expr& call, const AggregateFunction& function) {
    AggregateSpec spec;
    spec.kind = function.kind;
    std::size_t field = 0;
    // A whole number between two limits.
    auto whole = [&](const Expr& arg, std::int64_t least, std::size_t most) -> Result<std::int64_t> {
      Num n = arg.kind == Expr::Kind::kNumber ? parse_number(arg.text) : Num{};
      if (!n.is_int() || n.i < least || n.i > static_cast<std::int64_t>(most))
        return binder.error(arg, "expected a whole number between " + std::to_string(least) + " and " + std::to_string(most));
      return n.i;
    };
    switch (function.kind) {
      case Aggregation::kTopk: {
        if (grouping_.count_order >= 0) return binder.error(call, "topk must be the only aggregate, without by");
        TRY(grouping_.rows_max, whole(*call.args[0], 1, kTopkMax));
        TRY(NodePtr key, binder.scalar(*call.args[1]));
        grouping_.keys.push_back(std::move(key));
        grouping_.key_slots.push_back(binder.hidden_made());
        grouping_.count_order = 0;
        grouping_.skip_null_keys = true;
        spec.slot = binder.hidden_made();
        grouping_.aggregates.push_back(spec);
        return slot_node(spec.slot);
      }
      case Aggregation::kPct: {
        const Expr& p = *call.args[1];
        Num n = p.kind == Expr::Kind::kNumber ? parse_number(p.text) : Num{};
        if (!n || n.d < 0 || n.d > 100) return binder.error(p, "a percentile is a number between 0 and 100");
        spec.percentile = n.d;
        break;
      }
      case Aggregation::kRate: {
        const Expr& p = *call.args[1];
        auto period = p.kind == Expr::Kind::kPeriod ? parse_period(p.text, false) : std::nullopt;
        if (!period) return binder.error(p, "bad time period, expected a number and a unit such as 5m");
        spec.period = *period;
        break;
      }
      case Aggregation::kHistogram: {
        TRY(spec.n, whole(*call.args[1], 1, kHistogramBinsMax));
        break;
      }
      default: break;
    }
    if (function.kind == Aggregation::kEarliest || function.kind == Aggregation::kLatest ||
        function.kind == Aggregation::kRate) {
      // After a stats that dropped @timestamp the answer is null.
      if (binder.open() || binder.visible("@timestamp")) {
        TRY(spec.time_slot, binder.field("@timestamp", call.begin, call.end));
      }
    }
    if (!call.args.empty()) {
      TRY(spec.arg, binder.scalar(*call.args[field]));
    }
    spec.slot = binder.hidden_made();
    grouping_.aggregates.push_back(spec);
    return slot_node(spec.slot);
  }

  std::vector<Projection> items_, keys_;
  std::optional<std::string> offset_;
  Period period_;
};

class CountFrequent final : public Grouped {
 public:
  explicit CountFrequent(std::vector<ExprPtr> fields) : fields_(std::move(fields)) {}
  void print(std::string& out) const override {
    out += "countFrequent ";
    print_field_list(fields_, out);
  }
  Status bind(Binder& binder) override {
    grouping_.command = binder.command();
    std::vector<std::pair<std::string, int>> columns;
    for (const ExprPtr& field : fields_) {
      TRY(NodePtr node, binder.scalar(*field));
      grouping_.keys.push_back(std::move(node));
      grouping_.key_slots.push_back(binder.hidden_made());
      columns.emplace_back(field->field_name(), grouping_.key_slots.back());
    }
    AggregateSpec count;
    count.slot = binder.hidden_made();
    columns.emplace_back("_approxcount", count.slot);
    grouping_.aggregates.push_back(count);
    grouping_.count_order = 0;
    binder.replace_columns(columns);
    binder.grouped.reset();
    return Ok{};
  }

 private:
  std::vector<ExprPtr> fields_;
};

}  // namespace

Result<CommandPtr> parse_stats(Parser& parser) {
  TRY(auto items, parser.projections());
  std::vector<Projection> keys;
  std::optional<std::string> offset;
  Period period;
  TRY(bool by, parser.accept_word("by"));
  if (by) {
    TRY(keys, parser.projections());
    TRY(bool shifted, parser.accept_word("offset"));
    if (shifted) {
      offset = parser.peek().text;
      TRY(period, parser.period());
    }
  }
  return CommandPtr(std::make_unique<Stats>(std::move(items), std::move(keys), std::move(offset), period));
}

Result<CommandPtr> parse_count_frequent(Parser& parser) {
  TRY(auto fields, parser.field_list());
  return CommandPtr(std::make_unique<CountFrequent>(std::move(fields)));
}

}  // namespace fog::insights
