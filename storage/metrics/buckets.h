// Buckets: which file of a tier a time belongs to. Tier 1 s: an hour; 60 s and 300 s: a day (UTC);
// 3600 s: a month. Pure functions.
#pragma once

#include <chrono>
#include <cstdint>

#include "storage/metrics/head.h"

namespace fog::metrics {

inline std::int64_t floor_to(std::int64_t value, std::int64_t unit) {
  const std::int64_t rest = value % unit;
  return value - (rest < 0 ? rest + unit : rest);
}

inline std::int64_t month_start_s(std::int64_t time_s, int months_on) {
  using namespace std::chrono;
  const year_month_day day(sys_days(days(floor_to(time_s, 86400) / 86400)));
  const auto first = year_month(day.year(), day.month()) + months(months_on);
  return sys_days(first / 1).time_since_epoch().count() * 86400ll;
}

inline std::int64_t bucket_start_s(Tier tier, std::int64_t time_s) {
  switch (tier) {
    case Tier::k1s:
      return floor_to(time_s, 3600);
    case Tier::k60s:
    case Tier::k300s:
      return floor_to(time_s, 86400);
    case Tier::k3600s:
      return month_start_s(time_s, 0);
  }
  return 0;
}

inline std::int64_t bucket_end_s(Tier tier, std::int64_t start_s) {
  switch (tier) {
    case Tier::k1s:
      return start_s + 3600;
    case Tier::k60s:
    case Tier::k300s:
      return start_s + 86400;
    case Tier::k3600s:
      return month_start_s(start_s, 1);
  }
  return 0;
}

inline std::int64_t tier_width_ms(Tier tier) { return kTierWidthMs[static_cast<std::size_t>(tier)]; }

struct BucketKey {
  Tier tier;
  std::int64_t start_s;
  auto operator<=>(const BucketKey&) const = default;
};

}  // namespace fog::metrics
