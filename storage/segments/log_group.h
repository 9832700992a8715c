// LogGroup: the events of one log group: a head, frozen heads on their way to disk, segments.
//
// Life of an event: WAL and head -> frozen head -> segment -> merged segment. Changes to what is on
// disk (seal, retention, the manifest) are made by one thread at a time under `maintenance_`, which
// may be held while writing files; merging does its long part without it, so that sealing never waits
// for a merge. Everything a reader or writer touches lies under `lock_`, which is never held over that.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <vector>

#include "storage/base/guarded.h"
#include "storage/segments/head.h"

namespace fog::segments {

// Counters of the whole store.
struct StoreCounters {
  std::atomic<std::uint64_t> seals{0};
  std::atomic<std::uint64_t> merges{0};
  std::atomic<std::uint64_t> seal_failures{0};
  std::atomic<std::uint64_t> damaged_blocks{0};
  std::atomic<std::uint64_t> damaged_files{0};
  std::atomic<std::uint64_t> events_lost{0};
  std::atomic<std::uint64_t> active_bytes{0};  // in heads that take events
  std::atomic<std::uint64_t> frozen_bytes{0};  // in heads that wait for sealing
};

class LogGroup {
 public:
  // `folder` empty: memory only.
  LogGroup(LogGroupId id, std::filesystem::path folder, BlockLimits limits, StoreCounters& counters);
  ~LogGroup();

  // Reads what is on disk. Errors are about the file system only; damage is counted and left out.
  Status open();

  // Takes the sequence numbers, lets `log` write the WAL record, inserts. not_found when dropped.
  Result<LogStore::Appended> append(const LogBatch& batch, const std::function<Lsn(LogSequence)>& log,
                                    std::uint64_t wal_bytes);
  void replay(const LogBatch& batch, LogSequence first, Lsn lsn, std::uint64_t wal_bytes);
  bool head_is_full() const;

  // Marks an operation of the WAL as done in memory; it is safe once the manifest is written.
  void drop_stream(LogStreamId stream, const std::function<Lsn()>& log);
  // Hides events older than `before_ms` whose sequence number is below the one given to `log`.
  void hide_before(std::int64_t before_ms, const std::function<Lsn(LogSequence)>& log);
  void replay_hide_before(std::int64_t before_ms, LogSequence below, Lsn lsn);
  void drop();

  // Blocks that overlap the scope's time range.
  std::vector<BlockPtr> blocks(const ReadScope& scope);
  std::shared_ptr<const Hidden> hidden() const;
  Result<LogEvent> find(LogSequence sequence, std::int64_t timestamp_ms, const OnDamage& on_damage);

  LogGroupStats stats(const OnDamage& on_damage);
  std::optional<StreamTotals> stream_totals(LogStreamId stream) const;
  struct Sizes {
    std::uint64_t head_events = 0;
    std::uint64_t head_bytes = 0;
    std::uint64_t segments = 0;
    std::uint64_t blocks = 0;
    std::uint64_t disk_bytes = 0;
  };
  Sizes sizes() const;

  void freeze();             // the head takes no more events
  Status seal();             // writes all frozen heads, then the manifest if anything changed
  Result<bool> merge();      // one merge; false: nothing to do
  Status drop_expired_files();

  // What only the WAL holds; nothing: all is on disk.
  struct Held {
    Lsn lsn = 0;                  // the oldest record
    std::uint64_t wal_bytes = 0;  // bytes of log records written (by all groups) before its events
    bool has_change = false;      // a deletion or retention is among it
  };
  std::optional<Held> held() const;
  Lsn applied() const;
  LogGroupId id() const { return id_; }

  // True for a name that is or may become a column.
  bool admit(std::string_view field);

 private:
  struct State {
    bool dropped = false;
    LogSequence next_sequence = 1;
    std::uint64_t next_segment = 1;
    Lsn applied = 0;                    // in the manifest
    Lsn oldest_change = 0;              // drop_stream and the like: [oldest, newest], while newest is
    Lsn newest_change = 0;              // above `applied` the manifest lacks them
    std::shared_ptr<Head> head;
    std::deque<std::shared_ptr<Head>> frozen;
    std::vector<SegmentPtr> segments;
    std::shared_ptr<const Hidden> hidden = std::make_shared<const Hidden>();
    std::unordered_map<LogStreamId, StreamTotals> streams;  // of sealed events
  };

  Shaper::Admit admitter() {
    return [this](std::string_view name) { return admit(name); };
  }
  Status adopt(const Manifest& manifest);
  Status rebuild_without_manifest();
  Status write_manifest_locked(const State& next, bool keep_previous = true);
  SegmentPtr make_segment(std::uint64_t id, std::int64_t day, std::uint64_t size, std::vector<BlockSummary> blocks,
                          std::shared_ptr<const std::string> bytes);
  Result<SegmentPtr> store_day(const EncodedDay& day, Lsn lsn, std::vector<std::uint64_t> replaces);
  Result<bool> swap_segments(const std::set<std::uint64_t>& gone, const std::vector<SegmentPtr>& made);
  Result<EncodedDay> join(const std::vector<SegmentPtr>& parts, const Hidden& hidden);
  void insert_locked(const LogBatch& batch, LogSequence first, Lsn lsn, std::uint64_t wal_bytes);
  void changed_locked(Lsn lsn);
  void freeze_locked();
  void hide_locked(std::int64_t before_ms, LogSequence below, Lsn lsn);

  const LogGroupId id_;
  const std::filesystem::path folder_;
  const BlockLimits limits_;
  StoreCounters& counters_;

  mutable std::mutex lock_;
  State state_;
  std::mutex merging_;      // one merge at a time; taken before maintenance_
  std::mutex maintenance_;

  // Names of fields, at most kFieldsPerGroupMax; grows only.
  Guarded<std::set<std::string, std::less<>>> names_;

  // stats() of blocks that are partly hidden.
  struct PartlyHidden {
    std::shared_ptr<const Hidden> hidden;
    std::uint64_t events = 0;
    std::uint64_t bytes = 0;
  };
  Guarded<std::unordered_map<const StoredBlock*, PartlyHidden>> partly_;
};

}  // namespace fog::segments
