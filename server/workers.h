// Workers: runs every Worker once a second, and all that falls due when the clock is advanced.
//
// One thread ticks in real time, whatever the virtual clock does: a frozen clock has no new due
// times, but deliveries under way still need their turns. advance() takes the ticking over: it
// freezes the clock, jumps from due time to due time in order over all workers, waits at each for
// what was started there, and sets the clock to the target. Threads: any; workers run one at a time.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/worker.h"

namespace fog {

class Workers {
 public:
  struct Report {
    std::string_view name;
    std::uint64_t ticks = 0;
    Millis slowest{0};
  };

  explicit Workers(VirtualClock& clock) : clock_(clock) {}
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Before start(). The worker outlives this. Order of addition is order of ticks.
  void add(Worker& worker);
  void start();
  void stop();

  // Moves virtual time forward. False when what was started was still under way after
  // `real_time_max`; the clock has reached the target all the same.
  bool advance(Millis by, Millis real_time_max = Millis(15'000));

  // What each did so far. A worker may ask for it, too: no round is waited for.
  std::vector<Report> report() const;
  // Real time since the thread last finished a round; health fails when it is long.
  Millis since_last_round() const;

 private:
  struct Entry {
    Worker* worker;
    std::size_t report;  // its place in reports_
  };

  void run();
  void tick(Entry& entry, Timestamp now);
  bool tick_due(Timestamp now);
  bool wait_idle(std::chrono::steady_clock::time_point until);

  VirtualClock& clock_;
  mutable std::mutex round_;  // held while workers run; guards entries_
  std::vector<Entry> entries_;
  mutable std::mutex report_mutex_;  // guards reports_; taken last
  std::vector<Report> reports_;
  std::mutex mutex_;  // guards stopping_
  std::condition_variable wake_;
  bool stopping_ = false;
  std::atomic<std::int64_t> last_round_ms_{0};  // steady
  std::thread thread_;
};

}  // namespace fog
