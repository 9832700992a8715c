// Bucket: one day of sealed traces in one SQLite file.
//
// Traces arrive in runs (one sealing of one scope, ordered by start). A run has columns for what
// scans test most, blocks of facts (128 traces each) and blocks of documents (about 256 KiB of
// text each), all zstd. Beside them: where each trace is, an inverted index from terms to places
// in runs, and the service graph of each minute. A trace that grows after it was sealed is written
// again in a later run; its old place goes into `dead`.
//
// Threads: any; the file's lock is held during one statement or one transaction.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "storage/base/result.h"
#include "storage/sqlite/database.h"
#include "storage/traces/facts.h"
#include "storage/traces/graph.h"
#include "storage/traces/trace.h"

namespace fog::traces {

struct Place {
  std::int64_t run = 0;
  std::uint32_t ordinal = 0;
  auto operator<=>(const Place&) const = default;
};

// What scans test, for every trace of a run in its order.
struct RunColumns {
  struct Row {
    std::int64_t start_us = 0;
    std::uint64_t id_low = 0;
    std::int64_t time_s = 0;
    std::int64_t first_received_ms = 0, last_received_ms = 0;
    std::int64_t first_end_ms = 0, last_end_ms = 0;  // of sent segments; first > last: none ended
    std::int64_t last_time_us = 0;                   // latest item of the graph
    std::int64_t response_ms = -1;                   // -1: none
    std::int64_t duration_ms = 0;
    std::uint8_t flags = 0;
  };
  std::vector<Row> rows;
  std::vector<bool> dead;

  bool whole = true;  // false: what the two kinds of range beside kFilingTime need is missing

  static Row row_of(const Trace& trace);
  std::string encode() const;
  static Result<RunColumns> decode(std::string_view bytes, bool whole);
};

// A trace about to be sealed.
struct SealItem {
  std::shared_ptr<const Trace> trace;
  RunColumns::Row row;                         // of `trace`
  std::vector<std::shared_ptr<const StoredDocument>> documents;
  std::uint64_t last_lsn = 0;
  std::optional<Place> replaces;               // where an older state of it lies,
  std::shared_ptr<const Trace> replaced;       // and that state
};

// What lies in a run.
struct RunInfo {
  std::int64_t run = 0;
  std::int64_t traces = 0;  // without the dead
  std::int64_t start_min_us = 0, start_max_us = 0;
  std::int64_t time_min_s = 0, time_max_s = 0;
  std::int64_t received_min_ms = 0, received_max_ms = 0;
  std::int64_t end_min_ms = 0, end_max_ms = 0;
  std::vector<std::uint32_t> dead;  // ordinals, ascending, at the moment when the runs were listed
};

// A run ready to be written: everything that costs time is done before the file is locked.
struct SealPlan {
  struct Located {
    TraceId id;
    std::uint32_t ordinal = 0;
    std::uint64_t last_lsn = 0;
    std::optional<Place> replaces;
  };
  std::vector<std::string> facts;                            // packed, block after block
  std::vector<std::pair<std::int64_t, std::string>> documents;  // first ordinal, packed block
  std::vector<Located> places;                               // ascending by id
  std::vector<std::pair<std::uint64_t, std::string>> terms;  // postings, in the order of the index
  std::map<std::pair<std::uint64_t, std::int64_t>, Graph> minutes;  // by label and minute
  std::string columns;
  RunInfo info;  // without its number
};
// `items` ordered by start. `resolve` null: the traces are in the minutes already.
SealPlan plan_seal(std::span<const SealItem> items, const LinkResolver* resolve);

class Bucket {
 public:
  // "" keeps it in memory. A file that is no bucket or fails is an Error (corrupt).
  static Result<std::unique_ptr<Bucket>> open(const std::filesystem::path& file, bool strict);

  struct Found {
    Place place;
    std::uint64_t last_lsn = 0;
  };
  Result<std::optional<Found>> find(std::uint64_t scope, TraceId id);
  Result<std::vector<std::shared_ptr<const StoredDocument>>> documents(Place place);
  Result<Trace> facts(Place place);
  Result<std::vector<RunInfo>> runs(std::uint64_t scope);
  Result<std::shared_ptr<const RunColumns>> columns(std::int64_t run, bool whole);
  // Ordinals by run, ascending.
  Result<std::unordered_map<std::int64_t, std::vector<std::uint32_t>>> postings(
      std::uint64_t scope, std::uint64_t term);
  Status minutes(std::uint64_t scope, std::int64_t from_minute, std::int64_t to_minute,
                 std::uint64_t label, std::map<std::int64_t, Graph>& sum);
  // As minutes(), summed up.
  Status graph(std::uint64_t scope, std::int64_t from_minute, std::int64_t to_minute,
               std::uint64_t label, Graph& sum);

  // Writes one run of one scope, whole or not at all.
  Status seal(std::uint64_t scope, const SealPlan& plan);
  // Everything that lives in a run, in its order. Error (corrupt) if a part of it is damaged.
  Result<std::vector<SealItem>> read_run(std::uint64_t scope, std::int64_t run);
  // Writes the traces of `runs` as one run in place of these.
  Status merge(std::uint64_t scope, const SealPlan& plan, std::span<const std::int64_t> runs);
  // Deletes what belongs to scopes other than these.
  Status keep_scopes(const std::unordered_set<std::uint64_t>& scopes);

  std::uint64_t damaged_blocks() const { return damaged_; }

 private:
  Bucket() = default;
  Status prepare_schema();
  Result<std::vector<std::pair<std::int64_t, std::shared_ptr<const StoredDocument>>>> unpack(
      std::string_view block, std::int64_t first, std::optional<std::uint32_t> wanted);
  Result<std::string> blob(const char* sql, std::int64_t run, std::int64_t block);
  Status write_run(std::uint64_t scope, const SealPlan& plan);
  Status write_minutes(std::uint64_t scope, const SealPlan& plan);

  std::mutex mutex_;
  Database database_;
  std::optional<SqliteStatement> find_;  // asked once for every trace that is sealed
  struct CachedBlock {
    std::int64_t run = -1, block = -1;
    std::shared_ptr<const FactsBlock> facts;
    std::uint64_t used = 0;
  };
  std::vector<CachedBlock> blocks_;  // a few, most recently used stay
  std::uint64_t use_ = 0;
  std::unordered_map<std::int64_t, std::shared_ptr<const RunColumns>> columns_;
  std::size_t column_rows_ = 0;
  std::uint64_t damaged_ = 0;
};

}  // namespace fog::traces
