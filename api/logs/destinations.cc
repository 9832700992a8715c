// Destinations of subscription filters (PutDestination ...) and resource policies: stored and shown.
#include <fmt/format.h>

#include "api/logs/operations.h"
#include "api/logs/resource_tags.h"
#include "api/logs/shelf.h"
#include "query/transformers/json_tree.h"
#include "storage/base/random.h"

namespace fog::logs {
namespace {

constexpr Shelf<Destination> kDestinations("log-destination");
constexpr Shelf<ResourcePolicy> kPolicies("log-resource-policy");
constexpr std::size_t kPoliciesMax = 10;
constexpr std::size_t kDescribeDefault = 50;

Error destination_missing() { return fault(ResourceNotFoundException{.message = "The specified destination does not exist."}); }

// ---- destinations -----------------------------------------------------------------------------------

Result<PutDestinationResponse> put_destination(Call& call, const PutDestinationRequest& in) {
  if (!in.target_arn.starts_with("arn:")) return invalid_parameter("The specified targetArn is not a valid ARN.");
  if (!in.role_arn.starts_with("arn:")) return invalid_parameter("The specified roleArn is not a valid ARN.");
  auto old = kDestinations.get(call, in.destination_name);
  if (old && in.tags) return invalid_parameter("Tags can only be provided when a resource is being created, not updated.");
  Destination destination = old.value_or(Destination{});
  destination.destination_name = in.destination_name;
  destination.target_arn = in.target_arn;
  destination.role_arn = in.role_arn;
  destination.arn = resource_arn(call, "destination", in.destination_name);
  if (!old) destination.creation_time = to_ms(call.now);
  TRYV(kDestinations.put(call, in.destination_name, destination));
  if (in.tags) TRYV(put_resource_tags(call, *destination.arn, *in.tags));
  PutDestinationResponse out;
  out.destination = std::move(destination);
  return out;
}

Result<Empty> put_destination_policy(Call& call, const PutDestinationPolicyRequest& in) {
  auto destination = kDestinations.get(call, in.destination_name);
  if (!destination) return destination_missing();
  const auto json = transformers::parse_json(in.access_policy);
  if (!json || !json->is_object()) return invalid_parameter("The specified access policy is not a valid JSON document.");
  destination->access_policy = in.access_policy;
  TRYV(kDestinations.put(call, in.destination_name, *destination));
  return Empty{};
}

Result<DescribeDestinationsResponse> describe_destinations(Call& call, const DescribeDestinationsRequest& in) {
  const std::string prefix = in.destination_name_prefix.value_or("");
  auto all = kDestinations.list(call, prefix);
  DescribeDestinationsResponse out;
  TRY(out.next_token, cut_page("DescribeDestinations", prefix, all, in.next_token,
                               static_cast<std::size_t>(in.limit.value_or(static_cast<std::int32_t>(kDescribeDefault))),
                               [](const auto& item) -> const std::string& { return item.first; }));
  auto& items = out.destinations.emplace();
  for (auto& item : all) items.push_back(std::move(item.second));
  return out;
}

Result<Empty> delete_destination(Call& call, const DeleteDestinationRequest& in) {
  if (!kDestinations.has(call, in.destination_name)) return destination_missing();
  TRYV(kDestinations.erase(call, in.destination_name));
  TRYV(erase_resource_tags(call, resource_arn(call, "destination", in.destination_name)));
  return Empty{};
}

// ---- resource policies ------------------------------------------------------------------------------

std::string account_key(std::string_view name) { return fmt::format("account:{}", name); }
std::string resource_key(std::string_view arn) {
  if (arn.ends_with(":*")) arn.remove_suffix(2);
  return fmt::format("resource:{}", arn);
}

Result<PutResourcePolicyResponse> put_resource_policy(Call& call, const PutResourcePolicyRequest& in) {
  if (!in.policy_document) return invalid_parameter("1 validation error detected: Value null at 'policyDocument' failed to satisfy constraint: Member must not be null");
  const auto json = transformers::parse_json(*in.policy_document);
  if (!json || !json->is_object())
    return invalid_parameter("The specified policy document is not a valid JSON document.");
  ResourcePolicy policy;
  policy.policy_document = in.policy_document;
  policy.last_updated_time = to_ms(call.now);
  PutResourcePolicyResponse out;
  if (in.resource_arn) {
    TRY(const GroupPtr group, group_of(call, std::nullopt, *in.resource_arn));
    const std::string key = resource_key(group_arn(*group));
    const auto old = kPolicies.get(call, key);
    if (old && in.expected_revision_id != old->revision_id)
      return fault(OperationAbortedException{.message = "The expected revision id does not match the revision of the policy."});
    policy.policy_name = in.policy_name;
    policy.policy_scope = PolicyScope::RESOURCE;
    policy.resource_arn = in.resource_arn;
    policy.revision_id = call.service<Random>().uuid();
    out.revision_id = policy.revision_id;
    TRYV(kPolicies.put(call, key, policy));
  } else {
    if (!in.policy_name || in.policy_name->empty()) return invalid_parameter("Either policyName or resourceArn must be provided.");
    const std::string key = account_key(*in.policy_name);
    if (!kPolicies.has(call, key) && kPolicies.list(call, "account:").size() >= kPoliciesMax)
      return fault(LimitExceededException{.message = "Resource limit exceeded."});
    policy.policy_name = in.policy_name;
    policy.policy_scope = PolicyScope::ACCOUNT;
    TRYV(kPolicies.put(call, key, policy));
  }
  out.resource_policy = std::move(policy);
  return out;
}

Result<DescribeResourcePoliciesResponse> describe_resource_policies(Call& call, const DescribeResourcePoliciesRequest& in) {
  const PolicyScope scope = in.policy_scope.value_or(in.resource_arn ? PolicyScope::RESOURCE : PolicyScope::ACCOUNT);
  auto all = kPolicies.list(call, scope == PolicyScope::RESOURCE ? "resource:" : "account:");
  if (in.resource_arn)
    std::erase_if(all, [key = resource_key(*in.resource_arn)](const auto& item) { return item.first != key; });
  DescribeResourcePoliciesResponse out;
  TRY(out.next_token, cut_page("DescribeResourcePolicies", to_string(scope), all, in.next_token,
                               static_cast<std::size_t>(in.limit.value_or(static_cast<std::int32_t>(kDescribeDefault))),
                               [](const auto& item) -> const std::string& { return item.first; }));
  auto& items = out.resource_policies.emplace();
  for (auto& item : all) items.push_back(std::move(item.second));
  return out;
}

Result<Empty> delete_resource_policy(Call& call, const DeleteResourcePolicyRequest& in) {
  const std::string key = in.resource_arn ? resource_key(*in.resource_arn) : account_key(in.policy_name.value_or(""));
  const auto old = kPolicies.get(call, key);
  if (!old)
    return fault(ResourceNotFoundException{
        .message = fmt::format("Policy with name [{}] does not exist.", in.policy_name.value_or(in.resource_arn.value_or("")))});
  if (in.resource_arn && in.expected_revision_id != old->revision_id)
    return fault(OperationAbortedException{.message = "The expected revision id does not match the revision of the policy."});
  TRYV(kPolicies.erase(call, key));
  return Empty{};
}

constexpr Operation kOperations[] = {
    bind<put_destination>(),      bind<put_destination_policy>(),     bind<describe_destinations>(), bind<delete_destination>(),
    bind<put_resource_policy>(),  bind<describe_resource_policies>(), bind<delete_resource_policy>(),
};

}  // namespace

std::span<const Operation> destination_operations() { return kOperations; }

}  // namespace fog::logs
