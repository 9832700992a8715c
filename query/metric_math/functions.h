// Kernels of metric math: pure functions over numbers, series and arrays.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "query/metric_math/ast.h"
#include "query/metric_math/series.h"
#include "storage/base/result.h"

namespace fog::metric_math {

// The slots of a period in the range of a request.
struct SlotGrid {
  std::int64_t first_ms = 0;
  std::int64_t end_ms = 0;
  std::int64_t period_ms = 60'000;

  std::size_t size() const {
    return end_ms <= first_ms ? 0 : static_cast<std::size_t>((end_ms - first_ms + period_ms - 1) / period_ms);
  }
  std::int64_t at(std::size_t i) const { return first_ms + static_cast<std::int64_t>(i) * period_ms; }
};
SlotGrid grid_of(std::int64_t start_ms, std::int64_t end_ms, std::int64_t period_ms);

// NaN for a division by zero and the like; the point is then dropped.
double apply(Op op, double a, double b);
// Error: two arrays; a division of scalars by zero.
Result<Value> apply(Op op, const Value& a, const Value& b);
Value map_values(const Value& v, const std::function<double(double)>& f);

enum class Fold { kAvg, kSum, kMin, kMax, kStddev, kCount };
double fold(Fold fold, const Series& s, const SlotGrid& grid);  // a series to a number
Series fold(Fold fold, const Array& a);                         // an array to a series, time by time

enum class Walk { kDiff, kRate, kDiffTime, kRunningSum };
Series walk(Walk walk, const Series& s);

enum class Part { kMinute, kHour, kDay, kDate, kMonth, kYear, kEpoch };
Series calendar(Part part, const SlotGrid& grid);
Series constant(double v, const SlotGrid& grid);

enum class Filling { kValue, kSeries, kRepeat, kLinear };
Series fill(const Series& s, Filling filling, double number, const Series* other, const SlotGrid& grid);

Series choose(const Series& condition, const Value& yes, const Value* no);

}  // namespace fog::metric_math
