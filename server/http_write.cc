// Connection: the sending of answers, plain and sealed.
#include <array>

#include "server/http_answer.h"
#include "server/http_connection.h"

namespace fog::http {
namespace {

// Answers up to this size are copied behind their head, larger ones are gathered by the kernel.
constexpr std::size_t kCopyBodyBytesMax = 16 * 1024;
// A large answer is sealed by pieces of this size, so that its sealed copy stays small.
constexpr std::size_t kSealBytes = 128 * 1024;

}  // namespace

// A slow reader of a large answer may take its time as long as it reads, and faster than the rate.
void Connection::note_sent(std::size_t n) {
  const Options& options = *shard.options;
  written_ += n;
  shard.bytes_out.add(n);
  const std::int64_t by_rate = phase_began_ms + options.write_timeout.count() +
                               static_cast<std::int64_t>(written_ * 1000 / options.write_bytes_per_second_min);
  deadline_ms = std::min(steady_ms() + options.write_timeout.count(), by_rate);
}

// What the kernel takes at once of the two pieces; nearly always all of them.
std::size_t Connection::write_now(std::string_view head, std::string_view body, error_code& error) {
  enter(Phase::kWrite, shard.options->write_timeout);
  const std::array<asio::const_buffer, 2> pieces{asio::buffer(head.data(), head.size()),
                                                 asio::buffer(body.data(), body.size())};
  const std::size_t sent = body.empty() ? socket.write_some(pieces[0], error) : socket.write_some(pieces, error);
  if (error == asio::error::would_block) error = {};
  shard.bytes_out.add(sent);
  written_ = sent;
  return sent;
}

Task<bool> Connection::write(std::string_view head, std::string_view body) {
  if (tls_) {
    const bool sealed = co_await write_sealed(head, body);
    co_return sealed;
  }
  error_code error;
  std::size_t sent = write_now(head, body, error);
  while (!error && sent < head.size() + body.size()) {
    const std::string_view head_left = head.substr(std::min(sent, head.size()));
    const std::string_view body_left = body.substr(std::max(sent, head.size()) - head.size());
    const std::array<asio::const_buffer, 2> left{asio::buffer(head_left.data(), head_left.size()),
                                                 asio::buffer(body_left.data(), body_left.size())};
    const std::size_t n = co_await socket.async_write_some(left, asio::redirect_error(kAwait, error));
    sent += n;
    note_sent(n);
  }
  co_return !error;
}

Task<bool> Connection::write_sealed(std::string_view head, std::string_view body) {
  enter(Phase::kWrite, shard.options->write_timeout);
  written_ = 0;
  if (!tls_->write(head)) co_return false;
  while (!body.empty()) {
    const std::string_view piece = body.substr(0, kSealBytes);
    body.remove_prefix(piece.size());
    if (!tls_->write(piece)) co_return false;
    if (body.empty()) break;
    const bool sent = co_await flush();
    if (!sent) co_return false;
  }
  const bool sent = flush_now() && tls_->outgoing().empty();
  if (sent) co_return true;
  const bool flushed = co_await flush();
  co_return flushed;
}

// What the kernel takes at once of the sealed bytes. False: the connection is broken.
bool Connection::flush_now() {
  const std::string_view left = tls_->outgoing();
  if (left.empty()) return true;
  error_code error;
  const std::size_t n = socket.write_some(asio::buffer(left.data(), left.size()), error);
  if (error && error != asio::error::would_block) return false;
  tls_->sent(n);
  written_ += n;
  shard.bytes_out.add(n);
  return true;
}

Task<bool> Connection::flush() {
  if (!flush_now()) co_return false;
  while (!tls_->outgoing().empty()) {
    error_code error;
    const std::string_view left = tls_->outgoing();
    const std::size_t n =
        co_await socket.async_write_some(asio::buffer(left.data(), left.size()), asio::redirect_error(kAwait, error));
    if (error) co_return false;
    tls_->sent(n);
    if (phase == Phase::kWrite) note_sent(n);
    else shard.bytes_out.add(n);
  }
  co_return true;
}

void Connection::begin_out(bool last) {
  out_.clear();
  append_head(out_, turn.response);
  if (last) {
    out_.append("Connection: close\r\n");
  } else if (head_.version_minor == 0) {
    out_.append("Connection: keep-alive\r\n");
  }
}

Task<bool> Connection::write_response(bool last) {
  const Response& response = turn.response;
  begin_out(last);
  if (response.status != 204 && response.status != 304) {
    out_.append("Content-Length: ");
    append_number(out_, response.body.size());
    out_.append("\r\n");
  }
  out_.append("\r\n");
  std::string_view body = response.body;
  if (head_.method == "HEAD" || response.status == 204 || response.status == 304) body = {};
  if (body.size() <= kCopyBodyBytesMax) {
    out_.append(body);
    body = {};
  }
  return write(out_, body);
}

Task<bool> Connection::write_stream() {
  // HTTP/1.0 has no chunks: there the end of the connection ends the answer.
  const bool chunked = head_.version_minor == 1;
  begin_out(!chunked);
  out_.append(chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
  bool ok = co_await write(out_, {});
  if (shard.draining) stream->close();
  while (ok) {
    auto taken = stream->take(chunked);
    if (taken.overrun) {
      ok = false;
    } else if (!taken.bytes.empty()) {
      ok = co_await write(taken.bytes, {});
    } else if (taken.ended) {
      ok = co_await write(chunked ? "0\r\n\r\n" : "", {});
      break;
    } else {
      enter(Phase::kHandler, Millis(0));
      co_await suspended();
    }
  }
  drop_stream();
  co_return ok;
}

}  // namespace fog::http
