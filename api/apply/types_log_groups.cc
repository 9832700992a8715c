#include "api/apply/coerce.h"
#include "api/apply/put_type.h"
#include "api/apply/text.h"
#include "api/apply/types_logs.h"

namespace fog::apply {
namespace {

constexpr std::string_view kAbsent = "ResourceNotFoundException";

std::string text_member(const Json& object, const char* name) { return object.contains(name) ? text_of(object[name]) : std::string(); }

class LogGroupType final : public ResourceType {
 public:
  std::string_view type() const override { return "AWS::Logs::LogGroup"; }

  Result<Json> want(const Context& context, Json properties) const override {
    Json desired = Json::object();
    desired["name"] = properties.contains("LogGroupName") ? text_of(properties["LogGroupName"]) : context.default_name();
    TRY(desired["tags"], tags_of(properties.value("Tags", Json(nullptr))));
    desired["class"] = properties.contains("LogGroupClass") ? text_of(properties["LogGroupClass"]) : "STANDARD";
    desired["retention"] = text_member(properties, "RetentionInDays");
    desired["key"] = text_member(properties, "KmsKeyId");
    desired["protection"] = text_member(properties, "DataProtectionPolicy");
    desired["guarded"] = properties.contains("DeletionProtectionEnabled") && text_of(properties["DeletionProtectionEnabled"]) == "true";
    const Json indexes = properties.value("FieldIndexPolicies", Json::array());
    desired["index"] = indexes.is_array() && !indexes.empty() ? text_of(indexes[0]) : "";
    for (const auto& [name, value] : properties.items()) {
      static constexpr std::string_view kKnown[] = {"LogGroupName", "Tags", "LogGroupClass", "RetentionInDays", "KmsKeyId", "DataProtectionPolicy",
                                                    "DeletionProtectionEnabled", "FieldIndexPolicies"};
      if (std::find(std::begin(kKnown), std::end(kKnown), name) == std::end(kKnown)) context.ignored->push_back(name);
    }
    return desired;
  }

  Result<std::optional<Json>> read(const Context& context, const Json& desired) const override {
    TRY(const Json list, call_all(context.client, "logs", "DescribeLogGroups", Json{{"logGroupNamePrefix", desired["name"]}}, "logGroups", "nextToken"));
    for (const Json& group : list) {
      if (group["logGroupName"] != desired["name"]) continue;
      Json current{{"name", desired["name"]}, {"class", group.value("logGroupClass", "STANDARD")}, {"retention", text_member(group, "retentionInDays")},
                   {"key", text_member(group, "kmsKeyId")}, {"guarded", group.value("deletionProtectionEnabled", false)}, {"@", group}};
      TRY(current["tags"], read_tags(context, "logs", Tagging::kMap, text_of(group["logGroupArn"])));
      current["protection"] = "";
      if (group.contains("dataProtectionStatus") || !text_of(desired["protection"]).empty()) {
        TRY(const Json policy, call_unless(context.client, "logs", "GetDataProtectionPolicy", Json{{"logGroupIdentifier", desired["name"]}}, kAbsent));
        current["protection"] = policy.is_null() ? "" : text_member(policy, "policyDocument");
      }
      current["index"] = "";
      if (!text_of(desired["index"]).empty()) {
        TRY(const Json policies, call_unless(context.client, "logs", "DescribeIndexPolicies", Json{{"logGroupIdentifiers", Json::array({desired["name"]})}}, kAbsent));
        if (policies.is_object() && policies.contains("indexPolicies")) {
          for (const Json& policy : policies["indexPolicies"]) {
            if (policy.value("source", "LOG_GROUP") == "LOG_GROUP") current["index"] = text_member(policy, "policyDocument");
          }
        }
      }
      return std::optional<Json>(std::move(current));
    }
    return std::optional<Json>();
  }

  bool is_same(const Json& desired, const Json& current) const override {
    if (!has_tags(desired["tags"], current["tags"])) return false;
    for (const char* member : {"class", "retention", "key", "guarded"}) {
      if (desired[member] != current[member]) return false;
    }
    return same(desired["protection"], current["protection"], false) && same(desired["index"], current["index"], false);
  }

  Status write(const Context& context, const Json& desired, const Json* current) const override {
    const auto on_group = [&](const char* operation, Json input, const char* member = "logGroupName") -> Status {
      input[member] = desired["name"];
      TRYV(call(context.client, "logs", operation, input));
      return Ok{};
    };
    const auto differs = [&](const char* member) { return current == nullptr ? !text_of(desired[member]).empty() : !same(desired[member], (*current)[member], false); };
    if (current == nullptr) {
      Json input{{"logGroupName", desired["name"]}, {"logGroupClass", desired["class"]}};
      if (!desired["tags"].empty()) input["tags"] = desired["tags"];
      if (!text_of(desired["key"]).empty()) input["kmsKeyId"] = desired["key"];
      if (desired["guarded"].get<bool>()) input["deletionProtectionEnabled"] = true;
      TRYV(call(context.client, "logs", "CreateLogGroup", input));
    } else {
      if (desired["class"] != (*current)["class"]) return Error::invalid("the class of a log group cannot be changed");
      if (desired["key"] != (*current)["key"]) {
        TRYV(text_of(desired["key"]).empty() ? on_group("DisassociateKmsKey", Json::object()) : on_group("AssociateKmsKey", Json{{"kmsKeyId", desired["key"]}}));
      }
      if (desired["guarded"] != (*current)["guarded"]) TRYV(on_group("PutLogGroupDeletionProtection", Json{{"deletionProtectionEnabled", desired["guarded"]}}, "logGroupIdentifier"));
      if (!has_tags(desired["tags"], (*current)["tags"])) TRYV(write_tags(context, "logs", Tagging::kMap, text_of((*current)["@"]["logGroupArn"]), desired["tags"]));
    }
    if (differs("retention")) {
      std::vector<std::string> ignored;
      const std::string days = text_of(desired["retention"]);
      if (days.empty()) {
        TRYV(on_group("DeleteRetentionPolicy", Json::object()));
      } else {
        TRY(Json input, coerce(Json{{"retentionInDays", days}}, *context.client.describe("logs", "PutRetentionPolicy")->input, "", ignored));
        TRYV(on_group("PutRetentionPolicy", std::move(input)));
      }
    }
    if (differs("protection")) {
      const std::string policy = text_of(desired["protection"]);
      TRYV(policy.empty() ? on_group("DeleteDataProtectionPolicy", Json::object(), "logGroupIdentifier")
                          : on_group("PutDataProtectionPolicy", Json{{"policyDocument", policy}}, "logGroupIdentifier"));
    }
    if (differs("index") && !text_of(desired["index"]).empty()) TRYV(on_group("PutIndexPolicy", Json{{"policyDocument", desired["index"]}}, "logGroupIdentifier"));
    return Ok{};
  }

  Status remove(const Context& context, const Json& desired, const Json&) const override {
    TRYV(call_unless(context.client, "logs", "DeleteLogGroup", Json{{"logGroupName", desired["name"]}}, kAbsent));
    return Ok{};
  }
  Identity identity(const Context& context, const Json& desired, const Json*) const override {
    return {.ref = desired["name"], .attributes = {{"Arn", context.arn("logs", "log-group:" + text_of(desired["name"]) + ":*")}}};
  }
};

class LogStreamType final : public ResourceType {
 public:
  std::string_view type() const override { return "AWS::Logs::LogStream"; }
  Result<Json> want(const Context& context, Json properties) const override {
    if (!properties.contains("LogGroupName")) return Error::invalid("the property LogGroupName is missing");
    return Json{{"logGroupName", text_of(properties["LogGroupName"])},
                {"logStreamName", properties.contains("LogStreamName") ? text_of(properties["LogStreamName"]) : context.default_name()}};
  }
  Result<std::optional<Json>> read(const Context& context, const Json& desired) const override {
    const Json input{{"logGroupName", desired["logGroupName"]}, {"logStreamNamePrefix", desired["logStreamName"]}};
    TRY(const Json body, call_unless(context.client, "logs", "DescribeLogStreams", input, kAbsent));
    if (body.is_object() && body.contains("logStreams") && !body["logStreams"].empty() && body["logStreams"][0]["logStreamName"] == desired["logStreamName"])
      return std::optional<Json>(desired);
    return std::optional<Json>();
  }
  bool is_same(const Json&, const Json&) const override { return true; }
  Status write(const Context& context, const Json& desired, const Json*) const override {
    TRYV(call(context.client, "logs", "CreateLogStream", desired));
    return Ok{};
  }
  Status remove(const Context& context, const Json& desired, const Json&) const override {
    TRYV(call_unless(context.client, "logs", "DeleteLogStream", desired, kAbsent));
    return Ok{};
  }
  Identity identity(const Context&, const Json& desired, const Json*) const override { return {.ref = desired["logStreamName"], .attributes = {}}; }
};

constexpr PutRow kDestination{.type = "AWS::Logs::Destination",
                              .service = "logs",
                              .put = "PutDestination",
                              .name = "destinationName",
                              .read = "DescribeDestinations",
                              .read_input = [](const Json& d) -> Json { return {{"DestinationNamePrefix", d["destinationName"]}}; },
                              .list = "destinations",
                              .item_name = "destinationName",
                              .absent = kAbsent,
                              .remove = "DeleteDestination",
                              .remove_input = [](const Json& d, const Json&) -> Json { return {{"destinationName", d["destinationName"]}}; },
                              .arn = "arn",
                              .attributes = "Arn=arn",
                              .tagging = Tagging::kMap};

// Its policy has an operation of its own.
class DestinationType final : public PutType {
 public:
  DestinationType() : PutType(kDestination) {}
  Result<Json> want(const Context& context, Json properties) const override {
    const Json policy = properties.value("DestinationPolicy", Json(nullptr));
    properties.erase("DestinationPolicy");
    TRY(Json desired, PutType::want(context, std::move(properties)));
    desired["#policy"] = policy.is_null() ? "" : text_of(policy);
    return desired;
  }
  Result<std::optional<Json>> read(const Context& context, const Json& desired) const override {
    TRY(std::optional<Json> current, PutType::read(context, desired));
    if (current) (*current)["#policy"] = text_member((*current)["@"], "accessPolicy");
    return current;
  }
  Status write(const Context& context, const Json& desired, const Json* current) const override {
    Json own = desired;
    const std::string policy = text_of(own["#policy"]);
    own.erase("#policy");
    TRYV(PutType::write(context, own, current));
    if (policy.empty()) return Ok{};
    TRYV(call(context.client, "logs", "PutDestinationPolicy", Json{{"destinationName", desired["destinationName"]}, {"accessPolicy", policy}}));
    return Ok{};
  }
};

// Detectors are found by name and have an operation to make and one to change them.
class LogAnomalyDetectorType final : public ResourceType {
 public:
  std::string_view type() const override { return "AWS::Logs::LogAnomalyDetector"; }
  Result<Json> want(const Context& context, Json properties) const override {
    properties.erase("AccountId");
    TRY(Json desired, coerce(properties, *context.client.describe("logs", "CreateLogAnomalyDetector")->input, "", *context.ignored));
    if (!desired.contains("detectorName")) desired["detectorName"] = context.default_name();
    return desired;
  }
  Result<std::optional<Json>> read(const Context& context, const Json& desired) const override {
    TRY(const Json list, call_all(context.client, "logs", "ListLogAnomalyDetectors", Json::object(), "anomalyDetectors", "nextToken"));
    for (const Json& item : list) {
      if (item.value("detectorName", "") == text_of(desired["detectorName"])) return std::optional<Json>(item);
    }
    return std::optional<Json>();
  }
  bool is_same(const Json& desired, const Json& current) const override {
    for (const char* member : {"evaluationFrequency", "filterPattern", "anomalyVisibilityTime", "logGroupArnList"}) {
      if (desired.contains(member) && (!current.contains(member) || !same(desired[member], current[member], false))) return false;
    }
    return true;
  }
  Status write(const Context& context, const Json& desired, const Json* current) const override {
    if (current == nullptr) {
      TRYV(call(context.client, "logs", "CreateLogAnomalyDetector", desired));
      return Ok{};
    }
    Json input{{"anomalyDetectorArn", (*current)["anomalyDetectorArn"]}, {"enabled", true}};
    for (const char* member : {"evaluationFrequency", "filterPattern", "anomalyVisibilityTime"}) {
      if (desired.contains(member)) input[member] = desired[member];
    }
    TRYV(call(context.client, "logs", "UpdateLogAnomalyDetector", input));
    return Ok{};
  }
  Status remove(const Context& context, const Json&, const Json& current) const override {
    TRYV(call_unless(context.client, "logs", "DeleteLogAnomalyDetector", Json{{"anomalyDetectorArn", current["anomalyDetectorArn"]}}, kAbsent));
    return Ok{};
  }
  Identity identity(const Context& context, const Json&, const Json* current) const override {
    const Json arn = current != nullptr ? (*current)["anomalyDetectorArn"] : Json(context.arn("logs", "anomaly-detector:" + context.default_name()));
    return {.ref = arn, .attributes = {{"AnomalyDetectorArn", arn}}};
  }
};

const LogGroupType kLogGroupType;
const LogStreamType kLogStreamType;
const DestinationType kDestinationType;
const LogAnomalyDetectorType kLogAnomalyDetectorType;
const ResourceType* const kTypes[] = {&kLogGroupType, &kLogStreamType, &kDestinationType, &kLogAnomalyDetectorType};

}  // namespace

std::span<const ResourceType* const> log_group_types() { return kTypes; }

}  // namespace fog::apply
