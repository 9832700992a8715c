#include "storage/sqlite/good_copy.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "storage/base/log.h"

namespace fog {
namespace {

namespace fs = std::filesystem;

constexpr auto kEvery = std::chrono::hours(24);
constexpr auto kFirst = std::chrono::minutes(10);  // while there is none at all

fs::path with(const fs::path& file, const char* suffix) { return file.string() + suffix; }

Status sync_path(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Error::busy("cannot open " + path.string() + ": " + std::strerror(errno));
  const bool synced = ::fsync(fd) == 0;
  ::close(fd);
  if (!synced) return Error::busy("cannot sync " + path.string());
  return Ok{};
}

Status sync_beside(const fs::path& file) {
  const fs::path folder = file.parent_path();
  return sync_path(folder.empty() ? "." : folder);
}

Status rename_file(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) return Error::busy("cannot rename " + from.string() + ": " + error.message());
  return Ok{};
}

// Looks at what SQLite would take as it is: a damaged version number makes it read only, another number of reserved
// bytes moves all that lies in pages.
Status check_header(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Ok{};  // there is none yet
  unsigned char header[21] = {};
  const ssize_t n = ::read(fd, header, sizeof header);
  ::close(fd);
  if (n < static_cast<ssize_t>(sizeof header)) return Ok{};
  const auto is_version = [](unsigned char version) { return version == 1 || version == 2; };
  if (!is_version(header[18]) || !is_version(header[19]) || (header[20] != 0 && header[20] != kPageCheckBytes))
    return Error::corrupt(file.filename().string() + ": its header is damaged");
  return Ok{};
}

}  // namespace

std::atomic<std::uint64_t>& damaged_databases() {
  static std::atomic<std::uint64_t> count{0};
  return count;
}

Result<Database> open_checked(const fs::path& file, Database::Options options) {
  if (file.empty()) return Database::open(file, options);
  if (options.read_only) {
    TRY(Database db, Database::open(file, options));
    TRYV(db.check());
    return db;
  }
  // With a journal the file is as a crash left it in the middle of a write, perhaps of its header; opening takes that back.
  std::error_code error;
  if (!fs::exists(with(file, "-journal"), error)) TRYV(check_header(file));
  TRY(Database db, Database::open(file, options));
  TRYV(check_header(file));
  TRYV(db.check());
  // Once, for what a Fogwatch wrote that had none.
  if (!carries_checksums(file)) TRYV(db.execute("VACUUM"));
  return db;
}

Result<fs::path> set_aside(const fs::path& file) {
  ++damaged_databases();
  const fs::path aside = with(file, ".damaged");
  std::error_code ignored;
  for (const char* suffix : {"-wal", "-shm"}) {
    fs::remove(with(aside, suffix), ignored);
    fs::rename(with(file, suffix), with(aside, suffix), ignored);
  }
  TRYV(rename_file(file, aside));
  TRYV(sync_beside(file));
  return aside;
}

Result<bool> restore_good_copy(const fs::path& file) {
  const fs::path good = with(file, ".good");
  std::error_code error;
  if (!fs::exists(good, error)) return false;
  {
    auto copy = Database::open(good, {.read_only = true});
    const Status sound = copy.ok() ? copy->check() : Status(std::move(copy).error());
    if (!sound.ok()) {
      LOG_ERROR("{} is damaged, too: {}", good.string(), sound.error().message());
      return false;
    }
  }
  const fs::path fresh = with(file, ".restoring");
  fs::copy_file(good, fresh, fs::copy_options::overwrite_existing, error);
  if (error) return Error::busy("cannot copy " + good.string() + ": " + error.message());
  TRYV(sync_path(fresh));
  TRYV(rename_file(fresh, file));
  TRYV(sync_beside(file));
  return true;
}

Result<Database> open_or_restore(const fs::path& file, Database::Options options, bool& restored) {
  restored = false;
  auto opened = open_checked(file, options);
  if (opened.ok() || file.empty() || opened.error().kind() != ErrorKind::kCorrupt) return opened;
  Error damage = std::move(opened).error();
  std::error_code error;
  if (!fs::exists(with(file, ".good"), error)) return damage;
  TRY(const fs::path aside, set_aside(file));
  TRY(restored, restore_good_copy(file));
  if (!restored) return damage;
  LOG_ERROR("{} was damaged ({}) and is the last good copy now; the damaged one is kept as {}", file.string(), damage.message(),
            aside.filename().string());
  return Database::open(file, options);
}

GoodCopy::GoodCopy(fs::path file) : file_(std::move(file)) {
  std::error_code error;
  const bool there = !file_.empty() && fs::exists(with(file_, ".good"), error);
  due_ = std::chrono::steady_clock::now() + (there ? std::chrono::duration_cast<std::chrono::minutes>(kEvery) : kFirst);
}

void GoodCopy::changed(Database& db) {
  is_stale_ = true;
  if (!file_.empty() && std::chrono::steady_clock::now() >= due_) make_or_say(db);
}

void GoodCopy::end(Database& db) {
  if (is_stale_ && !file_.empty() && db.is_open()) make_or_say(db);
}

void GoodCopy::make_or_say(Database& db) {
  due_ = std::chrono::steady_clock::now() + kEvery;
  if (const Status made = make(db); made.ok()) is_stale_ = false;
  else LOG_WARN("no copy of {} could be made: {}", file_.string(), made.error().message());
}

Status GoodCopy::make(Database& db) {
  const fs::path fresh = with(file_, ".copying");
  std::error_code error;
  fs::remove(fresh, error);
  {
    TRY(auto copy, db.prepare("VACUUM INTO ?"));
    TRYV(copy.bind(1, std::string_view(fresh.native())).run());
  }
  {
    // What was read damaged must not take the place of what was whole.
    TRY(auto copied, Database::open(fresh, {.read_only = true}));
    TRYV(copied.check());
  }
  TRYV(sync_path(fresh));
  TRYV(rename_file(fresh, with(file_, ".good")));
  return sync_beside(file_);
}

}  // namespace fog
