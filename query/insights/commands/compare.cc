// logcompare: values of an earlier window beside those of now. relevantfields: fields that go with a
// condition.
#include <cmath>
#include <unordered_map>

#include "query/insights/commands/kit.h"
#include "query/insights/commands/table.h"

namespace fog::insights {

namespace {

class LogCompare final : public WholeCommand {
 public:
  LogCompare(std::string text, Period shift) : text_(std::move(text)), shift_(shift) {}
  void print(std::string& out) const override { out += "logcompare timeshift " + text_; }
  Status bind(Binder& binder) override {
    command_ = binder.command();
    if (!binder.grouped) return binder.error(at_begin, at_end, "logcompare must follow stats");
    std::set<std::string> keys;
    for (std::size_t k = 0; k < binder.grouped->keys.size(); ++k) {
      // A key that was not shown any more still tells rows apart.
      keys.insert(binder.grouped->keys[k]);
      key_slots_.push_back(binder.grouped->key_slots[k]);
    }
    for (const std::string& name : binder.output_names()) {
      if (keys.contains(name)) continue;
      TRY(int slot, binder.field(name, at_begin, at_end));
      columns_.emplace_back(slot, binder.define_made(name + "_baseline"));
    }
    return Ok{};
  }
  void uses(std::set<int>& slots) const override {
    slots.insert(key_slots_.begin(), key_slots_.end());
    for (auto [old, slot] : columns_) slots.insert(old);
  }
  Result<BatchPtr> apply(BatchPtr batch, Run& run) const override {
    RunInfo earlier = run.info;
    earlier.start_ms -= shift_.ms();
    earlier.end_ms -= shift_.ms();
    std::set<int> wanted;
    uses(wanted);
    TRY(BatchPtr base, run.inner(run.pipeline, run.program, earlier, static_cast<std::size_t>(command_), wanted));
    std::unordered_map<std::string, std::uint32_t> rows;
    for (std::uint32_t row : base->sel) rows.try_emplace(key(*base, row, shift_.ms()), row);
    for (auto [old, slot] : columns_) {
      Value* values = null_values(*batch);
      for (std::uint32_t row : batch->sel)
        if (auto it = rows.find(key(*batch, row, 0)); it != rows.end()) values[row] = base->value(old, it->second);
      batch->set_values(slot, values);
    }
    batch->keep(base);
    return batch;
  }

 private:
  // Time bins of the earlier window stand for those `shift_ms` later.
  std::string key(Batch& batch, std::uint32_t row, std::int64_t shift_ms) const {
    std::string text;
    for (int slot : key_slots_) {
      Value value = batch.value(slot, row);
      if (value.type == Type::kTime) value.i += shift_ms;
      std::string one = to_text(value);
      text += value.null() ? "-" : std::to_string(one.size()) + ':' + one;
    }
    return text;
  }
  std::string text_;
  Period shift_;
  int command_ = 0;
  std::vector<int> key_slots_;
  std::vector<std::pair<int, int>> columns_;
};

constexpr std::size_t kFieldsMax = 1000;         // distinct fields per log group
constexpr std::size_t kDistinctMax = 10'000;     // values of one field that are told apart
constexpr std::size_t kContributors = 3;

class RelevantFields final : public WholeCommand {
 public:
  RelevantFields(std::vector<ExprPtr> fields, ExprPtr condition) : fields_(std::move(fields)), condition_(std::move(condition)) {}
  void print(std::string& out) const override {
    out += "relevantfields ";
    if (!fields_.empty()) {
      print_field_list(fields_, out);
      out += ' ';
    }
    out += "where ";
    print_expr(*condition_, out);
  }
  Status bind(Binder& binder) override {
    command_ = binder.command();
    TRY(test_, binder.scalar(*condition_));
    for (const ExprPtr& field : fields_) {
      TRY(NodePtr node, binder.scalar(*field));
      inputs_.emplace_back(field->field_name(), std::move(node));
    }
    if (fields_.empty()) {
      TRY(message_, binder.field("@message", at_begin, at_end));
    }
    std::vector<std::pair<std::string, int>> columns;
    for (std::string_view name : {"@fieldName", "@relevanceScore", "@topRelevanceContributors", "@conditionalMedian", "@baselineMedian"}) {
      slots_.push_back(binder.hidden_made());
      columns.emplace_back(name, slots_.back());
    }
    binder.replace_columns(columns);
    return Ok{};
  }
  void uses(std::set<int>& slots) const override {
    use(test_, slots);
    for (const auto& [name, node] : inputs_) use(node, slots);
    if (message_ >= 0) slots.insert(message_);
  }
  Result<BatchPtr> apply(BatchPtr batch, Run& run) const override {
    std::map<std::string, Field> fields;
    Vec test = batch->eval(*test_);
    std::vector<Vec> columns;
    for (const auto& [name, node] : inputs_) columns.push_back(batch->eval(*node));
    std::size_t n = 0;
    for (std::uint32_t row : batch->sel) {
      if ((++n & 1023) == 0 && run.stop()) break;
      bool inside = truthy(test.get(row, batch->arena()));
      for (std::size_t c = 0; c < columns.size(); ++c)
        fields[inputs_[c].first].add(inside, columns[c].get(row, batch->arena()));
      if (message_ >= 0) {
        Value message = batch->value(message_, row);
        if (!message.is_text() || !trim(message.view()).starts_with('{')) continue;
        Arena arena;
        if (const Json* json = parse_json(message.view(), arena)) leaves(*json, {}, inside, fields);
      }
    }
    TRYV(run.status());
    struct Scored {
      const std::string* name;
      Score score;
    };
    std::vector<Scored> scored;
    for (auto& [name, field] : fields) scored.push_back({&name, field.score()});
    std::stable_sort(scored.begin(), scored.end(), [](const Scored& a, const Scored& b) { return a.score.value > b.score.value; });
    auto result = std::make_shared<Batch>(run, scored.size(), command_);
    Arena& arena = result->arena();
    std::vector<Value*> out;
    for (std::size_t k = 0; k < slots_.size(); ++k) out.push_back(null_values(*result));
    for (std::size_t k = 0; k < scored.size(); ++k) {
      const Score& score = scored[k].score;
      out[0][k] = Value::text(arena.copy(*scored[k].name));
      out[1][k] = Value::number(std::round(score.value * 10'000) / 10'000);
      if (score.numeric) {
        out[3][k] = Value::number(score.inside);
        out[4][k] = Value::number(score.outside);
      } else {
        out[2][k] = Value::text(arena.copy(score.contributors));
      }
    }
    for (std::size_t k = 0; k < slots_.size(); ++k) result->set_values(slots_[k], out[k]);
    return result;
  }

 private:
  struct Score {
    double value = 0;
    bool numeric = false;
    double inside = 0, outside = 0;
    std::string contributors;
  };
  struct Field {
    std::map<std::string, std::pair<double, double>> counts;  // inside, outside
    std::vector<double> numbers[2];
    double total[2] = {0, 0};
    bool text = false;
    void add(bool inside, const Value& value) {
      if (value.null() || value.container()) return;
      ++total[inside ? 0 : 1];
      if (Num n = insights::numeric(value))
        numbers[inside ? 0 : 1].push_back(n.d);
      else
        text = true;
      std::string key = to_text(value);
      auto it = counts.find(key);
      if (it == counts.end()) {
        if (counts.size() >= kDistinctMax) return;
        it = counts.emplace(std::move(key), std::pair{0.0, 0.0}).first;
      }
      ++(inside ? it->second.first : it->second.second);
    }
    static double middle(std::vector<double>& values) {
      auto at = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
      std::nth_element(values.begin(), at, values.end());
      return *at;
    }
    Score score() {
      Score result;
      if (!text && !numbers[0].empty() && !numbers[1].empty()) {
        result.numeric = true;
        auto [low0, high0] = std::minmax_element(numbers[0].begin(), numbers[0].end());
        auto [low1, high1] = std::minmax_element(numbers[1].begin(), numbers[1].end());
        double range = std::max(*high0, *high1) - std::min(*low0, *low1);
        result.inside = middle(numbers[0]);
        result.outside = middle(numbers[1]);
        result.value = range > 0 ? std::min(1.0, std::abs(result.inside - result.outside) / range) : 0;
        return result;
      }
      if (total[0] == 0 || total[1] == 0) return result;
      // Half of the sum of differences of shares, and who contributes most.
      std::vector<std::pair<double, std::string_view>> parts;
      for (const auto& [value, count] : counts) {
        double difference = count.first / total[0] - count.second / total[1];
        result.value += std::abs(difference) / 2;
        parts.emplace_back(difference, value);
      }
      std::stable_sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
      for (std::size_t k = 0; k < parts.size() && k < kContributors && parts[k].first > 0; ++k) {
        if (k > 0) result.contributors += ", ";
        result.contributors += parts[k].second;
      }
      return result;
    }
  };
  static void leaves(const Json& json, const std::string& path, bool inside, std::map<std::string, Field>& fields) {
    if (json.kind == Json::Kind::kArray || json.kind == Json::Kind::kObject) {
      for (std::uint32_t k = 0; k < json.count; ++k) {
        std::string name = path;
        if (!name.empty()) name += '.';
        name += json.kind == Json::Kind::kObject ? std::string(json.keys[k]) : std::to_string(k);
        leaves(json.items[k], name, inside, fields);
      }
      return;
    }
    auto it = fields.find(path);
    if (it == fields.end()) {
      if (fields.size() >= kFieldsMax) return;
      it = fields.try_emplace(path).first;
    }
    it->second.add(inside, Value::of(&json));
  }

  std::vector<ExprPtr> fields_;
  ExprPtr condition_;
  int command_ = 0;
  NodePtr test_;
  std::vector<std::pair<std::string, NodePtr>> inputs_;
  int message_ = -1;
  std::vector<int> slots_;
};

}  // namespace

Result<CommandPtr> parse_logcompare(Parser& parser) {
  TRYV(parser.expect_word("timeshift"));
  std::string text = parser.peek().text;
  TRY(Period shift, parser.period());
  return CommandPtr(std::make_unique<LogCompare>(std::move(text), shift));
}

Result<CommandPtr> parse_relevantfields(Parser& parser) {
  std::vector<ExprPtr> fields;
  if (!parser.at_word("where")) {
    TRY(fields, parser.field_list());
  }
  TRYV(parser.expect_word("where"));
  TRY(ExprPtr condition, parser.expr());
  return CommandPtr(std::make_unique<RelevantFields>(std::move(fields), std::move(condition)));
}

}  // namespace fog::insights
