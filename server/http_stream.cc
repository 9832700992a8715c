#include "server/http_stream.h"

#include <iterator>

#include <fmt/format.h>

#include "server/http.h"

namespace fog::http {
namespace {

// A stream whose client is this far behind is dropped.
constexpr std::size_t kStreamBytesMax = 8u << 20;

}  // namespace

bool StreamQueue::write(std::string bytes) {
  const std::lock_guard lock(mutex_);
  if (closed_ || connection_ == nullptr) return false;
  if (queued_bytes_ + bytes.size() > kStreamBytesMax) {
    overrun_ = closed_ = true;
  } else {
    queued_bytes_ += bytes.size();
    queue_.push_back(std::move(bytes));
  }
  wake();
  return !overrun_;
}

void StreamQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  wake();
}

bool StreamQueue::is_open() const {
  const std::lock_guard lock(mutex_);
  return !closed_ && connection_ != nullptr;
}

StreamQueue::Taken StreamQueue::take(bool chunked) {
  const std::lock_guard lock(mutex_);
  Taken taken{.bytes = {}, .ended = closed_, .overrun = overrun_};
  for (const std::string& piece : queue_) {
    if (piece.empty()) continue;
    if (chunked) fmt::format_to(std::back_inserter(taken.bytes), "{:x}\r\n", piece.size());
    taken.bytes += piece;
    if (chunked) taken.bytes += "\r\n";
  }
  queue_.clear();
  queued_bytes_ = 0;
  if (taken.bytes.empty() && !taken.ended) sleeping_ = true;
  return taken;
}

void StreamQueue::detach() {
  const std::lock_guard lock(mutex_);
  connection_ = nullptr;
  closed_ = true;
}

void StreamQueue::wake() {
  if (!sleeping_ || connection_ == nullptr) return;
  sleeping_ = false;
  Resume{connection_}();
}

}  // namespace fog::http
