// Wal: the write-ahead log that logs, metrics and traces share; one per data folder.
//
// append() puts a record into memory and returns its LSN at once. A thread of the log writes and
// syncs everything that has gathered (group commit: one fdatasync for all waiting writers), then
// tells who waits. What was answered after when_durable() said yes survives kill -9, and with
// Durability::kStrict power loss.
//
// An engine keeps its own applied LSN atomically with what it wrote elsewhere (same SQLite
// transaction, same manifest rename), ignores replayed records at or below it, and reports it by
// set_applied(); files below the lowest applied LSN of all stores are deleted.
//
// Threads: every method but replay() may be called from any thread.
// Format: at the top of wal.cc.
#pragma once

#include "storage/base/result.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

namespace fog {

using Lsn = std::uint64_t;  // 0: none; grows by one a record

enum class StoreId : std::uint8_t { kLogs = 1, kMetrics = 2, kTraces = 3, kDeliveries = 4 };
inline constexpr std::size_t kStoreIdMax = 5;

enum class Durability {
  kStrict,     // fdatasync before the answer
  kRelaxed,    // written before the answer, synced every second
  kEphemeral,  // memory only: durable as soon as appended, nothing to replay
};

class Wal {
 public:
  struct Options {
    std::filesystem::path folder;  // unused when ephemeral
    Durability durability = Durability::kStrict;
    std::size_t file_bytes_max = 64u << 20;    // then the next file begins
    std::size_t buffer_bytes_max = 64u << 20;  // appends wait while this much is unwritten
  };
  struct Record {
    StoreId store;
    std::uint64_t id;  // internal id of the log group, series block, ... chosen by the store
    Lsn lsn;
    std::string_view payload;
  };
  struct Stats {
    std::uint64_t records_appended = 0;
    std::uint64_t bytes_appended = 0;
    std::uint64_t syncs = 0;
    std::uint64_t records_replayed = 0;
    std::uint64_t torn_tails = 0;     // records cut off at the end of the last file by a crash
    std::uint64_t damaged_bytes = 0;  // skipped in the middle of a file
    std::uint64_t bytes_on_disk = 0;
  };
  using DurableDone = std::function<void(bool ok)>;

  // Opens or creates the log. Damage costs the damaged records only and is counted.
  static Result<std::unique_ptr<Wal>> open(Options options);
  virtual ~Wal() = default;  // writes what is left

  // Walks all records on disk in LSN order; once, before the first append.
  virtual Status replay(const std::function<void(const Record&)>& visit) = 0;
  virtual Lsn append(StoreId store, std::uint64_t id, std::string_view payload) = 0;
  // Calls `done` when the record is durable (perhaps before returning; else on the log's thread,
  // where it must not block). ok = false: the disk refused; the caller answers "busy".
  virtual void when_durable(Lsn lsn, DurableDone done) = 0;
  virtual Status wait_durable(Lsn lsn) = 0;
  // Everything of `store` up to and including `lsn` is safe elsewhere.
  virtual void set_applied(StoreId store, Lsn lsn) = 0;
  virtual Lsn last_lsn() const = 0;
  // False after a failed write or sync, until one succeeds again (the log tries by itself).
  // An engine asks before it appends and answers Error::busy while it is false.
  virtual bool healthy() const = 0;
  virtual Stats stats() const = 0;
};

}  // namespace fog
