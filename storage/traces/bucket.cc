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
#include "storage/traces/bucket_keys.h"
#include "storage/traces/document_pack.h"
#include "storage/traces/terms.h"
#include "storage/traces/wrapping.h"

namespace fog::traces {

namespace {

constexpr std::int64_t kFormat = 2;
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

}  // namespace

Result<std::unique_ptr<Bucket>> Bucket::open(const std::filesystem::path& file, bool strict) {
  std::unique_ptr<Bucket> bucket(new Bucket);
  Database::Options options;
  options.synchronous_full = strict;
  options.pages = PageCheck::kReport;  // what is large has checksums
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

}  // namespace fog::traces
