// IP functions.
#include "query/insights/ip.h"

#include <arpa/inet.h>

#include <charconv>

#include "query/insights/function.h"

namespace fog::insights {

std::optional<Ip> parse_ip(std::string_view text) {
  char buffer[64];
  if (text.empty() || text.size() >= sizeof buffer) return std::nullopt;
  text.copy(buffer, text.size());
  buffer[text.size()] = '\0';
  Ip ip;
  if (inet_pton(AF_INET, buffer, ip.bytes.data()) == 1) return ip;
  ip.v6 = true;
  if (inet_pton(AF_INET6, buffer, ip.bytes.data()) == 1) return ip;
  return std::nullopt;
}

std::optional<Cidr> parse_cidr(std::string_view text) {
  auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto base = parse_ip(text.substr(0, slash));
  std::string_view digits = text.substr(slash + 1);
  int bits = -1;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (!base || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (bits < 0 || bits > (base->v6 ? 128 : 32)) return std::nullopt;
  return Cidr{*base, bits};
}

bool Cidr::contains(const Ip& ip) const {
  if (ip.v6 != base.v6) return false;
  int left = bits;
  for (std::size_t k = 0; left > 0; ++k, left -= 8) {
    auto mask = static_cast<std::uint8_t>(left >= 8 ? 0xFF : 0xFF << (8 - left));
    if ((ip.bytes[k] & mask) != (base.bytes[k] & mask)) return false;
  }
  return true;
}

namespace {

using Args = std::span<const Value>;

std::optional<Ip> ip_of(CallContext& c, const Value& value) {
  if (!has_text(value)) return std::nullopt;
  return parse_ip(text_of(value, c.a));
}

bool in_any(const Ip& ip, std::span<const std::string_view> networks) {
  for (std::string_view network : networks)
    if (auto cidr = parse_cidr(network); cidr && cidr->contains(ip)) return true;
  return false;
}

constexpr std::string_view kPrivate[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"};
// IANA special-purpose registries, without the private networks.
constexpr std::string_view kReserved[] = {
    "0.0.0.0/8",      "100.64.0.0/10",  "127.0.0.0/8",     "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24",
    "192.88.99.0/24", "198.18.0.0/15",  "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",  "240.0.0.0/4",
    "::/128",         "::1/128",        "::ffff:0:0/96",   "64:ff9b:1::/48", "100::/64",     "2001:db8::/32",
    "fc00::/7",       "fe80::/10",      "ff00::/8"};

Value valid_kernel(CallContext& c, Args args) { return Value::boolean(ip_of(c, args[0]).has_value()); }
Value valid4_kernel(CallContext& c, Args args) {
  auto ip = ip_of(c, args[0]);
  return Value::boolean(ip && !ip->v6);
}
Value valid6_kernel(CallContext& c, Args args) {
  auto ip = ip_of(c, args[0]);
  return Value::boolean(ip && ip->v6);
}
enum class Family { kAny, kV4, kV6 };
template <Family kFamily>
Value subnet_kernel(CallContext& c, Args args) {
  auto ip = ip_of(c, args[0]);
  if (!ip || !has_text(args[1])) return Value::boolean(false);
  if (kFamily == Family::kV4 && ip->v6) return Value::boolean(false);
  if (kFamily == Family::kV6 && !ip->v6) return Value::boolean(false);
  auto cidr = parse_cidr(text_of(args[1], c.b));
  return Value::boolean(cidr && cidr->contains(*ip));
}
Value number_kernel(CallContext& c, Args args) {
  auto ip = ip_of(c, args[0]);
  if (!ip || ip->v6) return {};
  std::int64_t n = 0;
  for (std::size_t k = 0; k < 4; ++k) n = n * 256 + ip->bytes[k];
  return Value::integer(n);
}
Value private_kernel(CallContext& c, Args args) {
  auto ip = ip_of(c, args[0]);
  return Value::boolean(ip && in_any(*ip, kPrivate));
}
Value reserved_kernel(CallContext& c, Args args) {
  auto ip = ip_of(c, args[0]);
  return Value::boolean(ip && in_any(*ip, kReserved));
}
Value public_kernel(CallContext& c, Args args) {
  auto ip = ip_of(c, args[0]);
  return Value::boolean(ip && !in_any(*ip, kPrivate) && !in_any(*ip, kReserved));
}

constexpr Function kIp[] = {
    {"isvalidip", 1, 1, valid_kernel, "1 for an IPv4 or IPv6 address"},
    {"isvalidipv4", 1, 1, valid4_kernel, "1 for an IPv4 address"},
    {"isvalidipv6", 1, 1, valid6_kernel, "1 for an IPv6 address"},
    {"isipinsubnet", 2, 2, subnet_kernel<Family::kAny>, "1 if the address is in the network"},
    {"isipv4insubnet", 2, 2, subnet_kernel<Family::kV4>, "1 if the IPv4 address is in the network"},
    {"isipv6insubnet", 2, 2, subnet_kernel<Family::kV6>, "1 if the IPv6 address is in the network"},
    {"ipv4tonumber", 1, 1, number_kernel, "the address as a number", true},
    {"isprivateip", 1, 1, private_kernel, "1 for RFC 1918 addresses"},
    {"ispublicip", 1, 1, public_kernel, "1 for addresses neither private nor reserved"},
    {"isreservedip", 1, 1, reserved_kernel, "1 for special-purpose addresses"},
};

}  // namespace

std::span<const Function> ip_functions() { return kIp; }

}  // namespace fog::insights
