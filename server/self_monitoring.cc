#include "server/self_monitoring.h"

#include <charconv>
#include <cmath>

#include <fmt/format.h>
#include <sys/statvfs.h>

#include "storage/base/log.h"

namespace fog {
namespace {

constexpr Millis kMinute{60'000};
constexpr std::string_view kNamespace = "Fogwatch";
const ResourceKey kPreparedKey{"self-monitoring", "", "", "prepared"};

enum class Reading {
  kGauge,   // as it stands
  kDelta,   // how much it grew within the minute
  kMeanMs,  // growth of the first by growth of the second, in ms: mean latency
};

// A metric and the numbers of GET /metrics it is made of, joined by '+'; an absent one counts 0.
struct Row {
  std::string_view metric;
  std::string_view unit;
  Reading kind;
  std::string_view from;
};

constexpr Row kRows[] = {
    {"Requests", "Count", Reading::kDelta, "fogwatch_requests_total"},
    {"ClientErrors", "Count", Reading::kDelta, "fogwatch_request_errors_total{class=\"4xx\"}"},
    {"ServerErrors", "Count", Reading::kDelta, "fogwatch_request_errors_total{class=\"5xx\"}"},
    {"RequestLatency", "Milliseconds", Reading::kMeanMs, "fogwatch_request_seconds_total/fogwatch_requests_total"},
    {"Throttles", "Count", Reading::kDelta, "fogwatch_shed_total+fogwatch_connections_refused_total"},
    {"IngestErrors", "Count", Reading::kDelta,
     "fogwatch_trace_documents_total{verdict=\"rejected\"}+fogwatch_xray_datagrams_rejected_total+fogwatch_log_embedded_errors_total"},
    {"Drops", "Count", Reading::kDelta, "fogwatch_xray_datagrams_dropped_total+fogwatch_subscription_deliveries_total{verdict=\"dropped\"}"},
    {"IngestedBytes", "Bytes", Reading::kDelta, "fogwatch_wal_bytes_total"},
    {"IngestedRecords", "Count", Reading::kDelta, "fogwatch_wal_records_total"},
    {"MetricPoints", "Count", Reading::kDelta, "fogwatch_metric_points_total"},
    {"TraceDocuments", "Count", Reading::kDelta, "fogwatch_trace_documents_total{verdict=\"accepted\"}"},
    {"DeliveryFailures", "Count", Reading::kDelta, "fogwatch_outbound_failures_total+fogwatch_outbound_denied_total"},
    {"SealFailures", "Count", Reading::kDelta, "fogwatch_log_seal_failures_total"},
    {"Damage", "Count", Reading::kGauge,
     "fogwatch_log_damaged_blocks+fogwatch_log_damaged_files+fogwatch_metric_chunks_damaged+fogwatch_wal_damaged_bytes+"
     "fogwatch_trace_damaged_blocks+fogwatch_trace_damaged_files+fogwatch_database_pages_damaged+fogwatch_databases_damaged"},
    {"QueueDepth", "Count", Reading::kGauge, "fogwatch_subscription_waiting+fogwatch_outbound_waiting"},
    {"WalBytes", "Bytes", Reading::kGauge, "fogwatch_wal_disk_bytes"},
    {"LogBytes", "Bytes", Reading::kGauge, "fogwatch_log_disk_bytes"},
    {"MetricBytes", "Bytes", Reading::kGauge, "fogwatch_metric_disk_bytes"},
    {"MetricSeries", "Count", Reading::kGauge, "fogwatch_metric_series"},
    {"MemoryBytes", "Bytes", Reading::kGauge, "process_resident_memory_bytes"},
    {"Connections", "Count", Reading::kGauge, "fogwatch_connections"},
    {"CpuSeconds", "Seconds", Reading::kDelta, "process_cpu_seconds_total"},
};

struct AlarmRow {
  std::string_view name;
  std::string_view metric;
  std::string_view statistic;
  std::string_view comparison;
  double threshold;
  int periods;  // of one minute
  std::string_view says;
};

constexpr std::string_view kAbove = "GreaterThanThreshold";
constexpr AlarmRow kAlarms[] = {
    {"Fogwatch-ServerErrors", "ServerErrors", "Sum", kAbove, 0, 1, "Requests were answered with a 5xx. The server's own log says why."},
    {"Fogwatch-IngestErrors", "IngestErrors", "Sum", kAbove, 0, 1, "Segments, datagrams or embedded metrics were refused as they came in."},
    {"Fogwatch-Drops", "Drops", "Sum", kAbove, 0, 1, "Something was lost on the way: a datagram the kernel dropped, or a delivery whose queue was full."},
    {"Fogwatch-Throttles", "Throttles", "Sum", kAbove, 0, 3, "More comes in than this machine can take."},
    {"Fogwatch-DiskUsed", "DiskUsedPercent", "Maximum", kAbove, 85, 1, "The filesystem of the data folder fills up. At 100 % writes are refused until there is room."},
    {"Fogwatch-QueueAge", "QueueAgeSeconds", "Maximum", kAbove, 300, 1, "Deliveries have been waiting for five minutes: their destination does not answer."},
    {"Fogwatch-EvaluationLag", "EvaluationLagSeconds", "Maximum", kAbove, 30, 1, "Alarms were evaluated half a minute late or more."},
    {"Fogwatch-Damage", "Damage", "Maximum", kAbove, 0, 1, "Stored bytes failed their check. Run `fogwatch check`; restore from a backup."},
    {"Fogwatch-SealFailures", "SealFailures", "Sum", kAbove, 0, 3, "The disk refused to take log segments."},
};

// Title, then metrics with their statistic.
struct Graph {
  std::string_view title;
  std::vector<std::pair<std::string_view, std::string_view>> metrics;
};

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string dashboard_body(std::string_view region) {
  const std::vector<Graph> graphs = {
      {"Requests", {{"Requests", "Sum"}, {"ClientErrors", "Sum"}, {"ServerErrors", "Sum"}, {"Throttles", "Sum"}}},
      {"Mean latency", {{"RequestLatency", "Average"}}},
      {"What came in", {{"IngestedBytes", "Sum"}, {"MetricPoints", "Sum"}, {"TraceDocuments", "Sum"}}},
      {"Errors and losses", {{"IngestErrors", "Sum"}, {"Drops", "Sum"}, {"DeliveryFailures", "Sum"}, {"Damage", "Maximum"}}},
      {"Disk", {{"WalBytes", "Maximum"}, {"LogBytes", "Maximum"}, {"MetricBytes", "Maximum"}, {"DiskFreeBytes", "Minimum"}}},
      {"Disk used, %", {{"DiskUsedPercent", "Maximum"}}},
      {"Queues", {{"QueueDepth", "Maximum"}, {"QueueAgeSeconds", "Maximum"}, {"EvaluationLagSeconds", "Maximum"}}},
      {"Memory and CPU", {{"MemoryBytes", "Maximum"}, {"CpuSeconds", "Sum"}, {"Connections", "Maximum"}}},
  };
  std::string body = R"({"widgets":[)";
  int at = 0;
  for (const Graph& graph : graphs) {
    std::string metrics;
    for (const auto& [metric, statistic] : graph.metrics)
      metrics += fmt::format(R"({}["{}","{}",{{"stat":"{}"}}])", metrics.empty() ? "" : ",", kNamespace, metric, statistic);
    body += fmt::format(R"({}{{"type":"metric","x":{},"y":{},"width":12,"height":6,"properties":{{"title":{},"region":"{}","period":60,"view":"timeSeries","metrics":[{}]}}}})",
                        at == 0 ? "" : ",", at % 2 * 12, at / 2 * 6, json_text(graph.title), region, metrics);
    ++at;
  }
  return body + "]}";
}

std::string alarm_request(const AlarmRow& row) {
  return fmt::format(
      R"({{"AlarmName":"{}","AlarmDescription":{},"Namespace":"{}","MetricName":"{}","Statistic":"{}","Period":60,"EvaluationPeriods":{},"Threshold":{},"ComparisonOperator":"{}","TreatMissingData":"notBreaching"}})",
      row.name, json_text(row.says), kNamespace, row.metric, row.statistic, row.periods, row.threshold, row.comparison);
}

// One call of CloudWatch in this server's own name.
Status call(const Api& api, const std::string& account, const std::string& region, std::string_view operation, std::string body) {
  const std::string target = fmt::format("GraniteServiceVersion20100801.{}", operation);
  http::Request request{.method = "POST", .target = "/", .headers = {{"X-Amz-Target", target}, {"Content-Type", "application/x-amz-json-1.0"}}, .body = std::move(body), .peer = "127.0.0.1"};
  Exchange x(std::move(request));
  TRY(const bool ours, api.route(x));
  if (!ours) return Error::internal("no service for it");
  x.call.account = account;
  x.call.region = region;
  TRYV(api.decompress(x));
  TRYV(api.decode(x));
  return api.call(x);
}

double sum_of(const std::map<std::string, double, std::less<>>& samples, std::string_view names) {
  double sum = 0;
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find('+'));
    names.remove_prefix(std::min(names.size(), name.size() + 1));
    if (const auto found = samples.find(name); found != samples.end()) sum += found->second;
  }
  return sum;
}

}  // namespace

std::map<std::string, double, std::less<>> parse_prometheus(std::string_view text) {
  std::map<std::string, double, std::less<>> samples;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t space = line.rfind(' ');
    if (line.empty() || line.front() == '#' || space == std::string_view::npos) continue;
    double value = 0;
    const auto [end, error] = std::from_chars(line.data() + space + 1, line.data() + line.size(), value);
    if (error != std::errc() || end != line.data() + line.size() || !std::isfinite(value)) continue;
    const std::string_view series = line.substr(0, space);
    const std::string_view name = series.substr(0, series.find('{'));
    samples[std::string(name)] += value;
    if (name.size() < series.size()) samples[std::string(series)] = value;
  }
  return samples;
}

Status SelfMonitoring::prepare(const Api& api) {
  if (parts_.resources.get(kPreparedKey)) return Ok{};
  TRYV(call(api, parts_.account, parts_.region, "PutDashboard",
            fmt::format(R"({{"DashboardName":"Fogwatch","DashboardBody":{}}})", json_text(dashboard_body(parts_.region)))));
  for (const AlarmRow& row : kAlarms) TRYV(call(api, parts_.account, parts_.region, "PutMetricAlarm", alarm_request(row)));
  return parts_.resources.apply({{kPreparedKey, "1"}});
}

std::optional<Timestamp> SelfMonitoring::next_due(Timestamp) { return next_ == Timestamp() ? std::nullopt : std::optional(next_); }

void SelfMonitoring::tick(Timestamp now) {
  note_round(now);
  if (now < next_ && next_ - now <= kMinute) return;
  const Timestamp minute(Millis(to_ms(now) / kMinute.count() * kMinute.count()));
  Samples samples = parse_prometheus(parts_.numbers());
  const double waiting = sum_of(samples, "fogwatch_subscription_waiting+fogwatch_outbound_waiting");
  if (waiting == 0) waiting_since_ = {};
  else if (waiting_since_ == Timestamp()) waiting_since_ = now;
  if (next_ != Timestamp()) put(minute - kMinute, samples);
  before_ = std::move(samples);
  lag_seconds_ = 0;
  next_ = minute + kMinute;
}

// Rounds begin once a second of real time; what is over that, all workers of the round are late.
void SelfMonitoring::note_round(Timestamp) {
  const auto now = std::chrono::steady_clock::now();
  if (last_round_ != std::chrono::steady_clock::time_point()) {
    const double since = std::chrono::duration<double>(now - last_round_).count();
    lag_seconds_ = std::max(lag_seconds_, since - 1.0);
  }
  last_round_ = now;
}

void SelfMonitoring::put(Timestamp minute, const Samples& samples) {
  std::vector<SinkDatum> data;
  const auto add = [&](std::string_view metric, std::string_view unit, double value) {
    SinkDatum datum{.metric_namespace = std::string(kNamespace), .metric_name = std::string(metric), .dimensions = {}, .time = minute};
    if (const auto code = unit_code(unit)) datum.unit = *code;
    datum.values = {value};
    data.push_back(std::move(datum));
  };
  const auto growth = [&](std::string_view from) { return std::max(0.0, sum_of(samples, from) - sum_of(before_, from)); };
  for (const Row& row : kRows) {
    switch (row.kind) {
      case Reading::kGauge: add(row.metric, row.unit, sum_of(samples, row.from)); break;
      case Reading::kDelta: add(row.metric, row.unit, growth(row.from)); break;
      case Reading::kMeanMs: {
        const std::size_t slash = row.from.find('/');
        const double n = growth(row.from.substr(slash + 1));
        if (n > 0) add(row.metric, row.unit, growth(row.from.substr(0, slash)) / n * 1000);
        break;
      }
    }
  }
  add("EvaluationLagSeconds", "Seconds", lag_seconds_);
  const Millis waited = waiting_since_ == Timestamp() ? Millis(0) : minute + kMinute - waiting_since_;
  add("QueueAgeSeconds", "Seconds", static_cast<double>(std::max<std::int64_t>(0, waited.count())) / 1000);
  struct statvfs disk {};
  if (!parts_.data.empty() && ::statvfs(parts_.data.c_str(), &disk) == 0 && disk.f_blocks > 0) {
    const double block = static_cast<double>(disk.f_frsize);
    // What root may still use counts as used, as df shows it.
    const double used = static_cast<double>(disk.f_blocks - disk.f_bfree);
    const double open = static_cast<double>(disk.f_bavail);
    add("DiskFreeBytes", "Bytes", open * block);
    add("DiskUsedPercent", "Percent", used + open > 0 ? 100 * used / (used + open) : 100);
  }
  const auto done = parts_.sink.put_metrics(parts_.account, parts_.region, data);
  if (!done.ok()) LOG_WARN("the server's own metrics are not stored: {}", done.error().message());
}

}  // namespace fog
