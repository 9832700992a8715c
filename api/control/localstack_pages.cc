// The paths by which suites written for LocalStack and moto look at a server.
#include "api/control/control.h"

#include <cctype>
#include <fstream>

#include <nlohmann/json.hpp>

#include "api/control/iso8601.h"
#include "api/control/json_page.h"

namespace fog {
namespace {

using page::Json;

OutboxFilter localstack_filter(const http::Request& request, std::string protocol, const ControlPlane::Parts& parts) {
  OutboxFilter filter{.account = page::parameter(request.target, "accountId"),
                      .region = page::parameter(request.target, "region"),
                      .protocol = std::move(protocol)};
  if (filter.account.empty()) filter.account = parts.default_account;
  if (filter.region.empty()) filter.region = parts.default_region;
  return filter;
}

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

http::Response no_content() {
  http::Response response;
  response.status = 204;
  return response;
}

}  // namespace

http::Response ControlPlane::localstack_health_page(const http::Request&) {
  Json services = Json::object();
  for (const auto& service : parts_.registry.services()) services[std::string(service->info->name)] = "running";
  for (const std::string& neighbour : parts_.neighbours) services[neighbour] = "running";
  return page::json({{"services", std::move(services)}, {"edition", "fogwatch"}, {"version", FOG_VERSION}});
}

http::Response ControlPlane::localstack_reset_page(const http::Request& request) {
  return request.method == "POST" ? reset("", "") : page::wrong_method("POST");
}

http::Response ControlPlane::localstack_info_page(const http::Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return page::wrong_method("GET");
  const Timestamp now = parts_.clock.clock().real_now();
  return page::json({{"version", FOG_VERSION},
                      {"edition", "fogwatch"},
                      {"is_license_activated", false},
                      {"session_id", ""},
                      {"machine_id", ""},
                      {"system", "linux"},
                      {"is_docker", std::ifstream("/.dockerenv").good()},
                      {"server_time_utc", format_iso8601(now)},
                      {"uptime", static_cast<std::int64_t>(uptime_seconds())}});
}

// There are no start-up scripts: each stage that could have some is over when this can be asked.
http::Response ControlPlane::localstack_init_page(const http::Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return page::wrong_method("GET");
  std::string stage(page::path_of(request.target).substr(std::string_view("/_localstack/init").size()));
  if (stage.empty()) return page::json({{"completed", {{"BOOT", true}, {"START", true}, {"READY", true}, {"SHUTDOWN", false}}}, {"scripts", Json::array()}});
  for (char& c : stage) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (stage != "/BOOT" && stage != "/START" && stage != "/READY" && stage != "/SHUTDOWN") return page::error(404, "NotFound", "There is no such stage.");
  return page::json({{"completed", stage != "/SHUTDOWN"}, {"scripts", Json::array()}});
}

http::Response ControlPlane::moto_reset_page(const http::Request& request) {
  if (request.method != "POST") return page::wrong_method("POST");
  const http::Response done = reset("", "");
  return done.status == 200 ? page::json({{"status", "ok"}}) : done;
}

http::Response ControlPlane::sms_page(const http::Request& request) {
  OutboxFilter filter = localstack_filter(request, "sms", parts_);
  filter.endpoint = page::parameter(request.target, "phoneNumber");
  if (request.method == "DELETE") {
    if (auto done = parts_.outbox.clear(filter); !done.ok()) return page::failure(done.error());
    return no_content();
  }
  if (request.method != "GET") return page::wrong_method("GET, DELETE");
  Json by_number = Json::object();
  if (!filter.endpoint.empty()) by_number[filter.endpoint] = Json::array();
  for (const OutboxMessage& m : parts_.outbox.list(filter)) {
    by_number[m.endpoint].push_back({{"PhoneNumber", m.endpoint},
                                     {"TopicArn", text_or_null(m.topic)},
                                     {"SubscriptionArn", text_or_null(m.subscription)},
                                     {"MessageId", m.message_id},
                                     {"Message", m.message},
                                     {"Subject", text_or_null(m.subject)}});
  }
  return page::json({{"sms_messages", std::move(by_number)}, {"region", filter.region}});
}

http::Response ControlPlane::push_page(const http::Request& request) {
  OutboxFilter filter = localstack_filter(request, "application", parts_);
  filter.endpoint = page::parameter(request.target, "endpointArn");
  if (request.method == "DELETE") {
    if (auto done = parts_.outbox.clear(filter); !done.ok()) return page::failure(done.error());
    return no_content();
  }
  if (request.method != "GET") return page::wrong_method("GET, DELETE");
  Json by_endpoint = Json::object();
  if (!filter.endpoint.empty()) by_endpoint[filter.endpoint] = Json::array();
  for (const OutboxMessage& m : parts_.outbox.list(filter)) {
    by_endpoint[m.endpoint].push_back({{"TargetArn", m.endpoint},
                                       {"TopicArn", text_or_null(m.topic)},
                                       {"MessageId", m.message_id},
                                       {"Message", m.message},
                                       {"Subject", text_or_null(m.subject)}});
  }
  return page::json({{"platform_endpoint_messages", std::move(by_endpoint)}, {"region", filter.region}});
}

http::Response ControlPlane::token_page(const http::Request& request) {
  if (request.method != "GET") return page::wrong_method("GET");
  const std::string_view path = page::path_of(request.target);
  const std::string arn = page::percent_decoded(path.substr(std::string_view("/_aws/sns/subscription-tokens/").size()));
  const auto messages = parts_.outbox.list({});
  for (auto m = messages.rbegin(); m != messages.rend(); ++m) {
    if (m->subscription == arn && !m->token.empty()) {
      return page::json({{"subscription_token", m->token}, {"subscription_arn", arn}});
    }
  }
  return page::json({{"error", "The provided SubscriptionARN is not found"}, {"subscription_arn", arn}}, 404);
}

}  // namespace fog
