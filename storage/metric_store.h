// MetricStore: what programs measured, and the answer to "what was it between two times?"
//
// A series is (account, region, namespace, name, set of dimensions), case-sensitive; it exists as
// soon as something was put into it. Everything observed in one slot (1 s or 60 s wide, by the
// datum's resolution) under one unit merges: count, sum, minimum, maximum and, while available, the
// distribution of values. Units never mix inside the store.
//
// Ordering: none is needed; late and future data land in their slot. Putting the same datum twice
// counts it twice. Durability: put() returns the LSN of the shared write-ahead log; the datum is
// visible to every reader when put() returns and survives a crash once that LSN is durable. After a
// restart each datum counts exactly once.
//
// Tiers (configurable): 1 s kept 3 h, 60 s kept 15 d, 300 s kept 63 d, 3600 s kept 455 d. A read
// is served slot by slot from the tiers whose width divides its period; what no tier can serve any
// longer is absent. A datum of 60 s resolution is invisible to periods below 60 s.
//
// Threads: any. Errors: kBusy (disk refuses), kInvalid. Damaged chunks are passed over, counted and
// named in the log of the server.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/result.h"
#include "storage/metrics/distribution.h"
#include "storage/wal/wal.h"

namespace fog {

using SeriesId = std::uint64_t;  // never 0, never reused

// Index into the list of units (storage/metric_units.h); opaque to the engine but below 32.
using UnitCode = std::uint8_t;
inline constexpr std::size_t kUnitCodeMax = 31;

struct DimensionView {
  std::string_view name;
  std::string_view value;
  bool operator==(const DimensionView&) const = default;
};

struct SeriesKeyView {
  std::string_view account;
  std::string_view region;
  std::string_view metric_namespace;
  std::string_view metric_name;
  std::span<const DimensionView> dimensions;  // any order, names unique
};

struct StatisticSetValue {
  double count = 0;
  double sum = 0;
  double min = 0;
  double max = 0;
};

// One datum. Values are finite; counts are empty (one each) or as many as values; both a list of
// values and a set may be given, then both are observed.
struct MetricPoint {
  std::string_view metric_namespace;
  std::string_view metric_name;
  std::span<const DimensionView> dimensions;
  Timestamp time;
  UnitCode unit = 0;
  bool high_resolution = false;  // 1 s slots beside the 60 s ones
  std::span<const double> values;
  std::span<const double> counts;
  std::optional<StatisticSetValue> set;
  std::string_view entity;  // opaque document kept beside the series; empty: none said
};

struct PutMetrics {
  std::string_view account;
  std::string_view region;
  std::span<const MetricPoint> points;
};

// Slots of one series and unit, ascending by start, columns of equal length. Only slots in which
// something was observed are present.
struct SlotColumns {
  UnitCode unit = 0;
  std::vector<std::int64_t> start_ms;
  std::vector<double> count;
  std::vector<double> sum;
  std::vector<double> min;
  std::vector<double> max;
  std::vector<Distribution> distribution;  // empty unless asked for
  std::size_t size() const { return start_ms.size(); }
};

// Observations of several series together, slot by slot: dense columns from start_ms on. A slot in
// which nothing was observed has count 0 (and a minimum above its maximum).
struct SlotSums {
  std::int64_t start_ms = 0;
  std::int64_t period_ms = 60'000;
  std::vector<double> count;
  std::vector<double> sum;
  std::vector<double> min;
  std::vector<double> max;
  std::size_t size() const { return count.size(); }
  void resize(std::size_t slots);      // new slots are empty
  void merge(const SlotSums& other);  // of the same period
};

struct ReadMetrics {
  Timestamp start;               // inclusive; slots are aligned to multiples of the period
  Timestamp end;                 // exclusive: a slot is returned if its start is before it
  std::chrono::seconds period{60};
  std::optional<UnitCode> unit;  // nothing: every unit that has data
  bool with_distribution = false;
  // Slots are start + k * period instead of epoch multiples (alarms evaluate such windows). start
  // is then rounded down to the second.
  bool align_to_start = false;
};

struct DimensionFilter {
  std::string name;
  std::optional<std::string> value;
};

struct SeriesFilter {
  std::string account;
  std::string region;
  std::optional<std::string> metric_namespace;
  std::optional<std::string> metric_name;
  std::vector<DimensionFilter> dimensions;                  // all must be there; others may be, too
  std::vector<std::vector<DimensionFilter>> choices;        // of each list one at least must be there
  std::optional<std::vector<std::string>> dimension_names;  // exactly this set of names
  std::optional<Timestamp> active_since;                    // newest datum at or after
};

// What select() shows of a series. Views live during the visit only. Symbols are numbers for equal
// strings (stable while the process lives), so that a caller may remember verdicts about a string.
struct SeriesView {
  SeriesId id = 0;
  std::string_view metric_namespace;
  std::string_view metric_name;
  std::span<const DimensionView> dimensions;  // ascending by name
  std::uint32_t namespace_symbol = 0;
  std::uint32_t name_symbol = 0;
  std::span<const std::pair<std::uint32_t, std::uint32_t>> dimension_symbols;
  Timestamp newest;
};

// An owned copy of a series' identity.
struct SeriesInfo {
  SeriesId id = 0;
  std::string account;
  std::string region;
  std::string metric_namespace;
  std::string metric_name;
  std::vector<std::pair<std::string, std::string>> dimensions;  // ascending by name
  Timestamp newest;
  std::string entity;
};

struct MetricTier {
  std::chrono::seconds width;
  std::chrono::seconds keep;
};

class MetricStore {
 public:
  struct Options {
    std::filesystem::path folder;  // "" keeps everything in memory (ephemeral)
    // Widths are fixed; retention may be configured: 1 s, 60 s, 300 s, 3600 s.
    std::chrono::seconds keep_1s{3 * 3600};
    std::chrono::seconds keep_60s{15 * 86400};
    std::chrono::seconds keep_300s{63 * 86400};
    std::chrono::seconds keep_3600s{455 * 86400};
    // The head is written to files when it or its part of the log passes this, or its window ends.
    std::size_t head_bytes_max = 64u << 20;
  };
  struct Stats {
    std::uint64_t series = 0;
    std::uint64_t points_put = 0;
    std::uint64_t head_bytes = 0;
    std::uint64_t chunks_written = 0;
    std::uint64_t bytes_on_disk = 0;
    std::uint64_t flushes = 0;
    std::uint64_t roll_ups = 0;
    std::uint64_t chunks_damaged = 0;
  };
  // Return false to end the visit.
  using Visit = std::function<bool(const SeriesView&)>;
  // Called once per (series, unit) that has data; columns may be moved from.
  using ScanVisit = std::function<void(std::size_t position, SlotColumns& columns)>;

  // Opens or creates the files; the caller then passes each record of StoreId::kMetrics to
  // replay(), in order, before the first put. `wal` and `clock` outlive the store.
  static Result<std::unique_ptr<MetricStore>> open(Options options, Wal& wal, const Clock& clock);
  virtual ~MetricStore() = default;

  virtual void replay(const Wal::Record& record) = 0;
  virtual Result<Lsn> put(const PutMetrics& batch) = 0;

  virtual std::optional<SeriesId> find(const SeriesKeyView& key) const = 0;
  virtual std::optional<SeriesInfo> describe(SeriesId id) const = 0;
  // Visits what matches in the order namespace, name, sorted dimensions, beginning behind `after`.
  // Nothing that puts may be called from the visit.
  virtual void select(const SeriesFilter& filter, const SeriesInfo* after,
                      const Visit& visit) const = 0;
  // Time of the newest datum.
  virtual std::optional<Timestamp> newest(SeriesId id) const = 0;
  virtual bool has_account(std::string_view account) const = 0;

  // Slots of many series; position is the index in `ids` (each once). Unknown ids are passed over. May be
  // called from several threads with parts of a list.
  virtual Status scan(std::span<const SeriesId> ids, const ReadMetrics& spec,
                      const ScanVisit& visit) const = 0;
  // All series added up, whatever their units; ids in any order, each once. What scan() would give, without
  // holding it: for aggregates over thousands of series. Distributions are not summed.
  virtual Result<SlotSums> sum(std::span<const SeriesId> ids, const ReadMetrics& spec) const = 0;
  // One series: an entry per unit with data, ascending by unit code.
  Result<std::vector<SlotColumns>> read(SeriesId id, const ReadMetrics& spec) const;

  // Writes closed windows, rolls up, joins chunks, deletes what is past retention.
  virtual void tick(Timestamp now) = 0;
  virtual std::optional<Timestamp> next_due(Timestamp now) = 0;
  // Writes the whole head to files now (backup, tests, orderly stop).
  virtual Status flush() = 0;
  // Forgets everything of the scope; an empty account or region means all of them. Durable when
  // it returns.
  virtual Status reset(std::string_view account, std::string_view region) = 0;

  virtual Stats stats() const = 0;
};

}  // namespace fog
