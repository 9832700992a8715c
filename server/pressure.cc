#include "server/pressure.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>

#include "storage/base/log.h"

namespace fog {
namespace {

constexpr std::size_t kBodyBytesUnlimited = 512u << 20;
constexpr std::size_t kBodyBytesLeast = 32u << 20;
// Asking the allocator to give back what it keeps walks its heaps: not every second.
constexpr std::int64_t kTrimSeconds = 5;
// Some 20 KiB each: a crowd worth the walk.
constexpr std::uint64_t kRestsPerTrim = 500;

std::size_t body_bytes_max(std::uint64_t memory_limit) {
  if (memory_limit == 0) return kBodyBytesUnlimited;
  return std::clamp<std::size_t>(memory_limit / 4, kBodyBytesLeast, kBodyBytesUnlimited);
}

}  // namespace

std::uint64_t resident_bytes_of_process() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  if (!(file >> total >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t memory_limit_of_container() {
  for (const char* name : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(name);
    std::uint64_t bytes = 0;
    constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 60;  // how the older kind says "none"
    if (file >> bytes && bytes > 0 && bytes < kNoLimit) return bytes;
  }
  return 0;
}

Pressure::Pressure(std::uint64_t memory_limit_bytes)
    : memory_limit_bytes_(memory_limit_bytes), body_bytes_max_(fog::body_bytes_max(memory_limit_bytes)) {}

void Pressure::tick(Timestamp) {
  std::uint64_t resident = resident_bytes_of_process();
  const auto now_s = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
  const std::uint64_t rests = rests_.load(std::memory_order_relaxed);
  const bool is_over = memory_limit_bytes_ != 0 && resident > memory_limit_bytes_;
  if ((is_over || rests - rests_trimmed_ >= kRestsPerTrim) && now_s - trimmed_s_ >= kTrimSeconds) {
    trimmed_s_ = now_s;
    rests_trimmed_ = rests;
#ifdef __GLIBC__
    ::malloc_trim(0);
#endif
    resident = resident_bytes_of_process();
  }
  resident_bytes_.store(resident, std::memory_order_relaxed);
  if (memory_limit_bytes_ == 0) return;
  const bool was = memory_short_.load(std::memory_order_relaxed);
  // Once short, until a twentieth is free again: no flapping at the edge.
  const bool is = resident > (was ? memory_limit_bytes_ / 20 * 19 : memory_limit_bytes_);
  if (is == was) return;
  memory_short_.store(is, std::memory_order_relaxed);
  if (is) {
    LOG_WARN("memory: {} MiB resident is over the limit of {} MiB; large requests and queries are refused until it falls",
             resident >> 20, memory_limit_bytes_ >> 20);
  } else {
    LOG_INFO("memory: {} MiB resident, below the limit of {} MiB again", resident >> 20, memory_limit_bytes_ >> 20);
  }
}

}  // namespace fog
