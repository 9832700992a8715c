// The log's thread: writes what has gathered, syncs it, tells who waits.
#include "storage/base/log.h"
#include "storage/wal/file_wal.h"

#include <algorithm>
#include <chrono>

namespace fog::wal {
namespace {

namespace fs = std::filesystem;

constexpr auto kRelaxedSyncInterval = std::chrono::seconds(1);
// After a failed write the thread tries again at this pace until the disk gives way.
constexpr auto kRetryInterval = std::chrono::milliseconds(100);
// The file grows by zeros of this size, which later batches are written over: a sync then has no new size to make
// certain, which is half its cost. A batch of a quarter of it or more would be written twice for little.
constexpr std::size_t kReserveBytes = 256 * 1024;
constexpr std::size_t kReserveBatchMax = kReserveBytes / 4;
// Clients that have just heard of their records tend to come back with the next ones (await_group()).
constexpr int kGroupSyncs = 2;  // times as long as a sync takes
constexpr auto kGroupWaitMin = std::chrono::microseconds(100);
constexpr auto kGroupWaitMax = std::chrono::microseconds(500);

}  // namespace

// Tells everyone who waits for a record up to `up_to`. Callbacks run without the lock.
void FileWal::settle(std::unique_lock<std::mutex>& lock, bool ok, Lsn up_to) {
  std::erase_if(waiters_, [&](Waiter& waiter) {
    if (waiter.lsn > up_to) return false;
    ready_.push_back(std::move(waiter));
    return true;
  });
  lock.unlock();
  synced_.notify_all();
  for (Waiter& waiter : ready_) waiter.done(ok);
  ready_.clear();
  lock.lock();
}

void FileWal::run() {
  using SteadyClock = std::chrono::steady_clock;
  auto next_relaxed_sync = SteadyClock::now() + kRelaxedSyncInterval;
  std::string batch;  // being written; kept when the disk refuses it, and tried again
  Lsn batch_first = 0;
  Lsn batch_last = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto has_work = [&] { return stopping_ || told_ || wants_fresh_file_locked(); };
    if (!healthy_) {
      wake_.wait_for(lock, kRetryInterval, [&] { return stopping_; });
    } else if (unsynced_) {
      wake_.wait_until(lock, next_relaxed_sync, has_work);
    } else {
      wake_.wait(lock, has_work);
    }
    if (healthy_ && batch.empty() && told_) await_group(lock);
    if (batch.empty() && !buffer_.empty()) {
      batch.swap(buffer_);
      batch_first = buffer_first_;
      batch_last = last_;
      buffer_first_ = last_ + 1;
      told_ = false;
      room_.notify_all();
    }
    const bool stop = stopping_;
    const bool fresh = batch.empty() && healthy_ && wants_fresh_file_locked();
    const Lsn next = buffer_first_;
    lock.unlock();

    Status written = Ok{};
    bool synced = false;
    const auto began = SteadyClock::now();
    if (!batch.empty()) {
      written = write_batch(batch, batch_first);
    } else if (!healthy_) {
      written = probe(next);  // engines wait for a sign before they append again
    } else if (fresh) {
      written = open_next(next);
      if (written.ok()) delete_applied_files();
    }
    const bool sync_due = options_.durability == Durability::kStrict || stop ||
                          SteadyClock::now() >= next_relaxed_sync;
    if (written.ok() && unsynced_ && sync_due) {
      written = sync(batch.size());
      synced = written.ok();
      next_relaxed_sync = SteadyClock::now() + kRelaxedSyncInterval;
    }

    lock.lock();
    if (written.ok()) {
      if (!healthy_.exchange(true)) LOG_INFO("wal: the disk takes writes again");
      if (!batch.empty()) {
        stats_.bytes_on_disk += batch.size();
        last_file_bytes_ = file_bytes_;
        durable_ = batch_last;
        // A buffer that grew huge in a burst goes back to the system.
        if (batch.capacity() > (4u << 20)) batch = {};
        batch.clear();
      }
      stats_.syncs += synced ? 1 : 0;
      const Lsn records = batch_last + 1 - batch_first;
      settle(lock, true, durable_);
      const auto now = SteadyClock::now();
      group_ = synced ? records + (last_ + 1 - buffer_first_) : 0;
      group_until_ = now + std::clamp<SteadyClock::duration>((now - began) * kGroupSyncs, kGroupWaitMin, kGroupWaitMax);
    } else {
      if (healthy_.exchange(false)) LOG_ERROR("wal: writes are refused: {}", written.error().message());
      failed_ = last_;  // whoever waits hears of it now, and tries again later
      room_.notify_all();
      settle(lock, false, failed_);
    }
    if (stop && buffer_.empty()) return;
    if (stop && !written.ok()) return;
  }
}

// Many clients that each wait for their answer before they send more would fall into groups, one being synced while
// the other is answered: twice the syncs for nobody's good. So for a moment after a sync as many records are waited
// for as it had, and those that came meanwhile. A client alone is never waited for.
void FileWal::await_group(std::unique_lock<std::mutex>& lock) {
  awaited_ = buffer_first_ + group_ - std::min<Lsn>(group_, 1);
  if (group_ > 1 && !has_gathered_locked()) wake_.wait_until(lock, group_until_, [this] { return has_gathered_locked(); });
  awaited_ = 0;
}

// Appends a batch to the current file, beginning the next file when that one is full. After a
// failure the file ends where it ended before, so that the batch can be written again.
Status FileWal::write_batch(std::string_view batch, Lsn first) {
  if (!file_.is_open() || file_bytes_ >= options_.file_bytes_max) TRYV(open_next(first));
  reserve(batch.size());
  Status written = file_.write_at(file_bytes_, batch);
  if (!written.ok()) {
    // A file whose end is not known is left alone from here on.
    if (!file_.truncate(file_bytes_).ok()) file_ = File();
    reserved_bytes_ = file_bytes_;
    return written;
  }
  file_bytes_ += batch.size();
  reserved_bytes_ = std::max(reserved_bytes_, file_bytes_);
  unsynced_ = true;
  return Ok{};
}

// Room for a small batch and many like it. A disk that has none for them may have some for this one.
void FileWal::reserve(std::size_t batch_bytes) {
  if (options_.durability != Durability::kStrict) return;
  if (batch_bytes >= kReserveBatchMax || file_bytes_ + batch_bytes <= reserved_bytes_) return;
  static const std::string zeros(kReserveBytes, '\0');
  const std::size_t left = options_.file_bytes_max - std::min(options_.file_bytes_max, file_bytes_);
  const std::size_t n = std::clamp(left, batch_bytes, kReserveBytes);
  if (file_.write_at(reserved_bytes_, std::string_view(zeros).substr(0, n)).ok()) {
    reserved_bytes_ += n;
    return;
  }
  if (file_.truncate(file_bytes_).ok()) reserved_bytes_ = file_bytes_;
}

Status FileWal::sync(std::size_t batch_bytes) {
  unsynced_ = false;
  Status synced = file_.sync_data();
  if (!synced.ok()) abandon_file(batch_bytes);
  return synced;
}

// After a failed sync nobody knows which of the file's pages the disk has, and a second sync that succeeds
// would not say so (the system forgets the error). So the file is not written any more. The last batch is taken
// back and begins a new one; it was not acknowledged.
void FileWal::abandon_file(std::size_t batch_bytes) {
  if (!file_.truncate(file_bytes_ - batch_bytes).ok()) LOG_ERROR("wal: cannot take back a batch");
  file_ = File();
}

Status FileWal::open_next(Lsn first) {
  leave_file();
  const fs::path path = options_.folder / file_name(first);
  // Left by an attempt that failed; its records, if any, are the ones to be written now. A fresh file has no
  // history of failed syncs.
  std::error_code ignored;
  fs::remove(path, ignored);
  TRY(File next, File::create_for_places(path));
  const std::string header = file_header(first);
  TRYV(next.write_at(0, header));
  TRYV(sync_folder(options_.folder));
  file_ = std::move(next);
  file_bytes_ = reserved_bytes_ = header.size();
  const std::lock_guard lock(mutex_);
  files_[first] = path;
  last_file_bytes_ = header.size();
  return Ok{};
}

// Whatever happens here concerns records that are certain already, or will be refused.
void FileWal::leave_file() {
  if (!file_.is_open()) return;
  if (reserved_bytes_ > file_bytes_)
    if (const Status cut = file_.truncate(file_bytes_); !cut.ok()) LOG_ERROR("wal: {}", cut.error().message());
  if (unsynced_)
    if (const Status synced = sync(0); !synced.ok()) LOG_ERROR("wal: {}", synced.error().message());
  file_ = File();
}

// Finds out whether the disk takes writes again.
Status FileWal::probe(Lsn next) {
  if (!file_.is_open()) TRYV(open_next(next));
  return sync(0);
}

}  // namespace fog::wal
