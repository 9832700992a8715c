#include "api/xray/sampling_rules.h"

#include "api/codec/json.h"
#include "api/xray/documents.h"
#include "api/xray/model.h"
#include "api/xray/service.h"
#include "api/xray/tags.h"

namespace fog::xray {

namespace {

constexpr std::size_t kCustomRulesMax = 25;
constexpr std::size_t kPageSize = 100;
constexpr const char* kRuleChange = "sampling-rule-change";

// There from the start, until someone updates it.
SamplingRuleRecord default_rule(const TraceScope& scope) {
  SamplingRule rule;
  rule.rule_name = kDefaultRule;
  rule.rule_arn = rule_arn(scope, kDefaultRule);
  rule.resource_arn = rule.service_name = rule.service_type = rule.host = rule.http_method = rule.url_path = "*";
  rule.priority = 10000;
  rule.fixed_rate = 0.05;
  rule.reservoir_size = 1;
  rule.version = 1;
  rule.attributes.emplace();
  return {.sampling_rule = rule, .created_at = Timestamp{}, .modified_at = Timestamp{}};
}

Result<std::string> name_in(const Call& call, const std::optional<std::string>& name,
                            const std::optional<std::string>& arn) {
  if (name.has_value() == arn.has_value()) return invalid("Exactly one of RuleName and RuleARN is required.");
  if (name) return *name;
  const auto prefix = rule_arn(scope_of(call), "");
  if (!arn->starts_with(prefix)) return invalid("Sampling rule does not exist.");
  return arn->substr(prefix.size());
}

Result<SamplingRuleRecord> lookup(const Call& call, const std::string& name) {
  const auto document = xray_of(call).resources().get(key_of(call, kRuleKind, name));
  if (document) return decode_json<SamplingRuleRecord>(*document);
  if (name == kDefaultRule) return default_rule(scope_of(call));
  return invalid("Sampling rule does not exist.");
}

Status check(const SamplingRule& rule) {
  if (rule.fixed_rate < 0 || rule.fixed_rate > 1) return invalid("FixedRate must be between 0 and 1.");
  if (rule.reservoir_size < 0) return invalid("ReservoirSize must not be negative.");
  if (rule.rule_name != kDefaultRule && (rule.priority < 1 || rule.priority > 9999))
    return invalid("Priority must be between 1 and 9999.");
  if (rule.attributes && rule.attributes->size() > 5) return invalid("At most 5 attributes may be given.");
  if (rule.sampling_rate_boost &&
      (rule.sampling_rate_boost->max_rate < 0 || rule.sampling_rate_boost->max_rate > 1))
    return invalid("MaxRate must be between 0 and 1.");
  return Ok{};
}

// The rule and the time of the change are one step.
Status store(const Call& call, const std::string& name, std::optional<std::string> document,
             std::vector<ResourceStore::Change> more) {
  more.push_back({key_of(call, kRuleKind, name), std::move(document)});
  more.push_back({key_of(call, kSettingKind, kRuleChange), encode_json(StoredRuleChange{.at = call.now})});
  return xray_of(call).resources().apply(std::move(more));
}

Result<CreateSamplingRuleResult> create_sampling_rule(Call& call, const CreateSamplingRuleRequest& in) {
  auto rule = in.sampling_rule;
  TRY(const auto name, name_in(call, rule.rule_name, rule.rule_arn));
  if (name.empty() || name.size() > 32) return invalid("RuleName must have 1 to 32 characters.");
  if (rule.version != 1) return invalid("Version must be 1.");
  rule.rule_name = name;
  TRYV(check(rule));
  if (name == kDefaultRule || xray_of(call).resources().get(key_of(call, kRuleKind, name)))
    return invalid("A sampling rule with the same name already exists.");
  std::size_t custom = 0;
  for (const auto& each : sampling_rules(call)) custom += each.sampling_rule->rule_name != kDefaultRule;
  if (custom >= kCustomRulesMax)
    return fault(RuleLimitExceededException{.message = "The maximum number of sampling rules has been reached."});
  rule.rule_arn = rule_arn(scope_of(call), name);
  if (!rule.attributes) rule.attributes.emplace();
  SamplingRuleRecord record{.sampling_rule = rule, .created_at = call.now, .modified_at = call.now};
  std::vector<ResourceStore::Change> changes;
  TRY(auto tags, tags_of_new(call, *rule.rule_arn, in.tags));
  if (tags) changes.push_back(std::move(*tags));
  TRYV(store(call, name, encode_json(record), std::move(changes)));
  return CreateSamplingRuleResult{.sampling_rule_record = std::move(record)};
}

Result<UpdateSamplingRuleResult> update_sampling_rule(Call& call, const UpdateSamplingRuleRequest& in) {
  const auto& update = in.sampling_rule_update;
  TRY(const auto name, name_in(call, update.rule_name, update.rule_arn));
  TRY(auto record, lookup(call, name));
  auto& rule = *record.sampling_rule;
  const bool more_than_rates = update.resource_arn || update.priority || update.host || update.service_name ||
                               update.service_type || update.http_method || update.url_path || update.attributes;
  if (name == kDefaultRule && more_than_rates)
    return invalid("Only FixedRate and ReservoirSize of the Default rule can be changed.");
  if (update.resource_arn) rule.resource_arn = *update.resource_arn;
  if (update.priority) rule.priority = *update.priority;
  if (update.fixed_rate) rule.fixed_rate = *update.fixed_rate;
  if (update.reservoir_size) rule.reservoir_size = *update.reservoir_size;
  if (update.host) rule.host = *update.host;
  if (update.service_name) rule.service_name = *update.service_name;
  if (update.service_type) rule.service_type = *update.service_type;
  if (update.http_method) rule.http_method = *update.http_method;
  if (update.url_path) rule.url_path = *update.url_path;
  if (update.attributes) rule.attributes = update.attributes;
  if (update.sampling_rate_boost) rule.sampling_rate_boost = update.sampling_rate_boost;
  TRYV(check(rule));
  record.modified_at = call.now;
  TRYV(store(call, name, encode_json(record), {}));
  return UpdateSamplingRuleResult{.sampling_rule_record = std::move(record)};
}

Result<DeleteSamplingRuleResult> delete_sampling_rule(Call& call, const DeleteSamplingRuleRequest& in) {
  TRY(const auto name, name_in(call, in.rule_name, in.rule_arn));
  TRY(auto record, lookup(call, name));
  if (name == kDefaultRule) return invalid("The Default sampling rule can't be deleted.");
  TRYV(store(call, name, std::nullopt, {forget_tags(call, rule_arn(scope_of(call), name))}));
  auto sampling = xray_of(call).sampling().lock();
  (*sampling)[scope_of(call)].clients.erase(name);
  return DeleteSamplingRuleResult{.sampling_rule_record = std::move(record)};
}

Result<GetSamplingRulesResult> get_sampling_rules(Call& call, const GetSamplingRulesRequest& in) {
  GetSamplingRulesResult out;
  const auto key = [](const SamplingRuleRecord& record) {
    const auto& rule = *record.sampling_rule;
    const bool is_default = rule.rule_name == kDefaultRule;
    const std::string priority = std::to_string(is_default ? 0 : rule.priority);
    return std::string(5 - std::min<std::size_t>(5, priority.size()), '0') + priority + *rule.rule_name;
  };
  TRY(out.sampling_rule_records, page_of(sampling_rules(call), in.next_token, out.next_token, kPageSize,
                                         "GetSamplingRules", 0, key));
  return out;
}

constexpr Operation kOperations[] = {bind<create_sampling_rule>(), bind<update_sampling_rule>(),
                                     bind<delete_sampling_rule>(), bind<get_sampling_rules>()};

}  // namespace

std::vector<SamplingRuleRecord> sampling_rules(const Call& call) {
  std::vector<SamplingRuleRecord> rules{default_rule(scope_of(call))};
  for (const auto& resource : xray_of(call).resources().list(
           {.kind = kRuleKind, .account = call.account, .region = call.region})) {
    auto record = decode_json<SamplingRuleRecord>(resource.document);
    if (!record.ok() || !record->sampling_rule) continue;
    // Some SDKs ignore a rule without the member.
    if (!record->sampling_rule->attributes) record->sampling_rule->attributes.emplace();
    if (resource.key.name == kDefaultRule) rules.front() = std::move(*record);
    else rules.push_back(std::move(*record));
  }
  std::sort(rules.begin() + 1, rules.end(), [](const auto& a, const auto& b) {
    return std::pair(a.sampling_rule->priority, a.sampling_rule->rule_name) <
           std::pair(b.sampling_rule->priority, b.sampling_rule->rule_name);
  });
  return rules;
}

Timestamp last_rule_modification(const Call& call) {
  const auto document = xray_of(call).resources().get(key_of(call, kSettingKind, kRuleChange));
  if (!document) return Timestamp{};
  const auto change = decode_json<StoredRuleChange>(*document);
  return change.ok() ? change->at : Timestamp{};
}

std::span<const Operation> sampling_rule_operations() { return kOperations; }

}  // namespace fog::xray
