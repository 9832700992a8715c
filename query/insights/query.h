// Logs Insights: the door of this room. parse() turns text into a Query; run() runs it over a Scan.
//
//   TRY(auto query, insights::parse(text, {}));
//   TRY(auto table, insights::run(*query, scan, options));
//
// Threads: a Query is immutable; any number of runs may use it at once.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "query/insights/bind.h"
#include "query/insights/limits.h"
#include "query/insights/scan.h"
#include "query/insights/value.h"
#include "storage/base/result.h"
#include "storage/base/worker_pool.h"

namespace fog::insights {

struct QueryBody;

class Query {
 public:
  explicit Query(std::unique_ptr<QueryBody> body);
  ~Query();
  // The SOURCE clause, if there is one, and the window it sets: epoch ms, resolved with `now_ms`.
  const std::optional<Source>& source() const;
  std::optional<std::pair<std::int64_t, std::int64_t>> source_window(std::int64_t now_ms) const;
  std::string print() const;  // back to text
  // The names of the columns, in order, without @ptr.
  std::vector<std::string> columns() const;
  bool event_rows() const;
  const QueryBody& body() const { return *body_; }

 private:
  std::unique_ptr<QueryBody> body_;
};

// Errors: invalid, with position (bytes) and a QueryErrorDetail (lex.h) that holds the span in code
// points; the message is the text of MalformedQueryException.
Result<std::shared_ptr<const Query>> parse(std::string_view text, const BindOptions& options);

// All numbers are events or bytes, as GetQueryResults shows them.
struct Statistics {
  double records_matched = 0;  // survived every filter before stats, dedup and limit
  double records_scanned = 0;
  double bytes_scanned = 0;
  double records_skipped = 0;  // by a field index
  double bytes_skipped = 0;
  double groups_scanned = 0;
};

struct Table {
  struct Row {
    std::vector<Value> values;  // one for each column; null: left out
    std::string pointer;        // @ptr; empty where rows are no events
  };
  std::vector<std::string> columns;
  std::vector<Row> rows;
  Statistics statistics;
  std::shared_ptr<Arena> arena;  // holds what the values point to

  // The text of a value as the API shows it; nothing for null.
  std::optional<std::string> text(std::size_t row, std::size_t column) const;
};

struct RunOptions {
  // The window in ms, both inclusive, and the time of now().
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;
  std::int64_t now_ms = 0;
  // Rows when the query has no limit of its own.
  std::int64_t limit = kLimitDefault;
  std::size_t memory_bytes_max = kMemoryBytesDefault;
  const std::atomic<bool>* cancelled = nullptr;                      // set by anyone: stop soon
  std::optional<std::chrono::steady_clock::time_point> deadline;     // then fail
  std::chrono::milliseconds subquery_time_max{30'000};
  WorkerPool* pool = nullptr;  // nullptr: everything on the calling thread
  // Called now and then while events are found, with the rows so far; not for stats. Any thread, one
  // call at a time.
  std::function<void(const Table&)> partial;
  std::chrono::milliseconds partial_after{100};
  // Called with the numbers so far. Any thread, one call at a time.
  std::function<void(const Statistics&)> progress;
};

// Errors: invalid (semantic errors that need data), limit (memory, time, too many keys), conflict
// (cancelled), or what the scan reports.
Result<Table> run(const Query& query, Scan& scan, const RunOptions& options);

}  // namespace fog::insights
