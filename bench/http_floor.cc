// http_floor: the least a server on our HTTP library can do, to hold our figures against.
//
// One Asio io_context on one thread, kept-alive connections, coroutine per connection, read buffer
// reserved (64 KiB), body read straight into its string, one write per answer of `{}`. No routing, no
// decoding, no storage: what fogwatch needs beyond this is its own work.
//
//   http_floor PORT        0 picks a port; prints `listening http://127.0.0.1:PORT`
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <cstdio>
#include <cstdlib>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

constexpr std::size_t kReadBufferBytes = 64 * 1024;
constexpr std::uint64_t kBodyBytesMax = 64 * 1024 * 1024;
constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
    "x-amzn-RequestId: 0b4a8f6e-5a0c-4a35-9d53-6b1d3f2c9e10\r\nContent-Length: 2\r\n"
    "Date: Thu, 01 Jan 2026 00:02:00 GMT\r\n\r\n{}";

asio::awaitable<void> converse(tcp::socket socket) {
  beast::error_code error;
  const auto token = [&error] { return asio::redirect_error(asio::use_awaitable, error); };
  socket.set_option(tcp::no_delay(true), error);
  beast::flat_buffer buffer;
  buffer.reserve(kReadBufferBytes);
  std::string body;
  for (;;) {
    http::request_parser<http::empty_body> parser;
    parser.body_limit(kBodyBytesMax);
    co_await http::async_read_header(socket, buffer, parser, token());
    if (error) co_return;
    const auto size = static_cast<std::size_t>(parser.content_length().value_or(0));
    const auto have = std::min(size, buffer.size());
    body.resize(size);
    std::copy_n(static_cast<const char*>(buffer.data().data()), have, body.data());
    buffer.consume(have);
    if (have < size) {
      co_await asio::async_read(socket, asio::buffer(body.data() + have, size - have), token());
      if (error) co_return;
    }
    co_await asio::async_write(socket, asio::buffer(kAnswer), token());
    if (error || !parser.keep_alive()) co_return;
  }
}

asio::awaitable<void> listen(tcp::acceptor acceptor) {
  for (;;) {
    beast::error_code error;
    auto socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (!error) asio::co_spawn(acceptor.get_executor(), converse(std::move(socket)), asio::detached);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0);
  asio::io_context context(1);
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), port});
  std::printf("listening http://127.0.0.1:%u\n", static_cast<unsigned>(acceptor.local_endpoint().port()));
  std::fflush(stdout);
  asio::co_spawn(context, listen(std::move(acceptor)), asio::detached);
  context.run();
}
