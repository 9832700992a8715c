// Guarded<T>: a value that can be reached only while its mutex is held.
//
//   Guarded<std::map<std::string, Group>> groups_;
//   auto groups = groups_.lock();   // unlocks at the end of the scope
//   groups->erase(name);
//
// lock() is exclusive, lock_shared() lets readers in together. A lock never covers disk or network.
#pragma once

#include <mutex>
#include <shared_mutex>
#include <utility>

namespace fog {

template <typename T>
class Guarded {
 public:
  template <typename Lock, typename Value>
  class Access {
   public:
    Access(Lock lock, Value& value) : lock_(std::move(lock)), value_(&value) {}
    Value* operator->() const { return value_; }
    Value& operator*() const { return *value_; }

   private:
    Lock lock_;
    Value* value_;
  };

  Guarded() = default;
  explicit Guarded(T value) : value_(std::move(value)) {}

  auto lock() {
    return Access<std::unique_lock<std::shared_mutex>, T>(std::unique_lock(mutex_), value_);
  }
  auto lock_shared() const {
    return Access<std::shared_lock<std::shared_mutex>, const T>(std::shared_lock(mutex_), value_);
  }

 private:
  mutable std::shared_mutex mutex_;
  T value_{};
};

}  // namespace fog
