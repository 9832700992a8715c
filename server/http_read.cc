// Connection: the reading of requests, plain and sealed.
#include "server/http_connection.h"

namespace fog::http {
namespace {

// A large body's memory is claimed by steps of this size, each still in the cache when bytes arrive.
constexpr std::size_t kBodyStepBytes = 256 * 1024;
constexpr std::size_t kBodyStampBytes = 256 * 1024;

asio::mutable_buffer buffer_of(std::span<char> room) { return asio::buffer(room.data(), room.size()); }

// The request's body is a string that stays with the connection: it only ever grows, so that a
// client's second large body needs no memory and no clearing.
char* room_for(std::string& body, std::size_t size) {
  if (body.capacity() < size + kBodyPadding) {
    body.clear();
    body.reserve(size + kBodyPadding);
  }
  body.resize(size);
  return body.data();
}

}  // namespace

// --- bytes -----------------------------------------------------------------------------------------

// From the socket, as they come.
Task<bool> Connection::read_raw(std::span<char> into, std::size_t& n) {
  error_code error;
  n = socket.read_some(buffer_of(into), error);
  if (error == asio::error::would_block) {
    n = co_await socket.async_read_some(buffer_of(into), asio::redirect_error(kAwait, error));
  }
  if (error) co_return false;
  shard.bytes_in.add(n);
  co_return true;
}

// Opened by TLS.
Task<bool> Connection::read_sealed(std::span<char> into, std::size_t& n) {
  while (true) {
    const TlsSession::Step step = tls_->read(into, n);
    // Tickets and key updates are said when the client is listened to.
    if (!tls_->outgoing().empty()) {
      const bool flushed = co_await flush();
      if (!flushed) co_return false;
    }
    if (step == TlsSession::Step::kDone) co_return true;
    if (step != TlsSession::Step::kMore) {
      if (step == TlsSession::Step::kFailed) shard.tls_failures.add(1);
      co_return false;
    }
    error_code error;
    const std::size_t got = co_await socket.async_read_some(buffer_of(tls_->room()), asio::redirect_error(kAwait, error));
    if (error) co_return false;
    shard.bytes_in.add(got);
    tls_->received(got);
  }
}

Task<bool> Connection::read_some(std::span<char> into, std::size_t& n) {
  return tls_ ? read_sealed(into, n) : read_raw(into, n);
}

// --- heads -----------------------------------------------------------------------------------------

// Without memory of its own until the client speaks again. False: it did not.
Task<bool> Connection::rest() {
  resting = false;
  has_rested = true;
  buffer_.release();
  forget_body();
  turn.request.body = std::string();
  turn.request.headers = std::vector<Header>();
  turn.response = Response();
  turn.state.reset();
  head_.headers = std::vector<Header>();
  out_ = std::string();
  carry_ = std::string();
  if (tls_) tls_->release_buffers();
  if (shard.options->pressure != nullptr) shard.options->pressure->note_rest();
  error_code error;
  co_await socket.async_wait(Socket::wait_read, asio::redirect_error(kAwait, error));
  co_return !error;
}

// The server stops, and a request had arrived before anybody looked: it is still served.
bool Connection::has_unread_input() {
  if (!shard.draining || timed_out || phase != Phase::kIdle) return false;
  error_code error;
  return socket.available(error) > 0 && !error;
}

Task<bool> Connection::read_head() {
  const Options& options = *shard.options;
  buffer_.consume(head_bytes_);
  head_bytes_ = 0;
  if (!carry_.empty()) {
    buffer_.append(carry_);
    carry_.clear();
  }
  if (counted_body_ > 0 && options.pressure->is_tight()) {
    forget_body();
    turn.request.body = std::string();
  }
  bool may_skip_line = true;
  if (buffer_.view().empty()) {
    if (shard.draining) co_return false;
    enter(Phase::kIdle, options.idle_timeout);
    shard.move_to_front(*this);
    has_rested = false;
  } else {
    enter(Phase::kHead, options.head_timeout);
  }
  HeadEnd head_end;
  while (true) {
    if (may_skip_line && buffer_.view().starts_with("\r\n")) {
      buffer_.consume(2);
      may_skip_line = false;
    }
    if (buffer_.view() != "\r") {
      head_end = find_head_end(buffer_.view(), head_end.seen);
      if (head_end.fault) {
        fault_ = head_end.fault;
        co_return false;
      }
      if (head_end.end > 0) break;
    }
    if (!buffer_.make_room()) {
      fault_ = Fault{431, "request head too large"};
      co_return false;
    }
    std::size_t n = 0;
    bool came = false;
    if (tls_) {
      came = co_await read_sealed(buffer_.room(), n);
    } else {
      error_code error;
      n = co_await socket.async_read_some(buffer_of(buffer_.room()), asio::redirect_error(kAwait, error));
      came = !error;
      shard.bytes_in.add(n);
    }
    if (!came && resting && !timed_out && !shard.draining) {
      const bool woken = co_await rest();
      if (woken) continue;
    }
    if (!came && has_unread_input()) continue;
    if (!came) {
      if (timed_out && phase == Phase::kHead) fault_ = Fault{408, "the request head took too long"};
      co_return false;
    }
    resting = false;
    buffer_.received(n);
    if (phase == Phase::kIdle) enter(Phase::kHead, options.head_timeout);
  }
  head_bytes_ = head_end.end;
  fault_ = parse_head(buffer_.view().substr(0, head_bytes_), head_);
  if (fault_) co_return false;
  turn.request.method = head_.method;
  turn.request.target = head_.target;
  turn.request.headers.swap(head_.headers);
  co_return true;
}

// --- bodies ----------------------------------------------------------------------------------------

bool Connection::admits_body() { return shard.options->pressure == nullptr || shard.options->pressure->admits_body(); }

// Tells Pressure what of the body's memory is really used.
void Connection::count_body() {
  const std::size_t size = turn.request.body.size();
  if (shard.options->pressure == nullptr || size <= counted_body_ || size <= Pressure::kSmallBodyBytes) return;
  shard.options->pressure->count_body(static_cast<std::int64_t>(size) - static_cast<std::int64_t>(counted_body_));
  counted_body_ = size;
}

void Connection::forget_body() {
  if (counted_body_ == 0) return;
  shard.options->pressure->count_body(-static_cast<std::int64_t>(counted_body_));
  counted_body_ = 0;
}

// There is no room for this body: it is answered unread.
void Connection::shed() {
  forget_body();
  turn.request.body = std::string();
  turn.shed = true;
  unread_input_ = true;
  shard.options->pressure->note_shed();
}

// What needs no more reading: no body, a small one that came with its head, one that is refused.
bool Connection::body_is_here() {
  turn.body_too_large = false;
  turn.shed = false;
  turn.body_began_ns = 0;
  if (!head_.chunked && head_.content_length == 0) {
    turn.request.body.clear();
    return true;
  }
  if (head_.content_length > shard.options->body_bytes_max) {
    turn.request.body.clear();
    turn.body_too_large = true;
    unread_input_ = true;
    return true;
  }
  if (head_.content_length > Pressure::kSmallBodyBytes && !admits_body()) {
    shed();
    return true;
  }
  const std::string_view buffered = buffer_.view().substr(head_bytes_);
  if (head_.chunked || buffered.size() < head_.content_length) return false;
  const auto size = static_cast<std::size_t>(head_.content_length);
  std::memcpy(room_for(turn.request.body, size), buffered.data(), size);
  head_bytes_ += size;
  return true;
}

Task<bool> Connection::read_body() {
  const bool nothing_yet = buffer_.view().substr(head_bytes_).empty();
  enter(Phase::kBody, shard.options->body_grace);
  if (head_.expects_continue && nothing_yet) {
    const bool sent = co_await write("HTTP/1.1 100 Continue\r\n\r\n", {});
    if (!sent) co_return false;
    enter(Phase::kBody, shard.options->body_grace);
  }
  bool read = false;
  if (head_.chunked) {
    read = co_await read_chunked_body();
  } else {
    read = co_await read_plain_body(static_cast<std::size_t>(head_.content_length));
  }
  co_return read;
}

Task<bool> Connection::read_plain_body(std::size_t size) {
  if (size >= kBodyStampBytes) turn.body_began_ns = steady_ns();
  std::string& body = turn.request.body;
  const std::string_view buffered = buffer_.view().substr(head_bytes_);
  // Memory is claimed in steps, as the bytes come: a length alone costs nothing.
  if (body.capacity() < size + kBodyPadding) {
    forget_body();
    body.clear();
    body.reserve(size + kBodyPadding);
  }
  if (body.size() > size) body.resize(size);
  std::size_t have = 0;
  if (body.size() < buffered.size()) body.resize(buffered.size());
  std::memcpy(body.data(), buffered.data(), buffered.size());
  have = buffered.size();
  head_bytes_ += have;
  const std::int64_t grace_ms = shard.options->body_grace.count();
  while (have < size) {
    if (body.size() == have) {
      body.resize(std::min(size, have + kBodyStepBytes));
      if (size > Pressure::kSmallBodyBytes) {
        count_body();
        if (!admits_body()) {
          shed();
          co_return true;
        }
      }
    }
    const std::span<char> room(body.data() + have, body.size() - have);
    std::size_t n = 0;
    bool came = false;
    if (tls_) {
      came = co_await read_sealed(room, n);
    } else {
      error_code error;
      n = socket.read_some(buffer_of(room), error);
      if (error == asio::error::would_block) {
        n = co_await socket.async_read_some(buffer_of(room), asio::redirect_error(kAwait, error));
      }
      came = !error;
      shard.bytes_in.add(n);
    }
    if (!came) {
      if (timed_out) fault_ = Fault{408, "the request body took too long"};
      co_return false;
    }
    have += n;
    deadline_ms = phase_began_ms + grace_ms +
                  static_cast<std::int64_t>(have * 1000 / shard.options->body_bytes_per_second_min);
  }
  co_return true;
}

Task<bool> Connection::read_chunked_body() {
  std::string& body = turn.request.body;
  body.clear();
  ChunkedReader reader(shard.options->body_bytes_max);
  const std::string_view buffered = buffer_.view().substr(head_bytes_);
  head_bytes_ += reader.take(buffered, body);
  const auto piece = reader.done() || reader.fault()
                         ? nullptr
                         : std::make_unique_for_overwrite<char[]>(kPieceBytes);
  std::size_t total = 0;
  while (!reader.done() && !reader.fault()) {
    if (body.size() > Pressure::kSmallBodyBytes) {
      count_body();
      if (!admits_body()) {
        shed();
        co_return true;
      }
    }
    std::size_t n = 0;
    const bool came = co_await read_some({piece.get(), kPieceBytes}, n);
    if (!came) {
      if (timed_out) fault_ = Fault{408, "the request body took too long"};
      co_return false;
    }
    const std::size_t taken = reader.take({piece.get(), n}, body);
    if (reader.done()) carry_.assign(piece.get() + taken, n - taken);
    total += n;
    deadline_ms = phase_began_ms + shard.options->body_grace.count() +
                  static_cast<std::int64_t>(total * 1000 / shard.options->body_bytes_per_second_min);
  }
  if (reader.fault()) {
    if (reader.fault()->status != 413) {
      fault_ = reader.fault();
      co_return false;
    }
    turn.body_too_large = true;
    unread_input_ = true;
    body.clear();
    co_return true;
  }
  body.reserve(body.size() + kBodyPadding);
  co_return true;
}

}  // namespace fog::http
