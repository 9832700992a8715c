// Sealing: traces leave the head for runs in the buckets.
#include "storage/base/log.h"
#include "storage/traces/engine.h"

namespace fog::traces {

namespace {

constexpr std::size_t kRunTracesMax = 4096;
constexpr std::int64_t kMergeEveryMs = 600'000;

}  // namespace

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
  if (to_ms(now) >= merge_due_ms_ || to_ms(now) < merge_due_ms_ - kMergeEveryMs) {
    merge_due_ms_ = to_ms(now) + kMergeEveryMs;
    merge_small_runs();
  }
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
  std::map<std::pair<std::uint64_t, std::int64_t>, std::vector<WholePtr>> groups;
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
    auto one = scope ? whole(key, *scope, false) : nullptr;
    if (!one || one->redundant || one->trace->entities.empty()) {
      auto head = head_.lock();
      const auto found = head->traces.find(key);
      if (found == head->traces.end() || (one && found->second.version != one->version)) continue;
      head->bytes -= std::min(head->bytes, found->second.bytes);
      head->traces.erase(found);
      continue;
    }
    const auto day = one->base ? one->base->day : floor_div(one->trace->time_s() * 1000, kDayMs);
    auto& group = groups[{key.scope, day}];
    group.push_back(std::move(one));
    if (group.size() >= kRunTracesMax) TRYV(flush(kRunTracesMax));
  }
  return flush(1);
}

Status Engine::seal_group(std::uint64_t number, std::int64_t day,
                          std::vector<WholePtr>& group) {
  TraceScope scope;
  {
    auto catalogue = catalogue_.lock_shared();
    const auto known = catalogue->scopes.find(number);
    if (known == catalogue->scopes.end()) return Ok{};
    scope = known->second;
  }
  std::sort(group.begin(), group.end(), [](const auto& a, const auto& b) {
    return std::pair(a->row.start_us, a->row.id_low) < std::pair(b->row.start_us, b->row.id_low);
  });
  std::vector<SealItem> items;
  items.reserve(group.size());
  for (const auto& one : group) {
    SealItem item;
    item.trace = one->trace;
    item.row = one->row;
    item.documents = one->documents;
    item.last_lsn = one->last_lsn;
    if (one->base) {
      item.replaces = one->base->place;
      item.replaced = one->base->trace;
    }
    items.push_back(std::move(item));
  }
  const auto where = bucket(day, true);
  if (!where) return Error::busy("the file of a day can't be opened");
  const auto resolve = resolver(scope);
  const auto plan = plan_seal(items, &resolve);

  const std::unique_lock gate(gate_);
  TRYV(where->seal(number, plan));
  sealed_ += group.size();
  auto head = head_.lock();
  for (const auto& one : group) {
    const auto found = head->traces.find(one->key);
    if (found == head->traces.end()) continue;
    auto& trace = found->second;
    if (trace.version == one->version) {
      head->bytes -= std::min(head->bytes, trace.bytes);
      head->traces.erase(found);
      continue;
    }
    // It grew meanwhile: what was sealed is its base now.
    std::erase_if(trace.documents, [&](const auto& d) { return d->lsn <= one->last_lsn; });
    std::erase_if(trace.updates, [&](const auto& u) { return u.lsn <= one->last_lsn; });
    trace.first_lsn = trace.updates.empty() ? trace.last_lsn : trace.updates.front().lsn;
    trace.base_known = false;
    trace.base = nullptr;
    trace.whole = nullptr;
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

}  // namespace fog::traces
