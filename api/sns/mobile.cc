// Platform applications and their endpoints. No push network is behind them: messages go to the outbox.
#include "api/sns/mobile.h"

#include <fmt/format.h>

#include <mutex>

#include "api/codec/json.h"
#include "api/sns/common.h"
#include "api/sns/documents.h"
#include "api/sns/operations.h"
#include "api/sns/sns.h"

namespace fog::sns {
namespace {

using Attributes = std::map<std::string, std::string>;

constexpr std::string_view kApplicationKind = "sns-application";
constexpr std::string_view kEndpointKind = "sns-endpoint";
constexpr std::string_view kPlatforms[] = {"APNS", "APNS_SANDBOX", "ADM", "FCM", "GCM", "Baidu", "MPNS", "WNS"};
constexpr std::size_t kUserDataMax = 2048;

template <typename T>
Result<T> read(Call& call, std::string_view kind, const std::string& arn, std::string_view what) {
  const auto bytes = call.service<Sns>().state().store().get({std::string(kind), call.account, call.region, arn});
  if (!bytes) return not_found(what);
  return decode_json<T>(*bytes);
}

template <typename T>
Status write(Call& call, std::string_view kind, const T& document) {
  return call.service<Sns>().state().store().put({std::string(kind), call.account, call.region, document.arn},
                                                 encode_json(document));
}

// An ARN of this region whose resource part is "<head>/..." with so many slashes.
Status check_shape(Call& call, const std::string& arn, std::string_view parameter, std::string_view head, int slashes) {
  TRY(const Arn parts, check_arn(call, arn, parameter));
  if (std::count(parts.resource.begin(), parts.resource.end(), '/') != slashes)
    return invalid(fmt::format("{} Reason: Wrong number of slashes in relative portion of the ARN.", parameter));
  if (!parts.resource.starts_with(head)) return invalid(parameter);
  return Ok{};
}

Status check_application_arn(Call& call, const std::string& arn) {
  return check_shape(call, arn, "PlatformApplicationArn", "app/", 2);
}
Status check_endpoint_arn(Call& call, const std::string& arn) {
  return check_shape(call, arn, "EndpointArn", "endpoint/", 3);
}

Status check_name(std::string_view name) {
  if (name.empty()) return invalid(fmt::format("{} Reason: cannot be empty", name));
  if (name.size() > 256) return invalid(fmt::format("{} Reason: must be at most 256 characters long", name));
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
  if (!plain)
    return invalid(fmt::format(
        "{} Reason: must contain only characters 'a'-'z', 'A'-'Z', '0'-'9', '_', '-', and '.'", name));
  return Ok{};
}

Status check_credentials(std::string_view platform, const Attributes& attributes) {
  const bool principal = attributes.contains("PlatformPrincipal"), credential = attributes.contains("PlatformCredential");
  if (principal && !credential)
    return invalid("Attributes Reason: PlatformPrincipal attribute provided without PlatformCredential");
  if (credential && !principal && platform != "GCM" && platform != "FCM")
    return invalid("Attributes Reason: PlatformCredential attribute provided without PlatformPrincipal");
  return Ok{};
}

// Credentials are never shown again.
Attributes shown(Attributes attributes) {
  attributes.erase("PlatformCredential");
  attributes.erase("PlatformPrincipal");
  attributes.try_emplace("Enabled", "true");
  return attributes;
}

Result<CreatePlatformApplicationResponse> create_platform_application(Call& call, const CreatePlatformApplicationInput& in) {
  TRYV(check_name(in.name));
  if (std::find(std::begin(kPlatforms), std::end(kPlatforms), in.platform) == std::end(kPlatforms))
    return invalid(fmt::format("Platform Reason: {} is not supported", in.platform));
  TRYV(check_credentials(in.platform, in.attributes));
  StoredPlatformApplication document;
  document.arn = topic_arn(call, fmt::format("app/{}/{}", in.platform, in.name));
  document.platform = in.platform;
  document.name = in.name;
  document.attributes = in.attributes;
  const std::lock_guard changes(call.service<Sns>().state().changes());
  TRYV(write(call, kApplicationKind, document));
  return CreatePlatformApplicationResponse{.platform_application_arn = document.arn};
}

Result<GetPlatformApplicationAttributesResponse> get_platform_application_attributes(
    Call& call, const GetPlatformApplicationAttributesInput& in) {
  TRYV(check_application_arn(call, in.platform_application_arn));
  TRY(auto document, read<StoredPlatformApplication>(call, kApplicationKind, in.platform_application_arn,
                                                     "PlatformApplication"));
  return GetPlatformApplicationAttributesResponse{.attributes = shown(std::move(document.attributes))};
}

Result<Empty> set_platform_application_attributes(Call& call, const SetPlatformApplicationAttributesInput& in) {
  TRYV(check_application_arn(call, in.platform_application_arn));
  const std::lock_guard changes(call.service<Sns>().state().changes());
  TRY(auto document, read<StoredPlatformApplication>(call, kApplicationKind, in.platform_application_arn,
                                                     "PlatformApplication"));
  TRYV(check_credentials(document.platform, in.attributes));
  for (const auto& [name, value] : in.attributes) document.attributes[name] = value;
  TRYV(write(call, kApplicationKind, document));
  return Empty{};
}

Result<Empty> delete_platform_application(Call& call, const DeletePlatformApplicationInput& in) {
  TRYV(check_application_arn(call, in.platform_application_arn));
  auto& store = call.service<Sns>().state().store();
  const std::lock_guard changes(call.service<Sns>().state().changes());
  std::vector<ResourceStore::Change> batch;
  batch.push_back({{std::string(kApplicationKind), call.account, call.region, in.platform_application_arn}, std::nullopt});
  for (const auto& resource : store.list({.kind = std::string(kEndpointKind), .account = call.account, .region = call.region, .name_prefix = {}, .after = {}})) {
    const auto endpoint = decode_json<StoredEndpoint>(resource.document);
    if (endpoint.ok() && endpoint->application_arn == in.platform_application_arn)
      batch.push_back({resource.key, std::nullopt});
  }
  TRYV(store.apply(std::move(batch)));
  return Empty{};
}

Result<ListPlatformApplicationsResponse> list_platform_applications(Call& call, const ListPlatformApplicationsInput& in) {
  TRY(const std::string after, page_start("ListPlatformApplications", in.next_token));
  ResourceStore::ListSpec spec{.kind = std::string(kApplicationKind), .account = call.account, .region = call.region,
                               .name_prefix = {}, .after = {}, .limit = kPageItems + 1};
  if (!after.empty()) spec.after = after;
  ListPlatformApplicationsResponse out;
  out.platform_applications.emplace();
  for (const auto& resource : call.service<Sns>().state().store().list(spec)) {
    if (out.platform_applications->size() == kPageItems) {
      out.next_token = page_token("ListPlatformApplications", *out.platform_applications->back().platform_application_arn);
      break;
    }
    TRY(auto document, decode_json<StoredPlatformApplication>(resource.document));
    out.platform_applications->push_back(
        {.platform_application_arn = document.arn, .attributes = shown(std::move(document.attributes))});
  }
  return out;
}

// --- endpoints ------------------------------------------------------------------------------------------

Status check_endpoint_attributes(const Attributes& attributes) {
  for (const auto& [name, value] : attributes) {
    if (name != "CustomUserData" && name != "Enabled" && name != "Token")
      return invalid(fmt::format("Attributes Reason: Invalid attribute name: {}", name));
    if (name == "CustomUserData" && value.size() > kUserDataMax)
      return invalid(
          "Attributes Reason: Invalid value for attribute: CustomUserData: must be at most 2048 bytes long in UTF-8 "
          "encoding");
  }
  return Ok{};
}

Attributes normal(Attributes attributes) {
  if (const auto enabled = attributes.find("Enabled"); enabled != attributes.end()) {
    for (char& c : enabled->second) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  }
  return attributes;
}

Result<CreateEndpointResponse> create_platform_endpoint(Call& call, const CreatePlatformEndpointInput& in) {
  TRYV(check_application_arn(call, in.platform_application_arn));
  Sns& sns = call.service<Sns>();
  const std::lock_guard changes(sns.state().changes());
  TRY(const auto application, read<StoredPlatformApplication>(call, kApplicationKind, in.platform_application_arn,
                                                              "PlatformApplication"));
  const Attributes given = in.attributes.value_or(Attributes{});
  TRYV(check_endpoint_attributes(given));
  if (in.custom_user_data && in.custom_user_data->size() > kUserDataMax)
    return invalid(
        "Attributes Reason: Invalid value for attribute: CustomUserData: must be at most 2048 bytes long in UTF-8 "
        "encoding");
  if (in.token.empty()) return invalid("Token Reason: cannot be empty");
  StoredEndpoint document;
  document.application_arn = application.arn;
  document.attributes = normal(given);
  document.attributes["Token"] = in.token;
  document.attributes.try_emplace("Enabled", "true");
  if (in.custom_user_data) document.attributes.try_emplace("CustomUserData", *in.custom_user_data);
  for (const auto& resource : sns.state().store().list({.kind = std::string(kEndpointKind), .account = call.account, .region = call.region, .name_prefix = {}, .after = {}})) {
    TRY(const auto other, decode_json<StoredEndpoint>(resource.document));
    const auto token = other.attributes.find("Token");
    if (other.application_arn != application.arn || token == other.attributes.end() || token->second != in.token) continue;
    if (other.attributes != document.attributes)
      return invalid(fmt::format(
          "Token Reason: Endpoint {} already exists with the same Token, but different attributes.", other.arn));
    return CreateEndpointResponse{.endpoint_arn = other.arn};
  }
  document.arn = topic_arn(call, fmt::format("endpoint/{}/{}/{}", application.platform, application.name, sns.random().uuid()));
  TRYV(write(call, kEndpointKind, document));
  return CreateEndpointResponse{.endpoint_arn = document.arn};
}

Result<GetEndpointAttributesResponse> get_endpoint_attributes(Call& call, const GetEndpointAttributesInput& in) {
  TRYV(check_endpoint_arn(call, in.endpoint_arn));
  TRY(auto document, read<StoredEndpoint>(call, kEndpointKind, in.endpoint_arn, "Endpoint"));
  return GetEndpointAttributesResponse{.attributes = std::move(document.attributes)};
}

Result<Empty> set_endpoint_attributes(Call& call, const SetEndpointAttributesInput& in) {
  TRYV(check_endpoint_arn(call, in.endpoint_arn));
  TRYV(check_endpoint_attributes(in.attributes));
  const std::lock_guard changes(call.service<Sns>().state().changes());
  TRY(auto document, read<StoredEndpoint>(call, kEndpointKind, in.endpoint_arn, "Endpoint"));
  for (const auto& [name, value] : normal(in.attributes)) document.attributes[name] = value;
  TRYV(write(call, kEndpointKind, document));
  return Empty{};
}

Result<Empty> delete_endpoint(Call& call, const DeleteEndpointInput& in) {
  TRYV(check_endpoint_arn(call, in.endpoint_arn));
  TRYV(call.service<Sns>().state().store().erase({std::string(kEndpointKind), call.account, call.region, in.endpoint_arn}));
  return Empty{};
}

Result<ListEndpointsByPlatformApplicationResponse> list_endpoints_by_platform_application(
    Call& call, const ListEndpointsByPlatformApplicationInput& in) {
  TRYV(check_application_arn(call, in.platform_application_arn));
  TRY(const auto application, read<StoredPlatformApplication>(call, kApplicationKind, in.platform_application_arn,
                                                              "PlatformApplication"));
  const std::string name = "ListEndpoints " + application.arn;
  TRY(const std::string after, page_start(name, in.next_token));
  ResourceStore::ListSpec spec{.kind = std::string(kEndpointKind), .account = call.account, .region = call.region,
                               .name_prefix = topic_arn(call, fmt::format("endpoint/{}/{}/", application.platform, application.name)),
                               .after = {}, .limit = kPageItems + 1};
  if (!after.empty()) spec.after = after;
  ListEndpointsByPlatformApplicationResponse out;
  out.endpoints.emplace();
  for (const auto& resource : call.service<Sns>().state().store().list(spec)) {
    if (out.endpoints->size() == kPageItems) {
      out.next_token = page_token(name, *out.endpoints->back().endpoint_arn);
      break;
    }
    TRY(auto document, decode_json<StoredEndpoint>(resource.document));
    out.endpoints->push_back({.endpoint_arn = document.arn, .attributes = std::move(document.attributes)});
  }
  return out;
}

constexpr Operation kOperations[] = {
    bind<create_platform_application>(),
    bind<get_platform_application_attributes>(),
    bind<set_platform_application_attributes>(),
    bind<delete_platform_application>(),
    bind<list_platform_applications>(),
    bind<create_platform_endpoint>(),
    bind<get_endpoint_attributes>(),
    bind<set_endpoint_attributes>(),
    bind<delete_endpoint>(),
    bind<list_endpoints_by_platform_application>(),
};

}  // namespace

std::span<const Operation> mobile_operations() { return kOperations; }

Status check_publish_endpoint(Call& call, std::string_view arn) {
  const std::string text(arn);
  TRYV(check_arn(call, text, "TargetArn"));
  auto document = read<StoredEndpoint>(call, kEndpointKind, text, "Endpoint");
  if (!document.ok()) return invalid("TargetArn Reason: No endpoint found for the target arn specified");
  if (document->attributes["Enabled"] == "false")
    return fault(EndpointDisabledException{.message = "Endpoint is disabled"});
  auto application = read<StoredPlatformApplication>(call, kApplicationKind, document->application_arn, "PlatformApplication");
  if (application.ok() && application->attributes["Enabled"] == "false")
    return fault(PlatformApplicationDisabledException{.message = "Platform application is disabled"});
  return Ok{};
}

}  // namespace fog::sns
