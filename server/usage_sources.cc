#include "server/usage_sources.h"

#include <string_view>

namespace fog {
namespace {

// Calls of a service's operations so far; an empty list means all of them.
double calls_of(const Registry& registry, std::string_view service, std::initializer_list<std::string_view> operations) {
  double calls = 0;
  for (const auto& one : registry.services()) {
    if (one->info->name != service) continue;
    for (const Registry::Entry* entry : registry.entries(*one)) {
      const bool counts = operations.size() == 0 || std::find(operations.begin(), operations.end(), entry->info->name) != operations.end();
      if (counts) calls += static_cast<double>(entry->calls.load(std::memory_order_relaxed));
    }
  }
  return calls;
}

// An alarm is paid by the metrics it looks at; one on an anomaly detector by three.
struct AlarmCost {
  Meter meter = Meter::kAlarms;
  double metrics = 1;
};
AlarmCost cost_of(const cloudwatch::AlarmEntry& alarm) {
  if (alarm.type == cloudwatch::AlarmType::CompositeAlarm) return {Meter::kAlarmsComposite, 1};
  if (alarm.type != cloudwatch::AlarmType::MetricAlarm || !alarm.document.metric) return {};
  constexpr int kStandardPeriod = 60;
  const cloudwatch::MetricAlarm& metric = *alarm.document.metric;
  int period = metric.period.value_or(kStandardPeriod);
  double metrics = 1;
  if (metric.metrics) {
    metrics = 0;
    for (const cloudwatch::MetricDataQuery& query : *metric.metrics) {
      if (query.metric_stat) {
        metrics += 1;
        period = std::min(period, static_cast<int>(query.metric_stat->period));
      }
    }
    metrics = std::max(1.0, metrics);
  }
  if (alarm.is_band) metrics *= 3;
  return {period < kStandardPeriod ? Meter::kAlarmsHighResolution : Meter::kAlarms, metrics};
}

double alarms_of(const cloudwatch::AlarmBook& book, Meter meter) {
  double sum = 0;
  for (const cloudwatch::AlarmPtr& alarm : book.all()) {
    const AlarmCost cost = cost_of(*alarm);
    if (cost.meter == meter) sum += cost.metrics;
  }
  return sum;
}

double documents(const ResourceStore& resources, std::string_view kind) {
  double count = 0;
  resources.for_each(kind, [&](const Resource&) { ++count; });
  return count;
}

double delivered(sns::Sns& sns, std::initializer_list<std::string_view> protocols) {
  double count = 0;
  for (const auto& [protocol, n] : sns.telemetry().delivered()) {
    if (std::find(protocols.begin(), protocols.end(), protocol) != protocols.end()) count += static_cast<double>(n);
  }
  return count;
}

// AWS's own namespaces cost nothing, nor do this server's numbers about itself.
bool is_custom(std::string_view name) { return !name.starts_with("AWS/") && name != "Fogwatch"; }

}  // namespace

Usage::Sources usage_sources(const UsageParts& p) {
  Usage::Sources sources;
  const auto total = [&](Meter meter, std::function<double()> get) { sources.totals.emplace_back(meter, std::move(get)); };
  const auto standing = [&](Meter meter, std::function<double()> get) { sources.standing.emplace_back(meter, std::move(get)); };

  total(Meter::kMetricRequests, [p] {
    return calls_of(p.registry, "cloudwatch", {"PutMetricData", "GetMetricStatistics", "ListMetrics", "GetDashboard", "ListDashboards", "PutDashboard", "DeleteDashboards"});
  });
  total(Meter::kWidgetImages, [p] { return calls_of(p.registry, "cloudwatch", {"GetMetricWidgetImage"}); });
  total(Meter::kSnsRequests, [p] { return calls_of(p.registry, "sns", {"Publish", "PublishBatch"}); });
  total(Meter::kSqsRequests, [p] { return calls_of(p.registry, "sqs", {}); });
  total(Meter::kLogsScanned, [p] { return p.queries.scanned_bytes(); });
  total(Meter::kTracesRecorded, [p] {
    const TraceStore::Stats stats = p.traces.stats();
    return static_cast<double>(stats.head_traces + stats.traces_sealed);
  });
  total(Meter::kSnsHttp, [p] { return delivered(p.sns, {"http", "https"}); });
  total(Meter::kSnsEmail, [p] { return delivered(p.sns, {"email", "email-json"}); });
  total(Meter::kSnsSms, [p] { return delivered(p.sns, {"sms"}); });
  total(Meter::kSnsPush, [p] { return delivered(p.sns, {"application"}); });
  total(Meter::kSnsFirehose, [p] { return delivered(p.sns, {"firehose"}); });
  total(Meter::kSnsQueue, [p] { return delivered(p.sns, {"sqs", "lambda"}); });

  standing(Meter::kLogsStored, [p] { return static_cast<double>(p.log_store.health().disk_bytes); });
  standing(Meter::kLiveTail, [p] { return static_cast<double>(p.log_pipeline.stats().live_tail_sessions); });
  for (const Meter meter : {Meter::kAlarms, Meter::kAlarmsHighResolution, Meter::kAlarmsComposite}) standing(meter, [p, meter] { return alarms_of(p.alarms, meter); });
  standing(Meter::kDashboards, [p] { return documents(p.resources, "cw-dashboard"); });
  standing(Meter::kInsightRules, [p] { return documents(p.resources, "cw-insight-rule"); });

  sources.active_metrics = [p](const std::string& account, const std::string& region, Timestamp since) {
    double count = 0;
    const SeriesFilter filter{.account = account, .region = region, .active_since = since};
    p.metrics.select(filter, nullptr, [&](const SeriesView& series) {
      if (is_custom(series.metric_namespace)) ++count;
      return true;
    });
    return count;
  };
  sources.is_infrequent = [p](const CommittedLogBatch& batch) {
    const logs::GroupPtr group = p.logs.by_id(batch.group);
    return group && group->settings.lock_shared()->log_group_class == logs::LogGroupClass::INFREQUENT_ACCESS;
  };
  return sources;
}

}  // namespace fog
