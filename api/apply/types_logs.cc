// CloudWatch Logs: what one Put makes. Groups, streams, destinations and detectors are in types_log_groups.cc.
#include "api/apply/put_type.h"
#include "api/apply/types_logs.h"

namespace fog::apply {
namespace {

constexpr PutRow kMetricFilter{.type = "AWS::Logs::MetricFilter",
                               .service = "logs",
                               .put = "PutMetricFilter",
                               .name = "filterName",
                               .read = "DescribeMetricFilters",
                               .read_input = [](const Json& d) -> Json { return {{"logGroupName", d.value("logGroupName", "")}, {"filterNamePrefix", d["filterName"]}}; },
                               .list = "metricFilters",
                               .item_name = "filterName",
                               .absent = "ResourceNotFoundException",
                               .remove = "DeleteMetricFilter",
                               .remove_input = [](const Json& d, const Json&) -> Json { return {{"logGroupName", d["logGroupName"]}, {"filterName", d["filterName"]}}; },
                               .defaults = R"({"applyOnTransformedLogs": false})"};

constexpr PutRow kSubscriptionFilter{.type = "AWS::Logs::SubscriptionFilter",
                                     .service = "logs",
                                     .put = "PutSubscriptionFilter",
                                     .name = "filterName",
                                     .read = "DescribeSubscriptionFilters",
                                     .read_input = [](const Json& d) -> Json { return {{"logGroupName", d.value("logGroupName", "")}, {"filterNamePrefix", d["filterName"]}}; },
                                     .list = "subscriptionFilters",
                                     .item_name = "filterName",
                                     .absent = "ResourceNotFoundException",
                                     .remove = "DeleteSubscriptionFilter",
                                     .remove_input = [](const Json& d, const Json&) -> Json { return {{"logGroupName", d["logGroupName"]}, {"filterName", d["filterName"]}}; },
                                     .defaults = R"({"applyOnTransformedLogs": false, "distribution": "ByLogStream"})"};

constexpr PutRow kQueryDefinition{.type = "AWS::Logs::QueryDefinition",
                                  .service = "logs",
                                  .put = "PutQueryDefinition",
                                  .name = "name",
                                  .read = "DescribeQueryDefinitions",
                                  .read_input = [](const Json& d) -> Json { return {{"queryDefinitionNamePrefix", d["name"]}}; },
                                  .list = "queryDefinitions",
                                  .item_name = "name",
                                  .absent = "ResourceNotFoundException",
                                  .remove = "DeleteQueryDefinition",
                                  .remove_input = [](const Json&, const Json& c) -> Json { return {{"queryDefinitionId", c["@"]["queryDefinitionId"]}}; },
                                  .ref = "queryDefinitionId",
                                  .attributes = "QueryDefinitionId=queryDefinitionId",
                                  .defaults = R"({"queryLanguage": "CWLI"})",
                                  .is_update_separate = true};

constexpr PutRow kResourcePolicy{.type = "AWS::Logs::ResourcePolicy",
                                 .service = "logs",
                                 .put = "PutResourcePolicy",
                                 .name = "policyName",
                                 .read = "DescribeResourcePolicies",
                                 .read_input = [](const Json&) -> Json { return Json::object(); },
                                 .list = "resourcePolicies",
                                 .item_name = "policyName",
                                 .absent = "ResourceNotFoundException",
                                 .remove = "DeleteResourcePolicy",
                                 .remove_input = [](const Json& d, const Json&) -> Json { return {{"policyName", d["policyName"]}}; }};

constexpr PutRow kAccountPolicy{.type = "AWS::Logs::AccountPolicy",
                                .service = "logs",
                                .put = "PutAccountPolicy",
                                .name = "policyName",
                                .read = "DescribeAccountPolicies",
                                .read_input = [](const Json& d) -> Json { return {{"policyType", d.value("policyType", "")}, {"policyName", d["policyName"]}}; },
                                .list = "accountPolicies",
                                .item_name = "policyName",
                                .absent = "ResourceNotFoundException",
                                .remove = "DeleteAccountPolicy",
                                .remove_input = [](const Json& d, const Json&) -> Json { return {{"policyName", d["policyName"]}, {"policyType", d["policyType"]}}; },
                                .attributes = "AccountId=accountId",
                                .defaults = R"({"scope": "ALL"})",
                                .is_ordered = true};

constexpr PutRow kTransformer{.type = "AWS::Logs::Transformer",
                              .service = "logs",
                              .put = "PutTransformer",
                              .name = "logGroupIdentifier",
                              .read = "GetTransformer",
                              .read_input = [](const Json& d) -> Json { return {{"logGroupIdentifier", d["logGroupIdentifier"]}}; },
                              .list = "",
                              .item_name = "",
                              .absent = "ResourceNotFoundException",
                              .remove = "DeleteTransformer",
                              .remove_input = [](const Json& d, const Json&) -> Json { return {{"logGroupIdentifier", d["logGroupIdentifier"]}}; },
                              .is_ordered = true,
                              .takes_name_from_id = false};

constexpr PutRow kDeliverySource{.type = "AWS::Logs::DeliverySource",
                                 .service = "logs",
                                 .put = "PutDeliverySource",
                                 .name = "name",
                                 .read = "DescribeDeliverySources",
                                 .read_input = [](const Json&) -> Json { return Json::object(); },
                                 .list = "deliverySources",
                                 .item_name = "name",
                                 .absent = "ResourceNotFoundException",
                                 .remove = "DeleteDeliverySource",
                                 .remove_input = [](const Json& d, const Json&) -> Json { return {{"name", d["name"]}}; },
                                 .arn = "arn",
                                 .attributes = "Arn=arn Service=service ResourceArns=resourceArns",
                                 .tagging = Tagging::kMap};

// The item lists ARNs where the Put takes one.
class DeliverySourceType final : public PutType {
 public:
  DeliverySourceType() : PutType(kDeliverySource) {}
  Result<std::optional<Json>> read(const Context& context, const Json& desired) const override {
    TRY(std::optional<Json> current, PutType::read(context, desired));
    if (current && (*current)["@"].contains("resourceArns") && !(*current)["@"]["resourceArns"].empty()) (*current)["resourceArn"] = (*current)["@"]["resourceArns"][0];
    return current;
  }
};

const PutType kMetricFilterType(kMetricFilter);
const PutType kSubscriptionFilterType(kSubscriptionFilter);
const PutType kQueryDefinitionType(kQueryDefinition);
const PutType kResourcePolicyType(kResourcePolicy);
const PutType kAccountPolicyType(kAccountPolicy);
const DeliverySourceType kDeliverySourceType;

// A group without a transformer answers with an empty one.
class TransformerType final : public PutType {
 public:
  TransformerType() : PutType(kTransformer) {}
  Result<std::optional<Json>> read(const Context& context, const Json& desired) const override {
    TRY(std::optional<Json> current, PutType::read(context, desired));
    if (!current || !(*current)["@"].contains("transformerConfig") || (*current)["@"]["transformerConfig"].empty()) return std::optional<Json>();
    (*current)["logGroupIdentifier"] = desired["logGroupIdentifier"];  // by name or by ARN: the same group
    return current;
  }
};
const TransformerType kTransformerType;

}  // namespace

std::span<const ResourceType* const> logs_types() {
  static const std::vector<const ResourceType*> all = [] {
    std::vector<const ResourceType*> types{&kMetricFilterType, &kSubscriptionFilterType, &kQueryDefinitionType, &kResourcePolicyType,
                                           &kAccountPolicyType, &kTransformerType,        &kDeliverySourceType};
    for (const ResourceType* type : log_group_types()) types.push_back(type);
    return types;
  }();
  return all;
}

}  // namespace fog::apply
