#include "api/control/iso8601.h"

#include <fmt/format.h>

namespace fog {
namespace {

// Reads exactly `digits` digits.
bool take_number(std::string_view& text, std::size_t digits, int& number) {
  if (text.size() < digits) return false;
  number = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return true;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::optional<Timestamp> parse_iso8601(std::string_view text) {
  using namespace std::chrono;
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0, ms = 0;
  if (!take_number(text, 4, y) || !take(text, '-') || !take_number(text, 2, mo) || !take(text, '-') || !take_number(text, 2, d)) {
    return std::nullopt;
  }
  const year_month_day date{year(y), month(static_cast<unsigned>(mo)), day(static_cast<unsigned>(d))};
  if (!date.ok()) return std::nullopt;
  minutes zone{0};
  if (take(text, 'T') || take(text, ' ')) {
    if (!take_number(text, 2, h) || !take(text, ':') || !take_number(text, 2, mi)) return std::nullopt;
    if (take(text, ':')) {
      if (!take_number(text, 2, s)) return std::nullopt;
      if (take(text, '.')) {
        int scale = 100;
        std::size_t digits = 0;
        for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; ++digits, scale /= 10) {
          ms += (text.front() - '0') * scale;
          text.remove_prefix(1);
        }
        if (digits == 0) return std::nullopt;
      }
    }
    if (h > 23 || mi > 59 || s > 59) return std::nullopt;
    if (!text.empty() && (text.front() == '+' || text.front() == '-')) {
      const bool west = text.front() == '-';
      text.remove_prefix(1);
      int zone_hours = 0, zone_minutes = 0;
      if (!take_number(text, 2, zone_hours)) return std::nullopt;
      take(text, ':');
      if (!take_number(text, 2, zone_minutes) || zone_hours > 14 || zone_minutes > 59) return std::nullopt;
      zone = hours(zone_hours) + minutes(zone_minutes);
      if (west) zone = -zone;
    } else {
      take(text, 'Z');
    }
  }
  if (!text.empty()) return std::nullopt;
  return Timestamp(sys_days(date) + hours(h) + minutes(mi) + seconds(s) + milliseconds(ms) - zone);
}

std::string format_iso8601(Timestamp time) {
  using namespace std::chrono;
  const auto days_part = floor<days>(time);
  const year_month_day date(days_part);
  const hh_mm_ss clock(time - days_part);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

}  // namespace fog
