// What alarms say to the world: notifications, mails, events, history data, in the service's formats.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/cloudwatch/alarm_book.h"

namespace fog::cloudwatch {

// A log event shown in a notification.
struct AlarmLogLine {
  std::string timestamp{};  // as Logs Insights prints @timestamp
  std::string message{};
};

// One change of state, after it was stored.
struct AlarmTransition {
  AlarmPtr alarm{};  // as it is now
  StateValue old_state = StateValue::INSUFFICIENT_DATA;
  std::string old_reason{};
  std::string old_reason_data{};
  Timestamp old_updated{};
  Timestamp now{};
  bool after_mute_window = false;
  // Of one contributor: `alarm` then shows its state and reason.
  std::optional<StoredContributor> contributor{};
  // Of a log alarm that went to ALARM: its newest events, ActionLogLineCount of them at most.
  std::vector<AlarmLogLine> log_lines{};
};

std::string notification_subject(const AlarmTransition& transition);
std::string notification_json(const AlarmTransition& transition);
std::string notification_mail(const AlarmTransition& transition, std::string_view console_url);
std::string lambda_payload(const AlarmTransition& transition);
// EventBridge's "CloudWatch Alarm State Change".
std::string state_change_event(const AlarmTransition& transition, const std::string& id);

// "CloudWatch Alarm Contributor State Change".
std::string contributor_event(const AlarmTransition& transition, const std::string& id);
// "CloudWatch Alarm Configuration Change": operation create, update (with what was before) or delete.
std::string configuration_event(const AlarmEntry& alarm, const AlarmEntry* before, std::string_view operation, const std::string& id, Timestamp now);

// HistoryData of the kinds of items.
std::string state_history(const AlarmTransition& transition);
enum class ConfigurationChange { kCreate, kUpdate, kDelete };
std::string configuration_history(const AlarmEntry& alarm, ConfigurationChange change);
std::string action_history(const AlarmTransition& transition, std::string_view action, bool succeeded,
                           std::string_view error, std::string_view published);

std::string long_date(Timestamp t);         // Friday 22 July, 2022 15:57:45 UTC
std::string region_name(std::string_view region);  // US East (N. Virginia)

}  // namespace fog::cloudwatch
