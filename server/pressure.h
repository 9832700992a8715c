// Pressure: how much memory requests may take, and whether the process has too much.
//
// Two things are counted. Bodies being received or worked on, by the bytes that have come (a length
// that is only announced costs nothing), on every connection. And the process's resident memory
// against --memory-limit, looked at once a second: while it is above, large bodies and heavy calls
// are refused with a throttling error, small ones go on.
// Threads: all of it any.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "storage/base/worker.h"

namespace fog {

class Pressure final : public Worker {
 public:
  // Bodies up to this size are never refused.
  static constexpr std::size_t kSmallBodyBytes = 64 * 1024;

  // 0: no limit on the process; bodies together are limited even then.
  explicit Pressure(std::uint64_t memory_limit_bytes);

  // May a body that is not small begin, or go on?
  bool admits_body() const { return !memory_short_.load(std::memory_order_relaxed) && body_bytes() < body_bytes_max_; }
  // Bodies kept for the next request are let go early.
  bool is_tight() const { return body_bytes() > body_bytes_max_ / 2 || memory_short_.load(std::memory_order_relaxed); }
  bool memory_is_short() const { return memory_short_.load(std::memory_order_relaxed); }
  void count_body(std::int64_t difference_bytes) { body_bytes_.fetch_add(difference_bytes, std::memory_order_relaxed); }

  // A connection has given its memory to the allocator; after a crowd of them it goes back to the system.
  void note_rest() { rests_.fetch_add(1, std::memory_order_relaxed); }
  void note_shed() { shed_.fetch_add(1, std::memory_order_relaxed); }

  std::uint64_t shed() const { return shed_.load(std::memory_order_relaxed); }
  std::uint64_t memory_limit_bytes() const { return memory_limit_bytes_; }
  std::uint64_t resident_bytes() const { return resident_bytes_.load(std::memory_order_relaxed); }
  std::size_t body_bytes() const {
    const std::int64_t bytes = body_bytes_.load(std::memory_order_relaxed);
    return bytes < 0 ? 0 : static_cast<std::size_t>(bytes);
  }

  // Worker: looks at the process.
  std::string_view name() const override { return "memory"; }
  std::optional<Timestamp> next_due(Timestamp) override { return std::nullopt; }
  void tick(Timestamp now) override;

 private:
  const std::uint64_t memory_limit_bytes_;
  const std::size_t body_bytes_max_;
  std::atomic<std::int64_t> body_bytes_{0};
  std::atomic<bool> memory_short_{false};
  std::atomic<std::uint64_t> resident_bytes_{0};
  std::atomic<std::uint64_t> shed_{0};
  std::atomic<std::uint64_t> rests_{0};
  std::uint64_t rests_trimmed_ = 0;
  std::int64_t trimmed_s_ = 0;
};

// What this process has in memory; 0 when the system does not say.
std::uint64_t resident_bytes_of_process();

// The limit of the control group this process runs in, as containers set it; 0: none.
std::uint64_t memory_limit_of_container();

}  // namespace fog
