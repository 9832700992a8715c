// CreateLogAnomalyDetector, UpdateLogAnomalyDetector, GetLogAnomalyDetector, ListLogAnomalyDetectors,
// DeleteLogAnomalyDetector, ListAnomalies, UpdateAnomaly.
#include <fmt/format.h>

#include "api/logs/anomaly_detectors.h"
#include "api/logs/operations.h"
#include "api/logs/pattern.h"
#include "api/logs/resource_tags.h"
#include "api/logs/shelf.h"

namespace fog::logs {
namespace {

constexpr Shelf<StoredDetector> kDetectors(kDetectorKind);
constexpr Shelf<StoredAnomaly> kAnomalies(kAnomalyKind);
constexpr std::size_t kDetectorsMax = 500;
constexpr std::int64_t kVisibleDefault = 21;
constexpr std::size_t kPageDefault = 50;

Error detector_missing() { return fault(ResourceNotFoundException{.message = "The specified anomaly detector does not exist."}); }
const auto kFirst = [](const auto& item) -> const std::string& { return item.first; };

Result<std::pair<std::string, StoredDetector>> detector_of(Call& call, const std::string& arn) {
  const auto id = name_in_arn(call, "anomaly-detector", arn);
  auto stored = id ? kDetectors.get(call, *id) : std::nullopt;
  if (!stored) return detector_missing();
  return std::pair(*id, std::move(*stored));
}

Result<CreateLogAnomalyDetectorResponse> create_log_anomaly_detector(Call& call, const CreateLogAnomalyDetectorRequest& in) {
  if (in.log_group_arn_list.size() != 1) return invalid_parameter("logGroupArnList must contain exactly one log group ARN.");
  TRYV(parse_pattern(in.filter_pattern.value_or("")));
  const std::string& arn = in.log_group_arn_list.front();
  if (!arn.starts_with("arn:")) return invalid_parameter("The specified log group ARN is invalid.");
  TRY(const GroupPtr group, group_of(call, std::nullopt, arn));
  if (group->settings.lock_shared()->log_group_class != LogGroupClass::STANDARD)
    return fault(OperationAbortedException{.message = "Anomaly detection is only supported for log groups in the Standard log class."});
  const auto all = kDetectors.list(call);
  if (all.size() >= kDetectorsMax) return fault(LimitExceededException{.message = "Resource limit exceeded."});
  const std::string id = call.service<Random>().uuid();
  StoredDetector stored;
  AnomalyDetector& detector = stored.detector;
  detector.anomaly_detector_arn = resource_arn(call, "anomaly-detector", id);
  detector.detector_name = in.detector_name ? *in.detector_name : group->name;
  detector.log_group_arn_list = in.log_group_arn_list;
  detector.evaluation_frequency = in.evaluation_frequency.value_or(EvaluationFrequency::FIVE_MIN);
  detector.filter_pattern = in.filter_pattern;
  detector.kms_key_id = in.kms_key_id;
  detector.anomaly_detector_status = AnomalyDetectorStatus::INITIALIZING;
  detector.creation_time_stamp = to_ms(call.now);
  detector.last_modified_time_stamp = to_ms(call.now);
  detector.anomaly_visibility_time = in.anomaly_visibility_time.value_or(kVisibleDefault);
  stored.group_id = static_cast<std::int64_t>(group->id);
  stored.next_run = call.service<AnomalyDetectors>().first_run_ms(detector, to_ms(call.now));
  TRYV(kDetectors.put(call, id, stored));
  if (in.tags) TRYV(put_resource_tags(call, *detector.anomaly_detector_arn, *in.tags));
  CreateLogAnomalyDetectorResponse out;
  out.anomaly_detector_arn = detector.anomaly_detector_arn;
  return out;
}

Result<Empty> update_log_anomaly_detector(Call& call, const UpdateLogAnomalyDetectorRequest& in) {
  TRY(auto found, detector_of(call, in.anomaly_detector_arn));
  if (in.filter_pattern) TRYV(parse_pattern(*in.filter_pattern));
  auto& [id, stored] = found;
  AnomalyDetector& detector = stored.detector;
  const bool relearn = (in.filter_pattern && in.filter_pattern != detector.filter_pattern) ||
                       (in.evaluation_frequency && in.evaluation_frequency != detector.evaluation_frequency);
  if (in.evaluation_frequency) detector.evaluation_frequency = in.evaluation_frequency;
  if (in.filter_pattern) detector.filter_pattern = in.filter_pattern;
  if (in.anomaly_visibility_time) detector.anomaly_visibility_time = in.anomaly_visibility_time;
  detector.last_modified_time_stamp = to_ms(call.now);
  const bool was_paused = detector.anomaly_detector_status == AnomalyDetectorStatus::PAUSED;
  if (!in.enabled) {
    detector.anomaly_detector_status = AnomalyDetectorStatus::PAUSED;
  } else if (relearn) {
    // Other counts than those it knows: it begins again with what is stored.
    stored.patterns.clear();
    stored.intervals = 0;
    detector.anomaly_detector_status = AnomalyDetectorStatus::INITIALIZING;
    stored.next_run = call.service<AnomalyDetectors>().first_run_ms(detector, to_ms(call.now));
  } else if (was_paused) {
    detector.anomaly_detector_status = AnomalyDetectorStatus::TRAINING;
    const std::int64_t interval = interval_of(detector).count();
    stored.next_run = to_ms(call.now) / interval * interval + interval;
  }
  TRYV(kDetectors.put(call, id, stored));
  return Empty{};
}

Result<GetLogAnomalyDetectorResponse> get_log_anomaly_detector(Call& call, const GetLogAnomalyDetectorRequest& in) {
  TRY(auto found, detector_of(call, in.anomaly_detector_arn));
  // The answer has the members of the list's items, but for the ARN.
  return decode_json<GetLogAnomalyDetectorResponse>(encode_json(found.second.detector));
}

Result<ListLogAnomalyDetectorsResponse> list_log_anomaly_detectors(Call& call, const ListLogAnomalyDetectorsRequest& in) {
  auto all = kDetectors.list(call);
  if (in.filter_log_group_arn) {
    const auto name = group_name_of(call, *in.filter_log_group_arn);
    const GroupPtr group = name ? call.service<Logs>().find(call.account, call.region, *name) : nullptr;
    std::erase_if(all, [&](const auto& item) {
      return group == nullptr || static_cast<LogGroupId>(item.second.group_id) != group->id;
    });
  }
  ListLogAnomalyDetectorsResponse out;
  TRY(out.next_token, cut_page("ListLogAnomalyDetectors", in.filter_log_group_arn.value_or(""), all, in.next_token,
                               static_cast<std::size_t>(in.limit.value_or(static_cast<std::int32_t>(kPageDefault))), kFirst));
  auto& items = out.anomaly_detectors.emplace();
  for (auto& item : all) items.push_back(std::move(item.second.detector));
  return out;
}

Result<Empty> delete_log_anomaly_detector(Call& call, const DeleteLogAnomalyDetectorRequest& in) {
  TRY(const auto found, detector_of(call, in.anomaly_detector_arn));
  std::vector<ResourceStore::Change> changes;
  changes.push_back({kDetectors.key(call, found.first), std::nullopt});
  for (const auto& anomaly : kAnomalies.list(call, found.first + ":")) changes.push_back({kAnomalies.key(call, anomaly.first), std::nullopt});
  TRYV(call.service<ResourceStore>().apply(std::move(changes)));
  TRYV(erase_resource_tags(call, in.anomaly_detector_arn));
  return Empty{};
}

bool is_suppressed(const Anomaly& anomaly, std::int64_t now_s) {
  return anomaly.suppressed.value_or(false) && (!anomaly.suppressed_until || *anomaly.suppressed_until > now_s);
}

Result<ListAnomaliesResponse> list_anomalies(Call& call, const ListAnomaliesRequest& in) {
  std::string prefix;
  if (in.anomaly_detector_arn) {
    TRY(const auto found, detector_of(call, *in.anomaly_detector_arn));
    prefix = found.first + ":";
  }
  const std::int64_t now_s = to_ms(call.now) / 1000;
  std::map<std::string, std::int64_t> visible;  // days, by detector
  for (const auto& [id, stored] : kDetectors.list(call)) visible[id] = stored.detector.anomaly_visibility_time.value_or(kVisibleDefault);
  auto all = kAnomalies.list(call, prefix);
  std::erase_if(all, [&](const auto& item) {
    const Anomaly& anomaly = item.second.anomaly;
    const auto days = visible.find(item.second.detector_id);
    if (days == visible.end() || anomaly.first_seen < now_s - days->second * 86'400) return true;
    if (!in.suppression_state) return false;
    return is_suppressed(anomaly, now_s) != (*in.suppression_state == SuppressionState::SUPPRESSED);
  });
  ListAnomaliesResponse out;
  TRY(out.next_token, cut_page("ListAnomalies", in.anomaly_detector_arn.value_or(""), all, in.next_token,
                               static_cast<std::size_t>(in.limit.value_or(static_cast<std::int32_t>(kPageDefault))), kFirst));
  auto& items = out.anomalies.emplace();
  for (auto& item : all) {
    if (item.second.anomaly.suppressed.value_or(false) && !is_suppressed(item.second.anomaly, now_s)) {
      item.second.anomaly.suppressed = false;
      item.second.anomaly.state = State::Active;
    }
    items.push_back(std::move(item.second.anomaly));
  }
  return out;
}

Result<Empty> update_anomaly(Call& call, const UpdateAnomalyRequest& in) {
  TRY(const auto found, detector_of(call, in.anomaly_detector_arn));
  if (in.anomaly_id.has_value() == in.pattern_id.has_value())
    return invalid_parameter("You must specify either anomalyId or patternId, but not both.");
  std::optional<std::int64_t> until;
  const std::int64_t now_s = to_ms(call.now) / 1000;
  if (in.suppression_type == SuppressionType::LIMITED) {
    if (!in.suppression_period || !in.suppression_period->value || !in.suppression_period->suppression_unit)
      return invalid_parameter("suppressionPeriod is required when suppressionType is LIMITED.");
    if (*in.suppression_period->value < 1) return invalid_parameter("The value of suppressionPeriod must be positive.");
    const std::int64_t unit = *in.suppression_period->suppression_unit == SuppressionUnit::SECONDS   ? 1
                              : *in.suppression_period->suppression_unit == SuppressionUnit::MINUTES ? 60
                                                                                                     : 3600;
    until = now_s + *in.suppression_period->value * unit;
  }
  bool any = false;
  for (auto& [name, stored] : kAnomalies.list(call, found.first + ":")) {
    Anomaly& anomaly = stored.anomaly;
    if (in.anomaly_id ? anomaly.anomaly_id != *in.anomaly_id : anomaly.pattern_id != *in.pattern_id) continue;
    any = true;
    const bool suppress = in.suppression_type.has_value();
    anomaly.suppressed = suppress;
    anomaly.is_pattern_level_suppression = suppress && in.pattern_id.has_value();
    anomaly.suppressed_date = suppress ? std::optional(now_s) : std::nullopt;
    anomaly.suppressed_until = until;
    anomaly.state = suppress ? State::Suppressed : State::Active;
    if (in.baseline.value_or(false)) anomaly.state = State::Baseline;
    TRYV(kAnomalies.put(call, name, stored));
  }
  if (!any) return fault(ResourceNotFoundException{.message = "The specified anomaly does not exist."});
  return Empty{};
}

constexpr Operation kOperations[] = {
    bind<create_log_anomaly_detector>(), bind<update_log_anomaly_detector>(), bind<get_log_anomaly_detector>(),
    bind<list_log_anomaly_detectors>(),  bind<delete_log_anomaly_detector>(), bind<list_anomalies>(),
    bind<update_anomaly>(),
};

}  // namespace

std::span<const Operation> anomaly_operations() { return kOperations; }

}  // namespace fog::logs
