// Rounds: what the requests that are ready together have begun ends with one call.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "server/http.h"
#include "server/snapshots.h"
#include "tests/server/socket.h"

namespace fog::http {
namespace {

using test::Socket;
using test::body_of;

// Holds every request until its round has ended.
class Gathering final : public Handler {
 public:
  void handle(Turn& turn) override {
    while (turn.request.target == "/long" && !others_are_here) std::this_thread::yield();
    if (turn.request.target == "/free") return;
    turn.call_at_round_end();
    turn.hold(
        [this](Resume resume) {
          const std::lock_guard lock(mutex_);
          waiting_.push_back(resume);
        },
        [&turn] { turn.response.body = "done"; });
  }
  void round_ended() override {
    ++rounds;
    std::vector<Resume> ready;
    {
      const std::lock_guard lock(mutex_);
      ready.swap(waiting_);
    }
    largest = std::max(largest.load(), ready.size());
    for (const Resume& resume : ready) resume();
  }
  void refuse(const Fault& fault, std::string_view, Response& response) override { response.status = fault.status; }

  std::atomic<bool> others_are_here{false};
  std::atomic<int> rounds{0};
  std::atomic<std::size_t> largest{0};

 private:
  std::mutex mutex_;
  std::vector<Resume> waiting_;
};

std::string request(const std::string& target) { return "POST " + target + " HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"; }

class RoundsTest : public testing::Test {
 protected:
  void SetUp() override {
    port_ = *server_.listen("127.0.0.1", 0, 0);
    server_.start();
  }
  void TearDown() override { EXPECT_TRUE(server_.stop(Millis(1000))); }

  Gathering handler_;
  HttpServer server_{Options{}, handler_};
  std::uint16_t port_ = 0;
};

TEST_F(RoundsTest, a_request_alone_has_a_round_of_its_own) {
  Socket socket(port_);
  for (int i = 1; i <= 3; ++i) {
    socket.send(request("/"));
    EXPECT_EQ(body_of(socket.answer()), "done");
    EXPECT_EQ(handler_.rounds, i);
  }
  socket.send(request("/free"));
  socket.answer();
  EXPECT_EQ(handler_.rounds, 3) << "nobody asked";
}

TEST_F(RoundsTest, requests_that_are_ready_together_share_one) {
  std::vector<std::unique_ptr<Socket>> sockets;
  for (int i = 0; i < 20; ++i) sockets.push_back(std::make_unique<Socket>(port_));
  for (const auto& socket : sockets) {  // all of them are known to the server
    socket->send(request("/free"));
    socket->answer();
  }
  Socket first(port_);
  first.send(request("/long"));  // while it is worked on, the others arrive
  for (const auto& socket : sockets) socket->send(request("/"));
  handler_.others_are_here = true;
  EXPECT_EQ(body_of(first.answer()), "done");
  for (const auto& socket : sockets) EXPECT_EQ(body_of(socket->answer()), "done");
  EXPECT_GE(handler_.largest, 2u);
  EXPECT_LT(handler_.rounds, 21);
}

TEST(Turnstile, who_works_for_those_inside_may_join_them_while_it_closes) {
  Turnstile turnstile;
  ASSERT_TRUE(turnstile.enter());
  std::atomic<bool> closed{false};
  std::thread closing([&] { closed = turnstile.close(Millis(10'000)); });
  while (turnstile.enter()) {
    turnstile.leave();
    std::this_thread::yield();
  }
  EXPECT_TRUE(turnstile.join()) << "somebody is inside and may wait for this";
  turnstile.leave();
  EXPECT_FALSE(closed);
  turnstile.leave();
  closing.join();
  EXPECT_TRUE(closed);
  EXPECT_FALSE(turnstile.join()) << "nobody is inside any more";
  turnstile.open();
  EXPECT_TRUE(turnstile.join());
  turnstile.leave();
}

}  // namespace
}  // namespace fog::http
