// ClockKeeper: virtual time as a user set it, kept across restarts.
//
// The state is one small file in the data folder (written whole, synced, renamed), outside the
// stores, because a reset of all data keeps the clock. An empty path keeps nothing.
#pragma once

#include <filesystem>
#include <mutex>

#include "storage/base/clock.h"
#include "storage/base/result.h"

namespace fog {

class ClockKeeper {
 public:
  ClockKeeper(VirtualClock& clock, std::filesystem::path file) : clock_(clock), file_(std::move(file)) {}

  // Sets the clock to what the file says. A file that cannot be read is an error: time that jumps
  // back silently would surprise more than a server that does not start.
  Status restore();
  // Writes the clock's state; call after every change.
  Status save();

  VirtualClock& clock() { return clock_; }

 private:
  VirtualClock& clock_;
  std::filesystem::path file_;
  std::mutex mutex_;  // one writer of the file
};

}  // namespace fog
