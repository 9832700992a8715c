// What an alarm does when its state changes: notifications, calls, events; held back by mute rules.
#include "api/cloudwatch/alarm_work.h"

#include <fmt/format.h>

#include "api/cloudwatch/model.h"
#include "api/codec/json.h"
#include "query/alarm_rules/windows.h"
#include "storage/base/log.h"

namespace fog::cloudwatch {

using std::chrono::seconds;

// A contributor's change is told and acted upon like an alarm's: of an alarm that is in its state.
void AlarmEngine::contributor_changed(Work& work, const AlarmEntry& alarm, const StoredContributor& contributor, Timestamp now) {
  const auto shown = std::make_shared<AlarmEntry>(alarm);
  AlarmTransition transition;
  transition.old_state = contributor.in_alarm ? StateValue::OK : StateValue::ALARM;
  transition.now = now;
  transition.contributor = contributor;
  shown->change([&](auto& a) {
    a.state_value = contributor.in_alarm ? StateValue::ALARM : StateValue::OK;
    a.state_reason = contributor.reason;
    a.state_reason_data.reset();
    a.state_updated_timestamp = now;
  });
  transition.alarm = shown;
  work.of_contributors.push_back(std::move(transition));
}

void AlarmEngine::send_event(std::string event) {
  if (deps_.outbound == nullptr) return;
  for (const auto& url : options_.event_urls) {
    OutboundRequest request;
    request.url = url;
    request.headers = {{"Content-Type", "application/json"}};
    request.body = event;
    deps_.outbound->http(std::move(request), [url](Result<OutboundResponse> answer) {
      if (!answer.ok()) LOG_WARN("alarm event could not be sent to {}: {}", url, answer.error().message());
    });
  }
}

bool AlarmEngine::is_muted(const AlarmKey& key, Timestamp now) const {
  for (const auto& rule : deps_.book.mute_rules(key.account, key.region)) {
    const auto& targets = rule->document.rule.mute_targets;
    if (!targets || std::find(targets->alarm_names.begin(), targets->alarm_names.end(), key.name) == targets->alarm_names.end())
      continue;
    if (rule->active_at(now)) return true;
  }
  return false;
}

void AlarmEngine::act_or_hold(Work& work, AlarmTransition transition, Timestamp now) {
  const AlarmPtr alarm = transition.alarm;
  // A composite with a suppressor waits or keeps silent; a timer that already runs starts anew.
  const bool fresh = !alarm->document.timer_due_ms || from_ms(*alarm->document.timer_due_ms) > now;
  if (alarm->type == AlarmType::CompositeAlarm && alarm->document.composite->actions_suppressor && fresh) {
    const AlarmPtr suppressor = deps_.book.resolve(alarm->key.account, alarm->key.region, *alarm->document.composite->actions_suppressor);
    const auto wait = seconds(alarm->document.composite->actions_suppressor_wait_period.value_or(0));
    const auto edited = work.edit(alarm->key);
    if (!edited) return;
    std::erase_if(agenda_.lock()->timers, [&](const auto& timer) { return timer.second == alarm->key; });
    if (suppressor && suppressor->state() == StateValue::ALARM) {
      set_suppression(*edited, ActionsSuppressedBy::Alarm, std::nullopt);
      return;
    }
    if (wait.count() > 0) {
      set_suppression(*edited, ActionsSuppressedBy::WaitPeriod, now + wait);
      agenda_.lock()->timers.insert({now + wait, alarm->key});
      return;
    }
    set_suppression(*edited, std::nullopt, std::nullopt);
  }
  if (is_muted(alarm->key, now)) {
    const auto edited = work.edit(alarm->key);
    if (!edited) return;
    auto& held = edited->document.held_state;
    const std::string state(to_string(alarm->state()));
    if (!held) edited->document.held_old_state = std::string(to_string(transition.old_state));
    held = state;
    if (edited->document.held_old_state == state) {  // back where it was: nothing to make up for
      held.reset();
      edited->document.held_old_state.reset();
      agenda_.lock()->held.erase(alarm->key);
    } else {
      agenda_.lock()->held.insert(alarm->key);
    }
    return;
  }
  act(work, transition);
}

void AlarmEngine::release_muted(Timestamp now) {
  std::vector<AlarmKey> keys;
  {
    const auto agenda = agenda_.lock_shared();
    keys.assign(agenda->held.begin(), agenda->held.end());
  }
  const std::lock_guard changes(deps_.book.changes());
  Work work(deps_.book);
  for (const auto& key : keys) {
    if (is_muted(key, now)) continue;
    agenda_.lock()->held.erase(key);
    const auto edited = work.edit(key);
    if (!edited) continue;
    const auto held = std::exchange(edited->document.held_state, std::nullopt);
    const auto old = std::exchange(edited->document.held_old_state, std::nullopt);
    if (!held || *held != to_string(edited->state())) continue;
    AlarmTransition transition;
    transition.alarm = edited;
    transition.old_state = from_rules_state(alarm_rules::parse_state(old.value_or("")).value_or(alarm_rules::State::kInsufficientData));
    transition.now = now;
    transition.after_mute_window = true;
    act(work, transition);
  }
  if (Status status = work.save(); !status.ok()) LOG_ERROR("alarm actions cannot be stored: {}", status.error().message());
}

void AlarmEngine::act(Work& work, const AlarmTransition& transition) {
  const AlarmEntry& alarm = *transition.alarm;
  if (!alarm.actions_enabled()) return;
  const auto note = [&](const std::string& action, bool succeeded, std::string_view error, std::string_view published) {
    auto record = history_record(
        alarm, transition.contributor ? HistoryItemType::AlarmContributorAction : HistoryItemType::Action,
        succeeded ? "Successfully executed action " + action : "Failed to execute action " + action,
        action_history(transition, action, succeeded, error, published), transition.now);
    if (transition.contributor) {
      record.item.alarm_contributor_id = transition.contributor->id;
      record.item.alarm_contributor_attributes = transition.contributor->attributes;
    }
    work.history.push_back(std::move(record));
  };
  for (const auto& action : alarm.actions(alarm.state())) {
    if (action.find(":sns:") != std::string::npos) {
      if (deps_.topics == nullptr) {
        note(action, false, "Notifications are switched off", "");
        continue;
      }
      TopicMessage message;
      message.topic_arn = action;
      message.subject = notification_subject(transition);
      message.message = notification_json(transition);
      message.by_protocol["sms"] = message.subject;
      message.by_protocol["email"] = notification_mail(transition, options_.console_url);
      const std::string published =
          fmt::format(R"({{"default":{},"sms":{},"email":{}}})", json_quoted(message.message), json_quoted(message.subject),
                      json_quoted(message.by_protocol["email"]));
      const auto id = deps_.topics->publish(message);
      note(action, id.ok(), id.ok() ? std::string_view() : std::string_view(id.error().message()), published);
      continue;
    }
    if (action.find(":lambda:") != std::string::npos && deps_.outbound != nullptr) {
      const std::string* base = nullptr;
      for (const auto& [prefix, url] : options_.function_targets) {
        if (action.starts_with(prefix)) base = &url;
      }
      if (base != nullptr) {
        std::string_view name = action;
        name.remove_prefix(std::min(name.size(), name.find(":function:") + 10));
        OutboundRequest request;
        request.url = *base + "/2015-03-31/functions/" + std::string(name.substr(0, name.find(':'))) + "/invocations";
        request.headers = {{"Content-Type", "application/json"}, {"X-Amz-Invocation-Type", "Event"}};
        request.body = lambda_payload(transition);
        const std::string payload = request.body;
        deps_.outbound->http(std::move(request), [action](Result<OutboundResponse> answer) {
          if (!answer.ok()) LOG_WARN("alarm action {} failed: {}", action, answer.error().message());
          else if (answer->status >= 300) LOG_WARN("alarm action {} was answered with {}", action, answer->status);
        });
        note(action, true, "", payload);
        continue;
      }
    }
    note(action, false, "Fogwatch does not execute this kind of action", "");
  }
}

}  // namespace fog::cloudwatch
