// Windows: which periods an alarm looks at when it is evaluated, and how often that happens.
#pragma once

#include <vector>

#include "query/alarm_rules/time_zone.h"
#include "storage/base/clock.h"

namespace fog::alarm_rules {

struct Bucket {
  Timestamp start{};
  Timestamp end{};
  auto operator<=>(const Bucket&) const = default;
};

// How often an alarm of this shape is evaluated.
std::chrono::seconds cadence(std::int64_t period_seconds, std::int64_t evaluation_periods);

// The n buckets before `t`, oldest first. `t` is cut to the minute (to 10 s for short periods), so
// buckets slide with every evaluation and are not aligned to their period.
std::vector<Bucket> sliding_buckets(Timestamp t, std::int64_t period_seconds, std::int64_t n);

// The n complete calendar buckets before `t`, oldest first: minutes, 5 minutes, hours, days from
// local midnight, weeks from Monday 00:00.
std::vector<Bucket> wall_clock_buckets(Timestamp t, std::int64_t period_seconds, std::int64_t n,
                                       const TimeZone& zone);
bool wall_clock_period_allowed(std::int64_t period_seconds);

}  // namespace fog::alarm_rules
