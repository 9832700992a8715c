// DiskBudget: keeps a data folder within a size by letting the oldest data go first, whichever store has it.
//
// Every few seconds it adds up the folder. Above 80 and 90 % of the budget it warns. Above the budget it deletes
// the oldest range of time that some store has files of (a day of logs or traces, a bucket of metrics; of the
// present day the oldest part of the logs) from all stores, until 5 % are free again. Resources are never
// deleted, nor what is in use of the present. It also watches the filesystem: below 5 % free it warns.
//
// Threads: tick() on one thread, stats() on any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "storage/base/worker.h"
#include "storage/log_store.h"
#include "storage/oldest_first.h"

namespace fog {

class DiskBudget final : public Worker {
 public:
  struct Deps {
    std::filesystem::path folder;
    std::vector<OldestFirst*> stores;
    LogStore* logs = nullptr;
    std::function<std::vector<LogGroupId>()> groups;  // all that there are
  };
  struct Stats {
    std::uint64_t used_bytes = 0;
    std::uint64_t budget_bytes = 0;  // 0: none
    std::uint64_t free_bytes = 0;    // of the filesystem
    std::uint64_t capacity_bytes = 0;
    std::uint64_t drops = 0;         // ranges of time that went
    std::int64_t dropped_before_ms = 0;
    bool exceeded = false;  // and nothing left that may go
  };

  DiskBudget(Deps deps, std::uint64_t budget_bytes, std::chrono::milliseconds every = std::chrono::seconds(5))
      : deps_(std::move(deps)), budget_(budget_bytes), every_(every) {}

  std::string_view name() const override { return "disk-budget"; }
  std::optional<Timestamp> next_due(Timestamp) override { return std::nullopt; }  // no matter of virtual time
  void tick(Timestamp now) override;

  Stats stats() const;

 private:
  void measure();
  void warn();
  bool drop_oldest(std::int64_t now_ms);
  std::optional<std::int64_t> oldest_log_ms();
  void drop_logs_before(std::int64_t ms);

  const Deps deps_;
  const std::uint64_t budget_;
  const std::chrono::milliseconds every_;
  std::chrono::steady_clock::time_point next_{};
  int warned_percent_ = 0;
  bool warned_free_ = false;
  std::int64_t logs_cut_ms_ = INT64_MIN;

  std::atomic<std::uint64_t> used_{0};
  std::atomic<std::uint64_t> free_{0};
  std::atomic<std::uint64_t> capacity_{0};
  std::atomic<std::uint64_t> drops_{0};
  std::atomic<std::int64_t> dropped_before_ms_{0};
  std::atomic<bool> exceeded_{false};
};

}  // namespace fog
