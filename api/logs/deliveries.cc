// Deliveries of vended logs: sources, destinations and what joins them. Control-plane records; no
// service here writes vended logs.
#include <fmt/format.h>

#include "api/logs/operations.h"
#include "api/logs/resource_tags.h"
#include "api/logs/shelf.h"
#include "storage/base/random.h"

namespace fog::logs {
namespace {

constexpr Shelf<DeliverySource> kSources("log-delivery-source");
constexpr Shelf<DeliveryDestination> kDestinations("log-delivery-destination");
constexpr Shelf<Policy> kPolicies("log-delivery-policy");
constexpr Shelf<Delivery> kDeliveries("log-delivery");
constexpr std::size_t kDescribeDefault = 50;
constexpr std::size_t kIdLength = 16;

Error not_found(std::string message) { return fault(ResourceNotFoundException{.message = std::move(message)}); }
Error conflict(std::string message) { return fault(ConflictException{.message = std::move(message)}); }
Error validation(std::string message) { return fault(ValidationException{.message = std::move(message)}); }
Error source_missing() { return not_found("Requested Delivery Source does not exist in this account."); }
Error destination_missing() { return not_found("Requested Delivery Destination does not exist in this account."); }
Error delivery_missing() { return not_found("Requested Delivery does not exist in this account."); }

// The n-th part of an ARN, from 0.
std::string_view arn_part(std::string_view arn, int n) {
  for (; n > 0; --n) {
    const std::size_t colon = arn.find(':');
    if (colon == std::string_view::npos) return {};
    arn.remove_prefix(colon + 1);
  }
  return arn.substr(0, arn.find(':'));
}

// Services that vend logs by deliveries, and their log types.
struct Vendor {
  std::string_view service;
  std::string_view log_types;  // " A B "
};
constexpr Vendor kVendors[] = {
    {"cloudfront", " ACCESS_LOGS CONNECTION_LOGS "},
    {"bedrock", " APPLICATION_LOGS "},
    {"bedrock-agentcore", " APPLICATION_LOGS TRACES USAGE_LOGS "},
    {"codewhisperer", " EVENT_LOGS "},
    {"ses", " APPLICATION_LOGS TRAFFIC_POLICY_DEBUG_LOGS "},
    {"sso", " ERROR_LOGS "},
    {"workmail", " ACCESS_CONTROL_LOGS AUTHENTICATION_LOGS WORKMAIL_AVAILABILITY_PROVIDER_LOGS WORKMAIL_MAILBOX_ACCESS_LOGS WORKMAIL_PERSONAL_ACCESS_TOKEN_LOGS "},
    {"qbusiness", " EVENT_LOGS SYNC_JOB_LOGS "},
    {"elasticloadbalancing", " ALB_ACCESS_LOGS ALB_CONNECTION_LOGS ALB_HEALTH_CHECK_LOGS NLB_ACCESS_LOGS "},
    {"eks", " AUTO_MODE_BLOCK_STORAGE_LOGS AUTO_MODE_COMPUTE_LOGS AUTO_MODE_IPAM_LOGS AUTO_MODE_LOAD_BALANCING_LOGS "},
    {"events", " ERROR_LOGS INFO_LOGS TRACE_LOGS "},
    {"mediapackagev2", " EGRESS_ACCESS_LOGS INGRESS_ACCESS_LOGS "},
    {"mediatailor", " AD_DECISION_SERVER_LOGS MANIFEST_SERVICE_LOGS TRANSCODE_LOGS "},
    {"networkmanager", " FLOW_LOGS "},
    {"pcs", " PCS_SCHEDULER_LOGS PCS_JOBCOMP_LOGS PCS_SCHEDULER_AUDIT_LOGS "},
    {"transcribe", " EVENT_LOGS "},
    {"vpc-lattice", " VPC_LATTICE_ACCESS_LOGS VPC_LATTICE_RESOURCE_ACCESS_LOGS "},
    {"verifiedpermissions", " APPLICATION_LOGS "},
    {"wisdom", " EVENT_LOGS "},
    {"deadline", " APPLICATION_LOGS "},
    {"cognito-idp", " APPLICATION_LOGS "},
    {"entityresolution", " WORKFLOW_LOGS "},
    {"cleanrooms", " APPLICATION_LOGS ANALYSIS_LOGS "},
    {"route53globalresolver", " DNS_QUERY_LOGS "},
    {"ec2", " FLOW_LOGS VERIFIED_ACCESS_LOGS SITE_TO_SITE_VPN_LOGS "},
    {"iotfleetwise", " ERROR_LOGS "},
    {"rum", " RUM_TELEMETRY_LOGS "},
};

constexpr std::string_view kCloudfrontFields[] = {
    "date", "time", "x-edge-location", "sc-bytes", "c-ip", "cs-method", "cs(Host)", "cs-uri-stem", "sc-status", "cs(Referer)",
    "cs(User-Agent)", "cs-uri-query", "cs(Cookie)", "x-edge-result-type", "x-edge-request-id", "x-host-header", "cs-protocol",
    "cs-bytes", "time-taken", "x-forwarded-for", "ssl-protocol", "ssl-cipher", "x-edge-response-result-type",
    "cs-protocol-version", "fle-status", "fle-encrypted-fields", "c-port", "time-to-first-byte", "x-edge-detailed-result-type",
    "sc-content-type", "sc-content-len", "sc-range-start", "sc-range-end"};

// ---- sources ----------------------------------------------------------------------------------------

Result<PutDeliverySourceResponse> put_delivery_source(Call& call, const PutDeliverySourceRequest& in) {
  const std::string_view service = arn_part(in.resource_arn, 2);
  const auto* vendor = std::find_if(std::begin(kVendors), std::end(kVendors), [&](const Vendor& known) { return known.service == service; });
  if (vendor == std::end(kVendors)) return not_found("Cannot access provided service.");
  if (vendor->log_types.find(" " + in.log_type + " ") == std::string_view::npos)
    return validation(" This service is not allowed for this LogSource.");
  const auto old = kSources.get(call, in.name);
  if (old) {
    if (old->resource_arns != std::vector<std::string>{in.resource_arn})
      return conflict("Update to existing Delivery Source with new ResourceId is not allowed. Please create a new Delivery Source instead.");
    if (in.tags) return conflict("Tags can only be provided when a resource is being created, not updated.");
  }
  DeliverySource source;
  source.name = in.name;
  source.arn = resource_arn(call, "delivery-source", in.name);
  source.resource_arns.emplace().push_back(in.resource_arn);
  source.service = std::string(service);
  source.log_type = in.log_type;
  source.delivery_source_configuration = in.delivery_source_configuration;
  TRYV(kSources.put(call, in.name, source));
  if (in.tags) TRYV(put_resource_tags(call, *source.arn, *in.tags));
  if (const TagMap tags = resource_tags(call, *source.arn); !tags.empty()) source.tags = tags;
  PutDeliverySourceResponse out;
  out.delivery_source = std::move(source);
  return out;
}

template <typename T>
void show_tags(Call& call, T& item) {
  if (TagMap tags = resource_tags(call, item.arn.value_or("")); !tags.empty()) item.tags = std::move(tags);
}

Result<GetDeliverySourceResponse> get_delivery_source(Call& call, const GetDeliverySourceRequest& in) {
  GetDeliverySourceResponse out;
  out.delivery_source = kSources.get(call, in.name);
  if (!out.delivery_source) return source_missing();
  show_tags(call, *out.delivery_source);
  return out;
}

template <typename Response, typename Request, typename T>
Result<Response> describe(Call& call, const Request& in, const Shelf<T>& shelf, std::optional<std::vector<T>> Response::*items) {
  auto all = shelf.list(call);
  Response out;
  TRY(out.next_token, cut_page(call.operation->name, "", all, in.next_token,
                               static_cast<std::size_t>(in.limit.value_or(static_cast<std::int32_t>(kDescribeDefault))),
                               [](const auto& item) -> const std::string& { return item.first; }));
  auto& list = (out.*items).emplace();
  for (auto& item : all) {
    show_tags(call, item.second);
    list.push_back(std::move(item.second));
  }
  return out;
}

Result<DescribeDeliverySourcesResponse> describe_delivery_sources(Call& call, const DescribeDeliverySourcesRequest& in) {
  return describe(call, in, kSources, &DescribeDeliverySourcesResponse::delivery_sources);
}

Result<Empty> delete_delivery_source(Call& call, const DeleteDeliverySourceRequest& in) {
  if (!kSources.has(call, in.name)) return source_missing();
  for (const auto& [id, delivery] : kDeliveries.list(call))
    if (delivery.delivery_source_name == in.name) return conflict("This Delivery Source is used by a Delivery and cannot be deleted.");
  TRYV(kSources.erase(call, in.name));
  TRYV(erase_resource_tags(call, resource_arn(call, "delivery-source", in.name)));
  return Empty{};
}

// ---- destinations -----------------------------------------------------------------------------------

Result<PutDeliveryDestinationResponse> put_delivery_destination(Call& call, const PutDeliveryDestinationRequest& in) {
  const auto old = kDestinations.get(call, in.name);
  if (old && in.output_format != old->output_format)
    return validation("Update to existing Delivery Destination with new Output Format is not allowed. Please create a new Delivery Destination instead.");
  if (old && in.tags) return conflict("Tags can only be provided when a resource is being created, not updated.");
  DeliveryDestination destination;
  if (in.delivery_destination_configuration) {
    const std::string_view service = arn_part(in.delivery_destination_configuration->destination_resource_arn, 2);
    if (service == "s3") destination.delivery_destination_type = DeliveryDestinationType::S3;
    else if (service == "logs") destination.delivery_destination_type = DeliveryDestinationType::CWL;
    else if (service == "firehose") destination.delivery_destination_type = DeliveryDestinationType::FH;
    else if (service == "xray") destination.delivery_destination_type = DeliveryDestinationType::XRAY;
    else return validation("The provided destination resource ARN is not supported.");
    if (in.delivery_destination_type && *in.delivery_destination_type != *destination.delivery_destination_type)
      return validation("The delivery destination type does not fit the destination resource ARN.");
  } else if (in.delivery_destination_type == DeliveryDestinationType::XRAY) {
    destination.delivery_destination_type = DeliveryDestinationType::XRAY;
  } else {
    return validation("deliveryDestinationConfiguration is required for this delivery destination type.");
  }
  destination.name = in.name;
  destination.arn = resource_arn(call, "delivery-destination", in.name);
  destination.output_format = in.output_format;
  destination.delivery_destination_configuration = in.delivery_destination_configuration;
  TRYV(kDestinations.put(call, in.name, destination));
  if (in.tags) TRYV(put_resource_tags(call, *destination.arn, *in.tags));
  show_tags(call, destination);
  PutDeliveryDestinationResponse out;
  out.delivery_destination = std::move(destination);
  return out;
}

Result<GetDeliveryDestinationResponse> get_delivery_destination(Call& call, const GetDeliveryDestinationRequest& in) {
  GetDeliveryDestinationResponse out;
  out.delivery_destination = kDestinations.get(call, in.name);
  if (!out.delivery_destination) return destination_missing();
  show_tags(call, *out.delivery_destination);
  return out;
}

Result<DescribeDeliveryDestinationsResponse> describe_delivery_destinations(Call& call, const DescribeDeliveryDestinationsRequest& in) {
  return describe(call, in, kDestinations, &DescribeDeliveryDestinationsResponse::delivery_destinations);
}

Result<Empty> delete_delivery_destination(Call& call, const DeleteDeliveryDestinationRequest& in) {
  const auto destination = kDestinations.get(call, in.name);
  if (!destination) return destination_missing();
  for (const auto& [id, delivery] : kDeliveries.list(call))
    if (delivery.delivery_destination_arn == destination->arn)
      return conflict("This Delivery Destination is used by a Delivery and cannot be deleted.");
  TRYV(kDestinations.erase(call, in.name));
  TRYV(kPolicies.erase(call, in.name));
  TRYV(erase_resource_tags(call, *destination->arn));
  return Empty{};
}

Result<PutDeliveryDestinationPolicyResponse> put_delivery_destination_policy(Call& call, const PutDeliveryDestinationPolicyRequest& in) {
  if (!kDestinations.has(call, in.delivery_destination_name)) return destination_missing();
  Policy policy;
  policy.delivery_destination_policy = in.delivery_destination_policy;
  TRYV(kPolicies.put(call, in.delivery_destination_name, policy));
  PutDeliveryDestinationPolicyResponse out;
  out.policy = std::move(policy);
  return out;
}

Result<GetDeliveryDestinationPolicyResponse> get_delivery_destination_policy(Call& call, const GetDeliveryDestinationPolicyRequest& in) {
  if (!kDestinations.has(call, in.delivery_destination_name)) return destination_missing();
  GetDeliveryDestinationPolicyResponse out;
  out.policy = kPolicies.get(call, in.delivery_destination_name).value_or(Policy{});
  return out;
}

Result<Empty> delete_delivery_destination_policy(Call& call, const DeleteDeliveryDestinationPolicyRequest& in) {
  if (!kDestinations.has(call, in.delivery_destination_name)) return destination_missing();
  TRYV(kPolicies.erase(call, in.delivery_destination_name));
  return Empty{};
}

// ---- deliveries -------------------------------------------------------------------------------------

std::string delivery_id(Call& call) {
  static constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::string id;
  for (std::size_t k = 0; k < kIdLength; ++k) id += kDigits[call.service<Random>().next() % kDigits.size()];
  return id;
}

Result<CreateDeliveryResponse> create_delivery(Call& call, const CreateDeliveryRequest& in) {
  const auto source = kSources.get(call, in.delivery_source_name);
  if (!source) return source_missing();
  const auto name = name_in_arn(call, "delivery-destination", in.delivery_destination_arn);
  const auto destination = name ? kDestinations.get(call, *name) : std::nullopt;
  if (!destination) return destination_missing();
  for (const auto& [id, other] : kDeliveries.list(call)) {
    if (other.delivery_source_name != in.delivery_source_name) continue;
    if (other.delivery_destination_arn == in.delivery_destination_arn) return conflict("The specified Delivery already exists");
    if (other.delivery_destination_type == destination->delivery_destination_type)
      return conflict("Delivery already exists for this Delivery Source with the same Delivery Destination Type.");
  }
  const bool s3 = destination->delivery_destination_type == DeliveryDestinationType::S3;
  if (in.s3_delivery_configuration && !s3) return validation("s3DeliveryConfiguration is only supported for Amazon S3 destinations.");
  Delivery delivery;
  delivery.id = delivery_id(call);
  delivery.arn = resource_arn(call, "delivery", *delivery.id);
  delivery.delivery_source_name = in.delivery_source_name;
  delivery.delivery_destination_arn = in.delivery_destination_arn;
  delivery.delivery_destination_type = destination->delivery_destination_type;
  delivery.record_fields = in.record_fields;
  delivery.field_delimiter = in.field_delimiter;
  delivery.s3_delivery_configuration = in.s3_delivery_configuration;
  if (source->service == "cloudfront") {
    if (!delivery.record_fields) delivery.record_fields.emplace(std::begin(kCloudfrontFields), std::end(kCloudfrontFields));
    if (s3) {
      S3DeliveryConfiguration& s3_config = delivery.s3_delivery_configuration ? *delivery.s3_delivery_configuration
                                                                              : delivery.s3_delivery_configuration.emplace();
      if (!s3_config.suffix_path) s3_config.suffix_path = "AWSLogs/{account-id}/CloudFront/";
      if (!s3_config.enable_hive_compatible_path) s3_config.enable_hive_compatible_path = false;
    }
  }
  TRYV(kDeliveries.put(call, *delivery.id, delivery));
  if (in.tags) TRYV(put_resource_tags(call, *delivery.arn, *in.tags));
  show_tags(call, delivery);
  CreateDeliveryResponse out;
  out.delivery = std::move(delivery);
  return out;
}

Result<GetDeliveryResponse> get_delivery(Call& call, const GetDeliveryRequest& in) {
  GetDeliveryResponse out;
  out.delivery = kDeliveries.get(call, in.id);
  if (!out.delivery) return delivery_missing();
  show_tags(call, *out.delivery);
  return out;
}

Result<DescribeDeliveriesResponse> describe_deliveries(Call& call, const DescribeDeliveriesRequest& in) {
  return describe(call, in, kDeliveries, &DescribeDeliveriesResponse::deliveries);
}

Result<UpdateDeliveryConfigurationResponse> update_delivery_configuration(Call& call, const UpdateDeliveryConfigurationRequest& in) {
  auto delivery = kDeliveries.get(call, in.id);
  if (!delivery) return delivery_missing();
  if (in.s3_delivery_configuration && delivery->delivery_destination_type != DeliveryDestinationType::S3)
    return validation("s3DeliveryConfiguration is only supported for Amazon S3 destinations.");
  if (in.record_fields) delivery->record_fields = in.record_fields;
  if (in.field_delimiter) delivery->field_delimiter = in.field_delimiter;
  if (in.s3_delivery_configuration) delivery->s3_delivery_configuration = in.s3_delivery_configuration;
  TRYV(kDeliveries.put(call, in.id, *delivery));
  return UpdateDeliveryConfigurationResponse{};
}

Result<Empty> delete_delivery(Call& call, const DeleteDeliveryRequest& in) {
  if (!kDeliveries.has(call, in.id)) return delivery_missing();
  TRYV(kDeliveries.erase(call, in.id));
  TRYV(erase_resource_tags(call, resource_arn(call, "delivery", in.id)));
  return Empty{};
}

// No service here vends logs, so there is nothing to configure.
Result<DescribeConfigurationTemplatesResponse> describe_configuration_templates(Call&, const DescribeConfigurationTemplatesRequest& in) {
  if (in.next_token) return validation("The specified nextToken is invalid.");
  DescribeConfigurationTemplatesResponse out;
  out.configuration_templates.emplace();
  return out;
}

constexpr Operation kOperations[] = {
    bind<put_delivery_source>(),         bind<get_delivery_source>(),
    bind<describe_delivery_sources>(),   bind<delete_delivery_source>(),
    bind<put_delivery_destination>(),    bind<get_delivery_destination>(),
    bind<describe_delivery_destinations>(), bind<delete_delivery_destination>(),
    bind<put_delivery_destination_policy>(), bind<get_delivery_destination_policy>(),
    bind<delete_delivery_destination_policy>(),
    bind<create_delivery>(),             bind<get_delivery>(),
    bind<describe_deliveries>(),         bind<update_delivery_configuration>(),
    bind<delete_delivery>(),             bind<describe_configuration_templates>(),
};

}  // namespace

std::span<const Operation> delivery_operations() { return kOperations; }

}  // namespace fog::logs
