// PlainHttp against a peer that answers exactly the bytes it is told.
#include "server/plain_http.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

namespace fog {
namespace {

// Accepts connections; each request is answered with the next script, in pieces, closed after it if told so.
class Script {
 public:
  struct Step {
    std::vector<std::string> pieces;
    bool close = false;
  };
  explicit Script(std::vector<Step> steps) : steps_(std::move(steps)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 64), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept(); });
  }
  ~Script() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (auto& thread : threads_) thread.join();
    ::close(listener_);
  }
  std::string url(const std::string& path = "/") const { return "http://127.0.0.1:" + std::to_string(port_) + path; }
  int connections() const { return connections_; }
  std::string last_request() const {
    const std::lock_guard lock(mutex_);
    return last_request_;
  }

 private:
  void accept() {
    while (!stopping_) {
      const int link = ::accept(listener_, nullptr, nullptr);
      if (link < 0) return;
      ++connections_;
      threads_.emplace_back([this, link] { serve(link); });
    }
  }
  void serve(int link) {
    std::string buffer;
    while (!stopping_) {
      pollfd ready{.fd = link, .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, 50) == 0) continue;
      char bytes[4096];
      const ssize_t n = ::read(link, bytes, sizeof bytes);
      if (n <= 0) break;
      buffer.append(bytes, static_cast<std::size_t>(n));
      const std::size_t head = buffer.find("\r\n\r\n");
      if (head == std::string::npos) continue;
      const std::size_t at = buffer.find("Content-Length: ");
      const std::size_t length = at == std::string::npos ? 0 : std::stoul(buffer.substr(at + 16));
      if (buffer.size() < head + 4 + length) continue;
      {
        const std::lock_guard lock(mutex_);
        last_request_ = buffer.substr(0, head + 4 + length);
      }
      buffer.erase(0, head + 4 + length);
      const Step& step = steps_[std::min<std::size_t>(next_++, steps_.size() - 1)];
      for (const std::string& piece : step.pieces) {
        if (::send(link, piece.data(), piece.size(), MSG_NOSIGNAL) < 0) break;
        std::this_thread::sleep_for(Millis(2));
      }
      if (step.close) break;
    }
    ::close(link);
  }

  std::vector<Step> steps_;
  std::atomic<std::size_t> next_{0};
  std::atomic<int> connections_{0};
  std::atomic<bool> stopping_{false};
  int listener_;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::string last_request_;  // of any connection
  std::thread acceptor_;
  std::vector<std::thread> threads_;
};

Result<OutboundResponse> call(PlainHttp& door, OutboundRequest request) {
  std::promise<Result<OutboundResponse>> promise;
  auto future = promise.get_future();
  const auto where = PlainHttp::parse(request.url).value();
  door.submit(where, std::move(request), [&](Result<OutboundResponse> result) { promise.set_value(std::move(result)); });
  return future.get();
}

TEST(PlainHttp, takes_addresses_and_nothing_else) {
  for (const char* url : {"http://127.0.0.1", "http://127.0.0.1/", "http://10.0.0.1:8080/a?b=c", "http://[::1]:80/x", "http://[fe80::1]"})
    EXPECT_TRUE(PlainHttp::parse(url)) << url;
  for (const char* url : {"https://127.0.0.1/", "http://localhost/", "http://2130706433/", "http://0x7f.1/", "http://user@127.0.0.1/", "http://127.0.0.1:0/",
                          "http://127.0.0.1:99999/", "http://127.0.0.1:/", "http://[::1", "http://127.0.0.1/a b", "http://127.0.0.1/\x7f", "http://127.1/", "http://"})
    EXPECT_FALSE(PlainHttp::parse(url)) << url;
  EXPECT_EQ(PlainHttp::parse("http://127.0.0.1:81?x#y")->target, "/?x");
}

TEST(PlainHttp, reads_every_framing) {
  struct Row {
    Script::Step step;
    int status;
    std::string body;
  };
  const Row rows[] = {
      {{{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}}, 200, "hello"},
      {{{"HTTP/1.1 2", "04 No Content\r\n", "\r\n"}}, 204, ""},
      {{{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n", "o", "k"}}, 201, "ok"},
      {{{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "5;x=y\r\nde", "fgh\r\n0\r\nTrailer: x\r\n", "\r\n"}}, 200, "abcdefgh"},
      {{{"HTTP/1.1 500 Oops\r\n\r\nuntil ", "the end"}, true}, 500, "until the end"},
      {{{"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx"}, true}, 200, "x"},
  };
  for (const Row& row : rows) {
    Script peer({row.step});
    PlainHttp door({});
    auto answer = call(door, {.url = peer.url("/a?b"), .headers = {{"X-One", "1"}}, .body = "body"});
    ASSERT_TRUE(answer.ok()) << row.step.pieces[0] << answer.error().message();
    EXPECT_EQ(answer->status, row.status);
    EXPECT_EQ(answer->body, row.body);
    EXPECT_TRUE(peer.last_request().starts_with("POST /a?b HTTP/1.1\r\nHost: 127.0.0.1:")) << peer.last_request();
    EXPECT_TRUE(peer.last_request().ends_with("X-One: 1\r\nContent-Length: 4\r\n\r\nbody")) << peer.last_request();
  }
}

TEST(PlainHttp, what_is_no_answer_is_an_error) {
  for (const char* text : {"SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
                           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                           "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"}) {
    Script peer({{{text}, true}});
    PlainHttp door({});
    const auto answer = call(door, {.url = peer.url()});
    ASSERT_FALSE(answer.ok()) << text;
    EXPECT_EQ(answer.error().kind(), ErrorKind::kBusy);
  }
}

TEST(PlainHttp, a_kept_connection_that_was_closed_is_replaced) {
  Script peer({{{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, true}});
  PlainHttp door({});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(call(door, {.url = peer.url()}).ok()) << i;
  EXPECT_EQ(peer.connections(), 20);
}

TEST(PlainHttp, many_calls_share_few_connections) {
  Script peer({{{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}}});
  PlainHttp door({.connections_per_address_max = 4});
  std::atomic<int> done{0};
  for (int i = 0; i < 300; ++i) {
    OutboundRequest request{.url = peer.url()};
    const auto where = PlainHttp::parse(request.url).value();
  door.submit(where, std::move(request), [&](Result<OutboundResponse> result) { done += result.ok() ? 1 : 1000; });
  }
  for (int i = 0; i < 2000 && done < 300; ++i) std::this_thread::sleep_for(Millis(5));
  EXPECT_EQ(done, 300);
  EXPECT_LE(peer.connections(), 4);
}

TEST(PlainHttp, nobody_there_and_nobody_answering) {
  PlainHttp door({});
  {
    Script gone(std::vector<Script::Step>(1));
    const std::string url = gone.url();
    const auto late = call(door, {.url = url, .timeout = Millis(150)});
    ASSERT_FALSE(late.ok());
    EXPECT_EQ(late.error().message(), "Timeout was reached");
  }
  const auto refused = call(door, {.url = "http://127.0.0.1:1/"});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind(), ErrorKind::kBusy);
}

TEST(PlainHttp, the_end_tells_everybody) {
  Script silent(std::vector<Script::Step>(1));
  std::atomic<int> told{0};
  {
    PlainHttp door({.connections_per_address_max = 2});
    for (int i = 0; i < 10; ++i) {
      OutboundRequest request{.url = silent.url()};
      const auto where = PlainHttp::parse(request.url).value();
  door.submit(where, std::move(request), [&](Result<OutboundResponse> result) { told += result.ok() ? 100 : 1; });
    }
    std::this_thread::sleep_for(Millis(50));
  }
  EXPECT_EQ(told, 10);
}

}  // namespace
}  // namespace fog
