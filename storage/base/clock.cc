#include "storage/base/clock.h"

namespace fog {

Timestamp VirtualClock::real_now() const {
  return std::chrono::floor<Millis>(std::chrono::system_clock::now());
}

Timestamp VirtualClock::now() const {
  if (rate_.load(std::memory_order_acquire) == 0) return from_ms(frozen_ms_.load());
  return real_now() + Millis(offset_ms_.load());
}

VirtualClock::State VirtualClock::state() const {
  return {.offset_ms = offset_ms_, .frozen_ms = frozen_ms_, .rate = rate_};
}

void VirtualClock::restore(State state) {
  offset_ms_ = state.offset_ms;
  frozen_ms_ = state.frozen_ms;
  rate_.store(state.rate, std::memory_order_release);
}

void VirtualClock::set(Timestamp now) {
  offset_ms_ = (now - real_now()).count();
  frozen_ms_ = to_ms(now);
}

void VirtualClock::set_rate(int rate) {
  const Timestamp at = now();
  set(at);
  rate_.store(rate, std::memory_order_release);
}

void VirtualClock::reset() {
  restore({});
}

}  // namespace fog
