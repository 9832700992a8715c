// EventFilters: the metric filters and subscription filters of groups, and the account policies that
// act like them; stored, and compiled into one plan a group.
//
// A plan is immutable and shared; writing requests take it, the work behind them uses it later. A
// change of filters makes new plans for what comes in afterwards.
// Threads: any.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/logs/filters.h"  // generated
#include "api/logs/logs.h"
#include "api/logs/shapes.h"
#include "query/filter_pattern/filter_pattern.h"
#include "storage/base/guarded.h"
#include "storage/resource_store.h"

namespace fog::logs {

constexpr std::size_t kMetricFiltersMax = 100;
constexpr std::size_t kSubscriptionFiltersMax = 2;
constexpr std::size_t kRegexFiltersMax = 5;  // filters of a group with a regular expression
constexpr std::size_t kTransformationDimensionsMax = 3;

// A pattern with what decides quickly that a message does not match.
struct CompiledPattern {
  std::shared_ptr<const filter_pattern::Pattern> pattern;
  // Unless empty, a matching message holds one of these texts as they are, or an escape (\u).
  std::vector<std::string> literals;
  bool escapes_matter = false;  // JSON: a literal may also be written with escapes
  bool matches(std::string_view message) const { return pattern->matches_all() || pattern->matches(message); }
};
Result<CompiledPattern> compile_pattern(std::string_view text);

struct MetricRule {
  std::string filter_name;
  CompiledPattern pattern;
  bool on_transformed = false;
  std::int64_t created_ms = 0;
  std::string metric_namespace;
  std::string metric_name;
  std::uint8_t unit = 0;
  std::optional<double> constant;  // else by selector
  std::string selector;
  std::optional<double> default_value;
  std::vector<std::pair<std::string, std::string>> dimensions;         // name, selector
  std::vector<std::pair<std::string, std::string>> system_dimensions;  // name, value
};

struct SubscriptionRule {
  std::uint64_t id = 0;  // of the outlet that delivers
  std::string filter_name;
  CompiledPattern pattern;
  bool on_transformed = false;
  bool of_account = false;
  bool random = false;  // distribution
  std::int64_t created_ms = 0;
  std::string destination_arn;
  std::vector<std::pair<std::string, std::string>> system_fields;  // name, value: added to each event
};

struct GroupPlan {
  std::vector<MetricRule> metrics;
  std::vector<SubscriptionRule> subscriptions;
  bool extracts_metrics = true;  // embedded metric format
  std::string lambda_function;   // of /aws/lambda/NAME; empty: another group
  bool is_standard = true;       // class STANDARD
  bool is_empty() const { return metrics.empty() && subscriptions.empty() && lambda_function.empty(); }
};
using GroupPlanPtr = std::shared_ptr<const GroupPlan>;

class EventFilters {
 public:
  EventFilters(ResourceStore& resources, bool lambda_metrics) : resources_(resources), lambda_metrics_(lambda_metrics) {}

  GroupPlanPtr plan(const Group& group) const;
  void forget() { ++revision_; }  // after resources were erased behind its back

  // Metric filters, by name. Errors: limit.
  Status put_metric_filter(const Group& group, const MetricFilter& filter);
  bool erase_metric_filter(const Group& group, std::string_view name);
  std::vector<MetricFilter> metric_filters(const Group& group) const;

  // Subscription filters, by name. The filter's id stays through changes of the same name.
  Result<StoredSubscriptionFilter> put_subscription_filter(const Group& group, const SubscriptionFilter& filter);
  std::optional<StoredSubscriptionFilter> erase_subscription_filter(const Group& group, std::string_view name);
  std::vector<StoredSubscriptionFilter> subscription_filters(const Group& group) const;

  // Account policies of all types. Error: limit.
  Result<AccountPolicyRecord> put_account_policy(std::string_view account, std::string_view region, const AccountPolicy& policy);
  std::optional<AccountPolicyRecord> erase_account_policy(std::string_view account, std::string_view region, PolicyType type,
                                                          std::string_view name);
  std::vector<AccountPolicyRecord> account_policies(std::string_view account, std::string_view region, PolicyType type) const;

  // All subscriptions there are, of groups and of accounts. 
  struct Subscription {
    std::uint64_t id = 0;
    std::string account, region;
    LogGroupId group = 0;  // 0: of an account policy
    std::string filter_name;
    std::string destination_arn;
  };
  std::vector<Subscription> subscriptions() const;

 private:
  struct Cached {
    std::uint64_t revision = 0;
    GroupPlanPtr plan;
  };
  GroupPlanPtr build(const Group& group) const;
  std::size_t regex_filters(const Group& group, std::string_view except_kind, std::string_view except_name) const;

  ResourceStore& resources_;
  bool lambda_metrics_;
  std::mutex changes_;
  std::atomic<std::uint64_t> revision_{1};
  mutable Guarded<std::unordered_map<LogGroupId, Cached>> plans_;
};

// Which fields fieldSelectionCriteria may name, and whether an event of the group passes.
Result<bool> passes_selection(const std::optional<std::string>& criteria, std::string_view account, std::string_view region);
// Whether SUBSCRIPTION_FILTER_POLICY and METRIC_EXTRACTION_POLICY criteria (LogGroupName ...) take a group.
Result<bool> takes_group(const std::optional<std::string>& criteria, std::string_view group_name);

// {"DestinationArn", "RoleArn"?, "FilterPattern", "Distribution"?}. Error: invalid.
struct SubscriptionPolicy {
  std::string destination_arn;
  std::string role_arn;
  std::string filter_pattern;
  bool random = false;
};
Result<SubscriptionPolicy> read_subscription_policy(std::string_view document);

}  // namespace fog::logs
