#include "api/logs/syslog.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>

#include "api/codec/json.h"
#include "api/codec/text.h"

namespace fog::logs {
namespace {

constexpr std::array<std::string_view, 24> kFacilities = {"kern",   "user",   "mail",   "daemon", "auth",   "syslog", "lpr",    "news",
                                                          "uucp",   "cron",   "authpriv", "ftp",  "ntp",    "audit",  "alert",  "clock",
                                                          "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"};
constexpr std::array<std::string_view, 8> kSeverities = {"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Parts {
  std::string_view hostname, app_name, proc_id, msg_id, structured, text;
  std::optional<std::int64_t> time_ms;
};

std::string_view word(std::string_view& rest) {
  const std::size_t end = std::min(rest.find(' '), rest.size());
  const std::string_view found = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return found;
}
std::string_view or_nothing(std::string_view text) { return text == "-" ? std::string_view() : text; }

// [id name="value" ...][...] or -; the length of it. Quotes, backslashes and brackets may be escaped.
std::optional<std::size_t> structured_length(std::string_view text) {
  if (text.starts_with('-')) return 1;
  std::size_t at = 0;
  while (at < text.size() && text[at] == '[') {
    bool quoted = false;
    for (++at;; ++at) {
      if (at >= text.size()) return std::nullopt;
      if (quoted && text[at] == '\\') ++at;
      else if (text[at] == '"') quoted = !quoted;
      else if (!quoted && text[at] == ']') break;
    }
    ++at;
  }
  if (at == 0) return std::nullopt;
  return at;
}

// VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA [MSG]
std::optional<Parts> read_5424(std::string_view rest) {
  if (!rest.starts_with("1 ")) return std::nullopt;
  rest.remove_prefix(2);
  Parts parts;
  const std::string_view time = word(rest);
  if (time != "-") {
    const auto parsed = parse_timestamp(time);
    if (!parsed || time.find('T') == std::string_view::npos) return std::nullopt;
    parts.time_ms = to_ms(*parsed);
  }
  parts.hostname = or_nothing(word(rest));
  parts.app_name = or_nothing(word(rest));
  parts.proc_id = or_nothing(word(rest));
  parts.msg_id = or_nothing(word(rest));
  const auto length = structured_length(rest);
  if (!length) return std::nullopt;
  parts.structured = or_nothing(rest.substr(0, *length));
  rest.remove_prefix(*length);
  if (rest.starts_with(' ')) rest.remove_prefix(1);
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
  parts.text = rest;
  return parts;
}

// "Oct 11 22:14:15": UTC, of the year that puts it nearest to now.
std::optional<std::int64_t> read_3164_time(std::string_view text, std::int64_t now_ms) {
  if (text.size() != 15 || text[3] != ' ' || text[6] != ' ' || text[9] != ':' || text[12] != ':') return std::nullopt;
  const auto month = std::find(kMonths.begin(), kMonths.end(), text.substr(0, 3));
  const auto two = [&](std::size_t at) {
    int value = -1;
    const std::size_t skip = text[at] == ' ' ? 1 : 0;
    const auto end = text.data() + at + 2;
    return std::from_chars(text.data() + at + skip, end, value).ptr == end ? value : -1;
  };
  const int day = two(4), hour = two(7), minute = two(10), second = two(13);
  if (month == kMonths.end() || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return std::nullopt;
  using namespace std::chrono;
  const sys_time<milliseconds> now{milliseconds(now_ms)};
  const auto this_year = year_month_day(floor<days>(now)).year();
  std::optional<std::int64_t> best;
  for (const int offset : {-1, 0, 1}) {
    const year_month_day date{this_year + years(offset), std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
                              std::chrono::day(static_cast<unsigned>(day))};
    if (!date.ok()) continue;
    const std::int64_t ms = sys_time<milliseconds>(sys_days(date) + hours(hour) + minutes(minute) + seconds(second)).time_since_epoch().count();
    if (!best || std::abs(ms - now_ms) < std::abs(*best - now_ms)) best = ms;
  }
  return best;
}

// [TIMESTAMP HOSTNAME] TAG[PID]: MSG
Parts read_3164(std::string_view rest, std::int64_t now_ms) {
  Parts parts;
  if (rest.size() >= 16 && rest[15] == ' ') parts.time_ms = read_3164_time(rest.substr(0, 15), now_ms);
  if (parts.time_ms) {
    rest.remove_prefix(16);
  } else if (const std::size_t blank = rest.find(' '); blank != std::string_view::npos && rest.find('T') < blank) {
    // Some senders write RFC 3339 times here.
    if (const auto parsed = parse_timestamp(rest.substr(0, blank))) {
      parts.time_ms = to_ms(*parsed);
      rest.remove_prefix(blank + 1);
    }
  }
  if (parts.time_ms) {
    // A first word that ends in a colon is the tag already.
    const std::string_view first = rest.substr(0, std::min(rest.find(' '), rest.size()));
    if (!first.ends_with(':') && rest.size() > first.size()) parts.hostname = word(rest);
  }
  std::size_t end = 0;
  while (end < rest.size() && end < 48 && rest[end] != ' ' && rest[end] != ':' && rest[end] != '[') ++end;
  if (end > 0 && end < rest.size() && (rest[end] == ':' || rest[end] == '[')) {
    const std::string_view tag = rest.substr(0, end);
    if (rest[end] == '[') {
      const std::size_t close = rest.find(']', end);
      if (close != std::string_view::npos && close - end <= 32) {
        parts.app_name = tag;
        parts.proc_id = rest.substr(end + 1, close - end - 1);
        rest.remove_prefix(close + 1);
        if (rest.starts_with(':')) rest.remove_prefix(1);
      }
    } else {
      parts.app_name = tag;
      rest.remove_prefix(end + 1);
    }
    if (!parts.app_name.empty() && rest.starts_with(' ')) rest.remove_prefix(1);
  }
  parts.text = rest;
  return parts;
}

}  // namespace

SyslogEvent read_syslog(std::string_view line, std::int64_t now_ms) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r' || line.back() == '\0')) line.remove_suffix(1);
  SyslogEvent event;
  int priority = -1;
  std::size_t close = std::string_view::npos;
  if (line.starts_with('<')) close = line.find('>');
  if (close != std::string_view::npos && close >= 2 && close <= 4) {
    const auto parsed = std::from_chars(line.data() + 1, line.data() + close, priority);
    if (parsed.ec != std::errc() || parsed.ptr != line.data() + close) priority = -1;
  }
  if (priority < 0 || priority > 191) {
    event.message = to_utf8(line);
    return event;
  }
  event.is_valid = true;
  const std::string_view rest = line.substr(close + 1);
  const Parts parts = read_5424(rest).value_or(read_3164(rest, now_ms));
  event.time_ms = parts.time_ms;
  event.hostname = to_utf8(parts.hostname);
  event.message = fmt::format(R"({{"facility":"{}","severity":"{}")", kFacilities[static_cast<std::size_t>(priority / 8)],
                              kSeverities[static_cast<std::size_t>(priority % 8)]);
  const auto member = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    event.message += fmt::format(R"(,"{}":)", name);
    append_json_string(value, event.message);
  };
  member("hostname", parts.hostname);
  member("appName", parts.app_name);
  member("procId", parts.proc_id);
  member("msgId", parts.msg_id);
  member("structuredData", parts.structured);
  event.message += R"(,"message":)";
  append_json_string(parts.text, event.message);
  event.message += '}';
  return event;
}

}  // namespace fog::logs
