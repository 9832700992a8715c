#include "server/http.h"

#include <fmt/format.h>

#include "server/http_connection.h"
#include "storage/base/log.h"

namespace fog::http {

struct HttpServer::Impl {
  struct Listener {
    Listener(asio::io_context& context, int d, DoorTls t)
        : acceptor(context.get_executor()), retry(context.get_executor()), door(d), tls(t) {}
    Acceptor acceptor;
    Timer retry;
    int door;
    DoorTls tls;
  };

  Options options;
  Handler& handler;
  std::vector<std::unique_ptr<Shard>> shards;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::size_t next_shard = 0;
  std::atomic<std::uint64_t> open{0};
  std::atomic<std::uint64_t> accepted{0};
  bool started = false;

  Impl(Options o, Handler& h) : options(o), handler(h) {
    for (std::size_t i = 0; i < std::max<std::size_t>(1, options.threads); ++i) {
      auto shard = std::make_unique<Shard>();
      shard->options = &options;
      shard->handler = &handler;
      shard->open = &open;
      shards.push_back(std::move(shard));
    }
  }

  Task<void> accept(Listener& listener);
  bool wait_until_closed(Millis limit);
};

Task<void> HttpServer::Impl::accept(Listener& listener) {
  while (listener.acceptor.is_open()) {
    Shard& shard = *shards[next_shard++ % shards.size()];
    Socket socket(shard.context.get_executor());
    tcp::endpoint peer;
    error_code error;
    co_await listener.acceptor.async_accept(socket, peer, asio::redirect_error(kAwait, error));
    if (error == asio::error::operation_aborted || !listener.acceptor.is_open()) co_return;
    if (error) {
      // No descriptors left, most likely: close what is idle, wait for some to be closed.
      const bool evicted = shards[0]->evict();
      if (!evicted && next_shard % 256 == 1) LOG_WARN("accept: {}", error.message());
      listener.retry.expires_after(Millis(50));
      co_await listener.retry.async_wait(asio::redirect_error(kAwait, error));
      continue;
    }
    accepted.fetch_add(1, std::memory_order_relaxed);
    open.fetch_add(1);
    auto connection = std::make_unique<Connection>(shard, std::move(socket), peer.address().to_string(), listener.door, listener.tls);
    asio::co_spawn(shard.context.get_executor(), serve(std::move(connection)), asio::detached);
  }
}

HttpServer::HttpServer(Options options, Handler& handler)
    : impl_(std::make_unique<Impl>(options, handler)) {}

HttpServer::~HttpServer() = default;

Result<std::uint16_t> HttpServer::listen(const std::string& address, std::uint16_t port, int door, DoorTls tls) {
  FOG_ASSERT(tls == DoorTls::kNone || impl_->options.certificate != nullptr, "a door speaks TLS and there is no certificate");
  error_code error;
  const auto ip = asio::ip::make_address(address, error);
  if (error) return Error::invalid(fmt::format("'{}' is not an IP address", address));
  auto listener = std::make_unique<Impl::Listener>(impl_->shards[0]->context, door, tls);
  const tcp::endpoint endpoint(ip, port);
  Acceptor& acceptor = listener->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(1024, error);
  if (error == asio::error::address_in_use) {
    return Error::busy(fmt::format("{}:{} is in use by another program", address, port));
  }
  if (error) return Error::invalid(fmt::format("cannot listen on {}:{}: {}", address, port, error.message()));
  const std::uint16_t bound = acceptor.local_endpoint(error).port();
  impl_->listeners.push_back(std::move(listener));
  return bound;
}

void HttpServer::start() {
  Impl& impl = *impl_;
  impl.started = true;
  for (auto& shard : impl.shards) {
    asio::co_spawn(shard->context.get_executor(), shard->sweep(), asio::detached);
  }
  for (auto& listener : impl.listeners) {
    asio::co_spawn(impl.shards[0]->context.get_executor(), impl.accept(*listener), asio::detached);
  }
  for (auto& shard : impl.shards) {
    shard->thread = std::thread([raw = shard.get()] { raw->context.run(); });
  }
}

bool HttpServer::Impl::wait_until_closed(Millis limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (open.load() > 0) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(Millis(2));
  }
  return true;
}

bool HttpServer::stop(Millis grace) {
  Impl& impl = *impl_;
  if (!impl.started) return true;
  asio::post(impl.shards[0]->context, [&impl] {
    error_code ignored;
    for (auto& listener : impl.listeners) listener->acceptor.close(ignored);
  });
  for (auto& shard : impl.shards) {
    asio::post(shard->context, [raw = shard.get()] { raw->drain(); });
  }
  bool closed = impl.wait_until_closed(grace);
  if (!closed) {
    for (auto& shard : impl.shards) {
      asio::post(shard->context, [raw = shard.get()] { raw->cut_all(); });
    }
    closed = impl.wait_until_closed(Millis(500));
  }
  if (!closed) return false;
  for (auto& shard : impl.shards) {
    shard->guard.reset();
    shard->context.stop();
    shard->thread.join();
  }
  impl.started = false;
  return true;
}

Stats HttpServer::stats() const {
  Stats stats{.connections_open = impl_->open.load(),
              .connections_accepted = impl_->accepted.load()};
  for (const auto& shard : impl_->shards) {
    stats.connections_refused += shard->refused.get();
    stats.connections_evicted += shard->evicted.get();
    stats.requests += shard->requests.get();
    stats.faults += shard->faults.get();
    stats.timeouts += shard->timeouts.get();
    stats.tls_handshakes += shard->tls_handshakes.get();
    stats.tls_resumed += shard->tls_resumed.get();
    stats.tls_failures += shard->tls_failures.get();
    stats.bytes_in += shard->bytes_in.get();
    stats.bytes_out += shard->bytes_out.get();
  }
  return stats;
}

}  // namespace fog::http
