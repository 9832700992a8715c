// FileWal: the write-ahead log on disk. wal.cc has appending, waiting and what may be deleted, writer.cc the thread
// that writes and syncs, recovery.cc what happens at the start.
#pragma once

#include "storage/wal/file.h"
#include "storage/wal/format.h"
#include "storage/wal/gather.h"
#include "storage/wal/wal.h"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace fog::wal {

// So much need not wait for more to come: the disk has something to do meanwhile.
inline constexpr std::size_t kGatheredBytesMax = 64 * 1024;

class FileWal final : public Wal, public Gatherer {
 public:
  explicit FileWal(Options options) : options_(std::move(options)) {}
  ~FileWal() override;

  Status recover();
  void start() {
    thread_ = std::thread([this] { run(); });
  }

  Status replay(const std::function<void(const Record&)>& visit) override;
  Lsn append(StoreId store, std::uint64_t id, std::string_view payload) override;
  void when_durable(Lsn lsn, DurableDone done) override;
  Status wait_durable(Lsn lsn) override;
  void set_applied(StoreId store, Lsn lsn) override;
  Lsn last_lsn() const override;
  bool healthy() const override { return healthy_; }
  Stats stats() const override;
  void write_gathered() override;

 private:
  struct Waiter {
    Lsn lsn;
    DurableDone done;
  };

  // wal.cc
  bool tell_locked();
  void delete_applied_files();
  Lsn lowest_applied_locked() const;
  bool wants_fresh_file_locked() const;

  // recovery.cc
  Status scan_file(const std::filesystem::path& path, bool is_last, Lsn& expected);

  // writer.cc
  void run();
  void await_group(std::unique_lock<std::mutex>& lock);
  bool has_gathered_locked() const {
    return stopping_ || (told_ && last_ >= awaited_) || buffer_.size() >= kGatheredBytesMax;
  }
  Status write_batch(std::string_view batch, Lsn first);
  void reserve(std::size_t batch_bytes);
  Status sync(std::size_t batch_bytes);
  Status open_next(Lsn first);
  void leave_file();
  Status probe(Lsn next);
  void abandon_file(std::size_t batch_bytes);
  void settle(std::unique_lock<std::mutex>& lock, bool ok, Lsn up_to);

  // Sound records follow each other without a gap: [begin, end) of a file.
  struct Stretch {
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  const Options options_;

  std::mutex deleting_;  // files, one after the other; taken before mutex_
  mutable std::mutex mutex_;
  std::condition_variable wake_;    // the thread waits here for work
  std::condition_variable room_;    // appenders wait here for buffer space
  std::condition_variable synced_;  // wait_durable waits here
  std::string buffer_;              // records that are not yet handed to the thread
  bool told_ = false;               // the thread knows that the buffer is to be written
  Lsn awaited_ = 0;                 // the thread waits until this record is here, and woken for it; 0: it does not
  Lsn buffer_first_ = 1;
  Lsn last_ = 0;  // last LSN given out
  Lsn durable_ = 0;
  Lsn failed_ = 0;               // records up to here were refused by the disk for now
  std::vector<Waiter> waiters_;  // in LSN order as good as always; settled by a scan
  bool stopping_ = false;
  bool skip_lsns_ = false;  // before the next record
  Stats stats_;
  std::array<Lsn, kStoresMax> applied_{};
  std::array<Lsn, kStoresMax> latest_{};        // the last record of each store
  std::map<Lsn, std::filesystem::path> files_;  // by first LSN; the last one is being written
  std::map<std::filesystem::path, std::vector<Stretch>> sound_;  // found by recover(), for replay()
  std::size_t last_file_bytes_ = 0;                              // of the last file
  std::atomic<bool> healthy_{true};

  // Of the writer thread alone.
  File file_;
  std::size_t file_bytes_ = 0;      // written
  std::size_t reserved_bytes_ = 0;  // the file's size: what is behind file_bytes_ is zero
  bool unsynced_ = false;
  Lsn group_ = 0;  // records of the last batch, and those that were there when it was synced
  std::chrono::steady_clock::time_point group_until_{};
  std::vector<Waiter> ready_;  // scratch of settle()
  std::thread thread_;
};

}  // namespace fog::wal
