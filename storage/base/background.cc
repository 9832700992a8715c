#include "storage/base/background.h"

namespace fog {

BackgroundThread::BackgroundThread(Work work) : work_(std::move(work)), thread_([this] { run(); }) {}

BackgroundThread::~BackgroundThread() { stop(); }

void BackgroundThread::wake() {
  {
    const std::lock_guard lock(mutex_);
    if (woken_) return;
    woken_ = true;
  }
  wake_.notify_one();
}

void BackgroundThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void BackgroundThread::run() {
  Millis pause{0};
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait_for(lock, pause, [this] { return woken_ || stopping_; });
    if (stopping_) return;
    woken_ = false;
    lock.unlock();
    pause = work_();
    lock.lock();
  }
}

}  // namespace fog
