// LogStore: the interface of engines that keep log events.
//
// Groups and streams are 64-bit ids given out by the caller (ResourceStore::next_id); names, tags and
// settings live there. A group exists here from its first append. Ids are never reused, so events of
// a deleted group never come back.
//
// Order:      the order of events is (timestamp, sequence number); sequence numbers are given out in
//             append order, one counter a group, and are the identity of an event for ever:
//             (group id, sequence number). They survive restart, sealing and merging.
// Visibility: an event is visible to every snapshot taken after append returned.
// Durability: an append is durable when its LSN is (Wal::when_durable). After a crash every durable
//             append is there exactly once and whole; later ones are there whole or not at all.
// Duplicates: kept. Messages come back byte for byte and may be empty or hold any bytes.
// Damage:     costs the damaged block's events only; it is counted, and everything else answers.
//
// Threads: any. A snapshot never blocks writers, nor they it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/result.h"
#include "storage/log_block.h"
#include "storage/wal/wal.h"

namespace fog {

struct LogEventIn {
  std::int64_t timestamp_ms = 0;
  std::string_view message;
};

// One PutLogEvents call: events of one stream.
struct LogBatch {
  LogGroupId group = 0;
  LogStreamId stream = 0;
  std::int64_t ingestion_ms = 0;
  std::span<const LogEventIn> events;  // any order of time
  // Fields that every event of the batch bears beside the discovered ones (@entity.*).
  std::vector<std::pair<std::string, std::string>> fields;
};

struct LogScanSpec {
  std::vector<LogGroupId> groups;
  // Both inclusive.
  std::int64_t from_ms = INT64_MIN;
  std::int64_t to_ms = INT64_MAX;
  // Only these streams; nothing: all.
  std::optional<std::vector<LogStreamId>> streams;
  // All clauses must hold; a clause holds when one of its predicates does. Used to skip whole blocks
  // only: rows that do not satisfy them still come.
  std::vector<std::vector<LogPredicate>> where;
  // Blocks in order of their newest event, descending (or of their oldest event, ascending), so that
  // a reader who has what it needs, and whose worst row lies beyond the next block's range, may stop.
  // Ranges of blocks may overlap.
  bool newest_first = true;
};

// What a scan did not have to look at.
struct LogScanSkipped {
  std::uint64_t blocks = 0;  // by predicates
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;
};

struct LogSnapshot {
  std::vector<std::unique_ptr<LogBlock>> blocks;
  LogScanSkipped skipped;
};

struct LogEvent {
  LogStreamId stream = 0;
  LogSequence sequence = 0;
  std::int64_t timestamp_ms = 0;
  std::int64_t ingestion_ms = 0;
  std::string message;
};

struct LogStreamStats {
  std::uint64_t events = 0;
  std::int64_t first_timestamp_ms = 0;  // smallest and largest event timestamp ever put
  std::int64_t last_timestamp_ms = 0;
  std::int64_t last_ingestion_ms = 0;
};

struct LogGroupStats {
  std::uint64_t events = 0;
  std::uint64_t message_bytes = 0;  // stored ones; events that delete_before hides do not count
  std::uint64_t disk_bytes = 0;
};

struct LogStoreHealth {
  std::uint64_t head_events = 0;  // in memory, not yet sealed
  std::uint64_t head_bytes = 0;
  std::uint64_t segments = 0;
  std::uint64_t blocks = 0;
  std::uint64_t disk_bytes = 0;
  std::uint64_t seals = 0;
  std::uint64_t merges = 0;
  std::uint64_t seal_failures = 0;    // disk full and the like; retried
  std::uint64_t damaged_blocks = 0;   // found by reading or check
  std::uint64_t damaged_files = 0;    // segments or manifests that could not be opened
  std::uint64_t events_lost = 0;      // in damaged blocks, as far as known
};

class LogStore {
 public:
  virtual ~LogStore() = default;

  struct Appended {
    Lsn lsn = 0;
    LogSequence first_sequence = 0;  // of the first event; the others follow without a gap
  };
  // Errors: limit (a message above 16 MiB or a batch above 64 MiB), busy (sealing cannot keep up).
  virtual Result<Appended> append(const LogBatch& batch) = 0;

  // The blocks that may hold what the spec asks for, as of now.
  virtual Result<LogSnapshot> snapshot(const LogScanSpec& spec) = 0;
  // One event by identity; the timestamp only speeds up the search. Error: not_found.
  virtual Result<LogEvent> find(LogGroupId group, LogSequence sequence, std::int64_t timestamp_ms) = 0;

  // Deletion is logged: durable when the LSN returned is. Data is gone from every snapshot taken after
  // the return. Deleting what does not exist is no error. An append to a dropped group or stream
  // returns not_found.
  virtual Result<Lsn> drop_group(LogGroupId group) = 0;
  virtual Result<Lsn> drop_stream(LogGroupId group, LogStreamId stream) = 0;
  // Retention: events older than `before_ms` that are stored now disappear; files go when no newer
  // event is in them. Events put later are not touched by it, however old.
  virtual Status delete_before(LogGroupId group, std::int64_t before_ms) = 0;

  virtual LogGroupStats group_stats(LogGroupId group) = 0;
  virtual std::optional<LogStreamStats> stream_stats(LogGroupId group, LogStreamId stream) = 0;
  virtual LogStoreHealth health() = 0;

  // Moves what is in memory into segments and returns when it is there (tests, shutdown, backup).
  virtual Status flush() = 0;
  // Regular housekeeping, called about once a second: seals what holds the write-ahead log back,
  // merges. Returns at once; the work runs in the background.
  virtual void maintain() = 0;
  // One round of merging small segments; true: something was merged.
  virtual Result<bool> merge() = 0;
  // Deletes every group (control plane reset). Durable with the LSN.
  virtual Result<Lsn> drop_all() = 0;
};

// Opens the segment engine (storage/segments) over a folder such as DATA/logs; the folder is made if
// absent. `wal` must have been opened and not yet replayed: the caller opens all engines, then calls
// wal.replay() with `LogStoreReplay::apply` for records of StoreId::kLogs, then replayed().
struct LogStoreOptions {
  std::filesystem::path folder;          // empty: memory only
  std::size_t threads = 1;               // background sealing; 0: only flush() and merge() seal
  std::size_t block_events_max = 32768;  // a head this full is sealed
  std::size_t block_bytes_max = 16u << 20;
  std::size_t head_bytes_max = 48u << 20;  // over all groups; then the largest head is sealed
};

class RecoverableLogStore : public LogStore {
 public:
  // During recovery, in LSN order. Records already sealed are ignored.
  virtual Status apply(const Wal::Record& record) = 0;
  // Recovery is over: starts the background work.
  virtual void replayed() = 0;
};

Result<std::unique_ptr<RecoverableLogStore>> open_log_store(Wal& wal, LogStoreOptions options);

// Verifies every byte of a log folder without changing it (`fogwatch check`): one line a finding.
struct LogCheckReport {
  std::uint64_t segments = 0;
  std::uint64_t blocks = 0;
  std::uint64_t events = 0;
  std::vector<std::string> findings;
};
Result<LogCheckReport> check_log_folder(const std::filesystem::path& folder);

}  // namespace fog
