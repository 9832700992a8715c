// Alarm evaluation: from a window of datapoints to a state, its reason and the data behind it.
//
// Pure: no clock, no store. The caller fetches `evaluation_range()` slots, oldest first, and passes
// them with the state the alarm is in; evaluate() says which state it should be in and, for a change,
// the reason text and reason data (JSON) to show. "Keep" is a verdict with the old state.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/clock.h"

namespace fog::alarm_rules {

enum class State { kOk, kAlarm, kInsufficientData };
enum class MissingData { kMissing, kIgnore, kBreaching, kNotBreaching };
enum class Comparison {
  kGreaterOrEqual, kGreater, kLess, kLessOrEqual,
  kOutsideBand, kBelowBand, kAboveBand,  // against lower and upper of each slot
};

std::string_view to_string(State state);  // "OK", "ALARM", "INSUFFICIENT_DATA"
std::optional<State> parse_state(std::string_view text);
std::optional<Comparison> parse_comparison(std::string_view text);  // ComparisonOperator's spelling
std::optional<MissingData> parse_missing_data(std::string_view text);

// One period. Without a value nothing was published in it.
struct Slot {
  Timestamp start{};
  std::optional<double> value = std::nullopt;
  std::optional<double> sample_count = std::nullopt;  // of a single metric
  std::optional<double> lower = std::nullopt;         // of a band
  std::optional<double> upper = std::nullopt;
};

struct Rules {
  std::int64_t evaluation_periods = 1;                               // N
  std::optional<std::int64_t> datapoints_to_alarm = std::nullopt;    // M, N if absent
  MissingData missing_data = MissingData::kMissing;
  Comparison comparison = Comparison::kGreater;
  double threshold = 0;  // unused against a band
  // For the reason data only.
  std::int64_t period_seconds = 60;
  std::string statistic{};  // empty for expressions
  std::string unit{};
};

struct Verdict {
  State state = State::kInsufficientData;
  std::string reason{};
  std::string reason_data{};  // JSON
};

// E: how many slots to fetch so that late and missing datapoints do not decide alone.
inline std::int64_t evaluation_range(std::int64_t n) { return n + std::max<std::int64_t>(2, n / 3); }

// `breaching` per slot, oldest first; nothing where the datapoint is missing.
State decide(std::int64_t n, std::int64_t m, MissingData missing_data, State current,
             std::span<const std::optional<bool>> breaching);

Verdict evaluate(const Rules& rules, State current, std::span<const Slot> slots, Timestamp query_time);

// EvaluateLowSampleCountPercentile=ignore: too few samples for a percentile (0..100) to mean anything.
bool too_few_samples(double percentile, double samples);

// Number as the service prints it: shortest, at least one fraction digit, E notation when extreme.
std::string format_number(double value);
std::string format_reason_time(Timestamp t);  // 2021-11-10T02:45:55.640+0000

inline constexpr std::size_t kReasonCharsMax = 1023;
inline constexpr std::size_t kReasonDataCharsMax = 4000;

}  // namespace fog::alarm_rules
