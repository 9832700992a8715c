// ReadBuffer: the bytes a connection has received and not yet consumed.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "server/http_head.h"

namespace fog::http {

// Holds the head and the small body of nearly every call.
inline constexpr std::size_t kBufferBytes = 16 * 1024;
// A head may fill its limit; one more buffer lets the reading go on behind it.
inline constexpr std::size_t kBufferBytesMax = kHeadBytesMax + kBufferBytes;

// Views into it stay valid until make_room() or release().
class ReadBuffer {
 public:
  std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
  void consume(std::size_t n) { begin_ += n; }
  // At least one free byte behind the data; moves the data to the front, or grows. False: full.
  bool make_room() {
    if (begin_ == end_) begin_ = end_ = 0;
    if (end_ < capacity_) return true;
    if (begin_ > 0) {
      std::memmove(data_.get(), data_.get() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
      return true;
    }
    if (capacity_ >= kBufferBytesMax) return false;
    const std::size_t bigger = capacity_ == 0 ? kBufferBytes : std::min(capacity_ * 2, kBufferBytesMax);
    auto data = std::make_unique_for_overwrite<char[]>(bigger + kBodyPadding);
    if (end_ > 0) std::memcpy(data.get(), data_.get(), end_);
    data_ = std::move(data);
    capacity_ = bigger;
    return true;
  }
  std::span<char> room() { return {data_.get() + end_, capacity_ - end_}; }
  void received(std::size_t n) { end_ += n; }
  void append(std::string_view bytes) {
    while (!bytes.empty() && make_room()) {
      const std::size_t n = std::min(bytes.size(), capacity_ - end_);
      std::memcpy(data_.get() + end_, bytes.data(), n);
      end_ += n;
      bytes.remove_prefix(n);
    }
  }
  // Gives the memory back when nothing is in it.
  void release() {
    if (begin_ != end_) return;
    data_.reset();
    capacity_ = begin_ = end_ = 0;
  }

 private:
  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace fog::http
