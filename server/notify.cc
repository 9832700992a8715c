#include "server/notify.h"

#include <charconv>
#include <cstring>
#include <ctime>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace fog {
namespace {

std::string value_of(const Environment& environment, const char* name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string() : found->second;
}

std::int64_t number_of(const Environment& environment, const char* name) {
  const std::string text = value_of(environment, name);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

}  // namespace

ServiceManager::ServiceManager(const Environment& environment) : socket_(value_of(environment, "NOTIFY_SOCKET")) {
  const std::int64_t watched = number_of(environment, "WATCHDOG_PID");
  const std::int64_t usec = number_of(environment, "WATCHDOG_USEC");
  // Twice in the time granted, so that one late turn is no death.
  if (usec > 0 && (watched == 0 || watched == ::getpid())) watchdog_ = std::chrono::milliseconds(std::max<std::int64_t>(1, usec / 2000));
}

void ServiceManager::ready(std::string_view status) { tell(fmt::format("READY=1\nSTATUS={}\n", status)); }

void ServiceManager::reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\n", std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000));
}

void ServiceManager::stopping() { tell("STOPPING=1\nSTATUS=finishing what is under way\n"); }

void ServiceManager::alive() { tell("WATCHDOG=1\n"); }

void ServiceManager::tell(std::string_view text) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_.size() < 2 || socket_.size() >= sizeof(address.sun_path) || (socket_.front() != '/' && socket_.front() != '@')) return;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_.front() == '@') address.sun_path[0] = '\0';  // of the abstract namespace
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  (void)::sendto(fd, text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size);
  ::close(fd);
}

}  // namespace fog
