// PutDataProtectionPolicy, GetDataProtectionPolicy, DeleteDataProtectionPolicy of log groups.
#include "api/logs/common.h"
#include "api/logs/masking.h"
#include "api/logs/operations.h"

namespace fog::logs {
namespace {

constexpr std::size_t kDocumentMax = 30'720;

Result<GroupPtr> standard_group(Call& call, const std::string& identifier) {
  TRY(GroupPtr group, group_of(call, std::nullopt, identifier));
  if (group->settings.lock_shared()->log_group_class != LogGroupClass::STANDARD)
    return invalid_parameter("Data protection policies are only supported for log groups in the Standard log class.");
  return group;
}

Result<PutDataProtectionPolicyResponse> put_data_protection_policy(Call& call, const PutDataProtectionPolicyRequest& in) {
  if (in.policy_document.size() > kDocumentMax) return invalid_parameter("The policy document must not be longer than 30720 characters.");
  TRYV(data_protection::parse(in.policy_document));
  TRY(const GroupPtr group, standard_group(call, in.log_group_identifier));
  Logs& logs = call.service<Logs>();
  TRY(const LogSequence last, logs.last_sequence(*group));
  TRYV(logs.rules().put(*group, EventRules::Kind::kDataProtection, in.policy_document, last, to_ms(call.now)));
  PutDataProtectionPolicyResponse out;
  out.log_group_identifier = in.log_group_identifier;
  out.policy_document = in.policy_document;
  out.last_updated_time = to_ms(call.now);
  return out;
}

Result<GetDataProtectionPolicyResponse> get_data_protection_policy(Call& call, const GetDataProtectionPolicyRequest& in) {
  TRY(const GroupPtr group, group_of(call, std::nullopt, in.log_group_identifier));
  GetDataProtectionPolicyResponse out;
  out.log_group_identifier = in.log_group_identifier;
  if (const auto policy = call.service<Logs>().rules().get(*group, EventRules::Kind::kDataProtection)) {
    out.policy_document = policy->document;
    out.last_updated_time = policy->updated_ms;
  }
  return out;
}

Result<Empty> delete_data_protection_policy(Call& call, const DeleteDataProtectionPolicyRequest& in) {
  TRY(const GroupPtr group, group_of(call, std::nullopt, in.log_group_identifier));
  Logs& logs = call.service<Logs>();
  TRY(const LogSequence last, logs.last_sequence(*group));
  TRYV(logs.rules().erase(*group, EventRules::Kind::kDataProtection, last, to_ms(call.now)));
  return Empty{};
}

constexpr Operation kOperations[] = {
    heavy(bind<put_data_protection_policy>()),
    bind<get_data_protection_policy>(),
    heavy(bind<delete_data_protection_policy>()),
};

}  // namespace

std::span<const Operation> data_protection_operations() { return kOperations; }

}  // namespace fog::logs
