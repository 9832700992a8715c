#include "api/cloudwatch/alarm_fetch.h"

#include "api/cloudwatch/metric_queries.h"
#include "api/cloudwatch/model.h"

namespace fog::cloudwatch {
namespace {

using alarm_rules::Bucket;
using alarm_rules::Slot;

std::vector<Bucket> buckets_of(const AlarmEntry& alarm, Timestamp now) {
  const std::int64_t n = alarm.rules.evaluation_periods;
  if (alarm.wall_clock)  // no further datapoints are fetched
    return alarm_rules::wall_clock_buckets(now, alarm.rules.period_seconds, n, *alarm.wall_clock);
  return alarm_rules::sliding_buckets(now, alarm.rules.period_seconds, alarm_rules::evaluation_range(n));
}

bool equally_long(const std::vector<Bucket>& buckets, std::int64_t period_seconds) {
  return std::all_of(buckets.begin(), buckets.end(), [&](const Bucket& b) {
    return b.end - b.start == std::chrono::seconds(period_seconds);
  });
}

// Of several units the first in the service's order; a unit asked for is the only one there.
const SlotColumns* choose(const std::vector<SlotColumns>& columns) {
  for (const auto& c : columns) {
    if (c.size() > 0) return &c;
  }
  return nullptr;
}

void fill(const fog::Statistic& statistic, const SlotColumns& columns, std::vector<Slot>& slots) {
  const TimedValues values = compute(statistic, columns);
  std::map<std::int64_t, double> by_time, counts;
  for (std::size_t i = 0; i < values.start_ms.size(); ++i) by_time[values.start_ms[i]] = values.value[i];
  for (std::size_t i = 0; i < columns.size(); ++i) counts[columns.start_ms[i]] = columns.count[i];
  for (Slot& slot : slots) {
    const auto value = by_time.find(to_ms(slot.start));
    if (value == by_time.end()) continue;
    slot.value = value->second;
    slot.sample_count = counts[to_ms(slot.start)];
  }
}

Result<AlarmData> fetch_single(const Services& services, const AlarmEntry& entry, Timestamp now) {
  const MetricAlarm& alarm = *entry.document.metric;
  const auto& store = services.get<MetricStore>();
  AlarmData out;
  AlarmSeries series;
  const std::vector<Bucket> buckets = buckets_of(entry, now);
  for (const Bucket& bucket : buckets) series.slots.push_back({.start = bucket.start});
  const auto dimensions = dimension_views(alarm.dimensions);
  const auto id = store.find({.account = entry.key.account, .region = entry.key.region,
                              .metric_namespace = alarm.namespace_ ? std::string_view(*alarm.namespace_) : std::string_view(),
                              .metric_name = *alarm.metric_name, .dimensions = dimensions});
  if (id && entry.statistic) {
    ReadMetrics spec;
    spec.period = std::chrono::seconds(entry.rules.period_seconds);
    if (alarm.unit) spec.unit = to_code(*alarm.unit);
    spec.with_distribution = entry.statistic->is_extended();
    spec.align_to_start = true;
    if (equally_long(buckets, entry.rules.period_seconds)) {
      spec.start = buckets.front().start;
      spec.end = buckets.back().end;
      TRY(const auto columns, store.read(*id, spec));
      if (const SlotColumns* chosen = choose(columns)) fill(*entry.statistic, *chosen, series.slots);
    } else {
      // Days with a clock change are longer or shorter than the others.
      for (std::size_t i = 0; i < buckets.size(); ++i) {
        spec.start = buckets[i].start;
        spec.end = buckets[i].end;
        spec.period = std::chrono::duration_cast<std::chrono::seconds>(buckets[i].end - buckets[i].start);
        TRY(const auto columns, store.read(*id, spec));
        if (const SlotColumns* chosen = choose(columns)) {
          std::vector<Slot> one{series.slots[i]};
          fill(*entry.statistic, *chosen, one);
          series.slots[i] = one.front();
        }
      }
    }
  }
  std::int64_t counted = 0;
  for (auto slot = series.slots.rbegin(); slot != series.slots.rend() && counted < entry.rules.evaluation_periods; ++slot) {
    if (!slot->value) continue;
    out.samples += slot->sample_count.value_or(0);
    ++counted;
  }
  out.series.push_back(std::move(series));
  return out;
}

bool returns(const MetricDataQuery& query) { return query.return_data.value_or(true); }

Result<AlarmData> fetch_queries(const Services& services, const AlarmEntry& entry, Timestamp now) {
  const MetricAlarm& alarm = *entry.document.metric;
  const std::vector<Bucket> buckets = buckets_of(entry, now);
  MetricQueryContext context;
  context.services = &services;
  context.account = entry.key.account;
  context.region = entry.key.region;
  context.now = now;
  context.start = buckets.front().start;
  context.end = buckets.back().end;
  context.align_to_start = true;
  context.for_alarm = true;
  TRY(const QueryResults results, run_queries(context, *alarm.metrics));
  AlarmData out;
  out.is_partial = results.is_partial;
  const QueryResult* values = nullptr;
  const QueryResult* band = nullptr;
  for (const QueryResult& result : results.results) {
    if (result.query->id == alarm.threshold_metric_id) band = &result;
    else if (returns(*result.query)) values = &result;
  }
  if (values == nullptr) return Error::invalid("no query of the alarm returns data");
  out.is_grouped = values->query->expression && is_select(*values->query->expression) && values->is_array;
  const auto slots_of = [&](const metric_math::Series& series) {
    std::vector<Slot> slots;
    std::map<std::int64_t, double> by_time;
    for (std::size_t i = 0; i < series.size(); ++i) by_time[series.time_ms[i]] = series.value[i];
    for (const Bucket& bucket : buckets) {
      Slot slot{.start = bucket.start};
      if (const auto found = by_time.find(to_ms(bucket.start)); found != by_time.end()) slot.value = found->second;
      slots.push_back(slot);
    }
    return slots;
  };
  for (const QueriedSeries& queried : values->series) {
    AlarmSeries series;
    series.slots = slots_of(queried.series);
    if (out.is_grouped) {
      series.attributes["label"] = queried.default_label;
      if (queried.source) {
        for (const auto& [name, value] : queried.source->dimensions) {
          series.attributes.erase("label");
          series.attributes[name] = value;
        }
      }
    }
    out.series.push_back(std::move(series));
    if (!out.is_grouped) break;
  }
  if (!out.is_grouped && out.series.empty()) {
    AlarmSeries empty;
    for (const Bucket& bucket : buckets) empty.slots.push_back({.start = bucket.start});
    out.series.push_back(std::move(empty));
  }
  if (entry.is_band && band != nullptr && band->series.size() >= 2 && !out.series.empty()) {
    const auto one = slots_of(band->series[0].series), other = slots_of(band->series[1].series);
    auto& slots = out.series.front().slots;
    for (std::size_t i = 0; i < slots.size(); ++i) {
      if (!one[i].value || !other[i].value) continue;
      slots[i].lower = std::min(*one[i].value, *other[i].value);
      slots[i].upper = std::max(*one[i].value, *other[i].value);
    }
  }
  return out;
}

}  // namespace

Result<AlarmData> fetch_alarm_data(const Services& services, const AlarmEntry& alarm, Timestamp now) {
  return alarm.document.metric->metrics ? fetch_queries(services, alarm, now) : fetch_single(services, alarm, now);
}

}  // namespace fog::cloudwatch
