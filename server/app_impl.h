// The parts of a running server and the order in which they stand on each other. Each app_*.cc builds
// one storey: stores, services, the way in, doors, what is told about it all.
#pragma once

#include <map>
#include <optional>
#include <shared_mutex>

#include "api/auth/keys.h"
#include "api/auth/sessions.h"
#include "api/cloudwatch/alarm_operations.h"
#include "api/cloudwatch/metric_stream_worker.h"
#include "api/cloudwatch/metric_tags.h"
#include "api/cloudwatch/metrics.h"
#include "api/cloudwatch/service.h"
#include "api/common/registry.h"
#include "api/common/services.h"
#include "api/control/clock_keeper.h"
#include "api/control/control.h"
#include "api/control/key_pages.h"
#include "api/control/outbox_store.h"
#include "api/control/request_log.h"
#include "api/control/sign_in.h"
#include "api/control/usage.h"
#include "api/logs/event_pipeline.h"
#include "api/logs/log_query_runner.h"
#include "api/logs/queries.h"
#include "api/logs/reader.h"
#include "api/logs/service.h"
#include "api/logs/side_tasks.h"
#include "api/neighbours/metadata.h"
#include "api/neighbours/neighbours.h"
#include "api/otlp/metrics.h"
#include "api/otlp/statsd_receiver.h"
#include "api/sns/service.h"
#include "api/sqs/service.h"
#include "api/xray/service.h"
#include "server/app.h"
#include "server/data_folder.h"
#include "server/disk.h"
#include "server/entrance.h"
#include "server/fast_random.h"
#include "server/gate.h"
#include "server/http.h"
#include "server/line_door.h"
#include "server/outbound.h"
#include "server/pipeline.h"
#include "server/pressure.h"
#include "server/self_monitoring.h"
#include "server/snapshots.h"
#include "server/tag_directory.h"
#include "server/tls.h"
#include "server/upkeep.h"
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

// Which listener a request came through.
constexpr int kApiDoor = 0;
constexpr int kXrayDoor = 1;
constexpr int kOtlpDoor = 2;

// The background thread ticks every second; this long without a round is an illness.
constexpr Millis kWorkersStuck{60'000};

// Processors this process may use.
std::size_t cores();

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

}  // namespace fog
