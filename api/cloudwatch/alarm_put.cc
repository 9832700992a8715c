// Alarms: put, delete, set state, switch actions on and off.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "api/cloudwatch/alarm_put.h"
#include "api/cloudwatch/metric_queries.h"
#include "query/alarm_rules/windows.h"
#include "query/metric_math/evaluate.h"

namespace fog::cloudwatch {
namespace {

constexpr std::size_t kMetricsMax = 20;
constexpr std::size_t kMetricStatsMax = 10;
constexpr std::size_t kExpressionsMax = 10;
constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kWeek = 604'800;
constexpr std::size_t kCompositesPerChildMax = 150;

bool is_band_operator(ComparisonOperator op) {
  return op == ComparisonOperator::LessThanLowerOrGreaterThanUpperThreshold ||
         op == ComparisonOperator::LessThanLowerThreshold || op == ComparisonOperator::GreaterThanUpperThreshold;
}

bool is_alarm_period(std::int64_t period) {
  return period == 10 || period == 20 || period == 30 || (period > 0 && period % 60 == 0);
}

Status check_span(std::int64_t period, std::int64_t n) {
  if (period < 3600 && period * n > kDay)
    return validation("Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).");
  if (period >= 3600 && period * n > kWeek)
    return validation("Metrics cannot be checked across more than a week (EvaluationPeriods * Period must be <= 604800).");
  return Ok{};
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return out;
}

// A SELECT whose groups make several series must say which come first.
Status check_select(std::string_view expression) {
  const std::string text = upper(expression);
  if (text.find("GROUP BY") != std::string::npos && text.find("ORDER BY") == std::string::npos)
    return validation(
        "Metrics expression that return multi time series are only allowed for MetricsInsights expression with an "
        "ORDER BY clause");
  return Ok{};
}

// Evaluates the expressions over made-up series: finds unknown functions, bad syntax, and how many
// series the one that returns data would give.
Status check_math(const std::vector<MetricDataQuery>& queries, const std::string* band) {
  std::vector<metric_math::Query> math;
  for (const auto& query : queries) {
    metric_math::Query one;
    one.id = query.id;
    if (query.expression && !is_select(*query.expression)) {
      one.expression = *query.expression;
      const auto mentioned = metric_math::mentions(*query.expression);
      if (mentioned.ok() && std::find(mentioned->functions.begin(), mentioned->functions.end(), "SEARCH") != mentioned->functions.end())
        return validation(
            "Metrics expression that return multi time series are only allowed for MetricsInsights expression with an "
            "ORDER BY clause");
    } else {
      metric_math::Series series;
      series.push(0, 1);
      series.push(60'000, 2);
      if (query.metric_stat) series.period_ms = query.metric_stat->period * 1000;
      one.given = series;
      one.is_metric = query.metric_stat.has_value();
      one.period_ms = series.period_ms;
    }
    math.push_back(std::move(one));
  }
  metric_math::Environment environment;
  environment.end_ms = 120'000;
  environment.band = [](const metric_math::Series& s, double) -> Result<std::pair<metric_math::Series, metric_math::Series>> {
    return std::pair(s, s);
  };
  environment.insight_rule = [](const std::string&, const std::string&, std::int64_t) -> Result<metric_math::Series> {
    return metric_math::Series{};
  };
  const auto results = metric_math::evaluate(math, environment);
  if (!results.ok()) return validation(results.error().message());
  for (std::size_t i = 0; i < queries.size(); ++i) {
    if (!queries[i].return_data.value_or(true) || (band != nullptr && queries[i].id == *band)) continue;
    if ((*results)[i].is_array)
      return validation(
          "Metrics expression that return multi time series are only allowed for MetricsInsights expression with an "
          "ORDER BY clause");
  }
  return Ok{};
}

Status check_metrics(const PutMetricAlarmInput& in) {
  const auto forbidden = [](bool given, std::string_view name) -> Status {
    if (given) return validation(fmt::format("{} should not be set if list of Metrics is set.", name));
    return Ok{};
  };
  TRYV(forbidden(in.statistic.has_value(), "Statistic"));
  TRYV(forbidden(in.extended_statistic.has_value(), "ExtendedStatistic"));
  TRYV(forbidden(in.metric_name.has_value(), "MetricName"));
  TRYV(forbidden(in.namespace_.has_value(), "Namespace"));
  TRYV(forbidden(in.dimensions.has_value() && !in.dimensions->empty(), "Dimensions"));
  TRYV(forbidden(in.period.has_value(), "Period"));
  TRYV(forbidden(in.unit.has_value(), "Unit"));
  const auto& queries = *in.metrics;
  const auto broken = [] { return validation("Invalid metrics list"); };
  std::size_t stats = 0, expressions = 0, returning = 0;
  std::set<std::int64_t> periods;
  bool band_found = false;
  for (const auto& query : queries) {
    if (query.metric_stat) {
      ++stats;
      periods.insert(query.metric_stat->period);
      if (!parse_statistic(query.metric_stat->stat)) return broken();
      if (!is_alarm_period(query.metric_stat->period)) return broken();
    } else {
      ++expressions;
      if (query.period) periods.insert(*query.period);
    }
    if (query.return_data.value_or(true)) ++returning;
    if (in.threshold_metric_id && query.id == *in.threshold_metric_id) band_found = true;
  }
  if (queries.size() > kMetricsMax || stats > kMetricStatsMax || expressions > kExpressionsMax) return broken();
  if (in.threshold_metric_id) {
    if (returning != 2 || !band_found) return validation("Exactly two elements of the metrics list should return data.");
  } else if (returning != 1) {
    return validation("Exactly one element of the metrics list should return data.");
  }
  if (periods.size() > 1) return broken();
  for (const auto& query : queries) {
    if (query.expression && is_select(*query.expression)) TRYV(check_select(*query.expression));
  }
  if (Status checked = check_queries(queries, "Metrics"); !checked.ok()) {
    const std::string& message = checked.error().message();
    return message.starts_with("Error in expression") ? validation(message) : broken();
  }
  TRYV(check_math(queries, in.threshold_metric_id ? &*in.threshold_metric_id : nullptr));
  const std::int64_t period = periods.empty() ? 60 : *periods.begin();
  if (in.threshold_metric_id && period < 60) return broken();
  return check_span(period, in.evaluation_periods.value_or(1));
}

Status check_single(const PutMetricAlarmInput& in) {
  const auto required = [](bool given, std::string_view name) -> Status {
    if (!given) return validation(fmt::format("{} must not be null", name));
    return Ok{};
  };
  TRYV(required(in.metric_name.has_value(), "MetricName"));
  TRYV(required(in.namespace_.has_value(), "Namespace"));
  if (in.statistic && in.extended_statistic)
    return validation("Exactly one of Statistic and ExtendedStatistic must be set.");
  if (!in.statistic && !in.extended_statistic) return validation("Statistic must not be null");
  if (in.extended_statistic) {
    const auto statistic = parse_statistic(*in.extended_statistic);
    if (!statistic || !statistic->is_extended())
      return invalid_value(fmt::format("The value {} for parameter ExtendedStatistic is not supported.", *in.extended_statistic));
  }
  TRYV(required(in.period.has_value(), "Period"));
  if (!is_alarm_period(*in.period)) return validation("Period must be 10, 30 or a multiple of 60");
  TRYV(required(in.evaluation_periods.has_value(), "EvaluationPeriods"));
  return check_span(*in.period, *in.evaluation_periods);
}

Status check_window(const PutMetricAlarmInput& in, std::int64_t period) {
  if (!in.evaluation_window || !in.evaluation_window->wall_clock_window) return Ok{};
  if (!alarm_rules::wall_clock_period_allowed(period))
    return validation("WallClockWindow requires a period of 60, 300, 3600, 86400 or 604800 seconds");
  const std::string zone = in.evaluation_window->wall_clock_window->timezone.value_or("UTC");
  if (!alarm_rules::TimeZone::find(zone).ok())
    return validation(fmt::format("The value {} is not supported for Timezone parameter.", zone));
  return Ok{};
}

Status check_special_actions(const PutMetricAlarmInput& in) {
  for (const auto* list : {&in.ok_actions, &in.alarm_actions, &in.insufficient_data_actions}) {
    for (const auto& action : list->value_or(std::vector<std::string>{})) {
      const bool ec2 = action.find(":automate:") != std::string::npos && action.find(":ec2:") != std::string::npos;
      const bool scaling = action.find(":autoscaling:") != std::string::npos;
      if (in.metrics && ec2) return validation("EC2 actions are not supported for alarms on metric math expressions.");
      if (in.threshold_metric_id && scaling)
        return validation("Auto Scaling actions are not supported for alarms on anomaly detection models.");
      if (ec2 && action.ends_with(":recover") &&
          (in.metric_name != "StatusCheckFailed_System" || in.namespace_ != "AWS/EC2"))
        return validation(
            "The EC2 'Recover' action can only be defined on the 'StatusCheckFailed_System' metric and 'AWS/EC2' "
            "namespace.");
    }
  }
  return Ok{};
}

Status check_metric_alarm(const Call& call, const PutMetricAlarmInput& in) {
  if (has_control_characters(in.alarm_name)) return validation("AlarmName must not contain control characters");
  if (in.evaluation_criteria) return validation("PromQL alarms are not supported by Fogwatch");
  if (in.evaluation_interval) return validation("EvaluationInterval should only be set with EvaluationCriteria.");
  if (in.metrics) TRYV(check_metrics(in));
  else TRYV(check_single(in));
  if (!in.evaluation_periods) return validation("EvaluationPeriods must not be null");
  if (in.datapoints_to_alarm && *in.datapoints_to_alarm > *in.evaluation_periods)
    return validation("DatapointsToAlarm must be less than or equal to EvaluationPeriods");
  if (!in.comparison_operator) return validation("ComparisonOperator must not be null");
  if (in.threshold_metric_id) {
    if (!in.metrics) return validation("ThresholdMetricId requires the list of Metrics to be set.");
    if (in.threshold) return validation("Threshold should not be set if ThresholdMetricId is set.");
    if (!is_band_operator(*in.comparison_operator))
      return validation("ComparisonOperator must be an anomaly detection operator if ThresholdMetricId is set.");
  } else {
    if (!in.threshold) return validation("Threshold must not be null");
    if (is_band_operator(*in.comparison_operator))
      return validation("ThresholdMetricId must be set for anomaly detection operators.");
  }
  if (in.treat_missing_data && !alarm_rules::parse_missing_data(*in.treat_missing_data))
    return validation(fmt::format(
        "The value {} is not supported for TreatMissingData parameter. Supported values are [breaching, notBreaching, "
        "ignore, missing].",
        *in.treat_missing_data));
  if (in.evaluate_low_sample_count_percentile && *in.evaluate_low_sample_count_percentile != "evaluate" &&
      *in.evaluate_low_sample_count_percentile != "ignore")
    return validation(fmt::format(
        "Option {} is not supported. Supported options for parameter EvaluateLowSampleCountPercentile are evaluate and "
        "ignore.",
        *in.evaluate_low_sample_count_percentile));
  std::int64_t period = in.period.value_or(60);
  if (in.metrics) {
    for (const auto& query : *in.metrics) {
      if (query.metric_stat) period = query.metric_stat->period;
      else if (query.period) period = *query.period;
    }
  }
  TRYV(check_window(in, period));
  TRYV(check_actions(call, {&in.ok_actions, &in.alarm_actions, &in.insufficient_data_actions}));
  return check_special_actions(in);
}

Result<Empty> put_metric_alarm(Call& call, const PutMetricAlarmInput& in) {
  TRYV(check_metric_alarm(call, in));
  AlarmEngine& engine = call.service<AlarmEngine>();
  auto entry = std::make_shared<AlarmEntry>();
  MetricAlarm& alarm = entry->document.metric.emplace();
  begin_alarm(call, in, AlarmType::MetricAlarm, *entry, alarm);
  alarm.metric_name = in.metric_name;
  alarm.namespace_ = in.namespace_;
  alarm.statistic = in.statistic;
  alarm.extended_statistic = in.extended_statistic;
  alarm.dimensions = in.dimensions.value_or(std::vector<Dimension>{});
  alarm.period = in.period;
  alarm.unit = in.unit;
  alarm.evaluation_periods = in.evaluation_periods;
  alarm.datapoints_to_alarm = in.datapoints_to_alarm;
  alarm.threshold = in.threshold;
  alarm.comparison_operator = in.comparison_operator;
  alarm.treat_missing_data = in.treat_missing_data;
  alarm.evaluate_low_sample_count_percentile = in.evaluate_low_sample_count_percentile;
  alarm.metrics = in.metrics;
  alarm.threshold_metric_id = in.threshold_metric_id;
  alarm.evaluation_window = in.evaluation_window;

  AlarmBook& book = engine.book();
  const std::lock_guard changes(book.changes());
  TRY(const AlarmPtr old, existing(book, entry->key, entry->type));
  carry_over(alarm, *entry, old, call.now);
  if (Status ready = prepare(*entry); !ready.ok()) return validation(ready.error().message());
  return finish_put(call, engine, std::move(entry), old, in.tags);
}

// --- composites -------------------------------------------------------------------------------------------

Result<Empty> put_composite_alarm(Call& call, const PutCompositeAlarmInput& in) {
  if (has_control_characters(in.alarm_name)) return validation("AlarmName must not contain control characters");
  TRYV(check_actions(call, {&in.ok_actions, &in.alarm_actions, &in.insufficient_data_actions}));
  for (const auto* list : {&in.ok_actions, &in.alarm_actions, &in.insufficient_data_actions}) {
    for (const auto& action : list->value_or(std::vector<std::string>{})) {
      if (action.find(":automate:") != std::string::npos || action.find(":autoscaling:") != std::string::npos)
        return validation(fmt::format("Action {} is not supported for composite alarms", action));
    }
  }
  const bool has_periods = in.actions_suppressor_wait_period && in.actions_suppressor_extension_period;
  if (in.actions_suppressor && !has_periods)
    return validation("ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod are required if ActionsSuppressor is set");
  if (!in.actions_suppressor && (in.actions_suppressor_wait_period || in.actions_suppressor_extension_period))
    return validation("ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod require ActionsSuppressor");
  if (in.actions_suppressor && (*in.actions_suppressor_wait_period < 0 || *in.actions_suppressor_extension_period < 0))
    return validation("ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod must not be negative");

  AlarmEngine& engine = call.service<AlarmEngine>();
  AlarmBook& book = engine.book();
  auto entry = std::make_shared<AlarmEntry>();
  CompositeAlarm& alarm = entry->document.composite.emplace();
  begin_alarm(call, in, AlarmType::CompositeAlarm, *entry, alarm);
  alarm.alarm_rule = in.alarm_rule;
  alarm.actions_suppressor = in.actions_suppressor;
  alarm.actions_suppressor_wait_period = in.actions_suppressor_wait_period;
  alarm.actions_suppressor_extension_period = in.actions_suppressor_extension_period;
  if (Status ready = prepare(*entry); !ready.ok()) return validation(ready.error().message());

  const std::lock_guard changes(book.changes());
  TRY(const AlarmPtr old, existing(book, entry->key, entry->type));
  for (const auto& reference : entry->rule->children()) {
    const bool own_name = reference == in.alarm_name || reference == *alarm.alarm_arn;
    if (own_name) return validation("AlarmRule must not refer to the alarm itself");
    const AlarmPtr child = book.resolve(call.account, call.region, reference);
    if (!child) return validation(fmt::format("AlarmRule refers to an alarm that does not exist: {}", reference));
    if (!old && book.parents(*child).size() >= kCompositesPerChildMax)
      return validation(fmt::format("Alarm {} is part of too many composite alarms", reference));
  }
  if (in.actions_suppressor && !book.resolve(call.account, call.region, *in.actions_suppressor))
    return validation(fmt::format("ActionsSuppressor refers to an alarm that does not exist: {}", *in.actions_suppressor));
  carry_over(alarm, *entry, old, call.now);
  // Another suppressor starts without the timers of the one before.
  if (old && old->document.composite->actions_suppressor == in.actions_suppressor) {
    alarm.actions_suppressed_by = old->document.composite->actions_suppressed_by;
    alarm.actions_suppressed_reason = old->document.composite->actions_suppressed_reason;
    entry->document.timer_due_ms = old->document.timer_due_ms;
  }
  return finish_put(call, engine, std::move(entry), old, in.tags);
}

// --- delete ---------------------------------------------------------------------------------------------------

Result<Empty> delete_alarms(Call& call, const DeleteAlarmsInput& in) {
  AlarmEngine& engine = call.service<AlarmEngine>();
  AlarmBook& book = engine.book();
  const std::lock_guard changes(book.changes());
  std::vector<AlarmPtr> found;
  std::set<AlarmKey> keys;
  for (const auto& name : in.alarm_names) {
    const AlarmPtr alarm = book.find(alarm_key(call, name));
    if (alarm && keys.insert(alarm->key).second) found.push_back(alarm);
  }
  const auto of_type = [&](AlarmType type) {
    return std::count_if(found.begin(), found.end(), [&](const auto& a) { return a->type == type; });
  };
  if (of_type(AlarmType::CompositeAlarm) > 1) return validation("At most one composite alarm can be deleted per call");
  if (of_type(AlarmType::LogAlarm) > 0 && found.size() > 1) return validation("A log alarm can only be deleted by itself");
  for (const auto& alarm : found) {
    for (const auto& parent : book.parents(*alarm)) {
      if (!keys.contains(parent->key))
        return validation(fmt::format("Cannot delete {} as there are composite alarm(s) depending on it.", alarm->key.name));
    }
  }
  if (found.empty()) return Empty{};
  TRYV(engine.erase_locked(found, call.now));
  call.durable_after(book.last_lsn());
  for (const auto& alarm : found) TRYV(erase_tags(call, alarm->arn()));
  return Empty{};
}

// --- state ------------------------------------------------------------------------------------------------------

Result<Empty> set_alarm_state(Call& call, const SetAlarmStateInput& in) {
  if (in.state_reason_data && !in.state_reason_data->empty() && !nlohmann::json::accept(*in.state_reason_data))
    return fault(InvalidFormatFault{.message = "StateReasonData is not valid JSON"});
  auto data = in.state_reason_data;
  if (data && data->empty()) data.reset();
  Status status = call.service<AlarmEngine>().set_state(alarm_key(call, in.alarm_name), in.state_value, in.state_reason,
                                                        std::move(data), call.now);
  if (!status.ok() && status.error().kind() == ErrorKind::kNotFound)
    return fault(ResourceNotFound{});  // without a message
  if (!status.ok()) return std::move(status).error();
  call.durable_after(call.service<AlarmEngine>().book().last_lsn());
  return Empty{};
}

std::vector<AlarmKey> keys_of(const Call& call, const std::vector<std::string>& names) {
  std::vector<AlarmKey> out;
  for (const auto& name : names) out.push_back(alarm_key(call, name));
  return out;
}

Result<Empty> enable_alarm_actions(Call& call, const EnableAlarmActionsInput& in) {
  TRYV(call.service<AlarmEngine>().enable_actions(keys_of(call, in.alarm_names), true, call.now));
  call.durable_after(call.service<AlarmEngine>().book().last_lsn());
  return Empty{};
}

Result<Empty> disable_alarm_actions(Call& call, const DisableAlarmActionsInput& in) {
  TRYV(call.service<AlarmEngine>().enable_actions(keys_of(call, in.alarm_names), false, call.now));
  call.durable_after(call.service<AlarmEngine>().book().last_lsn());
  return Empty{};
}

constexpr Operation kOperations[] = {
    bind<put_metric_alarm>(),   bind<put_composite_alarm>(),  bind<delete_alarms>(),
    bind<set_alarm_state>(),    bind<enable_alarm_actions>(), bind<disable_alarm_actions>(),
};

}  // namespace

std::span<const Operation> alarm_put_operations() { return kOperations; }

AlarmKey alarm_key(const Call& call, const std::string& name) { return {call.account, call.region, name}; }

Status check_actions(const Call& call, std::initializer_list<const ActionList*> lists) {
  for (const auto* list : lists) {
    for (const auto& action : list->value_or(std::vector<std::string>{})) {
      // arn:partition:service:region:account:resource; some services have no region or account.
      std::vector<std::string_view> parts;
      std::string_view rest = action;
      for (int i = 0; i < 5; ++i) {
        const std::size_t colon = rest.find(':');
        if (colon == std::string_view::npos) break;
        parts.push_back(rest.substr(0, colon));
        rest.remove_prefix(colon + 1);
      }
      if (parts.size() < 5 || parts[0] != "arn" || parts[2].empty() || rest.empty())
        return validation(fmt::format("Invalid arn syntax: {}", action));
      if (!parts[3].empty() && parts[3] != call.region)
        return validation(fmt::format("Invalid region {} specified. Only {} is supported.", parts[3], call.region));
    }
  }
  return Ok{};
}

}  // namespace fog::cloudwatch
