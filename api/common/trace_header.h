// TraceHeader: the X-Amzn-Trace-Id of the request that this thread is working on, so that a message
// published by it carries it on. Set by the server around the handler's call.
#pragma once

#include <string_view>

namespace fog {

class TraceHeader {
 public:
  explicit TraceHeader(std::string_view value) : before_(current_) { current_ = value; }
  ~TraceHeader() { current_ = before_; }
  TraceHeader(const TraceHeader&) = delete;
  TraceHeader& operator=(const TraceHeader&) = delete;

  // Empty: the caller sent none.
  static std::string_view current() { return current_; }

 private:
  std::string_view before_;
  static inline thread_local std::string_view current_{};
};

}  // namespace fog
