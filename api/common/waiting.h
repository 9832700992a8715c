// Waiting: what a handler returns that has nothing to say yet (a long poll). The server keeps the
// connection, calls `when` once with a function that wakes it, and then calls the handler again with
// the same input and the same request id. No thread waits meanwhile.
#pragma once

#include <functional>
#include <memory>

#include "storage/base/result.h"

namespace fog {

struct Waiting final : ErrorDetail {
  // `wake` may be called from any thread, also at once, exactly once.
  std::function<void(std::function<void()> wake)> when;
};

inline Error wait_for(std::function<void(std::function<void()> wake)> when) {
  auto detail = std::make_shared<Waiting>();
  detail->when = std::move(when);
  return Error::busy("The request is waiting.").with(std::move(detail));
}

}  // namespace fog
