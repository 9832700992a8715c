#include "api/cloudwatch/alarm_engine.h"

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
constexpr std::size_t kContributorsMax = 100;
constexpr std::size_t kContributorSeriesMax = 500;

// A JSON string with its quotes.
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

std::string triggering_alarms(const std::vector<AlarmPtr>& children) {
  std::string out = R"({"triggeringAlarms":[)";
  bool first = true;
  for (const auto& child : children) {
    if (!child) continue;
    std::string one = fmt::format(R"({{"arn":{},"state":{{"value":"{}","timestamp":"{}"}}}})", json_quoted(child->arn()),
                                  to_string(child->state()), alarm_rules::format_reason_time(child->state_updated()));
    if (out.size() + one.size() + 3 > alarm_rules::kReasonDataCharsMax) break;
    if (!first) out += ",";
    first = false;
    out += one;
  }
  return out + "]}";
}

std::optional<EvaluationState> evaluation_of(const AlarmEntry& alarm) {
  return alarm.type == AlarmType::LogAlarm ? alarm.document.log->evaluation_state : alarm.document.metric->evaluation_state;
}

constexpr seconds kMovedBack{5};  // a clock that is earlier than it was by more was moved
bool is_evaluated(const AlarmEntry& alarm) { return alarm.type != AlarmType::CompositeAlarm; }

}  // namespace

struct AlarmEngine::Work {
  std::map<AlarmKey, std::shared_ptr<AlarmEntry>> changed;
  std::vector<HistoryRecord> history;
  std::vector<AlarmTransition> of_contributors;
  std::vector<AlarmTransition> transitions;  // stored with the next save, then followed up
  AlarmBook& book;

  explicit Work(AlarmBook& b) : book(b) {}

  // A copy that may be changed and will be saved.
  std::shared_ptr<AlarmEntry> edit(const AlarmKey& key) {
    auto& slot = changed[key];
    if (!slot) {
      const AlarmPtr current = book.find(key);
      if (!current) {
        changed.erase(key);
        return nullptr;
      }
      slot = std::make_shared<AlarmEntry>(*current);
    }
    return slot;
  }
  Status save() {
    std::vector<std::shared_ptr<AlarmEntry>> alarms;
    for (auto& [key, alarm] : changed) alarms.push_back(std::move(alarm));
    changed.clear();
    return book.save(std::move(alarms), std::exchange(history, {}));
  }
};

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

AlarmEngine::Outcome AlarmEngine::evaluate(const AlarmPtr& alarm, Timestamp now) const {
  Outcome out;
  out.seen = alarm;
  out.state = alarm->state();
  out.evaluation = alarm->document.metric->evaluation_state;
  const auto data = fetch_alarm_data(deps_.services, *alarm, now);
  if (!data.ok()) {
    out.evaluation = data.error().kind() == ErrorKind::kBusy ? EvaluationState::EVALUATION_FAILURE
                                                            : EvaluationState::EVALUATION_ERROR;
    return out;
  }
  out.evaluation.reset();
  if (data->is_partial) out.evaluation = EvaluationState::PARTIAL_DATA;
  if (data->is_grouped) return evaluate_contributors(alarm, *data, now);
  if (data->series.empty()) return out;
  if (alarm->keeps_on_few_samples && alarm->statistic && alarm->statistic->kind == fog::Statistic::Kind::kPercentile &&
      data->samples > 0 && alarm_rules::too_few_samples(alarm->statistic->high.value_or(100), data->samples))
    return out;
  const auto current = to_rules_state(out.state).value_or(alarm_rules::State::kInsufficientData);
  auto verdict = alarm_rules::evaluate(alarm->rules, current, data->series.front().slots, now);
  out.state = from_rules_state(verdict.state);
  out.reason = std::move(verdict.reason);
  out.data = std::move(verdict.reason_data);
  return out;
}

AlarmEngine::Outcome AlarmEngine::evaluate_contributors(const AlarmPtr& alarm, const AlarmData& data, Timestamp now) const {
  using alarm_rules::State;
  Outcome out;
  out.seen = alarm;
  out.state = alarm->state();
  if (data.is_partial || data.series.size() > kContributorSeriesMax) out.evaluation = EvaluationState::PARTIAL_DATA;
  std::map<std::string, StoredContributor> before;
  for (const auto& contributor : alarm->document.contributors) before[contributor.id] = contributor;
  std::vector<StoredContributor> all;
  std::size_t in_alarm = 0;
  for (std::size_t i = 0; i < data.series.size() && i < kContributorSeriesMax; ++i) {
    const AlarmSeries& series = data.series[i];
    StoredContributor one;
    one.id = contributor_id(series.attributes);
    one.attributes = series.attributes;
    const auto old = before.find(one.id);
    const bool was = old != before.end() && old->second.in_alarm;
    const auto verdict = alarm_rules::evaluate(alarm->rules, was ? State::kAlarm : State::kOk, series.slots, now);
    one.in_alarm = verdict.state == State::kAlarm;
    one.reason = verdict.reason;
    one.since_ms = old != before.end() && was == one.in_alarm ? old->second.since_ms : to_ms(now);
    if (old != before.end() && was == one.in_alarm) one.reason = old->second.reason;
    if (one.in_alarm) ++in_alarm;
    before.erase(one.id);
    if (all.size() < kContributorsMax) all.push_back(std::move(one));
  }
  // A series that is gone is no longer in alarm; it is told once, then forgotten.
  for (auto& [id, gone] : before) {
    if (!gone.in_alarm || all.size() >= kContributorsMax) continue;
    gone.in_alarm = false;
    gone.reason = "No data was returned for this contributor";
    gone.since_ms = to_ms(now);
    all.push_back(std::move(gone));
  }
  out.contributors = std::move(all);
  const std::size_t total = data.series.size();
  if (total == 0) {
    switch (alarm->rules.missing_data) {
      case alarm_rules::MissingData::kMissing: out.state = StateValue::INSUFFICIENT_DATA; break;
      case alarm_rules::MissingData::kBreaching: out.state = StateValue::ALARM; break;
      case alarm_rules::MissingData::kNotBreaching: out.state = StateValue::OK; break;
      case alarm_rules::MissingData::kIgnore: break;
    }
    out.reason = "No data was returned by the query";
  } else if (in_alarm > 0) {
    out.state = StateValue::ALARM;
    out.reason = total > kContributorsMax ? "100+ time series evaluated to ALARM"
                                          : fmt::format("{} out of {} time series evaluated to ALARM", in_alarm, total);
  } else {
    out.state = StateValue::OK;
    out.reason = fmt::format("{} time series evaluated to OK", total);
  }
  out.data = fmt::format(R"({{"version":"1.0","queryDate":"{}"}})", alarm_rules::format_reason_time(now));
  return out;
}

AlarmEngine::Outcome AlarmEngine::evaluate_logs(const AlarmPtr& alarm, Timestamp now) const {
  Outcome out;
  out.seen = alarm;
  out.state = alarm->state();
  out.evaluation = alarm->document.log->evaluation_state;
  auto run = run_log_query(deps_.services, *alarm, now);
  if (!run.ok()) {
    out.evaluation = run.error().kind() == ErrorKind::kBusy ? EvaluationState::EVALUATION_FAILURE : EvaluationState::EVALUATION_ERROR;
    return out;
  }
  const bool grouped = run->is_grouped;
  out.evaluation.reset();
  auto& runs = out.runs.emplace(alarm->document.runs.value_or(std::vector<StoredRun>{}));
  // After a restart or a change the same tick may come twice.
  std::erase_if(runs, [&](const StoredRun& old) { return old.time_ms >= to_ms(now); });
  runs.push_back(std::move(run->run));
  const auto n = static_cast<std::size_t>(alarm->rules.evaluation_periods);
  if (runs.size() > n) runs.erase(runs.begin(), runs.end() - static_cast<std::ptrdiff_t>(n));
  const auto slots_of = [&](const std::string& id) {
    std::vector<alarm_rules::Slot> slots;
    for (std::size_t i = runs.size(); i < n; ++i)
      slots.push_back({.start = now - seconds(alarm->rules.period_seconds) * static_cast<std::int64_t>(n - 1 - (i - runs.size()))});
    for (const StoredRun& one : runs) {
      alarm_rules::Slot slot{.start = from_ms(one.time_ms)};
      if (const auto found = one.values.find(id); found != one.values.end()) slot.value = found->second;
      slots.push_back(slot);
    }
    return slots;
  };
  if (!grouped) {
    auto verdict = alarm_rules::evaluate(alarm->rules, to_rules_state(out.state).value_or(alarm_rules::State::kInsufficientData), slots_of(""), now);
    out.state = from_rules_state(verdict.state);
    out.reason = std::move(verdict.reason);
    out.data = std::move(verdict.reason_data);
    if (out.state == StateValue::ALARM && alarm->state() != StateValue::ALARM) out.log_lines = newest_log_lines(deps_.services, *alarm, now);
    return out;
  }
  AlarmData data;
  data.is_grouped = true;
  data.is_partial = run->is_partial;
  std::map<std::string, std::map<std::string, std::string>> attributes = run->attributes;
  for (const auto& contributor : alarm->document.contributors) attributes.try_emplace(contributor.id, contributor.attributes);
  for (auto& [id, own] : attributes) {
    const bool seen = std::any_of(runs.begin(), runs.end(), [&](const StoredRun& one) { return one.values.contains(id); });
    if (seen) data.series.push_back({.attributes = own, .slots = slots_of(id)});
  }
  Outcome grouped_out = evaluate_contributors(alarm, data, now);
  grouped_out.runs = std::move(out.runs);
  const auto was_in_alarm = [&](const StoredContributor& c) {
    const auto& old = alarm->document.contributors;
    return std::any_of(old.begin(), old.end(), [&](const StoredContributor& o) { return o.id == c.id && o.in_alarm; });
  };
  const auto& contributors = grouped_out.contributors ? *grouped_out.contributors : alarm->document.contributors;
  if (std::any_of(contributors.begin(), contributors.end(), [&](const StoredContributor& c) { return c.in_alarm && !was_in_alarm(c); }))
    grouped_out.log_lines = newest_log_lines(deps_.services, *alarm, now);
  return grouped_out;
}

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

// --- composites ---------------------------------------------------------------------------------------

bool AlarmEngine::is_in_cycle(const AlarmEntry& composite) const {
  std::set<AlarmKey> seen;
  std::vector<AlarmPtr> open = deps_.book.children(composite);
  while (!open.empty()) {
    const AlarmPtr next = open.back();
    open.pop_back();
    if (!next) continue;
    if (next->key == composite.key) return true;
    if (!next->rule || !seen.insert(next->key).second) continue;
    for (auto& child : deps_.book.children(*next)) open.push_back(std::move(child));
  }
  return false;
}

void AlarmEngine::reconsider_parents(Work& work, const AlarmTransition& cause, Timestamp now) {
  for (const auto& parent : deps_.book.parents(*cause.alarm)) {
    const auto suppressor = parent->document.composite->actions_suppressor;
    if (suppressor) {
      const AlarmPtr who = deps_.book.resolve(parent->key.account, parent->key.region, *suppressor);
      if (who && who->key == cause.alarm->key) suppressor_changed(work, parent, cause.old_state, cause.alarm->state(), now);
    }
    const auto children = deps_.book.children(*parent);
    const bool is_child = std::any_of(children.begin(), children.end(),
                                      [&](const AlarmPtr& child) { return child && child->key == cause.alarm->key; });
    if (is_child) reconsider(work, parent, &cause, false, now);
  }
}

void AlarmEngine::reconsider(Work& work, const AlarmPtr& composite, const AlarmTransition* cause, bool is_new, Timestamp now) {
  if (is_in_cycle(*composite)) return;
  const auto state_of = [&](std::string_view reference) -> std::optional<alarm_rules::State> {
    const AlarmPtr child = deps_.book.resolve(composite->key.account, composite->key.region, reference);
    return child ? to_rules_state(child->state()) : std::nullopt;
  };
  const StateValue state = composite->rule->evaluate(state_of) ? StateValue::ALARM : StateValue::OK;
  AlarmPtr current = composite;
  if (const auto edited = work.changed.find(composite->key); edited != work.changed.end()) current = edited->second;
  if (state == current->state()) return;
  std::string reason, data;
  if (cause != nullptr) {
    reason = fmt::format("{} transitioned to {} at {}", cause->alarm->arn(), to_string(cause->alarm->state()),
                         long_date(cause->alarm->state_updated()));
    data = triggering_alarms({cause->alarm});
  } else {
    reason = fmt::format("{} was {} and its alarm rule evaluates to {}", composite->arn(), is_new ? "created" : "updated",
                         to_string(state));
    data = triggering_alarms(deps_.book.children(*composite));
  }
  if (reason.size() > alarm_rules::kReasonCharsMax) reason.resize(alarm_rules::kReasonCharsMax);
  change_state(work, std::make_shared<const AlarmEntry>(*current), state, std::move(reason), std::move(data), now);
}

namespace {

void set_suppression(AlarmEntry& composite, std::optional<ActionsSuppressedBy> by, std::optional<Timestamp> due) {
  auto& document = *composite.document.composite;
  document.actions_suppressed_by = by;
  document.actions_suppressed_reason.reset();
  if (by) document.actions_suppressed_reason = fmt::format("Actions suppressed by {}", to_string(*by));
  composite.document.timer_due_ms.reset();
  if (due) composite.document.timer_due_ms = to_ms(*due);
}

}  // namespace

void AlarmEngine::suppressor_changed(Work& work, const AlarmPtr& composite, StateValue was, StateValue is, Timestamp now) {
  const auto edited = work.edit(composite->key);
  if (!edited) return;
  const auto& document = *edited->document.composite;
  const auto by = document.actions_suppressed_by;
  std::erase_if(agenda_.lock()->timers, [&](const auto& timer) { return timer.second == edited->key; });
  if (is == StateValue::ALARM) {
    if (by) set_suppression(*edited, ActionsSuppressedBy::Alarm, std::nullopt);
  } else if (was == StateValue::ALARM && by == ActionsSuppressedBy::Alarm) {
    const Timestamp due = now + seconds(document.actions_suppressor_extension_period.value_or(0));
    set_suppression(*edited, ActionsSuppressedBy::ExtensionPeriod, due);
    agenda_.lock()->timers.insert({due, edited->key});
  } else if (edited->document.timer_due_ms) {
    agenda_.lock()->timers.insert({from_ms(*edited->document.timer_due_ms), edited->key});
  }
}

void AlarmEngine::expire_timers(Timestamp now) {
  std::vector<AlarmKey> expired;
  {
    auto agenda = agenda_.lock();
    while (!agenda->timers.empty() && agenda->timers.begin()->first <= now) {
      expired.push_back(agenda->timers.begin()->second);
      agenda->timers.erase(agenda->timers.begin());
    }
  }
  if (expired.empty()) return;
  const std::lock_guard changes(deps_.book.changes());
  Work work(deps_.book);
  for (const auto& key : expired) {
    const AlarmPtr composite = deps_.book.find(key);
    if (!composite || !composite->document.timer_due_ms || from_ms(*composite->document.timer_due_ms) > now) continue;
    const auto edited = work.edit(key);
    set_suppression(*edited, std::nullopt, std::nullopt);
    AlarmTransition transition;
    transition.alarm = edited;
    // The state it had when it last acted is not kept; the mail's "old" is the other side.
    transition.old_state = edited->state() == StateValue::ALARM ? StateValue::OK : StateValue::ALARM;
    transition.now = now;
    if (is_muted(key, now)) act_or_hold(work, std::move(transition), now);
    else act(work, transition);
  }
  if (Status status = work.save(); !status.ok()) LOG_ERROR("alarm actions cannot be stored: {}", status.error().message());
}

// --- actions ------------------------------------------------------------------------------------------

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
