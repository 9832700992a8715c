// Clock: the only source of time.
//
// now() is virtual time: it may be frozen, moved and advanced by the control plane, and it is what
// ingestion times, retention, alarms and queries see. real_now() is the system's time, for
// signatures, the Date header and socket time-outs. Any thread may call either.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

namespace fog {

using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;
using Millis = std::chrono::milliseconds;

inline std::int64_t to_ms(Timestamp t) {
  return t.time_since_epoch().count();
}
inline Timestamp from_ms(std::int64_t ms) {
  return Timestamp(Millis(ms));
}

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;       // virtual time
  virtual Timestamp real_now() const = 0;  // the system's wall clock
};

// The server's clock: the system's time plus an offset, or a frozen instant.
class VirtualClock final : public Clock {
 public:
  // `rate` 1: time runs; 0: time stands still.
  struct State {
    std::int64_t offset_ms = 0;  // virtual minus real time, while running
    std::int64_t frozen_ms = 0;  // the instant, while frozen
    int rate = 1;
  };

  Timestamp now() const override;
  Timestamp real_now() const override;

  State state() const;
  void restore(State state);
  // Sets virtual time; keeps the rate unless one is given (0 or 1).
  void set(Timestamp now);
  void set_rate(int rate);
  void reset();  // back to real time

 private:
  // Both in one word each so that readers never lock; set from the control plane only.
  std::atomic<std::int64_t> offset_ms_{0};
  std::atomic<std::int64_t> frozen_ms_{0};
  std::atomic<int> rate_{1};
};

// A clock that a test holds in its hand.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp start) : now_ms_(to_ms(start)) {}
  Timestamp now() const override { return from_ms(now_ms_.load()); }
  Timestamp real_now() const override { return now(); }
  void set(Timestamp t) { now_ms_ = to_ms(t); }
  void advance(Millis d) { now_ms_ += d.count(); }

 private:
  std::atomic<std::int64_t> now_ms_;
};

}  // namespace fog
