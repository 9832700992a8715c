#include "query/statistics/anomaly_model.h"

#include <gtest/gtest.h>

namespace fog {
namespace {

constexpr std::int64_t kHour = 3'600'000;
constexpr std::int64_t kMonday = 1'767'571'200'000;  // 2026-01-05T00:00:00Z

// Two weeks of hours: a value per hour of the day, twice as much at the week-end.
AnomalyModel trained(AnomalyModel::Options options = {}) {
  std::vector<std::int64_t> t;
  std::vector<double> v;
  for (int h = 0; h < 14 * 24; ++h) {
    t.push_back(kMonday + h * kHour);
    const bool week_end = h / 24 % 7 >= 5;
    v.push_back((h % 24 + 1) * (week_end ? 2 : 1) + (h / 168));  // the second week is one higher
  }
  return AnomalyModel::train(t, v, std::move(options));
}

TEST(AnomalyModel, knows_the_hour_of_the_week) {
  const auto model = trained();
  const auto monday = model.bounds(kMonday + 28 * 24 * kHour + 5 * kHour, 2);
  ASSERT_TRUE(monday);
  EXPECT_DOUBLE_EQ(monday->upper, 6.5 + 2 * 0.5);
  EXPECT_DOUBLE_EQ(monday->lower, 6.5 - 2 * 0.5);
  const auto sunday = model.bounds(kMonday + (28 + 6) * 24 * kHour + 5 * kHour, 1);
  EXPECT_DOUBLE_EQ(sunday->upper, 12.5 + 0.5);
}

TEST(AnomalyModel, lower_bound_is_not_negative_where_no_value_was) {
  EXPECT_EQ(trained().bounds(kMonday, 100)->lower, 0);
}

TEST(AnomalyModel, falls_back_to_the_day_and_then_to_everything) {
  const std::int64_t t[] = {kMonday, kMonday + 24 * kHour, kMonday + 25 * kHour};
  const double v[] = {10, 20, 60};
  const auto model = AnomalyModel::train(t, v, {});
  EXPECT_DOUBLE_EQ(model.bounds(kMonday + 48 * kHour, 0)->upper, 15);           // hour 0 of any day
  EXPECT_DOUBLE_EQ(model.bounds(kMonday + 48 * kHour + 7 * kHour, 0)->upper, 30);  // all
}

TEST(AnomalyModel, excluded_ranges_and_time_zones_count) {
  AnomalyModel::Options options;
  options.excluded.emplace_back(kMonday, kMonday + 7 * 24 * kHour);
  EXPECT_EQ(trained(options).points(), 168u);
  AnomalyModel::Options zone;
  zone.utc_offset_s = [](std::int64_t) { return 3600; };
  // The hours keep their values, so the same instant has the same bounds in any zone.
  EXPECT_DOUBLE_EQ(trained(zone).bounds(kMonday + 14 * 24 * kHour, 2)->upper, trained().bounds(kMonday + 14 * 24 * kHour, 2)->upper);
}

TEST(AnomalyModel, needs_two_points) {
  const std::int64_t t[] = {kMonday};
  const double v[] = {1};
  EXPECT_FALSE(AnomalyModel::train(t, v, {}).bounds(kMonday, 2));
  EXPECT_FALSE(AnomalyModel::train({}, {}, {}).bounds(kMonday, 2));
}

}  // namespace
}  // namespace fog
