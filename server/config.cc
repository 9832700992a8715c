#include "server/config.h"

#include <arpa/inet.h>

#include <charconv>
#include <functional>

#include "server/networks.h"

#include <CLI/CLI.hpp>
#define TOML_EXCEPTIONS 0
// The library asserts what it goes on to report as an error ("[:" does not begin a key), and the file is a user's.
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>

namespace fog {
namespace {

using Apply = Status (*)(Config& config, const std::string& value);

struct Option {
  const char* name;  // as on the command line, without the dashes
  const char* value;  // shown in the help; "" for a switch
  const char* help;
  Apply apply;
};

Status apply_switch(bool& target, const std::string& value, const char* name) {
  if (value == "true" || value == "1" || value == "yes" || value == "on") target = true;
  else if (value == "false" || value == "0" || value == "no" || value == "off") target = false;
  else return Error::invalid(fmt::format("{}: '{}' is neither true nor false", name, value));
  return Ok{};
}

Status apply_door(std::optional<ListenAddress>& target, const std::string& value) {
  if (value == "off") {
    target.reset();
    return Ok{};
  }
  TRY(target, parse_listen_address(value));
  return Ok{};
}

Status apply_number(std::size_t& target, const std::string& value, const char* name, std::size_t max) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number > max) {
    return Error::invalid(fmt::format("{}: '{}' is not a number from 0 to {}", name, value, max));
  }
  target = number;
  return Ok{};
}

std::vector<std::string> split_list(const std::string& value) {
  std::vector<std::string> items;
  std::size_t from = 0;
  while (from <= value.size()) {
    const std::size_t comma = std::min(value.find(',', from), value.size());
    std::string item = value.substr(from, comma - from);
    item.erase(0, item.find_first_not_of(' '));
    item.erase(item.find_last_not_of(' ') + 1);
    if (!item.empty()) items.push_back(std::move(item));
    from = comma + 1;
  }
  return items;
}

// "512M", "2G", "1073741824".
Status apply_size(std::uint64_t& target, const std::string& value, const char* name) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(value.data() + value.size() - end));
  constexpr std::pair<std::string_view, int> kUnits[] = {{"", 0}, {"K", 10}, {"M", 20}, {"G", 30}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
  for (const auto& [word, shift] : kUnits) {
    if (unit != word || error != std::errc() || number > (UINT64_MAX >> shift)) continue;
    target = number << shift;
    return Ok{};
  }
  return Error::invalid(fmt::format("{}: '{}' is not a size such as 512M or 2G", name, value));
}

bool all_digits(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

constexpr Option kOptions[] = {
    {"listen", "ADDRESS:PORT", "where the API and the console are served (127.0.0.1:4566)",
     [](Config& c, const std::string& v) -> Status { TRY(c.listen, parse_listen_address(v)); return Ok{}; }},
    {"xray-listen", "ADDRESS:PORT|off", "X-Ray daemon, UDP and TCP (127.0.0.1:2000)",
     [](Config& c, const std::string& v) { return apply_door(c.xray_listen, v); }},
    {"otlp-listen", "ADDRESS:PORT|off", "OpenTelemetry over HTTP (127.0.0.1:4318)",
     [](Config& c, const std::string& v) { return apply_door(c.otlp_listen, v); }},
    {"emf-listen", "ADDRESS:PORT|off", "embedded metric format, UDP and TCP (127.0.0.1:25888)",
     [](Config& c, const std::string& v) { return apply_door(c.emf_listen, v); }},
    {"data", "DIR", "data folder ($XDG_DATA_HOME/fogwatch)",
     [](Config& c, const std::string& v) -> Status {
       if (v.empty()) return Error::invalid("data: the folder's name is empty");
       c.data = v;
       return Ok{};
     }},
    {"ephemeral", "", "keep everything in memory only",
     [](Config& c, const std::string& v) { return apply_switch(c.ephemeral, v, "ephemeral"); }},
    {"profile", "dev|site", "dev: any credentials, loopback only; site: known keys and people only, nothing open (dev)",
     [](Config& c, const std::string& v) -> Status {
       if (v == "dev") c.profile = Profile::kDev;
       else if (v == "site") c.profile = Profile::kSite;
       else return Error::invalid(fmt::format("profile: '{}' is neither dev nor site", v));
       return Ok{};
     }},
    {"max-bytes", "SIZE", "budget of the data folder, such as 20G: past it the oldest logs, traces and metrics go (none)",
     [](Config& c, const std::string& v) -> Status {
       constexpr std::uint64_t kLeast = 64u << 20;
       TRYV(apply_size(c.max_bytes, v, "max-bytes"));
       if (c.max_bytes != 0 && c.max_bytes < kLeast) return Error::invalid("max-bytes: at least 64M");
       return Ok{};
     }},
    {"durability", "strict|relaxed", "what survives power loss (strict: all that was answered)",
     [](Config& c, const std::string& v) -> Status {
       if (v == "strict") c.durability = Durability::kStrict;
       else if (v == "relaxed") c.durability = Durability::kRelaxed;
       else return Error::invalid(fmt::format("durability: '{}' is neither strict nor relaxed", v));
       return Ok{};
     }},
    {"allow-open-dev", "", "let profile dev listen beyond loopback: anybody who reaches it may use it",
     [](Config& c, const std::string& v) { return apply_switch(c.allow_open_dev, v, "allow-open-dev"); }},
    {"keys-file", "FILE", "verify signatures by the access keys of this file and enforce their policies; SIGHUP reads it again",
     [](Config& c, const std::string& v) -> Status {
       if (v.empty()) return Error::invalid("keys-file: the file's name is empty");
       c.keys_file = v;
       return Ok{};
     }},
    {"region", "NAME", "region of calls that name none (us-east-1)",
     [](Config& c, const std::string& v) -> Status {
       const bool ok = !v.empty() && v.size() <= 32 && std::all_of(v.begin(), v.end(), [](char ch) {
         return (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '-';
       });
       if (!ok) return Error::invalid(fmt::format("region: '{}' is not a region name", v));
       c.region = v;
       return Ok{};
     }},
    {"account", "ID", "account of calls that name none (000000000000)",
     [](Config& c, const std::string& v) -> Status {
       if (v.size() != 12 || !all_digits(v)) return Error::invalid(fmt::format("account: '{}' is not 12 digits", v));
       c.account = v;
       return Ok{};
     }},
    {"external-url", "URL", "what links in notifications begin with (the API's address)",
     [](Config& c, const std::string& v) -> Status {
       if (!v.starts_with("http://") && !v.starts_with("https://")) {
         return Error::invalid(fmt::format("external-url: '{}' does not begin with http:// or https://", v));
       }
       c.external_url = v;
       while (c.external_url.ends_with('/')) c.external_url.pop_back();
       return Ok{};
     }},
    {"allowed-hosts", "NAMES", "further host names browsers may use, separated by commas",
     [](Config& c, const std::string& v) -> Status { c.allowed_hosts = split_list(v); return Ok{}; }},
    {"allowed-origins", "ORIGINS", "web origins that may call the API, separated by commas",
     [](Config& c, const std::string& v) -> Status { c.allowed_origins = split_list(v); return Ok{}; }},
    {"threads", "N", "threads that serve connections (0: one a core)",
     [](Config& c, const std::string& v) { return apply_number(c.threads, v, "threads", 256); }},
    {"connections-max", "N", "connections served at a time; beyond it the one idle for longest is closed (16384)",
     [](Config& c, const std::string& v) { return apply_number(c.connections_max, v, "connections-max", 1'000'000); }},
    {"tls-cert", "FILE", "certificate and chain in PEM form: the API and the console speak TLS only; read again when it changes",
     [](Config& c, const std::string& v) -> Status { c.tls_certificate = v; return Ok{}; }},
    {"tls-key", "FILE", "its private key in PEM form, readable by the server's user (and group) only",
     [](Config& c, const std::string& v) -> Status { c.tls_key = v; return Ok{}; }},
    {"memory-limit", "SIZE", "resident memory above which large requests and queries are refused, such as 2G (85 % of the container's; none)",
     [](Config& c, const std::string& v) -> Status {
       TRYV(apply_size(c.memory_limit, v, "memory-limit"));
       constexpr std::uint64_t kLeast = 64u << 20;
       if (c.memory_limit != 0 && c.memory_limit < kLeast) return Error::invalid("memory-limit: at least 64M");
       return Ok{};
     }},
    {"outbound-private", "true|false", "may deliveries go to loopback and private addresses (dev: true, site: false)",
     [](Config& c, const std::string& v) -> Status {
       bool may = false;
       TRYV(apply_switch(may, v, "outbound-private"));
       c.outbound_private = may;
       return Ok{};
     }},
    {"door-sources", "BLOCKS", "networks that the doors without signatures (X-Ray, EMF, syslog, StatsD, OTLP) take from, beside this machine",
     [](Config& c, const std::string& v) -> Status {
       c.door_sources = split_list(v);
       auto fine = Networks::parse(c.door_sources);
       return fine.ok() ? Status(Ok{}) : Status(Error::invalid("door-sources: " + fine.error().message()));
     }},
    {"smtp-url", "URL", "mail relay, smtp://host:25 or smtps://host:465 (none: mail waits in the outbox)",
     [](Config& c, const std::string& v) -> Status {
       if (!v.empty() && !v.starts_with("smtp://") && !v.starts_with("smtps://")) {
         return Error::invalid(fmt::format("smtp-url: '{}' does not begin with smtp:// or smtps://", v));
       }
       c.smtp.url = v;
       return Ok{};
     }},
    {"smtp-user", "NAME", "user at the mail relay",
     [](Config& c, const std::string& v) -> Status { c.smtp.user = v; return Ok{}; }},
    {"smtp-password", "WORD", "its password; better given as FOGWATCH_SMTP_PASSWORD",
     [](Config& c, const std::string& v) -> Status { c.smtp.password = v; return Ok{}; }},
    {"smtp-from", "ADDRESS", "sender of mail (no-reply@fogwatch.localhost)",
     [](Config& c, const std::string& v) -> Status { c.smtp.from = v; return Ok{}; }},
    {"smtp-require-tls", "true|false", "refuse a relay without STARTTLS (false)",
     [](Config& c, const std::string& v) { return apply_switch(c.smtp.require_tls, v, "smtp-require-tls"); }},
    {"smtp-ca", "FILE", "PEM file of who may sign the relay's certificate (the system's)",
     [](Config& c, const std::string& v) -> Status { c.smtp.ca_file = v; return Ok{}; }},
    {"delivery-targets", "ARN-PREFIX=URL,...", "where messages to functions, streams and foreign queues go",
     [](Config& c, const std::string& v) -> Status {
       c.delivery_targets.clear();
       for (const std::string& item : split_list(v)) {
         const std::size_t equals = item.find("=http");
         if (!item.starts_with("arn:") || equals == std::string::npos) {
           return Error::invalid(fmt::format("delivery-targets: '{}' is not of the form arn:aws:lambda:=http://host:port", item));
         }
         c.delivery_targets.emplace_back(item.substr(0, equals), item.substr(equals + 1));
       }
       return Ok{};
     }},
    {"delivery-access-key", "ID", "signs calls to the delivery targets (fogwatch)",
     [](Config& c, const std::string& v) -> Status { c.delivery_access_key = v; return Ok{}; }},
    {"delivery-secret-key", "WORD", "its secret; better given as FOGWATCH_DELIVERY_SECRET_KEY",
     [](Config& c, const std::string& v) -> Status { c.delivery_secret_key = v; return Ok{}; }},
    {"event-urls", "URLS", "every alarm and X-Ray insight event goes to these, separated by commas",
     [](Config& c, const std::string& v) -> Status {
       c.event_urls = split_list(v);
       for (const std::string& url : c.event_urls) {
         if (!url.starts_with("http://") && !url.starts_with("https://")) {
           return Error::invalid(fmt::format("event-urls: '{}' does not begin with http:// or https://", url));
         }
       }
       return Ok{};
     }},
    {"xray-insights-topic", "ARN", "SNS topic for X-Ray insight events of groups with notifications (none)",
     [](Config& c, const std::string& v) -> Status {
       if (!v.empty() && !v.starts_with("arn:")) return Error::invalid(fmt::format("xray-insights-topic: '{}' is no ARN", v));
       c.xray_insights_topic = v;
       return Ok{};
     }},
    {"sms-webhook", "URL", "text messages go there as JSON (none: the outbox)",
     [](Config& c, const std::string& v) -> Status {
       if (!v.empty() && !v.starts_with("http://") && !v.starts_with("https://")) {
         return Error::invalid(fmt::format("sms-webhook: '{}' does not begin with http:// or https://", v));
       }
       c.sms_webhook = v;
       return Ok{};
     }},
    {"sms-sandbox", "true|false", "only verified numbers get text messages (false)",
     [](Config& c, const std::string& v) { return apply_switch(c.sms_sandbox, v, "sms-sandbox"); }},
    {"alarm-grace-ms", "N", "alarms look at a window this long after it ended (2000)",
     [](Config& c, const std::string& v) { return apply_number(c.alarm_grace_ms, v, "alarm-grace-ms", 600'000); }},
    {"syslog-listen", "ADDRESS:PORT|off", "syslog, RFC 5424 and 3164, UDP and TCP (off)",
     [](Config& c, const std::string& v) { return apply_door(c.syslog_listen, v); }},
    {"syslog-group", "NAME", "log group of what syslog brings (/syslog)",
     [](Config& c, const std::string& v) -> Status {
       if (v.empty() || v.size() > 512) return Error::invalid("syslog-group: a log group's name has 1 to 512 characters");
       c.syslog_group = v;
       return Ok{};
     }},
    {"statsd-listen", "ADDRESS:PORT|off", "StatsD, UDP and TCP (off; its usual port is 8125)",
     [](Config& c, const std::string& v) { return apply_door(c.statsd_listen, v); }},
    {"statsd-namespace", "NAME", "namespace of what StatsD brings (CWAgent)",
     [](Config& c, const std::string& v) -> Status {
       if (v.empty() || v.size() > 255 || v.front() == ':') return Error::invalid(fmt::format("statsd-namespace: '{}' is no namespace", v));
       c.statsd_namespace = v;
       return Ok{};
     }},
    {"metric-stream-destinations", "ARN=TO,...", "where metric streams lead: a URL or file:FOLDER for a Firehose ARN",
     [](Config& c, const std::string& v) -> Status {
       c.metric_stream_destinations.clear();
       for (const std::string& item : split_list(v)) {
         const std::size_t equal = item.find('=');
         const std::string to = equal == std::string::npos ? std::string() : item.substr(equal + 1);
         if (!item.starts_with("arn:") || !(to.starts_with("http://") || to.starts_with("https://") || to.starts_with("file:/"))) {
           return Error::invalid(fmt::format("metric-stream-destinations: '{}' is not ARN=TO with TO being http(s)://... or file:/FOLDER", item));
         }
         c.metric_stream_destinations.emplace_back(item.substr(0, equal), to);
       }
       return Ok{};
     }},
    {"metric-stream-access-key", "WORD", "what such endpoints are shown as X-Amz-Firehose-Access-Key",
     [](Config& c, const std::string& v) -> Status { c.metric_stream_access_key = v; return Ok{}; }},
    {"metric-tags", "ROWS", "tags of metrics' resources, rows 'InstanceId=i-1 team=payments env=prod' separated by commas",
     [](Config& c, const std::string& v) -> Status { c.metric_tags = split_list(v); return Ok{}; }},
    {"log-destinations", "ARN=TO,...", "where subscription filters and exports lead: a URL, aws+URL, sns:ARN or file:FOLDER for ARNs that begin so",
     [](Config& c, const std::string& v) -> Status {
       c.log_destinations.clear();
       for (const std::string& item : split_list(v)) {
         const std::size_t equal = item.find('=');
         const std::string to = equal == std::string::npos ? std::string() : item.substr(equal + 1);
         const bool known = to.starts_with("http://") || to.starts_with("https://") || to.starts_with("aws+http://") ||
                            to.starts_with("aws+https://") || to.starts_with("sns:arn:") || to.starts_with("file:/");
         if (!item.starts_with("arn:") || !known) {
           return Error::invalid(fmt::format("log-destinations: '{}' is not ARN=TO with TO being http(s)://..., aws+http(s)://..., "
                                             "sns:ARN or file:/FOLDER", item));
         }
         c.log_destinations.emplace_back(item.substr(0, equal), to);
       }
       return Ok{};
     }},
    {"export-root", "FOLDER", "any bucket that logs are exported to is a folder below this one",
     [](Config& c, const std::string& v) -> Status { c.export_root = v; return Ok{}; }},
    {"log-queue-mb", "N", "megabytes that may wait on disk for the destination of a subscription filter (64)",
     [](Config& c, const std::string& v) { return apply_number(c.log_queue_mb, v, "log-queue-mb", 65536); }},
    {"live-tail-sessions", "N", "live tail sessions of an account and region (64)",
     [](Config& c, const std::string& v) { return apply_number(c.live_tail_sessions, v, "live-tail-sessions", 10'000); }},
    {"lambda-metrics", "true|false", "metrics of AWS/Lambda from the platform lines in /aws/lambda/NAME (true)",
     [](Config& c, const std::string& v) { return apply_switch(c.lambda_metrics, v, "lambda-metrics"); }},
    {"logs-metrics", "true|false", "metrics of AWS/Logs about the service itself (true)",
     [](Config& c, const std::string& v) { return apply_switch(c.logs_metrics, v, "logs-metrics"); }},
    {"log-format", "text|json", "form of the server's own log lines (text)",
     [](Config& c, const std::string& v) -> Status {
       if (!log::parse_format(v, c.log_format)) return Error::invalid(fmt::format("log-format: '{}' is neither text nor json", v));
       return Ok{};
     }},
    {"access-log", "off|errors|all", "a line in the server's own log for a request: those answered with a 5xx, all, none (errors)",
     [](Config& c, const std::string& v) -> Status {
       if (!log::parse_access(v, c.access_log)) return Error::invalid(fmt::format("access-log: '{}' is not one of off, errors, all", v));
       return Ok{};
     }},
    {"self-monitoring", "on|off", "the server's own health as metrics of namespace Fogwatch, with a dashboard and alarms (on in profile site)",
     [](Config& c, const std::string& v) -> Status {
       if (v != "on" && v != "off" && v != "true" && v != "false") return Error::invalid(fmt::format("self-monitoring: '{}' is neither on nor off", v));
       c.self_monitoring = v == "on" || v == "true";
       return Ok{};
     }},
    {"price-table", "FILE", "JSON with prices for /_fogwatch/usage, in the form of /_fogwatch/usage/prices (us-east-1's)",
     [](Config& c, const std::string& v) -> Status { c.price_table = v; return Ok{}; }},
    {"metadata-file", "FILE", "JSON that makes this server the metadata service of an EC2 instance or ECS task (off)",
     [](Config& c, const std::string& v) -> Status { c.metadata_file = v; return Ok{}; }},
    {"log-level", "LEVEL", "debug, info, warn, error or off (info)",
     [](Config& c, const std::string& v) -> Status {
       if (!log::parse_level(v, c.log_level)) {
         return Error::invalid(fmt::format("log-level: '{}' is not one of debug, info, warn, error, off", v));
       }
       return Ok{};
     }},
};

const Option* find_option(std::string_view name) {
  for (const Option& option : kOptions) {
    if (name == option.name) return &option;
  }
  return nullptr;
}

std::string environment_name(std::string_view option) {
  std::string name = "FOGWATCH_";
  for (const char c : option) name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  return name;
}

// An Error about an option says where the value came from.
Error blame(const Error& error, const std::string& source) {
  return Error::invalid(fmt::format("{}: {}", source, error.message()));
}

Result<std::string> toml_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* flag = node.as_boolean()) return std::string(flag->get() ? "true" : "false");
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* list = node.as_array()) {
    std::string joined;
    for (const toml::node& item : *list) {
      const auto* text = item.as_string();
      if (text == nullptr) return Error::invalid("a list may hold strings only");
      joined += (joined.empty() ? "" : ",") + text->get();
    }
    return joined;
  }
  return Error::invalid("the value is neither text, number, switch nor list");
}

Status apply_file(Config& config, const std::string& path) {
  const toml::parse_result parsed = toml::parse_file(path);
  if (!parsed) {
    return Error::invalid(fmt::format("{}:{}: {}", path, parsed.error().source().begin.line, parsed.error().description()));
  }
  for (const auto& [key, node] : parsed.table()) {
    std::string name(key.str());
    std::replace(name.begin(), name.end(), '_', '-');
    const std::string source = fmt::format("{}: {}", path, key.str());
    const Option* option = find_option(name);
    if (option == nullptr) return Error::invalid(source + " is not an option");
    auto text = toml_text(node);
    if (!text.ok()) return blame(text.error(), source);
    if (auto done = option->apply(config, *text); !done.ok()) return blame(done.error(), path);
  }
  return Ok{};
}

Status apply_environment(Config& config, const Environment& environment) {
  for (const Option& option : kOptions) {
    const std::string name = environment_name(option.name);
    const auto found = environment.find(name);
    if (found == environment.end()) continue;
    if (auto done = option.apply(config, found->second); !done.ok()) return blame(done.error(), name);
  }
  return Ok{};
}

std::filesystem::path default_data_folder(const Environment& environment) {
  const auto value = [&](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
  };
  if (const std::string data = value("XDG_DATA_HOME"); data.starts_with('/')) return data + "/fogwatch";
  if (const std::string home = value("HOME"); home.starts_with('/')) return home + "/.local/share/fogwatch";
  return {};
}

// What a site insists on. Nothing here has a default that would let anybody in.
Status check_site(Config& config) {
  config.allow_open_dev = false;  // a container image sets it; here it has no say
  if (config.keys_file.empty()) {
    return Error::invalid(
        "--profile site needs --keys-file FILE; `fogwatch keys add --file FILE --name admin --admin` makes one with a first key, "
        "`fogwatch users add --file FILE --admin NAME` a first person for the console");
  }
  if (config.ephemeral) return Error::invalid("--profile site keeps what it acknowledges: it cannot be --ephemeral");
  if (config.durability != Durability::kStrict) return Error::invalid("--profile site keeps what it acknowledges: its durability is strict");
  const bool has_tls = !config.tls_certificate.empty();
  if (!config.listen.is_loopback() && !has_tls) {
    return Error::invalid(fmt::format("--profile site speaks to other machines by TLS only: --listen {} needs --tls-cert and --tls-key", config.listen.text()));
  }
  return Ok{};
}

Status finish(Config& config, const Environment& environment) {
  if (config.tls_certificate.empty() != config.tls_key.empty()) {
    return Error::invalid(config.tls_key.empty() ? "tls-cert needs tls-key beside it" : "tls-key needs tls-cert beside it");
  }
  if (config.ephemeral) {
    config.durability = Durability::kEphemeral;
  } else if (config.data.empty()) {
    config.data = default_data_folder(environment);
    if (config.data.empty()) return Error::invalid("neither XDG_DATA_HOME nor HOME is set: choose a folder with --data");
  }
  if (config.profile == Profile::kSite) TRYV(check_site(config));
  const std::pair<const char*, std::optional<ListenAddress>> doors[] = {{"listen", config.listen},
                                                                        {"xray-listen", config.xray_listen},
                                                                        {"otlp-listen", config.otlp_listen},
                                                                        {"emf-listen", config.emf_listen},
                                                                        {"syslog-listen", config.syslog_listen},
                                                                        {"statsd-listen", config.statsd_listen}};
  for (const auto& [name, address] : doors) {
    if (!address || address->is_loopback() || config.allow_open_dev) continue;
    // The API's own port checks everybody's signature then; the doors beside it cannot.
    if (!config.keys_file.empty() && std::string_view(name) == "listen") continue;
    if (!config.door_sources.empty() && std::string_view(name) != "listen") continue;
    return Error::invalid(fmt::format(
        "--{} {} is open to other machines, and nobody's credentials are checked there; "
        "add --allow-open-dev if that network is trusted",
        name, address->text()));
  }
  return Ok{};
}

}  // namespace

bool ListenAddress::is_loopback() const { return host.starts_with("127.") || host == "::1"; }

std::string ListenAddress::text() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

Result<ListenAddress> parse_listen_address(const std::string& text) {
  const auto bad = [&] { return Error::invalid(fmt::format("'{}' is not an address of the form 127.0.0.1:4566", text)); };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return bad();
  std::string host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string::npos) return bad();
  if (host.empty() || host == "*") host = "0.0.0.0";
  if (host == "localhost") host = "127.0.0.1";
  unsigned char parsed[16];
  if (::inet_pton(AF_INET, host.c_str(), parsed) != 1 && ::inet_pton(AF_INET6, host.c_str(), parsed) != 1) return bad();
  std::size_t port = 0;
  const std::string digits = text.substr(colon + 1);
  if (digits.empty() || !apply_number(port, digits, "port", 65535).ok()) return bad();
  return ListenAddress{std::move(host), static_cast<std::uint16_t>(port)};
}

Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments, const Environment& environment) {
  CLI::App app("Fogwatch: metrics, logs, traces and notifications, spoken the AWS way.", "fogwatch");
  app.require_subcommand(0, 1);

  CLI::App* serve = app.add_subcommand("serve", "run the server");
  std::string file;
  CLI::Option* file_option = serve->add_option("--config", file, "TOML file with the same options; FOGWATCH_CONFIG")->type_name("FILE");
  std::map<std::string, std::string> given;
  for (const Option& option : kOptions) {
    const std::string flag = std::string("--") + option.name;
    const std::string name = option.name;
    if (*option.value == '\0') {
      serve->add_flag_function(flag, [&given, name](std::int64_t) { given[name] = "true"; }, option.help);
    } else {
      serve->add_option_function<std::string>(flag, [&given, name](const std::string& v) { given[name] = v; }, option.help)
          ->type_name(option.value);
    }
  }
  serve->get_option("--data")->excludes(serve->get_option("--ephemeral"));

  CLI::App* check = app.add_subcommand("check", "verify a data folder, changing nothing");
  std::string folder;
  check->add_option("folder", folder, "the data folder")->required()->type_name("DIR");
  CLI::App* version = app.add_subcommand("version", "print the version");
  CommandLine line;
  CLI::App* ingest = app.add_subcommand("ingest-stdin", "send lines of standard input to a log stream of a running server");
  ingest->add_option("--url", line.ingest.url, "the server (http://127.0.0.1:4566)")->type_name("URL");
  ingest->add_option("--group", line.ingest.group, "log group, made when it is missing; with --lambda a function's name")->required()->type_name("NAME");
  ingest->add_option("--stream", line.ingest.stream, "log stream (one of this run)")->type_name("NAME");
  ingest->add_option("--region", line.ingest.region, "region (us-east-1)")->type_name("NAME");
  ingest->add_option("--account", line.ingest.account, "account (000000000000)")->type_name("ID");
  ingest->add_flag("--emf", line.ingest.emf, "the lines are embedded metric format");
  ingest->add_flag("--lambda", line.ingest.lambda, "the lines are a Lambda function's: the group is /aws/lambda/NAME");
  ingest->add_flag("--echo", line.ingest.echo, "also write the lines to standard output");
  CLI::App* keys = app.add_subcommand("keys", "the access keys of a server with --keys-file");
  keys->require_subcommand(1);
  std::string keys_file;
  std::string policy_file;
  const auto keys_action = [&](const char* name, const char* help) {
    CLI::App* action = keys->add_subcommand(name, help);
    action->add_option("--file", keys_file, "the keys file")->required()->type_name("FILE");
    return action;
  };
  keys_action("list", "names, access keys and accounts; never secrets");
  CLI::App* keys_add = keys_action("add", "make a key; its secret is printed this once");
  keys_add->add_option("--name", line.keys.name, "the user's name, as in ARNs")->required()->type_name("NAME");
  keys_add->add_option("--account", line.keys.account, "the account that the key is of (000000000000)")->type_name("ID");
  keys_add->add_option("--policy", policy_file, "an IAM policy document; without one the key may do nothing")->type_name("FILE");
  keys_add->add_flag("--admin", line.keys.is_admin, "the key may do everything")->excludes(keys_add->get_option("--policy"));
  CLI::App* keys_revoke = keys_action("revoke", "take a key out");
  keys_revoke->add_option("access-key", line.keys.access_key, "the access key")->required()->type_name("KEY");
  CLI::App* users = app.add_subcommand("users", "the people who may sign in to the console of a server with --keys-file");
  users->require_subcommand(1);
  const auto users_action = [&](const char* name, const char* help, UsersCommand::Action action, bool has_name) {
    CLI::App* command = users->add_subcommand(name, help);
    command->add_option("--file", keys_file, "the keys file")->required()->type_name("FILE");
    if (has_name) command->add_option("name", line.users.name, "the user's name")->required()->type_name("NAME");
    command->callback([&line, action] { line.users.action = action; });
    return command;
  };
  users_action("list", "names and accounts", UsersCommand::Action::kList, false);
  CLI::App* users_add = users_action("add", "a new user; the password is read from standard input", UsersCommand::Action::kAdd, true);
  users_add->add_option("--account", line.users.account, "the account that the user works in (000000000000)")->type_name("ID");
  users_add->add_option("--policy", policy_file, "an IAM policy document; without one the user may do nothing")->type_name("FILE");
  users_add->add_flag("--admin", line.users.is_admin, "the user may do everything")->excludes(users_add->get_option("--policy"));
  users_action("password", "another password, read from standard input; ends the user's sessions", UsersCommand::Action::kPassword, true);
  users_action("remove", "take a user out; ends the user's sessions", UsersCommand::Action::kRemove, true);
  app.add_subcommand("apply", "make the resources of a CloudFormation template (fogwatch apply --help)");  // read by parse_apply_options()
  // Read in files of their own: backup/command.cc.
  app.add_subcommand("backup", "copy a data folder, also a running server's, into a folder or a tar file");
  app.add_subcommand("restore", "make a data folder from a backup");

  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    line.command = Command::kHelp;
    line.text = (serve->parsed() ? serve : check->parsed() ? check : ingest->parsed() ? ingest : keys->parsed() ? keys : users->parsed() ? users : &app)->help();
    return line;
  } catch (const CLI::ParseError& e) {
    return Error::invalid(fmt::format("{}\nRun 'fogwatch --help' for the options.", e.what()));
  }
  if (version->parsed()) {
    line.command = Command::kVersion;
    return line;
  }
  if (check->parsed()) {
    line.command = Command::kCheck;
    line.folder = folder;
    return line;
  }
  if (ingest->parsed()) {
    line.command = Command::kIngest;
    if (const auto url = environment.find("FOGWATCH_URL"); url != environment.end() && ingest->count("--url") == 0) line.ingest.url = url->second;
    return line;
  }
  if (keys->parsed()) {
    line.command = Command::kKeys;
    line.keys.action = keys_add->parsed() ? KeysCommand::Action::kAdd : keys_revoke->parsed() ? KeysCommand::Action::kRevoke : KeysCommand::Action::kList;
    line.keys.file = keys_file;
    line.keys.policy_file = policy_file;
    return line;
  }
  if (users->parsed()) {
    line.command = Command::kUsers;
    line.users.file = keys_file;
    line.users.policy_file = policy_file;
    return line;
  }
  if (!serve->parsed()) {
    line.command = Command::kHelp;
    line.text = app.help();
    return line;
  }

  line.command = Command::kServe;
  if (file_option->count() == 0) {
    const auto found = environment.find("FOGWATCH_CONFIG");
    if (found != environment.end()) file = found->second;
  }
  if (!file.empty()) TRYV(apply_file(line.config, file));
  TRYV(apply_environment(line.config, environment));
  for (const auto& [name, value] : given) {
    if (auto done = find_option(name)->apply(line.config, value); !done.ok()) return blame(done.error(), "--" + name);
  }
  // A folder named by hand outweighs "ephemeral" of the file, and the other way round.
  if (given.contains("data") && line.config.ephemeral && !given.contains("ephemeral")) line.config.ephemeral = false;
  TRYV(finish(line.config, environment));
  return line;
}

}  // namespace fog
