#include "server/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "api/auth/policy.h"
#include "api/common/call.h"
#include "api/control/json_page.h"
#include "api/control/sign_in.h"
#include "api/logs/http_ingest.h"

namespace fog {
namespace {

// Stands in a resource for the account of whoever turns out to be calling.
constexpr std::string_view kCallersAccount = "\n";

Millis steady_now() { return std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch()); }
Timestamp wall_now() { return std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now()); }

bool only_reads(const http::Request& request) { return request.method == "GET" || request.method == "HEAD"; }

// The console says "idle" when nobody has touched it for a while: its refreshing keeps no session alive.
bool only_looks(const http::Request& request) { return request.header("x-fogwatch-console") == "idle"; }

std::string camel(std::string_view words) {
  std::string out;
  bool up = true;
  for (const char c : words) {
    if (c == '-' || c == '_') {
      up = true;
      continue;
    }
    out += up && c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    up = false;
  }
  return out;
}

}  // namespace

bool Gate::speaks_for_session(const http::Request& request) { return !SignIn::token_of(request).empty() && SignIn::is_from_console(request); }

std::shared_ptr<const AccessKey> Gate::session(const http::Request& request, bool is_own_page) const {
  const std::string_view token = SignIn::token_of(request);
  if (token.empty() || !(SignIn::is_from_console(request) || (is_own_page && only_reads(request)))) return nullptr;
  const auto user = sessions_.find(token, steady_now(), only_looks(request));
  if (!user) return nullptr;
  return {user, &user->identity};
}

std::shared_ptr<const AccessKey> Gate::holder(const sigv4::Signature& signature) const {
  if (auto key = keys_.find(signature.access_key)) return key;
  return signature.session_token.empty() ? nullptr : temporary_.find(signature.access_key, signature.session_token, wall_now()).key;
}

std::optional<sigv4::Secrets> Gate::secrets_of(const sigv4::Signature& signature) const {
  if (const auto key = keys_.find(signature.access_key)) return sigv4::Secrets{.secret = key->secret_key, .session_token = {}};
  if (signature.session_token.empty()) return std::nullopt;
  const auto found = temporary_.find(signature.access_key, signature.session_token, wall_now());
  if (!found.key) return std::nullopt;
  return sigv4::Secrets{.secret = found.key->secret_key, .session_token = {}, .is_expired = found.is_expired};
}

Gate::Visitor Gate::visitor(const http::Request& request, std::initializer_list<std::string_view> services) const {
  Visitor out;
  out.identity = session(request, true);
  if (out.identity) return out;
  const auto signature = sigv4::parse(request);
  if (SignIn::is_from_console(request)) {
    out.refusal = {401, "SignInRequired", "The session is over, or there was none: sign in."};
    return out;
  }
  out.refusal = {403, "AccessDeniedException", "This call must be signed by a known access key."};
  if (!signature.is_present()) return out;
  if (services.size() > 0 && std::find(services.begin(), services.end(), signature.service) == services.end()) {
    out.refusal.message = fmt::format("This call must be signed for the service '{}'.", *services.begin());
    return out;
  }
  const Status right = sigv4::verify(request, wall_now(), {.secrets_of = [this](const sigv4::Signature& by) { return secrets_of(by); }, .region = {}, .service = {}});
  if (!right.ok()) {
    out.refusal = {403, "InvalidSignatureException", right.error().message()};
    return out;
  }
  out.identity = holder(signature);
  out.region = signature.region;
  return out;
}

Gate::Visitor Gate::admit(const http::Request& request, std::initializer_list<std::string_view> services, const std::string& action,
                          std::string resource) const {
  Visitor out = visitor(request, services);
  if (!out.identity) return out;
  const AccessKey& key = *out.identity;
  if (const std::size_t at = resource.find(kCallersAccount); at != std::string::npos) resource.replace(at, kCallersAccount.size(), key.account);
  const iam::Access access{.action = action,
                           .resources = {resource},
                           .context = {{"aws:sourceip", {request.peer}},
                                       {"aws:requestedregion", {out.region}},
                                       {"aws:principalaccount", {key.account}},
                                       {"aws:username", {key.name}},
                                       {"aws:securetransport", {request.is_tls ? "true" : "false"}}}};
  const std::string why = why_not(key, access);
  if (why.empty()) return out;
  out.refusal = {403, "AccessDeniedException",
                 fmt::format("User: {} is not authorized to perform: {} on resource: {} {}", arn_of(key, "aws"), action, resource, why)};
  out.identity = nullptr;
  return out;
}

std::string control_action(std::string_view method, std::string_view path) {
  constexpr std::string_view kPlane = "/_fogwatch/";
  std::string_view page = path.starts_with(kPlane) ? path.substr(kPlane.size()) : path.substr(std::min<std::size_t>(1, path.size()));
  page = page.substr(0, page.find('/'));
  std::string verb = method == "HEAD" ? "Get" : camel(method);
  for (std::size_t i = 1; i < verb.size(); ++i) verb[i] = verb[i] >= 'A' && verb[i] <= 'Z' ? static_cast<char>(verb[i] + 32) : verb[i];
  return fmt::format("fogwatch:{}{}", verb, camel(page));
}

bool is_open_page(const http::Request& request) {
  const std::string_view path = page::path_of(request.target);
  if (path == "/health" || SignIn::owns(path)) return true;
  // A scraper of this machine cannot sign; what a proxy of this machine forwards is from elsewhere.
  const bool is_near = request.peer == "127.0.0.1" || request.peer == "::1";
  const bool is_forwarded = request.has_header("x-forwarded-for") || request.has_header("forwarded") || request.has_header("via");
  return path == "/metrics" && is_near && !is_forwarded;
}

std::optional<TelemetryAction> telemetry_action(const http::Request& request) {
  const std::string_view path = page::path_of(request.target);
  const bool is_ingest = logs::is_ingest_path(path);
  if (path.ends_with("/v1/logs") || is_ingest) {
    const std::string group = is_ingest ? page::parameter(request.target, "logGroup") : std::string(request.header("x-aws-log-group"));
    const std::string stream = is_ingest ? page::parameter(request.target, "logStream") : std::string(request.header("x-aws-log-stream"));
    const auto signature = sigv4::parse(request);
    return TelemetryAction{"logs", "logs:PutLogEvents",
                           fmt::format("arn:{}:logs:{}:{}:log-group:{}:log-stream:{}", partition_of(signature.region), signature.region, kCallersAccount, group, stream)};
  }
  if (path.ends_with("/v1/metrics") || path == "/api/v1/write") return TelemetryAction{"monitoring", "cloudwatch:PutMetricData", "*"};
  if (path.ends_with("/v1/traces")) return TelemetryAction{"xray", "xray:PutTraceSegments", "*"};
  return std::nullopt;
}

}  // namespace fog
