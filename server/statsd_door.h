// StatsdDoor: the StatsD door, UDP. Nothing is ever answered.
//
// Threads: one of its own, which receives many datagrams a system call and stores them together. stats() from any.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>

#include "storage/base/result.h"

namespace fog {

class StatsdDoor {
 public:
  // Stores what the datagrams say; gives how many lines were refused. Also called without datagrams, a few times a
  // second, so that what waits for the end of a minute goes on.
  using Take = std::function<std::size_t(std::span<const std::string_view> datagrams)>;
  struct Stats {
    std::uint64_t datagrams = 0;
    std::uint64_t rejected_lines = 0;
    std::uint64_t dropped = 0;  // by the kernel, because the socket's buffer was full
  };

  // Port 0 picks a free one. Errors: busy (taken), invalid (address).
  static Result<std::unique_ptr<StatsdDoor>> open(const std::string& address, std::uint16_t port, Take take);
  ~StatsdDoor();
  StatsdDoor(const StatsdDoor&) = delete;
  StatsdDoor& operator=(const StatsdDoor&) = delete;

  void start();
  void stop();  // takes in what has arrived first
  std::uint16_t port() const { return port_; }
  Stats stats() const { return {datagrams_, rejected_lines_, dropped_}; }

 private:
  StatsdDoor(int socket, std::uint16_t port, Take take);
  void run();

  int socket_;
  std::uint16_t port_;
  Take take_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> datagrams_{0}, rejected_lines_{0}, dropped_{0};
  std::thread thread_;
};

}  // namespace fog
