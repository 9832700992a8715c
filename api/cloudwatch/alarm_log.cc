#include "api/cloudwatch/alarm_log.h"

#include <fmt/format.h>

#include <charconv>

#include "api/cloudwatch/alarm_put.h"
#include "api/common/log_query.h"
#include "storage/base/hash.h"

namespace fog::cloudwatch {
namespace {

constexpr std::int64_t kResultsMax = 100;
constexpr std::size_t kContributorsMax = 500;
constexpr std::size_t kLogLineBytesMax = 2000;  // fifty of them fit a notification's 256 KiB

std::string trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\n' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n' || text.back() == '\t')) text.remove_suffix(1);
  return std::string(text);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

// What is asked at every run.
std::string query_text(const ScheduledQueryConfiguration& query) {
  const std::string own = trimmed(query.query_string);
  const std::string stats = "stats " + parse_aggregation(query.aggregation_expression).stats;
  return own.empty() ? stats : own + "\n| " + stats;
}

Result<Empty> put_log_alarm(Call& call, const PutLogAlarmInput& in) {
  const auto& query = in.scheduled_query_configuration;
  if (has_control_characters(in.alarm_name)) return validation("AlarmName must not contain control characters");
  if (in.query_results_to_evaluate > kResultsMax) return validation("QueryResultsToEvaluate must be less than or equal to 100");
  if (in.query_results_to_alarm > in.query_results_to_evaluate)
    return validation("QueryResultsToAlarm must be less than or equal to QueryResultsToEvaluate");
  const auto op = in.comparison_operator;
  if (op == ComparisonOperator::LessThanLowerOrGreaterThanUpperThreshold || op == ComparisonOperator::LessThanLowerThreshold ||
      op == ComparisonOperator::GreaterThanUpperThreshold)
    return validation(fmt::format("ComparisonOperator {} is not supported for log alarms.", to_string(op)));
  if (in.treat_missing_data && !alarm_rules::parse_missing_data(*in.treat_missing_data))
    return validation(fmt::format("The value {} is not supported for TreatMissingData parameter. Supported values are [breaching, "
                                  "notBreaching, ignore, missing].", *in.treat_missing_data));
  if (!query.log_group_identifiers || query.log_group_identifiers->empty()) return validation("LogGroupIdentifiers must not be empty");
  auto rate = parse_rate(query.schedule_configuration.schedule_expression);
  if (!rate.ok()) return validation(rate.error().message());
  const std::int64_t end = query.schedule_configuration.end_time_offset.value_or(0);
  if (end < 0 || end >= query.schedule_configuration.start_time_offset) return validation("EndTimeOffset must be at least 0 and less than StartTimeOffset");
  const std::int32_t lines = in.action_log_line_count.value_or(0);
  if (lines < 0 || lines > 50) return validation("ActionLogLineCount must be between 0 and 50");
  if (lines > 0 && !in.action_log_line_role_arn) return validation("ActionLogLineRoleArn is required if ActionLogLineCount is greater than 0");
  if (auto* queries = call.services->find<LogQueries>()) {
    if (Status checked = queries->check_query(query_text(query)); !checked.ok())
      return validation("ScheduledQueryConfiguration is not valid: " + checked.error().message());
  }
  TRYV(check_actions(call, {&in.ok_actions, &in.alarm_actions, &in.insufficient_data_actions}));

  AlarmEngine& engine = call.service<AlarmEngine>();
  AlarmBook& book = engine.book();
  auto entry = std::make_shared<AlarmEntry>();
  LogAlarm& alarm = entry->document.log.emplace();
  begin_alarm(call, in, AlarmType::LogAlarm, *entry, alarm);
  alarm.scheduled_query_configuration = query;
  alarm.scheduled_query_configuration->tags.reset();
  alarm.query_results_to_evaluate = in.query_results_to_evaluate;
  alarm.query_results_to_alarm = in.query_results_to_alarm;
  alarm.threshold = in.threshold;
  alarm.comparison_operator = in.comparison_operator;
  alarm.treat_missing_data = in.treat_missing_data;
  alarm.action_log_line_count = lines;
  alarm.action_log_line_role_arn = in.action_log_line_role_arn;

  const std::lock_guard changes(book.changes());
  const AlarmPtr old = book.find(entry->key);
  if (old && old->type != AlarmType::LogAlarm)
    return fault(ResourceConflict{.message = fmt::format("Alarm {} already exists with another type", in.alarm_name)});
  carry_over(alarm, *entry, old, call.now);
  if (old) {
    const LogAlarm& before = *old->document.log;
    alarm.scheduled_query_configuration->query_arn = before.scheduled_query_configuration->query_arn;
    // Another query's results say nothing about this one.
    if (query_text(*before.scheduled_query_configuration) == query_text(query)) entry->document.runs = old->document.runs;
  } else {
    alarm.scheduled_query_configuration->query_arn =
        fmt::format("arn:{}:logs:{}:{}:scheduled-query:{:016x}", partition_of(call.region), call.region, call.account,
                    hash64(in.alarm_name + std::to_string(to_ms(call.now))));
  }
  if (Status ready = prepare(*entry); !ready.ok()) return validation(ready.error().message());
  return finish_put(call, engine, std::move(entry), old, in.tags);
}

constexpr Operation kOperations[] = {bind<put_log_alarm>()};

}  // namespace

std::span<const Operation> alarm_log_operations() { return kOperations; }

Result<std::chrono::seconds> parse_rate(std::string_view expression) {
  const auto wrong = [&] { return Error::invalid(fmt::format("ScheduleExpression {} is not of the form rate(n minutes) or rate(n hours)", expression)); };
  if (!expression.starts_with("rate(") || !expression.ends_with(")")) return wrong();
  const std::string inner = trimmed(expression.substr(5, expression.size() - 6));
  std::int64_t n = 0;
  const auto [end, error] = std::from_chars(inner.data(), inner.data() + inner.size(), n);
  if (error != std::errc{} || n < 1 || n > 44'640) return wrong();
  const std::string unit = trimmed(std::string_view(end, static_cast<std::size_t>(inner.data() + inner.size() - end)));
  if (unit == "minute" || unit == "minutes") return std::chrono::seconds(n * 60);
  if (unit == "hour" || unit == "hours") return std::chrono::seconds(n * 3600);
  return wrong();
}

Aggregation parse_aggregation(std::string_view expression) {
  Aggregation out;
  // What follows a bar orders rows; every row is looked at anyway. A bar inside quotes is text.
  bool quoted = false;
  char quote = 0;
  int depth = 0;
  std::size_t end = expression.size(), by = std::string_view::npos;
  const std::string small = lower(expression);
  for (std::size_t i = 0; i < expression.size(); ++i) {
    const char c = expression[i];
    if (quoted) {
      if (c == quote) quoted = false;
      continue;
    }
    if (c == '"' || c == '\'' || c == '`') quoted = true, quote = c;
    else if (c == '(') ++depth;
    else if (c == ')') --depth;
    else if (c == '|' && depth == 0) {
      end = i;
      break;
    } else if (depth == 0 && by == std::string_view::npos && i > 0 && small.compare(i, 3, "by ") == 0 && (small[i - 1] == ' ' || small[i - 1] == ')')) {
      by = i;
    }
  }
  out.stats = trimmed(expression.substr(0, end));
  if (by == std::string_view::npos || by > end) return out;
  std::string_view keys = expression.substr(by + 3, end - by - 3);
  depth = 0;
  std::size_t from = 0;
  for (std::size_t i = 0; i <= keys.size(); ++i) {
    if (i < keys.size() && keys[i] == '(') ++depth;
    if (i < keys.size() && keys[i] == ')') --depth;
    if (i < keys.size() && (keys[i] != ',' || depth > 0)) continue;
    std::string key = trimmed(keys.substr(from, i - from));
    const std::size_t as = lower(key).rfind(" as ");
    if (as != std::string::npos) key = trimmed(std::string_view(key).substr(as + 4));
    if (!key.empty()) out.keys.push_back(std::move(key));
    from = i + 1;
  }
  return out;
}

namespace {

// The groups and the window that the alarm looks at, without the query's text.
LogQueries::Spec window_of(const AlarmEntry& alarm, Timestamp now) {
  const auto& query = *alarm.document.log->scheduled_query_configuration;
  LogQueries::Spec spec;
  spec.account = alarm.key.account;
  spec.region = alarm.key.region;
  spec.groups = query.log_group_identifiers.value_or(std::vector<std::string>{});
  spec.start = now - std::chrono::seconds(query.schedule_configuration.start_time_offset);
  spec.end = now - std::chrono::seconds(query.schedule_configuration.end_time_offset.value_or(0));
  spec.now = now;
  return spec;
}

}  // namespace

std::vector<AlarmLogLine> newest_log_lines(const Services& services, const AlarmEntry& alarm, Timestamp now) {
  const std::int32_t count = alarm.document.log->action_log_line_count.value_or(0);
  auto* queries = services.find<LogQueries>();
  if (count == 0 || queries == nullptr) return {};
  LogQueries::Spec spec = window_of(alarm, now);
  const std::string own = trimmed(alarm.document.log->scheduled_query_configuration->query_string);
  spec.text = fmt::format("{}fields @timestamp, @message | sort @timestamp desc | limit {}", own.empty() ? "" : own + "\n| ", count);
  spec.limit = count;
  const auto answer = queries->run_query(spec);
  if (!answer.ok()) return {};
  const auto column = [&](std::string_view name) {
    return static_cast<std::size_t>(std::find(answer->columns.begin(), answer->columns.end(), name) - answer->columns.begin());
  };
  const std::size_t time = column("@timestamp"), message = column("@message");
  std::vector<AlarmLogLine> out;
  for (const auto& row : answer->rows) {
    if (time >= row.size() || message >= row.size() || !row[message]) continue;
    std::string text = *row[message];
    if (text.size() > kLogLineBytesMax) {
      std::size_t end = kLogLineBytesMax;
      while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not inside a character
      text.resize(end);
    }
    out.push_back({.timestamp = row[time].value_or(""), .message = std::move(text)});
  }
  return out;
}

Result<LogRun> run_log_query(const Services& services, const AlarmEntry& alarm, Timestamp now) {
  auto* queries = services.find<LogQueries>();
  if (queries == nullptr) return Error::busy("log queries are not available");
  const auto& query = *alarm.document.log->scheduled_query_configuration;
  LogQueries::Spec spec = window_of(alarm, now);
  spec.text = query_text(query);
  TRY(const LogQueries::Answer answer, queries->run_query(spec));
  const Aggregation aggregation = parse_aggregation(query.aggregation_expression);
  LogRun out;
  out.is_grouped = !aggregation.keys.empty();
  out.run.time_ms = to_ms(now);
  const auto is_key = [&](const std::string& column) {
    return std::find(aggregation.keys.begin(), aggregation.keys.end(), column) != aggregation.keys.end();
  };
  std::optional<std::size_t> value_column;
  for (std::size_t i = 0; i < answer.columns.size() && !value_column; ++i) {
    if (!is_key(answer.columns[i])) value_column = i;
  }
  if (!value_column) return Error::invalid("the aggregation gives no value");
  for (const auto& row : answer.rows) {
    if (!row[*value_column]) continue;
    double value = 0;
    const std::string& text = *row[*value_column];
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) continue;
    if (!out.is_grouped) {
      out.run.values[""] = value;
      break;
    }
    if (out.run.values.size() == kContributorsMax) {
      out.is_partial = true;
      break;
    }
    std::map<std::string, std::string> attributes;
    for (std::size_t i = 0; i < answer.columns.size(); ++i) {
      if (is_key(answer.columns[i])) attributes[answer.columns[i]] = row[i].value_or("");
    }
    const std::string id = contributor_id(attributes);
    out.run.values[id] = value;
    out.attributes[id] = std::move(attributes);
  }
  return out;
}

std::string contributor_id(const std::map<std::string, std::string>& attributes) {
  std::string text;
  for (const auto& [name, value] : attributes) text += name + "\n" + value + "\n";
  return fmt::format("{:016x}", hash64(text));
}

}  // namespace fog::cloudwatch
