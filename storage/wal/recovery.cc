// What a log does at its start: looks through its files, and hands out what they hold.
#include "storage/base/log.h"
#include "storage/wal/file_wal.h"

#include <algorithm>

namespace fog::wal {
namespace {

namespace fs = std::filesystem;

}  // namespace

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

  const std::size_t written = zeros_at_end(all);
  std::size_t end_of_sound = std::min(at, all.size());
  std::size_t damaged = 0;
  while (at < all.size()) {
    const auto record = parse_record(all.substr(at), expected);
    if (!record) {
      if (at >= written) break;  // room that was reserved
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
  if (!is_last) {
    stats_.damaged_bytes += damaged;
    return Ok{};
  }
  last_file_bytes_ = end_of_sound;
  if (damaged == 0) return end_of_sound < all.size() ? truncate_file(path, end_of_sound) : Status(Ok{});
  // What the crash left half-written at the very end was never acknowledged.
  ++stats_.torn_tails;
  LOG_WARN("wal: cut {} bytes of a torn tail from {}", damaged, path.filename().string());
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

}  // namespace fog::wal
