// TraceStore: segment documents in, traces and service graphs out.
//
// Append. Documents are checked, written to the shared log as one record and visible to every read
// that starts after append() returned; durable when the log says so for the LSN. Documents of one
// trace may come in any order, in any number of calls, on any day: they are merged by id (see
// traces/trace.h). A call that repeats a document replaces it with itself.
//
// Order. scan() goes from the newest trace to the oldest: by start, then by the low half of the
// id, both descending. A Position names a trace and stays good while others come and go.
//
// Labels. A labeller (the groups) looks at a trace each time it changes; what it says is stored
// with the trace and not revised when the labeller changes its mind.
//
// Retention. tick() drops whole days of traces older than Options::retention by the clock.
//
// Damage. A file or block that fails its check costs the traces in it, no others; stats() counts.
//
// Threads: any. Errors: busy (the disk refuses), corrupt (counted and skipped where possible).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/result.h"
#include "storage/base/worker.h"
#include "storage/traces/graph.h"
#include "storage/traces/trace.h"
#include "storage/wal/wal.h"

namespace fog {

struct TraceScope {
  std::string account;
  std::string region;
  auto operator<=>(const TraceScope&) const = default;
};

// Where a scan goes on: with the traces that come after this one.
struct TracePosition {
  std::int64_t start_us = 0;
  std::uint64_t id_low = 0;
  auto operator<=>(const TracePosition&) const = default;
};

// Flags of a trace that a scan can test without looking at it.
struct TraceFlags {
  enum : std::uint8_t {
    kError = 1,     // of the root segment
    kFault = 2,     // of the root segment
    kRootThrottle = 4,
    kThrottle = 8,  // of any segment
    kPartial = 16,
    kInferred = 32,
    kHasRoot = 64,
  };
};
std::uint8_t trace_flags(const traces::Trace& trace);

struct TraceScan {
  enum class Range {
    kFilingTime,  // the time in the id (see Trace::time_s), whole seconds
    kReceived,    // some document was received in it
    kSegmentEnd,  // some sent segment ended in it
  };
  Range range = Range::kFilingTime;
  std::int64_t from_ms = 0;
  std::int64_t to_ms = 0;  // exclusive

  // Predicates that narrow the scan; the visitor still sees some traces that fail them only where
  // terms collide. A trace must have a term of every list (see traces/terms.h).
  std::vector<std::vector<std::uint64_t>> terms;
  std::uint8_t flags_set = 0;
  std::uint8_t flags_clear = 0;
  std::optional<std::int64_t> response_ms_min, response_ms_max;  // inclusive; need a response time
  std::optional<std::int64_t> duration_ms_min, duration_ms_max;

  std::optional<TracePosition> after;
};

class TraceStore : public Worker {
 public:
  struct Options {
    std::filesystem::path folder;  // "": everything in memory
    traces::DocumentLimits limits;
    std::size_t trace_bytes_max = 0;  // documents beyond it are dropped; 0: no limit
    std::chrono::days retention{30};
    bool strict = true;  // sealing survives power loss
    std::size_t head_bytes_max = 96u << 20;
    Millis seal_idle{60'000};          // a trace that was quiet for so long may leave the head,
    std::size_t seal_traces_min = 2048;  // if so many are ready; any that was quiet for
    Millis seal_idle_max{600'000};     // so long does
  };
  struct Receipt {
    Lsn lsn = 0;  // 0: nothing was acceptable
    std::vector<traces::DocumentVerdict> verdicts;  // one for each document given
  };
  struct TraceDocuments {
    std::shared_ptr<const traces::Trace> trace;
    std::vector<std::shared_ptr<const traces::StoredDocument>> documents;
  };
  struct ScanTotals {
    // Traces of the time range after the position, matching or not, as far as the scan had to go.
    std::int64_t in_range = 0;
  };
  struct Stats {
    std::uint64_t documents_accepted = 0;
    std::uint64_t documents_rejected = 0;
    std::uint64_t head_traces = 0;
    std::uint64_t head_bytes = 0;
    std::uint64_t traces_sealed = 0;
    std::uint64_t damaged_blocks = 0;
    std::uint64_t damaged_files = 0;
    std::uint64_t traces_expired_days = 0;  // day files dropped by retention
  };
  using Labeller =
      std::function<std::vector<std::uint64_t>(const TraceScope&, const traces::Trace&)>;
  // Told of documents after they were accepted and became visible, on the thread that brought them;
  // gives the LSN of what it stored itself (0: nothing), which the receipt then waits for as well.
  using Listener = std::function<Lsn(const TraceScope&, std::span<const std::string_view> accepted)>;
  // False stops the scan.
  using Visitor = std::function<bool(const std::shared_ptr<const traces::Trace>&)>;

  // Takes in what `wal` holds for StoreId::kTraces by apply_record(), called by whoever replays.
  static Result<std::unique_ptr<TraceStore>> open(Options options, Wal& wal, const Clock& clock);

  // One replayed record; before the first append.
  virtual void apply_record(const Wal::Record& record) = 0;

  virtual Receipt append(const TraceScope& scope, std::span<const std::string_view> documents) = 0;
  virtual std::optional<TraceDocuments> documents(const TraceScope& scope, traces::TraceId id) = 0;
  virtual Result<ScanTotals> scan(const TraceScope& scope, const TraceScan& spec,
                                  const Visitor& visit) = 0;
  // All items in [from, to), of traces with the label (0: of all).
  virtual Result<traces::Graph> graph(const TraceScope& scope, Timestamp from, Timestamp to,
                                      std::uint64_t label) = 0;
  // The same by minute since 1970; from and to count as whole minutes.
  virtual Result<std::map<std::int64_t, traces::Graph>> minutes(const TraceScope& scope,
                                                                Timestamp from, Timestamp to,
                                                                std::uint64_t label) = 0;
  virtual void set_labeller(Labeller labeller) = 0;
  virtual void set_listener(Listener listener) = 0;  // before the first append; not told of replayed records
  // Labels every trace in the head by the labeller as it is now; call before groups change.
  virtual void settle_labels(const TraceScope& scope) = 0;
  // Nothing of the scope is visible afterwards, also after a crash. Empty: every account, region.
  virtual Status erase(std::string_view account, std::string_view region) = 0;
  virtual std::vector<TraceScope> scopes() const = 0;
  // Moves the whole head to disk; for tests, benches and an orderly stop.
  virtual Status seal_all() = 0;
  // Makes large runs of the small ones that a slow stream leaves on disk; tick() does it by itself.
  // Gives how many were replaced.
  virtual std::size_t merge_small_runs() = 0;
  virtual Stats stats() const = 0;
};

}  // namespace fog
