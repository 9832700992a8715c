// PutMetricData: what is refused and how, what is stored, entities.
#include <cmath>

#include "metrics_fixture.h"

namespace fog::cloudwatch {
namespace {

struct Row {
  const char* title;
  const char* input;
  const char* code;
  const char* message;
};

constexpr Row kRows[] = {
    {"Value and Values", R"({"Namespace":"N","MetricData":[{"MetricName":"m","Value":1,"Values":[1]}]})",
     "InvalidParameterCombination",
     "The parameters MetricData.member.1.Value and MetricData.member.1.Values are mutually exclusive and you have "
     "specified both."},
    {"Value and StatisticValues",
     R"({"Namespace":"N","MetricData":[{"MetricName":"m","Value":1},{"MetricName":"m","Value":1,
         "StatisticValues":{"SampleCount":1,"Sum":1,"Minimum":1,"Maximum":1}}]})",
     "InvalidParameterCombination",
     "The parameters MetricData.member.2.Value and MetricData.member.2.StatisticValues are mutually exclusive and you "
     "have specified both."},
    {"sizes differ", R"({"Namespace":"N","MetricData":[{"MetricName":"m","Values":[1,2],"Counts":[1]}]})",
     "InvalidParameterValue",
     "The parameters MetricData.member.1.Values and MetricData.member.1.Counts must be of the same size."},
    {"not a number", R"({"Namespace":"N","MetricData":[{"MetricName":"m","Value":"NaN"}]})", "InvalidParameterValue",
     "The value NaN for parameter MetricData.member.1.Value is invalid."},
    {"infinite", R"({"Namespace":"N","MetricData":[{"MetricName":"m","Value":"Infinity"}]})", "InvalidParameterValue",
     "The value Infinity for parameter MetricData.member.1.Value is invalid."},
    {"bad unit", R"({"Namespace":"N","MetricData":[{"MetricName":"m","Value":1,"Unit":"Feet"}]})",
     "InvalidParameterValue",
     "The parameter MetricData.member.1.Unit must be a value in the set [ Megabits, Terabits, Gigabits, Count, Bytes, "
     "Gigabytes, Gigabytes/Second, Kilobytes, Kilobits/Second, Terabytes, Terabits/Second, Bytes/Second, Percent, "
     "Megabytes, Megabits/Second, Milliseconds, Microseconds, Kilobytes/Second, Gigabits/Second, Megabytes/Second, "
     "Bits, Bits/Second, Count/Second, Seconds, Kilobits, Terabytes/Second, None ]"},
    {"no payload", R"({"Namespace":"N","MetricData":[{"MetricName":"m"}]})", "MissingParameter",
     "The parameter MetricData.member.1.Value is required."},
    {"no data", R"({"Namespace":"N"})", "MissingParameter", "The parameter MetricData is required."},
    {"no name", R"({"Namespace":"N","MetricData":[{"Value":1}]})", "MissingParameter",
     "The parameter MetricData.member.1.MetricName is required."},
    {"no namespace", R"({"MetricData":[{"MetricName":"m","Value":1}]})", "MissingParameter",
     "The parameter Namespace is required."},
    {"too old", R"({"Namespace":"N","MetricData":[{"MetricName":"m","Value":1,"Timestamp":1766404799}]})",
     "InvalidParameterValue",
     "The parameter MetricData.member.1.Timestamp must specify a time within the past two weeks."},
    {"too new", R"({"Namespace":"N","MetricData":[{"MetricName":"m","Value":1,"Timestamp":1767621601}]})",
     "InvalidParameterValue",
     "The parameter MetricData.member.1.Timestamp must specify a time no more than two hours in the future."},
    {"blank namespace", R"({"Namespace":"  ","MetricData":[{"MetricName":"m","Value":1}]})", "InvalidParameterValue",
     "The value    for parameter Namespace is invalid."},
    {"twice the same dimension",
     R"({"Namespace":"N","MetricData":[{"MetricName":"m","Value":1,
         "Dimensions":[{"Name":"a","Value":"1"},{"Name":"a","Value":"2"}]}]})",
     "InvalidParameterValue",
     "The parameter MetricData.member.1.Dimensions must not name the dimension a more than once."},
    {"dimension with a colon",
     R"({"Namespace":"N","MetricData":[{"MetricName":"m","Value":1,"Dimensions":[{"Name":":a","Value":"1"}]}]})",
     "InvalidParameterValue", "The value :a for parameter MetricData.member.1.Dimensions.member.1.Name is invalid."},
    {"resolution", R"({"Namespace":"N","MetricData":[{"MetricName":"m","Value":1,"StorageResolution":5}]})",
     "InvalidParameterValue", "The value 5 for parameter MetricData.member.1.StorageResolution is invalid."},
    {"half a set", R"({"Namespace":"N","MetricData":[{"MetricName":"m","StatisticValues":{"SampleCount":1,"Sum":1}}]})",
     "MissingParameter", "The parameter MetricData.member.1.StatisticValues.Minimum is required."},
    {"entity without a strictness",
     R"({"Namespace":"N","EntityMetricData":[{"Entity":{"KeyAttributes":{"Type":"Service","Name":"a","Environment":"b"}},
         "MetricData":[{"MetricName":"m","Value":1}]}]})",
     "MissingParameter", "The parameter StrictEntityValidation is required."},
};

using PutMetricData = CloudWatch;

TEST_F(PutMetricData, refuses_in_the_words_of_the_service_and_stores_nothing) {
  for (const Row& row : kRows) {
    const Answer a = call_raw("PutMetricData", row.input);
    EXPECT_EQ(a.status, 400) << row.title << a.raw;
    EXPECT_EQ(a.code, row.code) << row.title;
    EXPECT_EQ(a.message, row.message) << row.title;
  }
  EXPECT_EQ(metrics->stats().series, 0u);
}

TEST_F(PutMetricData, collections_have_limits) {
  json datum = {{"MetricName", "m"}, {"Value", 1}};
  json many = {{"Namespace", "N"}, {"MetricData", json::array()}};
  for (int i = 0; i < 1001; ++i) many["MetricData"].push_back(datum);
  Answer a = call("PutMetricData", many);
  EXPECT_EQ(a.message, "The collection MetricData must not have a size greater than 1000.");
  EXPECT_EQ(a.code, "InvalidParameterValue");
  many["MetricData"].erase(0);
  EXPECT_EQ(call("PutMetricData", many).status, 200);

  json wide = {{"MetricName", "w"}, {"Values", json::array()}};
  for (int i = 0; i < 151; ++i) wide["Values"].push_back(i);
  a = call("PutMetricData", {{"Namespace", "N"}, {"MetricData", {wide}}});
  EXPECT_EQ(a.message, "The collection MetricData.member.1.Values must not have a size greater than 150.");

  json deep = {{"MetricName", "d"}, {"Value", 1}, {"Dimensions", json::array()}};
  for (int i = 0; i < 31; ++i) deep["Dimensions"].push_back({{"Name", "n" + std::to_string(i)}, {"Value", "v"}});
  a = call("PutMetricData", {{"Namespace", "N"}, {"MetricData", {deep}}});
  EXPECT_EQ(a.message, "The collection MetricData.member.1.Dimensions must not have a size greater than 30.");
  deep["Dimensions"].erase(0);
  EXPECT_EQ(call("PutMetricData", {{"Namespace", "N"}, {"MetricData", {deep}}}).status, 200);
}

TEST_F(PutMetricData, values_at_the_edge) {
  const auto status = [&](double v) {
    return call("PutMetricData", {{"Namespace", "N"}, {"MetricData", {{{"MetricName", "m"}, {"Value", v}}}}}).status;
  };
  EXPECT_EQ(status(std::ldexp(1, 360)), 200);
  EXPECT_EQ(status(-std::ldexp(1, 360)), 200);
  EXPECT_EQ(status(std::ldexp(1, 361)), 400);
  EXPECT_EQ(status(0), 200);
}

TEST_F(PutMetricData, zero_counts_as_given_and_time_defaults_to_now) {
  EXPECT_EQ(call("PutMetricData", {{"Namespace", "N"}, {"MetricData", {{{"MetricName", "m"}, {"Value", 0}}}}}).status, 200);
  const Answer a = call("GetMetricStatistics", {{"Namespace", "N"}, {"MetricName", "m"}, {"StartTime", kNowS - 60},
                                                {"EndTime", kNowS + 60}, {"Period", 60}, {"Statistics", {"SampleCount", "Sum"}}});
  ASSERT_EQ(a.body["Datapoints"].size(), 1u) << a.raw;
  EXPECT_EQ(a.body["Datapoints"][0]["SampleCount"], 1);
  EXPECT_EQ(a.body["Datapoints"][0]["Sum"], 0);
  EXPECT_EQ(a.body["Datapoints"][0]["Timestamp"], kNowS);
}

TEST_F(PutMetricData, values_and_a_set_together_are_both_stored) {
  const json datum = {{"MetricName", "m"}, {"Values", {1, 2}}, {"Counts", {1, 3}},
                      {"StatisticValues", {{"SampleCount", 2}, {"Sum", 20}, {"Minimum", 9}, {"Maximum", 11}}}};
  EXPECT_EQ(call("PutMetricData", {{"Namespace", "N"}, {"MetricData", {datum}}}).status, 200);
  const Answer a = call("GetMetricStatistics", {{"Namespace", "N"}, {"MetricName", "m"}, {"StartTime", kNowS - 60},
                                                {"EndTime", kNowS + 60}, {"Period", 60},
                                                {"Statistics", {"SampleCount", "Sum", "Minimum", "Maximum", "Average"}}});
  const json& p = a.body["Datapoints"][0];
  EXPECT_EQ(p["SampleCount"], 6);
  EXPECT_EQ(p["Sum"], 27);
  EXPECT_EQ(p["Minimum"], 1);
  EXPECT_EQ(p["Maximum"], 11);
  EXPECT_EQ(p["Average"], 4.5);
}

TEST_F(PutMetricData, a_bad_entity_fails_the_call_only_when_strict) {
  const auto with = [](const json& entity, bool strict) {
    return json{{"Namespace", "N"}, {"StrictEntityValidation", strict},
                {"EntityMetricData", {{{"Entity", entity}, {"MetricData", {{{"MetricName", "m"}, {"Value", 1}}}}}}}};
  };
  const json good = {{"KeyAttributes", {{"Type", "Service"}, {"Name", "a"}, {"Environment", "b"}}}};
  const json unknown = {{"KeyAttributes", {{"Type", "Planet"}, {"Name", "a"}}}};
  const json lacking = {{"KeyAttributes", {{"Type", "Resource"}, {"Name", "a"}}}};
  EXPECT_EQ(call("PutMetricData", with(unknown, true)).status, 400);
  EXPECT_EQ(metrics->stats().series, 0u);
  Answer a = call("PutMetricData", with(unknown, false));
  EXPECT_EQ(a.status, 200);
  EXPECT_EQ(a.header("X-Amzn-Failure-Message"), "InvalidTypeValue");
  a = call("PutMetricData", with(lacking, false));
  EXPECT_EQ(a.header("X-Amzn-Failure-Message"), "MissingRequiredFields");
  const auto id = metrics->find({"000000000000", "us-east-1", "N", "m", {}});
  ASSERT_TRUE(id.has_value());
  EXPECT_TRUE(metrics->describe(*id)->entity.empty());
  a = call("PutMetricData", with(good, true));
  EXPECT_EQ(a.status, 200);
  EXPECT_EQ(a.header("X-Amzn-Failure-Message"), "");
  EXPECT_FALSE(metrics->describe(*id)->entity.empty());
}

TEST_F(PutMetricData, the_sink_leaves_out_what_breaks_a_rule) {
  const auto sink = make_metric_sink(*metrics, clock);
  SinkDatum good{.metric_namespace = "N", .metric_name = "m", .dimensions = {{"a", "b"}}, .time = clock.now(), .values = {1}};
  SinkDatum old = good;
  old.time = clock.now() - std::chrono::days(15);
  SinkDatum nan = good;
  nan.values = {std::nan("")};
  const SinkDatum all[] = {good, old, nan};
  const auto outcome = sink->put_metrics("1", "r", all);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->rejected, 2u);
  EXPECT_GT(outcome->lsn, 0u);
  EXPECT_EQ(metrics->stats().points_put, 1u);
}

}  // namespace
}  // namespace fog::cloudwatch
