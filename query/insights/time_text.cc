#include "query/insights/time_text.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "query/insights/lex.h"

namespace fog::insights {

namespace {

// One zone of the system's database (RFC 8536, the 64-bit part of a version 2+ file). The rule for
// times beyond the last listed transition (2037 in most packages) is not read: the last offset stays.
struct Zone {
  std::vector<std::int64_t> at;       // ascending UTC seconds
  std::vector<std::int64_t> offset;   // from at[k] on
  std::int64_t first_offset = 0;
  std::int64_t offset_at(std::int64_t utc) const {
    auto it = std::upper_bound(at.begin(), at.end(), utc);
    return it == at.begin() ? first_offset : offset[static_cast<std::size_t>(it - at.begin()) - 1];
  }
};

std::int64_t big_endian(const std::string& bytes, std::size_t k, std::size_t size) {
  std::uint64_t v = 0;
  for (std::size_t m = 0; m < size; ++m) v = v << 8 | static_cast<unsigned char>(bytes[k + m]);
  return size == 4 ? static_cast<std::int32_t>(static_cast<std::uint32_t>(v)) : static_cast<std::int64_t>(v);
}

std::optional<Zone> read_zone(const std::string& name) {
  std::FILE* file = std::fopen(("/usr/share/zoneinfo/" + name).c_str(), "rb");
  if (file == nullptr) return std::nullopt;
  std::string bytes(1 << 18, '\0');
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file));
  std::fclose(file);
  auto counts = [&bytes](std::size_t header, std::size_t (&n)[6]) {
    if (bytes.size() < header + 44 || bytes.compare(header, 4, "TZif") != 0) return false;
    for (std::size_t k = 0; k < 6; ++k) {
      std::int64_t v = big_endian(bytes, header + 20 + 4 * k, 4);
      if (v < 0 || v > 1 << 18) return false;
      n[k] = static_cast<std::size_t>(v);
    }
    return true;
  };
  // isutcnt isstdcnt leapcnt timecnt typecnt charcnt
  std::size_t n[6];
  if (!counts(0, n) || bytes[4] < '2') return std::nullopt;
  std::size_t second = 44 + n[3] * 5 + n[4] * 6 + n[5] + n[2] * 8 + n[1] + n[0];
  if (!counts(second, n) || n[4] == 0) return std::nullopt;
  std::size_t times = second + 44, types = times + n[3] * 8, infos = types + n[3];
  if (bytes.size() < infos + n[4] * 6) return std::nullopt;
  Zone zone;
  auto info = [&](std::size_t type) { return type < n[4] ? big_endian(bytes, infos + type * 6, 4) : 0; };
  zone.first_offset = info(0);
  for (std::size_t k = 0; k < n[3]; ++k) {
    zone.at.push_back(big_endian(bytes, times + 8 * k, 8));
    zone.offset.push_back(info(static_cast<unsigned char>(bytes[types + k])));
  }
  return zone;
}

std::shared_ptr<const Zone> named_zone(std::string_view name) {
  // Names come from queries: only what a zone name can be, so no path leaves the folder.
  if (name.empty() || name.size() > 64 || name.front() == '/' || name.find("..") != std::string_view::npos)
    return nullptr;
  for (char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '_' ||
          c == '-' || c == '+'))
      return nullptr;
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<const Zone>, std::less<>> cache;
  std::scoped_lock lock(mutex);
  if (auto it = cache.find(name); it != cache.end()) return it->second;
  if (cache.size() > 700) return nullptr;
  auto zone = read_zone(std::string(name));
  auto shared = zone ? std::make_shared<const Zone>(std::move(*zone)) : nullptr;
  cache.emplace(name, shared);
  return shared;
}

bool digit(char c) { return c >= '0' && c <= '9'; }

// +2, +02, +0200, +02:00, +02:00:00 at the start of `text`; removes it.
std::optional<std::int64_t> take_offset(std::string_view& text) {
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  std::int64_t sign = text[0] == '-' ? -1 : 1;
  std::size_t k = 1;
  auto two = [&](std::int64_t& v) {
    if (k + 1 >= text.size() || !digit(text[k]) || !digit(text[k + 1])) return false;
    v = (text[k] - '0') * 10 + (text[k + 1] - '0');
    k += 2;
    return true;
  };
  std::int64_t hours = 0, minutes = 0, seconds = 0;
  if (k + 1 < text.size() && digit(text[k]) && digit(text[k + 1])) {
    (void)two(hours);
    std::size_t saved = k;
    if (k < text.size() && text[k] == ':') ++k;
    if (!(k + 1 < text.size() && two(minutes))) k = saved;
    else if (k + 2 < text.size() && text[k] == ':') {
      saved = k++;
      if (!two(seconds)) k = saved;
    }
  } else if (k < text.size() && digit(text[k])) {
    hours = text[k++] - '0';
  } else {
    return std::nullopt;
  }
  if (hours > 18 || minutes > 59 || seconds > 59) return std::nullopt;
  text.remove_prefix(k);
  return sign * (hours * 3600 + minutes * 60 + seconds);
}

std::optional<std::int64_t> fixed_zone(std::string_view zone) {
  if (zone.empty() || same_word(zone, "utc") || same_word(zone, "gmt") || same_word(zone, "z") || zone == "UT") return 0;
  if (zone.starts_with("UTC") || zone.starts_with("GMT")) zone.remove_prefix(3);
  auto offset = take_offset(zone);
  if (!zone.empty()) return std::nullopt;
  return offset;
}

constexpr std::string_view kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                        "July",    "August",   "September", "October", "November", "December"};
constexpr std::string_view kDays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

std::int64_t days_of(std::int64_t y, unsigned m, unsigned d) {
  using namespace std::chrono;
  return sys_days{year_month_day{year{static_cast<int>(y)}, month{m}, day{d}}}.time_since_epoch().count();
}

}  // namespace

std::optional<std::int64_t> offset_at_utc(std::string_view zone, std::int64_t utc_seconds) {
  if (auto fixed = fixed_zone(zone)) return fixed;
  auto named = named_zone(zone);
  if (!named) return std::nullopt;
  return named->offset_at(utc_seconds);
}

std::optional<std::int64_t> offset_at_local(std::string_view zone, std::int64_t local_seconds) {
  if (auto fixed = fixed_zone(zone)) return fixed;
  auto named = named_zone(zone);
  if (!named) return std::nullopt;
  // Offsets change by a few hours at most: what held a day before decides where it is consistent.
  std::int64_t before = named->offset_at(local_seconds - 86'400);
  std::int64_t utc = local_seconds - before;
  std::int64_t now = named->offset_at(utc);
  if (now == before) return before;
  return named->offset_at(local_seconds - now) == now ? now : before;
}

std::optional<std::int64_t> parse_java_date(std::string_view text, std::string_view pattern, std::string_view zone) {
  std::int64_t year = 1970, fraction_ms = 0, hour12 = -1;
  std::int64_t month = 1, day = 1, hour = 0, minute = 0, second = 0, day_of_year = -1, epoch_ms = -1;
  int pm = -1;
  std::optional<std::int64_t> offset;
  std::string named;

  // Reads a number of at least `least` and at most `most` digits.
  auto number = [&text](std::size_t least, std::size_t most, std::int64_t& out) {
    std::size_t k = 0;
    out = 0;
    while (k < text.size() && k < most && digit(text[k])) out = out * 10 + (text[k++] - '0');
    text.remove_prefix(k);
    return k >= least;
  };
  auto word = [&text](std::string_view w) {
    if (text.size() < w.size() || !same_word(text.substr(0, w.size()), w)) return false;
    text.remove_prefix(w.size());
    return true;
  };
  for (std::size_t k = 0; k < pattern.size();) {
    char c = pattern[k];
    if (c == '\'') {
      std::size_t close = pattern.find('\'', k + 1);
      if (close == std::string_view::npos) return std::nullopt;
      std::string_view literal = close == k + 1 ? "'" : pattern.substr(k + 1, close - k - 1);
      if (!text.starts_with(literal)) return std::nullopt;
      text.remove_prefix(literal.size());
      k = close + 1;
      continue;
    }
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter) {
      if (c == '[' || c == ']') {  // optional sections: read as if present
        ++k;
        continue;
      }
      if (text.empty() || text[0] != c) return std::nullopt;
      text.remove_prefix(1);
      ++k;
      continue;
    }
    std::size_t n = 1;
    while (k + n < pattern.size() && pattern[k + n] == c) ++n;
    // A field directly followed by another number field takes exactly its width.
    std::size_t after = k + n;
    bool adjacent = after < pattern.size() && std::string_view("yuMdHhmsSDkKn").find(pattern[after]) != std::string_view::npos;
    std::size_t most = n >= 2 || adjacent ? n : 19;
    bool ok = true;
    switch (c) {
      case 'y':
      case 'u':
        if (n == 2) {
          ok = number(2, 2, year);
          year += 2000;
        } else {
          ok = number(std::min<std::size_t>(n, 4), n == 4 ? 4 : 9, year);
        }
        break;
      case 'M':
      case 'L':
        if (n >= 3) {
          ok = false;
          for (std::size_t m = 0; m < 12 && !ok; ++m)
            if (word(n == 3 ? kMonths[m].substr(0, 3) : kMonths[m])) {
              month = static_cast<std::int64_t>(m) + 1;
              ok = true;
            }
        } else {
          ok = number(n, n == 1 ? (adjacent ? 1 : 2) : n, month);
        }
        break;
      case 'd': ok = number(n, n == 1 ? (adjacent ? 1 : 2) : n, day); break;
      case 'D': ok = number(n, 3, day_of_year); break;
      case 'H': ok = number(n, n == 1 ? 2 : n, hour); break;
      case 'k':
        ok = number(n, n == 1 ? 2 : n, hour);
        hour %= 24;
        break;
      case 'h':
      case 'K': ok = number(n, n == 1 ? 2 : n, hour12); break;
      case 'm': ok = number(n, n == 1 ? 2 : n, minute); break;
      case 's': ok = number(n, n == 1 ? 2 : n, second); break;
      case 'S': {
        std::int64_t v = 0;
        ok = number(n, n, v);
        for (std::size_t m = n; m > 3; --m) v /= 10;
        for (std::size_t m = n; m < 3; ++m) v *= 10;
        fraction_ms = v;
        break;
      }
      case 'n': {
        std::int64_t v = 0;
        ok = number(1, 9, v);
        fraction_ms = v / 1'000'000;
        break;
      }
      case 'A': ok = number(1, most, epoch_ms); break;
      case 'a':
        pm = word("PM") ? 1 : word("AM") ? 0 : -1;
        ok = pm >= 0;
        break;
      case 'E':
      case 'e':
        ok = false;
        for (std::string_view name : kDays)
          if (!ok && word(n <= 3 ? name.substr(0, 3) : name)) ok = true;
        break;
      case 'X':
      case 'x':
      case 'Z':
        if (c != 'x' && text.starts_with('Z')) {
          text.remove_prefix(1);
          offset = 0;
        } else {
          offset = take_offset(text);
        }
        ok = offset.has_value();
        break;
      case 'O':
        if (!word("GMT")) word("UTC");
        offset = take_offset(text);
        if (!offset) offset = 0;
        break;
      case 'z':
      case 'V': {
        std::size_t m = 0;
        while (m < text.size() && text[m] != ' ' && text[m] != ']' && text[m] != ')') ++m;
        named = text.substr(0, m);
        text.remove_prefix(m);
        ok = !named.empty();
        break;
      }
      default: return std::nullopt;
    }
    if (!ok) return std::nullopt;
    k += n;
  }
  if (!text.empty()) return std::nullopt;
  if (hour12 >= 0) hour = hour12 % 12 + (pm == 1 ? 12 : 0);
  using namespace std::chrono;
  if (year < -9999 || year > 9999 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59 || day < 1)
    return std::nullopt;
  year_month_day date{std::chrono::year{static_cast<int>(year)}, std::chrono::month{static_cast<unsigned>(month)},
                      std::chrono::day{static_cast<unsigned>(std::min<std::int64_t>(day, 99))}};
  if (!date.ok()) return std::nullopt;
  std::int64_t days = days_of(year, static_cast<unsigned>(month), static_cast<unsigned>(day));
  if (day_of_year >= 1) days = days_of(year, 1, 1) + day_of_year - 1;
  std::int64_t local = days * 86'400 + hour * 3600 + minute * 60 + second;
  if (epoch_ms >= 0) local = days * 86'400 + epoch_ms / 1000, fraction_ms = epoch_ms % 1000;
  if (!offset) offset = offset_at_local(named.empty() ? zone : std::string_view(named), local);
  if (!offset) return std::nullopt;
  return (local - *offset) * 1000 + fraction_ms;
}

std::optional<std::string> format_strftime(std::int64_t ms, std::string_view pattern, std::string_view zone) {
  std::int64_t utc = ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000);
  std::int64_t fraction = ms - utc * 1000;
  auto offset = offset_at_utc(zone, utc);
  if (!offset) return std::nullopt;
  std::int64_t local = utc + *offset;
  std::int64_t days = local >= 0 ? local / 86'400 : -((-local + 86'399) / 86'400);
  if (days < -719'528 || days > 2'932'896) return std::nullopt;
  std::int64_t rest = local - days * 86'400;
  using namespace std::chrono;
  sys_days at{std::chrono::days{static_cast<int>(days)}};
  year_month_day date{at};
  std::tm tm{};
  tm.tm_year = static_cast<int>(date.year()) - 1900;
  tm.tm_mon = static_cast<int>(static_cast<unsigned>(date.month())) - 1;
  tm.tm_mday = static_cast<int>(static_cast<unsigned>(date.day()));
  tm.tm_hour = static_cast<int>(rest / 3600);
  tm.tm_min = static_cast<int>(rest / 60 % 60);
  tm.tm_sec = static_cast<int>(rest % 60);
  tm.tm_wday = static_cast<int>(weekday{at}.c_encoding());
  tm.tm_yday = static_cast<int>((at - sys_days{date.year() / January / 1}).count());
  std::string out;
  for (std::size_t k = 0; k < pattern.size(); ++k) {
    if (pattern[k] != '%' || k + 1 == pattern.size()) {
      out += pattern[k];
      continue;
    }
    char c = pattern[++k];
    char buffer[128];
    switch (c) {
      case 's': out += std::to_string(utc); break;
      case 'L':  // milliseconds
        std::snprintf(buffer, sizeof buffer, "%03d", static_cast<int>(fraction));
        out += buffer;
        break;
      case 'f':  // microseconds
        std::snprintf(buffer, sizeof buffer, "%06d", static_cast<int>(fraction) * 1000);
        out += buffer;
        break;
      case 'z': {
        std::int64_t minutes = (*offset < 0 ? -*offset : *offset) / 60;
        std::snprintf(buffer, sizeof buffer, "%c%02d%02d", *offset < 0 ? '-' : '+', static_cast<int>(minutes / 60),
                      static_cast<int>(minutes % 60));
        out += buffer;
        break;
      }
      case 'Z': out += zone.empty() ? "UTC" : std::string(zone); break;
      default: {
        if (std::strchr("aAbBcCdDeFgGhHIjklmMnpPrRStTuUVwWxXyY%", c) == nullptr) return std::nullopt;
        char format[3] = {'%', c, '\0'};
        out.append(buffer, std::strftime(buffer, sizeof buffer, format, &tm));
      }
    }
  }
  return out;
}

}  // namespace fog::insights
