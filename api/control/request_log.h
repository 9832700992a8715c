// RequestLog: the last requests and totals of all, for people who ask what their program just did.
//
// Each thread that answers requests has its own ring and counters, so that noting a request costs a
// lock nobody else wants; readers merge the rings. Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/clock.h"

namespace fog {

// What is known once a request has been answered. Views are copied by add().
struct RequestNote {
  std::string_view service;    // "" for the server's own pages
  std::string_view operation;  // or the path
  std::string_view protocol;
  std::string_view client;      // address
  std::string_view user_agent;
  std::string_view account;
  std::string_view region;
  std::string_view request_id;
  std::string_view error;  // code; "" when all was well
  int status = 200;
  std::int64_t time_ms = 0;  // real time of arrival
  std::int64_t took_us = 0;
  std::size_t bytes_in = 0;
  std::size_t bytes_out = 0;
};

class RequestLog {
 public:
  struct Entry {
    std::string service, operation, protocol, client, user_agent, account, region, request_id, error;
    int status = 0;
    std::int64_t time_ms = 0;
    std::int64_t took_us = 0;
    std::size_t bytes_in = 0;
    std::size_t bytes_out = 0;
    std::uint64_t order = 0;
  };
  struct Totals {
    std::uint64_t requests = 0;
    std::uint64_t client_errors = 0;
    std::uint64_t server_errors = 0;
    std::uint64_t took_us = 0;
  };

  explicit RequestLog(std::size_t entries_per_thread = 512) : ring_size_(entries_per_thread) {}

  void add(const RequestNote& note);
  std::vector<Entry> latest(std::size_t limit) const;  // newest first
  Totals totals() const;
  // Forgets the entries of a scope (empty: any); totals stay.
  void clear(std::string_view account, std::string_view region);

 private:
  struct Ring {
    mutable std::mutex mutex;
    std::vector<Entry> entries;
    std::size_t next = 0;
    Totals totals;
  };
  Ring& own_ring();
  static std::uint64_t next_serial();

  const std::uint64_t serial_ = next_serial();  // tells logs apart, also one at a former one's address
  const std::size_t ring_size_;
  mutable std::mutex mutex_;  // guards rings_
  std::vector<std::shared_ptr<Ring>> rings_;
};

}  // namespace fog
