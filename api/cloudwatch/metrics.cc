// ListMetrics and GetMetricStatistics.
#include "api/cloudwatch/metrics.h"

#include <fmt/format.h>

#include <map>

#include "api/cloudwatch/model.h"
#include "api/codec/json.h"
#include "query/statistics/statistic.h"
#include "storage/base/bytes.h"
#include "storage/base/hash.h"
#include "storage/metric_units.h"

namespace fog::cloudwatch {
namespace {

constexpr std::size_t kMetricsPage = 500;
constexpr std::int64_t kDatapointsMax = 1440;
constexpr Millis kListedWithin = std::chrono::days(14);
constexpr Millis kRecentlyActive = std::chrono::hours(3);

// --- ListMetrics ------------------------------------------------------------------------------------

std::string encode_position(const SeriesView& view) {
  std::string key;
  ByteWriter out(key);
  out.text(view.metric_namespace);
  out.text(view.metric_name);
  for (const DimensionView& d : view.dimensions) {
    out.text(d.name);
    out.text(d.value);
  }
  return key;
}

std::optional<SeriesInfo> decode_position(std::string_view key) {
  SeriesInfo info;
  ByteReader in(key);
  info.metric_namespace = in.text();
  info.metric_name = in.text();
  while (in.ok() && !in.at_end()) {
    const std::string_view name = in.text();
    info.dimensions.emplace_back(name, in.text());
  }
  if (!in.ok()) return std::nullopt;
  return info;
}

Result<ListMetricsOutput> list_metrics(Call& call, const ListMetricsInput& in) {
  const bool linked = in.include_linked_accounts.value_or(false);
  if (in.owning_account && !linked)
    return invalid_combination("The parameter OwningAccount requires IncludeLinkedAccounts to be true.");
  ListMetricsInput parameters = in;
  parameters.next_token.reset();
  const std::uint64_t hash = hash64(encode_json(parameters));
  std::optional<SeriesInfo> after;
  if (in.next_token) {
    const auto key = page_key("ListMetrics", hash, *in.next_token);
    if (key) after = decode_position(*key);
    if (!after) return invalid_value("Request parameter NextToken is invalid");
  }
  SeriesFilter filter;
  filter.account = linked && in.owning_account ? *in.owning_account : call.account;
  filter.region = call.region;
  filter.metric_namespace = in.namespace_;
  filter.metric_name = in.metric_name;
  if (in.dimensions)
    for (const ::fog::cloudwatch::DimensionFilter& d : *in.dimensions)
      filter.dimensions.push_back({d.name, d.value});
  filter.active_since = call.now - (in.recently_active ? kRecentlyActive : kListedWithin);

  ListMetricsOutput out;
  auto& metrics = out.metrics.emplace();
  std::string last;
  call.service<MetricStore>().select(filter, after ? &*after : nullptr, [&](const SeriesView& view) {
    if (metrics.size() == kMetricsPage) {
      out.next_token = page_token("ListMetrics", hash, last);
      return false;
    }
    Metric& metric = metrics.emplace_back();
    metric.namespace_ = std::string(view.metric_namespace);
    metric.metric_name = std::string(view.metric_name);
    auto& dimensions = metric.dimensions.emplace();
    for (const DimensionView& d : view.dimensions)
      dimensions.push_back({.name = std::string(d.name), .value = std::string(d.value)});
    if (metrics.size() == kMetricsPage) last = encode_position(view);
    return true;
  });
  if (linked) out.owning_accounts.emplace(metrics.size(), filter.account);
  return out;
}

// --- GetMetricStatistics ------------------------------------------------------------------------------

Result<GetMetricStatisticsOutput> get_metric_statistics(Call& call, const GetMetricStatisticsInput& in) {
  if (in.start_time >= in.end_time)
    return invalid_value("The parameter StartTime must be less than the parameter EndTime.");
  if (in.statistics && in.extended_statistics)
    return invalid_combination(
        "The parameters Statistics and ExtendedStatistics are mutually exclusive and you have specified both.");
  if (!in.statistics && !in.extended_statistics)
    return invalid_combination("Must specify either Statistics or ExtendedStatistics");
  if (!is_period(in.period))
    return invalid_value("The parameter Period must be 1, 5, 10, 20, 30, or a multiple of 60.");
  const std::int64_t points = (in.end_time - in.start_time).count() / (std::int64_t{in.period} * 1000);
  if (points > kDatapointsMax)
    return invalid_combination(fmt::format(
        "You have requested up to {} datapoints, which exceeds the limit of {}. You may reduce the "
        "datapoints requested by increasing Period, or decreasing the time range.",
        points, kDatapointsMax));
  std::vector<::fog::Statistic> extended;
  if (in.extended_statistics)
    for (const std::string& name : *in.extended_statistics) {
      const auto statistic = parse_statistic(name);
      if (!statistic || !statistic->is_extended())
        return invalid_value(fmt::format("The value {} for parameter ExtendedStatistics is not supported.", name));
      extended.push_back(*statistic);
    }

  GetMetricStatisticsOutput out;
  out.label = in.metric_name;
  auto& datapoints = out.datapoints.emplace();
  MetricStore& store = call.service<MetricStore>();
  const auto dimensions = dimension_views(in.dimensions);
  const auto series = store.find({call.account, call.region, in.namespace_, in.metric_name, dimensions});
  if (!series) return out;
  ReadMetrics spec;
  spec.start = in.start_time;
  spec.end = in.end_time;
  spec.period = std::chrono::seconds(in.period);
  if (in.unit) spec.unit = to_code(*in.unit);
  spec.with_distribution = !extended.empty();
  TRY(const auto units, store.read(*series, spec));

  const auto wants = [&](Statistic statistic) {
    return in.statistics &&
           std::find(in.statistics->begin(), in.statistics->end(), statistic) != in.statistics->end();
  };
  std::map<std::pair<std::int64_t, UnitCode>, Datapoint> sorted;
  for (const SlotColumns& columns : units)
    for (std::size_t i = 0; i < columns.size(); ++i) {
      Datapoint point;
      point.timestamp = from_ms(columns.start_ms[i]);
      point.unit = to_unit(columns.unit);
      if (wants(Statistic::SampleCount)) point.sample_count = columns.count[i];
      if (wants(Statistic::Average)) point.average = columns.sum[i] / columns.count[i];
      if (wants(Statistic::Sum)) point.sum = columns.sum[i];
      if (wants(Statistic::Minimum)) point.minimum = columns.min[i];
      if (wants(Statistic::Maximum)) point.maximum = columns.max[i];
      if (!extended.empty()) {
        const Observed observed{columns.count[i], columns.sum[i], columns.min[i], columns.max[i],
                                &columns.distribution[i]};
        std::map<std::string, double> values;
        for (const ::fog::Statistic& statistic : extended)
          if (const auto value = compute(statistic, observed)) values[statistic.name] = *value;
        if (values.empty()) continue;  // no data point for any extended statistic
        point.extended_statistics = std::move(values);
      }
      sorted.emplace(std::pair(columns.start_ms[i], columns.unit), std::move(point));
    }
  for (auto& [key, point] : sorted) datapoints.push_back(std::move(point));
  return out;
}

constexpr Operation kOperations[] = {bind<list_metrics>(), bind<get_metric_statistics>()};

}  // namespace

std::span<const Operation> metric_read_operations() { return kOperations; }

}  // namespace fog::cloudwatch
