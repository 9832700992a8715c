// loadgen: sends prepared HTTP/1.1 requests over kept-alive connections from one thread and prints
// one line of JSON: counts, rates, latency percentiles, statuses.
//
//   loadgen FILE PORT [--connections 4] [--seconds 5 | --count N] [--host 127.0.0.1]
//   loadgen --udp FILE PORT [--seconds 5 | --count N]
//
// FILE holds records of a 4-byte little-endian length and that many bytes, each one whole request
// (or, for --udp, one datagram). They are sent in order and from the start again until time or count
// is reached. The client's work per request is one send, one epoll turn and one receive, so that on a
// core of its own it can keep a server core busy. Any answer other than 2xx makes the exit code 1.
//
// Traps avoided: TCP_NODELAY on our side, TCP_QUICKACK after each read (a peer that writes head and
// body separately would otherwise show the kernel's 40 ms delayed ACK as its own latency, which real
// clients see too: --delayed-ack keeps it).
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kSilenceMsMax = 60'000;
constexpr int kReconnectsMax = 5;  // in a row on one connection, then the run has failed
constexpr std::size_t kReceiveBytes = 1 << 20;

struct Options {
  std::string file, host = "127.0.0.1";
  std::uint16_t port = 0;
  int connections = 4;
  double seconds = 0;
  std::int64_t count = 0;
  bool udp = false, delayed_ack = false;
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "loadgen: %s\n", what.c_str());
  std::exit(2);
}

Options parse(std::span<char*> words) {
  Options options;
  std::vector<std::string> places;
  for (std::size_t i = 1; i < words.size(); i++) {
    const std::string word = words[i];
    const auto value = [&]() -> std::string {
      if (i + 1 >= words.size()) die("no value after " + word);
      return words[++i];
    };
    if (word == "--connections") options.connections = std::atoi(value().c_str());
    else if (word == "--seconds") options.seconds = std::atof(value().c_str());
    else if (word == "--count") options.count = std::atoll(value().c_str());
    else if (word == "--host") options.host = value();
    else if (word == "--udp") options.udp = true;
    else if (word == "--delayed-ack") options.delayed_ack = true;
    else if (word.starts_with("--")) die("unknown option " + word);
    else places.push_back(word);
  }
  if (places.size() != 2) die("usage: loadgen FILE PORT [options], see the top of loadgen.cc");
  options.file = places[0];
  options.port = static_cast<std::uint16_t>(std::atoi(places[1].c_str()));
  return options;
}

// The records of a file, mapped for as long as the program runs.
std::vector<std::string_view> load(const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDONLY);
  struct stat about {};
  if (fd < 0 || ::fstat(fd, &about) != 0) die("cannot read " + file);
  const auto size = static_cast<std::size_t>(about.st_size);
  void* place = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  if (place == MAP_FAILED) die("cannot map " + file);
  const std::string_view all(static_cast<const char*>(place), size);
  std::vector<std::string_view> records;
  for (std::size_t at = 0; at + 4 <= size;) {
    std::uint32_t length = 0;
    std::memcpy(&length, all.data() + at, 4);
    if (at + 4 + length > size) die(file + " ends inside a record");
    records.push_back(all.substr(at + 4, length));
    at += 4 + length;
  }
  if (records.empty()) die(file + " holds no record");
  return records;
}

// What the head of an answer says about its body.
struct Head {
  int status = 0;
  std::size_t size = 0;            // of the head with its empty line
  std::int64_t body_bytes = -1;    // -1: until the connection closes
  bool chunked = false, closes = false;
};

bool parse_head(std::string_view text, Head& head) {
  const auto end = text.find("\r\n\r\n");
  if (end == std::string_view::npos || text.size() < 12) return false;
  head = {};
  head.size = end + 4;
  head.status = std::atoi(text.data() + 9);
  head.closes = text.starts_with("HTTP/1.0");
  for (std::size_t at = text.find("\r\n") + 2; at < end;) {
    const auto stop = text.find("\r\n", at);
    const auto line = text.substr(at, stop - at);
    const auto is = [&](std::string_view name) {
      return line.size() >= name.size() && ::strncasecmp(line.data(), name.data(), name.size()) == 0;
    };
    if (is("content-length:")) head.body_bytes = std::atoll(line.data() + 15);
    else if (is("transfer-encoding: chunked")) head.chunked = true;
    else if (is("connection: close")) head.closes = true;
    at = stop + 2;
  }
  if (head.status == 204 || head.status == 304) head.body_bytes = 0;
  return true;
}

bool is_whole(std::string_view answer, const Head& head, bool closed) {
  const auto body = answer.substr(head.size);
  if (head.chunked) return body.ends_with("0\r\n\r\n");
  if (head.body_bytes >= 0) return body.size() >= static_cast<std::size_t>(head.body_bytes);
  return closed;
}

struct Connection {
  int fd = -1;
  std::string_view request;
  std::size_t sent = 0;
  std::string answer;
  SteadyClock::time_point begun;
  int reconnects = 0;
  bool busy = false;
};

class Load {
 public:
  Load(Options options, std::vector<std::string_view> records)
      : options_(std::move(options)), records_(std::move(records)), receive_(kReceiveBytes) {
    address_.sin_family = AF_INET;
    address_.sin_port = htons(options_.port);
    if (::inet_pton(AF_INET, options_.host.c_str(), &address_.sin_addr) != 1) die("no IPv4 address: " + options_.host);
    limit_ = options_.count > 0 ? options_.count : options_.seconds > 0 ? INT64_MAX : std::ssize(records_);
  }

  int run() {
    begun_ = SteadyClock::now();
    if (options_.udp) send_datagrams();
    else converse();
    return print();
  }

 private:
  double elapsed() const { return std::chrono::duration<double>(SteadyClock::now() - begun_).count(); }
  bool is_over() const { return started_ >= limit_ || (options_.seconds > 0 && elapsed() >= options_.seconds); }

  void send_datagrams() {
    const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0) die("cannot connect");
    while (!is_over()) {
      const auto record = records_[static_cast<std::size_t>(started_) % records_.size()];
      if (::send(fd, record.data(), record.size(), 0) < 0) failures_++;
      started_++;
      done_++;
      bytes_out_ += record.size();
    }
    ::close(fd);
  }

  void connect(Connection& c) {
    for (int attempt = 0;; attempt++) {
      c.fd = ::socket(AF_INET, SOCK_STREAM, 0);
      if (::connect(c.fd, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) == 0) break;
      ::close(c.fd);
      if (attempt == 20) die("cannot connect to port " + std::to_string(options_.port));
      ::usleep(50'000);
    }
    const int one = 1;
    ::setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    ::fcntl(c.fd, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.data.ptr = &c;
    event.events = EPOLLIN;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event);
  }

  // Sends what the socket takes; asks to be woken for the rest.
  void pump(Connection& c) {
    const bool waited = c.sent > 0;
    while (c.sent < c.request.size()) {
      const auto n = ::send(c.fd, c.request.data() + c.sent, c.request.size() - c.sent, MSG_NOSIGNAL);
      if (n <= 0) break;
      c.sent += static_cast<std::size_t>(n);
      bytes_out_ += static_cast<std::size_t>(n);
    }
    const bool unfinished = c.sent < c.request.size();
    if (unfinished || waited) {
      epoll_event event{};
      event.data.ptr = &c;
      event.events = EPOLLIN | (unfinished ? EPOLLOUT : 0U);
      ::epoll_ctl(epoll_, EPOLL_CTL_MOD, c.fd, &event);
    }
  }

  void start(Connection& c) {
    if (is_over()) {
      c.busy = false;
      return;
    }
    c.request = records_[static_cast<std::size_t>(started_++) % records_.size()];
    c.sent = 0;
    c.answer.clear();
    c.busy = true;
    c.reconnects = 0;
    c.begun = SteadyClock::now();
    pump(c);
  }

  // Reads what has come; true when the other side has closed.
  bool receive(Connection& c) {
    for (;;) {
      const auto n = ::recv(c.fd, receive_.data(), receive_.size(), 0);
      if (n > 0) {
        c.answer.append(receive_.data(), static_cast<std::size_t>(n));
        bytes_in_ += static_cast<std::size_t>(n);
        if (static_cast<std::size_t>(n) == receive_.size()) continue;
        if (!options_.delayed_ack) {
          const int one = 1;
          ::setsockopt(c.fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
        }
        return false;
      }
      return n == 0 || (errno != EAGAIN && errno != EINTR);
    }
  }

  void finish(Connection& c, const Head& head, bool closed) {
    latencies_us_.push_back(static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - c.begun).count()));
    statuses_[head.status]++;
    done_++;
    if ((head.status < 200 || head.status >= 300) && first_error_.empty()) first_error_ = c.answer.substr(0, 500);
    if (head.closes || closed) {
      ::close(c.fd);
      reconnects_++;
      connect(c);
    }
    start(c);
  }

  void turn(Connection& c, std::uint32_t events) {
    if (events & EPOLLOUT) pump(c);
    bool closed = false;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) closed = receive(c);
    Head head;
    while (c.busy && parse_head(c.answer, head) && head.status == 100) c.answer.erase(0, head.size);
    if (c.busy && head.status > 100 && is_whole(c.answer, head, closed)) {
      finish(c, head, closed);
    } else if (closed) {
      ::close(c.fd);
      reconnects_++;
      if (++c.reconnects > kReconnectsMax) die("the server closes without an answer");
      connect(c);
      c.sent = 0;
      c.answer.clear();
      if (c.busy) pump(c);
    }
  }

  void converse() {
    epoll_ = ::epoll_create1(0);
    std::vector<Connection> connections(static_cast<std::size_t>(std::min<std::int64_t>(options_.connections, limit_)));
    for (auto& c : connections) connect(c);
    begun_ = SteadyClock::now();
    for (auto& c : connections) start(c);
    std::vector<epoll_event> events(256);
    const auto is_busy = [](const Connection& c) { return c.busy; };
    while (std::any_of(connections.begin(), connections.end(), is_busy)) {
      const int n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), kSilenceMsMax);
      if (n == 0) die("no answer for a minute");
      for (int i = 0; i < n; i++) {
        const auto& event = events[static_cast<std::size_t>(i)];
        turn(*static_cast<Connection*>(event.data.ptr), event.events);
      }
    }
  }

  double percentile_ms(double q) {
    if (latencies_us_.empty()) return 0;
    const auto rank = std::min(latencies_us_.size() - 1, static_cast<std::size_t>(q * static_cast<double>(latencies_us_.size())));
    std::nth_element(latencies_us_.begin(), latencies_us_.begin() + static_cast<std::ptrdiff_t>(rank), latencies_us_.end());
    return latencies_us_[rank] / 1000.0;
  }

  int print() {
    const double seconds = elapsed();
    std::string statuses;
    bool good = failures_ == 0;
    for (const auto& [status, count] : statuses_) {
      statuses += (statuses.empty() ? "\"" : ",\"") + std::to_string(status) + "\":" + std::to_string(count);
      good = good && status >= 200 && status < 300;
    }
    std::printf("{\"requests\":%lld,\"seconds\":%.4f,\"bytes_out\":%llu,\"bytes_in\":%llu,\"ms_p50\":%.3f,\"ms_p99\":%.3f,"
                "\"ms_max\":%.3f,\"reconnects\":%lld,\"statuses\":{%s}}\n",
                static_cast<long long>(done_), seconds, static_cast<unsigned long long>(bytes_out_),
                static_cast<unsigned long long>(bytes_in_), percentile_ms(.5), percentile_ms(.99), percentile_ms(1),
                static_cast<long long>(reconnects_), statuses.c_str());
    if (!first_error_.empty()) std::fprintf(stderr, "first error: %s\n", first_error_.c_str());
    return good ? 0 : 1;
  }

  Options options_;
  std::vector<std::string_view> records_;
  std::vector<char> receive_;
  sockaddr_in address_{};
  int epoll_ = -1;
  SteadyClock::time_point begun_;
  std::int64_t limit_ = 0, started_ = 0, done_ = 0, failures_ = 0, reconnects_ = 0;
  std::uint64_t bytes_out_ = 0, bytes_in_ = 0;
  std::vector<std::uint32_t> latencies_us_;
  std::map<int, std::int64_t> statuses_;
  std::string first_error_;
};

}  // namespace

int main(int argc, char** argv) {
  auto options = parse({argv, static_cast<std::size_t>(argc)});
  auto records = load(options.file);
  return Load(std::move(options), std::move(records)).run();
}
