// Telemetry that is no AWS call: OTLP, Prometheus, bare log events.
#include "server/app_impl.h"

#include "api/logs/http_ingest.h"
#include "api/otlp/logs.h"
#include "api/otlp/remote_write.h"
#include "api/otlp/traces.h"

namespace fog {

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

}  // namespace fog
