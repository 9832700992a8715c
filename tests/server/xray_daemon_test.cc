// The daemon's UDP door: headers, batches, one number for UDP and TCP, noise.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "server/xray_daemon.h"

namespace fog {
namespace {

TEST(XrayDatagram, header_and_document) {
  EXPECT_EQ(document_of_datagram("{\"format\":\"json\",\"version\":1}\n{}"), "{}");
  EXPECT_EQ(document_of_datagram("{\"format\": \"JSON\", \"version\": 1}\n[1]\n"), "[1]\n");
  EXPECT_EQ(document_of_datagram(" { \"version\" : 1 , \"format\" : \"json\" } \nx\ny"), "x\ny");
  for (const char* bad : {"", "{}", "{\"format\":\"json\",\"version\":1}", "{\"format\":\"json\",\"version\":1}\n", "{\"format\":\"json\",\"version\":2}\n{}",
                          "{\"format\":\"xml\",\"version\":1}\n{}", "\n{}", "noise\n{}", "{\"format\":\"json\",\"version\":\"1\"}\n{}"})
    EXPECT_FALSE(document_of_datagram(bad)) << bad;
}

struct Inbox {
  std::mutex mutex;
  std::condition_variable arrived;
  std::vector<std::string> documents;
  bool wait_for(std::size_t n) {
    std::unique_lock lock(mutex);
    return arrived.wait_for(lock, std::chrono::seconds(10), [&] { return documents.size() >= n; });
  }
};

TEST(XrayDaemon, takes_datagrams_and_counts_what_it_refuses) {
  Inbox inbox;
  std::uint16_t tcp_port = 0;
  int refusals = 2;
  auto opened = XrayDaemon::open(
      "127.0.0.1", 0,
      [&](const std::string&, std::uint16_t port) -> Result<std::uint16_t> {
        if (refusals-- > 0) return Error::busy("taken");  // another number is tried
        tcp_port = port;
        return port;
      },
      [&](std::span<const std::string_view> documents) -> std::size_t {
        const std::lock_guard lock(inbox.mutex);
        for (const auto document : documents) inbox.documents.emplace_back(document);
        inbox.arrived.notify_all();
        return 0;
      });
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  auto& daemon = **opened;
  EXPECT_EQ(daemon.port(), tcp_port);
  EXPECT_NE(tcp_port, 0);
  daemon.start();

  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(daemon.port());
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto send = [&](const std::string& bytes) {
    EXPECT_EQ(::sendto(fd, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof(to)), static_cast<ssize_t>(bytes.size()));
  };
  send("noise");
  for (int i = 0; i < 300; ++i) send("{\"format\":\"json\",\"version\":1}\n{\"n\":" + std::to_string(i) + "}");
  send("{\"format\":\"json\",\"version\":1}\n" + std::string(65000, 'x'));
  ASSERT_TRUE(inbox.wait_for(301));
  daemon.stop();
  ::close(fd);
  EXPECT_EQ(inbox.documents[299], "{\"n\":299}");
  EXPECT_EQ(inbox.documents[300].size(), 65000u);
  EXPECT_EQ(daemon.stats().datagrams, 302u);
  EXPECT_EQ(daemon.stats().rejected_headers, 1u);
  EXPECT_EQ(daemon.stats().dropped, 0u);
}

}  // namespace
}  // namespace fog
