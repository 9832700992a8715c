// Reason texts and reason data, as recorded from the service.
#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "query/alarm_rules/evaluate.h"

namespace fog::alarm_rules {
namespace {

constexpr std::size_t kInlineDatapointsMax = 4;  // five or more are summed up
constexpr std::size_t kNewestShown = 5;

bool against_band(Comparison c) {
  return c == Comparison::kOutsideBand || c == Comparison::kBelowBand || c == Comparison::kAboveBand;
}

std::optional<bool> is_breaching(const Rules& rules, const Slot& slot) {
  if (!slot.value) return std::nullopt;
  const double v = *slot.value;
  if (against_band(rules.comparison) && (!slot.lower || !slot.upper)) return std::nullopt;
  switch (rules.comparison) {
    case Comparison::kGreaterOrEqual: return v >= rules.threshold;
    case Comparison::kGreater: return v > rules.threshold;
    case Comparison::kLess: return v < rules.threshold;
    case Comparison::kLessOrEqual: return v <= rules.threshold;
    case Comparison::kOutsideBand: return v < *slot.lower || v > *slot.upper;
    case Comparison::kBelowBand: return v < *slot.lower;
    case Comparison::kAboveBand: return v > *slot.upper;
  }
  return std::nullopt;
}

std::string day_time(Timestamp t) {  // dd/MM/yy HH:mm:ss
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day ymd(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::seconds>(t - day));
  return fmt::format("{:02}/{:02}/{:02} {:02}:{:02}:{:02}", static_cast<unsigned>(ymd.day()),
                     static_cast<unsigned>(ymd.month()), static_cast<int>(ymd.year()) % 100,
                     time.hours().count(), time.minutes().count(), time.seconds().count());
}

std::string_view plural(std::int64_t n) { return n == 1 ? "" : "s"; }
std::string_view was(std::int64_t n) { return n == 1 ? "was" : "were"; }

// "[a (time), b (time)]", newest first; `points` are oldest first.
std::string listed(std::span<const Slot* const> points, std::size_t n_max) {
  std::string out = "[";
  std::size_t n = 0;
  for (auto point = points.rbegin(); point != points.rend() && n < n_max; ++point, ++n) {
    if (n > 0) out += ", ";
    out += fmt::format("{} ({})", format_number(*(*point)->value), day_time((*point)->start));
  }
  return out + "]";
}

std::string bounds(std::span<const Slot* const> points, bool upper) {
  std::string out = "[";
  std::size_t n = 0;
  for (auto point = points.rbegin(); point != points.rend() && n < kNewestShown; ++point, ++n) {
    if (n > 0) out += ", ";
    out += format_number(upper ? *(*point)->upper : *(*point)->lower);
  }
  return out + "]";
}

// "[not ]greater than the threshold (5.0)", or the band's version.
std::string relation(const Rules& rules, bool alarm, std::span<const Slot* const> points) {
  const std::string_view no = alarm ? "" : "not ";
  const auto fixed = [&](std::string_view words) {
    return fmt::format("{}{} the threshold ({})", no, words, format_number(rules.threshold));
  };
  switch (rules.comparison) {
    case Comparison::kGreaterOrEqual: return fixed("greater than or equal to");
    case Comparison::kGreater: return fixed("greater than");
    case Comparison::kLess: return fixed("less than");
    case Comparison::kLessOrEqual: return fixed("less than or equal to");
    case Comparison::kOutsideBand:
      return fmt::format("{}less than the lower thresholds {} or {}greater than the upper thresholds {}",
                         no, bounds(points, false), no, bounds(points, true));
    case Comparison::kBelowBand:
      return fmt::format("{}less than the lower thresholds {}", no, bounds(points, false));
    case Comparison::kAboveBand:
      return fmt::format("{}greater than the upper thresholds {}", no, bounds(points, true));
  }
  return {};
}

std::string treated(std::int64_t n, bool breaching) {
  return fmt::format("{} missing datapoint{} {} treated as [{}]", n, plural(n), was(n),
                     breaching ? "Breaching" : "NonBreaching");
}

// What evaluation used: the real datapoints (oldest first), and how many gaps were filled.
struct Used {
  std::vector<const Slot*> real{};
  std::vector<bool> breaching{};  // parallel to real
  std::int64_t gaps = 0;
};

std::string threshold_reason(const Rules& rules, bool alarm, const Used& used) {
  const std::int64_t n = rules.evaluation_periods;
  const std::int64_t m = rules.datapoints_to_alarm.value_or(n);
  std::vector<const Slot*> deciding;
  for (std::size_t i = 0; i < used.real.size(); ++i) {
    if (used.breaching[i] == alarm) deciding.push_back(used.real[i]);
  }
  // Filled gaps count only on the side they were filled for.
  const bool filled_here = rules.missing_data == (alarm ? MissingData::kBreaching : MissingData::kNotBreaching);
  const std::int64_t filled = filled_here ? used.gaps : 0;
  const auto count = static_cast<std::int64_t>(deciding.size());
  const auto received = static_cast<std::int64_t>(used.real.size());
  std::string text = against_band(rules.comparison) ? "Thresholds Crossed: " : "Threshold Crossed: ";
  if (received == 0) {
    return text + fmt::format("no datapoints were received for {} period{} and {}.", n, plural(n),
                              treated(n, alarm));
  }
  if (count == 0 && filled > 0) {
    return text + fmt::format("{} datapoint{} {} received for {} period{} and {}.", received,
                              plural(received), was(received), n, plural(n), treated(filled, alarm));
  }
  const bool inline_list = deciding.size() <= kInlineDatapointsMax;
  if (rules.datapoints_to_alarm) {
    text += fmt::format("{} out of the last {} datapoints ", count, n);
  } else {
    text += fmt::format("{} datapoint{} ", count, plural(count));
  }
  if (inline_list) text += listed(deciding, kInlineDatapointsMax) + " ";
  text += fmt::format("{} {}", was(count), relation(rules, alarm, deciding));
  if (filled > 0) text += " and " + treated(filled, alarm);
  if (!inline_list) {
    text += ". The most recent datapoints which crossed the threshold: " + listed(deciding, kNewestShown);
  }
  if (rules.datapoints_to_alarm) {
    const std::int64_t minimum = alarm ? m : n - m + 1;
    text += fmt::format(" (minimum {} datapoint{} for {} transition)", minimum, plural(minimum),
                        alarm ? "OK -> ALARM" : "ALARM -> OK");
  }
  return text + ".";
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

std::string number_list(const std::vector<double>& values, std::size_t from) {
  std::string out = "[";
  for (std::size_t i = from; i < values.size(); ++i) {
    if (i > from) out += ",";
    out += format_number(values[i]);
  }
  return out + "]";
}

// `shown` evaluated datapoints (newest) and `recent` values are kept.
std::string reason_data_of(const Rules& rules, const Used& used, std::span<const Slot> slots,
                           Timestamp query_time, std::size_t shown, std::size_t recent) {
  std::string out = fmt::format(R"({{"version":"1.0","queryDate":"{}")", format_reason_time(query_time));
  if (!used.real.empty())
    out += fmt::format(R"(,"startDate":"{}")", format_reason_time(used.real.front()->start));
  if (!rules.unit.empty()) out += fmt::format(R"(,"unit":"{}")", escaped(rules.unit));
  if (!rules.statistic.empty()) out += fmt::format(R"(,"statistic":"{}")", escaped(rules.statistic));
  out += fmt::format(R"(,"period":{})", rules.period_seconds);

  std::vector<double> values, lower, upper;
  for (const Slot* slot : used.real) {
    values.push_back(*slot->value);
    if (slot->lower) lower.push_back(*slot->lower);
    if (slot->upper) upper.push_back(*slot->upper);
  }
  const std::size_t from = values.size() > recent ? values.size() - recent : 0;
  out += R"(,"recentDatapoints":)" + number_list(values, from);
  if (against_band(rules.comparison)) {
    out += R"(,"recentLowerThresholds":)" + number_list(lower, from);
    out += R"(,"recentUpperThresholds":)" + number_list(upper, from);
  } else {
    out += R"(,"threshold":)" + format_number(rules.threshold);
  }

  // The datapoints used and, where periods were missing, the newest of the empty slots.
  out += R"(,"evaluatedDatapoints":[)";
  std::int64_t gaps_left = used.gaps;
  std::size_t n = 0;
  auto real = used.real.rbegin();
  for (auto slot = slots.rbegin(); slot != slots.rend() && n < shown; ++slot) {
    const bool is_real = real != used.real.rend() && *real == &*slot;
    if (!is_real && (slot->value || gaps_left == 0)) continue;
    if (n++ > 0) out += ",";
    out += fmt::format(R"({{"timestamp":"{}")", format_reason_time(slot->start));
    if (is_real) {
      if (slot->sample_count) out += R"(,"sampleCount":)" + format_number(*slot->sample_count);
      out += R"(,"value":)" + format_number(*slot->value);
      ++real;
    } else {
      --gaps_left;
    }
    out += "}";
  }
  return out + "]}";
}

}  // namespace

std::string format_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  const double size = std::abs(value);
  char raw[64];
  if (size != 0 && (size >= 1e7 || size < 1e-3)) {
    const auto [end, error] = std::to_chars(raw, raw + sizeof raw, value, std::chars_format::scientific);
    static_cast<void>(error);
    const std::string_view text(raw, static_cast<std::size_t>(end - raw));
    const std::size_t e = text.find('e');
    std::string mantissa(text.substr(0, e));
    if (mantissa.find('.') == std::string::npos) mantissa += ".0";
    int exponent = 0;
    std::string_view digits = text.substr(e + 1);
    const bool negative = digits.front() == '-';
    digits.remove_prefix(1);
    std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    return fmt::format("{}E{}{}", mantissa, negative ? "-" : "", exponent);
  }
  const auto [end, error] = std::to_chars(raw, raw + sizeof raw, value, std::chars_format::fixed);
  static_cast<void>(error);
  std::string text(raw, static_cast<std::size_t>(end - raw));
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

std::string format_reason_time(Timestamp t) {
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day ymd(day);
  const std::chrono::hh_mm_ss time(t - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}+0000", static_cast<int>(ymd.year()),
                     static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

Verdict evaluate(const Rules& rules, State current, std::span<const Slot> slots, Timestamp query_time) {
  const std::int64_t n = rules.evaluation_periods;
  std::vector<std::optional<bool>> breaching;
  breaching.reserve(slots.size());
  Used used;
  for (const Slot& slot : slots) {
    breaching.push_back(is_breaching(rules, slot));
    if (!breaching.back()) continue;
    used.real.push_back(&slot);
    used.breaching.push_back(*breaching.back());
  }
  const auto k = static_cast<std::int64_t>(used.real.size());
  if (k > n) {
    used.real.erase(used.real.begin(), used.real.end() - n);
    used.breaching.erase(used.breaching.begin(), used.breaching.end() - n);
  }
  used.gaps = std::max<std::int64_t>(0, n - k);

  Verdict verdict;
  verdict.state = decide(n, rules.datapoints_to_alarm.value_or(n), rules.missing_data, current, breaching);
  if (verdict.state == State::kInsufficientData) {
    verdict.reason = fmt::format("Insufficient Data: {} datapoint{} {} unknown.", n, plural(n), was(n));
  } else {
    verdict.reason = threshold_reason(rules, verdict.state == State::kAlarm, used);
  }
  if (verdict.reason.size() > kReasonCharsMax) verdict.reason.resize(kReasonCharsMax);
  std::size_t shown = slots.size(), recent = used.real.size();
  verdict.reason_data = reason_data_of(rules, used, slots, query_time, shown, recent);
  while (verdict.reason_data.size() > kReasonDataCharsMax && (shown > 1 || recent > 1)) {
    // Lists are cut from their old end; the datapoints weigh more than the bare values.
    if (shown > 1) shown = shown * 3 / 4;
    else recent = recent * 3 / 4;
    if (shown < 8 && recent > 100) recent = 100;
    verdict.reason_data = reason_data_of(rules, used, slots, query_time, shown, recent);
  }
  return verdict;
}

}  // namespace fog::alarm_rules
