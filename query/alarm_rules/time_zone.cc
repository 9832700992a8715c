#include "query/alarm_rules/time_zone.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace fog::alarm_rules {
namespace {

std::int64_t big_endian(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value = (value << 8) | static_cast<unsigned char>(bytes[at + i]);
  if (size == 4) return static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
  return static_cast<std::int64_t>(value);
}

// "[+|-]hh[:mm[:ss]]" at the front of `text`, in seconds.
bool take_offset(std::string_view& text, std::int32_t& out) {
  bool negative = false;
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  std::int32_t seconds = 0, unit = 3600;
  for (int part = 0; part < 3; ++part) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || value < 0 || value > 200) return false;
    seconds += value * unit;
    unit /= 60;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.empty() || text.front() != ':') break;
    text.remove_prefix(1);
  }
  out = negative ? -seconds : seconds;
  return true;
}

bool skip_abbreviation(std::string_view& text) {
  const std::size_t before = text.size();
  if (text.starts_with('<')) {
    const std::size_t close = text.find('>');
    if (close == std::string_view::npos) return false;
    text.remove_prefix(close + 1);
    return true;
  }
  while (!text.empty() && ((text.front() | 32) >= 'a' && (text.front() | 32) <= 'z')) text.remove_prefix(1);
  return text.size() != before;
}

// "Mm.w.d[/time]"; the Julian forms are not used by any zone of today.
bool take_change(std::string_view& text, int& month, int& week, int& weekday, std::int32_t& time) {
  if (!text.starts_with(",M")) return false;
  text.remove_prefix(2);
  int* const parts[] = {&month, &week, &weekday};
  for (int i = 0; i < 3; ++i) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *parts[i]);
    if (error != std::errc{}) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (i < 2) {
      if (!text.starts_with('.')) return false;
      text.remove_prefix(1);
    }
  }
  time = 7200;
  if (text.starts_with('/')) {
    text.remove_prefix(1);
    if (!take_offset(text, time)) return false;
  }
  return month >= 1 && month <= 12 && week >= 1 && week <= 5 && weekday >= 0 && weekday <= 6;
}

bool safe_zone_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name.front() == '/' || name.find("..") != std::string_view::npos)
    return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
           c == '_' || c == '-' || c == '+';
  });
}

}  // namespace

bool TimeZone::parse_rule(std::string_view text, TimeZone& zone) {
  std::int32_t offset = 0;
  if (!skip_abbreviation(text) || !take_offset(text, offset)) return false;
  zone.standard_ = -offset;  // POSIX counts west as positive
  zone.has_rule_ = true;
  if (text.empty()) return true;
  if (!skip_abbreviation(text)) return false;
  zone.summer_ = zone.standard_ + 3600;
  if (!text.starts_with(',')) {
    if (!take_offset(text, offset)) return false;
    zone.summer_ = -offset;
  }
  auto& a = zone.to_summer_;
  auto& b = zone.to_standard_;
  zone.has_summer_ = take_change(text, a.month, a.week, a.weekday, a.time_seconds) &&
                     take_change(text, b.month, b.week, b.weekday, b.time_seconds);
  return true;
}

Result<TimeZone> TimeZone::find(std::string_view name) {
  TimeZone zone;
  if (name == "UTC" || name == "GMT" || name == "Z" || name == "Etc/UTC") return zone;
  std::string_view number = name;
  if (number.starts_with("UTC") || number.starts_with("GMT")) number.remove_prefix(3);
  if (!number.empty() && (number.front() == '+' || number.front() == '-')) {
    std::int32_t offset = 0;
    if (number.size() == 6 && number[3] == ':' && take_offset(number, offset) && number.empty() &&
        offset % 300 == 0 && offset >= -18 * 3600 && offset <= 18 * 3600) {
      zone.first_offset_ = offset;
      return zone;
    }
    return Error::invalid("unknown time zone");
  }
  if (!safe_zone_name(name)) return Error::invalid("unknown time zone");
  const std::filesystem::path path = "/usr/share/zoneinfo/" + std::string(name);
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return Error::invalid("unknown time zone");  // "Europe" is a folder
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  constexpr std::size_t kHeader = 44;
  if (bytes.size() < kHeader || bytes.substr(0, 4) != "TZif" || bytes[4] < '2')
    return Error::invalid("unknown time zone");
  struct Counts {
    std::size_t isutc, isstd, leap, time, type, chars;
  };
  const auto counts_at = [&](std::size_t at) {
    const auto n = [&](std::size_t i) { return static_cast<std::size_t>(big_endian(bytes, at + 20 + 4 * i, 4)); };
    return Counts{n(0), n(1), n(2), n(3), n(4), n(5)};
  };
  // The version 1 block comes first and is skipped; the 64-bit block follows with its own header.
  const Counts v1 = counts_at(0);
  const std::size_t second =
      kHeader + v1.time * 5 + v1.type * 6 + v1.chars + v1.leap * 8 + v1.isstd + v1.isutc;
  if (second + kHeader > bytes.size() || bytes.compare(second, 4, "TZif") != 0)
    return Error::corrupt("time zone file is damaged");
  const Counts v2 = counts_at(second);
  const std::size_t times = second + kHeader;
  const std::size_t indices = times + v2.time * 8;
  const std::size_t types = indices + v2.time;
  const std::size_t footer = types + v2.type * 6 + v2.chars + v2.leap * 12 + v2.isstd + v2.isutc;
  if (footer > bytes.size() || v2.type == 0) return Error::corrupt("time zone file is damaged");
  zone.first_offset_ = static_cast<std::int32_t>(big_endian(bytes, types, 4));
  for (std::size_t i = 0; i < v2.time; ++i) {
    const std::size_t type = static_cast<unsigned char>(bytes[indices + i]);
    if (type >= v2.type) return Error::corrupt("time zone file is damaged");
    zone.transitions_.push_back({big_endian(bytes, times + 8 * i, 8),
                                 static_cast<std::int32_t>(big_endian(bytes, types + 6 * type, 4))});
  }
  std::string_view rule = std::string_view(bytes).substr(footer);
  if (rule.starts_with('\n')) rule.remove_prefix(1);
  rule = rule.substr(0, rule.find('\n'));
  if (!rule.empty() && !parse_rule(rule, zone)) return Error::corrupt("time zone file is damaged");
  return zone;
}

std::int64_t TimeZone::change_at(const Change& change, int year, std::int32_t offset_before) const {
  using namespace std::chrono;
  const month month_{static_cast<unsigned>(change.month)};
  const weekday day{static_cast<unsigned>(change.weekday)};
  const sys_days date = change.week == 5
                            ? sys_days(std::chrono::year{year} / month_ / day[last])
                            : sys_days(std::chrono::year{year} / month_ / day[static_cast<unsigned>(change.week)]);
  return duration_cast<seconds>(date.time_since_epoch()).count() + change.time_seconds - offset_before;
}

std::chrono::seconds TimeZone::offset_at(Timestamp t) const {
  const std::int64_t at = std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
  if (has_rule_ && (transitions_.empty() || at >= transitions_.back().at_seconds)) {
    if (!has_summer_) return std::chrono::seconds(standard_);
    const auto local_day = std::chrono::floor<std::chrono::days>(t + std::chrono::seconds(standard_));
    const int year = static_cast<int>(std::chrono::year_month_day(local_day).year());
    const std::int64_t begin = change_at(to_summer_, year, standard_);
    const std::int64_t end = change_at(to_standard_, year, summer_);
    const bool summer = begin < end ? at >= begin && at < end : at >= begin || at < end;
    return std::chrono::seconds(summer ? summer_ : standard_);
  }
  const auto after = std::upper_bound(transitions_.begin(), transitions_.end(), at,
                                      [](std::int64_t v, const Transition& x) { return v < x.at_seconds; });
  return std::chrono::seconds(after == transitions_.begin() ? first_offset_ : std::prev(after)->offset);
}

Timestamp TimeZone::from_local(Timestamp local) const {
  using std::chrono::seconds;
  // An offset can only change by hours within a day: try those in force around the instant.
  const seconds before = offset_at(local - std::chrono::hours(26));
  const seconds after = offset_at(local + std::chrono::hours(26));
  if (before == after) return local - before;
  const Timestamp first = local - std::max(before, after);  // the earlier instant
  if (to_local(first) == local) return first;
  const Timestamp second = local - std::min(before, after);
  if (to_local(second) == local) return second;
  return local - before;  // in a gap: what a clock that missed the jump would call this time
}

}  // namespace fog::alarm_rules
