#include "storage/backup/copy.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <set>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/base/log.h"
#include "storage/sqlite/database.h"
#include "storage/wal/file.h"
#include "storage/wal/tail.h"

namespace fog {
namespace {

namespace fs = std::filesystem;

// A unit changes a few times a second at most, and is copied in milliseconds.
constexpr int kTriesMax = 40;
constexpr auto kRetryPause = std::chrono::milliseconds(5);
// Marks of engines are at most what had been appended when they were copied; no server appends that much
// between two steps of one copy, and recovery knows gaps of this size.
constexpr Lsn kLsnLeap = 1u << 20;
constexpr std::size_t kPieceBytes = 1u << 20;

constexpr std::string_view kStoreNames[] = {"wal", "logs", "metrics", "traces", "spool", "resources.db", "clock.json"};

Error failed(const char* what, const fs::path& path) {
  const int code = errno;
  std::string message = fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(code));
  return code == ENOENT ? Error::not_found(std::move(message)) : Error::internal(std::move(message));
}

bool is_number(std::string_view name) {
  return !name.empty() && name.size() <= 19 && name.find_first_not_of("0123456789") == std::string_view::npos;
}

// Beside a database, or not yet finished.
bool is_side_file(std::string_view name) {
  for (const std::string_view end : {"-wal", "-shm", "-journal", ".tmp", ".new", ".dead", ".good"})
    if (name.ends_with(end)) return true;
  return false;
}

Status make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return Error::internal(fmt::format("cannot make {}: {}", folder.string(), error.message()));
  return Ok{};
}

// Names in a folder, sorted; none when there is no folder.
Result<std::set<std::string>> names_in(const fs::path& folder) {
  std::set<std::string> names;
  std::error_code error;
  fs::directory_iterator at(folder, error);
  if (error == std::errc::no_such_file_or_directory) return names;
  for (; !error && at != fs::directory_iterator(); at.increment(error)) names.insert(at->path().filename().string());
  if (error) return Error::internal(fmt::format("cannot read {}: {}", folder.string(), error.message()));
  return names;
}

// The first `size` bytes of a file, into a new one. The kernel shares blocks where the filesystem can.
Status copy_bytes(const fs::path& from, const fs::path& to, std::uint64_t size) {
  const int in = ::open(from.c_str(), O_RDONLY | O_CLOEXEC);
  if (in < 0) return failed("open", from);
  const int out = ::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (out < 0) {
    Error error = failed("create", to);
    ::close(in);
    return error;
  }
  Status status = Ok{};
  std::string piece;
  bool shares = true;
  while (size > 0) {
    ssize_t n = -1;
    if (shares) {
      n = ::copy_file_range(in, nullptr, out, nullptr, size, 0);
      shares = n > 0;
    }
    if (!shares) {
      piece.resize(std::min<std::uint64_t>(size, kPieceBytes));
      n = ::read(in, piece.data(), piece.size());
      if (n > 0 && ::write(out, piece.data(), static_cast<std::size_t>(n)) != n) n = -1;
    }
    if (n < 0) status = failed("copy", from);
    if (n <= 0) break;  // 0: the file became shorter
    size -= static_cast<std::uint64_t>(n);
  }
  ::close(in);
  if (::close(out) != 0 && status.ok()) status = failed("write", to);
  return status;
}

Status copy_whole(const fs::path& from, const fs::path& to) {
  struct stat facts {};
  if (::stat(from.c_str(), &facts) != 0) return failed("read", from);
  return copy_bytes(from, to, static_cast<std::uint64_t>(facts.st_size));
}

// A database as of one moment, whatever is being written to it: SQLite's online backup.
Status copy_database(const fs::path& from, const fs::path& to, PageCheck check) {
  sqlite3* source = nullptr;
  sqlite3* target = nullptr;
  // Pages are copied as they are, so their checksums are made again where they have any.
  const char* const files = checked_pages(carries_checksums(from) ? check : PageCheck::kNone);
  int code = sqlite3_open_v2(from.c_str(), &source, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, files);
  if (code == SQLITE_OK) {
    sqlite3_busy_timeout(source, 5000);
    code = sqlite3_open_v2(to.c_str(), &target, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXRESCODE, files);
  }
  // The whole copy is thrown away when something fails, so nothing needs a journal.
  if (code == SQLITE_OK) code = sqlite3_exec(target, "PRAGMA journal_mode=OFF;PRAGMA synchronous=OFF", nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) {
    sqlite3_backup* backup = sqlite3_backup_init(target, "main", source, "main");
    if (backup == nullptr) {
      code = sqlite3_errcode(target);
    } else {
      sqlite3_backup_step(backup, -1);  // in one read transaction
      code = sqlite3_backup_finish(backup);
    }
  }
  sqlite3_close(target);
  sqlite3_close(source);
  if (code == SQLITE_OK) return Ok{};
  return Error::internal(fmt::format("cannot copy {}: {}", from.string(), sqlite3_errstr(code)));
}

class Copier {
 public:
  explicit Copier(const CopyPlaces& places) : places_(places) {}

  Status run(CopyScope scope);
  CopyReport report;

 private:
  fs::path source(const fs::path& name) const { return places_.data / name; }
  Status link(const fs::path& name);
  Status copy(const fs::path& name);
  Status database(const fs::path& name);
  Status tree(const fs::path& name);

  Status link_log();
  Status finish_log();
  Status log_groups();
  Status log_group(const fs::path& folder);
  Status metrics();
  Status metric_generation(const fs::path& folder);
  Status trace_days();
  Status trace_catalogue();
  template <typename Once>
  Status until_steady(const fs::path& unit, const Once& once);

  const CopyPlaces& places_;
  std::int64_t traces_applied_ = 0;
};

// The same file under a second name; a name that exists in `links` is from an earlier try.
Status Copier::link(const fs::path& name) {
  const fs::path to = places_.links / name;
  if (::link(source(name).c_str(), to.c_str()) == 0) {
    ++report.linked;
    return Ok{};
  }
  if (errno == EEXIST) return Ok{};
  if (errno != ENOENT) return failed("link", source(name));
  std::error_code error;
  if (fs::exists(source(name), error)) {
    TRYV(make_folder(to.parent_path()));
    if (::link(source(name).c_str(), to.c_str()) == 0) {
      ++report.linked;
      return Ok{};
    }
  }
  return failed("link", source(name));
}

Status Copier::copy(const fs::path& name) {
  const fs::path to = places_.copies / name;
  TRYV(make_folder(to.parent_path()));
  TRYV(copy_whole(source(name), to));
  std::error_code ignored;
  report.copied_bytes += fs::file_size(to, ignored);
  ++report.copied;
  return Ok{};
}

Status Copier::database(const fs::path& name) {
  const fs::path to = places_.copies / name;
  TRYV(make_folder(to.parent_path()));
  std::error_code ignored;
  fs::remove(to, ignored);  // of an earlier try
  // Days of traces guard what is large in them, and go on with what is damaged; of the rest a copy would pass for whole.
  const bool is_day = name.parent_path() == "traces" && name.filename() != "catalogue.db";
  TRYV(copy_database(source(name), to, is_day ? PageCheck::kReport : PageCheck::kFail));
  report.copied_bytes += fs::file_size(to, ignored);
  ++report.copied;
  return Ok{};
}

// Everything below, whatever it is.
Status Copier::tree(const fs::path& name) {
  std::error_code error;
  const auto kind = fs::symlink_status(source(name), error).type();
  if (kind == fs::file_type::directory) {
    TRYV(make_folder(places_.copies / name));
    TRY(const auto names, names_in(source(name)));
    for (const std::string& child : names) TRYV(tree(name / child));
    return Ok{};
  }
  if (kind != fs::file_type::regular || is_side_file(name.filename().string())) return Ok{};
  Status done = name.extension() == ".db" ? database(name) : copy(name);
  // What goes while it is copied was on its way out: a queue's file whose last record has been delivered.
  if (!done.ok() && !fs::exists(source(name), error)) return Ok{};
  return done;
}

template <typename Once>
Status Copier::until_steady(const fs::path& unit, const Once& once) {
  Status last = Ok{};
  for (int tried = 0; tried < kTriesMax; ++tried) {
    Result<bool> steady = once();
    if (steady.ok() && *steady) return Ok{};
    if (!steady.ok() && steady.error().kind() != ErrorKind::kNotFound) return std::move(steady).error();
    ++report.retries;
    std::this_thread::sleep_for(kRetryPause);
  }
  return Error::busy(fmt::format("{} changes faster than it can be copied", unit.string()));
}

// --- the log of writes ------------------------------------------------------------------------------------

Status Copier::link_log() {
  TRYV(make_folder(places_.links / "wal"));
  TRYV(make_folder(places_.copies / "wal"));
  TRY(const auto names, names_in(source("wal")));
  for (const std::string& name : names) {
    if (!name.ends_with(".wal")) continue;
    // A file that is gone already was not needed when this began.
    if (Status done = link(fs::path("wal") / name); !done.ok() && done.error().kind() != ErrorKind::kNotFound) return done;
  }
  return Ok{};
}

// The files that came since; then the one that is being written becomes a copy, cut behind its last record.
Status Copier::finish_log() {
  TRYV(link_log());
  TRY(const auto names, names_in(places_.links / "wal"));
  std::string last;
  for (const std::string& name : names)
    if (name.ends_with(".wal")) last = name;
  if (last.empty()) return Ok{};
  const fs::path linked = places_.links / "wal" / last;
  TRY(const WalTail tail, wal_tail(linked));
  const fs::path cut = places_.copies / "wal" / (last + ".tmp");
  TRYV(copy_bytes(linked, cut, tail.sound_bytes));
  std::error_code error;
  fs::remove(linked, error);
  fs::rename(cut, places_.copies / "wal" / last, error);
  if (error) return Error::internal("cannot rename the copy of the log: " + error.message());
  ++report.copied;
  report.copied_bytes += tail.sound_bytes;
  return write_empty_wal_file(places_.copies / "wal", tail.next + kLsnLeap);
}

// --- logs -------------------------------------------------------------------------------------------------

Status Copier::log_groups() {
  TRY(const auto groups, names_in(source("logs")));
  for (const std::string& group : groups) {
    if (!is_number(group)) continue;
    const fs::path folder = fs::path("logs") / group;
    const auto once = [&]() -> Result<bool> {
      std::error_code error;
      if (!fs::exists(source(folder) / "MANIFEST", error)) {  // never sealed, or dropped meanwhile
        fs::remove_all(places_.links / folder, error);
        fs::remove_all(places_.copies / folder, error);
        return true;
      }
      TRY(const std::string before, read_whole(source(folder) / "MANIFEST"));
      TRYV(log_group(folder));
      TRY(const std::string after, read_whole(source(folder) / "MANIFEST"));
      return before == after;
    };
    TRYV(until_steady(folder, once));
  }
  return Ok{};
}

Status Copier::log_group(const fs::path& folder) {
  TRYV(copy(folder / "MANIFEST"));
  TRY(const auto names, names_in(source(folder)));
  for (const std::string& name : names) {
    if (!name.ends_with(".seg")) continue;
    // One that the manifest does not name may go at any time.
    if (Status done = link(folder / name); !done.ok() && done.error().kind() != ErrorKind::kNotFound) return done;
  }
  return Ok{};
}

// --- metrics ----------------------------------------------------------------------------------------------

Status Copier::metrics() {
  const auto newest = [this]() -> Result<std::string> {
    TRY(const auto names, names_in(source("metrics")));
    std::string best;
    for (const std::string& name : names)
      if (is_number(name) && (name.size() > best.size() || (name.size() == best.size() && name > best))) best = name;
    return best;
  };
  std::error_code error;
  return until_steady("metrics", [&]() -> Result<bool> {
    TRY(const std::string generation, newest());
    if (generation.empty()) return true;
    const fs::path folder = fs::path("metrics") / generation;
    fs::remove_all(places_.links / folder, error);
    TRYV(metric_generation(folder));
    TRY(const std::string now, newest());
    if (now == generation) return true;
    fs::remove_all(places_.links / folder, error);
    fs::remove_all(places_.copies / folder, error);
    return false;
  });
}

// The series file first: parts that are newer than its marks are what a crash leaves, too.
Status Copier::metric_generation(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(source(folder) / "series.db", error)) return Ok{};
  TRYV(database(folder / "series.db"));
  const auto parts = [&]() -> Result<std::set<std::string>> {
    std::set<std::string> all;
    for (const char* tier : {"1", "60", "300", "3600"}) {
      TRY(const auto names, names_in(source(folder) / tier));
      for (const std::string& name : names)
        if (name.ends_with(".db")) all.insert(std::string(tier) + "/" + name);
    }
    return all;
  };
  std::set<std::string> linked;
  return until_steady(folder, [&]() -> Result<bool> {
    TRY(const auto before, parts());
    for (const std::string& old : linked)
      if (!before.contains(old)) fs::remove(places_.links / folder / old, error);
    linked = before;
    for (const std::string& name : before) TRYV(link(folder / name));
    TRY(const auto after, parts());
    return before == after;
  });
}

// --- traces -----------------------------------------------------------------------------------------------

// Days only; what the catalogue says is applied is taken down before, so that it holds for these copies.
Status Copier::trace_days() {
  TRY(const auto names, names_in(source("traces")));
  if (names.contains("catalogue.db")) {
    TRY(auto catalogue, Database::open(source("traces") / "catalogue.db", {.read_only = true}));
    auto applied = catalogue.prepare("SELECT value FROM state WHERE key='applied'");
    if (applied.ok()) {
      TRY(const bool found, applied->step());
      if (found) traces_applied_ = applied->integer(0);
    }
  }
  for (const std::string& name : names)
    if (name != "catalogue.db") TRYV(tree(fs::path("traces") / name));
  return Ok{};
}

Status Copier::trace_catalogue() {
  std::error_code error;
  const fs::path name = fs::path("traces") / "catalogue.db";
  if (!fs::exists(source(name), error)) return Ok{};
  TRYV(database(name));
  TRY(auto copied, Database::open(places_.copies / name, {.synchronous_full = false}));
  TRY(auto change, copied.prepare("UPDATE state SET value=? WHERE key='applied'"));
  return change.bind(1, traces_applied_).run();
}

// --- all of it --------------------------------------------------------------------------------------------

Status Copier::run(CopyScope scope) {
  TRYV(make_folder(places_.links));
  TRYV(make_folder(places_.copies));
  TRYV(link_log());
  TRYV(metrics());
  TRYV(trace_days());
  TRYV(log_groups());
  TRYV(finish_log());
  TRYV(trace_catalogue());
  for (const char* name : {"resources.db", "spool", "clock.json"}) TRYV(tree(name));
  if (scope == CopyScope::kStores) return Ok{};
  TRY(const auto names, names_in(places_.data));
  for (const std::string& name : names)
    if (!is_store_name(name) && !is_passing_name(name)) TRYV(tree(name));
  return Ok{};
}

// Files of a copy that engines never write to.
bool never_changes(const fs::path& name) {
  if (name.extension() == ".seg") return true;
  if (name.extension() == ".wal") return true;  // opening a log begins a file of its own
  const auto first = name.begin();
  return first != name.end() && *first == "metrics" && name.extension() == ".db" && name.filename() != "series.db";
}

Status clone_tree(const fs::path& from, const fs::path& to, const fs::path& name) {
  TRYV(make_folder(to / name));
  TRY(const auto names, names_in(from / name));
  for (const std::string& child : names) {
    const fs::path path = name / child;
    std::error_code error;
    if (fs::is_directory(from / path, error)) {
      TRYV(clone_tree(from, to, path));
    } else if (!never_changes(path)) {
      TRYV(copy_whole(from / path, to / path));
    } else if (::link((from / path).c_str(), (to / path).c_str()) != 0) {
      return failed("link", from / path);
    }
  }
  return Ok{};
}

}  // namespace

bool is_store_name(std::string_view name) {
  return std::find(std::begin(kStoreNames), std::end(kStoreNames), name) != std::end(kStoreNames);
}

bool is_passing_name(std::string_view name) {
  return name == "LOCK" || name == "snapshots" || name.starts_with('.') || is_side_file(name);
}

Result<CopyReport> copy_data_folder(const CopyPlaces& places, CopyScope scope) {
  Copier copier(places);
  TRYV(copier.run(scope));
  return copier.report;
}

Status clone_copy(const fs::path& from, const fs::path& to) { return clone_tree(from, to, ""); }

}  // namespace fog
