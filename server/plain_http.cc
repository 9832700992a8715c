#include "server/plain_http.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "storage/base/log.h"

namespace fog {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kHeadBytesMax = 64 * 1024;
constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::chrono::seconds kIdleKept{30};
constexpr int kLookAroundMs = 50;  // how exactly time-outs are kept

struct Task {
  PlainHttp::Where where{};
  OutboundRequest request{};
  Outbound::HttpDone done{};
  SteadyClock::time_point began{};
  bool again = false;  // on a fresh connection, after a kept one turned out to be closed
};

bool equal_ignoring_case(std::string_view a, std::string_view b) { return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0; }

// An answer as it comes in.
class Answer {
 public:
  enum class State { kMore, kDone, kBroken };

  explicit Answer(std::size_t body_max = 0, bool head_only = false) : body_max_(body_max), head_only_(head_only) {}

  State take(std::string_view bytes) {
    if (!in_body_) {
      head_ += bytes;
      for (;;) {
        const std::size_t end = head_.find("\r\n\r\n");
        if (end == std::string::npos) return head_.size() > kHeadBytesMax ? State::kBroken : State::kMore;
        if (!read_head(std::string_view(head_).substr(0, end))) return State::kBroken;
        std::string rest = head_.substr(end + 4);
        if (response.status >= 100 && response.status < 200) {  // an interim answer: the real one follows
          head_ = std::move(rest);
          response.headers.clear();
          continue;
        }
        in_body_ = true;
        head_.clear();
        if (head_only_ || response.status == 204 || response.status == 304 || (!chunked_ && length_ == 0)) return State::kDone;
        return rest.empty() ? State::kMore : body(rest);
      }
    }
    return body(bytes);
  }
  // The other side closed the connection: an answer without a length ends so.
  bool ends_with_connection() const { return in_body_ && !chunked_ && !length_; }
  bool began() const { return in_body_ || !head_.empty(); }
  bool keeps_connection() const { return keep_ && !cut; }

  OutboundResponse response{};
  bool cut = false;  // longer than wanted: what has come counts

 private:
  bool read_head(std::string_view head) {
    const std::size_t line_end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, line_end);
    if (!line.starts_with("HTTP/1.") || line.size() < 12) return false;
    keep_ = line[7] == '1';
    chunked_ = false;
    length_.reset();
    const auto [end, error] = std::from_chars(line.data() + 9, line.data() + 12, response.status);
    if (error != std::errc{} || end != line.data() + 12 || response.status < 100) return false;
    std::string_view rest = head.substr(std::min(line_end + 2, head.size()));
    while (!rest.empty()) {
      const std::size_t n = std::min(rest.find("\r\n"), rest.size());
      const std::string_view header = rest.substr(0, n);
      rest.remove_prefix(std::min(n + 2, rest.size()));
      const std::size_t colon = header.find(':');
      if (colon == std::string_view::npos || colon == 0) return false;
      const std::string_view name = header.substr(0, colon);
      std::string_view value = header.substr(colon + 1);
      while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
      while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
      if (equal_ignoring_case(name, "content-length")) {
        std::uint64_t number = 0;
        const auto [stop, bad] = std::from_chars(value.data(), value.data() + value.size(), number);
        if (bad != std::errc{} || stop != value.data() + value.size()) return false;
        length_ = number;
      } else if (equal_ignoring_case(name, "transfer-encoding")) {
        if (!equal_ignoring_case(value, "chunked")) return false;
        chunked_ = true;
      } else if (equal_ignoring_case(name, "connection")) {
        if (equal_ignoring_case(value, "close")) keep_ = false;
      }
      if (response.headers.size() < 64) response.headers.emplace_back(name, value);
    }
    return true;
  }

  State keep_bytes(std::string_view bytes) {
    const std::size_t room = body_max_ - response.body.size();
    response.body.append(bytes.substr(0, room));
    if (bytes.size() <= room) return State::kMore;
    cut = true;
    return State::kDone;
  }

  State body(std::string_view bytes) {
    if (!chunked_) {
      const bool known = length_.has_value();
      const std::string_view own = known ? bytes.substr(0, *length_ - seen_) : bytes;
      seen_ += own.size();
      if (keep_bytes(own) == State::kDone) return State::kDone;
      if (!known) {
        keep_ = false;
        return State::kMore;
      }
      if (own.size() < bytes.size()) keep_ = false;  // more than was announced
      return seen_ == *length_ ? State::kDone : State::kMore;
    }
    chunk_ += bytes;
    for (;;) {
      if (chunk_left_ > 0) {
        const std::size_t n = std::min<std::size_t>(chunk_left_, chunk_.size());
        if (keep_bytes(std::string_view(chunk_).substr(0, n)) == State::kDone) return State::kDone;
        chunk_.erase(0, n);
        chunk_left_ -= n;
        if (chunk_left_ > 0) return State::kMore;
        in_chunk_end_ = true;
      }
      if (in_chunk_end_) {
        if (chunk_.size() < 2) return State::kMore;
        if (!chunk_.starts_with("\r\n")) return State::kBroken;
        chunk_.erase(0, 2);
        in_chunk_end_ = false;
      }
      const std::size_t end = chunk_.find("\r\n");
      if (end == std::string::npos) return chunk_.size() > 1024 ? State::kBroken : State::kMore;
      if (in_trailer_) {
        if (end == 0) return State::kDone;
        chunk_.erase(0, end + 2);
        continue;
      }
      std::uint64_t size = 0;
      const auto [stop, error] = std::from_chars(chunk_.data(), chunk_.data() + end, size, 16);
      if (error != std::errc{} || (stop != chunk_.data() + end && *stop != ';' && *stop != ' ')) return State::kBroken;
      chunk_.erase(0, end + 2);
      if (size == 0) in_trailer_ = true;
      chunk_left_ = size;
    }
  }

  std::size_t body_max_;
  bool head_only_;
  std::string head_;
  bool in_body_ = false, keep_ = true, chunked_ = false, in_chunk_end_ = false, in_trailer_ = false;
  std::optional<std::uint64_t> length_;
  std::uint64_t seen_ = 0, chunk_left_ = 0;
  std::string chunk_;
};

struct Connection {
  int fd = -1;
  std::string authority{};
  bool connected = false, writing = false, used_before = false, busy = false;
  std::unique_ptr<Task> task{};
  std::string out{};
  std::size_t sent = 0;
  Answer answer{};
  SteadyClock::time_point deadline{};
};

struct Address {
  std::deque<std::unique_ptr<Task>> waiting{};
  std::vector<int> idle{};
  std::size_t connections = 0;
};

std::string request_text(const Task& task) {
  const OutboundRequest& request = task.request;
  std::string out;
  out.reserve(512 + request.body.size());
  out += request.method;
  out += ' ';
  out += task.where.target;
  out += " HTTP/1.1\r\nHost: ";
  out += task.where.authority;
  out += "\r\n";
  for (const auto& [name, value] : request.headers) {
    if (equal_ignoring_case(name, "host") || equal_ignoring_case(name, "content-length")) continue;
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
  }
  if (!request.body.empty() || (request.method != "GET" && request.method != "HEAD")) {
    out += "Content-Length: ";
    out += std::to_string(request.body.size());
    out += "\r\n";
  }
  out += "\r\n";
  out += request.body;
  return out;
}

}  // namespace

struct PlainHttp::Impl {
  explicit Impl(Options o) : options(o), buffer(kReadBytes, '\0') {}

  Options options;
  int epoll = -1;
  int event = -1;
  std::thread thread;
  std::mutex mutex;
  std::vector<std::unique_ptr<Task>> incoming;
  bool started = false, stopping = false;
  std::atomic<bool> asleep{false};

  // Of the thread alone.
  std::unordered_map<int, Connection> connections;
  std::unordered_map<std::string, Address> addresses;
  std::string buffer;

  void run();
  void wake() {
    const std::uint64_t one = 1;
    if (::write(event, &one, sizeof one) < 0) LOG_DEBUG("eventfd: {}", errno);
  }
  void start(std::unique_ptr<Task> task);
  void begin(Connection& connection, std::unique_ptr<Task> task);
  void connect(Address& address, std::unique_ptr<Task> task);
  void write_some(Connection& connection);
  void read_some(Connection& connection);
  void watch(Connection& connection, bool writing);
  // The call is over; the connection serves the next one or is closed.
  void end(Connection& connection, std::optional<Error> error, bool reusable);
  void close(Connection& connection);
  void next(const std::string& authority);
  void look_around();
  static void tell(Task& task, Result<OutboundResponse> result) {
    try {
      task.done(std::move(result));
    } catch (const std::exception& e) {
      LOG_ERROR("a delivery's end was not taken: {}", e.what());
    }
  }
};

std::optional<PlainHttp::Where> PlainHttp::parse(std::string_view url) {
  if (!url.starts_with("http://")) return std::nullopt;
  url.remove_prefix(7);
  const std::size_t end = std::min(url.find_first_of("/?#"), url.size());
  const std::string_view authority = url.substr(0, end);
  std::string_view target = url.substr(end);
  target = target.substr(0, target.find('#'));
  for (const char c : target) {
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f) return std::nullopt;
  }
  std::string host(authority);
  int port = 80;
  const bool ip6 = authority.starts_with('[');
  const std::size_t colon = ip6 ? authority.find("]:") : authority.find(':');
  if (colon != std::string_view::npos) {
    const std::string_view digits = authority.substr(colon + (ip6 ? 2 : 1));
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc{} || stop != digits.data() + digits.size() || port < 1 || port > 65535) return std::nullopt;
    host = std::string(authority.substr(0, colon + (ip6 ? 1 : 0)));
  }
  Where out;
  if (ip6) {
    if (!host.ends_with(']')) return std::nullopt;
    auto& address = reinterpret_cast<sockaddr_in6&>(out.address);
    if (::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &address.sin6_addr) != 1) return std::nullopt;
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(static_cast<std::uint16_t>(port));
    out.length = sizeof(sockaddr_in6);
  } else {
    auto& address = reinterpret_cast<sockaddr_in&>(out.address);
    if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) return std::nullopt;
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    out.length = sizeof(sockaddr_in);
  }
  out.authority = std::string(authority);
  out.target = target.starts_with('/') ? std::string(target) : "/" + std::string(target);
  return out;
}

PlainHttp::PlainHttp(Options options) : impl_(std::make_unique<Impl>(options)) {}

PlainHttp::~PlainHttp() {
  Impl& impl = *impl_;
  {
    const std::lock_guard lock(impl.mutex);
    impl.stopping = true;
    if (impl.started) impl.wake();
  }
  if (impl.thread.joinable()) impl.thread.join();
  for (auto& task : impl.incoming) Impl::tell(*task, Error::busy("the server is stopping"));
  for (auto& [authority, address] : impl.addresses)
    for (auto& task : address.waiting) Impl::tell(*task, Error::busy("the server is stopping"));
  for (auto& [fd, connection] : impl.connections) {
    if (connection.task) Impl::tell(*connection.task, Error::busy("the server is stopping"));
    ::close(fd);
  }
  if (impl.event >= 0) ::close(impl.event);
  if (impl.epoll >= 0) ::close(impl.epoll);
}

void PlainHttp::submit(Where where, OutboundRequest request, Outbound::HttpDone done) {
  auto task = std::make_unique<Task>();
  task->where = std::move(where);
  task->request = std::move(request);
  task->done = std::move(done);
  task->began = SteadyClock::now();
  Impl& impl = *impl_;
  {
    const std::lock_guard lock(impl.mutex);
    impl.incoming.push_back(std::move(task));
    if (!impl.started) {
      impl.started = true;
      impl.epoll = ::epoll_create1(EPOLL_CLOEXEC);
      impl.event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
      epoll_event watched{};
      watched.events = EPOLLIN;
      watched.data.fd = impl.event;
      ::epoll_ctl(impl.epoll, EPOLL_CTL_ADD, impl.event, &watched);
      impl.thread = std::thread([&impl] { impl.run(); });
    }
  }
  if (impl.asleep.load()) impl.wake();
}

void PlainHttp::Impl::run() {
  std::vector<epoll_event> events(256);
  std::vector<std::unique_ptr<Task>> fresh;
  auto looked = SteadyClock::now();
  for (;;) {
    {
      const std::lock_guard lock(mutex);
      if (stopping) return;
      fresh.swap(incoming);
    }
    for (auto& task : fresh) start(std::move(task));
    fresh.clear();
    // Whoever submits from here on sees that this thread sleeps, or it sees what was submitted.
    asleep = true;
    bool more = false;
    {
      const std::lock_guard lock(mutex);
      more = !incoming.empty() || stopping;
    }
    const int n = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), more ? 0 : connections.empty() ? -1 : kLookAroundMs);
    asleep = false;
    for (int i = 0; i < n; ++i) {
      const epoll_event& one = events[static_cast<std::size_t>(i)];
      if (one.data.fd == event) {
        std::uint64_t count = 0;
        if (::read(event, &count, sizeof count) < 0) continue;
        continue;
      }
      const auto found = connections.find(one.data.fd);
      if (found == connections.end()) continue;
      Connection& connection = found->second;
      if (!connection.busy) {  // idle, and the other side has something to say: it closes
        close(connection);
        continue;
      }
      if (connection.writing && (one.events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) write_some(connection);
      else if ((one.events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) read_some(connection);
    }
    if (const auto now = SteadyClock::now(); now - looked > Millis(kLookAroundMs)) {
      looked = now;
      look_around();
    }
  }
}

void PlainHttp::Impl::start(std::unique_ptr<Task> task) {
  if (options.rules != nullptr) {
    const auto& to = reinterpret_cast<const sockaddr&>(task->where.address);
    if (const auto why = options.rules->why_denied(to, task->where.length); !why.empty()) {
      tell(*task, Error::denied(std::string(why)));
      return;
    }
  }
  Address& address = addresses[task->where.authority];
  if (!task->again && !address.idle.empty()) {
    Connection& connection = connections.at(address.idle.back());
    address.idle.pop_back();
    connection.used_before = true;
    begin(connection, std::move(task));
  } else if (task->again || address.connections < options.connections_per_address_max) {
    connect(address, std::move(task));
  } else {
    address.waiting.push_back(std::move(task));
  }
}

void PlainHttp::Impl::connect(Address& address, std::unique_ptr<Task> task) {
  const auto& to = reinterpret_cast<const sockaddr&>(task->where.address);
  const int fd = ::socket(to.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return tell(*task, Error::busy("no socket"));
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const bool done = ::connect(fd, &to, task->where.length) == 0;
  if (!done && errno != EINPROGRESS) {
    ::close(fd);
    return tell(*task, Error::busy("Couldn't connect to server"));
  }
  ++address.connections;
  Connection& connection = connections[fd];
  connection.fd = fd;
  connection.authority = task->where.authority;
  connection.connected = done;
  epoll_event watched{};
  watched.events = EPOLLOUT;
  watched.data.fd = fd;
  connection.writing = true;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &watched);
  begin(connection, std::move(task));
}

void PlainHttp::Impl::begin(Connection& connection, std::unique_ptr<Task> task) {
  connection.busy = true;
  if (!task->again) task->began = SteadyClock::now();
  connection.out = request_text(*task);
  connection.sent = 0;
  connection.answer = Answer(task->request.response_bytes_max, task->request.method == "HEAD");
  connection.deadline = task->began + task->request.timeout;
  if (!connection.connected) connection.deadline = std::min(connection.deadline, SteadyClock::now() + options.connect_timeout);
  connection.task = std::move(task);
  if (connection.connected) write_some(connection);
}

void PlainHttp::Impl::watch(Connection& connection, bool writing) {
  if (connection.writing == writing) return;
  connection.writing = writing;
  epoll_event watched{};
  watched.events = writing ? EPOLLOUT : EPOLLIN;
  watched.data.fd = connection.fd;
  ::epoll_ctl(epoll, EPOLL_CTL_MOD, connection.fd, &watched);
}

void PlainHttp::Impl::write_some(Connection& connection) {
  if (!connection.connected) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return end(connection, Error::busy("Couldn't connect to server"), false);
    connection.connected = true;
    connection.deadline = connection.task->began + connection.task->request.timeout;
  }
  while (connection.sent < connection.out.size()) {
    const ssize_t n = ::send(connection.fd, connection.out.data() + connection.sent, connection.out.size() - connection.sent, MSG_NOSIGNAL);
    if (n > 0) {
      connection.sent += static_cast<std::size_t>(n);
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return watch(connection, true);
    if (errno == EINTR) continue;
    break;  // perhaps an answer stands there all the same
  }
  watch(connection, false);
}

void PlainHttp::Impl::read_some(Connection& connection) {
  const ssize_t n = ::recv(connection.fd, buffer.data(), buffer.size(), 0);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
  if (n <= 0) {
    if (n == 0 && connection.answer.ends_with_connection()) return end(connection, std::nullopt, false);
    return end(connection, Error::busy(n == 0 ? "Server returned nothing (no headers, no data)" : "Failure when receiving data from the peer"), false);
  }
  switch (connection.answer.take({buffer.data(), static_cast<std::size_t>(n)})) {
    case Answer::State::kMore: return;
    case Answer::State::kBroken: return end(connection, Error::busy("The answer is no HTTP"), false);
    case Answer::State::kDone: return end(connection, std::nullopt, connection.answer.keeps_connection() && connection.sent == connection.out.size());
  }
}

void PlainHttp::Impl::end(Connection& connection, std::optional<Error> error, bool reusable) {
  std::unique_ptr<Task> task = std::move(connection.task);
  OutboundResponse response = std::move(connection.answer.response);
  const bool stale = error && connection.used_before && !connection.answer.began() && SteadyClock::now() < connection.deadline;
  const std::string authority = connection.authority;
  if (reusable) {
    connection.busy = false;
    connection.deadline = SteadyClock::now() + kIdleKept;
    addresses[authority].idle.push_back(connection.fd);
  } else {
    close(connection);
  }
  if (stale) {
    task->again = true;
    start(std::move(task));
  } else {
    response.took = std::chrono::duration_cast<Millis>(SteadyClock::now() - task->began);
    if (error) tell(*task, std::move(*error));
    else tell(*task, std::move(response));
  }
  next(authority);
}

void PlainHttp::Impl::close(Connection& connection) {
  const int fd = connection.fd;
  Address& address = addresses[connection.authority];
  std::erase(address.idle, fd);
  --address.connections;
  const bool forgotten = address.connections == 0 && address.waiting.empty();
  const std::string authority = connection.authority;
  connections.erase(fd);
  ::close(fd);
  if (forgotten) addresses.erase(authority);
}

// Places are free: whoever waits for them.
void PlainHttp::Impl::next(const std::string& authority) {
  for (;;) {
    const auto found = addresses.find(authority);
    if (found == addresses.end() || found->second.waiting.empty()) return;
    Address& address = found->second;
    if (address.idle.empty() && address.connections >= options.connections_per_address_max) return;
    auto task = std::move(address.waiting.front());
    address.waiting.pop_front();
    start(std::move(task));
  }
}

void PlainHttp::Impl::look_around() {
  const auto now = SteadyClock::now();
  std::vector<int> late;
  for (const auto& [fd, connection] : connections)
    if (now >= connection.deadline) late.push_back(fd);
  for (const int fd : late) {
    const auto found = connections.find(fd);
    if (found == connections.end() || now < found->second.deadline) continue;
    Connection& connection = found->second;
    if (!connection.busy) {
      close(connection);
      continue;
    }
    connection.used_before = false;  // it was slow, not stale
    end(connection, Error::busy("Timeout was reached"), false);
  }
}

}  // namespace fog
