#include "api/logs/anomaly_detectors.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cmath>

#include "api/codec/json.h"
#include "api/logs/common.h"
#include "api/logs/event_page.h"
#include "api/logs/masking.h"
#include "api/logs/pattern.h"
#include "api/logs/store_scan.h"
#include "query/insights/query.h"
#include "storage/base/hash.h"
#include "storage/base/log.h"

namespace fog::logs {
namespace {

constexpr std::size_t kCountsKept = 288;
constexpr std::size_t kPatternsMax = 2000;
constexpr std::size_t kSamplesMax = 10;
constexpr std::size_t kCandidatesMax = 100'000;
constexpr int kIntervalsATurn = 500;  // of one job, so that a long wait is made up for in pieces
constexpr double kDeviations = 3;
constexpr double kDeviationLeast = 1;  // events: a flat history does not make one event more an anomaly

// The rows of a block that match a filter pattern.
class FilteredScan final : public insights::Scan {
 public:
  FilteredScan(StoreScan& inner, const EventPattern& pattern) : inner_(inner), pattern_(pattern) {}
  Result<insights::ScanBlocks> open(const insights::ScanRequest& request) override {
    insights::ScanRequest narrower = request;
    narrower.where.insert(narrower.where.end(), pattern_.where.begin(), pattern_.where.end());
    TRY(insights::ScanBlocks blocks, inner_.open(narrower));
    for (auto& block : blocks.blocks) block = std::make_unique<FilteredBlock>(std::move(block), pattern_);
    return blocks;
  }
  std::string_view log_name(LogGroupId group) override { return inner_.log_name(group); }
  std::string_view stream_name(LogStreamId stream) override { return inner_.stream_name(stream); }
  bool discovers_fields(LogGroupId group) override { return inner_.discovers_fields(group); }
  std::string_view region() override { return inner_.region(); }
  std::string pointer(LogGroupId group, LogStreamId stream, std::int64_t ms, LogSequence sequence) override {
    return inner_.pointer(group, stream, ms, sequence);
  }

 private:
  class FilteredBlock final : public LogBlock {
   public:
    FilteredBlock(std::unique_ptr<LogBlock> inner, const EventPattern& pattern) : inner_(std::move(inner)), pattern_(pattern) {}
    LogGroupId group() const override { return inner_->group(); }
    std::size_t rows() const override { return inner_->rows(); }
    std::int64_t timestamp_min_ms() const override { return inner_->timestamp_min_ms(); }
    std::int64_t timestamp_max_ms() const override { return inner_->timestamp_max_ms(); }
    std::uint64_t message_bytes() const override { return inner_->message_bytes(); }
    bool may_contain(const LogPredicate& predicate) override { return inner_->may_contain(predicate); }
    std::vector<Field> fields() override { return inner_->fields(); }
    Result<RowSet> rows_visible() override {
      TRY(RowSet rows, inner_->rows_visible());
      if (!pattern_.matches) return rows;
      TRY(const auto messages, inner_->messages(rows));
      RowSet kept = rows;
      std::string text;
      rows.visit([&](std::size_t row) {
        text.clear();
        if (messages->has(row)) messages->append_text(row, text);
        if (!pattern_.matches(text)) kept.clear(row);
      });
      return kept;
    }
    Status narrow(const LogPredicate& predicate, RowSet& rows) override { return inner_->narrow(predicate, rows); }
    Result<std::span<const std::int64_t>> timestamps_ms() override { return inner_->timestamps_ms(); }
    Result<std::span<const std::int64_t>> ingestion_times_ms() override { return inner_->ingestion_times_ms(); }
    Result<std::span<const LogSequence>> sequences() override { return inner_->sequences(); }
    Result<std::span<const std::uint32_t>> stream_codes() override { return inner_->stream_codes(); }
    Result<std::span<const LogStreamId>> stream_ids() override { return inner_->stream_ids(); }
    Result<std::shared_ptr<const LogColumn>> column(std::string_view field) override { return inner_->column(field); }
    Status append_message(std::size_t row, std::string& out) override { return inner_->append_message(row, out); }
    Result<std::shared_ptr<const LogColumn>> messages(const RowSet& rows) override { return inner_->messages(rows); }

   private:
    std::unique_ptr<LogBlock> inner_;
    const EventPattern& pattern_;
  };
  StoreScan& inner_;
  const EventPattern& pattern_;
};

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// The variable parts of a pattern: <Kind-1>.
std::vector<PatternToken> tokens_of(std::string_view pattern, std::string* regex) {
  std::vector<PatternToken> tokens;
  int position = 0;
  const auto add = [&](std::string_view text, bool dynamic) {
    if (text.empty()) return;
    PatternToken& token = tokens.emplace_back();
    token.token_string = std::string(text);
    token.is_dynamic = dynamic;
    if (dynamic) {
      token.dynamic_token_position = ++position;
      token.inferred_token_name = std::string(text.substr(1, text.rfind('-') - 1));
      if (regex != nullptr) *regex += "(?s:.+?)";
    } else if (regex != nullptr) {
      *regex += RE2::QuoteMeta(re2::StringPiece(text.data(), text.size()));
    }
  };
  static const RE2 kToken(R"(<(?:[A-Za-z0-9*]+(?: [A-Za-z0-9*]+)*)-\d+>)");
  std::size_t at = 0;
  re2::StringPiece found;
  while (kToken.Match(re2::StringPiece(pattern.data(), pattern.size()), at, pattern.size(), RE2::UNANCHORED, &found, 1)) {
    const auto begin = static_cast<std::size_t>(found.data() - pattern.data());
    add(pattern.substr(at, begin - at), false);
    add(pattern.substr(begin, found.size()), true);
    at = begin + found.size();
  }
  add(pattern.substr(at), false);
  return tokens;
}

}  // namespace

Millis interval_of(const AnomalyDetector& detector) {
  switch (detector.evaluation_frequency.value_or(EvaluationFrequency::FIVE_MIN)) {
    case EvaluationFrequency::ONE_MIN: return std::chrono::minutes(1);
    case EvaluationFrequency::FIVE_MIN: return std::chrono::minutes(5);
    case EvaluationFrequency::TEN_MIN: return std::chrono::minutes(10);
    case EvaluationFrequency::FIFTEEN_MIN: return std::chrono::minutes(15);
    case EvaluationFrequency::THIRTY_MIN: return std::chrono::minutes(30);
    case EvaluationFrequency::ONE_HOUR: return std::chrono::hours(1);
  }
  return std::chrono::minutes(5);
}

std::string pattern_id(std::string_view pattern) { return fmt::format("{:016x}{:016x}", hash64(pattern), hash64(pattern, 1)); }

std::int64_t AnomalyDetectors::first_run_ms(const AnomalyDetector& detector, std::int64_t now_ms) const {
  const std::int64_t interval = interval_of(detector).count();
  return now_ms / interval * interval - (deps_.training_intervals - 1) * interval;
}

std::optional<Timestamp> AnomalyDetectors::next_due(Timestamp) {
  std::optional<Timestamp> first;
  deps_.logs.resources().for_each(kDetectorKind, [&](const Resource& resource) {
    const auto stored = decode_json<StoredDetector>(resource.document);
    if (!stored.ok() || stored->detector.anomaly_detector_status == AnomalyDetectorStatus::PAUSED ||
        stored->detector.anomaly_detector_status == AnomalyDetectorStatus::FAILED)
      return;
    const Timestamp at = from_ms(stored->next_run);
    if (!first || at < *first) first = at;
  });
  return first;
}

void AnomalyDetectors::tick(Timestamp now) {
  std::vector<ResourceKey> ready;
  deps_.logs.resources().for_each(kDetectorKind, [&](const Resource& resource) {
    const auto stored = decode_json<StoredDetector>(resource.document);
    if (stored.ok() && stored->detector.anomaly_detector_status != AnomalyDetectorStatus::PAUSED &&
        stored->detector.anomaly_detector_status != AnomalyDetectorStatus::FAILED && from_ms(stored->next_run) <= now)
      ready.push_back(resource.key);
  });
  for (const ResourceKey& key : ready) jobs_.start(key.name, [this, key, now] { run(key, now); });
}

void AnomalyDetectors::run(const ResourceKey& key, Timestamp now) {
  for (int turn = 0; turn < kIntervalsATurn && !jobs_.stopping(); ++turn) {
    const auto document = deps_.logs.resources().get(key);
    if (!document) return;
    auto stored = decode_json<StoredDetector>(*document);
    if (!stored.ok() || stored->detector.anomaly_detector_status == AnomalyDetectorStatus::PAUSED) return;
    if (from_ms(stored->next_run) > now) return;
    const GroupPtr group = deps_.logs.by_id(static_cast<LogGroupId>(stored->group_id));
    if (group == nullptr) {
      stored->detector.anomaly_detector_status = AnomalyDetectorStatus::FAILED;  // its group has gone
    } else if (const Status looked = look(key, *stored, group); !looked.ok()) {
      LOG_WARN("anomaly detector {}: {}", key.name, looked.error().message());
      stored->next_run += interval_of(stored->detector).count();
    }
    // What the user changed meanwhile stands.
    const auto latest_document = deps_.logs.resources().get(key);
    if (!latest_document) return;
    if (auto latest = decode_json<StoredDetector>(*latest_document); latest.ok()) {
      const AnomalyDetectorStatus status = *stored->detector.anomaly_detector_status;
      const bool paused = latest->detector.anomaly_detector_status == AnomalyDetectorStatus::PAUSED;
      stored->detector = std::move(latest->detector);
      if (!paused) stored->detector.anomaly_detector_status = status;
    }
    if (auto written = deps_.logs.resources().put(key, encode_json(*stored)); !written.ok()) {
      LOG_ERROR("anomaly detector {}: {}", key.name, written.error().message());
      return;
    }
    if (group == nullptr) return;
  }
}

Result<std::vector<AnomalyDetectors::Mined>> AnomalyDetectors::mine(const StoredDetector& stored, const GroupPtr& group,
                                                                    std::int64_t from, std::int64_t to) {
  TRY(const auto query, insights::parse("pattern @message", {}));
  TRY(const EventPattern filter, parse_pattern(stored.detector.filter_pattern.value_or("")));
  StoreScan scan(deps_.logs, group->account, group->region, {group}, from_ms(to));
  FilteredScan filtered(scan, filter);
  insights::RunOptions options;
  options.start_ms = from;
  options.end_ms = to - 1;
  options.now_ms = to;
  options.limit = static_cast<std::int64_t>(kPatternsMax);
  TRY(const insights::Table table, insights::run(*query, filtered, options));
  const auto column = [&](std::string_view name) {
    return static_cast<std::size_t>(std::find(table.columns.begin(), table.columns.end(), name) - table.columns.begin());
  };
  const std::size_t text = column("@pattern"), count = column("@sampleCount"), severity = column("@severityLabel");
  std::vector<Mined> all;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    if (text >= table.columns.size() || count >= table.columns.size()) break;
    Mined& mined = all.emplace_back();
    mined.pattern = table.text(row, text).value_or("");
    mined.count = std::strtoll(table.text(row, count).value_or("0").c_str(), nullptr, 10);
    if (severity < table.columns.size()) mined.severity = table.text(row, severity).value_or("");
  }
  return all;
}

Status AnomalyDetectors::look(const ResourceKey& key, StoredDetector& stored, const GroupPtr& group) {
  const std::int64_t interval = interval_of(stored.detector).count();
  const std::int64_t to = stored.next_run;
  const std::int64_t from = to - interval;
  TRY(const std::vector<Mined> mined, mine(stored, group, from, to));
  stored.next_run += interval;
  if (stored.intervals == 0 && mined.empty()) {  // nothing to learn from yet
    stored.detector.anomaly_detector_status = AnomalyDetectorStatus::TRAINING;
    return Ok{};
  }
  const bool trained = stored.intervals >= deps_.training_intervals;
  std::vector<bool> seen(stored.patterns.size(), false);
  for (const Mined& now : mined) {
    auto model = std::find_if(stored.patterns.begin(), stored.patterns.end(),
                              [&](const StoredPatternModel& known) { return known.pattern == now.pattern; });
    std::string why;
    if (model == stored.patterns.end()) {
      if (stored.patterns.size() >= kPatternsMax) continue;
      StoredPatternModel fresh;
      fresh.pattern = now.pattern;
      fresh.first_seen = from;
      fresh.counts.assign(std::min(static_cast<std::size_t>(stored.intervals), kCountsKept), 0);
      stored.patterns.push_back(std::move(fresh));
      seen.push_back(false);
      model = stored.patterns.end() - 1;
      if (trained) why = fmt::format("A pattern that was never seen before occurred {} times.", now.count);
    }
    seen[static_cast<std::size_t>(model - stored.patterns.begin())] = true;
    if (trained && why.empty()) {
      std::vector<double> counts(model->counts.begin(), model->counts.end());
      const double usual = median(counts);
      for (double& count : counts) count = std::abs(count - usual);
      const double deviation = std::max(median(counts), kDeviationLeast);
      const double difference = static_cast<double>(now.count) - usual;
      if (std::abs(difference) > kDeviations * deviation)
        why = fmt::format("The pattern occurred {} times, {} the usual {:g}.", now.count, difference > 0 ? "above" : "below", usual);
    }
    model->counts.push_back(now.count);
    if (!why.empty()) TRYV(report(key, stored, group, now, *model, why, from, to));
  }
  for (std::size_t k = 0; k < stored.patterns.size(); ++k) {
    StoredPatternModel& model = stored.patterns[k];
    if (!seen[k]) {
      std::vector<double> counts(model.counts.begin(), model.counts.end());
      const double usual = median(counts);
      for (double& count : counts) count = std::abs(count - usual);
      const double deviation = std::max(median(counts), kDeviationLeast);
      model.counts.push_back(0);
      if (trained && usual > kDeviations * deviation)
        TRYV(report(key, stored, group, {model.pattern, 0, ""}, model, fmt::format("The pattern stopped; usual were {:g}.", usual), from, to));
    }
    if (model.counts.size() > kCountsKept) model.counts.erase(model.counts.begin());
  }
  ++stored.intervals;
  stored.detector.anomaly_detector_status =
      stored.intervals >= deps_.training_intervals ? AnomalyDetectorStatus::ANALYZING : AnomalyDetectorStatus::TRAINING;
  calm(key, to, interval);
  return Ok{};
}

// Anomalies that did not occur again are no longer active.
void AnomalyDetectors::calm(const ResourceKey& key, std::int64_t now_ms, std::int64_t interval_ms) {
  for (const Resource& resource : deps_.logs.resources().list(
           {.kind = std::string(kAnomalyKind), .account = key.account, .region = key.region, .name_prefix = key.name + ":"})) {
    auto stored = decode_json<StoredAnomaly>(resource.document);
    if (!stored.ok() || !stored->anomaly.active || stored->anomaly.last_seen * 1000 > now_ms - interval_ms) continue;
    stored->anomaly.active = false;
    if (auto written = deps_.logs.resources().put(resource.key, encode_json(*stored)); !written.ok())
      LOG_WARN("anomaly {}: {}", resource.key.name, written.error().message());
  }
}

Status AnomalyDetectors::report(const ResourceKey& key, const StoredDetector& stored, const GroupPtr& group, const Mined& mined,
                                const StoredPatternModel& model, std::string why, std::int64_t from, std::int64_t to) {
  const std::string id = pattern_id(mined.pattern);
  StoredAnomaly found;
  ResourceKey place{std::string(kAnomalyKind), key.account, key.region, ""};
  for (const Resource& resource : deps_.logs.resources().list(
           {.kind = std::string(kAnomalyKind), .account = key.account, .region = key.region, .name_prefix = key.name + ":"})) {
    auto old = decode_json<StoredAnomaly>(resource.document);
    if (!old.ok() || old->anomaly.pattern_id != id) continue;
    const Anomaly& anomaly = old->anomaly;
    if (anomaly.state == State::Baseline) return Ok{};
    const bool over = anomaly.suppressed_until && *anomaly.suppressed_until * 1000 <= to;
    if (anomaly.suppressed.value_or(false) && !over) return Ok{};
    // One that is still going on grows; one from long ago is another.
    if (!anomaly.active && anomaly.last_seen * 1000 < from - 86'400'000) continue;
    found = std::move(old).value();
    place = resource.key;
  }
  Anomaly& anomaly = found.anomaly;
  if (place.name.empty()) {
    found.detector_id = key.name;
    anomaly.anomaly_id = deps_.random.uuid();
    place.name = key.name + ":" + anomaly.anomaly_id;
    anomaly.pattern_id = id;
    anomaly.anomaly_detector_arn = stored.detector.anomaly_detector_arn.value_or("");
    anomaly.pattern_string = mined.pattern;
    anomaly.first_seen = from / 1000;
    anomaly.state = State::Active;
    anomaly.log_group_arn_list = stored.detector.log_group_arn_list.value_or(std::vector<std::string>{});
  }
  std::string regex;
  anomaly.pattern_tokens = tokens_of(mined.pattern, &regex);
  anomaly.pattern_regex = regex;
  const std::string& label = mined.severity;
  const bool loud = label == "ERROR" || label == "FATAL" || label == "CRITICAL" || label == "Error" || label == "Fatal";
  anomaly.priority = loud ? "HIGH" : model.counts.empty() || mined.count > 10 ? "MEDIUM" : "LOW";
  anomaly.last_seen = to / 1000;
  anomaly.description = std::move(why);
  anomaly.active = true;
  anomaly.suppressed = false;
  anomaly.suppressed_date.reset();
  anomaly.suppressed_until.reset();
  const std::int64_t interval = interval_of(stored.detector).count();
  anomaly.histogram.clear();
  for (std::size_t k = 0; k < model.counts.size(); ++k) {
    const std::int64_t at = to - static_cast<std::int64_t>(model.counts.size() - k) * interval;
    if (model.counts[k] > 0) anomaly.histogram[std::to_string(at / 1000)] = model.counts[k];
  }
  // Some of the lines themselves.
  anomaly.log_samples.clear();
  RE2::Options options;
  options.set_log_errors(false);
  const RE2 line("(?s)" + regex, options);
  if (mined.count > 0 && line.ok()) {
    PageSpec spec;
    spec.group = group->id;
    spec.from_ms = std::max(from, Logs::oldest_visible_ms(*group, deps_.clock.now()));
    spec.to_ms = to - 1;
    spec.events_max = kSamplesMax;
    std::size_t candidates = 0;
    spec.matches = [&](std::string_view message) {
      return ++candidates < kCandidatesMax && RE2::FullMatch(re2::StringPiece(message.data(), message.size()), line);
    };
    TRY(EventPage page, read_page(deps_.logs.store(), spec));
    const GroupRulesPtr rules = deps_.logs.rules().of(*group);
    for (::fog::LogEvent& event : page.events) {
      if (rules != nullptr) rules->mask(event.ingestion_ms, event.sequence, event.message);
      LogEvent& sample = anomaly.log_samples.emplace_back();
      sample.timestamp = event.timestamp_ms;
      sample.message = std::move(event.message);
    }
  }
  return deps_.logs.resources().put(place, encode_json(found));
}

}  // namespace fog::logs
