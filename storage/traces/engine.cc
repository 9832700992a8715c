// The trace engine: a head in memory over one SQLite file a day (see bucket.h).
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
// Locks, in this order: gate_ (shared: sums over head and buckets; exclusive: a sealing becomes
// visible), head_, then one bucket's own. Building and compressing happen under none of them.
#include <fmt/format.h>

#include <atomic>
#include <set>
#include <shared_mutex>

#include "storage/base/bytes.h"
#include "storage/base/guarded.h"
#include "storage/base/log.h"
#include "storage/trace_store.h"
#include "storage/traces/bucket.h"

namespace fog {

using namespace traces;

std::uint8_t trace_flags(const Trace& trace) {
  std::uint8_t flags = 0;
  if (trace.root >= 0) {
    const auto& root = trace.at(trace.root);
    flags |= TraceFlags::kHasRoot;
    if (root.error) flags |= TraceFlags::kError;
    if (root.fault) flags |= TraceFlags::kFault;
    if (root.throttle) flags |= TraceFlags::kRootThrottle;
  }
  if (trace.has_throttle()) flags |= TraceFlags::kThrottle;
  if (trace.partial) flags |= TraceFlags::kPartial;
  if (trace.has_inferred()) flags |= TraceFlags::kInferred;
  return flags;
}

namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::size_t kRunTracesMax = 4096;
constexpr std::size_t kDocumentOverheadBytes = 160;  // beside the text
constexpr char kRecordVersion = 1;

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

std::string day_name(std::int64_t day) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
  return fmt::format("{:04}-{:02}-{:02}.db", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

std::optional<std::int64_t> day_of_name(std::string_view name) {
  if (name.size() != 13 || name.substr(10) != ".db" || name[4] != '-' || name[7] != '-')
    return std::nullopt;
  int parts[3] = {0, 0, 0};
  constexpr std::pair<std::size_t, std::size_t> kFields[] = {{0, 4}, {5, 2}, {8, 2}};
  for (std::size_t i = 0; i < 3; ++i) {
    for (const char c : name.substr(kFields[i].first, kFields[i].second)) {
      if (c < '0' || c > '9') return std::nullopt;
      parts[i] = parts[i] * 10 + (c - '0');
    }
  }
  const std::chrono::year_month_day date{std::chrono::year(parts[0]),
                                         std::chrono::month(static_cast<unsigned>(parts[1])),
                                         std::chrono::day(static_cast<unsigned>(parts[2]))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count();
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
  std::shared_ptr<const Trace> built;  // of this version
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

struct Head {
  std::unordered_map<HeadKey, HeadTrace, HeadKeyHash> traces;
  std::size_t bytes = 0;
  std::uint64_t next_version = 1;
  std::int64_t oldest_touch_ms = std::numeric_limits<std::int64_t>::max();
};

// A head trace merged with its base and built.
struct Whole {
  std::shared_ptr<const Trace> trace;
  Documents documents;
  std::shared_ptr<const Base> base;
  Lsn last_lsn = 0;
  std::uint64_t version = 0;
  bool redundant = false;  // the base says it all
};

bool row_in_range(const RunColumns::Row& row, const TraceScan& spec) {
  switch (spec.range) {
    case TraceScan::Range::kFilingTime:
      return row.time_s * 1000 >= spec.from_ms && row.time_s * 1000 < spec.to_ms;
    case TraceScan::Range::kReceived:
      return row.last_received_ms >= spec.from_ms && row.first_received_ms < spec.to_ms;
    case TraceScan::Range::kSegmentEnd:
      return row.first_end_ms <= row.last_end_ms && row.last_end_ms >= spec.from_ms &&
             row.first_end_ms < spec.to_ms;
  }
  return false;
}

// What row_in_range can't say: whether an event lies between the outermost two.
bool trace_in_range(const Trace& trace, const TraceScan& spec) {
  const auto inside = [&](std::int64_t ms) { return ms >= spec.from_ms && ms < spec.to_ms; };
  switch (spec.range) {
    case TraceScan::Range::kFilingTime: return true;
    case TraceScan::Range::kReceived:
      return std::any_of(trace.updates_ms.begin(), trace.updates_ms.end(), inside);
    case TraceScan::Range::kSegmentEnd:
      return std::any_of(trace.entities.begin(), trace.entities.end(), [&](const Entity& e) {
        return e.kind == EntityKind::kSegment && !e.in_progress && inside(e.end_us / 1000);
      });
  }
  return false;
}

bool row_passes(const RunColumns::Row& row, const TraceScan& spec) {
  if ((row.flags & spec.flags_set) != spec.flags_set || (row.flags & spec.flags_clear) != 0)
    return false;
  if (spec.response_ms_min && row.response_ms < *spec.response_ms_min) return false;
  if (spec.response_ms_max && (row.response_ms < 0 || row.response_ms > *spec.response_ms_max))
    return false;
  if (spec.duration_ms_min && row.duration_ms < *spec.duration_ms_min) return false;
  return !(spec.duration_ms_max && row.duration_ms > *spec.duration_ms_max);
}

bool comes_after(const RunColumns::Row& row, const TraceScan& spec) {
  return !spec.after || TracePosition{row.start_us, row.id_low} < *spec.after;
}

class Engine final : public TraceStore {
 public:
  Engine(Options options, Wal& wal, const Clock& clock)
      : options_(std::move(options)), wal_(wal), clock_(clock) {}
  Status start();

  std::string_view name() const override { return "traces"; }
  std::optional<Timestamp> next_due(Timestamp now) override;
  void tick(Timestamp now) override;

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
  void settle_labels(const TraceScope& scope) override;
  Status erase(std::string_view account, std::string_view region) override;
  std::vector<TraceScope> scopes() const override;
  Status seal_all() override;
  Stats stats() const override;

 private:
  struct Catalogue {
    Database database;
    std::map<TraceScope, std::uint64_t> numbers;
    std::map<std::uint64_t, TraceScope> scopes;
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
  std::optional<Whole> whole(const HeadKey& key, const TraceScope& scope);
  std::vector<std::pair<HeadKey, Whole>> whole_head(std::uint64_t number, const TraceScope& scope);
  std::shared_ptr<const Trace> assemble(TraceId id, const Documents& documents,
                                        std::vector<std::int64_t> updates, std::uint32_t revision,
                                        bool limit_exceeded, const TraceScope& scope);
  LinkResolver resolver(const TraceScope& scope);
  Status seal(std::vector<HeadKey> keys);
  Status seal_group(std::uint64_t number, std::int64_t day,
                    std::vector<std::pair<HeadKey, Whole>>& group);
  void report_applied();
  void drop_old_days(Timestamp now);
  void drop_erased_scopes();
  Status add_partial(std::uint64_t number, const TraceScope& scope, Graph::Span span,
                     std::uint64_t label, const std::set<TraceId>& skip, Graph& sum);

  const Options options_;
  Wal& wal_;
  const Clock& clock_;
  Labeller labeller_;
  Guarded<Head> head_;
  mutable Guarded<Catalogue> catalogue_;
  Guarded<Days> days_;
  std::shared_mutex gate_;
  std::mutex sealing_;  // one sealing at a time
  Shelf<DocumentParser> parsers_;
  Shelf<TraceAssembler> assemblers_;
  Lsn replay_from_ = 0;  // records at or below were applied before the last stop
  std::atomic<Lsn> sealed_since_report_{0};
  std::atomic<bool> scopes_erased_{true};  // buckets may hold erased scopes: look once after start
  std::atomic<std::int64_t> retention_day_{std::numeric_limits<std::int64_t>::min()};
  std::atomic<std::uint64_t> accepted_{0}, rejected_{0}, sealed_{0}, damaged_blocks_{0},
      damaged_files_{0}, expired_{0};
};

// --- opening, scopes, days ---------------------------------------------------------------------

Status Engine::start() {
  auto catalogue = catalogue_.lock();
  std::filesystem::path file;
  if (!options_.folder.empty()) {
    std::error_code failed;
    std::filesystem::create_directories(options_.folder, failed);
    if (failed) return Error::internal("can't create the folder of traces: " + failed.message());
    file = options_.folder / "catalogue.db";
    auto days = days_.lock();
    for (const auto& entry : std::filesystem::directory_iterator(options_.folder, failed))
      if (const auto day = day_of_name(entry.path().filename().string())) days->open[*day] = nullptr;
  }
  Database::Options database;
  database.synchronous_full = options_.strict;
  TRY(catalogue->database, Database::open(file, database));
  auto& db = catalogue->database;
  TRYV(db.execute("CREATE TABLE IF NOT EXISTS scope(id INTEGER PRIMARY KEY AUTOINCREMENT,"
                  " account TEXT, region TEXT, UNIQUE(account, region));"
                  "CREATE TABLE IF NOT EXISTS state(key TEXT PRIMARY KEY, value INTEGER)"
                  " WITHOUT ROWID;"));
  TRY(auto query, db.prepare("SELECT id, account, region FROM scope"));
  while (true) {
    TRY(const bool found, query.step());
    if (!found) break;
    const auto number = static_cast<std::uint64_t>(query.integer(0));
    TraceScope scope{std::string(query.text(1)), std::string(query.text(2))};
    catalogue->numbers[scope] = number;
    catalogue->scopes[number] = std::move(scope);
  }
  TRY(auto applied, db.prepare("SELECT value FROM state WHERE key='applied'"));
  TRY(const bool found, applied.step());
  if (found) replay_from_ = static_cast<Lsn>(applied.integer(0));
  wal_.set_applied(StoreId::kTraces, replay_from_);
  return Ok{};
}

std::optional<std::uint64_t> Engine::scope_number(const TraceScope& scope) const {
  auto catalogue = catalogue_.lock_shared();
  const auto found = catalogue->numbers.find(scope);
  if (found == catalogue->numbers.end()) return std::nullopt;
  return found->second;
}

Result<std::uint64_t> Engine::scope_number_or_new(const TraceScope& scope) {
  if (const auto known = scope_number(scope)) return *known;
  auto catalogue = catalogue_.lock();
  if (const auto known = catalogue->numbers.find(scope); known != catalogue->numbers.end())
    return known->second;
  TRY(auto insert,
      catalogue->database.prepare("INSERT INTO scope(account, region) VALUES(?,?) RETURNING id"));
  insert.bind(1, std::string_view(scope.account)).bind(2, std::string_view(scope.region));
  TRY(const bool found, insert.step());
  if (!found) return Error::internal("no number for a new scope");
  const auto number = static_cast<std::uint64_t>(insert.integer(0));
  TRY(const bool more, insert.step());  // to the end, so that the row is committed
  FOG_ASSERT(!more, "one row was inserted");
  insert.reset();
  catalogue->numbers[scope] = number;
  catalogue->scopes[number] = scope;
  return number;
}

std::shared_ptr<Bucket> Engine::bucket(std::int64_t day, bool create) {
  auto days = days_.lock();
  const auto known = days->open.find(day);
  if (known == days->open.end() && !create) return nullptr;
  if (known != days->open.end() && known->second) return known->second;
  std::filesystem::path file;
  if (!options_.folder.empty()) file = options_.folder / day_name(day);
  auto opened = Bucket::open(file, options_.strict);
  if (!opened.ok() && !file.empty() && std::filesystem::exists(file)) {
    // Set aside, so that new traces of that day still find a place.
    LOG_ERROR("traces: {} is damaged ({}); kept as {}.damaged", file.string(),
              opened.error().message(), file.filename().string());
    ++damaged_files_;
    std::error_code ignored;
    for (const char* suffix : {"", "-wal", "-shm"})
      std::filesystem::rename(file.string() + suffix, file.string() + suffix + ".damaged", ignored);
    days->open.erase(day);
    if (!create) return nullptr;
    opened = Bucket::open(file, options_.strict);
  }
  if (!opened.ok()) {
    LOG_ERROR("traces: can't open {}: {}", file.string(), opened.error().message());
    return nullptr;
  }
  return days->open[day] = std::move(*opened);
}

std::vector<std::pair<std::int64_t, std::shared_ptr<Bucket>>> Engine::buckets(
    std::int64_t from_day, std::int64_t to_day) {
  std::vector<std::int64_t> wanted;
  {
    auto days = days_.lock();
    for (const auto& [day, open] : days->open)
      if (day >= from_day && day <= to_day) wanted.push_back(day);
  }
  std::vector<std::pair<std::int64_t, std::shared_ptr<Bucket>>> found;
  for (const auto day : wanted)
    if (auto one = bucket(day, false)) found.emplace_back(day, std::move(one));
  return found;
}

// --- writing -----------------------------------------------------------------------------------

void Engine::insert(Head& head, std::uint64_t scope, Lsn lsn, std::int64_t received_ms,
                    std::vector<DocumentHead>& heads, std::span<const std::string_view> texts,
                    std::span<const std::size_t> text_of) {
  for (std::size_t i = 0; i < heads.size(); ++i) {
    auto& in = heads[i];
    auto& trace = head.traces[{scope, in.trace}];
    if (trace.first_lsn == 0) trace.first_lsn = lsn;
    trace.last_lsn = lsn;
    trace.touched_ms = received_ms;
    trace.version = head.next_version++;
    trace.built = nullptr;
    // An array document is one update of each trace it touches.
    if (i == 0 || text_of[i] != text_of[i - 1] || heads[i - 1].trace != in.trace)
      trace.updates.push_back({lsn, received_ms});
    head.oldest_touch_ms = std::min(head.oldest_touch_ms, received_ms);
    const std::size_t size = in.text.empty() ? texts[text_of[i]].size() : in.text.size();
    if (options_.trace_bytes_max > 0 && trace.bytes + size > options_.trace_bytes_max) {
      trace.limit_exceeded = true;
      continue;
    }
    auto document = std::make_shared<StoredDocument>();
    document->id = in.id;
    document->subsegment = in.subsegment;
    document->complete = in.complete;
    document->start_us = in.start_us;
    document->received_ms = received_ms;
    document->lsn = lsn;
    if (in.text.empty()) document->text = texts[text_of[i]];
    else document->text = std::move(in.text);
    if (!merge_document(trace.documents, std::move(document))) continue;
    trace.bytes += size + kDocumentOverheadBytes;
    head.bytes += size + kDocumentOverheadBytes;
  }
}

TraceStore::Receipt Engine::append(const TraceScope& scope,
                                   std::span<const std::string_view> documents) {
  Receipt receipt;
  const auto now = clock_.now();
  std::vector<DocumentHead> heads;
  std::vector<std::size_t> text_of;
  std::string record(1, kRecordVersion);
  ByteWriter out(record);
  out.zigzag(to_ms(now));
  std::string body;
  ByteWriter texts(body);
  std::size_t accepted = 0;
  auto parser = parsers_.take();
  for (std::size_t i = 0; i < documents.size(); ++i) {
    receipt.verdicts.push_back(
        parser->parse(documents[i], options_.limits, to_ms(now) / 1000, heads));
    text_of.resize(heads.size(), i);
    if (receipt.verdicts.back().fault != DocumentFault::kNone) continue;
    texts.text(documents[i]);
    ++accepted;
  }
  parsers_.give_back(std::move(parser));
  accepted_ += accepted;
  rejected_ += documents.size() - accepted;
  if (accepted == 0) return receipt;
  out.varint(accepted);
  out.raw(body);
  const auto number = scope_number_or_new(scope);
  if (!number.ok()) {
    // Nothing was stored: the caller reports it as "try again".
    receipt.verdicts.clear();
    return receipt;
  }
  bool overfull = false;
  {
    auto head = head_.lock();
    receipt.lsn = wal_.append(StoreId::kTraces, *number, record);
    insert(*head, *number, receipt.lsn, to_ms(now), heads, documents, text_of);
    overfull = head->bytes > 2 * options_.head_bytes_max;
  }
  if (overfull) tick(now);  // whoever writes faster than sealing keeps up helps sealing
  return receipt;
}

void Engine::apply_record(const Wal::Record& record) {
  if (record.store != StoreId::kTraces || record.lsn <= replay_from_) return;
  {
    auto catalogue = catalogue_.lock_shared();
    if (!catalogue->scopes.contains(record.id)) return;  // erased since
  }
  ByteReader in(record.payload);
  if (in.fixed<char>() != kRecordVersion) return;
  const auto received_ms = in.zigzag();
  std::vector<std::string_view> texts;
  for (auto n = in.varint(); n > 0 && in.ok(); --n) texts.push_back(in.text());
  if (!in.ok()) return;
  std::vector<DocumentHead> heads;
  std::vector<std::size_t> text_of;
  auto parser = parsers_.take();
  DocumentLimits limits;  // accepted once: only what merging needs is read again
  limits.document_bytes_max = SIZE_MAX;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    (void)parser->parse(texts[i], limits, 0, heads);
    text_of.resize(heads.size(), i);
  }
  parsers_.give_back(std::move(parser));
  accepted_ += texts.size();
  auto head = head_.lock();
  insert(*head, record.id, record.lsn, received_ms, heads, texts, text_of);
}

// --- one trace ---------------------------------------------------------------------------------

std::shared_ptr<const Trace> Engine::assemble(TraceId id, const Documents& documents,
                                              std::vector<std::int64_t> updates,
                                              std::uint32_t revision, bool limit_exceeded,
                                              const TraceScope& scope) {
  auto assembler = assemblers_.take();
  auto trace = std::make_shared<Trace>(
      assembler->assemble(id, documents, std::move(updates), revision));
  assemblers_.give_back(std::move(assembler));
  trace->limit_exceeded = limit_exceeded;
  if (labeller_) trace->labels = labeller_(scope, *trace);
  return trace;
}

std::shared_ptr<const Base> Engine::find_base(std::uint64_t scope, TraceId id,
                                              std::int64_t start_us) {
  const std::int64_t start_day = floor_div(start_us, kDayMs * 1000);
  const std::int64_t id_day = id.epoch_s() * 1000 / kDayMs;
  std::vector<std::int64_t> days{id_day};
  for (const auto day : {start_day, start_day - 1, start_day + 1})
    if (day != id_day) days.push_back(day);
  for (const auto day : days) {
    const auto where = bucket(day, false);
    if (!where) continue;
    auto found = where->find(scope, id);
    if (!found.ok() || !*found) continue;
    auto facts = where->facts((*found)->place);
    auto documents = where->documents((*found)->place);
    if (!facts.ok() || !documents.ok()) continue;  // damaged: what comes now stands alone
    auto base = std::make_shared<Base>();
    base->day = day;
    base->place = (*found)->place;
    base->last_lsn = (*found)->last_lsn;
    base->documents = std::move(*documents);
    base->trace = std::make_shared<const Trace>(std::move(*facts));
    return base;
  }
  return nullptr;
}

std::optional<Whole> Engine::whole(const HeadKey& key, const TraceScope& scope) {
  Whole out;
  std::vector<Update> updates;
  Documents own;
  bool base_known = false;
  bool limit_exceeded = false;
  {
    auto head = head_.lock_shared();
    const auto found = head->traces.find(key);
    if (found == head->traces.end()) return std::nullopt;
    const HeadTrace& trace = found->second;
    own = trace.documents;
    updates = trace.updates;
    base_known = trace.base_known;
    limit_exceeded = trace.limit_exceeded;
    out.base = trace.base;
    out.trace = trace.built;
    out.last_lsn = trace.last_lsn;
    out.version = trace.version;
  }
  if (!base_known)
    out.base = find_base(key.scope, key.id, own.empty() ? 0 : own.front()->start_us);
  std::uint32_t revision = 0;
  std::vector<std::int64_t> times;
  if (out.base) {
    out.documents = out.base->documents;
    times = out.base->trace->updates_ms;
    revision = out.base->trace->revision;
  }
  const Lsn known = out.base ? out.base->last_lsn : 0;
  bool news = false;
  for (const auto& document : own)
    if (document->lsn > known) merge_document(out.documents, document);
  for (const auto& update : updates) {
    if (update.lsn <= known) continue;
    times.push_back(update.received_ms);
    ++revision;
    news = true;
  }
  out.redundant = !news;
  if (!out.trace)
    out.trace = assemble(key.id, out.documents, std::move(times), revision, limit_exceeded, scope);
  auto head = head_.lock();
  const auto found = head->traces.find(key);
  if (found != head->traces.end() && found->second.version == out.version &&
      !found->second.base_known) {
    found->second.base_known = true;
    found->second.base = out.base;
  }
  if (found != head->traces.end() && found->second.version == out.version)
    found->second.built = out.trace;
  return out;
}

std::vector<std::pair<HeadKey, Whole>> Engine::whole_head(std::uint64_t number,
                                                          const TraceScope& scope) {
  std::vector<HeadKey> keys;
  {
    auto head = head_.lock_shared();
    for (const auto& [key, trace] : head->traces)
      if (key.scope == number) keys.push_back(key);
  }
  std::vector<std::pair<HeadKey, Whole>> all;
  all.reserve(keys.size());
  for (const auto& key : keys)
    if (auto one = whole(key, scope); one && !one->redundant) all.emplace_back(key, std::move(*one));
  return all;
}

std::optional<TraceStore::TraceDocuments> Engine::documents(const TraceScope& scope, TraceId id) {
  const auto number = scope_number(scope);
  if (!number) return std::nullopt;
  if (auto one = whole({*number, id}, scope))
    return TraceDocuments{std::move(one->trace), std::move(one->documents)};
  // The day in the id first; an id from elsewhere may lie in any.
  const std::int64_t id_day = id.epoch_s() * 1000 / kDayMs;
  auto all = buckets(id_day, id_day);
  for (auto& each : buckets(std::numeric_limits<std::int64_t>::min(),
                            std::numeric_limits<std::int64_t>::max()))
    if (each.first != id_day) all.push_back(std::move(each));
  for (const auto& [day, where] : all) {
    auto found = where->find(*number, id);
    if (!found.ok() || !*found) continue;
    auto facts = where->facts((*found)->place);
    auto documents = where->documents((*found)->place);
    if (!facts.ok() || !documents.ok()) return std::nullopt;
    return TraceDocuments{std::make_shared<const Trace>(std::move(*facts)), std::move(*documents)};
  }
  return std::nullopt;
}

LinkResolver Engine::resolver(const TraceScope& scope) {
  return [this, scope](TraceId id, std::uint64_t span) -> std::optional<LinkedSpan> {
    const auto stored = documents(scope, id);
    if (!stored) return std::nullopt;
    const auto trace = assemble(id, stored->documents, {}, 0, false, scope);
    for (const auto& e : trace->entities) {
      if (e.id != span || e.segment < 0) continue;
      const auto& owner = trace->at(e.segment);
      return LinkedSpan{{std::string(owner.node_name), std::string(owner.node_type),
                         std::string(owner.account)},
                        item_time_us(e)};
    }
    return std::nullopt;
  };
}

// --- scans -------------------------------------------------------------------------------------

Result<TraceStore::ScanTotals> Engine::scan(const TraceScope& scope, const TraceScan& spec,
                                            const Visitor& visit) {
  ScanTotals totals;
  const auto number = scope_number(scope);
  if (!number) return totals;

  struct Candidate {
    TracePosition position;
    std::uint32_t bucket = 0;  // index into `days`; the head is kHead
    std::uint32_t ordinal = 0;
    std::int64_t run = 0;  // of the head: index into `fresh`
    bool operator<(const Candidate& other) const { return position < other.position; }
  };
  constexpr std::uint32_t kHead = UINT32_MAX;
  std::vector<Candidate> candidates;

  // The head first: what is sealed meanwhile is then found twice, and skipped once.
  const auto fresh = whole_head(*number, scope);
  std::set<TraceId> in_head;
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    const auto& trace = *fresh[i].second.trace;
    in_head.insert(trace.id);
    const auto row = RunColumns::row_of(trace);
    if (!row_in_range(row, spec) || !comes_after(row, spec) || !trace_in_range(trace, spec)) continue;
    ++totals.in_range;
    if (row_passes(row, spec))
      candidates.push_back({{row.start_us, row.id_low}, kHead, 0, static_cast<std::int64_t>(i)});
  }

  std::int64_t from_day = std::numeric_limits<std::int64_t>::min();
  std::int64_t to_day = std::numeric_limits<std::int64_t>::max();
  if (spec.range == TraceScan::Range::kFilingTime) {
    // A trace that came back to its first day may be filed a day from where its time says.
    from_day = floor_div(spec.from_ms, kDayMs) - 1;
    to_day = floor_div(spec.to_ms, kDayMs) + 1;
  }
  const auto days = buckets(from_day, to_day);
  for (std::uint32_t b = 0; b < days.size(); ++b) {
    auto& where = *days[b].second;
    auto runs = where.runs(*number);
    if (!runs.ok()) {
      ++damaged_blocks_;
      continue;
    }
    // Postings of the whole day, one list of runs for each clause.
    std::vector<std::unordered_map<std::int64_t, std::vector<std::uint32_t>>> clauses;
    for (const auto& clause : spec.terms) {
      auto& sum = clauses.emplace_back();
      for (const auto term : clause) {
        auto places = where.postings(*number, term);
        if (!places.ok()) return std::move(places).error();
        for (auto& [run, ordinals] : *places) {
          auto& list = sum[run];
          list.insert(list.end(), ordinals.begin(), ordinals.end());
        }
      }
    }
    for (const auto& info : *runs) {
      bool overlaps = false;
      switch (spec.range) {
        case TraceScan::Range::kFilingTime:
          overlaps = info.time_max_s * 1000 >= spec.from_ms && info.time_min_s * 1000 < spec.to_ms;
          break;
        case TraceScan::Range::kReceived:
          overlaps = info.received_max_ms >= spec.from_ms && info.received_min_ms < spec.to_ms;
          break;
        case TraceScan::Range::kSegmentEnd:
          overlaps = info.end_max_ms >= spec.from_ms && info.end_min_ms < spec.to_ms;
          break;
      }
      if (!overlaps) continue;
      auto columns = where.columns(info.run);
      if (!columns.ok()) {
        ++damaged_blocks_;
        continue;
      }
      const auto& rows = (*columns)->rows;
      std::vector<std::uint8_t> hits;
      if (!clauses.empty()) {
        hits.assign(rows.size(), 0);
        for (std::size_t c = 0; c < clauses.size(); ++c) {
          const auto list = clauses[c].find(info.run);
          if (list == clauses[c].end()) continue;
          for (const auto ordinal : list->second)
            if (ordinal < hits.size() && hits[ordinal] == std::min<std::size_t>(c, 255))
              hits[ordinal] = static_cast<std::uint8_t>(std::min<std::size_t>(c + 1, 255));
        }
      }
      const auto wanted = static_cast<std::uint8_t>(std::min<std::size_t>(clauses.size(), 255));
      for (std::uint32_t ordinal = 0; ordinal < rows.size(); ++ordinal) {
        const auto& row = rows[ordinal];
        if ((*columns)->dead[ordinal] || !row_in_range(row, spec) || !comes_after(row, spec))
          continue;
        ++totals.in_range;
        if (!clauses.empty() && hits[ordinal] != wanted) continue;
        if (row_passes(row, spec))
          candidates.push_back({{row.start_us, row.id_low}, b, ordinal, info.run});
      }
    }
  }

  // Newest first, no more of them sorted than are looked at.
  std::make_heap(candidates.begin(), candidates.end());
  while (!candidates.empty()) {
    std::pop_heap(candidates.begin(), candidates.end());
    const auto next = candidates.back();
    candidates.pop_back();
    std::shared_ptr<const Trace> trace;
    if (next.bucket == kHead) {
      trace = fresh[static_cast<std::size_t>(next.run)].second.trace;
    } else {
      auto facts = days[next.bucket].second->facts({next.run, next.ordinal});
      if (!facts.ok()) {
        ++damaged_blocks_;
        continue;
      }
      if (!in_head.empty() && in_head.contains(facts->id)) continue;
      if (!trace_in_range(*facts, spec)) {
        --totals.in_range;
        continue;
      }
      trace = std::make_shared<const Trace>(std::move(*facts));
    }
    if (!visit(trace)) break;
  }
  return totals;
}

// --- graphs ------------------------------------------------------------------------------------

namespace {

bool has_label(const Trace& trace, std::uint64_t label) {
  return label == 0 ||
         std::find(trace.labels.begin(), trace.labels.end(), label) != trace.labels.end();
}

constexpr std::int64_t kMinuteUs = 60'000'000;

}  // namespace

Result<std::map<std::int64_t, Graph>> Engine::minutes(const TraceScope& scope, Timestamp from,
                                                      Timestamp to, std::uint64_t label) {
  std::map<std::int64_t, Graph> sum;
  const auto number = scope_number(scope);
  if (!number) return sum;
  const std::int64_t first = floor_div(to_ms(from), 60'000);
  const std::int64_t last = floor_div(to_ms(to) + 59'999, 60'000);
  const auto resolve = resolver(scope);
  const std::shared_lock gate(gate_);
  for (const auto& [key, one] : whole_head(*number, scope)) {
    if (has_label(*one.trace, label)) add_by_minute(sum, *one.trace, 1, &resolve);
    if (one.base && has_label(*one.base->trace, label))
      add_by_minute(sum, *one.base->trace, -1, &resolve);
  }
  std::erase_if(sum, [&](const auto& each) { return each.first < first || each.first >= last; });
  for (const auto& [day, where] :
       buckets(floor_div(first, 1440) - 1, floor_div(last, 1440) + 1)) {
    if (auto added = where->minutes(*number, first, last, label, sum); !added.ok())
      ++damaged_blocks_;
  }
  return sum;
}

// Items of a part of a minute: from the traces themselves.
Status Engine::add_partial(std::uint64_t number, const TraceScope& scope, Graph::Span span,
                           std::uint64_t label, const std::set<TraceId>& skip, Graph& sum) {
  const auto resolve = resolver(scope);
  for (const auto& [day, where] : buckets(floor_div(span.from_us, kDayMs * 1000) - 1,
                                          floor_div(span.to_us, kDayMs * 1000) + 1)) {
    TRY(const auto runs, where->runs(number));
    for (const auto& info : runs) {
      auto columns = where->columns(info.run);
      if (!columns.ok()) {
        ++damaged_blocks_;
        continue;
      }
      const auto& rows = (*columns)->rows;
      for (std::uint32_t ordinal = 0; ordinal < rows.size(); ++ordinal) {
        const auto& row = rows[ordinal];
        if ((*columns)->dead[ordinal] || row.start_us >= span.to_us ||
            row.last_time_us < span.from_us)
          continue;
        auto facts = where->facts({info.run, ordinal});
        if (!facts.ok()) {
          ++damaged_blocks_;
          continue;
        }
        if (skip.contains(facts->id) || !has_label(*facts, label)) continue;
        sum.add(*facts, 1, span, &resolve);
      }
    }
  }
  return Ok{};
}

Result<Graph> Engine::graph(const TraceScope& scope, Timestamp from, Timestamp to,
                            std::uint64_t label) {
  Graph sum;
  const auto number = scope_number(scope);
  if (!number || from >= to) return sum;
  const Graph::Span all{to_ms(from) * 1000, to_ms(to) * 1000};
  // Whole minutes from their sums, what sticks out on both sides from the traces.
  const std::int64_t first = floor_div(all.from_us + kMinuteUs - 1, kMinuteUs);
  const std::int64_t last = floor_div(all.to_us, kMinuteUs);
  const bool whole_minutes = first < last;
  std::vector<Graph::Span> parts;
  if (!whole_minutes) {
    parts.push_back(all);
  } else {
    if (all.from_us < first * kMinuteUs) parts.push_back({all.from_us, first * kMinuteUs});
    if (last * kMinuteUs < all.to_us) parts.push_back({last * kMinuteUs, all.to_us});
  }

  const auto resolve = resolver(scope);
  const std::shared_lock gate(gate_);
  std::set<TraceId> in_head;
  for (const auto& [key, one] : whole_head(*number, scope)) {
    in_head.insert(key.id);
    if (has_label(*one.trace, label)) sum.add(*one.trace, 1, all, &resolve);
    if (one.base && whole_minutes && has_label(*one.base->trace, label))
      sum.add(*one.base->trace, -1, {first * kMinuteUs, last * kMinuteUs}, &resolve);
  }
  if (whole_minutes) {
    for (const auto& [day, where] :
         buckets(floor_div(first, 1440) - 1, floor_div(last, 1440) + 1)) {
      if (auto added = where->graph(*number, first, last, label, sum); !added.ok())
        ++damaged_blocks_;
    }
  }
  for (const auto& part : parts) TRYV(add_partial(*number, scope, part, label, in_head, sum));
  return sum;
}

// --- sealing -----------------------------------------------------------------------------------

std::optional<Timestamp> Engine::next_due(Timestamp now) {
  const std::int64_t midnight = (floor_div(to_ms(now), kDayMs) + 1) * kDayMs;
  if (retention_day_ != midnight / kDayMs - 1 || scopes_erased_) return now;
  auto head = head_.lock_shared();
  if (head->bytes > options_.head_bytes_max) return now;
  if (head->traces.empty()) return from_ms(midnight);
  const auto wait = head->traces.size() >= options_.seal_traces_min ? options_.seal_idle
                                                                    : options_.seal_idle_max;
  return std::max(now, from_ms(std::min(midnight, head->oldest_touch_ms + wait.count())));
}

void Engine::tick(Timestamp now) {
  drop_old_days(now);
  drop_erased_scopes();
  std::vector<HeadKey> ready;
  {
    auto head = head_.lock();
    std::vector<std::pair<std::int64_t, HeadKey>> idle;
    std::int64_t oldest = std::numeric_limits<std::int64_t>::max();
    const bool too_large = head->bytes > options_.head_bytes_max;
    const std::int64_t quiet_ms = to_ms(now) - options_.seal_idle.count();
    for (const auto& [key, trace] : head->traces) {
      oldest = std::min(oldest, trace.touched_ms);
      // A clock that was set back must not keep traces in memory for ever.
      if (too_large || trace.touched_ms <= quiet_ms || trace.touched_ms > to_ms(now))
        idle.emplace_back(trace.touched_ms, key);
    }
    head->oldest_touch_ms = oldest;
    std::sort(idle.begin(), idle.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    if (too_large) {
      std::size_t left = head->bytes;
      for (const auto& [touched, key] : idle) {
        if (left <= options_.head_bytes_max / 2 && touched > quiet_ms) break;
        left -= std::min(left, head->traces[key].bytes);
        ready.push_back(key);
      }
    } else {
      const bool many = idle.size() >= options_.seal_traces_min;
      const std::int64_t overdue_ms = to_ms(now) - options_.seal_idle_max.count();
      const bool overdue = !idle.empty() && idle.front().first <= overdue_ms;
      if (many || overdue)
        for (const auto& [touched, key] : idle) ready.push_back(key);
    }
  }
  if (auto sealed = seal(std::move(ready)); !sealed.ok())
    LOG_ERROR("traces: sealing failed, will be tried again: {}", sealed.error().message());
  report_applied();
}

Status Engine::seal_all() {
  std::vector<HeadKey> keys;
  {
    auto head = head_.lock_shared();
    for (const auto& [key, trace] : head->traces) keys.push_back(key);
  }
  TRYV(seal(std::move(keys)));
  report_applied();
  return Ok{};
}

Status Engine::seal(std::vector<HeadKey> keys) {
  if (keys.empty()) return Ok{};
  const std::lock_guard one_at_a_time(sealing_);
  std::sort(keys.begin(), keys.end(), [](const HeadKey& a, const HeadKey& b) {
    return std::pair(a.scope, a.id) < std::pair(b.scope, b.id);
  });
  std::map<std::pair<std::uint64_t, std::int64_t>, std::vector<std::pair<HeadKey, Whole>>> groups;
  const auto flush = [&](std::size_t at_least) -> Status {
    for (auto& [where, group] : groups) {
      if (group.size() < at_least || group.empty()) continue;
      TRYV(seal_group(where.first, where.second, group));
      group.clear();
    }
    return Ok{};
  };
  for (const auto& key : keys) {
    std::optional<TraceScope> scope;
    {
      auto catalogue = catalogue_.lock_shared();
      const auto known = catalogue->scopes.find(key.scope);
      if (known != catalogue->scopes.end()) scope = known->second;
    }
    auto one = scope ? whole(key, *scope) : std::nullopt;
    if (!one || one->redundant || one->trace->entities.empty()) {
      auto head = head_.lock();
      const auto found = head->traces.find(key);
      if (found == head->traces.end() || (one && found->second.version != one->version)) continue;
      head->bytes -= std::min(head->bytes, found->second.bytes);
      head->traces.erase(found);
      continue;
    }
    const auto day = one->base ? one->base->day : floor_div(one->trace->time_s() * 1000, kDayMs);
    groups[{key.scope, day}].emplace_back(key, std::move(*one));
    TRYV(flush(kRunTracesMax));
  }
  return flush(1);
}

Status Engine::seal_group(std::uint64_t number, std::int64_t day,
                          std::vector<std::pair<HeadKey, Whole>>& group) {
  TraceScope scope;
  {
    auto catalogue = catalogue_.lock_shared();
    const auto known = catalogue->scopes.find(number);
    if (known == catalogue->scopes.end()) return Ok{};
    scope = known->second;
  }
  std::sort(group.begin(), group.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second.trace->start_us, a.second.trace->id.lo) <
           std::pair(b.second.trace->start_us, b.second.trace->id.lo);
  });
  std::vector<SealItem> items;
  items.reserve(group.size());
  for (const auto& [key, one] : group) {
    SealItem item;
    item.trace = one.trace;
    item.documents = one.documents;
    item.last_lsn = one.last_lsn;
    if (one.base) {
      item.replaces = one.base->place;
      item.replaced = one.base->trace;
    }
    items.push_back(std::move(item));
  }
  const auto where = bucket(day, true);
  if (!where) return Error::busy("the file of a day can't be opened");
  const auto plan = plan_seal(items, resolver(scope));

  const std::unique_lock gate(gate_);
  TRYV(where->seal(number, plan));
  sealed_ += group.size();
  auto head = head_.lock();
  for (const auto& [key, one] : group) {
    const auto found = head->traces.find(key);
    if (found == head->traces.end()) continue;
    auto& trace = found->second;
    if (trace.version == one.version) {
      head->bytes -= std::min(head->bytes, trace.bytes);
      head->traces.erase(found);
      continue;
    }
    // It grew meanwhile: what was sealed is its base now.
    std::erase_if(trace.documents, [&](const auto& d) { return d->lsn <= one.last_lsn; });
    std::erase_if(trace.updates, [&](const auto& u) { return u.lsn <= one.last_lsn; });
    trace.first_lsn = trace.updates.empty() ? trace.last_lsn : trace.updates.front().lsn;
    trace.base_known = false;
    trace.base = nullptr;
    trace.built = nullptr;
  }
  return Ok{};
}

// Everything before the oldest document in the head is safe in the buckets.
void Engine::report_applied() {
  Lsn applied = 0;
  {
    auto head = head_.lock();
    applied = wal_.last_lsn();
    for (const auto& [key, trace] : head->traces)
      applied = std::min(applied, trace.first_lsn - 1);
  }
  const auto sealed = sealed_.load();
  if (sealed_since_report_.exchange(sealed) != sealed) {
    auto catalogue = catalogue_.lock();
    auto save = catalogue->database.prepare("INSERT OR REPLACE INTO state VALUES('applied', ?)");
    if (!save.ok() || !save->bind(1, static_cast<std::int64_t>(applied)).run().ok()) return;
  }
  wal_.set_applied(StoreId::kTraces, applied);
}

// --- retention, erasing ------------------------------------------------------------------------

void Engine::drop_old_days(Timestamp now) {
  const std::int64_t today = floor_div(to_ms(now), kDayMs);
  if (retention_day_.exchange(today) == today) return;
  const std::int64_t oldest = today - options_.retention.count();
  auto days = days_.lock();
  for (auto it = days->open.begin(); it != days->open.end() && it->first < oldest;) {
    // Readers that hold the bucket finish on the open file.
    if (!options_.folder.empty()) {
      std::error_code ignored;
      const auto file = (options_.folder / day_name(it->first)).string();
      for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file + suffix, ignored);
    }
    ++expired_;
    it = days->open.erase(it);
  }
}

void Engine::drop_erased_scopes() {
  if (!scopes_erased_.exchange(false)) return;
  std::unordered_set<std::uint64_t> kept;
  {
    auto catalogue = catalogue_.lock_shared();
    for (const auto& [number, scope] : catalogue->scopes) kept.insert(number);
  }
  for (const auto& [day, where] : buckets(std::numeric_limits<std::int64_t>::min(),
                                          std::numeric_limits<std::int64_t>::max()))
    if (auto done = where->keep_scopes(kept); !done.ok())
      LOG_WARN("traces: erased data stays on disk: {}", done.error().message());
}

Status Engine::erase(std::string_view account, std::string_view region) {
  std::unordered_set<std::uint64_t> gone;
  {
    auto catalogue = catalogue_.lock();
    TRY(auto remove, catalogue->database.prepare("DELETE FROM scope WHERE id=?"));
    for (auto it = catalogue->scopes.begin(); it != catalogue->scopes.end();) {
      const bool hit = (account.empty() || it->second.account == account) &&
                       (region.empty() || it->second.region == region);
      if (!hit) {
        ++it;
        continue;
      }
      TRYV(remove.bind(1, static_cast<std::int64_t>(it->first)).run());
      gone.insert(it->first);
      catalogue->numbers.erase(it->second);
      it = catalogue->scopes.erase(it);
    }
  }
  auto head = head_.lock();
  for (auto it = head->traces.begin(); it != head->traces.end();) {
    if (!gone.contains(it->first.scope)) {
      ++it;
      continue;
    }
    head->bytes -= std::min(head->bytes, it->second.bytes);
    it = head->traces.erase(it);
  }
  if (!gone.empty()) scopes_erased_ = true;
  return Ok{};
}

void Engine::settle_labels(const TraceScope& scope) {
  if (const auto number = scope_number(scope)) (void)whole_head(*number, scope);
}

std::vector<TraceScope> Engine::scopes() const {
  auto catalogue = catalogue_.lock_shared();
  std::vector<TraceScope> all;
  for (const auto& [scope, number] : catalogue->numbers) all.push_back(scope);
  return all;
}

TraceStore::Stats Engine::stats() const {
  Stats out;
  {
    auto head = head_.lock_shared();
    out.head_traces = head->traces.size();
    out.head_bytes = head->bytes;
  }
  out.documents_accepted = accepted_;
  out.documents_rejected = rejected_;
  out.traces_sealed = sealed_;
  out.damaged_blocks = damaged_blocks_;
  out.damaged_files = damaged_files_;
  out.traces_expired_days = expired_;
  return out;
}

}  // namespace

Result<std::unique_ptr<TraceStore>> TraceStore::open(Options options, Wal& wal, const Clock& clock) {
  auto engine = std::make_unique<Engine>(std::move(options), wal, clock);
  TRYV(engine->start());
  return std::unique_ptr<TraceStore>(std::move(engine));
}

}  // namespace fog
