// unnest: a row for each element of a list. expand: a row for each element of a JSON array field.
#include "query/insights/commands/kit.h"
#include "query/insights/commands/table.h"

namespace fog::insights {

namespace {

class Expanding : public Command {
 public:
  Shape shape() const override { return Shape::kExpand; }
  void uses(std::set<int>& slots) const override { use(input_, slots); }
  Result<BatchPtr> apply(BatchPtr batch, Run& run) const override {
    std::vector<std::uint32_t> map;
    std::vector<Value> values;
    Vec vec = batch->eval(*input_);
    for (std::uint32_t row : batch->sel) {
      Value value = vec.get(row, batch->arena());
      elements(value, *batch, row, values);
      map.resize(values.size(), row);
      if (map.size() > map.capacity() - 1 && run.stop()) break;
    }
    auto result = std::make_shared<Batch>(run, batch, std::move(map), command_ + 1);
    auto* column = result->arena().array<Value>(values.size());
    std::uninitialized_copy(values.begin(), values.end(), column);
    result->set_values(slot_, column);
    return result;
  }

 protected:
  virtual void elements(const Value& value, Batch& batch, std::uint32_t row, std::vector<Value>& out) const = 0;
  int command_ = 0;
  NodePtr input_;
  int slot_ = -1;
};

class Unnest final : public Expanding {
 public:
  Unnest(ExprPtr source, std::string into) : source_(std::move(source)), into_(std::move(into)) {}
  void print(std::string& out) const override {
    out += "unnest ";
    print_expr(*source_, out);
    out += " into ";
    print_name(into_, out);
  }
  Status bind(Binder& binder) override {
    command_ = binder.command();
    TRY(input_, binder.scalar(*source_));
    slot_ = binder.define_made(into_);
    return Ok{};
  }

 private:
  void elements(const Value& value, Batch&, std::uint32_t, std::vector<Value>& out) const override {
    if (!value.container() || value.json->kind != Json::Kind::kArray) {
      out.push_back(value);  // a list of one element; null stays null
      return;
    }
    for (std::uint32_t k = 0; k < value.json->count; ++k) out.push_back(Value::of(&value.json->items[k]));
    if (value.json->count == 0) out.push_back({});
  }
  ExprPtr source_;
  std::string into_;
};

// The array may be a list, JSON text, or discovered fields f.0, f.1, ... of the event.
class Expand final : public Expanding {
 public:
  explicit Expand(ExprPtr field) : field_(std::move(field)) {}
  void print(std::string& out) const override {
    out += "expand ";
    print_expr(*field_, out);
  }
  Status bind(Binder& binder) override {
    command_ = binder.command();
    std::string name = field_->field_name();
    bool defined = binder.visible(name).has_value();
    TRY(input_, binder.scalar(*field_));
    if (!defined && binder.open()) {
      for (const Expr::Step& step : field_->path) steps_.push_back(step.text);
      TRY(message_, binder.field("@message", at_begin, at_end));
    }
    slot_ = binder.define_made(name, false);
    return Ok{};
  }
  void uses(std::set<int>& slots) const override {
    Expanding::uses(slots);
    if (message_ >= 0) slots.insert(message_);
  }

 private:
  void elements(const Value& value, Batch& batch, std::uint32_t row, std::vector<Value>& out) const override {
    const Json* list = value.container() ? value.json : nullptr;
    if (value.is_text() && value.view().starts_with('[')) list = parse_json(value.view(), batch.arena());
    if (value.null() && message_ >= 0) {
      Value message = batch.value(message_, row);
      if (message.is_text() && trim(message.view()).starts_with('{')) {
        Value found = json_path(parse_json(message.view(), batch.arena()), steps_);
        if (found.container()) list = found.json;
      }
    }
    if (list == nullptr || list->kind != Json::Kind::kArray || list->count == 0) {
      out.push_back(value);
      return;
    }
    for (std::uint32_t k = 0; k < list->count; ++k) out.push_back(Value::of(&list->items[k]));
  }
  ExprPtr field_;
  std::vector<std::string> steps_;
  int message_ = -1;
};

}  // namespace

Result<CommandPtr> parse_unnest(Parser& parser) {
  TRY(ExprPtr source, parser.primary());
  TRYV(parser.expect_word("into"));
  TRY(std::string into, parser.name());
  return CommandPtr(std::make_unique<Unnest>(std::move(source), std::move(into)));
}

Result<CommandPtr> parse_expand(Parser& parser) {
  TRY(ExprPtr field, parser.field());
  return CommandPtr(std::make_unique<Expand>(std::move(field)));
}

}  // namespace fog::insights
