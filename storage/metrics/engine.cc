// The metrics engine: a head in memory behind the shared log, immutable parts on disk.
//
// Folder of metrics:  <generation>/series.db and <generation>/<tier>/<part>.db. The generation is the
// LSN of the last reset of everything (0 at first): data of earlier generations is rubbish.
//
// A datum lives in exactly one place: the active head, the head being flushed, or one part of tier
// 60, 300 or 3600 (datums of high resolution in tier 1 as well). Whatever moves it (flush, join,
// roll-up) first writes a part whole, then swaps it in for its source under the lock. Readers take
// their pointers under the same lock, so they see each datum once. Part names carry LSNs, so that
// replay after a crash between two renames sees it once, too.
//
// A flush takes the whole head. It is due when the head is large, or two minutes after the end of
// the two-hour window in which it was begun. So a bucket gathers a part a window; they are joined
// when they are eight, or when the bucket has closed and been quiet for a while.
//
// Locks: mutex_ (head, catalogue, list of parts; never across disk), maintenance_ (one flush, join
// or roll-up at a time).
#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <system_error>
#include <thread>

#include "storage/base/log.h"
#include "storage/metric_store.h"
#include "storage/metrics/catalogue.h"
#include "storage/metrics/chunk.h"
#include "storage/metrics/head.h"
#include "storage/metrics/part.h"
#include "storage/metrics/record.h"
#include "storage/metrics/series_file.h"

namespace fog {
namespace metrics {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kWindowMs = 2 * 3'600'000;
// Programs report the last minute a little late.
constexpr std::int64_t kWindowGraceMs = 120'000;
constexpr std::size_t kPartsJoin = 8;
// A closed bucket is joined once nothing came for so long; late data would else rewrite it often.
constexpr std::int64_t kQuietMs = 600'000;
constexpr std::int64_t kMaintenanceMs = 60'000;
// Slots are numbered with 32 bits in the finest tier.
constexpr std::int64_t kTimeMsMax = 4'294'967'000'000;
// A metric without data for 15 months disappears.
constexpr std::int64_t kSeriesKeepMs = 455ll * 86'400'000;
// Series are joined and read in groups, so that memory stays bounded.
constexpr SeriesId kJoinGroup = 512;
constexpr std::size_t kScanGroupMax = 256;
constexpr std::size_t kScanSlotsMax = 1u << 18;  // of 32 bytes each
constexpr double kValueBytes = 12;

std::int64_t floor_to(std::int64_t value, std::int64_t unit) {
  const std::int64_t rest = value % unit;
  return value - (rest < 0 ? rest + unit : rest);
}

std::int64_t month_start_s(std::int64_t time_s, int months_on) {
  using namespace std::chrono;
  const year_month_day day(sys_days(days(floor_to(time_s, 86400) / 86400)));
  const auto first = year_month(day.year(), day.month()) + months(months_on);
  return sys_days(first / 1).time_since_epoch().count() * 86400ll;
}

std::int64_t bucket_start_s(Tier tier, std::int64_t time_s) {
  switch (tier) {
    case Tier::k1s:
      return floor_to(time_s, 3600);
    case Tier::k60s:
    case Tier::k300s:
      return floor_to(time_s, 86400);
    case Tier::k3600s:
      return month_start_s(time_s, 0);
  }
  return 0;
}

std::int64_t bucket_end_s(Tier tier, std::int64_t start_s) {
  switch (tier) {
    case Tier::k1s:
      return start_s + 3600;
    case Tier::k60s:
    case Tier::k300s:
      return start_s + 86400;
    case Tier::k3600s:
      return month_start_s(start_s, 1);
  }
  return 0;
}

struct BucketKey {
  Tier tier;
  std::int64_t start_s;
  auto operator<=>(const BucketKey&) const = default;
};

struct Bucket {
  std::vector<std::shared_ptr<Part>> parts;
  std::int64_t touched_ms = 0;  // when a flush last added a part
};

// --- reading: one accumulator per series and unit -------------------------------------------------

struct Grid {
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;
  std::int64_t period_ms = 60'000;
  std::size_t slots = 0;
  bool distributions = false;
};

class Accumulator {
 public:
  Accumulator(UnitCode unit, const Grid& grid) : grid_(&grid), cells_(grid.slots) {
    columns_.unit = unit;
    if (grid.distributions) distributions_.resize(grid.slots);
  }
  UnitCode unit() const { return columns_.unit; }

  // Wide slots are looked up by `wide_of(mark)`.
  template <typename WideOf>
  void add(const std::uint32_t* slots, const double* values, std::size_t n, std::int64_t width_ms,
           const WideOf& wide_of) {
    std::int64_t cell_end = INT64_MIN;  // of the cell that `at` names
    std::size_t at = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const std::int64_t time = slots[i] * width_ms;
      if (time < grid_->start_ms) continue;
      if (time >= grid_->end_ms) break;
      if (time >= cell_end) {
        at = static_cast<std::size_t>((time - grid_->start_ms) / grid_->period_ms);
        cell_end = grid_->start_ms + static_cast<std::int64_t>(at + 1) * grid_->period_ms;
      }
      Cell& cell = cells_[at];
      if (is_wide(values[i])) [[unlikely]] {
        const WideSlot& wide = wide_of(values[i]);
        if (!(wide.count > 0)) continue;
        cell.min = cell.count > 0 ? std::min(cell.min, wide.min) : wide.min;
        cell.max = cell.count > 0 ? std::max(cell.max, wide.max) : wide.max;
        cell.count += wide.count;
        cell.sum += wide.sum;
        if (grid_->distributions) distributions_[at].merge(wide.distribution);
        continue;
      }
      const double value = values[i];
      cell.min = cell.count > 0 ? std::min(cell.min, value) : value;
      cell.max = cell.count > 0 ? std::max(cell.max, value) : value;
      cell.count += 1;
      cell.sum += value;
      if (grid_->distributions) distributions_[at].add(value, 1);
    }
  }

  SlotColumns take() {
    SlotColumns& out = columns_;
    std::size_t n = 0;
    for (const Cell& cell : cells_) n += cell.count > 0 ? 1 : 0;
    out.start_ms.reserve(n);
    for (auto* column : {&out.count, &out.sum, &out.min, &out.max}) column->reserve(n);
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      const Cell& cell = cells_[i];
      if (!(cell.count > 0)) continue;
      out.start_ms.push_back(grid_->start_ms + static_cast<std::int64_t>(i) * grid_->period_ms);
      out.count.push_back(cell.count);
      out.sum.push_back(cell.sum);
      out.min.push_back(cell.min);
      out.max.push_back(cell.max);
      if (grid_->distributions) out.distribution.push_back(std::move(distributions_[i]));
    }
    return std::move(columns_);
  }

 private:
  struct Cell {
    double count = 0;
    double sum = 0;
    double min = 0;
    double max = 0;
  };
  const Grid* grid_;
  std::vector<Cell> cells_;
  std::vector<Distribution> distributions_;
  SlotColumns columns_;
};

// --- the engine --------------------------------------------------------------------------------------

class Engine final : public MetricStore {
 public:
  Engine(Options options, Wal& wal, const Clock& clock)
      : options_(std::move(options)), wal_(wal), clock_(clock) {}

  Status start();

  void replay(const Wal::Record& record) override;
  Result<Lsn> put(const PutMetrics& batch) override;
  std::optional<SeriesId> find(const SeriesKeyView& key) const override;
  std::optional<SeriesInfo> describe(SeriesId id) const override;
  void select(const SeriesFilter& filter, const SeriesInfo* after,
              const Visit& visit) const override;
  std::optional<Timestamp> newest(SeriesId id) const override;
  bool has_account(std::string_view account) const override;
  Status scan(std::span<const SeriesId> ids, const ReadMetrics& spec,
              const ScanVisit& visit) const override;
  void tick(Timestamp now) override;
  std::optional<Timestamp> next_due(Timestamp now) override;
  Status flush() override;
  Status reset(std::string_view account, std::string_view region) override;
  Stats stats() const override;

 private:
  using Parts = std::map<BucketKey, Bucket>;

  // A head on its way to disk; survives a failed attempt.
  struct Flush {
    Lsn generation = 0;
    std::shared_ptr<const Head> head;
    SeriesFile::Changes changes;
    bool changes_done = false;
    std::map<BucketKey, std::shared_ptr<Part>> parts;
  };

  fs::path generation_folder(Lsn generation) const {
    return options_.folder.empty() ? fs::path() : options_.folder / std::to_string(generation);
  }
  Status open_generation(Lsn generation);
  void list_parts();
  void observe(const Observation& point, Lsn replayed_lsn);
  bool holds(Tier tier, std::int64_t time_ms, Lsn lsn) const;
  void forget_all(Lsn generation);
  void forget_scope(std::string_view account, std::string_view region);
  std::int64_t keep_ms(Tier tier) const;
  std::int64_t oldest_readable_ms(std::int64_t period_ms, std::int64_t now_ms) const;

  Status flush_locked();
  Status write_flush();
  Status maintain(std::int64_t now_ms);
  Status rewrite(BucketKey from, BucketKey to);
  std::vector<bool> live_series(SeriesId& base) const;
  void scan_group(std::span<const std::pair<SeriesId, std::size_t>> group, const Grid& grid,
                  const ReadMetrics& spec, const ScanVisit& visit, Status& status) const;

  const Options options_;
  Wal& wal_;
  const Clock& clock_;

  mutable std::shared_mutex mutex_;
  Catalogue catalogue_;
  std::unique_ptr<Head> head_;
  std::shared_ptr<const Head> flushing_;
  Parts parts_;
  Lsn generation_ = 0;
  std::uint64_t next_part_ = 1;
  std::vector<SeriesId> added_;    // not in the series file yet
  std::vector<SeriesId> removed_;
  std::set<SeriesId> entities_changed_;
  std::int64_t head_begun_ms_ = 0;
  Lsn series_lsn_ = 0;
  Lsn applied_lsn_ = 0;
  std::uint64_t points_put_ = 0;
  std::string payload_;  // scratch of put()
  std::string defined_;

  std::shared_ptr<SeriesFile> file_;  // null in memory only; written under maintenance_
  std::vector<fs::path> rubbish_;

  mutable std::mutex maintenance_;
  std::optional<Flush> pending_;
  bool checkpoint_first_ = false;
  std::int64_t maintained_ms_ = 0;
  std::uint64_t chunks_written_ = 0;
  std::uint64_t flushes_ = 0;
  std::uint64_t roll_ups_ = 0;
  mutable std::atomic<std::uint64_t> damaged_{0};
};

// --- opening and recovery ------------------------------------------------------------------------

Status Engine::start() {
  Lsn generation = 0;
  if (!options_.folder.empty()) {
    std::error_code error;
    fs::create_directories(options_.folder, error);
    if (error) return Error::busy("cannot create the metrics folder: " + error.message());
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
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) return Error::busy("cannot create the metrics folder: " + error.message());
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

// --- reading -----------------------------------------------------------------------------------------

std::int64_t Engine::keep_ms(Tier tier) const {
  switch (tier) {
    case Tier::k1s:
      return options_.keep_1s.count() * 1000;
    case Tier::k60s:
      return options_.keep_60s.count() * 1000;
    case Tier::k300s:
      return options_.keep_300s.count() * 1000;
    case Tier::k3600s:
      return options_.keep_3600s.count() * 1000;
  }
  return 0;
}

// The coarsest tier that serves the period decides how far back it reaches.
std::int64_t Engine::oldest_readable_ms(std::int64_t period_ms, std::int64_t now_ms) const {
  for (std::size_t tier = kTiers; tier-- > 0;)
    if (period_ms % kTierWidthMs[tier] == 0) {
      if (period_ms < 60'000) tier = 0;
      return now_ms - keep_ms(static_cast<Tier>(tier));
    }
  return INT64_MAX;
}

Status Engine::scan(std::span<const SeriesId> ids, const ReadMetrics& spec,
                    const ScanVisit& visit) const {
  const std::int64_t period = spec.period.count() * 1000;
  if (period <= 0) return Error::invalid("a period is at least a second");
  std::vector<std::pair<SeriesId, std::size_t>> sorted;
  std::int64_t newest = INT64_MIN;
  {
    const std::shared_lock lock(mutex_);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (!catalogue_.contains(ids[i])) continue;
      sorted.emplace_back(ids[i], i);
      newest = std::max(newest, catalogue_.at(ids[i]).newest_ms);
    }
  }
  std::sort(sorted.begin(), sorted.end());

  Grid grid;
  grid.period_ms = period;
  grid.distributions = spec.with_distribution;
  grid.start_ms = spec.align_to_start ? floor_to(to_ms(spec.start), 1000)
                                      : floor_to(to_ms(spec.start), period);
  // No further back than anything is kept, nor further on than data goes.
  const std::int64_t oldest =
      std::max<std::int64_t>(0, oldest_readable_ms(period, to_ms(clock_.now())));
  if (oldest == INT64_MAX) return Ok{};
  if (oldest > grid.start_ms) {
    const std::int64_t cells = (oldest - grid.start_ms + period - 1) / period;
    grid.start_ms += cells * period;
  }
  grid.end_ms = std::min(to_ms(spec.end), newest + 1);
  if (grid.end_ms <= grid.start_ms) return Ok{};
  grid.slots = static_cast<std::size_t>((grid.end_ms - grid.start_ms + period - 1) / period);
  // A cell is returned whole if its start is before the end.
  grid.end_ms = grid.start_ms + static_cast<std::int64_t>(grid.slots) * period;

  const std::size_t step = std::clamp<std::size_t>(kScanSlotsMax / grid.slots, 1, kScanGroupMax);
  Status status = Ok{};
  for (std::size_t at = 0; at < sorted.size() && status.ok(); at += step)
    scan_group(std::span(sorted).subspan(at, std::min(step, sorted.size() - at)), grid, spec, visit,
               status);
  return status;
}

void Engine::scan_group(std::span<const std::pair<SeriesId, std::size_t>> group, const Grid& grid,
                        const ReadMetrics& spec, const ScanVisit& visit, Status& status) const {
  std::vector<std::vector<Accumulator>> sums(group.size());
  const auto accumulator = [&](std::size_t i, UnitCode unit) -> Accumulator& {
    for (Accumulator& sum : sums[i])
      if (sum.unit() == unit) return sum;
    return sums[i].emplace_back(unit, grid);
  };
  const bool fine = grid.period_ms % 60'000 != 0;
  const auto serves = [&](Tier tier) {
    const std::int64_t width = kTierWidthMs[static_cast<std::size_t>(tier)];
    return fine ? tier == Tier::k1s
                : tier != Tier::k1s && (tier == Tier::k60s || grid.period_ms % width == 0);
  };
  const auto add_head = [&](const Head& head) {
    for (std::size_t i = 0; i < group.size(); ++i)
      for (const Stripe* stripe = head.first(group[i].first); stripe != nullptr;
           stripe = head.next(*stripe)) {
        if (!serves(stripe->tier()) || (spec.unit && *spec.unit != stripe->unit())) continue;
        if (stripe->size() == 0) continue;
        accumulator(i, stripe->unit())
            .add(stripe->slots(), stripe->values(), stripe->size(),
                 kTierWidthMs[static_cast<std::size_t>(stripe->tier())],
                 [stripe](double mark) -> const WideSlot& { return stripe->wide(mark); });
      }
  };

  std::vector<std::shared_ptr<Part>> parts;
  std::shared_ptr<const Head> flushing;
  {
    const std::shared_lock lock(mutex_);
    for (const auto& [key, bucket] : parts_)
      if (serves(key.tier) && key.start_s * 1000 < grid.end_ms &&
          bucket_end_s(key.tier, key.start_s) * 1000 > grid.start_ms)
        parts.insert(parts.end(), bucket.parts.begin(), bucket.parts.end());
    flushing = flushing_;
    add_head(*head_);
  }
  if (flushing) add_head(*flushing);

  std::vector<SeriesId> ids(group.size());
  for (std::size_t i = 0; i < group.size(); ++i) ids[i] = group[i].first;
  SlotBlock block;
  for (const auto& part : parts) {
    std::size_t at = 0;
    const std::int64_t width = kTierWidthMs[static_cast<std::size_t>(part->name().tier)];
    const auto from = static_cast<std::uint32_t>(std::max<std::int64_t>(0, grid.start_ms / width));
    const auto to = static_cast<std::uint32_t>(
        std::min<std::int64_t>(UINT32_MAX, (grid.end_ms + width - 1) / width));
    status = part->read(ids, [&](std::uint64_t id, std::string_view chunk) {
      while (ids[at] < id / 32) ++at;
      const auto unit = static_cast<UnitCode>(id % 32);
      if (spec.unit && *spec.unit != unit) return true;
      if (const Status decoded = decode_chunk(chunk, grid.distributions, block, from, to);
          !decoded.ok()) {
        ++damaged_;
        LOG_ERROR("metrics: chunk of series {} in {} is damaged", id / 32, part->name().file());
        return true;
      }
      accumulator(at, unit)
          .add(block.slots.data(), block.values.data(), block.size(), width,
               [&](double mark) -> const WideSlot& { return block.wides[wide_index(mark)]; });
      return true;
    });
    if (!status.ok()) return;
  }
  for (std::size_t i = 0; i < group.size(); ++i) {
    std::sort(sums[i].begin(), sums[i].end(),
              [](const Accumulator& a, const Accumulator& b) { return a.unit() < b.unit(); });
    for (Accumulator& sum : sums[i]) {
      SlotColumns columns = sum.take();
      if (columns.size() > 0) visit(group[i].second, columns);
    }
  }
}

// --- flush -------------------------------------------------------------------------------------------

std::vector<bool> Engine::live_series(SeriesId& base) const {
  const std::shared_lock lock(mutex_);
  base = catalogue_.base();
  std::vector<bool> live(catalogue_.next_id() - base);
  for (std::size_t i = 0; i < live.size(); ++i) live[i] = catalogue_.contains(base + i);
  return live;
}

Status Engine::flush() {
  const std::lock_guard one(maintenance_);
  return flush_locked();
}

Status Engine::flush_locked() {
  if (pending_) TRYV(write_flush());
  {
    const std::unique_lock lock(mutex_);
    if (head_->last_lsn == 0 && added_.empty() && removed_.empty()) return Ok{};
    Flush flush;
    flush.generation = generation_;
    for (const SeriesId id : added_)
      if (catalogue_.contains(id)) flush.changes.added.push_back(catalogue_.info(id));
    flush.changes.removed = std::move(removed_);
    for (const SeriesId id : entities_changed_)
      if (catalogue_.contains(id))
        flush.changes.entities.emplace_back(id, std::string(catalogue_.entity(id)));
    std::set<std::uint64_t> blocks;
    for (const Stripe& stripe : head_->stripes())
      blocks.insert(stripe.series() / SeriesFile::kActivityBlock);
    for (const std::uint64_t block : blocks) {
      std::string bytes;
      ByteWriter out(bytes);
      for (std::uint64_t i = 0; i < SeriesFile::kActivityBlock; ++i) {
        const SeriesId id = block * SeriesFile::kActivityBlock + i;
        out.fixed(catalogue_.contains(id) ? catalogue_.at(id).newest_ms : INT64_MIN);
      }
      flush.changes.activity.emplace_back(block, std::move(bytes));
    }
    added_.clear();
    removed_.clear();
    entities_changed_.clear();
    if (head_->last_lsn == 0) head_->last_lsn = applied_lsn_;
    flushing_ = std::shared_ptr<const Head>(std::move(head_));
    flush.head = flushing_;
    head_ = std::make_unique<Head>(catalogue_.base());
    head_begun_ms_ = 0;
    pending_ = std::move(flush);
  }
  return write_flush();
}

Status Engine::write_flush() {
  Flush& flush = *pending_;
  const Head& head = *flush.head;
  const Lsn generation = flush.generation;
  const fs::path folder = generation_folder(generation);
  std::shared_ptr<SeriesFile> file;
  SeriesFile::Marks marks;
  {
    const std::shared_lock lock(mutex_);
    if (generation != generation_) {  // everything was forgotten since
      pending_.reset();
      return Ok{};
    }
    file = file_;
    marks = {.series_lsn = head.last_lsn,
             .applied_lsn = applied_lsn_,
             .next_id = catalogue_.next_id(),
             .next_part = next_part_};
  }
  if (file && !flush.changes_done) TRYV(file->apply(flush.changes, marks));
  flush.changes_done = true;
  SeriesId live_base = 0;
  const std::vector<bool> live = live_series(live_base);

  // Which stripes have slots in which bucket, in the order of chunk ids.
  struct Piece {
    BucketKey bucket;
    std::uint64_t id;
    std::uint32_t stripe;
    auto operator<=>(const Piece&) const = default;
  };
  std::vector<Piece> pieces;
  for (std::uint32_t i = 0; i < head.stripes().size(); ++i) {
    const Stripe& stripe = head.stripes()[i];
    if (stripe.size() == 0) continue;
    if (stripe.series() < live_base || stripe.series() - live_base >= live.size() ||
        !live[stripe.series() - live_base])
      continue;
    const std::int64_t width_s = kTierWidthMs[static_cast<std::size_t>(stripe.tier())] / 1000;
    std::int64_t bucket_end = INT64_MIN;
    for (std::size_t k = 0; k < stripe.size(); ++k) {
      const std::int64_t time_s = stripe.slots()[k] * width_s;
      if (time_s < bucket_end) continue;
      const std::int64_t start = bucket_start_s(stripe.tier(), time_s);
      bucket_end = bucket_end_s(stripe.tier(), start);
      pieces.push_back({{stripe.tier(), start}, chunk_id(stripe.series(), stripe.unit()), i});
    }
  }
  std::sort(pieces.begin(), pieces.end());

  SlotBlock block;
  for (std::size_t at = 0; at < pieces.size();) {
    const BucketKey bucket = pieces[at].bucket;
    std::size_t end = at;
    while (end < pieces.size() && pieces[end].bucket == bucket) ++end;
    if (!flush.parts.contains(bucket)) {
      PartName name{.tier = bucket.tier, .bucket_s = bucket.start_s, .lsn = head.last_lsn, .source = {}};
      {
        const std::unique_lock lock(mutex_);
        name.first = name.last = next_part_++;
      }
      TRY(auto writer, write_part(folder, name));
      const std::int64_t width_s = kTierWidthMs[static_cast<std::size_t>(bucket.tier)] / 1000;
      const auto from = static_cast<std::uint32_t>(bucket.start_s / width_s);
      const auto to =
          static_cast<std::uint32_t>(bucket_end_s(bucket.tier, bucket.start_s) / width_s);
      for (std::size_t i = at; i < end; ++i) {
        block.clear();
        head.stripes()[pieces[i].stripe].copy(from, to, block);
        TRYV(writer->add(pieces[i].id, encode_chunk(block)));
        ++chunks_written_;
      }
      TRY(flush.parts[bucket], writer->finish());
    }
    at = end;
  }

  {
    const std::unique_lock lock(mutex_);
    if (generation != generation_) {  // everything was forgotten meanwhile
      pending_.reset();
      return Ok{};
    }
    const std::int64_t now = to_ms(clock_.now());
    for (auto& [key, part] : flush.parts) {
      parts_[key].parts.push_back(part);
      parts_[key].touched_ms = now;
    }
    flushing_ = nullptr;
    series_lsn_ = head.last_lsn;
    applied_lsn_ = head.last_lsn;
    marks.applied_lsn = applied_lsn_;
    marks.next_part = next_part_;
    marks.next_id = catalogue_.next_id();
  }
  ++flushes_;
  pending_.reset();
  if (file) TRYV(file->set_marks(marks));
  wal_.set_applied(StoreId::kMetrics, marks.applied_lsn);
  return Ok{};
}

// --- joining, rolling up, forgetting -----------------------------------------------------------------

// Rewrites all parts of `from` as one part of `to`: the same bucket (a join) or one of the next tier.
Status Engine::rewrite(BucketKey from, BucketKey to) {
  std::vector<std::shared_ptr<Part>> sources;
  PartName name{.tier = to.tier, .bucket_s = to.start_s, .source = {}};
  Lsn generation = 0;
  {
    const std::unique_lock lock(mutex_);
    generation = generation_;
    sources = parts_[from].parts;
    if (sources.empty()) return Ok{};
    for (const auto& part : sources) name.lsn = std::max(name.lsn, part->name().lsn);
    if (from == to) {
      name.first = sources.front()->name().first;
      for (const auto& part : sources) name.last = std::max(name.last, part->name().last);
    } else {
      name.first = name.last = next_part_++;
      name.source = {.tier = from.tier, .bucket_s = from.start_s, .lsn = name.lsn};
      name.lsn = 0;  // says nothing about records of its own bucket
    }
  }
  const auto factor = static_cast<std::uint32_t>(kTierWidthMs[static_cast<std::size_t>(to.tier)] /
                                                 kTierWidthMs[static_cast<std::size_t>(from.tier)]);
  SeriesId base = 0;
  const std::vector<bool> live = live_series(base);
  TRY(auto writer, write_part(generation_folder(generation), name));
  std::size_t written = 0;
  for (SeriesId first = base; first < base + live.size(); first += kJoinGroup) {
    std::map<std::uint64_t, std::vector<std::string>> chunks;
    for (const auto& part : sources)
      TRYV(part->read_range(chunk_id(first, 0), chunk_id(first + kJoinGroup, 0),
                            [&](std::uint64_t id, std::string_view chunk) {
                              chunks[id].emplace_back(chunk);
                              return true;
                            }));
    for (const auto& [id, pieces] : chunks) {
      const SeriesId series = id / 32;
      if (series - base >= live.size() || !live[series - base]) continue;
      ++written;
      if (pieces.size() == 1 && factor == 1) {
        TRYV(writer->add(id, pieces[0]));
        continue;
      }
      SlotBlock sum;
      for (const std::string& piece : pieces) {
        SlotBlock block;
        if (const Status decoded = decode_chunk(piece, true, block); !decoded.ok()) {
          ++damaged_;
          LOG_ERROR("metrics: a chunk of series {} is damaged and was left out of a join", series);
          continue;
        }
        sum = sum.size() == 0 ? std::move(block) : merge_blocks(sum, block);
      }
      if (sum.size() == 0) continue;
      if (factor > 1) sum = coarsen(sum, factor);
      TRYV(writer->add(id, encode_chunk(sum)));
      ++chunks_written_;
    }
  }
  TRY(auto part, writer->finish());
  {
    const std::unique_lock lock(mutex_);
    if (generation != generation_) return Ok{};
    parts_[from].parts.clear();  // maintenance_ keeps every other writer of parts out
    if (from != to) {
      parts_.erase(from);
      ++roll_ups_;
    }
    if (written > 0) parts_[to].parts.push_back(part);
  }
  for (const auto& source : sources) source->discard();
  if (written == 0) part->discard();
  return Ok{};
}

Status Engine::maintain(std::int64_t now_ms) {
  std::vector<fs::path> rubbish;
  {
    const std::unique_lock lock(mutex_);
    rubbish.swap(rubbish_);
  }
  for (const fs::path& path : rubbish) {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  if (checkpoint_first_) {  // parts of an interrupted flush: complete it before anything moves
    TRYV(flush_locked());
    checkpoint_first_ = false;
  }
  std::vector<BucketKey> keys;
  {
    const std::shared_lock lock(mutex_);
    for (const auto& [key, bucket] : parts_) keys.push_back(key);
  }
  // Finest first, so that a datum may fall through several tiers in one round.
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const BucketKey key = keys[i];
    const std::int64_t end_s = bucket_end_s(key.tier, key.start_s);
    std::size_t parts_n = 0;
    std::int64_t touched = 0;
    {
      const std::shared_lock lock(mutex_);
      const auto bucket = parts_.find(key);
      if (bucket == parts_.end()) continue;
      parts_n = bucket->second.parts.size();
      touched = bucket->second.touched_ms;
    }
    if (end_s * 1000 + keep_ms(key.tier) <= now_ms) {
      if (key.tier == Tier::k60s || key.tier == Tier::k300s) {
        const Tier next = key.tier == Tier::k60s ? Tier::k300s : Tier::k3600s;
        const BucketKey to{next, bucket_start_s(next, key.start_s)};
        TRYV(rewrite(key, to));
        if (std::find(keys.begin() + static_cast<std::ptrdiff_t>(i), keys.end(), to) == keys.end())
          keys.insert(keys.begin() + static_cast<std::ptrdiff_t>(i) + 1, to);
      } else {
        Bucket expired;
        {
          const std::unique_lock lock(mutex_);
          expired = std::move(parts_[key]);
          parts_.erase(key);
        }
        for (const auto& part : expired.parts) part->discard();
      }
      continue;
    }
    const bool closed = end_s * 1000 + kWindowMs <= now_ms && now_ms - touched >= kQuietMs;
    if (parts_n >= kPartsJoin || (closed && parts_n > 1)) TRYV(rewrite(key, key));
  }
  {
    const std::unique_lock lock(mutex_);
    const auto gone = catalogue_.remove_if([&](SeriesId, const Catalogue::Series& series) {
      return series.newest_ms != INT64_MIN && series.newest_ms + kSeriesKeepMs < now_ms;
    });
    removed_.insert(removed_.end(), gone.begin(), gone.end());
  }
  return Ok{};
}

void Engine::tick(Timestamp now) {
  const std::lock_guard one(maintenance_);
  const std::int64_t now_ms = to_ms(now);
  bool due = pending_.has_value();
  {
    const std::shared_lock lock(mutex_);
    due = due || head_->bytes >= options_.head_bytes_max ||
          (head_begun_ms_ != 0 &&
           now_ms >= floor_to(head_begun_ms_, kWindowMs) + kWindowMs + kWindowGraceMs);
  }
  if (due)
    if (const Status done = flush_locked(); !done.ok())
      LOG_ERROR("metrics: cannot write to disk, will try again: {}", done.error().message());
  if (now_ms >= maintained_ms_ && now_ms < maintained_ms_ + kMaintenanceMs && maintained_ms_ != 0)
    return;
  maintained_ms_ = now_ms;
  if (const Status done = maintain(now_ms); !done.ok())
    LOG_ERROR("metrics: maintenance failed, will try again: {}", done.error().message());
}

std::optional<Timestamp> Engine::next_due(Timestamp now) {
  const std::shared_lock lock(mutex_);
  std::int64_t due = INT64_MAX;
  if (head_begun_ms_ != 0) due = floor_to(head_begun_ms_, kWindowMs) + kWindowMs + kWindowGraceMs;
  for (const auto& [key, bucket] : parts_) {
    const std::int64_t end_ms = bucket_end_s(key.tier, key.start_s) * 1000;
    due = std::min(due, end_ms + keep_ms(key.tier));
    if (bucket.parts.size() > 1)
      due = std::min(due, std::max(end_ms + kWindowMs, bucket.touched_ms + kQuietMs));
  }
  if (due == INT64_MAX) return std::nullopt;
  return std::max(from_ms(due), now);
}

// Under the lock. The folder of the generation before goes away in the background.
void Engine::forget_all(Lsn generation) {
  const fs::path old = generation_folder(generation_);
  if (const Status opened = open_generation(generation); !opened.ok())
    LOG_ERROR("metrics: cannot begin anew: {}", opened.error().message());
  head_begun_ms_ = 0;
  if (!old.empty()) rubbish_.push_back(old);
}

void Engine::forget_scope(std::string_view account, std::string_view region) {
  const auto gone = catalogue_.remove_if([&](SeriesId, const Catalogue::Series& series) {
    return (account.empty() || catalogue_.scope_account(series.scope) == account) &&
           (region.empty() || catalogue_.scope_region(series.scope) == region);
  });
  removed_.insert(removed_.end(), gone.begin(), gone.end());
}

Status Engine::reset(std::string_view account, std::string_view region) {
  Lsn lsn = 0;
  {
    const std::unique_lock lock(mutex_);
    std::string payload;
    ByteWriter out(payload);
    out.text(account);
    out.text(region);
    lsn = wal_.append(StoreId::kMetrics, kResetRecord, payload);
    if (account.empty() && region.empty()) {
      forget_all(lsn);
    } else {
      forget_scope(account, region);
      head_->last_lsn = lsn;
    }
  }
  return wal_.wait_durable(lsn);
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
  stats.chunks_damaged = damaged_;
  for (const auto& [key, bucket] : parts_)
    for (const auto& part : bucket.parts) stats.bytes_on_disk += part->bytes();
  return stats;
}

}  // namespace
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
