// One trace as a whole: what the head holds of it, merged with what a bucket holds.
#include "storage/traces/engine.h"

namespace fog::traces {

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
  const std::shared_lock places(places_);
  for (const auto day : days) {
    const auto where = bucket(day, false);
    if (!where) continue;
    auto found = where->find(scope, id);
    if (!found.ok() || !*found) continue;
    auto facts = where->facts((*found)->place);
    auto documents = where->documents((*found)->place);
    // Damaged: what comes now stands alone.
    if (!facts.ok() || !documents.ok() || facts->id != id) continue;
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

WholePtr Engine::whole(const HeadKey& key, const TraceScope& scope, bool keep) {
  const auto merged = merged_.load();
  auto out = std::make_shared<Whole>();
  out->key = key;
  std::vector<Update> updates;
  Documents own;
  bool base_known = false;
  bool limit_exceeded = false;
  {
    auto head = head_.lock_shared();
    const auto found = head->traces.find(key);
    if (found == head->traces.end()) return nullptr;
    const HeadTrace& trace = found->second;
    if (trace.whole) return trace.whole;
    own = trace.documents;
    updates = trace.updates;
    base_known = trace.base_known;
    limit_exceeded = trace.limit_exceeded;
    out->base = trace.base;
    out->last_lsn = trace.last_lsn;
    out->version = trace.version;
  }
  if (!base_known) out->base = find_base(key.scope, key.id, own.empty() ? 0 : own.front()->start_us);
  std::uint32_t revision = 0;
  std::vector<std::int64_t> times;
  const Lsn known = out->base ? out->base->last_lsn : 0;
  if (out->base) {
    out->documents = out->base->documents;
    times = out->base->trace->updates_ms;
    revision = out->base->trace->revision;
    for (auto& document : own)
      if (document->lsn > known) merge_document(out->documents, std::move(document));
  } else {
    out->documents = std::move(own);
  }
  out->redundant = true;
  times.reserve(times.size() + updates.size());
  for (const auto& update : updates) {
    if (update.lsn <= known) continue;
    times.push_back(update.received_ms);
    ++revision;
    out->redundant = false;
  }
  out->trace = assemble(key.id, out->documents, std::move(times), revision, limit_exceeded, scope);
  out->row = RunColumns::row_of(*out->trace);
  if (!keep) return out;
  auto head = head_.lock();
  const auto found = head->traces.find(key);
  if (found != head->traces.end() && found->second.version == out->version && merged_ == merged) {
    found->second.base_known = true;
    found->second.base = out->base;
    found->second.whole = out;
  }
  return out;
}

std::vector<WholePtr> Engine::whole_head(std::uint64_t number, const TraceScope& scope) {
  std::vector<WholePtr> all;
  std::vector<HeadKey> changed;
  {
    auto head = head_.lock_shared();
    all.reserve(head->traces.size());
    for (const auto& [key, trace] : head->traces) {
      if (key.scope != number) continue;
      if (!trace.whole) changed.push_back(key);
      else if (!trace.whole->redundant) all.push_back(trace.whole);
    }
  }
  for (const auto& key : changed)
    if (auto one = whole(key, scope, true); one && !one->redundant) all.push_back(std::move(one));
  return all;
}

bool IdSet::contains(TraceId id) const {
  if (all_.empty()) return false;
  if (sorted_.empty()) {
    sorted_.reserve(all_.size());
    for (const auto& one : all_) sorted_.push_back(one->key.id);
    std::sort(sorted_.begin(), sorted_.end());
  }
  return std::binary_search(sorted_.begin(), sorted_.end(), id);
}

std::optional<TraceStore::TraceDocuments> Engine::documents(const TraceScope& scope, TraceId id) {
  const auto number = scope_number(scope);
  if (!number) return std::nullopt;
  if (const auto one = whole({*number, id}, scope, true))
    return TraceDocuments{one->trace, one->documents};
  const std::shared_lock places(places_);
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
    if (!facts.ok() || !documents.ok() || facts->id != id) return std::nullopt;
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

}  // namespace fog::traces
