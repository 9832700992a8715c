// Faults: rules that make calls slow, refused or cut off, so that a client's retries can be tested.
//
// The first rule that matches a call and fires decides; a rule that has fired `count` times is spent.
// Rules survive a reset and end with the process. Any thread; with no rules a call costs one load.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/common/fault.h"
#include "api/common/registry.h"
#include "storage/base/background.h"
#include "storage/base/clock.h"
#include "storage/base/guarded.h"
#include "storage/base/random.h"

namespace fog {

// Names are as in GET /_fogwatch/operations; an empty one matches everything.
struct FaultRule {
  std::string service;
  std::string operation;
  std::string account;
  std::string region;
  std::string access_key;
  double probability = 1;              // 0 to 1
  std::optional<std::uint64_t> count;  // fires so many times at most
  Millis latency{};                    // before the answer, or before the fault below
  bool drops = false;                  // the connection ends without an answer
  bool throttles = false;              // refused as the service itself says that calls come too fast
  std::optional<WireFault> error;
  std::uint64_t fired = 0;
};

struct FaultCall {
  std::string_view service;
  std::string_view operation;
  std::string_view account;
  std::string_view region;
  std::string_view access_key;
};

// What happens to one call. With neither error nor drop it is carried out after the latency.
struct InjectedFault {
  Millis latency{};
  bool drops = false;
  std::optional<WireFault> error;
};

// {"rules": [{"service", "operation", "account", "region", "access_key", "probability", "count",
// "latency_ms", "drop", "throttle", "error": {"code", "message", "status"}}]}; every member is
// optional, but a rule must do something. Names of services and operations are checked.
Result<std::vector<FaultRule>> parse_fault_rules(const std::string& json, const Registry& registry);

class Faults {
 public:
  explicit Faults(Random& random) : random_(random) {}

  void replace(std::vector<FaultRule> rules);
  std::vector<FaultRule> rules() const;
  std::string json() const;  // in the form of parse_fault_rules, with "fired"

  bool any() const { return any_.load(std::memory_order_relaxed); }
  std::optional<InjectedFault> decide(const FaultCall& call);

 private:
  Random& random_;
  Guarded<std::vector<FaultRule>> rules_;
  std::atomic<bool> any_{false};
};

// Calls functions after a real time, from one thread that starts with the first of them. At its end
// what still waits is called at once.
class Delays {
 public:
  ~Delays();
  void after(Millis time, std::function<void()> call);

 private:
  Millis run();

  std::mutex mutex_;
  std::multimap<std::chrono::steady_clock::time_point, std::function<void()>> waiting_;
  std::unique_ptr<BackgroundThread> thread_;
};

}  // namespace fog
