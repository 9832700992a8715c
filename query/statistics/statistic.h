// Statistic: what CloudWatch computes from the observations of one period.
//
// Five basic statistics come from count, sum, minimum and maximum alone. Extended ones (percentiles,
// trimmed and winsorized means, trimmed counts and sums, percentile ranks, the interquartile mean)
// need the distribution of values; where it is unavailable there is no data point.
//
//   name  = "SampleCount" | "Average" | "Sum" | "Minimum" | "Maximum" | "IQM" | short | range
//   short = ("p"|"tm"|"wm"|"tc"|"ts") percentage
//   range = ("TM"|"WM"|"TC"|"TS") "(" [percentage "%"] ":" [percentage "%"] ")"
//         | ("TM"|"WM"|"TC"|"TS"|"PR") "(" [number] ":" [number] ")"       at least one bound
// Pure functions; any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/metric_store.h"

namespace fog {

struct Statistic {
  enum class Kind {
    kSampleCount,
    kSum,
    kAverage,
    kMinimum,
    kMaximum,
    kPercentile,       // high_percent
    kTrimmedMean,
    kWinsorizedMean,
    kTrimmedCount,
    kTrimmedSum,
    kPercentileRank,
  };
  Kind kind = Kind::kAverage;
  bool is_percent = false;     // bounds are percentages of ranks, else values
  std::optional<double> low;   // values: exclusive
  std::optional<double> high;  // values: inclusive
  std::string name;            // as it was written

  bool is_extended() const { return kind >= Kind::kPercentile; }
};

// Nothing when the name is not a statistic. Names are case-sensitive.
std::optional<Statistic> parse_statistic(std::string_view name);

// What was observed in one period.
struct Observed {
  double count = 0;
  double sum = 0;
  double min = 0;
  double max = 0;
  const Distribution* distribution = nullptr;  // may be null for basic statistics
};

// Nothing: no data point.
std::optional<double> compute(const Statistic& statistic, const Observed& observed);

// One value a slot that has a data point.
struct TimedValues {
  std::vector<std::int64_t> start_ms;
  std::vector<double> value;
};
TimedValues compute(const Statistic& statistic, const SlotColumns& columns);

}  // namespace fog
