#include "query/transformers/date_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace fog::transformers {
namespace {

using alarm_rules::TimeZone;

constexpr std::string_view kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                        "July",    "August",   "September", "October", "November", "December"};
constexpr std::string_view kDays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::string_view kLetters = "yuMLdDHhkKmsSnaEzVZXx";

// What has been read so far.
struct Fields {
  std::optional<int> year, month, day, day_of_year;
  int hour = 0, minute = 0, second = 0;
  std::int64_t nanos = 0;
  bool twelve = false;
  std::optional<bool> afternoon;
  std::optional<int> offset_seconds;
  std::optional<TimeZone> zone;
};

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  bool number(std::size_t least, std::size_t most, std::int64_t& out) {
    std::size_t n = 0;
    out = 0;
    while (n < most && n < rest_.size() && rest_[n] >= '0' && rest_[n] <= '9') out = out * 10 + (rest_[n++] - '0');
    rest_.remove_prefix(n);
    return n >= least;
  }
  bool number(std::size_t least, std::size_t most, int& out) {
    std::int64_t wide = 0;
    const bool ok = number(least, most, wide);
    out = static_cast<int>(wide);
    return ok;
  }
  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  // One of some names, whole or their first three letters, any case.
  template <typename Names>
  bool name(const Names& names, int& index) {
    for (const std::size_t length : {std::size_t{32}, std::size_t{3}}) {
      index = 0;
      for (const std::string_view whole : names) {
        if (word_ahead(whole.substr(0, length))) return true;
        ++index;
      }
    }
    return false;
  }
  bool word_ahead(std::string_view word) {
    if (rest_.size() < word.size()) return false;
    for (std::size_t k = 0; k < word.size(); ++k)
      if ((rest_[k] | 0x20) != (word[k] | 0x20)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  std::string_view zone_name() {
    std::size_t n = 0;
    const auto part = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '/' || c == '_'; };
    while (n < rest_.size() && part(rest_[n])) ++n;
    const std::string_view name = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return name;
  }
  // Z, +01, +0100, +01:00
  bool offset(int& seconds) {
    seconds = 0;
    if (take("Z") || take("z")) return true;
    const bool west = !rest_.empty() && rest_.front() == '-';
    if (!take("+") && !take("-")) return false;
    int hours = 0, minutes = 0;
    if (!number(2, 2, hours)) return false;
    take(":");
    if (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9' && !number(2, 2, minutes)) return false;
    seconds = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return hours <= 18 && minutes < 60;
  }
  bool at_end() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

std::optional<std::int64_t> to_instant(const Fields& fields, std::int64_t now_ms, const TimeZone& zone) {
  using namespace std::chrono;
  int hour = fields.hour;
  if (fields.twelve) hour = hour % 12 + (fields.afternoon.value_or(false) ? 12 : 0);
  if (hour > 24 || fields.minute > 59 || fields.second > 60) return std::nullopt;
  const year_month_day today(floor<days>(Timestamp(Millis(now_ms))));
  const int year_number = fields.year.value_or(static_cast<int>(today.year()));
  if (year_number < 0 || year_number > 9999) return std::nullopt;
  sys_days day;
  if (fields.day_of_year) {
    day = sys_days(year(year_number) / January / 1) + days(*fields.day_of_year - 1);
  } else {
    const year_month_day date = year(year_number) / month(static_cast<unsigned>(fields.month.value_or(1))) /
                                std::chrono::day(static_cast<unsigned>(fields.day.value_or(1)));
    if (!date.ok()) return std::nullopt;
    day = sys_days(date);
  }
  const Timestamp local = day + hours(hour) + minutes(fields.minute) + seconds(fields.second) + Millis(fields.nanos / 1'000'000);
  if (fields.offset_seconds) return to_ms(local - seconds(*fields.offset_seconds));
  return to_ms((fields.zone ? *fields.zone : zone).from_local(local));
}

}  // namespace

Result<DateFormat> DateFormat::parse(std::string_view pattern) {
  DateFormat format;
  if (pattern == "epoch") {
    format.epoch_ = true;
    return format;
  }
  const auto literal = [&](std::string_view text) {
    if (format.tokens_.empty() || format.tokens_.back().letter != 0) format.tokens_.push_back({0, 0, ""});
    format.tokens_.back().literal += text;
  };
  for (std::size_t at = 0; at < pattern.size();) {
    const char c = pattern[at];
    if (c == '\'') {
      if (at + 1 < pattern.size() && pattern[at + 1] == '\'') {
        literal("'");
        at += 2;
        continue;
      }
      // Without a closing quote the rest is text: 'Z at the end of a pattern is common.
      const std::size_t end = std::min(pattern.find('\'', at + 1), pattern.size());
      literal(pattern.substr(at + 1, end - at - 1));
      at = end + 1;
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      std::size_t end = at;
      while (end < pattern.size() && pattern[end] == c) ++end;
      if (kLetters.find(c) == std::string_view::npos) return Error::invalid(fmt::format("unknown pattern letter {}", c)).at(at);
      format.tokens_.push_back({c, static_cast<int>(end - at), ""});
      at = end;
    } else {
      if (c != '[' && c != ']') literal(pattern.substr(at, 1));
      ++at;
    }
  }
  if (format.tokens_.empty()) return Error::invalid("the pattern is empty");
  return format;
}

std::optional<std::int64_t> DateFormat::read(std::string_view text, std::int64_t now_ms, const TimeZone& zone) const {
  Reader in(text);
  if (epoch_) {
    std::int64_t seconds = 0, fraction = 0;
    if (!in.number(1, 12, seconds)) return std::nullopt;
    if (in.take(".")) {
      const std::size_t before = in.rest().size();
      if (!in.number(1, 9, fraction)) return std::nullopt;
      for (std::size_t n = before - in.rest().size(); n < 3; ++n) fraction *= 10;
      for (std::size_t n = before - in.rest().size(); n > 3; --n) fraction /= 10;
    }
    return in.at_end() ? std::optional(seconds * 1000 + fraction) : std::nullopt;
  }
  Fields f;
  for (std::size_t k = 0; k < tokens_.size(); ++k) {
    const Token& token = tokens_[k];
    if (token.letter == 0) {
      if (!in.take(token.literal)) return std::nullopt;
      continue;
    }
    const auto count = static_cast<std::size_t>(token.count);
    // Digits of the next token touch these: only as many as letters.
    const bool tight = k + 1 < tokens_.size() && tokens_[k + 1].letter != 0;
    const std::size_t least = count;
    const std::size_t most = count > 1 || tight ? count : 2;
    int value = 0;
    switch (token.letter) {
      case 'y': case 'u':
        if (count == 2) {
          if (!in.number(2, 2, value)) return std::nullopt;
          f.year = 2000 + value;
        } else {
          if (!in.number(count == 1 ? 1 : count, count == 1 ? 4 : count, value)) return std::nullopt;
          f.year = value;
        }
        break;
      case 'M': case 'L':
        if (count >= 3 ? !in.name(kMonths, value) : !in.number(least, most, value)) return std::nullopt;
        f.month = count >= 3 ? value + 1 : value;
        if (*f.month < 1 || *f.month > 12) return std::nullopt;
        break;
      case 'd':
        if (!in.number(least, most, value) || value < 1) return std::nullopt;
        f.day = value;
        break;
      case 'D':
        if (!in.number(least, 3, value) || value < 1 || value > 366) return std::nullopt;
        f.day_of_year = value;
        break;
      case 'H': case 'k':
        if (!in.number(least, most, f.hour)) return std::nullopt;
        break;
      case 'h': case 'K':
        if (!in.number(least, most, f.hour)) return std::nullopt;
        f.twelve = true;
        break;
      case 'm':
        if (!in.number(least, most, f.minute)) return std::nullopt;
        break;
      case 's':
        if (!in.number(least, most, f.second)) return std::nullopt;
        break;
      case 'S': {
        std::int64_t fraction = 0;
        if (!in.number(count, count, fraction)) return std::nullopt;
        for (std::size_t n = count; n < 9; ++n) fraction *= 10;
        f.nanos = fraction;
        break;
      }
      case 'n':
        if (!in.number(1, 9, f.nanos)) return std::nullopt;
        break;
      case 'a':
        if (in.word_ahead("am")) f.afternoon = false;
        else if (in.word_ahead("pm")) f.afternoon = true;
        else return std::nullopt;
        break;
      case 'E':
        if (!in.name(kDays, value)) return std::nullopt;
        break;
      case 'z': case 'V': {
        const std::string_view name = in.zone_name();
        if (name == "Z" || name == "UTC" || name == "GMT") {
          f.offset_seconds = 0;
          break;
        }
        static constexpr std::pair<std::string_view, int> kShort[] = {{"EST", -5}, {"EDT", -4}, {"CST", -6}, {"CDT", -5}, {"MST", -7},
                                                                      {"MDT", -6}, {"PST", -8}, {"PDT", -7}, {"CET", 1},  {"CEST", 2},
                                                                      {"JST", 9}};
        const auto* known = std::find_if(std::begin(kShort), std::end(kShort), [&](const auto& entry) { return entry.first == name; });
        if (known != std::end(kShort)) {
          f.offset_seconds = known->second * 3600;
          break;
        }
        auto found = TimeZone::find(name);
        if (!found.ok()) return std::nullopt;
        f.zone = std::move(found).value();
        break;
      }
      default: {  // Z X x
        int seconds = 0;
        if (!in.offset(seconds)) return std::nullopt;
        f.offset_seconds = seconds;
      }
    }
  }
  if (!in.at_end()) return std::nullopt;
  return to_instant(f, now_ms, zone);
}

std::string DateFormat::write(std::int64_t ms, const TimeZone& zone) const {
  using namespace std::chrono;
  if (epoch_) return std::to_string(ms / 1000);
  const Timestamp instant{Millis(ms)};
  const auto offset = zone.offset_at(instant);
  const Timestamp local = instant + offset;
  const auto day = floor<days>(local);
  const year_month_day date(day);
  const hh_mm_ss<Millis> time(local - day);
  const int hour = static_cast<int>(time.hours().count());
  const int twelve = hour % 12 == 0 ? 12 : hour % 12;
  const auto zone_text = [&](bool colon, bool zulu) {
    const auto minutes_east = offset.count() / 60;
    if (zulu && minutes_east == 0) return std::string("Z");
    const auto size = minutes_east < 0 ? -minutes_east : minutes_east;
    return fmt::format("{}{:02}{}{:02}", minutes_east < 0 ? '-' : '+', size / 60, colon ? ":" : "", size % 60);
  };
  std::string out;
  for (const Token& token : tokens_) {
    const auto padded = [&](auto value) { out += fmt::format("{:0{}}", value, token.count); };
    switch (token.letter) {
      case 0: out += token.literal; break;
      case 'y': case 'u':
        if (token.count == 2) out += fmt::format("{:02}", static_cast<int>(date.year()) % 100);
        else padded(static_cast<int>(date.year()));
        break;
      case 'M': case 'L': {
        const auto number = static_cast<unsigned>(date.month());
        if (token.count == 3) out += kMonths[number - 1].substr(0, 3);
        else if (token.count > 3) out += kMonths[number - 1];
        else padded(number);
        break;
      }
      case 'd': padded(static_cast<unsigned>(date.day())); break;
      case 'D': padded((day - floor<days>(sys_days(date.year() / January / 1))).count() + 1); break;
      case 'H': padded(hour); break;
      case 'k': padded(hour == 0 ? 24 : hour); break;
      case 'h': padded(twelve); break;
      case 'K': padded(hour % 12); break;
      case 'm': padded(time.minutes().count()); break;
      case 's': padded(time.seconds().count()); break;
      case 'S': {
        std::string fraction = fmt::format("{:03}000000", time.subseconds().count());
        out += fraction.substr(0, static_cast<std::size_t>(std::min(token.count, 9)));
        break;
      }
      case 'n': out += std::to_string(time.subseconds().count() * 1'000'000); break;
      case 'a': out += hour < 12 ? "AM" : "PM"; break;
      case 'E': {
        const std::string_view name = kDays[weekday(sys_days(date)).c_encoding()];
        out += token.count > 3 ? name : name.substr(0, 3);
        break;
      }
      case 'X': out += zone_text(token.count >= 3, true); break;
      case 'x': out += zone_text(token.count >= 3, false); break;
      case 'Z': out += zone_text(token.count >= 5, token.count >= 5); break;
      default: out += offset.count() == 0 ? std::string("UTC") : zone_text(true, false);
    }
  }
  return out;
}

std::string iso_time(std::int64_t ms) {
  using namespace std::chrono;
  const Timestamp instant{Millis(ms)};
  const auto day = floor<days>(instant);
  const year_month_day date(day);
  const hh_mm_ss<Millis> time(instant - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()), time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

std::optional<std::int64_t> read_iso_time(std::string_view text) {
  // Fractions have any length; they are cut to ms.
  if (text.size() < 19) return std::nullopt;
  std::string whole(text.substr(0, 19));
  std::string_view rest = text.substr(19);
  std::string fraction;
  if (!rest.empty() && (rest.front() == '.' || rest.front() == ',')) {
    rest.remove_prefix(1);
    while (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
      fraction += rest.front();
      rest.remove_prefix(1);
    }
  }
  fraction.resize(3, '0');
  whole[10] = whole[10] == ' ' ? 'T' : whole[10];
  static const auto kZoned = DateFormat::parse("yyyy-MM-dd'T'HH:mm:ss.SSSX");
  return kZoned->read(whole + "." + fraction + (rest.empty() ? std::string("Z") : std::string(rest)), 0);
}

}  // namespace fog::transformers
