#include "server/statsd_door.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace fog {

namespace {

constexpr std::size_t kDatagramBytesMax = 64 * 1024;
constexpr std::size_t kBatch = 64;  // datagrams of one system call
constexpr int kReceiveBufferBytes = 4 << 20;
constexpr int kPollMs = 200;

}  // namespace

Result<std::unique_ptr<StatsdDoor>> StatsdDoor::open(const std::string& address, std::uint16_t port, Take take) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0 || found == nullptr)
    return Error::invalid("the address " + address + " is not known");
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, ::freeaddrinfo);
  const int fd = ::socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Error::busy(std::string("no socket: ") + std::strerror(errno));
  sockaddr_storage bound{};
  socklen_t length = sizeof(bound);
  if (::bind(fd, found->ai_addr, found->ai_addrlen) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length) != 0) {
    const std::string why = std::strerror(errno);
    ::close(fd);
    return Error::busy("can't listen on " + address + ":" + std::to_string(port) + " (UDP): " + why);
  }
  const auto number = bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&bound)->sin6_port
                                                  : reinterpret_cast<const sockaddr_in*>(&bound)->sin_port;
  return std::unique_ptr<StatsdDoor>(new StatsdDoor(fd, ntohs(number), std::move(take)));
}

StatsdDoor::StatsdDoor(int socket, std::uint16_t port, Take take) : socket_(socket), port_(port), take_(std::move(take)) {
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &kReceiveBufferBytes, sizeof(int));
  const int on = 1;
  ::setsockopt(socket_, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
}

StatsdDoor::~StatsdDoor() {
  stop();
  ::close(socket_);
}

void StatsdDoor::start() {
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void StatsdDoor::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void StatsdDoor::run() {
  const auto buffers = std::make_unique_for_overwrite<char[]>(kBatch * kDatagramBytesMax);
  struct Control {
    alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(std::uint32_t))];
  };
  std::vector<mmsghdr> messages(kBatch);
  std::vector<iovec> pieces(kBatch);
  std::vector<Control> controls(kBatch);
  std::vector<std::string_view> datagrams;
  while (true) {
    pollfd ready{socket_, POLLIN, 0};
    const bool last_round = stopping_;
    const int events = ::poll(&ready, 1, last_round ? 0 : kPollMs);
    datagrams.clear();
    if (events <= 0) {
      rejected_lines_ += take_(datagrams);
      if (last_round) return;
      continue;
    }
    for (std::size_t i = 0; i < kBatch; ++i) {
      pieces[i] = {buffers.get() + i * kDatagramBytesMax, kDatagramBytesMax};
      messages[i] = {};
      messages[i].msg_hdr.msg_iov = &pieces[i];
      messages[i].msg_hdr.msg_iovlen = 1;
      messages[i].msg_hdr.msg_control = controls[i].bytes;
      messages[i].msg_hdr.msg_controllen = sizeof(controls[i].bytes);
    }
    const int received = ::recvmmsg(socket_, messages.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (received <= 0) continue;
    for (int i = 0; i < received; ++i) {
      auto& message = messages[static_cast<std::size_t>(i)];
      for (auto* control = CMSG_FIRSTHDR(&message.msg_hdr); control != nullptr;
           control = CMSG_NXTHDR(&message.msg_hdr, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SO_RXQ_OVFL) continue;
        std::uint32_t total = 0;  // since the socket was opened
        std::memcpy(&total, CMSG_DATA(control), sizeof(total));
        dropped_ = total;
      }
      datagrams.emplace_back(static_cast<const char*>(message.msg_hdr.msg_iov->iov_base), message.msg_len);
    }
    datagrams_ += static_cast<std::uint64_t>(received);
    rejected_lines_ += take_(datagrams);
  }
}

}  // namespace fog
