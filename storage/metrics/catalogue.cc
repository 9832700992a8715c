#include "storage/metrics/catalogue.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace fog::metrics {
namespace {

constexpr std::size_t kSymbolBlockBytes = 64 * 1024;

// Keys of postings: two bits of kind, 30 of the first symbol, 32 of the second.
enum class PostingKind : std::uint64_t { kNamespace, kName, kDimensionName, kDimension };
std::uint64_t posting(PostingKind kind, std::uint32_t a, std::uint32_t b = 0) {
  return static_cast<std::uint64_t>(kind) << 62 | static_cast<std::uint64_t>(a & 0x3fffffff) << 32 | b;
}

std::string scope_key(std::string_view account, std::string_view region) {
  std::string key(account);
  key += '\0';
  return key.append(region);
}

// A hash for this process alone: quick on short strings.
__extension__ typedef unsigned __int128 Wide;
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}
template <typename T>
std::uint64_t load(const char* at) {
  T word;
  std::memcpy(&word, at, sizeof(T));
  return word;
}
std::uint64_t short_hash(std::string_view text, std::uint64_t seed) {
  constexpr std::uint64_t kA = 0xa0761d6478bd642full;
  constexpr std::uint64_t kB = 0xe7037ed1a0b428dbull;
  const char* at = text.data();
  std::size_t n = text.size();
  std::uint64_t state = seed ^ kA;
  for (; n > 16; n -= 16, at += 16) state = mix(load<std::uint64_t>(at) ^ kB, load<std::uint64_t>(at + 8) ^ state);
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  if (n >= 8) {
    low = load<std::uint64_t>(at);
    high = load<std::uint64_t>(at + n - 8);
  } else if (n >= 4) {
    low = load<std::uint32_t>(at);
    high = load<std::uint32_t>(at + n - 4);
  } else if (n > 0) {
    low = static_cast<std::uint64_t>(static_cast<unsigned char>(at[0])) << 16 |
          static_cast<std::uint64_t>(static_cast<unsigned char>(at[n / 2])) << 8 | static_cast<unsigned char>(at[n - 1]);
  }
  return mix(kB ^ text.size(), mix(low ^ kA, high ^ state));
}

// Sums the dimensions' hashes, so that their order does not matter.
std::uint64_t identity_hash(std::uint32_t scope, std::string_view ns, std::string_view name,
                            std::span<const DimensionView> dimensions) {
  std::uint64_t h = short_hash(name, short_hash(ns, scope));
  for (const DimensionView& d : dimensions) h += short_hash(d.value, short_hash(d.name, 77));
  h ^= h >> 29;
  return h * 0x9e3779b97f4a7c15ull;
}

}  // namespace

// --- symbols --------------------------------------------------------------------------------------

std::string_view Symbols::keep(std::string_view text) {
  if (text.empty()) return {};
  if (block_used_ + text.size() > block_size_) {
    block_size_ = std::max(kSymbolBlockBytes, text.size());
    blocks_.push_back(std::make_unique<char[]>(block_size_));
    bytes_ += block_size_;
    block_used_ = 0;
  }
  char* at = blocks_.back().get() + block_used_;
  std::memcpy(at, text.data(), text.size());
  block_used_ += text.size();
  return {at, text.size()};
}

std::uint32_t Symbols::intern(std::string_view text) {
  const auto found = index_.find(text);
  if (found != index_.end()) return found->second;
  const auto symbol = static_cast<std::uint32_t>(texts_.size());
  const std::string_view kept = keep(text);
  texts_.push_back(kept);
  index_.emplace(kept, symbol);
  bytes_ += 80;  // the two entries and a node
  return symbol;
}

std::optional<std::uint32_t> Symbols::find(std::string_view text) const {
  const auto found = index_.find(text);
  if (found == index_.end()) return std::nullopt;
  return found->second;
}

// --- scopes ---------------------------------------------------------------------------------------

std::uint32_t Catalogue::scope(std::string_view account, std::string_view region) {
  if (const auto found = find_scope(account, region)) return *found;
  const auto number = static_cast<std::uint32_t>(scopes_.size());
  scopes_.push_back({.account = std::string(account), .region = std::string(region), .all = {}, .order = {}, .postings = {}, .fresh = {}});
  scope_index_[scope_key(account, region)] = number;
  return number;
}

std::optional<std::uint32_t> Catalogue::find_scope(std::string_view account,
                                                   std::string_view region) const {
  const auto found = scope_index_.find(scope_key(account, region));
  if (found == scope_index_.end()) return std::nullopt;
  return found->second;
}

bool Catalogue::has_account(std::string_view account) const {
  return std::any_of(scopes_.begin() + 1, scopes_.end(), [&](const Scope& scope) {
    return scope.account == account && !scope.all.empty();
  });
}

// --- identity -------------------------------------------------------------------------------------

std::optional<SeriesId> Catalogue::find(std::uint32_t scope, std::string_view ns,
                                        std::string_view name,
                                        std::span<const DimensionView> dimensions) const {
  if (table_.empty()) return std::nullopt;
  const std::uint64_t hash = identity_hash(scope, ns, name, dimensions);
  const std::size_t mask = table_.size() - 1;
  for (std::size_t at = hash & mask; table_[at] != 0; at = (at + 1) & mask) {
    const Series& series = series_[table_[at] - 1];
    if (series.hash != hash || series.scope != scope || series.dimensions_n != dimensions.size() ||
        symbols_.text(series.name_symbol) != name || symbols_.text(series.namespace_symbol) != ns)
      continue;
    const auto stored = this->dimensions(series);
    bool same = true;
    for (std::size_t i = 0; i < dimensions.size() && same; ++i) {
      const auto equals = [&](const DimensionSymbols& s) {
        return symbols_.text(s.first) == dimensions[i].name && symbols_.text(s.second) == dimensions[i].value;
      };
      same = equals(stored[i]) || std::any_of(stored.begin(), stored.end(), equals);
    }
    if (same) return base_ + table_[at] - 1;
  }
  return std::nullopt;
}

SeriesId Catalogue::add(std::uint32_t scope, std::string_view ns, std::string_view name,
                        std::span<const DimensionView> dimensions, SeriesId id) {
  if (id == 0) id = next_id();
  FOG_ASSERT(id >= base_, "series ids grow");
  if (id >= next_id()) series_.resize(id - base_ + 1);
  std::vector<DimensionView> sorted(dimensions.begin(), dimensions.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const DimensionView& a, const DimensionView& b) { return a.name < b.name; });
  Series& series = at(id);
  series = {};
  series.scope = scope;
  series.namespace_symbol = symbols_.intern(ns);
  series.name_symbol = symbols_.intern(name);
  series.dimensions_at = static_cast<std::uint32_t>(dimension_pool_.size());
  series.dimensions_n = static_cast<std::uint32_t>(sorted.size());
  series.hash = identity_hash(scope, ns, name, sorted);
  for (const DimensionView& d : sorted)
    dimension_pool_.emplace_back(symbols_.intern(d.name), symbols_.intern(d.value));
  ++live_;
  index(id);
  return id;
}

void Catalogue::rehash(std::size_t slots) {
  table_.assign(slots, 0);
  table_used_ = 0;
  for (std::size_t i = 0; i < series_.size(); ++i) {
    if (series_[i].scope == 0) continue;
    std::size_t at = series_[i].hash & (slots - 1);
    while (table_[at] != 0) at = (at + 1) & (slots - 1);
    table_[at] = static_cast<std::uint32_t>(i + 1);
    ++table_used_;
  }
}

void Catalogue::index(SeriesId id) {
  const auto number = static_cast<std::uint32_t>(id - base_);
  const Series& series = series_[number];
  if ((table_used_ + 1) * 10 > table_.size() * 6) {
    rehash(std::max<std::size_t>(64, table_.size() * 2));  // takes in the new series, too
  } else {
    std::size_t at = series.hash & (table_.size() - 1);
    while (table_[at] != 0) at = (at + 1) & (table_.size() - 1);
    table_[at] = number + 1;
    ++table_used_;
  }
  post(id);
}

template <typename Visit>
void Catalogue::for_postings(const Series& series, const Visit& visit) const {
  visit(posting(PostingKind::kNamespace, series.namespace_symbol));
  visit(posting(PostingKind::kName, series.name_symbol));
  for (const auto& [name, value] : dimensions(series)) {
    visit(posting(PostingKind::kDimensionName, name));
    visit(posting(PostingKind::kDimension, name, value));
  }
}

void Catalogue::post(SeriesId id) {
  const auto number = static_cast<std::uint32_t>(id - base_);
  const Series& series = series_[number];
  Scope& scope = scopes_[series.scope];
  // Ids nearly always come in ascending order; replay of a crash may bring an older one.
  const auto insert = [](auto& list, auto value) {
    if (list.empty() || list.back() < value)
      list.push_back(value);
    else
      list.insert(std::lower_bound(list.begin(), list.end(), value), value);
  };
  insert(scope.all, id);
  scope.fresh.push_back(id);
  for_postings(series, [&](std::uint64_t key) { insert(scope.postings[key], number); });
}

void Catalogue::reserve_ids(SeriesId next) {
  if (next <= next_id()) return;
  if (series_.empty())
    base_ = next;
  else
    series_.resize(next - base_);
}

SeriesInfo Catalogue::info(SeriesId id) const {
  const Series& series = at(id);
  SeriesInfo info;
  info.id = id;
  info.account = scopes_[series.scope].account;
  info.region = scopes_[series.scope].region;
  info.metric_namespace = symbols_.text(series.namespace_symbol);
  info.metric_name = symbols_.text(series.name_symbol);
  for (const auto& [name, value] : dimensions(series))
    info.dimensions.emplace_back(symbols_.text(name), symbols_.text(value));
  info.newest = from_ms(series.newest_ms);
  info.entity = entity(id);
  return info;
}

std::string_view Catalogue::entity(SeriesId id) const {
  const auto found = entities_.find(id);
  return found == entities_.end() ? std::string_view{} : std::string_view(found->second);
}

// --- order and selection ----------------------------------------------------------------------------

bool Catalogue::less(SeriesId a, SeriesId b) const {
  const Series& x = at(a);
  const Series& y = at(b);
  const auto differ = [this](std::uint32_t p, std::uint32_t q) {
    return p == q ? 0 : symbols_.text(p).compare(symbols_.text(q));
  };
  if (const int c = differ(x.namespace_symbol, y.namespace_symbol); c != 0) return c < 0;
  if (const int c = differ(x.name_symbol, y.name_symbol); c != 0) return c < 0;
  const auto p = dimensions(x);
  const auto q = dimensions(y);
  for (std::size_t i = 0; i < std::min(p.size(), q.size()); ++i) {
    if (const int c = differ(p[i].first, q[i].first); c != 0) return c < 0;
    if (const int c = differ(p[i].second, q[i].second); c != 0) return c < 0;
  }
  return p.size() != q.size() ? p.size() < q.size() : a < b;
}

bool Catalogue::less_key(SeriesId a, const SeriesInfo& key) const {
  const Series& x = at(a);
  if (const int c = symbols_.text(x.namespace_symbol).compare(key.metric_namespace); c != 0) return c < 0;
  if (const int c = symbols_.text(x.name_symbol).compare(key.metric_name); c != 0) return c < 0;
  const auto p = dimensions(x);
  for (std::size_t i = 0; i < std::min(p.size(), key.dimensions.size()); ++i) {
    if (const int c = symbols_.text(p[i].first).compare(key.dimensions[i].first); c != 0) return c < 0;
    if (const int c = symbols_.text(p[i].second).compare(key.dimensions[i].second); c != 0) return c < 0;
  }
  return p.size() <= key.dimensions.size();
}

bool Catalogue::is_ordered(std::uint32_t scope) const { return scopes_[scope].fresh.empty(); }

void Catalogue::order(std::uint32_t number) {
  Scope& scope = scopes_[number];
  if (is_ordered(number)) return;
  const auto by_key = [this](SeriesId a, SeriesId b) { return less(a, b); };
  std::vector<SeriesId> fresh = std::move(scope.fresh);
  scope.fresh.clear();
  std::sort(fresh.begin(), fresh.end(), by_key);
  // Comparisons are dear (strings), moves are not: each new one looks for its place.
  std::vector<SeriesId> merged;
  merged.reserve(scope.order.size() + fresh.size());
  auto at = scope.order.begin();
  for (const SeriesId id : fresh) {
    const auto place = std::upper_bound(at, scope.order.end(), id, by_key);
    merged.insert(merged.end(), at, place);
    merged.push_back(id);
    at = place;
  }
  merged.insert(merged.end(), at, scope.order.end());
  scope.order = std::move(merged);
  for (std::size_t i = 0; i < scope.order.size(); ++i)
    this->at(scope.order[i]).rank = static_cast<std::uint32_t>(i);
}

SeriesView Catalogue::view(SeriesId id, std::vector<DimensionView>& buffer) const {
  const Series& series = at(id);
  const auto symbols = dimensions(series);
  buffer.clear();
  for (const auto& [name, value] : symbols)
    buffer.push_back({symbols_.text(name), symbols_.text(value)});
  return {.id = id,
          .metric_namespace = symbols_.text(series.namespace_symbol),
          .metric_name = symbols_.text(series.name_symbol),
          .dimensions = buffer,
          .namespace_symbol = series.namespace_symbol,
          .name_symbol = series.name_symbol,
          .dimension_symbols = symbols,
          .newest = from_ms(series.newest_ms)};
}

const Catalogue::Postings* Catalogue::posted(const Scope& scope, std::string_view name,
                                             const std::optional<std::string>& value) const {
  const auto x = symbols_.find(name);
  const auto y = value ? symbols_.find(*value) : std::optional<std::uint32_t>(0);
  if (!x || !y) return nullptr;
  const auto list = scope.postings.find(posting(value ? PostingKind::kDimension : PostingKind::kDimensionName, *x, *y));
  return list == scope.postings.end() ? nullptr : &list->second;
}

namespace {

// Keeps what is in `list`, too (both ascending).
void intersect(std::vector<std::uint32_t>& matches, const std::vector<std::uint32_t>& list) {
  std::size_t kept = 0;
  if (matches.size() * 16 < list.size()) {
    auto at = list.begin();
    for (const std::uint32_t n : matches) {
      at = std::lower_bound(at, list.end(), n);
      if (at == list.end()) break;
      if (*at == n) matches[kept++] = n;
    }
  } else {
    std::size_t k = 0;
    for (const std::uint32_t n : matches) {
      while (k < list.size() && list[k] < n) ++k;
      if (k == list.size()) break;
      if (list[k] == n) matches[kept++] = n;
    }
  }
  matches.resize(kept);
}

}  // namespace

void Catalogue::select(const SeriesFilter& filter, const SeriesInfo* after,
                       const MetricStore::Visit& visit) const {
  const auto number = find_scope(filter.account, filter.region);
  if (!number) return;
  const Scope& scope = scopes_[*number];
  FOG_ASSERT(is_ordered(*number), "select needs order()");

  // One posting list per condition; a string nobody used matches nothing.
  std::vector<const Postings*> lists;
  bool nothing = false;
  const auto demand = [&](const Postings* list) {
    if (list == nullptr)
      nothing = true;
    else
      lists.push_back(list);
  };
  const auto demand_symbol = [&](PostingKind kind, const std::string& text) {
    const auto symbol = symbols_.find(text);
    const auto list = symbol ? scope.postings.find(posting(kind, *symbol)) : scope.postings.end();
    demand(list == scope.postings.end() ? nullptr : &list->second);
  };
  if (filter.metric_namespace) demand_symbol(PostingKind::kNamespace, *filter.metric_namespace);
  if (filter.metric_name) demand_symbol(PostingKind::kName, *filter.metric_name);
  for (const DimensionFilter& d : filter.dimensions) demand(posted(scope, d.name, d.value));
  if (filter.dimension_names)
    for (const std::string& name : *filter.dimension_names) demand(posted(scope, name, std::nullopt));
  std::deque<Postings> unions;
  for (const auto& choice : filter.choices) {
    Postings& either = unions.emplace_back();
    for (const DimensionFilter& d : choice)
      if (const Postings* list = posted(scope, d.name, d.value)) {
        Postings both;
        both.reserve(either.size() + list->size());
        std::set_union(either.begin(), either.end(), list->begin(), list->end(), std::back_inserter(both));
        either = std::move(both);
      }
    demand(either.empty() ? nullptr : &either);
  }
  if (nothing) return;

  const auto fits = [&](const Series& series) {
    if (filter.dimension_names && series.dimensions_n != filter.dimension_names->size()) return false;
    return !filter.active_since || series.newest_ms >= to_ms(*filter.active_since);
  };
  std::vector<DimensionView> buffer;
  const auto begin_of_order = [&] {
    return after == nullptr ? scope.order.begin()
                            : std::partition_point(scope.order.begin(), scope.order.end(),
                                                   [&](SeriesId id) { return less_key(id, *after); });
  };
  if (lists.empty()) {
    for (auto at = begin_of_order(); at != scope.order.end(); ++at)
      if (fits(this->at(*at)) && !visit(view(*at, buffer))) return;
    return;
  }
  std::sort(lists.begin(), lists.end(),
            [](const auto* a, const auto* b) { return a->size() < b->size(); });
  Postings matches = *lists[0];
  for (std::size_t i = 1; i < lists.size() && !matches.empty(); ++i) intersect(matches, *lists[i]);
  // Many of all: walk the order and pick them out; few: bring them into order.
  if (matches.size() * 4 > scope.order.size()) {
    std::vector<bool> wanted(series_.size());
    for (const std::uint32_t n : matches) wanted[n] = true;
    for (auto at = begin_of_order(); at != scope.order.end(); ++at)
      if (wanted[*at - base_] && fits(this->at(*at)) && !visit(view(*at, buffer))) return;
    return;
  }
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranked;  // rank, number
  for (const std::uint32_t n : matches)
    if (fits(series_[n])) ranked.emplace_back(series_[n].rank, n);
  std::sort(ranked.begin(), ranked.end());
  auto at = ranked.begin();
  if (after != nullptr)
    at = std::partition_point(at, ranked.end(),
                              [&](const auto& r) { return less_key(base_ + r.second, *after); });
  for (; at != ranked.end(); ++at)
    if (!visit(view(base_ + at->second, buffer))) return;
}

// --- removal ----------------------------------------------------------------------------------------

std::vector<SeriesId> Catalogue::remove_some(SeriesId& from, std::size_t max,
                                             const std::function<bool(SeriesId, const Series&)>& doomed) {
  std::vector<SeriesId> gone;
  from = std::max(from, base_);
  for (; from < next_id() && gone.size() < max; ++from)
    if (contains(from) && doomed(from, at(from))) gone.push_back(from);
  if (gone.empty()) return gone;
  // Each list that one of them is in is cleaned once. What the table of identities says of them stays until it
  // grows: a removed series equals no other.
  std::map<std::uint32_t, std::set<std::uint64_t>> touched;
  for (const SeriesId id : gone) {
    auto& keys = touched[at(id).scope];
    for_postings(at(id), [&](std::uint64_t key) { keys.insert(key); });
  }
  for (const SeriesId id : gone) {
    at(id).scope = 0;
    entities_.erase(id);
  }
  live_ -= gone.size();
  const auto is_gone = [this](SeriesId id) { return at(id).scope == 0; };
  for (const auto& [number, keys] : touched) {
    Scope& scope = scopes_[number];
    std::erase_if(scope.all, is_gone);
    std::erase_if(scope.order, is_gone);
    std::erase_if(scope.fresh, is_gone);
    for (const std::uint64_t key : keys) {
      const auto list = scope.postings.find(key);
      std::erase_if(list->second, [this](std::uint32_t n) { return series_[n].scope == 0; });
      if (list->second.empty()) scope.postings.erase(list);
    }
  }
  return gone;
}

std::size_t Catalogue::memory_bytes() const {
  std::size_t bytes = symbols_.memory_bytes() + series_.capacity() * sizeof(Series) +
                      dimension_pool_.capacity() * sizeof(DimensionSymbols) + table_.capacity() * 4;
  for (const Scope& scope : scopes_)
    bytes += (scope.all.capacity() + scope.order.capacity()) * 8 + scope.postings.size() * 80;
  return bytes;
}

}  // namespace fog::metrics
