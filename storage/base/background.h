// BackgroundThread: one thread that runs a function whenever it is woken, and by itself after the time
// the function asked for. Wakes that come while it runs lead to one further run.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "storage/base/clock.h"

namespace fog {

class BackgroundThread {
 public:
  // Gives the real time after which to run again at the latest.
  using Work = std::function<Millis()>;

  explicit BackgroundThread(Work work);
  ~BackgroundThread();  // after the run under way
  BackgroundThread(const BackgroundThread&) = delete;
  BackgroundThread& operator=(const BackgroundThread&) = delete;

  void wake();  // any thread
  void stop();  // no run begins after it returns

 private:
  void run();

  Work work_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool woken_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fog
