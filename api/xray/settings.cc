#include "api/xray/settings.h"

#include "api/codec/json.h"
#include "api/xray/documents.h"
#include "api/xray/model.h"
#include "api/xray/service.h"

namespace fog::xray {

namespace {

constexpr const char* kEncryption = "encryption";
constexpr const char* kIndexing = "indexing-rule-Default";
// A new destination is answered as pending for as long.
constexpr Millis kDestinationPending{1000};

template <typename T>
T stored_or(const Call& call, const char* name, T otherwise) {
  const auto document = xray_of(call).resources().get(key_of(call, kSettingKind, name));
  if (!document) return otherwise;
  auto value = decode_json<T>(*document);
  return value.ok() ? std::move(*value) : otherwise;
}

template <typename T>
Status store(const Call& call, const char* name, const T& value) {
  return xray_of(call).resources().put(key_of(call, kSettingKind, name), encode_json(value));
}

// An alias, a bare id or an ARN; answered as an ARN.
std::string key_arn(const Call& call, const std::string& key) {
  if (key.starts_with("arn:")) return key;
  const std::string prefix = "arn:" + std::string(partition_of(call.region)) + ":kms:" + call.region + ":" + call.account + ":";
  return prefix + (key.starts_with("alias/") ? key : "key/" + key);
}

Result<PutEncryptionConfigResult> put_encryption_config(Call& call, const PutEncryptionConfigRequest& in) {
  EncryptionConfig config;
  config.type = in.type;
  config.status = EncryptionStatus::ACTIVE;
  if (in.type == EncryptionType::KMS) {
    if (!in.key_id || in.key_id->empty()) return invalid("KeyId is required for encryption type KMS.");
    config.key_id = key_arn(call, *in.key_id);
  }
  TRYV(store(call, kEncryption, config));
  config.status = EncryptionStatus::UPDATING;
  return PutEncryptionConfigResult{.encryption_config = std::move(config)};
}

Result<GetEncryptionConfigResult> get_encryption_config(Call& call, const GetEncryptionConfigRequest&) {
  EncryptionConfig none;
  none.type = EncryptionType::NONE;
  none.status = EncryptionStatus::ACTIVE;
  return GetEncryptionConfigResult{.encryption_config = stored_or(call, kEncryption, none)};
}

IndexingRule indexing_rule(const Call& call) {
  IndexingRule rule;
  rule.name = "Default";
  rule.modified_at = Timestamp{};
  rule.rule.emplace();
  rule.rule->probabilistic = ProbabilisticRuleValue{.desired_sampling_percentage = 1, .actual_sampling_percentage = 1};
  return stored_or(call, kIndexing, rule);
}

Result<GetIndexingRulesResult> get_indexing_rules(Call& call, const GetIndexingRulesRequest& in) {
  if (in.next_token) return invalid("Invalid NextToken.");  // one rule: no token was given out
  GetIndexingRulesResult out;
  out.indexing_rules = {indexing_rule(call)};
  return out;
}

Result<UpdateIndexingRuleResult> update_indexing_rule(Call& call, const UpdateIndexingRuleRequest& in) {
  if (in.name != "Default")
    return fault(ResourceNotFoundException{.message = "Indexing rule not found.", .resource_name = in.name});
  if (!in.rule.probabilistic) return invalid("Rule must have a Probabilistic value.");
  const double percentage = in.rule.probabilistic->desired_sampling_percentage;
  if (!(percentage >= 0 && percentage <= 100)) return invalid("DesiredSamplingPercentage must be between 0 and 100.");
  auto rule = indexing_rule(call);
  rule.modified_at = call.now;
  rule.rule.emplace();
  rule.rule->probabilistic =
      ProbabilisticRuleValue{.desired_sampling_percentage = percentage, .actual_sampling_percentage = percentage};
  TRYV(store(call, kIndexing, rule));
  return UpdateIndexingRuleResult{.indexing_rule = std::move(rule)};
}

StoredDestination destination(const Call& call) {
  return stored_or(call, kDestinationSetting,
                   StoredDestination{.destination = TraceSegmentDestination::XRay, .changed_at = Timestamp{}});
}

TraceSegmentDestinationStatus status_of(const Call& call, const StoredDestination& stored) {
  return call.now < stored.changed_at + kDestinationPending && call.now >= stored.changed_at
             ? TraceSegmentDestinationStatus::PENDING
             : TraceSegmentDestinationStatus::ACTIVE;
}

Result<GetTraceSegmentDestinationResult> get_trace_segment_destination(Call& call,
                                                                       const GetTraceSegmentDestinationRequest&) {
  const auto stored = destination(call);
  return GetTraceSegmentDestinationResult{.destination = stored.destination, .status = status_of(call, stored)};
}

Result<UpdateTraceSegmentDestinationResult> update_trace_segment_destination(
    Call& call, const UpdateTraceSegmentDestinationRequest& in) {
  auto stored = destination(call);
  if (in.destination && *in.destination != stored.destination) {
    stored = {.destination = *in.destination, .changed_at = call.now};
    TRYV(store(call, kDestinationSetting, stored));
    xray_of(call).note_destination_change(scope_of(call));
  }
  return UpdateTraceSegmentDestinationResult{.destination = stored.destination, .status = status_of(call, stored)};
}

constexpr Operation kOperations[] = {
    bind<put_encryption_config>(),          bind<get_encryption_config>(),
    bind<get_indexing_rules>(),             bind<update_indexing_rule>(),
    bind<get_trace_segment_destination>(),  bind<update_trace_segment_destination>()};

}  // namespace

double indexed_share(const Call& call) {
  if (destination(call).destination != TraceSegmentDestination::CloudWatchLogs) return 1;
  const auto rule = indexing_rule(call);
  if (!rule.rule || !rule.rule->probabilistic) return 1;
  return rule.rule->probabilistic->desired_sampling_percentage / 100;
}

std::span<const Operation> setting_operations() { return kOperations; }

}  // namespace fog::xray
