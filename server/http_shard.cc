// Shard: what a thread does about all of its connections.
#include "server/http_connection.h"

namespace fog::http {
namespace {

constexpr Millis kSweepEvery{500};

}  // namespace

void Shard::add(Connection& c) {
  c.next = first;
  c.previous = nullptr;
  (first != nullptr ? first->previous : last) = &c;
  first = &c;
}

void Shard::unlink(Connection& c) {
  (c.next != nullptr ? c.next->previous : last) = c.previous;
  (c.previous != nullptr ? c.previous->next : first) = c.next;
}

void Shard::remove(Connection& c) {
  unlink(c);
  open->fetch_sub(1);
}

void Shard::move_to_front(Connection& c) {
  if (first == &c) return;
  unlink(c);
  add(c);
}

// From the end of the list: those that became idle longest ago. What stands there busy is on a long
// call or slow, and passed over.
bool Shard::evict() {
  for (Connection* c = last; c != nullptr; c = c->previous) {
    if (c->phase != Connection::Phase::kIdle || c->deadline_ms == 0) continue;
    c->deadline_ms = 0;
    c->timed_out = true;
    c->cancel();
    evicted.add(1);
    return true;
  }
  return false;
}

// Cuts what has passed its deadline and lets rest what has been idle, twice a second: cheaper than a
// timer an operation, and exact enough for limits of seconds.
Task<void> Shard::sweep() {
  error_code error;
  while (!error) {
    sweep_timer.expires_after(kSweepEvery);
    co_await sweep_timer.async_wait(asio::redirect_error(kAwait, error));
    const std::int64_t now = steady_ms();
    for (Connection* c = first; c != nullptr; c = c->next) {
      if (c->deadline_ms != 0 && now > c->deadline_ms) {
        if (c->phase != Connection::Phase::kIdle) timeouts.add(1);
        c->timed_out = true;
        c->deadline_ms = 0;
        c->cancel();
      } else if (c->phase == Connection::Phase::kIdle && !c->has_rested && now > c->phase_began_ms + options->rest_after.count()) {
        c->resting = true;
        c->cancel();
      }
    }
  }
}

void Shard::open_round() {
  if (round_is_open) return;
  round_is_open = true;
  round_began_ns = steady_ns();
  asio::post(context, [this] { end_round(); });
}

void Shard::end_round() {
  if (!std::exchange(round_is_open, false)) return;
  handler->round_ended();
}

void Shard::drain() {
  draining = true;
  for (Connection* c = first; c != nullptr; c = c->next) {
    switch (c->phase) {
      case Connection::Phase::kIdle:
      case Connection::Phase::kHello:
      case Connection::Phase::kLinger: c->cancel(); break;
      case Connection::Phase::kHead:
      case Connection::Phase::kBody:
      case Connection::Phase::kHandler:
      case Connection::Phase::kWrite: break;
    }
    if (c->stream) c->stream->close();
  }
}

void Shard::cut_all() {
  for (Connection* c = first; c != nullptr; c = c->next) {
    error_code ignored;
    c->socket.shutdown(tcp::socket::shutdown_both, ignored);
    c->cancel();
  }
}

}  // namespace fog::http
