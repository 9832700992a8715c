// SeriesFile: the series and the engine's marks in SQLite ("series.db" of a generation's folder).
//
//   series(id INTEGER PRIMARY KEY, account, region, data)   data: text namespace, text name,
//                                                           varint n, n times text name, text value
//   entity(id INTEGER PRIMARY KEY, document)
//   activity(block INTEGER PRIMARY KEY, newest)   1024 little-endian i64: newest datum in ms of the
//                                                 series block * 1024 + i; INT64_MIN: none
//   mark(name PRIMARY KEY, value)   "series_lsn": definitions and resets up to it are in here,
//                                   "applied_lsn": everything up to it is in parts,
//                                   "next_id", "next_part"
// Threads: one at a time (the engine's flush).
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "storage/metrics/catalogue.h"
#include "storage/sqlite/database.h"
#include "storage/sqlite/good_copy.h"
#include "storage/wal/wal.h"

namespace fog::metrics {

class SeriesFile {
 public:
  struct Marks {
    Lsn series_lsn = 0;
    Lsn applied_lsn = 0;
    std::uint64_t next_id = 1;
    std::uint64_t next_part = 1;
  };
  struct Changes {
    std::vector<SeriesInfo> added;
    std::vector<SeriesId> removed;
    std::vector<std::pair<SeriesId, std::string>> entities;
    std::vector<std::pair<std::uint64_t, std::string>> activity;  // block, bytes
  };
  static constexpr std::uint64_t kActivityBlock = 1024;

  static Result<SeriesFile> open(const std::filesystem::path& file);
  Status load(Catalogue& catalogue, Marks& marks);
  Status apply(const Changes& changes, const Marks& marks);
  Status set_marks(const Marks& marks);
  // An orderly end: keeps a copy for when the file is damaged.
  void end() { copy_.end(database_); }

 private:
  Status write_marks(const Marks& marks);
  Database database_;
  GoodCopy copy_;
};

}  // namespace fog::metrics
