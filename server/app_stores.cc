// What is kept: opened, read back, closed and opened again when a snapshot takes its place.
#include "server/app_impl.h"

#include <latch>
#include <thread>

namespace fog {
namespace {

// A return to a snapshot is given up, before anything has happened, when something is busy for longer.
constexpr Millis kRestPatience{5'000};

}  // namespace

Status App::Impl::open_stores() {
  if (!config.ephemeral && !folder) {
    TRY(auto opened, DataFolder::open(config.data));
    folder.emplace(std::move(opened));
    TRYV(finish_swap(config.data));
  }
  clock_keeper = std::make_unique<ClockKeeper>(clock, below("clock.json"));
  TRYV(clock_keeper->restore());
  TRY(resources, ResourceStore::open(below("resources.db")));
  TRY(wal, Wal::open({.folder = below("wal"), .durability = config.durability}));
  resource_log = std::make_unique<ResourceLog>(*resources, *wal);
  TRY(metrics, MetricStore::open({.folder = below("metrics")}, *wal, clock));
  TRY(traces, TraceStore::open({.folder = below("traces"), .strict = config.durability == Durability::kStrict}, *wal, clock));
  TRY(log_store, open_log_store(*wal, {.folder = below("logs"), .threads = 1}));
  return Ok{};
}

// Hands each record of the log to the engine it belongs to.
Status App::Impl::recover() {
  Status failed = Ok{};
  TRYV(wal->replay([&](const Wal::Record& record) {
    if (record.store == kResourceLogStore) return resource_log->replay(record);
    if (record.store == StoreId::kLogs || record.store == logs::kEventPipelineStore) log_pipeline->replay(record);
    if (record.store == logs::kEventPipelineStore) return;
    switch (record.store) {
      case StoreId::kLogs:
        if (auto applied = log_store->apply(record); !applied.ok()) failed = std::move(applied);
        break;
      case StoreId::kMetrics: metrics->replay(record); break;
      case StoreId::kTraces: traces->apply_record(record); break;
      case StoreId::kDeliveries: sns->deliveries().replay(record); break;
    }
  }));
  TRYV(std::move(failed));
  log_store->replayed();
  log_pipeline->recovered();
  TRYV(resource_log->flush());
  TRYV(alarm_book->load());
  return sqs->load();
}

// No turn, no worker, no delivery, no task is under way, and none begins. What was stopped runs again on failure.
Status App::Impl::come_to_rest() {
  const auto until = std::chrono::steady_clock::now() + kRestPatience;
  sqs->end_polls();
  if (!turnstile.close(kRestPatience)) return Error::busy("Some requests take too long to end; try again.");
  workers->stop();
  while (outbound->stats().waiting > 0 && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(Millis(1));
  // Tasks run in the order in which they came: when each thread has met here, all earlier ones are done.
  const auto met = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(pool->threads()));
  bool all = outbound->stats().waiting == 0;
  for (std::size_t i = 0; i < pool->threads(); ++i) {
    if (all && pool->submit([met] { met->arrive_and_wait(); })) continue;
    all = false;
    met->count_down();  // nobody waits for one that never came
  }
  while (all && !met->try_wait() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(std::chrono::microseconds(200));
  if (all && met->try_wait()) return Ok{};
  workers->start();
  turnstile.open();
  return Error::busy("Some deliveries or queries take too long to end; try again.");
}

// From the end, as the destructor does it.
void App::Impl::close_stores() {
  log_pipeline->stop();
  log_side_tasks->stop();
  workers.reset();
  self_monitoring.reset();
  control.reset();
  own_tags.reset();
  usage->stop();
  usage.reset();
  own_forgetters.clear();
  forgetters.clear();
  statsd.reset();
  otlp_metrics.reset();
  metric_streams.reset();
  metric_upkeep.reset();
  xray_workers.clear();
  xray.reset();
  log_reader.reset();
  log_side_tasks.reset();
  log_pipeline.reset();
  disk_budget.reset();
  log_upkeep.reset();
  log_queries.reset();
  queries.reset();
  logs.reset();
  alarms.reset();
  alarm_book.reset();
  sns_upkeep.reset();
  sns.reset();
  sqs.reset();
  trace_sink.reset();
  metric_sink.reset();
  outbox.reset();
  clock_keeper.reset();
  log_store.reset();
  traces.reset();
  metrics.reset();
  resource_log.reset();
  wal.reset();
  resources.reset();
}

// Everything that stands on the stores is built anew, as at a start; doors and connections stay.
Status App::Impl::replace_stores(const std::function<Status()>& while_closed) {
  const std::unique_lock no_doors(replacing);
  TRYV(come_to_rest());
  close_stores();
  Status done = while_closed();
  clock.reset();
  make_workers();
  if (done.ok()) done = open_stores();
  if (done.ok()) done = make_services();
  if (done.ok()) done = recover();
  if (!done.ok()) {  // without stores there is nothing to serve; a start finishes what was begun
    LOG_ERROR("the stores cannot be opened: {}", done.error().message());
    std::_Exit(1);
  }
  register_services();
  start_workers();
  build_way_in();
  TRYV(watch_itself());
  tell_own_url();
  workers->start();
  turnstile.open();
  return Ok{};
}

}  // namespace fog
