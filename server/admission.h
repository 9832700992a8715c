// Admission: which calls are turned away when there are more than can be served in good time.
//
// Light calls run where they arrive and cannot queue beyond the connections there are. Heavy ones
// (queries) wait for a thread of the pool: one is admitted as long as those before it are expected to
// be done within kWaitMax, by what the last ones took. The rest hear at once, in their protocol's
// words, that they should come again.
// Threads: any.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "api/common/protocol.h"
#include "storage/base/clock.h"
#include "storage/base/result.h"

namespace fog {

class Admission {
 public:
  // Far below the time-outs of clients (60 s in SDKs): what is answered is still waited for.
  static constexpr Millis kWaitMax{5'000};

  explicit Admission(std::size_t threads) : threads_(threads == 0 ? 1 : threads) {}

  // True: counted as waiting until leave(). False: turn it away.
  [[nodiscard]] bool enter();
  // After its run, which took this long without the waiting.
  void leave(std::int64_t took_ns);

  std::size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  const std::size_t threads_;
  std::atomic<std::size_t> waiting_{0};
  std::atomic<std::int64_t> took_ns_{0};  // a moving average
  std::atomic<std::uint64_t> refused_{0};
};

// "Come again", as the service that was called says it: ThrottlingException 400, Throttling 400 by
// the query protocol, ThrottledException 429 of X-Ray, Throttled 429 of SNS.
Error throttled(const Exchange& exchange, const char* why);

}  // namespace fog
