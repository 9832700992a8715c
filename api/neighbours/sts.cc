#include "api/neighbours/sts.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <charconv>
#include <optional>

#include <nlohmann/json.hpp>

#include "api/neighbours/request.h"
#include "storage/base/hash.h"

namespace fog::neighbours {
namespace {

constexpr std::string_view kNamespace = "https://sts.amazonaws.com/doc/2011-06-15/";
constexpr std::string_view kVersion = "2011-06-15";
// What AWS's documentation shows as the root user's id.
constexpr std::string_view kUserId = "AKIAIOSFODNN7EXAMPLE";
// Roles are not kept here: any ARN of the right form can be assumed. Remembering stops at this many.
constexpr std::size_t kIssuedMax = 10'000;

http::Response error_answer(std::string_view code, std::string_view message, std::string_view request_id, int status = 400) {
  http::Response response;
  response.status = status;
  response.set("Content-Type", "text/xml");
  response.body = fmt::format(
      "<ErrorResponse xmlns=\"{}\"><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error>"
      "<RequestId>{}</RequestId></ErrorResponse>",
      kNamespace, code, message, request_id);
  return response;
}

http::Response result_answer(std::string_view action, std::string_view result, std::string_view request_id) {
  http::Response response;
  response.set("Content-Type", "text/xml");
  response.body = fmt::format(
      "<{0}Response xmlns=\"{1}\"><{0}Result>{2}</{0}Result><ResponseMetadata><RequestId>{3}</RequestId></ResponseMetadata></{0}Response>",
      action, kNamespace, result, request_id);
  return response;
}

std::string constraint(std::string_view value, std::string_view member, std::string_view what) {
  return fmt::format("1 validation error detected: Value '{}' at '{}' failed to satisfy constraint: {}", escape_xml(value), member, what);
}

// "" when the length is right.
std::string length_problem(std::string_view value, std::string_view member, std::size_t min, std::size_t max) {
  if (value.empty()) {
    return fmt::format("1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null", member);
  }
  if (value.size() < min) return constraint(value, member, fmt::format("Member must have length greater than or equal to {}", min));
  if (value.size() > max) return constraint(value, member, fmt::format("Member must have length less than or equal to {}", max));
  return {};
}

struct Role {
  std::string partition;
  std::string account;
  std::string name;  // without its path
};

// "arn:aws:iam::123456789012:role/path/name"
std::optional<Role> role_of(std::string_view arn) {
  Role role;
  if (!arn.starts_with("arn:")) return std::nullopt;
  arn.remove_prefix(4);
  const std::size_t colon = arn.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  role.partition = arn.substr(0, colon);
  arn.remove_prefix(colon);
  if (!arn.starts_with(":iam::")) return std::nullopt;
  arn.remove_prefix(6);
  role.account = arn.substr(0, arn.find(':'));
  if (!is_account(role.account) || !arn.substr(12).starts_with(":role/")) return std::nullopt;
  role.name = arn.substr(arn.rfind('/') + 1);
  return role.name.empty() ? std::nullopt : std::optional(role);
}

bool is_session_name(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("_+=,.@-").find(c) != std::string_view::npos;
  });
}

struct Lifetime {
  Millis value{};
  std::string problem;
};

Lifetime lifetime_of(const http::Request& request, std::int64_t initial, std::int64_t max) {
  const std::string text = parameter(request, "DurationSeconds");
  std::int64_t seconds = initial;
  if (!text.empty()) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || end != text.data() + text.size()) {
      return {.problem = fmt::format("Value '{}' at 'durationSeconds' is not a number", escape_xml(text))};
    }
    constexpr std::int64_t kMin = 900;
    if (seconds < kMin) return {.problem = constraint(text, "durationSeconds", fmt::format("Member must have value greater than or equal to {}", kMin))};
    if (seconds > max) return {.problem = constraint(text, "durationSeconds", fmt::format("Member must have value less than or equal to {}", max))};
  }
  return {.value = Millis(seconds * 1000)};
}

std::string base64url_decode(std::string_view text) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t at = kLetters.find(c);
    if (at == std::string_view::npos) break;
    bits = (bits << 6 | static_cast<unsigned>(at)) & 0xffffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 0xff);
    }
  }
  return out;
}

// The claims of a JSON Web Token; its signature is not looked at: this server knows no identity provider.
std::optional<nlohmann::json> claims_of(std::string_view token) {
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  auto claims = nlohmann::json::parse(base64url_decode(token.substr(first + 1, second - first - 1)), nullptr, false);
  return claims.is_object() ? std::optional(std::move(claims)) : std::nullopt;
}

std::string claim(const nlohmann::json& claims, const char* name) {
  const auto found = claims.find(name);
  if (found == claims.end()) return {};
  if (found->is_array() && !found->empty() && found->front().is_string()) return found->front().get<std::string>();
  return found->is_string() ? found->get<std::string>() : std::string();
}

std::string element(std::string_view name, std::string_view value) {
  return value.empty() ? std::string() : fmt::format("<{0}>{1}</{0}>", name, escape_xml(value));
}

}  // namespace

http::Response Sts::answer(const http::Request& request, const std::string& request_id) {
  const std::string action = parameter(request, "Action");
  if (action.empty()) return error_answer("MissingAction", "The request does not name an action.", request_id);
  if (const std::string version = parameter(request, "Version"); !version.empty() && version != kVersion) {
    return error_answer("InvalidAction", fmt::format("Could not find operation {} for version {}", escape_xml(action), escape_xml(version)), request_id);
  }
  if (action == "GetCallerIdentity") return result_answer(action, caller_identity(request), request_id);
  if (!place_.gives_keys && (action.starts_with("AssumeRole") || action == "GetSessionToken")) {
    return error_answer("AccessDenied", fmt::format("This server gives out no credentials; its keys are in its keys file. sts:{} is refused.", escape_xml(action)), request_id, 403);
  }
  if (action == "AssumeRole") return assume_role(request, request_id, false);
  if (action == "AssumeRoleWithWebIdentity") return assume_role(request, request_id, true);
  if (action == "GetSessionToken") return session_token(request, request_id);
  if (action == "GetAccessKeyInfo") {
    const std::string key = parameter(request, "AccessKeyId");
    if (auto problem = length_problem(key, "accessKeyId", 16, 128); !problem.empty()) return error_answer("ValidationError", problem, request_id);
    const std::string account = account_in_key(key);
    return result_answer(action, element("Account", account.empty() ? place_.account : account), request_id);
  }
  return error_answer("InvalidAction", fmt::format("Fogwatch does not implement sts:{}.", escape_xml(action)), request_id);
}

Sts::Caller Sts::caller_of(const http::Request& request) const {
  const Scope scope = scope_of(request);
  Caller caller{.account = place_.account, .partition = std::string(partition_of_region(scope.region.empty() ? place_.region : scope.region))};
  if (is_account(scope.access_key)) caller.account = scope.access_key;
  if (place_.account_of) {
    if (std::string own = place_.account_of(scope.access_key); !own.empty()) caller.account = std::move(own);
  }
  const auto issued = issued_.lock_shared();
  if (const auto found = issued->find(scope.access_key); found != issued->end()) {
    caller.identity = found->second;
  } else {
    caller.identity = {.arn = fmt::format("arn:{}:iam::{}:root", caller.partition, caller.account), .user_id = std::string(kUserId)};
  }
  return caller;
}

std::string Sts::caller_identity(const http::Request& request) const {
  const Caller caller = caller_of(request);
  return element("Arn", caller.identity.arn) + element("UserId", caller.identity.user_id) + element("Account", caller.account);
}

http::Response Sts::assume_role(const http::Request& request, const std::string& request_id, bool by_web_identity) {
  const auto invalid = [&](std::string_view message) { return error_answer("ValidationError", message, request_id); };
  const std::string arn = parameter(request, "RoleArn");
  const std::string session = parameter(request, "RoleSessionName");
  if (auto problem = length_problem(arn, "roleArn", 20, 2048); !problem.empty()) return invalid(problem);
  if (auto problem = length_problem(session, "roleSessionName", 2, 64); !problem.empty()) return invalid(problem);
  if (!is_session_name(session)) {
    return invalid(constraint(session, "roleSessionName", "Member must satisfy regular expression pattern: [\\w+=,.@-]*"));
  }
  const auto role = role_of(arn);
  if (!role) return invalid(fmt::format("{} is invalid", escape_xml(arn)));
  const Lifetime lifetime = lifetime_of(request, 3600, 43'200);
  if (!lifetime.problem.empty()) return invalid(lifetime.problem);

  std::string of_provider;
  if (by_web_identity) {
    const std::string token = parameter(request, "WebIdentityToken");
    if (auto problem = length_problem(token, "webIdentityToken", 4, 20'000); !problem.empty()) return invalid(problem);
    const auto claims = claims_of(token);
    if (!claims) return error_answer("InvalidIdentityToken", "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)", request_id);
    of_provider = element("SubjectFromWebIdentityToken", claim(*claims, "sub")) + element("Audience", claim(*claims, "aud")) + element("Provider", claim(*claims, "iss"));
  }
  // A role's id is the same each time it is assumed.
  const std::string role_id = key_for_account("AROA", role->account, hash64(arn));
  Identity identity{.arn = fmt::format("arn:{}:sts::{}:assumed-role/{}/{}", role->partition, role->account, role->name, session),
                    .user_id = role_id + ":" + session};
  const std::string user = "<AssumedRoleUser>" + element("AssumedRoleId", identity.user_id) + element("Arn", identity.arn) + "</AssumedRoleUser>";
  const std::string given = credentials(role->account, std::move(identity), lifetime.value);
  return result_answer(by_web_identity ? "AssumeRoleWithWebIdentity" : "AssumeRole",
                       given + user + of_provider + (parameter(request, "Policy").empty() ? "" : "<PackedPolicySize>6</PackedPolicySize>"), request_id);
}

http::Response Sts::session_token(const http::Request& request, const std::string& request_id) {
  const Lifetime lifetime = lifetime_of(request, 43'200, 129'600);
  if (!lifetime.problem.empty()) return error_answer("ValidationError", lifetime.problem, request_id);
  const Caller caller = caller_of(request);
  return result_answer("GetSessionToken", credentials(caller.account, caller.identity, lifetime.value), request_id);
}

std::string Sts::credentials(const std::string& account, Identity identity, Millis lifetime) {
  const std::string key = key_for_account(kOwnKeyPrefix, account, random_.next());
  {
    auto issued = issued_.lock();
    if (issued->size() >= kIssuedMax) issued->erase(issued->begin());
    issued->insert_or_assign(key, std::move(identity));
  }
  const auto until = std::chrono::floor<std::chrono::seconds>(clock_.now() + lifetime);
  return "<Credentials>" + element("AccessKeyId", key) + element("SecretAccessKey", random_.hex(40)) + element("SessionToken", "FwoGZXIvYXdzE" + random_.hex(100)) +
         element("Expiration", fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(until)))) + "</Credentials>";
}

}  // namespace fog::neighbours
