// pattern: clusters of texts that differ only in their variable parts.
//
// Each text is cut into tokens; numbers, times, addresses and the like become their kind. Texts with
// the same tokens are one template, counted block by block. At the end similar templates are merged
// (Drain: same number of tokens, at least half of them equal), most frequent first.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "query/insights/commands/kit.h"

namespace fog::insights {

constexpr std::size_t kPatternBins = 50;  // of the window, for anomaly

class PatternTable {
 public:
  // Counts kept for two windows: 0 is the query's own, 1 the one diff compares with.
  struct Entry {
    std::int64_t counts[2] = {0, 0};
    std::vector<std::uint32_t> bins;  // kPatternBins, side 0 only
  };
  PatternTable(NodePtr input, int time_slot, RunInfo info, Memory* memory)
      : input_(std::move(input)), time_slot_(time_slot), info_(info), memory_(memory) {}
  ~PatternTable();
  void add(Batch& batch, int side = 0);
  void merge(PatternTable& other);

  // A template after merging, ready to show.
  struct Pattern {
    std::string text;
    std::string severity;  // empty: none found
    Entry entry;
  };
  std::vector<Pattern> patterns() const;  // by count of side 0, then 1, descending
  std::int64_t rows(int side) const { return rows_[side]; }

 private:
  void charge(std::size_t bytes);
  NodePtr input_;
  int time_slot_;
  RunInfo info_;
  Memory* memory_;
  std::size_t charged_ = 0;
  std::unordered_map<std::string, Entry> entries_;
  std::int64_t rows_[2] = {0, 0};
};

class PatternCommand final : public WholeCommand {
 public:
  explicit PatternCommand(ExprPtr source) : source_(std::move(source)) {}
  void print(std::string& out) const override;
  Status bind(Binder& binder) override;
  void uses(std::set<int>& slots) const override;
  Result<BatchPtr> apply(BatchPtr batch, Run& run) const override;
  const PatternCommand* pattern() const override { return this; }

  std::unique_ptr<PatternTable> make_table(Run& run) const;
  BatchPtr finish(const PatternTable& table, Run& run) const;

 private:
  ExprPtr source_;
  NodePtr input_;
  int time_slot_ = -1;
  int command_ = 0;
  int pattern_ = -1, ratio_ = -1, count_ = -1, severity_ = -1, bins_ = -1;
};

}  // namespace fog::insights
