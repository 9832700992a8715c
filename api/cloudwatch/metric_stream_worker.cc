#include "api/cloudwatch/metric_stream_worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "api/cloudwatch/metric_stream_format.h"
#include "api/cloudwatch/shapes.h"
#include "api/codec/json.h"
#include "query/statistics/statistic.h"
#include "storage/base/hash.h"
#include "storage/base/log.h"

namespace fog::cloudwatch {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kGraceMs = 30'000;
// After a jump of the clock, minutes further back than this are not sent.
constexpr std::int64_t kBacklogMs = 3'600'000;
constexpr std::size_t kSeriesPerScan = 1024;
constexpr std::size_t kBatchBytesMax = 512 * 1024;
// Minutes that are looked at again for late data.
constexpr std::int64_t kLateMs = 15 * kMinuteMs;
// Of batches that wait for another try; past it the oldest are given up.
constexpr std::size_t kWaitingBytesMax = 64u << 20;
constexpr Millis kFirstPause{1000};
constexpr Millis kLongestPause{300'000};

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

std::size_t MetricStreamWorker::SlotHash::operator()(const SlotKey& k) const {
  std::uint64_t h = k.stream ^ (k.series * 0x9e3779b97f4a7c15ull);
  h ^= static_cast<std::uint64_t>(k.start_ms) * 0xff51afd7ed558ccdull + k.unit;
  return static_cast<std::size_t>(h ^ h >> 32);
}

std::optional<Timestamp> MetricStreamWorker::next_due(Timestamp now) {
  std::optional<Timestamp> due;
  {
    const auto waiting = waiting_.lock_shared();
    for (const Batch& batch : waiting->batches)
      if (!due || batch.next_try < *due) due = batch.next_try;
  }
  bool any = false;
  deps_.resources.for_each("cw-stream", [&](const Resource&) { any = true; });
  if (any) {
    const Timestamp minute = sent_until_ms_ == 0 ? now : from_ms(sent_until_ms_ + kMinuteMs + kGraceMs);
    if (!due || minute < *due) due = minute;
  }
  if (!due) return std::nullopt;
  return std::max(now, *due);
}

void MetricStreamWorker::tick(Timestamp now) {
  send_again(now);
  const std::int64_t ready = (to_ms(now) - kGraceMs) / kMinuteMs * kMinuteMs;
  if (sent_until_ms_ == 0 || sent_until_ms_ > ready) {
    sent_until_ms_ = begun_ms_ = ready;
    counts_.clear();
  }
  if (sent_until_ms_ == ready) return;
  const std::int64_t from = std::max(sent_until_ms_, ready - kBacklogMs);
  std::vector<Resource> streams;
  deps_.resources.for_each("cw-stream", [&](const Resource& r) { streams.push_back(r); });
  for (const Resource& stream : streams) emit(stream, from_ms(from), from_ms(ready), now);
  sent_until_ms_ = ready;
  std::erase_if(counts_, [&](const auto& entry) { return entry.first.start_ms < ready - kLateMs; });
}

void MetricStreamWorker::emit(const Resource& resource, Timestamp from, Timestamp to, Timestamp now) {
  const auto decoded = decode_json<GetMetricStreamOutput>(resource.document);
  if (!decoded.ok() || decoded->state != "running") return;
  const GetMetricStreamOutput& stream = *decoded;
  // Nothing from before the stream began (or began again).
  const Timestamp begun = stream.last_update_date.value_or(from);
  const auto destination = destinations_.find(stream.firehose_arn.value_or(""));
  const auto format = stream.output_format.value_or(MetricStreamOutputFormat::json);
  const std::uint64_t stream_number = hash64(resource.key.account + '/' + resource.key.region + '/' + resource.key.name);

  SeriesFilter filter;
  filter.account = resource.key.account;
  filter.region = resource.key.region;
  filter.active_since = from - Millis(kLateMs);
  std::vector<SeriesId> ids;
  deps_.metrics.select(filter, nullptr, [&](const SeriesView& view) {
    if (takes(stream, view.metric_namespace, view.metric_name)) ids.push_back(view.id);
    return true;
  });
  ReadMetrics spec;
  spec.start = std::max(from - Millis(kLateMs), begun - Millis(to_ms(begun) % kMinuteMs));
  spec.end = to;
  spec.with_distribution = stream.statistics_configurations && !stream.statistics_configurations->empty();
  if (spec.start >= spec.end) return;
  std::string records;
  const auto flush = [&] {
    if (records.empty()) return;
    if (destination != destinations_.end()) {
      Batch batch;
      batch.destination = destination->second;
      batch.id = deps_.random.uuid();
      batch.file_name = fmt::format("{}-{}-{}.{}", resource.key.name, to_ms(to), batch.id,
                                    format == MetricStreamOutputFormat::json ? "json" : "otlp");
      batch.records = std::move(records);
      batch.made = now;
      send(std::move(batch), now);
    }
    records.clear();
  };
  for (std::size_t at = 0; at < ids.size(); at += kSeriesPerScan) {
    const std::span<const SeriesId> part = std::span(ids).subspan(at, std::min(kSeriesPerScan, ids.size() - at));
    const Status scanned = deps_.metrics.scan(part, spec, [&](std::size_t position, SlotColumns& columns) {
      std::optional<SeriesInfo> info;
      std::vector<::fog::Statistic> extra;
      for (std::size_t i = 0; i < columns.size(); ++i) {
        const auto [sent, fresh] = counts_.try_emplace({stream_number, part[position], columns.start_ms[i], columns.unit}, 0.0);
        // What is older than this round went out before, or before this process began: then only its count is kept.
        const bool is_old = columns.start_ms[i] < to_ms(from);
        const bool is_known = sent->second == columns.count[i] || (is_old && fresh && columns.start_ms[i] < begun_ms_);
        sent->second = columns.count[i];
        if (is_known) continue;
        if (!info) {
          info = deps_.metrics.describe(part[position]);
          if (!info) return;
          extra = statistics_of(stream, info->metric_namespace, info->metric_name);
        }
        StreamRecord record;
        record.stream = resource.key.name;
        record.stream_arn = stream.arn ? std::string_view(*stream.arn) : std::string_view();
        record.series = &*info;
        record.unit = columns.unit;
        record.start_ms = columns.start_ms[i];
        record.end_ms = columns.start_ms[i] + kMinuteMs;
        record.count = columns.count[i];
        record.sum = columns.sum[i];
        record.min = columns.min[i];
        record.max = columns.max[i];
        const Observed observed{columns.count[i], columns.sum[i], columns.min[i], columns.max[i],
                                columns.distribution.empty() ? nullptr : &columns.distribution[i]};
        for (const ::fog::Statistic& statistic : extra)
          if (const auto v = compute(statistic, observed))
            record.extra.push_back({statistic.name, statistic.high.value_or(0) / 100, *v});
        append_record(format, record, records);
        ++records_;
        if (records.size() >= kBatchBytesMax) flush();
      }
    });
    if (!scanned.ok()) LOG_ERROR("metric stream {}: {}", resource.key.name, scanned.error().message());
  }
  flush();
}

// --- delivery ---------------------------------------------------------------------------------------

void MetricStreamWorker::send(Batch batch, Timestamp now) {
  const StreamDestination& destination = batch.destination;
  if (!destination.folder.empty()) {
    std::error_code error;
    std::filesystem::create_directories(destination.folder, error);
    // Readers of the folder see whole files only.
    const auto path = destination.folder / batch.file_name;
    auto temporary = path;
    temporary += ".tmp";
    std::ofstream file(temporary, std::ios::binary);
    file << batch.records;
    file.close();
    if (file) std::filesystem::rename(temporary, path, error);
    if (!file || error) refused(std::move(batch), now);
    return;
  }
  if (destination.url.empty() || deps_.outbound == nullptr) return;
  OutboundRequest request;
  request.url = destination.url;
  request.headers = {{"Content-Type", "application/json"}, {"X-Amz-Firehose-Protocol-Version", "1.0"},
                     {"X-Amz-Firehose-Request-Id", batch.id}};
  if (!destination.access_key.empty()) request.headers.emplace_back("X-Amz-Firehose-Access-Key", destination.access_key);
  const nlohmann::ordered_json body = {
      {"requestId", batch.id}, {"timestamp", to_ms(now)}, {"records", {{{"data", base64(batch.records)}}}}};
  request.body = body.dump();
  ++under_way_;
  deps_.outbound->http(std::move(request),
                       [this, now, batch = std::make_shared<Batch>(std::move(batch))](Result<OutboundResponse> response) {
                         if (!response.ok() || response->status / 100 != 2) refused(std::move(*batch), now);
                         --under_way_;
                       });
}

void MetricStreamWorker::refused(Batch batch, Timestamp now) {
  ++failures_;
  const Millis pause = std::min(kLongestPause, kFirstPause * (1 << std::min(batch.attempts, 20)));
  ++batch.attempts;
  batch.next_try = now + pause;
  if (batch.next_try > batch.made + kRetryFor) {
    ++dropped_;
    LOG_WARN("metric streams: a batch of {} bytes was refused for an hour and given up", batch.records.size());
    return;
  }
  auto waiting = waiting_.lock();
  waiting->bytes += batch.records.size();
  waiting->batches.push_back(std::move(batch));
  while (waiting->bytes > kWaitingBytesMax) {
    waiting->bytes -= waiting->batches.front().records.size();
    waiting->batches.pop_front();
    ++dropped_;
  }
}

void MetricStreamWorker::send_again(Timestamp now) {
  std::vector<Batch> due;
  {
    auto waiting = waiting_.lock();
    std::deque<Batch> later;
    for (Batch& batch : waiting->batches) {
      if (batch.next_try > now) {
        later.push_back(std::move(batch));
        continue;
      }
      waiting->bytes -= batch.records.size();
      due.push_back(std::move(batch));
    }
    waiting->batches = std::move(later);
  }
  for (Batch& batch : due) send(std::move(batch), now);
}

}  // namespace fog::cloudwatch
