// Opening, recovery, writing and looking up.
#include "storage/metrics/engine.h"

#include <algorithm>
#include <system_error>

#include "storage/base/log.h"
#include "storage/wal/file.h"

namespace fog {
namespace metrics {

namespace fs = std::filesystem;

namespace {

constexpr double kValueBytes = 12;  // of a slot in the head

}  // namespace

// --- opening and recovery ------------------------------------------------------------------------

Status Engine::start() {
  Lsn generation = 0;
  if (!options_.folder.empty()) {
    TRYV(make_folders(options_.folder));
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(options_.folder, error)) {
      const std::string name = entry.path().filename().string();
      if (name.find_first_not_of("0123456789") != std::string::npos || name.size() > 19) continue;
      generation = std::max(generation, static_cast<Lsn>(std::stoull(name)));
    }
    for (const auto& entry : fs::directory_iterator(options_.folder, error))
      if (entry.path().filename() != std::to_string(generation)) rubbish_.push_back(entry.path());
  }
  return open_generation(generation);
}

Status Engine::open_generation(Lsn generation) {
  generation_ = generation;
  catalogue_ = Catalogue(catalogue_.next_id());
  added_.clear();
  removed_.clear();
  entities_changed_.clear();
  parts_.clear();
  series_lsn_ = applied_lsn_ = generation;
  SeriesFile::Marks marks{.series_lsn = generation, .applied_lsn = generation, .next_id = catalogue_.next_id()};
  const fs::path folder = generation_folder(generation);
  if (!folder.empty()) {
    TRYV(make_folders(folder));
    const bool fresh = !fs::exists(folder / "series.db");
    TRY(auto file, SeriesFile::open(folder / "series.db"));
    if (fresh && generation > 0) TRYV(file.set_marks(marks));  // ids go on counting
    file_ = std::make_shared<SeriesFile>(std::move(file));
    TRYV(file_->load(catalogue_, marks));
    series_lsn_ = std::max(generation, marks.series_lsn);
    applied_lsn_ = std::max(generation, marks.applied_lsn);
    next_part_ = marks.next_part;
    list_parts();
  }
  head_ = std::make_unique<Head>(catalogue_.base());
  flushing_ = nullptr;
  return Ok{};
}

void Engine::list_parts() {
  std::vector<PartName> names;
  const fs::path folder = generation_folder(generation_);
  constexpr const char* kFolders[kTiers] = {"1", "60", "300", "3600"};
  for (std::size_t tier = 0; tier < kTiers; ++tier) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder / kFolders[tier], error)) {
      const auto name = PartName::parse(static_cast<Tier>(tier), entry.path().filename().string());
      std::error_code ignored;
      if (!name)
        fs::remove(entry.path(), ignored);  // a temporary file of an interrupted write
      else
        names.push_back(*name);
    }
  }
  const auto superseded = [&](const PartName& part) {
    return std::any_of(names.begin(), names.end(), [&](const PartName& other) {
      if (other.source && other.source->tier == part.tier &&
          other.source->bucket_s == part.bucket_s && part.lsn <= other.source->lsn)
        return true;
      const bool covers = other.tier == part.tier && other.bucket_s == part.bucket_s &&
                          other.first <= part.first && part.last <= other.last;
      return covers && (other.first < part.first || part.last < other.last);
    });
  };
  for (const PartName& name : names) {
    next_part_ = std::max(next_part_, name.last + 1);
    auto part = open_part(folder, name);
    if (superseded(name)) {
      part->discard();
      continue;
    }
    if (name.lsn > applied_lsn_) checkpoint_first_ = true;
    parts_[{name.tier, name.bucket_s}].parts.push_back(std::move(part));
  }
  for (auto& [key, bucket] : parts_)
    std::sort(bucket.parts.begin(), bucket.parts.end(),
              [](const auto& a, const auto& b) { return a->name().first < b->name().first; });
}

// True if parts on disk have the record already.
bool Engine::holds(Tier tier, std::int64_t time_ms, Lsn lsn) const {
  const BucketKey key{tier, bucket_start_s(tier, floor_to(time_ms, 1000) / 1000)};
  if (const auto bucket = parts_.find(key); bucket != parts_.end())
    for (const auto& part : bucket->second.parts)
      if (lsn <= part->name().lsn) return true;
  for (const auto& [other, bucket] : parts_)
    for (const auto& part : bucket.parts)
      if (part->name().source && part->name().source->tier == tier &&
          part->name().source->bucket_s == key.start_s && lsn <= part->name().source->lsn)
        return true;
  return false;
}

void Engine::replay(const Wal::Record& record) {
  const std::unique_lock lock(mutex_);
  if (record.lsn <= generation_) return;
  if (record.id == kResetRecord) {
    ByteReader in(record.payload);
    const std::string account(in.text());
    const std::string region(in.text());
    if (!in.ok()) return;
    if (account.empty() && region.empty())
      forget_all(record.lsn);
    else if (record.lsn > series_lsn_)
      forget_scope(account, region);
    return;
  }
  if (record.id != kPutRecord || record.lsn <= applied_lsn_) return;
  const bool incomplete = checkpoint_first_;
  PutReader reader;
  reader.series = [&](SeriesId id, const SeriesKeyView& key) {
    if (record.lsn <= series_lsn_ || catalogue_.contains(id) || id < catalogue_.base()) return;
    catalogue_.add(catalogue_.scope(key.account, key.region), key.metric_namespace,
                   key.metric_name, key.dimensions, id);
    added_.push_back(id);
  };
  reader.entity = [&](SeriesId id, std::string_view document) {
    if (!catalogue_.contains(id)) return;
    catalogue_.set_entity(id, document);
    entities_changed_.insert(id);
  };
  reader.point = [&](const Observation& point) {
    if (catalogue_.contains(point.series)) observe(point, incomplete ? record.lsn : 0);
  };
  if (!reader.read(record.payload))
    LOG_ERROR("metrics: record {} of the log is not readable to its end", record.lsn);
  head_->last_lsn = record.lsn;
  if (head_begun_ms_ == 0) head_begun_ms_ = to_ms(clock_.now());
}

// --- writing ---------------------------------------------------------------------------------------

void Engine::observe(const Observation& point, Lsn replayed_lsn) {
  Catalogue::Series& series = catalogue_.at(point.series);
  series.newest_ms = std::max(series.newest_ms, point.time_ms);
  const bool single = point.values.size() == 1 && point.set == nullptr &&
                      (point.counts.empty() || point.counts[0] == 1);
  const auto put = [&](Tier tier) {
    if (replayed_lsn != 0 && holds(tier, point.time_ms, replayed_lsn)) return;
    const auto slot =
        static_cast<std::uint32_t>(point.time_ms / kTierWidthMs[static_cast<std::size_t>(tier)]);
    if (single) {
      head_->stripe(point.series, point.unit, tier).add_value(slot, point.values[0] + 0.0);
      head_->bytes += static_cast<std::size_t>(kValueBytes);
      return;
    }
    WideSlot sum;
    for (std::size_t i = 0; i < point.values.size(); ++i)
      sum.add_value(point.values[i] + 0.0, point.counts.empty() ? 1 : point.counts[i]);
    if (point.set != nullptr)
      sum.add_set(point.set->count, point.set->sum, point.set->min, point.set->max);
    if (!(sum.count > 0)) return;
    head_->bytes += sizeof(WideSlot) + sum.distribution.memory_bytes();
    head_->stripe(point.series, point.unit, tier).widen(slot).merge(sum);
  };
  put(Tier::k60s);
  if (point.high_resolution) put(Tier::k1s);
  head_->oldest_ms = std::min(head_->oldest_ms, point.time_ms);
}

Result<Lsn> Engine::put(const PutMetrics& batch) {
  for (const MetricPoint& point : batch.points)
    if (to_ms(point.time) < 0 || to_ms(point.time) >= kTimeMsMax || point.unit > kUnitCodeMax ||
        (!point.counts.empty() && point.counts.size() != point.values.size()))
      return Error::invalid("a metric datum is out of the store's range");
  if (!wal_.healthy()) return Error::busy("The disk refuses writes.");

  const std::unique_lock lock(mutex_);
  const std::uint32_t scope = catalogue_.scope(batch.account, batch.region);
  std::vector<SeriesId> ids(batch.points.size());
  defined_.clear();
  ByteWriter defined(defined_);
  std::size_t defined_n = 0;
  std::vector<std::pair<SeriesId, std::string_view>> entities;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const MetricPoint& point = batch.points[i];
    if (const auto known =
            catalogue_.find(scope, point.metric_namespace, point.metric_name, point.dimensions)) {
      ids[i] = *known;
    } else {
      ids[i] = catalogue_.add(scope, point.metric_namespace, point.metric_name, point.dimensions);
      added_.push_back(ids[i]);
      ++defined_n;
      defined.varint(ids[i]);
      for (const std::string_view text :
           {batch.account, batch.region, point.metric_namespace, point.metric_name})
        defined.text(text);
      defined.varint(point.dimensions.size());
      for (const DimensionView& d : point.dimensions) {
        defined.text(d.name);
        defined.text(d.value);
      }
    }
    if (!point.entity.empty() && catalogue_.entity(ids[i]) != point.entity) {
      catalogue_.set_entity(ids[i], point.entity);
      entities_changed_.insert(ids[i]);
      entities.emplace_back(ids[i], point.entity);
    }
  }

  payload_.clear();
  ByteWriter out(payload_);
  out.varint(defined_n);
  out.raw(defined_);
  out.varint(entities.size());
  for (const auto& [id, document] : entities) {
    out.varint(id);
    out.text(document);
  }
  out.varint(ids.size());
  PointWriter points(payload_);
  Observation observation;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const MetricPoint& point = batch.points[i];
    observation.series = ids[i];
    observation.time_ms = to_ms(point.time);
    observation.unit = point.unit;
    observation.high_resolution = point.high_resolution;
    observation.values = point.values;
    observation.counts = point.counts;
    observation.set = point.set ? &*point.set : nullptr;
    points.add(observation);
    observe(observation, 0);
  }
  const Lsn lsn = wal_.append(StoreId::kMetrics, kPutRecord, payload_);
  head_->last_lsn = lsn;
  if (head_begun_ms_ == 0) head_begun_ms_ = to_ms(clock_.now());
  points_put_ += ids.size();
  if (payload_.capacity() > (8u << 20)) payload_ = {};
  return lsn;
}

// --- looking up --------------------------------------------------------------------------------------

std::optional<SeriesId> Engine::find(const SeriesKeyView& key) const {
  const std::shared_lock lock(mutex_);
  const auto scope = catalogue_.find_scope(key.account, key.region);
  if (!scope) return std::nullopt;
  return catalogue_.find(*scope, key.metric_namespace, key.metric_name, key.dimensions);
}

std::optional<SeriesInfo> Engine::describe(SeriesId id) const {
  const std::shared_lock lock(mutex_);
  if (!catalogue_.contains(id)) return std::nullopt;
  return catalogue_.info(id);
}

void Engine::select(const SeriesFilter& filter, const SeriesInfo* after, const Visit& visit) const {
  for (;;) {
    {
      const std::shared_lock lock(mutex_);
      const auto scope = catalogue_.find_scope(filter.account, filter.region);
      if (!scope) return;
      if (catalogue_.is_ordered(*scope)) return catalogue_.select(filter, after, visit);
    }
    auto& self = const_cast<Engine&>(*this);  // the order is a cache
    const std::unique_lock lock(mutex_);
    if (const auto scope = catalogue_.find_scope(filter.account, filter.region))
      self.catalogue_.order(*scope);
  }
}

std::optional<Timestamp> Engine::newest(SeriesId id) const {
  const std::shared_lock lock(mutex_);
  if (!catalogue_.contains(id)) return std::nullopt;
  return from_ms(catalogue_.at(id).newest_ms);
}

bool Engine::has_account(std::string_view account) const {
  const std::shared_lock lock(mutex_);
  return catalogue_.has_account(account);
}

MetricStore::Stats Engine::stats() const {
  const std::shared_lock lock(mutex_);
  Stats stats;
  stats.series = catalogue_.size();
  stats.points_put = points_put_;
  stats.head_bytes = head_->bytes + (flushing_ ? flushing_->bytes : 0);
  stats.chunks_written = chunks_written_;
  stats.flushes = flushes_;
  stats.roll_ups = roll_ups_;
  stats.chunks_damaged = damaged_ + damaged_parts() - damaged_parts_before_;
  for (const auto& [key, bucket] : parts_)
    for (const auto& part : bucket.parts) stats.bytes_on_disk += part->bytes();
  return stats;
}

}  // namespace metrics

Result<std::unique_ptr<MetricStore>> MetricStore::open(Options options, Wal& wal,
                                                       const Clock& clock) {
  auto engine = std::make_unique<metrics::Engine>(std::move(options), wal, clock);
  TRYV(engine->start());
  return std::unique_ptr<MetricStore>(std::move(engine));
}

Result<std::vector<SlotColumns>> MetricStore::read(SeriesId id, const ReadMetrics& spec) const {
  std::vector<SlotColumns> result;
  TRYV(scan(std::span(&id, 1), spec, [&](std::size_t, SlotColumns& columns) {
    result.push_back(std::move(columns));
  }));
  return result;
}

}  // namespace fog
