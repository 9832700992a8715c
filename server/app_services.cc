// The services, what they know of each other, and their workers.
#include "server/app_impl.h"

#include <fstream>
#include <iterator>

#include "server/usage_sources.h"

namespace fog {
namespace {

// What a container may use is not all the server's to fill: the kernel's share counts too.
std::uint64_t memory_limit_of(const Config& config) {
  return config.memory_limit != 0 ? config.memory_limit : memory_limit_of_container() / 100 * 85;
}

// What a reset asks of a store, by the store's own word for it.
template <typename Store, Status (Store::*Erase)(std::string_view account, std::string_view region)>
class Forget final : public Resettable {
 public:
  explicit Forget(Store& store) : store_(store) {}
  Status reset(std::string_view account, std::string_view region) override { return (store_.*Erase)(account, region); }

 private:
  Store& store_;
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

}  // namespace

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

}  // namespace fog
