// PutLogEvents: limits of a batch, per-event acceptance, entities.
#include <fmt/format.h>

#include "api/logs/common.h"
#include "api/logs/operations.h"

namespace fog::logs {
namespace {

constexpr std::size_t kBatchBytesMax = 1'048'576;
constexpr std::size_t kEntityBytesMax = 8192;

// Fields that every event of the batch bears; `rejected` is set instead when the entity breaks a rule.
std::vector<std::pair<std::string, std::string>> entity_fields(const Entity& entity, LogGroupClass group_class,
                                                               std::optional<EntityRejectionErrorType>& rejected) {
  using Why = EntityRejectionErrorType;
  std::vector<std::pair<std::string, std::string>> fields;
  if (group_class != LogGroupClass::STANDARD) {
    rejected = Why::UnsupportedLogGroupType;
    return fields;
  }
  if (!entity.key_attributes || entity.key_attributes->empty()) {
    rejected = Why::MissingRequiredFields;
    return fields;
  }
  const std::map<std::string, std::string>& key = *entity.key_attributes;
  const auto type = key.find("Type");
  if (type == key.end()) {
    rejected = Why::MissingRequiredFields;
    return fields;
  }
  static constexpr std::string_view kTypes[] = {"Service", "RemoteService", "AWS::Service", "Resource", "AWS::Resource"};
  if (std::find(std::begin(kTypes), std::end(kTypes), type->second) == std::end(kTypes)) {
    rejected = Why::InvalidTypeValue;
    return fields;
  }
  static constexpr std::string_view kKeys[] = {"Type", "Name", "ResourceType", "Identifier", "Environment", "AwsAccountId"};
  const bool service = type->second.find("Service") != std::string::npos;
  if (service ? !key.contains("Name") : (!key.contains("ResourceType") || !key.contains("Identifier"))) {
    rejected = Why::MissingRequiredFields;
    return fields;
  }
  std::size_t bytes = 0;
  for (const auto& [name, value] : key) {
    if (std::find(std::begin(kKeys), std::end(kKeys), name) == std::end(kKeys)) rejected = Why::InvalidKeyAttributes;
    bytes += name.size() + value.size();
    fields.emplace_back("@entity.KeyAttributes." + name, value);
  }
  if (entity.attributes) {
    for (const auto& [name, value] : *entity.attributes) {
      bytes += name.size() + value.size();
      if (name.empty() || value.empty()) rejected = Why::InvalidAttributes;
      fields.emplace_back("@entity.Attributes." + name, value);
    }
  }
  if (bytes > kEntityBytesMax) rejected = Why::EntitySizeTooLarge;
  if (rejected) fields.clear();
  return fields;
}

Result<PutLogEventsResponse> put_log_events(Call& call, const PutLogEventsRequest& in) {
  std::vector<LogEventIn> events;
  events.reserve(in.log_events.size());
  std::size_t bytes = 0;
  bool ordered = true;
  for (const InputLogEvent& event : in.log_events) {
    const std::size_t size = event.message.size() + kEventOverhead;
    if (size > kBatchBytesMax)
      return invalid_parameter(fmt::format("Log event too large: {} bytes exceeds limit of {}", size, kBatchBytesMax));
    bytes += size;
    ordered = ordered && (events.empty() || events.back().timestamp_ms <= event.timestamp);
    events.push_back({event.timestamp, event.message});
  }
  if (bytes > kBatchBytesMax)
    return invalid_parameter(fmt::format("Upload too large: {} bytes exceeds limit of {}", bytes, kBatchBytesMax));
  if (!ordered) return invalid_parameter("Log events in a single PutLogEvents request must be in chronological order.");
  TRY(const GroupPtr group, group_named(call, in.log_group_name));
  const std::optional<StreamEntry> stream = group->stream(in.log_stream_name);
  if (!stream) return stream_missing();

  PutLogEventsResponse out;
  std::vector<std::pair<std::string, std::string>> fields;
  if (in.entity) {
    std::optional<EntityRejectionErrorType> rejected;
    fields = entity_fields(*in.entity, group->settings.lock_shared()->log_group_class, rejected);
    if (rejected) out.rejected_entity_info.emplace().error_type = *rejected;
  }
  TRY(const Logs::Accepted accepted,
      call.service<Logs>().put_events(*group, in.log_stream_name, *stream, events, std::move(fields), call.now));
  call.durable_after(accepted.lsn);
  if (accepted.too_old_end > 0 || accepted.expired_end > 0 || accepted.too_new_start != SIZE_MAX) {
    RejectedLogEventsInfo& info = out.rejected_log_events_info.emplace();
    if (accepted.too_old_end > 0) info.too_old_log_event_end_index = static_cast<std::int32_t>(accepted.too_old_end);
    if (accepted.expired_end > 0) info.expired_log_event_end_index = static_cast<std::int32_t>(accepted.expired_end);
    if (accepted.too_new_start != SIZE_MAX)
      info.too_new_log_event_start_index = static_cast<std::int32_t>(accepted.too_new_start);
  }
  // Not asked for any more, but old agents read it.
  out.next_sequence_token = position_digits({to_ms(call.now), accepted.lsn}, stream->id);
  return out;
}

// A malformed entity never costs the events.
constexpr Operation kOperations[] = {bind<put_log_events>()};

}  // namespace

std::span<const Operation> put_log_events_operations() { return kOperations; }

}  // namespace fog::logs
