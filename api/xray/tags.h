// Tags of groups and sampling rules, kept by ARN.
#pragma once

#include "api/common/call.h"
#include "api/xray/shapes.h"
#include "storage/resource_store.h"

namespace fog::xray {

inline constexpr std::size_t kTagsMax = 50;

// The change that stores the tags of a new resource; faults for reserved prefixes and too many.
Result<std::optional<ResourceStore::Change>> tags_of_new(
    const Call& call, const std::string& arn, const std::optional<std::vector<Tag>>& tags);
// The change that forgets the tags of a resource that goes.
ResourceStore::Change forget_tags(const Call& call, const std::string& arn);

}  // namespace fog::xray
