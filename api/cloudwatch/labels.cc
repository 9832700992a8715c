#include "api/cloudwatch/labels.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace fog::cloudwatch {
namespace {

constexpr int kPlaceholdersMax = 5;  // beside ${LABEL}
constexpr std::string_view kNoValue = "--";

}  // namespace

std::vector<std::string> distinguishing_labels(std::span<const SeriesSource> sources) {
  std::vector<std::string> labels;
  if (sources.empty()) return labels;
  std::set<std::pair<std::string, std::string>> shared(sources[0].dimensions.begin(), sources[0].dimensions.end());
  bool same_statistic = true;
  bool same_period = true;
  for (const SeriesSource& s : sources) {
    std::erase_if(shared, [&](const auto& d) {
      return std::find(s.dimensions.begin(), s.dimensions.end(), d) == s.dimensions.end();
    });
    same_statistic = same_statistic && s.statistic == sources[0].statistic;
    same_period = same_period && s.period_s == sources[0].period_s;
  }
  for (const SeriesSource& s : sources) {
    std::string label = s.metric_name;
    for (const auto& d : s.dimensions)
      if (!shared.contains(d)) label += " " + d.second;
    if (!same_statistic) label += " " + s.statistic;
    if (!same_period) label += fmt::format(" {}", s.period_s);
    labels.push_back(std::move(label));
  }
  return labels;
}

std::optional<int> parse_utc_offset(std::string_view text) {
  if (text.size() != 5 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  for (const char c : text.substr(1))
    if (c < '0' || c > '9') return std::nullopt;
  const int hours = (text[1] - '0') * 10 + (text[2] - '0');
  const int minutes = (text[3] - '0') * 10 + (text[4] - '0');
  if (hours > 14 || minutes > 59) return std::nullopt;
  return (text[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
}

namespace {

// Up to four significant decimals, no trailing zeros.
std::string number_text(double v) {
  if (!std::isfinite(v)) return std::string(kNoValue);
  std::string text = fmt::format("{:.4f}", v);
  if (std::fabs(v) > 0 && std::fabs(v) < 1) text = fmt::format("{:.4g}", v);
  if (text.find('e') == std::string::npos && text.find('.') != std::string::npos) {
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
  }
  return text == "-0" ? "0" : text;
}

std::string time_text(std::int64_t ms, int offset_minutes) {
  using namespace std::chrono;
  const sys_seconds local{floor<seconds>(milliseconds(ms)) + minutes(offset_minutes)};
  const int magnitude = std::abs(offset_minutes);
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC{}{:02}{:02}", fmt::gmtime(local.time_since_epoch().count()),
                     offset_minutes < 0 ? '-' : '+', magnitude / 60, magnitude % 60);
}

std::string duration_text(std::int64_t ms) {
  std::int64_t seconds = std::abs(ms) / 1000;
  std::string text;
  constexpr std::pair<std::int64_t, char> kUnits[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
  for (const auto& [size, unit] : kUnits) {
    if (seconds >= size) text += fmt::format("{}{}{}", text.empty() ? "" : " ", seconds / size, unit);
    seconds %= size;
  }
  return text.empty() ? "0s" : text;
}

struct Extremes {
  std::size_t min = 0;
  std::size_t max = 0;
  double sum = 0;
};

Extremes extremes_of(const metric_math::Series& s) {
  Extremes e;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s.value[i] < s.value[e.min]) e.min = i;
    if (s.value[i] > s.value[e.max]) e.max = i;
    e.sum += s.value[i];
  }
  return e;
}

// PROP('Name'): nothing when the property is unknown or there is no metric behind the series.
std::optional<std::string> property(std::string_view call, const LabelFacts& facts) {
  if (!call.starts_with("PROP(") || call.back() != ')' || facts.source == nullptr) return std::nullopt;
  std::string_view name = call.substr(5, call.size() - 6);
  if (name.size() < 2 || name.front() != name.back() || (name.front() != '\'' && name.front() != '"'))
    return std::nullopt;
  name = name.substr(1, name.size() - 2);
  const SeriesSource& s = *facts.source;
  if (name == "AccountId" || name == "AccountLabel") return s.account;
  if (name == "MetricName") return s.metric_name;
  if (name == "Namespace") return s.metric_namespace;
  if (name == "Period") return fmt::format("{}", s.period_s);
  if (name == "Region") return s.region;
  if (name == "Stat") return s.statistic;
  if (name.starts_with("Dim.")) {
    for (const auto& [key, value] : s.dimensions)
      if (key == name.substr(4)) return value;
    return std::string(kNoValue);
  }
  return std::nullopt;
}

std::optional<std::string> placeholder(std::string_view name, const LabelFacts& facts) {
  if (name == "LABEL") return std::string(facts.default_label);
  if (const auto text = property(name, facts)) return text;
  static constexpr std::string_view kNames[] = {
      "AVG",      "DATAPOINT_COUNT",   "FIRST",     "FIRST_LAST_RANGE",   "FIRST_LAST_TIME_RANGE",
      "FIRST_TIME", "FIRST_TIME_RELATIVE", "LAST",  "LAST_TIME",          "LAST_TIME_RELATIVE",
      "MAX",      "MAX_TIME",          "MAX_TIME_RELATIVE", "MIN",        "MIN_MAX_RANGE",
      "MIN_MAX_TIME_RANGE", "MIN_TIME", "MIN_TIME_RELATIVE", "SUM"};
  if (std::find(std::begin(kNames), std::end(kNames), name) == std::end(kNames)) return std::nullopt;
  const metric_math::Series& s = *facts.series;
  if (name == "DATAPOINT_COUNT") return fmt::format("{}", s.size());
  if (s.empty()) return std::string(kNoValue);
  const Extremes e = extremes_of(s);
  const auto time = [&](std::size_t i) { return time_text(s.time_ms[i], facts.utc_offset_minutes); };
  const auto ago = [&](std::size_t i) { return duration_text(to_ms(facts.now) - s.time_ms[i]) + " ago"; };
  const std::size_t last = s.size() - 1;
  if (name == "AVG") return number_text(e.sum / static_cast<double>(s.size()));
  if (name == "SUM") return number_text(e.sum);
  if (name == "FIRST") return number_text(s.value[0]);
  if (name == "LAST") return number_text(s.value[last]);
  if (name == "MIN") return number_text(s.value[e.min]);
  if (name == "MAX") return number_text(s.value[e.max]);
  if (name == "FIRST_LAST_RANGE") return number_text(std::fabs(s.value[last] - s.value[0]));
  if (name == "MIN_MAX_RANGE") return number_text(s.value[e.max] - s.value[e.min]);
  if (name == "FIRST_LAST_TIME_RANGE") return duration_text(s.time_ms[last] - s.time_ms[0]);
  if (name == "MIN_MAX_TIME_RANGE") return duration_text(s.time_ms[e.max] - s.time_ms[e.min]);
  if (name == "FIRST_TIME") return time(0);
  if (name == "LAST_TIME") return time(last);
  if (name == "MIN_TIME") return time(e.min);
  if (name == "MAX_TIME") return time(e.max);
  if (name == "FIRST_TIME_RELATIVE") return ago(0);
  if (name == "LAST_TIME_RELATIVE") return ago(last);
  if (name == "MIN_TIME_RELATIVE") return ago(e.min);
  return ago(e.max);
}

}  // namespace

std::string expand_label(std::string_view label, const LabelFacts& facts) {
  std::string out;
  int used = 0;
  bool label_used = false;
  while (!label.empty()) {
    const std::size_t at = label.find("${");
    const std::size_t end = at == std::string_view::npos ? at : label.find('}', at);
    if (end == std::string_view::npos) break;
    out += label.substr(0, at);
    const std::string_view name = label.substr(at + 2, end - at - 2);
    const bool allowed = name == "LABEL" ? !label_used : used < kPlaceholdersMax;
    const auto text = allowed ? placeholder(name, facts) : std::nullopt;
    if (text) {
      out += *text;
      if (name == "LABEL")
        label_used = true;
      else
        ++used;
      label.remove_prefix(end + 1);
    } else {
      out += "${";
      label.remove_prefix(at + 2);
    }
  }
  return out.append(label);
}

}  // namespace fog::cloudwatch
