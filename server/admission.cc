#include "server/admission.h"

#include <chrono>

#include "api/common/fault.h"

namespace fog {
namespace {

// These few a thread are always admitted: an average says little about the next one.
constexpr std::size_t kAlwaysPerThread = 8;
constexpr std::size_t kWaitingMax = 2048;
constexpr std::int64_t kAverageOver = 16;

}  // namespace

bool Admission::enter() {
  const std::size_t before = waiting_.fetch_add(1, std::memory_order_relaxed);
  if (before < kAlwaysPerThread * threads_) return true;
  const std::int64_t expected_ns = took_ns_.load(std::memory_order_relaxed) * static_cast<std::int64_t>(before / threads_);
  if (before < kWaitingMax && expected_ns <= std::chrono::nanoseconds(kWaitMax).count()) return true;
  waiting_.fetch_sub(1, std::memory_order_relaxed);
  refused_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

void Admission::leave(std::int64_t took_ns) {
  waiting_.fetch_sub(1, std::memory_order_relaxed);
  const std::int64_t average = took_ns_.load(std::memory_order_relaxed);
  took_ns_.store(average + (took_ns - average) / kAverageOver, std::memory_order_relaxed);
}

Error throttled(const Exchange& exchange, const char* why) {
  const std::string_view name = exchange.service != nullptr ? std::string_view(exchange.service->info->name) : std::string_view();
  if (name == "xray") return wire_fault({.code = "ThrottledException", .status = 429, .message = why});
  if (name == "sns") return wire_fault({.code = "Throttled", .status = 429, .message = why});
  if (name == "sqs") return wire_fault({.code = "RequestThrottled", .status = 400, .query_status = 403, .message = why});
  return wire_fault({.code = "ThrottlingException", .query_code = "Throttling", .status = 400, .message = why});
}

}  // namespace fog
