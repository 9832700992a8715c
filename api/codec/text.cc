#include "api/codec/text.h"

#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <cstring>

namespace fog {
namespace {

// The range of a JavaScript Date: far beyond any use, and sums of two still fit in an int64.
constexpr double kSecondsMax = 8.64e12;

constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

// Exactly n digits at text[at]; -1 if they are not there.
int digits(std::string_view text, std::size_t at, std::size_t n) {
  if (at + n > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + n; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

void append_padded(int value, int width, std::string& out) {
  char text[12];
  for (int i = width; i-- > 0; value /= 10) text[i] = static_cast<char>('0' + value % 10);
  out.append(text, static_cast<std::size_t>(width));
}

// Length of the well-formed sequence at the start of bytes; 0 when ill-formed.
std::size_t sequence(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  const std::size_t n = lead >= 0xc2 && lead <= 0xdf ? 2 : (lead & 0xf0) == 0xe0 ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
  if (n == 0 || bytes.size() < n) return 0;
  for (std::size_t i = 1; i < n; ++i)
    if ((at(i) & 0xc0) != 0x80) return 0;
  if (lead == 0xe0 && at(1) < 0xa0) return 0;  // overlong
  if (lead == 0xed && at(1) > 0x9f) return 0;  // surrogate
  if (lead == 0xf0 && at(1) < 0x90) return 0;
  if (lead == 0xf4 && at(1) > 0x8f) return 0;
  return n;
}

// Offset in minutes of "Z", "+01:00", "-0130", "+01" or nothing.
std::optional<int> parse_offset(std::string_view text) {
  if (text.empty() || text == "Z" || text == "z") return 0;
  if (text[0] != '+' && text[0] != '-') return std::nullopt;
  const int hours = digits(text, 1, 2);
  int minutes = 0;
  if (text.size() == 6 && text[3] == ':') {
    minutes = digits(text, 4, 2);
  } else if (text.size() == 5) {
    minutes = digits(text, 3, 2);
  } else if (text.size() != 3) {
    return std::nullopt;
  }
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  const int total = hours * 60 + minutes;
  return text[0] == '-' ? -total : total;
}

}  // namespace

void append_integer(std::int64_t value, std::string& out) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof text, value);
  out.append(text, end.ptr);
}

void append_double(double value, std::string& out, bool as_real) {
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value);
  const std::string_view written(text, static_cast<std::size_t>(end.ptr - text));
  out += written;
  if (as_real && written.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void append_iso8601(Timestamp time, std::string& out) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto ms = static_cast<int>((time - day).count());
  const int year = static_cast<int>(date.year());
  if (year < 0) out.push_back('-');
  append_padded(std::abs(year), std::abs(year) > 9999 ? 6 : 4, out);
  out.push_back('-');
  append_padded(static_cast<int>(static_cast<unsigned>(date.month())), 2, out);
  out.push_back('-');
  append_padded(static_cast<int>(static_cast<unsigned>(date.day())), 2, out);
  out.push_back('T');
  append_padded(ms / 3600000, 2, out);
  out.push_back(':');
  append_padded(ms / 60000 % 60, 2, out);
  out.push_back(':');
  append_padded(ms / 1000 % 60, 2, out);
  if (ms % 1000 != 0) {
    out.push_back('.');
    append_padded(ms % 1000, 3, out);
  }
  out.push_back('Z');
}

void append_epoch_seconds(Timestamp time, std::string& out) {
  std::int64_t ms = to_ms(time);
  if (ms < 0) {
    out.push_back('-');
    ms = -ms;
  }
  append_integer(ms / 1000, out);
  int fraction = static_cast<int>(ms % 1000);
  if (fraction == 0) return;
  int width = 3;
  for (; fraction % 10 == 0; fraction /= 10) --width;
  out.push_back('.');
  append_padded(fraction, width, out);
}

std::optional<Timestamp> timestamp_of_seconds(double seconds) {
  if (!(std::abs(seconds) <= kSecondsMax)) return std::nullopt;
  return from_ms(std::llround(seconds * 1000.0));
}

std::optional<Timestamp> parse_timestamp(std::string_view text) {
  const int year = digits(text, 0, 4);
  if (year < 0 || text.size() < 10 || text[4] != '-') {
    const auto seconds = parse_double(text);
    return seconds ? timestamp_of_seconds(*seconds) : std::nullopt;
  }
  const int month = digits(text, 5, 2), day = digits(text, 8, 2);
  if (month < 1 || day < 1 || text[7] != '-') return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok()) return std::nullopt;
  Timestamp time = std::chrono::sys_days(date);
  if (text.size() == 10) return time;
  if (text[10] != 'T' && text[10] != 't' && text[10] != ' ') return std::nullopt;
  const int hour = digits(text, 11, 2), minute = digits(text, 14, 2);
  if (hour < 0 || hour > 24 || minute < 0 || minute > 59 || text[13] != ':') return std::nullopt;
  time += std::chrono::hours(hour) + std::chrono::minutes(minute);
  std::size_t at = 16;
  if (at < text.size() && text[at] == ':') {
    const int second = digits(text, 17, 2);
    if (second < 0 || second > 60) return std::nullopt;
    time += std::chrono::seconds(second);
    at = 19;
    if (at < text.size() && (text[at] == '.' || text[at] == ',')) {
      int ms = 0;
      int scale = 100;
      const std::size_t first = ++at;
      for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10)
        ms += (text[at] - '0') * scale;
      if (at == first) return std::nullopt;
      time += Millis(ms);
    }
  }
  const auto offset = parse_offset(text.substr(at));
  if (!offset) return std::nullopt;
  return time - std::chrono::minutes(*offset);
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> parse_double(std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (text[0] < '0' || text[0] > '9') {
    // The protocols' words, and those of the older Python SDK's query forms.
    if (text == "NaN" || text == "nan") return std::nan("");
    if (text == "Infinity" || text == "inf") return HUGE_VAL;
    if (text == "-Infinity" || text == "-inf") return -HUGE_VAL;
  }
  if (text.starts_with('+')) text.remove_prefix(1);
  // from_chars takes more spellings of them, which nobody sends.
  if (text.empty() || (text[0] != '-' && text[0] != '.' && (text[0] < '0' || text[0] > '9'))) return std::nullopt;
  if (text.size() > 1 && text[0] == '-' && (text[1] == 'i' || text[1] == 'n' || text[1] == 'I' || text[1] == 'N'))
    return std::nullopt;
  double value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ptr != text.data() + text.size()) return std::nullopt;
  if (end.ec == std::errc::result_out_of_range) {
    // Too small is zero, too large is refused.
    const auto exponent = text.find_first_of("eE");
    if (exponent != std::string_view::npos && text.substr(exponent + 1).starts_with('-')) return 0.0;
    return std::nullopt;
  }
  if (end.ec != std::errc()) return std::nullopt;
  return value;
}

void append_base64(std::string_view bytes, std::string& out) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(bytes[i])); };
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const unsigned v = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    const char four[] = {kBase64[v >> 18], kBase64[v >> 12 & 63], kBase64[v >> 6 & 63], kBase64[v & 63]};
    out.append(four, 4);
  }
  if (i + 1 == bytes.size()) {
    const unsigned v = at(i) << 16;
    const char four[] = {kBase64[v >> 18], kBase64[v >> 12 & 63], '=', '='};
    out.append(four, 4);
  } else if (i + 2 == bytes.size()) {
    const unsigned v = at(i) << 16 | at(i + 1) << 8;
    const char four[] = {kBase64[v >> 18], kBase64[v >> 12 & 63], kBase64[v >> 6 & 63], '='};
    out.append(four, 4);
  }
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    std::size_t pad = 0;
    if (last && text[i + 3] == '=') pad = text[i + 2] == '=' ? 2 : 1;
    unsigned v = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const int six = k >= 4 - pad ? 0 : base64_value(text[i + k]);
      if (six < 0) return std::nullopt;
      v = v << 6 | static_cast<unsigned>(six);
    }
    out.push_back(static_cast<char>(v >> 16));
    if (pad < 2) out.push_back(static_cast<char>(v >> 8 & 255));
    if (pad < 1) out.push_back(static_cast<char>(v & 255));
  }
  return out;
}

bool is_utf8(std::string_view bytes) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080ull;
  const char* at = bytes.data();
  const std::size_t n = bytes.size();
  std::uint64_t any = 0, word = 0;
  if (n >= 8) {
    std::size_t i = 0;
    for (; i + 8 < n && (any & kHighBits) == 0; i += 8) {
      std::memcpy(&any, at + i, 8);
    }
    std::memcpy(&word, at + n - 8, 8);  // the last eight, some of them for the second time
    any |= word;
  } else {
    for (std::size_t i = 0; i < n; ++i) any |= static_cast<unsigned char>(at[i]);
  }
  return (any & kHighBits) == 0 || simdjson::validate_utf8(at, n);
}

std::string to_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t n = sequence(bytes);
    if (n == 0) {
      out += "\xef\xbf\xbd";
      bytes.remove_prefix(1);
    } else {
      out += bytes.substr(0, n);
      bytes.remove_prefix(n);
    }
  }
  return out;
}

std::size_t utf8_length(std::string_view text) {
  std::size_t n = 0;
  for (const char c : text) n += (c & 0xc0) != 0x80;
  return n;
}

}  // namespace fog
