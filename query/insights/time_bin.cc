#include "query/insights/time_bin.h"

#include <chrono>

#include "query/insights/lex.h"

namespace fog::insights {

namespace {

constexpr std::int64_t kDayMs = 86'400'000;
// Monday 1970-01-05.
constexpr std::int64_t kFirstMondayMs = 4 * kDayMs;

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  std::int64_t q = a / b;
  return a % b < 0 ? q - 1 : q;
}

bool fixed(Period::Unit unit) { return unit < Period::Unit::kMonth; }

std::int64_t unit_ms(Period::Unit unit) {
  switch (unit) {
    case Period::Unit::kMs: return 1;
    case Period::Unit::kSecond: return 1000;
    case Period::Unit::kMinute: return 60'000;
    case Period::Unit::kHour: return 3'600'000;
    case Period::Unit::kDay: return kDayMs;
    case Period::Unit::kWeek: return 7 * kDayMs;
    case Period::Unit::kMonth: return 30 * kDayMs;
    case Period::Unit::kQuarter: return 91 * kDayMs;
    case Period::Unit::kYear: return 365 * kDayMs;
  }
  return 1;
}

std::int64_t months(const Period& period) {
  std::int64_t each = period.unit == Period::Unit::kMonth ? 1 : period.unit == Period::Unit::kQuarter ? 3 : 12;
  return each * period.count;
}

// Months since 1970-01 of an instant, and back.
std::int64_t month_of(std::int64_t ms) {
  using namespace std::chrono;
  year_month_day date{sys_days{days{static_cast<int>(floor_div(ms, kDayMs))}}};
  return (static_cast<std::int64_t>(static_cast<int>(date.year())) - 1970) * 12 +
         static_cast<std::int64_t>(static_cast<unsigned>(date.month())) - 1;
}
std::int64_t month_start(std::int64_t month) {
  using namespace std::chrono;
  std::int64_t years = floor_div(month, 12);
  year_month_day date{year{static_cast<int>(1970 + years)},
                      std::chrono::month{static_cast<unsigned>(month - years * 12 + 1)}, day{1}};
  return static_cast<std::int64_t>(sys_days{date}.time_since_epoch().count()) * kDayMs;
}

// Instants whose calendar date the library cannot tell.
bool out_of_calendar(std::int64_t ms) { return ms < -30'000 * 365 * kDayMs || ms > 30'000 * 365 * kDayMs; }

}  // namespace

std::int64_t Period::ms() const { return count * unit_ms(unit); }

std::optional<Period> parse_period(std::string_view text, bool capped) {
  std::size_t k = 0;
  std::int64_t count = 0;
  while (k < text.size() && text[k] >= '0' && text[k] <= '9') {
    count = count * 10 + (text[k] - '0');
    if (count > 1'000'000'000) return std::nullopt;
    ++k;
  }
  if (k == 0 || count == 0) return std::nullopt;
  std::string name = lower(text.substr(k));
  if (name.size() > 2 && name.ends_with('s')) name.pop_back();
  else if (name == "hrs" || name == "mos") name.pop_back();
  using Unit = Period::Unit;
  struct Row {
    std::string_view name;
    Unit unit;
  };
  static constexpr Row kUnits[] = {
      {"ms", Unit::kMs},       {"msec", Unit::kMs},      {"millisecond", Unit::kMs}, {"s", Unit::kSecond},
      {"sec", Unit::kSecond},  {"second", Unit::kSecond}, {"m", Unit::kMinute},      {"min", Unit::kMinute},
      {"minute", Unit::kMinute}, {"h", Unit::kHour},     {"hr", Unit::kHour},        {"hour", Unit::kHour},
      {"d", Unit::kDay},       {"day", Unit::kDay},      {"w", Unit::kWeek},         {"week", Unit::kWeek},
      {"mo", Unit::kMonth},    {"mon", Unit::kMonth},    {"month", Unit::kMonth},    {"q", Unit::kQuarter},
      {"qtr", Unit::kQuarter}, {"quarter", Unit::kQuarter}, {"y", Unit::kYear},      {"yr", Unit::kYear},
      {"year", Unit::kYear}};
  for (const Row& row : kUnits) {
    if (row.name != name) continue;
    Period period{count, row.unit};
    if (capped) {
      std::int64_t cap = row.unit == Unit::kMs                                   ? 1000
                         : row.unit == Unit::kSecond || row.unit == Unit::kMinute ? 60
                         : row.unit == Unit::kHour                                ? 24
                                                                                  : count;
      period.count = std::min(period.count, cap);
    }
    // A period must be a length that still fits a date.
    if (period.count > 400'000'000'000'000 / unit_ms(period.unit)) return std::nullopt;
    return period;
  }
  return std::nullopt;
}

std::int64_t bin_floor(std::int64_t ms, const Period& period) {
  if (fixed(period.unit)) {
    std::int64_t size = period.ms();
    std::int64_t base = period.unit == Period::Unit::kWeek ? kFirstMondayMs : 0;
    return floor_div(ms - base, size) * size + base;
  }
  if (out_of_calendar(ms)) return ms;
  std::int64_t size = months(period);
  return month_start(floor_div(month_of(ms), size) * size);
}

std::int64_t bin_next(std::int64_t start, const Period& period) {
  if (fixed(period.unit)) return start + period.ms();
  if (out_of_calendar(start)) return start + period.ms();
  return month_start(month_of(start) + months(period));
}

std::int64_t bin_ceil(std::int64_t ms, const Period& period) {
  std::int64_t floor = bin_floor(ms, period);
  return floor == ms ? ms : bin_next(floor, period);
}

}  // namespace fog::insights
