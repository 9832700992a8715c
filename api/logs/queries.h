// Queries: Logs Insights queries that were started, their progress and results.
//
// A query runs on the worker pool. Results live in memory, the newest kResultBytesMax of them; older
// ones, and all at a restart, are forgotten and answer ResourceNotFoundException.
// Threads: any.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/common/resettable.h"
#include "api/logs/logs.h"
#include "api/logs/shapes.h"
#include "query/insights/query.h"
#include "storage/base/random.h"
#include "storage/base/worker_pool.h"

namespace fog::logs {

constexpr std::size_t kRunningQueriesMax = 100;
constexpr std::size_t kResultBytesMax = 64u << 20;
constexpr std::chrono::minutes kQueryTimeMax{60};
constexpr std::chrono::hours kResultsKept{7 * 24};  // of virtual time

struct QueryRun {
  std::string id{};
  std::string account{};
  std::string region{};
  std::string text{};  // normalised: SOURCE "group" START=... END=... | query
  std::vector<std::string> groups{};
  std::int64_t created_ms = 0;
  std::shared_ptr<const insights::Query> query{};
  std::atomic<bool> cancelled{false};

  struct State {
    QueryStatus status = QueryStatus::Scheduled;
    std::shared_ptr<const insights::Table> table;
    insights::Statistics statistics;
    std::chrono::steady_clock::time_point started{};
    std::optional<std::chrono::milliseconds> duration;
    std::size_t bytes = 0;  // of the table
  };
  Guarded<State> state;

  bool is_running() const {
    const QueryStatus now = state.lock_shared()->status;
    return now == QueryStatus::Scheduled || now == QueryStatus::Running;
  }
};
using QueryRunPtr = std::shared_ptr<QueryRun>;

class Queries final : public Resettable {
 public:
  Queries(Logs& logs, WorkerPool& pool, Random& random) : logs_(logs), pool_(pool), random_(random) {}
  ~Queries() override;

  struct Start {
    std::string text;  // as given
    std::shared_ptr<const insights::Query> query;
    std::vector<GroupPtr> groups;
    std::int64_t start_s = 0;
    std::int64_t end_s = 0;
    std::int64_t limit = 0;
    Timestamp now{};
  };
  // Errors: limit, busy.
  Result<QueryRunPtr> start(std::string_view account, std::string_view region, Start start);
  // The same on the calling thread, for work that is on the pool already; returns when it has ended.
  Result<QueryRunPtr> run_now(std::string_view account, std::string_view region, Start start);
  QueryRunPtr find(std::string_view account, std::string_view region, std::string_view id);
  // Newest first.
  std::vector<QueryRunPtr> list(std::string_view account, std::string_view region);
  // False when it had ended already.
  bool stop(const QueryRunPtr& run);

  // Where lookup tables come from; before the first request.
  using FindLookupTable = std::function<std::shared_ptr<const insights::LookupTable>(
      const std::string& account, const std::string& region, std::string_view name)>;
  void find_lookup_tables_with(FindLookupTable find) { find_lookup_table_ = std::move(find); }
  insights::LookupTables lookup_tables(std::string account, std::string region) const {
    return [this, account = std::move(account), region = std::move(region)](std::string_view name) {
      return find_lookup_table_ ? find_lookup_table_(account, region, name) : nullptr;
    };
  }

  Status reset(std::string_view account, std::string_view region) override;
  Logs& logs() { return logs_; }
  // By all queries since the process began, those that were stopped included.
  double scanned_bytes() const { return scanned_bytes_.load(std::memory_order_relaxed); }

 private:
  Result<QueryRunPtr> admit(std::string_view account, std::string_view region, const Start& start);
  void execute(const QueryRunPtr& run, Start start);
  void make_room();

  Logs& logs_;
  WorkerPool& pool_;
  Random& random_;
  FindLookupTable find_lookup_table_;
  Guarded<std::deque<QueryRunPtr>> runs_;  // oldest first
  std::mutex idle_mutex_;
  std::condition_variable idle_;
  std::size_t active_ = 0;  // tasks on the pool
  std::atomic<double> scanned_bytes_{0};
};

}  // namespace fog::logs
