// Exports: export tasks, from log groups to gzip objects in a bucket. One task of an account runs at
// a time; a task that a restart interrupts begins again and writes the same objects.
#pragma once

#include <string>

#include "api/logs/jobs.h"
#include "api/logs/logs.h"
#include "api/logs/object_store.h"
#include "api/logs/stored.h"
#include "storage/base/worker.h"

namespace fog::logs {

constexpr std::string_view kExportKind = "log-export-task";

class Exports final : public Worker {
 public:
  struct Deps {
    Logs& logs;
    const ObjectStore& objects;
    WorkerPool& pool;
    const Clock& clock;
  };
  explicit Exports(Deps deps) : deps_(deps), jobs_(deps.pool) {}

  const ObjectStore& objects() const { return deps_.objects; }
  std::string_view name() const override { return "log-exports"; }
  std::optional<Timestamp> next_due(Timestamp now) override;
  void tick(Timestamp now) override;
  bool idle() override { return jobs_.idle(); }
  void stop() { jobs_.stop(); }

 private:
  void run(const ResourceKey& key);
  Status write_streams(const ResourceKey& key, const StoredExportTask& stored, bool& cancelled);
  // Nothing: the task has gone (reset).
  std::optional<StoredExportTask> read(const ResourceKey& key) const;
  void finish(const ResourceKey& key, ExportTaskStatusCode code, std::string message);

  Deps deps_;
  Jobs jobs_;
};

}  // namespace fog::logs
