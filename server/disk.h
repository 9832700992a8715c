// What the server does about its disk: the budget's wiring, and its lines in /metrics.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "storage/budget/disk_budget.h"
#include "storage/wal/wal.h"

namespace fog {

class LogStore;
class MetricStore;
class PrometheusText;
class TraceStore;
namespace logs {
class Logs;
}

// All of them outlive it.
std::unique_ptr<DiskBudget> make_disk_budget(const std::filesystem::path& data, std::uint64_t max_bytes, MetricStore& metrics, TraceStore& traces,
                                             LogStore& log_store, const logs::Logs& logs);

// `budget` may be null.
void write_disk_metrics(PrometheusText& out, const DiskBudget* budget, const Wal::Stats& wal);

}  // namespace fog
