// What an alarm looks at and what it makes of it.
#include "api/cloudwatch/alarm_engine.h"

#include <fmt/format.h>

#include "api/cloudwatch/alarm_fetch.h"
#include "api/cloudwatch/alarm_log.h"
#include "api/cloudwatch/model.h"
#include "query/alarm_rules/windows.h"
#include "storage/base/hash.h"
#include "storage/base/log.h"

namespace fog::cloudwatch {
namespace {

using std::chrono::seconds;

constexpr std::size_t kContributorsMax = 100;
constexpr std::size_t kContributorSeriesMax = 500;

}  // namespace

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

}  // namespace fog::cloudwatch
