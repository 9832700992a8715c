// What the puts of every kind of alarm share.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "api/cloudwatch/alarm_operations.h"
#include "api/cloudwatch/model.h"

namespace fog::cloudwatch {

inline bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// An alarm not stored yet, with the members that each kind has: name, ARN, description and actions.
/// \param alarm filled in; it is the member of entry.document that belongs to `type`.
template <typename Alarm, typename Input>
void begin_alarm(const Call& call, const Input& in, AlarmType type, AlarmEntry& entry, Alarm& alarm) {
  const auto list_or_empty = [](const ActionList& list) { return list.value_or(std::vector<std::string>{}); };
  entry.key = alarm_key(call, in.alarm_name);
  entry.type = type;
  alarm.alarm_name = in.alarm_name;
  alarm.alarm_arn = alarm_arn(call, in.alarm_name);
  alarm.alarm_description = in.alarm_description;
  alarm.actions_enabled = in.actions_enabled.value_or(true);
  alarm.ok_actions = list_or_empty(in.ok_actions);
  alarm.alarm_actions = list_or_empty(in.alarm_actions);
  alarm.insufficient_data_actions = list_or_empty(in.insufficient_data_actions);
}

/// The alarm of this name, null where there is none. ValidationError where it is of another kind.
inline Result<AlarmPtr> existing(AlarmBook& book, const AlarmKey& key, AlarmType type) {
  AlarmPtr old = book.find(key);
  if (old && old->type != type) return validation(fmt::format("Alarm {} already exists with another type", key.name));
  return old;
}

/// State, timers and contributors of what was there; what a new alarm starts with.
template <typename Alarm>
void carry_over(Alarm& fresh, AlarmEntry& entry, const AlarmPtr& old, Timestamp now) {
  fresh.alarm_configuration_updated_timestamp = now;
  if (!old) {
    fresh.state_value = StateValue::INSUFFICIENT_DATA;
    fresh.state_reason = "Unchecked: Initial alarm creation";
    fresh.state_updated_timestamp = now;
    fresh.state_transitioned_timestamp = now;
    return;
  }
  old->visit([&](const auto& before) {
    fresh.state_value = before.state_value;
    fresh.state_reason = before.state_reason;
    fresh.state_reason_data = before.state_reason_data;
    fresh.state_updated_timestamp = before.state_updated_timestamp;
    fresh.state_transitioned_timestamp = before.state_transitioned_timestamp;
  });
  entry.document.contributors = old->document.contributors;
  entry.document.held_state = old->document.held_state;
  entry.document.held_old_state = old->document.held_old_state;
}

/// Stores the alarm, with its tags if it is new: those of one that exists stay as they are
/// (PutMetricAlarm: tags of an update are ignored). The book's changes() is held by the caller.
inline Result<Empty> finish_put(Call& call, AlarmEngine& engine, std::shared_ptr<AlarmEntry> entry, const AlarmPtr& old,
                                const std::optional<std::vector<Tag>>& tags) {
  const std::string arn = entry->arn();
  TRYV(engine.put_locked(std::move(entry), !old, call.now));
  call.durable_after(engine.book().last_lsn());
  if (!old) TRYV(add_tags(call, arn, tags));
  return Empty{};
}

}  // namespace fog::cloudwatch
