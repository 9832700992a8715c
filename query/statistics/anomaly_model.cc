#include "query/statistics/anomaly_model.h"

#include <algorithm>
#include <cmath>

namespace fog {
namespace {

constexpr std::int64_t kHourS = 3600;
// The first of January 1970 was a Thursday; weeks here begin on Monday.
constexpr std::int64_t kMondayShiftS = 3 * 86400;

}  // namespace

// Welford's method: one pass, no cancellation.
void AnomalyModel::Moments::add(double v) {
  ++n;
  const double delta = v - mean;
  mean += delta / static_cast<double>(n);
  m2 += delta * (v - mean);
}

std::size_t AnomalyModel::hour_of_week(std::int64_t time_ms) const {
  std::int64_t seconds = time_ms / 1000 + kMondayShiftS;
  if (options_.utc_offset_s) seconds += options_.utc_offset_s(time_ms);
  const std::int64_t week = 168 * kHourS;
  return static_cast<std::size_t>(((seconds % week) + week) % week / kHourS);
}

AnomalyModel AnomalyModel::train(std::span<const std::int64_t> time_ms, std::span<const double> value,
                                 Options options) {
  AnomalyModel model;
  model.options_ = std::move(options);
  for (std::size_t i = 0; i < time_ms.size(); ++i) {
    const std::int64_t t = time_ms[i];
    const bool excluded = std::any_of(model.options_.excluded.begin(), model.options_.excluded.end(),
                                      [t](const auto& range) { return range.first <= t && t < range.second; });
    if (excluded) continue;
    const std::size_t hour = model.hour_of_week(t);
    model.week_[hour].add(value[i]);
    model.day_[hour % 24].add(value[i]);
    if (model.all_.n == 0) model.first_ms_ = t;
    model.last_ms_ = t;
    model.all_.add(value[i]);
    model.has_negative_ = model.has_negative_ || value[i] < 0;
  }
  return model;
}

std::optional<AnomalyModel::Bounds> AnomalyModel::bounds(std::int64_t time_ms, double width) const {
  if (all_.n < 2) return std::nullopt;
  const std::size_t hour = hour_of_week(time_ms);
  const Moments& m = week_[hour].n >= 2 ? week_[hour] : day_[hour % 24].n >= 2 ? day_[hour % 24] : all_;
  const double deviation = std::sqrt(m.m2 / static_cast<double>(m.n));
  Bounds bounds{m.mean + width * deviation, m.mean - width * deviation};
  if (!has_negative_) bounds.lower = std::max(0.0, bounds.lower);
  return bounds;
}

}  // namespace fog
