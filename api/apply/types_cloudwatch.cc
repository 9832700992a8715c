// CloudWatch: alarms, mute rules, dashboards, detectors, insight rules, metric streams.
#include <fmt/format.h>

#include "api/apply/coerce.h"
#include "api/apply/put_type.h"
#include "api/apply/text.h"

namespace fog::apply {
namespace {

constexpr PutRow kAlarm{.type = "AWS::CloudWatch::Alarm",
                        .service = "cloudwatch",
                        .put = "PutMetricAlarm",
                        .name = "AlarmName",
                        .read = "DescribeAlarms",
                        .read_input = [](const Json& d) -> Json { return {{"AlarmNames", Json::array({d["AlarmName"]})}, {"AlarmTypes", Json::array({"MetricAlarm"})}}; },
                        .list = "MetricAlarms",
                        .item_name = "AlarmName",
                        .absent = "ResourceNotFound",
                        .remove = "DeleteAlarms",
                        .remove_input = [](const Json& d, const Json&) -> Json { return {{"AlarmNames", Json::array({d["AlarmName"]})}}; },
                        .arn = "AlarmArn",
                        .attributes = "Arn=AlarmArn",
                        .defaults = R"({"ActionsEnabled": true})",
                        .tagging = Tagging::kList};

constexpr PutRow kCompositeAlarm{.type = "AWS::CloudWatch::CompositeAlarm",
                                 .service = "cloudwatch",
                                 .put = "PutCompositeAlarm",
                                 .name = "AlarmName",
                                 .read = "DescribeAlarms",
                                 .read_input = [](const Json& d) -> Json { return {{"AlarmNames", Json::array({d["AlarmName"]})}, {"AlarmTypes", Json::array({"CompositeAlarm"})}}; },
                                 .list = "CompositeAlarms",
                                 .item_name = "AlarmName",
                                 .absent = "ResourceNotFound",
                                 .remove = "DeleteAlarms",
                                 .remove_input = [](const Json& d, const Json&) -> Json { return {{"AlarmNames", Json::array({d["AlarmName"]})}}; },
                                 .arn = "AlarmArn",
                                 .attributes = "Arn=AlarmArn",
                                 .defaults = R"({"ActionsEnabled": true})",
                                 .tagging = Tagging::kList};

constexpr PutRow kMuteRule{.type = "AWS::CloudWatch::AlarmMuteRule",
                           .service = "cloudwatch",
                           .put = "PutAlarmMuteRule",
                           .name = "Name",
                           .read = "GetAlarmMuteRule",
                           .read_input = [](const Json& d) -> Json { return {{"AlarmMuteRuleName", d["Name"]}}; },
                           .list = "",
                           .item_name = "",
                           .absent = "ResourceNotFoundException ResourceNotFound",
                           .remove = "DeleteAlarmMuteRule",
                           .remove_input = [](const Json& d, const Json&) -> Json { return {{"AlarmMuteRuleName", d["Name"]}}; },
                           .arn = "AlarmMuteRuleArn",
                           .attributes = "Arn=AlarmMuteRuleArn",
                           .tagging = Tagging::kList};

constexpr PutRow kDashboard{.type = "AWS::CloudWatch::Dashboard",
                            .service = "cloudwatch",
                            .put = "PutDashboard",
                            .name = "DashboardName",
                            .read = "GetDashboard",
                            .read_input = [](const Json& d) -> Json { return {{"DashboardName", d["DashboardName"]}}; },
                            .list = "",
                            .item_name = "",
                            .absent = "ResourceNotFound DashboardNotFoundError",
                            .remove = "DeleteDashboards",
                            .remove_input = [](const Json& d, const Json&) -> Json { return {{"DashboardNames", Json::array({d["DashboardName"]})}}; },
                            .is_ordered = true};

constexpr PutRow kInsightRule{.type = "AWS::CloudWatch::InsightRule",
                              .service = "cloudwatch",
                              .put = "PutInsightRule",
                              .name = "RuleName",
                              .read = "DescribeInsightRules",
                              .read_input = [](const Json&) -> Json { return Json::object(); },
                              .list = "InsightRules",
                              .item_name = "Name",
                              .absent = "",
                              .remove = "DeleteInsightRules",
                              .remove_input = [](const Json& d, const Json&) -> Json { return {{"RuleNames", Json::array({d["RuleName"]})}}; },
                              .attributes = "RuleName=Name",
                              .renames = "RuleBody=RuleDefinition Name=RuleName State=RuleState Definition=RuleDefinition",
                              .defaults = R"({"RuleState": "ENABLED", "ApplyOnTransformedLogs": false})",
                              .tagging = Tagging::kOnPut,
                              .is_ordered = true};

constexpr PutRow kMetricStream{.type = "AWS::CloudWatch::MetricStream",
                               .service = "cloudwatch",
                               .put = "PutMetricStream",
                               .name = "Name",
                               .read = "GetMetricStream",
                               .read_input = [](const Json& d) -> Json { return {{"Name", d["Name"]}}; },
                               .list = "",
                               .item_name = "",
                               .absent = "ResourceNotFoundException",
                               .remove = "DeleteMetricStream",
                               .remove_input = [](const Json& d, const Json&) -> Json { return {{"Name", d["Name"]}}; },
                               .arn = "Arn",
                               .attributes = "Arn=Arn State=State CreationDate=CreationDate LastUpdateDate=LastUpdateDate",
                               .defaults = R"({"IncludeLinkedAccountsMetrics": false})",
                               .tagging = Tagging::kList};

// One metric has one detector; it has no name.
class AnomalyDetectorType final : public ResourceType {
 public:
  std::string_view type() const override { return "AWS::CloudWatch::AnomalyDetector"; }

  Result<Json> want(const Context& context, Json properties) const override {
    const OperationInfo* put = context.client.describe("cloudwatch", "PutAnomalyDetector");
    TRY(Json desired, coerce(properties, *put->input, "", *context.ignored));
    if (desired.contains("MetricMathAnomalyDetector")) return desired;
    Json single = desired.value("SingleMetricAnomalyDetector", Json::object());
    for (const char* member : {"Namespace", "MetricName", "Dimensions", "Stat"}) {
      if (!desired.contains(member)) continue;
      single[member] = desired[member];
      desired.erase(member);
    }
    for (const char* member : {"Namespace", "MetricName", "Stat"}) {
      if (!single.contains(member)) return Error::invalid(fmt::format("the property {} is missing", member));
    }
    desired["SingleMetricAnomalyDetector"] = std::move(single);
    return desired;
  }

  Result<std::optional<Json>> read(const Context& context, const Json& desired) const override {
    Json input{{"AnomalyDetectorTypes", Json::array({"SINGLE_METRIC", "METRIC_MATH"})}};
    TRY(const Json list, call_all(context.client, "cloudwatch", "DescribeAnomalyDetectors", input, "AnomalyDetectors", "NextToken"));
    for (const Json& item : list) {
      for (const char* kind : {"SingleMetricAnomalyDetector", "MetricMathAnomalyDetector"}) {
        if (!desired.contains(kind) || !item.contains(kind)) continue;
        Json there = item[kind];
        if (!desired[kind].contains("AccountId")) there.erase("AccountId");
        if (same(desired[kind], there, false)) return std::optional<Json>(Json{{kind, there}, {"Configuration", item.value("Configuration", Json::object())},
                                                                               {"MetricCharacteristics", item.value("MetricCharacteristics", Json::object())}, {"@", item}});
      }
    }
    return std::optional<Json>();
  }

  bool is_same(const Json& desired, const Json& current) const override {
    Json other = current;
    other.erase("@");
    return same(desired, other, false);
  }
  Status write(const Context& context, const Json& desired, const Json*) const override {
    TRYV(call(context.client, "cloudwatch", "PutAnomalyDetector", desired));
    return Ok{};
  }
  Status remove(const Context& context, const Json& desired, const Json&) const override {
    Json input = Json::object();
    for (const char* kind : {"SingleMetricAnomalyDetector", "MetricMathAnomalyDetector"}) {
      if (desired.contains(kind)) input[kind] = desired[kind];
    }
    TRYV(call_unless(context.client, "cloudwatch", "DeleteAnomalyDetector", input, "ResourceNotFoundException"));
    return Ok{};
  }
  Identity identity(const Context& context, const Json&, const Json* current) const override {
    const Json id = current != nullptr && (*current)["@"].contains("AnomalyDetectorId") ? (*current)["@"]["AnomalyDetectorId"] : Json(context.default_name());
    return {.ref = id, .attributes = {{"Id", id}}};
  }
};

const PutType kAlarmType(kAlarm);
const PutType kCompositeAlarmType(kCompositeAlarm);
const PutType kMuteRuleType(kMuteRule);
const PutType kDashboardType(kDashboard);
const PutType kMetricStreamType(kMetricStream);
const AnomalyDetectorType kAnomalyDetectorType;

class InsightRuleType final : public PutType {
 public:
  constexpr InsightRuleType() : PutType(kInsightRule) {}
  Identity identity(const Context& context, const Json& desired, const Json*) const override {
    const std::string name = text_of(desired["RuleName"]);
    return {.ref = name, .attributes = {{"RuleName", name}, {"Arn", context.arn("cloudwatch", "insight-rule/" + name)}}};
  }
};
const InsightRuleType kInsightRuleType;

const ResourceType* const kTypes[] = {&kAlarmType, &kCompositeAlarmType, &kMuteRuleType, &kDashboardType, &kAnomalyDetectorType, &kInsightRuleType, &kMetricStreamType};

}  // namespace

std::span<const ResourceType* const> cloudwatch_types() { return kTypes; }

}  // namespace fog::apply
