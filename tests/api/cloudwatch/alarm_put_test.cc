#include "alarm_harness.h"

namespace fog::cloudwatch {
namespace {

using std::chrono::minutes;

class PutAlarm : public AlarmTest {};

TEST_F(PutAlarm, echoes_what_was_put_and_nothing_else) {
  PutMetricAlarmInput in = simple();
  in.dimensions = std::vector<Dimension>{{.name = "ModelName", .value = "gpt-4"}};
  ASSERT_EQ(fault_of(in), "");
  DescribeAlarmsInput describe;
  const auto out = run(describe).value();
  ASSERT_EQ(out.metric_alarms->size(), 1u);
  EXPECT_TRUE(out.composite_alarms && out.composite_alarms->empty());
  EXPECT_TRUE(out.log_alarms && out.log_alarms->empty());
  const MetricAlarm& shown = out.metric_alarms->front();
  MetricAlarm expected;
  expected.alarm_name = "a";
  expected.alarm_arn = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:a";
  expected.actions_enabled = true;
  expected.ok_actions = in.ok_actions;
  expected.alarm_actions = in.alarm_actions;
  expected.insufficient_data_actions = std::vector<std::string>{};
  expected.state_value = StateValue::INSUFFICIENT_DATA;
  expected.state_reason = "Unchecked: Initial alarm creation";
  expected.state_updated_timestamp = expected.state_transitioned_timestamp = expected.alarm_configuration_updated_timestamp = clock.now();
  expected.metric_name = "M";
  expected.namespace_ = "N";
  expected.statistic = Statistic::Average;
  expected.dimensions = in.dimensions;
  expected.period = 60;
  expected.evaluation_periods = 1;
  expected.threshold = 10;
  expected.comparison_operator = ComparisonOperator::GreaterThanThreshold;
  EXPECT_EQ(shown, expected);
}

TEST_F(PutAlarm, replaces_the_configuration_and_keeps_the_state) {
  PutMetricAlarmInput in = simple();
  in.tags = std::vector<Tag>{{.key = "k", .value = "v"}};
  ASSERT_EQ(fault_of(in), "");
  set_state("a", StateValue::ALARM);
  clock.advance(minutes(1));
  in.threshold = 20;
  in.ok_actions.reset();
  in.tags = std::vector<Tag>{{.key = "other", .value = "v"}};
  ASSERT_EQ(fault_of(in), "");
  const MetricAlarm& now = *alarm()->document.metric;
  EXPECT_EQ(now.threshold, 20);
  EXPECT_TRUE(now.ok_actions->empty());
  EXPECT_EQ(now.state_value, StateValue::ALARM);
  EXPECT_EQ(now.state_reason, "by hand");
  EXPECT_EQ(now.alarm_configuration_updated_timestamp, clock.now());
  EXPECT_EQ(now.state_updated_timestamp, clock.now() - minutes(1));
  ListTagsForResourceInput tags;
  tags.resource_arn = alarm()->arn();
  EXPECT_EQ(run(tags)->tags, (std::vector<Tag>{{.key = "k", .value = "v"}}));
  const auto items = history("a", HistoryItemType::ConfigurationUpdate);
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0].history_summary, "Alarm \"a\" created");
  EXPECT_EQ(items[1].history_summary, "Alarm \"a\" updated");
  EXPECT_TRUE(items[0].history_data->starts_with(
      R"({"version":"1.0","type":"Create","createdAlarm":{"alarmName":"a","alarmArn":"arn:aws:cloudwatch:us-east-1:123456789012:alarm:a")"));
  EXPECT_NE(items[0].history_data->find(R"("okactions":["arn:aws:sns:us-east-1:123456789012:t"])"), std::string::npos);
}

struct Row {
  const char* what;
  std::function<void(PutMetricAlarmInput&)> change;
  const char* fault;
};

MetricDataQuery metric_query(const std::string& id, bool returns, std::int32_t period = 60, const std::string& stat = "Sum") {
  MetricDataQuery query;
  query.id = id;
  query.metric_stat.emplace();
  query.metric_stat->metric.namespace_ = "N";
  query.metric_stat->metric.metric_name = "M";
  query.metric_stat->period = period;
  query.metric_stat->stat = stat;
  query.return_data = returns;
  return query;
}

MetricDataQuery expression_query(const std::string& id, const std::string& expression, bool returns = true) {
  MetricDataQuery query;
  query.id = id;
  query.expression = expression;
  query.return_data = returns;
  return query;
}

void make_math(PutMetricAlarmInput& in, std::vector<MetricDataQuery> queries) {
  in.metric_name.reset();
  in.namespace_.reset();
  in.statistic.reset();
  in.period.reset();
  in.metrics = std::move(queries);
}

TEST_F(PutAlarm, is_checked_in_the_service_s_words) {
  const Row rows[] = {
      {"no source", [](auto& in) { in.metric_name.reset(); }, "ValidationError: MetricName must not be null"},
      {"math and statistic", [](auto& in) { in.metrics = std::vector{metric_query("m1", true)}; },
       "ValidationError: Statistic should not be set if list of Metrics is set."},
      {"nothing returned", [](auto& in) { make_math(in, {metric_query("m1", false)}); },
       "ValidationError: Exactly one element of the metrics list should return data."},
      {"two returned", [](auto& in) { make_math(in, {metric_query("m1", true), metric_query("m2", true)}); },
       "ValidationError: Exactly one element of the metrics list should return data."},
      {"one with a band",
       [](auto& in) {
         make_math(in, {metric_query("m1", true), expression_query("b", "ANOMALY_DETECTION_BAND(m1, 2)", false)});
         in.threshold.reset();
         in.threshold_metric_id = "b";
         in.comparison_operator = ComparisonOperator::GreaterThanUpperThreshold;
       },
       "ValidationError: Exactly two elements of the metrics list should return data."},
      {"unknown statistic", [](auto& in) { make_math(in, {metric_query("m1", true, 60, "Median")}); },
       "ValidationError: Invalid metrics list"},
      {"bad period", [](auto& in) { make_math(in, {metric_query("m1", true, 61)}); }, "ValidationError: Invalid metrics list"},
      {"different periods", [](auto& in) { make_math(in, {metric_query("m1", true), metric_query("m2", false, 300)}); },
       "ValidationError: Invalid metrics list"},
      {"unknown function", [](auto& in) { make_math(in, {metric_query("m1", false), expression_query("e1", "F(m1)")}); },
       "ValidationError: Error in expression 'e1': Function 'F' not found"},
      {"bad syntax", [](auto& in) { make_math(in, {metric_query("m1", false), expression_query("e1", "m1 +")}); },
       "ValidationError: Error in expression 'e1': Invalid syntax"},
      {"several series", [](auto& in) { make_math(in, {metric_query("m1", false), expression_query("e1", "METRICS()")}); },
       "ValidationError: Metrics expression that return multi time series are only allowed for MetricsInsights expression "
       "with an ORDER BY clause"},
      {"search", [](auto& in) { make_math(in, {expression_query("e1", "SEARCH('{N} M', 'Sum', 60)")}); },
       "ValidationError: Metrics expression that return multi time series are only allowed for MetricsInsights expression "
       "with an ORDER BY clause"},
      {"extended statistic",
       [](auto& in) {
         in.statistic.reset();
         in.extended_statistic = "P99";
       },
       "InvalidParameterValue: The value P99 for parameter ExtendedStatistic is not supported."},
      {"period", [](auto& in) { in.period = 45; }, "ValidationError: Period must be 10, 30 or a multiple of 60"},
      {"more than a day", [](auto& in) { in.evaluation_periods = 1441; },
       "ValidationError: Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400)."},
      {"m above n", [](auto& in) { in.datapoints_to_alarm = 2; },
       "ValidationError: DatapointsToAlarm must be less than or equal to EvaluationPeriods"},
      {"missing data", [](auto& in) { in.treat_missing_data = "maybe"; },
       "ValidationError: The value maybe is not supported for TreatMissingData parameter. Supported values are [breaching, "
       "notBreaching, ignore, missing]."},
      {"low samples", [](auto& in) { in.evaluate_low_sample_count_percentile = "x"; },
       "ValidationError: Option x is not supported. Supported options for parameter EvaluateLowSampleCountPercentile are "
       "evaluate and ignore."},
      {"other region", [](auto& in) { in.alarm_actions = std::vector<std::string>{"arn:aws:sns:eu-west-1:123456789012:t"}; },
       "ValidationError: Invalid region eu-west-1 specified. Only us-east-1 is supported."},
      {"no arn", [](auto& in) { in.alarm_actions = std::vector<std::string>{"topic"}; }, "ValidationError: Invalid arn syntax: topic"},
      {"recover", [](auto& in) { in.alarm_actions = std::vector<std::string>{"arn:aws:automate:us-east-1:ec2:recover"}; },
       "ValidationError: The EC2 'Recover' action can only be defined on the 'StatusCheckFailed_System' metric and 'AWS/EC2' "
       "namespace."},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.what);
    PutMetricAlarmInput in = simple();
    row.change(in);
    EXPECT_EQ(fault_of(in), row.fault);
  }
  EXPECT_FALSE(alarm());
}

TEST_F(PutAlarm, deletion_respects_composites) {
  ASSERT_EQ(fault_of(simple("child")), "");
  PutCompositeAlarmInput composite;
  composite.alarm_name = "parent";
  composite.alarm_rule = "ALARM(child)";
  ASSERT_EQ(fault_of(composite), "");
  DeleteAlarmsInput in;
  in.alarm_names = {"child", "unknown"};
  EXPECT_EQ(fault_of(in), "ValidationError: Cannot delete child as there are composite alarm(s) depending on it.");
  EXPECT_TRUE(alarm("child"));
  in.alarm_names = {"parent", "child"};
  EXPECT_EQ(fault_of(in), "");
  EXPECT_FALSE(alarm("child"));
  EXPECT_EQ(fault_of(in), "") << "unknown names are passed over";
  EXPECT_EQ(history("child").back().history_summary, "Alarm \"child\" deleted") << "history stays";
}

TEST_F(PutAlarm, names_belong_to_one_kind) {
  ASSERT_EQ(fault_of(simple("x")), "");
  PutCompositeAlarmInput composite;
  composite.alarm_name = "x";
  composite.alarm_rule = "TRUE";
  EXPECT_TRUE(fault_of(composite).starts_with("ValidationError: "));
}

TEST_F(PutAlarm, setting_states_acts_like_an_evaluation) {
  ASSERT_EQ(fault_of(simple()), "");
  SetAlarmStateInput in;
  in.alarm_name = "nobody";
  in.state_value = StateValue::ALARM;
  in.state_reason = "r";
  EXPECT_EQ(fault_of(in), "ResourceNotFound: ");
  in.alarm_name = "a";
  in.state_reason_data = "{";
  EXPECT_TRUE(fault_of(in).starts_with("InvalidFormat: "));
  in.state_reason_data = R"({"x":1})";
  EXPECT_EQ(fault_of(in), "");
  EXPECT_EQ(state(), "ALARM");
  EXPECT_EQ(alarm()->reason_data(), R"({"x":1})");
  EXPECT_EQ(publisher.messages.size(), 1u);
  in.state_reason = "again";
  EXPECT_EQ(fault_of(in), "");
  EXPECT_EQ(publisher.messages.size(), 1u) << "the same state acts once";
  EXPECT_EQ(alarm()->reason(), "again");
  EXPECT_EQ(history("a", HistoryItemType::StateUpdate).size(), 1u);
}

TEST_F(PutAlarm, lists_filter_and_page) {
  for (const char* name : {"ab", "aa", "b", "c"}) ASSERT_EQ(fault_of(simple(name)), "");
  set_state("b", StateValue::OK);
  DescribeAlarmsInput in;
  const auto names = [&](const DescribeAlarmsInput& input) {
    std::string out;
    const auto result = run(input);
    for (const auto& a : result->metric_alarms.value()) out += *a.alarm_name + " ";
    return out;
  };
  EXPECT_EQ(names(in), "aa ab b c ");
  in.alarm_name_prefix = "a";
  EXPECT_EQ(names(in), "aa ab ");
  in.alarm_names = std::vector<std::string>{"b"};
  EXPECT_TRUE(fault_of(in).starts_with("ValidationError: "));
  in.alarm_name_prefix.reset();
  in.alarm_names = std::vector<std::string>{"c", "nobody", "b"};
  EXPECT_EQ(names(in), "b c ");
  in = {};
  in.state_value = StateValue::OK;
  EXPECT_EQ(names(in), "b ");
  in = {};
  in.action_prefix = "arn:aws:sns";
  EXPECT_EQ(names(in), "aa ab b c ");
  in.action_prefix = "arn:aws:ssm";
  EXPECT_EQ(names(in), "");
  in = {};
  in.max_records = 3;
  const auto first = run(in).value();
  EXPECT_EQ(first.metric_alarms->size(), 3u);
  in.next_token = first.next_token;
  EXPECT_EQ(names(in), "c ");
  in.next_token = "nonsense";
  EXPECT_TRUE(fault_of(in).starts_with("InvalidNextToken: "));
  DescribeAlarmsForMetricInput of_metric;
  of_metric.namespace_ = "N";
  of_metric.metric_name = "M";
  EXPECT_EQ(run(of_metric)->metric_alarms->size(), 4u);
  of_metric.dimensions = std::vector<Dimension>{{.name = "d", .value = "v"}};
  EXPECT_EQ(run(of_metric)->metric_alarms->size(), 0u);
}

TEST_F(PutAlarm, survives_a_restart) {
  ASSERT_EQ(fault_of(simple()), "");
  set_state("a", StateValue::ALARM);
  const MetricAlarm before = *alarm()->document.metric;
  open();
  EXPECT_EQ(*alarm()->document.metric, before);
}

}  // namespace
}  // namespace fog::cloudwatch
