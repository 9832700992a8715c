// AnomalyModel: what a metric usually looks like at this hour of the week.
//
// Mean and standard deviation per hour of the week; where an hour has fewer than two points, per hour
// of the day; else over everything. A value, once trained; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace fog {

class AnomalyModel {
 public:
  struct Options {
    // Start inclusive, end exclusive, in ms.
    std::vector<std::pair<std::int64_t, std::int64_t>> excluded;
    // Seconds east of UTC at a time in ms; absent: UTC.
    std::function<std::int64_t(std::int64_t)> utc_offset_s;
  };
  static AnomalyModel train(std::span<const std::int64_t> time_ms, std::span<const double> value, Options options);

  std::size_t points() const { return all_.n; }
  std::int64_t span_ms() const { return points() == 0 ? 0 : last_ms_ - first_ms_; }
  struct Bounds {
    double upper = 0;
    double lower = 0;
  };
  // Nothing with fewer than two points of training. The lower bound stays at 0 or above when no
  // training value was negative.
  std::optional<Bounds> bounds(std::int64_t time_ms, double width) const;

 private:
  struct Moments {
    std::size_t n = 0;
    double mean = 0;
    double m2 = 0;
    void add(double v);
  };
  std::size_t hour_of_week(std::int64_t time_ms) const;

  Options options_;
  std::array<Moments, 168> week_{};
  std::array<Moments, 24> day_{};
  Moments all_;
  bool has_negative_ = false;
  std::int64_t first_ms_ = 0;
  std::int64_t last_ms_ = 0;
};

}  // namespace fog
