#include <nlohmann/json.hpp>

#include "alarm_harness.h"

namespace fog::cloudwatch {
namespace {

using Json = nlohmann::ordered_json;
using std::chrono::minutes;
using std::chrono::seconds;

class AlarmEngineTest : public AlarmTest {};

TEST_F(AlarmEngineTest, alarms_and_recovers_and_says_so_once_each) {
  ASSERT_EQ(fault_of(simple()), "");
  observe(5);
  advance(minutes(1) + seconds(3));
  EXPECT_EQ(state(), "OK");
  EXPECT_EQ(publisher.messages.size(), 1u);
  observe(50);
  advance(minutes(1));
  EXPECT_EQ(state(), "ALARM");
  EXPECT_EQ(alarm()->reason(),
            "Threshold Crossed: 1 datapoint [50.0 (02/01/24 03:01:00)] was greater than the threshold (10.0).");
  ASSERT_EQ(publisher.messages.size(), 2u);
  observe(60);
  advance(minutes(1));
  EXPECT_EQ(publisher.messages.size(), 2u) << "no change, no action";
  observe(1);
  advance(minutes(1));
  EXPECT_EQ(state(), "OK");
  EXPECT_EQ(publisher.messages.size(), 3u);
  std::string summaries;
  for (const auto& item : history("a")) summaries += *item.history_summary + "\n";
  EXPECT_EQ(summaries, std::string("Alarm \"a\" created\n") + "Alarm updated from INSUFFICIENT_DATA to OK\n" +
                           "Successfully executed action " + kTopic + "\nAlarm updated from OK to ALARM\n" +
                           "Successfully executed action " + kTopic + "\nAlarm updated from ALARM to OK\n" +
                           "Successfully executed action " + kTopic + "\n");
}

TEST_F(AlarmEngineTest, notifies_in_the_service_s_format) {
  PutMetricAlarmInput in = simple();
  in.alarm_description = "too much";
  in.dimensions = std::vector<Dimension>{};
  ASSERT_EQ(fault_of(in), "");
  observe(50);
  advance(minutes(1) + seconds(3));
  ASSERT_EQ(publisher.messages.size(), 1u);
  const TopicMessage& sent = publisher.messages[0];
  EXPECT_EQ(sent.topic_arn, kTopic);
  EXPECT_EQ(sent.subject, "ALARM: \"a\" in US East (N. Virginia)");
  EXPECT_EQ(sent.by_protocol.at("sms"), sent.subject);
  EXPECT_EQ(sent.message,
            R"x({"AlarmName":"a","AlarmDescription":"too much","AWSAccountId":"123456789012",)x"
            R"x("AlarmConfigurationUpdatedTimestamp":"2024-01-02T03:00:00.000+0000","NewStateValue":"ALARM",)x"
            R"x("NewStateReason":"Threshold Crossed: 1 datapoint [50.0 (02/01/24 03:00:00)] was greater than the threshold (10.0).",)x"
            R"x("StateChangeTime":"2024-01-02T03:01:02.000+0000","Region":"US East (N. Virginia)",)x"
            R"x("AlarmArn":"arn:aws:cloudwatch:us-east-1:123456789012:alarm:a","OldStateValue":"INSUFFICIENT_DATA",)x"
            R"x("ActionExecutedAfterMuteWindow":false,"OKActions":["arn:aws:sns:us-east-1:123456789012:t"],)x"
            R"x("AlarmActions":["arn:aws:sns:us-east-1:123456789012:t"],"InsufficientDataActions":[],)x"
            R"x("Trigger":{"MetricName":"M","Namespace":"N","StatisticType":"Statistic","Statistic":"AVERAGE","Unit":null,)x"
            R"x("Dimensions":[],"Period":60,"EvaluationPeriods":1,"ComparisonOperator":"GreaterThanThreshold","Threshold":10.0,)x"
            R"x("TreatMissingData":"","EvaluateLowSampleCountPercentile":""}})x");
  const std::string& mail = sent.by_protocol.at("email");
  EXPECT_TRUE(mail.starts_with(
      "You are receiving this email because your Amazon CloudWatch Alarm \"a\" in the US East (N. Virginia) region has "
      "entered the ALARM state, because \"Threshold Crossed: 1 datapoint [50.0 (02/01/24 03:00:00)] was greater than the "
      "threshold (10.0).\" at \"Tuesday 02 January, 2024 03:01:02 UTC\".\n\nView this alarm"));
  EXPECT_NE(mail.find("\n- Name:                       a\n- Description:                too much\n"
                      "- State Change:               INSUFFICIENT_DATA -> ALARM\n"),
            std::string::npos);
  EXPECT_NE(mail.find("\n- MetricNamespace:                     N\n"), std::string::npos);
  const auto item = history("a", HistoryItemType::Action).at(0);
  const Json data = Json::parse(*item.history_data);
  EXPECT_EQ(data["actionState"], "Succeeded");
  EXPECT_EQ(data["notificationResource"], kTopic);
  EXPECT_EQ(Json::parse(data["publishedMessage"].get<std::string>())["default"], sent.message);
  EXPECT_TRUE(data["error"].is_null());
  const Json update = Json::parse(*history("a", HistoryItemType::StateUpdate).at(0).history_data);
  EXPECT_EQ(update["newState"]["stateReasonData"]["version"], "1.0") << "an object, not a string";
  EXPECT_EQ(update["oldState"].dump(),
            R"({"stateValue":"INSUFFICIENT_DATA","stateReason":"Unchecked: Initial alarm creation"})");
}

TEST_F(AlarmEngineTest, long_and_foreign_names_make_valid_subjects) {
  ASSERT_EQ(fault_of(simple(std::string(150, 'n'))), "");
  ASSERT_EQ(fault_of(simple("größe")), "");
  set_state(std::string(150, 'n'), StateValue::ALARM);
  set_state("größe", StateValue::ALARM);
  EXPECT_EQ(publisher.messages.at(0).subject.size(), 100u);
  EXPECT_TRUE(publisher.messages[0].subject.ends_with("...\" in US East (N. Virginia)"));
  EXPECT_EQ(publisher.messages[1].subject.find_first_of("\x80\xc3"), std::string::npos);
}

TEST_F(AlarmEngineTest, five_minute_windows_slide_every_minute) {
  PutMetricAlarmInput in = simple();
  in.period = 300;
  in.statistic = Statistic::Sum;
  in.treat_missing_data = "notBreaching";
  ASSERT_EQ(fault_of(in), "");
  advance(minutes(2) + seconds(30));
  for (int i = 0; i < 3; ++i) observe(4);  // at 03:02:30
  advance(seconds(32));  // evaluated at 03:03:02 over 02:58..03:03
  EXPECT_EQ(state(), "ALARM");
  advance(minutes(5));
  EXPECT_EQ(state(), "ALARM") << "older datapoints of the evaluation range still count";
  advance(minutes(15));
  EXPECT_EQ(state(), "OK");
}

TEST_F(AlarmEngineTest, short_periods_are_looked_at_every_ten_seconds) {
  PutMetricAlarmInput in = simple();
  in.period = 10;
  ASSERT_EQ(fault_of(in), "");
  const double values[] = {50};
  MetricPoint point;
  point.metric_namespace = "N";
  point.metric_name = "M";
  point.time = clock.now() + seconds(1);
  point.unit = 26;
  point.high_resolution = true;
  point.values = values;
  const MetricPoint points[] = {point};
  ASSERT_TRUE(metrics->put({.account = "123456789012", .region = "us-east-1", .points = points}).ok());
  advance(seconds(13));
  EXPECT_EQ(state(), "ALARM");
}

TEST_F(AlarmEngineTest, switched_off_actions_stay_quiet) {
  ASSERT_EQ(fault_of(simple()), "");
  DisableAlarmActionsInput off;
  off.alarm_names = {"a", "nobody"};
  EXPECT_EQ(fault_of(off), "");
  set_state("a", StateValue::ALARM);
  EXPECT_TRUE(publisher.messages.empty());
  EnableAlarmActionsInput on;
  on.alarm_names = {"a"};
  EXPECT_EQ(fault_of(on), "");
  EXPECT_TRUE(publisher.messages.empty()) << "nothing is made up for";
  EXPECT_EQ(history("a", HistoryItemType::ConfigurationUpdate).back().history_summary, "Alarm actions enabled for a");
}

TEST_F(AlarmEngineTest, failed_and_foreign_actions_are_written_down) {
  PutMetricAlarmInput in = simple();
  in.alarm_actions = std::vector<std::string>{kTopic, "arn:aws:ssm:us-east-1:123456789012:opsitem:1"};
  ASSERT_EQ(fault_of(in), "");
  publisher.missing = true;
  set_state("a", StateValue::ALARM);
  const auto items = history("a", HistoryItemType::Action);
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0].history_summary, std::string("Failed to execute action ") + kTopic);
  EXPECT_EQ(Json::parse(*items[0].history_data)["error"], "Topic does not exist");
  EXPECT_TRUE(items[1].history_summary->starts_with("Failed to execute action arn:aws:ssm:"));
}

TEST_F(AlarmEngineTest, functions_and_events_go_out_by_http) {
  options.function_targets = {{"arn:aws:lambda:", "http://functions.example"}};
  options.event_urls = {"http://events.example/in"};
  open();
  PutMetricAlarmInput in = simple();
  in.alarm_actions = std::vector<std::string>{"arn:aws:lambda:us-east-1:123456789012:function:f:live"};
  ASSERT_EQ(fault_of(in), "");
  ASSERT_EQ(door.requests.size(), 1u);
  const Json created = Json::parse(door.requests[0].body);
  EXPECT_EQ(created["detail-type"], "CloudWatch Alarm Configuration Change");
  EXPECT_EQ(created["detail"]["operation"], "create");
  EXPECT_EQ(created["detail"]["configuration"]["threshold"], 10.0);
  EXPECT_FALSE(created["detail"].contains("previousConfiguration"));
  in.threshold = 20;
  ASSERT_EQ(fault_of(in), "");
  const Json updated = Json::parse(door.requests[1].body);
  EXPECT_EQ(updated["detail"]["operation"], "update");
  EXPECT_EQ(updated["detail"]["previousConfiguration"]["threshold"], 10.0);
  door.requests.clear();
  set_state("a", StateValue::ALARM);
  ASSERT_EQ(door.requests.size(), 2u);
  const Json event = Json::parse(door.requests[0].body);
  EXPECT_EQ(event["detail-type"], "CloudWatch Alarm State Change");
  EXPECT_EQ(event["detail"]["state"]["value"], "ALARM");
  EXPECT_EQ(event["detail"]["previousState"]["value"], "INSUFFICIENT_DATA");
  EXPECT_EQ(event["detail"]["configuration"]["metrics"][0]["metricStat"]["metric"]["name"], "M");
  EXPECT_EQ(door.requests[1].url, "http://functions.example/2015-03-31/functions/f/invocations");
  EXPECT_EQ(Json::parse(door.requests[1].body)["alarmData"]["alarmName"], "a");
}

TEST_F(AlarmEngineTest, math_alarms_compute) {
  PutMetricAlarmInput in = simple();
  in.metric_name.reset();
  in.namespace_.reset();
  in.statistic.reset();
  in.period.reset();
  MetricDataQuery m;
  m.id = "m1";
  m.metric_stat.emplace();
  m.metric_stat->metric.namespace_ = "N";
  m.metric_stat->metric.metric_name = "M";
  m.metric_stat->period = 60;
  m.metric_stat->stat = "Sum";
  m.return_data = false;
  MetricDataQuery e;
  e.id = "e1";
  e.expression = "m1 * 3";
  in.metrics = std::vector<MetricDataQuery>{m, e};
  ASSERT_EQ(fault_of(in), "");
  observe(4);
  advance(minutes(1) + seconds(3));
  EXPECT_EQ(state(), "ALARM");
  EXPECT_EQ(alarm()->reason(), "Threshold Crossed: 1 datapoint [12.0 (02/01/24 03:00:00)] was greater than the threshold (10.0).");
  const Json trigger = Json::parse(publisher.messages.at(0).message)["Trigger"];
  EXPECT_EQ(trigger["Metrics"][1]["Expression"], "m1 * 3");
  EXPECT_FALSE(trigger.contains("MetricName"));
}

TEST_F(AlarmEngineTest, percentiles_of_few_samples_keep_the_state) {
  PutMetricAlarmInput in = simple();
  in.statistic.reset();
  in.extended_statistic = "p90";
  in.evaluate_low_sample_count_percentile = "ignore";
  ASSERT_EQ(fault_of(in), "");
  for (int i = 0; i < 20; ++i) observe(50);
  advance(minutes(1) + seconds(3));
  EXPECT_EQ(state(), "INSUFFICIENT_DATA");
  for (int i = 0; i < 100; ++i) observe(50);
  advance(minutes(1));
  EXPECT_EQ(state(), "ALARM");
}

// --- composites ---------------------------------------------------------------------------------------

class CompositeAlarms : public AlarmTest {
 protected:
  CompositeAlarms() {
    for (const char* name : {"x", "y", "s"}) EXPECT_EQ(fault_of(quiet(name)), "");
  }
  PutMetricAlarmInput quiet(const std::string& name) {
    PutMetricAlarmInput in = simple(name);
    in.alarm_actions.reset();
    in.ok_actions.reset();
    in.treat_missing_data = "ignore";
    return in;
  }
  PutCompositeAlarmInput over(const std::string& rule) {
    PutCompositeAlarmInput in;
    in.alarm_name = "c";
    in.alarm_rule = rule;
    in.alarm_actions = std::vector<std::string>{kTopic};
    in.ok_actions = std::vector<std::string>{kTopic};
    return in;
  }
  const CompositeAlarm& composite() { return *alarm("c")->document.composite; }
};

TEST_F(CompositeAlarms, follows_its_children) {
  ASSERT_EQ(fault_of(over("ALARM(x) AND ALARM(y)")), "");
  EXPECT_EQ(state("c"), "OK");
  EXPECT_EQ(composite().state_reason,
            "arn:aws:cloudwatch:us-east-1:123456789012:alarm:c was created and its alarm rule evaluates to OK");
  EXPECT_EQ(publisher.messages.size(), 1u) << "the first evaluation is an ordinary transition";
  set_state("x", StateValue::ALARM);
  EXPECT_EQ(state("c"), "OK");
  set_state("y", StateValue::ALARM);
  EXPECT_EQ(state("c"), "ALARM");
  EXPECT_EQ(composite().state_reason,
            "arn:aws:cloudwatch:us-east-1:123456789012:alarm:y transitioned to ALARM at Tuesday 02 January, 2024 03:00:00 UTC");
  EXPECT_EQ(composite().state_reason_data,
            R"({"triggeringAlarms":[{"arn":"arn:aws:cloudwatch:us-east-1:123456789012:alarm:y","state":{"value":"ALARM",)"
            R"("timestamp":"2024-01-02T03:00:00.000+0000"}}]})");
  ASSERT_EQ(publisher.messages.size(), 2u);
  const Json message = Json::parse(publisher.messages[1].message);
  EXPECT_EQ(message["AlarmRule"], "ALARM(x) AND ALARM(y)");
  EXPECT_EQ(message["TriggeringChildren"].dump(),
            R"([{"Arn":"arn:aws:cloudwatch:us-east-1:123456789012:alarm:y","State":{"Value":"ALARM","Timestamp":)"
            R"("2024-01-02T03:00:00.000+0000"}}])");
  EXPECT_EQ(history("c", HistoryItemType::StateUpdate, AlarmType::CompositeAlarm).size(), 2u);
  DescribeAlarmsInput children;
  children.children_of_alarm_name = "c";
  const auto shown = run(children).value();
  ASSERT_EQ(shown.metric_alarms->size(), 2u);
  EXPECT_FALSE(shown.metric_alarms->front().threshold);
  EXPECT_TRUE(shown.metric_alarms->front().state_value);
  DescribeAlarmsInput parents;
  parents.parents_of_alarm_name = "x";
  EXPECT_EQ(run(parents)->composite_alarms->front().alarm_name, "c");
}

TEST_F(CompositeAlarms, rules_are_checked) {
  EXPECT_TRUE(fault_of(over("ALARM(nobody)")).starts_with("ValidationError: "));
  EXPECT_TRUE(fault_of(over("ALARM(c)")).starts_with("ValidationError: ")) << "itself";
  EXPECT_TRUE(fault_of(over("ALARM(x")).starts_with("ValidationError: "));
  auto in = over("ALARM(x)");
  in.actions_suppressor = "s";
  EXPECT_TRUE(fault_of(in).starts_with("ValidationError: ")) << "both periods are needed";
  in.actions_suppressor.reset();
  in.actions_suppressor_wait_period = 5;
  EXPECT_TRUE(fault_of(in).starts_with("ValidationError: "));
  in = over("ALARM(x)");
  in.alarm_actions = std::vector<std::string>{"arn:aws:automate:us-east-1:ec2:stop"};
  EXPECT_TRUE(fault_of(in).starts_with("ValidationError: "));
}

TEST_F(CompositeAlarms, cycles_freeze) {
  ASSERT_EQ(fault_of(over("ALARM(x)")), "");
  auto upper = over("ALARM(c)");
  upper.alarm_name = "d";
  ASSERT_EQ(fault_of(upper), "");
  ASSERT_EQ(fault_of(over("ALARM(d) OR ALARM(x)")), "") << "a longer cycle is accepted";
  set_state("x", StateValue::ALARM);
  EXPECT_EQ(state("c"), "OK");
  EXPECT_EQ(state("d"), "OK");
  ASSERT_EQ(fault_of(over("ALARM(x)")), "");
  EXPECT_EQ(state("c"), "ALARM") << "a broken cycle lives again";
  EXPECT_EQ(state("d"), "ALARM");
}

TEST_F(CompositeAlarms, chains_settle_in_one_go) {
  ASSERT_EQ(fault_of(over("ALARM(x)")), "");
  auto upper = over("ALARM(c) AND NOT ALARM(y)");
  upper.alarm_name = "top";
  ASSERT_EQ(fault_of(upper), "");
  set_state("x", StateValue::ALARM);
  EXPECT_EQ(state("top"), "ALARM");
  set_state("y", StateValue::ALARM);
  EXPECT_EQ(state("top"), "OK");
}

class SuppressedAlarms : public CompositeAlarms {
 protected:
  SuppressedAlarms() {
    auto in = over("ALARM(x)");
    in.actions_suppressor = "s";
    in.actions_suppressor_wait_period = 60;
    in.actions_suppressor_extension_period = 120;
    EXPECT_EQ(fault_of(in), "");
    advance(minutes(2));
    publisher.messages.clear();
  }
  std::string by() {
    return composite().actions_suppressed_by ? std::string(to_string(*composite().actions_suppressed_by)) : "nobody";
  }
};

TEST_F(SuppressedAlarms, waits_before_it_acts) {
  set_state("x", StateValue::ALARM);
  EXPECT_EQ(by(), "WaitPeriod");
  EXPECT_EQ(composite().actions_suppressed_reason, "Actions suppressed by WaitPeriod");
  EXPECT_TRUE(publisher.messages.empty());
  advance(seconds(59));
  EXPECT_TRUE(publisher.messages.empty());
  advance(seconds(2));
  EXPECT_EQ(publisher.messages.size(), 1u);
  EXPECT_EQ(by(), "nobody");
}

TEST_F(SuppressedAlarms, stays_silent_while_the_suppressor_alarms) {
  set_state("s", StateValue::ALARM);
  set_state("x", StateValue::ALARM);
  EXPECT_EQ(by(), "Alarm");
  advance(minutes(10));
  EXPECT_TRUE(publisher.messages.empty());
  set_state("s", StateValue::OK);
  EXPECT_EQ(by(), "ExtensionPeriod");
  advance(seconds(119));
  EXPECT_TRUE(publisher.messages.empty());
  advance(seconds(2));
  EXPECT_EQ(publisher.messages.size(), 1u);
  EXPECT_EQ(by(), "nobody");
}

TEST_F(SuppressedAlarms, wait_turns_into_silence) {
  set_state("x", StateValue::ALARM);
  set_state("s", StateValue::ALARM);
  EXPECT_EQ(by(), "Alarm");
  advance(minutes(5));
  EXPECT_TRUE(publisher.messages.empty());
}

TEST_F(SuppressedAlarms, a_change_during_extension_waits_anew) {
  set_state("s", StateValue::ALARM);
  set_state("x", StateValue::ALARM);
  set_state("s", StateValue::OK);
  advance(seconds(30));
  set_state("x", StateValue::OK);
  EXPECT_EQ(by(), "WaitPeriod");
  advance(seconds(61));
  ASSERT_EQ(publisher.messages.size(), 1u) << "a state that returned still acts (documented)";
  EXPECT_EQ(Json::parse(publisher.messages[0].message)["NewStateValue"], "OK");
}

TEST_F(SuppressedAlarms, timers_survive_a_restart) {
  set_state("x", StateValue::ALARM);
  open();
  advance(seconds(61));
  EXPECT_EQ(publisher.messages.size(), 1u);
}

// --- mute rules -----------------------------------------------------------------------------------------

class MutedAlarms : public AlarmTest {
 protected:
  MutedAlarms() {
    PutMetricAlarmInput in = simple();
    in.treat_missing_data = "ignore";
    EXPECT_EQ(fault_of(in), "");
    EXPECT_EQ(fault_of(rule("PT1H")), "");
  }
  PutAlarmMuteRuleInput rule(const std::string& duration) {
    PutAlarmMuteRuleInput in;
    in.name = "night";
    in.rule.schedule.expression = "cron(0 3 * * *)";
    in.rule.schedule.duration = duration;
    in.mute_targets = MuteTargets{.alarm_names = {"a"}};
    return in;
  }
};

TEST_F(MutedAlarms, actions_run_when_the_window_ends) {
  set_state("a", StateValue::ALARM);
  EXPECT_TRUE(publisher.messages.empty());
  EXPECT_EQ(state(), "ALARM") << "states go on";
  advance(minutes(59));
  EXPECT_TRUE(publisher.messages.empty());
  advance(minutes(2));
  ASSERT_EQ(publisher.messages.size(), 1u);
  EXPECT_EQ(Json::parse(publisher.messages[0].message)["ActionExecutedAfterMuteWindow"], true);
  advance(minutes(60));
  EXPECT_EQ(publisher.messages.size(), 1u) << "once";
}

TEST_F(MutedAlarms, a_state_that_returned_says_nothing) {
  set_state("a", StateValue::ALARM);
  set_state("a", StateValue::INSUFFICIENT_DATA);
  advance(minutes(90));
  EXPECT_TRUE(publisher.messages.empty());
}

TEST_F(MutedAlarms, removing_the_rule_ends_the_window) {
  set_state("a", StateValue::ALARM);
  DeleteAlarmMuteRuleInput remove;
  remove.alarm_mute_rule_name = "night";
  EXPECT_EQ(fault_of(remove), "");
  EXPECT_EQ(fault_of(remove), "");
  advance(seconds(1));
  EXPECT_EQ(publisher.messages.size(), 1u);
}

TEST_F(MutedAlarms, rules_show_their_status) {
  GetAlarmMuteRuleInput get;
  get.alarm_mute_rule_name = "night";
  auto out = run(get).value();
  EXPECT_EQ(out.status, AlarmMuteRuleStatus::ACTIVE);
  EXPECT_EQ(out.mute_type, "RECURRING");
  EXPECT_EQ(out.alarm_mute_rule_arn, "arn:aws:cloudwatch:us-east-1:123456789012:alarm-mute-rule:night");
  clock.advance(minutes(61));
  EXPECT_EQ(run(get)->status, AlarmMuteRuleStatus::SCHEDULED);
  auto once = rule("PT1H");
  once.name = "once";
  once.rule.schedule.expression = "at(2024-01-02T03:00)";
  EXPECT_EQ(fault_of(once), "");
  ListAlarmMuteRulesInput list;
  list.statuses = std::vector<AlarmMuteRuleStatus>{AlarmMuteRuleStatus::EXPIRED};
  ASSERT_EQ(run(list)->alarm_mute_rule_summaries->size(), 1u);
  EXPECT_EQ(run(list)->alarm_mute_rule_summaries->front().mute_type, "ONE_TIME");
  get.alarm_mute_rule_name = "nothing";
  EXPECT_TRUE(fault_of(get).starts_with("ResourceNotFoundException: "));
  auto broken = rule("PT1H");
  broken.rule.schedule.expression = "rate(5 minutes)";
  EXPECT_TRUE(fault_of(broken).starts_with("ValidationError: "));
}

// --- scale ------------------------------------------------------------------------------------------------

TEST_F(AlarmEngineTest, many_alarms_are_spread_over_the_minute) {
  for (int i = 0; i < 3'000; ++i) {
    auto entry = simple("a" + std::to_string(i));
    entry.alarm_actions.reset();
    entry.ok_actions.reset();
    ASSERT_EQ(fault_of(entry), "");
  }
  engine->tick(clock.now());
  const auto first = engine->next_due(clock.now());
  ASSERT_TRUE(first);
  EXPECT_EQ(*first, clock.now() + seconds(2)) << "grace after the window";
  int ticks = 0;
  const Timestamp until = clock.now() + minutes(1);
  while (true) {
    const auto due = engine->next_due(clock.now());
    if (!due || *due > until) break;
    clock.set(std::max(*due, clock.now()));
    engine->tick(clock.now());
    ++ticks;
  }
  EXPECT_GT(ticks, 5);
}

}  // namespace
}  // namespace fog::cloudwatch
