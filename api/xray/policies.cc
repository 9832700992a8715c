// Resource policies.
#include <nlohmann/json.hpp>

#include "api/codec/json.h"
#include "api/xray/model.h"
#include "api/xray/service.h"

namespace fog::xray {

namespace {

constexpr std::size_t kPoliciesMax = 5;
constexpr std::size_t kDocumentBytesMax = 5 * 1024;
constexpr std::size_t kPageSize = 100;

std::vector<ResourcePolicy> all_policies(const Call& call) {
  std::vector<ResourcePolicy> all;
  for (const auto& resource : xray_of(call).resources().list(
           {.kind = kPolicyKind, .account = call.account, .region = call.region})) {
    auto policy = decode_json<ResourcePolicy>(resource.document);
    if (policy.ok()) all.push_back(std::move(*policy));
  }
  return all;
}

const ResourcePolicy* find(const std::vector<ResourcePolicy>& all, const std::string& name) {
  for (const auto& policy : all)
    if (policy.policy_name == name) return &policy;
  return nullptr;
}

Error wrong_revision() {
  return fault(InvalidPolicyRevisionIdException{
      .message = "The policy revision id does not match the current revision of the policy."});
}

Result<PutResourcePolicyResult> put_resource_policy(Call& call, const PutResourcePolicyRequest& in) {
  if (in.policy_document.size() > kDocumentBytesMax)
    return fault(PolicySizeLimitExceededException{.message = "The policy document exceeds 5 KB."});
  const auto json = nlohmann::json::parse(in.policy_document, nullptr, false);
  if (json.is_discarded() || !json.is_object())
    return fault(MalformedPolicyDocumentException{.message = "The policy document is not valid JSON."});
  const auto all = all_policies(call);
  const auto* known = find(all, in.policy_name);
  if (in.policy_revision_id) {
    const std::string current = known == nullptr ? "0" : known->policy_revision_id.value_or("");
    if (*in.policy_revision_id != current) return wrong_revision();
  }
  if (known == nullptr && all.size() >= kPoliciesMax)
    return fault(PolicyCountLimitExceededException{.message = "At most 5 resource policies are allowed."});
  ResourcePolicy policy;
  policy.policy_name = in.policy_name;
  policy.policy_document = in.policy_document;
  policy.policy_revision_id = std::to_string(xray_of(call).resources().next_id());
  policy.last_updated_time = call.now;
  TRYV(xray_of(call).resources().put(key_of(call, kPolicyKind, in.policy_name), encode_json(policy)));
  return PutResourcePolicyResult{.resource_policy = std::move(policy)};
}

Result<DeleteResourcePolicyResult> delete_resource_policy(Call& call, const DeleteResourcePolicyRequest& in) {
  const auto all = all_policies(call);
  const auto* known = find(all, in.policy_name);
  if (known == nullptr) return invalid("Resource policy not found.");
  if (in.policy_revision_id && in.policy_revision_id != known->policy_revision_id) return wrong_revision();
  TRYV(xray_of(call).resources().erase(key_of(call, kPolicyKind, in.policy_name)));
  return DeleteResourcePolicyResult{};
}

Result<ListResourcePoliciesResult> list_resource_policies(Call& call, const ListResourcePoliciesRequest& in) {
  ListResourcePoliciesResult out;
  TRY(out.resource_policies, page_of(all_policies(call), in.next_token, out.next_token, kPageSize,
                                     "ListResourcePolicies", 0,
                                     [](const ResourcePolicy& policy) { return *policy.policy_name; }));
  return out;
}

constexpr Operation kOperations[] = {bind<put_resource_policy>(), bind<delete_resource_policy>(),
                                     bind<list_resource_policies>()};

}  // namespace

std::span<const Operation> policy_operations() { return kOperations; }

}  // namespace fog::xray
