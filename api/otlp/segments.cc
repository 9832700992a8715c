// The mapping of section 11.1 of the X-Ray rules: which document a span becomes, its name, flags,
// blocks, annotations and metadata. Attributes are looked up under their old and new names.
#include "api/otlp/segments.h"

#include <algorithm>

#include "api/codec/json.h"
#include "api/codec/text.h"
#include "storage/base/hash.h"
#include "storage/traces/document.h"

namespace fog::otlp {

const Value* find(const Attributes& attributes, std::string_view key) {
  for (const auto& [name, value] : attributes)
    if (name == key) return &value;
  return nullptr;
}

std::string_view text(const Attributes& attributes, std::string_view key) {
  const auto* value = find(attributes, key);
  const auto* string = value == nullptr ? nullptr : std::get_if<std::string>(&value->is);
  return string == nullptr ? std::string_view{} : std::string_view(*string);
}

namespace {

constexpr std::size_t kNameBytesMax = 200;

// A JSON object under construction.
class ObjectOut {
 public:
  explicit ObjectOut(std::string& out) : out_(out) { out_.push_back('{'); }
  ~ObjectOut() { out_.push_back('}'); }
  ObjectOut(const ObjectOut&) = delete;
  ObjectOut& operator=(const ObjectOut&) = delete;

  std::string& key(std::string_view name) {
    if (!first_) out_.push_back(',');
    first_ = false;
    append_json_string(name, out_);
    out_.push_back(':');
    return out_;
  }
  void string(std::string_view name, std::string_view value) {
    if (!value.empty()) append_json_string(value, key(name));
  }
  void number(std::string_view name, double value) { append_double(value, key(name), true); }
  void integer(std::string_view name, std::int64_t value) { append_integer(value, key(name)); }
  void flag(std::string_view name, bool value) {
    if (value) key(name) += "true";
  }

 private:
  std::string& out_;
  bool first_ = true;
};

void write_value(const Value& value, std::string& out) {
  if (const auto* string = std::get_if<std::string>(&value.is)) {
    append_json_string(*string, out);
  } else if (const auto* truth = std::get_if<bool>(&value.is)) {
    out += *truth ? "true" : "false";
  } else if (const auto* integer = std::get_if<std::int64_t>(&value.is)) {
    append_integer(*integer, out);
  } else if (const auto* number = std::get_if<double>(&value.is)) {
    if (*number - *number == 0) append_double(*number, out, false);
    else out += "null";
  } else if (const auto* list = std::get_if<std::vector<Value>>(&value.is)) {
    out.push_back('[');
    for (std::size_t i = 0; i < list->size(); ++i) {
      if (i > 0) out.push_back(',');
      write_value((*list)[i], out);
    }
    out.push_back(']');
  } else if (const auto* map = std::get_if<Attributes>(&value.is)) {
    ObjectOut object(out);
    for (const auto& [name, each] : *map) write_value(each, object.key(name));
  } else {
    out += "null";
  }
}

bool is_scalar(const Value& value) {
  return std::holds_alternative<std::string>(value.is) || std::holds_alternative<bool>(value.is) ||
         std::holds_alternative<std::int64_t>(value.is) || std::holds_alternative<double>(value.is);
}

std::string as_text(const Value* value) {
  if (value == nullptr) return {};
  if (const auto* string = std::get_if<std::string>(&value->is)) return *string;
  std::string out;
  if (!std::holds_alternative<std::monostate>(value->is)) write_value(*value, out);
  return out;
}

std::optional<std::int64_t> integer(const Attributes& attributes, std::string_view key) {
  const auto* value = find(attributes, key);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = std::get_if<std::int64_t>(&value->is)) return *number;
  if (const auto* number = std::get_if<double>(&value->is)) return static_cast<std::int64_t>(*number);
  if (const auto* string = std::get_if<std::string>(&value->is)) return parse_integer(*string);
  return std::nullopt;
}

// The first of `keys` that has a text.
std::string_view any_text(const Attributes& attributes, std::initializer_list<std::string_view> keys) {
  for (const auto key : keys)
    if (const auto found = text(attributes, key); !found.empty()) return found;
  return {};
}

std::string hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    out.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
  }
  return out;
}

std::string trace_id_text(std::string_view bytes) {
  const auto digits = hex(bytes);
  return "1-" + digits.substr(0, 8) + "-" + digits.substr(8);
}

bool all_zero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

// Characters that no segment name may have go; "span" if nothing is left.
std::string clean_name(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size();) {
    const auto lead = static_cast<unsigned char>(name[i]);
    const std::size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    const auto character = name.substr(i, n);
    if (is_utf8(character) && traces::is_valid_name(character)) {
      if (out.size() + character.size() > kNameBytesMax) break;
      out += character;
    }
    i += n;
  }
  if (out.find_first_not_of(" \t") == std::string::npos) return "span";
  return out;
}

std::string_view host_of(std::string_view connection) {
  if (connection.starts_with("jdbc:")) connection.remove_prefix(5);
  if (const auto scheme = connection.find("://"); scheme != std::string_view::npos) connection.remove_prefix(scheme + 3);
  if (const auto at = connection.find('@'); at != std::string_view::npos) connection.remove_prefix(at + 1);
  return connection.substr(0, connection.find_first_of(":/;?"));
}

// Everything the blocks below look at.
struct Mapping {
  const Span& span;
  const SpanGroup& group;
  const Attributes& a;
  const Attributes& resource;
  bool segment = false;
  bool is_call_kind() const {
    return span.kind == SpanKind::kClient || span.kind == SpanKind::kProducer || span.kind == SpanKind::kConsumer;
  }
  bool is_aws_call() const { return text(a, "rpc.system") == "aws-api" || !text(a, "aws.service").empty(); }
};

std::string name_of(const Mapping& m, bool local_root) {
  const auto& a = m.a;
  const auto kind = m.span.kind;
  if (kind == SpanKind::kServer || (local_root && kind == SpanKind::kInternal))
    if (const auto local = text(a, "aws.local.service"); !local.empty()) return std::string(local);
  if (m.is_call_kind()) {
    auto remote = text(a, "aws.remote.service");
    if (text(a, "rpc.system") == "aws-api")
      for (const std::string_view prefix : {"AWS.SDK.", "AWS::"})
        if (remote.starts_with(prefix)) remote.remove_prefix(prefix.size());
    if (!remote.empty()) return std::string(remote);
  }
  if (const auto found = any_text(a, {"peer.service", "aws.service"}); !found.empty()) return std::string(found);
  if (m.is_aws_call())
    if (const auto service = text(a, "rpc.service"); !service.empty()) return std::string(service);
  if (const auto database = any_text(a, {"db.name", "db.namespace"}); !database.empty()) {
    auto host = std::string(host_of(text(a, "db.connection_string")));
    if (host.empty()) host = any_text(a, {"server.address", "net.peer.name"});
    if (!host.empty()) return std::string(database) + "@" + host;
  }
  const auto service = text(m.resource, "service.name");
  if ((kind == SpanKind::kServer || m.segment) && !service.empty()) return std::string(service);
  return std::string(any_text(a, {"rpc.service", "http.host", "net.peer.name", "server.address"}));
}

// --- blocks --------------------------------------------------------------------------------------

std::string url_of(const Mapping& m) {
  const auto& a = m.a;
  if (const auto full = any_text(a, {"http.url", "url.full"}); !full.empty()) return std::string(full);
  std::string scheme(any_text(a, {"http.scheme", "url.scheme"}));
  if (scheme.empty()) scheme = "http";
  std::string host(any_text(a, {"http.host", "server.address", "http.server_name", "net.host.name", "net.peer.name"}));
  std::string target(any_text(a, {"http.target", "url.path"}));
  if (target.empty() && host.empty()) return {};
  if (target.empty()) target = "/";
  if (const auto query = text(a, "url.query"); !query.empty()) target += "?" + std::string(query);
  if (host.empty()) host = text(m.resource, "host.name");
  if (host.empty()) host = "localhost";
  for (const auto* key : {"server.port", "net.host.port", "net.peer.port"}) {
    const auto port = integer(a, key);
    if (!port || host.find(':') != std::string::npos) continue;
    if (!(scheme == "http" && *port == 80) && !(scheme == "https" && *port == 443)) host += ":" + std::to_string(*port);
    break;
  }
  return scheme + "://" + host + target;
}

std::optional<std::int64_t> status_of(const Mapping& m) {
  if (const auto status = integer(m.a, "http.status_code")) return status;
  return integer(m.a, "http.response.status_code");
}

void write_http(const Mapping& m, ObjectOut& document) {
  const auto& a = m.a;
  const auto method = any_text(a, {"http.method", "http.request.method"});
  const auto status = status_of(m);
  const auto url_given = any_text(a, {"http.url", "url.full", "http.target", "url.path"});
  if (method.empty() && !status && url_given.empty()) return;
  ObjectOut http(document.key("http"));
  {
    ObjectOut request(http.key("request"));
    request.string("method", method);
    request.string("url", url_of(m));
    request.string("user_agent", any_text(a, {"http.user_agent", "user_agent.original"}));
    const auto client = any_text(a, {"http.client_ip", "client.address"});
    request.string("client_ip", client.empty() ? any_text(a, {"net.peer.ip", "network.peer.address"}) : client);
    request.flag("x_forwarded_for", m.segment && !client.empty());
  }
  ObjectOut response(http.key("response"));
  if (status) response.integer("status", *status);
  auto length = integer(a, "http.response_content_length");
  if (!length) length = integer(a, "http.response.body.size");
  response.integer("content_length", length.value_or(0));
}

std::string_view origin_of(const Mapping& m) {
  if (text(m.resource, "cloud.provider") != "aws") return {};
  const auto platform = text(m.resource, "cloud.platform");
  if (platform == "aws_ec2") return "AWS::EC2::Instance";
  if (platform == "aws_ecs") {
    const auto launch = text(m.resource, "aws.ecs.launchtype");
    return launch == "ec2" ? "AWS::ECS::EC2" : launch == "fargate" ? "AWS::ECS::Fargate" : "AWS::ECS::Container";
  }
  if (platform == "aws_eks") return "AWS::EKS::Container";
  if (platform == "aws_elastic_beanstalk") return "AWS::ElasticBeanstalk::Environment";
  return platform == "aws_app_runner" ? "AWS::AppRunner::Service" : std::string_view{};
}

void write_part(ObjectOut& parent, std::string_view name, const Attributes& from,
                std::initializer_list<std::pair<std::string_view, std::string_view>> members) {
  bool any = false;
  for (const auto& [key, attribute] : members) any |= find(from, attribute) != nullptr;
  if (!any) return;
  ObjectOut part(parent.key(name));
  for (const auto& [key, attribute] : members) part.string(key, as_text(find(from, attribute)));
}

std::vector<std::string> list_of(const Attributes& attributes, std::string_view key) {
  std::vector<std::string> out;
  const auto* value = find(attributes, key);
  if (value == nullptr) return out;
  if (const auto* list = std::get_if<std::vector<Value>>(&value->is)) {
    for (const auto& each : *list) out.push_back(as_text(&each));
  } else {
    const auto joined = as_text(value);
    for (std::size_t at = 0; at <= joined.size();) {
      const auto end = std::min(joined.find('&', at), joined.size());
      if (end > at) out.push_back(joined.substr(at, end - at));
      at = end + 1;
    }
  }
  return out;
}

void write_aws(const Mapping& m, ObjectOut& document, bool with_call) {
  const auto provider = text(m.resource, "cloud.provider");
  if (!provider.empty() && provider != "aws") return;
  const auto& r = m.resource;
  ObjectOut aws(document.key("aws"));
  aws.string("account_id", text(r, "cloud.account.id"));
  if (m.segment) {
    write_part(aws, "ec2", r, {{"instance_id", "host.id"}, {"instance_size", "host.type"},
                               {"ami_id", "host.image.id"}, {"availability_zone", "cloud.availability_zone"}});
    write_part(aws, "ecs", r, {{"container", "container.name"}, {"container_id", "container.id"},
                               {"container_arn", "aws.ecs.container.arn"}, {"task_arn", "aws.ecs.task.arn"},
                               {"task_family", "aws.ecs.task.family"}, {"cluster_arn", "aws.ecs.cluster.arn"},
                               {"launch_type", "aws.ecs.launchtype"}});
    write_part(aws, "eks", r, {{"cluster_name", "k8s.cluster.name"}, {"pod", "k8s.pod.name"}});
    if (text(r, "cloud.platform") == "aws_elastic_beanstalk") {
      ObjectOut part(aws.key("elastic_beanstalk"));
      part.string("environment_name", text(r, "service.namespace"));
      part.string("version_label", text(r, "service.version"));
      if (const auto id = integer(r, "service.instance.id")) part.integer("deployment_id", *id);
    }
    const auto arns = list_of(r, "aws.log.group.arns");
    const auto names = list_of(r, "aws.log.group.names");
    if (!arns.empty() || !names.empty()) {
      auto& out = aws.key("cloudwatch_logs");
      out.push_back('[');
      bool first = true;
      for (const auto& each : arns.empty() ? names : arns) {
        if (!first) out.push_back(',');
        first = false;
        ObjectOut entry(out);
        if (arns.empty()) {
          entry.string("log_group", each);
        } else {
          entry.string("arn", each);
          const auto at = each.find(":log-group:");
          if (at != std::string::npos) entry.string("log_group", std::string_view(each).substr(at + 11).substr(0, each.find(':', at + 11) - at - 11));
        }
      }
      out.push_back(']');
    }
  }
  if (with_call) {
    const auto& a = m.a;
    auto operation = any_text(a, {"aws.operation"});
    if (operation.empty() && m.is_aws_call()) operation = text(a, "rpc.method");
    aws.string("operation", operation);
    aws.string("region", any_text(a, {"aws.region", "cloud.region"}));
    aws.string("request_id", any_text(a, {"aws.request_id", "aws.requestId"}));
    aws.string("queue_url", any_text(a, {"aws.queue_url", "aws.queue.url", "messaging.url"}));
    const auto tables = list_of(a, "aws.dynamodb.table_names");
    if (const auto table = text(a, "aws.table_name"); !table.empty()) {
      aws.string("table_name", table);
    } else if (tables.size() == 1) {
      aws.string("table_name", tables.front());
    } else if (tables.size() > 1) {
      auto& out = aws.key("table_names");
      out.push_back('[');
      for (std::size_t i = 0; i < tables.size(); ++i) {
        if (i > 0) out.push_back(',');
        append_json_string(tables[i], out);
      }
      out.push_back(']');
    }
  }
  if (const auto sdk = text(r, "telemetry.sdk.name"); !sdk.empty()) {
    ObjectOut xray(aws.key("xray"));
    const auto language = text(r, "telemetry.sdk.language");
    xray.string("sdk", language.empty() ? std::string(sdk) : std::string(sdk) + " for " + std::string(language));
    xray.string("sdk_version", text(r, "telemetry.sdk.version"));
    xray.key("auto_instrumentation") += find(r, "telemetry.auto.version") != nullptr ? "true" : "false";
  }
}

void write_sql(const Mapping& m, ObjectOut& document) {
  constexpr std::string_view kSystems[] = {"db2",    "derby",      "hive",   "mariadb",  "mssql",    "mysql",
                                           "oracle", "postgresql", "sqlite", "teradata", "other_sql"};
  const auto system = any_text(m.a, {"db.system", "db.system.name"});
  if (std::find(std::begin(kSystems), std::end(kSystems), system) == std::end(kSystems)) return;
  ObjectOut sql(document.key("sql"));
  std::string connection(text(m.a, "db.connection_string"));
  if (connection.empty()) connection = "localhost";
  sql.string("connection_string", connection + "/" + std::string(any_text(m.a, {"db.name", "db.namespace"})));
  sql.string("url", m.span.name);
  sql.string("sanitized_query", any_text(m.a, {"db.statement", "db.query.text"}));
  sql.string("database_type", system);
  sql.string("user", text(m.a, "db.user"));
}

std::uint64_t derived_id(const Span& span, std::uint64_t number) { return hash64(span.trace_id + span.span_id, number + 1); }

struct Exception {
  std::string type, message;
  bool remote = false;
  std::vector<StackFrame> stack;
};

void write_exceptions(const std::vector<std::vector<Exception>>& chains, const Span& span, ObjectOut& cause) {
  auto& out = cause.key("exceptions");
  out.push_back('[');
  std::uint64_t number = 0;
  bool first = true;
  for (const auto& chain : chains) {
    for (std::size_t i = 0; i < chain.size(); ++i, ++number) {
      if (!first) out.push_back(',');
      first = false;
      const auto& x = chain[i];
      ObjectOut exception(out);
      exception.string("id", traces::span_id_text(derived_id(span, number)));
      exception.string("type", x.type);
      exception.string("message", x.message);
      exception.flag("remote", x.remote);
      if (i + 1 < chain.size()) exception.string("cause", traces::span_id_text(derived_id(span, number + 1)));
      if (x.stack.empty()) continue;
      auto& stack = exception.key("stack");
      stack.push_back('[');
      for (std::size_t f = 0; f < x.stack.size(); ++f) {
        if (f > 0) stack.push_back(',');
        ObjectOut frame(stack);
        frame.string("path", x.stack[f].path);
        frame.string("label", x.stack[f].label);
        frame.integer("line", x.stack[f].line);
      }
      stack.push_back(']');
    }
  }
  out.push_back(']');
}

// An exception and those that caused it: Java prints them below, after "Caused by:".
std::vector<Exception> exception_chain(const SpanEvent& event, std::string_view language, bool remote) {
  std::vector<Exception> chain;
  Exception outer;
  outer.type = text(event.attributes, "exception.type");
  outer.message = text(event.attributes, "exception.message");
  outer.remote = remote;
  std::string_view stack = text(event.attributes, "exception.stacktrace");
  constexpr std::string_view kCausedBy = "\nCaused by: ";
  const bool nested = language == "java";
  auto end = nested ? stack.find(kCausedBy) : std::string_view::npos;
  outer.stack = parse_stack(language, stack.substr(0, end));
  chain.push_back(std::move(outer));
  constexpr std::size_t kCausesMax = 20;
  while (end != std::string_view::npos && chain.size() < kCausesMax) {
    stack.remove_prefix(end + kCausedBy.size());
    end = stack.find(kCausedBy);
    const auto part = stack.substr(0, end);
    const auto line = part.substr(0, part.find('\n'));
    const auto colon = line.find(": ");
    Exception cause;
    cause.type = line.substr(0, colon);
    if (colon != std::string_view::npos) cause.message = line.substr(colon + 2);
    cause.remote = remote;
    cause.stack = parse_stack(language, part);
    chain.push_back(std::move(cause));
  }
  return chain;
}

void write_cause(const Mapping& m, ObjectOut& document) {
  const bool remote = m.span.kind == SpanKind::kClient || m.span.kind == SpanKind::kProducer;
  const auto language = text(m.resource, "telemetry.sdk.language");
  std::vector<std::vector<Exception>> chains;
  for (const auto& event : m.span.events) {
    if (event.name == "exception") {
      chains.push_back(exception_chain(event, language, remote));
    } else if (event.name == "HTTP request failure" && m.is_aws_call()) {
      Exception x;
      x.type = "aws.http.error.event";
      std::string time;
      append_double(static_cast<double>(event.time_ns) / 1e9, time, true);
      x.message = as_text(find(event.attributes, "http.response.status_code")) + "@" + time + "@" +
                  as_text(find(event.attributes, "aws.http.error_message"));
      x.remote = remote;
      chains.push_back({std::move(x)});
    }
  }
  if (chains.empty() && m.span.status == StatusCode::kError && !m.span.status_message.empty())
    chains.push_back({{.type = {}, .message = m.span.status_message, .remote = remote, .stack = {}}});
  if (chains.empty()) return;
  ObjectOut cause(document.key("cause"));
  write_exceptions(chains, m.span, cause);
}

void write_flags(const Mapping& m, ObjectOut& document) {
  const auto status = status_of(m);
  if (status && *status >= 400 && *status < 500) {
    document.flag("error", true);
    document.flag("throttle", *status == 429);
  } else if ((status && *status >= 500 && *status < 600) || (m.span.status == StatusCode::kError)) {
    document.flag("fault", true);
  }
}

std::string annotation_key(std::string_view key) {
  std::string out(key);
  for (char& c : out) {
    const bool fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.';
    if (!fine) c = '_';
  }
  return out;
}

void write_attributes(const Mapping& m, ObjectOut& document, const SegmentOptions& options, bool resource_only) {
  constexpr std::string_view kAnnotations = "aws.xray.annotations";
  constexpr std::string_view kMetadata = "aws.xray.metadata.";
  const auto named = list_of(m.a, kAnnotations);
  const auto indexed = [&](const std::string& key, const Value& value) {
    if (!is_scalar(value)) return false;
    return options.index_all_attributes || std::find(named.begin(), named.end(), key) != named.end();
  };
  if (!resource_only && std::any_of(m.a.begin(), m.a.end(), [&](const auto& each) { return indexed(each.first, each.second); })) {
    ObjectOut annotations(document.key("annotations"));
    for (const auto& [key, value] : m.a)
      if (indexed(key, value)) write_value(value, annotations.key(annotation_key(key)));
  }
  ObjectOut metadata(document.key("metadata"));
  if (!resource_only) {
    for (const auto& [key, value] : m.a) {
      if (!key.starts_with(kMetadata) || key.size() == kMetadata.size()) continue;
      write_value(value, metadata.key(key.substr(kMetadata.size())));
    }
  }
  ObjectOut rest(metadata.key("default"));
  if (!resource_only) {
    for (const auto& [key, value] : m.a) {
      if (key == kAnnotations || key.starts_with(kMetadata) || indexed(key, value)) continue;
      write_value(value, rest.key(key));
    }
  }
  if (m.segment)
    for (const auto& [key, value] : m.resource) write_value(value, rest.key("otel.resource." + key));
}

void write_links(const Mapping& m, ObjectOut& document) {
  if (m.span.links.empty()) return;
  auto& out = document.key("links");
  out.push_back('[');
  bool first = true;
  for (const auto& link : m.span.links) {
    if (link.trace_id.size() != 16 || link.span_id.size() != 8) continue;
    if (!first) out.push_back(',');
    first = false;
    ObjectOut entry(out);
    entry.string("trace_id", trace_id_text(link.trace_id));
    entry.string("id", hex(link.span_id));
    ObjectOut attributes(entry.key("attributes"));
    for (const auto& [key, value] : link.attributes) write_value(value, attributes.key(key));
  }
  out.push_back(']');
}

struct Shape {
  std::string id;
  std::string parent;
  std::string name;
  std::string_view name_space;
  bool with_call = true;   // http, sql, AWS call members, exceptions
  bool with_links = true;
  bool resource_only = false;  // no metadata but the resource's
};

std::string document_of(Mapping m, const Shape& shape, const SegmentOptions& options) {
  std::string out;
  {
    ObjectOut document(out);
    document.string("trace_id", trace_id_text(m.span.trace_id));
    document.string("id", shape.id);
    document.string("name", clean_name(shape.name.empty() ? std::string_view(m.span.name) : std::string_view(shape.name)));
    if (!m.segment) document.string("type", "subsegment");
    document.string("parent_id", shape.parent);
    document.number("start_time", static_cast<double>(m.span.start_ns / 1000) / 1e6);
    document.number("end_time", static_cast<double>(std::max(m.span.end_ns, m.span.start_ns) / 1000) / 1e6);
    document.string("namespace", shape.name_space);
    write_flags(m, document);
    if (m.segment) {
      document.string("origin", origin_of(m));
      if (const auto version = text(m.resource, "service.version"); !version.empty()) {
        ObjectOut service(document.key("service"));
        service.string("version", version);
      }
      document.string("user", any_text(m.a, {"enduser.id", "user.id"}));
    }
    if (shape.with_call) {
      write_http(m, document);
      write_sql(m, document);
    }
    write_cause(m, document);
    write_aws(m, document, shape.with_call);
    write_attributes(m, document, options, shape.resource_only);
    if (shape.with_links) write_links(m, document);
  }
  return out;
}

}  // namespace

std::vector<std::string> segments_of(const Span& span, const SpanGroup& group, const SegmentOptions& options) {
  if (span.trace_id.size() != 16 || span.span_id.size() != 8 || all_zero(span.trace_id) || all_zero(span.span_id)) return {};
  Mapping m{span, group, span.attributes, group.resource};
  const bool has_parent = span.parent_id.size() == 8 && !all_zero(span.parent_id);
  const bool local_root = text(m.a, "aws.span.kind") == "LOCAL_ROOT";
  Shape shape;
  shape.id = hex(span.span_id);
  if (has_parent) shape.parent = hex(span.parent_id);
  if (m.is_aws_call()) shape.name_space = "aws";
  else if (span.kind == SpanKind::kClient || (m.is_call_kind() && !text(m.a, "aws.remote.service").empty())) shape.name_space = "remote";

  std::vector<std::string> documents;
  if (local_root && m.is_call_kind()) {
    // The service's own segment, and below it the call it makes.
    Shape own;
    own.id = traces::span_id_text(derived_id(span, 0x5e9));
    own.parent = shape.parent;
    own.name = text(m.a, "aws.local.service");
    if (own.name.empty()) own.name = text(m.resource, "service.name");
    own.with_call = false;
    own.with_links = span.kind == SpanKind::kConsumer;
    own.resource_only = true;
    m.segment = true;
    documents.push_back(document_of(m, own, options));
    m.segment = false;
    shape.parent = own.id;
    shape.name = text(m.a, "aws.remote.service");
    if (shape.name.empty()) shape.name = name_of(m, false);
    if (shape.name_space.empty()) shape.name_space = "remote";
    shape.with_links = span.kind != SpanKind::kConsumer;
    documents.push_back(document_of(m, shape, options));
    return documents;
  }
  m.segment = span.kind == SpanKind::kServer || !has_parent || local_root;
  if (m.segment) shape.name_space = {};
  shape.name = name_of(m, local_root);
  documents.push_back(document_of(m, shape, options));
  return documents;
}

}  // namespace fog::otlp
