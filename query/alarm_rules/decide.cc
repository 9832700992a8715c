#include "query/alarm_rules/evaluate.h"

namespace fog::alarm_rules {

std::string_view to_string(State state) {
  switch (state) {
    case State::kOk: return "OK";
    case State::kAlarm: return "ALARM";
    case State::kInsufficientData: return "INSUFFICIENT_DATA";
  }
  return "INSUFFICIENT_DATA";
}

std::optional<State> parse_state(std::string_view text) {
  if (text == "OK") return State::kOk;
  if (text == "ALARM") return State::kAlarm;
  if (text == "INSUFFICIENT_DATA") return State::kInsufficientData;
  return std::nullopt;
}

std::optional<Comparison> parse_comparison(std::string_view text) {
  if (text == "GreaterThanOrEqualToThreshold") return Comparison::kGreaterOrEqual;
  if (text == "GreaterThanThreshold") return Comparison::kGreater;
  if (text == "LessThanThreshold") return Comparison::kLess;
  if (text == "LessThanOrEqualToThreshold") return Comparison::kLessOrEqual;
  if (text == "LessThanLowerOrGreaterThanUpperThreshold") return Comparison::kOutsideBand;
  if (text == "LessThanLowerThreshold") return Comparison::kBelowBand;
  if (text == "GreaterThanUpperThreshold") return Comparison::kAboveBand;
  return std::nullopt;
}

std::optional<MissingData> parse_missing_data(std::string_view text) {
  if (text == "missing") return MissingData::kMissing;
  if (text == "ignore") return MissingData::kIgnore;
  if (text == "breaching") return MissingData::kBreaching;
  if (text == "notBreaching") return MissingData::kNotBreaching;
  return std::nullopt;
}

State decide(std::int64_t n, std::int64_t m, MissingData missing_data, State current,
             std::span<const std::optional<bool>> breaching) {
  std::int64_t k = 0, b = 0;
  for (const auto& point : breaching) {
    if (!point) continue;
    ++k;
    if (*point) ++b;
  }
  const auto alarm_if = [](bool condition) { return condition ? State::kAlarm : State::kOk; };

  if (k == 0) {
    switch (missing_data) {
      case MissingData::kMissing: return State::kInsufficientData;
      case MissingData::kIgnore: return current;
      case MissingData::kBreaching: return State::kAlarm;
      case MissingData::kNotBreaching: return State::kOk;
    }
  }
  if (k >= n) {
    // Enough real datapoints: the newest n decide and the treatment plays no part.
    std::int64_t seen = 0, newest_breaching = 0;
    for (auto point = breaching.rbegin(); point != breaching.rend() && seen < n; ++point) {
      if (!*point) continue;
      ++seen;
      if (**point) ++newest_breaching;
    }
    return alarm_if(newest_breaching >= m);
  }
  if (missing_data == MissingData::kBreaching) return alarm_if(b + (n - k) >= m);
  if (missing_data == MissingData::kNotBreaching) return alarm_if(b >= m);
  if (b >= m) return State::kAlarm;
  if (b < k) return State::kOk;
  if (missing_data == MissingData::kIgnore) return current;
  // All that arrived is breaching but fewer than m: alarm only if the oldest breaching datapoint is
  // at least m slots old, so that one late datapoint does not alarm prematurely.
  for (std::size_t i = 0; i < breaching.size(); ++i) {
    if (!breaching[i]) continue;
    const auto slots_ago = static_cast<std::int64_t>(breaching.size() - i);
    return slots_ago >= m ? State::kAlarm : current;
  }
  return current;
}

bool too_few_samples(double percentile, double samples) {
  const double q = percentile / 100;
  if (q >= 1 || q <= 0) return false;
  // A hair of slack: 1 - 0.99 is not exactly 0.01.
  const double needed = q >= 0.5 ? 10 / (1 - q) : 10 / q;
  return samples < needed * (1 - 1e-9);
}

}  // namespace fog::alarm_rules
