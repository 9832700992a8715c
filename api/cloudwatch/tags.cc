// Tags of alarms, dashboards, insight rules, metric streams and mute rules, kept by ARN.
//
// Document of kind "cw-tags" (name: the ARN; region: that of the ARN): varint n,
// then n times text key, text value; keys ascending.
#include <map>

#include "api/cloudwatch/model.h"
#include "api/cloudwatch/service.h"
#include "storage/base/bytes.h"
#include "storage/wal/resource_log.h"

namespace fog::cloudwatch {
namespace {

using TagMap = std::map<std::string, std::string>;

ResourceKey tag_key(const Call& call, std::string_view arn) {
  return {std::string(kTagKind), call.account, arn_region(arn), std::string(arn)};
}

TagMap load(const Call& call, std::string_view arn) {
  TagMap tags;
  const auto document = call.service<ResourceStore>().get(tag_key(call, arn));
  if (!document) return tags;
  ByteReader in(*document);
  for (std::uint64_t n = in.varint(); n > 0 && in.ok(); --n) {
    const std::string_view key = in.text();
    tags[std::string(key)] = in.text();
  }
  return tags;
}

Status save(const Call& call, std::string_view arn, const TagMap& tags) {
  auto& store = call.service<ResourceStore>();
  if (tags.empty()) return store.erase(tag_key(call, arn));
  std::string document;
  ByteWriter out(document);
  out.varint(tags.size());
  for (const auto& [key, value] : tags) {
    out.text(key);
    out.text(value);
  }
  return store.put(tag_key(call, arn), std::move(document));
}

// What of a taggable resource its ARN says.
struct Taggable {
  std::string_view prefix;  // of the part after the account
  std::string_view type;    // in ResourceNotFoundException
  std::vector<std::string_view> kinds;
};
const std::vector<Taggable>& taggables() {
  static const std::vector<Taggable> all = {
      {"alarm:", "AWS::CloudWatch::Alarm", {"cw-alarm", "cw-composite-alarm", "cw-log-alarm"}},
      {"alarm-mute-rule:", "AWS::CloudWatch::AlarmMuteRule", {"cw-mute-rule"}},
      {"dashboard/", "AWS::CloudWatch::Dashboard", {kDashboardKind}},
      {"insight-rule/", "AWS::CloudWatch::InsightRule", {kInsightRuleKind}},
      {"metric-stream/", "AWS::CloudWatch::MetricStream", {kMetricStreamKind}},
  };
  return all;
}

struct Target {
  const Taggable* kind = nullptr;
  std::string name;
  bool exists = false;
};

Result<Target> resolve(const Call& call, const std::string& arn) {
  // arn:partition:cloudwatch:region:account:resource
  std::string_view rest = arn;
  std::string_view parts[5];
  for (std::string_view& part : parts) {
    const std::size_t colon = rest.find(':');
    if (colon == std::string_view::npos) return invalid_value("The value " + arn + " for parameter ResourceARN is invalid.");
    part = rest.substr(0, colon);
    rest.remove_prefix(colon + 1);
  }
  if (parts[0] != "arn" || parts[2] != "cloudwatch")
    return invalid_value("The value " + arn + " for parameter ResourceARN is invalid.");
  for (const Taggable& kind : taggables()) {
    if (!rest.starts_with(kind.prefix)) continue;
    Target target{&kind, std::string(rest.substr(kind.prefix.size())), false};
    if (parts[4] != call.account) return target;
    // Alarms reach the store with a short delay.
    if (auto* log = call.services->find<ResourceLog>()) TRYV(log->flush());
    for (const std::string_view document : kind.kinds)
      if (call.service<ResourceStore>().get(
              {std::string(document), call.account, std::string(parts[3]), target.name}))
        target.exists = true;
    return target;
  }
  return invalid_value("The value " + arn + " for parameter ResourceARN is invalid.");
}

Error unknown(const Target& target) {
  return not_found(target.kind->type, target.name, "Resource " + target.name + " does not exist.");
}

Result<ListTagsForResourceOutput> list_tags_for_resource(Call& call, const ListTagsForResourceInput& in) {
  TRY(const Target target, resolve(call, in.resource_arn));
  // A deleted alarm has no tags; the real service answers with an empty list.
  if (!target.exists && target.kind->prefix != "alarm:") return unknown(target);
  ListTagsForResourceOutput out;
  out.tags = tags_of(call, in.resource_arn);
  return out;
}

Result<TagResourceOutput> tag_resource(Call& call, const TagResourceInput& in) {
  TRY(const Target target, resolve(call, in.resource_arn));
  if (!target.exists) return unknown(target);
  TRYV(add_tags(call, in.resource_arn, in.tags));
  return TagResourceOutput{};
}

Result<UntagResourceOutput> untag_resource(Call& call, const UntagResourceInput& in) {
  TRY(const Target target, resolve(call, in.resource_arn));
  if (!target.exists) return unknown(target);
  TagMap tags = load(call, in.resource_arn);
  for (const std::string& key : in.tag_keys) tags.erase(key);
  TRYV(save(call, in.resource_arn, tags));
  return UntagResourceOutput{};
}

constexpr Operation kOperations[] = {bind<list_tags_for_resource>(), bind<tag_resource>(),
                                     bind<untag_resource>()};

}  // namespace

std::span<const Operation> tag_operations() { return kOperations; }

std::string arn_region(std::string_view arn) {
  std::size_t at = 0;
  for (int i = 0; i < 3 && at != std::string_view::npos; ++i) at = arn.find(':', at + (i > 0 ? 1 : 0));
  if (at == std::string_view::npos) return {};
  const std::size_t end = arn.find(':', at + 1);
  return end == std::string_view::npos ? std::string() : std::string(arn.substr(at + 1, end - at - 1));
}

std::vector<Tag> tags_of(const Call& call, std::string_view arn) {
  std::vector<Tag> tags;
  for (const auto& [key, value] : load(call, arn)) tags.push_back({.key = key, .value = value});
  return tags;
}

Status add_tags(const Call& call, std::string_view arn, const std::optional<std::vector<Tag>>& added) {
  if (!added || added->empty()) return Ok{};
  TagMap tags = load(call, arn);
  for (const Tag& tag : *added) tags[tag.key] = tag.value;
  if (tags.size() > kTagsMax)
    return invalid_value("The number of tags exceeds the limit of 50 tags per resource.");
  return save(call, arn, tags);
}

Status erase_tags(const Call& call, std::string_view arn) {
  auto& store = call.service<ResourceStore>();
  return store.get(tag_key(call, arn)) ? store.erase(tag_key(call, arn)) : Status(Ok{});
}

}  // namespace fog::cloudwatch
