// JSON records only: one object a line. A stream in an OpenTelemetry format is passed over and said so.
#include "api/cloudwatch/metric_stream_worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "api/cloudwatch/shapes.h"
#include "api/codec/json.h"
#include "query/statistics/statistic.h"
#include "storage/base/log.h"
#include "storage/metric_units.h"

namespace fog::cloudwatch {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kGraceMs = 30'000;
// After a jump of the clock, minutes further back than this are not sent.
constexpr std::int64_t kBacklogMs = 3'600'000;
constexpr std::size_t kSeriesPerScan = 1024;
constexpr std::size_t kBatchBytesMax = 512 * 1024;

bool names(const std::vector<MetricStreamFilter>& filters, std::string_view ns, std::string_view metric) {
  return std::any_of(filters.begin(), filters.end(), [&](const MetricStreamFilter& f) {
    if (f.namespace_ != ns) return false;
    return !f.metric_names || f.metric_names->empty() ||
           std::find(f.metric_names->begin(), f.metric_names->end(), metric) != f.metric_names->end();
  });
}

bool takes(const GetMetricStreamOutput& stream, std::string_view ns, std::string_view metric) {
  if (stream.include_filters && !stream.include_filters->empty()) return names(*stream.include_filters, ns, metric);
  return !stream.exclude_filters || !names(*stream.exclude_filters, ns, metric);
}

std::vector<::fog::Statistic> statistics_of(const GetMetricStreamOutput& stream, std::string_view ns,
                                            std::string_view metric) {
  std::vector<::fog::Statistic> out;
  if (!stream.statistics_configurations) return out;
  for (const auto& c : *stream.statistics_configurations) {
    const bool meant = std::any_of(c.include_metrics.begin(), c.include_metrics.end(),
                                   [&](const auto& m) { return m.namespace_ == ns && m.metric_name == metric; });
    if (!meant) continue;
    for (const std::string& name : c.additional_statistics)
      if (auto statistic = parse_statistic(name)) out.push_back(std::move(*statistic));
  }
  return out;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k) word = word << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k)
      out += k <= bytes.size() - i ? kDigits[(word >> (18 - 6 * k)) & 63] : '=';
  }
  return out;
}

}  // namespace

std::optional<Timestamp> MetricStreamWorker::next_due(Timestamp now) {
  bool any = false;
  deps_.resources.for_each("cw-stream", [&](const Resource&) { any = true; });
  if (!any) return std::nullopt;
  if (sent_until_ms_ == 0) return now;
  return std::max(now, from_ms(sent_until_ms_ + kMinuteMs + kGraceMs));
}

void MetricStreamWorker::tick(Timestamp now) {
  const std::int64_t ready = (to_ms(now) - kGraceMs) / kMinuteMs * kMinuteMs;
  if (sent_until_ms_ == 0 || sent_until_ms_ > ready) sent_until_ms_ = ready;
  if (sent_until_ms_ == ready) return;
  const std::int64_t from = std::max(sent_until_ms_, ready - kBacklogMs);
  std::vector<Resource> streams;
  deps_.resources.for_each("cw-stream", [&](const Resource& r) { streams.push_back(r); });
  for (const Resource& stream : streams) emit(stream, from_ms(from), from_ms(ready));
  sent_until_ms_ = ready;
}

void MetricStreamWorker::emit(const Resource& resource, Timestamp from, Timestamp to) {
  const auto decoded = decode_json<GetMetricStreamOutput>(resource.document);
  if (!decoded.ok() || decoded->state != "running") return;
  const GetMetricStreamOutput& stream = *decoded;
  if (stream.output_format != MetricStreamOutputFormat::json) {
    LOG_WARN("metric stream {} asks for an OpenTelemetry format, which is not sent yet", resource.key.name);
    return;
  }
  // Nothing from before the stream began (or began again).
  const Timestamp begun = stream.last_update_date.value_or(from);
  const auto destination = destinations_.find(stream.firehose_arn.value_or(""));

  SeriesFilter filter;
  filter.account = resource.key.account;
  filter.region = resource.key.region;
  filter.active_since = from;
  std::vector<SeriesId> ids;
  deps_.metrics.select(filter, nullptr, [&](const SeriesView& view) {
    if (takes(stream, view.metric_namespace, view.metric_name)) ids.push_back(view.id);
    return true;
  });
  ReadMetrics spec;
  spec.start = std::max(from, begun - std::chrono::milliseconds(to_ms(begun) % kMinuteMs));
  spec.end = to;
  spec.with_distribution = stream.statistics_configurations && !stream.statistics_configurations->empty();
  if (spec.start >= spec.end) return;
  std::string batch;
  const auto flush = [&] {
    if (batch.empty()) return;
    if (destination != destinations_.end()) send(destination->second, resource.key.name, std::move(batch), to);
    batch.clear();
  };
  for (std::size_t at = 0; at < ids.size(); at += kSeriesPerScan) {
    const std::span<const SeriesId> part = std::span(ids).subspan(at, std::min(kSeriesPerScan, ids.size() - at));
    const Status scanned = deps_.metrics.scan(part, spec, [&](std::size_t position, SlotColumns& columns) {
      const auto info = deps_.metrics.describe(part[position]);
      if (!info) return;
      const auto extra = statistics_of(stream, info->metric_namespace, info->metric_name);
      for (std::size_t i = 0; i < columns.size(); ++i) {
        nlohmann::ordered_json record;
        record["metric_stream_name"] = resource.key.name;
        record["account_id"] = info->account;
        record["region"] = info->region;
        record["namespace"] = info->metric_namespace;
        record["metric_name"] = info->metric_name;
        record["dimensions"] = nlohmann::ordered_json::object();
        for (const auto& [name, value] : info->dimensions) record["dimensions"][name] = value;
        record["timestamp"] = columns.start_ms[i];
        auto& value = record["value"];
        value["max"] = columns.max[i];
        value["min"] = columns.min[i];
        value["sum"] = columns.sum[i];
        value["count"] = columns.count[i];
        const Observed observed{columns.count[i], columns.sum[i], columns.min[i], columns.max[i],
                                columns.distribution.empty() ? nullptr : &columns.distribution[i]};
        for (const ::fog::Statistic& statistic : extra)
          if (const auto v = compute(statistic, observed)) value[statistic.name] = *v;
        record["unit"] = columns.unit < kMetricUnits.size() ? kMetricUnits[columns.unit] : "None";
        batch += record.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
        ++records_;
        if (batch.size() >= kBatchBytesMax) flush();
      }
    });
    if (!scanned.ok()) LOG_ERROR("metric stream {}: {}", resource.key.name, scanned.error().message());
  }
  flush();
}

void MetricStreamWorker::send(const StreamDestination& destination, const std::string& stream, std::string records,
                              Timestamp now) {
  const std::string id = deps_.random.uuid();
  if (!destination.folder.empty()) {
    std::error_code error;
    std::filesystem::create_directories(destination.folder, error);
    std::ofstream file(destination.folder / fmt::format("{}-{}-{}.json", stream, to_ms(now), id), std::ios::binary);
    file << records;
    if (!file.flush()) ++failures_;
    return;
  }
  if (destination.url.empty() || deps_.outbound == nullptr) return;
  OutboundRequest request;
  request.url = destination.url;
  request.headers = {{"Content-Type", "application/json"}, {"X-Amz-Firehose-Protocol-Version", "1.0"},
                     {"X-Amz-Firehose-Request-Id", id}};
  if (!destination.access_key.empty()) request.headers.emplace_back("X-Amz-Firehose-Access-Key", destination.access_key);
  const nlohmann::ordered_json body = {
      {"requestId", id}, {"timestamp", to_ms(now)}, {"records", {{{"data", base64(records)}}}}};
  request.body = body.dump();
  ++under_way_;
  deps_.outbound->http(std::move(request), [this](Result<OutboundResponse> response) {
    if (!response.ok() || response->status / 100 != 2) ++failures_;
    --under_way_;
  });
}

}  // namespace fog::cloudwatch
