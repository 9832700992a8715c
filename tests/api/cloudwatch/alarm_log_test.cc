// Log alarms over a query that the test answers; contributors and what is said about each.
#include "api/cloudwatch/alarm_log.h"

#include <nlohmann/json.hpp>

#include "api/common/log_query.h"
#include "tests/api/cloudwatch/alarm_harness.h"

namespace fog::cloudwatch {
namespace {

class FakeQueries final : public LogQueries {
 public:
  Status check_query(std::string_view text) override {
    if (text.find("broken") != std::string_view::npos) return Error::invalid("unexpected symbol");
    return Ok{};
  }
  Result<Answer> run_query(const Spec& spec) override {
    asked.push_back(spec);
    if (fails) return Error::invalid("no such field");
    return spec.text.find("@message") == std::string::npos ? answer : lines;
  }
  std::vector<Spec> asked;
  Answer answer;
  Answer lines;  // what is answered when events are asked for
  bool fails = false;
};

class LogAlarmTest : public AlarmTest {
 protected:
  LogAlarmTest() { services.add<LogQueries>(queries); }

  PutLogAlarmInput input(const std::string& aggregation = "count(*)") {
    PutLogAlarmInput in;
    in.alarm_name = "a";
    auto& query = in.scheduled_query_configuration;
    query.query_string = "filter level = 'ERROR'";
    query.log_group_identifiers = std::vector<std::string>{"/app"};
    query.scheduled_query_role_arn = "arn:aws:iam::123456789012:role/q";
    query.aggregation_expression = aggregation;
    query.schedule_configuration.schedule_expression = "rate(5 minutes)";
    query.schedule_configuration.start_time_offset = 600;
    query.schedule_configuration.end_time_offset = 60;
    in.query_results_to_evaluate = 3;
    in.query_results_to_alarm = 2;
    in.threshold = 10;
    in.comparison_operator = ComparisonOperator::GreaterThanThreshold;
    in.alarm_actions = std::vector<std::string>{kTopic};
    in.ok_actions = std::vector<std::string>{kTopic};
    return in;
  }
  Status put(const PutLogAlarmInput& in) {
    Call call = make_call();
    for (const Operation& operation : alarm_log_operations()) {
      Empty out;
      return operation.invoke(call, &in, &out);
    }
    return Error::internal("no handler");
  }
  void answer(std::vector<std::string> columns, std::vector<std::vector<std::optional<std::string>>> rows) {
    queries.answer = {.columns = std::move(columns), .rows = std::move(rows)};
  }
  void five_minutes() { advance(std::chrono::minutes(5)); }
  std::vector<AlarmHistoryItem> told(HistoryItemType type) { return history("a", type, AlarmType::LogAlarm); }

  FakeQueries queries;
};

TEST_F(LogAlarmTest, each_run_is_a_datapoint) {
  answer({"count(*)"}, {{"5"}});
  ASSERT_TRUE(put(input()).ok());
  engine->tick(clock.now());
  ASSERT_EQ(queries.asked.size(), 1u);
  EXPECT_EQ(queries.asked[0].text, "filter level = 'ERROR'\n| stats count(*)");
  EXPECT_EQ(queries.asked[0].start, clock.now() - std::chrono::seconds(600));
  EXPECT_EQ(queries.asked[0].end, clock.now() - std::chrono::seconds(60));
  EXPECT_EQ(state(), "OK");
  answer({"count(*)"}, {{"11"}});
  five_minutes();
  EXPECT_EQ(state(), "OK");
  five_minutes();
  EXPECT_EQ(state(), "ALARM");
  EXPECT_EQ(alarm()->reason(),
            "Threshold Crossed: 2 out of the last 3 datapoints [11.0 (02/01/24 03:10:00), 11.0 (02/01/24 03:05:00)] were greater than the "
            "threshold (10.0) (minimum 2 datapoints for OK -> ALARM transition).");
  ASSERT_EQ(publisher.messages.size(), 2u);  // OK out of INSUFFICIENT_DATA, then ALARM
  EXPECT_EQ(publisher.messages.back().subject, "ALARM: \"a\" in US East (N. Virginia)");
  five_minutes();
  EXPECT_EQ(alarm()->document.runs->size(), 3u);
  EXPECT_EQ(told(HistoryItemType::StateUpdate).size(), 2u);
}

TEST_F(LogAlarmTest, a_notification_shows_the_newest_lines) {
  answer({"count(*)"}, {{"11"}});
  queries.lines = {.columns = {"@timestamp", "@message", "@ptr"},
                   .rows = {{"2024-01-02 03:04:05.000", "disk \"a\" failed", "p"}, {"2024-01-02 03:04:04.000", std::string(1999, 'x') + "\u00e4", "q"}}};
  PutLogAlarmInput in = input();
  in.query_results_to_evaluate = 1;
  in.query_results_to_alarm = 1;
  in.action_log_line_count = 2;
  in.action_log_line_role_arn = "arn:aws:iam::123456789012:role/q";
  ASSERT_TRUE(put(in).ok());
  engine->tick(clock.now());
  ASSERT_EQ(state(), "ALARM");
  ASSERT_EQ(queries.asked.size(), 2u);
  EXPECT_EQ(queries.asked[1].text, "filter level = 'ERROR'\n| fields @timestamp, @message | sort @timestamp desc | limit 2");
  EXPECT_EQ(queries.asked[1].start, queries.asked[0].start);
  ASSERT_EQ(publisher.messages.size(), 1u);
  const auto notification = nlohmann::json::parse(publisher.messages[0].message);
  ASSERT_EQ(notification["LogLines"].size(), 2u);
  EXPECT_EQ(notification["LogLines"][0]["Message"], "disk \"a\" failed");
  EXPECT_EQ(notification["LogLines"][1]["Message"], std::string(1999, 'x'));  // cut before a character that would be torn
  EXPECT_NE(publisher.messages[0].by_protocol.at("email").find("Log Lines:\n- 2024-01-02 03:04:05.000 disk \"a\" failed\n"), std::string::npos);
  five_minutes();  // still in alarm: nothing to tell, nothing to ask for
  EXPECT_EQ(queries.asked.size(), 3u);
}

TEST_F(LogAlarmTest, no_rows_are_missing_data) {
  answer({"count(*)"}, {});
  PutLogAlarmInput in = input();
  in.treat_missing_data = "breaching";
  ASSERT_TRUE(put(in).ok());
  engine->tick(clock.now());
  EXPECT_EQ(state(), "ALARM");
  in.treat_missing_data = "missing";
  ASSERT_TRUE(put(in).ok());
  engine->tick(clock.now());
  EXPECT_EQ(state(), "INSUFFICIENT_DATA");
}

TEST_F(LogAlarmTest, a_query_that_fails_is_said_and_keeps_the_state) {
  answer({"count(*)"}, {{"5"}});
  ASSERT_TRUE(put(input()).ok());
  engine->tick(clock.now());
  queries.fails = true;
  five_minutes();
  EXPECT_EQ(state(), "OK");
  EXPECT_EQ(alarm()->document.log->evaluation_state, EvaluationState::EVALUATION_ERROR);
  queries.fails = false;
  five_minutes();
  EXPECT_FALSE(alarm()->document.log->evaluation_state.has_value());
}

TEST_F(LogAlarmTest, groups_are_contributors_and_each_is_acted_upon) {
  answer({"host", "avg(latency)"}, {{"a", "50"}, {"b", "5"}, {"c", "60"}});
  PutLogAlarmInput in = input("avg(latency) by host | sort desc");
  in.query_results_to_evaluate = in.query_results_to_alarm = 1;
  ASSERT_TRUE(put(in).ok());
  engine->tick(clock.now());
  EXPECT_EQ(queries.asked[0].text, "filter level = 'ERROR'\n| stats avg(latency) by host");
  EXPECT_EQ(state(), "ALARM");
  EXPECT_EQ(alarm()->reason(), "2 out of 3 time series evaluated to ALARM");
  // Two contributors and the alarm itself.
  ASSERT_EQ(publisher.messages.size(), 3u);
  // In the order of their ids.
  EXPECT_NE(publisher.messages[0].message.find(R"("AlarmContributorAttributes":{"host":"c"})"), std::string::npos) << publisher.messages[0].message;
  EXPECT_NE(publisher.messages[0].message.find("Threshold Crossed: 1 out of the last 1 datapoints [60.0 ("), std::string::npos);
  EXPECT_NE(publisher.messages[1].message.find(R"("AlarmContributorAttributes":{"host":"a"})"), std::string::npos);
  EXPECT_EQ(publisher.messages[2].message.find("AlarmContributorId"), std::string::npos);
  EXPECT_EQ(told(HistoryItemType::AlarmContributorStateUpdate).size(), 2u);
  const auto actions = told(HistoryItemType::AlarmContributorAction);
  ASSERT_EQ(actions.size(), 2u);
  EXPECT_EQ(actions[0].history_summary, std::string("Successfully executed action ") + kTopic);
  EXPECT_EQ(actions[0].alarm_contributor_attributes->at("host"), "c");

  DescribeAlarmContributorsInput ask;
  ask.alarm_name = "a";
  const auto shown = run(ask);
  ASSERT_TRUE(shown.ok());
  ASSERT_EQ(shown->alarm_contributors.size(), 2u);
  EXPECT_EQ(shown->alarm_contributors[0].contributor_id.size(), 16u);

  // One recovers, one is gone from the results.
  publisher.messages.clear();
  answer({"host", "avg(latency)"}, {{"a", "5"}, {"b", "5"}});
  five_minutes();
  EXPECT_EQ(state(), "OK");
  EXPECT_TRUE(run(ask)->alarm_contributors.empty());
  ASSERT_EQ(publisher.messages.size(), 3u);
  EXPECT_NE((publisher.messages[0].message + publisher.messages[1].message).find("No data was returned for this contributor"), std::string::npos);
  five_minutes();
  EXPECT_EQ(publisher.messages.size(), 3u);
  ask.alarm_name = "unknown";
  EXPECT_NE(fault_of(ask).find("ResourceNotFoundException"), std::string::npos);
}

TEST_F(LogAlarmTest, muted_contributors_keep_silent) {
  PutAlarmMuteRuleInput mute;
  answer({"host", "avg(latency)"}, {{"a", "5"}});
  PutLogAlarmInput in = input("avg(latency) by host");
  in.query_results_to_evaluate = in.query_results_to_alarm = 1;
  ASSERT_TRUE(put(in).ok());
  engine->tick(clock.now());
  publisher.messages.clear();
  mute.name = "m";
  mute.rule.schedule.expression = "cron(* * * * *)";
  mute.rule.schedule.duration = "PT1H";
  mute.mute_targets = MuteTargets{.alarm_names = {"a"}};
  ASSERT_EQ(fault_of(mute), "");
  answer({"host", "avg(latency)"}, {{"a", "50"}});
  five_minutes();
  EXPECT_EQ(state(), "ALARM");
  EXPECT_TRUE(publisher.messages.empty());
}

TEST_F(LogAlarmTest, another_kind_of_the_same_name_is_a_conflict) {
  ASSERT_EQ(fault_of(simple("a")), "");
  const Status conflict = put(input());
  ASSERT_FALSE(conflict.ok());
  WireFault scratch;
  EXPECT_EQ(wire_of(conflict.error(), registered.errors, scratch).code, "ResourceConflict");
  PutLogAlarmInput in = input();
  in.alarm_name = "other";
  in.scheduled_query_configuration.query_string = "broken";
  EXPECT_EQ(put(in).error().message(), "ScheduledQueryConfiguration is not valid: unexpected symbol");
}

TEST_F(LogAlarmTest, survives_a_restart_with_its_results) {
  answer({"count(*)"}, {{"11"}});
  ASSERT_TRUE(put(input()).ok());
  engine->tick(clock.now());
  five_minutes();
  EXPECT_EQ(state(), "ALARM");
  open();
  services.add<LogQueries>(queries);
  EXPECT_EQ(state(), "ALARM");
  EXPECT_EQ(alarm()->document.runs->size(), 2u);
}

TEST(LogAlarm, aggregations_in_their_parts) {
  struct Row {
    const char* text;
    const char* stats;
    std::vector<std::string> keys;
  };
  const Row rows[] = {{"count(*)", "count(*)", {}},
                      {"avg(latency) by host | sort desc", "avg(latency) by host", {"host"}},
                      {"max(a) as m by host, bin(5m)", "max(a) as m by host, bin(5m)", {"host", "bin(5m)"}},
                      {"sum(x) by concat(a, b) as ab", "sum(x) by concat(a, b) as ab", {"ab"}},
                      {"count(strcontains(m, ' by | ')) by z", "count(strcontains(m, ' by | ')) by z", {"z"}},
                      {"AVG(x) BY y", "AVG(x) BY y", {"y"}},
                      {"avg(ruby)", "avg(ruby)", {}}};
  for (const Row& row : rows) {
    const Aggregation found = parse_aggregation(row.text);
    EXPECT_EQ(found.stats, row.stats);
    EXPECT_EQ(found.keys, row.keys) << row.text;
  }
}

TEST(LogAlarm, rates) {
  EXPECT_EQ(parse_rate("rate(1 minute)").value(), std::chrono::seconds(60));
  EXPECT_EQ(parse_rate("rate(15 minutes)").value(), std::chrono::seconds(900));
  EXPECT_EQ(parse_rate("rate(2 hours)").value(), std::chrono::seconds(7200));
  for (const char* bad : {"", "rate()", "rate(0 minutes)", "rate(5)", "rate(5 days)", "cron(0 * * * ? *)", "rate(-1 minutes)", "rate(5 minutes", "rate(99999999999999999999 minutes)"})
    EXPECT_FALSE(parse_rate(bad).ok()) << bad;
}

}  // namespace
}  // namespace fog::cloudwatch
