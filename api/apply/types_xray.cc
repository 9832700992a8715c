// X-Ray: groups, sampling rules, resource policies, transaction search.
#include "api/apply/coerce.h"
#include "api/apply/put_type.h"
#include "api/apply/text.h"

namespace fog::apply {
namespace {

// Group names have at most 32 characters.
std::string short_name(const Context& context) {
  const std::string name = context.default_name();
  return name.size() <= 32 ? name : name.substr(0, 16) + name.substr(name.size() - 16);
}

class GroupType final : public ResourceType {
 public:
  std::string_view type() const override { return "AWS::XRay::Group"; }
  Result<Json> want(const Context& context, Json properties) const override {
    TRY(Json tags, tags_of(properties.value("Tags", Json(nullptr))));
    properties.erase("Tags");
    TRY(Json desired, coerce(properties, *context.client.describe("xray", "CreateGroup")->input, "", *context.ignored));
    if (!desired.contains("GroupName")) desired["GroupName"] = short_name(context);
    Json insights = desired.value("InsightsConfiguration", Json::object());
    for (const char* member : {"InsightsEnabled", "NotificationsEnabled"}) {
      if (!insights.contains(member)) insights[member] = false;
    }
    desired["InsightsConfiguration"] = std::move(insights);
    desired["#tags"] = std::move(tags);
    return desired;
  }
  Result<std::optional<Json>> read(const Context& context, const Json& desired) const override {
    TRY(const Json list, call_all(context.client, "xray", "GetGroups", Json::object(), "Groups", "NextToken"));
    for (const Json& item : list) {
      if (item.value("GroupName", "") != text_of(desired["GroupName"])) continue;
      Json current = item;
      TRY(current["#tags"], read_tags(context, "xray", Tagging::kList, text_of(item["GroupARN"])));
      return std::optional<Json>(std::move(current));
    }
    return std::optional<Json>();
  }
  bool is_same(const Json& desired, const Json& current) const override {
    return same(desired.value("FilterExpression", ""), current.value("FilterExpression", ""), true) &&
           same(desired["InsightsConfiguration"], current.value("InsightsConfiguration", Json::object()), true) && has_tags(desired["#tags"], current["#tags"]);
  }
  Status write(const Context& context, const Json& desired, const Json* current) const override {
    Json input = desired;
    const Json tags = input["#tags"];
    input.erase("#tags");
    if (current != nullptr) {
      if (!input.contains("FilterExpression")) input["FilterExpression"] = "";
      TRYV(call(context.client, "xray", "UpdateGroup", input));
      return write_tags(context, "xray", Tagging::kList, text_of((*current)["GroupARN"]), tags);
    }
    TRY(const Json made, call(context.client, "xray", "CreateGroup", input));
    return write_tags(context, "xray", Tagging::kList, text_of(made["Group"]["GroupARN"]), tags);
  }
  Status remove(const Context& context, const Json& desired, const Json&) const override {
    TRYV(call(context.client, "xray", "DeleteGroup", Json{{"GroupName", desired["GroupName"]}}));
    return Ok{};
  }
  Identity identity(const Context& context, const Json& desired, const Json* current) const override {
    const Json arn = current != nullptr ? (*current)["GroupARN"] : Json(context.arn("xray", "group/" + text_of(desired["GroupName"])));
    return {.ref = arn, .attributes = {{"GroupARN", arn}}};
  }
};

class SamplingRuleType final : public ResourceType {
 public:
  std::string_view type() const override { return "AWS::XRay::SamplingRule"; }
  Result<Json> want(const Context& context, Json properties) const override {
    TRY(Json tags, tags_of(properties.value("Tags", Json(nullptr))));
    Json rule = properties.value("SamplingRule", Json::object());
    if (properties.contains("SamplingRuleUpdate") || properties.contains("SamplingRuleRecord")) return Error::invalid("SamplingRuleUpdate and SamplingRuleRecord are no longer taken: use SamplingRule");
    if (!rule.contains("RuleName") && properties.contains("RuleName")) rule["RuleName"] = properties["RuleName"];
    if (!rule.contains("RuleName")) rule["RuleName"] = short_name(context);
    if (!rule.contains("Version")) rule["Version"] = 1;
    rule.erase("RuleARN");
    TRY(Json desired, coerce(Json{{"SamplingRule", rule}}, *context.client.describe("xray", "CreateSamplingRule")->input, "", *context.ignored));
    desired["#tags"] = std::move(tags);
    return desired;
  }
  Result<std::optional<Json>> read(const Context& context, const Json& desired) const override {
    TRY(const Json list, call_all(context.client, "xray", "GetSamplingRules", Json::object(), "SamplingRuleRecords", "NextToken"));
    for (const Json& record : list) {
      if (record["SamplingRule"].value("RuleName", "") != text_of(desired["SamplingRule"]["RuleName"])) continue;
      Json current{{"SamplingRule", record["SamplingRule"]}};
      TRY(current["#tags"], read_tags(context, "xray", Tagging::kList, text_of(record["SamplingRule"]["RuleARN"])));
      return std::optional<Json>(std::move(current));
    }
    return std::optional<Json>();
  }
  bool is_same(const Json& desired, const Json& current) const override {
    Json there = current["SamplingRule"];
    there.erase("RuleARN");
    return same(desired["SamplingRule"], there, true) && has_tags(desired["#tags"], current["#tags"]);
  }
  Status write(const Context& context, const Json& desired, const Json* current) const override {
    Json arn;
    if (current == nullptr) {
      TRY(const Json made, call(context.client, "xray", "CreateSamplingRule", Json{{"SamplingRule", desired["SamplingRule"]}}));
      arn = made["SamplingRuleRecord"]["SamplingRule"]["RuleARN"];
    } else {
      Json update = desired["SamplingRule"];
      update.erase("Version");
      TRYV(call(context.client, "xray", "UpdateSamplingRule", Json{{"SamplingRuleUpdate", update}}));
      arn = (*current)["SamplingRule"]["RuleARN"];
    }
    return write_tags(context, "xray", Tagging::kList, text_of(arn), desired["#tags"]);
  }
  Status remove(const Context& context, const Json& desired, const Json&) const override {
    TRYV(call(context.client, "xray", "DeleteSamplingRule", Json{{"RuleName", desired["SamplingRule"]["RuleName"]}}));
    return Ok{};
  }
  Identity identity(const Context& context, const Json& desired, const Json* current) const override {
    const Json arn = current != nullptr ? (*current)["SamplingRule"]["RuleARN"] : Json(context.arn("xray", "sampling-rule/" + text_of(desired["SamplingRule"]["RuleName"])));
    return {.ref = arn, .attributes = {{"RuleARN", arn}}};
  }
};

constexpr PutRow kResourcePolicy{.type = "AWS::XRay::ResourcePolicy",
                                 .service = "xray",
                                 .put = "PutResourcePolicy",
                                 .name = "PolicyName",
                                 .read = "ListResourcePolicies",
                                 .read_input = [](const Json&) -> Json { return Json::object(); },
                                 .list = "ResourcePolicies",
                                 .item_name = "PolicyName",
                                 .absent = "",
                                 .remove = "DeleteResourcePolicy",
                                 .remove_input = [](const Json& d, const Json&) -> Json { return {{"PolicyName", d["PolicyName"]}}; }};

class ResourcePolicyType final : public PutType {
 public:
  ResourcePolicyType() : PutType(kResourcePolicy) {}
  bool is_same(const Json& desired, const Json& current) const override {
    return same(desired.value("PolicyDocument", ""), current.value("PolicyDocument", ""), true);
  }
};

// One switch of an account and region; it cannot be absent.
class TransactionSearchType final : public ResourceType {
 public:
  std::string_view type() const override { return "AWS::XRay::TransactionSearchConfig"; }
  Result<Json> want(const Context&, Json properties) const override {
    const Json percentage = properties.value("IndexingPercentage", Json(1));
    Json desired = Json::object();
    desired["IndexingPercentage"] = percentage.is_string() ? Json::parse(percentage.get<std::string>(), nullptr, false) : percentage;
    if (!desired["IndexingPercentage"].is_number()) return Error::invalid("IndexingPercentage is not a number");
    return desired;
  }
  Result<std::optional<Json>> read(const Context& context, const Json&) const override {
    TRY(const Json destination, call(context.client, "xray", "GetTraceSegmentDestination", Json::object()));
    if (destination.value("Destination", "") != "CloudWatchLogs") return std::optional<Json>();
    TRY(const Json rules, call_all(context.client, "xray", "GetIndexingRules", Json::object(), "IndexingRules", "NextToken"));
    Json current = Json::object();
    for (const Json& item : rules) {
      if (item.value("Name", "") == "Default" && item.contains("Rule") && item["Rule"].contains("Probabilistic"))
        current["IndexingPercentage"] = item["Rule"]["Probabilistic"]["DesiredSamplingPercentage"];
    }
    return std::optional<Json>(std::move(current));
  }
  bool is_same(const Json& desired, const Json& current) const override { return same(desired, current, true); }
  Status write(const Context& context, const Json& desired, const Json* current) const override {
    if (current == nullptr) TRYV(call(context.client, "xray", "UpdateTraceSegmentDestination", Json{{"Destination", "CloudWatchLogs"}}));
    const Json rule{{"Name", "Default"}, {"Rule", {{"Probabilistic", {{"DesiredSamplingPercentage", desired["IndexingPercentage"]}}}}}};
    TRYV(call(context.client, "xray", "UpdateIndexingRule", rule));
    return Ok{};
  }
  Status remove(const Context& context, const Json&, const Json&) const override {
    TRYV(call(context.client, "xray", "UpdateTraceSegmentDestination", Json{{"Destination", "XRay"}}));
    return Ok{};
  }
  Identity identity(const Context& context, const Json&, const Json*) const override {
    return {.ref = context.account, .attributes = {{"AccountId", context.account}}};
  }
};

const GroupType kGroupType;
const SamplingRuleType kSamplingRuleType;
const ResourcePolicyType kResourcePolicyType;
const TransactionSearchType kTransactionSearchType;
const ResourceType* const kTypes[] = {&kGroupType, &kSamplingRuleType, &kResourcePolicyType, &kTransactionSearchType};

}  // namespace

std::span<const ResourceType* const> xray_types() { return kTypes; }

}  // namespace fog::apply
