// SideTasks: what runs beside reading and writing logs: export tasks, scheduled queries, anomaly
// detectors, reports of data protection, lookup tables for queries. Main makes one, registers it and
// adds its workers.
#pragma once

#include <vector>

#include "api/common/services.h"
#include "api/logs/anomaly_detectors.h"
#include "api/logs/data_protection_audit.h"
#include "api/logs/exports.h"
#include "api/logs/lookup_tables.h"
#include "api/logs/object_store.h"
#include "api/logs/queries.h"
#include "api/logs/scheduled_queries.h"

namespace fog::logs {

class SideTasks {
 public:
  struct Deps {
    Logs& logs;
    Queries& queries;
    WorkerPool& pool;
    const Clock& clock;
    Random& random;
    Outbound* outbound = nullptr;
    MetricSink* metrics = nullptr;
  };
  SideTasks(Deps deps, ObjectStore::Options objects, int training_intervals = 24)
      : objects_(std::move(objects), deps.outbound, deps.clock),
        lookup_tables_(deps.logs.resources()),
        audit_({.logs = deps.logs, .pool = deps.pool, .metrics = deps.metrics}),
        exports_({.logs = deps.logs, .objects = objects_, .pool = export_pool_, .clock = deps.clock}),
        scheduled_({.logs = deps.logs, .queries = deps.queries, .objects = objects_, .pool = export_pool_, .clock = deps.clock, .random = deps.random}),
        detectors_({.logs = deps.logs, .pool = deps.pool, .clock = deps.clock, .random = deps.random, .training_intervals = training_intervals}) {
    deps.logs.add_listener(audit_);
    deps.queries.find_lookup_tables_with([this](const std::string& account, const std::string& region, std::string_view name) {
      return lookup_tables_.find(account, region, name);
    });
  }
  void add_to(Services& services) {
    services.add<Exports>(exports_);
    services.add<AnomalyDetectors>(detectors_);
  }
  std::vector<Worker*> workers() { return {&exports_, &scheduled_, &detectors_}; }
  // Before the pool ends; nothing is started afterwards.
  void stop() {
    exports_.stop();
    scheduled_.stop();
    detectors_.stop();
    audit_.stop();
  }

 private:
  ObjectStore objects_;
  LookupTableCache lookup_tables_;
  DataProtectionAudit audit_;
  WorkerPool export_pool_{2};  // a slow bucket must not hold queries up
  Exports exports_;
  ScheduledQueries scheduled_;
  AnomalyDetectors detectors_;
};

}  // namespace fog::logs
