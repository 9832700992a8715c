// Tables (all blobs but `scope`/`id` keys packed by pack_blob):
//   meta(key, value)                       format = 2
//   run(id, scope, traces, ranges..., columns)  one sealing; columns as RunColumns::encode
//   facts(run, block, data)                FactsBlock of ordinals [block * 128, + 128)
//   docs(run, first, data)                 documents of the ordinals from `first` to the next row
//                                          (see document_pack.cc)
//   trace(scope, id, run, ordinal, lsn)    id: 16 bytes, big-endian; lsn: last document included
//   term(scope, term, run, data)           ordinals as varint differences (not packed)
//   minute(scope, label, minute, data)     Graph::encode
//   dead(run, ordinal)                     replaced by a later run
#include "storage/traces/bucket.h"

#include <map>

#include "storage/base/bytes.h"
#include "storage/base/log.h"
#include "storage/trace_store.h"
#include "storage/traces/document_pack.h"
#include "storage/traces/terms.h"
#include "storage/traces/wrapping.h"

namespace fog::traces {

namespace {

constexpr std::int64_t kFormat = 2;
constexpr std::size_t kFactsBlockTraces = 128;
constexpr std::size_t kDocumentBlockBytes = 256 * 1024;
constexpr std::size_t kCachedBlocksMax = 24;
constexpr std::size_t kCachedColumnRowsMax = 300'000;  // about 25 MB

constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run(id INTEGER PRIMARY KEY, scope INTEGER, traces INTEGER,
  start_min INTEGER, start_max INTEGER, time_min INTEGER, time_max INTEGER, received_min INTEGER, received_max INTEGER, end_min INTEGER, end_max INTEGER,
  columns BLOB);
CREATE INDEX IF NOT EXISTS run_scope ON run(scope);
CREATE TABLE IF NOT EXISTS facts(run INTEGER, block INTEGER, data BLOB, PRIMARY KEY(run, block));
CREATE TABLE IF NOT EXISTS docs(run INTEGER, first INTEGER, data BLOB, PRIMARY KEY(run, first));
CREATE TABLE IF NOT EXISTS trace(scope INTEGER, id BLOB, run INTEGER, ordinal INTEGER,
  lsn INTEGER, PRIMARY KEY(scope, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS term(scope INTEGER, term INTEGER, run INTEGER, data BLOB,
  PRIMARY KEY(scope, term, run)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS minute(scope INTEGER, label INTEGER, minute INTEGER, data BLOB,
  PRIMARY KEY(scope, label, minute));
CREATE TABLE IF NOT EXISTS dead(run INTEGER, ordinal INTEGER, PRIMARY KEY(run, ordinal))
  WITHOUT ROWID;
INSERT OR IGNORE INTO meta VALUES('format', 2);
)";

std::string id_key(TraceId id) {
  std::string key(16, '\0');
  for (std::size_t i = 0; i < 8; ++i) {
    key[i] = static_cast<char>(id.hi >> (56 - 8 * i));
    key[8 + i] = static_cast<char>(id.lo >> (56 - 8 * i));
  }
  return key;
}

std::int64_t sql_int(std::uint64_t value) { return static_cast<std::int64_t>(value); }

}  // namespace

// --- columns -----------------------------------------------------------------------------------

RunColumns::Row RunColumns::row_of(const Trace& trace) {
  Row row;
  row.start_us = trace.start_us;
  row.id_low = trace.id.lo;
  row.time_s = trace.time_s();
  if (!trace.updates_ms.empty()) {
    row.first_received_ms =
        *std::min_element(trace.updates_ms.begin(), trace.updates_ms.end());
    row.last_received_ms = *std::max_element(trace.updates_ms.begin(), trace.updates_ms.end());
  }
  row.first_end_ms = std::numeric_limits<std::int64_t>::max();
  row.last_end_ms = std::numeric_limits<std::int64_t>::min();
  row.last_time_us = trace.end_us;
  for (const auto& e : trace.entities) {
    row.last_time_us = std::max(row.last_time_us, item_time_us(e));
    if (e.kind != EntityKind::kSegment || e.in_progress) continue;
    row.first_end_ms = std::min(row.first_end_ms, e.end_us / 1000);
    row.last_end_ms = std::max(row.last_end_ms, e.end_us / 1000);
  }
  row.response_ms = trace.response_ms().value_or(-1);
  row.duration_ms = trace.duration_ms();
  row.flags = trace_flags(trace);
  return row;
}

// Column after column: what varies alike compresses together.
std::string RunColumns::encode() const {
  std::string bytes;
  ByteWriter out(bytes);
  out.varint(rows.size());
  std::int64_t before = 0;
  for (const auto& r : rows) {
    out.zigzag(r.start_us - before);
    before = r.start_us;
  }
  for (const auto& r : rows) out.fixed(r.id_low);
  for (const auto& r : rows) out.zigzag(r.time_s - r.start_us / 1000000);
  for (const auto& r : rows) out.zigzag(r.response_ms);
  for (const auto& r : rows) out.zigzag(r.duration_ms);
  for (const auto& r : rows) out.fixed(r.flags);
  for (const auto& r : rows) out.zigzag(r.first_received_ms - r.start_us / 1000);
  for (const auto& r : rows) out.zigzag(r.last_received_ms - r.first_received_ms);
  for (const auto& r : rows) {
    const bool any = r.first_end_ms <= r.last_end_ms;
    out.zigzag(any ? r.first_end_ms - r.start_us / 1000 + 1 : 0);
    out.zigzag(any ? r.last_end_ms - r.first_end_ms : -1);
  }
  for (const auto& r : rows) out.zigzag(r.last_time_us - r.start_us);
  return bytes;
}

Result<RunColumns> RunColumns::decode(std::string_view bytes, bool whole) {
  ByteReader in(bytes);
  RunColumns columns;
  const auto n = in.varint();
  if (n > bytes.size()) return Error::corrupt("run columns: too many traces");
  columns.rows.resize(static_cast<std::size_t>(n));
  columns.dead.resize(columns.rows.size());
  std::int64_t before = 0;
  for (auto& r : columns.rows) r.start_us = before = wrapping_sum(before, in.zigzag());
  for (auto& r : columns.rows) r.id_low = in.fixed<std::uint64_t>();
  for (auto& r : columns.rows) r.time_s = wrapping_sum(r.start_us / 1000000, in.zigzag());
  for (auto& r : columns.rows) r.response_ms = in.zigzag();
  for (auto& r : columns.rows) r.duration_ms = in.zigzag();
  for (auto& r : columns.rows) r.flags = in.fixed<std::uint8_t>();
  columns.whole = whole;
  if (!whole) {
    if (!in.ok()) return Error::corrupt("run columns: wrong length");
    return columns;
  }
  for (auto& r : columns.rows) r.first_received_ms = wrapping_sum(r.start_us / 1000, in.zigzag());
  for (auto& r : columns.rows) r.last_received_ms = wrapping_sum(r.first_received_ms, in.zigzag());
  for (auto& r : columns.rows) {
    const auto first = in.zigzag();
    const auto length = in.zigzag();
    r.first_end_ms = length < 0 ? std::numeric_limits<std::int64_t>::max()
                                : wrapping_sum(r.start_us / 1000 - 1, first);
    r.last_end_ms = length < 0 ? std::numeric_limits<std::int64_t>::min() : wrapping_sum(r.first_end_ms, length);
  }
  for (auto& r : columns.rows) r.last_time_us = wrapping_sum(r.start_us, in.zigzag());
  if (!in.ok() || !in.at_end()) return Error::corrupt("run columns: wrong length");
  return columns;
}

// --- reading -----------------------------------------------------------------------------------

Result<std::unique_ptr<Bucket>> Bucket::open(const std::filesystem::path& file, bool strict) {
  std::unique_ptr<Bucket> bucket(new Bucket);
  Database::Options options;
  options.synchronous_full = strict;
  options.cache_bytes = 4 << 20;
  TRY(bucket->database_, Database::open(file, options));
  TRYV(bucket->prepare_schema());
  return bucket;
}

Status Bucket::prepare_schema() {
  TRYV(database_.execute(kSchema));
  TRY(auto query, database_.prepare("SELECT value FROM meta WHERE key='format'"));
  TRY(const bool found, query.step());
  if (!found || query.integer(0) != kFormat)
    return Error::corrupt("trace file of an unknown format version");
  return Ok{};
}

Result<std::optional<Bucket::Found>> Bucket::find(std::uint64_t scope, TraceId id) {
  const std::lock_guard lock(mutex_);
  if (!find_) {
    TRY(find_, database_.prepare("SELECT run, ordinal, lsn FROM trace WHERE scope=? AND id=?"));
  }
  auto& query = *find_;
  query.bind(1, sql_int(scope)).bind_blob(2, id_key(id));
  const auto step = query.step();
  std::optional<Found> found;
  if (step.ok() && *step)
    found = Found{{query.integer(0), static_cast<std::uint32_t>(query.integer(1))},
                  static_cast<std::uint64_t>(query.integer(2))};
  query.reset();
  if (!step.ok()) return step.error();
  return found;
}

// A blob of one run; `sql` selects (data, first ordinal) by run and number.
Result<std::string> Bucket::blob(const char* sql, std::int64_t run, std::int64_t block) {
  TRY(auto query, database_.prepare(sql));
  query.bind(1, run).bind(2, block);
  TRY(const bool found, query.step());
  auto raw = found ? unpack_blob(query.text(0))
                   : Result<std::string>(Error::corrupt("a block of stored traces is missing"));
  if (!raw.ok()) ++damaged_;
  return raw;
}

Result<std::vector<std::shared_ptr<const StoredDocument>>> Bucket::documents(Place place) {
  std::string block;
  std::int64_t first = 0;
  {
    const std::lock_guard lock(mutex_);
    TRY(auto query, database_.prepare("SELECT data, first FROM docs WHERE run=? AND first<=? ORDER BY "
                                      "first DESC LIMIT 1"));
    query.bind(1, place.run).bind(2, std::int64_t{place.ordinal});
    TRY(const bool found, query.step());
    if (!found) {
      ++damaged_;
      return Error::corrupt("the documents of a stored trace are missing");
    }
    block = query.text(0);
    first = query.integer(1);
  }
  TRY(auto unpacked, unpack(block, first, place.ordinal));
  std::vector<std::shared_ptr<const StoredDocument>> documents;
  for (auto& [ordinal, document] : unpacked) documents.push_back(std::move(document));
  return documents;
}

// With the ordinals of their traces. `wanted`: only of that one.
Result<std::vector<std::pair<std::int64_t, std::shared_ptr<const StoredDocument>>>> Bucket::unpack(
    std::string_view block, std::int64_t first, std::optional<std::uint32_t> wanted) {
  std::vector<std::pair<std::int64_t, std::shared_ptr<const StoredDocument>>> documents;
  DocumentParser parser;
  DocumentLimits limits;
  limits.document_bytes_max = SIZE_MAX;
  auto unpacked = unpack_documents(
      block, [&](std::size_t trace) { return !wanted || first + static_cast<std::int64_t>(trace) == *wanted; },
      [&](std::size_t trace, const PackedDocument& packed) {
        std::vector<DocumentHead> heads;
        const auto verdict = parser.parse(packed.text, limits, 0, heads);
        if (verdict.fault != DocumentFault::kNone || heads.size() != 1) return;
        auto document = std::make_shared<StoredDocument>();
        document->id = heads[0].id;
        document->subsegment = heads[0].subsegment;
        document->complete = heads[0].complete;
        document->start_us = heads[0].start_us;
        document->received_ms = packed.received_ms;
        document->lsn = packed.lsn;
        document->text = packed.text;
        documents.emplace_back(first + static_cast<std::int64_t>(trace), std::move(document));
      });
  if (unpacked.ok()) return documents;
  const std::lock_guard lock(mutex_);
  ++damaged_;
  return std::move(unpacked).error();
}

Result<std::vector<SealItem>> Bucket::read_run(std::uint64_t scope, std::int64_t run) {
  TRY(const auto all, columns(run, true));
  std::vector<SealItem> items;
  std::vector<std::int64_t> item_of(all->rows.size(), -1);
  for (std::uint32_t ordinal = 0; ordinal < all->rows.size(); ++ordinal) {
    if (all->dead[ordinal]) continue;
    TRY(auto trace, facts({run, ordinal}));
    TRY(const auto found, find(scope, trace.id));
    if (!found || found->place != Place{run, ordinal}) return Error::corrupt("a stored trace is not where the index says");
    item_of[ordinal] = static_cast<std::int64_t>(items.size());
    SealItem item;
    item.trace = std::make_shared<const Trace>(std::move(trace));
    item.row = all->rows[ordinal];
    item.last_lsn = found->last_lsn;
    items.push_back(std::move(item));
  }
  std::vector<std::pair<std::int64_t, std::string>> blocks;
  {
    const std::lock_guard lock(mutex_);
    TRY(auto query, database_.prepare("SELECT first, data FROM docs WHERE run=? ORDER BY first"));
    query.bind(1, run);
    while (true) {
      TRY(const bool found, query.step());
      if (!found) break;
      blocks.emplace_back(query.integer(0), query.text(1));
    }
  }
  for (const auto& [first, block] : blocks) {
    TRY(auto documents, unpack(block, first, std::nullopt));
    for (auto& [ordinal, document] : documents) {
      const auto at = static_cast<std::size_t>(ordinal);
      if (at >= item_of.size()) return Error::corrupt("documents of traces that are not there");
      if (item_of[at] >= 0) items[static_cast<std::size_t>(item_of[at])].documents.push_back(std::move(document));
    }
  }
  for (const auto& item : items)
    if (item.documents.empty()) return Error::corrupt("the documents of a stored trace are missing");
  return items;
}

Result<Trace> Bucket::facts(Place place) {
  const std::int64_t number = place.ordinal / kFactsBlockTraces;
  std::shared_ptr<const FactsBlock> block;
  {
    const std::lock_guard lock(mutex_);
    for (auto& cached : blocks_) {
      if (cached.run != place.run || cached.block != number) continue;
      cached.used = ++use_;
      block = cached.facts;
    }
    if (!block) {
      TRY(auto raw, blob("SELECT data FROM facts WHERE run=? AND block=?", place.run, number));
      TRY(block, FactsBlock::open(std::move(raw)));
      if (blocks_.size() < kCachedBlocksMax) blocks_.emplace_back();
      auto oldest = std::min_element(blocks_.begin(), blocks_.end(),
                                     [](const auto& a, const auto& b) { return a.used < b.used; });
      *oldest = {place.run, number, block, ++use_};
    }
  }
  return block->trace(place.ordinal % kFactsBlockTraces);
}

Result<std::vector<RunInfo>> Bucket::runs(std::uint64_t scope) {
  const std::lock_guard lock(mutex_);
  std::unordered_map<std::int64_t, std::vector<std::uint32_t>> dead;
  {
    TRY(auto query, database_.prepare("SELECT run, ordinal FROM dead ORDER BY run, ordinal"));
    while (true) {
      TRY(const bool found, query.step());
      if (!found) break;
      dead[query.integer(0)].push_back(static_cast<std::uint32_t>(query.integer(1)));
    }
  }
  TRY(auto query,
      database_.prepare("SELECT id, traces, start_min, start_max, time_min, time_max, received_min, "
                        "received_max, end_min, end_max FROM run WHERE scope=? ORDER BY id"));
  query.bind(1, sql_int(scope));
  std::vector<RunInfo> runs;
  while (true) {
    TRY(const bool found, query.step());
    if (!found) return runs;
    auto gone = std::move(dead[query.integer(0)]);
    runs.push_back({query.integer(0), query.integer(1) - static_cast<std::int64_t>(gone.size()), query.integer(2),
                    query.integer(3), query.integer(4), query.integer(5), query.integer(6), query.integer(7),
                    query.integer(8), query.integer(9), std::move(gone)});
  }
}

Result<std::shared_ptr<const RunColumns>> Bucket::columns(std::int64_t run, bool whole) {
  const std::lock_guard lock(mutex_);
  auto& kept = columns_[run];
  if (kept && (kept->whole || !whole)) return kept;
  TRY(auto raw, blob("SELECT columns FROM run WHERE id=? AND ?=0", run, 0));
  TRY(auto decoded, RunColumns::decode(raw, whole));
  TRY(auto query, database_.prepare("SELECT ordinal FROM dead WHERE run=?"));
  query.bind(1, run);
  while (true) {
    TRY(const bool found, query.step());
    if (!found) break;
    const auto ordinal = static_cast<std::size_t>(query.integer(0));
    if (ordinal < decoded.dead.size()) decoded.dead[ordinal] = true;
  }
  auto columns = std::make_shared<const RunColumns>(std::move(decoded));
  if (!kept) column_rows_ += columns->rows.size();
  if (column_rows_ > kCachedColumnRowsMax) {
    columns_.clear();
    column_rows_ = columns->rows.size();
  }
  columns_[run] = columns;
  return columns;
}

Result<std::unordered_map<std::int64_t, std::vector<std::uint32_t>>> Bucket::postings(
    std::uint64_t scope, std::uint64_t term) {
  const std::lock_guard lock(mutex_);
  TRY(auto query, database_.prepare("SELECT run, data FROM term WHERE scope=? AND term=?"));
  query.bind(1, sql_int(scope)).bind(2, sql_int(term));
  std::unordered_map<std::int64_t, std::vector<std::uint32_t>> places;
  while (true) {
    TRY(const bool found, query.step());
    if (!found) return places;
    auto& ordinals = places[query.integer(0)];
    ByteReader in(query.text(1));
    std::uint64_t ordinal = 0;
    while (!in.at_end() && in.ok()) {
      ordinal += in.varint();
      ordinals.push_back(static_cast<std::uint32_t>(ordinal));
    }
  }
}

Status Bucket::minutes(std::uint64_t scope, std::int64_t from_minute, std::int64_t to_minute,
                       std::uint64_t label, std::map<std::int64_t, Graph>& sum) {
  const std::lock_guard lock(mutex_);
  TRY(auto query, database_.prepare("SELECT minute, data FROM minute WHERE scope=? AND label=? AND "
                                    "minute>=? AND minute<?"));
  query.bind(1, sql_int(scope)).bind(2, sql_int(label)).bind(3, from_minute).bind(4, to_minute);
  while (true) {
    TRY(const bool found, query.step());
    if (!found) return Ok{};
    auto raw = unpack_blob(query.text(1));
    auto graph = raw.ok() ? Graph::decode(*raw) : Result<Graph>(raw.error());
    if (graph.ok()) sum[query.integer(0)].add(*graph);
    else ++damaged_;
  }
}

Status Bucket::graph(std::uint64_t scope, std::int64_t from_minute, std::int64_t to_minute,
                     std::uint64_t label, Graph& sum) {
  std::map<std::int64_t, Graph> by_minute;
  TRYV(minutes(scope, from_minute, to_minute, label, by_minute));
  for (const auto& [minute, graph] : by_minute) sum.add(graph);
  return Ok{};
}

// --- writing -----------------------------------------------------------------------------------

namespace {

void plan_blocks(SealPlan& plan, std::span<const SealItem> items) {
  FactsWriter facts;
  DocumentPacker documents;
  std::int64_t first = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const bool last = i + 1 == items.size();
    facts.add(*items[i].trace);
    if (facts.traces() >= kFactsBlockTraces || last) plan.facts.push_back(pack_blob(facts.finish()));
    documents.begin_trace(items[i].trace->id, items[i].documents.size());
    for (const auto& document : items[i].documents)
      documents.add({document->received_ms, document->lsn, document->text});
    if (documents.raw_bytes() < kDocumentBlockBytes && !last) continue;
    plan.documents.emplace_back(first, documents.finish());
    first = static_cast<std::int64_t>(i) + 1;
  }
}

// The postings of a run while they are gathered: ordinals come ascending.
class Postings {
 public:
  Postings() : slots_(4096, kFree) {}
  void add(std::uint64_t term, std::uint32_t ordinal) {
    if (slots_.size() < 2 * (lists_.size() + 1)) grow();
    auto& slot = slots_[find(term)];
    if (slot == kFree) {
      slot = static_cast<std::uint32_t>(lists_.size());
      lists_.push_back({term, 0, {}});
    } else if (lists_[slot].last == ordinal) {
      return;
    }
    auto& list = lists_[slot];
    ByteWriter(list.data).varint(ordinal - list.last);
    list.last = ordinal;
  }
  // In the order of the index, which is by the signed value.
  std::vector<std::pair<std::uint64_t, std::string>> finish() && {
    std::sort(lists_.begin(), lists_.end(), [](const List& a, const List& b) { return sql_int(a.term) < sql_int(b.term); });
    std::vector<std::pair<std::uint64_t, std::string>> out;
    out.reserve(lists_.size());
    for (auto& list : lists_) out.emplace_back(list.term, std::move(list.data));
    return out;
  }

 private:
  static constexpr std::uint32_t kFree = UINT32_MAX;
  struct List {
    std::uint64_t term = 0;
    std::uint32_t last = 0;
    std::string data;
  };
  // Terms are hashes already.
  std::size_t find(std::uint64_t term) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = term & mask;
    while (slots_[at] != kFree && lists_[slots_[at]].term != term) at = (at + 1) & mask;
    return at;
  }
  void grow() {
    slots_.assign(slots_.size() * 2, kFree);
    for (std::uint32_t i = 0; i < lists_.size(); ++i) slots_[find(lists_[i].term)] = i;
  }
  std::vector<std::uint32_t> slots_;
  std::vector<List> lists_;
};

void plan_index(SealPlan& plan, std::span<const SealItem> items) {
  Postings postings;
  std::vector<std::uint64_t> terms;
  plan.places.reserve(items.size());
  for (std::uint32_t i = 0; i < items.size(); ++i) {
    plan.places.push_back({items[i].trace->id, i, items[i].last_lsn, items[i].replaces});
    terms.clear();
    append_terms(*items[i].trace, terms);
    for (const auto term : terms) postings.add(term, i);
  }
  // Neighbours in a tree are written together.
  std::sort(plan.places.begin(), plan.places.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  plan.terms = std::move(postings).finish();
}

}  // namespace

SealPlan plan_seal(std::span<const SealItem> items, const LinkResolver* resolve) {
  SealPlan plan;
  constexpr auto kFar = std::numeric_limits<std::int64_t>::max();
  auto& info = plan.info;
  info.traces = static_cast<std::int64_t>(items.size());
  info.start_min_us = info.time_min_s = info.received_min_ms = info.end_min_ms = kFar;
  info.start_max_us = info.time_max_s = info.received_max_ms = info.end_max_ms = -kFar;
  RunColumns columns;
  std::map<std::uint64_t, std::map<std::int64_t, Graph>> by_label;
  for (const auto& item : items) {
    const auto& row = item.row;
    columns.rows.push_back(row);
    info.start_min_us = std::min(info.start_min_us, row.start_us);
    info.start_max_us = std::max(info.start_max_us, row.start_us);
    info.time_min_s = std::min(info.time_min_s, row.time_s);
    info.time_max_s = std::max(info.time_max_s, row.time_s);
    info.received_min_ms = std::min(info.received_min_ms, row.first_received_ms);
    info.received_max_ms = std::max(info.received_max_ms, row.last_received_ms);
    info.end_min_ms = std::min(info.end_min_ms, row.first_end_ms);
    info.end_max_ms = std::max(info.end_max_ms, row.last_end_ms);
    if (resolve == nullptr) continue;
    add_by_minute(by_label[0], *item.trace, 1, resolve);
    for (const auto label : item.trace->labels)
      add_by_minute(by_label[label], *item.trace, 1, resolve);
    if (!item.replaced) continue;
    add_by_minute(by_label[0], *item.replaced, -1, resolve);
    for (const auto label : item.replaced->labels)
      add_by_minute(by_label[label], *item.replaced, -1, resolve);
  }
  for (auto& [label, graphs] : by_label)
    for (auto& [minute, graph] : graphs) plan.minutes[{label, minute}] = std::move(graph);
  plan.columns = pack_blob(columns.encode());
  plan_blocks(plan, items);
  plan_index(plan, items);
  return plan;
}

Status Bucket::write_run(std::uint64_t scope, const SealPlan& plan) {
  TRY(auto insert, database_.prepare("INSERT INTO run(scope, traces, start_min, start_max, time_min, "
                                     "time_max, received_min, received_max, end_min, end_max, columns) "
                                     "VALUES(?,?,?,?,?,?,?,?,?,?,?) RETURNING id"));
  insert.bind(1, sql_int(scope))
      .bind(2, plan.info.traces)
      .bind(3, plan.info.start_min_us)
      .bind(4, plan.info.start_max_us)
      .bind(5, plan.info.time_min_s)
      .bind(6, plan.info.time_max_s)
      .bind(7, plan.info.received_min_ms)
      .bind(8, plan.info.received_max_ms)
      .bind(9, plan.info.end_min_ms)
      .bind(10, plan.info.end_max_ms)
      .bind_blob(11, plan.columns);
  TRY(const bool inserted, insert.step());
  if (!inserted) return Error::internal("no row id for a new run");
  const auto run = insert.integer(0);
  insert.reset();

  TRY(auto facts, database_.prepare("INSERT INTO facts VALUES(?,?,?)"));
  for (std::size_t i = 0; i < plan.facts.size(); ++i)
    TRYV(facts.bind(1, run).bind(2, static_cast<std::int64_t>(i)).bind_blob(3, plan.facts[i]).run());
  TRY(auto docs, database_.prepare("INSERT INTO docs VALUES(?,?,?)"));
  for (const auto& [first, data] : plan.documents)
    TRYV(docs.bind(1, run).bind(2, first).bind_blob(3, data).run());

  TRY(auto place, database_.prepare("INSERT INTO trace VALUES(?,?,?,?,?) ON CONFLICT(scope, id) DO "
                                    "UPDATE SET run=excluded.run, ordinal=excluded.ordinal, "
                                    "lsn=excluded.lsn"));
  TRY(auto kill, database_.prepare("INSERT OR IGNORE INTO dead VALUES(?,?)"));
  for (const auto& located : plan.places) {
    TRYV(place.bind(1, sql_int(scope))
             .bind_blob(2, id_key(located.id))
             .bind(3, run)
             .bind(4, std::int64_t{located.ordinal})
             .bind(5, sql_int(located.last_lsn))
             .run());
    if (!located.replaces) continue;
    TRYV(kill.bind(1, located.replaces->run).bind(2, std::int64_t{located.replaces->ordinal}).run());
  }

  TRY(auto term, database_.prepare("INSERT INTO term VALUES(?,?,?,?)"));
  for (const auto& [hash, data] : plan.terms)
    TRYV(term.bind(1, sql_int(scope)).bind(2, sql_int(hash)).bind(3, run).bind_blob(4, data).run());
  return Ok{};
}

Status Bucket::write_minutes(std::uint64_t scope, const SealPlan& plan) {
  TRY(auto select,
      database_.prepare("SELECT data FROM minute WHERE scope=? AND label=? AND minute=?"));
  TRY(auto insert, database_.prepare("INSERT OR REPLACE INTO minute VALUES(?,?,?,?)"));
  for (const auto& [key, graph] : plan.minutes) {
    const auto label = sql_int(key.first);
    select.bind(1, sql_int(scope)).bind(2, label).bind(3, key.second);
    TRY(const bool found, select.step());
    Graph sum;
    if (found) {
      auto raw = unpack_blob(select.text(0));
      auto known = raw.ok() ? Graph::decode(*raw) : Result<Graph>(raw.error());
      if (known.ok()) sum = std::move(*known);
      else ++damaged_;
    }
    select.reset();
    sum.add(graph);
    TRYV(insert.bind(1, sql_int(scope))
             .bind(2, label)
             .bind(3, key.second)
             .bind_blob(4, pack_blob(sum.encode()))
             .run());
  }
  return Ok{};
}

Status Bucket::seal(std::uint64_t scope, const SealPlan& plan) {
  const std::lock_guard lock(mutex_);
  auto written = database_.transaction([&]() -> Status {
    TRYV(write_run(scope, plan));
    return write_minutes(scope, plan);
  });
  for (const auto& located : plan.places)
    if (located.replaces) columns_.erase(located.replaces->run);
  return written;
}

Status Bucket::merge(std::uint64_t scope, const SealPlan& plan, std::span<const std::int64_t> runs) {
  const std::lock_guard lock(mutex_);
  auto written = database_.transaction([&]() -> Status {
    TRYV(write_run(scope, plan));
    for (const auto* sql : {"DELETE FROM facts WHERE run=?", "DELETE FROM docs WHERE run=?", "DELETE FROM dead WHERE run=?",
                            "DELETE FROM term WHERE run=?", "DELETE FROM run WHERE id=?"}) {
      TRY(auto erase, database_.prepare(sql));
      for (const auto run : runs) TRYV(erase.bind(1, run).run());
    }
    return Ok{};
  });
  // Numbers of runs may come again.
  columns_.clear();
  blocks_.clear();
  column_rows_ = 0;
  return written;
}

Status Bucket::keep_scopes(const std::unordered_set<std::uint64_t>& scopes) {
  const std::lock_guard lock(mutex_);
  std::vector<std::int64_t> gone;
  {
    TRY(auto query, database_.prepare("SELECT DISTINCT scope FROM run"));
    while (true) {
      TRY(const bool found, query.step());
      if (!found) break;
      if (!scopes.contains(static_cast<std::uint64_t>(query.integer(0))))
        gone.push_back(query.integer(0));
    }
  }
  for (const auto scope : gone) {
    auto erased = database_.transaction([&]() -> Status {
      for (const auto* sql :
           {"DELETE FROM facts WHERE run IN (SELECT id FROM run WHERE scope=?)",
            "DELETE FROM docs WHERE run IN (SELECT id FROM run WHERE scope=?)",
            "DELETE FROM dead WHERE run IN (SELECT id FROM run WHERE scope=?)",
            "DELETE FROM trace WHERE scope=?", "DELETE FROM term WHERE scope=?",
            "DELETE FROM minute WHERE scope=?", "DELETE FROM run WHERE scope=?"}) {
        TRY(auto erase, database_.prepare(sql));
        TRYV(erase.bind(1, scope).run());
      }
      return Ok{};
    });
    if (!erased.ok()) return erased;
  }
  columns_.clear();
  blocks_.clear();
  column_rows_ = 0;
  return Ok{};
}

}  // namespace fog::traces
