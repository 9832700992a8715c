// The doors and what comes in by the side doors.
#include "server/app_impl.h"

#include "api/logs/line_ingest.h"

namespace fog {

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

}  // namespace fog
