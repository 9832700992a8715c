#include "query/alarm_rules/mute_schedule.h"

#include <charconv>
#include <span>

namespace fog::alarm_rules {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;

constexpr std::string_view kMonths[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                        "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::string_view kDays[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

std::optional<int> number(std::string_view text, std::span<const std::string_view> names, int first_name) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (text.size() == 3 && std::equal(text.begin(), text.end(), names[i].begin(),
                                       [](char a, char b) { return (a & ~32) == b; }))
      return static_cast<int>(i) + first_name;
  }
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "*", "5", "1-4", "1,3,5-7".
template <std::size_t N>
bool parse_field(std::string_view text, int low, int high, std::span<const std::string_view> names,
                 int first_name, std::bitset<N>& out) {
  if (text == "*") {
    for (int i = low; i <= high; ++i) out.set(static_cast<std::size_t>(i));
    return true;
  }
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    const std::size_t dash = part.find('-');
    const auto from = number(part.substr(0, dash), names, first_name);
    const auto to = dash == std::string_view::npos ? from : number(part.substr(dash + 1), names, first_name);
    if (!from || !to || *from < low || *to > high || *from > *to) return false;
    for (int i = *from; i <= *to; ++i) out.set(static_cast<std::size_t>(i));
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

std::optional<Timestamp> parse_local_minute(std::string_view text) {  // yyyy-MM-ddTHH:mm
  if (text.size() != 16 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':')
    return std::nullopt;
  const auto part = [&](std::size_t at, std::size_t n) {
    return number(text.substr(at, n), {}, 0).value_or(-1);
  };
  const std::chrono::year_month_day date(std::chrono::year(part(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(part(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(part(8, 2))));
  const int hour = part(11, 2), minute = part(14, 2);
  if (!date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59) return std::nullopt;
  return Timestamp(std::chrono::sys_days(date) + hours(hour) + minutes(minute));
}

}  // namespace

std::optional<Millis> parse_iso_duration(std::string_view text) {
  if (!text.starts_with('P') || text.size() < 3) return std::nullopt;
  text.remove_prefix(1);
  bool time = false;
  std::int64_t seconds = 0;
  bool any = false;
  while (!text.empty()) {
    if (text.front() == 'T') {
      if (time) return std::nullopt;
      time = true;
      text.remove_prefix(1);
      continue;
    }
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || value < 0 || value > 1'000'000'000 || end == text.data() + text.size())
      return std::nullopt;
    const char unit = *end;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
    std::int64_t scale = 0;
    if (!time && unit == 'D') scale = 86'400;
    else if (!time && unit == 'W') scale = 7 * 86'400;
    else if (time && unit == 'H') scale = 3600;
    else if (time && unit == 'M') scale = 60;
    else if (time && unit == 'S') scale = 1;
    else return std::nullopt;
    seconds += value * scale;
    any = true;
  }
  if (!any) return std::nullopt;
  return Millis(seconds * 1000);
}

Result<MuteSchedule> MuteSchedule::parse(std::string_view expression, std::string_view duration,
                                         std::string_view timezone) {
  MuteSchedule out;
  const auto length = parse_iso_duration(duration);
  if (!length || *length < minutes(1) || *length > days(15))
    return Error::invalid("Duration must be an ISO-8601 duration between PT1M and P15D");
  out.duration_ = *length;
  auto zone = TimeZone::find(timezone.empty() ? "UTC" : timezone);
  if (!zone.ok()) return Error::invalid("Timezone is not valid");
  out.zone_ = std::move(zone).value();

  const auto inner = [&](std::string_view name) -> std::optional<std::string_view> {
    if (!expression.starts_with(name) || !expression.ends_with(')')) return std::nullopt;
    return expression.substr(name.size(), expression.size() - name.size() - 1);
  };
  if (const auto once = inner("at(")) {
    const auto local = parse_local_minute(*once);
    if (!local) return Error::invalid("Expression is not valid: at(yyyy-MM-ddTHH:mm) expected");
    out.at_ = out.zone_.from_local(*local);
    return out;
  }
  const auto cron = inner("cron(");
  if (!cron) return Error::invalid("Expression is not valid: cron(...) or at(...) expected");
  std::vector<std::string_view> fields;
  std::string_view rest = *cron;
  while (!rest.empty()) {
    const std::size_t space = rest.find(' ');
    if (space != 0) fields.push_back(rest.substr(0, space));
    if (space == std::string_view::npos) break;
    rest.remove_prefix(space + 1);
  }
  if (fields.size() != 5 || !parse_field(fields[0], 0, 59, {}, 0, out.minutes_) ||
      !parse_field(fields[1], 0, 23, {}, 0, out.hours_) ||
      !parse_field(fields[2], 1, 31, {}, 0, out.days_) ||
      !parse_field(fields[3], 1, 12, kMonths, 1, out.months_) ||
      !parse_field(fields[4], 0, 7, kDays, 0, out.weekdays_))
    return Error::invalid("Expression is not valid: cron(minutes hours day-of-month month day-of-week) expected");
  if (out.weekdays_[7]) out.weekdays_.set(0);
  out.any_day_ = fields[2] == "*";
  out.any_weekday_ = fields[4] == "*";
  return out;
}

bool MuteSchedule::matches(Timestamp local_minute) const {
  const auto day = std::chrono::floor<days>(local_minute);
  const std::chrono::year_month_day date(day);
  if (!months_[static_cast<unsigned>(date.month())]) return false;
  const bool by_day = days_[static_cast<unsigned>(date.day())];
  const bool by_weekday = weekdays_[std::chrono::weekday(day).c_encoding()];
  if (any_day_ || any_weekday_ ? !(by_day && by_weekday) : !(by_day || by_weekday)) return false;
  const std::chrono::hh_mm_ss time(local_minute - day);
  return hours_[static_cast<std::size_t>(time.hours().count())] &&
         minutes_[static_cast<std::size_t>(time.minutes().count())];
}

std::optional<Timestamp> MuteSchedule::next_start(Timestamp t) const {
  if (at_) return *at_ > t ? std::optional(*at_) : std::nullopt;
  Timestamp local = std::chrono::floor<minutes>(zone_.to_local(t)) + minutes(1);
  const Timestamp last = local + days(5 * 366);
  while (local < last) {
    const auto day = std::chrono::floor<days>(local);
    // Whole days and hours that cannot match are stepped over.
    const std::chrono::year_month_day date(day);
    const bool by_day = days_[static_cast<unsigned>(date.day())];
    const bool by_weekday = weekdays_[std::chrono::weekday(day).c_encoding()];
    const bool day_fits = months_[static_cast<unsigned>(date.month())] &&
                          (any_day_ || any_weekday_ ? by_day && by_weekday : by_day || by_weekday);
    if (!day_fits) {
      local = day + days(1);
      continue;
    }
    const auto hour = std::chrono::duration_cast<hours>(local - day);
    if (!hours_[static_cast<std::size_t>(hour.count())]) {
      local = day + hour + hours(1);
      continue;
    }
    if (matches(local)) {
      const Timestamp start = zone_.from_local(local);
      if (start > t) return start;
    }
    local += minutes(1);
  }
  return std::nullopt;
}

std::optional<Bucket> MuteSchedule::active_at(Timestamp t) const {
  if (at_) {
    const Bucket window{*at_, *at_ + duration_};
    return window.start <= t && t < window.end ? std::optional(window) : std::nullopt;
  }
  // Of windows with one length the latest start ends last.
  std::optional<Bucket> found;
  Timestamp from = t - duration_ - Millis(1);
  while (const auto start = next_start(from)) {
    if (*start > t) break;
    if (t < *start + duration_) found = Bucket{*start, *start + duration_};
    from = *start;
  }
  return found;
}

}  // namespace fog::alarm_rules
