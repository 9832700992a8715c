// TimeZone: offsets from UTC by name ("Europe/Berlin"), by number ("+05:30", "UTC+05:30") or "UTC".
//
// Named zones are read from the system's TZif files (RFC 8536, version 2), including the rule for
// the time after the last listed transition. Immutable; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/result.h"

namespace fog::alarm_rules {

class TimeZone {
 public:
  static Result<TimeZone> find(std::string_view name);
  static TimeZone utc() { return TimeZone{}; }

  std::chrono::seconds offset_at(Timestamp t) const;
  // The instant at which local clocks show `local` (ms since the epoch as if it were UTC). In a gap
  // the time after the jump, in an overlap the earlier one.
  Timestamp from_local(Timestamp local) const;
  Timestamp to_local(Timestamp t) const { return t + offset_at(t); }

 private:
  struct Transition {
    std::int64_t at_seconds = 0;
    std::int32_t offset = 0;
  };
  // One of the two yearly changes of a POSIX rule such as "CET-1CEST,M3.5.0,M10.5.0/3".
  struct Change {
    int month = 0, week = 0, weekday = 0;
    std::int32_t time_seconds = 7200;
  };
  static bool parse_rule(std::string_view text, TimeZone& zone);
  std::int64_t change_at(const Change& change, int year, std::int32_t offset_before) const;

  std::int32_t first_offset_ = 0;
  std::vector<Transition> transitions_;
  bool has_rule_ = false, has_summer_ = false;
  std::int32_t standard_ = 0, summer_ = 0;
  Change to_summer_{}, to_standard_{};
};

}  // namespace fog::alarm_rules
