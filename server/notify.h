// ServiceManager: tells systemd how the service is (sd_notify's protocol: datagrams to $NOTIFY_SOCKET).
// Without a service manager every call does nothing. Threads: one at a time.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "server/config.h"

namespace fog {

class ServiceManager {
 public:
  explicit ServiceManager(const Environment& environment);
  void ready(std::string_view status);
  void reloading();  // ready() follows
  void stopping();
  void alive();
  // How often alive() must be called; nothing: nobody watches.
  std::optional<std::chrono::milliseconds> watchdog() const { return watchdog_; }

 private:
  void tell(std::string_view text) const;
  std::string socket_;  // a path, or '@' and a name
  std::optional<std::chrono::milliseconds> watchdog_;
};

}  // namespace fog
