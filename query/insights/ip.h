// IP addresses and networks, for the IP functions and cidrlookup.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fog::insights {

struct Ip {
  bool v6 = false;
  std::array<std::uint8_t, 16> bytes{};  // v4 uses the first four
};
struct Cidr {
  Ip base;
  int bits = 0;
  bool contains(const Ip& ip) const;  // host bits of the base are ignored
};
std::optional<Ip> parse_ip(std::string_view text);
std::optional<Cidr> parse_cidr(std::string_view text);

}  // namespace fog::insights
