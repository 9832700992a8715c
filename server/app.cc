#include "server/app_impl.h"

#include <sched.h>
#include <sys/resource.h>

#include <shared_mutex>

namespace fog {
namespace {

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

std::string_view name_of(Durability durability) {
  switch (durability) {
    case Durability::kStrict: return "strict";
    case Durability::kRelaxed: return "relaxed";
    case Durability::kEphemeral: return "ephemeral";
  }
  return "";
}

}  // namespace

std::size_t cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max<std::size_t>(1, static_cast<std::size_t>(CPU_COUNT(&set)));
}

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

void App::Impl::make_threads() {
  pool = std::make_unique<WorkerPool>(cores());
  outbound = std::make_unique<CurlOutbound>(
      CurlOutbound::Options{.rules = {.allow_private = config.reaches_private()}, .smtp = config.smtp});
  make_workers();
}

void App::Impl::make_workers() { workers = std::make_unique<Workers>(clock); }

// What an operator must know at a glance: who is let in, whether the wire is read by others, what a power loss costs.
std::string App::Impl::start_line() const {
  const bool has_tls = !config.tls_certificate.empty();
  return fmt::format("profile {}, durability {}, signatures {}, TLS {}", config.profile == Profile::kSite ? "site" : "dev", name_of(config.durability),
                     gate ? "enforced" : "not checked", has_tls ? "on" : "off");
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
