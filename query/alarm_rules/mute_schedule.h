// MuteSchedule: when a mute rule holds alarm actions back.
//
// "cron(min hour dom month dow)" recurs, "at(yyyy-MM-ddTHH:mm)" happens once; both on the clock of a
// time zone. Days of month and of week that are both restricted match if either does. Immutable.
#pragma once

#include <bitset>
#include <optional>
#include <string>
#include <string_view>

#include "query/alarm_rules/time_zone.h"
#include "query/alarm_rules/windows.h"
#include "storage/base/result.h"

namespace fog::alarm_rules {

class MuteSchedule {
 public:
  // `duration` is ISO-8601, PT1M to P15D.
  static Result<MuteSchedule> parse(std::string_view expression, std::string_view duration,
                                    std::string_view timezone);

  bool recurring() const { return !at_.has_value(); }
  // The window that contains `t`; of several the one that ends last.
  std::optional<Bucket> active_at(Timestamp t) const;
  // Start of the first window that begins after `t`, within the next five years.
  std::optional<Timestamp> next_start(Timestamp t) const;

 private:
  bool matches(Timestamp local_minute) const;

  TimeZone zone_;
  Millis duration_{0};
  std::optional<Timestamp> at_;  // absolute
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<8> weekdays_;
  bool any_day_ = false, any_weekday_ = false;
};

// "P1DT2H30M" in milliseconds; days, hours, minutes and seconds only.
std::optional<Millis> parse_iso_duration(std::string_view text);

}  // namespace fog::alarm_rules
