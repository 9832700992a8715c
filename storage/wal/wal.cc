#include "storage/wal/wal.h"

#include "storage/base/log.h"
#include "storage/wal/file_wal.h"

#include <algorithm>

namespace fog {
namespace wal {
namespace {

namespace fs = std::filesystem;

// A file shorter than this is read at the next start in no time.
constexpr std::size_t kFreshFileBytesMin = 1u << 20;
// A process passes over so many LSNs before its first record. An engine may have stored the effects of records
// that a crash kept from the log; were their numbers given out again, the engine would take the new records
// for ones it knows. More than can be under way at once.
constexpr Lsn kLsnsSkippedAtStart = 1u << 24;
// Memory only: durable as soon as appended.
class EphemeralWal final : public Wal {
 public:
  Status replay(const std::function<void(const Record&)>&) override { return Ok{}; }
  Lsn append(StoreId, std::uint64_t, std::string_view payload) override {
    bytes_ += payload.size();
    return ++lsn_;
  }
  void when_durable(Lsn, DurableDone done) override { done(true); }
  Status wait_durable(Lsn) override { return Ok{}; }
  void set_applied(StoreId, Lsn) override {}
  Lsn last_lsn() const override { return lsn_; }
  bool healthy() const override { return true; }
  Stats stats() const override {
    Stats stats;
    stats.records_appended = lsn_;
    stats.bytes_appended = bytes_;
    return stats;
  }

 private:
  std::atomic<Lsn> lsn_{0};
  std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace

FileWal::~FileWal() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  leave_file();
}

Lsn FileWal::append(StoreId store, std::uint64_t id, std::string_view payload) {
  FOG_ASSERT(payload.size() <= kPayloadBytesMax, "a WAL record is small");
  bool tell = false;
  Lsn lsn = 0;
  {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return buffer_.size() < options_.buffer_bytes_max || !healthy_; });
    if (std::exchange(skip_lsns_, false)) {
      last_ += kLsnsSkippedAtStart;
      buffer_first_ = last_ + 1;
    }
    lsn = ++last_;
    latest_[static_cast<std::size_t>(store)] = lsn;
    append_record(buffer_, {.store = store, .id = id, .lsn = lsn, .payload = payload});
    ++stats_.records_appended;
    stats_.bytes_appended += payload.size() + kRecordHeaderBytes;
    Gathering* const gathering = Gathering::current();
    if (gathering != nullptr && !told_ && buffer_.size() < kGatheredBytesMax) gathering->put_off();
    else tell = tell_locked();
  }
  if (tell) wake_.notify_one();
  return lsn;
}

// True: the thread is to be woken.
bool FileWal::tell_locked() {
  if (buffer_.empty()) return false;
  const bool knows = std::exchange(told_, true);
  if (awaited_ != 0) return has_gathered_locked();
  return !knows;
}

void FileWal::write_gathered() {
  bool tell = false;
  {
    const std::lock_guard lock(mutex_);
    tell = tell_locked();
  }
  if (tell) wake_.notify_one();
}

void FileWal::when_durable(Lsn lsn, DurableDone done) {
  bool ok = true;
  {
    const std::lock_guard lock(mutex_);
    if (lsn > durable_) {
      if (lsn > failed_) {
        waiters_.push_back({lsn, std::move(done)});
        return;
      }
      ok = false;
    }
  }
  done(ok);
}

Status FileWal::wait_durable(Lsn lsn) {
  write_gathered();
  std::unique_lock lock(mutex_);
  synced_.wait(lock, [&] { return durable_ >= lsn || failed_ >= lsn; });
  if (durable_ >= lsn) return Ok{};
  return Error::busy("The disk refuses writes.");
}

void FileWal::set_applied(StoreId store, Lsn lsn) {
  bool fresh = false;
  {
    const std::lock_guard lock(mutex_);
    auto& applied = applied_[static_cast<std::size_t>(store)];
    applied = std::max(applied, lsn);
    fresh = wants_fresh_file_locked();
  }
  delete_applied_files();
  if (fresh) wake_.notify_one();
}

Lsn FileWal::lowest_applied_locked() const {
  Lsn lowest = last_;
  for (std::size_t i = 1; i < kStoresMax; ++i)
    if (latest_[i] > applied_[i]) lowest = std::min(lowest, applied_[i]);
  return lowest;
}

// Everything is safe elsewhere: a fresh file lets the last one go too, so that nothing is read at the
// next start.
bool FileWal::wants_fresh_file_locked() const {
  return last_file_bytes_ >= kFreshFileBytesMin && buffer_.empty() && durable_ == last_ &&
         lowest_applied_locked() == last_;
}

// A file may go when every store that may have records in it has applied all of them. The oldest goes first, and the
// disk knows of it before the next one goes: a file that came back without those behind it would bring back what a
// record there deleted.
void FileWal::delete_applied_files() {
  const std::lock_guard deleting(deleting_);
  for (;;) {
    fs::path path;
    {
      const std::lock_guard lock(mutex_);
      if (files_.size() < 2 || std::next(files_.begin())->first > lowest_applied_locked() + 1) return;
      path = std::move(files_.begin()->second);
      files_.erase(files_.begin());
    }
    std::error_code ignored;
    const auto size = fs::file_size(path, ignored);
    fs::remove(path, ignored);
    if (size != static_cast<std::uintmax_t>(-1)) {
      const std::lock_guard lock(mutex_);
      stats_.bytes_on_disk -= std::min<std::uint64_t>(size, stats_.bytes_on_disk);
    }
    if (const Status synced = sync_folder(options_.folder); !synced.ok()) {
      LOG_WARN("wal: {}", synced.error().message());
      return;
    }
  }
}

Lsn FileWal::last_lsn() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

Wal::Stats FileWal::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace wal

Result<std::unique_ptr<Wal>> Wal::open(Options options) {
  if (options.durability == Durability::kEphemeral)
    return std::unique_ptr<Wal>(std::make_unique<wal::EphemeralWal>());
  auto log = std::make_unique<wal::FileWal>(std::move(options));
  TRYV(log->recover());
  log->start();
  return std::unique_ptr<Wal>(std::move(log));
}

}  // namespace fog
