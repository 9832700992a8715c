#include "api/cloudwatch/alarm_messages.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "query/alarm_rules/evaluate.h"

namespace fog::cloudwatch {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kHistoryDataMax = 4095;
constexpr std::size_t kSubjectMax = 100;

Json text_or_null(const std::optional<std::string>& text) { return text ? Json(*text) : Json(nullptr); }

Json list_or_empty(const std::optional<std::vector<std::string>>& list) {
  return list ? Json(*list) : Json::array();
}

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json parsed(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  return json.is_discarded() ? Json(text) : json;
}

std::string stamp(Timestamp t) { return alarm_rules::format_reason_time(t); }

Json dimensions_json(const std::optional<std::vector<Dimension>>& dimensions) {
  Json out = Json::array();
  for (const auto& d : dimensions.value_or(std::vector<Dimension>{})) out.push_back({{"value", d.value}, {"name", d.name}});
  return out;
}

std::string shouting(std::string_view statistic) {  // SampleCount -> SAMPLE_COUNT
  std::string out;
  for (const char c : statistic) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && !out.empty()) out.push_back('_');
    out.push_back(upper ? c : static_cast<char>(c - 32));
  }
  return out;
}

Json queries_json(const std::vector<MetricDataQuery>& queries) {
  Json out = Json::array();
  for (const auto& query : queries) {
    Json one;
    if (query.metric_stat) {
      one["Id"] = query.id;
      const auto& stat = *query.metric_stat;
      one["MetricStat"]["Metric"] = {{"Dimensions", dimensions_json(stat.metric.dimensions)},
                                     {"MetricName", stat.metric.metric_name.value_or("")},
                                     {"Namespace", stat.metric.namespace_.value_or("")}};
      one["MetricStat"]["Period"] = stat.period;
      one["MetricStat"]["Stat"] = stat.stat;
      if (stat.unit) one["MetricStat"]["Unit"] = std::string(to_string(*stat.unit));
      if (query.label) one["Label"] = *query.label;
    } else {
      one["Expression"] = query.expression.value_or("");
      one["Id"] = query.id;
      if (query.label) one["Label"] = *query.label;
    }
    one["ReturnData"] = query.return_data.value_or(true);
    if (query.account_id) one["AccountId"] = *query.account_id;
    out.push_back(std::move(one));
  }
  return out;
}

Json trigger_of(const MetricAlarm& alarm) {
  Json out;
  if (!alarm.metrics) {
    out["MetricName"] = text_or_null(alarm.metric_name);
    out["Namespace"] = text_or_null(alarm.namespace_);
    if (alarm.statistic) {
      out["StatisticType"] = "Statistic";
      out["Statistic"] = shouting(to_string(*alarm.statistic));
    } else {
      out["StatisticType"] = "ExtendedStatistic";
      out["ExtendedStatistic"] = text_or_null(alarm.extended_statistic);
    }
    out["Unit"] = alarm.unit ? Json(std::string(to_string(*alarm.unit))) : Json(nullptr);
    out["Dimensions"] = dimensions_json(alarm.dimensions);
  }
  std::int32_t period = alarm.period.value_or(0);
  if (alarm.metrics) {
    for (const auto& query : *alarm.metrics) {
      if (query.metric_stat) period = query.metric_stat->period;
      else if (query.period) period = *query.period;
    }
  }
  out["Period"] = period;
  out["EvaluationPeriods"] = alarm.evaluation_periods.value_or(1);
  if (alarm.datapoints_to_alarm) out["DatapointsToAlarm"] = *alarm.datapoints_to_alarm;
  if (alarm.comparison_operator) out["ComparisonOperator"] = std::string(to_string(*alarm.comparison_operator));
  if (alarm.threshold_metric_id) out["ThresholdMetricId"] = *alarm.threshold_metric_id;
  else out["Threshold"] = alarm.threshold.value_or(0);
  out["TreatMissingData"] = alarm.treat_missing_data.value_or("");
  out["EvaluateLowSampleCountPercentile"] = alarm.evaluate_low_sample_count_percentile.value_or("");
  if (alarm.metrics) out["Metrics"] = queries_json(*alarm.metrics);
  return out;
}

Json trigger_of(const LogAlarm& alarm) {
  Json out;
  out["QueryARN"] = alarm.scheduled_query_configuration ? text_or_null(alarm.scheduled_query_configuration->query_arn) : Json();
  out["QueryResultsToEvaluate"] = alarm.query_results_to_evaluate.value_or(1);
  out["QueryResultsToAlarm"] = alarm.query_results_to_alarm.value_or(1);
  if (alarm.comparison_operator) out["ComparisonOperator"] = std::string(to_string(*alarm.comparison_operator));
  out["Threshold"] = alarm.threshold.value_or(0);
  out["TreatMissingData"] = alarm.treat_missing_data.value_or("");
  return out;
}

std::string lower_first(std::string text) {
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] + 32);
  return text;
}

// Members with small initials all the way down, as events have them.
Json camel(const Json& json) {
  if (json.is_array()) {
    Json out = Json::array();
    for (const auto& element : json) out.push_back(camel(element));
    return out;
  }
  if (!json.is_object()) return json;
  Json out = Json::object();
  for (const auto& [name, value] : json.items()) out[lower_first(name)] = camel(value);
  return out;
}

// configuration.metrics of events and function payloads: a single metric appears as one query.
Json metrics_configuration(const MetricAlarm& alarm, const std::string& id) {
  const auto named = [](const std::optional<std::vector<Dimension>>& dimensions) {
    Json out = Json::object();
    for (const auto& d : dimensions.value_or(std::vector<Dimension>{})) out[d.name] = d.value;
    return out;
  };
  Json out = Json::array();
  if (!alarm.metrics) {
    Json stat = {{"metric",
                  {{"namespace", alarm.namespace_.value_or("")},
                   {"name", alarm.metric_name.value_or("")},
                   {"dimensions", named(alarm.dimensions)}}},
                 {"period", alarm.period.value_or(0)},
                 {"stat", alarm.statistic ? std::string(to_string(*alarm.statistic)) : alarm.extended_statistic.value_or("")}};
    if (alarm.unit) stat["unit"] = std::string(to_string(*alarm.unit));
    out.push_back({{"id", id}, {"metricStat", std::move(stat)}, {"returnData", true}});
    return out;
  }
  for (const auto& query : *alarm.metrics) {
    Json one = {{"id", query.id}};
    if (query.metric_stat) {
      one["metricStat"] = {{"metric",
                            {{"namespace", query.metric_stat->metric.namespace_.value_or("")},
                             {"name", query.metric_stat->metric.metric_name.value_or("")},
                             {"dimensions", named(query.metric_stat->metric.dimensions)}}},
                           {"period", query.metric_stat->period},
                           {"stat", query.metric_stat->stat}};
    } else {
      one["expression"] = query.expression.value_or("");
    }
    if (query.label) one["label"] = *query.label;
    one["returnData"] = query.return_data.value_or(true);
    out.push_back(std::move(one));
  }
  return out;
}

Json configuration_of(const AlarmEntry& alarm, const std::string& id) {
  Json out = Json::object();
  if (alarm.type == AlarmType::CompositeAlarm) {
    const auto& composite = *alarm.document.composite;
    out["alarmRule"] = composite.alarm_rule.value_or("");
    if (composite.actions_suppressor) {
      out["actionsSuppressor"] = *composite.actions_suppressor;
      out["actionsSuppressorWaitPeriod"] = composite.actions_suppressor_wait_period.value_or(0);
      out["actionsSuppressorExtensionPeriod"] = composite.actions_suppressor_extension_period.value_or(0);
    }
  }
  const auto description = alarm.visit([](const auto& a) { return a.alarm_description; });
  if (description) out["description"] = *description;
  if (alarm.type == AlarmType::MetricAlarm) out["metrics"] = metrics_configuration(*alarm.document.metric, id);
  if (alarm.type == AlarmType::LogAlarm) out["logAlarm"] = camel(trigger_of(*alarm.document.log));
  return out;
}

Json state_json(StateValue value, const std::string& reason, const std::string& data, Timestamp at) {
  Json out = {{"value", std::string(to_string(value))}, {"reason", reason}};
  if (!data.empty()) out["reasonData"] = data;
  out["timestamp"] = stamp(at);
  return out;
}

// EventBridge's envelope.
std::string event(const AlarmEntry& alarm, std::string_view type, const std::string& id, Timestamp now, Json detail) {
  Json out;
  out["version"] = "0";
  out["id"] = id;
  out["detail-type"] = std::string(type);
  out["source"] = "aws.cloudwatch";
  out["account"] = alarm.key.account;
  out["time"] = stamp(now).substr(0, 19) + "Z";  // events carry whole seconds
  out["region"] = alarm.key.region;
  out["resources"] = Json::array({alarm.arn()});
  out["detail"] = std::move(detail);
  return dump(out);
}

std::string short_list(const std::vector<std::string>& actions) {
  std::string out;
  for (const auto& action : actions) out += (out.empty() ? "" : " ") + ("[" + action + "]");
  return out;
}

}  // namespace

std::string long_date(Timestamp t) {
  constexpr std::string_view kDays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
  constexpr std::string_view kMonths[] = {"January", "February", "March", "April", "May", "June",
                                          "July", "August", "September", "October", "November", "December"};
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::seconds>(t - day));
  return fmt::format("{} {:02} {}, {} {:02}:{:02}:{:02} UTC", kDays[std::chrono::weekday(day).c_encoding()],
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), time.hours().count(), time.minutes().count(), time.seconds().count());
}

std::string region_name(std::string_view region) {
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"us-east-1", "US East (N. Virginia)"},      {"us-east-2", "US East (Ohio)"},
      {"us-west-1", "US West (N. California)"},    {"us-west-2", "US West (Oregon)"},
      {"eu-west-1", "EU (Ireland)"},               {"eu-west-2", "EU (London)"},
      {"eu-west-3", "EU (Paris)"},                 {"eu-central-1", "EU (Frankfurt)"},
      {"eu-north-1", "EU (Stockholm)"},            {"ap-southeast-1", "Asia Pacific (Singapore)"},
      {"ap-southeast-2", "Asia Pacific (Sydney)"}, {"ap-northeast-1", "Asia Pacific (Tokyo)"},
      {"ap-northeast-2", "Asia Pacific (Seoul)"},  {"ap-south-1", "Asia Pacific (Mumbai)"},
      {"sa-east-1", "South America (Sao Paulo)"},  {"ca-central-1", "Canada (Central)"}};
  for (const auto& [code, name] : kNames) {
    if (code == region) return std::string(name);
  }
  return std::string(region);
}

std::string notification_subject(const AlarmTransition& transition) {
  const AlarmEntry& alarm = *transition.alarm;
  // Subjects take printable ASCII only and at most a hundred characters of it.
  std::string name;
  for (const char c : alarm.key.name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) name.push_back(c);
    else if (name.empty() || name.back() != '_') name.push_back('_');
  }
  const std::string head = fmt::format("{}: \"", to_string(alarm.state()));
  const std::string tail = fmt::format("\" in {}", region_name(alarm.key.region));
  if (head.size() + name.size() + tail.size() > kSubjectMax) {
    const std::size_t room = kSubjectMax - head.size() - tail.size();
    name = name.substr(0, room > 3 ? room - 3 : 0) + "...";
  }
  return head + name + tail;
}

std::string notification_json(const AlarmTransition& transition) {
  const AlarmEntry& alarm = *transition.alarm;
  Json out;
  alarm.visit([&](const auto& a) {
    using T = std::decay_t<decltype(a)>;
    constexpr bool composite = std::is_same_v<T, CompositeAlarm>;
    out["AlarmName"] = alarm.key.name;
    out["AlarmDescription"] = text_or_null(a.alarm_description);
    out["AWSAccountId"] = alarm.key.account;
    if constexpr (!composite)
      out["AlarmConfigurationUpdatedTimestamp"] = stamp(a.alarm_configuration_updated_timestamp.value_or(Timestamp{}));
    out["NewStateValue"] = std::string(to_string(alarm.state()));
    out["NewStateReason"] = alarm.reason();
    out["StateChangeTime"] = stamp(a.state_updated_timestamp.value_or(transition.now));
    out["Region"] = region_name(alarm.key.region);
    out["AlarmArn"] = alarm.arn();
    if constexpr (composite) {
      out["OKActions"] = list_or_empty(a.ok_actions);
      out["AlarmActions"] = list_or_empty(a.alarm_actions);
      out["InsufficientDataActions"] = list_or_empty(a.insufficient_data_actions);
      out["OldStateValue"] = std::string(to_string(transition.old_state));
      if (transition.after_mute_window) out["ActionExecutedAfterMuteWindow"] = true;
      out["AlarmRule"] = a.alarm_rule.value_or("");
      Json children = Json::array();
      const Json data = parsed(alarm.reason_data());
      if (data.is_object() && data.contains("triggeringAlarms")) {
        for (const auto& child : data["triggeringAlarms"]) {
          children.push_back({{"Arn", child.value("arn", "")},
                              {"State", {{"Value", child["state"].value("value", "")},
                                         {"Timestamp", child["state"].value("timestamp", "")}}}});
        }
      }
      out["TriggeringChildren"] = std::move(children);
      if (a.actions_suppressed_by) {
        out["ActionsSuppressedBy"] = std::string(to_string(*a.actions_suppressed_by));
        out["ActionsSuppressedReason"] = a.actions_suppressed_reason.value_or("");
      }
    } else {
      out["OldStateValue"] = std::string(to_string(transition.old_state));
      out["ActionExecutedAfterMuteWindow"] = transition.after_mute_window;
      out["OKActions"] = list_or_empty(a.ok_actions);
      out["AlarmActions"] = list_or_empty(a.alarm_actions);
      out["InsufficientDataActions"] = list_or_empty(a.insufficient_data_actions);
      out["Trigger"] = trigger_of(a);
    }
  });
  // Neither the member's name nor its form is documented by AWS: ours.
  for (const auto& line : transition.log_lines) out["LogLines"].push_back({{"Timestamp", line.timestamp}, {"Message", line.message}});
  if (transition.contributor) {
    out["AlarmContributorId"] = transition.contributor->id;
    out["AlarmContributorAttributes"] = transition.contributor->attributes;
  }
  return dump(out);
}

std::string notification_mail(const AlarmTransition& transition, std::string_view console_url) {
  const AlarmEntry& alarm = *transition.alarm;
  const std::string state(to_string(alarm.state()));
  const std::string date = long_date(alarm.state_updated());
  const std::string region = region_name(alarm.key.region);
  const bool composite = alarm.type == AlarmType::CompositeAlarm;
  const auto detail = [](std::string_view label, std::string_view value) {
    return fmt::format("{:<30}{}\n", label, value);
  };
  const auto metric = [](std::string_view label, std::string_view value) { return fmt::format("{:<39}{}\n", label, value); };
  std::string out;
  if (composite) {
    out = fmt::format(
        "You are receiving this email because your Amazon CloudWatch Alarm \"{}\" in the {} region has transitioned to "
        "{} state on {}, because \"{}\".\n\n",
        alarm.key.name, region, state, date, alarm.reason());
  } else {
    out = fmt::format(
        "You are receiving this email because your Amazon CloudWatch Alarm \"{}\" in the {} region has entered the {} "
        "state, because \"{}\" at \"{}\".\n\n",
        alarm.key.name, region, state, alarm.reason(), date);
  }
  out += fmt::format("View this alarm in the AWS Management Console:\n{}/console/#/alarms/{}\n\n", console_url, alarm.key.name);
  const auto description = alarm.visit([](const auto& a) { return a.alarm_description.value_or(""); });
  out += "Alarm Details:\n";
  out += detail("- Name:", alarm.key.name);
  out += detail("- Description:", description);
  out += detail("- State Change:", fmt::format("{} -> {}", to_string(transition.old_state), state));
  if (composite) out += detail("- Alarm Rule:", alarm.document.composite->alarm_rule.value_or(""));
  out += detail("- Reason for State Change:", alarm.reason());
  out += detail("- Timestamp:", date);
  out += detail("- AWS Account:", alarm.key.account);
  out += detail("- Alarm Arn:", alarm.arn());
  out += "\n";
  if (composite) {
    out += "Triggering children (max. 10):\n";
    const Json data = parsed(alarm.reason_data());
    int shown = 0;
    if (data.is_object() && data.contains("triggeringAlarms")) {
      for (const auto& child : data["triggeringAlarms"]) {
        if (shown++ == 10) break;
        out += fmt::format("- {} ({})\n", child.value("arn", ""), child["state"].value("value", ""));
      }
    }
    out += "\n";
  } else if (alarm.type == AlarmType::MetricAlarm) {
    const MetricAlarm& a = *alarm.document.metric;
    const std::int64_t n = a.evaluation_periods.value_or(1), m = a.datapoints_to_alarm.value_or(static_cast<std::int32_t>(n));
    const std::string bound = a.threshold_metric_id ? "the band " + *a.threshold_metric_id
                                                    : alarm_rules::format_number(a.threshold.value_or(0));
    out += "Threshold:\n";
    out += fmt::format(
        "- The alarm is in the ALARM state when the metric is {} {} for at least {} of the last {} period(s) of {} "
        "seconds. \n\n",
        a.comparison_operator ? to_string(*a.comparison_operator) : "", bound, m, n, alarm.rules.period_seconds);
    if (a.metrics) {
      out += "Monitored Metrics:\n";
      for (const auto& query : *a.metrics) {
        if (query.expression) {
          out += metric("- MetricExpression:", *query.expression);
          out += metric("- MetricLabel:", query.label.value_or("No Label"));
        } else if (query.metric_stat) {
          out += metric("- MetricNamespace:", query.metric_stat->metric.namespace_.value_or(""));
          out += metric("- MetricName:", query.metric_stat->metric.metric_name.value_or(""));
        }
      }
    } else {
      out += "Monitored Metric:\n";
      out += metric("- MetricNamespace:", a.namespace_.value_or(""));
      out += metric("- MetricName:", a.metric_name.value_or(""));
      std::string dimensions;
      for (const auto& d : a.dimensions.value_or(std::vector<Dimension>{}))
        dimensions += fmt::format("{}[{} = {}]", dimensions.empty() ? "" : " ", d.name, d.value);
      out += metric("- Dimensions:", dimensions);
      out += metric("- Period:", fmt::format("{} seconds", alarm.rules.period_seconds));
      out += metric("- Statistic:", alarm.rules.statistic);
      out += metric("- Unit:", a.unit ? to_string(*a.unit) : "not specified");
      out += metric("- TreatMissingData:", a.treat_missing_data.value_or("missing"));
    }
    out += "\n\n";
  }
  if (!transition.log_lines.empty()) {
    out += "Log Lines:\n";
    for (const auto& line : transition.log_lines) out += fmt::format("- {} {}\n", line.timestamp, line.message);
    out += "\n";
  }
  out += "State Change Actions:\n";
  out += fmt::format("- OK: {}\n", short_list(alarm.actions(StateValue::OK)));
  out += fmt::format("- ALARM: {}\n", short_list(alarm.actions(StateValue::ALARM)));
  out += fmt::format("- INSUFFICIENT_DATA: {}\n", short_list(alarm.actions(StateValue::INSUFFICIENT_DATA)));
  return out;
}

std::string lambda_payload(const AlarmTransition& transition) {
  const AlarmEntry& alarm = *transition.alarm;
  Json data;
  data["alarmName"] = alarm.key.name;
  data["state"] = state_json(alarm.state(), alarm.reason(), alarm.reason_data(), alarm.state_updated());
  data["previousState"] = state_json(transition.old_state, transition.old_reason, transition.old_reason_data, transition.old_updated);
  data["configuration"] = configuration_of(alarm, "m1");
  Json out;
  out["source"] = "aws.cloudwatch";
  out["alarmArn"] = alarm.arn();
  out["accountId"] = alarm.key.account;
  out["time"] = stamp(transition.now);
  out["region"] = alarm.key.region;
  out["alarmData"] = std::move(data);
  return dump(out);
}

std::string state_change_event(const AlarmTransition& transition, const std::string& id) {
  const AlarmEntry& alarm = *transition.alarm;
  Json detail;
  detail["alarmName"] = alarm.key.name;
  Json state = state_json(alarm.state(), alarm.reason(), alarm.reason_data(), alarm.state_updated());
  if (alarm.type == AlarmType::CompositeAlarm && alarm.document.composite->actions_suppressed_by) {
    state["actionsSuppressedBy"] = std::string(to_string(*alarm.document.composite->actions_suppressed_by));
    state["actionsSuppressedReason"] = alarm.document.composite->actions_suppressed_reason.value_or("");
  }
  detail["state"] = std::move(state);
  detail["previousState"] = state_json(transition.old_state, transition.old_reason, transition.old_reason_data, transition.old_updated);
  detail["configuration"] = configuration_of(alarm, id);
  return event(alarm, "CloudWatch Alarm State Change", id, transition.now, std::move(detail));
}

std::string contributor_event(const AlarmTransition& transition, const std::string& id) {
  const AlarmEntry& alarm = *transition.alarm;
  Json detail;
  detail["alarmName"] = alarm.key.name;
  detail["alarmContributor"] = {{"id", transition.contributor->id}, {"attributes", transition.contributor->attributes}};
  detail["state"] = state_json(alarm.state(), alarm.reason(), "", alarm.state_updated());
  detail["configuration"] = configuration_of(alarm, id);
  return event(alarm, "CloudWatch Alarm Contributor State Change", id, transition.now, std::move(detail));
}

std::string configuration_event(const AlarmEntry& alarm, const AlarmEntry* before, std::string_view operation, const std::string& id,
                                Timestamp now) {
  const auto configuration = [&](const AlarmEntry& of) {
    Json out = configuration_of(of, id);
    out["alarmName"] = of.key.name;
    of.visit([&](const auto& a) {
      using T = std::decay_t<decltype(a)>;
      if constexpr (std::is_same_v<T, MetricAlarm>) {
        out["evaluationPeriods"] = a.evaluation_periods.value_or(1);
        if (a.datapoints_to_alarm) out["datapointsToAlarm"] = *a.datapoints_to_alarm;
        if (a.threshold_metric_id) out["thresholdMetricId"] = *a.threshold_metric_id;
        else out["threshold"] = a.threshold.value_or(0);
        if (a.comparison_operator) out["comparisonOperator"] = std::string(to_string(*a.comparison_operator));
        if (a.treat_missing_data) out["treatMissingData"] = *a.treat_missing_data;
      }
      out["actionsEnabled"] = a.actions_enabled.value_or(true);
      out["timestamp"] = stamp(a.alarm_configuration_updated_timestamp.value_or(now));
      out["okActions"] = list_or_empty(a.ok_actions);
      out["alarmActions"] = list_or_empty(a.alarm_actions);
      out["insufficientDataActions"] = list_or_empty(a.insufficient_data_actions);
    });
    return out;
  };
  Json detail;
  detail["alarmName"] = alarm.key.name;
  detail["operation"] = std::string(operation);
  detail["state"] = {{"value", std::string(to_string(alarm.state()))}, {"timestamp", stamp(alarm.state_updated())}};
  if (alarm.type == AlarmType::CompositeAlarm && alarm.document.composite->actions_suppressed_by)
    detail["state"]["actionsSuppressedBy"] = std::string(to_string(*alarm.document.composite->actions_suppressed_by));
  detail["configuration"] = configuration(alarm);
  if (before != nullptr) detail["previousConfiguration"] = configuration(*before);
  return event(alarm, "CloudWatch Alarm Configuration Change", id, now, std::move(detail));
}

std::string state_history(const AlarmTransition& transition) {
  const AlarmEntry& alarm = *transition.alarm;
  const auto state = [](StateValue value, const std::string& reason, const std::string& data) {
    Json out = {{"stateValue", std::string(to_string(value))}, {"stateReason", reason}};
    if (!data.empty()) out["stateReasonData"] = parsed(data);
    return out;
  };
  Json out = {{"version", "1.0"},
              {"oldState", state(transition.old_state, transition.old_reason, transition.old_reason_data)},
              {"newState", state(alarm.state(), alarm.reason(), alarm.reason_data())}};
  std::string text = dump(out);
  if (text.size() > kHistoryDataMax) {  // the data of the past goes first
    out["oldState"].erase("stateReasonData");
    text = dump(out);
  }
  if (text.size() > kHistoryDataMax) {
    out["newState"].erase("stateReasonData");
    text = dump(out);
  }
  return text;
}

std::string configuration_history(const AlarmEntry& alarm, ConfigurationChange change) {
  Json object;
  object["alarmName"] = alarm.key.name;
  alarm.visit([&](const auto& a) {
    using T = std::decay_t<decltype(a)>;
    if (a.alarm_description) object["alarmDescription"] = *a.alarm_description;
    object["alarmArn"] = alarm.arn();
    object["alarmConfigurationUpdatedTimestamp"] = stamp(a.alarm_configuration_updated_timestamp.value_or(Timestamp{}));
    if constexpr (std::is_same_v<T, MetricAlarm>) {
      if (a.metrics) {
        object["metrics"] = camel(queries_json(*a.metrics));
      } else {
        object["namespace"] = a.namespace_.value_or("");
        object["metricName"] = a.metric_name.value_or("");
        if (a.statistic) object["statistic"] = std::string(to_string(*a.statistic));
        else object["extendedStatistic"] = a.extended_statistic.value_or("");
        object["period"] = a.period.value_or(0);
        if (a.unit) object["unit"] = std::string(to_string(*a.unit));
      }
      object["dimensions"] = dimensions_json(a.dimensions);
      if (a.threshold_metric_id) object["thresholdMetricId"] = *a.threshold_metric_id;
      else object["threshold"] = a.threshold.value_or(0);
      if (a.comparison_operator) object["comparisonOperator"] = std::string(to_string(*a.comparison_operator));
      object["evaluationPeriods"] = a.evaluation_periods.value_or(1);
      if (a.datapoints_to_alarm) object["datapointsToAlarm"] = *a.datapoints_to_alarm;
      if (a.treat_missing_data) object["treatMissingData"] = *a.treat_missing_data;
    } else if constexpr (std::is_same_v<T, CompositeAlarm>) {
      object["alarmRule"] = a.alarm_rule.value_or("");
      if (a.actions_suppressor) {
        object["actionsSuppressor"] = *a.actions_suppressor;
        object["actionsSuppressorWaitPeriod"] = a.actions_suppressor_wait_period.value_or(0);
        object["actionsSuppressorExtensionPeriod"] = a.actions_suppressor_extension_period.value_or(0);
      }
    } else {
      object["threshold"] = a.threshold.value_or(0);
      if (a.comparison_operator) object["comparisonOperator"] = std::string(to_string(*a.comparison_operator));
    }
    object["stateValue"] = std::string(to_string(alarm.state()));
    object["stateUpdatedTimestamp"] = stamp(alarm.state_updated());
    object["actionsEnabled"] = alarm.actions_enabled();
    object["alarmActions"] = list_or_empty(a.alarm_actions);
    object["insufficientDataActions"] = list_or_empty(a.insufficient_data_actions);
    object["okactions"] = list_or_empty(a.ok_actions);
  });
  const char* type = change == ConfigurationChange::kCreate ? "Create" : change == ConfigurationChange::kUpdate ? "Update" : "Delete";
  const char* member = change == ConfigurationChange::kCreate   ? "createdAlarm"
                       : change == ConfigurationChange::kUpdate ? "updatedAlarm"
                                                                : "deletedAlarm";
  Json out = {{"version", "1.0"}, {"type", type}, {member, object}};
  std::string text = dump(out);
  if (text.size() > kHistoryDataMax) {
    for (const char* big : {"metrics", "alarmRule", "alarmDescription"}) out[member].erase(big);
    text = dump(out);
  }
  return text.size() > kHistoryDataMax ? fmt::format(R"({{"version":"1.0","type":"{}"}})", type) : text;
}

std::string action_history(const AlarmTransition& transition, std::string_view action, bool succeeded,
                           std::string_view error, std::string_view published) {
  Json out = {{"actionState", succeeded ? "Succeeded" : "Failed"},
              {"stateUpdateTimestamp", to_ms(transition.alarm->state_updated())},
              {"notificationResource", std::string(action)}};
  out["publishedMessage"] = published.empty() ? Json(nullptr) : Json(std::string(published));
  out["error"] = error.empty() ? Json(nullptr) : Json(std::string(error));
  std::string text = dump(out);
  if (text.size() > kHistoryDataMax) {
    Json message = parsed(std::string(published));
    if (message.is_object()) {
      message.erase("email");
      out["publishedMessage"] = dump(message);
      text = dump(out);
    }
  }
  if (text.size() > kHistoryDataMax) {
    out["publishedMessage"] = nullptr;
    text = dump(out);
  }
  return text;
}

}  // namespace fog::cloudwatch
