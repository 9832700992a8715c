// Alarms and notifications by themselves, without the API's socket:
//
//   bench_notifications alarms [N]            put N alarms (durably), evaluate them for a minute
//   bench_notifications fanout [N] [SUBSCRIBERS] [raw|signed]   deliver N messages by http on loopback
//   bench_notifications latency [N]           change of an alarm's state to the arrival of its message
//
// Subscribers are one child process that answers 200 at once, so the CPU time shown is the sender's.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <thread>
#include <unordered_map>

#include "api/cloudwatch/alarm_operations.h"
#include "api/sns/service.h"
#include "server/outbound.h"
#include "storage/metric_store.h"
#include "storage/wal/resource_log.h"

using namespace fog;

namespace {

constexpr const char* kAccount = "123456789012";
constexpr const char* kRegion = "us-east-1";

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double now_seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Shared with the child: how many requests it has answered, when the last one came.
struct Tally {
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::int64_t> last_ns{0};
};

// Answers every POST with 200; Content-Length bodies only.
[[noreturn]] void serve(int listener, Tally& tally) {
  const int epoll = ::epoll_create1(0);
  epoll_event event{.events = EPOLLIN, .data = {.fd = listener}};
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  std::unordered_map<int, std::string> buffers;
  constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  std::vector<epoll_event> events(256);
  std::string chunk(1 << 20, '\0');
  for (;;) {
    const int n = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < n; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener) {
        const int link = ::accept(listener, nullptr, nullptr);
        const int on = 1;
        ::setsockopt(link, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        event = {.events = EPOLLIN, .data = {.fd = link}};
        ::epoll_ctl(epoll, EPOLL_CTL_ADD, link, &event);
        continue;
      }
      const ssize_t size = ::read(fd, chunk.data(), chunk.size());
      if (size <= 0) {
        ::close(fd);
        buffers.erase(fd);
        continue;
      }
      std::string& buffer = buffers[fd];
      buffer.append(chunk.data(), static_cast<std::size_t>(size));
      std::string answers;
      for (;;) {
        const std::size_t head = buffer.find("\r\n\r\n");
        if (head == std::string::npos) break;
        std::size_t at = buffer.find("Content-Length: ");
        if (at == std::string::npos || at > head) at = buffer.find("content-length: ");
        const std::size_t length = at == std::string::npos || at > head ? 0 : static_cast<std::size_t>(std::atoll(buffer.c_str() + at + 16));
        if (buffer.size() < head + 4 + length) break;
        buffer.erase(0, head + 4 + length);
        answers += kAnswer;
        tally.last_ns = std::chrono::steady_clock::now().time_since_epoch().count();
        ++tally.requests;
      }
      if (!answers.empty() && ::write(fd, answers.data(), answers.size()) < 0) ::close(fd);
    }
  }
}

struct Sink {
  Tally* tally = nullptr;
  pid_t child = 0;
  int port = 0;

  Sink() {
    tally = new (::mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Tally();
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener, 512);
    socklen_t size = sizeof address;
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    child = ::fork();
    if (child == 0) serve(listener, *tally);
    ::close(listener);
  }
  ~Sink() {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
};

// Stores on disk, synced as a server's are.
struct World {
  std::filesystem::path folder = std::filesystem::temp_directory_path() / fmt::format("fogwatch-bench-{}", ::getpid());
  VirtualClock clock;
  SystemRandom random;
  std::unique_ptr<ResourceStore> resources;
  std::unique_ptr<Wal> wal;
  std::unique_ptr<ResourceLog> log;
  std::unique_ptr<MetricStore> metrics;
  std::unique_ptr<WorkerPool> pool = std::make_unique<WorkerPool>(2);
  std::unique_ptr<CurlOutbound> outbound = std::make_unique<CurlOutbound>(CurlOutbound::Options{.rules = {.allow_private = true}, .smtp = {}});
  std::unique_ptr<sns::Sns> sns;
  Services services;

  class NoOutbox final : public Outbox {
   public:
    Status add(OutboxMessage) override { return Ok{}; }
    std::vector<OutboxMessage> list(const OutboxFilter&) const override { return {}; }
    Status clear(const OutboxFilter&) override { return Ok{}; }
  } outbox;

  World() {
    std::filesystem::create_directories(folder);
    resources = std::move(ResourceStore::open(folder / "resources.db")).value();
    wal = std::move(Wal::open({.folder = folder / "wal"})).value();
    if (!wal->replay([](const Wal::Record&) {}).ok()) std::abort();
    log = std::make_unique<ResourceLog>(*resources, *wal);
    metrics = std::move(MetricStore::open({.folder = folder / "metrics"}, *wal, clock)).value();
    sns = std::make_unique<sns::Sns>(sns::Sns::Deps{.resources = *resources, .wal = *wal, .outbound = *outbound, .outbox = outbox, .clock = clock,
                                                    .random = random, .pool = pool.get(), .queues = nullptr, .log = log.get()},
                                     sns::Options{});
    if (!sns->load().ok()) std::abort();
    services.add<ResourceStore>(*resources);
    services.add<MetricStore>(*metrics);
    services.add<ResourceLog>(*log);
    services.add<sns::Sns>(*sns);
  }
  ~World() {
    pool.reset();
    outbound.reset();
    sns.reset();
    metrics.reset();
    log.reset();
    wal.reset();
    std::filesystem::remove_all(folder);
  }

  template <typename Input>
  typename Input::Output run(std::span<const Operation> table, const Input& input, Lsn* lsn = nullptr) {
    for (const Operation& operation : table) {
      if (operation.info != &Input::kOperation) continue;
      Call call;
      call.account = kAccount;
      call.region = kRegion;
      call.now = clock.now();
      call.services = &services;
      typename Input::Output output;
      if (Status done = operation.invoke(call, &input, &output); !done.ok()) {
        fmt::print(stderr, "{}: {}\n", Input::kOperation.name, done.error().message());
        std::exit(1);
      }
      if (lsn != nullptr) *lsn = call.durable_lsn;
      return output;
    }
    std::abort();
  }
  template <typename Input>
  typename Input::Output run(const Service& service, const Input& input) {
    for (const auto& table : service.operations) {
      for (const Operation& operation : table)
        if (operation.info == &Input::kOperation) return run(std::span(&operation, 1), input);
    }
    std::abort();
  }

  std::string topic(const Sink& sink, int subscribers, bool raw) {
    const Service service = sns::service();
    sns::CreateTopicInput create;
    create.name = "bench";
    const std::string arn = *run(service, create).topic_arn;
    for (int i = 0; i < subscribers; ++i) {
      sns::SubscribeInput subscribe;
      subscribe.topic_arn = arn;
      subscribe.protocol = "http";
      subscribe.endpoint = fmt::format("http://127.0.0.1:{}/{}", sink.port, i);
      subscribe.return_subscription_arn = true;
      if (raw) subscribe.attributes = std::map<std::string, std::string>{{"RawMessageDelivery", "true"}};
      const std::string own = *run(service, subscribe).subscription_arn;
      sns::ConfirmSubscriptionInput confirm;
      confirm.topic_arn = arn;
      confirm.token = sns->state().subscription(own)->document.tokens.back().token;
      run(service, confirm);
    }
    // Requests for confirmation that were overtaken by it are dropped, the others arrive.
    while (sns->deliveries().stats().waiting > 0) std::this_thread::sleep_for(Millis(10));
    return arn;
  }
};

cloudwatch::PutMetricAlarmInput alarm_input(int i, const std::string& topic) {
  cloudwatch::PutMetricAlarmInput in;
  in.alarm_name = fmt::format("alarm-{:06}", i);
  in.namespace_ = "Bench";
  in.metric_name = "Latency";
  in.dimensions = std::vector<cloudwatch::Dimension>{{.name = "Host", .value = fmt::format("h{}", i)}};
  in.statistic = cloudwatch::Statistic::Average;
  in.period = 60;
  in.evaluation_periods = 3;
  in.threshold = 100;
  in.comparison_operator = cloudwatch::ComparisonOperator::GreaterThanThreshold;
  if (!topic.empty()) in.alarm_actions = in.ok_actions = std::vector<std::string>{topic};
  return in;
}

void observe(World& world, int n, double value, Timestamp at) {
  std::vector<std::string> hosts(static_cast<std::size_t>(n));
  for (int i = 0; i < n; i += 1000) {
    std::vector<MetricPoint> points;
    std::vector<std::vector<DimensionView>> dimensions;
    const int end = std::min(n, i + 1000);
    dimensions.reserve(1000);
    for (int k = i; k < end; ++k) {
      auto& host = hosts[static_cast<std::size_t>(k)];
      host = fmt::format("h{}", k);
      dimensions.push_back({{"Host", host}});
      MetricPoint point;
      point.metric_namespace = "Bench";
      point.metric_name = "Latency";
      point.dimensions = dimensions.back();
      point.time = at;
      point.unit = kUnitNone;
      point.values = std::span(&value, 1);
      points.push_back(point);
    }
    if (!world.metrics->put({.account = kAccount, .region = kRegion, .points = points}).ok()) std::abort();
  }
}

int alarms(int n) {
  World world;
  cloudwatch::AlarmBook book(*world.resources, world.log.get());
  cloudwatch::AlarmEngine engine({.book = book, .services = world.services, .clock = world.clock, .random = world.random, .topics = world.sns.get(),
                                  .outbound = world.outbound.get()},
                                 {});
  world.services.add<cloudwatch::AlarmEngine>(engine);
  const Timestamp start = std::chrono::floor<std::chrono::minutes>(world.clock.now()) - std::chrono::minutes(20);
  world.clock.set_rate(0);
  world.clock.set(start);
  engine.start(start);

  double cpu = cpu_seconds(), began = now_seconds();
  Lsn last = 0;
  for (int i = 0; i < n; ++i) world.run(cloudwatch::alarm_put_operations(), alarm_input(i, ""), &last);
  if (!world.wal->wait_durable(last).ok()) return 1;
  fmt::print("put {} alarms, durable: {:.2f} s, {:.1f} us of CPU each\n", n, now_seconds() - began, (cpu_seconds() - cpu) * 1e6 / n);
  cpu = cpu_seconds();
  if (!world.log->flush().ok()) return 1;
  fmt::print("carried over to SQLite: {:.1f} us of CPU each\n", (cpu_seconds() - cpu) * 1e6 / n);

  for (int minute = 0; minute < 10; ++minute) observe(world, n, 10, start + std::chrono::minutes(minute));
  // The first minute changes every state; the one after it is what every minute costs.
  for (int minute = 6; minute < 9; ++minute) {
    cpu = cpu_seconds();
    double slowest = 0;
    for (int second = 0; second < 60; ++second) {
      world.clock.set(start + std::chrono::minutes(minute) + std::chrono::seconds(second));
      const double tick = now_seconds();
      engine.tick(world.clock.now());
      slowest = std::max(slowest, now_seconds() - tick);
    }
    fmt::print("{}: {:.0f} ms of CPU a minute, slowest tick {:.0f} ms\n", minute == 6 ? "first evaluations, all change state" : "evaluation",
               (cpu_seconds() - cpu) * 1e3, slowest * 1e3);
  }
  return 0;
}

int fanout(int n, int subscribers, bool raw) {
  Sink sink;
  World world;
  const std::string arn = world.topic(sink, subscribers, raw);
  const auto before = sink.tally->requests.load();
  const auto to = world.sns->state().publication(arn);
  if (!world.sns->signer().certificate_name().ok()) return 1;
  const double cpu = cpu_seconds(), began = now_seconds();
  const auto wanted = static_cast<std::uint64_t>(n) * static_cast<std::uint64_t>(subscribers);
  sns::Publisher publisher{.account = kAccount, .region = kRegion, .base_url = "http://127.0.0.1:4566", .principal = {}, .trace_header = {}, .now = world.clock.now()};
  for (int i = 0; i < n; ++i) {
    sns::Draft draft;
    draft.message = fmt::format(R"({{"order":{},"text":"{}"}})", i, std::string(200, 'x'));
    sns::Checked checked{.message = draft.message};
    if (!world.sns->publish(publisher, to, draft, std::move(checked)).ok()) return 1;
    if (i % 64 == 0) {  // a server's callers wait for the disk, too
      while (world.sns->deliveries().stats().waiting > 20'000) std::this_thread::sleep_for(Millis(1));
    }
  }
  const double published = now_seconds() - began;
  while (sink.tally->requests - before < wanted && now_seconds() - began < 300) {
    std::this_thread::sleep_for(Millis(2));
    world.sns->deliveries().tick(world.clock.now());
  }
  const double wall = now_seconds() - began, used = cpu_seconds() - cpu;
  const auto stats = world.sns->deliveries().stats();
  fmt::print("{} messages to {} subscribers, {}: {} arrived of {}, {:.0f}/s, {:.0f} per CPU-s (published in {:.2f} s; failed attempts {})\n", n, subscribers,
             raw ? "raw" : "signed", sink.tally->requests - before, wanted, static_cast<double>(wanted) / wall, static_cast<double>(wanted) / used, published,
             stats.failed_attempts);
  return sink.tally->requests - before >= wanted ? 0 : 1;
}

int latency(int n) {
  Sink sink;
  World world;
  const std::string arn = world.topic(sink, 1, false);
  cloudwatch::AlarmBook book(*world.resources, world.log.get());
  cloudwatch::AlarmEngine engine({.book = book, .services = world.services, .clock = world.clock, .random = world.random, .topics = world.sns.get(),
                                  .outbound = world.outbound.get()},
                                 {});
  world.services.add<cloudwatch::AlarmEngine>(engine);
  engine.start(world.clock.now());
  Lsn lsn = 0;
  world.run(cloudwatch::alarm_put_operations(), alarm_input(0, arn), &lsn);
  std::vector<double> took;
  for (int i = 0; i < n; ++i) {
    const auto before = sink.tally->requests.load();
    const std::int64_t began = std::chrono::steady_clock::now().time_since_epoch().count();
    cloudwatch::SetAlarmStateInput in;
    in.alarm_name = "alarm-000000";
    in.state_value = i % 2 == 0 ? cloudwatch::StateValue::ALARM : cloudwatch::StateValue::OK;
    in.state_reason = "bench";
    world.run(cloudwatch::alarm_put_operations(), in, &lsn);
    if (!world.wal->wait_durable(lsn).ok()) return 1;
    while (sink.tally->requests == before) std::this_thread::sleep_for(std::chrono::microseconds(50));
    took.push_back(static_cast<double>(sink.tally->last_ns - began) / 1e6);
  }
  std::sort(took.begin(), took.end());
  const auto at = [&](double q) { return took[std::min(took.size() - 1, static_cast<std::size_t>(q * static_cast<double>(took.size())))]; };
  fmt::print("change of state to arrival, {} times: p50 {:.2f} ms, p99 {:.2f} ms, most {:.2f} ms\n", n, at(0.5), at(0.99), took.back());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "alarms";
  const int n = argc > 2 ? std::atoi(argv[2]) : 0;
  ::signal(SIGPIPE, SIG_IGN);
  if (what == "alarms") return alarms(n > 0 ? n : 10'000);
  if (what == "fanout") return fanout(n > 0 ? n : 50'000, argc > 3 ? std::atoi(argv[3]) : 10, argc <= 4 || std::string_view(argv[4]) != "signed");
  if (what == "latency") return latency(n > 0 ? n : 1'000);
  fmt::print(stderr, "bench_notifications alarms|fanout|latency\n");
  return 2;
}
