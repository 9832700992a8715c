// The segment engine: log groups over one WAL, with background sealing and merging.
//
// Recovery reads the log of writes into heads and leaves sealing to the background; what the log holds is
// bounded, because heads that keep old files of it alive are sealed.
#include "storage/base/log.h"
#include "storage/base/worker_pool.h"
#include "storage/log_store.h"
#include "storage/segments/limits.h"
#include "storage/segments/log_record.h"
#include "storage/segments/log_group.h"
#include "storage/wal/file.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <condition_variable>
#include <cstring>
#include <unordered_map>

namespace fog {

namespace {

using namespace segments;
using Operation = LogOperation;

// Sealing and merging leave the processor to queries and requests; writers who are too fast wait for them.
constexpr int kSealNice = 3;
constexpr int kMergeNice = 10;
void step_back(int nice) {
#ifdef __linux__
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), nice);
#endif
}

class SegmentStore final : public RecoverableLogStore {
 public:
  SegmentStore(Wal& wal, LogStoreOptions options) : wal_(wal), options_(std::move(options)) {
    limits_.events_max = std::clamp<std::size_t>(options_.block_events_max, 1, kBlockEventsLimit / 2);
    limits_.bytes_max = std::max<std::size_t>(options_.block_bytes_max, 1024);
  }
  ~SegmentStore() override { stopping_ = true; }

  Status open();
  Status apply(const Wal::Record& record) override;
  void replayed() override;

  Result<Appended> append(const LogBatch& batch) override;
  Result<LogSnapshot> snapshot(const LogScanSpec& spec) override;
  Result<LogEvent> find(LogGroupId group, LogSequence sequence, std::int64_t timestamp_ms) override;
  Result<Lsn> drop_group(LogGroupId group) override;
  Result<Lsn> drop_stream(LogGroupId group, LogStreamId stream) override;
  Status delete_before(LogGroupId group, std::int64_t before_ms) override;
  LogGroupStats group_stats(LogGroupId group) override;
  std::optional<LogStreamStats> stream_stats(LogGroupId group, LogStreamId stream) override;
  LogStoreHealth health() override;
  Status flush() override;
  void maintain() override;
  Result<bool> merge() override;
  Result<Lsn> drop_all() override;

 private:
  using GroupPtr = std::shared_ptr<LogGroup>;
  struct Groups {
    std::unordered_map<LogGroupId, GroupPtr> live;
    std::unordered_set<LogGroupId> dropped;  // of this process; ids are never reused
  };

  GroupPtr find_group(LogGroupId id) const {
    const auto groups = groups_.lock_shared();
    const auto it = groups->live.find(id);
    return it == groups->live.end() ? nullptr : it->second;
  }
  // Null: dropped.
  GroupPtr group_for_writing(LogGroupId id);
  GroupPtr make_group(LogGroupId id) {
    return std::make_shared<LogGroup>(
        id, options_.folder.empty() ? std::filesystem::path() : options_.folder / std::to_string(id), limits_, *counters_);
  }
  std::vector<GroupPtr> all_groups() const {
    std::vector<GroupPtr> result;
    const auto groups = groups_.lock_shared();
    for (const auto& entry : groups->live) result.push_back(entry.second);
    return result;
  }
  OnDamage on_damage() const {
    return [counters = counters_](const StoredBlock& block) {
      ++counters->damaged_blocks;
      counters->events_lost += block.summary.rows;
      LOG_ERROR("a log block of {} events is damaged", block.summary.rows);
    };
  }
  Lsn log_operation(Operation operation, LogGroupId id, std::initializer_list<std::uint64_t> numbers) {
    std::string payload;
    ByteWriter to(payload);
    to.fixed(static_cast<std::uint8_t>(operation));
    for (const std::uint64_t number : numbers) to.varint(number);
    return wal_.append(StoreId::kLogs, id, payload);
  }
  void seal_later(const GroupPtr& group);
  void seal(const GroupPtr& group);
  void tell_applied();
  void seal_heads_that_hold();
  void merge_rounds();
  void give_back_memory();

  Wal& wal_;
  LogStoreOptions options_;
  BlockLimits limits_;
  std::shared_ptr<StoreCounters> counters_ = std::make_shared<StoreCounters>();
  Guarded<Groups> groups_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> shrinking_{false};
  std::atomic<bool> maintaining_{false};
  std::atomic<bool> merging_{false};
  std::uint64_t work_when_trimmed_ = 0;  // of the maintaining task alone
  std::atomic<std::uint64_t> log_bytes_{0};  // of append records, replayed ones included

  std::mutex pressure_mutex_;
  std::condition_variable pressure_;
  const std::shared_ptr<PieceCache> pieces_ = std::make_shared<PieceCache>();
  Guarded<std::unordered_set<LogGroupId>> queued_;  // groups whose sealing is on its way
  std::unique_ptr<WorkerPool> merger_;              // last, with pool_: their tasks use the rest
  std::unique_ptr<WorkerPool> pool_;                // sealing
};

Status SegmentStore::open() {
  if (options_.folder.empty()) return Ok{};
  TRYV(fog::make_folders(options_.folder));
  std::error_code error;
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(options_.folder, error))
    if (entry.is_directory()) folders.push_back(entry.path());
  for (const std::filesystem::path& folder : folders) {
    const std::string name = folder.filename().string();
    LogGroupId id = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), id);
    if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size()) continue;
    if (!std::filesystem::exists(folder / "MANIFEST", error)) {
      // Never sealed (all is in the WAL) or dropped: nothing here counts.
      std::filesystem::remove_all(folder, error);
      continue;
    }
    GroupPtr group = make_group(id);
    TRYV(group->open());
    groups_.lock()->live.emplace(id, std::move(group));
  }
  return Ok{};
}

SegmentStore::GroupPtr SegmentStore::group_for_writing(LogGroupId id) {
  if (GroupPtr group = find_group(id)) return group;
  const auto groups = groups_.lock();
  if (groups->dropped.contains(id)) return nullptr;
  GroupPtr& group = groups->live[id];
  if (group == nullptr) group = make_group(id);
  return group;
}

Status SegmentStore::apply(const Wal::Record& record) {
  ByteReader in(record.payload);
  const auto operation = static_cast<Operation>(in.fixed<std::uint8_t>());
  switch (operation) {
    case Operation::kAppend: {
      log_bytes_ += record.payload.size();
      const GroupPtr group = group_for_writing(record.id);
      if (group == nullptr || record.lsn <= group->applied()) return Ok{};
      LogBatch batch;
      LogSequence first = 0;
      std::vector<LogEventIn> events;
      if (!read_append_record(record.payload, batch, first, events)) return Error::corrupt("log record cannot be read");
      batch.group = record.id;
      group->replay(batch, first, record.lsn, log_bytes_);
      // Sealing can wait, but not for all of a log that was never sealed.
      if (group->head_is_full() && (options_.threads == 0 || counters_->frozen_bytes.load() > kReplayBytesMax))
        return group->seal();
      return Ok{};
    }
    case Operation::kDropGroup:
      if (const GroupPtr group = find_group(record.id)) {
        group->drop();
        const auto groups = groups_.lock();
        groups->live.erase(record.id);
        groups->dropped.insert(record.id);
      }
      return Ok{};
    case Operation::kDropStream: {
      const LogStreamId stream = in.varint();
      if (!in.ok()) return Error::corrupt("log record cannot be read");
      if (const GroupPtr group = find_group(record.id)) group->drop_stream(stream, [&] { return record.lsn; });
      return Ok{};
    }
    case Operation::kHideBefore: {
      const std::int64_t before = in.zigzag();
      const LogSequence below = in.varint();
      if (!in.ok()) return Error::corrupt("log record cannot be read");
      if (const GroupPtr group = find_group(record.id)) group->replay_hide_before(before, below, record.lsn);
      return Ok{};
    }
    case Operation::kDropAll:
      for (const GroupPtr& group : all_groups()) {
        group->drop();
        const auto groups = groups_.lock();
        groups->live.erase(group->id());
        groups->dropped.insert(group->id());
      }
      return Ok{};
  }
  return Error::corrupt("log record of an unknown kind");
}

void SegmentStore::replayed() {
  tell_applied();
  if (options_.threads == 0) return;
  pool_ = std::make_unique<WorkerPool>(options_.threads);
  merger_ = std::make_unique<WorkerPool>(1);
  for (std::size_t i = 0; i < options_.threads; ++i)
    if (!pool_->submit([] { step_back(kSealNice); })) break;
  if (!merger_->submit([] { step_back(kMergeNice); })) return;
  for (const GroupPtr& group : all_groups())
    if (group->head_is_full()) seal_later(group);
}

// ---- writing ---------------------------------------------------------------------------------------------

Result<LogStore::Appended> SegmentStore::append(const LogBatch& batch) {
  std::size_t bytes = 0;
  for (const LogEventIn& event : batch.events) {
    if (event.message.size() > kMessageBytesMax) return Error::limit("a log message is longer than 16 MiB");
    bytes += event.message.size();
  }
  if (bytes > kBatchBytesMax) return Error::limit("a batch of log events is larger than 64 MiB");
  if (!wal_.healthy()) return Error::busy("The disk refuses writes.");
  if (counters_->frozen_bytes.load() > options_.head_bytes_max) {
    if (pool_ == nullptr) {
      TRYV(flush());
    } else {
      // Sealing is behind; the writer waits rather than memory growing without end.
      std::unique_lock lock(pressure_mutex_);
      const bool relieved = pressure_.wait_for(lock, std::chrono::seconds(10), [this] {
        return counters_->frozen_bytes.load() <= options_.head_bytes_max;
      });
      if (!relieved) return Error::busy("log storage cannot keep up");
    }
  }
  const GroupPtr group = group_for_writing(batch.group);
  if (group == nullptr) return Error::not_found("the log group was deleted");
  std::string payload = encode_append(batch);
  const std::uint64_t wal_bytes = log_bytes_ += payload.size();
  TRY(const Appended appended, group->append(
                                   batch,
                                   [&](LogSequence first) {
                                     set_first_sequence(payload, first);
                                     return wal_.append(StoreId::kLogs, batch.group, payload);
                                   },
                                   wal_bytes));
  if (pool_ != nullptr) {
    if (group->head_is_full()) seal_later(group);
    if (counters_->active_bytes.load() > options_.head_bytes_max && !shrinking_.exchange(true)) {
      const bool queued = pool_->submit([this] {
        // The largest heads go until a quarter is free.
        std::vector<std::pair<std::uint64_t, GroupPtr>> heads;
        for (const GroupPtr& each : all_groups()) heads.emplace_back(each->sizes().head_bytes, each);
        std::sort(heads.begin(), heads.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
        for (const auto& entry : heads) {
          if (counters_->active_bytes.load() <= options_.head_bytes_max / 4 * 3) break;
          entry.second->freeze();
          seal(entry.second);
        }
        shrinking_ = false;
      });
      if (!queued) shrinking_ = false;
    }
  }
  return appended;
}

void SegmentStore::seal_later(const GroupPtr& group) {
  if (!queued_.lock()->insert(group->id()).second) return;
  const bool queued = pool_->submit([this, group] {
    queued_.lock()->erase(group->id());
    seal(group);
  });
  if (!queued) queued_.lock()->erase(group->id());
}

void SegmentStore::seal(const GroupPtr& group) {
  const Status status = group->seal();
  if (!status.ok()) {
    ++counters_->seal_failures;
    LOG_ERROR("cannot seal log group {}: {}", group->id(), status.error().message());
  }
  tell_applied();
  { const std::lock_guard lock(pressure_mutex_); }
  pressure_.notify_all();
}

void SegmentStore::tell_applied() {
  // Read before looking at the groups: what comes later is not claimed.
  Lsn applied = wal_.last_lsn();
  for (const GroupPtr& group : all_groups())
    if (const auto held = group->held()) applied = std::min(applied, held->lsn - 1);
  wal_.set_applied(StoreId::kLogs, applied);
}

Result<Lsn> SegmentStore::drop_group(LogGroupId id) {
  const Lsn lsn = log_operation(Operation::kDropGroup, id, {});
  GroupPtr group;
  {
    const auto groups = groups_.lock();
    groups->dropped.insert(id);
    if (const auto it = groups->live.find(id); it != groups->live.end()) {
      group = std::move(it->second);
      groups->live.erase(it);
    }
  }
  if (group == nullptr) return lsn;
  // Files go when it is certain that the group does: a deletion is whole or not at all.
  TRYV(wal_.wait_durable(lsn));
  group->drop();
  return lsn;
}

Result<Lsn> SegmentStore::drop_stream(LogGroupId id, LogStreamId stream) {
  const GroupPtr group = find_group(id);
  if (group == nullptr) return Lsn{0};
  Lsn lsn = 0;
  group->drop_stream(stream, [&] { return lsn = log_operation(Operation::kDropStream, id, {stream}); });
  return lsn;
}

Status SegmentStore::delete_before(LogGroupId id, std::int64_t before_ms) {
  const GroupPtr group = find_group(id);
  if (group == nullptr) return Ok{};
  group->hide_before(before_ms, [&](LogSequence below) {
    std::string payload;
    ByteWriter to(payload);
    to.fixed(static_cast<std::uint8_t>(Operation::kHideBefore));
    to.zigzag(before_ms);
    to.varint(below);
    return wal_.append(StoreId::kLogs, id, payload);
  });
  return group->drop_expired_files();
}

Result<Lsn> SegmentStore::drop_all() {
  const Lsn lsn = log_operation(Operation::kDropAll, 0, {});
  std::vector<GroupPtr> old;
  {
    const auto groups = groups_.lock();
    for (auto& [id, group] : groups->live) {
      groups->dropped.insert(id);
      old.push_back(std::move(group));
    }
    groups->live.clear();
  }
  if (old.empty()) return lsn;
  TRYV(wal_.wait_durable(lsn));
  for (const GroupPtr& group : old) group->drop();
  return lsn;
}

// ---- reading -----------------------------------------------------------------------------------------------

Result<LogSnapshot> SegmentStore::snapshot(const LogScanSpec& spec) {
  LogSnapshot result;
  std::shared_ptr<const std::unordered_set<LogStreamId>> streams;
  if (spec.streams)
    streams = std::make_shared<const std::unordered_set<LogStreamId>>(spec.streams->begin(), spec.streams->end());
  if (spec.from_ms > spec.to_ms) return result;
  std::vector<std::unique_ptr<LogBlock>> found;
  for (const LogGroupId id : spec.groups) {
    const GroupPtr group = find_group(id);
    if (group == nullptr) continue;
    ReadScope scope{id, spec.from_ms, spec.to_ms, streams, group->hidden(), pieces_};
    for (auto& block : group->blocks(scope)) {
      if (scope.hidden->expired(block->summary.timestamp_max, block->summary.sequence_max)) continue;
      found.push_back(make_block_reader(std::move(block), scope, on_damage()));
    }
  }
  if (streams == nullptr && spec.where.empty()) {
    result.blocks = std::move(found);
  } else {
    const std::vector<BlockChoice> chosen = choose_blocks(found, spec.where);
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (chosen[i] == BlockChoice::kNothing) {
        ++result.skipped.blocks;
        result.skipped.events += found[i]->rows();
        result.skipped.bytes += found[i]->message_bytes();
      } else if (chosen[i] == BlockChoice::kLook) {
        result.blocks.push_back(std::move(found[i]));
      }
    }
  }
  std::stable_sort(result.blocks.begin(), result.blocks.end(), [&](const auto& a, const auto& b) {
    return spec.newest_first ? a->timestamp_max_ms() > b->timestamp_max_ms()
                             : a->timestamp_min_ms() < b->timestamp_min_ms();
  });
  return result;
}

Result<LogEvent> SegmentStore::find(LogGroupId id, LogSequence sequence, std::int64_t timestamp_ms) {
  const GroupPtr group = find_group(id);
  if (group == nullptr) return Error::not_found("no such log event");
  return group->find(sequence, timestamp_ms, on_damage());
}

LogGroupStats SegmentStore::group_stats(LogGroupId id) {
  const GroupPtr group = find_group(id);
  return group == nullptr ? LogGroupStats{} : group->stats(on_damage());
}

std::optional<LogStreamStats> SegmentStore::stream_stats(LogGroupId id, LogStreamId stream) {
  const GroupPtr group = find_group(id);
  if (group == nullptr) return std::nullopt;
  const std::optional<StreamTotals> totals = group->stream_totals(stream);
  if (!totals) return std::nullopt;
  return LogStreamStats{totals->events, totals->first_timestamp, totals->last_timestamp, totals->last_ingestion};
}

LogStoreHealth SegmentStore::health() {
  LogStoreHealth health;
  for (const GroupPtr& group : all_groups()) {
    const LogGroup::Sizes sizes = group->sizes();
    health.head_events += sizes.head_events;
    health.head_bytes += sizes.head_bytes;
    health.segments += sizes.segments;
    health.blocks += sizes.blocks;
    health.disk_bytes += sizes.disk_bytes;
  }
  health.seals = counters_->seals;
  health.merges = counters_->merges;
  health.seal_failures = counters_->seal_failures;
  health.damaged_blocks = counters_->damaged_blocks;
  health.damaged_files = counters_->damaged_files;
  health.events_lost = counters_->events_lost;
  return health;
}

// ---- housekeeping --------------------------------------------------------------------------------------------

Status SegmentStore::flush() {
  for (const GroupPtr& group : all_groups()) {
    group->freeze();
    TRYV(group->seal());
  }
  tell_applied();
  { const std::lock_guard lock(pressure_mutex_); }
  pressure_.notify_all();
  return Ok{};
}

Result<bool> SegmentStore::merge() {
  bool merged = false;
  for (const GroupPtr& group : all_groups()) {
    TRY(const bool one, group->merge());
    merged = merged || one;
  }
  return merged;
}

// Keeps the log of writes short: a head goes to disk when much was written since its first event, and
// when the log is long (whoever fills it) those go that hold back its older half.
void SegmentStore::seal_heads_that_hold() {
  const std::uint64_t now = log_bytes_.load();
  const bool is_long = wal_.stats().bytes_on_disk > 2 * kWalBytesMax;
  std::vector<std::pair<GroupPtr, LogGroup::Held>> holding;
  Lsn oldest = wal_.last_lsn();
  const Lsn newest = oldest;
  for (const GroupPtr& group : all_groups()) {
    const auto held = group->held();
    if (!held) continue;
    oldest = std::min(oldest, held->lsn);
    holding.emplace_back(group, *held);
  }
  for (const auto& [group, held] : holding) {
    if (stopping_) return;
    const bool is_behind = held.wal_bytes != UINT64_MAX && now - std::min(now, held.wal_bytes) >= kWalBytesMax;
    // Operations (drops, retention) are cheap to write down at once.
    if (!is_behind && !held.has_change && !(is_long && held.lsn <= oldest + (newest - oldest) / 2)) continue;
    group->freeze();
    seal(group);
  }
}

void SegmentStore::merge_rounds() {
  constexpr int kRoundsMax = 8;
  for (int round = 0; round < kRoundsMax && !stopping_; ++round) {
    const Result<bool> merged = merge();
    if (!merged.ok()) {
      ++counters_->seal_failures;
      LOG_ERROR("cannot merge log segments: {}", merged.error().message());
      return;
    }
    if (!*merged) return;
  }
}

// What sealing and merging took lies scattered over the heap; the allocator keeps it unless it is told.
void SegmentStore::give_back_memory() {
#ifdef __GLIBC__
  const std::uint64_t work = counters_->seals + counters_->merges;
  if (work == work_when_trimmed_) return;
  work_when_trimmed_ = work;
  ::malloc_trim(0);
#endif
}

void SegmentStore::maintain() {
  if (pool_ == nullptr) return;
  const auto run_once = [](WorkerPool& pool, std::atomic<bool>& is_running, std::function<void()> task) {
    if (is_running.exchange(true)) return;
    const bool queued = pool.submit([&is_running, task = std::move(task)] {
      task();
      is_running = false;
    });
    if (!queued) is_running = false;
  };
  run_once(*pool_, maintaining_, [this] {
    for (const GroupPtr& group : all_groups())
      if (group->head_is_full()) seal(group);  // failed before
    seal_heads_that_hold();
    tell_applied();
  });
  run_once(*merger_, merging_, [this] {
    merge_rounds();
    const std::size_t kept = pieces_->bytes();
    pieces_->age();
    if (pieces_->bytes() < kept) work_when_trimmed_ = UINT64_MAX;  // no query has come for long
    give_back_memory();
  });
}

}  // namespace

Result<std::unique_ptr<RecoverableLogStore>> open_log_store(Wal& wal, LogStoreOptions options) {
  auto store = std::make_unique<SegmentStore>(wal, std::move(options));
  TRYV(store->open());
  return std::unique_ptr<RecoverableLogStore>(std::move(store));
}

}  // namespace fog
