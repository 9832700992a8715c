// Catalogue: every series by its identity, and an inverted index over namespace, name and
// dimensions. In memory; the engine keeps what must survive (see series_file.h).
//
// Ids count up from 1 and are never reused: a removed series leaves a hole.
// Threads: none of its own; the engine locks.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/metric_store.h"

namespace fog::metrics {

// Equal strings get equal numbers; strings live as long as the table.
class Symbols {
 public:
  std::uint32_t intern(std::string_view text);
  std::optional<std::uint32_t> find(std::string_view text) const;
  std::string_view text(std::uint32_t symbol) const { return texts_[symbol]; }
  std::size_t memory_bytes() const { return bytes_; }

 private:
  std::string_view keep(std::string_view text);
  std::vector<std::string_view> texts_;
  std::unordered_map<std::string_view, std::uint32_t> index_;
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::size_t block_used_ = 0;
  std::size_t block_size_ = 0;
  std::size_t bytes_ = 0;
};

class Catalogue {
 public:
  using DimensionSymbols = std::pair<std::uint32_t, std::uint32_t>;

  struct Series {
    std::uint32_t scope = 0;  // 0: removed
    std::uint32_t namespace_symbol = 0;
    std::uint32_t name_symbol = 0;
    std::uint32_t rank = 0;  // place in the scope's order, where the scope is ordered
    std::uint32_t dimensions_at = 0;
    std::uint32_t dimensions_n = 0;
    std::int64_t newest_ms = INT64_MIN;
    std::uint64_t hash = 0;
  };

  explicit Catalogue(SeriesId next_id = 1) : base_(next_id) {}

  // The scope's number, made when it is new.
  std::uint32_t scope(std::string_view account, std::string_view region);
  std::optional<std::uint32_t> find_scope(std::string_view account, std::string_view region) const;
  bool has_account(std::string_view account) const;

  std::optional<SeriesId> find(std::uint32_t scope, std::string_view ns, std::string_view name,
                               std::span<const DimensionView> dimensions) const;
  // `id` 0: the next free one.
  SeriesId add(std::uint32_t scope, std::string_view ns, std::string_view name,
               std::span<const DimensionView> dimensions, SeriesId id = 0);
  bool contains(SeriesId id) const {
    return id >= base_ && id - base_ < series_.size() && series_[id - base_].scope != 0;
  }
  Series& at(SeriesId id) { return series_[id - base_]; }
  const Series& at(SeriesId id) const { return series_[id - base_]; }
  SeriesId base() const { return base_; }
  SeriesId next_id() const { return base_ + series_.size(); }
  std::size_t size() const { return live_; }
  // Never gives out ids below this again.
  void reserve_ids(SeriesId next);

  SeriesInfo info(SeriesId id) const;
  void set_entity(SeriesId id, std::string_view entity) { entities_[id] = entity; }
  std::string_view entity(SeriesId id) const;
  std::span<const DimensionSymbols> dimensions(const Series& series) const {
    return {dimension_pool_.data() + series.dimensions_at, series.dimensions_n};
  }

  // Brings the scope's order up to date; select needs it.
  bool is_ordered(std::uint32_t scope) const;
  void order(std::uint32_t scope);
  void select(const SeriesFilter& filter, const SeriesInfo* after,
              const MetricStore::Visit& visit) const;

  // Looks at ids from `from` on and removes up to `max` series for which `doomed` says so; returns them. `from`
  // moves on to where the next call should begin, next_id() at the end: so a caller may let others in between.
  std::vector<SeriesId> remove_some(SeriesId& from, std::size_t max,
                                    const std::function<bool(SeriesId, const Series&)>& doomed);
  std::string_view scope_account(std::uint32_t scope) const { return scopes_[scope].account; }
  std::string_view scope_region(std::uint32_t scope) const { return scopes_[scope].region; }
  std::size_t memory_bytes() const;

 private:
  struct Scope {
    std::string account;
    std::string region;
    std::vector<SeriesId> all;    // ascending
    std::vector<SeriesId> order;  // by namespace, name, dimensions; may lack the newest of all
    std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> postings;  // id - base, ascending
    std::vector<SeriesId> fresh;  // of all, not in order yet
  };

  using Postings = std::vector<std::uint32_t>;  // id - base, ascending

  void index(SeriesId id);
  void post(SeriesId id);
  // Calls visit(key) for each posting list that the series is in.
  template <typename Visit>
  void for_postings(const Series& series, const Visit& visit) const;
  const Postings* posted(const Scope& scope, std::string_view name, const std::optional<std::string>& value) const;
  void rehash(std::size_t slots);
  bool less(SeriesId a, SeriesId b) const;
  bool less_key(SeriesId a, const SeriesInfo& key) const;  // a <= key
  SeriesView view(SeriesId id, std::vector<DimensionView>& dimensions) const;

  Symbols symbols_;
  SeriesId base_;
  std::vector<Series> series_;
  std::vector<DimensionSymbols> dimension_pool_;
  std::vector<std::uint32_t> table_;  // index + 1 into series_, open addressing
  std::size_t table_used_ = 0;
  std::size_t live_ = 0;
  std::deque<Scope> scopes_{1};  // number 0 is none
  std::map<std::string, std::uint32_t, std::less<>> scope_index_;  // account, NUL, region
  std::unordered_map<SeriesId, std::string> entities_;
};

}  // namespace fog::metrics
