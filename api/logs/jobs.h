// Jobs: work that a worker's tick hands to the pool, one at a time for each name, and waits for when
// it is destroyed.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <string>

#include "storage/base/worker_pool.h"

namespace fog::logs {

class Jobs {
 public:
  explicit Jobs(WorkerPool& pool) : pool_(pool) {}
  ~Jobs() { stop(); }

  // False: a job of that name is under way already, or the pool is full, or all is ending.
  bool start(const std::string& name, std::function<void()> work) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_ || !names_.insert(name).second) return false;
    }
    const bool queued = pool_.submit([this, name, work = std::move(work)] {
      work();
      end(name);
    });
    if (!queued) end(name);
    return queued;
  }
  bool idle() const {
    const std::lock_guard lock(mutex_);
    return names_.empty();
  }
  // For jobs: end soon.
  bool stopping() const { return stopping_; }
  void stop() {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    ended_.wait(lock, [this] { return names_.empty(); });
  }

 private:
  void end(const std::string& name) {
    const std::lock_guard lock(mutex_);
    names_.erase(name);
    ended_.notify_all();
  }

  WorkerPool& pool_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::set<std::string> names_;
  std::atomic<bool> stopping_{false};
};

}  // namespace fog::logs
