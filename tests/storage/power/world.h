// World: all stores over one data folder, as the server opens them, with small limits so that files change often.
#pragma once

#include <filesystem>
#include <memory>

#include "gtest/gtest.h"
#include "storage/base/clock.h"
#include "storage/log_store.h"
#include "storage/metric_store.h"
#include "storage/resource_store.h"
#include "storage/spool/spool.h"
#include "storage/trace_store.h"
#include "storage/wal/resource_log.h"
#include "storage/wal/wal.h"

namespace fog::testing {

struct World {
  ManualClock clock{from_ms(1'787'184'000'000)};
  std::unique_ptr<ResourceStore> resources;
  std::unique_ptr<Wal> wal;
  std::unique_ptr<ResourceLog> resource_log;
  std::unique_ptr<MetricStore> metrics;
  std::unique_ptr<TraceStore> traces;
  std::unique_ptr<RecoverableLogStore> logs;
  std::unique_ptr<Spool> spool;

  ~World() { close(); }

  void close() {  // before what they stand on
    spool.reset();
    logs.reset();
    traces.reset();
    metrics.reset();
    resource_log.reset();
    wal.reset();
    resources.reset();
  }

  Status open(const std::filesystem::path& folder, Durability durability) {
    TRY(resources, ResourceStore::open(folder / "resources.db"));
    TRY(wal, Wal::open({.folder = folder / "wal", .durability = durability, .file_bytes_max = 16 << 10}));
    resource_log = std::make_unique<ResourceLog>(*resources, *wal);
    TRY(metrics, MetricStore::open({.folder = folder / "metrics"}, *wal, clock));
    TRY(traces, TraceStore::open({.folder = folder / "traces", .strict = durability == Durability::kStrict}, *wal, clock));
    TRY(logs, open_log_store(*wal, {.folder = folder / "logs", .threads = 1, .block_events_max = 64}));
    Status failed = Ok{};
    TRYV(wal->replay([&](const Wal::Record& record) {
      if (record.store == kResourceLogStore) return resource_log->replay(record);
      if (record.store == StoreId::kMetrics) return metrics->replay(record);
      if (record.store == StoreId::kTraces) return traces->apply_record(record);
      if (record.store != StoreId::kLogs) return;
      if (Status applied = logs->apply(record); !applied.ok()) failed = std::move(applied);
    }));
    TRYV(std::move(failed));
    logs->replayed();
    TRYV(resource_log->flush());
    TRY(spool, Spool::open({.folder = folder / "spool", .bytes_max = 64u << 20, .file_bytes_max = 4096}));
    return Ok{};
  }
};

}  // namespace fog::testing
