// Config: what the command line, the environment and a TOML file say, in that order of precedence.
//
// Every option is spelled three ways: `--xray-listen`, `FOGWATCH_XRAY_LISTEN`, and `xray-listen` or
// `xray_listen` in TOML. One table in config.cc lists them all; a name it does not know is an error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/ingest_stdin.h"
#include "storage/base/log.h"
#include "storage/base/log_context.h"
#include "storage/base/result.h"
#include "storage/wal/wal.h"

namespace fog {

struct ListenAddress {
  std::string host;  // an IP address
  std::uint16_t port = 0;
  bool is_loopback() const;
  std::string text() const;  // "127.0.0.1:4566", "[::1]:4566"
};

struct SmtpRelay {
  std::string url;  // smtp://host:25, smtps://host:465; empty: no relay, mail goes to the outbox
  std::string user;
  std::string password;
  std::string from = "no-reply@fogwatch.localhost";
  bool require_tls = false;  // STARTTLS or nothing
  std::string ca_file;       // PEM of who may sign the relay's certificate; empty: the system's
};

// dev: any credentials, for tests and one's own machine. site: everybody is known, nothing is open.
enum class Profile : std::uint8_t { kDev, kSite };

struct Config {
  Profile profile = Profile::kDev;
  ListenAddress listen{"127.0.0.1", 4566};
  std::optional<ListenAddress> xray_listen = ListenAddress{"127.0.0.1", 2000};
  std::optional<ListenAddress> otlp_listen = ListenAddress{"127.0.0.1", 4318};
  std::optional<ListenAddress> emf_listen = ListenAddress{"127.0.0.1", 25888};
  std::filesystem::path data;  // unused when ephemeral
  bool ephemeral = false;
  Durability durability = Durability::kStrict;
  bool allow_open_dev = false;
  std::filesystem::path keys_file;  // access keys and their policies; empty: any credentials do
  std::string region = "us-east-1";
  std::string account = "000000000000";
  std::string external_url;  // what links in notifications begin with; empty: the API's address
  std::vector<std::string> allowed_hosts;    // further names browsers may use for this server
  std::vector<std::string> allowed_origins;  // pages of other origins that may call it
  std::size_t threads = 0;       // 0: one a core
  std::size_t connections_max = 16 * 1024;
  std::filesystem::path tls_certificate;  // PEM, and its key; empty: the API's port speaks plain HTTP
  std::filesystem::path tls_key;
  std::uint64_t max_bytes = 0;     // of the data folder; 0: no budget
  std::uint64_t memory_limit = 0;  // bytes resident; 0: what the container allows, if anything is said
  std::optional<bool> outbound_private;  // may deliveries go to loopback and private addresses; unset: in dev only
  std::vector<std::string> door_sources;  // networks that doors which check no signatures take from, beside loopback
  bool reaches_private() const { return outbound_private.value_or(profile == Profile::kDev); }
  SmtpRelay smtp;
  std::optional<ListenAddress> syslog_listen;  // UDP and TCP
  std::string syslog_group = "/syslog";        // where its lines go, a stream a host
  std::optional<ListenAddress> statsd_listen;  // UDP and TCP
  std::string statsd_namespace = "CWAgent";
  // Of metric streams: Firehose ARN, where to (a URL, or file:FOLDER), and the access key that endpoints are shown.
  std::vector<std::pair<std::string, std::string>> metric_stream_destinations;
  std::string metric_stream_access_key;
  std::vector<std::string> metric_tags;  // "DIMENSION=VALUE KEY=VALUE ...": what tag.KEY means
  std::vector<std::pair<std::string, std::string>> log_destinations;  // of subscription filters: ARN prefix, where to
  std::filesystem::path export_root;    // buckets of log exports are folders below it; empty: only mapped ones
  std::size_t log_queue_mb = 64;        // of one subscription
  std::size_t live_tail_sessions = 64;  // of an account and region
  bool lambda_metrics = true;           // AWS/Lambda from the platform lines of /aws/lambda/NAME
  bool logs_metrics = true;             // AWS/Logs
  // ARN prefix -> base URL of a service that speaks the same API: functions, streams, queues elsewhere.
  std::vector<std::pair<std::string, std::string>> delivery_targets;
  std::string delivery_access_key = "fogwatch";  // signs calls to them
  std::string delivery_secret_key = "fogwatch";
  std::vector<std::string> event_urls;  // each receives every alarm and X-Ray insight event, in EventBridge's form
  std::string xray_insights_topic;      // ARN of a topic that receives X-Ray insight events as well; empty: none
  std::string sms_webhook;              // empty: text messages go to the outbox
  bool sms_sandbox = false;             // only verified numbers get text messages
  std::filesystem::path price_table;    // of /_fogwatch/usage; empty: the built-in one
  std::filesystem::path metadata_file;  // api/neighbours/metadata.h; empty: none
  std::size_t alarm_grace_ms = 2'000;   // a window is evaluated this long after it ended
  log::Level log_level = log::Level::kInfo;
  log::Format log_format = log::Format::kText;
  log::Access access_log = log::Access::kErrors;
  std::optional<bool> self_monitoring;  // nothing: in profile site
};

using Environment = std::map<std::string, std::string>;

enum class Command { kServe, kCheck, kIngest, kKeys, kUsers, kVersion, kHelp };

// `fogwatch keys add|list|revoke`.
struct KeysCommand {
  enum class Action { kList, kAdd, kRevoke };
  Action action = Action::kList;
  std::filesystem::path file;
  std::string name;
  std::string account = "000000000000";
  std::string access_key;             // of revoke
  std::filesystem::path policy_file;  // of add; empty: the key may do nothing yet
  bool is_admin = false;              // of add: the key may do everything
};

// `fogwatch users add|list|password|remove`: passwords are read from standard input.
struct UsersCommand {
  enum class Action { kList, kAdd, kPassword, kRemove };
  Action action = Action::kList;
  std::filesystem::path file;
  std::string name;
  std::string account = "000000000000";
  std::filesystem::path policy_file;
  bool is_admin = false;
};

struct CommandLine {
  Command command = Command::kServe;
  Config config;               // for serve
  std::filesystem::path folder;  // for check
  IngestOptions ingest;          // for ingest
  KeysCommand keys;              // for keys
  UsersCommand users;            // for users
  std::string text;            // for help: what to print
};

// `arguments` without the program's name. The error is a sentence for the user.
Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments, const Environment& environment);

// "127.0.0.1:4566", "[::1]:0", ":4566" (all interfaces), "localhost:4566".
Result<ListenAddress> parse_listen_address(const std::string& text);

}  // namespace fog
