#include "api/logs/event_filters.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "api/codec/json.h"
#include "api/codec/text.h"
#include "api/logs/common.h"
#include "api/logs/masking.h"
#include "api/logs/selection.h"
#include "storage/base/log.h"
#include "storage/metric_units.h"

namespace fog::logs {
namespace {

constexpr std::string_view kMetricFilter = "metric-filter/";
constexpr std::string_view kSubscription = "subscription-filter/";
constexpr std::string_view kAccountPolicyKind = "log-account-policy-record";
constexpr std::string_view kLambdaGroups = "/aws/lambda/";

ResourceKey key_of(const Group& group, std::string_view what, std::string_view name) {
  return {std::string(kGroupPartKind), group.account, group.region, group_part(group.id, std::string(what) + std::string(name))};
}
std::vector<Resource> parts_of(const ResourceStore& resources, const Group& group, std::string_view what) {
  return resources.list({.kind = std::string(kGroupPartKind),
                         .account = group.account,
                         .region = group.region,
                         .name_prefix = group_part(group.id, what)});
}
ResourceKey policy_key(std::string_view account, std::string_view region, PolicyType type, std::string_view name) {
  return {std::string(kAccountPolicyKind), std::string(account), std::string(region), fmt::format("{}/{}", to_string(type), name)};
}

// The same value a program's PutMetricData would bring.
std::optional<double> number_of(std::string_view text) {
  const auto value = parse_double(text);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::vector<std::pair<std::string, std::string>> system_values(const Group& group, const std::optional<std::vector<std::string>>& names) {
  std::vector<std::pair<std::string, std::string>> values;
  if (!names) return values;
  for (const std::string& name : *names) {
    if (name == "@aws.account") values.emplace_back(name, group.account);
    else if (name == "@aws.region") values.emplace_back(name, group.region);
    else if (name == "@source.log") values.emplace_back(name, group.name);
  }
  return values;
}

}  // namespace

Result<CompiledPattern> compile_pattern(std::string_view text) {
  CompiledPattern compiled;
  TRY(compiled.pattern, filter_pattern::parse(text));
  compiled.escapes_matter = compiled.pattern->kind() == filter_pattern::Pattern::Kind::kJson;
  // The clause with the longest shortest text skips most.
  std::size_t best = 0;
  for (const auto& clause : compiled.pattern->where()) {
    std::size_t shortest = SIZE_MAX;
    bool usable = !clause.empty() && clause.size() <= 4;
    for (const LogPredicate& predicate : clause) {
      usable = usable && predicate.what == LogPredicate::What::kMessageContains && !predicate.text.empty();
      shortest = std::min(shortest, predicate.text.size());
    }
    if (!usable || shortest <= best) continue;
    best = shortest;
    compiled.literals.clear();
    for (const LogPredicate& predicate : clause) compiled.literals.push_back(predicate.text);
  }
  return compiled;
}

Result<bool> passes_selection(const std::optional<std::string>& criteria, std::string_view account, std::string_view region) {
  if (!criteria || criteria->find_first_not_of(" \t") == std::string::npos) return true;
  const auto allowed = [](std::string_view field) { return field == "@aws.account" || field == "@aws.region"; };
  TRY(const auto selection, parse_selection(*criteria, allowed));
  return selection->holds([&](std::string_view field) { return field == "@aws.account" ? account : region; });
}

Result<bool> takes_group(const std::optional<std::string>& criteria, std::string_view group_name) {
  if (!criteria || criteria->find_first_not_of(" \t") == std::string::npos) return true;
  TRY(const auto selection, parse_selection(*criteria, [](std::string_view field) { return field == "LogGroupName"; }));
  return selection->holds([&](std::string_view) { return group_name; });
}

Result<SubscriptionPolicy> read_subscription_policy(std::string_view document) {
  const auto json = nlohmann::json::parse(document, nullptr, false);
  if (!json.is_object()) return Error::invalid("The policy document is not a valid JSON object.");
  SubscriptionPolicy policy;
  for (const auto& [name, value] : json.items()) {
    if (!value.is_string()) return Error::invalid(fmt::format("{} must be a string.", name));
    const std::string& text = value.get_ref<const std::string&>();
    if (name == "DestinationArn") policy.destination_arn = text;
    else if (name == "RoleArn") policy.role_arn = text;
    else if (name == "FilterPattern") policy.filter_pattern = text;
    else if (name == "Distribution" && (text == "Random" || text == "ByLogStream")) policy.random = text == "Random";
    else return Error::invalid(fmt::format("{} is not valid in a subscription filter policy.", name));
  }
  if (policy.destination_arn.empty()) return Error::invalid("DestinationArn is required.");
  if (!filter_pattern::parse(policy.filter_pattern).ok()) return Error::invalid("Invalid metric filter pattern");
  return policy;
}

// ---- plans ---------------------------------------------------------------------------------------------

GroupPlanPtr EventFilters::plan(const Group& group) const {
  const std::uint64_t revision = revision_.load(std::memory_order_acquire);
  {
    const auto plans = plans_.lock_shared();
    const auto found = plans->find(group.id);
    if (found != plans->end() && found->second.revision == revision) return found->second.plan;
  }
  GroupPlanPtr made = build(group);
  (*plans_.lock())[group.id] = {revision, made};
  return made;
}

GroupPlanPtr EventFilters::build(const Group& group) const {
  auto plan = std::make_shared<GroupPlan>();
  plan->is_standard = group.settings.lock_shared()->log_group_class == LogGroupClass::STANDARD;
  if (lambda_metrics_ && group.name.starts_with(kLambdaGroups) && plan->is_standard) {
    plan->lambda_function = group.name.substr(kLambdaGroups.size());
    // A dimension's value; anything else in a name is no function of AWS.
    if (plan->lambda_function.size() > 255) plan->lambda_function.clear();
  }
  for (const MetricFilter& filter : metric_filters(group)) {
    auto pattern = compile_pattern(filter.filter_pattern.value_or(""));
    const auto passes = passes_selection(filter.field_selection_criteria, group.account, group.region);
    if (!pattern.ok() || !passes.ok() || !*passes || !filter.metric_transformations || filter.metric_transformations->empty()) continue;
    const MetricTransformation& to = filter.metric_transformations->front();
    MetricRule rule;
    rule.filter_name = filter.filter_name.value_or("");
    rule.pattern = std::move(pattern).value();
    rule.on_transformed = filter.apply_on_transformed_logs.value_or(false);
    rule.created_ms = filter.creation_time.value_or(0);
    rule.metric_namespace = to.metric_namespace;
    rule.metric_name = to.metric_name;
    rule.unit = to.unit ? unit_code(to_string(*to.unit)).value_or(kUnitNone) : kUnitNone;
    rule.constant = number_of(to.metric_value);
    if (!rule.constant) rule.selector = to.metric_value;
    rule.default_value = to.default_value;
    if (to.dimensions) rule.dimensions.assign(to.dimensions->begin(), to.dimensions->end());
    rule.system_dimensions = system_values(group, filter.emit_system_field_dimensions);
    plan->metrics.push_back(std::move(rule));
  }
  const auto subscribe = [&](std::uint64_t id, std::string name, std::string_view text, std::string destination) -> SubscriptionRule* {
    auto pattern = compile_pattern(text);
    if (!pattern.ok()) return nullptr;
    SubscriptionRule& rule = plan->subscriptions.emplace_back();
    rule.id = id;
    rule.filter_name = std::move(name);
    rule.pattern = std::move(pattern).value();
    rule.destination_arn = std::move(destination);
    return &rule;
  };
  for (const StoredSubscriptionFilter& stored : subscription_filters(group)) {
    const SubscriptionFilter& filter = stored.filter;
    const auto passes = passes_selection(filter.field_selection_criteria, group.account, group.region);
    if (!passes.ok() || !*passes) continue;
    SubscriptionRule* rule = subscribe(static_cast<std::uint64_t>(stored.id), filter.filter_name.value_or(""),
                                       filter.filter_pattern.value_or(""), filter.destination_arn.value_or(""));
    if (rule == nullptr) continue;
    rule->on_transformed = filter.apply_on_transformed_logs.value_or(false);
    rule->random = filter.distribution == Distribution::Random;
    rule->created_ms = filter.creation_time.value_or(0);
    rule->system_fields = system_values(group, filter.emit_system_fields);
  }
  if (plan->is_standard) {
    for (const AccountPolicyRecord& stored : account_policies(group.account, group.region, PolicyType::SUBSCRIPTION_FILTER_POLICY)) {
      const auto policy = read_subscription_policy(stored.policy.policy_document.value_or(""));
      const auto taken = takes_group(stored.policy.selection_criteria, group.name);
      if (!policy.ok() || !taken.ok() || !*taken) continue;
      SubscriptionRule* rule = subscribe(static_cast<std::uint64_t>(stored.id), stored.policy.policy_name.value_or(""),
                                         policy->filter_pattern, policy->destination_arn);
      if (rule == nullptr) continue;
      rule->of_account = true;
      rule->random = policy->random;
      rule->created_ms = stored.policy.last_updated_time.value_or(0);
    }
  }
  plan->extracts_metrics = plan->is_standard;
  for (const AccountPolicyRecord& stored : account_policies(group.account, group.region, PolicyType::METRIC_EXTRACTION_POLICY)) {
    const auto taken = takes_group(stored.policy.selection_criteria, group.name);
    if (!taken.ok() || !*taken) continue;
    // {"Default": "DISABLED"} and the like: whatever says so switches extraction off.
    const std::string document = stored.policy.policy_document.value_or("");
    if (document.find("DISABLED") != std::string::npos || document.find("false") != std::string::npos) plan->extracts_metrics = false;
  }
  return plan;
}

// ---- what is stored --------------------------------------------------------------------------------------

std::size_t EventFilters::regex_filters(const Group& group, std::string_view except_kind, std::string_view except_name) const {
  std::size_t n = 0;
  const auto count = [&](std::string_view kind, const std::optional<std::string>& name, const std::optional<std::string>& text) {
    if (kind == except_kind && name == except_name) return;
    const auto pattern = filter_pattern::parse(text.value_or(""));
    n += pattern.ok() && (*pattern)->regexes() > 0;
  };
  for (const MetricFilter& filter : metric_filters(group)) count(kMetricFilter, filter.filter_name, filter.filter_pattern);
  for (const StoredSubscriptionFilter& stored : subscription_filters(group))
    count(kSubscription, stored.filter.filter_name, stored.filter.filter_pattern);
  return n;
}

Status EventFilters::put_metric_filter(const Group& group, const MetricFilter& filter) {
  const std::lock_guard one_at_a_time(changes_);
  const std::string name = filter.filter_name.value_or("");
  const ResourceKey key = key_of(group, kMetricFilter, name);
  if (!resources_.get(key) && metric_filters(group).size() >= kMetricFiltersMax) return Error::limit("Resource limit exceeded.");
  const auto pattern = filter_pattern::parse(filter.filter_pattern.value_or(""));
  if (pattern.ok() && (*pattern)->regexes() > 0 && regex_filters(group, kMetricFilter, name) >= kRegexFiltersMax)
    return Error::limit("Resource limit exceeded.");
  TRYV(resources_.put(key, encode_json(filter)));
  forget();
  return Ok{};
}

bool EventFilters::erase_metric_filter(const Group& group, std::string_view name) {
  const std::lock_guard one_at_a_time(changes_);
  const ResourceKey key = key_of(group, kMetricFilter, name);
  if (!resources_.get(key) || !resources_.erase(key).ok()) return false;
  forget();
  return true;
}

std::vector<MetricFilter> EventFilters::metric_filters(const Group& group) const {
  std::vector<MetricFilter> filters;
  for (const Resource& resource : parts_of(resources_, group, kMetricFilter)) {
    auto filter = decode_json<MetricFilter>(resource.document);
    if (filter.ok()) filters.push_back(std::move(filter).value());
    else LOG_ERROR("metric filter {} cannot be read: {}", resource.key.name, filter.error().message());
  }
  return filters;
}

Result<StoredSubscriptionFilter> EventFilters::put_subscription_filter(const Group& group, const SubscriptionFilter& filter) {
  const std::lock_guard one_at_a_time(changes_);
  const std::string name = filter.filter_name.value_or("");
  const ResourceKey key = key_of(group, kSubscription, name);
  StoredSubscriptionFilter stored;
  stored.filter = filter;
  const auto before = resources_.get(key);
  if (!before && subscription_filters(group).size() >= kSubscriptionFiltersMax) return Error::limit("Resource limit exceeded.");
  const auto pattern = filter_pattern::parse(filter.filter_pattern.value_or(""));
  if (pattern.ok() && (*pattern)->regexes() > 0 && regex_filters(group, kSubscription, name) >= kRegexFiltersMax)
    return Error::limit("Resource limit exceeded.");
  if (before) {
    const auto known = decode_json<StoredSubscriptionFilter>(*before);
    if (known.ok()) stored.id = known->id;
  }
  if (stored.id == 0) stored.id = static_cast<std::int64_t>(resources_.next_id());
  TRYV(resources_.put(key, encode_json(stored)));
  forget();
  return stored;
}

std::optional<StoredSubscriptionFilter> EventFilters::erase_subscription_filter(const Group& group, std::string_view name) {
  const std::lock_guard one_at_a_time(changes_);
  const ResourceKey key = key_of(group, kSubscription, name);
  const auto document = resources_.get(key);
  if (!document || !resources_.erase(key).ok()) return std::nullopt;
  forget();
  auto stored = decode_json<StoredSubscriptionFilter>(*document);
  return stored.ok() ? std::optional(std::move(stored).value()) : std::optional(StoredSubscriptionFilter{});
}

std::vector<StoredSubscriptionFilter> EventFilters::subscription_filters(const Group& group) const {
  std::vector<StoredSubscriptionFilter> filters;
  for (const Resource& resource : parts_of(resources_, group, kSubscription)) {
    auto stored = decode_json<StoredSubscriptionFilter>(resource.document);
    if (stored.ok()) filters.push_back(std::move(stored).value());
    else LOG_ERROR("subscription filter {} cannot be read: {}", resource.key.name, stored.error().message());
  }
  return filters;
}

Result<AccountPolicyRecord> EventFilters::put_account_policy(std::string_view account, std::string_view region, const AccountPolicy& policy) {
  const std::lock_guard one_at_a_time(changes_);
  const PolicyType type = policy.policy_type.value_or(PolicyType::DATA_PROTECTION_POLICY);
  const std::string name = policy.policy_name.value_or("");
  const bool single = type == PolicyType::DATA_PROTECTION_POLICY || type == PolicyType::SUBSCRIPTION_FILTER_POLICY;
  const ResourceKey key = policy_key(account, region, type, name);
  AccountPolicyRecord record;
  record.policy = policy;
  if (const auto before = resources_.get(key)) {
    if (const auto known = decode_json<AccountPolicyRecord>(*before); known.ok()) record.id = known->id;
  } else if (account_policies(account, region, type).size() >= (single ? 1u : 20u)) {
    return Error::limit("Resource limit exceeded.");
  }
  if (record.id == 0) record.id = static_cast<std::int64_t>(resources_.next_id());
  TRYV(resources_.put(key, encode_json(record)));
  forget();
  return record;
}

std::optional<AccountPolicyRecord> EventFilters::erase_account_policy(std::string_view account, std::string_view region, PolicyType type,
                                                                      std::string_view name) {
  const std::lock_guard one_at_a_time(changes_);
  const ResourceKey key = policy_key(account, region, type, name);
  const auto document = resources_.get(key);
  if (!document || !resources_.erase(key).ok()) return std::nullopt;
  forget();
  auto record = decode_json<AccountPolicyRecord>(*document);
  return record.ok() ? std::optional(std::move(record).value()) : std::optional(AccountPolicyRecord{});
}

std::vector<AccountPolicyRecord> EventFilters::account_policies(std::string_view account, std::string_view region, PolicyType type) const {
  std::vector<AccountPolicyRecord> policies;
  for (const Resource& resource : resources_.list({.kind = std::string(kAccountPolicyKind),
                                                   .account = std::string(account),
                                                   .region = std::string(region),
                                                   .name_prefix = fmt::format("{}/", to_string(type))})) {
    auto record = decode_json<AccountPolicyRecord>(resource.document);
    if (record.ok()) policies.push_back(std::move(record).value());
  }
  return policies;
}

std::vector<EventFilters::Subscription> EventFilters::subscriptions() const {
  std::vector<Subscription> found;
  resources_.for_each(kGroupPartKind, [&](const Resource& resource) {
    const std::size_t colon = resource.key.name.find(':');
    if (colon == std::string::npos || !std::string_view(resource.key.name).substr(colon + 1).starts_with(kSubscription)) return;
    const auto stored = decode_json<StoredSubscriptionFilter>(resource.document);
    if (!stored.ok()) return;
    found.push_back({static_cast<std::uint64_t>(stored->id), resource.key.account, resource.key.region,
                     std::strtoull(resource.key.name.c_str(), nullptr, 16), stored->filter.filter_name.value_or(""),
                     stored->filter.destination_arn.value_or("")});
  });
  resources_.for_each(kAccountPolicyKind, [&](const Resource& resource) {
    const auto record = decode_json<AccountPolicyRecord>(resource.document);
    if (!record.ok() || record->policy.policy_type != PolicyType::SUBSCRIPTION_FILTER_POLICY) return;
    const auto policy = read_subscription_policy(record->policy.policy_document.value_or(""));
    if (!policy.ok()) return;
    found.push_back({static_cast<std::uint64_t>(record->id), resource.key.account, resource.key.region, 0,
                     record->policy.policy_name.value_or(""), policy->destination_arn});
  });
  return found;
}

}  // namespace fog::logs
