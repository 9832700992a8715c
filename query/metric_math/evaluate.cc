#include "query/metric_math/evaluate.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "query/metric_math/ast.h"
#include "query/metric_math/functions.h"

namespace fog::metric_math {
namespace {

constexpr std::int64_t kDefaultPeriodMs = 60'000;
constexpr std::size_t kSearchesMax = 100;
// Data points that one request may read and compute, intermediate ones included: some 500 MiB if all were kept.
// Five hundred metrics of fifteen days by the minute are 10.8 million.
constexpr std::size_t kPointsMax = 32'000'000;

std::size_t points_of(const Value& value) {
  if (const auto* one = std::get_if<Series>(&value)) return one->size();
  std::size_t points = 0;
  if (const auto* all = std::get_if<Array>(&value))
    for (const Series& each : *all) points += each.size();
  return points;
}

template <typename T>
struct Named {
  std::string_view name;
  T value;
};
constexpr Named<Fold> kFolds[] = {{"AVG", Fold::kAvg}, {"SUM", Fold::kSum},       {"MIN", Fold::kMin},
                                  {"MAX", Fold::kMax}, {"STDDEV", Fold::kStddev}, {"DATAPOINT_COUNT", Fold::kCount}};
constexpr Named<Walk> kWalks[] = {{"DIFF", Walk::kDiff},
                                  {"RATE", Walk::kRate},
                                  {"DIFF_TIME", Walk::kDiffTime},
                                  {"RUNNING_SUM", Walk::kRunningSum}};
constexpr Named<Part> kParts[] = {{"MINUTE", Part::kMinute}, {"HOUR", Part::kHour},   {"DAY", Part::kDay},
                                  {"DATE", Part::kDate},     {"MONTH", Part::kMonth}, {"YEAR", Part::kYear},
                                  {"EPOCH", Part::kEpoch}};
constexpr Named<double (*)(double)> kMaps[] = {{"ABS", [](double v) { return std::fabs(v); }},
                                               {"CEIL", [](double v) { return std::ceil(v); }},
                                               {"FLOOR", [](double v) { return std::floor(v); }},
                                               {"LOG", [](double v) { return v > 0 ? std::log(v) : NAN; }},
                                               {"LOG10", [](double v) { return v > 0 ? std::log10(v) : NAN; }}};

template <typename T, std::size_t n>
const T* find_named(const Named<T> (&table)[n], std::string_view name) {
  for (const auto& row : table)
    if (row.name == name) return &row.value;
  return nullptr;
}

class Evaluator {
 public:
  Evaluator(std::span<const Query> queries, const Environment& environment)
      : queries_(queries), environment_(environment), states_(queries.size()) {
    for (std::size_t i = 0; i < queries.size(); ++i) by_id_[queries[i].id] = i;
  }

  Result<std::vector<Evaluated>> run() {
    for (std::size_t i = 0; i < queries_.size(); ++i)
      if (!queries_[i].given) {
        auto parsed = parse(queries_[i].expression);
        if (!parsed.ok()) return in_expression(i, std::move(parsed).error());
        states_[i].expr = std::move(parsed).value();
      }
    std::vector<Evaluated> out(queries_.size());
    for (std::size_t i = 0; i < queries_.size(); ++i) {
      TRYV(resolve(i));
      Value& value = *states_[i].value;
      if (std::holds_alternative<double>(value))
        return in_expression(i, Error::invalid("The expression must return a time series"));
      if (auto* series = std::get_if<Series>(&value)) {
        out[i].series.push_back(*series);
      } else {
        out[i].series = std::get<Array>(value);
        out[i].is_array = true;
      }
      out[i].messages = states_[i].messages;
    }
    return out;
  }

 private:
  using Args = std::vector<Expr>;
  using Function = Result<Value> (Evaluator::*)(const Expr& call);
  struct Entry {
    std::string_view name;
    std::size_t args_min;
    std::size_t args_max;
    Function function;
  };
  struct State {
    Expr expr;
    std::optional<Value> value;
    bool under_way = false;
    std::int64_t period_ms = 0;
    std::vector<Message> messages;
  };
  static const Entry kFunctions[];

  Error in_expression(std::size_t i, Error error) const {
    if (error.message().starts_with("Error in expression '")) return error;  // of a query it refers to
    return Error(error.kind(), "Error in expression '" + queries_[i].id + "': " + error.message());
  }

  // Brings states_[i].value about.
  Status resolve(std::size_t i) {
    State& state = states_[i];
    if (state.value) return Ok{};
    const Query& query = queries_[i];
    if (query.given) {
      state.value = *query.given;
      state.period_ms = query.period_ms;
      return Ok{};
    }
    if (state.under_way) return in_expression(i, Error::invalid("Circular reference"));
    state.under_way = true;
    const std::size_t outer = current_;
    current_ = i;
    auto period = period_of(state.expr);
    Result<Value> value = period.ok() ? Result<Value>(0.0) : Result<Value>(period.error());
    if (period.ok()) {
      state.period_ms = *period > 0 ? *period : query.period_ms > 0 ? query.period_ms : kDefaultPeriodMs;
      value = evaluate(state.expr);
    }
    current_ = outer;
    state.under_way = false;
    if (!value.ok()) return in_expression(i, std::move(value).error());
    state.value = std::move(value).value();
    return Ok{};
  }

  // The smallest period of what an expression names; 0: it names no series.
  Result<std::int64_t> period_of(const Expr& expr) {
    std::int64_t period = 0;
    const auto take = [&](std::int64_t other) {
      if (other > 0 && (period == 0 || other < period)) period = other;
    };
    if (expr.kind == Expr::Kind::kId) {
      const auto found = by_id_.find(expr.text);
      if (found != by_id_.end()) {
        TRYV(resolve(found->second));
        take(states_[found->second].period_ms);
      }
    }
    if (expr.kind == Expr::Kind::kCall && expr.text == "METRICS")
      for (const Query& query : queries_)
        if (query.is_metric) take(query.period_ms);
    if (expr.kind == Expr::Kind::kCall && expr.text == "SEARCH" && expr.args.size() == 3 &&
        expr.args[2].kind == Expr::Kind::kNumber)
      take(static_cast<std::int64_t>(expr.args[2].number) * 1000);
    for (const Expr& arg : expr.args) {
      TRY(const std::int64_t inner, period_of(arg));
      take(inner);
    }
    return period;
  }

  SlotGrid grid(std::int64_t period_ms) const {
    return grid_of(environment_.start_ms, environment_.end_ms, period_ms > 0 ? period_ms : kDefaultPeriodMs);
  }

  Result<Value> evaluate(const Expr& expr) {
    TRY(Value value, evaluate_node(expr));
    points_ += points_of(value);
    if (points_ > kPointsMax)
      return Error::invalid("The request would compute more than 32000000 data points; ask for fewer metrics, a shorter time or a longer period");
    return value;
  }

  Result<Value> evaluate_node(const Expr& expr) {
    switch (expr.kind) {
      case Expr::Kind::kNumber:
        return Value(expr.number);
      case Expr::Kind::kText:
      case Expr::Kind::kWord:
        return Error::invalid("Invalid syntax");
      case Expr::Kind::kId: {
        const auto found = by_id_.find(expr.text);
        if (found == by_id_.end()) return Error::invalid("Unknown identifier '" + expr.text + "'");
        TRYV(resolve(found->second));
        return *states_[found->second].value;
      }
      case Expr::Kind::kNegate: {
        TRY(const Value inner, evaluate(expr.args[0]));
        return map_values(inner, [](double v) { return 0 - v; });
      }
      case Expr::Kind::kBinary: {
        TRY(const Value left, evaluate(expr.args[0]));
        TRY(const Value right, evaluate(expr.args[1]));
        return apply(expr.op, left, right);
      }
      case Expr::Kind::kArray: {
        Array array;
        for (const Expr& item : expr.args) {
          TRY(Value value, evaluate(item));
          if (auto* series = std::get_if<Series>(&value)) {
            if (series->label.empty() && item.kind == Expr::Kind::kId) series->label = item.text;
            array.push_back(std::move(*series));
          } else if (auto* inner = std::get_if<Array>(&value)) {
            for (Series& s : *inner) array.push_back(std::move(s));
          } else {
            return Error::invalid("Invalid array element: a scalar");
          }
        }
        return Value(std::move(array));
      }
      case Expr::Kind::kCall:
        return call(expr);
    }
    return Error::internal("unknown expression");
  }

  Result<Value> call(const Expr& expr);

  static Error bad_type(const Expr& call) {
    return Error::invalid("Invalid argument type for function '" + call.text + "'");
  }
  Result<double> scalar(const Expr& call, std::size_t i) {
    TRY(const Value v, evaluate(call.args[i]));
    if (const auto* number = std::get_if<double>(&v)) return *number;
    return bad_type(call);
  }
  Result<Series> series(const Expr& call, std::size_t i) {
    TRY(Value v, evaluate(call.args[i]));
    if (auto* s = std::get_if<Series>(&v)) return std::move(*s);
    return bad_type(call);
  }
  Result<Array> array(const Expr& call, std::size_t i) {
    TRY(Value v, evaluate(call.args[i]));
    if (auto* a = std::get_if<Array>(&v)) return std::move(*a);
    return bad_type(call);
  }
  static Result<std::string> text(const Expr& call, std::size_t i) {
    if (call.args[i].kind != Expr::Kind::kText) return bad_type(call);
    return call.args[i].text;
  }
  // A word such as ASC; also where a function's name is meant (SORT's AVG).
  static std::string_view word(const Expr& call, std::size_t i) {
    return call.args[i].kind == Expr::Kind::kWord ? std::string_view(call.args[i].text) : std::string_view();
  }
  void say(std::string code, std::string value) {
    states_[current_].messages.push_back({std::move(code), std::move(value)});
  }
  Series nothing() const {
    Series s;
    s.period_ms = states_[current_].period_ms;
    return s;
  }

  // --- functions ----------------------------------------------------------------------------------

  Result<Value> f_map(const Expr& call) {
    TRY(const Value v, evaluate(call.args[0]));
    const auto f = *find_named(kMaps, call.text);
    if (std::holds_alternative<double>(v)) {
      const double result = f(std::get<double>(v));
      if (!std::isfinite(result)) return bad_type(call);
      return Value(result);
    }
    return map_values(v, f);
  }

  Result<Value> f_fold(const Expr& call) {
    TRY(const Value v, evaluate(call.args[0]));
    const Fold kind = *find_named(kFolds, call.text);
    if (const auto* s = std::get_if<Series>(&v)) return Value(fold(kind, *s, grid(s->period_ms)));
    if (const auto* a = std::get_if<Array>(&v)) {
      Series out = fold(kind, *a);
      if (a->empty()) out.period_ms = states_[current_].period_ms;
      return Value(std::move(out));
    }
    return bad_type(call);
  }

  Result<Value> f_walk(const Expr& call) {
    TRY(const Value v, evaluate(call.args[0]));
    const Walk kind = *find_named(kWalks, call.text);
    if (const auto* s = std::get_if<Series>(&v)) return Value(walk(kind, *s));
    if (std::holds_alternative<double>(v)) return bad_type(call);
    Array out;
    for (const Series& s : std::get<Array>(v)) out.push_back(walk(kind, s));
    return Value(std::move(out));
  }

  Result<Value> f_calendar(const Expr& call) {
    TRY(const Series s, series(call, 0));
    return Value(calendar(*find_named(kParts, call.text), grid(s.period_ms)));
  }

  Result<Value> f_metric_count(const Expr& call) {
    TRY(const Array a, array(call, 0));
    return Value(static_cast<double>(a.size()));
  }

  Result<Value> f_metrics(const Expr& call) {
    std::string part;
    if (!call.args.empty()) {
      TRY(part, text(call, 0));
    }
    Array out;
    for (const Query& query : queries_)
      if (query.is_metric && query.id.find(part) != std::string::npos)
        if (const auto* s = std::get_if<Series>(&*query.given)) out.push_back(*s);
    return Value(std::move(out));
  }

  Result<Value> f_period(const Expr& call) {
    const Expr& arg = call.args[0];
    const auto found = arg.kind == Expr::Kind::kId ? by_id_.find(arg.text) : by_id_.end();
    if (arg.kind == Expr::Kind::kId && found == by_id_.end())
      return Error::invalid("Unknown identifier '" + arg.text + "'");
    if (found == by_id_.end() || !queries_[found->second].is_metric) return bad_type(call);
    return Value(static_cast<double>(queries_[found->second].period_ms) / 1000);
  }

  Result<Value> f_fill(const Expr& call) {
    TRY(const Value v, evaluate(call.args[0]));
    if (std::holds_alternative<double>(v)) return bad_type(call);
    Filling filling = Filling::kValue;
    double number = 0;
    Series other;
    if (word(call, 1) == "REPEAT") {
      filling = Filling::kRepeat;
    } else if (word(call, 1) == "LINEAR") {
      filling = Filling::kLinear;
    } else {
      TRY(Value with, evaluate(call.args[1]));
      if (const auto* n = std::get_if<double>(&with)) {
        number = *n;
      } else if (auto* s = std::get_if<Series>(&with)) {
        filling = Filling::kSeries;
        other = std::move(*s);
      } else {
        return bad_type(call);
      }
    }
    if (const auto* s = std::get_if<Series>(&v)) return Value(fill(*s, filling, number, &other, grid(s->period_ms)));
    Array out;
    for (const Series& s : std::get<Array>(v)) out.push_back(fill(s, filling, number, &other, grid(s.period_ms)));
    return Value(std::move(out));
  }

  Result<Value> f_end(const Expr& call) {
    TRY(Array a, array(call, 0));
    if (a.empty()) return Value(nothing());
    return Value(std::move(call.text == "FIRST" ? a.front() : a.back()));
  }

  Result<Value> f_slice(const Expr& call) {
    TRY(Array a, array(call, 0));
    TRY(const double from, scalar(call, 1));
    double to = static_cast<double>(a.size());
    if (call.args.size() == 3) {
      TRY(to, scalar(call, 2));
    }
    const auto clamp = [&](double v) {
      return static_cast<std::ptrdiff_t>(std::clamp(std::floor(v), 0.0, static_cast<double>(a.size())));
    };
    const std::ptrdiff_t first = clamp(from);
    const std::ptrdiff_t last = std::max(first, clamp(to));
    return Value(Array(std::make_move_iterator(a.begin() + first), std::make_move_iterator(a.begin() + last)));
  }

  Result<Value> f_sort(const Expr& call) {
    TRY(Array a, array(call, 0));
    const Fold* by = find_named(kFolds, word(call, 1));
    const std::string_view order = word(call, 2);
    if (by == nullptr || *by == Fold::kStddev || *by == Fold::kCount || (order != "ASC" && order != "DESC"))
      return bad_type(call);
    struct Row {
      bool empty;
      double key;
      std::size_t at;
    };
    std::vector<Row> rows;
    for (std::size_t i = 0; i < a.size(); ++i) rows.push_back({a[i].empty(), fold(*by, a[i], grid(a[i].period_ms)), i});
    std::stable_sort(rows.begin(), rows.end(), [&](const Row& x, const Row& y) {
      if (x.empty != y.empty) return y.empty;
      if (x.empty) return false;
      return order == "ASC" ? x.key < y.key : y.key < x.key;
    });
    std::size_t limit = rows.size();
    if (call.args.size() == 4) {
      TRY(const double most, scalar(call, 3));
      if (most < 0) return bad_type(call);
      limit = static_cast<std::size_t>(std::min(most, static_cast<double>(limit)));
    }
    Array out;
    for (std::size_t i = 0; i < limit; ++i) out.push_back(std::move(a[rows[i].at]));
    return Value(std::move(out));
  }

  Result<Value> f_remove_empty(const Expr& call) {
    TRY(Array a, array(call, 0));
    std::erase_if(a, [](const Series& s) { return s.empty(); });
    return Value(std::move(a));
  }

  Result<Value> f_time_series(const Expr& call) {
    TRY(const double v, scalar(call, 0));
    return Value(constant(v, grid(states_[current_].period_ms)));
  }

  Result<Value> f_if(const Expr& call) {
    TRY(const Value condition, evaluate(call.args[0]));
    TRY(Value yes, evaluate(call.args[1]));
    std::optional<Value> no;
    if (call.args.size() == 3) {
      TRY(no, evaluate(call.args[2]));
    }
    if (std::holds_alternative<Array>(condition) || std::holds_alternative<Array>(yes) ||
        (no && std::holds_alternative<Array>(*no)))
      return bad_type(call);
    if (const auto* number = std::get_if<double>(&condition)) {
      if (*number != 0) return yes;
      if (no) return std::move(*no);
      if (const auto* s = std::get_if<Series>(&yes)) {
        Series none;
        none.period_ms = s->period_ms;
        return Value(std::move(none));
      }
      return Value(nothing());
    }
    return Value(choose(std::get<Series>(condition), yes, no ? &*no : nullptr));
  }

  Result<Value> f_band(const Expr& call) {
    TRY(Series s, series(call, 0));
    if (call.args[0].kind != Expr::Kind::kId) s.source = -1;  // computed: no detector is its own
    double width = 2;
    if (call.args.size() == 2) {
      TRY(width, scalar(call, 1));
    }
    if (width < 0) return bad_type(call);
    Array out(2);
    for (Series& bound : out) bound.period_ms = s.period_ms;
    if (environment_.band) {
      TRY(auto band, environment_.band(s, width));
      out = {std::move(band.first), std::move(band.second)};
    }
    return Value(std::move(out));
  }

  Result<Value> f_insight_rule(const Expr& call) {
    TRY(const std::string rule, text(call, 0));
    TRY(const std::string metric, text(call, 1));
    if (!environment_.insight_rule) return Value(nothing());
    const std::int64_t period = queries_[current_].period_ms;
    TRY(Series s, environment_.insight_rule(rule, metric, period > 0 ? period : kDefaultPeriodMs));
    return Value(std::move(s));
  }

  Result<Value> f_search(const Expr& call) {
    SearchCall search;
    TRY(search.query, text(call, 0));
    TRY(search.statistic, text(call, 1));
    if (call.args.size() == 3) {
      TRY(const double seconds, scalar(call, 2));
      if (!(seconds >= 1) || seconds != std::floor(seconds) || seconds > 86400 * 365) return bad_type(call);
      search.period_ms = static_cast<std::int64_t>(seconds) * 1000;
    } else {
      search.period_ms = queries_[current_].period_ms;
    }
    if (++searches_ > kSearchesMax) return Error::invalid("Too many SEARCH functions");
    if (!environment_.search) return Value(Array{});
    TRY(Array found, environment_.search(search));
    return Value(std::move(found));
  }

  // Sources that do not exist here: answered empty, and said so.
  Result<Value> f_unsupported(const Expr& call) {
    say("Unsupported", "The function " + call.text + " is not supported");
    if (call.text == "SERVICE_QUOTA") {
      TRY(const Series s, series(call, 0));
      Series none;
      none.period_ms = s.period_ms;
      return Value(std::move(none));
    }
    TRY(const std::string first, text(call, 0));
    if (call.text == "DB_PERF_INSIGHTS" && (first != "RDS" && first != "DOCDB")) return bad_type(call);
    if (call.text == "DB_PERF_INSIGHTS" && call.args[2].kind != Expr::Kind::kArray) return Value(nothing());
    return Value(Array{});
  }

  std::span<const Query> queries_;
  const Environment& environment_;
  std::vector<State> states_;
  std::map<std::string, std::size_t, std::less<>> by_id_;
  std::size_t current_ = 0;
  std::size_t searches_ = 0;
  std::size_t points_ = 0;
};

const Evaluator::Entry Evaluator::kFunctions[] = {
    {"ABS", 1, 1, &Evaluator::f_map},
    {"ANOMALY_DETECTION_BAND", 1, 2, &Evaluator::f_band},
    {"AVG", 1, 1, &Evaluator::f_fold},
    {"CEIL", 1, 1, &Evaluator::f_map},
    {"DATAPOINT_COUNT", 1, 1, &Evaluator::f_fold},
    {"DATE", 1, 1, &Evaluator::f_calendar},
    {"DAY", 1, 1, &Evaluator::f_calendar},
    {"DB_PERF_INSIGHTS", 3, 3, &Evaluator::f_unsupported},
    {"DIFF", 1, 1, &Evaluator::f_walk},
    {"DIFF_TIME", 1, 1, &Evaluator::f_walk},
    {"EPOCH", 1, 1, &Evaluator::f_calendar},
    {"FILL", 2, 2, &Evaluator::f_fill},
    {"FIRST", 1, 1, &Evaluator::f_end},
    {"FLOOR", 1, 1, &Evaluator::f_map},
    {"HOUR", 1, 1, &Evaluator::f_calendar},
    {"IF", 2, 3, &Evaluator::f_if},
    {"INSIGHT_RULE_METRIC", 2, 2, &Evaluator::f_insight_rule},
    {"LAMBDA", 1, SIZE_MAX, &Evaluator::f_unsupported},
    {"LAST", 1, 1, &Evaluator::f_end},
    {"LOG", 1, 1, &Evaluator::f_map},
    {"LOG10", 1, 1, &Evaluator::f_map},
    {"MAX", 1, 1, &Evaluator::f_fold},
    {"METRICS", 0, 1, &Evaluator::f_metrics},
    {"METRIC_COUNT", 1, 1, &Evaluator::f_metric_count},
    {"MIN", 1, 1, &Evaluator::f_fold},
    {"MINUTE", 1, 1, &Evaluator::f_calendar},
    {"MONTH", 1, 1, &Evaluator::f_calendar},
    {"PERIOD", 1, 1, &Evaluator::f_period},
    {"RATE", 1, 1, &Evaluator::f_walk},
    {"REMOVE_EMPTY", 1, 1, &Evaluator::f_remove_empty},
    {"RUNNING_SUM", 1, 1, &Evaluator::f_walk},
    {"SEARCH", 2, 3, &Evaluator::f_search},
    {"SERVICE_QUOTA", 1, 1, &Evaluator::f_unsupported},
    {"SLICE", 2, 3, &Evaluator::f_slice},
    {"SORT", 3, 4, &Evaluator::f_sort},
    {"STDDEV", 1, 1, &Evaluator::f_fold},
    {"SUM", 1, 1, &Evaluator::f_fold},
    {"TIME_SERIES", 1, 1, &Evaluator::f_time_series},
    {"YEAR", 1, 1, &Evaluator::f_calendar},
};

Result<Value> Evaluator::call(const Expr& expr) {
  for (const Entry& entry : kFunctions) {
    if (entry.name != expr.text) continue;
    if (expr.args.size() < entry.args_min || expr.args.size() > entry.args_max)
      return Error::invalid("Wrong number of arguments for function '" + expr.text + "'");
    return (this->*entry.function)(expr);
  }
  return Error::invalid("Function '" + expr.text + "' not found");
}

void collect(const Expr& expr, Mentions& into) {
  if (expr.kind == Expr::Kind::kId) into.ids.push_back(expr.text);
  if (expr.kind == Expr::Kind::kCall) into.functions.push_back(expr.text);
  for (const Expr& arg : expr.args) collect(arg, into);
}

}  // namespace

Result<std::vector<Evaluated>> evaluate(std::span<const Query> queries, const Environment& environment) {
  return Evaluator(queries, environment).run();
}

Result<Mentions> mentions(std::string_view expression) {
  TRY(const Expr expr, parse(expression));
  Mentions found;
  collect(expr, found);
  return found;
}

}  // namespace fog::metric_math
