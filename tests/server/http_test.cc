// The HTTP door over real sockets, with a handler that tells what it was given.
#include "server/http.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/server/rows.h"
#include "tests/server/socket.h"

namespace fog::http {
namespace {

using test::Socket;
using test::body_of;
using test::status_of;

// Answers "<method> <target> <body size> <sum of body bytes>"; special targets do special things.
class Echo final : public Handler {
 public:
  void handle(Turn& turn) override {
    ++requests;
    turn.response.set("x-amzn-RequestId", "id");
    if (turn.body_too_large) {
      turn.response.status = 413;
      return;
    }
    if (turn.shed) {
      turn.response.body = "shed";
      return;
    }
    unsigned sum = 0;
    for (const char c : turn.request.body) sum += static_cast<unsigned char>(c);
    turn.response.body = fmt::format("{} {} {} {}", turn.request.method, turn.request.target, turn.request.body.size(), sum);
    EXPECT_GE(turn.request.body.capacity(), turn.request.body.empty() ? 0 : turn.request.body.size() + kBodyPadding);
    const std::string_view target = turn.request.target;
    if (target == "/large") turn.response.body = std::string(3'000'000, 'x');
    if (target == "/held") hold(turn);
    if (target == "/at-once") {
      turn.hold([](Resume resume) { resume(); }, [&turn] { turn.response.body = "at once"; });
    }
    if (target == "/injection") turn.response.set("X-Name", "a\r\nSet-Cookie: b");
    if (target == "/stream") {
      turn.response.is_stream = true;
      auto sink = turn.open_stream();
      sink->write("first ");
      threads.emplace_back([sink] {
        for (int i = 0; i < 3; ++i) sink->write(fmt::format("piece{} ", i));
        sink->close();
      });
    }
    if (target == "/endless") {
      turn.response.is_stream = true;
      endless = turn.open_stream();
      endless->write("begin");
    }
  }
  void refuse(const Fault& fault, std::string_view, Response& response) override {
    response.status = fault.status;
    response.body = fault.why;
  }
  ~Echo() override {
    for (auto& thread : threads) thread.join();
  }

  std::atomic<int> requests{0};
  std::atomic<int> held{0};
  std::vector<std::thread> threads;
  std::shared_ptr<ByteSink> endless;

 private:
  void hold(Turn& turn) {
    turn.hold(
        [this](Resume resume) {
          ++held;
          threads.emplace_back([resume] {
            std::this_thread::sleep_for(Millis(50));
            resume();
          });
        },
        [&turn] { turn.response.body = "was held"; });
  }
};

class HttpTest : public testing::Test {
 protected:
  void SetUp() override { start({}); }
  void start(Options options) {
    if (server_) {
      EXPECT_TRUE(server_->stop(Millis(1000)));
    }
    server_ = std::make_unique<HttpServer>(options, echo_);
    port_ = *server_->listen("127.0.0.1", 0, 0);
    server_->start();
  }
  void TearDown() override { EXPECT_TRUE(server_->stop(Millis(1000))); }

  Echo echo_;
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
};

std::string post(const std::string& target, const std::string& body, const std::string& more = "") {
  return fmt::format("POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n{}\r\n{}", target, body.size(), more, body);
}

TEST_F(HttpTest, answers_bear_a_date_and_a_length) {
  Socket socket(port_);
  socket.send(post("/a", "{}"));
  const std::string answer = socket.answer();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_NE(answer.find("\r\nDate: "), std::string::npos);
  EXPECT_NE(answer.find(" GMT\r\n"), std::string::npos);
  EXPECT_EQ(body_of(answer), "POST /a 2 248");
}

TEST_F(HttpTest, bodies_of_every_size_arrive_whole_on_one_connection) {
  Socket socket(port_);
  for (const std::size_t size : {0u, 1u, 16000u, 16384u, 16385u, 70'000u, 300'000u, 5u, 1'500'000u, 10u << 20, 1'000'000u, 3u}) {
    const std::string body(size, 'a');
    socket.send(post("/b", body));
    EXPECT_EQ(body_of(socket.answer()), fmt::format("POST /b {} {}", size, static_cast<unsigned>(size * 'a')));
  }
}

TEST_F(HttpTest, requests_sent_at_once_are_answered_in_order) {
  Socket socket(port_);
  std::string all;
  for (int i = 0; i < 500; ++i) all += post(fmt::format("/{}", i), std::string(static_cast<std::size_t>(i) % 90, 'x'));
  std::thread sender([&] { socket.send(all); });
  for (int i = 0; i < 500; ++i) EXPECT_TRUE(body_of(socket.answer()).starts_with(fmt::format("POST /{} {} ", i, i % 90)));
  sender.join();
}

TEST_F(HttpTest, a_request_that_arrives_byte_by_byte_is_read) {
  Socket socket(port_);
  for (const char c : post("/slow", "0123456789")) socket.send({&c, 1});
  EXPECT_EQ(body_of(socket.answer()), "POST /slow 10 525");
}

TEST_F(HttpTest, chunked_bodies_are_joined_and_the_next_request_begins_behind_them) {
  Socket socket(port_);
  const std::string head = "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string large;
  for (int i = 0; i < 40; ++i) large += "1000\r\n" + std::string(4096, 'b') + "\r\n";
  socket.send(head + "3\r\nabc\r\n0\r\n\r\n" + head + large + "0\r\n\r\n" + post("/after", "z"));
  EXPECT_EQ(body_of(socket.answer()), "POST /c 3 294");
  EXPECT_EQ(body_of(socket.answer()), fmt::format("POST /c {} {}", 40 * 4096, 40 * 4096 * 'b'));
  EXPECT_EQ(body_of(socket.answer()), "POST /after 1 122");
}

TEST_F(HttpTest, framing_faults_are_answered_and_the_connection_ends) {
  int faults = 0;
  for (const auto& row : test::read_rows("http_head.rows")) {
    if (row.verdict.starts_with("ok") || row.verdict == "more" || row.verdict == "400 empty request line") continue;
    Socket socket(port_);
    // What follows must never be taken for a second request.
    socket.send(row.text + "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
    socket.end_sending();
    const std::string all = socket.rest();
    SCOPED_TRACE(row.line);
    EXPECT_EQ(std::to_string(status_of(all)), row.verdict.substr(0, 3));
    EXPECT_NE(all.find("Connection: close\r\n"), std::string::npos);
    EXPECT_EQ(all.find("smuggled"), std::string::npos);
    ++faults;
  }
  EXPECT_GT(faults, 50);
  EXPECT_EQ(echo_.requests, 0);
  Socket socket(port_);
  socket.send(post("/well", ""));
  EXPECT_EQ(body_of(socket.answer()), "POST /well 0 0");
}

TEST_F(HttpTest, chunk_faults_are_answered_and_the_connection_ends) {
  for (const auto& row : test::read_rows("chunked.rows")) {
    if (!row.verdict.starts_with("400")) continue;
    Socket socket(port_);
    socket.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + row.text + post("/smuggled", ""));
    const std::string all = socket.rest();
    SCOPED_TRACE(row.line);
    EXPECT_EQ(status_of(all), 400);
    EXPECT_EQ(all.find("smuggled"), std::string::npos);
  }
}

TEST_F(HttpTest, one_empty_line_before_a_request_is_passed_over) {
  Socket socket(port_);
  socket.send("\r\n" + post("/x", "a") + "\r\n" + post("/y", "b"));
  EXPECT_EQ(body_of(socket.answer()), "POST /x 1 97");
  EXPECT_EQ(body_of(socket.answer()), "POST /y 1 98");
  socket.send("\r\n\r\n");
  EXPECT_EQ(status_of(socket.answer()), 400);
}

TEST_F(HttpTest, a_body_above_the_limit_is_answered_413_while_it_is_still_being_sent) {
  Socket socket(port_);
  const std::string piece(1 << 20, 'x');
  socket.send(fmt::format("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", 100 << 20));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(socket.send(piece)) << i;
  EXPECT_EQ(status_of(socket.answer()), 413);
  EXPECT_TRUE(socket.is_closed_within(6000));
}

TEST_F(HttpTest, a_chunked_body_above_the_limit_is_answered_413) {
  Socket socket(port_);
  socket.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n");
  EXPECT_EQ(status_of(socket.answer()), 413);
}

TEST_F(HttpTest, continue_is_sent_before_the_body_and_not_to_who_will_be_refused) {
  Socket socket(port_);
  socket.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(socket.answer(), "HTTP/1.1 100 Continue\r\n\r\n");
  socket.send("hello");
  EXPECT_EQ(body_of(socket.answer()), "POST / 5 532");
  socket.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(status_of(socket.answer()), 413);
}

TEST_F(HttpTest, http_1_0_is_answered_and_closed_unless_it_asks_otherwise) {
  Socket closing(port_);
  closing.send("GET /one HTTP/1.0\r\n\r\n");
  EXPECT_EQ(body_of(closing.rest()), "GET /one 0 0");
  Socket keeping(port_);
  keeping.send("GET /one HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_NE(keeping.answer().find("Connection: keep-alive\r\n"), std::string::npos);
  keeping.send("GET /two HTTP/1.0\r\n\r\n");
  EXPECT_EQ(body_of(keeping.rest()), "GET /two 0 0");
}

TEST_F(HttpTest, head_is_answered_without_a_body) {
  Socket socket(port_);
  socket.send("HEAD /h HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string all = socket.rest();
  EXPECT_NE(all.find("Content-Length: 11\r\n"), std::string::npos);
  EXPECT_EQ(body_of(all), "");
}

TEST_F(HttpTest, an_answer_held_back_comes_when_it_is_released) {
  Socket socket(port_);
  socket.send(post("/held", "") + post("/after", ""));
  EXPECT_EQ(body_of(socket.answer()), "was held");
  EXPECT_EQ(body_of(socket.answer()), "POST /after 0 0");
  socket.send(post("/at-once", ""));
  EXPECT_EQ(body_of(socket.answer()), "at once");
}

TEST_F(HttpTest, a_value_cannot_begin_another_header) {
  Socket socket(port_);
  socket.send(post("/injection", ""));
  EXPECT_NE(socket.answer().find("X-Name: a  Set-Cookie: b\r\n"), std::string::npos);
}

TEST_F(HttpTest, a_stream_is_chunked_and_the_connection_goes_on) {
  Socket socket(port_);
  socket.send(post("/stream", ""));
  const std::string answer = socket.answer();
  EXPECT_NE(answer.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_EQ(answer.find("Content-Length"), std::string::npos);
  std::string joined;
  for (const char* piece : {"first ", "piece0 ", "piece1 ", "piece2 "}) {
    EXPECT_NE(answer.find(fmt::format("\r\n{:x}\r\n{}\r\n", std::string(piece).size(), piece).substr(2)), std::string::npos) << piece;
  }
  EXPECT_TRUE(answer.ends_with("0\r\n\r\n"));
  socket.send(post("/after", ""));
  EXPECT_EQ(body_of(socket.answer()), "POST /after 0 0");
}

TEST_F(HttpTest, a_stream_to_http_1_0_ends_with_the_connection) {
  Socket socket(port_);
  socket.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(body_of(socket.rest()), "first piece0 piece1 piece2 ");
}

TEST_F(HttpTest, a_stream_nobody_reads_is_dropped) {
  auto socket = std::make_unique<Socket>(port_);
  socket->send(post("/endless", ""));
  socket->more();
  bool open = true;
  for (int i = 0; i < 1000 && open; ++i) open = echo_.endless->write(std::string(1 << 20, 'x'));
  EXPECT_FALSE(open);
  EXPECT_FALSE(echo_.endless->is_open());
}

TEST_F(HttpTest, a_slow_head_a_slow_body_and_an_idle_client_are_cut) {
  start({.idle_timeout = Millis(700), .head_timeout = Millis(700), .body_grace = Millis(700), .body_bytes_per_second_min = 1000});
  Socket head(port_), body(port_), idle(port_), steady(port_);
  head.send("POST / HTTP/1.1\r\nHo");
  body.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nabc");
  steady.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20000\r\n\r\n");
  std::thread feeder([&] {
    for (int i = 0; i < 20; ++i) {
      steady.send(std::string(1000, 'x'));
      std::this_thread::sleep_for(Millis(100));
    }
  });
  EXPECT_EQ(status_of(head.rest()), 408);
  EXPECT_EQ(status_of(body.rest()), 408);
  EXPECT_EQ(idle.rest(), "");
  feeder.join();
  EXPECT_EQ(status_of(steady.answer()), 200);  // slower than the grace, faster than the rate
  EXPECT_GE(server_->stats().timeouts, 2u);
}

TEST_F(HttpTest, a_client_that_takes_its_answer_slower_than_the_rate_is_cut) {
  start({.write_timeout = Millis(600), .write_bytes_per_second_min = 2'000'000});
  Socket slow(port_), quick(port_);
  for (int i = 0; i < 8; ++i) slow.send(post("/large", ""));
  for (int i = 0; i < 200 && server_->stats().timeouts == 0; ++i) std::this_thread::sleep_for(Millis(20));
  EXPECT_EQ(server_->stats().timeouts, 1u);
  quick.send(post("/large", ""));
  EXPECT_EQ(body_of(quick.answer()).size(), 3'000'000u);
}

TEST_F(HttpTest, an_idle_connection_gives_its_memory_back_and_serves_on) {
  start({.rest_after = Millis(100)});
  Socket socket(port_), fresh(port_);
  for (int round = 0; round < 3; ++round) {
    socket.send(post("/a", std::string(300'000, 'a')));
    EXPECT_EQ(body_of(socket.answer()), fmt::format("POST /a 300000 {}", 300'000u * 'a'));
    std::this_thread::sleep_for(Millis(700));  // a sweep comes every half second
  }
  fresh.send(post("/b", ""));
  EXPECT_EQ(body_of(fresh.answer()), "POST /b 0 0");
  EXPECT_EQ(server_->stats().connections_open, 2u);
}

TEST_F(HttpTest, a_connection_at_rest_is_cut_when_its_time_is_over) {
  start({.idle_timeout = Millis(1500), .rest_after = Millis(100)});
  Socket socket(port_);
  socket.send(post("/a", ""));
  socket.answer();
  EXPECT_FALSE(socket.is_closed_within(1000));
  EXPECT_TRUE(socket.is_closed_within(3000));
}

TEST_F(HttpTest, over_the_limit_the_connection_idle_for_longest_makes_room) {
  start({.connections_max = 3});
  std::vector<std::unique_ptr<Socket>> sockets;
  for (int i = 0; i < 3; ++i) {
    sockets.push_back(std::make_unique<Socket>(port_));
    sockets.back()->send(post("/", ""));
    EXPECT_EQ(status_of(sockets.back()->answer()), 200);
  }
  sockets[0]->send(post("/again", ""));  // now the second has been idle for longest
  EXPECT_EQ(status_of(sockets[0]->answer()), 200);
  Socket fourth(port_);
  fourth.send(post("/", ""));
  EXPECT_EQ(status_of(fourth.answer()), 200);
  EXPECT_TRUE(sockets[1]->is_closed_within(2000));
  for (const std::size_t kept : {0u, 2u}) {
    sockets[kept]->send(post("/", ""));
    EXPECT_EQ(status_of(sockets[kept]->answer()), 200) << kept;
  }
  EXPECT_EQ(server_->stats().connections_evicted, 1u);
  EXPECT_EQ(server_->stats().connections_refused, 0u);
}

TEST_F(HttpTest, over_the_limit_and_none_idle_is_refused_with_503) {
  start({.connections_max = 2});
  Socket first(port_), second(port_);
  first.send(post("/endless", ""));
  second.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Le");
  for (int i = 0; i < 400 && (echo_.requests < 1 || server_->stats().bytes_in < 80); ++i) std::this_thread::sleep_for(Millis(5));
  Socket third(port_);
  const std::string refused = third.rest();
  EXPECT_EQ(status_of(refused), 503);
  EXPECT_NE(refused.find("Retry-After: 1\r\n"), std::string::npos);
  EXPECT_EQ(server_->stats().connections_refused, 1u);
  second.send("ngth: 0\r\n\r\n");
  EXPECT_EQ(status_of(second.answer()), 200);
  echo_.endless->close();
}

TEST_F(HttpTest, bodies_beyond_the_memory_for_them_are_shed_and_small_ones_go_on) {
  Pressure pressure(64u << 20);  // a quarter of it, but at least 32 MiB, is for bodies
  start({.body_bytes_max = 40u << 20, .pressure = &pressure});
  Socket hog(port_), late(port_), small(port_);
  hog.send(fmt::format("POST /hog HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", 36u << 20));
  const std::string piece(1 << 20, 'x');
  for (int i = 0; i < 31; ++i) ASSERT_TRUE(hog.send(piece));
  for (int i = 0; i < 400 && pressure.body_bytes() < (30u << 20); ++i) std::this_thread::sleep_for(Millis(5));
  EXPECT_LE(pressure.body_bytes(), 33u << 20);  // what came, not what was announced
  for (int i = 0; i < 4; ++i) hog.send(piece);
  EXPECT_EQ(body_of(hog.answer()), "shed");
  late.send(post("/late", std::string(100'000, 'y')));
  EXPECT_EQ(body_of(late.answer()), fmt::format("POST /late 100000 {}", 100'000u * 'y'));  // the hog's memory is free again
  small.send(post("/small", "abc"));
  EXPECT_EQ(body_of(small.answer()), "POST /small 3 294");
  EXPECT_GE(pressure.shed(), 1u);
}

TEST_F(HttpTest, stopping_finishes_what_was_begun_and_closes_the_idle) {
  Socket idle(port_), busy(port_), endless(port_);
  idle.send(post("/", ""));
  idle.answer();
  busy.send(post("/held", ""));
  endless.send(post("/endless", ""));
  for (int i = 0; i < 200 && (echo_.held == 0 || echo_.requests < 3); ++i) std::this_thread::sleep_for(Millis(1));
  const auto began = std::chrono::steady_clock::now();
  std::thread stopper([&] { EXPECT_TRUE(server_->stop(Millis(3000))); });
  EXPECT_EQ(body_of(busy.rest()), "was held");
  EXPECT_EQ(idle.rest(), "");
  EXPECT_TRUE(endless.rest().ends_with("0\r\n\r\n"));
  stopper.join();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(2));
  EXPECT_THROW(Socket{port_}, std::runtime_error);
}

TEST_F(HttpTest, stopping_under_load_answers_all_that_it_took) {
  start({.threads = 2});
  std::atomic<int> sent{0}, answered{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      Socket socket(port_);
      const std::string request = post("/load", std::string(2000, 'x'));
      while (socket.send(request)) {
        const std::string answer = socket.answer();
        if (answer.empty()) break;
        ++answered;
        ASSERT_EQ(status_of(answer), 200);
      }
    });
  }
  while (answered < 500) std::this_thread::sleep_for(Millis(1));
  EXPECT_TRUE(server_->stop(Millis(3000)));
  for (auto& client : clients) client.join();
  EXPECT_EQ(echo_.requests, answered);
}

TEST_F(HttpTest, a_taken_port_is_an_error_that_names_it) {
  HttpServer second({}, echo_);
  const auto bound = second.listen("127.0.0.1", port_, 0);
  ASSERT_FALSE(bound.ok());
  EXPECT_EQ(bound.error().kind(), ErrorKind::kBusy);
  EXPECT_NE(bound.error().message().find(std::to_string(port_)), std::string::npos);
}

}  // namespace
}  // namespace fog::http
