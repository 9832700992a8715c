// Networks: a list of address blocks, for doors that cannot ask who is calling.
//
//   TRY(auto networks, Networks::parse({"10.20.0.0/16", "fd00::/8", "192.0.2.7"}));
//   networks.contains("10.20.1.1");
//
// Loopback is always in it. IPv4 that comes mapped into IPv6 is judged as IPv4. Immutable.
#pragma once

#include <sys/socket.h>

#include <array>
#include <string>
#include <vector>

#include "storage/base/result.h"

namespace fog {

class Networks {
 public:
  static Result<Networks> parse(const std::vector<std::string>& blocks);

  bool contains(const std::string& address) const;
  bool contains(const sockaddr& address) const;
  bool empty() const { return blocks_.empty(); }

 private:
  using Bytes = std::array<unsigned char, 16>;  // IPv4 mapped
  struct Block {
    Bytes base{};
    unsigned bits = 128;
  };
  static bool read(const std::string& address, Bytes& out, bool& is_ip4);
  static bool is_in(const Bytes& address, const Block& block);
  bool contains(const Bytes& address) const;

  std::vector<Block> blocks_;
};

}  // namespace fog
