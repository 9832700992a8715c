// LineDoor: a port that takes lines over UDP and TCP and answers nothing: embedded metric format,
// syslog.
//
// A datagram holds one or several lines. A TCP connection holds lines, or for syslog also messages
// with their length in front (RFC 6587). A line longer than a log event may be ends its connection.
// Threads: one of its own, which hands over all lines of a round at once. stats() from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "storage/base/result.h"

namespace fog {

class LineDoor {
 public:
  struct Line {
    std::string text;
    std::string peer;  // IP address
  };
  enum class Framing { kLines, kSyslog };
  // Gives how many lines were refused.
  using Take = std::function<std::size_t(std::span<const Line> lines)>;
  struct Stats {
    std::uint64_t lines = 0;
    std::uint64_t bytes = 0;
    std::uint64_t refused = 0;
    std::uint64_t connections = 0;
  };

  // Binds UDP and TCP to the same number; port 0 picks one that is free for both. Errors: busy, invalid.
  static Result<std::unique_ptr<LineDoor>> open(const std::string& address, std::uint16_t port, Framing framing, Take take);
  ~LineDoor();
  LineDoor(const LineDoor&) = delete;
  LineDoor& operator=(const LineDoor&) = delete;

  void start();
  void stop();  // takes in what has arrived, then ends
  std::uint16_t port() const { return port_; }
  Stats stats() const { return {lines_, bytes_, refused_, connections_}; }

 private:
  struct Connection {
    std::string peer;
    std::string pending;
  };
  LineDoor(int udp, int tcp, std::uint16_t port, Framing framing, Take take);
  void run();
  bool receive_datagrams(std::vector<Line>& lines);
  void accept_connections();
  bool read_connection(int fd, Connection& connection, std::vector<Line>& lines);
  bool cut(Connection& connection, std::vector<Line>& lines) const;
  void split(std::string_view text, const std::string& peer, std::vector<Line>& lines) const;

  int udp_, tcp_;
  std::uint16_t port_;
  Framing framing_;
  Take take_;
  std::map<int, Connection> open_;
  std::string buffer_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> lines_{0}, bytes_{0}, refused_{0}, connections_{0};
  std::thread thread_;
};

}  // namespace fog
