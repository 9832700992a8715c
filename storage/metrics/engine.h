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
//
// engine.cc: opening, recovery, put, looking up; engine_read.cc: scan and sum; engine_upkeep.cc: flush, join,
// roll-up, forgetting.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <vector>

#include "storage/metric_store.h"
#include "storage/oldest_first.h"
#include "storage/metrics/buckets.h"
#include "storage/metrics/catalogue.h"
#include "storage/metrics/head.h"
#include "storage/metrics/part.h"
#include "storage/metrics/record.h"
#include "storage/metrics/series_file.h"
#include "storage/metrics/sums.h"

namespace fog::metrics {

constexpr std::int64_t kWindowMs = 2 * 3'600'000;
// A log of writes this long is not held back by a head that could be written.
constexpr std::uint64_t kWalBytesMax = 256u << 20;
// Programs report the last minute a little late.
constexpr std::int64_t kWindowGraceMs = 120'000;
// Slots are numbered with 32 bits in the finest tier.
constexpr std::int64_t kTimeMsMax = 4'294'967'000'000;

struct Bucket {
  std::vector<std::shared_ptr<Part>> parts;
  std::int64_t touched_ms = 0;  // when a flush last added a part
};

class Engine final : public MetricStore, public OldestFirst {
 public:
  Engine(Options options, Wal& wal, const Clock& clock)
      : options_(std::move(options)), wal_(wal), clock_(clock) {}
  ~Engine() override {
    if (file_ != nullptr) file_->end();
  }

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
  Result<SlotSums> sum(std::span<const SeriesId> ids, const ReadMetrics& spec) const override;
  void tick(Timestamp now) override;
  std::optional<Timestamp> next_due(Timestamp now) override;
  Status flush() override;
  Status reset(std::string_view account, std::string_view region) override;
  Stats stats() const override;
  std::optional<std::int64_t> oldest_end_ms() const override;
  void drop_files_before(std::int64_t end_ms) override;

 private:
  using Parts = std::map<BucketKey, Bucket>;

  // A head on its way to disk; survives a failed attempt.
  struct Flush {
    Lsn generation = 0;
    std::shared_ptr<const Head> head;
    std::vector<SeriesId> added;
    std::set<SeriesId> entities;
    SeriesFile::Changes changes;
    bool changes_done = false;
    std::map<BucketKey, std::shared_ptr<Part>> parts;
  };

  std::filesystem::path generation_folder(Lsn generation) const {
    return options_.folder.empty() ? std::filesystem::path() : options_.folder / std::to_string(generation);
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
  void describe_changes(Flush& flush);
  Status write_flush();
  Status maintain(std::int64_t now_ms);
  Status rewrite(BucketKey from, BucketKey to);
  std::vector<bool> live_series(SeriesId& base) const;
  // Series asked for, by id, with their place in the question.
  using Asked = std::vector<std::pair<SeriesId, std::size_t>>;
  // Nothing: no slot of the range can have data.
  std::optional<Grid> prepare(std::span<const SeriesId> ids, const ReadMetrics& spec, Asked& asked) const;
  // sink(i, unit, slots) for every piece of data of asked[i], wherever it lies.
  template <typename Sink>
  Status visit_slots(std::span<const std::pair<SeriesId, std::size_t>> asked, const Grid& grid,
                     const ReadMetrics& spec, const Sink& sink) const;

  const Options options_;
  Wal& wal_;
  const Clock& clock_;
  const std::uint64_t damaged_parts_before_ = damaged_parts();

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
  std::vector<std::filesystem::path> rubbish_;

  mutable std::mutex maintenance_;
  std::optional<Flush> pending_;
  bool checkpoint_first_ = false;
  std::int64_t maintained_ms_ = 0;
  std::uint64_t flushed_wal_bytes_ = 0;  // of the log, by all stores, when the head was last written
  std::uint64_t chunks_written_ = 0;
  std::uint64_t flushes_ = 0;
  std::uint64_t roll_ups_ = 0;
  mutable std::atomic<std::uint64_t> damaged_{0};
};

}  // namespace fog::metrics
