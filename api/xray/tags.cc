#include "api/xray/tags.h"

#include "api/codec/json.h"
#include "api/xray/documents.h"
#include "api/xray/model.h"
#include "api/xray/service.h"

namespace fog::xray {

namespace {

// ARNs of groups and rules that exist; Default of both kinds always does.
bool exists(const Call& call, const std::string& arn) {
  const auto scope = scope_of(call);
  for (const auto& group : *xray_of(call).groups(scope))
    if (group.arn == arn) return true;
  const auto prefix = rule_arn(scope, "");
  if (!arn.starts_with(prefix)) return false;
  const auto name = arn.substr(prefix.size());
  return name == kDefaultRule || xray_of(call).resources().get(key_of(call, kRuleKind, name)).has_value();
}

Error no_resource(const std::string& arn) {
  return fault(ResourceNotFoundException{.message = "Resource not found.", .resource_name = arn});
}

Status check(const std::vector<Tag>& tags) {
  for (const auto& tag : tags)
    if (tag.key.size() >= 4 && (tag.key.starts_with("aws:") || tag.key.starts_with("AWS:")))
      return invalid("Tag keys starting with aws: are reserved for system use.");
  return Ok{};
}

Error too_many(const std::string& arn) {
  return fault(TooManyTagsException{.message = "A resource may have at most 50 tags.", .resource_name = arn});
}

std::vector<Tag> stored_tags(const Call& call, const std::string& arn) {
  const auto document = xray_of(call).resources().get(key_of(call, kTagsKind, arn));
  if (!document) return {};
  auto tags = decode_json<StoredTags>(*document);
  return tags.ok() ? std::move(tags->tags) : std::vector<Tag>{};
}

void set_tag(std::vector<Tag>& tags, const Tag& tag) {
  for (auto& known : tags) {
    if (known.key != tag.key) continue;
    known.value = tag.value;
    return;
  }
  tags.push_back(tag);
}

Result<TagResourceResponse> tag_resource(Call& call, const TagResourceRequest& in) {
  if (!exists(call, in.resource_arn)) return no_resource(in.resource_arn);
  TRYV(check(in.tags));
  auto tags = stored_tags(call, in.resource_arn);
  for (const auto& tag : in.tags) set_tag(tags, tag);
  if (tags.size() > kTagsMax) return too_many(in.resource_arn);
  TRYV(xray_of(call).resources().put(key_of(call, kTagsKind, in.resource_arn),
                                     encode_json(StoredTags{.tags = std::move(tags)})));
  return TagResourceResponse{};
}

Result<UntagResourceResponse> untag_resource(Call& call, const UntagResourceRequest& in) {
  if (!exists(call, in.resource_arn)) return no_resource(in.resource_arn);
  auto tags = stored_tags(call, in.resource_arn);
  std::erase_if(tags, [&](const Tag& tag) {
    return std::find(in.tag_keys.begin(), in.tag_keys.end(), tag.key) != in.tag_keys.end();
  });
  TRYV(xray_of(call).resources().put(key_of(call, kTagsKind, in.resource_arn),
                                     encode_json(StoredTags{.tags = std::move(tags)})));
  return UntagResourceResponse{};
}

Result<ListTagsForResourceResponse> list_tags_for_resource(Call& call,
                                                           const ListTagsForResourceRequest& in) {
  if (!exists(call, in.resource_arn)) return no_resource(in.resource_arn);
  if (in.next_token) return invalid("Invalid NextToken.");  // 50 tags fit one page: none was given out
  ListTagsForResourceResponse out;
  out.tags = stored_tags(call, in.resource_arn);
  return out;
}

constexpr Operation kOperations[] = {bind<tag_resource>(), bind<untag_resource>(),
                                     bind<list_tags_for_resource>()};

}  // namespace

std::span<const Operation> tag_operations() { return kOperations; }

Result<std::optional<ResourceStore::Change>> tags_of_new(
    const Call& call, const std::string& arn, const std::optional<std::vector<Tag>>& tags) {
  std::optional<ResourceStore::Change> change;
  if (!tags || tags->empty()) return change;
  TRYV(check(*tags));
  StoredTags stored;
  for (const auto& tag : *tags) set_tag(stored.tags, tag);
  if (stored.tags.size() > kTagsMax) return invalid("A resource may have at most 50 tags.");
  change = ResourceStore::Change{key_of(call, kTagsKind, arn), encode_json(stored)};
  return change;
}

ResourceStore::Change forget_tags(const Call& call, const std::string& arn) {
  return {key_of(call, kTagsKind, arn), std::nullopt};
}

}  // namespace fog::xray
