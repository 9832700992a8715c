#include "query/insights/value.h"

#include <charconv>
#include <chrono>
#include <cmath>

#include "query/insights/json.h"

namespace fog::insights {

namespace {

constexpr std::size_t kChunkBytes = 64 * 1024;
bool digit(char c) { return c >= '0' && c <= '9'; }
bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }
bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (static_cast<unsigned char>(c) & 0x80); }

}  // namespace

Arena::~Arena() {
  if (memory_) memory_->sub(bytes_);
}

char* Arena::allocate(std::size_t bytes, std::size_t alignment) {
  std::size_t skip = (alignment - reinterpret_cast<std::uintptr_t>(next_) % alignment) % alignment;
  if (next_ == nullptr || left_ < bytes + skip) {
    // Small arenas stay small; large ones grow by doubling up to 1 MiB.
    std::size_t chunk = std::max<std::size_t>(bytes + alignment, std::min(std::max(bytes_, std::size_t{1024}), 16 * kChunkBytes));
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(chunk));
    next_ = chunks_.back().get();
    left_ = chunk;
    bytes_ += chunk;
    if (memory_) memory_->add(chunk);
    skip = (alignment - reinterpret_cast<std::uintptr_t>(next_) % alignment) % alignment;
  }
  char* result = next_ + skip;
  next_ += skip + bytes;
  left_ -= skip + bytes;
  return result;
}

std::string_view Arena::copy(std::string_view text) {
  if (text.empty()) return {};
  char* bytes = allocate(text.size(), 1);
  std::memcpy(bytes, text.data(), text.size());
  return {bytes, text.size()};
}

Value Value::number(double v) {
  if (!std::isfinite(v)) return {};
  if (v == std::trunc(v) && std::abs(v) < 9.2e18) return integer(static_cast<std::int64_t>(v));
  Value r;
  r.type = Type::kDouble;
  r.d = v;
  return r;
}

Value Value::of(const Json* json) {
  if (json == nullptr) return {};
  switch (json->kind) {
    case Json::Kind::kNull: return {};
    case Json::Kind::kTrue: return integer(1);
    case Json::Kind::kFalse: return integer(0);
    case Json::Kind::kNumber: return number_text(json->text);
    case Json::Kind::kString: return text(json->text);
    case Json::Kind::kArray:
    case Json::Kind::kObject: break;
  }
  Value r;
  r.type = Type::kJson;
  r.json = json;
  return r;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

Num parse_number(std::string_view text) {
  if (text.empty()) return {};
  // Most text is no number: see it from the first character.
  char first = text.front();
  if (!digit(first) && first != '+' && first != '-' && first != '.' && !blank(first)) return {};
  text = trim(text);
  if (text.empty()) return {};
  const char* p = text.data();
  const char* end = p + text.size();
  bool plus = *p == '+';
  const char* start = plus ? p + 1 : p;
  if (*p == '+' || *p == '-') ++p;
  const char* digits = p;
  while (p < end && digit(*p)) ++p;
  std::size_t whole = static_cast<std::size_t>(p - digits);
  bool integral = true;
  if (p < end && *p == '.') {
    integral = false;
    const char* fraction = ++p;
    while (p < end && digit(*p)) ++p;
    if (p == fraction) return {};
  } else if (whole == 0) {
    return {};
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    integral = false;
    ++p;
    if (p < end && (*p == '+' || *p == '-')) ++p;
    const char* exponent = p;
    while (p < end && digit(*p)) ++p;
    if (p == exponent) return {};
  }
  if (p != end) return {};
  Num num;
  if (integral && whole <= 19) {
    auto [stop, error] = std::from_chars(start, end, num.i);
    if (error == std::errc() && stop == end) {
      num.kind = Num::Kind::kInt;
      num.d = static_cast<double>(num.i);
      return num;
    }
  }
  double d = 0;
  auto [stop, error] = std::from_chars(start, end, d);
  if (stop != end) return {};
  if (error == std::errc::result_out_of_range) {
    // Too small is zero, too large is no number.
    if (text.find("e-") == std::string_view::npos && text.find("E-") == std::string_view::npos) return {};
    d = 0;
  } else if (error != std::errc()) {
    return {};
  }
  Value v = Value::number(d);
  num.kind = v.type == Type::kInt ? Num::Kind::kInt : Num::Kind::kDouble;
  num.i = v.type == Type::kInt ? v.i : 0;
  num.d = d;
  return num;
}

Num numeric(const Value& value) {
  Num num;
  switch (value.type) {
    case Type::kInt:
    case Type::kTime:
      num.kind = Num::Kind::kInt;
      num.i = value.i;
      num.d = static_cast<double>(value.i);
      return num;
    case Type::kDouble:
      num.kind = Num::Kind::kDouble;
      num.d = value.d;
      return num;
    case Type::kString: return parse_number(value.view());
    case Type::kNull:
    case Type::kJson: return num;
  }
  return num;
}

int compare(const Num& a, const Num& b) {
  if (a.is_int() && b.is_int()) return a.i < b.i ? -1 : a.i > b.i ? 1 : 0;
  return a.d < b.d ? -1 : a.d > b.d ? 1 : 0;
}

void render_time(std::int64_t ms, std::string& out) {
  using namespace std::chrono;
  std::int64_t days = ms / 86'400'000;
  std::int64_t rest = ms % 86'400'000;
  if (rest < 0) {
    rest += 86'400'000;
    --days;
  }
  // Outside the calendar's years there is no date to show.
  if (days < -719'528 || days > 2'932'896) {
    out += std::to_string(ms);
    return;
  }
  year_month_day date{sys_days{std::chrono::days{static_cast<int>(days)}}};
  auto put = [&out](unsigned v, int width) {
    char buffer[8];
    for (int k = width - 1; k >= 0; --k, v /= 10) buffer[k] = static_cast<char>('0' + v % 10);
    out.append(buffer, static_cast<std::size_t>(width));
  };
  auto r = static_cast<unsigned>(rest);
  put(static_cast<unsigned>(static_cast<int>(date.year())), 4);
  out += '-';
  put(static_cast<unsigned>(date.month()), 2);
  out += '-';
  put(static_cast<unsigned>(date.day()), 2);
  out += ' ';
  put(r / 3'600'000, 2);
  out += ':';
  put(r / 60'000 % 60, 2);
  out += ':';
  put(r / 1000 % 60, 2);
  out += '.';
  put(r % 1000, 3);
}

void render_double(double value, std::string& out) {
  char buffer[400];
  if (value == 0) {
    out += '0';
    return;
  }
  // The shortest text that reads back the same, in plain notation; half-up rounding works on it, as a reader would do it by hand.
  auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
  std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  auto dot = text.find('.');
  if (dot == std::string_view::npos) {
    out += text;
    return;
  }
  std::string digits(text.substr(0, std::min(text.size(), dot + 5)));
  if (text.size() > dot + 5 && text[dot + 5] >= '5') {
    std::size_t k = digits.size();
    while (k > 0) {
      --k;
      if (!digit(digits[k])) {
        if (digits[k] == '.') continue;
        break;  // the sign
      }
      if (digits[k] != '9') {
        ++digits[k];
        k = std::string::npos;
        break;
      }
      digits[k] = '0';
      if (k == 0) break;
    }
    if (k != std::string::npos) digits.insert(digits[0] == '-' ? 1 : 0, "1");
  }
  while (digits.back() == '0') digits.pop_back();
  if (digits.back() == '.') digits.pop_back();
  if (digits == "-0" || digits == "-" || digits.empty()) digits = "0";
  out += digits;
}

void render(const Value& value, std::string& out) {
  switch (value.type) {
    case Type::kNull: return;
    case Type::kInt: {
      char buffer[24];
      auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value.i);
      out.append(buffer, end);
      return;
    }
    case Type::kDouble: render_double(value.d, out); return;
    case Type::kString: out += value.view(); return;
    case Type::kTime: render_time(value.i, out); return;
    case Type::kJson: print_json(*value.json, out); return;
  }
}

std::string to_text(const Value& value) {
  std::string out;
  render(value, out);
  return out;
}

std::string_view text_of(const Value& value, std::string& buffer) {
  if (value.type == Type::kString) return value.view();
  buffer.clear();
  render(value, buffer);
  return buffer;
}

int equal(const Value& a, const Value& b) {
  if (a.null() || b.null()) return -1;
  if (a.container() || b.container()) return 0;
  if (a.is_text() && b.is_text() && a.view() == b.view()) return 1;
  Num x = numeric(a);
  if (x) {
    if (Num y = numeric(b)) return compare(x, y) == 0;
  }
  if (a.is_text() && b.is_text()) return 0;
  std::string p, q;
  return text_of(a, p) == text_of(b, q);
}

int order(const Value& a, const Value& b) {
  if (a.null() || b.null()) return kNullCompare;
  if (a.container() || b.container()) return kIncomparable;
  Num x = numeric(a);
  if (x) {
    if (Num y = numeric(b)) return compare(x, y);
  }
  if (!a.is_text() || !b.is_text() || a.literal || b.literal) return kIncomparable;
  int c = a.view().compare(b.view());
  return c < 0 ? -1 : c > 0 ? 1 : 0;
}

bool truthy(const Value& value) {
  switch (value.type) {
    case Type::kNull:
    case Type::kJson: return false;
    case Type::kInt:
    case Type::kTime: return value.i != 0;
    case Type::kDouble: return value.d != 0;
    case Type::kString: {
      if (Num n = parse_number(value.view())) return n.d != 0;
      return value.view() == "true";
    }
  }
  return false;
}

int natural_compare(std::string_view a, std::string_view b) {
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    std::size_t i0 = i, j0 = j;
    auto run = [](std::string_view s, std::size_t& k) {
      std::size_t start = k;
      if (digit(s[k])) {
        while (k < s.size() && digit(s[k])) ++k;
      } else if (letter(s[k])) {
        while (k < s.size() && letter(s[k])) ++k;
      } else {
        ++k;
      }
      return s.substr(start, k - start);
    };
    std::string_view x = run(a, i), y = run(b, j);
    if (digit(a[i0]) && digit(b[j0]) && x.size() != y.size()) return x.size() < y.size() ? -1 : 1;
    if (int c = x.compare(y); c != 0) return c < 0 ? -1 : 1;
  }
  bool a_done = i >= a.size(), b_done = j >= b.size();
  return a_done && b_done ? 0 : a_done ? -1 : 1;
}

int sort_compare(const Value& a, const Value& b) {
  bool a_null = a.null() || a.container(), b_null = b.null() || b.container();
  if (a_null || b_null) return a_null && b_null ? 0 : a_null ? -1 : 1;
  Num x = numeric(a), y = numeric(b);
  if (x && y) return compare(x, y);
  if (x || y) return x ? 1 : -1;
  std::string p, q;
  return natural_compare(text_of(a, p), text_of(b, q));
}

Value copy(const Value& value, Arena& arena) {
  Value result = value;
  if (value.type == Type::kString) {
    result.p = arena.copy(value.view()).data();
  } else if (value.type == Type::kJson) {
    result.json = copy_json(*value.json, arena);
  }
  return result;
}

std::size_t utf8_length(std::string_view text) {
  std::size_t n = 0;
  for (char c : text) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

std::size_t utf8_offset(std::string_view text, std::size_t n) {
  std::size_t k = 0;
  while (k < text.size()) {
    if ((static_cast<unsigned char>(text[k]) & 0xC0) != 0x80) {
      if (n == 0) return k;
      --n;
    }
    ++k;
  }
  return text.size();
}

}  // namespace fog::insights
