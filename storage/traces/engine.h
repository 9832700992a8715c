// Engine: the trace store's one implementation; the parts of its work lie in ingest.cc, whole.cc,
// scan.cc, graphs.cc, seal.cc and merge.cc, what is left in engine.cc.
//
// Log record (StoreId::kTraces, id = number of the scope): byte 1, zigzag received_ms, varint n,
// {length, text} of each accepted document string.
//
// Head. Documents gather by trace until the trace has been quiet for a while or the head is too
// large; then traces are built, written as runs and leave. A trace in the head may have an older
// state in a bucket (its base): found when the trace is first read or sealed, never while a
// document is appended. Whatever the base holds up to its last LSN is skipped, so a record that is
// replayed after its trace was sealed counts once.
//
// Locks, in this order: sealing_, places_, gate_ (shared: sums over head and buckets; exclusive: a sealing becomes
// visible), head_, then one bucket's own. Building and compressing happen under none of them.
#pragma once

#include <atomic>
#include <shared_mutex>
#include <unordered_map>

#include "storage/base/guarded.h"
#include "storage/oldest_first.h"
#include "storage/sqlite/good_copy.h"
#include "storage/trace_store.h"
#include "storage/traces/bucket.h"

namespace fog::traces {

inline constexpr std::int64_t kDayMs = 86'400'000;
inline constexpr char kRecordVersion = 1;

inline std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

// Things that are costly to make, lent out one at a time.
template <typename T>
class Shelf {
 public:
  std::unique_ptr<T> take() {
    auto free = free_.lock();
    if (free->empty()) return std::make_unique<T>();
    auto one = std::move(free->back());
    free->pop_back();
    return one;
  }
  void give_back(std::unique_ptr<T> one) {
    auto free = free_.lock();
    if (free->size() < 8) free->push_back(std::move(one));
  }

 private:
  Guarded<std::vector<std::unique_ptr<T>>> free_;
};

using Documents = std::vector<std::shared_ptr<const StoredDocument>>;

// The state of a head trace that lies in a bucket already.
struct Base {
  std::int64_t day = 0;
  Place place;
  Lsn last_lsn = 0;
  Documents documents;
  std::shared_ptr<const Trace> trace;
};

struct Update {
  Lsn lsn = 0;
  std::int64_t received_ms = 0;
};

struct HeadKey {
  std::uint64_t scope = 0;
  TraceId id;
  bool operator==(const HeadKey&) const = default;
};
struct HeadKeyHash {
  std::size_t operator()(const HeadKey& key) const {
    return static_cast<std::size_t>((key.id.lo ^ (key.id.hi << 1) ^ key.scope) *
                                    0x9e3779b97f4a7c15u);
  }
};

// A head trace merged with its base and built.
struct Whole {
  HeadKey key;
  std::shared_ptr<const Trace> trace;
  RunColumns::Row row;
  Documents documents;
  std::shared_ptr<const Base> base;
  Lsn last_lsn = 0;
  std::uint64_t version = 0;
  bool redundant = false;  // the base says it all
};
using WholePtr = std::shared_ptr<const Whole>;

struct HeadTrace {
  Documents documents;
  std::vector<Update> updates;
  Lsn first_lsn = 0;
  Lsn last_lsn = 0;
  std::int64_t touched_ms = 0;
  std::size_t bytes = 0;
  std::uint64_t version = 0;  // changes with every document
  bool limit_exceeded = false;
  bool base_known = false;
  std::shared_ptr<const Base> base;
  std::shared_ptr<const Whole> whole;  // of this version, once somebody asked
};

struct Head {
  std::unordered_map<HeadKey, HeadTrace, HeadKeyHash> traces;
  std::size_t bytes = 0;
  std::uint64_t next_version = 1;
  std::int64_t oldest_touch_ms = std::numeric_limits<std::int64_t>::max();
};

// Ids of traces, made when somebody first asks: most readers never do.
class IdSet {
 public:
  explicit IdSet(const std::vector<WholePtr>& all) : all_(all) {}
  bool contains(TraceId id) const;

 private:
  const std::vector<WholePtr>& all_;
  mutable std::vector<TraceId> sorted_;
};

class Engine final : public TraceStore, public OldestFirst {
 public:
  Engine(Options options, Wal& wal, const Clock& clock)
      : options_(std::move(options)), wal_(wal), clock_(clock) {}
  Status start();

  std::string_view name() const override { return "traces"; }
  std::optional<Timestamp> next_due(Timestamp now) override;
  void tick(Timestamp now) override;
  std::optional<std::int64_t> oldest_end_ms() const override;
  void drop_files_before(std::int64_t end_ms) override;

  void apply_record(const Wal::Record& record) override;
  Receipt append(const TraceScope& scope, std::span<const std::string_view> documents) override;
  std::optional<TraceDocuments> documents(const TraceScope& scope, TraceId id) override;
  Result<ScanTotals> scan(const TraceScope& scope, const TraceScan& spec,
                          const Visitor& visit) override;
  Result<Graph> graph(const TraceScope& scope, Timestamp from, Timestamp to,
                      std::uint64_t label) override;
  Result<std::map<std::int64_t, Graph>> minutes(const TraceScope& scope, Timestamp from,
                                                Timestamp to, std::uint64_t label) override;
  void set_labeller(Labeller labeller) override { labeller_ = std::move(labeller); }
  void set_listener(Listener listener) override { listener_ = std::move(listener); }
  void settle_labels(const TraceScope& scope) override;
  Status erase(std::string_view account, std::string_view region) override;
  std::vector<TraceScope> scopes() const override;
  Status seal_all() override;
  std::size_t merge_small_runs() override;
  Stats stats() const override;

 private:
  struct Catalogue {
    Database database;
    std::map<TraceScope, std::uint64_t> numbers;
    std::map<std::uint64_t, TraceScope> scopes;
    GoodCopy copy;
    ~Catalogue() { copy.end(database); }
  };
  struct Days {
    std::map<std::int64_t, std::shared_ptr<Bucket>> open;  // null: there is a file, not yet opened
  };

  std::optional<std::uint64_t> scope_number(const TraceScope& scope) const;
  Result<std::uint64_t> scope_number_or_new(const TraceScope& scope);
  std::shared_ptr<Bucket> bucket(std::int64_t day, bool create);
  std::vector<std::pair<std::int64_t, std::shared_ptr<Bucket>>> buckets(std::int64_t from_day,
                                                                        std::int64_t to_day);
  void insert(Head& head, std::uint64_t scope, Lsn lsn, std::int64_t received_ms,
              std::vector<DocumentHead>& heads, std::span<const std::string_view> texts,
              std::span<const std::size_t> text_of);
  std::shared_ptr<const Base> find_base(std::uint64_t scope, TraceId id, std::int64_t start_us);
  // Null: it is not in the head. `keep`: the next who asks gets the same.
  WholePtr whole(const HeadKey& key, const TraceScope& scope, bool keep);
  // Everything in the head that says more than the buckets do.
  std::vector<WholePtr> whole_head(std::uint64_t number, const TraceScope& scope);
  std::shared_ptr<const Trace> assemble(TraceId id, const Documents& documents,
                                        std::vector<std::int64_t> updates, std::uint32_t revision,
                                        bool limit_exceeded, const TraceScope& scope);
  LinkResolver resolver(const TraceScope& scope);
  Status seal(std::vector<HeadKey> keys);
  Status seal_group(std::uint64_t number, std::int64_t day,
                    std::vector<WholePtr>& group);
  // Small runs of a day become one. Also called by tick(); gives how many runs are gone.
  std::size_t merge_day(std::uint64_t number, std::int64_t day, const std::shared_ptr<Bucket>& where);
  void report_applied();
  void drop_old_days(Timestamp now);
  void drop_days_before(std::int64_t oldest);
  void drop_erased_scopes();
  Status add_partial(std::uint64_t number, const TraceScope& scope, Graph::Span span,
                     std::uint64_t label, const IdSet& skip, Graph& sum);

  const Options options_;
  Wal& wal_;
  const Clock& clock_;
  Labeller labeller_;
  Listener listener_;
  Guarded<Head> head_;
  mutable Guarded<Catalogue> catalogue_;
  Guarded<Days> days_;
  std::shared_mutex gate_;
  std::mutex sealing_;  // one sealing or merging at a time
  // Shared by whoever goes from a place in a run to what lies there; exclusive: a merging becomes visible.
  std::shared_mutex places_;
  std::atomic<std::uint64_t> merged_{0};  // bases found before the last merging are not kept
  std::int64_t merge_due_ms_ = 0;         // of tick() alone
  Shelf<DocumentParser> parsers_;
  Shelf<TraceAssembler> assemblers_;
  Lsn replay_from_ = 0;  // records at or below were applied before the last stop
  std::atomic<Lsn> sealed_since_report_{0};
  std::atomic<bool> scopes_erased_{true};  // buckets may hold erased scopes: look once after start
  std::atomic<std::int64_t> retention_day_{std::numeric_limits<std::int64_t>::min()};
  std::atomic<std::uint64_t> accepted_{0}, rejected_{0}, sealed_{0}, damaged_blocks_{0},
      damaged_files_{0}, expired_{0};
};

}  // namespace fog::traces
