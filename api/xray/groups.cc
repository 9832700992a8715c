// Groups: named filter expressions with insights.
#include "api/codec/json.h"
#include "api/xray/documents.h"
#include "api/xray/model.h"
#include "api/xray/service.h"
#include "api/xray/tags.h"

namespace fog::xray {

namespace {

constexpr std::size_t kGroupsMax = 25;
constexpr std::size_t kPageSize = 100;

Group default_group(const TraceScope& scope) {
  Group group;
  group.group_name = kDefaultGroup;
  group.group_arn = group_arn(scope, kDefaultGroup, "");
  group.insights_configuration = InsightsConfiguration{.insights_enabled = false, .notifications_enabled = false};
  return group;
}

// All groups by name, the Default one in its place among them.
std::map<std::string, StoredGroup> all_groups(const Call& call) {
  std::map<std::string, StoredGroup> all;
  all[kDefaultGroup] = {.group = default_group(scope_of(call)), .expression_changes = {}};
  for (const auto& resource : xray_of(call).resources().list(
           {.kind = kGroupKind, .account = call.account, .region = call.region})) {
    auto stored = decode_json<StoredGroup>(resource.document);
    if (stored.ok()) all[resource.key.name] = std::move(*stored);
  }
  return all;
}

Result<StoredGroup> lookup(const Call& call, const std::optional<std::string>& name,
                           const std::optional<std::string>& arn) {
  if (name.has_value() == arn.has_value()) return invalid("Exactly one of GroupName and GroupARN is required.");
  for (auto& [key, stored] : all_groups(call))
    if (name ? key == *name : stored.group.group_arn == *arn) return std::move(stored);
  return invalid("Group not found.");
}

Status check_name(const std::string& name) {
  for (const char c : name) {
    const bool fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
    if (!fine) return invalid("GroupName may contain only letters, digits and dashes.");
  }
  return Ok{};
}

Status check_expression(const Call& call, const std::optional<std::string>& expression) {
  if (!expression || expression->empty()) return invalid("FilterExpression must not be empty.");
  const auto filter = trace_filter::Filter::parse(*expression, xray_of(call).bindings(scope_of(call)));
  if (!filter.ok()) return invalid_expression(filter.error());
  return Ok{};
}

Result<InsightsConfiguration> merged(InsightsConfiguration now,
                                     const std::optional<InsightsConfiguration>& change) {
  if (change && change->insights_enabled) now.insights_enabled = change->insights_enabled;
  if (change && change->notifications_enabled) now.notifications_enabled = change->notifications_enabled;
  if (now.notifications_enabled.value_or(false) && !now.insights_enabled.value_or(false))
    return invalid("NotificationsEnabled requires InsightsEnabled.");
  return now;
}

// 20 characters of base32, as the service's own.
std::string new_group_id(Random& random) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string id;
  for (int i = 0; i < 26; ++i) id.push_back(kAlphabet[random.next() % 32]);
  return id;
}

Result<CreateGroupResult> create_group(Call& call, const CreateGroupRequest& in) {
  TRYV(check_name(in.group_name));
  const auto groups = all_groups(call);
  if (in.group_name == kDefaultGroup) return invalid("The group name Default is reserved.");
  if (groups.contains(in.group_name)) return invalid("A group with the same name already exists.");
  TRYV(check_expression(call, in.filter_expression));
  if (groups.size() > kGroupsMax) return invalid("The maximum number of groups has been reached.");
  StoredGroup stored;
  stored.group.group_name = in.group_name;
  stored.group.group_arn = group_arn(scope_of(call), in.group_name, new_group_id(xray_of(call).random()));
  stored.group.filter_expression = in.filter_expression;
  TRY(stored.group.insights_configuration,
      merged({.insights_enabled = false, .notifications_enabled = false}, in.insights_configuration));
  std::vector<ResourceStore::Change> changes;
  TRY(auto tags, tags_of_new(call, *stored.group.group_arn, in.tags));
  if (tags) changes.push_back(std::move(*tags));
  changes.push_back({key_of(call, kGroupKind, in.group_name), encode_json(stored)});
  TRYV(xray_of(call).change_groups(scope_of(call), std::move(changes)));
  return CreateGroupResult{.group = std::move(stored.group)};
}

Result<UpdateGroupResult> update_group(Call& call, const UpdateGroupRequest& in) {
  TRY(auto stored, lookup(call, in.group_name, in.group_arn));
  const std::string name = *stored.group.group_name;
  if (in.filter_expression) {
    if (name == kDefaultGroup) return invalid("The filter expression of the Default group can't be changed.");
    TRYV(check_expression(call, in.filter_expression));
    if (stored.group.filter_expression != in.filter_expression) stored.expression_changes.push_back(call.now);
    stored.group.filter_expression = in.filter_expression;
  }
  TRY(stored.group.insights_configuration,
      merged(stored.group.insights_configuration.value_or(InsightsConfiguration{}), in.insights_configuration));
  std::vector<ResourceStore::Change> changes;
  changes.push_back({key_of(call, kGroupKind, name), encode_json(stored)});
  TRYV(xray_of(call).change_groups(scope_of(call), std::move(changes)));
  return UpdateGroupResult{.group = std::move(stored.group)};
}

Result<DeleteGroupResult> delete_group(Call& call, const DeleteGroupRequest& in) {
  TRY(const auto stored, lookup(call, in.group_name, in.group_arn));
  if (stored.group.group_name == kDefaultGroup) return invalid("The Default group can't be deleted.");
  std::vector<ResourceStore::Change> changes;
  changes.push_back({key_of(call, kGroupKind, *stored.group.group_name), std::nullopt});
  changes.push_back(forget_tags(call, *stored.group.group_arn));
  TRYV(xray_of(call).change_groups(scope_of(call), std::move(changes)));
  return DeleteGroupResult{};
}

Result<GetGroupResult> get_group(Call& call, const GetGroupRequest& in) {
  TRY(auto stored, lookup(call, in.group_name, in.group_arn));
  return GetGroupResult{.group = std::move(stored.group)};
}

Result<GetGroupsResult> get_groups(Call& call, const GetGroupsRequest& in) {
  std::vector<GroupSummary> all;
  for (auto& [name, stored] : all_groups(call))
    all.push_back({.group_name = stored.group.group_name,
                   .group_arn = stored.group.group_arn,
                   .filter_expression = stored.group.filter_expression,
                   .insights_configuration = stored.group.insights_configuration});
  GetGroupsResult out;
  TRY(out.groups, page_of(std::move(all), in.next_token, out.next_token, kPageSize, "GetGroups", 0,
                          [](const GroupSummary& group) { return *group.group_name; }));
  return out;
}

constexpr Operation kOperations[] = {bind<create_group>(), bind<update_group>(), bind<delete_group>(),
                                     bind<get_group>(), bind<get_groups>()};

}  // namespace

std::span<const Operation> group_operations() { return kOperations; }

}  // namespace fog::xray
