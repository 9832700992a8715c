// Grouping and aggregation. A GroupTable holds the groups of some rows; tables of different blocks
// are made in parallel and merged in the order of the blocks, so that results do not depend on threads.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "query/insights/batch.h"
#include "query/insights/function.h"
#include "query/insights/group_index.h"
#include "query/insights/node.h"

namespace fog {
class WorkerPool;
}

namespace fog::insights {

// One aggregate call of a stats command.
struct AggregateSpec {
  Aggregation kind = Aggregation::kCount;
  NodePtr arg;              // null: count(*)
  double percentile = 0;    // pct
  std::int64_t n = 0;       // histogram
  Period period;            // rate
  int time_slot = -1;       // earliest, latest, rate: @timestamp
  int slot = -1;            // where the result goes
};

// What stats, countFrequent and topk have in common.
struct Grouping {
  std::vector<NodePtr> keys;
  std::vector<int> key_slots;
  std::vector<AggregateSpec> aggregates;
  std::int64_t offset_ms = 0;      // added to time keys
  int command = 0;
  int count_order = -1;            // rows by this aggregate, descending, ties by key
  std::int64_t rows_max = -1;      // then only so many
  bool skip_null_keys = false;
};

class Aggregator {
 public:
  virtual ~Aggregator() = default;
  virtual void grow(std::size_t groups) = 0;
  // gids[k] is the group of row batch.sel[k].
  virtual void update(Batch& batch, const std::vector<std::uint32_t>& gids) = 0;
  // False: the sizes of the groups say all, and update_sizes is called instead.
  virtual bool wants_rows() const { return true; }
  virtual void update_sizes(const std::vector<std::uint32_t>&) {}
  // True: the order of rows within a batch shows in the result.
  virtual bool ordered() const { return true; }
  // Group g of `other` goes into map[g]. `other` is of the same kind and is used up.
  virtual void merge(Aggregator& other, const std::vector<std::uint32_t>& map) = 0;
  // Before the results: work that several threads may share. `pool` may be null.
  virtual void settle(WorkerPool*) {}
  virtual Value result(std::size_t group, Arena& arena) = 0;
  // All that it holds, the allocator's share included. Asked for after each block: does not go through the groups.
  virtual std::size_t bytes() const = 0;
};
// What the allocator takes for a piece of so many bytes.
constexpr std::size_t allocated(std::size_t bytes) { return bytes == 0 ? 0 : std::max<std::size_t>(32, (bytes + 8 + 15) / 16 * 16); }
std::unique_ptr<Aggregator> make_aggregator(const AggregateSpec& spec);

class GroupTable {
 public:
  explicit GroupTable(const Grouping& grouping, Memory* memory);
  ~GroupTable();
  // Adds the selected rows. A table takes one batch this way.
  void add(Batch& batch);
  void merge(GroupTable& other);
  std::size_t groups() const { return groups_; }
  std::size_t bytes() const { return accounted_ + arena_.bytes(); }
  // All groups as rows of a new batch, in the grouping's order.
  BatchPtr finish(Run& run);

 private:
  void account();
  std::uint64_t key_hash(std::size_t group, std::string& buffer) const;
  bool same_keys(std::size_t group, const GroupTable& other, std::size_t of_other) const;

  const Grouping& grouping_;
  Memory* memory_;
  Arena arena_;
  std::size_t groups_ = 0;
  std::deque<Value> keys_;  // groups * keys; never moved as it grows
  GroupIndex index_;        // made by merging
  std::vector<std::unique_ptr<Aggregator>> aggregators_;
  std::size_t accounted_ = 0;
};

}  // namespace fog::insights
