// Worker: a background job that runs on the clock's tick.
//
// Plain classes: the server owns the timer, a test owns the clock. `clock/advance` jumps from due
// time to due time, so next_due must name the next instant at which tick would do something.
#pragma once

#include "storage/base/clock.h"

#include <optional>
#include <string_view>

namespace fog {

class Worker {
 public:
  virtual ~Worker() = default;
  virtual std::string_view name() const = 0;
  // The next virtual time at which there is work; nothing: only when something else happens first.
  virtual std::optional<Timestamp> next_due(Timestamp now) = 0;
  // Does all that is due at `now`. Called from one thread at a time, never under a lock.
  virtual void tick(Timestamp now) = 0;
  // True when nothing that tick started is still under way (deliveries in flight).
  virtual bool idle() { return true; }
};

}  // namespace fog
