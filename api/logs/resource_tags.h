// Tags of the service's resources other than log groups: destinations, deliveries, detectors, lookup
// tables, scheduled queries. Kept by ARN.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "api/common/call.h"
#include "storage/base/result.h"

namespace fog::logs {

using TagMap = std::map<std::string, std::string>;

// "arn:aws:logs:<region>:<account>:<kind>:<name>"
std::string resource_arn(const Call& call, std::string_view kind, std::string_view name);
// The name in such an ARN of this account and region; nothing: another kind or place.
std::optional<std::string> name_in_arn(const Call& call, std::string_view kind, std::string_view arn);

// Is there such a resource that can bear tags?
bool is_taggable(Call& call, std::string_view arn);
TagMap resource_tags(Call& call, std::string_view arn);
// Error: TooManyTagsException.
Status put_resource_tags(Call& call, std::string_view arn, TagMap tags);
Status erase_resource_tags(Call& call, std::string_view arn);

}  // namespace fog::logs
