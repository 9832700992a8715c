#include "server/app.h"

#include <future>
#include <sched.h>
#include <sys/resource.h>

#include <cstdlib>
#include <latch>
#include <shared_mutex>
#include <thread>

#include <fstream>
#include <iterator>

#include "api/cloudwatch/alarm_operations.h"
#include "api/cloudwatch/metric_stream_worker.h"
#include "api/cloudwatch/metric_tags.h"
#include "api/cloudwatch/metrics.h"
#include "api/cloudwatch/service.h"
#include "api/auth/keys.h"
#include "api/auth/sessions.h"
#include "api/common/protocol.h"
#include "api/common/registry.h"
#include "api/common/services.h"
#include "api/control/clock_keeper.h"
#include "api/control/control.h"
#include "api/control/key_pages.h"
#include "api/control/outbox_store.h"
#include "api/control/request_log.h"
#include "api/control/usage.h"
#include "api/control/sign_in.h"
#include "api/logs/event_pipeline.h"
#include "api/logs/http_ingest.h"
#include "api/logs/line_ingest.h"
#include "api/logs/log_query_runner.h"
#include "api/logs/queries.h"
#include "api/logs/reader.h"
#include "api/logs/service.h"
#include "api/logs/side_tasks.h"
#include "api/neighbours/metadata.h"
#include "api/neighbours/neighbours.h"
#include "api/neighbours/request.h"
#include "api/sns/service.h"
#include "api/sqs/service.h"
#include "api/otlp/logs.h"
#include "api/otlp/metrics.h"
#include "api/otlp/remote_write.h"
#include "api/otlp/statsd_receiver.h"
#include "api/otlp/traces.h"
#include "api/xray/service.h"
#include "server/data_folder.h"
#include "server/entrance.h"
#include "server/disk.h"
#include "server/fast_random.h"
#include "server/gate.h"
#include "server/http.h"
#include "server/line_door.h"
#include "server/outbound.h"
#include "server/pipeline.h"
#include "server/raw_metrics.h"
#include "server/tag_directory.h"
#include "server/usage_sources.h"
#include "server/pressure.h"
#include "server/self_monitoring.h"
#include "server/snapshots.h"
#include "server/tls.h"
#include "server/workers.h"
#include "server/xray_daemon.h"
#include "storage/base/log.h"
#include "storage/base/random.h"
#include "storage/base/worker_pool.h"
#include "storage/log_store.h"
#include "storage/metric_store.h"
#include "storage/resource_store.h"
#include "storage/trace_store.h"
#include "storage/wal/resource_log.h"
#include "storage/wal/wal.h"

namespace fog {
namespace {

// The background thread ticks every second; this long without a round is an illness.
constexpr Millis kWorkersStuck{60'000};

// A return to a snapshot is given up, before anything has happened, when something is busy for longer.
constexpr Millis kRestPatience{5'000};

// Which listener a request came through.
constexpr int kApiDoor = 0;
constexpr int kXrayDoor = 1;
constexpr int kOtlpDoor = 2;

std::size_t cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max<std::size_t>(1, static_cast<std::size_t>(CPU_COUNT(&set)));
}

// A connection is a descriptor, and the usual soft limit of 1024 is soon used up. Gives how many
// connections there can be.
std::size_t raise_descriptor_limit(std::size_t connections_max) {
  constexpr std::size_t kForFiles = 512;  // and for the way out
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return connections_max;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= connections_max + kForFiles) return connections_max;
  const std::size_t possible = limit.rlim_cur > 2 * kForFiles ? limit.rlim_cur - kForFiles : limit.rlim_cur / 2;
  LOG_WARN("the system allows {} open files: {} connections instead of {} (ulimit -n, LimitNOFILE=)", limit.rlim_cur, possible, connections_max);
  return possible;
}

// What a container may use is not all the server's to fill: the kernel's share counts too.
std::uint64_t memory_limit_of(const Config& config) {
  return config.memory_limit != 0 ? config.memory_limit : memory_limit_of_container() / 100 * 85;
}

// Reads certificates that were put in place of the old ones.
class CertificateUpkeep final : public Worker {
 public:
  explicit CertificateUpkeep(Certificate& certificate) : certificate_(certificate) {}
  std::string_view name() const override { return "certificate"; }
  std::optional<Timestamp> next_due(Timestamp) override { return std::nullopt; }
  void tick(Timestamp) override { certificate_.reload_if_changed(); }

 private:
  Certificate& certificate_;
};

class MetricUpkeep final : public Worker {
 public:
  explicit MetricUpkeep(MetricStore& store) : store_(store) {}
  std::string_view name() const override { return "metric-store"; }
  std::optional<Timestamp> next_due(Timestamp now) override { return store_.next_due(now); }
  void tick(Timestamp now) override { store_.tick(now); }

 private:
  MetricStore& store_;
};

// What a reset asks of a store, by the store's own word for it.
template <typename Store, Status (Store::*Erase)(std::string_view account, std::string_view region)>
class Forget final : public Resettable {
 public:
  explicit Forget(Store& store) : store_(store) {}
  Status reset(std::string_view account, std::string_view region) override { return (store_.*Erase)(account, region); }

 private:
  Store& store_;
};

// Makes the key that signs notifications, once the server has been up for a moment; forgets archived
// messages whose time has come.
class SnsUpkeep final : public Worker {
 public:
  SnsUpkeep(sns::Sns& sns, WorkerPool& pool) : sns_(sns), pool_(pool) {}
  std::string_view name() const override { return "sns-upkeep"; }
  std::optional<Timestamp> next_due(Timestamp) override { return std::nullopt; }
  void tick(Timestamp now) override {
    if (now >= next_trim_) {
      next_trim_ = now + std::chrono::hours(1);
      sns_.trim(now);
    }
    if (asked_) return;
    auto done = std::make_shared<std::promise<void>>();
    key_made_ = done->get_future();
    asked_ = pool_.submit([this, done] {
      if (auto made = sns_.signer().certificate_name(); !made.ok()) LOG_WARN("no signing key: {}", made.error().message());
      done->set_value();
    });
    if (!asked_) key_made_ = {};
  }
  // The task stands on what is taken down next.
  ~SnsUpkeep() override {
    if (key_made_.valid()) key_made_.wait();
  }

 private:
  sns::Sns& sns_;
  WorkerPool& pool_;
  bool asked_ = false;
  std::future<void> key_made_;
  Timestamp next_trim_{};
};

std::vector<sns::Target> delivery_targets(const Config& config) {
  std::vector<sns::Target> out;
  for (const auto& [prefix, url] : config.delivery_targets)
    out.push_back({.arn_prefix = prefix, .base_url = url, .access_key = config.delivery_access_key, .secret_key = config.delivery_secret_key});
  return out;
}

std::map<std::string, std::string> function_targets(const Config& config) {
  return {config.delivery_targets.begin(), config.delivery_targets.end()};
}

// The account in a key that AssumeRole gave out; "": another key.
std::string own_account(std::string_view access_key) {
  return access_key.starts_with(neighbours::kOwnKeyPrefix) ? neighbours::account_in_key(access_key) : std::string();
}

std::vector<logs::LogDestination> log_destinations(const Config& config) {
  std::vector<logs::LogDestination> out;
  for (const auto& [prefix, to] : config.log_destinations)
    out.push_back({.arn_prefix = prefix, .to = to, .access_key = config.delivery_access_key, .secret_key = config.delivery_secret_key});
  for (const auto& [prefix, url] : config.delivery_targets)
    out.push_back({.arn_prefix = prefix, .to = "aws+" + url, .access_key = config.delivery_access_key, .secret_key = config.delivery_secret_key});
  return out;
}

// Buckets are log destinations "arn:aws:s3:::NAME", and folders below the export root.
logs::ObjectStore::Options export_buckets(const Config& config) {
  constexpr std::string_view kBucket = "arn:aws:s3:::";
  logs::ObjectStore::Options options;
  for (const auto& [prefix, to] : config.log_destinations)
    if (prefix.starts_with(kBucket)) options.buckets[prefix.substr(kBucket.size())] = to.starts_with("aws+") ? to.substr(4) : to;
  options.root = config.export_root;
  options.access_key = config.delivery_access_key;
  options.secret_key = config.delivery_secret_key;
  options.region = config.region;
  return options;
}

// Firehose ARN -> where a metric stream's records go.
std::map<std::string, cloudwatch::StreamDestination> stream_destinations(const Config& config) {
  std::map<std::string, cloudwatch::StreamDestination> out;
  for (const auto& [arn, to] : config.metric_stream_destinations) {
    cloudwatch::StreamDestination& destination = out[arn];
    if (to.starts_with("file:")) destination.folder = to.substr(5);
    else destination.url = to;
    destination.access_key = config.metric_stream_access_key;
  }
  return out;
}

Result<std::string> read_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) return Error::invalid(fmt::format("{} cannot be read", file.string()));
  return text;
}

std::string_view name_of(Durability durability) {
  switch (durability) {
    case Durability::kStrict: return "strict";
    case Durability::kRelaxed: return "relaxed";
    case Durability::kEphemeral: return "ephemeral";
  }
  return "";
}

}  // namespace

// In order of construction; destroyed from the end.
struct App::Impl {
  explicit Impl(Config c) : config(std::move(c)) {}

  Config config;
  VirtualClock clock;
  SystemRandom random;
  FastRandom request_ids;

  // What is kept.
  std::optional<DataFolder> folder;
  std::unique_ptr<ResourceStore> resources;
  std::unique_ptr<Wal> wal;
  std::unique_ptr<ResourceLog> resource_log;
  std::unique_ptr<MetricStore> metrics;
  std::unique_ptr<TraceStore> traces;
  std::unique_ptr<RecoverableLogStore> log_store;

  // Threads.
  std::unique_ptr<WorkerPool> pool;
  std::unique_ptr<CurlOutbound> outbound;

  // Services.
  Registry registry;
  Services services;
  std::unique_ptr<ClockKeeper> clock_keeper;
  std::unique_ptr<OutboxStore> outbox;
  std::unique_ptr<MetricSink> metric_sink;
  std::unique_ptr<TraceSink> trace_sink;
  cloudwatch::MetricTags metric_tags;
  std::unique_ptr<sqs::Sqs> sqs;
  std::unique_ptr<sns::Sns> sns;
  std::unique_ptr<SnsUpkeep> sns_upkeep;
  std::unique_ptr<cloudwatch::AlarmBook> alarm_book;
  std::unique_ptr<cloudwatch::AlarmEngine> alarms;
  std::unique_ptr<logs::Logs> logs;
  std::unique_ptr<logs::Queries> queries;
  std::unique_ptr<logs::LogQueryRunner> log_queries;
  std::unique_ptr<logs::LogUpkeep> log_upkeep;
  std::unique_ptr<DiskBudget> disk_budget;  // null: nothing on disk
  std::unique_ptr<logs::EventPipeline> log_pipeline;
  std::unique_ptr<logs::SideTasks> log_side_tasks;
  std::unique_ptr<logs::StoreLogReader> log_reader;
  std::unique_ptr<xray::XRay> xray;
  std::vector<std::unique_ptr<Worker>> xray_workers;
  std::unique_ptr<Usage> usage;
  std::unique_ptr<MetricUpkeep> metric_upkeep;
  std::unique_ptr<cloudwatch::MetricStreamWorker> metric_streams;
  std::unique_ptr<otlp::MetricReceiver> otlp_metrics;
  std::unique_ptr<otlp::StatsdReceiver> statsd;
  std::vector<std::unique_ptr<Resettable>> own_forgetters;
  std::vector<Resettable*> forgetters;

  // The way in.
  RequestLog requests;
  Faults faults{request_ids};
  Delays delays;
  std::unique_ptr<Api> api;
  Keys keys;  // empty unless signatures are enforced
  Users users;
  Sessions sessions{users, random};
  std::optional<Gate> gate;
  Networks senders;
  std::unique_ptr<SignIn> sign_in;
  std::unique_ptr<KeyPages> key_pages;
  std::unique_ptr<Certificate> certificate;  // null: plain HTTP
  std::unique_ptr<CertificateUpkeep> certificate_upkeep;
  std::unique_ptr<Pressure> pressure;
  std::unique_ptr<Admission> admission;
  std::unique_ptr<SelfMonitoring> self_monitoring;
  std::unique_ptr<OwnTags> own_tags;
  std::unique_ptr<neighbours::Metadata> metadata;  // null: this is no instance and no task
  std::unique_ptr<neighbours::Neighbours> neighbours;
  std::unique_ptr<ControlPlane> control;
  std::unique_ptr<Pipeline> pipeline;
  Turnstile turnstile;
  std::shared_mutex replacing;  // held by doors that are no HTTP while they hand something over
  std::unique_ptr<Snapshots> snapshots;
  std::unique_ptr<Entrance> entrance;
  std::unique_ptr<Workers> workers;
  std::unique_ptr<http::HttpServer> http;
  std::unique_ptr<XrayDaemon> xray_daemon;
  std::vector<std::unique_ptr<LineDoor>> line_doors;
  std::uint16_t port = 0;
  std::vector<std::string> addresses;  // "api http://127.0.0.1:4566"
  std::vector<std::string> lines;

  std::filesystem::path below(const char* name) const { return config.ephemeral ? std::filesystem::path() : config.data / name; }

  Status open_certificate();
  std::string_view scheme() const { return certificate ? "https://" : "http://"; }
  Status open_stores();
  void make_threads();
  void make_workers();
  Status make_services();
  Status make_usage();
  void send_insight_event(const std::string& event);
  Status recover();
  void register_services();
  void start_workers();
  Status read_keys();
  std::string account_of(std::string_view access_key) const;
  std::string start_line() const;
  void build_way_in();
  void open_entrance();
  Status come_to_rest();
  void close_stores();
  Status replace_stores(const std::function<Status()>& while_closed);
  Status watch_itself();
  void tell_own_url();
  Status open_doors();
  void open_xray_door(const ListenAddress& at, std::vector<std::uint16_t>& own_ports);
  std::optional<http::Response> link_page(const http::Request& request);
  std::optional<Received> receive_telemetry(const http::Request& request, const TelemetryScope& scope);
  Received receive_logs(const http::Request& request, std::string_view path, const TelemetryScope& scope);
  Received receive_metrics(const http::Request& request, std::string_view path, const TelemetryScope& scope);
  void open_line_doors(std::vector<std::uint16_t>& own_ports);
  void open_otlp_door(const ListenAddress& at, std::vector<std::uint16_t>& own_ports);
  std::vector<HealthCheck> health_checks();
  void write_metrics(PrometheusText& out);
};

Result<std::unique_ptr<App>> App::start(const Config& config) {
  auto impl = std::make_unique<Impl>(config);
  impl->config.connections_max = raise_descriptor_limit(config.connections_max);
  TRYV(impl->open_certificate());
  TRYV(impl->open_stores());
  impl->make_threads();
  TRYV(impl->make_services());
  TRYV(impl->recover());
  impl->register_services();
  impl->start_workers();
  TRYV(impl->read_keys());
  impl->build_way_in();
  impl->open_entrance();
  TRYV(impl->watch_itself());
  TRYV(impl->open_doors());
  return std::unique_ptr<App>(new App(std::move(impl)));
}

Status App::Impl::open_certificate() {
  if (config.tls_certificate.empty()) return Ok{};
  TRY(certificate, Certificate::open({.certificate = config.tls_certificate, .key = config.tls_key}));
  return Ok{};
}

Status App::Impl::open_stores() {
  if (!config.ephemeral && !folder) {
    TRY(auto opened, DataFolder::open(config.data));
    folder.emplace(std::move(opened));
    TRYV(finish_swap(config.data));
  }
  clock_keeper = std::make_unique<ClockKeeper>(clock, below("clock.json"));
  TRYV(clock_keeper->restore());
  TRY(resources, ResourceStore::open(below("resources.db")));
  TRY(wal, Wal::open({.folder = below("wal"), .durability = config.durability}));
  resource_log = std::make_unique<ResourceLog>(*resources, *wal);
  TRY(metrics, MetricStore::open({.folder = below("metrics")}, *wal, clock));
  TRY(traces, TraceStore::open({.folder = below("traces"), .strict = config.durability == Durability::kStrict}, *wal, clock));
  TRY(log_store, open_log_store(*wal, {.folder = below("logs"), .threads = 1}));
  return Ok{};
}

void App::Impl::make_threads() {
  pool = std::make_unique<WorkerPool>(cores());
  outbound = std::make_unique<CurlOutbound>(
      CurlOutbound::Options{.rules = {.allow_private = config.reaches_private()}, .smtp = config.smtp});
  make_workers();
}

void App::Impl::make_workers() { workers = std::make_unique<Workers>(clock); }

// What the operator says in files: prices, and the place where programs think they run.
Status App::Impl::make_usage() {
  usage = std::make_unique<Usage>(below("usage.json"), clock);
  usage->restore();
  usage->meters().saw(config.account, config.region);
  logs->add_listener(*usage);
  if (!config.price_table.empty()) {
    TRY(const std::string text, read_file(config.price_table));
    if (auto set = usage->set_prices(text); !set.ok()) return Error::invalid(fmt::format("{}: {}", config.price_table.string(), set.error().message()));
  }
  if (!config.metadata_file.empty()) {
    TRY(const std::string text, read_file(config.metadata_file));
    auto read = neighbours::Metadata::read(text, random);
    if (!read.ok()) return Error::invalid(fmt::format("{}: {}", config.metadata_file.string(), read.error().message()));
    metadata = std::move(*read);
  }
  return Ok{};
}

Status App::Impl::make_services() {
  outbox = std::make_unique<OutboxStore>(*resources);
  sqs = std::make_unique<sqs::Sqs>(sqs::Sqs::Deps{.store = *resources, .log = *resource_log, .clock = clock, .random = random});
  sns = std::make_unique<sns::Sns>(sns::Sns::Deps{.resources = *resources,
                                                  .wal = *wal,
                                                  .outbound = *outbound,
                                                  .outbox = *outbox,
                                                  .clock = clock,
                                                  .random = random,
                                                  .pool = pool.get(),
                                                  .queues = sqs.get(),
                                                  .log = resource_log.get()},
                                   sns::Options{.external_url = config.external_url,
                                                .mail_from = config.smtp.from,
                                                .targets = delivery_targets(config),
                                                .sms_webhook = config.sms_webhook,
                                                .sms_sandbox = config.sms_sandbox});
  TRYV(sns->load());
  logs = std::make_unique<logs::Logs>(logs::Logs::Deps{.resources = *resources, .store = *log_store, .wal = *wal, .clock = clock});
  queries = std::make_unique<logs::Queries>(*logs, *pool, random);
  log_queries = std::make_unique<logs::LogQueryRunner>(*logs);
  metric_sink = cloudwatch::make_metric_sink(*metrics, clock);
  trace_sink = xray::make_trace_sink(*traces);
  metric_tags = {};
  for (const std::string& row : config.metric_tags) TRYV(metric_tags.add(row));
  sns->telemetry().set_sinks(logs.get(), metric_sink.get(), trace_sink.get());
  log_pipeline = std::make_unique<logs::EventPipeline>(
      logs::EventPipeline::Deps{.logs = *logs, .resources = *resources, .wal = *wal, .clock = clock, .random = random,
                                .metrics = metric_sink.get(), .topics = sns.get(), .outbound = outbound.get()},
      logs::EventPipelineOptions{.lambda_metrics = config.lambda_metrics,
                                 .service_metrics = config.logs_metrics,
                                 .spools = below("spool"),
                                 .destinations = log_destinations(config),
                                 .subscription_queue_bytes_max = std::max<std::size_t>(config.log_queue_mb, 1) << 20,
                                 .live_tail_sessions_max = config.live_tail_sessions});
  logs->add_listener(*log_pipeline);
  TRYV(make_usage());
  log_side_tasks = std::make_unique<logs::SideTasks>(
      logs::SideTasks::Deps{.logs = *logs, .queries = *queries, .pool = *pool, .clock = clock, .random = random,
                            .outbound = outbound.get(), .metrics = metric_sink.get()},
      export_buckets(config));
  log_reader = std::make_unique<logs::StoreLogReader>(*logs);
  alarm_book = std::make_unique<cloudwatch::AlarmBook>(*resources, resource_log.get());
  alarms = std::make_unique<cloudwatch::AlarmEngine>(
      cloudwatch::AlarmEngine::Deps{.book = *alarm_book, .services = services, .clock = clock, .random = random,
                                    .topics = sns.get(), .outbound = outbound.get()},
      cloudwatch::AlarmOptions{.function_targets = function_targets(config),
                               .event_urls = config.event_urls,
                               .grace = Millis(static_cast<std::int64_t>(config.alarm_grace_ms))});
  xray = std::make_unique<xray::XRay>(*traces, *resources, clock, random,
                                      xray::XRay::Sinks{.metrics = metric_sink.get(), .logs = logs.get(),
                                                         .notify = [this](const TraceScope&, const std::string& event) { send_insight_event(event); }});
  return Ok{};
}

// To the same targets as alarm events, and to the topic that is configured for it.
void App::Impl::send_insight_event(const std::string& event) {
  for (const auto& url : config.event_urls)
    outbound->http({.url = url, .headers = {{"Content-Type", "application/json"}}, .body = event}, [url](Result<OutboundResponse> answer) {
      if (!answer.ok()) LOG_WARN("x-ray: an insight event did not reach {}: {}", url, answer.error().message());
    });
  if (config.xray_insights_topic.empty()) return;
  const auto sent = sns->publish({.topic_arn = config.xray_insights_topic, .subject = "AWS X-Ray Insight Update", .message = event});
  if (!sent.ok()) LOG_WARN("x-ray: an insight event was not published: {}", sent.error().message());
}

// Hands each record of the log to the engine it belongs to.
Status App::Impl::recover() {
  Status failed = Ok{};
  TRYV(wal->replay([&](const Wal::Record& record) {
    if (record.store == kResourceLogStore) return resource_log->replay(record);
    if (record.store == StoreId::kLogs || record.store == logs::kEventPipelineStore) log_pipeline->replay(record);
    if (record.store == logs::kEventPipelineStore) return;
    switch (record.store) {
      case StoreId::kLogs:
        if (auto applied = log_store->apply(record); !applied.ok()) failed = std::move(applied);
        break;
      case StoreId::kMetrics: metrics->replay(record); break;
      case StoreId::kTraces: traces->apply_record(record); break;
      case StoreId::kDeliveries: sns->deliveries().replay(record); break;
    }
  }));
  TRYV(std::move(failed));
  log_store->replayed();
  log_pipeline->recovered();
  TRYV(resource_log->flush());
  TRYV(alarm_book->load());
  return sqs->load();
}

void App::Impl::register_services() {
  services.add<Clock>(clock);
  services.add<Random>(random);
  services.add<Wal>(*wal);
  services.add<ResourceStore>(*resources);
  services.add<MetricStore>(*metrics);
  services.add<LogStore>(*log_store);
  services.add<TraceStore>(*traces);
  services.add<WorkerPool>(*pool);
  services.add<Outbound>(*outbound);
  services.add<Outbox>(*outbox);
  services.add<ResourceLog>(*resource_log);
  services.add<sqs::Sqs>(*sqs);
  services.add<sns::Sns>(*sns);
  services.add<TopicPublisher>(*sns);
  services.add<cloudwatch::AlarmEngine>(*alarms);
  services.add<MetricSink>(*metric_sink);
  services.add<cloudwatch::MetricTags>(metric_tags);
  services.add<logs::Logs>(*logs);
  services.add<LogSink>(*logs);
  services.add<logs::Queries>(*queries);
  services.add<LogQueries>(*log_queries);
  services.add<logs::EventPipeline>(*log_pipeline);
  log_side_tasks->add_to(services);
  services.add<LogReader>(*log_reader);
  services.add<Meters>(usage->meters());
  services.add<xray::XRay>(*xray);

  if (!registry.services().empty()) return;  // they have no state of their own
  registry.add(cloudwatch::service());
  registry.add(logs::service());
  registry.add(xray::service());
  registry.add(sns::service());
  registry.add(sqs::service());
}

void App::Impl::start_workers() {
  metric_upkeep = std::make_unique<MetricUpkeep>(*metrics);
  workers->add(*metric_upkeep);
  metric_streams = std::make_unique<cloudwatch::MetricStreamWorker>(
      cloudwatch::MetricStreamWorker::Deps{*metrics, *resources, outbound.get(), random}, stream_destinations(config));
  workers->add(*metric_streams);
  otlp_metrics = std::make_unique<otlp::MetricReceiver>(*metric_sink, clock);
  statsd = std::make_unique<otlp::StatsdReceiver>(*metric_sink, clock, otlp::StatsdReceiver::Scope{config.account, config.region},
                                                  config.statsd_namespace);
  workers->add(*statsd);
  workers->add(*traces);
  log_upkeep = std::make_unique<logs::LogUpkeep>(*logs);
  workers->add(*log_upkeep);
  xray_workers = xray::workers(*xray);
  for (const auto& worker : xray_workers) workers->add(*worker);
  workers->add(*log_pipeline);  // before alarms, which look at its metrics
  for (Worker* worker : log_side_tasks->workers()) workers->add(*worker);
  alarms->start(clock.now());
  workers->add(*alarms);
  workers->add(sns->deliveries());
  workers->add(sns->telemetry());
  workers->add(*sqs);
  workers->add(*resource_log);
  if (!config.ephemeral) {
    disk_budget = make_disk_budget(config.data, config.max_bytes, *metrics, *traces, *log_store, *logs);
    workers->add(*disk_budget);
  }
  sns_upkeep = std::make_unique<SnsUpkeep>(*sns, *pool);
  workers->add(*sns_upkeep);
  usage->start(usage_sources({.registry = registry, .metrics = *metrics, .log_store = *log_store, .traces = *traces, .resources = *resources,
                              .alarms = *alarm_book, .logs = *logs, .queries = *queries, .log_pipeline = *log_pipeline, .sns = *sns}));
  workers->add(*usage);
  if (!pressure) pressure = std::make_unique<Pressure>(memory_limit_of(config));  // connections hold it
  workers->add(*pressure);
  if (certificate) {
    certificate_upkeep = std::make_unique<CertificateUpkeep>(*certificate);
    workers->add(*certificate_upkeep);
  }

  own_forgetters.clear();
  // Who forgets what; resources go last, when nothing refers to them any more.
  forgetters = {queries.get(), log_pipeline.get(), logs.get(), xray.get(), alarms.get(), sns.get()};
  forgetters.push_back(sqs.get());
  own_forgetters.push_back(std::make_unique<Forget<ResourceLog, &ResourceLog::erase_scope>>(*resource_log));
  own_forgetters.push_back(std::make_unique<Forget<MetricStore, &MetricStore::reset>>(*metrics));
  own_forgetters.push_back(std::make_unique<Forget<TraceStore, &TraceStore::erase>>(*traces));
  own_forgetters.push_back(std::make_unique<Forget<ResourceStore, &ResourceStore::erase_scope>>(*resources));
  for (const auto& own : own_forgetters) forgetters.push_back(own.get());
}

std::optional<http::Response> App::Impl::link_page(const http::Request& request) {
  if (metadata) {
    if (auto page = metadata->answer(request, clock.real_now())) return page;
  }
  if (request.method != "GET") return std::nullopt;
  Call call;
  call.account = config.account;
  call.region = config.region;
  call.request_id = request_ids.uuid();
  call.now = clock.now();
  call.source_ip = request.peer;
  call.is_get = true;
  call.services = &services;
  call.base_url = config.external_url.empty() ? (request.is_tls ? "https://" : "http://") + std::string(request.header("host")) : config.external_url;
  return sns::serve_link(*sns, call, request.target);
}

Status App::Impl::read_keys() {
  if (config.keys_file.empty()) return Ok{};
  TRY(Keys::Table table, Keys::read(config.keys_file));
  TRY(Users::Table people, Users::read(config.keys_file));
  if (config.profile == Profile::kSite && table.empty() && people.empty()) {
    return Error::invalid(config.keys_file.string() + ": there is neither a key nor a user in it; `fogwatch keys add` and `fogwatch users add` make them");
  }
  keys.replace(std::move(table));
  users.replace(std::move(people));
  return Ok{};
}

void App::reload() {
  if (const Status read = impl_->read_keys(); !read.ok()) {
    LOG_ERROR("keys file: {}; the keys read before stay in force", read.error().message());
  } else if (!impl_->config.keys_file.empty()) {
    LOG_INFO("keys file read again: {} keys, {} users", impl_->keys.size(), impl_->users.size());
  }
  if (!impl_->certificate) return;
  if (const Status read = impl_->certificate->reload(); !read.ok()) {
    LOG_ERROR("{}; the certificate read before stays in force", read.error().message());
  }
}

// What an operator must know at a glance: who is let in, whether the wire is read by others, what a power loss costs.
std::string App::Impl::start_line() const {
  const bool has_tls = !config.tls_certificate.empty();
  return fmt::format("profile {}, durability {}, signatures {}, TLS {}", config.profile == Profile::kSite ? "site" : "dev", name_of(config.durability),
                     gate ? "enforced" : "not checked", has_tls ? "on" : "off");
}

// "": none of ours, so the rules for strangers' keys hold.
std::string App::Impl::account_of(std::string_view access_key) const {
  if (const auto key = keys.find(access_key)) return key->account;
  return own_account(access_key);
}

void App::Impl::build_way_in() {
  const bool enforces = !config.keys_file.empty();
  if (auto networks = Networks::parse(config.door_sources); networks.ok()) senders = std::move(*networks);  // read once before
  api = std::make_unique<Api>(registry, services, clock, request_ids,
                              Api::Options{.account = config.account,
                                           .region = config.region,
                                           .external_url = config.external_url,
                                           .auth = enforces ? AuthMode::kEnforce : AuthMode::kParse,
                                           .secrets_of = [this](std::string_view access_key) -> std::optional<sigv4::Secrets> {
                                             const auto key = keys.find(access_key);
                                             if (!key) return std::nullopt;
                                             return sigv4::Secrets{.secret = key->secret_key, .session_token = {}};
                                           },
                                           .account_of = [this](std::string_view access_key) { return account_of(access_key); }});
  if (enforces) gate.emplace(keys, sessions, api->options().secrets_of);
  sign_in = std::make_unique<SignIn>(enforces ? &sessions : nullptr);
  key_pages = std::make_unique<KeyPages>(
      KeyPages::Parts{.file = config.keys_file,
                      .random = random,
                      .default_account = config.account,
                      .make_access_key = [this](const std::string& account) { return neighbours::key_for_account("AKIA", account, random.next()); },
                      .reload = [this] { return read_keys(); }});
  own_tags = std::make_unique<OwnTags>(registry, services, clock, *wal);
  neighbours = std::make_unique<neighbours::Neighbours>(
      neighbours::Sts::Place{.account = config.account,
                             .region = config.region,
                             .account_of = [this](std::string_view access_key) { return account_of(access_key); },
                             .gives_keys = !enforces},
      clock, request_ids, own_tags.get());
  ControlPlane::Parts parts{.clock = *clock_keeper,
                            .registry = registry,
                            .outbox = *outbox,
                            .requests = requests,
                            .faults = faults,
                            .advance = [this](Millis by) { return workers->advance(by); },
                            .checks = health_checks(),
                            .metrics = {[this](PrometheusText& out) { write_metrics(out); }},
                            .neighbours = {"sts", "iam", "ec2", "oam", "resourcegroupstaggingapi"},
                            .addresses = [this] { return addresses; },
                            .default_account = config.account,
                            .default_region = config.region,
                            .started = clock.real_now()};
  parts.resettables = forgetters;
  const auto raw = [this](const http::Request& request) { return raw_metrics(request, *metrics, usage->meters(), clock.now()); };
  parts.pages.emplace_back("/_fogwatch/usage", [this](const http::Request& request) { return usage->page(request); });
  parts.pages.emplace_back("/_fogwatch/usage/prices", [this](const http::Request& request) { return usage->page(request); });
  parts.pages.emplace_back("/_aws/cloudwatch/metrics/raw", raw);
  parts.pages.emplace_back("/cloudwatch/metrics/raw", raw);
  control = std::make_unique<ControlPlane>(std::move(parts));
  admission = std::make_unique<Admission>(pool->threads());
  if (!snapshots)
    snapshots = std::make_unique<Snapshots>(config.ephemeral ? std::filesystem::path() : config.data,
                                            [this](const std::function<Status()>& while_closed) { return replace_stores(while_closed); });
  Pipeline::Parts way{
      .api = *api,
      .control = *control,
      .neighbours = *neighbours,
      .sign_in = *sign_in,
      .key_pages = *key_pages,
      .keys = enforces ? &keys : nullptr,
      .gate = gate ? &*gate : nullptr,
      .daemon_door = kXrayDoor,
      .telemetry_door = kOtlpDoor,
      .senders = senders,
      .home = {config.account, config.region},
      .wal = *wal,
      .pool = *pool,
      .admission = *admission,
      .pressure = *pressure,
      .requests = requests,
      .faults = faults,
      .delays = delays,
      .request_ids = request_ids,
      .snapshots = snapshots.get(),
      .turnstile = &turnstile,
      .guard = {.allowed_hosts = config.allowed_hosts, .allowed_origins = config.allowed_origins},
      .link_page = [this](const http::Request& request) { return link_page(request); },
      .receive = [this](const http::Request& request, const TelemetryScope& scope) { return receive_telemetry(request, scope); }};
  if (!pipeline) {
    pipeline = std::make_unique<Pipeline>(std::move(way));
  } else {  // in its place: answers that wait for a return to a snapshot know it by its address
    std::destroy_at(pipeline.get());
    std::construct_at(pipeline.get(), std::move(way));
  }
}

void App::Impl::open_entrance() {
  entrance = std::make_unique<Entrance>(turnstile, *pipeline);
  http = std::make_unique<http::HttpServer>(
      http::Options{.threads = config.threads == 0 ? cores() : config.threads,
                    .connections_max = config.connections_max,
                    .pressure = pressure.get(),
                    .certificate = certificate.get()},
      *entrance);
}

// No turn, no worker, no delivery, no task is under way, and none begins. What was stopped runs again on failure.
Status App::Impl::come_to_rest() {
  const auto until = std::chrono::steady_clock::now() + kRestPatience;
  sqs->end_polls();
  if (!turnstile.close(kRestPatience)) return Error::busy("Some requests take too long to end; try again.");
  workers->stop();
  while (outbound->stats().waiting > 0 && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(Millis(1));
  // Tasks run in the order in which they came: when each thread has met here, all earlier ones are done.
  const auto met = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(pool->threads()));
  bool all = outbound->stats().waiting == 0;
  for (std::size_t i = 0; i < pool->threads(); ++i) {
    if (all && pool->submit([met] { met->arrive_and_wait(); })) continue;
    all = false;
    met->count_down();  // nobody waits for one that never came
  }
  while (all && !met->try_wait() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(std::chrono::microseconds(200));
  if (all && met->try_wait()) return Ok{};
  workers->start();
  turnstile.open();
  return Error::busy("Some deliveries or queries take too long to end; try again.");
}

// From the end, as the destructor does it.
void App::Impl::close_stores() {
  log_pipeline->stop();
  log_side_tasks->stop();
  workers.reset();
  self_monitoring.reset();
  control.reset();
  own_tags.reset();
  usage->stop();
  usage.reset();
  own_forgetters.clear();
  forgetters.clear();
  statsd.reset();
  otlp_metrics.reset();
  metric_streams.reset();
  metric_upkeep.reset();
  xray_workers.clear();
  xray.reset();
  log_reader.reset();
  log_side_tasks.reset();
  log_pipeline.reset();
  disk_budget.reset();
  log_upkeep.reset();
  log_queries.reset();
  queries.reset();
  logs.reset();
  alarms.reset();
  alarm_book.reset();
  sns_upkeep.reset();
  sns.reset();
  sqs.reset();
  trace_sink.reset();
  metric_sink.reset();
  outbox.reset();
  clock_keeper.reset();
  log_store.reset();
  traces.reset();
  metrics.reset();
  resource_log.reset();
  wal.reset();
  resources.reset();
}

// Everything that stands on the stores is built anew, as at a start; doors and connections stay.
Status App::Impl::replace_stores(const std::function<Status()>& while_closed) {
  const std::unique_lock no_doors(replacing);
  TRYV(come_to_rest());
  close_stores();
  Status done = while_closed();
  clock.reset();
  make_workers();
  if (done.ok()) done = open_stores();
  if (done.ok()) done = make_services();
  if (done.ok()) done = recover();
  if (!done.ok()) {  // without stores there is nothing to serve; a start finishes what was begun
    LOG_ERROR("the stores cannot be opened: {}", done.error().message());
    std::_Exit(1);
  }
  register_services();
  start_workers();
  build_way_in();
  TRYV(watch_itself());
  tell_own_url();
  workers->start();
  turnstile.open();
  return Ok{};
}

// The server's own metrics, alarms and dashboard.
Status App::Impl::watch_itself() {
  if (!config.self_monitoring.value_or(config.profile == Profile::kSite)) return Ok{};
  self_monitoring = std::make_unique<SelfMonitoring>(SelfMonitoring::Parts{
      .sink = *metric_sink,
      .resources = *resources,
      .numbers = [this] { return control->answer({.method = "GET", .target = "/metrics"}).body; },
      .data = config.ephemeral ? std::filesystem::path() : config.data,
      .account = config.account,
      .region = config.region});
  if (auto made = self_monitoring->prepare(*api); !made.ok()) LOG_WARN("no alarms over the server itself: {}", made.error().message());
  workers->add(*self_monitoring);
  return Ok{};
}

// What links in notifications begin with.
void App::Impl::tell_own_url() {
  const std::string own_url = std::string(scheme()) + ListenAddress{config.listen.host, port}.text();
  sns->set_default_url(own_url);
  alarms->set_console_url(config.external_url.empty() ? own_url : config.external_url);
}

Status App::Impl::open_doors() {
  auto bound = http->listen(config.listen.host, config.listen.port, kApiDoor, certificate ? http::DoorTls::kRequired : http::DoorTls::kNone);
  if (!bound.ok()) {
    return Error(bound.error().kind(), bound.error().message() + "; choose another with --listen ADDRESS:PORT (port 0 takes any free one)");
  }
  port = *bound;
  const std::string own_url = std::string(scheme()) + ListenAddress{config.listen.host, port}.text();
  addresses.push_back("api " + own_url);
  std::vector<std::uint16_t> own_ports{port};
  if (config.xray_listen) open_xray_door(*config.xray_listen, own_ports);
  if (config.otlp_listen) open_otlp_door(*config.otlp_listen, own_ports);
  open_line_doors(own_ports);
  outbound->set_own_ports(std::move(own_ports));
  tell_own_url();

  for (const std::string& address : addresses) lines.push_back("listening " + address);
  lines.push_back(start_line());
  lines.push_back("Ready.");
  workers->start();
  if (xray_daemon) xray_daemon->start();
  for (const auto& door : line_doors) door->start();
  http->start();
  return Ok{};
}

// A side door: when it cannot be had, the server starts without it.
// OpenTelemetry over HTTP, on the main port and on its own.
std::optional<Received> App::Impl::receive_telemetry(const http::Request& request, const TelemetryScope& scope) {
  const auto path = request.target.substr(0, request.target.find('?'));
  if (path.ends_with("/v1/logs") || logs::is_ingest_path(path)) return receive_logs(request, path, scope);
  if (path.ends_with("/v1/metrics") || path == "/api/v1/write") return receive_metrics(request, path, scope);
  if (!path.ends_with("/v1/traces")) return std::nullopt;
  auto made = otlp::export_traces(*traces, {.account = scope.account, .region = scope.region}, request.header("Content-Type"),
                                  request.header("Content-Encoding"), request.body);
  Received received;
  received.response.status = made.status;
  received.response.set("Content-Type", std::move(made.content_type));
  received.response.body = std::move(made.body);
  received.lsn = made.lsn;
  return received;
}

// Log events that are no AWS calls.
Received App::Impl::receive_logs(const http::Request& request, std::string_view path, const TelemetryScope& whose) {
  std::string account = whose.account;
  std::string region = whose.region;
  // Where keys are enforced the gate has said whose it is.
  if (!gate) logs::scope_of_authorization(request.header("Authorization"), account, region);
  Received received;
  if (logs::is_ingest_path(path)) {
    const std::string_view target = request.target;
    auto made = logs::ingest(*logs, clock, {.path = path,
                                            .query = target.substr(std::min(path.size() + 1, target.size())),
                                            .content_type = request.header("Content-Type"),
                                            .content_encoding = request.header("Content-Encoding"),
                                            .authorization = request.header("Authorization"),
                                            .body = request.body,
                                            .account = account,
                                            .region = region});
    received.response.status = made.status;
    received.response.set("Content-Type", "application/json");
    received.response.body = std::move(made.body);
    received.lsn = made.lsn;
    return received;
  }
  auto made = otlp::export_logs(*logs, clock,
                                {.account = account,
                                 .region = region,
                                 .group = std::string(request.header("x-aws-log-group")),
                                 .stream = std::string(request.header("x-aws-log-stream"))},
                                request.header("Content-Type"), request.header("Content-Encoding"), request.body);
  received.response.status = made.status;
  received.response.set("Content-Type", std::move(made.content_type));
  if (made.status == 503) received.response.set("Retry-After", "1");
  received.response.body = std::move(made.body);
  received.lsn = made.lsn;
  return received;
}

// OTLP metrics, and what Prometheus writes.
Received App::Impl::receive_metrics(const http::Request& request, std::string_view path, const TelemetryScope& whose) {
  const otlp::MetricReceiver::Scope scope{whose.account, whose.region};
  Received received;
  if (path == "/api/v1/write") {
    constexpr std::string_view kParameter = "?namespace=";
    std::string_view target = request.target;
    target.remove_prefix(path.size());
    const std::string_view space = target.starts_with(kParameter) ? target.substr(kParameter.size()) : "Prometheus";
    auto made = otlp::remote_write(*metric_sink, scope, space, request.header("Content-Type"), request.header("Content-Encoding"), request.body);
    received.response.status = made.status;
    if (made.status != 204) received.response.set("Content-Type", "text/plain");
    received.response.body = std::move(made.message);
    received.lsn = made.lsn;
    return received;
  }
  auto made = otlp_metrics->take(scope, request.header("Content-Type"), request.header("Content-Encoding"), request.body);
  received.response.status = made.status;
  received.response.set("Content-Type", std::move(made.content_type));
  if (made.status == 503) received.response.set("Retry-After", "1");
  received.response.body = std::move(made.body);
  received.lsn = made.lsn;
  return received;
}

// Side doors for lines: embedded metric format, syslog, StatsD.
void App::Impl::open_line_doors(std::vector<std::uint16_t>& own_ports) {
  const auto open = [&](const char* name, const ListenAddress& at, LineDoor::Framing framing, std::string group, auto take_lines) {
    const logs::LineScope scope{config.account, config.region, std::move(group), "default"};
    auto opened = LineDoor::open(at.host, at.port, framing, [this, scope, take_lines](std::span<const LineDoor::Line> received) {
      const std::shared_lock open_stores_stay(replacing);
      std::vector<logs::IncomingLine> incoming;
      incoming.reserve(received.size());
      for (const LineDoor::Line& line : received)
        if (!gate || senders.contains(line.peer)) incoming.push_back({line.text, line.peer});
      return take_lines(*logs, clock, scope, std::span<const logs::IncomingLine>(incoming));
    });
    if (!opened.ok()) {
      LOG_WARN("no {0} door: {1}; choose another address with --{0}-listen, or off", name, opened.error().message());
      return;
    }
    own_ports.push_back((*opened)->port());
    addresses.push_back(fmt::format("{} {}", name, ListenAddress{at.host, (*opened)->port()}.text()));
    line_doors.push_back(std::move(*opened));
  };
  if (config.emf_listen) open("emf", *config.emf_listen, LineDoor::Framing::kLines, "/emf", logs::take_emf_lines);
  if (config.statsd_listen) {
    open("statsd", *config.statsd_listen, LineDoor::Framing::kLines, "", [this](auto&, auto&, const auto&, std::span<const logs::IncomingLine> received) {
      std::vector<std::string_view> texts;
      for (const logs::IncomingLine& line : received) texts.push_back(line.text);
      return statsd->take(texts);
    });
  }
  if (config.syslog_listen) open("syslog", *config.syslog_listen, LineDoor::Framing::kSyslog, config.syslog_group, logs::take_syslog_lines);
}

void App::Impl::open_otlp_door(const ListenAddress& at, std::vector<std::uint16_t>& own_ports) {
  // Senders of this machine may go on in plain text; others' are held to TLS when there is a certificate.
  const auto tls = !certificate ? http::DoorTls::kNone : at.is_loopback() ? http::DoorTls::kEither : http::DoorTls::kRequired;
  auto bound = http->listen(at.host, at.port, kOtlpDoor, tls);
  if (!bound.ok()) {
    LOG_WARN("no OTLP door: {}; choose another address with --otlp-listen, or off", bound.error().message());
    return;
  }
  own_ports.push_back(*bound);
  addresses.push_back((tls == http::DoorTls::kRequired ? "otlp https://" : "otlp http://") + ListenAddress{at.host, *bound}.text());
}

void App::Impl::open_xray_door(const ListenAddress& at, std::vector<std::uint16_t>& own_ports) {
  auto opened = XrayDaemon::open(
      at.host, at.port,
      [this](const std::string& address, std::uint16_t wanted) { return http->listen(address, wanted, kXrayDoor); },
      [this](std::span<const std::string_view> documents) {
        const std::shared_lock open_stores_stay(replacing);
        return xray::take_documents(*xray, {.account = config.account, .region = config.region}, documents).rejected;
      });
  if (!opened.ok()) {
    LOG_WARN("no X-Ray daemon: {}; choose another address with --xray-listen, or off", opened.error().message());
    return;
  }
  xray_daemon = std::move(*opened);
  if (gate) xray_daemon->take_only_from(senders);
  own_ports.push_back(xray_daemon->port());
  addresses.push_back("xray " + ListenAddress{at.host, xray_daemon->port()}.text());
}

std::vector<HealthCheck> App::Impl::health_checks() {
  std::vector<HealthCheck> checks;
  checks.push_back({"log", [this] { return std::string(wal->healthy() ? "" : "the write-ahead log cannot be written"); }});
  checks.push_back({"workers", [this] {
                      const Millis since = workers->since_last_round();
                      return since > kWorkersStuck ? fmt::format("no round for {} s", since.count() / 1000) : std::string();
                    }});
  return checks;
}

void App::Impl::write_metrics(PrometheusText& out) {
  const auto number = [](auto n) { return static_cast<double>(n); };
  const http::Stats h = http->stats();
  out.gauge("fogwatch_connections", "Connections open.").value(number(h.connections_open));
  out.counter("fogwatch_connections_accepted_total", "Connections accepted.").value(number(h.connections_accepted));
  out.counter("fogwatch_connections_refused_total", "Connections over the limit.").value(number(h.connections_refused));
  out.counter("fogwatch_connections_evicted_total", "Idle connections closed to make room.").value(number(h.connections_evicted));
  if (certificate) {
    out.counter("fogwatch_tls_handshakes_total", "TLS connections begun.")
        .value(number(h.tls_handshakes - h.tls_resumed), {{"kind", "full"}})
        .value(number(h.tls_resumed), {{"kind", "resumed"}});
    out.counter("fogwatch_tls_failures_total", "TLS connections that failed.").value(number(h.tls_failures));
    out.gauge("fogwatch_tls_certificate_expires_timestamp_seconds", "When the certificate in use expires.")
        .value(number(certificate->context()->expires().time_since_epoch().count()) / 1000.0);
  }
  out.gauge("fogwatch_resident_memory_bytes", "Memory of the process.").value(number(resident_bytes_of_process()));
  out.gauge("fogwatch_memory_limit_bytes", "Above it large requests are refused; 0: no limit.").value(number(pressure->memory_limit_bytes()));
  out.gauge("fogwatch_body_bytes", "Large bodies being received or worked on.").value(number(pressure->body_bytes()));
  out.gauge("fogwatch_heavy_calls_waiting", "Queries waiting or running.").value(number(admission->waiting()));
  out.counter("fogwatch_shed_total", "Requests refused because there were too many.")
      .value(number(pressure->shed()), {{"for", "memory"}})
      .value(number(admission->refused()), {{"for", "time"}});
  out.counter("fogwatch_http_faults_total", "Requests refused for their framing.").value(number(h.faults));
  out.counter("fogwatch_http_timeouts_total", "Connections cut for slowness.").value(number(h.timeouts));
  out.counter("fogwatch_http_bytes_total", "Bytes through the door.")
      .value(number(h.bytes_in), {{"direction", "in"}})
      .value(number(h.bytes_out), {{"direction", "out"}});
  const auto body = pipeline->body_stats();
  out.counter("fogwatch_large_bodies_total", "Bodies of 256 KiB or more.").value(number(body.bodies));
  out.counter("fogwatch_large_body_bytes_total", "Their bytes.").value(number(body.bytes));
  out.counter("fogwatch_large_body_seconds_total", "Time from their first byte to decoding.").value(number(body.nanoseconds) / 1e9);
  const Wal::Stats w = wal->stats();
  out.counter("fogwatch_wal_records_total", "Records appended.").value(number(w.records_appended));
  out.counter("fogwatch_wal_bytes_total", "Bytes appended.").value(number(w.bytes_appended));
  out.counter("fogwatch_wal_syncs_total", "Times the disk was waited for.").value(number(w.syncs));
  out.gauge("fogwatch_wal_disk_bytes", "Size of the log on disk.").value(number(w.bytes_on_disk));
  write_disk_metrics(out, disk_budget.get(), w);
  out.gauge("fogwatch_wal_damaged_bytes", "Bytes passed over when the log was read.").value(number(w.damaged_bytes));
  const MetricStore::Stats m = metrics->stats();
  out.gauge("fogwatch_metric_series", "Metric series.").value(number(m.series));
  out.counter("fogwatch_metric_points_total", "Data points put.").value(number(m.points_put));
  out.gauge("fogwatch_metric_head_bytes", "Metrics in memory.").value(number(m.head_bytes));
  out.gauge("fogwatch_metric_disk_bytes", "Metrics on disk.").value(number(m.bytes_on_disk));
  out.gauge("fogwatch_metric_chunks_damaged", "Chunks that failed their check.").value(number(m.chunks_damaged));
  const LogStoreHealth l = log_store->health();
  out.gauge("fogwatch_log_head_events", "Log events in memory, not yet sealed.").value(number(l.head_events));
  out.gauge("fogwatch_log_head_bytes", "Their bytes.").value(number(l.head_bytes));
  out.gauge("fogwatch_log_segments", "Sealed segments.").value(number(l.segments));
  out.gauge("fogwatch_log_disk_bytes", "Logs on disk.").value(number(l.disk_bytes));
  out.counter("fogwatch_log_seals_total", "Heads sealed.").value(number(l.seals));
  out.counter("fogwatch_log_seal_failures_total", "Seals the disk refused.").value(number(l.seal_failures));
  out.gauge("fogwatch_log_damaged_blocks", "Blocks that failed their check.").value(number(l.damaged_blocks));
  out.gauge("fogwatch_log_damaged_files", "Segments and manifests that could not be read.").value(number(l.damaged_files));
  out.gauge("fogwatch_log_events_lost", "Events in damaged blocks, as far as known.").value(number(l.events_lost));
  const logs::EventPipeline::Stats p = log_pipeline->stats();
  out.counter("fogwatch_log_pipeline_events_total", "Events that filters, embedded metrics or live tail looked at.").value(number(p.events));
  out.gauge("fogwatch_log_pipeline_waiting_bytes", "Events not looked at yet.").value(number(p.waiting_bytes));
  out.counter("fogwatch_log_pipeline_metrics_total", "Metric data that followed from events.").value(number(p.metric_datums));
  out.counter("fogwatch_log_embedded_documents_total", "Lines in the embedded metric format.").value(number(p.embedded_documents));
  out.counter("fogwatch_log_embedded_errors_total", "What was wrong with them.").value(number(p.embedded_errors));
  out.counter("fogwatch_log_replayed_batches_total", "Batches worked on again after a crash.").value(number(p.replayed_batches));
  out.gauge("fogwatch_live_tail_sessions", "Live tail sessions.").value(number(p.live_tail_sessions));
  out.counter("fogwatch_subscription_deliveries_total", "Messages of subscription filters.")
      .value(number(p.deliveries.delivered), {{"verdict", "delivered"}})
      .value(number(p.deliveries.dropped), {{"verdict", "dropped"}});
  out.counter("fogwatch_subscription_failed_attempts_total", "Attempts that will be repeated.").value(number(p.deliveries.failed_attempts));
  out.gauge("fogwatch_subscription_waiting", "Messages waiting for their destination.").value(number(p.deliveries.waiting));
  out.gauge("fogwatch_subscription_waiting_bytes", "Their bytes.").value(number(p.deliveries.waiting_bytes));
  const TraceStore::Stats t = traces->stats();
  out.counter("fogwatch_trace_documents_total", "Segment documents.")
      .value(number(t.documents_accepted), {{"verdict", "accepted"}})
      .value(number(t.documents_rejected), {{"verdict", "rejected"}});
  out.gauge("fogwatch_trace_head_bytes", "Traces in memory.").value(number(t.head_bytes));
  if (xray_daemon) {
    const XrayDaemon::Stats x = xray_daemon->stats();
    out.counter("fogwatch_xray_datagrams_total", "Datagrams of the X-Ray door.").value(number(x.datagrams));
    out.counter("fogwatch_xray_datagrams_rejected_total", "Datagrams or documents refused.")
        .value(number(x.rejected_headers), {{"part", "header"}})
        .value(number(x.rejected_documents), {{"part", "document"}});
    out.counter("fogwatch_xray_datagrams_dropped_total", "Datagrams the kernel dropped.").value(number(x.dropped));
  }
  const CurlOutbound::Stats o = outbound->stats();
  out.counter("fogwatch_outbound_calls_total", "Deliveries tried.").value(number(o.calls));
  out.counter("fogwatch_outbound_failures_total", "Deliveries without an answer.").value(number(o.failures));
  out.counter("fogwatch_outbound_denied_total", "Deliveries to addresses that are not allowed.").value(number(o.denied));
  out.gauge("fogwatch_outbound_waiting", "Deliveries queued or under way.").value(number(o.waiting));
  const auto reports = workers->report();
  out.counter("fogwatch_worker_ticks_total", "Rounds of background workers.");
  for (const auto& r : reports) out.value(number(r.ticks), {{"worker", r.name}});
  out.gauge("fogwatch_worker_slowest_seconds", "Their slowest round.");
  for (const auto& r : reports) out.value(number(r.slowest.count()) / 1000.0, {{"worker", r.name}});
}

App::App(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
App::~App() = default;

const std::vector<std::string>& App::start_lines() const { return impl_->lines; }
std::uint16_t App::api_port() const { return impl_->port; }

bool App::is_well() const {
  const std::shared_lock settled(impl_->replacing, std::try_to_lock);
  return !settled || impl_->workers->since_last_round() <= kWorkersStuck;
}

bool App::stop(Millis grace) {
  const std::shared_lock settled(impl_->replacing);
  if (impl_->xray_daemon) impl_->xray_daemon->stop();
  for (const auto& door : impl_->line_doors) door->stop();
  impl_->sqs->end_polls();
  const bool drained = impl_->http->stop(grace);
  impl_->workers->stop();
  impl_->log_pipeline->stop();
  impl_->log_side_tasks->stop();
  impl_->usage->stop();
  impl_->resource_log->tick(impl_->clock.now());
  // What is sealed now need not be read from the log at the next start.
  if (auto sealed = impl_->log_store->flush(); !sealed.ok())
    LOG_ERROR("log events stay in the log of writes: {}", sealed.error().message());
  if (auto written = impl_->metrics->flush(); !written.ok())
    LOG_ERROR("data points stay in the log of writes: {}", written.error().message());
  if (auto flushed = impl_->wal->wait_durable(impl_->wal->last_lsn()); !flushed.ok()) {
    LOG_ERROR("the log could not be written to its end: {}", flushed.error().message());
  }
  return drained;
}

}  // namespace fog
