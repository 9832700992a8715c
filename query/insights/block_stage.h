// BlockStage: the part of a query that runs block by block: blocks of the store through the filters and
// the other leading commands, in parallel.
#pragma once

#include "query/insights/run.h"
#include "storage/base/worker_pool.h"

namespace fog::insights {

// The block that this thread works on turned out to be damaged: its events are left out, the store has
// counted them, and the query goes on.
inline thread_local bool block_damaged = false;

class BlockStage {
 public:
  BlockStage(Run& run, std::size_t commands);

  std::size_t lead() const { return lead_; }  // so many commands run here

  Result<std::vector<std::unique_ptr<LogBlock>>> open(bool newest_first);

  // One block through the leading commands. Null: nothing left.
  BatchPtr process(std::unique_ptr<LogBlock> block) { return process(std::move(block), SIZE_MAX, true); }
  // The same with the newest `rows_max` rows only, which leaves the statistics alone.
  BatchPtr preview(LogBlock& block, std::size_t rows_max);

  // Runs visit(index, batch) for every block; in parallel, in no particular order, and with a null
  // batch where nothing is left. `skip` may spare a block.
  template <typename Skip, typename Visit>
  void each(std::vector<std::unique_ptr<LogBlock>>& blocks, Skip&& skip, Visit&& visit) {
    auto one = [&](std::size_t k) {
      if (run_.stop()) return;
      std::unique_ptr<LogBlock> block = std::move(blocks[k]);
      if (skip(*block)) {
        count_unseen(*block);
        visit(k, BatchPtr{});
        return;
      }
      BatchPtr batch;
      try {
        batch = process(std::move(block));
        visit(k, std::move(batch));
      } catch (const std::bad_alloc&) {
        run_.fail(Error::limit("the query needs more memory than there is"));
      }
      report();
    };
    if (run_.options.pool != nullptr && blocks.size() > 1)
      run_.options.pool->parallel_for(blocks.size(), one);
    else
      for (std::size_t k = 0; k < blocks.size(); ++k) one(k);
  }

 private:
  // A condition that is nothing but: the message holds one of the texts. Storage may know exactly.
  struct TextFilter {
    const Node* node = nullptr;
    std::vector<LogPredicate> clause;
  };

  BatchPtr process(std::shared_ptr<LogBlock> block, std::size_t rows_max, bool counted);
  bool filtering() const { return !filters_.empty() || !text_filters_.empty() || rows_ < lead_; }
  void count_unseen(LogBlock& block);
  void count(std::size_t scanned, std::size_t matched, std::uint64_t bytes);
  void report();

  Run& run_;
  std::size_t lead_ = 0;
  std::size_t rows_ = 0;  // leading commands that keep rows as they are
  std::vector<const Node*> filters_;
  std::vector<TextFilter> text_filters_;
  std::vector<std::vector<LogPredicate>> where_;   // of all filters: which blocks to look at
  std::vector<std::vector<LogPredicate>> narrow_;  // of filters_ alone
  std::int64_t from_ms_ = 0, to_ms_ = 0;
  std::chrono::steady_clock::time_point reported_ = std::chrono::steady_clock::now();
};

}  // namespace fog::insights
