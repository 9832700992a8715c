#include "query/metric_math/functions.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

namespace fog::metric_math {

SlotGrid grid_of(std::int64_t start_ms, std::int64_t end_ms, std::int64_t period_ms) {
  std::int64_t rest = start_ms % period_ms;
  if (rest < 0) rest += period_ms;
  return {start_ms - rest, end_ms, period_ms};
}

// --- operators ------------------------------------------------------------------------------------

double apply(Op op, double a, double b) {
  switch (op) {
    case Op::kOr:
      return a != 0 || b != 0 ? 1 : 0;
    case Op::kAnd:
      return a != 0 && b != 0 ? 1 : 0;
    case Op::kEq:
      return a == b ? 1 : 0;
    case Op::kNe:
      return a != b ? 1 : 0;
    case Op::kLe:
      return a <= b ? 1 : 0;
    case Op::kGe:
      return a >= b ? 1 : 0;
    case Op::kLt:
      return a < b ? 1 : 0;
    case Op::kGt:
      return a > b ? 1 : 0;
    case Op::kAdd:
      return a + b;
    case Op::kSub:
      return a - b;
    case Op::kMul:
      return a * b;
    case Op::kDiv:
      return b == 0 ? NAN : a / b;
    case Op::kPow:
      return std::pow(a, b);
  }
  return NAN;
}

namespace {

Series empty_like(const Series& s) {
  Series out;
  out.label = s.label;
  out.period_ms = s.period_ms;
  out.source = s.source;
  return out;
}

Series map_series(const Series& s, const std::function<double(double)>& f) {
  Series out = empty_like(s);
  for (std::size_t i = 0; i < s.size(); ++i)
    if (const double v = f(s.value[i]); std::isfinite(v)) out.push(s.time_ms[i], v);
  return out;
}

Series join(Op op, const Series& a, const Series& b) {
  Series out;
  out.period_ms = std::min(a.period_ms, b.period_ms);
  std::size_t i = 0;
  std::size_t k = 0;
  while (i < a.size() || k < b.size()) {
    double x = 0;
    double y = 0;
    std::int64_t time = 0;
    if (k == b.size() || (i < a.size() && a.time_ms[i] <= b.time_ms[k])) {
      time = a.time_ms[i];
      if (k < b.size() && b.time_ms[k] == time) y = b.value[k++];
      x = a.value[i++];
    } else {
      time = b.time_ms[k];
      y = b.value[k++];
    }
    if (const double v = apply(op, x, y); std::isfinite(v)) out.push(time, v);
  }
  return out;
}

}  // namespace

Value map_values(const Value& v, const std::function<double(double)>& f) {
  if (const auto* number = std::get_if<double>(&v)) return f(*number);
  if (const auto* series = std::get_if<Series>(&v)) return map_series(*series, f);
  Array out;
  for (const Series& s : std::get<Array>(v)) out.push_back(map_series(s, f));
  return out;
}

Result<Value> apply(Op op, const Value& a, const Value& b) {
  const auto* x = std::get_if<double>(&a);
  const auto* y = std::get_if<double>(&b);
  if (x != nullptr && y != nullptr) {
    const double v = apply(op, *x, *y);
    if (!std::isfinite(v)) return Error::invalid("Division by zero");
    return Value(v);
  }
  if (x != nullptr) return map_values(b, [&](double v) { return apply(op, *x, v); });
  if (y != nullptr) return map_values(a, [&](double v) { return apply(op, v, *y); });
  const auto* s = std::get_if<Series>(&a);
  const auto* t = std::get_if<Series>(&b);
  if (s != nullptr && t != nullptr) return Value(join(op, *s, *t));
  if (s == nullptr && t == nullptr) return Error::invalid("Invalid operand types: two arrays");
  Array out;
  for (const Series& each : s == nullptr ? std::get<Array>(a) : std::get<Array>(b)) {
    Series joined = s == nullptr ? join(op, each, *t) : join(op, *s, each);
    joined.label = each.label;
    joined.source = each.source;
    out.push_back(std::move(joined));
  }
  return Value(std::move(out));
}

// --- folds ----------------------------------------------------------------------------------------

namespace {

double stddev(const std::vector<double>& values) {
  if (values.empty()) return 0;
  double mean = 0;
  for (const double v : values) mean += v;
  mean /= static_cast<double>(values.size());
  double sum = 0;
  for (const double v : values) sum += (v - mean) * (v - mean);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

}  // namespace

double fold(Fold kind, const Series& s, const SlotGrid& grid) {
  if (kind == Fold::kCount) return static_cast<double>(s.size());
  if (s.empty()) return 0;
  switch (kind) {
    case Fold::kMin:
      return *std::min_element(s.value.begin(), s.value.end());
    case Fold::kMax:
      return *std::max_element(s.value.begin(), s.value.end());
    case Fold::kStddev:
      return stddev(s.value);
    case Fold::kAvg:
    case Fold::kSum:
    case Fold::kCount:
      break;
  }
  double sum = 0;
  for (const double v : s.value) sum += v;
  if (kind == Fold::kSum) return sum;
  // A missing slot counts as 0.
  return sum / static_cast<double>(std::max(grid.size(), s.size()));
}

Series fold(Fold kind, const Array& a) {
  Series out;
  if (!a.empty()) out.period_ms = a.front().period_ms;
  std::vector<std::int64_t> times;
  for (const Series& s : a) {
    out.period_ms = std::min(out.period_ms, s.period_ms);
    times.insert(times.end(), s.time_ms.begin(), s.time_ms.end());
  }
  std::sort(times.begin(), times.end());
  times.erase(std::unique(times.begin(), times.end()), times.end());
  struct Cell {
    double sum = 0;
    double min = 0;
    double max = 0;
    double n = 0;
  };
  std::vector<Cell> cells(times.size());
  std::vector<std::vector<double>> all(kind == Fold::kStddev ? times.size() : 0);
  for (const Series& s : a) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < s.size(); ++i) {
      while (times[at] < s.time_ms[i]) ++at;
      Cell& cell = cells[at];
      const double v = s.value[i];
      cell.min = cell.n > 0 ? std::min(cell.min, v) : v;
      cell.max = cell.n > 0 ? std::max(cell.max, v) : v;
      cell.sum += v;
      cell.n += 1;
      if (kind == Fold::kStddev) all[at].push_back(v);
    }
  }
  for (std::size_t i = 0; i < times.size(); ++i) {
    double v = 0;
    switch (kind) {
      case Fold::kAvg:
        v = cells[i].sum / static_cast<double>(a.size());
        break;
      case Fold::kSum:
        v = cells[i].sum;
        break;
      case Fold::kMin:
        v = cells[i].min;
        break;
      case Fold::kMax:
        v = cells[i].max;
        break;
      case Fold::kStddev:
        v = stddev(all[i]);
        break;
      case Fold::kCount:
        v = cells[i].n;
        break;
    }
    if (std::isfinite(v)) out.push(times[i], v);
  }
  return out;
}

// --- along time -------------------------------------------------------------------------------------

Series walk(Walk kind, const Series& s) {
  Series out = empty_like(s);
  double sum = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    double v = 0;
    if (kind == Walk::kRunningSum) {
      v = sum += s.value[i];
    } else {
      if (i == 0) continue;
      const double step = s.value[i] - s.value[i - 1];
      const double seconds = static_cast<double>(s.time_ms[i] - s.time_ms[i - 1]) / 1000;
      v = kind == Walk::kDiff ? step : kind == Walk::kRate ? step / seconds : seconds;
    }
    if (std::isfinite(v)) out.push(s.time_ms[i], v);
  }
  return out;
}

Series constant(double v, const SlotGrid& grid) {
  Series out;
  out.period_ms = grid.period_ms;
  for (std::size_t i = 0; i < grid.size(); ++i) out.push(grid.at(i), v);
  return out;
}

Series calendar(Part part, const SlotGrid& grid) {
  using namespace std::chrono;
  Series out;
  out.period_ms = grid.period_ms;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const sys_time<milliseconds> time{milliseconds(grid.at(i))};
    const auto day = floor<days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(floor<seconds>(time - day));
    double v = 0;
    switch (part) {
      case Part::kMinute:
        v = static_cast<double>(clock.minutes().count());
        break;
      case Part::kHour:
        v = static_cast<double>(clock.hours().count());
        break;
      case Part::kDay:
        v = weekday(day).iso_encoding();
        break;
      case Part::kDate:
        v = static_cast<unsigned>(date.day());
        break;
      case Part::kMonth:
        v = static_cast<unsigned>(date.month());
        break;
      case Part::kYear:
        v = static_cast<int>(date.year());
        break;
      case Part::kEpoch:
        v = static_cast<double>(floor<seconds>(time).time_since_epoch().count());
        break;
    }
    out.push(grid.at(i), v);
  }
  return out;
}

Series fill(const Series& s, Filling filling, double number, const Series* other, const SlotGrid& grid) {
  Series out = empty_like(s);
  std::size_t at = 0;
  std::size_t other_at = 0;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const std::int64_t time = grid.at(i);
    // Points off this grid (another period) are kept in their place.
    while (at < s.size() && s.time_ms[at] < time) {
      if (out.empty() || out.time_ms.back() < s.time_ms[at]) out.push(s.time_ms[at], s.value[at]);
      ++at;
    }
    if (at < s.size() && s.time_ms[at] == time) {
      out.push(time, s.value[at++]);
      continue;
    }
    switch (filling) {
      case Filling::kValue:
        out.push(time, number);
        break;
      case Filling::kSeries:
        while (other_at < other->size() && other->time_ms[other_at] < time) ++other_at;
        if (other_at < other->size() && other->time_ms[other_at] == time) out.push(time, other->value[other_at]);
        break;
      case Filling::kRepeat:
        if (at > 0) out.push(time, s.value[at - 1]);
        break;
      case Filling::kLinear:
        if (at > 0 && at < s.size()) {
          const double share = static_cast<double>(time - s.time_ms[at - 1]) /
                               static_cast<double>(s.time_ms[at] - s.time_ms[at - 1]);
          out.push(time, s.value[at - 1] + share * (s.value[at] - s.value[at - 1]));
        }
        break;
    }
  }
  for (; at < s.size(); ++at) out.push(s.time_ms[at], s.value[at]);
  return out;
}

Series choose(const Series& condition, const Value& yes, const Value* no) {
  Series out;
  out.period_ms = condition.period_ms;
  const auto lookup = [](const Value& v, std::int64_t time, std::size_t& at) -> std::optional<double> {
    if (const auto* number = std::get_if<double>(&v)) return *number;
    const Series& s = std::get<Series>(v);
    while (at < s.size() && s.time_ms[at] < time) ++at;
    if (at < s.size() && s.time_ms[at] == time) return s.value[at];
    return std::nullopt;
  };
  std::size_t yes_at = 0;
  std::size_t no_at = 0;
  for (std::size_t i = 0; i < condition.size(); ++i) {
    const std::int64_t time = condition.time_ms[i];
    if (condition.value[i] != 0)
      out.push(time, lookup(yes, time, yes_at).value_or(0));
    else if (no != nullptr)
      if (const auto v = lookup(*no, time, no_at)) out.push(time, *v);
  }
  return out;
}

}  // namespace fog::metric_math
