// Sealing and merging: traces become the rows of a run.
#include "storage/traces/bucket.h"

#include <map>

#include "storage/base/bytes.h"
#include "storage/traces/bucket_keys.h"
#include "storage/traces/document_pack.h"
#include "storage/traces/terms.h"
#include "storage/traces/wrapping.h"

namespace fog::traces {
namespace {

constexpr std::size_t kDocumentBlockBytes = 256 * 1024;

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
