#include "server/disk.h"

#include "api/control/prometheus.h"
#include "api/logs/logs.h"
#include "storage/metric_store.h"
#include "storage/sqlite/good_copy.h"
#include "storage/trace_store.h"
#include "storage/wal/file.h"

namespace fog {

std::unique_ptr<DiskBudget> make_disk_budget(const std::filesystem::path& data, std::uint64_t max_bytes, MetricStore& metrics, TraceStore& traces,
                                             LogStore& log_store, const logs::Logs& logs) {
  DiskBudget::Deps deps{.folder = data, .stores = {}, .logs = &log_store, .groups = [&logs] {
                          std::vector<LogGroupId> ids;
                          for (const auto& group : logs.all()) ids.push_back(group->id);
                          return ids;
                        }};
  for (OldestFirst* store : {dynamic_cast<OldestFirst*>(&metrics), dynamic_cast<OldestFirst*>(&traces)})
    if (store != nullptr) deps.stores.push_back(store);
  return std::make_unique<DiskBudget>(std::move(deps), max_bytes);
}

void write_disk_metrics(PrometheusText& out, const DiskBudget* budget, const Wal::Stats& wal) {
  const auto number = [](auto n) { return static_cast<double>(n); };
  const DiskFaults& faults = disk_faults();
  out.counter("fogwatch_disk_faults_total", "What the disk refused.")
      .value(number(faults.writes.load()), {{"kind", "write"}})
      .value(number(faults.syncs.load()), {{"kind", "sync"}});
  out.gauge("fogwatch_wal_torn_tails", "Records at the log's end that a crash left half written.").value(number(wal.torn_tails));
  out.gauge("fogwatch_database_pages_damaged", "Pages of databases that failed their checksum, as often as they were read.").value(number(damaged_pages().load()));
  out.gauge("fogwatch_databases_damaged", "Databases that failed their check and were restored.").value(number(damaged_databases().load()));
  if (budget == nullptr) return;
  const DiskBudget::Stats disk = budget->stats();
  out.gauge("fogwatch_disk_used_bytes", "Size of the data folder.").value(number(disk.used_bytes));
  out.gauge("fogwatch_disk_budget_bytes", "What it may be (max-bytes); 0: no budget.").value(number(disk.budget_bytes));
  out.gauge("fogwatch_disk_used_share", "Its share of the budget, or of the filesystem where there is none.")
      .value(disk.budget_bytes != 0     ? number(disk.used_bytes) / number(disk.budget_bytes)
             : disk.capacity_bytes != 0 ? 1 - number(disk.free_bytes) / number(disk.capacity_bytes)
                                        : 0.0);
  out.gauge("fogwatch_disk_free_bytes", "Free on the filesystem of the data.").value(number(disk.free_bytes));
  out.counter("fogwatch_disk_budget_drops_total", "Ranges of time deleted to keep the budget.").value(number(disk.drops));
  out.gauge("fogwatch_disk_budget_exceeded", "1: over the budget, and nothing left that may go.").value(disk.exceeded ? 1.0 : 0.0);
}

}  // namespace fog
