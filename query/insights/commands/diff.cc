// diff: patterns of this window against an earlier one. anomaly: what is unusual about patterns.
#include <chrono>
#include <cmath>

#include "query/insights/commands/pattern.h"
#include "query/insights/commands/table.h"

namespace fog::insights {

namespace {

enum class Shift { kPeriod, kDay, kWeek, kMonth };

std::int64_t month_before(std::int64_t ms) {
  using namespace std::chrono;
  constexpr std::int64_t kDayMs = 86'400'000;
  std::int64_t day_number = ms / kDayMs - (ms % kDayMs < 0 ? 1 : 0);
  year_month_day date{sys_days{days{static_cast<int>(day_number)}}};
  year_month_day earlier = date - months{1};
  if (!earlier.ok()) earlier = earlier.year() / earlier.month() / last;
  return static_cast<std::int64_t>(sys_days{earlier}.time_since_epoch().count()) * kDayMs + (ms - day_number * kDayMs);
}

RunInfo before(RunInfo info, Shift shift) {
  constexpr std::int64_t kDayMs = 86'400'000;
  switch (shift) {
    case Shift::kPeriod: {
      std::int64_t length = info.end_ms - info.start_ms + 1;
      info.start_ms -= length;
      info.end_ms -= length;
      break;
    }
    case Shift::kDay:
    case Shift::kWeek: {
      std::int64_t back = shift == Shift::kDay ? kDayMs : 7 * kDayMs;
      info.start_ms -= back;
      info.end_ms -= back;
      break;
    }
    case Shift::kMonth:
      info.start_ms = month_before(info.start_ms);
      info.end_ms = month_before(info.end_ms);
      break;
  }
  return info;
}

class Diff final : public WholeCommand {
 public:
  Diff(std::string text, Shift shift) : word_(std::move(text)), shift_(shift) {}
  void print(std::string& out) const override {
    out += "diff";
    if (!word_.empty()) out += ' ' + word_;
  }
  Status bind(Binder& binder) override {
    command_ = binder.command();
    if (binder.patterns) {
      if (binder.patterns->command != command_ - 1)
        return binder.error(at_begin, at_end, "diff must follow pattern directly");
      rows_from_ = static_cast<std::size_t>(command_ - 1);
      patterns_ = true;
    } else {
      if (!binder.open() && !binder.visible("@message"))
        return binder.error(at_begin, at_end, "diff needs log events or the result of pattern");
      rows_from_ = static_cast<std::size_t>(command_);
      TRY(int slot, binder.field("@message", at_begin, at_end));
      input_ = slot_node(slot);
    }
    std::vector<std::pair<std::string, int>> columns;
    for (std::string_view name : {"@pattern", "@sampleCount", "@differenceCount", "@differenceDescription", "@severityLabel"}) {
      slots_.push_back(binder.hidden_made());
      columns.emplace_back(name, slots_.back());
    }
    binder.replace_columns(columns);
    binder.patterns.reset();
    return Ok{};
  }
  void uses(std::set<int>& slots) const override { use(input_, slots); }
  Result<BatchPtr> apply(BatchPtr batch, Run& run) const override {
    // Both windows go into one table, so that they are clustered alike.
    std::unique_ptr<PatternTable> table;
    std::set<int> wanted;
    if (patterns_) {
      const Command& pattern = *run.pipeline.commands[rows_from_];
      table = pattern.pattern()->make_table(run);
      pattern.uses(wanted);
      TRY(BatchPtr now, run.inner(run.pipeline, run.program, run.info, rows_from_, wanted));
      table->add(*now, 0);
    } else {
      table = std::make_unique<PatternTable>(input_, -1, run.info, &run.memory);
      uses(wanted);
      table->add(*batch, 0);
    }
    TRY(BatchPtr earlier, run.inner(run.pipeline, run.program, before(run.info, shift_), rows_from_, wanted));
    table->add(*earlier, 1);
    TRYV(run.status());
    auto patterns = table->patterns();
    auto result = std::make_shared<Batch>(run, patterns.size(), command_);
    Arena& arena = result->arena();
    std::vector<Value*> columns;
    for (std::size_t k = 0; k < slots_.size(); ++k) columns.push_back(null_values(*result));
    for (std::size_t k = 0; k < patterns.size(); ++k) {
      const auto& p = patterns[k];
      std::int64_t now = p.entry.counts[0], then = p.entry.counts[1];
      columns[0][k] = Value::text(arena.copy(p.text));
      columns[1][k] = Value::integer(now);
      columns[2][k] = Value::integer(now - then);
      columns[3][k] = Value::text(arena.copy(describe(now, then)));
      if (!p.severity.empty()) columns[4][k] = Value::text(arena.copy(p.severity));
    }
    for (std::size_t k = 0; k < slots_.size(); ++k) result->set_values(slots_[k], columns[k]);
    return result;
  }

 private:
  static std::string describe(std::int64_t now, std::int64_t then) {
    if (then == 0) return "New";
    if (now == 0) return "Not present";
    auto percent = static_cast<std::int64_t>(
        std::llround(static_cast<double>(now - then) * 100 / static_cast<double>(then)));
    return (percent > 0 ? "+" : "") + std::to_string(percent) + "%";
  }
  std::string word_;
  Shift shift_;
  int command_ = 0;
  bool patterns_ = false;
  std::size_t rows_from_ = 0;
  NodePtr input_;
  std::vector<int> slots_;
};

class Anomaly final : public RowsCommand {
 public:
  void print(std::string& out) const override { out += "anomaly"; }
  Status bind(Binder& binder) override {
    if (!binder.patterns) return binder.error(at_begin, at_end, "anomaly must follow pattern");
    patterns_ = *binder.patterns;
    type_ = binder.define_made("@anomalyType");
    description_ = binder.define_made("@anomalyDescription");
    return Ok{};
  }
  void uses(std::set<int>& slots) const override {
    slots.insert(patterns_.bins);
    slots.insert(patterns_.pattern);
  }
  void make(Batch& batch) const override {
    Value* types = null_values(batch);
    Value* descriptions = null_values(batch);
    for (std::uint32_t row : batch.sel) {
      Value list = batch.value(patterns_.bins, row);
      if (!list.container() || list.json->count != kPatternBins) continue;
      std::vector<double> bins;
      for (std::uint32_t k = 0; k < kPatternBins; ++k) bins.push_back(numeric(Value::of(&list.json->items[k])).d);
      std::size_t first = 0;
      while (first < bins.size() && bins[first] == 0) ++first;
      if (first >= kPatternBins * 9 / 10) {
        types[row] = Value::text("New pattern");
        descriptions[row] = Value::text("First seen in the last tenth of the time range");
        continue;
      }
      double middle = median(bins);
      std::vector<double> deviations;
      for (double v : bins) deviations.push_back(std::abs(v - middle));
      double spread = std::max(1.0, median(deviations));
      double peak = *std::max_element(bins.begin(), bins.end());
      if (peak > middle + 3 * spread && peak >= 3) {
        types[row] = Value::text("Pattern frequency");
        std::string text = "Up to ";
        render(Value::number(peak), text);
        text += " in a part of the time range, ";
        render(Value::number(middle), text);
        text += " as a rule";
        descriptions[row] = Value::text(batch.arena().copy(text));
      }
    }
    batch.set_values(type_, types);
    batch.set_values(description_, descriptions);
  }

 private:
  static double median(std::vector<double> values) {
    auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  }
  Binder::Patterns patterns_;
  int type_ = -1, description_ = -1;
};

}  // namespace

Result<CommandPtr> parse_diff(Parser& parser) {
  struct Row {
    std::string_view word;
    Shift shift;
  };
  static constexpr Row kRows[] = {{"previousDay", Shift::kDay}, {"previousWeek", Shift::kWeek}, {"previousMonth", Shift::kMonth}};
  for (const Row& row : kRows) {
    if (!parser.at_word(row.word)) continue;
    TRYV(parser.advance());
    return CommandPtr(std::make_unique<Diff>(std::string(row.word), row.shift));
  }
  return CommandPtr(std::make_unique<Diff>("", Shift::kPeriod));
}

Result<CommandPtr> parse_anomaly(Parser&) { return CommandPtr(std::make_unique<Anomaly>()); }

}  // namespace fog::insights
