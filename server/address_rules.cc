#include "server/address_rules.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <array>
#include <cstring>
#include <optional>

namespace fog {
namespace {

struct Range4 {
  std::uint32_t base;
  unsigned bits;
};
constexpr std::uint32_t ip4(unsigned a, unsigned b, unsigned c, unsigned d) {
  return (a << 24) | (b << 16) | (c << 8) | d;
}
constexpr bool in_range(std::uint32_t address, Range4 range) {
  return ((address ^ range.base) >> (32 - range.bits)) == 0;
}

struct Rule4 {
  Range4 range;
  std::string_view why;
};
constexpr Rule4 kNever4[] = {
    {{ip4(0, 0, 0, 0), 8}, "unspecified address"},
    {{ip4(169, 254, 0, 0), 16}, "link-local address (cloud metadata)"},
    {{ip4(100, 100, 100, 200), 32}, "cloud metadata address"},
    {{ip4(168, 63, 129, 16), 32}, "cloud metadata address"},
    {{ip4(192, 0, 0, 192), 32}, "cloud metadata address"},
    {{ip4(224, 0, 0, 0), 4}, "multicast address"},
    {{ip4(240, 0, 0, 0), 4}, "reserved address"},
};
constexpr Range4 kPrivate4[] = {
    {ip4(127, 0, 0, 0), 8},    {ip4(10, 0, 0, 0), 8},   {ip4(172, 16, 0, 0), 12},  {ip4(192, 168, 0, 0), 16},
    {ip4(100, 64, 0, 0), 10},  {ip4(192, 0, 0, 0), 24}, {ip4(198, 18, 0, 0), 15},
};

using Bytes16 = std::array<unsigned char, 16>;

bool starts_with(const Bytes16& address, std::initializer_list<unsigned char> prefix) {
  return std::equal(prefix.begin(), prefix.end(), address.begin());
}

std::uint32_t be32(const unsigned char* at) { return ip4(at[0], at[1], at[2], at[3]); }

// The IPv4 address that an IPv6 address stands for.
std::optional<std::uint32_t> embedded_ip4(const Bytes16& a) {
  if (starts_with(a, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff})) return be32(&a[12]);   // mapped
  if (starts_with(a, {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) return be32(&a[12]);  // NAT64
  if (starts_with(a, {0x20, 0x02})) return be32(&a[2]);                                   // 6to4
  const bool compatible = starts_with(a, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  if (compatible && be32(&a[12]) > 1) return be32(&a[12]);
  return std::nullopt;
}

std::string_view why_denied_ip4(std::uint32_t address, bool allow_private) {
  for (const Rule4& rule : kNever4) {
    if (in_range(address, rule.range)) return rule.why;
  }
  for (const Range4& range : kPrivate4) {
    if (!allow_private && in_range(address, range)) return "private address";
  }
  return {};
}

std::string_view why_denied_ip6(const Bytes16& a, bool allow_private) {
  if (const auto ip4_address = embedded_ip4(a)) return why_denied_ip4(*ip4_address, allow_private);
  static constexpr Bytes16 kUnspecified{};
  static constexpr Bytes16 kLoopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  static constexpr Bytes16 kMetadata{0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54};
  if (a == kUnspecified) return "unspecified address";
  if (a == kMetadata) return "cloud metadata address";
  if (a[0] == 0xff) return "multicast address";
  if (a[0] == 0xfe && (a[1] & 0xc0) == 0x80) return "link-local address";
  if (a[0] == 0xfe && (a[1] & 0xc0) == 0xc0) return "site-local address";
  if (!allow_private && (a == kLoopback || (a[0] & 0xfe) == 0xfc)) return "private address";
  return {};
}

// Both as IPv6, IPv4 mapped.
std::optional<Bytes16> bytes_of(const sockaddr& address) {
  Bytes16 bytes{};
  if (address.sa_family == AF_INET) {
    bytes[10] = bytes[11] = 0xff;
    std::memcpy(&bytes[12], &reinterpret_cast<const sockaddr_in&>(address).sin_addr, 4);
    return bytes;
  }
  if (address.sa_family == AF_INET6) {
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, 16);
    return bytes;
  }
  return std::nullopt;
}

bool is_own_address(const Bytes16& bytes) {
  static constexpr Bytes16 kLoopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  if (bytes == kLoopback) return true;
  if (const auto ip4_address = embedded_ip4(bytes); ip4_address && *ip4_address >> 24 == 127) return true;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return true;  // unknown: rather refuse our own port once too often
  bool own = false;
  for (const ifaddrs* i = all; i != nullptr && !own; i = i->ifa_next) {
    if (i->ifa_addr != nullptr) own = bytes_of(*i->ifa_addr) == bytes;
  }
  ::freeifaddrs(all);
  return own;
}

}  // namespace

std::string_view AddressRules::why_denied(const sockaddr& address, std::size_t length) const {
  const bool is_ip4 = address.sa_family == AF_INET && length >= sizeof(sockaddr_in);
  const bool is_ip6 = address.sa_family == AF_INET6 && length >= sizeof(sockaddr_in6);
  if (!is_ip4 && !is_ip6) return "not an IP address";
  const Bytes16 bytes = *bytes_of(address);
  if (const auto why = why_denied_ip6(bytes, allow_private); !why.empty()) return why;
  const std::uint16_t port = ntohs(is_ip4 ? reinterpret_cast<const sockaddr_in&>(address).sin_port
                                          : reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  const bool own_port = std::find(own_ports.begin(), own_ports.end(), port) != own_ports.end();
  if (own_port && is_own_address(bytes)) return "this server's own address";
  return {};
}

}  // namespace fog
