#include "api/cloudwatch/alarm_work.h"

#include <fmt/format.h>

#include "api/cloudwatch/alarm_fetch.h"
#include "api/cloudwatch/alarm_log.h"
#include "api/cloudwatch/model.h"
#include "api/codec/json.h"
#include "query/alarm_rules/windows.h"
#include "storage/base/hash.h"
#include "storage/base/log.h"

namespace fog::cloudwatch {
namespace {

using std::chrono::seconds;

constexpr std::chrono::hours kHistoryKept{30 * 24};
// Many alarms are spread over the minute, so that one second does not have to do them all.
constexpr std::size_t kAlarmsASecond = 500;
constexpr std::int64_t kSpreadSecondsMax = 50;

std::optional<EvaluationState> evaluation_of(const AlarmEntry& alarm) {
  return alarm.type == AlarmType::LogAlarm ? alarm.document.log->evaluation_state : alarm.document.metric->evaluation_state;
}

constexpr seconds kMovedBack{5};  // a clock that is earlier than it was by more was moved
bool is_evaluated(const AlarmEntry& alarm) { return alarm.type != AlarmType::CompositeAlarm; }

}  // namespace

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        else out.push_back(c);
    }
  }
  return out + "\"";
}

HistoryRecord history_record(const AlarmEntry& alarm, HistoryItemType type, std::string summary, std::string data,
                             Timestamp now) {
  HistoryRecord out;
  out.key = alarm.key;
  out.item.alarm_name = alarm.key.name;
  out.item.alarm_type = alarm.type;
  out.item.timestamp = now;
  out.item.history_item_type = type;
  if (summary.size() > 255) summary.resize(255);
  out.item.history_summary = std::move(summary);
  out.item.history_data = std::move(data);
  return out;
}

// --- schedule ---------------------------------------------------------------------------------------

void AlarmEngine::schedule(const AlarmKey& key, Timestamp due) {
  auto agenda = agenda_.lock();
  const auto old = agenda->by_key.find(key);
  if (old != agenda->by_key.end()) agenda->by_time.erase({old->second, key});
  agenda->by_key[key] = due;
  agenda->by_time.insert({due, key});
}

void AlarmEngine::unschedule(const AlarmKey& key) {
  auto agenda = agenda_.lock();
  const auto old = agenda->by_key.find(key);
  if (old != agenda->by_key.end()) {
    agenda->by_time.erase({old->second, key});
    agenda->by_key.erase(old);
  }
  std::erase_if(agenda->timers, [&](const auto& timer) { return timer.second == key; });
  agenda->held.erase(key);
}

Timestamp AlarmEngine::next_evaluation(const AlarmEntry& alarm, Timestamp now) const {
  if (alarm.type == AlarmType::LogAlarm) {
    const std::int64_t rate = alarm.rules.period_seconds * 1000;
    return from_ms(to_ms(now) / rate * rate + rate);
  }
  const auto cadence = alarm_rules::cadence(alarm.rules.period_seconds, alarm.rules.evaluation_periods);
  Millis offset = options_.grace;
  if (cadence >= seconds(60)) {
    const auto width = std::min<std::int64_t>(kSpreadSecondsMax, static_cast<std::int64_t>(deps_.book.size() / kAlarmsASecond));
    if (width > 0) offset += seconds(static_cast<std::int64_t>(hash64(alarm.key.name) % static_cast<std::uint64_t>(width + 1)));
  }
  const std::int64_t step = Millis(cadence).count();
  const std::int64_t since = to_ms(now) - offset.count();
  return from_ms(since - (since % step + step) % step + step) + offset;
}

void AlarmEngine::start(Timestamp now) {
  auto agenda = agenda_.lock();
  *agenda = {};
  agenda->last_tick = now;
  for (const auto& alarm : deps_.book.all()) {
    if (is_evaluated(*alarm)) {
      agenda->by_key[alarm->key] = now;
      agenda->by_time.insert({now, alarm->key});
    }
    if (alarm->document.timer_due_ms) agenda->timers.insert({from_ms(*alarm->document.timer_due_ms), alarm->key});
    if (alarm->document.held_state) agenda->held.insert(alarm->key);
  }
}

std::optional<Timestamp> AlarmEngine::next_due(Timestamp now) {
  const auto agenda = agenda_.lock_shared();
  if (now < agenda->last_tick - kMovedBack) return now;
  std::optional<Timestamp> due;
  const auto sooner = [&](Timestamp t) { due = due ? std::min(*due, t) : t; };
  if (!agenda->by_time.empty()) sooner(agenda->by_time.begin()->first);
  if (!agenda->timers.empty()) sooner(agenda->timers.begin()->first);
  if (!agenda->held.empty()) {
    if (agenda->mute_rules_changed) sooner(now);
    for (const auto& rule : deps_.book.all_mute_rules()) {
      if (const auto window = rule->active_at(now)) sooner(window->end);
    }
  }
  return due;
}

void AlarmEngine::tick(Timestamp now) {
  std::vector<AlarmKey> keys;
  bool look_at_held = false, trim = false;
  {
    auto agenda = agenda_.lock();
    if (now < agenda->last_tick - kMovedBack) {
      // The clock was moved back: what was due in its old future is due by its new time.
      std::set<std::pair<Timestamp, AlarmKey>> fresh;
      for (auto& [key, due] : agenda->by_key) {
        due = std::min(due, now);
        fresh.insert({due, key});
      }
      agenda->by_time = std::move(fresh);
    }
    agenda->last_tick = now;
    while (!agenda->by_time.empty() && agenda->by_time.begin()->first <= now) {
      keys.push_back(agenda->by_time.begin()->second);
      agenda->by_key.erase(keys.back());
      agenda->by_time.erase(agenda->by_time.begin());
    }
    look_at_held = !agenda->held.empty();
    agenda->mute_rules_changed = false;
    if (agenda->next_trim <= now) {
      agenda->next_trim = now + std::chrono::hours(1);
      trim = true;
    }
  }
  expire_timers(now);
  std::vector<Outcome> outcomes;
  for (const auto& key : keys) {
    const AlarmPtr alarm = deps_.book.find(key);
    if (!alarm || !is_evaluated(*alarm)) continue;
    outcomes.push_back(alarm->type == AlarmType::LogAlarm ? evaluate_logs(alarm, now) : evaluate(alarm, now));
    schedule(key, next_evaluation(*alarm, now));
  }
  if (!outcomes.empty()) {
    const std::lock_guard changes(deps_.book.changes());
    commit(std::move(outcomes), now);
  }
  if (look_at_held) release_muted(now);
  if (trim) {
    if (Status status = deps_.book.trim_history(now - kHistoryKept); !status.ok())
      LOG_WARN("alarm history cannot be trimmed: {}", status.error().message());
  }
}

// --- verdicts ---------------------------------------------------------------------------------------

void AlarmEngine::commit(std::vector<Outcome> outcomes, Timestamp now) {
  Work work(deps_.book);
  for (auto& outcome : outcomes) {
    const AlarmPtr& alarm = outcome.seen;
    if (deps_.book.find(alarm->key) != alarm) continue;  // changed since it was looked at
    const bool new_state = outcome.state != alarm->state();
    const bool new_evaluation = outcome.evaluation != evaluation_of(*alarm);
    const bool new_contributors = outcome.contributors && *outcome.contributors != alarm->document.contributors;
    if (!new_state && !new_evaluation && !new_contributors && !outcome.runs) continue;
    const auto edited = work.edit(alarm->key);
    if (alarm->type == AlarmType::LogAlarm) edited->document.log->evaluation_state = outcome.evaluation;
    else edited->document.metric->evaluation_state = outcome.evaluation;
    if (outcome.runs) edited->document.runs = std::move(*outcome.runs);
    if (new_contributors) {
      std::map<std::string, bool> before;
      for (const auto& c : alarm->document.contributors) before[c.id] = c.in_alarm;
      for (const auto& c : *outcome.contributors) {
        const bool was = before.contains(c.id) && before[c.id];
        if (was == c.in_alarm) continue;
        auto record = history_record(*alarm, HistoryItemType::AlarmContributorStateUpdate,
                                     fmt::format("Alarm contributor updated from {} to {}", was ? "ALARM" : "OK",
                                                 c.in_alarm ? "ALARM" : "OK"),
                                     fmt::format(R"({{"version":"1.0","newState":{{"stateValue":"{}","stateReason":{}}}}})",
                                                 c.in_alarm ? "ALARM" : "OK", json_quoted(c.reason)),
                                     now);
        record.item.alarm_contributor_id = c.id;
        record.item.alarm_contributor_attributes = c.attributes;
        work.history.push_back(std::move(record));
        contributor_changed(work, *edited, c, now);
        if (c.in_alarm) work.of_contributors.back().log_lines = outcome.log_lines;
      }
      edited->document.contributors = std::move(*outcome.contributors);
    }
    if (!new_state) continue;
    change_state(work, alarm, outcome.state, std::move(outcome.reason), std::move(outcome.data), now);
    work.transitions.back().log_lines = std::move(outcome.log_lines);
  }
  flush(work, now);
}

void AlarmEngine::change_state(Work& work, const AlarmPtr& alarm, StateValue state, std::string reason,
                               std::optional<std::string> data, Timestamp now) {
  const auto edited = work.edit(alarm->key);
  AlarmTransition transition;
  transition.old_state = alarm->state();
  transition.old_reason = alarm->reason();
  transition.old_reason_data = alarm->reason_data();
  transition.old_updated = alarm->state_updated();
  transition.now = now;
  edited->change([&](auto& a) {
    a.state_value = state;
    a.state_reason = std::move(reason);
    a.state_reason_data = std::move(data);
    a.state_updated_timestamp = now;
    a.state_transitioned_timestamp = now;
  });
  transition.alarm = edited;
  work.history.push_back(history_record(*edited, HistoryItemType::StateUpdate,
                                        fmt::format("Alarm updated from {} to {}", to_string(transition.old_state), to_string(state)),
                                        state_history(transition), now));
  work.transitions.push_back(std::move(transition));
}

// Saves, then follows every transition upwards, wave by wave; actions come last.
void AlarmEngine::flush(Work& work, Timestamp now) {
  std::vector<AlarmTransition> to_act;
  while (!work.changed.empty() || !work.history.empty() || !work.transitions.empty()) {
    std::vector<AlarmTransition> wave = std::exchange(work.transitions, {});
    if (Status status = work.save(); !status.ok()) {
      LOG_ERROR("alarm states cannot be stored: {}", status.error().message());
      return;  // nothing was said to anyone; the next evaluation tries again
    }
    for (const auto& transition : wave) {
      if (!options_.event_urls.empty()) send_event(state_change_event(transition, deps_.random.uuid()));
      reconsider_parents(work, transition, now);
      to_act.push_back(transition);
    }
  }
  for (auto& transition : std::exchange(work.of_contributors, {})) {
    if (!options_.event_urls.empty()) send_event(contributor_event(transition, deps_.random.uuid()));
    if (!is_muted(transition.alarm->key, now)) act(work, transition);
  }
  for (auto& transition : to_act) act_or_hold(work, std::move(transition), now);
  if (work.changed.empty() && work.history.empty()) return;
  if (Status status = work.save(); !status.ok()) LOG_ERROR("alarm actions cannot be stored: {}", status.error().message());
}

// --- for handlers ---------------------------------------------------------------------------------------

Status AlarmEngine::put(std::shared_ptr<AlarmEntry> alarm, bool is_new, Timestamp now) {
  const std::lock_guard changes(deps_.book.changes());
  return put_locked(std::move(alarm), is_new, now);
}

Status AlarmEngine::put_locked(std::shared_ptr<AlarmEntry> alarm, bool is_new, Timestamp now) {
  std::vector<HistoryRecord> history;
  history.push_back(history_record(*alarm, HistoryItemType::ConfigurationUpdate,
                                   fmt::format("Alarm \"{}\" {}", alarm->key.name, is_new ? "created" : "updated"),
                                   configuration_history(*alarm, is_new ? ConfigurationChange::kCreate : ConfigurationChange::kUpdate),
                                   now));
  const AlarmPtr before = deps_.book.find(alarm->key);
  TRYV(deps_.book.save({alarm}, std::move(history)));
  if (!options_.event_urls.empty())
    send_event(configuration_event(*alarm, before.get(), before ? "update" : "create", deps_.random.uuid(), now));
  if (is_evaluated(*alarm)) schedule(alarm->key, now);
  if (alarm->type == AlarmType::CompositeAlarm) {
    std::erase_if(agenda_.lock()->timers, [&](const auto& timer) { return timer.second == alarm->key; });
    if (alarm->document.timer_due_ms) agenda_.lock()->timers.insert({from_ms(*alarm->document.timer_due_ms), alarm->key});
    Work work(deps_.book);
    reconsider(work, alarm, nullptr, is_new, now);
    flush(work, now);
  }
  return Ok{};
}

Status AlarmEngine::erase_locked(const std::vector<AlarmPtr>& alarms, Timestamp now) {
  std::vector<HistoryRecord> history;
  for (const auto& alarm : alarms)
    history.push_back(history_record(*alarm, HistoryItemType::ConfigurationUpdate,
                                     fmt::format("Alarm \"{}\" deleted", alarm->key.name),
                                     configuration_history(*alarm, ConfigurationChange::kDelete), now));
  TRYV(deps_.book.erase(alarms, std::move(history)));
  for (const auto& alarm : alarms) {
    unschedule(alarm->key);
    if (!options_.event_urls.empty()) send_event(configuration_event(*alarm, nullptr, "delete", deps_.random.uuid(), now));
  }
  return Ok{};
}

Status AlarmEngine::set_state(const AlarmKey& key, StateValue state, std::string reason, std::optional<std::string> data, Timestamp now) {
  const std::lock_guard changes(deps_.book.changes());
  const AlarmPtr alarm = deps_.book.find(key);
  if (!alarm) return Error::not_found("");
  Work work(deps_.book);
  if (alarm->state() == state) {
    const auto edited = work.edit(key);
    edited->change([&](auto& a) {
      a.state_reason = std::move(reason);
      a.state_reason_data = std::move(data);
      a.state_updated_timestamp = now;
    });
  } else {
    change_state(work, alarm, state, std::move(reason), std::move(data), now);
  }
  flush(work, now);
  return Ok{};
}

Status AlarmEngine::enable_actions(const std::vector<AlarmKey>& keys, bool enabled, Timestamp now) {
  const std::lock_guard changes(deps_.book.changes());
  std::vector<std::shared_ptr<AlarmEntry>> changed;
  std::vector<HistoryRecord> history;
  for (const auto& key : keys) {
    const AlarmPtr alarm = deps_.book.find(key);
    if (!alarm) continue;
    auto edited = std::make_shared<AlarmEntry>(*alarm);
    edited->change([&](auto& a) {
      a.actions_enabled = enabled;
      a.alarm_configuration_updated_timestamp = now;
    });
    history.push_back(history_record(*edited, HistoryItemType::ConfigurationUpdate,
                                     fmt::format("Alarm actions {} for {}", enabled ? "enabled" : "disabled", key.name),
                                     configuration_history(*edited, ConfigurationChange::kUpdate), now));
    changed.push_back(std::move(edited));
  }
  return deps_.book.save(std::move(changed), std::move(history));
}

void AlarmEngine::mute_rules_changed() { agenda_.lock()->mute_rules_changed = true; }

Status AlarmEngine::reset(std::string_view account, std::string_view region) {
  deps_.book.forget(account, region);
  start(deps_.clock.now());
  return Ok{};
}

}  // namespace fog::cloudwatch
