// Composite alarms: what follows when a child changes, and who suppresses whose actions.
#include "api/cloudwatch/alarm_work.h"

#include <fmt/format.h>

#include "query/alarm_rules/windows.h"
#include "storage/base/log.h"

namespace fog::cloudwatch {
namespace {

using std::chrono::seconds;

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

}  // namespace

void set_suppression(AlarmEntry& composite, std::optional<ActionsSuppressedBy> by, std::optional<Timestamp> due) {
  auto& document = *composite.document.composite;
  document.actions_suppressed_by = by;
  document.actions_suppressed_reason.reset();
  if (by) document.actions_suppressed_reason = fmt::format("Actions suppressed by {}", to_string(*by));
  composite.document.timer_due_ms.reset();
  if (due) composite.document.timer_due_ms = to_ms(*due);
}

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

}  // namespace fog::cloudwatch
