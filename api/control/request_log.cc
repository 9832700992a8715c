#include "api/control/request_log.h"

#include <algorithm>

namespace fog {
namespace {

// Texts of users are cut to what a list shows.
constexpr std::size_t kTextMax = 160;

void assign(std::string& into, std::string_view text) { into.assign(text.substr(0, kTextMax)); }

}  // namespace

std::uint64_t RequestLog::next_serial() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

RequestLog::Ring& RequestLog::own_ring() {
  // A thread serves one log for as long as it lives; tests that make several pay for the search.
  struct Own {
    std::uint64_t log = 0;
    std::shared_ptr<Ring> ring;
  };
  thread_local Own own;
  if (own.log != serial_) {
    own.ring = std::make_shared<Ring>();
    own.log = serial_;
    const std::lock_guard lock(mutex_);
    rings_.push_back(own.ring);
  }
  return *own.ring;
}

void RequestLog::add(const RequestNote& note) {
  Ring& ring = own_ring();
  const std::lock_guard lock(ring.mutex);
  ++ring.totals.requests;
  ring.totals.took_us += static_cast<std::uint64_t>(std::max<std::int64_t>(0, note.took_us));
  if (note.status >= 500) ++ring.totals.server_errors;
  else if (note.status >= 400) ++ring.totals.client_errors;

  if (ring.entries.size() < ring_size_) ring.entries.emplace_back();
  Entry& entry = ring.entries[ring.next];
  ring.next = (ring.next + 1) % ring_size_;
  assign(entry.service, note.service);
  assign(entry.operation, note.operation);
  assign(entry.protocol, note.protocol);
  assign(entry.client, note.client);
  assign(entry.user_agent, note.user_agent);
  assign(entry.account, note.account);
  assign(entry.region, note.region);
  assign(entry.request_id, note.request_id);
  assign(entry.error, note.error);
  entry.status = note.status;
  entry.time_ms = note.time_ms;
  entry.took_us = note.took_us;
  entry.bytes_in = note.bytes_in;
  entry.bytes_out = note.bytes_out;
  entry.order = ring.totals.requests;
}

std::vector<RequestLog::Entry> RequestLog::latest(std::size_t limit) const {
  std::vector<Entry> all;
  const std::lock_guard lock(mutex_);
  for (const auto& ring : rings_) {
    const std::lock_guard ring_lock(ring->mutex);
    for (const Entry& entry : ring->entries) {
      if (entry.order != 0) all.push_back(entry);
    }
  }
  std::sort(all.begin(), all.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.time_ms, a.order) > std::pair(b.time_ms, b.order);
  });
  if (all.size() > limit) all.resize(limit);
  return all;
}

RequestLog::Totals RequestLog::totals() const {
  Totals sum;
  const std::lock_guard lock(mutex_);
  for (const auto& ring : rings_) {
    const std::lock_guard ring_lock(ring->mutex);
    sum.requests += ring->totals.requests;
    sum.client_errors += ring->totals.client_errors;
    sum.server_errors += ring->totals.server_errors;
    sum.took_us += ring->totals.took_us;
  }
  return sum;
}

void RequestLog::clear(std::string_view account, std::string_view region) {
  const std::lock_guard lock(mutex_);
  for (const auto& ring : rings_) {
    const std::lock_guard ring_lock(ring->mutex);
    for (Entry& entry : ring->entries) {
      if ((account.empty() || entry.account == account) && (region.empty() || entry.region == region)) entry = Entry{};
    }
  }
}

}  // namespace fog
