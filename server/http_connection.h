// Connection and Shard: a client's connection as a coroutine, and the thread it lives on.
//
// http_connection.cc has the life of a connection from its first byte to its last, http_read.cc the
// reading of requests, http_write.cc the sending of answers, http_shard.cc what a thread does about
// all of its connections: time-outs, memory, room for new ones.
// Threads: everything of a Connection and of a Shard runs on the shard's thread, but for Resume and
// the counters.
#pragma once

#include "server/http_asio.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "server/http.h"
#include "server/http_buffer.h"
#include "server/http_stream.h"

namespace fog::http {

// Chunked bodies and what is thrown away pass through this much at a time.
inline constexpr std::size_t kPieceBytes = 64 * 1024;

// A counter written by one thread and read by others: no locked instruction on the hot path.
class Counter {
 public:
  void add(std::uint64_t n) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
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

struct Shard;

class Connection {
 public:
  // kHello: what a TLS client says first. kLinger: the answer is out, the client still sends.
  enum class Phase { kIdle, kHello, kHead, kBody, kHandler, kWrite, kLinger };

  Connection(Shard& s, Socket k, std::string p, int door, DoorTls tls);
  ~Connection();
  Task<void> run();
  void turn_away();

  Shard& shard;
  Socket socket;
  std::string peer;
  Phase phase = Phase::kIdle;
  std::int64_t deadline_ms = 0;  // 0: none
  std::int64_t phase_began_ms = 0;
  bool timed_out = false;
  bool resting = false;        // was woken to give its memory back, then sleeps on
  bool has_rested = false;     // nothing is left to give back
  Connection* next = nullptr;  // the shard's list, the one that was idle last in front
  Connection* previous = nullptr;
  std::shared_ptr<StreamQueue> stream;

  void enter(Phase p, Millis limit) {
    phase = p;
    phase_began_ms = steady_ms();
    deadline_ms = limit.count() == 0 ? 0 : phase_began_ms + limit.count();
  }
  void cancel() {
    error_code ignored;
    socket.cancel(ignored);
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

  // http_connection.cc
  Task<bool> greet();
  Task<bool> shake_hands();
  Task<void> converse();
  Task<void> refuse(Fault fault);
  Task<void> linger();
  Task<void> suspended();
  void drop_stream();
  void clear_response();

  // http_read.cc. False: close, and answer fault_ if it is set.
  Task<bool> read_head();
  bool body_is_here();
  Task<bool> read_body();
  Task<bool> read_plain_body(std::size_t size);
  Task<bool> read_chunked_body();
  Task<bool> read_some(std::span<char> into, std::size_t& n);
  Task<bool> read_raw(std::span<char> into, std::size_t& n);
  Task<bool> read_sealed(std::span<char> into, std::size_t& n);
  Task<bool> rest();
  bool has_unread_input();
  bool admits_body();
  void count_body();
  void forget_body();
  void shed();

  // http_write.cc
  Task<bool> write(std::string_view head, std::string_view body);
  Task<bool> write_sealed(std::string_view head, std::string_view body);
  Task<bool> flush();
  bool flush_now();
  std::size_t write_now(std::string_view head, std::string_view body, error_code& error);
  void note_sent(std::size_t n);
  Task<bool> write_response(bool last);
  Task<bool> write_stream();
  void begin_out(bool last);

  Turn turn;
  const DoorTls door_tls_;
  std::unique_ptr<TlsSession> tls_;  // null: plain
  ReadBuffer buffer_;
  std::size_t head_bytes_ = 0;
  Head head_;
  std::string carry_;  // what followed a chunked body
  std::string out_;
  std::size_t written_ = 0;  // of the answer or piece under way
  std::optional<Fault> fault_;
  bool unread_input_ = false;
  std::size_t counted_body_ = 0;  // as told to Pressure
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
  Connection* last = nullptr;
  bool draining = false;
  const Options* options = nullptr;
  Handler* handler = nullptr;
  std::atomic<std::uint64_t>* open = nullptr;  // connections of all shards
  bool round_is_open = false;                  // somebody waits for its end
  std::int64_t round_began_ns = 0;

  Counter requests;
  Counter faults;
  Counter timeouts;
  Counter evicted;
  Counter refused;
  Counter tls_handshakes;
  Counter tls_resumed;
  Counter tls_failures;
  Counter bytes_in;
  Counter bytes_out;

  void add(Connection& c);
  void remove(Connection& c);
  // To the front of the list; cheap when it is there already.
  void move_to_front(Connection& c);
  // Closes the connection that has been idle for longest. False: none is.
  bool evict();
  Task<void> sweep();
  // The end comes behind what is in the queue now.
  void open_round();
  void end_round();
  // Before a request: many small ones, or a long one before them, keep nobody waiting for the end.
  void end_long_round() {
    if (round_is_open && steady_ns() - round_began_ns > kRoundNsMax) end_round();
  }
  void drain();
  void cut_all();

 private:
  static constexpr std::int64_t kRoundNsMax = 1'000'000;

  void unlink(Connection& c);
};

// Runs a connection on its shard until it ends. The connection is counted in `open` already.
Task<void> serve(std::unique_ptr<Connection> connection);

}  // namespace fog::http
