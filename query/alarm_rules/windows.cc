#include "query/alarm_rules/windows.h"

namespace fog::alarm_rules {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::seconds;

seconds cadence(std::int64_t period_seconds, std::int64_t evaluation_periods) {
  if (period_seconds < 60) return seconds(10);
  if (period_seconds * evaluation_periods > 86'400) return seconds(3600);
  return seconds(60);
}

std::vector<Bucket> sliding_buckets(Timestamp t, std::int64_t period_seconds, std::int64_t n) {
  const std::int64_t grain_ms = period_seconds < 60 ? 10'000 : 60'000;
  const std::int64_t end_ms = to_ms(t) - to_ms(t) % grain_ms;
  std::vector<Bucket> out;
  out.reserve(static_cast<std::size_t>(n));
  for (std::int64_t k = n; k >= 1; --k) {
    out.push_back({from_ms(end_ms - k * period_seconds * 1000),
                   from_ms(end_ms - (k - 1) * period_seconds * 1000)});
  }
  return out;
}

bool wall_clock_period_allowed(std::int64_t period_seconds) {
  return period_seconds == 60 || period_seconds == 300 || period_seconds == 3600 ||
         period_seconds == 86'400 || period_seconds == 604'800;
}

std::vector<Bucket> wall_clock_buckets(Timestamp t, std::int64_t period_seconds, std::int64_t n,
                                       const TimeZone& zone) {
  std::vector<Bucket> out;
  if (period_seconds >= 86'400) {
    // Days and weeks are counted on the local calendar: one with a clock change is 23 or 25 hours.
    const bool week = period_seconds == 604'800;
    auto day = std::chrono::floor<days>(zone.to_local(t));
    if (week) day -= std::chrono::weekday(day) - std::chrono::Monday;
    const days step(week ? 7 : 1);
    for (std::int64_t k = n; k >= 1; --k) {
      out.push_back({zone.from_local(Timestamp(day - step * k)),
                     zone.from_local(Timestamp(day - step * (k - 1)))});
    }
    return out;
  }
  const seconds offset = zone.offset_at(t);
  const std::int64_t local_ms = to_ms(t + offset);
  const Timestamp end = from_ms(local_ms - local_ms % (period_seconds * 1000)) - offset;
  for (std::int64_t k = n; k >= 1; --k)
    out.push_back({end - seconds(period_seconds * k), end - seconds(period_seconds * (k - 1))});
  return out;
}

}  // namespace fog::alarm_rules
