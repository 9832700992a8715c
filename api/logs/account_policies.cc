// Account policies: put, describe, delete. Subscription and metric extraction policies act through
// event_filters, the others through EventRules (masking.h).
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/logs/common.h"
#include "api/logs/event_pipeline.h"
#include "api/logs/operations.h"
#include "api/logs/shelf.h"

namespace fog::logs {
namespace {

constexpr std::size_t kDescribeMax = 50;
constexpr std::size_t kDocumentBytesMax = 30'720;
constexpr std::size_t kCriteriaBytesMax = 25 * 1024;

Status check(const PutAccountPolicyRequest& in) {
  if (in.policy_document.size() > kDocumentBytesMax)
    return invalid_parameter(fmt::format("The policy document is larger than {} characters.", kDocumentBytesMax));
  if (in.selection_criteria && in.selection_criteria->size() > kCriteriaBytesMax)
    return invalid_parameter(fmt::format("The selection criteria are larger than {} bytes.", kCriteriaBytesMax));
  switch (in.policy_type) {
    case PolicyType::SUBSCRIPTION_FILTER_POLICY:
      if (const auto policy = read_subscription_policy(in.policy_document); !policy.ok()) return invalid_parameter(policy.error().message());
      if (!takes_group(in.selection_criteria, "").ok()) return invalid_parameter("The specified selectionCriteria is invalid.");
      return Ok{};
    case PolicyType::METRIC_EXTRACTION_POLICY:
      if (!nlohmann::json::parse(in.policy_document, nullptr, false).is_object())
        return invalid_parameter("The policy document is not a valid JSON object.");
      if (!takes_group(in.selection_criteria, "").ok()) return invalid_parameter("The specified selectionCriteria is invalid.");
      return Ok{};
    default:
      if (const Status good = EventRules::check_account_document(in.policy_type, in.policy_document, in.selection_criteria); !good.ok())
        return invalid_parameter(good.error().message());
      return Ok{};
  }
}

Result<PutAccountPolicyResponse> put_account_policy(Call& call, const PutAccountPolicyRequest& in) {
  auto& pipeline = call.service<EventPipeline>();
  TRYV(check(in));
  AccountPolicy policy;
  policy.policy_name = in.policy_name;
  policy.policy_document = in.policy_document;
  policy.last_updated_time = to_ms(call.now);
  policy.policy_type = in.policy_type;
  policy.scope = in.scope.value_or(Scope::ALL);
  policy.selection_criteria = in.selection_criteria;
  policy.account_id = call.account;
  TRY(const AccountPolicyRecord record, pipeline.filters().put_account_policy(call.account, call.region, policy));
  TRYV(call.service<Logs>().rules().account_policy_changed(call.account, call.region, in.policy_type, in.policy_name, in.policy_document,
                                                           in.selection_criteria, to_ms(call.now)));
  if (in.policy_type == PolicyType::SUBSCRIPTION_FILTER_POLICY) pipeline.subscriptions_changed();
  PutAccountPolicyResponse out;
  out.account_policy = record.policy;
  return out;
}

Result<Empty> delete_account_policy(Call& call, const DeleteAccountPolicyRequest& in) {
  auto& pipeline = call.service<EventPipeline>();
  if (!pipeline.filters().erase_account_policy(call.account, call.region, in.policy_type, in.policy_name))
    return fault(ResourceNotFoundException{.message = fmt::format("Policy with name [{}] does not exist.", in.policy_name)});
  TRYV(call.service<Logs>().rules().account_policy_changed(call.account, call.region, in.policy_type, in.policy_name, std::nullopt,
                                                           std::nullopt, to_ms(call.now)));
  if (in.policy_type == PolicyType::SUBSCRIPTION_FILTER_POLICY) pipeline.subscriptions_changed();
  return Empty{};
}

Result<DescribeAccountPoliciesResponse> describe_account_policies(Call& call, const DescribeAccountPoliciesRequest& in) {
  std::vector<AccountPolicy> found;
  for (AccountPolicyRecord& record : call.service<EventPipeline>().filters().account_policies(call.account, call.region, in.policy_type))
    if (!in.policy_name || record.policy.policy_name == *in.policy_name) found.push_back(std::move(record.policy));
  DescribeAccountPoliciesResponse out;
  TRY(out.next_token, cut_page("DescribeAccountPolicies", fmt::format("{}|{}", to_string(in.policy_type), in.policy_name.value_or("")),
                               found, in.next_token, kDescribeMax, [](const AccountPolicy& policy) { return *policy.policy_name; }));
  out.account_policies = std::move(found);
  return out;
}

constexpr Operation kOperations[] = {bind<put_account_policy>(), bind<delete_account_policy>(), bind<describe_account_policies>()};

}  // namespace

std::span<const Operation> account_policy_operations() { return kOperations; }

}  // namespace fog::logs
