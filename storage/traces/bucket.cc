// Tables (all blobs but `scope`/`id` keys packed by pack_blob):
//   meta(key, value)                       format = 1
//   run(id, scope, ranges..., columns)     one sealing; columns as RunColumns::encode
//   facts(run, block, data)                FactsBlock of ordinals [block * 128, + 128)
//   docs(run, first, data)                 documents of the ordinals from `first` to the next row:
//                                          per trace varint n, then {zigzag received_ms, lsn, text}
//   trace(scope, id, run, ordinal, lsn)    id: 16 bytes, big-endian; lsn: last document included
//   term(scope, term, run, data)           ordinals as varint differences (not packed)
//   minute(scope, label, minute, data)     Graph::encode
//   dead(run, ordinal)                     replaced by a later run
#include "storage/traces/bucket.h"

#include <map>

#include "storage/base/bytes.h"
#include "storage/base/log.h"
#include "storage/trace_store.h"
#include "storage/traces/terms.h"

namespace fog::traces {

namespace {

constexpr std::size_t kFactsBlockTraces = 128;
constexpr std::size_t kDocumentBlockBytes = 256 * 1024;
constexpr std::size_t kCachedBlocksMax = 24;
constexpr std::size_t kCachedColumnRowsMax = 300'000;  // about 25 MB

constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run(id INTEGER PRIMARY KEY, scope INTEGER, time_min INTEGER,
  time_max INTEGER, received_min INTEGER, received_max INTEGER, end_min INTEGER, end_max INTEGER,
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
INSERT OR IGNORE INTO meta VALUES('format', 1);
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
  for (const auto& r : rows) out.zigzag(r.first_received_ms - r.start_us / 1000);
  for (const auto& r : rows) out.zigzag(r.last_received_ms - r.first_received_ms);
  for (const auto& r : rows) {
    const bool any = r.first_end_ms <= r.last_end_ms;
    out.zigzag(any ? r.first_end_ms - r.start_us / 1000 + 1 : 0);
    out.zigzag(any ? r.last_end_ms - r.first_end_ms : -1);
  }
  for (const auto& r : rows) out.zigzag(r.last_time_us - r.start_us);
  for (const auto& r : rows) out.zigzag(r.response_ms);
  for (const auto& r : rows) out.zigzag(r.duration_ms);
  for (const auto& r : rows) out.fixed(r.flags);
  return bytes;
}

Result<RunColumns> RunColumns::decode(std::string_view bytes) {
  ByteReader in(bytes);
  RunColumns columns;
  const auto n = in.varint();
  if (n > bytes.size()) return Error::corrupt("run columns: too many traces");
  columns.rows.resize(static_cast<std::size_t>(n));
  columns.dead.resize(columns.rows.size());
  std::int64_t before = 0;
  for (auto& r : columns.rows) r.start_us = before += in.zigzag();
  for (auto& r : columns.rows) r.id_low = in.fixed<std::uint64_t>();
  for (auto& r : columns.rows) r.time_s = r.start_us / 1000000 + in.zigzag();
  for (auto& r : columns.rows) r.first_received_ms = r.start_us / 1000 + in.zigzag();
  for (auto& r : columns.rows) r.last_received_ms = r.first_received_ms + in.zigzag();
  for (auto& r : columns.rows) {
    const auto first = in.zigzag();
    const auto length = in.zigzag();
    r.first_end_ms = length < 0 ? std::numeric_limits<std::int64_t>::max()
                                : r.start_us / 1000 + first - 1;
    r.last_end_ms = length < 0 ? std::numeric_limits<std::int64_t>::min() : r.first_end_ms + length;
  }
  for (auto& r : columns.rows) r.last_time_us = r.start_us + in.zigzag();
  for (auto& r : columns.rows) r.response_ms = in.zigzag();
  for (auto& r : columns.rows) r.duration_ms = in.zigzag();
  for (auto& r : columns.rows) r.flags = in.fixed<std::uint8_t>();
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
  if (!found || query.integer(0) != 1)
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
  std::string raw;
  std::int64_t first = 0;
  {
    const std::lock_guard lock(mutex_);
    TRY(auto query, database_.prepare(
                        "SELECT first FROM docs WHERE run=? AND first<=? ORDER BY first DESC"));
    query.bind(1, place.run).bind(2, std::int64_t{place.ordinal});
    TRY(const bool found, query.step());
    if (!found) return Error::corrupt("the documents of a stored trace are missing");
    first = query.integer(0);
    query.reset();
    TRY(raw, blob("SELECT data FROM docs WHERE run=? AND first=?", place.run, first));
  }
  ByteReader in(raw);
  std::vector<std::shared_ptr<const StoredDocument>> documents;
  DocumentParser parser;
  for (std::int64_t ordinal = first; ordinal <= place.ordinal && in.ok(); ++ordinal) {
    for (auto n = in.varint(); n > 0 && in.ok(); --n) {
      const auto received_ms = in.zigzag();
      const auto lsn = in.varint();
      const auto text = in.text();
      if (ordinal != place.ordinal) continue;
      std::vector<DocumentHead> heads;
      DocumentLimits limits;
      limits.document_bytes_max = SIZE_MAX;
      const auto verdict = parser.parse(text, limits, 0, heads);
      if (verdict.fault != DocumentFault::kNone || heads.size() != 1) continue;
      auto document = std::make_shared<StoredDocument>();
      document->id = heads[0].id;
      document->subsegment = heads[0].subsegment;
      document->complete = heads[0].complete;
      document->start_us = heads[0].start_us;
      document->received_ms = received_ms;
      document->lsn = lsn;
      document->text = text;
      documents.push_back(std::move(document));
    }
  }
  if (!in.ok()) return Error::corrupt("a block of documents is cut short");
  return documents;
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
  TRY(auto query,
      database_.prepare("SELECT id, time_min, time_max, received_min, received_max, end_min, "
                        "end_max FROM run WHERE scope=? ORDER BY id"));
  query.bind(1, sql_int(scope));
  std::vector<RunInfo> runs;
  while (true) {
    TRY(const bool found, query.step());
    if (!found) return runs;
    runs.push_back({query.integer(0), query.integer(1), query.integer(2), query.integer(3),
                    query.integer(4), query.integer(5), query.integer(6)});
  }
}

Result<std::shared_ptr<const RunColumns>> Bucket::columns(std::int64_t run) {
  const std::lock_guard lock(mutex_);
  if (const auto cached = columns_.find(run); cached != columns_.end()) return cached->second;
  TRY(auto raw, blob("SELECT columns FROM run WHERE id=? AND ?=0", run, 0));
  TRY(auto decoded, RunColumns::decode(raw));
  TRY(auto query, database_.prepare("SELECT ordinal FROM dead WHERE run=?"));
  query.bind(1, run);
  while (true) {
    TRY(const bool found, query.step());
    if (!found) break;
    const auto ordinal = static_cast<std::size_t>(query.integer(0));
    if (ordinal < decoded.dead.size()) decoded.dead[ordinal] = true;
  }
  auto columns = std::make_shared<const RunColumns>(std::move(decoded));
  column_rows_ += columns->rows.size();
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
  std::string raw;
  ByteWriter out(raw);
  std::int64_t first = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const bool last = i + 1 == items.size();
    facts.add(*items[i].trace);
    if (facts.traces() >= kFactsBlockTraces || last) plan.facts.push_back(pack_blob(facts.finish()));
    out.varint(items[i].documents.size());
    for (const auto& document : items[i].documents) {
      out.zigzag(document->received_ms);
      out.varint(document->lsn);
      out.text(document->text);
    }
    if (raw.size() < kDocumentBlockBytes && !last) continue;
    plan.documents.emplace_back(first, pack_blob(raw));
    raw.clear();
    first = static_cast<std::int64_t>(i) + 1;
  }
}

void plan_index(SealPlan& plan, std::span<const SealItem> items) {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> pairs;
  for (std::uint32_t i = 0; i < items.size(); ++i) {
    plan.places.push_back({items[i].trace->id, i, items[i].last_lsn, items[i].replaces});
    for (const auto term : terms_of(*items[i].trace)) pairs.emplace_back(term, i);
  }
  // Neighbours in a tree are written together.
  std::sort(plan.places.begin(), plan.places.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  // Ascending as the index is, which is by the signed value.
  std::sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) {
    return std::pair(sql_int(a.first), a.second) < std::pair(sql_int(b.first), b.second);
  });
  for (std::size_t i = 0; i < pairs.size();) {
    std::string data;
    ByteWriter out(data);
    std::uint32_t before = 0;
    const auto term = pairs[i].first;
    for (; i < pairs.size() && pairs[i].first == term; ++i) {
      out.varint(pairs[i].second - before);
      before = pairs[i].second;
    }
    plan.terms.emplace_back(term, std::move(data));
  }
}

}  // namespace

SealPlan plan_seal(std::span<const SealItem> items, const LinkResolver& resolve) {
  SealPlan plan;
  constexpr auto kFar = std::numeric_limits<std::int64_t>::max();
  plan.time_min_s = plan.received_min_ms = plan.end_min_ms = kFar;
  plan.time_max_s = plan.received_max_ms = plan.end_max_ms = -kFar;
  RunColumns columns;
  std::map<std::uint64_t, std::map<std::int64_t, Graph>> by_label;
  for (const auto& item : items) {
    const auto row = RunColumns::row_of(*item.trace);
    columns.rows.push_back(row);
    plan.time_min_s = std::min(plan.time_min_s, row.time_s);
    plan.time_max_s = std::max(plan.time_max_s, row.time_s);
    plan.received_min_ms = std::min(plan.received_min_ms, row.first_received_ms);
    plan.received_max_ms = std::max(plan.received_max_ms, row.last_received_ms);
    plan.end_min_ms = std::min(plan.end_min_ms, row.first_end_ms);
    plan.end_max_ms = std::max(plan.end_max_ms, row.last_end_ms);
    add_by_minute(by_label[0], *item.trace, 1, &resolve);
    for (const auto label : item.trace->labels)
      add_by_minute(by_label[label], *item.trace, 1, &resolve);
    if (!item.replaced) continue;
    add_by_minute(by_label[0], *item.replaced, -1, &resolve);
    for (const auto label : item.replaced->labels)
      add_by_minute(by_label[label], *item.replaced, -1, &resolve);
  }
  for (auto& [label, graphs] : by_label)
    for (auto& [minute, graph] : graphs) plan.minutes[{label, minute}] = std::move(graph);
  plan.columns = pack_blob(columns.encode());
  plan_blocks(plan, items);
  plan_index(plan, items);
  return plan;
}

Status Bucket::write_run(std::uint64_t scope, const SealPlan& plan) {
  TRY(auto insert, database_.prepare("INSERT INTO run(scope, time_min, time_max, received_min, "
                                     "received_max, end_min, end_max, columns) "
                                     "VALUES(?,?,?,?,?,?,?,?) RETURNING id"));
  insert.bind(1, sql_int(scope))
      .bind(2, plan.time_min_s)
      .bind(3, plan.time_max_s)
      .bind(4, plan.received_min_ms)
      .bind(5, plan.received_max_ms)
      .bind(6, plan.end_min_ms)
      .bind(7, plan.end_max_ms)
      .bind_blob(8, plan.columns);
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
