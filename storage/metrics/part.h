// Part: an immutable file of chunks: at most one chunk a (series, unit), for one tier and bucket.
//
// On disk a part is an SQLite database, written whole under a temporary name, synced, renamed:
//   CREATE TABLE chunks(id INTEGER PRIMARY KEY, data BLOB)     id = series * 32 + unit; chunk.cc
// Its name says all that recovery must know, so that starting reads names only:
//   <bucket start, s since 1970>.<first>-<last>.<lsn>[.<source tier>-<source bucket>-<lsn>].db
// in a folder for the tier ("1", "60", "300", "3600"). Part numbers grow; a part covers the numbers
// first to last (it was joined from them), so one whose range lies inside another's of the same
// bucket is left over from a crash and is deleted. `lsn`: everything of the bucket up to it is in
// this part or in earlier ones. The source names what was rolled up into this part: parts of that
// bucket up to that LSN are left over, too.
// In ephemeral mode a part is a sorted list in memory.
//
// Threads: reads from any number; each takes an SQLite connection of its own from a small stock.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.h"
#include "storage/metrics/head.h"
#include "storage/wal/wal.h"

namespace fog::metrics {

struct PartName {
  Tier tier = Tier::k60s;
  std::int64_t bucket_s = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  Lsn lsn = 0;
  struct Source {
    Tier tier = Tier::k60s;
    std::int64_t bucket_s = 0;
    Lsn lsn = 0;
  };
  std::optional<Source> source;

  std::string file() const;  // relative to the folder of metrics
  static std::optional<PartName> parse(Tier tier, std::string_view file);
};

inline std::uint64_t chunk_id(SeriesId series, UnitCode unit) { return series * 32 + unit; }

class Part {
 public:
  // Ascending ids; a chunk's bytes live during the visit. Return false to end.
  using Visit = std::function<bool(std::uint64_t id, std::string_view chunk)>;

  explicit Part(PartName name) : name_(name) {}
  virtual ~Part() = default;
  const PartName& name() const { return name_; }
  // Chunks of the given series (ascending).
  virtual Status read(std::span<const SeriesId> series, const Visit& visit) const = 0;
  Status read_all(const Visit& visit) const { return read_range(0, UINT64_MAX >> 1, visit); }
  virtual Status read_range(std::uint64_t from, std::uint64_t to, const Visit& visit) const = 0;
  virtual std::uint64_t bytes() const = 0;
  // The part is superseded: recovery will not see it any more. Its bytes go with the last reader.
  virtual void discard() {}

 protected:
  PartName name_;
};

// Writes a part: add() in ascending order of ids, then finish(). Nothing is visible before.
class PartWriter {
 public:
  virtual ~PartWriter() = default;
  virtual Status add(std::uint64_t id, std::string_view chunk) = 0;
  virtual Result<std::shared_ptr<Part>> finish() = 0;
};

// An empty folder: in memory.
Result<std::unique_ptr<PartWriter>> write_part(const std::filesystem::path& folder, PartName name);
std::shared_ptr<Part> open_part(const std::filesystem::path& folder, PartName name);

// Files of the process that could not be read to their end.
std::atomic<std::uint64_t>& damaged_parts();

}  // namespace fog::metrics
