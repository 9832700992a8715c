// TLS over real sockets: what is spoken, what is refused, and certificates that change meanwhile.
#include "server/tls.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "server/http.h"
#include "tests/server/socket.h"
#include "tests/server/tls_client.h"

namespace fog::http {
namespace {

using test::Socket;
using test::TlsClient;
using test::body_of;
using test::make_certificate;
using test::status_of;

class Echo final : public Handler {
 public:
  void handle(Turn& turn) override {
    turn.response.body = fmt::format("{} {}", turn.request.is_tls ? "tls" : "plain", turn.request.body.size());
    if (turn.request.target == "/large") turn.response.body = std::string(3'000'000, 'x');
    if (turn.request.target == "/stream") {
      turn.response.is_stream = true;
      auto sink = turn.open_stream();
      for (int i = 0; i < 3; ++i) sink->write(fmt::format("piece{} ", i));
      sink->close();
    }
  }
  void refuse(const Fault& fault, std::string_view, Response& response) override {
    response.status = fault.status;
    response.body = fault.why;
  }
};

std::string post(std::size_t size, const std::string& target = "/", const std::string& more = "") {
  return fmt::format("POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n{}\r\n", target, size, more) + std::string(size, 'a');
}

class TlsTest : public testing::Test {
 protected:
  TlsTest() : folder_(testing::TempDir() + "tls_test_" + std::to_string(::getpid())) {
    std::signal(SIGPIPE, SIG_IGN);
    std::filesystem::create_directories(folder_);
    make_certificate(folder_, "one");
    make_certificate(folder_, "two");
    use("one");
    start({});
  }
  ~TlsTest() override {
    EXPECT_TRUE(server_->stop(Millis(1000)));
    std::filesystem::remove_all(folder_);
  }
  void start(Options options) {
    if (server_) {
      EXPECT_TRUE(server_->stop(Millis(1000)));
    }
    auto opened = Certificate::open(files());
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    certificate_ = std::move(*opened);
    options.certificate = certificate_.get();
    server_ = std::make_unique<HttpServer>(options, echo_);
    port_ = *server_->listen("127.0.0.1", 0, 0, DoorTls::kRequired);
    either_port_ = *server_->listen("127.0.0.1", 0, 0, DoorTls::kEither);
    server_->start();
  }
  TlsContext::Files files() const { return {.certificate = folder_ / "server.crt", .key = folder_ / "server.key"}; }
  // As a renewal does it: new files take the place of the old.
  void use(const std::string& certificate, std::string key = "") {
    if (key.empty()) key = certificate;
    const auto replace = [&](const std::string& from, const char* to) {
      std::filesystem::copy_file(folder_ / from, folder_ / "fresh", std::filesystem::copy_options::overwrite_existing);
      std::filesystem::rename(folder_ / "fresh", folder_ / to);
    };
    replace(certificate + ".crt", "server.crt");
    replace(key + ".key", "server.key");
  }
  std::string error_of_open() {
    const auto opened = Certificate::open(files());
    return opened.ok() ? "" : opened.error().message();
  }

  Echo echo_;
  std::filesystem::path folder_;
  std::unique_ptr<Certificate> certificate_;
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
  std::uint16_t either_port_ = 0;
};

TEST_F(TlsTest, bodies_of_every_size_arrive_whole_in_both_versions) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(port_, {.version_max = version});
    ASSERT_TRUE(client.connected());
    EXPECT_EQ(client.version(), version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
    for (const std::size_t size : {0u, 1u, 16'000u, 16'384u, 70'000u, 300'000u, 10u << 20, 3u}) {
      client.send(post(size));
      EXPECT_EQ(body_of(client.answer()), fmt::format("tls {}", size));
    }
    client.send(post(0, "/large"));
    EXPECT_EQ(body_of(client.answer()).size(), 3'000'000u);
  }
  EXPECT_EQ(server_->stats().tls_handshakes, 2u);
}

TEST_F(TlsTest, requests_sent_at_once_are_answered_in_order) {
  TlsClient client(port_);
  std::string all;
  for (int i = 0; i < 300; ++i) all += post(static_cast<std::size_t>(i));
  client.send(all);
  for (int i = 0; i < 300; ++i) EXPECT_EQ(body_of(client.answer()), fmt::format("tls {}", i));
}

TEST_F(TlsTest, the_end_is_said_and_streams_are_sealed) {
  TlsClient client(port_);
  client.send(post(1, "/", "Connection: close\r\n"));
  EXPECT_EQ(body_of(client.rest()), "tls 1");
  EXPECT_TRUE(client.ended_politely());
  TlsClient streamed(port_);
  streamed.send("GET /stream HTTP/1.0\r\n\r\n");
  EXPECT_EQ(body_of(streamed.rest()), "piece0 piece1 piece2 ");
  EXPECT_TRUE(streamed.ended_politely());
}

TEST_F(TlsTest, old_versions_weak_ciphers_and_other_protocols_are_refused) {
  EXPECT_FALSE(TlsClient(port_, {.version_max = TLS1_VERSION}).connected());
  EXPECT_FALSE(TlsClient(port_, {.version_max = TLS1_1_VERSION}).connected());
  for (const char* weak : {"AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "NULL", "aNULL"})
    EXPECT_FALSE(TlsClient(port_, {.version_max = TLS1_2_VERSION, .ciphers = weak}).connected()) << weak;
  TlsClient both(port_, {.protocols = "\x02h2\x08http/1.1"});
  EXPECT_TRUE(both.connected());
  EXPECT_EQ(both.protocol(), "http/1.1");
  EXPECT_FALSE(TlsClient(port_, {.protocols = "\x02h2"}).connected());
  EXPECT_GE(server_->stats().tls_failures, 9u);
}

TEST_F(TlsTest, plain_text_on_a_tls_port_is_answered_with_what_to_do) {
  Socket plain(port_);
  plain.send(post(3));
  const std::string answer = plain.rest();
  EXPECT_EQ(status_of(answer), 400);
  EXPECT_NE(answer.find("use https://"), std::string::npos);
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
}

TEST_F(TlsTest, a_door_of_both_kinds_takes_both) {
  Socket plain(either_port_);
  plain.send(post(3));
  EXPECT_EQ(body_of(plain.answer()), "plain 3");
  TlsClient sealed(either_port_);
  sealed.send(post(4));
  EXPECT_EQ(body_of(sealed.answer()), "tls 4");
}

TEST_F(TlsTest, bytes_that_are_no_handshake_end_the_connection_and_nothing_else) {
  for (const std::string& bytes : {std::string("\x16\x03\x01\xff\xff", 5) + std::string(70'000, 'x'), std::string("\x80\x2e\x01\x03\x01", 5),
                                   std::string("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10), std::string(100, '\x16'), std::string(1000, '\xff')}) {
    Socket bad(port_);
    bad.send(bytes);
    bad.end_sending();
    bad.rest();
  }
  TlsClient well(port_);
  well.send(post(1));
  EXPECT_EQ(body_of(well.answer()), "tls 1");
}

TEST_F(TlsTest, a_client_that_does_not_finish_its_handshake_is_cut) {
  start({.head_timeout = Millis(600)});
  Socket silent(port_), half(port_);
  half.send(std::string_view("\x16\x03\x01\x02\x00\x01\x00", 7));
  EXPECT_TRUE(silent.is_closed_within(3000));
  EXPECT_TRUE(half.is_closed_within(3000));
  EXPECT_EQ(server_->stats().connections_open, 0u);
}

TEST_F(TlsTest, a_slow_sealed_head_is_answered_408) {
  start({.head_timeout = Millis(600)});
  TlsClient slow(port_);
  slow.send("POST / HTTP/1.1\r\nHo");
  EXPECT_EQ(status_of(slow.rest()), 408);
}

TEST_F(TlsTest, an_idle_sealed_connection_gives_its_memory_back_and_serves_on) {
  start({.rest_after = Millis(100)});
  TlsClient client(port_);
  for (int round = 0; round < 3; ++round) {
    client.send(post(200'000));
    EXPECT_EQ(body_of(client.answer()), "tls 200000");
    std::this_thread::sleep_for(Millis(700));
  }
}

TEST_F(TlsTest, new_keys_asked_for_on_the_way_are_given) {
  TlsClient client(port_);
  client.send(post(1));
  EXPECT_EQ(body_of(client.answer()), "tls 1");
  client.update_keys(1);
  client.send(post(2));
  EXPECT_EQ(body_of(client.answer()), "tls 2");
}

TEST_F(TlsTest, sessions_are_resumed_also_after_the_certificate_has_changed) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    use("one");
    ASSERT_TRUE(certificate_->reload().ok());
    TlsClient first(port_, {.version_max = version});
    first.send(post(1));
    first.answer();  // tickets of TLS 1.3 come with the first bytes
    const auto session = first.session();
    ASSERT_NE(session, nullptr);
    EXPECT_FALSE(first.resumed());
    use("two");
    ASSERT_TRUE(certificate_->reload().ok());
    TlsClient second(port_, {.version_max = version, .session = session.get()});
    EXPECT_TRUE(second.resumed()) << version;
    second.send(post(2));
    EXPECT_EQ(body_of(second.answer()), "tls 2");
  }
  EXPECT_EQ(server_->stats().tls_resumed, 2u);
}

TEST_F(TlsTest, a_new_certificate_serves_new_connections_and_cuts_no_old_one) {
  TlsClient old(port_);
  EXPECT_EQ(old.subject(), "/CN=one");
  use("two");
  certificate_->reload_if_changed();
  old.send(post(5));
  EXPECT_EQ(body_of(old.answer()), "tls 5");
  EXPECT_EQ(TlsClient(port_).subject(), "/CN=two");
}

TEST_F(TlsTest, a_faulty_renewal_leaves_the_old_certificate_in_force) {
  use("two", "one");
  EXPECT_FALSE(certificate_->reload().ok());
  certificate_->reload_if_changed();
  EXPECT_EQ(TlsClient(port_).subject(), "/CN=one");
  use("two");
  certificate_->reload_if_changed();
  EXPECT_EQ(TlsClient(port_).subject(), "/CN=two");
  std::filesystem::remove(folder_ / "server.crt");
  certificate_->reload_if_changed();
  EXPECT_EQ(TlsClient(port_).subject(), "/CN=two");
}

TEST_F(TlsTest, what_is_wrong_with_the_files_is_said) {
  use("one", "two");
  EXPECT_NE(error_of_open().find("is not the key of the certificate"), std::string::npos) << error_of_open();
  use("one");
  ::chmod(files().key.c_str(), 0644);
  EXPECT_NE(error_of_open().find("can be read or changed by others (mode 644)"), std::string::npos) << error_of_open();
  ::chmod(files().key.c_str(), 0640);
  EXPECT_EQ(error_of_open(), "");
  make_certificate(folder_, "secret", "word");
  use("secret");
  EXPECT_NE(error_of_open().find("without a passphrase"), std::string::npos) << error_of_open();
  std::ofstream(files().certificate) << "no certificate";
  EXPECT_NE(error_of_open().find("is no certificate in PEM form"), std::string::npos) << error_of_open();
  std::filesystem::remove(files().key);
  EXPECT_NE(error_of_open().find("cannot read"), std::string::npos) << error_of_open();
}

}  // namespace
}  // namespace fog::http
