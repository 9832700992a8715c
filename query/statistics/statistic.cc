#include "query/statistics/statistic.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace fog {
namespace {

using Kind = Statistic::Kind;
using Weighted = Distribution::Weighted;

constexpr std::size_t kDecimalsMax = 10;

// digits [ "." digits{0,10} ], and an exponent where allowed.
std::optional<double> number(std::string_view text, bool exponent_allowed) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t from = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at - from;
  };
  if (digits() == 0) return std::nullopt;
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() > kDecimalsMax) return std::nullopt;
  }
  if (exponent_allowed && at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return std::nullopt;
  }
  if (at != text.size()) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

std::optional<double> percentage(std::string_view text) {
  const auto value = number(text, false);
  return value && *value <= 100 ? value : std::nullopt;
}

struct Prefix {
  std::string_view name;
  Kind kind;
};
constexpr Prefix kShort[] = {{"tm", Kind::kTrimmedMean},
                             {"wm", Kind::kWinsorizedMean},
                             {"tc", Kind::kTrimmedCount},
                             {"ts", Kind::kTrimmedSum},
                             {"p", Kind::kPercentile}};
constexpr Prefix kRanges[] = {{"TM(", Kind::kTrimmedMean},
                              {"WM(", Kind::kWinsorizedMean},
                              {"TC(", Kind::kTrimmedCount},
                              {"TS(", Kind::kTrimmedSum},
                              {"PR(", Kind::kPercentileRank}};
constexpr Prefix kBasic[] = {{"SampleCount", Kind::kSampleCount},
                             {"Average", Kind::kAverage},
                             {"Sum", Kind::kSum},
                             {"Minimum", Kind::kMinimum},
                             {"Maximum", Kind::kMaximum}};

// "low:high" inside the brackets.
bool parse_range(std::string_view body, Statistic& statistic) {
  const std::size_t colon = body.find(':');
  if (colon == std::string_view::npos) return false;
  int percents = 0;
  int absolutes = 0;
  const auto bound = [&](std::string_view text, std::optional<double>& into) {
    if (text.empty()) return true;
    const bool percent = text.back() == '%';
    if (percent) text.remove_suffix(1);
    ++(percent ? percents : absolutes);
    into = percent ? percentage(text) : number(text, true);
    return into.has_value();
  };
  if (!bound(body.substr(0, colon), statistic.low) ||
      !bound(body.substr(colon + 1), statistic.high))
    return false;
  if (percents + absolutes == 0 || (percents > 0 && absolutes > 0)) return false;
  statistic.is_percent = percents > 0;
  if (statistic.is_percent && statistic.kind == Kind::kPercentileRank) return false;
  const double low = statistic.low.value_or(statistic.is_percent ? 0 : -1);
  const double high = statistic.high.value_or(statistic.is_percent ? 100 : HUGE_VAL);
  return low < high;
}

}  // namespace

std::optional<Statistic> parse_statistic(std::string_view name) {
  Statistic statistic;
  statistic.name = name;
  for (const Prefix& basic : kBasic)
    if (name == basic.name) {
      statistic.kind = basic.kind;
      return statistic;
    }
  if (name == "IQM") {
    statistic.kind = Kind::kTrimmedMean;
    statistic.is_percent = true;
    statistic.low = 25;
    statistic.high = 75;
    return statistic;
  }
  for (const Prefix& range : kRanges)
    if (name.starts_with(range.name)) {
      if (name.back() != ')') return std::nullopt;
      statistic.kind = range.kind;
      const std::string_view body = name.substr(range.name.size());
      if (!parse_range(body.substr(0, body.size() - 1), statistic)) return std::nullopt;
      return statistic;
    }
  for (const Prefix& prefix : kShort)
    if (name.starts_with(prefix.name)) {
      const auto percent = percentage(name.substr(prefix.name.size()));
      if (!percent) return std::nullopt;
      statistic.kind = prefix.kind;
      statistic.is_percent = true;
      statistic.high = *percent;
      return statistic;
    }
  return std::nullopt;
}

namespace {

// Linear between the values at the two ranks around it; the value at rank k (0-based) is the first
// whose cumulative weight exceeds k.
double percentile(std::span<const Weighted> values, double n, double percent) {
  if (n <= 1) return values.front().value;
  const double rank = percent / 100 * (n - 1);
  const double floor = std::floor(rank);
  double seen = 0;
  std::size_t at = 0;
  while (at + 1 < values.size() && (seen += values[at].weight) <= floor) ++at;
  const double below = values[at].value;
  if (at + 1 == values.size() || rank == floor || seen > std::ceil(rank)) return below;
  double above_seen = seen;
  while (at + 1 < values.size()) {
    ++at;
    above_seen += values[at].weight;
    if (above_seen > std::ceil(rank)) break;
  }
  return below + (rank - floor) * (values[at].value - below);
}

// The same of arrivals not in order yet, where each has weight 1: selection instead of sorting. Nothing where some
// have another weight.
std::optional<double> selected_percentile(std::span<const Weighted> arrivals, double percent) {
  thread_local std::vector<double> values;
  values.clear();
  for (const Weighted& v : arrivals) {
    if (v.weight != 1) return std::nullopt;
    values.push_back(v.value);
  }
  const double rank = percent / 100 * static_cast<double>(values.size() - 1);
  const double floor = std::floor(rank);
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(floor);
  std::nth_element(values.begin(), at, values.end());
  if (rank == floor || at + 1 == values.end()) return *at;
  return *at + (rank - floor) * (*std::min_element(at + 1, values.end()) - *at);
}

struct Kept {
  double weight = 0;
  double sum = 0;
};

Kept keep_ranks(std::span<const Weighted> values, double low, double high) {
  Kept kept;
  double seen = 0;
  for (const Weighted& v : values) {
    const double overlap = std::min(seen + v.weight, high) - std::max(seen, low);
    if (overlap > 0) {
      kept.weight += overlap;
      kept.sum += v.value * overlap;
    }
    seen += v.weight;
  }
  return kept;
}

Kept keep_values(std::span<const Weighted> values, double low, double high) {
  Kept kept;
  for (const Weighted& v : values)
    if (v.value > low && v.value <= high) {
      kept.weight += v.weight;
      kept.sum += v.value * v.weight;
    }
  return kept;
}

std::optional<double> compute_extended(const Statistic& statistic, std::span<const Weighted> values) {
  if (values.empty()) return std::nullopt;
  double n = 0;
  for (const Weighted& v : values) n += v.weight;
  if (statistic.kind == Kind::kPercentile) return percentile(values, n, *statistic.high);

  const double low = statistic.low.value_or(statistic.is_percent ? 0 : -HUGE_VAL);
  const double high = statistic.high.value_or(statistic.is_percent ? 100 : HUGE_VAL);
  const Kept kept = statistic.is_percent ? keep_ranks(values, low * n / 100, high * n / 100)
                                         : keep_values(values, low, high);
  switch (statistic.kind) {
    case Kind::kTrimmedCount:
      return kept.weight;
    case Kind::kTrimmedSum:
      return kept.sum;
    case Kind::kPercentileRank:
      return 100 * kept.weight / n;
    case Kind::kTrimmedMean:
      if (!(kept.weight > 0)) return std::nullopt;
      return kept.sum / kept.weight;
    case Kind::kWinsorizedMean: {
      if (statistic.is_percent)
        return (kept.sum + low * n / 100 * percentile(values, n, low) +
                (1 - high / 100) * n * percentile(values, n, high)) /
               n;
      double sum = 0;
      for (const Weighted& v : values)
        sum += v.weight * (v.value <= low ? low : v.value > high ? high : v.value);
      return sum / n;
    }
    case Kind::kPercentile:
    case Kind::kSampleCount:
    case Kind::kSum:
    case Kind::kAverage:
    case Kind::kMinimum:
    case Kind::kMaximum:
      break;
  }
  return std::nullopt;
}

}  // namespace

std::optional<double> compute(const Statistic& statistic, const Observed& observed) {
  if (!(observed.count > 0)) return std::nullopt;
  switch (statistic.kind) {
    case Kind::kSampleCount:
      return observed.count;
    case Kind::kSum:
      return observed.sum;
    case Kind::kAverage:
      return observed.sum / observed.count;
    case Kind::kMinimum:
      return observed.min;
    case Kind::kMaximum:
      return observed.max;
    case Kind::kPercentile:
    case Kind::kTrimmedMean:
    case Kind::kWinsorizedMean:
    case Kind::kTrimmedCount:
    case Kind::kTrimmedSum:
    case Kind::kPercentileRank:
      break;
  }
  if (observed.distribution == nullptr || !observed.distribution->available()) return std::nullopt;
  if (statistic.kind == Kind::kPercentile && !observed.distribution->is_sorted())
    if (const auto value = selected_percentile(observed.distribution->arrivals(), *statistic.high)) return value;
  thread_local std::vector<Weighted> scratch;
  const auto value = compute_extended(statistic, observed.distribution->weighted(scratch));
  return value && std::isfinite(*value) ? value : std::nullopt;
}

TimedValues compute(const Statistic& statistic, const SlotColumns& columns) {
  TimedValues out;
  out.start_ms.reserve(columns.size());
  out.value.reserve(columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const Observed observed{columns.count[i], columns.sum[i], columns.min[i], columns.max[i],
                            columns.distribution.empty() ? nullptr : &columns.distribution[i]};
    if (const auto value = compute(statistic, observed)) {
      out.start_ms.push_back(columns.start_ms[i]);
      out.value.push_back(*value);
    }
  }
  return out;
}

}  // namespace fog
