// HttpServer: sockets, requests and answers; the only door through which TCP clients speak HTTP.
//
// One io_context a thread runs connections as coroutines; Asio shows in http_*.cc only.
// A Handler is called on the io thread that owns the connection. It fills
// `turn.response` and returns, or asks to be held back (`hold`) until something elsewhere has
// happened, or opens a stream whose bytes leave as they come.
//
// Reading: a 16 KiB buffer a connection holds heads and small bodies; a body that does not fit is
// received straight into its final place. Every phase has a time-out. One write an answer.
// A connection that has been idle for some seconds gives its memory back; when there are too many,
// the one idle for longest makes room for the next.
//
// Threads: start, stop and stats from any one thread; Handler's methods on io threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/http_head.h"
#include "server/pressure.h"
#include "server/tls.h"
#include "storage/base/clock.h"
#include "storage/base/result.h"

namespace fog::http {

struct Options {
  std::size_t threads = 1;
  std::size_t connections_max = 16 * 1024;
  std::size_t body_bytes_max = 10u << 20;
  // Clients keep pools of idle connections; closing one while they write costs them a retry.
  Millis idle_timeout{120'000};
  // An idle connection keeps the memory of its last request this long.
  Millis rest_after{5'000};
  Millis head_timeout{10'000};
  // A body may pause this long at its start, and must then arrive faster than the rate.
  Millis body_grace{10'000};
  std::size_t body_bytes_per_second_min = 8 * 1024;
  // The client of an answer, and of a streamed piece of one, must take something within this time,
  // and all of it faster than the rate.
  Millis write_timeout{30'000};
  std::size_t write_bytes_per_second_min = 8 * 1024;
  Pressure* pressure = nullptr;  // null: bodies are limited one by one only
  const Certificate* certificate = nullptr;  // of doors that speak TLS
};

// Whether a door speaks TLS. kEither looks at the first byte of a connection.
enum class DoorTls { kNone, kRequired, kEither };

// Continues a turn that was held back. Call exactly once, from any thread.
class Resume {
 public:
  explicit Resume(void* connection) : connection_(connection) {}
  void operator()() const;
  // Many turns of one io thread: it is woken once, and finds all of them. Not from within hold()'s `start`.
  static void all(std::vector<Resume> turns);

 private:
  void* connection_;
};

class Connection;

// What a handler keeps on a connection from call to call.
struct HandlerState {
  virtual ~HandlerState() = default;
};

// One request and its answer. The request's views are valid until the answer has been written; a
// handler that moves the request away hands it back, so that its memory is used again.
class Turn {
 public:
  Request request;
  Response response;
  int door = 0;                 // which listener it came through, as given to listen()
  bool body_too_large = false;  // past body_bytes_max: not read; answer 413
  bool shed = false;            // no memory for its body now: not read; answer that it be tried again
  bool close = false;           // set: end the connection after this answer
  bool cut = false;             // set: end the connection instead of answering
  // Steady time at which the first byte of a body of 256 KiB or more was there; else 0.
  std::int64_t body_began_ns = 0;
  std::unique_ptr<HandlerState> state;  // stays with the connection from request to request

  // Holds the answer back: after the handler returns, `start` is called with the Resume; once that
  // is called, `then` runs on the io thread and may hold again.
  void hold(std::function<void(Resume)> start, std::function<void()> then) {
    start_ = std::move(start);
    then_ = std::move(then);
  }
  // Asks that Handler::round_ended() be called once the requests that are ready with this one have been handled.
  void call_at_round_end();
  // For an answer with is_stream: what is written here follows its head, each piece a chunk.
  std::shared_ptr<ByteSink> open_stream();

 private:
  friend class Connection;
  std::function<void(Resume)> start_;
  std::function<void()> then_;
  Connection* connection_ = nullptr;
};

class Handler {
 public:
  virtual ~Handler() = default;
  virtual void handle(Turn& turn) = 0;
  // On the io thread: all requests that were ready have been handled, or so many that others need not wait longer.
  // Only after a turn has asked for it.
  virtual void round_ended() {}
  // A request that could not be read: shape its answer. The connection closes afterwards.
  virtual void refuse(const Fault& fault, std::string_view peer, Response& response) = 0;
};

struct Stats {
  std::uint64_t connections_open = 0;
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_refused = 0;  // over connections_max, and none was idle
  std::uint64_t connections_evicted = 0;  // idle ones closed to make room
  std::uint64_t requests = 0;
  std::uint64_t faults = 0;    // refused before any handler
  std::uint64_t timeouts = 0;  // cut while sending a request or taking an answer
  std::uint64_t tls_handshakes = 0;
  std::uint64_t tls_resumed = 0;  // of these, with a ticket
  std::uint64_t tls_failures = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
};

class HttpServer {
 public:
  HttpServer(Options options, Handler& handler);
  ~HttpServer();  // stop() must have been called if start() was

  // Binds before start(). Port 0 picks one; gives the port. Error kind busy: the port is taken.
  Result<std::uint16_t> listen(const std::string& address, std::uint16_t port, int door, DoorTls tls = DoorTls::kNone);
  void start();
  // Accepts no more, lets requests under way finish, closes idle connections and streams. False
  // when some were still busy after `grace`: then do not destroy the server, leave the process.
  [[nodiscard]] bool stop(Millis grace);
  Stats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fog::http
