// BestRows: the best k rows of all blocks in the order of a sort, or newest first; of every row its keys
// are looked at, of the best ones the columns.
#pragma once

#include "query/insights/block_stage.h"
#include "query/insights/commands/sort.h"

namespace fog::insights {

// A row that may be in the answer.
struct Candidate {
  std::vector<SortKey> keys;
  std::int64_t time = 0;
  std::uint64_t sequence = 0;
  std::size_t block = 0;     // breaks ties between groups
  std::size_t position = 0;  // within its batch
  std::uint32_t row = 0;
  BatchPtr batch;
};

class BestRows {
 public:
  // k < 0: all rows. With `show_partial` the rows so far are shown to those who wait.
  BestRows(Run& run, BlockStage& stage, const SortCommand* sort, std::int64_t k, std::set<int> slots, std::size_t from,
           bool show_partial);
  ~BestRows() { run_.memory.sub(accounted_); }

  Result<BatchPtr> collect();

 private:
  using Steady = std::chrono::steady_clock;

  bool bounded() const { return k_ >= 0; }
  bool full() const { return bounded() && best_.size() >= static_cast<std::size_t>(k_); }
  bool before(const Candidate& a, const Candidate& b) const;
  bool beyond(LogBlock& block);
  void preview(std::vector<std::unique_ptr<LogBlock>>& blocks);
  void add(std::size_t block, BatchPtr batch);
  std::vector<Candidate*> in_order();
  void account();
  void show();

  Run& run_;
  BlockStage& stage_;
  const SortCommand* sort_;
  std::int64_t k_;
  std::set<int> slots_;
  std::size_t from_;
  bool partial_;
  int time_order_ = 0;  // -1 newest first, 1 oldest first, 0 neither
  std::mutex mutex_;
  std::vector<Candidate> best_;  // a heap when bounded
  Arena arena_;                  // texts of sort keys
  std::size_t kept_bytes_ = 0;
  std::size_t accounted_ = 0;  // of best_
  bool fresh_ = false;
  Steady::time_point started_, last_partial_;
  Steady::duration partial_cost_{};  // of the last one
};

}  // namespace fog::insights
