// Address blocks, as doors without signatures know them.
#include "server/networks.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace fog {
namespace {

TEST(Networks, contain_what_is_in_a_block_and_loopback) {
  const auto networks = Networks::parse({"10.20.0.0/16", "192.0.2.7", "fd00:1::/33", "2001:db8::5"});
  ASSERT_TRUE(networks.ok());
  const struct {
    const char* address;
    bool in;
  } rows[] = {
      {"10.20.0.0", true},  {"10.20.255.255", true}, {"10.21.0.0", false},    {"10.19.255.255", false}, {"192.0.2.7", true},
      {"192.0.2.8", false}, {"127.0.0.1", true},     {"127.255.0.9", true},   {"::1", true},            {"::2", false},
      {"fd00:1::9", true},  {"fd00:1:8000::", false}, {"2001:db8::5", true},  {"2001:db8::6", false},   {"::ffff:10.20.3.4", true},
      {"::ffff:10.21.3.4", false}, {"::ffff:127.0.0.1", true}, {"", false},   {"10.20.0.0.1", false},   {"name", false},
  };
  for (const auto& row : rows) EXPECT_EQ(networks->contains(std::string(row.address)), row.in) << row.address;
  sockaddr_in from{};
  from.sin_family = AF_INET;
  ::inet_pton(AF_INET, "10.20.1.1", &from.sin_addr);
  EXPECT_TRUE(networks->contains(reinterpret_cast<const sockaddr&>(from)));
  ::inet_pton(AF_INET, "11.20.1.1", &from.sin_addr);
  EXPECT_FALSE(networks->contains(reinterpret_cast<const sockaddr&>(from)));
}

TEST(Networks, an_empty_list_is_this_machine) {
  const Networks none;
  EXPECT_TRUE(none.contains(std::string("127.0.0.1")));
  EXPECT_FALSE(none.contains(std::string("10.0.0.1")));
}

TEST(Networks, refuse_what_is_no_block) {
  for (const char* bad : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "fd00::/129", "host", "", "10.0.0/8"})
    EXPECT_FALSE(Networks::parse({bad}).ok()) << bad;
  EXPECT_TRUE(Networks::parse({"0.0.0.0/0"})->contains(std::string("8.8.8.8")));
}

}  // namespace
}  // namespace fog
