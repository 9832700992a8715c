#include "api/logs/queries.h"

#include <fmt/format.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "api/logs/store_scan.h"
#include "storage/base/log.h"

namespace fog::logs {
namespace {

std::int64_t seconds_to_ms(std::int64_t seconds) {
  constexpr std::int64_t kMax = INT64_MAX / 1000 - 1;
  return std::clamp(seconds, -kMax, kMax) * 1000;
}

std::string normalised(const std::vector<std::string>& groups, std::int64_t start_s, std::int64_t end_s, std::string_view text) {
  std::string names;
  for (const std::string& group : groups) names += (names.empty() ? "\"" : ", \"") + group + "\"";
  return fmt::format("SOURCE {} START={}000 END={}999 | {}", names, start_s, end_s, text);
}

std::size_t table_bytes(const insights::Table& table) {
  std::size_t bytes = 256 + (table.arena ? table.arena->bytes() : 0);
  for (const insights::Table::Row& row : table.rows) bytes += 64 + row.pointer.size() + row.values.size() * sizeof(insights::Value);
  return bytes;
}

// What a large query leaves in the allocator's hands goes back to the system.
void give_back_memory(std::chrono::steady_clock::duration took) {
#ifdef __GLIBC__
  constexpr std::chrono::milliseconds kLong{200};
  constexpr std::size_t kMuch = 96u << 20;
  if (took > kLong && ::mallinfo2().fordblks > kMuch) ::malloc_trim(0);
#endif
}

}  // namespace

Queries::~Queries() {
  for (const QueryRunPtr& run : *runs_.lock_shared()) run->cancelled = true;
  std::unique_lock lock(idle_mutex_);
  idle_.wait(lock, [this] { return active_ == 0; });
}

Result<QueryRunPtr> Queries::run_now(std::string_view account, std::string_view region, Start start) {
  TRY(const QueryRunPtr run, admit(account, region, start));
  execute(run, std::move(start));
  return run;
}

Result<QueryRunPtr> Queries::start(std::string_view account, std::string_view region, Start start) {
  TRY(const QueryRunPtr run, admit(account, region, start));
  {
    const std::lock_guard lock(idle_mutex_);
    ++active_;
  }
  const bool queued = pool_.submit([this, run, start = std::move(start)]() mutable {
    execute(run, std::move(start));
    const std::lock_guard lock(idle_mutex_);
    --active_;
    idle_.notify_all();
  });
  if (queued) return run;
  {
    const std::lock_guard lock(idle_mutex_);
    --active_;
  }
  std::erase(*runs_.lock(), run);
  return Error::busy("The service is temporarily unable to start the query.");
}

Result<QueryRunPtr> Queries::admit(std::string_view account, std::string_view region, const Start& start) {
  auto run = std::make_shared<QueryRun>();
  run->id = random_.uuid();
  run->account = account;
  run->region = region;
  run->created_ms = to_ms(start.now);
  run->query = start.query;
  for (const GroupPtr& group : start.groups) run->groups.push_back(group->name);
  run->text = start.query->source() ? start.text : normalised(run->groups, start.start_s, start.end_s, start.text);
  make_room();
  {
    const auto runs = runs_.lock();
    std::size_t running = 0;
    for (const QueryRunPtr& other : *runs) running += other->account == account && other->region == region && other->is_running() ? 1 : 0;
    if (running >= kRunningQueriesMax)
      return Error::limit(fmt::format("Account maximum query concurrency limit of [{}] reached.", kRunningQueriesMax));
    runs->push_back(run);
  }
  return run;
}

void Queries::execute(const QueryRunPtr& run, Start start) {
  const auto began = std::chrono::steady_clock::now();
  {
    const auto state = run->state.lock();
    if (state->status != QueryStatus::Scheduled) return;  // stopped before it began
    state->status = QueryStatus::Running;
    state->started = began;
  }
  StoreScan scan(logs_, run->account, run->region, std::move(start.groups), start.now);
  insights::RunOptions options;
  options.start_ms = seconds_to_ms(start.start_s);
  options.end_ms = seconds_to_ms(start.end_s) + 999;
  options.now_ms = to_ms(start.now);
  if (const auto window = start.query->source_window(options.now_ms)) {
    options.start_ms = window->first;
    options.end_ms = window->second;
  }
  options.limit = start.limit;
  options.cancelled = &run->cancelled;
  options.deadline = began + kQueryTimeMax;
  options.pool = &pool_;
  options.partial = [&run](const insights::Table& table) {
    // Values point into the engine's memory, which the table shares.
    auto copy = std::make_shared<const insights::Table>(table);
    const auto state = run->state.lock();
    if (state->status == QueryStatus::Running) state->table = std::move(copy);
  };
  options.progress = [&run](const insights::Statistics& statistics) {
    const auto state = run->state.lock();
    if (state->status == QueryStatus::Running) state->statistics = statistics;
  };
  Result<insights::Table> result = insights::run(*start.query, scan, options);
  const auto now = std::chrono::steady_clock::now();
  give_back_memory(now - began);
  const auto state = run->state.lock();
  state->duration = std::chrono::duration_cast<std::chrono::milliseconds>(now - began);
  scanned_bytes_.fetch_add(result.ok() ? result->statistics.bytes_scanned : state->statistics.bytes_scanned, std::memory_order_relaxed);
  if (state->status == QueryStatus::Cancelled) return;
  if (result.ok()) {
    state->status = QueryStatus::Complete;
    state->statistics = result->statistics;
    state->table = std::make_shared<const insights::Table>(std::move(result).value());
  } else if (run->cancelled) {
    state->status = QueryStatus::Cancelled;
  } else if (now >= began + kQueryTimeMax) {
    state->status = QueryStatus::Timeout;
  } else {
    state->status = QueryStatus::Failed;
    LOG_INFO("query {} failed: {}", run->id, result.error().message());
  }
  if (state->table != nullptr) state->bytes = table_bytes(*state->table);
}

// Forgets the oldest results beyond the memory allowed, and those older than the service keeps them.
void Queries::make_room() {
  const std::int64_t oldest = to_ms(logs_.clock().now() - kResultsKept);
  const auto runs = runs_.lock();
  std::size_t bytes = 0;
  for (auto it = runs->end(); it != runs->begin();) {
    --it;
    if ((*it)->is_running()) continue;
    bytes += (*it)->state.lock_shared()->bytes + 1024;
    if (bytes > kResultBytesMax || (*it)->created_ms < oldest) it = runs->erase(it);
  }
}

QueryRunPtr Queries::find(std::string_view account, std::string_view region, std::string_view id) {
  const auto runs = runs_.lock_shared();
  for (const QueryRunPtr& run : *runs)
    if (run->id == id && run->account == account && run->region == region) return run;
  return nullptr;
}

std::vector<QueryRunPtr> Queries::list(std::string_view account, std::string_view region) {
  std::vector<QueryRunPtr> result;
  const auto runs = runs_.lock_shared();
  for (auto it = runs->rbegin(); it != runs->rend(); ++it)
    if ((*it)->account == account && (*it)->region == region) result.push_back(*it);
  return result;
}

bool Queries::stop(const QueryRunPtr& run) {
  const auto state = run->state.lock();
  if (state->status != QueryStatus::Scheduled && state->status != QueryStatus::Running) return false;
  run->cancelled = true;
  state->status = QueryStatus::Cancelled;
  if (state->table != nullptr) state->bytes = table_bytes(*state->table);
  return true;
}

Status Queries::reset(std::string_view account, std::string_view region) {
  const auto runs = runs_.lock();
  std::erase_if(*runs, [&](const QueryRunPtr& run) {
    if ((!account.empty() && run->account != account) || (!region.empty() && run->region != region)) return false;
    run->cancelled = true;
    return true;
  });
  return Ok{};
}

}  // namespace fog::logs
