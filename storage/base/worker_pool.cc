#include "storage/base/worker_pool.h"

#include <atomic>
#include <memory>
#include <utility>

namespace fog {

WorkerPool::WorkerPool(std::size_t threads, std::size_t queue_max) : queue_max_(queue_max) {
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

bool WorkerPool::submit(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= queue_max_) return false;
    queue_.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

void WorkerPool::run() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

void WorkerPool::parallel_for(std::size_t n, const std::function<void(std::size_t)>& task) {
  // Helpers take the next index until none is left. `task` outlives them: the caller leaves only
  // when every index is done, and a helper that starts later finds no index and touches nothing.
  struct Shared {
    std::atomic<std::size_t> next{0};
    std::atomic<std::size_t> done{0};
    std::mutex mutex;
    std::condition_variable all_done;
  };
  auto shared = std::make_shared<Shared>();
  const auto* body = &task;
  auto work = [shared, n, body] {
    for (std::size_t i = shared->next++; i < n; i = shared->next++) {
      (*body)(i);
      if (++shared->done == n) {
        const std::lock_guard lock(shared->mutex);
        shared->all_done.notify_all();
      }
    }
  };
  for (std::size_t i = 1; i < n && i <= threads_.size(); ++i) {
    if (!submit(work)) break;
  }
  work();
  std::unique_lock lock(shared->mutex);
  shared->all_done.wait(lock, [&] { return shared->done == n; });
}

}  // namespace fog
