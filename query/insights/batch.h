// Batch: rows in columns, the unit of work of the executor. A batch is a block of the store, a
// selection of rows of another batch, or rows held in memory.
//
// Columns appear when they are asked for: a field is loaded from the block, an expression is computed
// for the rows that are still selected. Filters, sorts and limits only change `sel`.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "query/insights/bind.h"
#include "query/insights/function.h"
#include "query/insights/node.h"
#include "query/insights/value.h"
#include "storage/log_block.h"

namespace fog::insights {

class Run;
class Batch;
using BatchPtr = std::shared_ptr<Batch>;

// One column. Entries exist for every row of the batch, but only those of selected rows are computed.
struct Vec {
  enum class Kind : std::uint8_t { kUnset, kConst, kInt, kTime, kDouble, kTruth, kDict, kText, kValues };
  Kind kind = Kind::kUnset;
  Value constant;                          // kConst
  const std::int64_t* ints = nullptr;      // kInt, kTime
  const double* doubles = nullptr;         // kDouble; the source text comes from `source`
  const std::int8_t* truth = nullptr;      // kTruth: 1, 0, -1 null
  const std::uint32_t* codes = nullptr;    // kDict
  const Value* values = nullptr;           // kDict: by code; kValues: by row
  std::uint32_t dict_size = 0;
  const std::uint32_t* offsets = nullptr;  // kText
  const char* bytes = nullptr;
  const std::uint64_t* present = nullptr;  // kInt, kTime, kDouble, kDict, kText; null: all rows
  std::shared_ptr<const LogColumn> source;

  bool has(std::size_t row) const { return present == nullptr || ((present[row / 64] >> (row % 64)) & 1); }
  std::string_view text(std::size_t row) const { return {bytes + offsets[row], offsets[row + 1] - offsets[row]}; }
  Value get(std::size_t row, Arena& arena) const;
  Num num(std::size_t row) const;  // the numeric view, without making text
  bool null(std::size_t row) const;
};

// In the map of a batch: a row that its parent does not have; its columns are null.
constexpr std::uint32_t kNoRow = ~0u;

class Batch : public std::enable_shared_from_this<Batch> {
 public:
  // A block of the store.
  Batch(Run& run, std::shared_ptr<LogBlock> block);
  // `rows` rows in memory; expressions of commands from `first` on are computed here.
  Batch(Run& run, std::size_t rows, int first);
  // Rows `map` of another batch; its columns are copied when they are asked for.
  Batch(Run& run, BatchPtr parent, std::vector<std::uint32_t> map, int first);
  ~Batch();

  std::size_t rows() const { return rows_; }
  std::vector<std::uint32_t> sel;  // rows in their current order

  const Vec& column(int slot);
  void set(int slot, Vec vec) { columns_[static_cast<std::size_t>(slot)] = std::move(vec); }
  void set_values(int slot, const Value* values);
  Vec eval(const Node& node);
  Value value(int slot, std::size_t row) { return column(slot).get(row, *arena_); }
  // Keeps the selected rows for which the expression is true.
  void filter(const Node& node);
  // Forgets loaded columns; they come back when asked for. Only for blocks.
  void release();
  std::size_t loaded_bytes() const { return loaded_; }

  Arena& arena() { return *arena_; }
  Run& run() { return run_; }
  LogBlock* block() { return block_.get(); }

  // Something the columns point into lives as long as the batch.
  void keep(std::shared_ptr<void> owner) { kept_.push_back(std::move(owner)); }
  bool releasable() const { return block_ != nullptr; }

  // The identity of events: time, sequence, group; null where rows are no events.
  const std::int64_t* times();
  const std::uint64_t* sequences();
  // Rows stand newest first, though blocks may overlap: nothing has sorted them yet.
  bool newest_first() const { return block_ != nullptr || (parent_ && parent_->newest_first()); }
  void set_order(const std::int64_t* times, const std::uint64_t* sequences) {
    times_ = times;
    sequences_ = sequences;
  }

 private:
  void load_order();
  Vec load(const std::string& name);
  Vec load_message();
  Vec from_column(std::shared_ptr<const LogColumn> column);
  Vec gather(const Vec& from);
  Vec eval_path(const Node& node);
  Vec eval_call(const Node& node);
  Vec eval_logic(const Node& node);
  Vec eval_compare(const Node& node);
  Vec eval_arith(const Node& node);
  Vec eval_contains(const Node& node);
  Vec eval_match(const Node& node);
  Vec eval_in(const Node& node);
  template <typename Compute>
  Vec map_one(const Vec& vec, Compute&& compute);
  std::int8_t* truths(const Vec& vec);  // of the selected rows
  Vec truth_vec(const std::int8_t* truth);

  Run& run_;
  std::shared_ptr<LogBlock> block_;
  BatchPtr parent_;
  std::vector<std::uint32_t> map_;
  std::size_t rows_ = 0;
  int first_ = 0;
  std::size_t loaded_ = 0;
  std::vector<std::shared_ptr<void>> kept_;
  std::unique_ptr<Arena> arena_;
  std::vector<Vec> columns_;
  const std::int64_t* times_ = nullptr;
  const std::uint64_t* sequences_ = nullptr;
  bool order_loaded_ = false;
};

// The values of an `in` list, for quick answers to `=`.
struct ValueSet {
  std::unordered_set<std::string> texts;
  std::unordered_set<std::int64_t> ints;
  std::unordered_set<double> doubles;
  void add(const Value& value);
  bool has(const Value& value) const;
};

}  // namespace fog::insights
