// From a request to the service it is for: keys, the gate, pages, the pipeline.
#include "server/app_impl.h"

#include "api/common/protocol.h"
#include "api/neighbours/request.h"
#include "server/raw_metrics.h"

namespace fog {
namespace {

// The account in a key that AssumeRole gave out; "": another key.
std::string own_account(std::string_view access_key) {
  return access_key.starts_with(neighbours::kOwnKeyPrefix) ? neighbours::account_in_key(access_key) : std::string();
}

}  // namespace

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
                                           .secrets_of = [this](const sigv4::Signature& by) { return gate ? gate->secrets_of(by) : std::nullopt; },
                                           .account_of = [this](std::string_view access_key) { return account_of(access_key); }});
  if (enforces) gate.emplace(keys, sessions);
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
                             .account_of = [this](std::string_view access_key) { return account_of(access_key); }},
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

}  // namespace fog
