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
constexpr std::size_t kPolicyBytesMax = 2048;
// A role that is assumed with the credentials of a role.
constexpr Millis kChainedMax = std::chrono::hours(1);

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

std::string credentials_element(std::string_view key, std::string_view secret, std::string_view token, Timestamp until) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(until);
  return "<Credentials>" + element("AccessKeyId", key) + element("SecretAccessKey", secret) + element("SessionToken", token) +
         element("Expiration", fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)))) + "</Credentials>";
}

// Where signatures are enforced: a role is assumed in one's own account, by a key and not by a browser's session.
std::optional<http::Response> refuse_credentials(const AccessKey& caller, std::string_view account, std::string_view action, std::string_view resource,
                                                 std::string_view request_id) {
  if (caller.secret_key.empty()) return error_answer("AccessDenied", "Credentials are given to access keys: sign the call with one.", request_id, 403);
  if (caller.account == account) return std::nullopt;
  return error_answer("AccessDenied",
                      fmt::format("User: {} is not authorized to perform: sts:{} on resource: {}", arn_of(caller, "aws"), action, escape_xml(resource)), request_id, 403);
}

// How much of what a session may bring along the policy takes up, in percent.
std::size_t packed_percent(std::string_view policy) { return std::max<std::size_t>(1, policy.size() * 100 / kPolicyBytesMax); }

}  // namespace

std::string user_id_of(const AccessKey& key) {
  return key.session_user_id.empty() ? key_for_account("AIDA", key.account, hash64(key.name)) : key.session_user_id;
}

http::Response Sts::answer(const http::Request& request, const std::string& request_id, const AccessKey* caller) {
  const Asked asked{request, request_id, caller};
  const std::string action = parameter(request, "Action");
  if (action.empty()) return error_answer("MissingAction", "The request does not name an action.", request_id);
  if (const std::string version = parameter(request, "Version"); !version.empty() && version != kVersion) {
    return error_answer("InvalidAction", fmt::format("Could not find operation {} for version {}", escape_xml(action), escape_xml(version)), request_id);
  }
  if (action == "GetCallerIdentity") return result_answer(action, caller_identity(asked), request_id);
  if (action == "AssumeRole") return assume_role(asked, false);
  if (action == "AssumeRoleWithWebIdentity") return assume_role(asked, true);
  if (action == "GetSessionToken") return session_token(asked);
  if (action == "GetAccessKeyInfo") {
    const std::string key = parameter(request, "AccessKeyId");
    if (auto problem = length_problem(key, "accessKeyId", 16, 128); !problem.empty()) return error_answer("ValidationError", problem, request_id);
    const std::string account = account_in_key(key);
    return result_answer(action, element("Account", account.empty() ? place_.account : account), request_id);
  }
  return error_answer("InvalidAction", fmt::format("Fogwatch does not implement sts:{}.", escape_xml(action)), request_id);
}

Sts::Caller Sts::caller_of(const Asked& asked) const {
  const Scope scope = scope_of(asked.request);
  Caller caller{.account = place_.account, .partition = std::string(partition_of_region(scope.region.empty() ? place_.region : scope.region))};
  if (asked.caller != nullptr) {
    const AccessKey& key = *asked.caller;
    caller.account = key.account;
    caller.identity = {.arn = arn_of(key, caller.partition),
                       .user_id = user_id_of(key)};
    return caller;
  }
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

std::string Sts::caller_identity(const Asked& asked) const {
  const Caller caller = caller_of(asked);
  return element("Arn", caller.identity.arn) + element("UserId", caller.identity.user_id) + element("Account", caller.account);
}

http::Response Sts::assume_role(const Asked& asked, bool by_web_identity) {
  const auto& [request, request_id, parent] = asked;
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

  if (parent != nullptr) {
    if (by_web_identity) return error_answer("InvalidIdentityToken", "No OpenIDConnect provider found in your account: this server knows no identity provider", request_id);
    if (auto refusal = refuse_credentials(*parent, role->account, "AssumeRole", arn, request_id)) return std::move(*refusal);
    if (parent->is_temporary() && lifetime.value > kChainedMax)
      return invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining");
  }
  const std::string policy = parameter(request, "Policy");
  if (policy.size() > kPolicyBytesMax) return invalid(constraint(policy, "policy", fmt::format("Member must have length less than or equal to {}", kPolicyBytesMax)));
  if (!policy.empty()) {
    if (auto read = iam::parse_policy(policy); !read.ok()) return error_answer("MalformedPolicyDocument", escape_xml(read.error().message()), request_id);
  }
  if (parent != nullptr && !parameter(request, "PolicyArns.member.1.arn").empty())
    return error_answer("MalformedPolicyDocument", "Fogwatch keeps no managed policies: pass the document in Policy.", request_id);

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
  const std::string given = parent == nullptr
                                ? credentials(role->account, std::move(identity), lifetime.value)
                                : credentials(*parent,
                                              {.arn = identity.arn,
                                               .user_id = identity.user_id,
                                               .session_policies = policy.empty() ? std::vector<std::string>() : std::vector<std::string>{policy}},
                                              lifetime.value);
  return result_answer(by_web_identity ? "AssumeRoleWithWebIdentity" : "AssumeRole",
                       given + user + of_provider + (policy.empty() ? std::string() : fmt::format("<PackedPolicySize>{}</PackedPolicySize>", packed_percent(policy))), request_id);
}

http::Response Sts::session_token(const Asked& asked) {
  const auto& [request, request_id, parent] = asked;
  const Lifetime lifetime = lifetime_of(request, 43'200, 129'600);
  if (!lifetime.problem.empty()) return error_answer("ValidationError", lifetime.problem, request_id);
  if (parent != nullptr) {
    if (parent->is_temporary()) return error_answer("AccessDenied", "Cannot call GetSessionToken with session credentials", request_id, 403);
    if (auto refusal = refuse_credentials(*parent, parent->account, "GetSessionToken", "*", request_id)) return std::move(*refusal);
    return result_answer("GetSessionToken", credentials(*parent, {}, lifetime.value), request_id);
  }
  const Caller caller = caller_of(asked);
  return result_answer("GetSessionToken", credentials(caller.account, caller.identity, lifetime.value), request_id);
}

std::string Sts::credentials(const std::string& account, Identity identity, Millis lifetime) {
  const std::string key = key_for_account(kOwnKeyPrefix, account, random_.next());
  {
    auto issued = issued_.lock();
    if (issued->size() >= kIssuedMax) issued->erase(issued->begin());
    issued->insert_or_assign(key, std::move(identity));
  }
  return credentials_element(key, random_.hex(40), "FwoGZXIvYXdzE" + random_.hex(100), clock_.now() + lifetime);
}

std::string Sts::credentials(const AccessKey& parent, TemporaryGrant grant, Millis lifetime) {
  grant.access_key = key_for_account("ASIA", parent.account, random_.next());
  grant.expires = std::chrono::floor<std::chrono::seconds>(clock_.real_now() + lifetime);  // signatures are of real time, too
  const TemporaryKey made = make_temporary_key(parent, grant);
  return credentials_element(made.access_key, made.secret_key, made.session_token, grant.expires);
}

}  // namespace fog::neighbours
