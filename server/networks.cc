#include "server/networks.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace fog {
namespace {

constexpr unsigned kMappedBits = 96;  // before the four bytes of IPv4

}  // namespace

bool Networks::read(const std::string& address, Bytes& out, bool& is_ip4) {
  out = {};
  is_ip4 = ::inet_pton(AF_INET, address.c_str(), &out[12]) == 1;
  if (is_ip4) out[10] = out[11] = 0xff;
  return is_ip4 || ::inet_pton(AF_INET6, address.c_str(), out.data()) == 1;
}

Result<Networks> Networks::parse(const std::vector<std::string>& blocks) {
  Networks networks;
  for (const std::string& text : blocks) {
    const std::size_t slash = std::min(text.find('/'), text.size());
    Block block;
    bool is_ip4 = false;
    const auto bad = [&] { return Error::invalid(fmt::format("'{}' is not an address or a block such as 10.20.0.0/16", text)); };
    if (!read(text.substr(0, slash), block.base, is_ip4)) return bad();
    if (slash < text.size()) {
      const char* end = text.data() + text.size();
      const auto [at, error] = std::from_chars(text.data() + slash + 1, end, block.bits);
      if (error != std::errc() || at != end || block.bits > (is_ip4 ? 32u : 128u)) return bad();
      if (is_ip4) block.bits += kMappedBits;
    }
    networks.blocks_.push_back(block);
  }
  return networks;
}

bool Networks::is_in(const Bytes& address, const Block& block) {
  const std::size_t whole = block.bits / 8;
  const unsigned rest = block.bits % 8;
  if (std::memcmp(address.data(), block.base.data(), whole) != 0) return false;
  return rest == 0 || (address[whole] >> (8 - rest)) == (block.base[whole] >> (8 - rest));
}

bool Networks::contains(const Bytes& address) const {
  static constexpr Block kLoopback4{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 0}, kMappedBits + 8};
  static constexpr Block kLoopback6{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128};
  return is_in(address, kLoopback4) || is_in(address, kLoopback6) ||
         std::any_of(blocks_.begin(), blocks_.end(), [&](const Block& block) { return is_in(address, block); });
}

bool Networks::contains(const std::string& address) const {
  Bytes bytes;
  bool is_ip4 = false;
  return read(address, bytes, is_ip4) && contains(bytes);
}

bool Networks::contains(const sockaddr& address) const {
  Bytes bytes{};
  if (address.sa_family == AF_INET) {
    bytes[10] = bytes[11] = 0xff;
    std::memcpy(&bytes[12], &reinterpret_cast<const sockaddr_in&>(address).sin_addr, 4);
  } else if (address.sa_family == AF_INET6) {
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, 16);
  } else {
    return false;
  }
  return contains(bytes);
}

}  // namespace fog
