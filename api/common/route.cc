// Which service, protocol and operation a request is for: the detection procedure, first match wins.
// Host is only a tie-breaker: clients pointed here send "Host: 127.0.0.1:4566" and nothing else.
#include <algorithm>
#include <cctype>

#include "api/common/protocol.h"

namespace fog {
namespace {

std::string_view base_type(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (!content_type.empty() && content_type.back() == ' ') content_type.remove_suffix(1);
  return content_type;
}

bool is(std::string_view a, std::string_view b) { return http::equal_ignoring_case(a, b); }

// Reduces "POST http://host/x?y" to path and query.
void split_target(Exchange& x) {
  std::string_view target = x.request.target;
  if (target.starts_with("http://") || target.starts_with("https://")) {
    const auto slash = target.find('/', target.find("//") + 2);
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  const auto mark = target.find('?');
  x.path = target.substr(0, mark);
  x.query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  x.query = x.query.substr(0, x.query.find('#'));
}

// Paths of other doors behind the same port.
bool is_other_door(std::string_view path) {
  static constexpr std::string_view kEnds[] = {"/v1/traces", "/v1/logs", "/v1/metrics", "/services/collector/event",
                                               "/ingest/bulk", "/ingest/json"};
  for (const std::string_view end : kEnds)
    if (path.ends_with(end)) return true;
  return path.starts_with("/_") || path.starts_with("/console") || path == "/health" || path.starts_with("/health/") ||
         path == "/metrics";
}

std::vector<std::string_view> labels_of(std::string_view host) {
  std::vector<std::string_view> out;
  host = host.substr(0, host.find(':'));
  while (!host.empty()) {
    const auto dot = host.find('.');
    out.push_back(host.substr(0, dot));
    host.remove_prefix(dot == std::string_view::npos ? host.size() : dot + 1);
  }
  return out;
}

// "stream-logs" -> "logs", "monitoring-fips" -> "monitoring".
std::string_view service_label(std::string_view label) {
  for (const std::string_view prefix : {"streaming-", "stream-"})
    if (label.starts_with(prefix)) label.remove_prefix(prefix.size());
  if (label.ends_with("-fips")) label.remove_suffix(5);
  return label;
}

// us-east-1, ap-southeast-2, us-gov-west-1: two or three words and a number.
bool is_region(std::string_view text) {
  const auto dash = text.rfind('-');
  if (dash == std::string_view::npos || dash + 1 == text.size() || text.size() > 24) return false;
  for (const char c : text.substr(dash + 1))
    if (c < '0' || c > '9') return false;
  const std::string_view words = text.substr(0, dash);
  return words.find('-') == 2 && std::all_of(words.begin(), words.end(), [](char c) { return c == '-' || (c >= 'a' && c <= 'z'); });
}

// The n-th part of an ARN, from 0; empty when it is not one.
std::string_view arn_part(std::string_view arn, int n) {
  if (!arn.starts_with("arn:")) return {};
  for (; n > 0; --n) {
    const auto colon = arn.find(':');
    if (colon == std::string_view::npos) return {};
    arn.remove_prefix(colon + 1);
  }
  return arn.substr(0, arn.find(':'));
}

std::string_view first_arn(const Form& form) {
  for (const std::string_view name : {"TopicArn", "SubscriptionArn", "TargetArn", "ResourceArn", "ResourceARN",
                                      "PlatformApplicationArn", "EndpointArn"})
    if (const auto arn = form.get(name); arn.starts_with("arn:")) return arn;
  return {};
}

bool is_account(std::string_view text) {
  return text.size() == 12 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

void set_operation(Exchange& x, const Registry& registry, std::string_view name) {
  x.operation_name = name;
  x.entry = x.service == nullptr ? nullptr : registry.find(*x.service, name);
}

// .../service/{S}/operation/{O}
bool route_cbor(Exchange& x, const Registry& registry) {
  std::string_view path = x.path;
  const auto take = [&] {
    const auto slash = path.rfind('/');
    const std::string_view segment = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    path = path.substr(0, slash == std::string_view::npos ? 0 : slash);
    return segment;
  };
  const std::string_view operation = take();
  if (take() != "operation") return false;
  std::string_view service = take();
  if (take() != "service" || operation.empty() || service.empty()) return false;
  if (const auto dot = service.rfind('.'); dot != std::string_view::npos) service.remove_prefix(dot + 1);
  x.protocol = Protocol::kCbor;
  x.service = registry.by_target_prefix(service);
  x.service_name = service;
  set_operation(x, registry, operation);
  if (x.request.method != "POST") x.refused_status = 404;
  if (x.request.has_header("x-amz-target")) x.refused_status = 400;
  const std::string_view type = base_type(x.request.header("content-type"));
  if (!x.request.body.empty() && !is(type, "application/cbor")) x.refused_status = 415;
  return true;
}

bool route_json(Exchange& x, const Registry& registry) {
  const std::string_view target = x.request.header("x-amz-target");
  if (target.empty()) return false;
  const auto dot = target.find('.');
  x.protocol = Protocol::kJson;
  x.service_name = target.substr(0, dot);
  x.service = registry.by_target_prefix(x.service_name);
  set_operation(x, registry, dot == std::string_view::npos ? std::string_view() : target.substr(dot + 1));
  const std::string_view type = base_type(x.request.header("content-type"));
  if (is(type, "application/x-amz-json-1.0")) {
    x.content_type = "application/x-amz-json-1.0";
  } else if (is(type, "application/x-amz-json-1.1") || type.empty()) {
    x.content_type = "application/x-amz-json-1.1";
  } else if (is(type, "application/json")) {
    x.content_type = "application/json";
  } else {
    x.content_type = "application/x-amz-json-1.1";
    x.refused_status = 404;
  }
  if (x.request.method != "POST") x.refused_status = 404;
  return true;
}

bool route_rest(Exchange& x, const Registry& registry) {
  if (x.request.method != "POST") return false;
  const Registry::Entry* entry = registry.by_path(x.path);
  if (entry == nullptr) return false;
  x.protocol = Protocol::kRestJson;
  x.content_type = "application/json";
  x.entry = entry;
  x.service = entry->service;
  x.operation_name = entry->info->name;
  const std::string_view type = base_type(x.request.header("content-type"));
  if (!type.empty() && !is(type, "application/json") && !is(type, "application/x-amz-json-1.1") &&
      !is(type, "application/x-amz-json-1.0"))
    x.refused_status = 415;
  return true;
}

}  // namespace

std::string_view partition_of(std::string_view region) {
  if (region.starts_with("cn-")) return "aws-cn";
  if (region.starts_with("us-gov-")) return "aws-us-gov";
  if (region.starts_with("us-isob-")) return "aws-iso-b";
  if (region.starts_with("us-iso-")) return "aws-iso";
  return "aws";
}

namespace {

Status route_query(Exchange& x, const Registry& registry, std::string_view body) {
  if (!x.form.add(x.query) || !x.form.add(body))
    return wire_fault({.code = "MalformedQueryString", .message = "The request holds too many parameters"});
  x.protocol = Protocol::kQuery;
  const std::string_view action = x.form.get("Action");
  const std::string_view version = x.form.get("Version");
  if (!x.signature.service.empty()) {
    x.service_name = x.signature.service;
    x.service = registry.by_signing_name(x.signature.service);
    if (x.service == nullptr) return set_operation(x, registry, action), Ok{};
  }
  if (x.service == nullptr) x.service = registry.by_version(version);
  if (x.service == nullptr) {
    for (const std::string_view label : labels_of(x.request.header("host"))) {
      x.service = registry.by_signing_name(service_label(label));
      if (x.service != nullptr) break;
    }
  }
  if (x.service == nullptr) x.service = registry.by_operation(action);
  set_operation(x, registry, action);
  return Ok{};
}

}  // namespace

Result<bool> Api::route(Exchange& x) const {
  split_target(x);
  x.call.request_id = random_.uuid();
  x.call.services = &services_;
  x.call.source_ip = x.request.peer;
  x.call.user_agent = x.request.header("user-agent");
  x.call.is_get = x.request.method == "GET";
  if (options_.external_url.empty()) {
    x.call.base_url = x.request.is_tls ? "https://" : "http://";
    x.call.base_url += x.request.header("host");
  } else {
    x.call.base_url = options_.external_url;
  }
  x.signature = sigv4::parse(x.request);

  const bool is_form = is(base_type(x.request.header("content-type")), "application/x-www-form-urlencoded");
  // Other doors come before REST: /v1/traces must not be taken for X-Ray's /Traces.
  const bool is_rpc = route_cbor(x, registry_) || route_json(x, registry_);
  if (!is_rpc && is_other_door(x.path)) return false;
  if (is_rpc || route_rest(x, registry_)) {
    // known by its head alone
  } else if ((x.request.method == "POST" && is_form) ||
             ((x.request.method == "GET" || x.request.method == "POST") &&
              (x.query.starts_with("Action=") || x.query.find("&Action=") != std::string_view::npos))) {
    if (is_form) TRYV(decompress(x));
    TRYV(route_query(x, registry_, is_form ? std::string_view(x.is_inflated ? x.inflated : x.request.body) : std::string_view()));
  } else if (!x.signature.service.empty() && x.signature.service != "fogwatch") {
    // Signed for a service, but nothing of it was recognised.
    x.protocol = Protocol::kRestJson;
    x.content_type = "application/json";
    x.service = registry_.by_signing_name(x.signature.service);
    x.service_name = x.signature.service;
    x.operation_name = std::string(x.request.method) + ' ' + std::string(x.path.substr(0, 200));
  } else {
    return false;
  }
  if (x.entry != nullptr) x.call.operation = x.entry->info;
  locate(x);
  return true;
}

// Account and region, from the signature's scope, the host, an ARN, or the configuration.
void Api::locate(Exchange& x) const {
  Call& call = x.call;
  call.account = options_.account;
  call.region = options_.region;
  call.access_key = x.signature.access_key;
  call.is_signed = !x.signature.access_key.empty();
  std::string_view region = x.signature.region;
  if (region.empty())
    for (const std::string_view label : labels_of(x.request.header("host")))
      if (is_region(label)) region = label;
  // A form may have a thousand parameters: they are searched only where the signature does not say it all.
  const bool asks_arn = x.protocol == Protocol::kQuery && (region.empty() || !call.is_signed);
  const std::string_view arn = asks_arn ? first_arn(x.form) : std::string_view();
  if (region.empty()) region = arn_part(arn, 3);
  if (!region.empty() && region.size() <= 64) call.region = region;
  std::string configured;
  if (options_.account_of && call.is_signed) configured = options_.account_of(call.access_key);
  if (!configured.empty()) {
    call.account = configured;
  } else if (is_account(call.access_key)) {
    call.account = call.access_key;
  } else if (!call.is_signed && is_account(arn_part(arn, 4))) {
    // A link from a notification names its topic's account.
    call.account = arn_part(arn, 4);
  }
  call.principal.reserve(64);
  call.principal = "arn:";
  call.principal.append(partition_of(call.region)).append(":iam::").append(call.account).append(":root");
}

}  // namespace fog
