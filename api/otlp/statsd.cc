#include "api/otlp/statsd.h"

#include <charconv>
#include <cmath>

namespace fog::otlp {

namespace {

constexpr std::size_t kLineMax = 8192;
constexpr std::size_t kValuesMax = 150;
// What is remembered of gauges and sets is bounded, whatever arrives.
constexpr std::size_t kGaugesMax = 100'000;
constexpr std::size_t kSetsMax = 10'000;
constexpr std::size_t kSetValuesMax = 100'000;
constexpr std::int64_t kMinuteMs = 60'000;

std::optional<double> number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string_view take_until(std::string_view& text, char c) {
  const std::size_t at = text.find(c);
  const std::string_view part = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  return part;
}

struct Type {
  std::string_view sign;
  std::string_view name;
};
constexpr Type kTypes[] = {{"c", "counter"},   {"g", "gauge"},        {"ms", "timing"},
                           {"h", "histogram"}, {"d", "distribution"}, {"s", "set"}};

}  // namespace

bool Statsd::take_line(std::string_view line, Timestamp now, std::vector<SinkDatum>& out) {
  if (line.size() > kLineMax) return false;
  std::string_view rest = line;
  std::string_view head = take_until(rest, '|');
  const std::string_view name = take_until(head, ':');
  const std::string_view sign = take_until(rest, '|');
  const Type* type = nullptr;
  for (const Type& t : kTypes)
    if (t.sign == sign) type = &t;
  if (name.empty() || head.empty() || type == nullptr) return false;

  SinkDatum datum;
  datum.metric_namespace = namespace_;
  datum.metric_name = name;
  datum.time = now;
  if (sign == "ms") datum.unit = *unit_code("Milliseconds");
  double rate = 1;
  std::string_view tags;
  while (!rest.empty()) {
    std::string_view part = take_until(rest, '|');
    if (part.starts_with('@')) {
      const auto given = number(part.substr(1));
      if (!given || *given <= 0 || *given > 1) return false;
      rate = *given;
    } else if (part.starts_with('#')) {
      tags = part.substr(1);
    }  // other parts (c:container, T timestamp) say nothing here
  }
  std::string key(name);
  key += '|';
  key += tags;
  while (!tags.empty()) {
    std::string_view value = take_until(tags, ',');
    const std::string_view tag = take_until(value, ':');
    if (!tag.empty()) datum.dimensions.emplace_back(tag, value.empty() ? "true" : value);
  }
  datum.dimensions.emplace_back("metric_type", type->name);

  if (sign == "s") {
    const std::int64_t minute = to_ms(now) / kMinuteMs;
    auto found = sets_.find(key);
    if (found == sets_.end()) {
      if (sets_.size() >= kSetsMax) return false;
      found = sets_.emplace(key, Set{}).first;
      found->second.minute = minute;
      found->second.datum = std::move(datum);
    }
    Set& set = found->second;
    if (set.values.size() < kSetValuesMax) set.values.emplace(head);
    return true;
  }
  while (!head.empty()) {
    const std::string_view text = take_until(head, ':');
    auto value = number(text);
    if (!value || datum.values.size() == kValuesMax) return false;
    if (sign == "g") {
      auto gauge = gauges_.find(key);
      if (gauge == gauges_.end()) {
        if (gauges_.size() >= kGaugesMax) gauges_.erase(gauges_.begin());
        gauge = gauges_.emplace(key, 0.0).first;
      }
      const bool change = text.front() == '+' || text.front() == '-';
      value = gauge->second = change ? gauge->second + *value : *value;
    }
    datum.values.push_back(sign == "c" ? *value / rate : *value);
    if (sign != "c" && sign != "g" && rate != 1) datum.counts.push_back(1 / rate);
  }
  out.push_back(std::move(datum));
  return true;
}

std::size_t Statsd::take(std::string_view datagram, Timestamp now, std::vector<SinkDatum>& out) {
  std::size_t bad = 0;
  while (!datagram.empty()) {
    std::string_view line = take_until(datagram, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty() && !take_line(line, now, out)) ++bad;
  }
  return bad;
}

std::optional<Timestamp> Statsd::next_close(Timestamp now) const {
  std::optional<Timestamp> due;
  for (const auto& [key, set] : sets_) {
    const Timestamp end = std::max(now, from_ms((set.minute + 1) * kMinuteMs));
    if (!due || end < *due) due = end;
  }
  return due;
}

void Statsd::close(Timestamp now, std::vector<SinkDatum>& out) {
  const std::int64_t minute = to_ms(now) / kMinuteMs;
  for (auto at = sets_.begin(); at != sets_.end();) {
    Set& set = at->second;
    if (set.minute == minute) {
      ++at;
      continue;
    }
    set.datum.time = from_ms(set.minute * kMinuteMs);
    set.datum.values = {static_cast<double>(set.values.size())};
    out.push_back(std::move(set.datum));
    at = sets_.erase(at);
  }
}

}  // namespace fog::otlp
