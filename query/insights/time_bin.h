// Periods and time bins: `5m`, bin(), datefloor(), dateceil().
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fog::insights {

struct Period {
  enum class Unit : std::uint8_t { kMs, kSecond, kMinute, kHour, kDay, kWeek, kMonth, kQuarter, kYear };
  std::int64_t count = 0;
  Unit unit = Unit::kMs;
  // Milliseconds; months count 30 days, as rates and gaps need a length.
  std::int64_t ms() const;
};

// "5m", "1hr": count and unit in any case. Nothing when it is no period or the count is 0. Counts
// above the documented caps (ms 1000, s 60, m 60, h 24) are clamped when `capped`.
std::optional<Period> parse_period(std::string_view text, bool capped);

// The start of the bin that holds `ms`; `up` is the next start unless ms is one.
std::int64_t bin_floor(std::int64_t ms, const Period& period);
std::int64_t bin_ceil(std::int64_t ms, const Period& period);
std::int64_t bin_next(std::int64_t start, const Period& period);

}  // namespace fog::insights
