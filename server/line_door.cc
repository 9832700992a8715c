#include "server/line_door.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "storage/base/log.h"

namespace fog {
namespace {

constexpr std::size_t kDatagramBytesMax = 64 * 1024;
constexpr std::size_t kLineBytesMax = (1u << 20) + 1024;
constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kConnectionsMax = 512;
constexpr std::size_t kLinesAtOnce = 4096;
constexpr int kReceiveBufferBytes = 8 << 20;
constexpr int kPollMs = 200;
constexpr int kPortTries = 50;

Result<int> bind_socket(const std::string& address, std::uint16_t port, int type) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = type;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0 || found == nullptr)
    return Error::invalid("the address " + address + " is not known");
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, ::freeaddrinfo);
  const int fd = ::socket(found->ai_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Error::busy(std::string("no socket: ") + std::strerror(errno));
  const int on = 1;
  if (type == SOCK_STREAM) ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd, found->ai_addr, found->ai_addrlen) != 0 || (type == SOCK_STREAM && ::listen(fd, 128) != 0)) {
    const std::string why = std::strerror(errno);
    ::close(fd);
    return Error::busy("can't listen on " + address + ":" + std::to_string(port) + (type == SOCK_STREAM ? " (TCP): " : " (UDP): ") + why);
  }
  return fd;
}

std::uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                                             : reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

std::string host_of(const sockaddr_storage& address, socklen_t length) {
  char host[NI_MAXHOST];
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), length, host, sizeof host, nullptr, 0, NI_NUMERICHOST) != 0) return {};
  return host;
}

}  // namespace

Result<std::unique_ptr<LineDoor>> LineDoor::open(const std::string& address, std::uint16_t port, Framing framing, Take take) {
  for (int attempt = 0;; ++attempt) {
    TRY(const int udp, bind_socket(address, port, SOCK_DGRAM));
    const std::uint16_t bound = port_of(udp);
    auto tcp = bind_socket(address, bound, SOCK_STREAM);
    if (tcp.ok()) return std::unique_ptr<LineDoor>(new LineDoor(udp, *tcp, bound, framing, std::move(take)));
    ::close(udp);
    if (port != 0 || attempt >= kPortTries) return std::move(tcp).error();
  }
}

LineDoor::LineDoor(int udp, int tcp, std::uint16_t port, Framing framing, Take take)
    : udp_(udp), tcp_(tcp), port_(port), framing_(framing), take_(std::move(take)), buffer_(kReadBytes, '\0') {
  ::setsockopt(udp_, SOL_SOCKET, SO_RCVBUF, &kReceiveBufferBytes, sizeof(int));
}

LineDoor::~LineDoor() {
  stop();
  for (const auto& entry : open_) ::close(entry.first);
  ::close(udp_);
  ::close(tcp_);
}

void LineDoor::start() {
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void LineDoor::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void LineDoor::run() {
  std::vector<pollfd> polled;
  std::vector<Line> lines;
  for (;;) {
    const bool last_round = stopping_;
    polled.clear();
    polled.push_back({udp_, POLLIN, 0});
    polled.push_back({tcp_, POLLIN, 0});
    for (const auto& entry : open_) polled.push_back({entry.first, POLLIN, 0});
    if (::poll(polled.data(), polled.size(), last_round ? 0 : kPollMs) <= 0) {
      if (last_round) return;
      continue;
    }
    lines.clear();
    if (polled[0].revents != 0) receive_datagrams(lines);
    if (polled[1].revents != 0 && !last_round) accept_connections();
    for (std::size_t i = 2; i < polled.size(); ++i) {
      if (polled[i].revents == 0) continue;
      const auto found = open_.find(polled[i].fd);
      if (found == open_.end() || read_connection(found->first, found->second, lines)) continue;
      ::close(found->first);
      open_.erase(found);
    }
    if (lines.empty()) {
      if (last_round) return;
      continue;
    }
    lines_ += lines.size();
    refused_ += take_(lines);
  }
}

bool LineDoor::receive_datagrams(std::vector<Line>& lines) {
  while (lines.size() < kLinesAtOnce) {
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    const ssize_t n = ::recvfrom(udp_, buffer_.data(), kDatagramBytesMax, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &length);
    if (n <= 0) return false;
    bytes_ += static_cast<std::uint64_t>(n);
    const std::string_view datagram(buffer_.data(), static_cast<std::size_t>(n));
    const std::string peer = host_of(from, length);
    // A syslog datagram is one message, whatever is in it.
    if (framing_ == Framing::kSyslog) lines.push_back({std::string(datagram), peer});
    else split(datagram, peer, lines);
  }
  return true;
}

void LineDoor::split(std::string_view text, const std::string& peer, std::vector<Line>& lines) const {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) lines.push_back({std::string(text.substr(0, end)), peer});
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void LineDoor::accept_connections() {
  for (;;) {
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    const int fd = ::accept4(tcp_, reinterpret_cast<sockaddr*>(&from), &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    if (open_.size() >= kConnectionsMax) {
      ::close(fd);
      continue;
    }
    ++connections_;
    open_[fd] = {host_of(from, length), {}};
  }
}

// False: the connection has ended.
bool LineDoor::read_connection(int fd, Connection& connection, std::vector<Line>& lines) {
  const ssize_t n = ::recv(fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) {
    if (!connection.pending.empty()) lines.push_back({std::move(connection.pending), connection.peer});
    return false;
  }
  bytes_ += static_cast<std::uint64_t>(n);
  connection.pending.append(buffer_.data(), static_cast<std::size_t>(n));
  return cut(connection, lines);
}

// Takes whole lines out of what has come. False: this cannot become a line any more.
bool LineDoor::cut(Connection& connection, std::vector<Line>& lines) const {
  std::string_view rest = connection.pending;
  bool sound = true;
  while (!rest.empty()) {
    if (framing_ == Framing::kSyslog && rest.front() >= '1' && rest.front() <= '9') {
      // LENGTH SP MESSAGE
      std::size_t length = 0;
      const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), length);
      const auto digits = static_cast<std::size_t>(parsed.ptr - rest.data());
      if (digits == rest.size() && digits < 8) break;
      if (parsed.ec != std::errc() || length > kLineBytesMax || digits >= 8) {
        sound = false;
        break;
      }
      if (rest[digits] == ' ') {
        if (rest.size() - digits - 1 < length) break;
        lines.push_back({std::string(rest.substr(digits + 1, length)), connection.peer});
        rest.remove_prefix(digits + 1 + length);
        continue;
      }
    }
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) {
      sound = rest.size() <= kLineBytesMax;
      break;
    }
    if (end > 0) lines.push_back({std::string(rest.substr(0, end)), connection.peer});
    rest.remove_prefix(end + 1);
  }
  connection.pending.erase(0, connection.pending.size() - rest.size());
  return sound;
}

}  // namespace fog
