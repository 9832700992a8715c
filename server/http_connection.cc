#include "server/http_connection.h"

#include "storage/base/log.h"

namespace fog::http {
namespace {

// What a refused client may still send while it reads our answer; then the connection is cut.
constexpr std::size_t kLingerBytesMax = 256u << 20;
constexpr Millis kLingerTime{5000};

}  // namespace

void Resume::operator()() const {
  auto* connection = static_cast<Connection*>(connection_);
  if (connection->is_starting_here()) return connection->resume();
  asio::post(connection->executor(), [connection] { connection->resume(); });
}

void Resume::all(std::vector<Resume> turns) {
  if (turns.empty()) return;
  auto* const first = static_cast<Connection*>(turns.front().connection_);
  asio::post(first->executor(), [turns = std::move(turns)] {
    for (const Resume& turn : turns) static_cast<Connection*>(turn.connection_)->resume();
  });
}

void Turn::call_at_round_end() { connection_->shard.open_round(); }

std::shared_ptr<ByteSink> Turn::open_stream() {
  connection_->stream = std::make_shared<StreamQueue>(connection_);
  return connection_->stream;
}

Connection::Connection(Shard& s, Socket k, std::string p, int door, DoorTls tls)
    : shard(s), socket(std::move(k)), peer(std::move(p)), door_tls_(tls) {
  turn.request.peer = peer;
  turn.door = door;
  turn.connection_ = this;
}

Connection::~Connection() { forget_body(); }

Task<void> Connection::suspended() {
  if (resumed_) {
    resumed_ = false;
    co_return;
  }
  co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
      [this](auto handler) {
        waiter_ = std::make_unique<WaiterOf<decltype(handler)>>(std::move(handler));
      },
      kAwait);
}

// No wake-up can be under way: one is sent only to a connection that sleeps, and it is awake here.
void Connection::drop_stream() {
  stream->detach();
  stream.reset();
}

// Keeps the memory of the last answer.
void Connection::clear_response() {
  turn.close = false;
  turn.cut = false;
  turn.response.status = 200;
  turn.response.headers.clear();
  turn.response.body.clear();
  turn.response.is_stream = false;
}

// On a door that speaks TLS: what kind of client is it? False: close, and answer fault_ if it is set.
Task<bool> Connection::greet() {
  if (door_tls_ == DoorTls::kRequired) {
    enter(Phase::kHello, shard.options->head_timeout);
  } else {
    enter(Phase::kIdle, shard.options->idle_timeout);
  }
  has_rested = true;  // no memory is taken before the first byte is there
  error_code error;
  co_await socket.async_wait(Socket::wait_read, asio::redirect_error(kAwait, error));
  if (error) co_return false;
  buffer_.make_room();
  std::size_t n = 0;
  const bool came = co_await read_raw(buffer_.room(), n);
  if (!came) co_return false;
  buffer_.received(n);
  if (looks_like_plain_http(buffer_.view())) {
    if (door_tls_ == DoorTls::kEither) co_return true;
    fault_ = Fault{400, "this port speaks TLS only: use https:// in the endpoint's address"};
    unread_input_ = true;
    co_return false;
  }
  enter(Phase::kHello, shard.options->head_timeout);
  const bool shaken = co_await shake_hands();
  co_return shaken;
}

Task<bool> Connection::shake_hands() {
  tls_ = std::make_unique<TlsSession>(shard.options->certificate->context());
  const auto room = tls_->room();
  const std::string_view hello = buffer_.view();
  std::copy(hello.begin(), hello.end(), room.begin());
  tls_->received(hello.size());
  buffer_.consume(hello.size());
  while (true) {
    const TlsSession::Step step = tls_->handshake();
    const bool flushed = co_await flush();
    if (step == TlsSession::Step::kDone && flushed) break;
    if (step != TlsSession::Step::kMore || !flushed) {
      shard.tls_failures.add(1);
      LOG_DEBUG("TLS with {}: {}", peer, tls_->failure());
      co_return false;
    }
    std::size_t n = 0;
    const bool came = co_await read_raw(tls_->room(), n);
    if (!came) {
      shard.tls_failures.add(1);
      co_return false;
    }
    tls_->received(n);
  }
  shard.tls_handshakes.add(1);
  if (tls_->was_resumed()) shard.tls_resumed.add(1);
  turn.request.is_tls = true;
  co_return true;
}

Task<void> Connection::refuse(Fault fault) {
  shard.faults.add(1);
  turn.response = {};
  head_.method = {};
  shard.handler->refuse(fault, peer, turn.response);
  const bool sent = co_await write_response(true);
  if (sent) {
    co_await linger();
  }
}

// Lets a client that is still sending read our answer: closing at once would reset the connection
// and destroy the answer on its way.
Task<void> Connection::linger() {
  if (tls_) {
    tls_->close();
    flush_now();
  }
  error_code error;
  socket.shutdown(tcp::socket::shutdown_send, error);
  if (error) co_return;
  enter(Phase::kLinger, kLingerTime);
  const auto waste = std::make_unique_for_overwrite<char[]>(kPieceBytes);
  std::size_t total = 0;
  std::size_t n = 0;
  while (total < kLingerBytesMax) {
    const bool came = co_await read_raw({waste.get(), kPieceBytes}, n);
    if (!came) break;
    total += n;
  }
}

Task<void> Connection::run() {
  error_code error;
  socket.set_option(tcp::no_delay(true), error);
  socket.non_blocking(true, error);
  shard.add(*this);
  bool greeted = !error;
  if (greeted && door_tls_ != DoorTls::kNone) {
    greeted = co_await greet();
  }
  if (greeted) {
    co_await converse();
  } else if (fault_) {
    co_await refuse(*fault_);
  }
  if (tls_ && !timed_out) {
    tls_->close();
    flush_now();
  }
  shard.remove(*this);
  socket.close(error);
}

// One more than there is room for, and nobody idle to make room.
void Connection::turn_away() {
  if (door_tls_ == DoorTls::kRequired) return;  // without a handshake nothing can be said
  static constexpr std::string_view kBusy =
      "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  error_code ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(asio::buffer(kBusy), ignored);
}

// Request after request. Every co_await stands in a statement of its own: GCC 12 miscompiles some
// that are conditions.
Task<void> Connection::converse() {
  bool lingers = false;
  while (true) {
    const bool has_head = co_await read_head();
    if (!has_head) break;
    if (!body_is_here()) {
      const bool has_body = co_await read_body();
      if (!has_body) break;
    }
    shard.requests.add(1);
    shard.end_long_round();
    enter(Phase::kHandler, Millis(0));
    clear_response();
    shard.handler->handle(turn);
    while (turn.start_) {
      const auto start = std::exchange(turn.start_, nullptr);
      const auto then = std::exchange(turn.then_, nullptr);
      starting_ = true;
      start(Resume{this});
      starting_ = false;
      co_await suspended();
      if (then) then();
    }
    if (turn.cut) break;
    bool last = turn.close || unread_input_ || !head_.keep_alive || shard.draining;
    if (turn.response.is_stream && stream) {
      last = last || head_.version_minor == 0;
      const bool streamed = co_await write_stream();
      if (!streamed || last) break;
      continue;
    }
    if (stream) drop_stream();
    const bool written = co_await write_response(last);
    if (!written) break;
    if (last) {
      lingers = unread_input_ || !buffer_.view().substr(head_bytes_).empty();
      break;
    }
  }
  if (fault_) {
    co_await refuse(*fault_);
  } else if (lingers) {
    co_await linger();
  }
}

Task<void> serve(std::unique_ptr<Connection> connection) {
  Shard& shard = connection->shard;
  if (shard.open->load() > shard.options->connections_max && !shard.evict()) {
    shard.refused.add(1);
    connection->turn_away();
    shard.open->fetch_sub(1);
    co_return;
  }
  try {
    co_await connection->run();
  } catch (const std::exception& e) {
    // Only memory running out gets here: handlers catch what they throw.
    LOG_ERROR("connection from {} ended by {}", connection->peer, e.what());
    connection->shard.remove(*connection);
  }
}

}  // namespace fog::http
