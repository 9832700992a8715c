// Log groups: create, delete, describe, list, retention, deletion protection, encryption key.
#include <fmt/format.h>
#include <re2/re2.h>

#include "api/logs/common.h"
#include "api/logs/index_policies.h"
#include "api/logs/masking.h"
#include "api/logs/operations.h"
#include "api/logs/query_result_key.h"

namespace fog::logs {
namespace {

constexpr std::size_t kDescribeDefault = 50;

Error protected_group(const Group& group) {
  return fault(ValidationException{.message = fmt::format("Log group {} is protected from deletion.", group.name)});
}

Result<Empty> create_log_group(Call& call, const CreateLogGroupRequest& in) {
  if (in.log_group_name.starts_with("aws/")) return invalid_parameter("Log groups starting with AWS/ are reserved for AWS.");
  StoredLogGroup settings;
  settings.creation_time = to_ms(call.now);
  settings.kms_key_id = in.kms_key_id;
  settings.log_group_class = in.log_group_class.value_or(LogGroupClass::STANDARD);
  settings.deletion_protection_enabled = in.deletion_protection_enabled.value_or(false);
  settings.tags = in.tags;
  TRYV(call.service<Logs>().create_group(call.account, call.region, in.log_group_name, std::move(settings)));
  return Empty{};
}

Result<Empty> delete_log_group(Call& call, const DeleteLogGroupRequest& in) {
  TRY(const GroupPtr group, group_named(call, in.log_group_name));
  if (group->settings.lock_shared()->deletion_protection_enabled) return protected_group(*group);
  TRY(const Lsn lsn, call.service<Logs>().delete_group(group));
  call.durable_after(lsn);
  return Empty{};
}

LogGroup describe(Logs& logs, const Group& group) {
  LogGroup item;
  const StoredLogGroup settings = *group.settings.lock_shared();
  item.log_group_name = group.name;
  item.creation_time = settings.creation_time;
  item.retention_in_days = settings.retention_in_days;
  item.log_group_arn = group_arn(group);
  item.arn = *item.log_group_arn + ":*";
  const LogGroupStats stats = logs.store().group_stats(group.id);
  item.stored_bytes = static_cast<std::int64_t>(stats.message_bytes + stats.events * kEventOverhead);
  item.kms_key_id = settings.kms_key_id;
  item.log_group_class = settings.log_group_class;
  item.deletion_protection_enabled = settings.deletion_protection_enabled;
  if (settings.bearer_token_authentication_enabled) item.bearer_token_authentication_enabled = true;
  EventRules& rules = logs.rules();
  if (rules.get(group, EventRules::Kind::kDataProtection)) item.data_protection_status = DataProtectionStatus::ACTIVATED;
  else if (rules.had(group, EventRules::Kind::kDataProtection)) item.data_protection_status = DataProtectionStatus::DELETED;
  if (!rules.account_policies(group, PolicyType::DATA_PROTECTION_POLICY).empty())
    item.inherited_properties.emplace().push_back(InheritedProperty::ACCOUNT_DATA_PROTECTION);
  item.metric_filter_count = logs.metric_filter_count(group);
  return item;
}

Result<DescribeLogGroupsResponse> describe_log_groups(Call& call, const DescribeLogGroupsRequest& in) {
  if (in.log_group_name_prefix && in.log_group_name_pattern)
    return invalid_parameter("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.");
  if (in.log_group_identifiers && (in.log_group_name_prefix || in.log_group_name_pattern || in.log_group_class))
    return invalid_parameter("LogGroup identifiers and other filters are mutually exclusive parameters.");
  Logs& logs = call.service<Logs>();
  const std::string parameters =
      fmt::format("{}|{}|{}", in.log_group_name_prefix.value_or(""), in.log_group_name_pattern.value_or(""),
                  in.log_group_class ? to_string(*in.log_group_class) : "");
  std::string after;
  if (in.next_token) {
    const auto last = read_page_token("DescribeLogGroups", parameters, *in.next_token);
    if (!last) return bad_token();
    after = *last;
  }
  DescribeLogGroupsResponse out;
  auto& items = out.log_groups.emplace();
  const auto limit = static_cast<std::size_t>(in.limit.value_or(static_cast<std::int32_t>(kDescribeDefault)));
  if (in.log_group_identifiers) {
    for (const std::string& identifier : *in.log_group_identifiers) {
      const std::optional<std::string> name = group_name_of(call, identifier);
      const GroupPtr group = name ? logs.find(call.account, call.region, *name) : nullptr;
      if (group != nullptr) items.push_back(describe(logs, *group));
    }
    return out;
  }
  if (in.account_identifiers &&
      std::find(in.account_identifiers->begin(), in.account_identifiers->end(), call.account) == in.account_identifiers->end())
    return out;
  for (const GroupPtr& group : logs.list(call.account, call.region)) {
    if (group->name <= after && !after.empty()) continue;
    if (in.log_group_name_prefix && !group->name.starts_with(*in.log_group_name_prefix)) continue;
    if (in.log_group_name_pattern && group->name.find(*in.log_group_name_pattern) == std::string::npos) continue;
    if (in.log_group_class && group->settings.lock_shared()->log_group_class != *in.log_group_class) continue;
    if (items.size() == limit) {
      out.next_token = page_token("DescribeLogGroups", parameters, *items.back().log_group_name);
      break;
    }
    items.push_back(describe(logs, *group));
  }
  return out;
}

Result<ListLogGroupsResponse> list_log_groups(Call& call, const ListLogGroupsRequest& in) {
  Logs& logs = call.service<Logs>();
  std::unique_ptr<RE2> pattern;
  if (in.log_group_name_pattern) {
    RE2::Options options;
    options.set_log_errors(false);
    pattern = std::make_unique<RE2>(*in.log_group_name_pattern, options);
    if (!pattern->ok()) return invalid_parameter("The specified logGroupNamePattern is invalid.");
  }
  const std::string parameters = fmt::format("{}|{}", in.log_group_name_pattern.value_or(""),
                                             in.log_group_class ? to_string(*in.log_group_class) : "");
  std::string after;
  if (in.next_token) {
    const auto last = read_page_token("ListLogGroups", parameters, *in.next_token);
    if (!last) return bad_token();
    after = *last;
  }
  // No group has a data source here.
  const bool none = in.data_sources && !in.data_sources->empty();
  const auto has_indexes = [&](const Group& group) {
    if (!in.field_index_names) return true;
    const auto fields = indexed_fields(logs.rules(), group);
    return std::all_of(in.field_index_names->begin(), in.field_index_names->end(), [&](const std::string& name) {
      return std::any_of(fields.begin(), fields.end(), [&](const IndexedSince& field) { return field.field.name == name; });
    });
  };
  const auto has_tags = [&](const StoredLogGroup& settings) {
    if (!in.log_group_tags) return true;
    return std::all_of(in.log_group_tags->begin(), in.log_group_tags->end(), [&](const TagFilter& filter) {
      if (!settings.tags) return false;
      const auto it = settings.tags->find(filter.key);
      if (it == settings.tags->end()) return false;
      return !filter.values || filter.values->empty() ||
             std::find(filter.values->begin(), filter.values->end(), it->second) != filter.values->end();
    });
  };
  ListLogGroupsResponse out;
  auto& items = out.log_groups.emplace();
  const auto limit = static_cast<std::size_t>(in.limit.value_or(50));
  for (const GroupPtr& group : logs.list(call.account, call.region)) {
    if (none || (!after.empty() && group->name <= after)) continue;
    const StoredLogGroup settings = *group->settings.lock_shared();
    if (pattern != nullptr && !RE2::PartialMatch(group->name, *pattern)) continue;
    if (in.log_group_class && settings.log_group_class != *in.log_group_class) continue;
    if (!has_tags(settings) || !has_indexes(*group)) continue;
    if (items.size() == limit) {
      out.next_token = page_token("ListLogGroups", parameters, *items.back().log_group_name);
      break;
    }
    LogGroupSummary& item = items.emplace_back();
    item.log_group_name = group->name;
    item.log_group_arn = group_arn(*group);
    item.log_group_class = settings.log_group_class;
  }
  return out;
}

Result<Empty> put_retention_policy(Call& call, const PutRetentionPolicyRequest& in) {
  if (!is_retention(in.retention_in_days))
    return invalid_parameter(fmt::format("1 validation error detected: Value '{}' at 'retentionInDays' failed to satisfy constraint: "
                                         "Member must satisfy enum value set: [{}]",
                                         in.retention_in_days, kRetentionDays));
  TRY(const GroupPtr group, group_named(call, in.log_group_name));
  TRYV(call.service<Logs>().change(group, [&](StoredLogGroup& settings) -> Status {
    settings.retention_in_days = in.retention_in_days;
    return Ok{};
  }));
  return Empty{};
}

Result<Empty> delete_retention_policy(Call& call, const DeleteRetentionPolicyRequest& in) {
  TRY(const GroupPtr group, group_named(call, in.log_group_name));
  TRYV(call.service<Logs>().change(group, [&](StoredLogGroup& settings) -> Status {
    settings.retention_in_days.reset();
    return Ok{};
  }));
  return Empty{};
}

Result<Empty> put_log_group_deletion_protection(Call& call, const PutLogGroupDeletionProtectionRequest& in) {
  TRY(const GroupPtr group, group_of(call, std::nullopt, in.log_group_identifier));
  TRYV(call.service<Logs>().change(group, [&](StoredLogGroup& settings) -> Status {
    settings.deletion_protection_enabled = in.deletion_protection_enabled;
    return Ok{};
  }));
  return Empty{};
}

// A group by name, or by the ARN of a group; null: the results of queries are meant.
Result<GroupPtr> encrypted_group(Call& call, const std::optional<std::string>& name, const std::optional<std::string>& resource) {
  if (resource && resource->find(":query-result:") != std::string::npos) return GroupPtr();
  return group_of(call, name, resource);
}

Result<Empty> associate_kms_key(Call& call, const AssociateKmsKeyRequest& in) {
  TRY(const GroupPtr group, encrypted_group(call, in.log_group_name, in.resource_identifier));
  if (group == nullptr) {
    TRYV(call.service<Logs>().resources().put(query_result_key(call), in.kms_key_id));
    return Empty{};
  }
  TRYV(call.service<Logs>().change(group, [&](StoredLogGroup& settings) -> Status {
    settings.kms_key_id = in.kms_key_id;
    return Ok{};
  }));
  return Empty{};
}

Result<Empty> disassociate_kms_key(Call& call, const DisassociateKmsKeyRequest& in) {
  TRY(const GroupPtr group, encrypted_group(call, in.log_group_name, in.resource_identifier));
  if (group == nullptr) {
    TRYV(call.service<Logs>().resources().erase(query_result_key(call)));
    return Empty{};
  }
  TRYV(call.service<Logs>().change(group, [&](StoredLogGroup& settings) -> Status {
    settings.kms_key_id.reset();
    return Ok{};
  }));
  return Empty{};
}

constexpr Operation kOperations[] = {
    bind<create_log_group>(),        bind<delete_log_group>(),
    bind<describe_log_groups>(),     bind<list_log_groups>(),
    bind<put_retention_policy>(),    bind<delete_retention_policy>(),
    bind<put_log_group_deletion_protection>(),
    bind<associate_kms_key>(),       bind<disassociate_kms_key>(),
};

}  // namespace

std::span<const Operation> log_group_operations() { return kOperations; }

}  // namespace fog::logs
