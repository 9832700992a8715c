// Alarms as they are shown: lists, alarms of a metric, history, contributors.
#include <fmt/format.h>

#include "api/cloudwatch/alarm_operations.h"
#include "api/cloudwatch/model.h"
#include "storage/base/hash.h"

namespace fog::cloudwatch {
namespace {

constexpr std::size_t kRecordsDefault = 50;
constexpr std::size_t kHistoryDefault = 100;
constexpr std::size_t kContributorsPage = 100;

Error bad_token() { return fault(InvalidNextToken{.message = "The next token is invalid."}); }

// What of the other parameters a token belongs to.
std::uint64_t parameters_of(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const auto part : parts) {
    text += part;
    text += '\n';
  }
  return hash64(text);
}

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (const auto& item : list) out += item + "\x1f";
  return out;
}

bool wants(const std::optional<std::vector<AlarmType>>& types, AlarmType type) {
  if (!types || types->empty()) return type == AlarmType::MetricAlarm;
  return std::find(types->begin(), types->end(), type) != types->end();
}

// Position of a list in the answer: kinds first, then names.
std::string order_key(const AlarmEntry& alarm) { return alarm.key.name; }

void show(DescribeAlarmsOutput& out, const AlarmEntry& alarm) {
  switch (alarm.type) {
    case AlarmType::CompositeAlarm: out.composite_alarms->push_back(*alarm.document.composite); break;
    case AlarmType::LogAlarm: out.log_alarms->push_back(*alarm.document.log); break;
    case AlarmType::MetricAlarm: out.metric_alarms->push_back(*alarm.document.metric); break;
  }
}

// Children show their state, parents their name only.
void show_relative(DescribeAlarmsOutput& out, const AlarmEntry& alarm, bool with_state) {
  const auto reduce = [&](auto reduced) {
    reduced.alarm_name = alarm.key.name;
    reduced.alarm_arn = alarm.arn();
    if (with_state) {
      reduced.state_value = alarm.state();
      reduced.state_updated_timestamp = alarm.state_updated();
    }
    return reduced;
  };
  if (alarm.type == AlarmType::CompositeAlarm) out.composite_alarms->push_back(reduce(CompositeAlarm{}));
  else if (alarm.type == AlarmType::LogAlarm) out.log_alarms->push_back(reduce(LogAlarm{}));
  else out.metric_alarms->push_back(reduce(MetricAlarm{}));
}

bool has_action_prefix(const AlarmEntry& alarm, const std::string& prefix) {
  for (const StateValue state : {StateValue::OK, StateValue::ALARM, StateValue::INSUFFICIENT_DATA}) {
    for (const auto& action : alarm.actions(state)) {
      if (action.starts_with(prefix)) return true;
    }
  }
  return false;
}

Result<DescribeAlarmsOutput> describe_alarms(Call& call, const DescribeAlarmsInput& in) {
  AlarmBook& book = call.service<AlarmEngine>().book();
  DescribeAlarmsOutput out;
  out.metric_alarms.emplace();
  out.composite_alarms.emplace();
  out.log_alarms.emplace();
  if (in.alarm_names && !in.alarm_names->empty() && in.alarm_name_prefix)
    return validation("AlarmNamePrefix and AlarmNames cannot both be set.");
  const bool relatives = in.children_of_alarm_name || in.parents_of_alarm_name;
  if (relatives) {
    const bool others = in.alarm_names || in.alarm_name_prefix || in.alarm_types || in.state_value || in.action_prefix ||
                        (in.children_of_alarm_name && in.parents_of_alarm_name);
    if (others)
      return validation(
          "ChildrenOfAlarmName and ParentsOfAlarmName cannot be used with other parameters except MaxRecords and "
          "NextToken.");
  }
  const std::uint64_t parameters = parameters_of(
      {joined(in.alarm_names.value_or(std::vector<std::string>{})), in.alarm_name_prefix.value_or(""),
       in.children_of_alarm_name.value_or(""), in.parents_of_alarm_name.value_or(""), in.action_prefix.value_or(""),
       in.state_value ? to_string(*in.state_value) : ""});
  std::string after;
  if (in.next_token) {
    const auto key = page_key("DescribeAlarms", parameters, *in.next_token);
    if (!key) return bad_token();
    after = *key;
  }

  std::vector<AlarmPtr> found;
  if (in.children_of_alarm_name) {
    if (const AlarmPtr parent = book.resolve(call.account, call.region, *in.children_of_alarm_name)) {
      for (auto& child : book.children(*parent)) {
        if (child) found.push_back(std::move(child));
      }
    }
  } else if (in.parents_of_alarm_name) {
    if (const AlarmPtr child = book.resolve(call.account, call.region, *in.parents_of_alarm_name)) found = book.parents(*child);
  } else if (in.alarm_names && !in.alarm_names->empty()) {
    for (const auto& name : *in.alarm_names) {
      if (auto alarm = book.find(alarm_key(call, name))) found.push_back(std::move(alarm));
    }
  } else {
    found = book.list(call.account, call.region);
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return order_key(*a) < order_key(*b); });
  found.erase(std::unique(found.begin(), found.end()), found.end());

  const auto limit = static_cast<std::size_t>(in.max_records.value_or(kRecordsDefault));
  std::size_t shown = 0;
  std::string last;
  for (const auto& alarm : found) {
    if (!after.empty() && order_key(*alarm) <= after) continue;
    if (!relatives) {
      if (!wants(in.alarm_types, alarm->type)) continue;
      if (in.alarm_name_prefix && !alarm->key.name.starts_with(*in.alarm_name_prefix)) continue;
      if (in.state_value && alarm->state() != *in.state_value) continue;
      if (in.action_prefix && !has_action_prefix(*alarm, *in.action_prefix)) continue;
    }
    if (shown == limit) {
      out.next_token = page_token("DescribeAlarms", parameters, last);
      break;
    }
    if (relatives) show_relative(out, *alarm, in.children_of_alarm_name.has_value());
    else show(out, *alarm);
    last = order_key(*alarm);
    ++shown;
  }
  return out;
}

// The same pairs, whatever their order.
bool same_dimensions(std::vector<Dimension> a, std::vector<Dimension> b) {
  const auto by_name = [](const Dimension& x, const Dimension& y) { return x.name < y.name; };
  std::sort(a.begin(), a.end(), by_name);
  std::sort(b.begin(), b.end(), by_name);
  return a == b;
}

Result<DescribeAlarmsForMetricOutput> describe_alarms_for_metric(Call& call, const DescribeAlarmsForMetricInput& in) {
  DescribeAlarmsForMetricOutput out;
  out.metric_alarms.emplace();
  for (const auto& entry : call.service<AlarmEngine>().book().list(call.account, call.region)) {
    if (entry->type != AlarmType::MetricAlarm) continue;
    const MetricAlarm& alarm = *entry->document.metric;
    if (alarm.metrics || alarm.namespace_ != in.namespace_ || alarm.metric_name != in.metric_name) continue;
    if (!same_dimensions(alarm.dimensions.value_or(std::vector<Dimension>{}), in.dimensions.value_or(std::vector<Dimension>{})))
      continue;
    if (in.statistic && alarm.statistic != in.statistic) continue;
    if (in.extended_statistic && alarm.extended_statistic != in.extended_statistic) continue;
    if (in.period && alarm.period != in.period) continue;
    if (in.unit && alarm.unit != in.unit) continue;
    out.metric_alarms->push_back(alarm);
  }
  return out;
}

Result<DescribeAlarmHistoryOutput> describe_alarm_history(Call& call, const DescribeAlarmHistoryInput& in) {
  AlarmBook::HistoryQuery query;
  query.account = call.account;
  query.region = call.region;
  query.name = in.alarm_name.value_or("");
  query.start = in.start_date;
  query.end = in.end_date;
  query.newest_first = in.scan_by.value_or(ScanBy::TimestampDescending) == ScanBy::TimestampDescending;
  query.limit = static_cast<std::size_t>(in.max_records.value_or(kHistoryDefault));
  const std::uint64_t parameters = parameters_of(
      {query.name, in.history_item_type ? to_string(*in.history_item_type) : "", in.alarm_contributor_id.value_or(""),
       query.newest_first ? "d" : "a", in.start_date ? std::to_string(to_ms(*in.start_date)) : "",
       in.end_date ? std::to_string(to_ms(*in.end_date)) : ""});
  if (in.next_token) {
    const auto key = page_key("DescribeAlarmHistory", parameters, *in.next_token);
    if (!key) return bad_token();
    query.after = *key;
  }
  query.keep = [&](const AlarmHistoryItem& item) {
    if (!wants(in.alarm_types, item.alarm_type.value_or(AlarmType::MetricAlarm))) return false;
    if (in.history_item_type && item.history_item_type != in.history_item_type) return false;
    if (in.alarm_contributor_id && item.alarm_contributor_id != in.alarm_contributor_id) return false;
    return true;
  };
  AlarmBook::HistoryPage page = call.service<AlarmEngine>().book().history(query);
  DescribeAlarmHistoryOutput out;
  out.alarm_history_items = std::move(page.items);
  if (!page.last.empty()) out.next_token = page_token("DescribeAlarmHistory", parameters, page.last);
  return out;
}

Result<DescribeAlarmContributorsOutput> describe_alarm_contributors(Call& call, const DescribeAlarmContributorsInput& in) {
  const AlarmPtr alarm = call.service<AlarmEngine>().book().find(alarm_key(call, in.alarm_name));
  if (!alarm) return not_found("AWS::CloudWatch::Alarm", in.alarm_name, fmt::format("Alarm {} does not exist", in.alarm_name));
  const std::uint64_t parameters = parameters_of({in.alarm_name});
  std::string after;
  if (in.next_token) {
    const auto key = page_key("DescribeAlarmContributors", parameters, *in.next_token);
    if (!key) return bad_token();
    after = *key;
  }
  std::vector<const StoredContributor*> all;
  for (const auto& contributor : alarm->document.contributors) {
    if (contributor.in_alarm && contributor.id > after) all.push_back(&contributor);
  }
  std::sort(all.begin(), all.end(), [](const auto* a, const auto* b) { return a->id < b->id; });
  DescribeAlarmContributorsOutput out;
  for (const auto* contributor : all) {
    if (out.alarm_contributors.size() == kContributorsPage) {
      out.next_token = page_token("DescribeAlarmContributors", parameters, out.alarm_contributors.back().contributor_id);
      break;
    }
    out.alarm_contributors.push_back({.contributor_id = contributor->id,
                                      .contributor_attributes = contributor->attributes,
                                      .state_reason = contributor->reason,
                                      .state_transitioned_timestamp = from_ms(contributor->since_ms)});
  }
  return out;
}

constexpr Operation kOperations[] = {
    bind<describe_alarms>(),
    bind<describe_alarms_for_metric>(),
    bind<describe_alarm_history>(),
    bind<describe_alarm_contributors>(),
};

}  // namespace

std::span<const Operation> alarm_describe_operations() { return kOperations; }

}  // namespace fog::cloudwatch
