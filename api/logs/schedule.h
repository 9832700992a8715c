// Schedule: "cron(min hour day-of-month month day-of-week [year])" or "rate(n unit)", in a time zone.
#pragma once

#include <bitset>
#include <optional>
#include <string_view>

#include "query/alarm_rules/time_zone.h"
#include "storage/base/result.h"

namespace fog::logs {

class Schedule {
 public:
  // Error: invalid.
  static Result<Schedule> parse(std::string_view expression, std::string_view timezone);
  // The first instant after `t`; rates count from `anchor`. Nothing: none within five years.
  std::optional<Timestamp> next(Timestamp t, Timestamp anchor) const;

 private:
  bool matches_day(std::chrono::sys_days day) const;

  alarm_rules::TimeZone zone_;
  Millis rate_{0};  // 0: cron
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;  // 0: Sunday
  bool any_day_ = false, any_weekday_ = false;
  std::optional<std::pair<int, int>> years_;
};

}  // namespace fog::logs
