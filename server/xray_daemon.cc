#include "server/xray_daemon.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstring>
#include <vector>

#include "storage/base/log.h"

namespace fog {

namespace {

constexpr std::size_t kDatagramBytesMax = 64 * 1024;
// Datagrams of one system call. Their buffers cost memory only once large datagrams arrive.
constexpr std::size_t kBatch = 128;
// Half a second of 32 k datagrams a second of 1 KB; the system may grant less.
constexpr int kReceiveBufferBytes = 16 << 20;
constexpr int kPollMs = 200;
constexpr int kPortTries = 50;

Result<int> bind_udp(const std::string& address, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0 || found == nullptr)
    return Error::invalid("the address " + address + " is not known");
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, ::freeaddrinfo);
  const int fd = ::socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Error::busy(std::string("no socket: ") + std::strerror(errno));
  if (::bind(fd, found->ai_addr, found->ai_addrlen) != 0) {
    const std::string why = std::strerror(errno);
    ::close(fd);
    return Error::busy("can't listen on " + address + ":" + std::to_string(port) + " (UDP): " + why);
  }
  return fd;
}

std::uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  const auto port = address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                                                  : reinterpret_cast<const sockaddr_in*>(&address)->sin_port;
  return ntohs(port);
}

bool is_header(std::string_view line) {
  if (line == R"({"format":"json","version":1})" || line == R"({"format": "json", "version": 1})") return true;
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object()) return false;
  const auto format = json.find("format");
  const auto version = json.find("version");
  if (format == json.end() || !format->is_string() || version == json.end() || !version->is_number()) return false;
  auto text = format->get<std::string>();
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return text == "json" && version->get<double>() == 1;
}

}  // namespace

std::optional<std::string_view> document_of_datagram(std::string_view datagram) {
  const auto line_end = datagram.find('\n');
  if (line_end == std::string_view::npos || !is_header(datagram.substr(0, line_end))) return std::nullopt;
  const auto body = datagram.substr(line_end + 1);
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) return std::nullopt;
  return body;
}

Result<std::unique_ptr<XrayDaemon>> XrayDaemon::open(const std::string& address, std::uint16_t port,
                                                     const ListenTcp& listen_tcp, Take take) {
  for (int attempt = 0;; ++attempt) {
    TRY(const int fd, bind_udp(address, port));
    const auto bound = port_of(fd);
    std::unique_ptr<XrayDaemon> daemon(new XrayDaemon(fd, bound, take));
    auto tcp = listen_tcp(address, bound);
    if (tcp.ok()) return daemon;
    // The number that was free for UDP may be taken for TCP: try another, if we may choose.
    if (port != 0 || attempt >= kPortTries) return std::move(tcp).error();
  }
}

XrayDaemon::XrayDaemon(int socket, std::uint16_t port, Take take)
    : socket_(socket), port_(port), take_(std::move(take)) {
  // The privileged form passes the system's limit; without the right it fails and the other applies.
  if (::setsockopt(socket_, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBufferBytes, sizeof(int)) != 0)
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &kReceiveBufferBytes, sizeof(int));
  socklen_t length = sizeof(receive_buffer_bytes_);
  ::getsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes_, &length);
  const int on = 1;
  ::setsockopt(socket_, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
}

XrayDaemon::~XrayDaemon() {
  stop();
  ::close(socket_);
}

void XrayDaemon::start() {
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void XrayDaemon::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void XrayDaemon::run() {
  const auto buffers = std::make_unique_for_overwrite<char[]>(kBatch * kDatagramBytesMax);
  struct Control {
    alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(std::uint32_t))];
  };
  std::vector<mmsghdr> messages(kBatch);
  std::vector<iovec> pieces(kBatch);
  std::vector<Control> controls(kBatch);
  std::vector<sockaddr_storage> sources(checks_senders_ ? kBatch : 0);
  std::vector<std::string_view> documents;
  documents.reserve(kBatch);
  while (true) {
    pollfd ready{socket_, POLLIN, 0};
    const bool last_round = stopping_;
    const int events = ::poll(&ready, 1, last_round ? 0 : kPollMs);
    if (events <= 0) {
      if (last_round) return;
      continue;
    }
    for (std::size_t i = 0; i < kBatch; ++i) {
      pieces[i] = {buffers.get() + i * kDatagramBytesMax, kDatagramBytesMax};
      messages[i] = {};
      messages[i].msg_hdr.msg_iov = &pieces[i];
      messages[i].msg_hdr.msg_iovlen = 1;
      if (checks_senders_) {
        messages[i].msg_hdr.msg_name = &sources[i];
        messages[i].msg_hdr.msg_namelen = sizeof(sources[i]);
      }
      messages[i].msg_hdr.msg_control = controls[i].bytes;
      messages[i].msg_hdr.msg_controllen = sizeof(controls[i].bytes);
    }
    const int received = ::recvmmsg(socket_, messages.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (received <= 0) continue;
    documents.clear();
    for (int i = 0; i < received; ++i) {
      auto& message = messages[static_cast<std::size_t>(i)];
      bytes_ += message.msg_len;
      for (auto* control = CMSG_FIRSTHDR(&message.msg_hdr); control != nullptr;
           control = CMSG_NXTHDR(&message.msg_hdr, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SO_RXQ_OVFL) continue;
        std::uint32_t total = 0;  // since the socket was opened
        std::memcpy(&total, CMSG_DATA(control), sizeof(total));
        dropped_ = total;
      }
      if (checks_senders_ && !senders_.contains(reinterpret_cast<const sockaddr&>(sources[static_cast<std::size_t>(i)]))) {
        ++rejected_headers_;
        continue;
      }
      const std::string_view datagram(static_cast<const char*>(message.msg_hdr.msg_iov->iov_base), message.msg_len);
      if (const auto document = document_of_datagram(datagram)) documents.push_back(*document);
      else ++rejected_headers_;
    }
    datagrams_ += static_cast<std::uint64_t>(received);
    if (!documents.empty()) rejected_documents_ += take_(documents);
  }
}

XrayDaemon::Stats XrayDaemon::stats() const {
  return {datagrams_, bytes_, rejected_headers_, rejected_documents_, dropped_};
}

}  // namespace fog
