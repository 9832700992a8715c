// Which addresses may be called, by rows.
#include "server/address_rules.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>

namespace fog {
namespace {

bool allowed(const AddressRules& rules, const char* text, std::uint16_t port = 80) {
  sockaddr_in ip4{};
  if (::inet_pton(AF_INET, text, &ip4.sin_addr) == 1) {
    ip4.sin_family = AF_INET;
    ip4.sin_port = htons(port);
    return rules.why_denied(reinterpret_cast<const sockaddr&>(ip4), sizeof(ip4)).empty();
  }
  sockaddr_in6 ip6{};
  EXPECT_EQ(::inet_pton(AF_INET6, text, &ip6.sin6_addr), 1) << text;
  ip6.sin6_family = AF_INET6;
  ip6.sin6_port = htons(port);
  return rules.why_denied(reinterpret_cast<const sockaddr&>(ip6), sizeof(ip6)).empty();
}

TEST(AddressRules, metadata_and_other_special_addresses_are_never_called) {
  for (const char* address :
       {"169.254.169.254", "169.254.170.2", "0.0.0.0", "0.1.2.3", "100.100.100.200", "168.63.129.16", "192.0.0.192",
        "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "fe80::1", "fec0::1", "ff02::1",
        "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::169.254.169.254"}) {
    EXPECT_FALSE(allowed({.allow_private = true}, address)) << address;
    EXPECT_FALSE(allowed({.allow_private = false}, address)) << address;
  }
}

TEST(AddressRules, private_addresses_are_called_where_the_configuration_says_so) {
  for (const char* address : {"127.0.0.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1",
                              "198.18.0.1", "::1", "fd12::1", "fc00::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(allowed({.allow_private = true}, address)) << address;
    EXPECT_FALSE(allowed({.allow_private = false}, address)) << address;
  }
}

TEST(AddressRules, public_addresses_are_called) {
  for (const char* address : {"8.8.8.8", "172.32.0.1", "172.15.0.1", "192.169.0.1", "100.128.0.1", "2606:4700::1", "::ffff:8.8.8.8"}) {
    EXPECT_TRUE(allowed({.allow_private = false}, address)) << address;
  }
}

TEST(AddressRules, the_servers_own_doors_are_not_called) {
  const AddressRules rules{.allow_private = true, .own_ports = {4566}};
  EXPECT_FALSE(allowed(rules, "127.0.0.1", 4566));
  EXPECT_FALSE(allowed(rules, "127.8.8.8", 4566));
  EXPECT_FALSE(allowed(rules, "::1", 4566));
  EXPECT_FALSE(allowed(rules, "::ffff:127.0.0.1", 4566));
  EXPECT_TRUE(allowed(rules, "127.0.0.1", 4567));
  EXPECT_TRUE(allowed(rules, "8.8.8.8", 4566));
}

}  // namespace
}  // namespace fog
