// The write-ahead log's file format and its writer thread.
//
// Folder: files named <first LSN, 20 decimal digits>.wal, in LSN order.
// File:   header (16 bytes): "FOGWAL1\n", u64 first LSN | records
// Record: u32 crc32c (of everything behind it) | u32 payload length | u64 LSN | u8 store |
//         u64 id | payload                                        all integers little-endian
//         LSNs grow; they need not follow each other where one process ended and the next began.
// A record is valid if its length fits, its CRC matches and its LSN is above that of the one before. Recovery stops at the first invalid record of the last file and cuts the file there (a
// torn tail); in an earlier place it searches byte by byte for the next valid record, so damage
// costs the records it touched.
//
// Example: the first record of store 1, id 7, payload "hi" is 27 bytes: crc, 02 00 00 00,
// 01 00 00 00 00 00 00 00, 01, 07 00 00 00 00 00 00 00, 68 69.
#include "storage/wal/wal.h"

#include "storage/wal/check.h"
#include "storage/wal/tail.h"

#include "storage/base/bytes.h"
#include "storage/base/hash.h"
#include "storage/base/log.h"
#include "storage/wal/file.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace fog {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "FOGWAL1\n";
constexpr std::size_t kFileHeaderBytes = 16;
constexpr std::size_t kRecordHeaderBytes = 25;
// One more than the highest StoreId, also of stores that wal.h does not name (resource_log.h).
constexpr std::size_t kStoresMax = 8;
static_assert(kStoresMax >= kStoreIdMax);
constexpr std::size_t kPayloadBytesMax = 256u << 20;  // far above any request's size
// A file shorter than this is read at the next start in no time.
constexpr std::size_t kFreshFileBytesMin = 1u << 20;
constexpr auto kRelaxedSyncInterval = std::chrono::seconds(1);
// After a failed write the thread tries again at this pace until the disk gives way.
constexpr auto kRetryInterval = std::chrono::milliseconds(100);
// A process passes over so many LSNs before its first record. An engine may have stored the effects of records
// that a crash kept from the log; were their numbers given out again, the engine would take the new records
// for ones it knows. More than can be under way at once.
constexpr Lsn kLsnsSkippedAtStart = 1u << 24;

struct RecordHeader {
  std::uint32_t crc;
  std::uint32_t length;
  Lsn lsn;
  std::uint8_t store;
  std::uint64_t id;
};

RecordHeader read_header(std::string_view bytes) {
  ByteReader in(bytes);
  RecordHeader header{};
  header.crc = in.fixed<std::uint32_t>();
  header.length = in.fixed<std::uint32_t>();
  header.lsn = in.fixed<std::uint64_t>();
  header.store = in.fixed<std::uint8_t>();
  header.id = in.fixed<std::uint64_t>();
  return header;
}

// No more records than this can follow one that was lost; keeps the search for the next sound
// record from computing checksums over noise.
constexpr Lsn kLsnGapMax = 1u << 30;

// The record at the front of `bytes`, if it is whole and sound and follows `expected`.
std::optional<Wal::Record> parse_record(std::string_view bytes, Lsn expected) {
  if (bytes.size() < kRecordHeaderBytes) return std::nullopt;
  const RecordHeader header = read_header(bytes);
  if (header.length > kPayloadBytesMax || header.length > bytes.size() - kRecordHeaderBytes)
    return std::nullopt;
  const std::string_view covered = bytes.substr(4, kRecordHeaderBytes - 4 + header.length);
  if (header.lsn < expected || header.lsn - expected > kLsnGapMax) return std::nullopt;
  if (header.store == 0 || header.store >= kStoresMax) return std::nullopt;
  if (crc32c(covered) != header.crc) return std::nullopt;
  return Wal::Record{.store = static_cast<StoreId>(header.store),
                     .id = header.id,
                     .lsn = header.lsn,
                     .payload = bytes.substr(kRecordHeaderBytes, header.length)};
}

void append_record(std::string& out, const Wal::Record& record) {
  const std::size_t start = out.size();
  ByteWriter writer(out);
  writer.fixed<std::uint32_t>(0);
  writer.fixed(static_cast<std::uint32_t>(record.payload.size()));
  writer.fixed<std::uint64_t>(record.lsn);
  writer.fixed(static_cast<std::uint8_t>(record.store));
  writer.fixed<std::uint64_t>(record.id);
  writer.raw(record.payload);
  const std::uint32_t crc = crc32c(std::string_view(out).substr(start + 4));
  std::memcpy(out.data() + start, &crc, sizeof(crc));
}

std::string file_header(Lsn first) {
  std::string header(kMagic);
  ByteWriter(header).fixed<std::uint64_t>(first);
  return header;
}

std::string file_name(Lsn first) {
  std::string digits = std::to_string(first);
  return std::string(20 - digits.size(), '0') + digits + ".wal";
}

// The first LSN a file's name speaks of; nothing for other files.
std::optional<Lsn> lsn_of_name(const fs::path& path) {
  const std::string name = path.filename().string();
  if (name.size() != 24 || !name.ends_with(".wal")) return std::nullopt;
  Lsn lsn = 0;
  for (const char c : name.substr(0, 20)) {
    if (c < '0' || c > '9') return std::nullopt;
    lsn = lsn * 10 + static_cast<Lsn>(c - '0');
  }
  return lsn;
}

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

class FileWal final : public Wal {
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

 private:
  struct Waiter {
    Lsn lsn;
    DurableDone done;
  };

  Status scan_file(const fs::path& path, bool is_last, Lsn& expected);
  void run();
  Status write_batch(std::string_view batch, Lsn first);
  Status sync(std::size_t batch_bytes);
  Status open_next(Lsn first);
  Status probe(Lsn next);
  void abandon_file(std::size_t batch_bytes);
  void settle(std::unique_lock<std::mutex>& lock, bool ok, Lsn up_to);
  void delete_applied_files();
  Lsn lowest_applied_locked() const;
  bool wants_fresh_file_locked() const;

  // Sound records follow each other without a gap: [begin, end) of a file.
  struct Stretch {
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  const Options options_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;    // the thread waits here for work
  std::condition_variable room_;    // appenders wait here for buffer space
  std::condition_variable synced_;  // wait_durable waits here
  std::string buffer_;              // records that are not yet handed to the thread
  Lsn buffer_first_ = 1;
  Lsn last_ = 0;  // last LSN given out
  Lsn durable_ = 0;
  Lsn failed_ = 0;               // records up to here were refused by the disk for now
  std::vector<Waiter> waiters_;  // in LSN order as good as always; settled by a scan
  bool stopping_ = false;
  bool skip_lsns_ = false;  // before the next record
  Stats stats_;
  std::array<Lsn, kStoresMax> applied_{};
  std::array<Lsn, kStoresMax> latest_{};  // the last record of each store
  std::map<Lsn, fs::path> files_;          // by first LSN; the last one is being written
  std::map<fs::path, std::vector<Stretch>> sound_;  // found by recover(), for replay()
  std::size_t last_file_bytes_ = 0;                 // of the last file
  std::atomic<bool> healthy_{true};

  // Of the writer thread alone.
  File file_;
  std::size_t file_bytes_ = 0;
  bool unsynced_ = false;
  std::thread thread_;
};

FileWal::~FileWal() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Status FileWal::recover() {
  std::error_code error;
  TRYV(make_folders(options_.folder));
  for (const auto& entry : fs::directory_iterator(options_.folder, error))
    if (const auto first = lsn_of_name(entry.path())) files_.emplace(*first, entry.path());
  if (error) return Error::internal("cannot read " + options_.folder.string());

  Lsn expected = files_.empty() ? 1 : std::max<Lsn>(1, files_.begin()->first);
  std::size_t index = 0;
  for (const auto& [first, path] : files_) {
    expected = std::max(expected, first);
    TRYV(scan_file(path, ++index == files_.size(), expected));
  }
  // A kill leaves records that the system has and the disk has not; from here on readers see them.
  if (!files_.empty() && options_.durability == Durability::kStrict) {
    TRY(File last, File::open_append(files_.rbegin()->second));
    TRYV(last.sync_data());
  }
  skip_lsns_ = !files_.empty();
  last_ = durable_ = expected - 1;
  buffer_first_ = expected;
  return Ok{};
}

// Checks one file. On the way `expected` becomes the LSN behind the last record seen.
Status FileWal::scan_file(const fs::path& path, bool is_last, Lsn& expected) {
  TRY(const MappedFile mapped, MappedFile::open(path));
  const std::string_view all = mapped.bytes();
  stats_.bytes_on_disk += all.size();
  last_file_bytes_ = all.size();
  std::vector<Stretch>& sound = sound_[path];
  std::size_t at = kFileHeaderBytes;
  if (all.size() < kFileHeaderBytes || !all.starts_with(kMagic)) at = 0;  // search for records

  std::size_t end_of_sound = std::min(at, all.size());
  std::size_t damaged = 0;
  while (at < all.size()) {
    const auto record = parse_record(all.substr(at), expected);
    if (!record) {
      ++at;
      ++damaged;
      continue;
    }
    // Damage in front of a sound record is damage in the middle.
    if (damaged > 0) stats_.damaged_bytes += damaged;
    damaged = 0;
    latest_[static_cast<std::size_t>(record->store)] = record->lsn;
    expected = record->lsn + 1;
    if (sound.empty() || sound.back().end != at) sound.push_back({at, at});
    at += kRecordHeaderBytes + record->payload.size();
    sound.back().end = at;
    end_of_sound = at;
  }
  if (damaged == 0) return Ok{};
  if (!is_last) {
    stats_.damaged_bytes += damaged;
    return Ok{};
  }
  // What the crash left half-written at the very end was never acknowledged.
  ++stats_.torn_tails;
  LOG_WARN("wal: cut {} bytes of a torn tail from {}", all.size() - end_of_sound,
           path.filename().string());
  return truncate_file(path, end_of_sound);
}

Status FileWal::replay(const std::function<void(const Record&)>& visit) {
  std::map<Lsn, fs::path> files;
  std::map<fs::path, std::vector<Stretch>> sound;
  {
    const std::lock_guard lock(mutex_);
    files = files_;
    sound.swap(sound_);
  }
  std::uint64_t count = 0;
  for (const auto& [first, path] : files) {
    TRY(const MappedFile mapped, MappedFile::open(path));
    const std::string_view all = mapped.bytes();
    for (const Stretch& stretch : sound[path]) {
      if (stretch.end > all.size()) return Error::internal(path.string() + " was cut while it was read");
      for (std::size_t at = stretch.begin; at < stretch.end;) {
        const RecordHeader header = read_header(all.substr(at));
        ++count;
        visit({.store = static_cast<StoreId>(header.store),
               .id = header.id,
               .lsn = header.lsn,
               .payload = all.substr(at + kRecordHeaderBytes, header.length)});
        at += kRecordHeaderBytes + header.length;
      }
    }
  }
  const std::lock_guard lock(mutex_);
  stats_.records_replayed = count;
  return Ok{};
}

Lsn FileWal::append(StoreId store, std::uint64_t id, std::string_view payload) {
  FOG_ASSERT(payload.size() <= kPayloadBytesMax, "a WAL record is small");
  bool was_empty = false;
  Lsn lsn = 0;
  {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return buffer_.size() < options_.buffer_bytes_max || !healthy_; });
    was_empty = buffer_.empty();
    if (std::exchange(skip_lsns_, false)) {
      last_ += kLsnsSkippedAtStart;
      buffer_first_ = last_ + 1;
    }
    lsn = ++last_;
    latest_[static_cast<std::size_t>(store)] = lsn;
    append_record(buffer_, {.store = store, .id = id, .lsn = lsn, .payload = payload});
    ++stats_.records_appended;
    stats_.bytes_appended += payload.size() + kRecordHeaderBytes;
  }
  if (was_empty) wake_.notify_one();
  return lsn;
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

// A file may go when every store that may have records in it has applied all of them.
void FileWal::delete_applied_files() {
  std::vector<fs::path> gone;
  {
    const std::lock_guard lock(mutex_);
    const Lsn lowest = lowest_applied_locked();
    while (files_.size() > 1 && std::next(files_.begin())->first <= lowest + 1) {
      gone.push_back(files_.begin()->second);
      files_.erase(files_.begin());
    }
  }
  for (const auto& path : gone) {
    std::error_code ignored;
    const auto size = fs::file_size(path, ignored);
    fs::remove(path, ignored);
    if (size == static_cast<std::uintmax_t>(-1)) continue;
    const std::lock_guard lock(mutex_);
    stats_.bytes_on_disk -= std::min<std::uint64_t>(size, stats_.bytes_on_disk);
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

// Tells everyone who waits for a record up to `up_to`. Callbacks run without the lock.
void FileWal::settle(std::unique_lock<std::mutex>& lock, bool ok, Lsn up_to) {
  std::vector<Waiter> ready;
  std::erase_if(waiters_, [&](Waiter& waiter) {
    if (waiter.lsn > up_to) return false;
    ready.push_back(std::move(waiter));
    return true;
  });
  lock.unlock();
  synced_.notify_all();
  for (Waiter& waiter : ready) waiter.done(ok);
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
    const auto has_work = [&] { return stopping_ || !buffer_.empty() || wants_fresh_file_locked(); };
    if (!healthy_) {
      wake_.wait_for(lock, kRetryInterval, [&] { return stopping_; });
    } else if (unsynced_) {
      wake_.wait_until(lock, next_relaxed_sync, has_work);
    } else {
      wake_.wait(lock, has_work);
    }
    if (batch.empty() && !buffer_.empty()) {
      batch.swap(buffer_);
      batch_first = buffer_first_;
      batch_last = last_;
      buffer_first_ = last_ + 1;
      room_.notify_all();
    }
    const bool stop = stopping_;
    const bool fresh = batch.empty() && healthy_ && wants_fresh_file_locked();
    const Lsn next = buffer_first_;
    lock.unlock();

    Status written = Ok{};
    bool synced = false;
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
      settle(lock, true, durable_);
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

// Appends a batch to the current file, beginning the next file when that one is full. After a
// failure the file ends where it ended before, so that the batch can be written again.
Status FileWal::write_batch(std::string_view batch, Lsn first) {
  if (!file_.is_open() || file_bytes_ >= options_.file_bytes_max) TRYV(open_next(first));
  Status written = file_.write_all(batch);
  if (!written.ok()) {
    // A file whose end is not known is left alone from here on.
    if (!file_.truncate(file_bytes_).ok()) file_ = File();
    return written;
  }
  file_bytes_ += batch.size();
  unsynced_ = true;
  return Ok{};
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
  // A failure here concerns the file that is left, not the one to come.
  if (file_.is_open() && unsynced_)
    if (const Status synced = sync(0); !synced.ok()) LOG_ERROR("wal: {}", synced.error().message());
  file_ = File();
  const fs::path path = options_.folder / file_name(first);
  // Left by an attempt that failed; its records, if any, are the ones to be written now. A fresh file has no
  // history of failed syncs.
  std::error_code ignored;
  fs::remove(path, ignored);
  TRY(File next, File::create(path));
  const std::string header = file_header(first);
  TRYV(next.write_all(header));
  TRYV(sync_folder(options_.folder));
  file_ = std::move(next);
  file_bytes_ = header.size();
  const std::lock_guard lock(mutex_);
  files_[first] = path;
  last_file_bytes_ = header.size();
  return Ok{};
}

// Finds out whether the disk takes writes again.
Status FileWal::probe(Lsn next) {
  if (!file_.is_open()) TRYV(open_next(next));
  return sync(0);
}

}  // namespace

Result<std::unique_ptr<Wal>> Wal::open(Options options) {
  if (options.durability == Durability::kEphemeral)
    return std::unique_ptr<Wal>(std::make_unique<EphemeralWal>());
  auto wal = std::make_unique<FileWal>(std::move(options));
  TRYV(wal->recover());
  wal->start();
  return std::unique_ptr<Wal>(std::move(wal));
}

Result<std::vector<std::string>> check_wal_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::map<Lsn, fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (const auto first = lsn_of_name(entry.path())) files.emplace(*first, entry.path());
  if (error) return Error::not_found(folder.string() + ": " + error.message());
  std::vector<std::string> findings;
  Lsn expected = 1;
  for (const auto& [first, path] : files) {
    expected = std::max(expected, first);
    TRY(const MappedFile mapped, MappedFile::open(path));
    const std::string_view all = mapped.bytes();
    const bool is_last = path == files.rbegin()->second;
    const auto found = [&, name = path.string()](const std::string& what) { findings.push_back(name + ": " + what); };
    if (all.substr(0, kFileHeaderBytes) != file_header(first)) {
      if (is_last && all.size() < kFileHeaderBytes && file_header(first).starts_with(all)) continue;  // a crash at its birth
      found("the header is damaged");
    }
    std::size_t damaged = 0;
    std::size_t at = std::min(kFileHeaderBytes, all.size());
    while (at < all.size()) {
      const auto record = parse_record(all.substr(at), expected);
      if (!record) {
        ++at;
        ++damaged;
        continue;
      }
      if (damaged > 0) found(std::to_string(damaged) + " damaged bytes before offset " + std::to_string(at));
      // Where a process began to write, numbers were passed over.
      if (record->lsn != expected && damaged == 0 && at > kFileHeaderBytes) found("records are missing before offset " + std::to_string(at));
      damaged = 0;
      expected = record->lsn + 1;
      at += kRecordHeaderBytes + record->payload.size();
    }
    if (damaged == 0) continue;
    // A record that is not there to its end is what a crash leaves; it was never acknowledged.
    const std::string_view tail = all.substr(all.size() - damaged);
    const bool torn = is_last && (tail.size() < kRecordHeaderBytes || read_header(tail).length > tail.size() - kRecordHeaderBytes);
    if (!torn) found(std::to_string(damaged) + " damaged bytes at the end");
  }
  return findings;
}

Result<WalTail> wal_tail(const std::filesystem::path& file) {
  TRY(const MappedFile mapped, MappedFile::open(file));
  const std::string_view all = mapped.bytes();
  const Lsn first = lsn_of_name(file).value_or(1);
  WalTail tail{.sound_bytes = std::min(kFileHeaderBytes, all.size()), .next = first};
  for (std::size_t at = kFileHeaderBytes; at < all.size();) {
    const auto record = parse_record(all.substr(at), tail.next);
    if (!record) {  // damage in the middle stays in the copy, where recovery steps over it
      ++at;
      continue;
    }
    at += kRecordHeaderBytes + record->payload.size();
    tail = {.sound_bytes = at, .next = record->lsn + 1};
  }
  return tail;
}

Status write_empty_wal_file(const std::filesystem::path& folder, Lsn first) {
  return write_whole(folder / file_name(first), file_header(first));
}

}  // namespace fog
