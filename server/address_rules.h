// AddressRules: which addresses deliveries may connect to.
//
// Whoever may create a subscription chooses a URL that this server will call. So the address that a
// name resolved to is judged right before the connection is made to it. Never allowed: cloud
// metadata services, link-local, multicast, unspecified and reserved addresses, and this server's
// own doors. Loopback and private addresses are allowed where the configuration says so.
// IPv4 inside IPv6 (mapped, NAT64, 6to4) is judged as the IPv4 address it means.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fog {

struct AddressRules {
  bool allow_private = true;
  std::vector<std::uint16_t> own_ports;  // denied on every address of this machine

  // Empty when allowed, else why not.
  std::string_view why_denied(const sockaddr& address, std::size_t length) const;
};

}  // namespace fog
