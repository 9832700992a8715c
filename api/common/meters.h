// Meters: what AWS would put on a bill, counted where it happens.
//
// A handler that consumes something priced adds it: `count_use(call, Meter::kTracesScanned, n)`. Requests are not
// counted here, the registry does that; what stands (alarms, stored bytes) is looked at by api/control/usage.
// Adding is one relaxed addition. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "api/common/call.h"
#include "storage/base/guarded.h"

namespace fog {

enum class Meter : std::uint8_t {
  kLogsIngested,            // bytes of messages, Standard class
  kLogsIngestedInfrequent,  // the same, Infrequent Access
  kLogsScanned,             // bytes that queries read
  kLogsStored,              // bytes x milliseconds
  kLiveTail,                // sessions x milliseconds
  kMetrics,                 // custom metrics x hours in which they had data
  kMetricsRequested,        // by GetMetricData
  kMetricRequests,
  kWidgetImages,
  kAlarms,                  // metrics of alarms x milliseconds
  kAlarmsHighResolution,
  kAlarmsComposite,
  kDashboards,              // x milliseconds
  kInsightRules,            // x milliseconds
  kTracesRecorded,
  kTracesRetrieved,
  kTracesScanned,
  kSnsRequests,
  kSnsHttp,                 // deliveries
  kSnsEmail,
  kSnsSms,
  kSnsPush,
  kSnsFirehose,
  kSnsQueue,                // to SQS and Lambda: free, but worth seeing
  kSqsRequests,
  kMeters,
};
inline constexpr std::size_t kMeterCount = static_cast<std::size_t>(Meter::kMeters);

class Meters {
 public:
  void add(Meter meter, std::uint64_t amount) { cells_[static_cast<std::size_t>(meter)].value.fetch_add(amount, std::memory_order_relaxed); }
  // Since the process began, or since take().
  std::uint64_t take(Meter meter) { return cells_[static_cast<std::size_t>(meter)].value.exchange(0, std::memory_order_relaxed); }

  // Somebody put metrics here, so they are looked for here.
  void saw(std::string_view account, std::string_view region) {
    // Nearly always the same place as before, and of the same meters: a restored server has new ones.
    thread_local std::string last;
    thread_local std::uint64_t last_of = 0;
    std::string key;
    key.reserve(account.size() + region.size() + 1);
    key.append(account).append(1, '\n').append(region);
    if (key == last && last_of == id_) return;
    scopes_.lock()->emplace(account, region);
    last = std::move(key);
    last_of = id_;
  }
  std::set<std::pair<std::string, std::string>> scopes() const { return *scopes_.lock_shared(); }

 private:
  struct alignas(64) Cell {  // a cache line each: counters of different threads do not disturb each other
    std::atomic<std::uint64_t> value{0};
  };
  static std::uint64_t next_id() {
    static std::atomic<std::uint64_t> ids{0};
    return ++ids;
  }
  const std::uint64_t id_ = next_id();
  std::array<Cell, kMeterCount> cells_;
  Guarded<std::set<std::pair<std::string, std::string>>> scopes_;
};

// In a handler; nothing happens where nobody counts (unit tests).
inline void count_use(const Call& call, Meter meter, std::uint64_t amount) {
  if (Meters* meters = call.services->find<Meters>()) meters->add(meter, amount);
}

}  // namespace fog
