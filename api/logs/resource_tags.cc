#include "api/logs/resource_tags.h"

#include <fmt/format.h>

#include "api/logs/shelf.h"
#include "api/logs/stored.h"

namespace fog::logs {
namespace {

constexpr std::size_t kTagsMax = 50;
constexpr Shelf<StoredTags> kTags("log-tags");

// How ARNs name a kind of resource, and the kind in the store.
constexpr std::pair<std::string_view, std::string_view> kTaggable[] = {
    {"destination", "log-destination"},
    {"delivery", "log-delivery"},
    {"delivery-source", "log-delivery-source"},
    {"delivery-destination", "log-delivery-destination"},
    {"anomaly-detector", "log-anomaly-detector"},
    {"lookup-table", "log-lookup-table"},
    {"scheduled-query", "log-scheduled-query"},
};

}  // namespace

std::string resource_arn(const Call& call, std::string_view kind, std::string_view name) {
  return fmt::format("arn:{}:logs:{}:{}:{}:{}", partition_of(call.region), call.region, call.account, kind, name);
}

std::optional<std::string> name_in_arn(const Call& call, std::string_view kind, std::string_view arn) {
  const std::string prefix = resource_arn(call, kind, "");
  if (!arn.starts_with(prefix) || arn.size() == prefix.size()) return std::nullopt;
  return std::string(arn.substr(prefix.size()));
}

bool is_taggable(Call& call, std::string_view arn) {
  for (const auto& [word, kind] : kTaggable)
    if (const auto name = name_in_arn(call, word, arn))
      return call.service<ResourceStore>().get({std::string(kind), call.account, call.region, *name}).has_value();
  return false;
}

TagMap resource_tags(Call& call, std::string_view arn) {
  const auto stored = kTags.get(call, arn);
  return stored ? stored->tags : TagMap{};
}

Status put_resource_tags(Call& call, std::string_view arn, TagMap tags) {
  if (tags.size() > kTagsMax)
    return fault(TooManyTagsException{.message = fmt::format("A resource can have at most {} tags.", kTagsMax),
                                      .resource_name = std::string(arn)});
  if (tags.empty()) return erase_resource_tags(call, arn);
  StoredTags stored;
  stored.tags = std::move(tags);
  return kTags.put(call, arn, stored);
}

Status erase_resource_tags(Call& call, std::string_view arn) { return kTags.erase(call, arn); }

}  // namespace fog::logs
