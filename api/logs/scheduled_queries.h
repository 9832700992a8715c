// ScheduledQueries: Insights queries that run by themselves, on the clock of the server. Each run is
// a query like any other, with a row of history; its results go to a bucket or a lookup table.
#pragma once

#include <string>

#include "api/logs/jobs.h"
#include "api/logs/object_store.h"
#include "api/logs/queries.h"
#include "api/logs/schedule.h"
#include "storage/base/worker.h"

namespace fog::logs {

constexpr std::string_view kScheduledQueryKind = "log-scheduled-query";  // by id
constexpr std::string_view kScheduledRunKind = "log-scheduled-run";      // "<id>:<time>:<query id>"
std::string scheduled_run_name(std::string_view id, std::int64_t triggered_ms, std::string_view query_id);
// Callers give times in ms, or in seconds as the documentation's examples do.
constexpr std::int64_t instant_ms(std::int64_t given) { return given < 100'000'000'000 ? given * 1000 : given; }

class ScheduledQueries final : public Worker {
 public:
  struct Deps {
    Logs& logs;
    Queries& queries;
    const ObjectStore& objects;
    WorkerPool& pool;
    const Clock& clock;
    Random& random;
  };
  explicit ScheduledQueries(Deps deps) : deps_(deps), jobs_(deps.pool) {}

  std::string_view name() const override { return "scheduled-queries"; }
  std::optional<Timestamp> next_due(Timestamp now) override;
  void tick(Timestamp now) override;
  bool idle() override { return jobs_.idle(); }
  void stop() { jobs_.stop(); }

 private:
  using Query = GetScheduledQueryResponse;
  // When it runs next; nothing: never.
  static std::optional<Timestamp> due(const Query& query);
  void run(const ResourceKey& key, Timestamp trigger);
  TriggerHistoryRecord execute(const ResourceKey& key, const Query& query, Timestamp trigger);
  void deliver(const ResourceKey& key, const Query& query, Timestamp trigger, const insights::Table& table, TriggerHistoryRecord& record);

  Deps deps_;
  Jobs jobs_;
};

}  // namespace fog::logs
