#include "api/logs/schedule.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <vector>

namespace fog::logs {
namespace {

using namespace std::chrono;

constexpr std::string_view kMonths[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::string_view kDays[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};
constexpr days kHorizon{5 * 366};

bool number(std::string_view text, int& out) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  return !text.empty() && read.ec == std::errc() && read.ptr == text.data() + text.size();
}

// A number, or a name whose index counts from `first`.
template <std::size_t n>
bool value(std::string_view text, const std::array<std::string_view, n>& names, int first, int& out) {
  if (number(text, out)) return true;
  std::string upper(text);
  for (char& c : upper)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  for (std::size_t k = 0; k < n; ++k)
    if (upper == names[k]) {
      out = static_cast<int>(k) + first;
      return true;
    }
  return false;
}

// Sets the bits a field names: "*", "?", "5", "1-5", "MON,WED", "*/10", "3/5", "0-30/5".
template <std::size_t bits, std::size_t n>
bool field(std::string_view text, int low, int high, const std::array<std::string_view, n>& names, int first, std::bitset<bits>& out) {
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    if (comma != std::string_view::npos && comma + 1 == text.size()) return false;
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    int step = 1;
    const std::size_t slash = part.find('/');
    if (slash != std::string_view::npos && (!number(part.substr(slash + 1), step) || step < 1)) return false;
    part = part.substr(0, slash);
    int from = low, to = high;
    if (part != "*" && part != "?") {
      const std::size_t dash = part.find('-');
      if (!value(part.substr(0, dash), names, first, from)) return false;
      to = slash == std::string_view::npos ? from : high;
      if (dash != std::string_view::npos && !value(part.substr(dash + 1), names, first, to)) return false;
    }
    if (from < low || to > high || from > to) return false;
    for (int k = from; k <= to; k += step) out.set(static_cast<std::size_t>(k));
  }
  return out.any();
}

constexpr std::array<std::string_view, 0> kNoNames{};

}  // namespace

Result<Schedule> Schedule::parse(std::string_view expression, std::string_view timezone) {
  Schedule schedule;
  const Error bad = Error::invalid(fmt::format("Invalid schedule expression: {}", expression));
  auto zone = alarm_rules::TimeZone::find(timezone);
  if (!zone.ok()) return Error::invalid(fmt::format("Invalid timezone: {}", timezone));
  schedule.zone_ = std::move(zone).value();
  const auto inside = [&](std::string_view word) -> std::optional<std::string_view> {
    if (!expression.starts_with(word) || !expression.ends_with(')')) return std::nullopt;
    return expression.substr(word.size(), expression.size() - word.size() - 1);
  };
  std::vector<std::string_view> words;
  const auto split = [&](std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find(' ', at), text.size());
      if (end > at) words.push_back(text.substr(at, end - at));
      at = end + 1;
    }
  };
  if (const auto rate = inside("rate(")) {
    split(*rate);
    int count = 0;
    if (words.size() != 2 || !number(words[0], count) || count < 1 || count > 1'000'000) return bad;
    std::string unit(words[1]);
    if (unit.ends_with('s')) unit.pop_back();
    if (unit == "minute") schedule.rate_ = minutes(count);
    else if (unit == "hour") schedule.rate_ = hours(count);
    else if (unit == "day") schedule.rate_ = days(count);
    else return bad;
    return schedule;
  }
  const auto cron = inside("cron(");
  if (!cron) return bad;
  split(*cron);
  if (words.size() != 5 && words.size() != 6) return bad;
  std::array<std::string_view, 12> months;
  std::copy(std::begin(kMonths), std::end(kMonths), months.begin());
  std::array<std::string_view, 7> weekdays;
  std::copy(std::begin(kDays), std::end(kDays), weekdays.begin());
  if (!field(words[0], 0, 59, kNoNames, 0, schedule.minutes_) || !field(words[1], 0, 23, kNoNames, 0, schedule.hours_) ||
      !field(words[2], 1, 31, kNoNames, 0, schedule.days_) || !field(words[3], 1, 12, months, 1, schedule.months_))
    return bad;
  // With a year the days of the week are 1 (Sunday) to 7, as EventBridge counts them; without, 0 to 7.
  std::bitset<8> named;
  const bool six = words.size() == 6;
  if (!field(words[4], six ? 1 : 0, 7, weekdays, six ? 1 : 0, named)) return bad;
  for (std::size_t k = 0; k < 8; ++k)
    if (named.test(k)) schedule.weekdays_.set(six ? k - 1 : k % 7);
  schedule.any_day_ = words[2] == "*" || words[2] == "?";
  schedule.any_weekday_ = words[4] == "*" || words[4] == "?";
  if (six && words[5] != "*") {
    const std::size_t dash = words[5].find('-');
    int from = 0, to = 0;
    if (!number(words[5].substr(0, dash), from)) return bad;
    to = from;
    if (dash != std::string_view::npos && !number(words[5].substr(dash + 1), to)) return bad;
    if (from < 1970 || to > 2199 || from > to) return bad;
    schedule.years_ = {from, to};
  }
  return schedule;
}

bool Schedule::matches_day(sys_days day) const {
  const year_month_day date(day);
  const int year_number = static_cast<int>(date.year());
  if (years_ && (year_number < years_->first || year_number > years_->second)) return false;
  if (!months_.test(static_cast<unsigned>(date.month()))) return false;
  const bool by_day = days_.test(static_cast<unsigned>(date.day()));
  const bool by_weekday = weekdays_.test(weekday(day).c_encoding());
  if (any_day_) return by_weekday;
  if (any_weekday_) return by_day;
  return by_day || by_weekday;
}

std::optional<Timestamp> Schedule::next(Timestamp t, Timestamp anchor) const {
  if (rate_.count() > 0) {
    if (t < anchor) return anchor + rate_;
    return anchor + ((t - anchor) / rate_ + 1) * rate_;
  }
  const Timestamp local = floor<minutes>(zone_.to_local(t)) + minutes(1);
  for (sys_days day = floor<days>(local); day <= floor<days>(local) + kHorizon; day += days(1)) {
    if (!matches_day(day)) continue;
    for (int hour = 0; hour < 24; ++hour) {
      if (!hours_.test(static_cast<std::size_t>(hour))) continue;
      for (int minute = 0; minute < 60; ++minute) {
        if (!minutes_.test(static_cast<std::size_t>(minute))) continue;
        const Timestamp at = zone_.from_local(Timestamp(day) + hours(hour) + minutes(minute));
        if (at > t) return at;
      }
    }
  }
  return std::nullopt;
}

}  // namespace fog::logs
