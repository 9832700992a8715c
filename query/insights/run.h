// Run: one execution of a query: its constants, budget, cancellation and first error. Shared by all
// threads that work on it.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "query/insights/batch.h"
#include "query/insights/command.h"
#include "query/insights/query.h"
#include "query/insights/scan.h"

namespace fog::insights {

class Run {
 public:
  Run(const Pipeline& pipeline_in, const Program& program_in, Scan& scan_in, const RunOptions& options_in,
      RunInfo info_in, Memory& memory_in)
      : pipeline(pipeline_in), program(program_in), scan(scan_in), options(options_in), info(info_in), memory(memory_in) {}

  const Pipeline& pipeline;
  const Program& program;
  Scan& scan;
  const RunOptions& options;
  const RunInfo info;
  Memory& memory;
  std::vector<ValueSet> sets;  // results of the subqueries of `in`
  Statistics statistics;       // guarded by statistics_mutex while blocks are scanned
  std::mutex statistics_mutex;

  // True: give up soon. The reason is in status().
  bool stop();
  void fail(Error error);
  Status status();

  // Runs the first `commands` commands of another pipeline, or of this one over another window; the
  // result has the columns `wanted` and lives as long as this run.
  Result<BatchPtr> inner(const Pipeline& pipeline, const Program& program, RunInfo info, std::size_t commands,
                         const std::set<int>& wanted);
  std::optional<std::chrono::steady_clock::time_point> deadline;

 private:
  std::mutex mutex_;
  std::optional<Error> error_;
  std::atomic<bool> failed_{false};
  std::vector<std::unique_ptr<Run>> children_;
};

// For loops over the rows of a block: looks now and then whether the query has been stopped. From then on
// stop() is true, and what is left of the block does not matter.
class Pace {
 public:
  explicit Pace(Run& run) : run_(run) {}
  bool stop() {
    if ((++rows_ & 255) == 0 && !stopped_) stopped_ = run_.stop();
    return stopped_;
  }

 private:
  Run& run_;
  std::uint32_t rows_ = 0;
  bool stopped_ = false;
};

// Runs the first `commands` commands; the result holds all rows in order, with the columns `wanted`.
// Without a limit of the query at most `rows_max` rows are wanted; negative: all.
Result<BatchPtr> execute(Run& run, std::size_t commands, const std::set<int>& wanted, std::int64_t rows_max);

// The conditions of the leading filters that storage understands (plan.cc).
std::vector<std::vector<LogPredicate>> pushdown(const Program& program, const std::vector<const Node*>& conjuncts);
// Where a condition is true exactly when the message holds one of some texts: those, as predicates.
std::vector<LogPredicate> message_texts(const Program& program, const Node& node);
// The conjuncts of the leading filters, cheapest first.
std::vector<const Node*> leading_filters(const Pipeline& pipeline, const Program& program, std::size_t commands);
// The columns made before command `from` that the commands from there on and `wanted` need.
std::set<int> needed_slots(const Pipeline& pipeline, const Program& program, std::size_t from, std::size_t commands,
                           const std::set<int>& wanted);

}  // namespace fog::insights
