// accum, autoregress, filldown, sessionize: columns made from the rows before.
#include <unordered_map>

#include "query/insights/commands/kit.h"
#include "query/insights/commands/table.h"

namespace fog::insights {

namespace {

class Accum final : public WholeCommand {
 public:
  Accum(ExprPtr field, std::string alias) : field_(std::move(field)), alias_(std::move(alias)) {}
  void print(std::string& out) const override {
    out += "accum ";
    print_expr(*field_, out);
    if (alias_.empty()) return;
    out += " as ";
    print_name(alias_, out);
  }
  Status bind(Binder& binder) override {
    TRY(input_, binder.scalar(*field_));
    slot_ = binder.define_made(alias_.empty() ? "accum_" + field_->field_name() : alias_);
    return Ok{};
  }
  void uses(std::set<int>& slots) const override { use(input_, slots); }
  Result<BatchPtr> apply(BatchPtr batch, Run&) const override {
    Vec vec = batch->eval(*input_);
    Value* values = null_values(*batch);
    Value sum = Value::integer(0);
    for (std::uint32_t row : batch->sel) {
      Num n = vec.num(row);
      if (n) sum = arithmetic(Op::kAdd, numeric(sum), n);
      values[row] = sum;
    }
    batch->set_values(slot_, values);
    return batch;
  }

 private:
  ExprPtr field_;
  std::string alias_;
  NodePtr input_;
  int slot_ = -1;
};

constexpr std::int64_t kLagMax = 1000;

class Autoregress final : public WholeCommand {
 public:
  Autoregress(ExprPtr field, std::string alias, std::int64_t first, std::int64_t last)
      : field_(std::move(field)), alias_(std::move(alias)), first_(first), last_(last) {}
  void print(std::string& out) const override {
    out += "autoregress ";
    print_expr(*field_, out);
    if (!alias_.empty()) {
      out += " as ";
      print_name(alias_, out);
    }
    if (first_ == 0) return;
    out += " p=" + std::to_string(first_);
    if (last_ != first_) out += '-' + std::to_string(last_);
  }
  Status bind(Binder& binder) override {
    TRY(input_, binder.scalar(*field_));
    std::string base = alias_.empty() ? field_->field_name() : alias_;
    std::int64_t first = std::max<std::int64_t>(1, first_), last = std::max<std::int64_t>(1, last_);
    for (std::int64_t lag = first; lag <= last; ++lag) {
      bool plain = !alias_.empty() && first_ == 0;
      slots_.emplace_back(lag, binder.define_made(plain ? base : base + "_p" + std::to_string(lag)));
    }
    return Ok{};
  }
  void uses(std::set<int>& slots) const override { use(input_, slots); }
  Result<BatchPtr> apply(BatchPtr batch, Run&) const override {
    Vec vec = batch->eval(*input_);
    for (auto [lag, slot] : slots_) {
      Value* values = null_values(*batch);
      for (std::size_t k = static_cast<std::size_t>(lag); k < batch->sel.size(); ++k)
        values[batch->sel[k]] = vec.get(batch->sel[k - static_cast<std::size_t>(lag)], batch->arena());
      batch->set_values(slot, values);
    }
    return batch;
  }

 private:
  ExprPtr field_;
  std::string alias_;
  std::int64_t first_, last_;  // 0: not written
  NodePtr input_;
  std::vector<std::pair<std::int64_t, int>> slots_;
};

bool glob_match(std::string_view glob, std::string_view text) {
  std::size_t g = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      mark = t;
    } else if (g < glob.size() && glob[g] == text[t]) {
      ++g;
      ++t;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

class Filldown final : public WholeCommand {
 public:
  struct Glob {
    std::string text;   // as written
    std::string glob;   // backticks removed
    bool wild = false;
  };
  explicit Filldown(std::vector<Glob> globs) : globs_(std::move(globs)) {}
  void print(std::string& out) const override {
    out += "filldown";
    for (const Glob& glob : globs_) out += ' ' + glob.text;
  }
  Status bind(Binder& binder) override {
    std::vector<std::string> names;
    auto add = [&names](const std::string& name) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    };
    if (globs_.empty())
      for (const std::string& name : binder.output_names()) add(name);
    for (const Glob& glob : globs_) {
      if (!glob.wild) {
        add(glob.glob);
        continue;
      }
      for (const std::string& name : binder.known_names())
        if (glob_match(glob.glob, name)) add(name);
    }
    for (const std::string& name : names) {
      TRY(int old, binder.field(name, at_begin, at_end));
      slots_.emplace_back(old, binder.define_made(name, false));
    }
    return Ok{};
  }
  void uses(std::set<int>& slots) const override {
    for (auto [old, slot] : slots_) slots.insert(old);
  }
  Result<BatchPtr> apply(BatchPtr batch, Run&) const override {
    for (auto [old, slot] : slots_) {
      Value* values = null_values(*batch);
      const Vec& vec = batch->column(old);
      Value last;
      for (std::uint32_t row : batch->sel) {
        Value value = vec.get(row, batch->arena());
        if (!value.null()) last = value;
        values[row] = last;
      }
      batch->set_values(slot, values);
    }
    return batch;
  }

 private:
  std::vector<Glob> globs_;
  std::vector<std::pair<int, int>> slots_;
};

class Sessionize final : public WholeCommand {
 public:
  Sessionize(std::vector<ExprPtr> fields, std::string span_text, Period span, std::string alias)
      : fields_(std::move(fields)), span_text_(std::move(span_text)), span_(span), alias_(std::move(alias)) {}
  void print(std::string& out) const override {
    out += "sessionize ";
    print_field_list(fields_, out);
    if (!span_text_.empty()) out += " maxspan " + span_text_;
    if (!alias_.empty()) {
      out += " as ";
      print_name(alias_, out);
    }
  }
  Status bind(Binder& binder) override {
    TRY(keys_, bind_all(fields_, binder));
    TRY(time_slot_, binder.field("@timestamp", at_begin, at_end));
    slot_ = binder.define_made(alias_.empty() ? "session_id" : alias_);
    return Ok{};
  }
  void uses(std::set<int>& slots) const override {
    use(keys_, slots);
    slots.insert(time_slot_);
  }
  Result<BatchPtr> apply(BatchPtr batch, Run&) const override {
    std::vector<Vec> columns;
    for (const NodePtr& key : keys_) columns.push_back(batch->eval(*key));
    Vec times = batch->column(time_slot_);
    // In time order, whatever the order of the rows; equal times in the order of ingestion.
    std::vector<std::uint32_t> order(batch->sel.rbegin(), batch->sel.rend());
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      return compare(times.num(a), times.num(b)) < 0;
    });
    struct Session {
      double last = 0;
      std::int64_t n = 0;
    };
    std::unordered_map<std::string, Session> sessions;
    Value* values = null_values(*batch);
    auto gap = static_cast<double>(span_.ms());
    for (std::uint32_t row : order) {
      std::string key;
      bool null = false;
      for (const Vec& vec : columns) {
        Value value = vec.get(row, batch->arena());
        null = null || value.null() || value.container();
        if (!key.empty()) key += '-';
        render(value, key);
      }
      Num time = times.num(row);
      if (null || !time) continue;
      Session& session = sessions[key];
      if (session.n == 0 || time.d - session.last > gap) ++session.n;
      session.last = time.d;
      values[row] = Value::text(batch->arena().copy(key + '-' + std::to_string(session.n)));
    }
    batch->set_values(slot_, values);
    return batch;
  }

 private:
  std::vector<ExprPtr> fields_;
  std::string span_text_;
  Period span_;
  std::string alias_;
  std::vector<NodePtr> keys_;
  int time_slot_ = -1, slot_ = -1;
};

}  // namespace

Result<CommandPtr> parse_accum(Parser& parser) {
  TRY(ExprPtr field, parser.field());
  std::string alias;
  TRY(bool as, parser.accept_word("as"));
  if (as) {
    TRY(alias, parser.name());
  }
  return CommandPtr(std::make_unique<Accum>(std::move(field), std::move(alias)));
}

Result<CommandPtr> parse_autoregress(Parser& parser) {
  TRY(ExprPtr field, parser.field());
  std::string alias;
  TRY(bool as, parser.accept_word("as"));
  if (as) {
    TRY(alias, parser.name());
  }
  std::int64_t first = 0, last = 0;
  TRY(bool lags, parser.accept_option("p"));
  if (lags) {
    std::size_t at = parser.peek().begin;
    TRY(first, parser.integer());
    last = first;
    TRY(bool range, parser.accept_symbol("-"));
    if (range) {
      TRY(last, parser.integer());
    }
    if (first < 1 || last < first || last > kLagMax)
      return parser.error(at, parser.last_end(), "p must be a number of rows, or a range of them, from 1 to 1000");
  }
  return CommandPtr(std::make_unique<Autoregress>(std::move(field), std::move(alias), first, last));
}

Result<CommandPtr> parse_filldown(Parser& parser) {
  std::vector<Filldown::Glob> globs;
  while (!parser.at_clause_end()) {
    Filldown::Glob glob;
    std::size_t begin = parser.peek().begin, end = begin;
    // Name parts and stars that touch each other are one glob.
    while (!parser.at_clause_end() && parser.peek().begin == end &&
           (parser.peek().kind == Token::Kind::kIdent || parser.peek().kind == Token::Kind::kNumber ||
            parser.peek().kind == Token::Kind::kPeriod || parser.at_symbol("*"))) {
      glob.wild = glob.wild || parser.at_symbol("*");
      glob.glob += parser.peek().text;
      end = parser.peek().end;
      TRYV(parser.advance());
    }
    if (glob.glob.empty()) return parser.unexpected();
    glob.text = parser.text().substr(begin, end - begin);
    globs.push_back(std::move(glob));
    TRY(bool comma, parser.accept_symbol(","));
    if (comma && parser.at_clause_end()) return parser.unexpected();
  }
  return CommandPtr(std::make_unique<Filldown>(std::move(globs)));
}

Result<CommandPtr> parse_sessionize(Parser& parser) {
  TRY(auto fields, parser.field_list());
  std::string span_text;
  Period span{30, Period::Unit::kMinute};
  TRY(bool spanned, parser.accept_word("maxspan"));
  if (spanned) {
    span_text = parser.peek().text;
    TRY(span, parser.period());
  }
  std::string alias;
  TRY(bool as, parser.accept_word("as"));
  if (as) {
    TRY(alias, parser.name());
  }
  return CommandPtr(std::make_unique<Sessionize>(std::move(fields), std::move(span_text), span, std::move(alias)));
}

}  // namespace fog::insights
