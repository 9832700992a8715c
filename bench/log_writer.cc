// Puts log lines into a running server with PutLogEvents, 1000 events a call, and says what it put.
//
//   bench_log_writer --port P [--events N] [--start-ms T] [--file events.ndjson] [--connections 4] [--rate EVENTS_PER_S]
//
// Lines come from log_lines.h; times are laid so that the last one is just before now unless --start-ms says
// otherwise. Printed as one line of JSON: events, bytes, seconds, first and last time, counts by level, lines
// with ERROR, and a request id from the middle. Any answer but 200, and any rejected event, ends it with 1.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <set>
#include <thread>

#include "bench/log_lines.h"

namespace {

using fog::bench::Batch;
using Clock = std::chrono::steady_clock;

[[noreturn]] void die(const std::string& why) {
  fmt::print(stderr, "{}\n", why);
  std::exit(1);
}

// One kept-alive connection with at most one request under way.
class Link {
 public:
  explicit Link(std::uint16_t port) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fd_ < 0 || ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("cannot connect");
  }
  ~Link() { ::close(fd_); }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void send(std::string_view operation, std::string_view body) {
    finish();
    std::string all = fmt::format(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Logs_20140328.{}\r\n"
        "Authorization: AWS4-HMAC-SHA256 Credential=test/20261101/us-east-1/logs/aws4_request, SignedHeaders=host, Signature={:064}\r\n"
        "Content-Length: {}\r\n\r\n", operation, 0, body.size());
    all += body;
    for (std::string_view rest = all; !rest.empty();) {
      const ssize_t n = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (n <= 0) die("the server closed the connection");
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
    waiting_ = true;
  }

  // Reads the answer to the request under way, if there is one.
  void finish(bool may_exist = false) {
    if (!waiting_) return;
    waiting_ = false;
    std::string answer;
    std::size_t head = std::string::npos;
    std::size_t length = 0;
    char buffer[16384];
    while (head == std::string::npos || answer.size() < head + length) {
      const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
      if (n <= 0) die("the server closed the connection");
      answer.append(buffer, static_cast<std::size_t>(n));
      if (head == std::string::npos && (head = answer.find("\r\n\r\n")) != std::string::npos) {
        head += 4;
        const std::size_t at = answer.find("Content-Length: ");
        if (at == std::string::npos || at > head) die("an answer without its length");
        length = std::strtoull(answer.c_str() + at + 16, nullptr, 10);
      }
    }
    const bool refused = !answer.starts_with("HTTP/1.1 200");
    if (answer.find("rejectedLogEventsInfo") != std::string::npos ||
        (refused && !(may_exist && answer.find("ResourceAlreadyExistsException") != std::string::npos)))
      die(answer);
  }

 private:
  int fd_ = -1;
  bool waiting_ = false;
};

void append_json(std::string_view text, std::string& out) {
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
}

std::string group_name(std::uint64_t group) { return fmt::format("/bench/group-{}", group); }
std::string stream_name(std::uint64_t stream) { return fmt::format("stream-{}", stream); }

}  // namespace

int main(int argc, char** argv) {
  std::string file;
  std::size_t events = 100'000;
  std::int64_t start_ms = 0;
  std::size_t connections = 4;
  double rate = 0;
  std::uint16_t port = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--port") == 0) port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
    if (std::strcmp(argv[i], "--file") == 0) file = argv[i + 1];
    if (std::strcmp(argv[i], "--events") == 0) events = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--start-ms") == 0) start_ms = std::strtoll(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--connections") == 0) connections = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--rate") == 0) rate = std::strtod(argv[i + 1], nullptr);
  }
  if (port == 0) die("usage: bench_log_writer --port P [--events N] [--start-ms T] [--file F] [--connections N] [--rate R]");
  // A line every 3.1 ms; a little more, so that the end lies before now.
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  if (start_ms == 0) start_ms = now - static_cast<std::int64_t>(static_cast<double>(events) * 3.3) - 60'000;

  std::vector<std::unique_ptr<Link>> links;
  for (std::size_t i = 0; i < connections; ++i) links.push_back(std::make_unique<Link>(port));
  std::set<std::uint64_t> groups;
  std::set<std::uint64_t> streams;
  std::map<std::string, std::uint64_t> levels;
  std::uint64_t put = 0;
  std::uint64_t bytes = 0;
  std::uint64_t errors = 0;
  std::int64_t first = INT64_MAX;
  std::int64_t last = 0;
  std::string needle;
  std::size_t next_link = 0;
  std::string body;
  const auto began = Clock::now();
  const auto emit = [&](const Batch& batch) {
    Link& link = *links[next_link++ % links.size()];
    if (groups.insert(batch.group).second) {
      link.send("CreateLogGroup", fmt::format(R"({{"logGroupName":"{}"}})", group_name(batch.group)));
      link.finish(true);
    }
    if (streams.insert(batch.stream).second) {
      link.send("CreateLogStream", fmt::format(R"({{"logGroupName":"{}","logStreamName":"{}"}})", group_name(batch.group), stream_name(batch.stream)));
      link.finish(true);
    }
    std::vector<const std::pair<std::int64_t, std::string>*> sorted;
    for (const auto& event : batch.events) sorted.push_back(&event);
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->first < b->first; });
    body = fmt::format(R"({{"logGroupName":"{}","logStreamName":"{}","logEvents":[)", group_name(batch.group), stream_name(batch.stream));
    for (const auto* event : sorted) {
      if (event != sorted.front()) body += ',';
      fmt::format_to(std::back_inserter(body), R"({{"timestamp":{},"message":")", event->first);
      append_json(event->second, body);
      body += "\"}";
      ++put;
      bytes += event->second.size();
      first = std::min(first, event->first);
      last = std::max(last, event->first);
      const std::string& m = event->second;
      if (m.find("ERROR") != std::string::npos) ++errors;
      if (const std::size_t at = m.find("\"level\":\""); at != std::string::npos) {
        const std::size_t from = at + 9;
        ++levels[m.substr(from, m.find('"', from) - from)];
      }
      if (const std::size_t at = m.find("\"request_id\":\""); at != std::string::npos && (needle.empty() || put < events / 3)) needle = m.substr(at + 14, 36);
    }
    body += "]}";
    link.send("PutLogEvents", body);
    if (rate > 0) std::this_thread::sleep_until(began + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(static_cast<double>(put) / rate)));
  };
  if (file.empty())
    fog::bench::generate(events, start_ms, emit);
  else
    fog::bench::read_file(file, events, emit);
  for (const auto& link : links) link->finish();
  const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  std::string by_level;
  for (const auto& [level, count] : levels) by_level += fmt::format("{}\"{}\":{}", by_level.empty() ? "" : ",", level, count);
  fmt::print(R"({{"events":{},"bytes":{},"seconds":{:.3f},"first_ms":{},"last_ms":{},"errors":{},"needle":"{}","levels":{{{}}},"groups":[)", put, bytes, seconds,
             first, last, errors, needle, by_level);
  for (const std::uint64_t group : groups) fmt::print("{}\"{}\"", group == *groups.begin() ? "" : ",", group_name(group));
  fmt::print("]}}\n");
  return 0;
}
