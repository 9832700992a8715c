#include "api/logs/masking.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/codec/json.h"
#include "api/logs/logs.h"
#include "api/logs/stored.h"
#include "query/transformers/json_tree.h"
#include "storage/base/log.h"

namespace fog::logs {
namespace {

constexpr std::string_view kAccountKind = "log-account-rule";
constexpr std::size_t kIndexedFieldsMax = 20;
constexpr std::size_t kIndexedNameMax = 100;
constexpr std::size_t kCachedMax = 10'000;

std::string_view part_of(EventRules::Kind kind) {
  switch (kind) {
    case EventRules::Kind::kDataProtection: return "data-protection";
    case EventRules::Kind::kTransformer: return "transformer";
    case EventRules::Kind::kIndex: return "index";
  }
  return "";
}

ResourceKey key_of(const Group& group, EventRules::Kind kind) {
  return {std::string(kGroupPartKind), group.account, group.region, group_part(group.id, part_of(kind))};
}

std::optional<StoredPolicy> read(const ResourceStore& resources, const Group& group, EventRules::Kind kind) {
  const std::optional<std::string> document = resources.get(key_of(group, kind));
  if (!document) return std::nullopt;
  auto stored = decode_json<StoredPolicy>(*document);
  if (!stored.ok()) {
    LOG_ERROR("{} of {} cannot be read: {}", part_of(kind), group.name, stored.error().message());
    return std::nullopt;
  }
  return std::move(stored).value();
}

bool concerns(const StoredAccountPolicy& policy, const Group& group) {
  return !policy.prefix || group.name.starts_with(*policy.prefix);
}

// Ends the version in force at `last`; drops it when it never saw an event.
void end_version(StoredPolicy& stored, LogSequence last) {
  if (stored.versions.empty() || stored.versions.back().until) return;
  DocumentVersion& version = stored.versions.back();
  if (static_cast<LogSequence>(version.after.value_or(0)) >= last) stored.versions.pop_back();
  else version.until = static_cast<std::int64_t>(last);
}

}  // namespace

std::string group_part(LogGroupId group, std::string_view what) { return fmt::format("{:016x}:{}", group, what); }

// ---- rules ------------------------------------------------------------------------------------------

bool GroupRules::mask(std::int64_t ingestion_ms, LogSequence sequence, std::string& text) const {
  bool masked = false;
  for (const Mask& mask : masks_)
    if (mask.span.covers(ingestion_ms, sequence)) masked = mask.policy->mask(text) || masked;
  return masked;
}

namespace {

using Json = transformers::JsonTree;

// Masks the scalars below `value` that are sensitive themselves or hold one of the texts found.
bool mask_values(Json& value, const data_protection::Policy& policy, const std::vector<std::string>& found) {
  bool masked = false;
  for (Json& item : value.items) masked = mask_values(item, policy, found) || masked;
  for (auto& member : value.members) masked = mask_values(member.second, policy, found) || masked;
  if (!value.is_scalar() || value.kind == Json::Kind::kNull) return masked;
  std::string text = value.as_text();
  bool hit = policy.mask(text);
  for (const std::string& sensitive : found)
    for (std::size_t at = text.find(sensitive); at != std::string::npos; at = text.find(sensitive, at + sensitive.size())) {
      text.replace(at, sensitive.size(), sensitive.size(), '*');
      hit = true;
    }
  if (hit) value = Json::string(text);
  return hit;
}

}  // namespace

bool GroupRules::mask_fields(std::int64_t ingestion_ms, LogSequence sequence, std::string& text) const {
  bool masked = false;
  for (const Mask& mask : masks_) {
    if (!mask.span.covers(ingestion_ms, sequence)) continue;
    std::vector<std::string> found;
    for (const auto& finding : mask.policy->find(text)) found.push_back(text.substr(finding.begin, finding.end - finding.begin));
    if (found.empty()) continue;
    auto json = transformers::parse_json(text);
    if (!json || !json->is_object()) {
      masked = mask.policy->mask(text) || masked;
      continue;
    }
    if (!mask_values(*json, *mask.policy, found)) continue;
    masked = true;
    text.clear();
    transformers::print_json(*json, text);
  }
  return masked;
}

bool GroupRules::concerns(std::int64_t ingestion_ms, LogSequence sequence) const {
  return std::any_of(masks_.begin(), masks_.end(), [&](const Mask& m) { return m.span.covers(ingestion_ms, sequence); }) ||
         std::any_of(transformers_.begin(), transformers_.end(), [&](const Transform& t) { return t.span.covers(ingestion_ms, sequence); });
}

std::vector<data_protection::Policy::Finding> GroupRules::findings(std::int64_t ingestion_ms, LogSequence sequence,
                                                                   std::string_view text) const {
  std::vector<data_protection::Policy::Finding> all;
  for (const Mask& mask : masks_) {
    if (!mask.span.covers(ingestion_ms, sequence)) continue;
    const auto found = mask.policy->find(text);
    all.insert(all.end(), found.begin(), found.end());
  }
  return all;
}

std::vector<const data_protection::Policy*> GroupRules::policies(std::int64_t ingestion_ms, LogSequence sequence) const {
  std::vector<const data_protection::Policy*> all;
  for (const Mask& mask : masks_)
    if (mask.span.covers(ingestion_ms, sequence)) all.push_back(mask.policy.get());
  return all;
}

std::optional<std::string> GroupRules::transform(std::int64_t ingestion_ms, LogSequence sequence, std::string_view message,
                                                 std::string_view stream) const {
  for (const Transform& transform : transformers_)
    if (transform.span.covers(ingestion_ms, sequence))
      return transform.transformer->transform(
          {.message = message, .log_group = group_, .log_stream = stream, .account = account_, .region = region_});
  return std::nullopt;
}

GroupRulesPtr EventRules::of(const Group& group) const {
  const std::uint64_t revision = revision_;
  {
    const auto cache = cache_.lock_shared();
    const auto it = cache->find(group.id);
    if (it != cache->end() && it->second.revision == revision) return it->second.rules;
  }
  GroupRulesPtr rules = build(group);
  const auto cache = cache_.lock();
  if (cache->size() >= kCachedMax) cache->clear();
  (*cache)[group.id] = {revision, rules};
  return rules;
}

GroupRulesPtr EventRules::build(const Group& group) const {
  auto rules = std::make_shared<GroupRules>();
  rules->account_ = group.account;
  rules->region_ = group.region;
  rules->group_ = group.name;
  const auto span_of = [](const DocumentVersion& version) {
    GroupRules::Span span;
    span.after = static_cast<LogSequence>(version.after.value_or(0));
    if (version.until) span.until = static_cast<LogSequence>(*version.until);
    if (version.since) span.since_ms = *version.since;
    if (version.ended) span.ended_ms = *version.ended;
    return span;
  };
  const auto add = [&](Kind kind, const DocumentVersion& version) {
    const GroupRules::Span span = span_of(version);
    if (kind == Kind::kDataProtection) {
      auto policy = data_protection::parse(version.document);
      if (policy.ok()) rules->masks_.push_back({span, std::move(policy).value()});
    } else {
      auto transformer = transformers::parse(version.document);
      if (transformer.ok()) rules->transformers_.push_back({span, std::move(transformer).value()});
    }
  };
  for (const Kind kind : {Kind::kDataProtection, Kind::kTransformer})
    if (const auto stored = read(resources_, group, kind))
      for (const DocumentVersion& version : stored->versions) add(kind, version);
  for (const Resource& resource : resources_.list({.kind = std::string(kAccountKind), .account = group.account, .region = group.region})) {
    const auto stored = decode_json<StoredAccountPolicy>(resource.document);
    if (!stored.ok() || !concerns(*stored, group) || stored->policy_type == PolicyType::FIELD_INDEX_POLICY) continue;
    const Kind kind = stored->policy_type == PolicyType::DATA_PROTECTION_POLICY ? Kind::kDataProtection : Kind::kTransformer;
    for (const DocumentVersion& version : stored->versions) add(kind, version);
  }
  if (!rules->has_masks() && !rules->has_transformers()) return nullptr;
  return rules;
}

// ---- policies of groups -----------------------------------------------------------------------------

std::optional<EventRules::Policy> EventRules::get(const Group& group, Kind kind) const {
  const auto stored = read(resources_, group, kind);
  if (!stored || !stored->document) return std::nullopt;
  return Policy{*stored->document, stored->creation_time, stored->last_updated_time};
}

bool EventRules::had(const Group& group, Kind kind) const { return read(resources_, group, kind).has_value(); }

Status EventRules::put(const Group& group, Kind kind, std::string document, LogSequence last, std::int64_t now_ms) {
  StoredPolicy stored = read(resources_, group, kind).value_or(StoredPolicy{});
  if (!stored.document) stored.creation_time = now_ms;
  stored.last_updated_time = now_ms;
  end_version(stored, last);
  DocumentVersion& version = stored.versions.emplace_back();
  version.document = document;
  version.after = static_cast<std::int64_t>(last);
  stored.document = std::move(document);
  TRYV(resources_.put(key_of(group, kind), encode_json(stored)));
  forget();
  return Ok{};
}

Status EventRules::erase(const Group& group, Kind kind, LogSequence last, std::int64_t now_ms) {
  auto stored = read(resources_, group, kind);
  if (!stored || !stored->document) return Ok{};
  stored->document.reset();
  stored->last_updated_time = now_ms;
  end_version(*stored, last);
  TRYV(resources_.put(key_of(group, kind), encode_json(*stored)));
  forget();
  return Ok{};
}

// ---- policies of the account ------------------------------------------------------------------------

Status EventRules::account_policy_changed(std::string_view account, std::string_view region, PolicyType type, std::string_view name,
                                          const std::optional<std::string>& document,
                                          const std::optional<std::string>& selection_criteria, std::int64_t now_ms) {
  if (type != PolicyType::DATA_PROTECTION_POLICY && type != PolicyType::TRANSFORMER_POLICY && type != PolicyType::FIELD_INDEX_POLICY)
    return Ok{};
  const ResourceKey key{std::string(kAccountKind), std::string(account), std::string(region),
                        fmt::format("{}:{}", to_string(type), name)};
  StoredAccountPolicy stored;
  if (const auto old = resources_.get(key)) {
    auto read = decode_json<StoredAccountPolicy>(*old);
    if (read.ok()) stored = std::move(read).value();
  }
  stored.policy_type = type;
  if (!stored.versions.empty() && !stored.versions.back().ended) stored.versions.back().ended = now_ms;
  if (document) {
    TRY(const std::string prefix, selected_prefix(type == PolicyType::DATA_PROTECTION_POLICY ? std::nullopt : selection_criteria));
    stored.prefix = prefix.empty() ? std::nullopt : std::optional(prefix);
    DocumentVersion& version = stored.versions.emplace_back();
    version.document = *document;
    version.since = now_ms;
  }
  TRYV(resources_.put(key, encode_json(stored)));
  forget();
  return Ok{};
}

Status EventRules::check_account_document(PolicyType type, const std::string& document,
                                          const std::optional<std::string>& selection_criteria) {
  switch (type) {
    case PolicyType::DATA_PROTECTION_POLICY: TRYV(data_protection::parse(document)); return Ok{};
    case PolicyType::TRANSFORMER_POLICY: TRYV(transformers::parse(document)); break;
    case PolicyType::FIELD_INDEX_POLICY: TRYV(read_index_policy(document)); break;
    default: return Ok{};
  }
  TRYV(selected_prefix(selection_criteria));
  return Ok{};
}

std::vector<EventRules::Policy> EventRules::account_policies(const Group& group, PolicyType type) const {
  std::vector<Policy> policies;
  for (const Resource& resource : resources_.list({.kind = std::string(kAccountKind), .account = group.account, .region = group.region})) {
    const auto stored = decode_json<StoredAccountPolicy>(resource.document);
    if (!stored.ok() || stored->policy_type != type || !concerns(*stored, group)) continue;
    if (stored->versions.empty() || stored->versions.back().ended) continue;
    const std::int64_t since = stored->versions.back().since.value_or(0);
    policies.push_back({stored->versions.back().document, since, since});
  }
  std::sort(policies.begin(), policies.end(), [](const Policy& a, const Policy& b) { return a.updated_ms > b.updated_ms; });
  return policies;
}

Result<std::string> selected_prefix(const std::optional<std::string>& selection_criteria) {
  if (!selection_criteria || selection_criteria->empty()) return std::string();
  std::string_view rest = *selection_criteria;
  const auto blanks = [&] {
    while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  };
  const auto take = [&](std::string_view word) {
    blanks();
    if (!rest.starts_with(word)) return false;
    rest.remove_prefix(word.size());
    return true;
  };
  const Error bad = Error::invalid("The specified selectionCriteria is invalid.");
  if (!take("LogGroupNamePrefix")) return bad;
  if (!take("==") && !take("=")) return bad;
  if (!take("\"")) return bad;
  const std::size_t end = rest.find('"');
  if (end == std::string_view::npos) return bad;
  const std::string prefix(rest.substr(0, end));
  rest.remove_prefix(end + 1);
  blanks();
  if (!rest.empty() || prefix.empty()) return bad;
  return prefix;
}

// ---- index policies ---------------------------------------------------------------------------------

Result<std::vector<IndexedField>> read_index_policy(std::string_view document) {
  using Json = transformers::JsonTree;
  const auto json = transformers::parse_json(document);
  if (!json || !json->is_object()) return Error::invalid("The policy document is not a valid JSON object.");
  std::vector<IndexedField> fields;
  const auto add = [&](const std::string& name, IndexType type) -> Status {
    if (name.empty() || name.size() > kIndexedNameMax)
      return Error::invalid(fmt::format("Field index names must have between 1 and {} characters.", kIndexedNameMax));
    for (const IndexedField& field : fields)
      if (field.name == name) return Error::invalid(fmt::format("Field {} is listed more than once.", name));
    fields.push_back({name, type});
    return Ok{};
  };
  for (const auto& [member, value] : json->members) {
    if (member == "Fields") {
      if (!value.is_array()) return Error::invalid("Fields must be an array of strings.");
      for (const Json& item : value.items) {
        if (!item.is_string()) return Error::invalid("Fields must be an array of strings.");
        TRYV(add(item.text, IndexType::FIELD_INDEX));
      }
    } else if (member == "FieldsV2") {
      if (!value.is_object()) return Error::invalid("FieldsV2 must be an object.");
      for (const auto& [name, options] : value.members) {
        const Json* type = options.find("type");
        IndexType kind = IndexType::FIELD_INDEX;
        if (type == nullptr || !type->is_string() || !from_string(type->text, kind))
          return Error::invalid(fmt::format("The type of field {} must be FIELD_INDEX or FACET.", name));
        TRYV(add(name, kind));
      }
    } else {
      return Error::invalid(fmt::format("Unknown member {} of the policy document.", member));
    }
  }
  if (fields.empty()) return Error::invalid("The policy document names no field.");
  if (fields.size() > kIndexedFieldsMax)
    return Error::invalid(fmt::format("A field index policy can have at most {} fields.", kIndexedFieldsMax));
  return fields;
}

}  // namespace fog::logs
