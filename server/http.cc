#include "server/http.h"

#define BOOST_ASIO_NO_DEPRECATED
#define BOOST_ASIO_DISABLE_BOOST_COROUTINE
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <ctime>
#include <deque>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "storage/base/log.h"

namespace fog::http {
namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, Executor>;
template <typename T>
using Task = asio::awaitable<T, Executor>;

namespace {

constexpr asio::use_awaitable_t<Executor> kAwait;

// Holds the head and the small body of nearly every call; idle connections touch a page or two.
constexpr std::size_t kBufferBytes = 16 * 1024;
// A head may fill its limit; one more buffer lets the reading go on behind it.
constexpr std::size_t kBufferBytesMax = kHeadBytesMax + kBufferBytes;
// Chunked bodies pass through this much at a time.
constexpr std::size_t kChunkedReadBytes = 64 * 1024;
// Answers up to this size are copied behind their head, larger ones are gathered by the kernel.
constexpr std::size_t kCopyBodyBytesMax = 16 * 1024;
// A large body's memory is claimed by steps of this size, each still in the cache when bytes arrive.
constexpr std::size_t kBodyStepBytes = 256 * 1024;
// What a refused client may still send while it reads our answer; then the connection is cut.
constexpr std::size_t kLingerBytesMax = 256u << 20;
constexpr Millis kLingerTime{5000};
// A stream whose client is this far behind is dropped.
constexpr std::size_t kStreamBytesMax = 8u << 20;
// Memory of a connection that is given back after it has been idle for some seconds.
constexpr std::int64_t kIdleTrimMs = 5000;
constexpr std::size_t kBodyStampBytes = 256 * 1024;

std::int64_t steady_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

std::int64_t steady_ns() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

std::string_view reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Payload Too Large";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return status < 400 ? "OK" : "Error";
  }
}

// "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" of the real clock, made once a second a thread.
std::string_view date_line() {
  thread_local std::time_t made_for = -1;
  thread_local std::array<char, 64> line{};
  thread_local std::size_t size = 0;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != made_for) {
    made_for = now.tv_sec;
    std::tm utc{};
    ::gmtime_r(&made_for, &utc);
    static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto end = fmt::format_to_n(line.data(), line.size(), "Date: {}, {:02} {} {} {:02}:{:02}:{:02} GMT\r\n",
                                      kDays[utc.tm_wday], utc.tm_mday, kMonths[utc.tm_mon], utc.tm_year + 1900,
                                      utc.tm_hour, utc.tm_min, utc.tm_sec);
    size = end.size;
  }
  return {line.data(), size};
}

void append_number(std::string& out, std::size_t value) {
  char digits[24];
  const auto end = fmt::format_to(digits, "{}", value);
  out.append(digits, static_cast<std::size_t>(end - digits));
}

// CR, LF and NUL in a value become spaces: no value can begin another header.
void append_header(std::string& out, std::string_view name, std::string_view value) {
  out.append(name);
  out.append(": ");
  const std::size_t from = out.size();
  out.append(value);
  for (std::size_t i = from; i < out.size(); ++i) {
    if (out[i] == '\r' || out[i] == '\n' || out[i] == '\0') out[i] = ' ';
  }
  out.append("\r\n");
}

// A counter written by one thread and read by others: no locked instruction on the hot path.
class Counter {
 public:
  void add(std::uint64_t n) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// The bytes received and not yet consumed. Views into it stay valid until make_room().
class ReadBuffer {
 public:
  std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
  void consume(std::size_t n) { begin_ += n; }
  // At least one free byte behind the data; moves the data to the front, or grows. False: full.
  bool make_room() {
    if (begin_ == end_) begin_ = end_ = 0;
    if (end_ < capacity_) return true;
    if (begin_ > 0) {
      std::memmove(data_.get(), data_.get() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
      return true;
    }
    if (capacity_ >= kBufferBytesMax) return false;
    const std::size_t bigger = capacity_ == 0 ? kBufferBytes : std::min(capacity_ * 2, kBufferBytesMax);
    auto data = std::make_unique_for_overwrite<char[]>(bigger + kBodyPadding);
    if (end_ > 0) std::memcpy(data.get(), data_.get(), end_);
    data_ = std::move(data);
    capacity_ = bigger;
    return true;
  }
  asio::mutable_buffer room() { return asio::buffer(data_.get() + end_, capacity_ - end_); }
  void received(std::size_t n) { end_ += n; }
  void append(std::string_view bytes) {
    while (!bytes.empty() && make_room()) {
      const std::size_t n = std::min(bytes.size(), capacity_ - end_);
      std::memcpy(data_.get() + end_, bytes.data(), n);
      end_ += n;
      bytes.remove_prefix(n);
    }
  }

 private:
  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

// A suspended coroutine, whatever its handler type.
struct Waiter {
  virtual ~Waiter() = default;
  virtual void complete() = 0;
};
template <typename H>
struct WaiterOf final : Waiter {
  explicit WaiterOf(H h) : handler(std::move(h)) {}
  void complete() override {
    H taken = std::move(handler);
    std::move(taken)();
  }
  H handler;
};

class StreamQueue;

}  // namespace

struct Shard;

// One connection; lives in its coroutine's frame and runs on its shard's thread only.
class Connection {
 public:
  enum class Phase { kIdle, kHead, kBody, kHandler, kWrite, kLinger };

  Connection(Shard& s, Socket k, std::string p, int d)
      : shard(s), socket(std::move(k)), peer(std::move(p)) {
    turn.request.peer = peer;
    turn.door = d;
    turn.connection_ = this;
  }
  Task<void> run();

  Shard& shard;
  Socket socket;
  std::string peer;
  Phase phase = Phase::kIdle;
  std::int64_t deadline_ms = 0;     // 0: none
  std::int64_t phase_began_ms = 0;
  bool timed_out = false;
  Connection* next = nullptr;  // the shard's list
  Connection* previous = nullptr;
  std::shared_ptr<StreamQueue> stream;

  void enter(Phase p, Millis limit) {
    phase = p;
    phase_began_ms = steady_ms();
    deadline_ms = limit.count() == 0 ? 0 : phase_began_ms + limit.count();
  }
  void trim_idle() {
    if (turn.request.body.capacity() > kBufferBytes) turn.request.body = std::string();
    if (turn.response.body.capacity() > kBufferBytes) turn.response.body = std::string();
    if (out_.capacity() > 2 * kBufferBytes) out_ = std::string();
  }
  // True inside the `start` of hold(), on this connection's own thread: then the coroutine has not
  // gone to sleep yet, and there is nothing to wake.
  bool is_starting_here() { return starting_ && socket.get_executor().running_in_this_thread(); }
  void resume() {
    if (auto waiting = std::move(waiter_)) {
      waiting->complete();
    } else {
      resumed_ = true;
    }
  }
  Executor executor() { return socket.get_executor(); }

 private:
  friend class Turn;
  Task<bool> read_head();  // false: close
  bool body_is_here();
  Task<bool> read_body();
  Task<bool> read_plain_body(std::size_t size);
  Task<bool> read_chunked_body();
  Task<bool> read_some(asio::mutable_buffer into, std::size_t& n);
  std::size_t write_now(std::string_view head, std::string_view body, error_code& error);
  Task<bool> write(std::string_view head, std::string_view body);
  Task<bool> write_response(bool last);
  Task<bool> write_stream();
  Task<void> refuse(Fault fault);
  Task<void> linger();
  Task<void> suspended();
  void begin_out(bool last);
  void drop_stream();
  void clear_response();

  Turn turn;
  ReadBuffer buffer_;
  std::size_t head_bytes_ = 0;
  Head head_;
  std::string carry_;  // what followed a chunked body
  std::string out_;
  std::optional<Fault> fault_;
  bool unread_input_ = false;
  std::unique_ptr<Waiter> waiter_;
  bool resumed_ = false;
  std::atomic<bool> starting_{false};
};

// One io_context, its thread and its connections.
struct Shard {
  Shard() : context(1), guard(context.get_executor()), sweep_timer(context.get_executor()) {}

  asio::io_context context;
  asio::executor_work_guard<Executor> guard;
  Timer sweep_timer;
  std::thread thread;
  Connection* first = nullptr;
  bool draining = false;
  const Options* options = nullptr;
  Handler* handler = nullptr;
  std::atomic<std::uint64_t>* open = nullptr;  // connections of all shards

  Counter requests;
  Counter faults;
  Counter timeouts;
  Counter bytes_in;
  Counter bytes_out;

  void add(Connection& c) {
    c.next = first;
    if (first != nullptr) first->previous = &c;
    first = &c;
  }
  void remove(Connection& c) {
    if (c.next != nullptr) c.next->previous = c.previous;
    (c.previous != nullptr ? c.previous->next : first) = c.next;
    open->fetch_sub(1);
  }
  Task<void> sweep();
  void drain();
  void cut_all();
};

namespace {

// What a producer writes and the connection sends. Shared by both; the producer may outlive it.
class StreamQueue final : public ByteSink {
 public:
  explicit StreamQueue(Connection* connection) : connection_(connection) {}

  bool write(std::string bytes) override {
    const std::lock_guard lock(mutex_);
    if (closed_ || connection_ == nullptr) return false;
    if (queued_bytes_ + bytes.size() > kStreamBytesMax) {
      overrun_ = closed_ = true;
    } else {
      queued_bytes_ += bytes.size();
      queue_.push_back(std::move(bytes));
    }
    wake();
    return !overrun_;
  }
  void close() override {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    wake();
  }

  bool is_open() const override {
    const std::lock_guard lock(mutex_);
    return !closed_ && connection_ != nullptr;
  }

  // For the connection: what is there to send; `ended` when nothing more will come. When neither,
  // the connection is woken by the next write or close.
  struct Taken {
    std::string bytes;
    bool ended = false;
    bool overrun = false;
  };
  Taken take(bool chunked) {
    const std::lock_guard lock(mutex_);
    Taken taken{.bytes = {}, .ended = closed_, .overrun = overrun_};
    for (const std::string& piece : queue_) {
      if (piece.empty()) continue;
      if (chunked) fmt::format_to(std::back_inserter(taken.bytes), "{:x}\r\n", piece.size());
      taken.bytes += piece;
      if (chunked) taken.bytes += "\r\n";
    }
    queue_.clear();
    queued_bytes_ = 0;
    if (taken.bytes.empty() && !taken.ended) sleeping_ = true;
    return taken;
  }
  void detach() {
    const std::lock_guard lock(mutex_);
    connection_ = nullptr;
    closed_ = true;
  }

 private:
  void wake() {
    if (!sleeping_ || connection_ == nullptr) return;
    sleeping_ = false;
    Resume{connection_}();
  }

  mutable std::mutex mutex_;
  Connection* connection_;
  std::deque<std::string> queue_;
  std::size_t queued_bytes_ = 0;
  bool closed_ = false;
  bool overrun_ = false;
  bool sleeping_ = false;
};

}  // namespace

void Resume::operator()() const {
  auto* connection = static_cast<Connection*>(connection_);
  if (connection->is_starting_here()) return connection->resume();
  asio::post(connection->executor(), [connection] { connection->resume(); });
}

std::shared_ptr<ByteSink> Turn::open_stream() {
  connection_->stream = std::make_shared<StreamQueue>(connection_);
  return connection_->stream;
}

// --- a connection ----------------------------------------------------------------------------------

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

Task<bool> Connection::read_some(asio::mutable_buffer into, std::size_t& n) {
  error_code error;
  n = socket.read_some(into, error);
  if (error == asio::error::would_block) {
    n = co_await socket.async_read_some(into, asio::redirect_error(kAwait, error));
  }
  if (error) co_return false;
  shard.bytes_in.add(n);
  co_return true;
}

Task<bool> Connection::read_head() {
  const Options& options = *shard.options;
  buffer_.consume(head_bytes_);
  head_bytes_ = 0;
  if (!carry_.empty()) {
    buffer_.append(carry_);
    carry_.clear();
  }
  bool may_skip_line = true;
  if (buffer_.view().empty()) {
    if (shard.draining) co_return false;
    enter(Phase::kIdle, options.idle_timeout);
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
    error_code error;
    const std::size_t n =
        co_await socket.async_read_some(buffer_.room(), asio::redirect_error(kAwait, error));
    if (error) {
      if (timed_out && phase == Phase::kHead) fault_ = Fault{408, "the request head took too long"};
      co_return false;
    }
    shard.bytes_in.add(n);
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

// What needs no more reading: no body, a small one that came with its head, one that is too large.
bool Connection::body_is_here() {
  turn.body_too_large = false;
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
    if (body.size() == have) body.resize(std::min(size, have + kBodyStepBytes));
    const auto room = asio::buffer(body.data() + have, body.size() - have);
    error_code error;
    std::size_t n = socket.read_some(room, error);
    if (error == asio::error::would_block) {
      n = co_await socket.async_read_some(room, asio::redirect_error(kAwait, error));
    }
    if (error) {
      if (timed_out) fault_ = Fault{408, "the request body took too long"};
      co_return false;
    }
    have += n;
    shard.bytes_in.add(n);
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
                         : std::make_unique_for_overwrite<char[]>(kChunkedReadBytes);
  std::size_t total = 0;
  while (!reader.done() && !reader.fault()) {
    std::size_t n = 0;
    const bool came = co_await read_some(asio::buffer(piece.get(), kChunkedReadBytes), n);
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

// What the kernel takes at once of the two pieces; nearly always all of them.
std::size_t Connection::write_now(std::string_view head, std::string_view body, error_code& error) {
  enter(Phase::kWrite, shard.options->write_timeout);
  const std::array<asio::const_buffer, 2> pieces{asio::buffer(head.data(), head.size()),
                                                 asio::buffer(body.data(), body.size())};
  const std::size_t sent = socket.write_some(pieces, error);
  if (error == asio::error::would_block) error = {};
  shard.bytes_out.add(sent);
  return sent;
}

Task<bool> Connection::write(std::string_view head, std::string_view body) {
  error_code error;
  std::size_t sent = write_now(head, body, error);
  while (!error && sent < head.size() + body.size()) {
    const std::string_view head_left = head.substr(std::min(sent, head.size()));
    const std::string_view body_left = body.substr(std::max(sent, head.size()) - head.size());
    const std::array<asio::const_buffer, 2> left{asio::buffer(head_left.data(), head_left.size()),
                                                 asio::buffer(body_left.data(), body_left.size())};
    const std::size_t n = co_await socket.async_write_some(left, asio::redirect_error(kAwait, error));
    sent += n;
    shard.bytes_out.add(n);
    // A slow reader of a large answer may take its time as long as it reads at all.
    deadline_ms = steady_ms() + shard.options->write_timeout.count();
  }
  co_return !error;
}

void Connection::begin_out(bool last) {
  const Response& response = turn.response;
  out_.clear();
  if (response.status == 200) {
    out_.append("HTTP/1.1 200 OK\r\n");
  } else {
    out_.append("HTTP/1.1 ");
    append_number(out_, static_cast<std::size_t>(response.status));
    out_.push_back(' ');
    out_.append(reason(response.status));
    out_.append("\r\n");
  }
  out_.append(date_line());
  for (const auto& [name, value] : response.headers) append_header(out_, name, value);
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
  error_code error;
  socket.shutdown(tcp::socket::shutdown_send, error);
  if (error) co_return;
  enter(Phase::kLinger, kLingerTime);
  const auto waste = std::make_unique_for_overwrite<char[]>(kChunkedReadBytes);
  std::size_t total = 0;
  std::size_t n = 0;
  while (total < kLingerBytesMax) {
    const bool came = co_await read_some(asio::buffer(waste.get(), kChunkedReadBytes), n);
    if (!came) break;
    total += n;
  }
}

Task<void> Connection::run() {
  error_code error;
  socket.set_option(tcp::no_delay(true), error);
  socket.non_blocking(true, error);
  shard.add(*this);
  bool lingers = false;
  // Every co_await stands in a statement of its own: GCC 12 miscompiles some that are conditions.
  while (!error) {
    const bool has_head = co_await read_head();
    if (!has_head) break;
    if (!body_is_here()) {
      const bool has_body = co_await read_body();
      if (!has_body) break;
    }
    shard.requests.add(1);
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
  shard.remove(*this);
  socket.close(error);
}

// --- a shard ---------------------------------------------------------------------------------------

// Cuts what has passed its deadline and trims what has been idle, twice a second: cheaper than a
// timer an operation, and exact enough for limits of seconds.
Task<void> Shard::sweep() {
  error_code error;
  while (!error) {
    sweep_timer.expires_after(Millis(500));
    co_await sweep_timer.async_wait(asio::redirect_error(kAwait, error));
    const std::int64_t now = steady_ms();
    for (Connection* c = first; c != nullptr; c = c->next) {
      if (c->deadline_ms != 0 && now > c->deadline_ms) {
        if (c->phase != Connection::Phase::kIdle) timeouts.add(1);
        c->timed_out = true;
        c->deadline_ms = 0;
        error_code ignored;
        c->socket.cancel(ignored);
      } else if (c->phase == Connection::Phase::kIdle && now > c->phase_began_ms + kIdleTrimMs) {
        c->trim_idle();
      }
    }
  }
}

void Shard::drain() {
  draining = true;
  for (Connection* c = first; c != nullptr; c = c->next) {
    error_code ignored;
    if (c->phase == Connection::Phase::kIdle || c->phase == Connection::Phase::kLinger) c->socket.cancel(ignored);
    if (c->stream) c->stream->close();
  }
}

void Shard::cut_all() {
  for (Connection* c = first; c != nullptr; c = c->next) {
    error_code ignored;
    c->socket.shutdown(tcp::socket::shutdown_both, ignored);
    c->socket.cancel(ignored);
  }
}

// --- the server ------------------------------------------------------------------------------------

struct HttpServer::Impl {
  struct Listener {
    Listener(asio::io_context& context, int d) : acceptor(context.get_executor()), retry(context.get_executor()), door(d) {}
    Acceptor acceptor;
    Timer retry;
    int door;
  };

  Options options;
  Handler& handler;
  std::vector<std::unique_ptr<Shard>> shards;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::size_t next_shard = 0;
  std::atomic<std::uint64_t> open{0};
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> refused{0};
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

namespace {

Task<void> serve(std::unique_ptr<Connection> connection) {
  try {
    co_await connection->run();
  } catch (const std::exception& e) {
    // Only memory running out gets here: handlers catch what they throw.
    LOG_ERROR("connection from {} ended by {}", connection->peer, e.what());
    connection->shard.remove(*connection);
  }
}

}  // namespace

Task<void> HttpServer::Impl::accept(Listener& listener) {
  while (listener.acceptor.is_open()) {
    Shard& shard = *shards[next_shard++ % shards.size()];
    Socket socket(shard.context.get_executor());
    tcp::endpoint peer;
    error_code error;
    co_await listener.acceptor.async_accept(socket, peer, asio::redirect_error(kAwait, error));
    if (error == asio::error::operation_aborted || !listener.acceptor.is_open()) co_return;
    if (error) {
      // No descriptors left, most likely: wait for some to be closed.
      LOG_WARN("accept: {}", error.message());
      listener.retry.expires_after(Millis(50));
      co_await listener.retry.async_wait(asio::redirect_error(kAwait, error));
      continue;
    }
    accepted.fetch_add(1, std::memory_order_relaxed);
    if (open.load() >= options.connections_max) {
      refused.fetch_add(1, std::memory_order_relaxed);
      static constexpr std::string_view kBusy =
          "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      error_code ignored;
      socket.non_blocking(true, ignored);
      socket.write_some(asio::buffer(kBusy), ignored);
      continue;
    }
    open.fetch_add(1);
    auto connection = std::make_unique<Connection>(shard, std::move(socket), peer.address().to_string(), listener.door);
    asio::co_spawn(shard.context.get_executor(), serve(std::move(connection)), asio::detached);
  }
}

HttpServer::HttpServer(Options options, Handler& handler)
    : impl_(std::make_unique<Impl>(options, handler)) {}

HttpServer::~HttpServer() = default;

Result<std::uint16_t> HttpServer::listen(const std::string& address, std::uint16_t port, int door) {
  error_code error;
  const auto ip = asio::ip::make_address(address, error);
  if (error) return Error::invalid(fmt::format("'{}' is not an IP address", address));
  auto listener = std::make_unique<Impl::Listener>(impl_->shards[0]->context, door);
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
              .connections_accepted = impl_->accepted.load(),
              .connections_refused = impl_->refused.load()};
  for (const auto& shard : impl_->shards) {
    stats.requests += shard->requests.get();
    stats.faults += shard->faults.get();
    stats.timeouts += shard->timeouts.get();
    stats.bytes_in += shard->bytes_in.get();
    stats.bytes_out += shard->bytes_out.get();
  }
  return stats;
}

}  // namespace fog::http
