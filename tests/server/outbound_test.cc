// The way out, against servers on this machine.
#include "server/outbound.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "server/http.h"

namespace fog {
namespace {

// Tells what it was sent; special targets do special things.
class Peer final : public http::Handler {
 public:
  void handle(http::Turn& turn) override {
    const std::string_view target = turn.request.target;
    if (target == "/redirect") {
      turn.response.status = 302;
      turn.response.set("Location", "http://127.0.0.1:1/");
    }
    turn.response.set("X-Peer", "yes");
    turn.response.body = std::string(turn.request.method) + " " + std::string(turn.request.header("x-amz-sns-message-type")) + " " + turn.request.body;
    if (turn.request.has_header("expect")) turn.response.body += " EXPECT";
    if (target == "/large") turn.response.body = std::string(1'000'000, 'x');
    if (target == "/slow") {
      turn.hold([](http::Resume resume) {
        std::thread([resume] {
          std::this_thread::sleep_for(Millis(600));
          resume();
        }).detach();
      }, [] {});
    }
  }
  void refuse(const http::Fault&, std::string_view, http::Response&) override {}
};

struct OutboundTest : testing::Test {
  OutboundTest() : server({}, peer) {
    port = *server.listen("127.0.0.1", 0, 0);
    server.start();
  }
  ~OutboundTest() override { EXPECT_TRUE(server.stop(Millis(2000))); }

  std::string url(const std::string& path, const std::string& host = "127.0.0.1") const {
    return "http://" + host + ":" + std::to_string(port) + path;
  }
  static Result<OutboundResponse> call(CurlOutbound& outbound, OutboundRequest request) {
    std::promise<Result<OutboundResponse>> promise;
    auto future = promise.get_future();
    outbound.http(std::move(request), [&](Result<OutboundResponse> result) { promise.set_value(std::move(result)); });
    return future.get();
  }
  static ErrorKind failure(CurlOutbound& outbound, OutboundRequest request) {
    auto result = call(outbound, std::move(request));
    EXPECT_FALSE(result.ok());
    return result.ok() ? ErrorKind::kInternal : result.error().kind();
  }

  Peer peer;
  http::HttpServer server;
  std::uint16_t port = 0;
};

TEST_F(OutboundTest, a_post_carries_headers_and_body_and_brings_the_answer_back) {
  CurlOutbound outbound({});
  auto answer = call(outbound, {.url = url("/a"), .headers = {{"x-amz-sns-message-type", "Notification"}}, .body = std::string("he\0llo", 6)});
  ASSERT_TRUE(answer.ok()) << answer.error().message();
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, std::string("POST Notification he\0llo", 24));
  bool found = false;
  for (const auto& [name, value] : answer->headers) found = found || (name == "X-Peer" && value == "yes");
  EXPECT_TRUE(found);
  EXPECT_EQ(call(outbound, {.method = "GET", .url = url("/a")})->body, "GET  ");
  EXPECT_EQ(call(outbound, {.method = "PUT", .url = url("/a"), .body = "x"})->body, "PUT  x");
  EXPECT_EQ(call(outbound, {.url = url("/a"), .body = std::string(2 << 20, 'y')})->body.size(), 65536u);
}

TEST_F(OutboundTest, connections_are_used_again) {
  CurlOutbound outbound({});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(call(outbound, {.url = url("/a")}).ok());
  EXPECT_EQ(server.stats().connections_accepted, 1u);
}

TEST_F(OutboundTest, redirects_are_not_followed) {
  CurlOutbound outbound({});
  EXPECT_EQ(call(outbound, {.url = url("/redirect")})->status, 302);
}

TEST_F(OutboundTest, a_long_answer_is_cut) {
  CurlOutbound outbound({});
  auto answer = call(outbound, {.url = url("/large"), .response_bytes_max = 1000});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body.size(), 1000u);
}

TEST_F(OutboundTest, a_slow_answer_is_given_up) {
  CurlOutbound outbound({});
  EXPECT_EQ(failure(outbound, {.url = url("/slow"), .timeout = Millis(100)}), ErrorKind::kBusy);
  EXPECT_EQ(call(outbound, {.url = url("/slow"), .timeout = Millis(5000)})->status, 200);
}

TEST_F(OutboundTest, addresses_are_judged_after_names_are_resolved) {
  CurlOutbound strict({.rules = {.allow_private = false}});
  for (const std::string& target :
       {url("/"), url("/", "localhost"), url("/", "[::1]"), url("/", "2130706433"), url("/", "0x7f.1"), url("/", "017700000001"),
        url("/", "[::ffff:127.0.0.1]"), std::string("http://169.254.169.254/latest/meta-data/"), std::string("http://0/")}) {
    EXPECT_EQ(failure(strict, {.url = target}), ErrorKind::kDenied) << target;
  }
  CurlOutbound loose({});
  EXPECT_EQ(failure(loose, {.url = "http://169.254.169.254/"}), ErrorKind::kDenied);
  EXPECT_EQ(failure(loose, {.url = "http://[::ffff:169.254.169.254]/"}), ErrorKind::kDenied);
  EXPECT_EQ(failure(loose, {.url = "http://0.0.0.0:" + std::to_string(port) + "/"}), ErrorKind::kDenied);
  EXPECT_EQ(call(loose, {.url = url("/", "localhost")})->status, 200);
  EXPECT_EQ(loose.stats().denied, 3u);
}

TEST_F(OutboundTest, the_servers_own_door_is_refused) {
  CurlOutbound outbound({.rules = {.own_ports = {port}}});
  EXPECT_EQ(failure(outbound, {.url = url("/")}), ErrorKind::kDenied);
}

TEST_F(OutboundTest, requests_that_make_no_sense_are_invalid) {
  CurlOutbound outbound({});
  EXPECT_EQ(failure(outbound, {.url = "ftp://127.0.0.1/"}), ErrorKind::kInvalid);
  EXPECT_EQ(failure(outbound, {.url = "file:///etc/passwd"}), ErrorKind::kInvalid);
  EXPECT_EQ(failure(outbound, {.url = "http://"}), ErrorKind::kInvalid);
  EXPECT_EQ(failure(outbound, {.url = url("/"), .headers = {{"X", "a\r\nY: b"}}}), ErrorKind::kInvalid);
  EXPECT_EQ(failure(outbound, {.method = "GET / HTTP/1.1\r\nX: ", .url = url("/")}), ErrorKind::kInvalid);
}

TEST_F(OutboundTest, nobody_listening_is_busy) {
  CurlOutbound outbound({});
  EXPECT_EQ(failure(outbound, {.url = "http://127.0.0.1:1/"}), ErrorKind::kBusy);
}

TEST_F(OutboundTest, past_its_queue_it_says_busy_and_every_call_is_told) {
  std::atomic<int> ok{0}, busy{0};
  {
    CurlOutbound outbound({.running_max = 2, .queue_max = 3});
    for (int i = 0; i < 50; ++i) {
      outbound.http({.url = url("/slow")}, [&](Result<OutboundResponse> result) { ++(result.ok() ? ok : busy); });
    }
    for (int i = 0; i < 1000 && ok + busy < 50; ++i) std::this_thread::sleep_for(Millis(5));
    EXPECT_GT(outbound.stats().refused, 30u);
  }
  EXPECT_EQ(ok + busy, 50);
  EXPECT_GE(ok, 3);
}

TEST_F(OutboundTest, its_end_tells_those_who_still_wait) {
  std::atomic<int> told{0};
  {
    CurlOutbound outbound({});
    for (int i = 0; i < 10; ++i) outbound.http({.url = url("/slow")}, [&](Result<OutboundResponse>) { ++told; });
  }
  EXPECT_EQ(told, 10);
}

TEST_F(OutboundTest, mail_without_a_relay_is_refused) {
  CurlOutbound outbound({});
  EXPECT_FALSE(outbound.has_mail_relay());
  std::promise<Status> promise;
  outbound.mail({.to = "a@example.com", .data = "x"}, [&](Status status) { promise.set_value(std::move(status)); });
  EXPECT_EQ(promise.get_future().get().error().kind(), ErrorKind::kConflict);
}

}  // namespace
}  // namespace fog
