// ListMetrics, GetMetricStatistics, GetMetricData: errors, paging, labels, units, math over the wire.
#include "api/cloudwatch/metric_tags.h"
#include "metrics_fixture.h"

namespace fog::cloudwatch {
namespace {

json stat(const std::string& id, const std::string& name, const std::string& statistic = "Sum", int period = 60,
          const json& dimensions = json::object(), const std::string& ns = "N") {
  json metric = {{"Namespace", ns}, {"MetricName", name}};
  for (const auto& [n, v] : dimensions.items()) metric["Dimensions"].push_back({{"Name", n}, {"Value", v}});
  return {{"Id", id}, {"MetricStat", {{"Metric", metric}, {"Period", period}, {"Stat", statistic}}}};
}

json expression(const std::string& id, const std::string& text) { return {{"Id", id}, {"Expression", text}}; }

class Reading : public CloudWatch {
 protected:
  Answer data(const std::vector<json>& queries, const json& more = json::object()) {
    json input = {{"MetricDataQueries", queries}, {"StartTime", kNowS - 600}, {"EndTime", kNowS}};
    input.update(more);
    return call("GetMetricData", input);
  }
};

struct Row {
  const char* operation;
  const char* input;
  const char* code;
  const char* message;
};

constexpr Row kErrors[] = {
    {"GetMetricStatistics",
     R"j({"Namespace":"N","MetricName":"m","StartTime":1000,"EndTime":1000,"Period":60,"Statistics":["Sum"]})j",
     "InvalidParameterValue", "The parameter StartTime must be less than the parameter EndTime."},
    {"GetMetricStatistics", R"j({"Namespace":"N","MetricName":"m","StartTime":0,"EndTime":86460,"Period":60,"Statistics":["Sum"]})j",
     "InvalidParameterCombination",
     "You have requested up to 1441 datapoints, which exceeds the limit of 1440. You may reduce the datapoints requested "
     "by increasing Period, or decreasing the time range."},
    {"GetMetricStatistics", R"j({"Namespace":"N","MetricName":"m","StartTime":0,"EndTime":60,"Period":60})j",
     "InvalidParameterCombination", "Must specify either Statistics or ExtendedStatistics"},
    {"GetMetricStatistics",
     R"j({"Namespace":"N","MetricName":"m","StartTime":0,"EndTime":60,"Period":60,"ExtendedStatistics":["P90"]})j",
     "InvalidParameterValue", "The value P90 for parameter ExtendedStatistics is not supported."},
    {"GetMetricStatistics", R"j({"Namespace":"N","MetricName":"m","StartTime":0,"EndTime":60,"Period":61,"Statistics":["Sum"]})j",
     "InvalidParameterValue", "The parameter Period must be 1, 5, 10, 20, 30, or a multiple of 60."},
    {"GetMetricStatistics", R"j({"Namespace":"N","MetricName":"m","StartTime":0,"EndTime":60,"Period":60,"Statistics":["sum"]})j",
     "ValidationError", nullptr},
    {"GetMetricStatistics", R"j({"MetricName":"m","StartTime":0,"EndTime":60,"Period":60,"Statistics":["Sum"]})j",
     "MissingParameter", "The parameter Namespace is required."},
    {"ListMetrics", R"j({"NextToken":"rubbish"})j", "InvalidParameterValue", "Request parameter NextToken is invalid"},
    {"ListMetrics", R"j({"RecentlyActive":"PT4H"})j", "ValidationError",
     "1 validation error detected: Value 'PT4H' at 'recentlyActive' failed to satisfy constraint: Member must satisfy enum "
     "value set: [PT3H]"},
    {"GetMetricData", R"j({"MetricDataQueries":[{"Id":"a"}],"StartTime":0,"EndTime":60})j", "ValidationError",
     "The parameter MetricDataQueries.member.1.MetricStat is required.\n"},
    {"GetMetricData", R"j({"MetricDataQueries":[{"Id":"a","MetricStat":{"Metric":{"MetricName":"m"},"Period":60,"Stat":"Sum"}}],
                         "StartTime":0,"EndTime":60})j",
     "ValidationError", "The parameter MetricDataQueries.member.1.MetricStat.Metric.Namespace is required.\n"},
    {"GetMetricData", R"j({"MetricDataQueries":[{"Id":"a","Expression":"TIME_SERIES(1)"},{"Id":"a","Expression":"TIME_SERIES(1)"}],
                         "StartTime":0,"EndTime":60})j",
     "ValidationError", "The values for parameter id in MetricDataQueries are not unique."},
    {"GetMetricData", R"j({"MetricDataQueries":[{"Id":"a","Expression":"TIME_SERIES(1)"}],"StartTime":60,"EndTime":60})j",
     "ValidationError", "The parameter StartTime must not equal parameter EndTime."},
    {"GetMetricData", R"j({"MetricDataQueries":[{"Id":"a","Expression":"TIME_SERIES(1)"}],"StartTime":61,"EndTime":60})j",
     "ValidationError", "The parameter EndTime must be greater than StartTime."},
    {"GetMetricData", R"j({"MetricDataQueries":[{"Id":"e1","Expression":"1 +"}],"StartTime":0,"EndTime":60})j",
     "ValidationError", "Error in expression 'e1': Invalid syntax"},
    {"GetMetricData", R"j({"MetricDataQueries":[{"Id":"e1","Expression":"XYZ(1)"}],"StartTime":0,"EndTime":60})j",
     "ValidationError", "Error in expression 'e1': Function 'XYZ' not found"},
    {"GetMetricData", R"j({"MetricDataQueries":[{"Id":"e1","Expression":"TIME_SERIES(1)"}],"StartTime":0,"EndTime":60,
                         "NextToken":"rubbish"})j",
     "InvalidNextToken", nullptr},
    {"GetMetricData", R"j({"MetricDataQueries":[{"Id":"A","Expression":"TIME_SERIES(1)"}],"StartTime":0,"EndTime":60})j",
     "ValidationError", nullptr},
    {"GetMetricData", R"j({"MetricDataQueries":[{"Id":"a","Expression":"TIME_SERIES(1)"}],"StartTime":0,"EndTime":60,
                         "LabelOptions":{"Timezone":"Berlin"}})j",
     "ValidationError", nullptr},
};

TEST_F(Reading, errors) {
  for (const Row& row : kErrors) {
    const Answer a = call_raw(row.operation, row.input);
    EXPECT_EQ(a.status, 400) << row.input << a.raw;
    EXPECT_EQ(a.code, row.code) << row.input << a.raw;
    if (row.message != nullptr) {
      EXPECT_EQ(a.message, row.message);
    }
  }
}

TEST_F(Reading, unknown_metrics_are_empty_not_errors) {
  const Answer a = call("GetMetricStatistics", {{"Namespace", "N"}, {"MetricName", "m"}, {"StartTime", kNowS - 60},
                                                {"EndTime", kNowS}, {"Period", 60}, {"Statistics", {"Sum"}}});
  EXPECT_EQ(a.body, json({{"Label", "m"}, {"Datapoints", json::array()}}));
  const Answer b = data({stat("a", "m")});
  EXPECT_EQ(b.body["Messages"], json::array());
  EXPECT_EQ(b.body["MetricDataResults"],
            json::array({{{"Id", "a"}, {"Label", "m"}, {"Timestamps", json::array()}, {"Values", json::array()}, {"StatusCode", "Complete"}}}));
  EXPECT_EQ(call("ListMetrics", json::object()).body["Metrics"], json::array());
}

TEST_F(Reading, lists_in_order_with_filters_and_pages) {
  for (int i = 0; i < 1203; ++i) {
    char name[16];
    std::snprintf(name, sizeof name, "m%04d", i);
    put("N", name, {{"Host", i % 2 == 0 ? "even" : "odd"}, {"Az", "a"}}, kNowS, 1);
  }
  std::vector<std::string> names;
  std::string token;
  int pages = 0;
  do {
    json input = {{"Namespace", "N"}};
    if (!token.empty()) input["NextToken"] = token;
    const Answer a = call("ListMetrics", input);
    ASSERT_EQ(a.status, 200) << a.raw;
    for (const json& m : a.body["Metrics"]) names.push_back(m["MetricName"]);
    token = a.body.value("NextToken", "");
    ++pages;
  } while (!token.empty() && pages < 10);
  EXPECT_EQ(pages, 3);
  ASSERT_EQ(names.size(), 1203u);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));

  const Answer first = call("ListMetrics", {{"Namespace", "N"}, {"Dimensions", {{{"Name", "Host"}, {"Value", "odd"}}}}});
  EXPECT_EQ(first.body["Metrics"].size(), 500u);
  EXPECT_EQ(first.body["Metrics"][0]["Dimensions"],
            json::array({{{"Name", "Az"}, {"Value", "a"}}, {{"Name", "Host"}, {"Value", "odd"}}}));
  // A token is good only with the parameters it was made for.
  const Answer other = call("ListMetrics", {{"Namespace", "M"}, {"NextToken", first.body["NextToken"]}});
  EXPECT_EQ(other.message, "Request parameter NextToken is invalid");
  EXPECT_EQ(call("ListMetrics", {{"MetricName", "m0007"}}).body["Metrics"].size(), 1u);

  clock.advance(std::chrono::hours(4));
  EXPECT_EQ(call("ListMetrics", {{"RecentlyActive", "PT3H"}}).body["Metrics"].size(), 0u);
  clock.advance(std::chrono::days(14));
  EXPECT_EQ(call("ListMetrics", json::object()).body["Metrics"].size(), 0u);

  const Answer linked = call("ListMetrics", {{"IncludeLinkedAccounts", true}});
  EXPECT_EQ(linked.body["OwningAccounts"], json::array());
}

TEST_F(Reading, statistics_side_by_side_for_each_unit) {
  put("N", "m", json::object(), kNowS - 60, 1, "None");
  put("N", "m", json::object(), kNowS - 60, 2, "Count");
  put("N", "m", json::object(), kNowS - 60, 4, "Seconds");
  const json input = {{"Namespace", "N"}, {"MetricName", "m"}, {"StartTime", kNowS - 600}, {"EndTime", kNowS},
                      {"Period", 60}, {"Statistics", {"Sum"}}};
  Answer a = call("GetMetricStatistics", input);
  ASSERT_EQ(a.body["Datapoints"].size(), 3u);
  EXPECT_EQ(a.body["Datapoints"][0]["Unit"], "Count");
  EXPECT_EQ(a.body["Datapoints"][1]["Unit"], "Seconds");
  EXPECT_EQ(a.body["Datapoints"][2]["Unit"], "None");
  json one = input;
  one["Unit"] = "Seconds";
  EXPECT_EQ(call("GetMetricStatistics", one).body["Datapoints"].size(), 1u);

  a = data({stat("a", "m")});
  const json& r = a.body["MetricDataResults"][0];
  EXPECT_EQ(r["Values"], json::array({2}));
  EXPECT_EQ(r["Messages"],
            json::array({{{"Code", "MultipleUnits"}, {"Value", "Multiple units returned: '[Count, Seconds, None]'"}}}));
}

TEST_F(Reading, extended_statistics_are_absent_where_a_set_spoils_them) {
  const json set = {{"MetricName", "m"}, {"Timestamp", kNowS - 60},
                    {"StatisticValues", {{"SampleCount", 3}, {"Sum", 11}, {"Minimum", 2}, {"Maximum", 5}}}};
  ASSERT_EQ(call("PutMetricData", {{"Namespace", "N"}, {"MetricData", {set}}}).status, 200);
  put("N", "m", json::object(), kNowS - 120, 8);
  const Answer a = call("GetMetricStatistics", {{"Namespace", "N"}, {"MetricName", "m"}, {"StartTime", kNowS - 600},
                                                {"EndTime", kNowS}, {"Period", 60}, {"ExtendedStatistics", {"p50", "TC(1:9)"}}});
  ASSERT_EQ(a.body["Datapoints"].size(), 1u) << a.raw;
  EXPECT_EQ(a.body["Datapoints"][0]["ExtendedStatistics"], json({{"p50", 8}, {"TC(1:9)", 1}}));
  EXPECT_EQ(data({stat("a", "m", "p99")}).body["MetricDataResults"][0]["Values"], json::array({8}));
}

TEST_F(Reading, newest_first_unless_asked_otherwise_and_pages_go_on) {
  for (int i = 1; i <= 5; ++i) {
    put("N", "a", json::object(), kNowS - i * 60, i);
    put("N", "b", json::object(), kNowS - i * 60, 10 * i);
  }
  EXPECT_EQ(data({stat("a", "a")}).body["MetricDataResults"][0]["Values"], json::array({1, 2, 3, 4, 5}));
  EXPECT_EQ(data({stat("a", "a")}, {{"ScanBy", "TimestampAscending"}}).body["MetricDataResults"][0]["Values"],
            json::array({5, 4, 3, 2, 1}));
  for (const char* order : {"TimestampAscending", "TimestampDescending"}) {
    std::map<std::string, json> values;
    std::string token;
    int pages = 0;
    do {
      json more = {{"ScanBy", order}, {"MaxDatapoints", 3}};
      if (!token.empty()) more["NextToken"] = token;
      const Answer a = data({stat("a", "a"), stat("b", "b")}, more);
      ASSERT_EQ(a.status, 200) << a.raw;
      std::size_t n = 0;
      for (const json& r : a.body["MetricDataResults"]) {
        for (const json& v : r["Values"]) values[r["Id"]].push_back(v);
        n += r["Values"].size();
        EXPECT_EQ(r["Values"].size(), r["Timestamps"].size());
      }
      EXPECT_LE(n, 3u);
      token = a.body.value("NextToken", "");
      if (pages == 0) {
        EXPECT_EQ(a.body["MetricDataResults"][0]["StatusCode"], "PartialData");
      }
    } while (!token.empty() && ++pages < 10);
    EXPECT_EQ(pages, 3);
    json up = json::array({5, 4, 3, 2, 1});
    if (std::string(order) == "TimestampDescending") std::reverse(up.begin(), up.end());
    EXPECT_EQ(values["a"], up);
    EXPECT_EQ(values["b"].size(), 5u);
  }
}

TEST_F(Reading, labels_tell_series_apart) {
  put("N", "Latency", {{"Host", "a"}, {"Env", "x"}}, kNowS - 60, 1);
  put("N", "Latency", {{"Host", "b"}, {"Env", "x"}}, kNowS - 60, 2);
  const auto labels = [&](const std::vector<json>& queries) {
    std::vector<std::string> out;
    const Answer a = data(queries);
    for (const json& r : a.body["MetricDataResults"]) out.push_back(r["Label"]);
    return out;
  };
  using L = std::vector<std::string>;
  EXPECT_EQ(labels({stat("a", "m"), stat("b", "n")}), (L{"m", "n"}));
  EXPECT_EQ(labels({stat("a", "m", "Sum"), stat("b", "m", "p90")}), (L{"m Sum", "m p90"}));
  EXPECT_EQ(labels({stat("a", "m", "Sum", 60), stat("b", "m", "Sum", 300)}), (L{"m 60", "m 300"}));
  EXPECT_EQ(labels({stat("a", "Latency", "Sum", 60, {{"Host", "a"}, {"Env", "x"}}),
                    stat("b", "Latency", "Sum", 60, {{"Host", "b"}, {"Env", "x"}})}),
            (L{"Latency a", "Latency b"}));
  EXPECT_EQ(labels({stat("a", "m"), expression("e1", "a*2")}), (L{"m", "e1"}));
  EXPECT_EQ(labels({expression("e1", "SEARCH('{N,Host,Env} Latency','Sum',60)")}), (L{"Latency a", "Latency b"}));
  json labelled = expression("e1", "SEARCH('{N,Host,Env} Latency','Sum',60)");
  labelled["Label"] = "mine";
  EXPECT_EQ(labels({labelled}), (L{"mine Latency a", "mine Latency b"}));
  labelled["Label"] = "";
  EXPECT_EQ(labels({labelled}), (L{"Latency a", "Latency b"}));
  labelled["Label"] = "${PROP('Dim.Host')} ${LAST} ${PROP('Stat')} ${NOPE}";
  EXPECT_EQ(labels({labelled}), (L{"a 1 Sum ${NOPE}", "b 2 Sum ${NOPE}"}));
}

TEST_F(Reading, placeholders_in_labels) {
  put("N", "m", json::object(), kNowS - 300, 4);
  put("N", "m", json::object(), kNowS - 120, 10);
  put("N", "m", json::object(), kNowS - 60, 1.5);
  const auto label = [&](const std::string& text, const json& more = json::object()) {
    json q = stat("a", "m");
    q["Label"] = text;
    const Answer a = data({q}, more);
    return a.body["MetricDataResults"][0]["Label"].get<std::string>();
  };
  EXPECT_EQ(label("${LABEL}: ${MIN} ${MAX} ${AVG} ${SUM} ${DATAPOINT_COUNT}"), "m: 1.5 10 5.1667 15.5 3");
  EXPECT_EQ(label("${FIRST} ${LAST} ${FIRST_LAST_RANGE} ${MIN_MAX_RANGE}"), "4 1.5 2.5 8.5");
  EXPECT_EQ(label("${FIRST_TIME}"), "2026-01-05 11:55:00 UTC+0000");
  EXPECT_EQ(label("${LAST_TIME}", {{"LabelOptions", {{"Timezone", "+0530"}}}}), "2026-01-05 17:29:00 UTC+0530");
  EXPECT_EQ(label("${FIRST_TIME_RELATIVE}, ${FIRST_LAST_TIME_RANGE}"), "5m ago, 4m");
  EXPECT_EQ(label("${AVG} ${AVG} ${AVG} ${AVG} ${AVG} ${MAX} ${LABEL}"), "5.1667 5.1667 5.1667 5.1667 5.1667 ${MAX} m");
  EXPECT_EQ(label("a ${ b } ${"), "a ${ b } ${");
  json q = stat("a", "none");
  q["Label"] = "${MAX}";
  EXPECT_EQ(data({q}).body["MetricDataResults"][0]["Label"], "--");
}

TEST_F(Reading, math_select_and_search_over_the_wire) {
  for (const char* host : {"a", "b"})
    for (int i = 1; i <= 3; ++i) put("N", "Req", {{"Host", host}}, kNowS - i * 60, *host == 'a' ? i : 10 * i);
  Answer a = data({stat("a", "Req", "Sum", 60, {{"Host", "a"}}), expression("e1", "a*100"),
                   expression("s", "SUM(SEARCH('{N,Host} MetricName=\"Req\"','Sum',60))")});
  ASSERT_EQ(a.status, 200) << a.raw;
  EXPECT_EQ(a.body["MetricDataResults"][1]["Values"], json::array({100, 200, 300}));
  EXPECT_EQ(a.body["MetricDataResults"][2]["Values"], json::array({11, 22, 33}));
  a = data({expression("q", "SELECT SUM(Req) FROM N GROUP BY Host ORDER BY SUM() DESC"), expression("e", "q/10")});
  ASSERT_EQ(a.status, 200) << a.raw;
  ASSERT_EQ(a.body["MetricDataResults"].size(), 4u);
  EXPECT_EQ(a.body["MetricDataResults"][0]["Label"], "b");
  EXPECT_EQ(a.body["MetricDataResults"][0]["Values"], json::array({10, 20, 30}));
  EXPECT_EQ(a.body["MetricDataResults"][2]["Values"], json::array({1, 2, 3}));
  json hidden = stat("a", "Req", "Sum", 60, {{"Host", "a"}});
  hidden["ReturnData"] = false;
  a = data({hidden, expression("e1", "a+1")});
  EXPECT_EQ(a.body["MetricDataResults"].size(), 1u);
  a = data({expression("x", "DB_PERF_INSIGHTS('RDS','db','c')")});
  EXPECT_EQ(a.body["MetricDataResults"][0]["Messages"][0]["Code"], "Unsupported");
  a = data({expression("q", "SELECT AVG(LIMIT) FROM N")});
  EXPECT_EQ(a.code, "ValidationError");
}

TEST_F(Reading, accounts_and_regions_are_apart) {
  put("N", "m", json::object(), kNowS - 60, 1);
  json q = stat("a", "m");
  q["AccountId"] = "123456789012";
  EXPECT_EQ(data({q}).body["MetricDataResults"][0]["Values"], json::array());
  const double v[] = {7};
  MetricPoint p{.metric_namespace = "N", .metric_name = "m", .dimensions = {}, .time = from_ms((kNowS - 60) * 1000),
                .values = v, .counts = {}, .set = {}, .entity = {}};
  ASSERT_TRUE(metrics->put({"123456789012", "us-east-1", std::span(&p, 1)}).ok());
  EXPECT_EQ(data({q}).body["MetricDataResults"][0]["Values"], json::array({7}));
}

TEST_F(Reading, tags_of_resources_in_a_select) {
  MetricTags tags;
  ASSERT_TRUE(tags.add("Host=a team=blue env=prod").ok());
  ASSERT_TRUE(tags.add("Host=b team=red").ok());
  EXPECT_FALSE(tags.add("Host=c").ok());
  EXPECT_FALSE(tags.add("nonsense team=x").ok());
  services.add<MetricTags>(tags);
  for (const char* host : {"a", "b", "c"}) put("N", "cpu", {{"Host", host}}, kNowS, *host - 'a' + 1);
  const auto labels = [&](const std::string& select) {
    const Answer a = call("GetMetricData", {{"StartTime", kNowS - 600}, {"EndTime", kNowS + 600},
                                            {"MetricDataQueries", std::vector<json>{{{"Id", "q"}, {"Expression", select}, {"Period", 60}}}}});
    EXPECT_EQ(a.status, 200) << a.raw;
    std::vector<std::string> out;
    for (const json& r : a.body["MetricDataResults"])
      out.push_back(r["Label"].get<std::string>() + "=" + std::to_string(r["Values"].empty() ? -1 : r["Values"][0].get<int>()));
    return out;
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(labels("SELECT SUM(cpu) FROM N GROUP BY tag.team"), Texts{"Other=6"}) << "enrichment is stopped";
  ASSERT_EQ(call("StartOTelEnrichment", json::object()).status, 200);
  EXPECT_EQ(labels("SELECT SUM(cpu) FROM N GROUP BY tag.team"), (Texts{"Other=3", "blue=1", "red=2"}));
  EXPECT_EQ(labels("SELECT SUM(cpu) FROM N WHERE tag.env = 'prod' GROUP BY Host"), Texts{"a=1"});
}

TEST_F(Reading, a_search_for_several_values_of_a_dimension) {
  for (const char* host : {"a", "b", "c"})
    for (const char* zone : {"x", "y"}) put("N", "cpu", {{"Host", host}, {"Zone", zone}}, kNowS, 1);
  const auto found = [&](const std::string& terms) {
    const json query = {{"Id", "q"}, {"Expression", "SEARCH('" + terms + "', 'Sum', 60)"}};
    const Answer a = call("GetMetricData", {{"StartTime", kNowS - 600}, {"EndTime", kNowS + 600}, {"MetricDataQueries", std::vector<json>{query}}});
    return a.status == 200 ? static_cast<int>(a.body["MetricDataResults"].size()) : -a.status;
  };
  EXPECT_EQ(found(R"({"N","Host","Zone"} MetricName="cpu" "Host"=("a" OR "c"))"), 4);
  EXPECT_EQ(found(R"({"N","Host","Zone"} "Host"=("a" OR "c") "Zone"="y")"), 2);
  EXPECT_EQ(found(R"({"N","Host","Zone"} NOT "Host"=("a" OR "c"))"), 2);
  EXPECT_EQ(found(R"(Namespace="N" MetricName="cpu" "Host")"), 6);
  EXPECT_EQ(found(R"(Namespace="Other" MetricName="cpu")"), 0);
  EXPECT_EQ(found(R"(Host=(a OR b) Zone=x)"), 2);
  EXPECT_EQ(found(R"(Host=(a OR Zone=(x)))"), -400);
  EXPECT_EQ(found(R"(Host=(a)"), -400);
}

// --- what must be refused or bounded, whatever is sent ----------------------------------------------

TEST_F(Reading, deep_nesting_and_everything_are_bounded) {
  const auto data = [&](const std::string& expression) {
    const json query = {{"Id", "q"}, {"Expression", expression}, {"Period", 60}};
    return call("GetMetricData", {{"StartTime", kNowS - 600}, {"EndTime", kNowS + 600}, {"MetricDataQueries", std::vector<json>{query}}});
  };
  for (const std::string& open : {std::string("("), std::string("-"), std::string("ABS("), std::string("[")}) {
    std::string deep;
    for (int i = 0; i < 10'000; ++i) deep += open;
    const Answer a = data(deep + "1");
    EXPECT_EQ(a.status, 400) << open;
    EXPECT_EQ(a.code, "ValidationError") << open;
  }
  // 10,000 levels of JSON around nothing.
  const Answer nested = call_raw("GetMetricData", R"({"MetricDataQueries":)" + std::string(10'000, '[') + std::string(10'000, ']') + "}");
  EXPECT_EQ(nested.status, 400);
  EXPECT_FALSE(nested.code.empty() && nested.message.empty());

  // A search that means every metric: 500 of them, and a word that it was cut.
  for (int i = 0; i < 700; i += 100) {
    json datums = json::array();
    for (int k = i; k < i + 100; ++k)
      datums.push_back({{"MetricName", "m" + std::to_string(k)}, {"Value", 1}, {"Timestamp", kNowS}});
    ASSERT_EQ(call("PutMetricData", {{"Namespace", "Wide"}, {"MetricData", datums}}).status, 200);
  }
  const Answer wide = data("SEARCH('{Wide}', 'Sum', 60)");
  ASSERT_EQ(wide.status, 200);
  EXPECT_EQ(wide.body["MetricDataResults"].size(), 500u);
  EXPECT_EQ(wide.body["Messages"][0]["Code"], "MaxMetricsExceeded");
  EXPECT_EQ(data("SEARCH('NOT nothing', 'Sum', 60)").body["MetricDataResults"].size(), 500u);
  EXPECT_EQ(data("SUM(SEARCH('{Wide}', 'Sum', 60))").body["MetricDataResults"][0]["Values"][0], 500);
}

}  // namespace
}  // namespace fog::cloudwatch
