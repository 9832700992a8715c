// Contributor Insights: rules, their reports over log events, managed rules.
//
// Documents: kind "cw-insight-rule": InsightRule as JSON, by rule name; kind "cw-managed-rule":
// ManagedRuleDescription as JSON, by resource ARN, NUL, template (inert: Fogwatch has no vended logs).
#include "api/cloudwatch/insight_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "api/cloudwatch/contribution.h"
#include "api/cloudwatch/model.h"
#include "api/cloudwatch/service.h"
#include "api/codec/json.h"
#include "api/common/log_reader.h"
#include "storage/base/hash.h"

namespace fog::cloudwatch {
namespace {

constexpr std::size_t kRulesMax = 100;
constexpr std::size_t kPage = 500;
constexpr Millis kReportMax = std::chrono::hours(24);
// Contributors kept apart while a report is made; the rest is counted, not listed.
constexpr std::size_t kContributorsMax = 100'000;
constexpr std::string_view kManagedKind = "cw-managed-rule";

ResourceKey key_of(const std::string& account, const std::string& region, std::string_view name) {
  return {std::string(kInsightRuleKind), account, region, std::string(name)};
}
ResourceKey key_of(const Call& call, std::string_view name) { return key_of(call.account, call.region, name); }

Error unknown(const std::string& name) {
  return not_found("InsightRule", name, "Insight rule " + name + " does not exist.");
}

Result<PutInsightRuleOutput> put_insight_rule(Call& call, const PutInsightRuleInput& in) {
  const std::string state = in.rule_state.value_or("ENABLED");
  if (state != "ENABLED" && state != "DISABLED")
    return invalid_value("The value " + state + " for parameter RuleState is invalid.");
  auto parsed = Contribution::parse(in.rule_definition);
  if (!parsed.ok()) return invalid_value(parsed.error().message());
  auto& store = call.service<ResourceStore>();
  const bool is_new = !store.get(key_of(call, in.rule_name));
  if (is_new) {
    ResourceStore::ListSpec spec;
    spec.kind = kInsightRuleKind;
    spec.account = call.account;
    spec.region = call.region;
    if (store.list(spec).size() >= kRulesMax) return limit_exceeded("The number of insight rules exceeds the limit of 100.");
    if (in.tags && in.tags->size() > kTagsMax)
      return invalid_value("The number of tags exceeds the limit of 50 tags per resource.");
  }
  InsightRule rule;
  rule.name = in.rule_name;
  rule.state = state;
  rule.schema = parsed->schema();
  rule.definition = in.rule_definition;
  rule.managed_rule = false;
  rule.apply_on_transformed_logs = in.apply_on_transformed_logs.value_or(false);
  TRYV(store.put(key_of(call, in.rule_name), encode_json(rule)));
  if (is_new) TRYV(add_tags(call, insight_rule_arn(call, in.rule_name), in.tags));
  return PutInsightRuleOutput{};
}

Result<DescribeInsightRulesOutput> describe_insight_rules(Call& call, const DescribeInsightRulesInput& in) {
  const std::size_t page = in.max_results ? static_cast<std::size_t>(*in.max_results) : kPage;
  ResourceStore::ListSpec spec;
  spec.kind = kInsightRuleKind;
  spec.account = call.account;
  spec.region = call.region;
  spec.limit = page + 1;
  if (in.next_token) {
    spec.after = page_key("DescribeInsightRules", page, *in.next_token);
    if (!spec.after) return fault(InvalidNextToken{.message = "The specified token is not valid."});
  }
  auto rows = call.service<ResourceStore>().list(spec);
  DescribeInsightRulesOutput out;
  auto& rules = out.insight_rules.emplace();
  if (rows.size() > page) {
    rows.pop_back();
    out.next_token = page_token("DescribeInsightRules", page, rows.back().key.name);
  }
  for (const Resource& row : rows) {
    TRY(auto rule, decode_json<InsightRule>(row.document));
    rules.push_back(std::move(rule));
  }
  return out;
}

PartialFailure failure(const std::string& name) {
  PartialFailure f;
  f.failure_resource = name;
  f.exception_type = "ResourceNotFoundException";
  f.failure_code = "404";
  f.failure_description = "Insight rule " + name + " does not exist.";
  return f;
}

// Changes each rule that exists; the others become failures.
template <typename Change>
Result<std::vector<PartialFailure>> for_each_rule(Call& call, const std::vector<std::string>& names, const Change& change) {
  if (names.empty()) return missing("The parameter RuleNames is required.");
  std::vector<PartialFailure> failures;
  for (const std::string& name : names) {
    const auto document = call.service<ResourceStore>().get(key_of(call, name));
    if (!document) {
      failures.push_back(failure(name));
      continue;
    }
    TRYV(change(name, *document));
  }
  return failures;
}

Result<std::vector<PartialFailure>> set_state(Call& call, const std::vector<std::string>& names, const char* state) {
  return for_each_rule(call, names, [&](const std::string& name, const std::string& document) -> Status {
    TRY(auto rule, decode_json<InsightRule>(document));
    rule.state = state;
    return call.service<ResourceStore>().put(key_of(call, name), encode_json(rule));
  });
}

Result<EnableInsightRulesOutput> enable_insight_rules(Call& call, const EnableInsightRulesInput& in) {
  EnableInsightRulesOutput out;
  TRY(out.failures, set_state(call, in.rule_names, "ENABLED"));
  return out;
}

Result<DisableInsightRulesOutput> disable_insight_rules(Call& call, const DisableInsightRulesInput& in) {
  DisableInsightRulesOutput out;
  TRY(out.failures, set_state(call, in.rule_names, "DISABLED"));
  return out;
}

Result<DeleteInsightRulesOutput> delete_insight_rules(Call& call, const DeleteInsightRulesInput& in) {
  DeleteInsightRulesOutput out;
  TRY(out.failures, for_each_rule(call, in.rule_names, [&](const std::string& name, const std::string&) -> Status {
        TRYV(call.service<ResourceStore>().erase(key_of(call, name)));
        return erase_tags(call, insight_rule_arn(call, name));
      }));
  return out;
}

// --- reports -----------------------------------------------------------------------------------------

struct Slot {
  double count = 0;
  double sum = 0;
  double min = 0;
  double max = 0;
  std::map<std::size_t, double> contributors;  // number of the contributor to its value here
};

struct Report {
  std::vector<std::vector<std::string>> keys;  // of each contributor
  std::map<std::int64_t, Slot> slots;          // by start in ms; only those with events
  double count = 0;
  double sum = 0;
};

Result<Report> make_report(const Services& services, const std::string& account, const std::string& region,
                           const Contribution& rule, Timestamp start, Timestamp end, std::int64_t period_ms) {
  Report report;
  auto* reader = services.find<LogReader>();
  if (reader == nullptr) return report;
  std::map<std::vector<std::string>, std::size_t> numbers;
  LogReader::Spec spec{account, region, rule.groups(), start, end};
  TRYV(reader->read_logs(spec, [&](Timestamp time, std::string_view message) {
    auto event = rule.match(message);
    if (!event) return true;
    const std::int64_t ms = to_ms(time);
    Slot& slot = report.slots[ms - ((ms % period_ms) + period_ms) % period_ms];
    slot.min = slot.count > 0 ? std::min(slot.min, event->value) : event->value;
    slot.max = slot.count > 0 ? std::max(slot.max, event->value) : event->value;
    slot.count += 1;
    slot.sum += event->value;
    report.count += 1;
    report.sum += event->value;
    auto known = numbers.find(event->keys);
    if (known == numbers.end()) {
      if (numbers.size() == kContributorsMax) return true;
      known = numbers.emplace(event->keys, report.keys.size()).first;
      report.keys.push_back(std::move(event->keys));
    }
    slot.contributors[known->second] += event->value;
    return true;
  }));
  return report;
}

constexpr std::string_view kMetricNames[] = {"UniqueContributors", "MaxContributorValue", "SampleCount", "Sum",
                                             "Minimum",            "Maximum",             "Average"};

double metric_of(const Slot& slot, std::string_view metric) {
  if (metric == "UniqueContributors") return static_cast<double>(slot.contributors.size());
  if (metric == "MaxContributorValue") {
    double most = 0;
    for (const auto& [number, value] : slot.contributors) most = std::max(most, value);
    return most;
  }
  if (metric == "SampleCount") return slot.count;
  if (metric == "Sum") return slot.sum;
  if (metric == "Minimum") return slot.min;
  if (metric == "Maximum") return slot.max;
  return slot.count > 0 ? slot.sum / slot.count : 0;
}

Result<GetInsightRuleReportOutput> get_insight_rule_report(Call& call, const GetInsightRuleReportInput& in) {
  const auto document = call.service<ResourceStore>().get(key_of(call, in.rule_name));
  if (!document) return unknown(in.rule_name);
  if (in.start_time >= in.end_time)
    return invalid_value("The parameter StartTime must be less than the parameter EndTime.");
  if (in.end_time - in.start_time > kReportMax)
    return invalid_value("The time range of a report must not be longer than 24 hours.");
  if (in.period % 60 != 0) return invalid_value("The parameter Period must be a multiple of 60.");
  const std::int32_t most = in.max_contributor_count.value_or(10);
  if (most < 1 || most > 100)
    return invalid_value(fmt::format("The value {} for parameter MaxContributorCount is invalid.", most));
  const std::string order = in.order_by.value_or("Sum");
  if (order != "Sum" && order != "Maximum") return invalid_value("The value " + order + " for parameter OrderBy is invalid.");
  const std::vector<std::string> metrics = in.metrics.value_or(std::vector<std::string>{});
  for (const std::string& metric : metrics)
    if (std::find(std::begin(kMetricNames), std::end(kMetricNames), metric) == std::end(kMetricNames))
      return invalid_value("The value " + metric + " for parameter Metrics is invalid.");
  TRY(const auto stored, decode_json<InsightRule>(*document));
  GetInsightRuleReportOutput out;
  auto parsed = Contribution::parse(stored.definition);
  if (!parsed.ok()) return out;  // a managed rule: nothing contributes
  const Contribution& rule = *parsed;
  const std::int64_t period_ms = std::int64_t{in.period} * 1000;
  TRY(const Report report,
      make_report(*call.services, call.account, call.region, rule, in.start_time, in.end_time, period_ms));

  out.key_labels = rule.keys();
  out.aggregation_statistic = rule.is_sum() ? "Sum" : "SampleCount";
  out.aggregate_value = rule.is_sum() ? report.sum : report.count;
  out.approximate_unique_count = static_cast<std::int64_t>(report.keys.size());

  struct Total {
    double sum = 0;
    double max = 0;
    std::size_t number = 0;
  };
  std::vector<Total> totals(report.keys.size());
  for (std::size_t i = 0; i < totals.size(); ++i) totals[i].number = i;
  for (const auto& [start, slot] : report.slots)
    for (const auto& [number, value] : slot.contributors) {
      totals[number].sum += value;
      totals[number].max = std::max(totals[number].max, value);
    }
  std::stable_sort(totals.begin(), totals.end(), [&](const Total& a, const Total& b) {
    return order == "Sum" ? a.sum > b.sum : a.max > b.max;
  });
  if (totals.size() > static_cast<std::size_t>(most)) totals.resize(static_cast<std::size_t>(most));
  auto& contributors = out.contributors.emplace();
  for (const Total& total : totals) {
    InsightRuleContributor& c = contributors.emplace_back();
    c.keys = report.keys[total.number];
    c.approximate_aggregate_value = order == "Sum" ? total.sum : total.max;
    for (const auto& [start, slot] : report.slots) {
      const auto found = slot.contributors.find(total.number);
      if (found != slot.contributors.end())
        c.datapoints.push_back({.timestamp = from_ms(start), .approximate_value = found->second});
    }
  }
  auto& points = out.metric_datapoints.emplace();
  if (metrics.empty()) return out;
  const std::int64_t start_ms = to_ms(in.start_time);
  for (std::int64_t t = start_ms - start_ms % period_ms; t < to_ms(in.end_time); t += period_ms) {
    const auto found = report.slots.find(t);
    const Slot none;
    const Slot& slot = found == report.slots.end() ? none : found->second;
    InsightRuleMetricDatapoint& p = points.emplace_back();
    p.timestamp = from_ms(t);
    for (const std::string& metric : metrics) {
      const double v = metric_of(slot, metric);
      if (metric == "UniqueContributors") p.unique_contributors = v;
      if (metric == "MaxContributorValue") p.max_contributor_value = v;
      if (metric == "SampleCount") p.sample_count = v;
      if (metric == "Sum") p.sum = v;
      if (metric == "Minimum") p.minimum = v;
      if (metric == "Maximum") p.maximum = v;
      if (metric == "Average") p.average = v;
    }
  }
  return out;
}

// --- managed rules -------------------------------------------------------------------------------------

std::string managed_rule_name(const ManagedRule& rule) {
  return fmt::format("{}-{:016x}", rule.template_name.substr(0, 100), hash64(rule.resource_arn));
}

Result<PutManagedInsightRulesOutput> put_managed_insight_rules(Call& call, const PutManagedInsightRulesInput& in) {
  if (in.managed_rules.empty()) return missing("The parameter ManagedRules is required.");
  PutManagedInsightRulesOutput out;
  out.failures.emplace();
  for (const ManagedRule& rule : in.managed_rules) {
    InsightRule stored;
    stored.name = managed_rule_name(rule);
    stored.state = "ENABLED";
    stored.schema = "ServiceLogRule/1";
    stored.definition = "{\"TemplateName\":\"" + rule.template_name + "\"}";
    stored.managed_rule = true;
    stored.apply_on_transformed_logs = false;
    ManagedRuleDescription description;
    description.template_name = rule.template_name;
    description.resource_arn = rule.resource_arn;
    description.rule_state = ManagedRuleState{.rule_name = stored.name, .state = stored.state};
    std::vector<ResourceStore::Change> changes;
    changes.push_back({key_of(call, stored.name), encode_json(stored)});
    changes.push_back({{std::string(kManagedKind), call.account, call.region,
                        rule.resource_arn + std::string(1, '\0') + rule.template_name},
                       encode_json(description)});
    TRYV(call.service<ResourceStore>().apply(std::move(changes)));
    TRYV(add_tags(call, insight_rule_arn(call, stored.name), rule.tags));
  }
  return out;
}

Result<ListManagedInsightRulesOutput> list_managed_insight_rules(Call& call, const ListManagedInsightRulesInput& in) {
  const std::size_t page = in.max_results ? static_cast<std::size_t>(*in.max_results) : kPage;
  const std::uint64_t hash = hash64(in.resource_arn, page);
  ResourceStore::ListSpec spec;
  spec.kind = kManagedKind;
  spec.account = call.account;
  spec.region = call.region;
  spec.name_prefix = in.resource_arn + std::string(1, '\0');
  spec.limit = page + 1;
  if (in.next_token) {
    spec.after = page_key("ListManagedInsightRules", hash, *in.next_token);
    if (!spec.after) return fault(InvalidNextToken{.message = "The specified token is not valid."});
  }
  auto rows = call.service<ResourceStore>().list(spec);
  ListManagedInsightRulesOutput out;
  auto& rules = out.managed_rules.emplace();
  if (rows.size() > page) {
    rows.pop_back();
    out.next_token = page_token("ListManagedInsightRules", hash, rows.back().key.name);
  }
  for (const Resource& row : rows) {
    TRY(auto description, decode_json<ManagedRuleDescription>(row.document));
    // A rule deleted meanwhile leaves its template available, without a state.
    if (description.rule_state && !call.service<ResourceStore>().get(key_of(call, description.rule_state->rule_name)))
      description.rule_state.reset();
    rules.push_back(std::move(description));
  }
  return out;
}

constexpr Operation kOperations[] = {
    bind<delete_insight_rules>(),     bind<describe_insight_rules>(),      bind<disable_insight_rules>(),
    bind<enable_insight_rules>(),     bind<get_insight_rule_report>(),     bind<list_managed_insight_rules>(),
    bind<put_insight_rule>(),         bind<put_managed_insight_rules>(),
};

}  // namespace

std::span<const Operation> insight_rule_operations() { return kOperations; }

Result<metric_math::Series> insight_rule_series(const MetricQueryContext& context, const std::string& rule,
                                                const std::string& metric, std::int64_t period_ms) {
  if (std::find(std::begin(kMetricNames), std::end(kMetricNames), metric) == std::end(kMetricNames))
    return Error::invalid("Unknown insight rule metric '" + metric + "'");
  const auto document = context.services->get<ResourceStore>().get(key_of(context.account, context.region, rule));
  if (!document) return Error::invalid("Insight rule '" + rule + "' not found");
  TRY(const auto stored, decode_json<InsightRule>(*document));
  metric_math::Series series;
  series.period_ms = period_ms;
  const auto parsed = Contribution::parse(stored.definition);
  if (!parsed.ok() || stored.state != "ENABLED") return series;
  TRY(const Report report, make_report(*context.services, context.account, context.region, *parsed, context.start,
                                       context.end, period_ms));
  for (const auto& [start, slot] : report.slots) series.push(start, metric_of(slot, metric));
  return series;
}

}  // namespace fog::cloudwatch
