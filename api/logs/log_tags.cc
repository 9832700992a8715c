// Tags of log groups, by the new operations (ARN) and the old ones (name); one store for both.
#include <fmt/format.h>

#include "api/logs/common.h"
#include "api/logs/operations.h"
#include "api/logs/resource_tags.h"

namespace fog::logs {
namespace {

constexpr std::size_t kTagsMax = 50;

Result<GroupPtr> tagged_group(Call& call, const std::string& arn) {
  if (!arn.starts_with("arn:")) return invalid_parameter("The specified resource ARN is invalid.");
  const std::optional<std::string> name = group_name_of(call, arn);
  const GroupPtr group = name ? call.service<Logs>().find(call.account, call.region, *name) : nullptr;
  if (group == nullptr) return fault(ResourceNotFoundException{.message = "The specified resource does not exist."});
  return group;
}

Status add_tags(Call& call, const GroupPtr& group, const std::map<std::string, std::string>& tags) {
  return call.service<Logs>().change(group, [&](StoredLogGroup& settings) -> Status {
    auto merged = settings.tags.value_or(std::map<std::string, std::string>{});
    for (const auto& [key, value] : tags) merged[key] = value;
    if (merged.size() > kTagsMax)
      return fault(TooManyTagsException{.message = fmt::format("A resource can have at most {} tags.", kTagsMax), .resource_name = group->name});
    settings.tags = std::move(merged);
    return Ok{};
  });
}

Status remove_tags(Call& call, const GroupPtr& group, const std::vector<std::string>& keys) {
  return call.service<Logs>().change(group, [&](StoredLogGroup& settings) -> Status {
    if (!settings.tags) return Ok{};
    for (const std::string& key : keys) settings.tags->erase(key);
    if (settings.tags->empty()) settings.tags.reset();
    return Ok{};
  });
}

std::map<std::string, std::string> tags_of(const Group& group) {
  return group.settings.lock_shared()->tags.value_or(std::map<std::string, std::string>{});
}

Result<Empty> tag_resource(Call& call, const TagResourceRequest& in) {
  if (is_taggable(call, in.resource_arn)) {
    TagMap tags = resource_tags(call, in.resource_arn);
    for (const auto& [key, value] : in.tags) tags[key] = value;
    TRYV(put_resource_tags(call, in.resource_arn, std::move(tags)));
    return Empty{};
  }
  TRY(const GroupPtr group, tagged_group(call, in.resource_arn));
  TRYV(add_tags(call, group, in.tags));
  return Empty{};
}

Result<Empty> untag_resource(Call& call, const UntagResourceRequest& in) {
  if (is_taggable(call, in.resource_arn)) {
    TagMap tags = resource_tags(call, in.resource_arn);
    for (const std::string& key : in.tag_keys) tags.erase(key);
    TRYV(put_resource_tags(call, in.resource_arn, std::move(tags)));
    return Empty{};
  }
  TRY(const GroupPtr group, tagged_group(call, in.resource_arn));
  TRYV(remove_tags(call, group, in.tag_keys));
  return Empty{};
}

Result<ListTagsForResourceResponse> list_tags_for_resource(Call& call, const ListTagsForResourceRequest& in) {
  ListTagsForResourceResponse out;
  if (is_taggable(call, in.resource_arn)) {
    out.tags = resource_tags(call, in.resource_arn);
    return out;
  }
  TRY(const GroupPtr group, tagged_group(call, in.resource_arn));
  out.tags = tags_of(*group);
  return out;
}

Result<Empty> tag_log_group(Call& call, const TagLogGroupRequest& in) {
  TRY(const GroupPtr group, group_named(call, in.log_group_name));
  TRYV(add_tags(call, group, in.tags));
  return Empty{};
}

Result<Empty> untag_log_group(Call& call, const UntagLogGroupRequest& in) {
  TRY(const GroupPtr group, group_named(call, in.log_group_name));
  TRYV(remove_tags(call, group, in.tags));
  return Empty{};
}

Result<ListTagsLogGroupResponse> list_tags_log_group(Call& call, const ListTagsLogGroupRequest& in) {
  TRY(const GroupPtr group, group_named(call, in.log_group_name));
  ListTagsLogGroupResponse out;
  out.tags = tags_of(*group);
  return out;
}

constexpr Operation kOperations[] = {
    bind<tag_resource>(),   bind<untag_resource>(),   bind<list_tags_for_resource>(),
    bind<tag_log_group>(),  bind<untag_log_group>(),  bind<list_tags_log_group>(),
};

}  // namespace

std::span<const Operation> log_tag_operations() { return kOperations; }

}  // namespace fog::logs
