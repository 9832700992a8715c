// Series: what metric math computes with: points in time with a label; and the value of an
// expression: a scalar, one series, or an array of series.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace fog::metric_math {

struct Series {
  std::string label;            // of the source; empty for what was computed
  std::int64_t period_ms = 60'000;
  std::vector<std::int64_t> time_ms;  // ascending, multiples of the grid
  std::vector<double> value;
  int source = -1;  // the caller's number of the source metric; -1: none

  std::size_t size() const { return time_ms.size(); }
  bool empty() const { return time_ms.empty(); }
  void push(std::int64_t time, double v) {
    time_ms.push_back(time);
    value.push_back(v);
  }
};

using Array = std::vector<Series>;
using Value = std::variant<double, Series, Array>;

}  // namespace fog::metric_math
