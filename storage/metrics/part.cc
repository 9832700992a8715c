#include "storage/metrics/part.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <mutex>
#include <system_error>

#include "storage/base/log.h"
#include "storage/sqlite/database.h"
#include "storage/wal/file.h"

namespace fog::metrics {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTierNames[kTiers] = {"1", "60", "300", "3600"};
// Idle connections a part keeps; more than there are threads that read at once make no sense.
constexpr std::size_t kConnectionsMax = 2;
// When the series asked for are at least this share of the ids between them, one sweep is cheaper
// than a seek each.
constexpr std::size_t kSweepShare = 4;

template <typename T>
bool take_number(std::string_view& text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

Status sync_path(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Error::busy("cannot open " + path.filename().string() + " to sync it");
  const bool ok = ::fsync(fd) == 0;
  ::close(fd);
  if (ok) return Ok{};
  ++disk_faults().syncs;
  return Error::busy("cannot sync " + path.filename().string());
}

}  // namespace

std::string PartName::file() const {
  std::string name = fmt::format("{}/{}.{}-{}.{}", kTierNames[static_cast<std::size_t>(tier)],
                                 bucket_s, first, last, lsn);
  if (source)
    name += fmt::format(".{}-{}-{}", kTierNames[static_cast<std::size_t>(source->tier)],
                        source->bucket_s, source->lsn);
  return name + ".db";
}

std::optional<PartName> PartName::parse(Tier tier, std::string_view text) {
  PartName name;
  name.tier = tier;
  if (!take_number(text, name.bucket_s) || !take(text, '.') || !take_number(text, name.first) ||
      !take(text, '-') || !take_number(text, name.last) || !take(text, '.') ||
      !take_number(text, name.lsn))
    return std::nullopt;
  if (text == ".db") return name;
  int width = 0;
  Source source;
  if (!take(text, '.') || !take_number(text, width) || !take(text, '-') ||
      !take_number(text, source.bucket_s) || !take(text, '-') || !take_number(text, source.lsn) ||
      text != ".db")
    return std::nullopt;
  for (std::size_t i = 0; i < kTiers; ++i)
    if (kTierWidthMs[i] == width * 1000) {
      source.tier = static_cast<Tier>(i);
      name.source = source;
      return name;
    }
  return std::nullopt;
}

// --- on disk --------------------------------------------------------------------------------------

namespace {

class FilePart final : public Part {
 public:
  FilePart(fs::path path, PartName name) : Part(name), path_(std::move(path)) {
    std::error_code ignored;
    const auto size = fs::file_size(path_, ignored);
    bytes_ = ignored ? 0 : size;
  }
  ~FilePart() override {
    if (!discarded_) return;
    idle_.clear();
    std::error_code ignored;
    fs::remove(path_, ignored);
  }

  // Readers that hold the part may still open it, so it is renamed to what recovery removes.
  void discard() override {
    const std::lock_guard lock(mutex_);
    if (discarded_) return;
    fs::path dead = path_;
    dead += ".dead";
    std::error_code error;
    fs::rename(path_, dead, error);
    if (!error) path_ = dead;
    discarded_ = true;
    (void)sync_path(path_.parent_path());
  }

  std::uint64_t bytes() const override { return bytes_; }

  Status read_range(std::uint64_t from, std::uint64_t to, const Visit& visit) const override {
    return passed_over(read_range_or_fail(from, to, visit));
  }
  Status read(std::span<const SeriesId> series, const Visit& visit) const override {
    return passed_over(read_or_fail(series, visit));
  }

 private:
  // What cannot be read is lost; the rest of the file and all other files answer.
  Status passed_over(Status status) const {
    if (status.ok() || status.error().kind() != ErrorKind::kCorrupt) return status;
    if (damaged_.exchange(true)) return Ok{};
    ++damaged_parts();
    const std::lock_guard lock(mutex_);
    LOG_ERROR("metrics: {} is damaged and read as far as it can be: {}", path_.string(), status.error().message());
    return Ok{};
  }

  Status read_range_or_fail(std::uint64_t from, std::uint64_t to, const Visit& visit) const {
    TRY(auto connection, acquire());
    const Status status = sweep(*connection, from, to, visit);
    if (status.ok()) release(std::move(connection));
    return status;
  }

  Status read_or_fail(std::span<const SeriesId> series, const Visit& visit) const {
    if (series.empty()) return Ok{};
    TRY(auto connection, acquire());
    Status status = Ok{};
    const SeriesId span = series.back() - series.front() + 1;
    if (series.size() > 2 && series.size() * kSweepShare >= span) {
      std::size_t at = 0;
      status = sweep(*connection, chunk_id(series.front(), 0), chunk_id(series.back() + 1, 0),
                     [&](std::uint64_t id, std::string_view chunk) {
                       while (at < series.size() && series[at] < id / 32) ++at;
                       if (at == series.size()) return false;
                       return series[at] != id / 32 || visit(id, chunk);
                     });
    } else {
      // One transaction for all: SQLite looks at locks and journals at the beginning of each.
      const bool several = series.size() > 2;
      if (several) status = connection->database.execute("BEGIN");
      bool go_on = true;
      for (std::size_t i = 0; i < series.size() && go_on && status.ok(); ++i)
        status = sweep(*connection, chunk_id(series[i], 0), chunk_id(series[i] + 1, 0),
                       [&](std::uint64_t id, std::string_view chunk) {
                         return go_on = visit(id, chunk);
                       });
      if (several && !connection->database.execute("COMMIT").ok()) return status;  // not to be used again
    }
    if (status.ok()) release(std::move(connection));
    return status;
  }

  struct Connection {
    Database database;
    SqliteStatement range;
  };

  Result<std::unique_ptr<Connection>> acquire() const {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
    auto connection = std::make_unique<Connection>();
    Database::Options options;
    options.read_only = true;
    options.write_ahead = false;
    options.cache_bytes = 256 << 10;
    options.pages = PageCheck::kReport;  // each chunk has a checksum
    options.mmap_bytes = 1ll << 32;  // the page cache of the system serves all connections
    TRY(connection->database, Database::open(path_, options));
    auto range = connection->database.prepare("SELECT id, data FROM chunks WHERE id >= ? AND id < ? ORDER BY id");
    // A file without its table was cut down to nothing.
    if (!range.ok() && range.error().kind() == ErrorKind::kInternal) return Error::corrupt(range.error().message());
    TRY(connection->range, std::move(range));
    return connection;
  }
  void release(std::unique_ptr<Connection> connection) const {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kConnectionsMax) idle_.push_back(std::move(connection));
  }

  static Status sweep(Connection& connection, std::uint64_t from, std::uint64_t to,
                      const Visit& visit) {
    SqliteStatement& range = connection.range;
    range.bind(1, static_cast<std::int64_t>(from)).bind(2, static_cast<std::int64_t>(to));
    for (;;) {
      auto row = range.step();
      if (!row.ok()) {
        range.reset();
        return std::move(row).error();
      }
      if (!*row) break;
      if (!visit(static_cast<std::uint64_t>(range.integer(0)), range.text(1))) break;
    }
    range.reset();
    return Ok{};
  }

  std::uint64_t bytes_ = 0;
  mutable std::mutex mutex_;
  mutable std::atomic<bool> damaged_{false};
  fs::path path_;
  bool discarded_ = false;
  mutable std::vector<std::unique_ptr<Connection>> idle_;
};

class FilePartWriter final : public PartWriter {
 public:
  FilePartWriter(fs::path folder, PartName name)
      : folder_(std::move(folder)), name_(name), path_(folder_ / name_.file()) {
    temporary_ = path_;
    temporary_ += ".tmp";
  }
  ~FilePartWriter() override {
    if (finished_) return;
    insert_ = {};
    database_ = {};
    std::error_code ignored;
    fs::remove(temporary_, ignored);
  }

  Status begin() {
    TRYV(make_folders(path_.parent_path()));
    std::error_code error;
    fs::remove(temporary_, error);
    Database::Options options;
    options.synchronous_full = false;
    options.write_ahead = false;
    TRY(database_, Database::open(temporary_, options));
    // Nobody sees the file before it is complete and synced, so SQLite need not be careful.
    TRYV(database_.execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"));
    TRYV(database_.execute("PRAGMA page_size=8192; "
                           "CREATE TABLE chunks(id INTEGER PRIMARY KEY, data BLOB); BEGIN"));
    TRY(insert_, database_.prepare("INSERT INTO chunks VALUES(?,?)"));
    return Ok{};
  }

  Status add(std::uint64_t id, std::string_view chunk) override {
    return insert_.bind(1, static_cast<std::int64_t>(id)).bind_blob(2, chunk).run();
  }

  Result<std::shared_ptr<Part>> finish() override {
    TRYV(database_.execute("COMMIT"));
    insert_ = {};
    database_ = {};
    TRYV(sync_path(temporary_));
    std::error_code error;
    fs::rename(temporary_, path_, error);
    if (error) return Error::busy("cannot rename a metrics file: " + error.message());
    finished_ = true;
    if (Status named = sync_path(path_.parent_path()); !named.ok()) {
      fs::remove(path_, error);  // it will be written again under another name
      return std::move(named).error();
    }
    return std::shared_ptr<Part>(std::make_shared<FilePart>(path_, name_));
  }

 private:
  fs::path folder_;
  PartName name_;
  fs::path path_;
  fs::path temporary_;
  Database database_;
  SqliteStatement insert_;
  bool finished_ = false;
};

// --- in memory --------------------------------------------------------------------------------------

class MemoryPart final : public Part {
 public:
  MemoryPart(PartName name, std::vector<std::pair<std::uint64_t, std::string>> chunks)
      : Part(name), chunks_(std::move(chunks)) {
    for (const auto& [id, chunk] : chunks_) bytes_ += chunk.size();
  }
  std::uint64_t bytes() const override { return bytes_; }
  Status read_range(std::uint64_t from, std::uint64_t to, const Visit& visit) const override {
    sweep(from, to, visit);
    return Ok{};
  }
  Status read(std::span<const SeriesId> series, const Visit& visit) const override {
    for (const SeriesId id : series)
      if (!sweep(chunk_id(id, 0), chunk_id(id + 1, 0), visit)) break;
    return Ok{};
  }

 private:
  bool sweep(std::uint64_t from, std::uint64_t to, const Visit& visit) const {
    auto at = std::lower_bound(chunks_.begin(), chunks_.end(), from,
                               [](const auto& chunk, std::uint64_t id) { return chunk.first < id; });
    for (; at != chunks_.end() && at->first < to; ++at)
      if (!visit(at->first, at->second)) return false;
    return true;
  }
  std::vector<std::pair<std::uint64_t, std::string>> chunks_;
  std::uint64_t bytes_ = 0;
};

class MemoryPartWriter final : public PartWriter {
 public:
  explicit MemoryPartWriter(PartName name) : name_(name) {}
  Status add(std::uint64_t id, std::string_view chunk) override {
    chunks_.emplace_back(id, chunk);
    return Ok{};
  }
  Result<std::shared_ptr<Part>> finish() override {
    return std::shared_ptr<Part>(std::make_shared<MemoryPart>(name_, std::move(chunks_)));
  }

 private:
  PartName name_;
  std::vector<std::pair<std::uint64_t, std::string>> chunks_;
};

}  // namespace

std::atomic<std::uint64_t>& damaged_parts() {
  static std::atomic<std::uint64_t> count{0};
  return count;
}

Result<std::unique_ptr<PartWriter>> write_part(const fs::path& folder, PartName name) {
  if (folder.empty()) return std::unique_ptr<PartWriter>(std::make_unique<MemoryPartWriter>(name));
  auto writer = std::make_unique<FilePartWriter>(folder, name);
  TRYV(writer->begin());
  return std::unique_ptr<PartWriter>(std::move(writer));
}

std::shared_ptr<Part> open_part(const fs::path& folder, PartName name) {
  return std::make_shared<FilePart>(folder / name.file(), name);
}

}  // namespace fog::metrics
