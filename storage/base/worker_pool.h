// WorkerPool: a fixed number of threads for queries, compression and other heavy work.
//
// Tasks run in the order they were submitted. The queue is bounded: when it is full, submit says so
// and the caller answers "busy". Destruction finishes what was submitted.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace fog {

class WorkerPool {
 public:
  explicit WorkerPool(std::size_t threads, std::size_t queue_max = 4096);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False when the queue is full.
  [[nodiscard]] bool submit(std::function<void()> task);
  // Runs task(0) .. task(n-1), spread over the pool and the calling thread; returns when all are
  // done. Safe to call from inside a task: the caller always makes progress by itself.
  void parallel_for(std::size_t n, const std::function<void(std::size_t)>& task);
  std::size_t threads() const { return threads_.size(); }

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  std::size_t queue_max_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace fog
