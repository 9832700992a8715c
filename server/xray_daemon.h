// XrayDaemon: the UDP half of the X-Ray daemon's door.
//
// One datagram is a header line, a line feed and one document: {"format":"json","version":1}. What
// arrives goes the same way as PutTraceSegments; nothing is ever answered. The TCP half is an
// ordinary HTTP listener on the same port number (SDKs fetch sampling rules there, unsigned).
//
// Threads: one of its own, which receives many datagrams a system call and stores them as one record
// of the log, at once: documents are in the log well within 50 ms. stats() from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>

#include "server/networks.h"
#include "storage/base/result.h"

namespace fog {

class XrayDaemon {
 public:
  // Stores documents; gives how many were refused.
  using Take = std::function<std::size_t(std::span<const std::string_view> documents)>;
  // Binds the TCP half; gives the port. Error kind busy: the port is taken.
  using ListenTcp = std::function<Result<std::uint16_t>(const std::string& address, std::uint16_t port)>;
  struct Stats {
    std::uint64_t datagrams = 0;
    std::uint64_t bytes = 0;
    std::uint64_t rejected_headers = 0;    // no line feed, a bad header, an empty body, a sender not listed
    std::uint64_t rejected_documents = 0;  // refused by the store
    std::uint64_t dropped = 0;             // by the kernel, because the socket's buffer was full
  };

  // Binds UDP and TCP to the same number; port 0 picks one that is free for both.
  // Errors: busy (taken), invalid (address).
  static Result<std::unique_ptr<XrayDaemon>> open(const std::string& address, std::uint16_t port,
                                                  const ListenTcp& listen_tcp, Take take);
  ~XrayDaemon();
  XrayDaemon(const XrayDaemon&) = delete;
  XrayDaemon& operator=(const XrayDaemon&) = delete;

  // Before start(): datagrams of others are dropped and counted as rejected.
  void take_only_from(Networks senders) { senders_ = std::move(senders); checks_senders_ = true; }
  void start();
  // Takes in what has arrived, then ends.
  void stop();
  std::uint16_t port() const { return port_; }
  // Of the socket, as the system granted it.
  int receive_buffer_bytes() const { return receive_buffer_bytes_; }
  Stats stats() const;

 private:
  XrayDaemon(int socket, std::uint16_t port, Take take);
  void run();

  int socket_;
  std::uint16_t port_;
  int receive_buffer_bytes_ = 0;
  Take take_;
  Networks senders_;
  bool checks_senders_ = false;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> datagrams_{0}, bytes_{0}, rejected_headers_{0}, rejected_documents_{0}, dropped_{0};
  std::thread thread_;
};

// The document of a datagram; nothing when the header is missing or wrong.
std::optional<std::string_view> document_of_datagram(std::string_view datagram);

}  // namespace fog
