// Groups of rows: small numbers for the values of the keys, then for their combinations. Dictionary codes
// are such numbers already, so nothing is hashed row by row.
#include <cstring>
#include <numeric>
#include <optional>

#include "query/insights/aggregate.h"
#include "query/insights/run.h"
#include "storage/base/hash.h"

// The loops over columns are worth vector instructions, which -O2 of GCC 12 uses for the simplest only.
#pragma GCC optimize("tree-vectorize", "vect-cost-model=dynamic")

namespace fog::insights {

GroupTable::GroupTable(const Grouping& grouping, Memory* memory) : grouping_(grouping), memory_(memory), arena_(memory) {
  for (const AggregateSpec& spec : grouping.aggregates) aggregators_.push_back(make_aggregator(spec));
}

GroupTable::~GroupTable() {
  if (memory_) memory_->sub(accounted_);
}

void GroupTable::account() {
  std::size_t bytes = keys_.size() * sizeof(Value) + index_.bytes();
  for (const auto& aggregator : aggregators_) bytes += aggregator->bytes();
  if (memory_ && bytes > accounted_) memory_->add(bytes - accounted_);
  if (memory_ && bytes < accounted_) memory_->sub(accounted_ - bytes);
  accounted_ = bytes;
}

namespace {

constexpr std::uint32_t kNone = ~0u;
// So many combinations of key values get a table; more are hashed.
constexpr std::uint64_t kDenseMax = 1u << 20;

// Small numbers for the values of a key column; equal values get equal numbers, though not always the
// other way round (the merge settles that).
struct Encoded {
  const std::uint32_t* ids = nullptr;  // by position in sel; in the batch's arena or the column itself
  std::uint64_t size = 1;
  // Where each number stands in one stretch, number by number: the ends of them.
  std::vector<std::uint32_t> run_ends;
};

// Numbers for keys that are read one by one; key_of(row) gives something to hash, or nothing for null.
template <typename Key, typename KeyOf>
std::uint64_t number_keys(const std::vector<std::uint32_t>& sel, std::uint32_t* ids, KeyOf&& key_of) {
  std::unordered_map<Key, std::uint32_t> index;
  std::uint32_t next = 1;  // 0 is null
  std::optional<Key> last;
  std::uint32_t last_id = 0;
  for (std::size_t k = 0; k < sel.size(); ++k) {
    const std::optional<Key> key = key_of(sel[k]);
    if (!key) {
      ids[k] = 0;
      continue;
    }
    if (key != last) {
      auto [it, fresh] = index.try_emplace(*key, next);
      if (fresh) ++next;
      last = key;
      last_id = it->second;
    }
    ids[k] = last_id;
  }
  return next;
}

Encoded encode(const Vec& vec, Batch& batch, bool forwards) {
  const auto& sel = batch.sel;
  const std::size_t n = sel.size();
  Encoded out;
  const bool whole = forwards && n == batch.rows();  // then sel[k] is k
  const auto fresh = [&] { return batch.arena().array<std::uint32_t>(n); };
  std::uint32_t* own = nullptr;
  switch (vec.kind) {
    case Vec::Kind::kConst:
    case Vec::Kind::kUnset: return out;
    case Vec::Kind::kDict:
      if (vec.present == nullptr) {
        out.size = vec.dict_size;
        if (whole) {
          out.ids = vec.codes;
          return out;
        }
        own = fresh();
        for (std::size_t k = 0; k < n; ++k) own[k] = vec.codes[sel[k]];
        break;
      }
      // Entries of absent rows are zero: the number of null is added, not chosen.
      out.size = vec.dict_size + 1;
      own = fresh();
      if (whole) {
        for (std::size_t first = 0; first < n; first += 64) {
          const std::uint64_t absent = ~vec.present[first / 64];
          const std::size_t rows = std::min<std::size_t>(64, n - first);
          for (std::size_t i = 0; i < rows; ++i)
            own[first + i] = vec.codes[first + i] + static_cast<std::uint32_t>((absent >> i) & 1) * vec.dict_size;
        }
      } else {
        for (std::size_t k = 0; k < n; ++k) {
          const std::uint32_t code = vec.codes[sel[k]];
          own[k] = vec.has(sel[k]) ? code : vec.dict_size;
        }
      }
      break;
    case Vec::Kind::kTruth:
      out.size = 3;
      own = fresh();
      for (std::size_t k = 0; k < n; ++k) own[k] = static_cast<std::uint32_t>(vec.truth[sel[k]] + 1);
      break;
    case Vec::Kind::kTime:
    case Vec::Kind::kInt:
      own = fresh();
      if (whole && vec.present == nullptr) {
        // Bins of time come in long runs, mostly one a bin.
        std::unordered_map<std::int64_t, std::uint32_t> index;
        for (std::size_t k = 0; k < n;) {
          const std::int64_t key = vec.ints[k];
          const auto id = index.try_emplace(key, static_cast<std::uint32_t>(index.size())).first->second;
          const std::size_t begin = k++;
          while (k < n && vec.ints[k] == key) ++k;
          std::fill(own + begin, own + k, id);
          out.run_ends.push_back(static_cast<std::uint32_t>(k));
        }
        out.size = index.size();
        if (out.run_ends.size() != index.size()) out.run_ends.clear();
        break;
      }
      out.size = number_keys<std::int64_t>(sel, own, [&](std::uint32_t row) {
        return vec.has(row) ? std::optional(vec.ints[row]) : std::nullopt;
      });
      break;
    case Vec::Kind::kDouble:
      own = fresh();
      out.size = number_keys<std::uint64_t>(sel, own, [&](std::uint32_t row) -> std::optional<std::uint64_t> {
        if (!vec.has(row)) return std::nullopt;
        std::uint64_t key = 0;
        std::memcpy(&key, &vec.doubles[row], 8);
        return key;
      });
      break;
    case Vec::Kind::kText:
    case Vec::Kind::kValues: {
      own = fresh();
      std::string buffer;
      out.size = number_keys<std::string_view>(sel, own, [&](std::uint32_t row) -> std::optional<std::string_view> {
        Value value = vec.get(row, batch.arena());
        if (value.null() || value.container()) return std::nullopt;
        std::string_view text = text_of(value, buffer);
        return value.is_text() ? text : batch.arena().copy(text);
      });
      break;
    }
  }
  out.ids = own;
  return out;
}

// How often each number occurs.
std::vector<std::uint32_t> histogram(const std::uint32_t* ids, std::size_t n, std::size_t size) {
  std::vector<std::uint32_t> counts(size);
  if (size > 1024) {
    for (std::size_t k = 0; k < n; ++k) ++counts[ids[k]];
    return counts;
  }
  // Four tables: neighbours of one group do not wait for each other's store.
  std::vector<std::uint32_t> lanes(3 * size);
  std::uint32_t* tables[4] = {counts.data(), lanes.data(), lanes.data() + size, lanes.data() + 2 * size};
  std::size_t k = 0;
  for (; k + 4 <= n; k += 4) {
    ++tables[0][ids[k]];
    ++tables[1][ids[k + 1]];
    ++tables[2][ids[k + 2]];
    ++tables[3][ids[k + 3]];
  }
  for (; k < n; ++k) ++counts[ids[k]];
  for (std::size_t i = 0; i < size; ++i) counts[i] += tables[1][i] + tables[2][i] + tables[3][i];
  return counts;
}

// Groups in the order in which a reader who goes newest first meets them.
struct Numbered {
  std::vector<std::uint32_t> group_of;  // by number; kNone: not in use
  std::vector<std::uint32_t> first;     // a position in sel for each group
  std::vector<std::uint32_t> sizes;
};
Numbered number_groups(const std::uint32_t* ids, std::size_t n, std::size_t size, bool forwards) {
  Numbered out;
  const std::vector<std::uint32_t> counts = histogram(ids, n, size);
  std::size_t left = 0;
  for (const std::uint32_t count : counts) left += count != 0 ? 1 : 0;
  out.group_of.assign(size, kNone);
  for (std::size_t i = 0; left > 0; ++i) {
    const std::size_t k = forwards ? n - 1 - i : i;
    std::uint32_t& group = out.group_of[ids[k]];
    if (group != kNone) continue;
    group = static_cast<std::uint32_t>(out.first.size());
    out.first.push_back(static_cast<std::uint32_t>(k));
    out.sizes.push_back(counts[ids[k]]);
    --left;
  }
  return out;
}

// The same for stretches, of rows that are read as they lie: the last stretch is the newest.
Numbered number_runs(const std::vector<std::uint32_t>& run_ends) {
  Numbered out;
  const std::size_t runs = run_ends.size();
  out.group_of.resize(runs);
  for (std::size_t run = runs; run-- > 0;) {
    out.group_of[run] = static_cast<std::uint32_t>(out.first.size());
    out.first.push_back(run_ends[run] - 1);
    out.sizes.push_back(run_ends[run] - (run == 0 ? 0 : run_ends[run - 1]));
  }
  return out;
}

std::vector<std::uint32_t> groups_of(const Numbered& numbered, const std::uint32_t* ids, std::size_t n) {
  std::vector<std::uint32_t> gids(n);
  const std::uint32_t* group_of = numbered.group_of.data();
  for (std::size_t k = 0; k < n; ++k) gids[k] = group_of[ids[k]];
  return gids;
}

// Adds one more key column to the combinations so far.
void combine(Encoded& all, Encoded next, std::size_t n, bool forwards, Arena& arena) {
  if (next.size == 1) return;
  if (all.size == 1) {
    all = std::move(next);
    return;
  }
  auto* ids = arena.array<std::uint32_t>(n);
  if (all.size * next.size > kDenseMax) {
    // Only the combinations in use count.
    if (all.size <= kDenseMax) {
      const Numbered numbered = number_groups(all.ids, n, all.size, forwards);
      auto* used = arena.array<std::uint32_t>(n);
      for (std::size_t k = 0; k < n; ++k) used[k] = numbered.group_of[all.ids[k]];
      all.ids = used;
      all.size = numbered.first.size();
      all.run_ends.clear();
    }
    if (all.size * next.size > kDenseMax) {
      std::unordered_map<std::uint64_t, std::uint32_t> sparse;
      for (std::size_t k = 0; k < n; ++k) {
        const std::uint64_t both = all.ids[k] * next.size + next.ids[k];
        ids[k] = sparse.try_emplace(both, static_cast<std::uint32_t>(sparse.size())).first->second;
      }
      all.ids = ids;
      all.size = sparse.size();
      all.run_ends.clear();
      return;
    }
  }
  const auto width = static_cast<std::uint32_t>(next.size);
  for (std::size_t k = 0; k < n; ++k) ids[k] = all.ids[k] * width + next.ids[k];
  all.ids = ids;
  all.size *= next.size;
  all.run_ends.clear();
}

}  // namespace

void GroupTable::add(Batch& batch) {
  const std::size_t n = batch.sel.size();
  if (n == 0) return;
  bool rows_wanted = false;
  bool ordered = false;
  for (const auto& aggregator : aggregators_) {
    rows_wanted = rows_wanted || aggregator->wants_rows();
    ordered = ordered || aggregator->ordered();
  }
  // Rows of a block come newest first; where their order does not matter they are read as they lie.
  const bool forwards = batch.block() != nullptr && !ordered && (n == 1 || batch.sel.front() > batch.sel.back());
  if (forwards) {
    if (n == batch.rows())
      std::iota(batch.sel.begin(), batch.sel.end(), 0u);
    else
      std::reverse(batch.sel.begin(), batch.sel.end());
  }
  std::vector<Vec> columns;
  Encoded all;
  for (const NodePtr& key : grouping_.keys) {
    columns.push_back(batch.eval(*key));
    combine(all, encode(columns.back(), batch, forwards), n, forwards, batch.arena());
  }
  std::vector<std::uint32_t> gids;
  Numbered numbered;
  if (all.size == 1) {
    numbered.first = {forwards ? static_cast<std::uint32_t>(n - 1) : 0};
    numbered.sizes = {static_cast<std::uint32_t>(n)};
    if (rows_wanted) gids.resize(n);
  } else {
    numbered = !all.run_ends.empty() ? number_runs(all.run_ends) : number_groups(all.ids, n, all.size, forwards);
    if (rows_wanted && !all.run_ends.empty()) {
      gids.reserve(n);
      for (std::size_t run = 0; run < all.size; ++run) gids.resize(all.run_ends[run], numbered.group_of[run]);
    } else if (rows_wanted) {
      gids = groups_of(numbered, all.ids, n);
    }
  }
  groups_ = numbered.first.size();
  for (std::size_t g = 0; g < groups_; ++g)
    for (const Vec& vec : columns) {
      Value value = vec.get(batch.sel[numbered.first[g]], batch.arena());
      if (value.container()) value = Value{};
      if (value.type == Type::kTime) value.i += grouping_.offset_ms;
      keys_.push_back(copy(value, arena_));
    }
  for (const auto& aggregator : aggregators_) {
    aggregator->grow(groups_);
    if (aggregator->wants_rows())
      aggregator->update(batch, gids);
    else
      aggregator->update_sizes(numbered.sizes);
  }
  account();
}

// Keys are the same when their texts are.
std::uint64_t GroupTable::key_hash(std::size_t group, std::string& buffer) const {
  const std::size_t width = grouping_.keys.size();
  std::uint64_t hash = 0;
  for (std::size_t k = 0; k < width; ++k) {
    const Value& value = keys_[group * width + k];
    hash = value.null() ? hash * 0x9e3779b97f4a7c15ull + 1 : hash64(text_of(value, buffer), hash + 2);
  }
  return hash;
}

bool GroupTable::same_keys(std::size_t group, const GroupTable& other, std::size_t of_other) const {
  const std::size_t width = grouping_.keys.size();
  std::string one, two;
  for (std::size_t k = 0; k < width; ++k) {
    const Value& a = keys_[group * width + k];
    const Value& b = other.keys_[of_other * width + k];
    if (a.null() != b.null()) return false;
    if (!a.null() && text_of(a, one) != text_of(b, two)) return false;
  }
  return true;
}

void GroupTable::merge(GroupTable& other) {
  std::vector<std::uint32_t> map(other.groups_);
  const std::size_t width = grouping_.keys.size();
  std::string buffer;
  for (std::size_t g = 0; g < other.groups_; ++g) {
    const auto next = static_cast<std::uint32_t>(groups_);
    map[g] = index_.find_or_add(other.key_hash(g, buffer), next, [&](std::uint32_t group) { return same_keys(group, other, g); });
    if (map[g] != next) continue;
    ++groups_;
    for (std::size_t k = 0; k < width; ++k) keys_.push_back(copy(other.keys_[g * width + k], arena_));
  }
  for (std::size_t k = 0; k < aggregators_.size(); ++k) {
    aggregators_[k]->grow(groups_);
    aggregators_[k]->merge(*other.aggregators_[k], map);
  }
  account();
}

BatchPtr GroupTable::finish(Run& run) {
  auto batch = std::make_shared<Batch>(run, groups_, grouping_.command);
  for (const auto& aggregator : aggregators_) aggregator->settle(run.options.pool);
  std::size_t width = grouping_.keys.size();
  Arena& arena = batch->arena();
  int time_key = -1;
  for (std::size_t k = 0; k < width; ++k) {
    auto* values = arena.array<Value>(groups_);
    bool time = false;
    for (std::size_t g = 0; g < groups_; ++g) {
      new (values + g) Value(copy(keys_[g * width + k], arena));
      time = time || values[g].type == Type::kTime;
    }
    if (time && time_key < 0) time_key = grouping_.key_slots[k];
    batch->set_values(grouping_.key_slots[k], values);
  }
  for (std::size_t a = 0; a < aggregators_.size(); ++a) {
    auto* values = arena.array<Value>(groups_);
    for (std::size_t g = 0; g < groups_; ++g) new (values + g) Value(aggregators_[a]->result(g, arena));
    batch->set_values(grouping_.aggregates[a].slot, values);
  }
  auto& sel = batch->sel;
  if (grouping_.skip_null_keys)
    for (int key : grouping_.key_slots)
      std::erase_if(sel, [&](std::uint32_t row) { return batch->value(key, row).null(); });
  if (grouping_.count_order >= 0) {
    int slot = grouping_.aggregates[static_cast<std::size_t>(grouping_.count_order)].slot;
    std::stable_sort(sel.begin(), sel.end(), [&](std::uint32_t a, std::uint32_t b) {
      if (int c = sort_compare(batch->value(slot, b), batch->value(slot, a)); c != 0) return c < 0;
      for (int key : grouping_.key_slots)
        if (int c = sort_compare(batch->value(key, a), batch->value(key, b)); c != 0) return c < 0;
      return false;
    });
    if (grouping_.rows_max >= 0 && sel.size() > static_cast<std::size_t>(grouping_.rows_max))
      sel.resize(static_cast<std::size_t>(grouping_.rows_max));
  } else if (time_key >= 0) {
    std::stable_sort(sel.begin(), sel.end(), [&](std::uint32_t a, std::uint32_t b) {
      return sort_compare(batch->value(time_key, a), batch->value(time_key, b)) > 0;
    });
  }
  return batch;
}

}  // namespace fog::insights
