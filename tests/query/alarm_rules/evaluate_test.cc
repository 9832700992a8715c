#include "query/alarm_rules/evaluate.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace fog::alarm_rules {
namespace {

using Json = nlohmann::ordered_json;
using std::chrono::sys_days;

TEST(Alarm, decides_as_the_published_tables_do) {
  std::ifstream file(FOG_SOURCE_DIR "/tests/query/alarm_rules/cases.json");
  const Json document = Json::parse(file);
  int n = 0;
  for (const auto& c : document.at("cases")) {
    SCOPED_TRACE(c.dump());
    ++n;
    std::vector<std::optional<bool>> points;
    for (const auto& p : c.at("points"))
      points.push_back(p == "-" ? std::nullopt : std::optional<bool>(p == "X"));
    const State state = decide(c.at("n"), c.at("m"),
                               *parse_missing_data(c.at("treat").get<std::string>()),
                               *parse_state(c.at("current").get<std::string>()), points);
    EXPECT_EQ(to_string(state), c.at("expect").get<std::string>());
  }
  EXPECT_EQ(n, 58);
}

// Slots of one minute that end with 16:59 on 2 October 2019; NaN is a missing datapoint.
constexpr double kGap = -1e300;
std::vector<Slot> slots(const std::vector<double>& values) {
  const Timestamp last = sys_days(std::chrono::year{2019} / 10 / 2) + std::chrono::hours(16) + std::chrono::minutes(59);
  std::vector<Slot> out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    Slot slot;
    slot.start = last - std::chrono::minutes(values.size() - 1 - i);
    if (values[i] != kGap) {
      slot.value = values[i];
      slot.sample_count = 1;
    }
    out.push_back(slot);
  }
  return out;
}

struct ReasonRow {
  const char* what;
  Rules rules;
  std::vector<double> values;
  State state;
  const char* reason;
};

TEST(Alarm, gives_reasons_in_the_service_s_words) {
  const auto rules = [](std::int64_t n, std::optional<std::int64_t> m, MissingData missing, Comparison c, double t) {
    Rules r;
    r.evaluation_periods = n;
    r.datapoints_to_alarm = m;
    r.missing_data = missing;
    r.comparison = c;
    r.threshold = t;
    return r;
  };
  const auto missing = MissingData::kMissing;
  std::vector<double> many(24, 1.0), thirty(30, 21.0);
  const ReasonRow rows[] = {
      {"one", rules(1, {}, missing, Comparison::kGreater, 21), {20, 20, 21.5}, State::kAlarm,
       "Threshold Crossed: 1 datapoint [21.5 (02/10/19 16:59:00)] was greater than the threshold (21.0)."},
      {"three, recovered", rules(3, {}, missing, Comparison::kGreater, 60), {1, 2, 10, 20, 30}, State::kOk,
       "Threshold Crossed: 3 datapoints [30.0 (02/10/19 16:59:00), 20.0 (02/10/19 16:58:00), 10.0 (02/10/19 "
       "16:57:00)] were not greater than the threshold (60.0)."},
      {"many", rules(24, {}, missing, Comparison::kGreater, 0), many, State::kAlarm,
       "Threshold Crossed: 24 datapoints were greater than the threshold (0.0). The most recent datapoints which "
       "crossed the threshold: [1.0 (02/10/19 16:59:00), 1.0 (02/10/19 16:58:00), 1.0 (02/10/19 16:57:00), 1.0 "
       "(02/10/19 16:56:00), 1.0 (02/10/19 16:55:00)]."},
      {"M of N, OK", rules(5, 3, missing, Comparison::kGreater, 0), {0, 0, 1, 0, 1, 0, 0}, State::kOk,
       "Threshold Crossed: 3 out of the last 5 datapoints [0.0 (02/10/19 16:59:00), 0.0 (02/10/19 16:58:00), 0.0 "
       "(02/10/19 16:56:00)] were not greater than the threshold (0.0) (minimum 3 datapoints for ALARM -> OK "
       "transition)."},
      {"1 of 1", rules(1, 1, missing, Comparison::kGreater, 50), {1, 2, 60}, State::kAlarm,
       "Threshold Crossed: 1 out of the last 1 datapoints [60.0 (02/10/19 16:59:00)] was greater than the threshold "
       "(50.0) (minimum 1 datapoint for OK -> ALARM transition)."},
      {"30 of 30", rules(30, 30, missing, Comparison::kGreater, 20), thirty, State::kAlarm,
       "Threshold Crossed: 30 out of the last 30 datapoints were greater than the threshold (20.0). The most recent "
       "datapoints which crossed the threshold: [21.0 (02/10/19 16:59:00), 21.0 (02/10/19 16:58:00), 21.0 (02/10/19 "
       "16:57:00), 21.0 (02/10/19 16:56:00), 21.0 (02/10/19 16:55:00)] (minimum 30 datapoints for OK -> ALARM "
       "transition)."},
      {"all missing, breaching", rules(2, {}, MissingData::kBreaching, Comparison::kLess, 1),
       {kGap, kGap, kGap, kGap}, State::kAlarm,
       "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as "
       "[Breaching]."},
      {"all missing, not breaching", rules(1, {}, MissingData::kNotBreaching, Comparison::kLess, 1),
       {kGap, kGap, kGap}, State::kOk,
       "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as "
       "[NonBreaching]."},
      {"some missing", rules(2, {}, MissingData::kBreaching, Comparison::kLess, 1), {kGap, kGap, kGap, 0},
       State::kAlarm,
       "Threshold Crossed: 1 datapoint [0.0 (02/10/19 16:59:00)] was less than the threshold (1.0) and 1 missing "
       "datapoint was treated as [Breaching]."},
      {"mixed", rules(3, 2, MissingData::kBreaching, Comparison::kLess, 1), {kGap, kGap, 5, kGap, kGap},
       State::kAlarm,
       "Threshold Crossed: 1 datapoint was received for 3 periods and 2 missing datapoints were treated as "
       "[Breaching]."},
      {"unknown", rules(1, {}, missing, Comparison::kLess, 1), {kGap, kGap, kGap}, State::kInsufficientData,
       "Insufficient Data: 1 datapoint was unknown."},
      {"unknown, several", rules(3, {}, missing, Comparison::kLess, 1), {kGap, kGap, kGap, kGap, kGap},
       State::kInsufficientData, "Insufficient Data: 3 datapoints were unknown."},
      {"at least", rules(1, {}, missing, Comparison::kGreaterOrEqual, 2), {0, 0, 2}, State::kAlarm,
       "Threshold Crossed: 1 datapoint [2.0 (02/10/19 16:59:00)] was greater than or equal to the threshold (2.0)."},
      {"at most", rules(1, {}, missing, Comparison::kLessOrEqual, 4e5), {0, 0, 500000}, State::kOk,
       "Threshold Crossed: 1 datapoint [500000.0 (02/10/19 16:59:00)] was not less than or equal to the threshold "
       "(400000.0)."},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.what);
    const auto window = slots(row.values);
    const Verdict verdict = evaluate(row.rules, State::kInsufficientData, window, window.back().start + std::chrono::minutes(1));
    EXPECT_EQ(verdict.state, row.state);
    EXPECT_EQ(verdict.reason, row.reason);
  }
}

TEST(Alarm, against_a_band_names_both_bounds) {
  auto window = slots({0, 0, 0});
  for (auto& slot : window) {
    slot.lower = 1.5;
    slot.upper = 9;
  }
  Rules rules;
  rules.datapoints_to_alarm = 1;
  rules.comparison = Comparison::kOutsideBand;
  Verdict verdict = evaluate(rules, State::kOk, window, window.back().start);
  EXPECT_EQ(verdict.reason,
            "Thresholds Crossed: 1 out of the last 1 datapoints [0.0 (02/10/19 16:59:00)] was less than the lower "
            "thresholds [1.5] or greater than the upper thresholds [9.0] (minimum 1 datapoint for OK -> ALARM "
            "transition).");
  window.back().value = 5;
  verdict = evaluate(rules, State::kAlarm, window, window.back().start);
  EXPECT_EQ(verdict.reason,
            "Thresholds Crossed: 1 out of the last 1 datapoints [5.0 (02/10/19 16:59:00)] was not less than the lower "
            "thresholds [1.5] or not greater than the upper thresholds [9.0] (minimum 1 datapoint for ALARM -> OK "
            "transition).");
  window.back().lower.reset();
  EXPECT_EQ(evaluate(rules, State::kAlarm, window, window.back().start).state, State::kAlarm)
      << "without a band the datapoint is missing and the one before decides";
}

TEST(Alarm, reason_data_keeps_the_recorded_member_order) {
  Rules rules;
  rules.evaluation_periods = 2;
  rules.threshold = 21;
  rules.statistic = "Average";
  rules.unit = "Percent";
  const auto window = slots({20, 20, 22, 21.5});
  const Verdict verdict = evaluate(rules, State::kOk, window, window.back().start + std::chrono::seconds(62));
  EXPECT_EQ(verdict.reason_data,
            R"({"version":"1.0","queryDate":"2019-10-02T17:00:02.000+0000","startDate":"2019-10-02T16:58:00.000+0000",)"
            R"("unit":"Percent","statistic":"Average","period":60,"recentDatapoints":[22.0,21.5],"threshold":21.0,)"
            R"("evaluatedDatapoints":[{"timestamp":"2019-10-02T16:59:00.000+0000","sampleCount":1.0,"value":21.5},)"
            R"({"timestamp":"2019-10-02T16:58:00.000+0000","sampleCount":1.0,"value":22.0}]})");
}

TEST(Alarm, reason_data_shows_missing_slots_by_their_time_alone) {
  Rules rules;
  rules.evaluation_periods = 2;
  rules.missing_data = MissingData::kBreaching;
  const auto window = slots({kGap, kGap, kGap, kGap});
  const Verdict verdict = evaluate(rules, State::kOk, window, window.back().start + std::chrono::minutes(1));
  EXPECT_EQ(verdict.reason_data,
            R"({"version":"1.0","queryDate":"2019-10-02T17:00:00.000+0000","period":60,"recentDatapoints":[],)"
            R"("threshold":0.0,"evaluatedDatapoints":[{"timestamp":"2019-10-02T16:59:00.000+0000"},)"
            R"({"timestamp":"2019-10-02T16:58:00.000+0000"}]})");
}

TEST(Alarm, reason_data_stays_within_its_limit) {
  Rules rules;
  rules.evaluation_periods = 1440;
  const auto window = slots(std::vector<double>(1440, 1.0 / 3));
  const Verdict verdict = evaluate(rules, State::kOk, window, window.back().start);
  EXPECT_EQ(verdict.state, State::kAlarm);
  EXPECT_LE(verdict.reason_data.size(), kReasonDataCharsMax);
  EXPECT_TRUE(Json::accept(verdict.reason_data));
}

TEST(Alarm, numbers_look_like_the_service_s) {
  const std::pair<double, const char*> rows[] = {
      {21.5, "21.5"}, {0, "0.0"}, {400000, "400000.0"}, {1e7, "1.0E7"}, {12345678, "1.2345678E7"},
      {0.0001, "1.0E-4"}, {0.001, "0.001"}, {-3, "-3.0"}, {9999999, "9999999.0"}, {1.0 / 3, "0.3333333333333333"}};
  for (const auto& [value, text] : rows) EXPECT_EQ(format_number(value), text);
}

TEST(Alarm, low_sample_percentiles_need_the_documented_number) {
  EXPECT_TRUE(too_few_samples(99, 999));
  EXPECT_FALSE(too_few_samples(99, 1000));
  EXPECT_TRUE(too_few_samples(10, 99));
  EXPECT_FALSE(too_few_samples(10, 100));
  EXPECT_TRUE(too_few_samples(50, 19));
  EXPECT_FALSE(too_few_samples(50, 20));
}

}  // namespace
}  // namespace fog::alarm_rules
