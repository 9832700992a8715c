#include "api/otlp/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "api/otlp/answer.h"
#include "storage/base/hash.h"

namespace fog::otlp {

namespace {

constexpr std::size_t kDatumsPerRecord = 1000;
constexpr std::size_t kValuesMax = 150;  // of a datum, as PutMetricData has it
constexpr std::int32_t kScaleMax = 20;

constexpr std::pair<std::string_view, std::string_view> kUnits[] = {
    {"s", "Seconds"},        {"ms", "Milliseconds"},  {"us", "Microseconds"},  {"By", "Bytes"},
    {"kBy", "Kilobytes"},    {"MBy", "Megabytes"},    {"GBy", "Gigabytes"},    {"TBy", "Terabytes"},
    {"bit", "Bits"},         {"kbit", "Kilobits"},    {"Mbit", "Megabits"},    {"MBit", "Megabits"},
    {"Gbit", "Gigabits"},    {"GBit", "Gigabits"},    {"Tbit", "Terabits"},    {"%", "Percent"},
    {"By/s", "Bytes/Second"}, {"kBy/s", "Kilobytes/Second"}, {"MBy/s", "Megabytes/Second"}, {"GBy/s", "Gigabytes/Second"},
    {"TBy/s", "Terabytes/Second"}, {"bit/s", "Bits/Second"}, {"kbit/s", "Kilobits/Second"}, {"Mbit/s", "Megabits/Second"},
    {"Gbit/s", "Gigabits/Second"}, {"Tbit/s", "Terabits/Second"}, {"1/s", "Count/Second"}};

std::string text_of(const Value& value);

std::string text_of_list(const std::vector<Value>& list) {
  std::string out = "[";
  for (const Value& v : list) out += (out.size() > 1 ? "," : "") + text_of(v);
  return out + "]";
}

std::string text_of(const Value& value) {
  struct Visitor {
    std::string operator()(std::monostate) const { return {}; }
    std::string operator()(const std::string& s) const { return s; }
    std::string operator()(bool b) const { return b ? "true" : "false"; }
    std::string operator()(std::int64_t n) const { return std::to_string(n); }
    std::string operator()(double d) const { return fmt::format("{}", d); }
    std::string operator()(const std::vector<Value>& list) const { return text_of_list(list); }
    std::string operator()(const Attributes& map) const {
      std::string out = "{";
      for (const auto& [k, v] : map) out += (out.size() > 1 ? "," : "") + k + "=" + text_of(v);
      return out + "}";
    }
  };
  return std::visit(Visitor{}, value.is);
}

std::string namespace_of(const Attributes& resource) {
  const std::string_view space = text(resource, "service.namespace");
  const std::string_view name = text(resource, "service.name");
  if (!space.empty() && !name.empty()) return fmt::format("{}/{}", space, name);
  if (!name.empty()) return std::string(name);
  if (!space.empty()) return std::string(space);
  return "OTLP";
}

void append_key(std::string& key, std::string_view part) {
  key += std::to_string(part.size());
  key += ':';
  key += part;
}

// Attributes in a fixed order.
void append_key(std::string& key, const Attributes& attributes) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : attributes) {
    std::string part;
    append_key(part, name);
    append_key(part, text_of(value));
    parts.push_back(std::move(part));
  }
  std::sort(parts.begin(), parts.end());
  for (const std::string& part : parts) key += part;
  key += ';';
}

// The ends of what a histogram's buckets with observations cover; nothing where a side is open.
struct Cover {
  std::optional<double> low;
  std::optional<double> high;
};
Cover cover_of(const MetricPointIn& point) {
  Cover cover;
  for (std::size_t i = 0; i < point.counts.size(); ++i) {
    if (point.counts[i] == 0) continue;
    if (!cover.low && i > 0) cover.low = point.bounds[i - 1];
    if (!cover.low) cover.low = point.bounds.empty() ? std::nullopt : std::optional(std::min(0.0, point.bounds[0]));
    cover.high = i < point.bounds.size() ? std::optional(point.bounds[i]) : std::nullopt;
    if (!cover.high && !point.bounds.empty()) cover.high = point.bounds.back();
  }
  return cover;
}

}  // namespace

UnitCode unit_of_ucum(std::string_view unit) {
  for (const auto& [ucum, name] : kUnits)
    if (unit == ucum) return *unit_code(name);
  if (unit.starts_with('{') && unit.ends_with('}')) return *unit_code("Count");
  if (unit.starts_with('{') && unit.ends_with("}/s")) return *unit_code("Count/Second");
  return kUnitNone;
}

MetricReceiver::MetricReceiver(MetricSink& sink, const Clock& clock, Options options)
    : sink_(sink), clock_(clock), options_(options),
      born_ns_(static_cast<std::uint64_t>(std::max<std::int64_t>(0, to_ms(clock.now()))) * 1'000'000) {}

bool MetricReceiver::subtract(MetricKind kind, MetricPointIn& point, const std::string& stream) {
  std::vector<std::uint64_t> buckets = point.counts;
  buckets.insert(buckets.end(), point.positive.counts.begin(), point.positive.counts.end());
  buckets.insert(buckets.end(), point.negative.counts.begin(), point.negative.counts.end());
  const double sum = kind == MetricKind::kSum ? point.value.value_or(0) : point.sum.value_or(0);

  auto streams = streams_.lock();
  const auto found = streams->reached.find(stream);
  const bool known = found != streams->reached.end();
  Reached now{.start_ns = point.start_ns, .sum = sum, .count = point.count, .zero_count = point.zero_count,
              .buckets = buckets, .scale = point.scale, .positive_offset = point.positive.offset,
              .negative_offset = point.negative.offset, .age = {}};
  if (!known) {
    streams->by_age.push_back(stream);
    now.age = std::prev(streams->by_age.end());
    streams->reached.emplace(stream, std::move(now));
    if (streams->reached.size() > options_.streams_max) {
      streams->reached.erase(streams->by_age.front());
      streams->by_age.pop_front();
    }
    // What began after this server did is new as a whole.
    return point.start_ns != 0 && point.start_ns >= born_ns_;
  }
  Reached& before = found->second;
  streams->by_age.splice(streams->by_age.end(), streams->by_age, before.age);
  now.age = before.age;
  bool anew = before.start_ns != point.start_ns || (kind == MetricKind::kSum ? sum < before.sum : point.count < before.count) ||
              point.zero_count < before.zero_count;
  // Buckets of another layout can't be compared: the interval's distribution is lost, its count and sum are not.
  const bool same_buckets = before.buckets.size() == buckets.size() && before.scale == point.scale &&
                            before.positive_offset == point.positive.offset && before.negative_offset == point.negative.offset;
  for (std::size_t i = 0; same_buckets && i < buckets.size(); ++i) anew = anew || buckets[i] < before.buckets[i];
  if (!anew) {
    if (kind == MetricKind::kSum) point.value = sum - before.sum;
    if (point.sum) point.sum = sum - before.sum;
    point.count -= before.count;
    point.zero_count -= before.zero_count;
    // Of the whole life, not of the interval.
    point.min.reset();
    point.max.reset();
    std::size_t at = 0;
    for (auto* counts : {&point.counts, &point.positive.counts, &point.negative.counts}) {
      if (!same_buckets) {
        counts->clear();
        continue;
      }
      for (std::uint64_t& n : *counts) n -= before.buckets[at++];
    }
  }
  before = std::move(now);
  return true;
}

MetricReceiver::Made MetricReceiver::make(const MetricIn& metric, MetricPointIn& point, const std::string& stream,
                                          SinkDatum& datum) {
  if (point.has_no_value) return Made::kNothing;
  const bool cumulative = metric.temporality == Temporality::kCumulative || metric.kind == MetricKind::kSummary;
  switch (metric.kind) {
    case MetricKind::kNone:
      return Made::kRefused;
    case MetricKind::kGauge:
    case MetricKind::kSum:
      if (!point.value || !std::isfinite(*point.value)) return Made::kRefused;
      if (metric.kind == MetricKind::kSum && metric.is_monotonic && cumulative && !subtract(metric.kind, point, stream))
        return Made::kNothing;
      datum.values.push_back(*point.value);
      return Made::kDatum;
    case MetricKind::kHistogram:
      if ((!point.counts.empty() && point.counts.size() != point.bounds.size() + 1) ||
          !std::is_sorted(point.bounds.begin(), point.bounds.end()) ||
          std::any_of(point.bounds.begin(), point.bounds.end(), [](double b) { return !std::isfinite(b); }))
        return Made::kRefused;
      break;
    case MetricKind::kExponentialHistogram:
      if (point.scale > kScaleMax || point.scale < -10) return Made::kRefused;
      break;
    case MetricKind::kSummary:
      break;
  }
  if (point.sum && !std::isfinite(*point.sum)) return Made::kRefused;
  if (cumulative && !subtract(metric.kind, point, stream)) return Made::kNothing;
  if (point.count == 0) return Made::kNothing;

  if (metric.kind == MetricKind::kExponentialHistogram) {
    const double base = std::exp2(std::exp2(-point.scale));
    const auto add = [&](double value, std::uint64_t n) {
      if (n == 0) return;
      if (point.min) value = std::max(value, *point.min);
      if (point.max) value = std::min(value, *point.max);
      datum.values.push_back(value);
      datum.counts.push_back(static_cast<double>(n));
    };
    const auto middle = [&](std::int32_t offset, std::size_t i) {
      const double low = std::pow(base, static_cast<double>(offset) + static_cast<double>(i));
      return low + (low * base - low) / 2;
    };
    for (std::size_t i = point.negative.counts.size(); i-- > 0;)
      add(-middle(point.negative.offset, i), point.negative.counts[i]);
    add(0, point.zero_count);
    for (std::size_t i = 0; i < point.positive.counts.size(); ++i)
      add(middle(point.positive.offset, i), point.positive.counts[i]);
    // More buckets than a datum may have values: neighbours together.
    while (datum.values.size() > kValuesMax) {
      std::size_t kept = 0;
      for (std::size_t i = 0; i < datum.values.size(); i += 2, ++kept) {
        const bool pair = i + 1 < datum.values.size();
        const double n = datum.counts[i] + (pair ? datum.counts[i + 1] : 0);
        datum.values[kept] = (datum.values[i] * datum.counts[i] + (pair ? datum.values[i + 1] * datum.counts[i + 1] : 0)) / n;
        datum.counts[kept] = n;
      }
      datum.values.resize(kept);
      datum.counts.resize(kept);
    }
    if (!datum.values.empty()) return Made::kDatum;
  }
  StatisticSetValue set;
  set.count = static_cast<double>(point.count);
  set.sum = point.sum.value_or(0);
  const double mean = set.sum / set.count;
  if (metric.kind == MetricKind::kSummary && !point.quantiles.empty()) {
    std::sort(point.quantiles.begin(), point.quantiles.end());
    if (std::isfinite(point.quantiles.front().second)) point.min = point.quantiles.front().second;
    if (std::isfinite(point.quantiles.back().second)) point.max = point.quantiles.back().second;
  }
  const Cover cover = cover_of(point);
  // Bounds say where values lie; the mean lies between any minimum and maximum.
  set.min = std::min(point.min ? *point.min : cover.low.value_or(mean), mean);
  set.max = std::max(point.max ? *point.max : cover.high.value_or(mean), mean);
  datum.set = set;
  return Made::kDatum;
}

ExportAnswer MetricReceiver::take(const Scope& scope, std::string_view content_type, std::string_view content_encoding,
                                  std::string_view body) {
  OpenedBody opened;
  if (const auto refusal = open_body(content_type, content_encoding, body, opened)) return refuse(*refusal);
  auto groups = opened.is_json ? decode_metrics_json(opened.body) : decode_metrics_protobuf(opened.body);
  if (!groups.ok()) return refuse({400, kInvalidArgument, opened.is_json, groups.error().message()});

  const Timestamp now = clock_.now();
  std::vector<SinkDatum> datums;
  std::size_t rejected = 0;
  std::size_t accepted = 0;
  Lsn lsn = 0;
  Status stored = Ok{};
  const auto put = [&] {
    if (datums.empty() || !stored.ok()) return;
    auto outcome = sink_.put_metrics(scope.account, scope.region, datums);
    if (outcome.ok()) {
      rejected += outcome->rejected;
      accepted += datums.size() - outcome->rejected;
      lsn = std::max(lsn, outcome->lsn);
    } else {
      stored = std::move(outcome).error();
    }
    datums.clear();
  };
  for (MetricGroup& group : *groups) {
    const std::string metric_namespace = namespace_of(group.resource);
    std::string resource_key = scope.account + '/' + scope.region + '/';
    append_key(resource_key, group.resource);
    append_key(resource_key, group.scope_name);
    for (MetricIn& metric : group.metrics) {
      const UnitCode unit = unit_of_ucum(metric.unit);
      for (MetricPointIn& point : metric.points) {
        std::string stream = resource_key;
        append_key(stream, metric.name);
        append_key(stream, metric.unit);
        append_key(stream, point.attributes);
        SinkDatum datum;
        const Made made = make(metric, point, stream, datum);
        if (made == Made::kRefused) ++rejected;
        if (made != Made::kDatum) continue;
        datum.metric_namespace = metric_namespace;
        datum.metric_name = metric.name;
        datum.unit = unit;
        datum.time = point.time_ns == 0 ? now : from_ms(static_cast<std::int64_t>(point.time_ns / 1'000'000));
        for (const auto& [name, value] : point.attributes)
          // A value that says nothing is no dimension.
          if (std::string text = text_of(value); !text.empty()) datum.dimensions.emplace_back(name, std::move(text));
        datums.push_back(std::move(datum));
        if (datums.size() == kDatumsPerRecord) put();
      }
    }
  }
  put();
  if (!stored.ok()) return refuse({503, kUnavailable, opened.is_json, "metrics can't be stored now"});
  ExportAnswer answer = accept(opened.is_json, "rejectedDataPoints", rejected,
                               "points without a finite value, with names or times that CloudWatch does not take, were left out");
  answer.lsn = lsn;
  answer.accepted_spans = accepted;
  answer.rejected_spans = rejected;
  return answer;
}

}  // namespace fog::otlp
