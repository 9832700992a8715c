// StreamQueue: what a producer writes and a connection sends, piece by piece. Shared by both; the
// producer may outlive the connection. Threads: the producer's side any, take() the connection's.
#pragma once

#include <deque>
#include <mutex>
#include <string>

#include "api/common/http_message.h"

namespace fog::http {

class Connection;

class StreamQueue final : public ByteSink {
 public:
  explicit StreamQueue(Connection* connection) : connection_(connection) {}

  bool write(std::string bytes) override;
  void close() override;
  bool is_open() const override;

  // For the connection: what is there to send; `ended` when nothing more will come. When neither,
  // the connection is woken by the next write or close.
  struct Taken {
    std::string bytes;
    bool ended = false;
    bool overrun = false;  // the client fell too far behind
  };
  Taken take(bool chunked);
  void detach();

 private:
  void wake();

  mutable std::mutex mutex_;
  Connection* connection_;
  std::deque<std::string> queue_;
  std::size_t queued_bytes_ = 0;
  bool closed_ = false;
  bool overrun_ = false;
  bool sleeping_ = false;
};

}  // namespace fog::http
