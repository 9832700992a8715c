// Anomaly detectors, Contributor Insights, metric streams, datasets, widget images: through the JSON
// protocol.
#include <cmath>

#include "api/common/log_reader.h"
#include "metrics_fixture.h"

namespace fog::cloudwatch {
namespace {

// Log events a test holds in its hand.
class FakeLogs final : public LogReader {
 public:
  Status read_logs(const Spec& spec, const Visit& visit) override {
    for (const auto& [group, time, message] : events) {
      bool wanted = false;
      for (const std::string& name : spec.groups)
        wanted = wanted || name == group || (name.ends_with("*") && group.starts_with(name.substr(0, name.size() - 1)));
      if (wanted && time >= spec.start && time < spec.end && !visit(time, message)) break;
    }
    return Ok{};
  }
  std::vector<std::tuple<std::string, Timestamp, std::string>> events;
};

class More : public CloudWatch {
 protected:
  More() { services.add<LogReader>(logs); }
  void put_at(std::int64_t t, double v) { put("N", "m", json::object(), t, v); }
  FakeLogs logs;
};

const json kSingle = {{"Namespace", "N"}, {"MetricName", "m"}, {"Stat", "Average"}};

TEST_F(More, anomaly_detectors_live_and_die) {
  const Answer put = call("PutAnomalyDetector", {{"SingleMetricAnomalyDetector", kSingle}});
  ASSERT_EQ(put.status, 200) << put.raw;
  const std::string id = put.body["AnomalyDetectorId"];
  EXPECT_EQ(call("PutAnomalyDetector", kSingle).body["AnomalyDetectorId"], id);  // the flat fields mean the same
  Answer a = call("DescribeAnomalyDetectors", json::object());
  ASSERT_EQ(a.body["AnomalyDetectors"].size(), 1u);
  const json& d = a.body["AnomalyDetectors"][0];
  EXPECT_EQ(d["StateValue"], "PENDING_TRAINING");
  EXPECT_EQ(d["Configuration"], json({{"ExcludedTimeRanges", json::array()}}));
  EXPECT_EQ(d["SingleMetricAnomalyDetector"]["AccountId"], "000000000000");
  EXPECT_EQ(d["MetricName"], "m");
  for (int h = 0; h < 48; ++h) put_at(kNowS - h * 3600, 5);
  a = call("DescribeAnomalyDetectors", {{"AnomalyDetectorIds", {id}}});
  EXPECT_EQ(a.body["AnomalyDetectors"][0]["StateValue"], "TRAINED");
  EXPECT_EQ(call("DescribeAnomalyDetectors", {{"Namespace", "other"}}).body["AnomalyDetectors"], json::array());
  EXPECT_EQ(call("DescribeAnomalyDetectors", {{"AnomalyDetectorTypes", {"METRIC_MATH"}}}).body["AnomalyDetectors"], json::array());
  EXPECT_EQ(call("DeleteAnomalyDetector", {{"AnomalyDetectorId", id}}).status, 200);
  a = call("DeleteAnomalyDetector", kSingle);
  EXPECT_EQ(a.status, 404);
  EXPECT_EQ(a.code, "ResourceNotFoundException");
}

TEST_F(More, anomaly_detector_errors) {
  json both = kSingle;
  both["SingleMetricAnomalyDetector"] = kSingle;
  EXPECT_EQ(call("PutAnomalyDetector", both).code, "InvalidParameterCombination");
  EXPECT_EQ(call("PutAnomalyDetector", json::object()).code, "MissingParameter");
  EXPECT_EQ(call("PutAnomalyDetector", {{"Namespace", "N"}, {"MetricName", "m"}}).code, "MissingParameter");
  json zone = kSingle;
  zone["Configuration"] = {{"MetricTimezone", "Nowhere/At_All"}};
  EXPECT_EQ(call("PutAnomalyDetector", zone).code, "InvalidParameterValue");
  const json e = {{"Id", "e1"}, {"Expression", "TIME_SERIES(1)"}};
  const json f = {{"Id", "e2"}, {"Expression", "TIME_SERIES(1)"}};
  EXPECT_EQ(call("PutAnomalyDetector", {{"MetricMathAnomalyDetector", {{"MetricDataQueries", {e, f}}}}}).code, "InvalidParameterValue");
}

TEST_F(More, the_band_follows_the_hours_of_the_week) {
  // Twelve days of hours: 10 by day, 2 by night, with a little noise.
  for (int h = 1; h < 12 * 24; ++h) {
    const std::int64_t t = kNowS - h * 3600;
    const bool day = t / 3600 % 24 >= 8 && t / 3600 % 24 < 20;
    put("N", "m", json::object(), t, (day ? 10 : 2) + (h % 2 == 0 ? 0.5 : -0.5));
  }
  const json m = {{"Id", "m1"}, {"ReturnData", false},
                  {"MetricStat", {{"Metric", {{"Namespace", "N"}, {"MetricName", "m"}}}, {"Period", 3600}, {"Stat", "Average"}}}};
  const json band = {{"Id", "ad"}, {"Expression", "ANOMALY_DETECTION_BAND(m1,2)"}};
  const Answer a = call("GetMetricData", {{"MetricDataQueries", {m, band}}, {"StartTime", kNowS - 24 * 3600}, {"EndTime", kNowS},
                                          {"ScanBy", "TimestampAscending"}});
  ASSERT_EQ(a.status, 200) << a.raw;
  ASSERT_EQ(a.body["MetricDataResults"].size(), 2u);
  const json& upper = a.body["MetricDataResults"][0];
  const json& lower = a.body["MetricDataResults"][1];
  ASSERT_EQ(upper["Values"].size(), 24u);
  for (std::size_t i = 0; i < 24; ++i) {
    const std::int64_t hour = upper["Timestamps"][i].get<std::int64_t>() / 3600 % 24;
    const double middle = hour >= 8 && hour < 20 ? 10 : 2;
    EXPECT_NEAR((upper["Values"][i].get<double>() + lower["Values"][i].get<double>()) / 2, middle, 0.6) << hour;
    EXPECT_LE(upper["Values"][i].get<double>() - lower["Values"][i].get<double>(), 2.1 * 2);
  }
  const json narrow = {{"Id", "ad"}, {"Expression", "ANOMALY_DETECTION_BAND([m1])"}};
  EXPECT_EQ(call("GetMetricData", {{"MetricDataQueries", {m, narrow}}, {"StartTime", kNowS - 3600}, {"EndTime", kNowS}}).code,
            "ValidationError");
}

const char* const kRule = R"({"Schema":{"Name":"CloudWatchLogRule","Version":1},"LogGroupNames":["/app/*"],"LogFormat":"JSON",
  "Contribution":{"Keys":["$.user.id"],"ValueOf":"$.bytes","Filters":[{"Match":"$.status","GreaterThan":399}]},"AggregateOn":"Sum"})";

TEST_F(More, insight_rule_reports_name_the_contributors) {
  ASSERT_EQ(call("PutInsightRule", {{"RuleName", "r"}, {"RuleDefinition", kRule}}).status, 200);
  const auto log = [&](std::int64_t t, const std::string& user, int bytes, int status) {
    logs.events.emplace_back("/app/a", from_ms(t * 1000), json({{"user", {{"id", user}}}, {"bytes", bytes}, {"status", status}}).dump());
  };
  log(kNowS - 290, "ann", 10, 500);
  log(kNowS - 280, "ann", 20, 404);
  log(kNowS - 100, "bob", 25, 500);
  log(kNowS - 90, "bob", 1000, 200);
  logs.events.emplace_back("/app/a", from_ms((kNowS - 80) * 1000), "not json");
  logs.events.emplace_back("/other", from_ms((kNowS - 80) * 1000), R"({"user":{"id":"eve"},"bytes":9,"status":500})");
  const json range = {{"RuleName", "r"}, {"StartTime", kNowS - 300}, {"EndTime", kNowS}, {"Period", 60},
                      {"Metrics", {"UniqueContributors", "Sum", "SampleCount", "MaxContributorValue"}}};
  Answer a = call("GetInsightRuleReport", range);
  ASSERT_EQ(a.status, 200) << a.raw;
  EXPECT_EQ(a.body["KeyLabels"], json::array({"$.user.id"}));
  EXPECT_EQ(a.body["AggregationStatistic"], "Sum");
  EXPECT_EQ(a.body["AggregateValue"], 55);
  EXPECT_EQ(a.body["ApproximateUniqueCount"], 2);
  ASSERT_EQ(a.body["Contributors"].size(), 2u);
  EXPECT_EQ(a.body["Contributors"][0]["Keys"], json::array({"ann"}));
  EXPECT_EQ(a.body["Contributors"][0]["ApproximateAggregateValue"], 30);
  EXPECT_EQ(a.body["Contributors"][0]["Datapoints"].size(), 1u);
  ASSERT_EQ(a.body["MetricDatapoints"].size(), 5u);  // empty periods are there, too
  EXPECT_EQ(a.body["MetricDatapoints"][0]["Sum"], 30);
  EXPECT_EQ(a.body["MetricDatapoints"][1]["Sum"], 0);
  EXPECT_FALSE(a.body["MetricDatapoints"][0].contains("Average"));
  json more = range;
  more["OrderBy"] = "Maximum";
  more["MaxContributorCount"] = 1;
  EXPECT_EQ(call("GetInsightRuleReport", more).body["Contributors"].size(), 1u);
  const json e = {{"Id", "e1"}, {"Expression", "INSIGHT_RULE_METRIC('r','Sum')"}, {"Period", 60}};
  a = call("GetMetricData", {{"MetricDataQueries", std::vector<json>{e}}, {"StartTime", kNowS - 300}, {"EndTime", kNowS}});
  EXPECT_EQ(a.body["MetricDataResults"][0]["Values"], json::array({25, 30})) << a.raw;
}

TEST_F(More, insight_rules_in_the_common_log_format) {
  const char* rule = R"({"Schema":{"Name":"CloudWatchLogRule","Version":1},"LogGroupNames":["g"],"LogFormat":"CLF",
    "Fields":{"1":"ip","5":"request"},"Contribution":{"Keys":["ip"],"Filters":[{"Match":"request","StartsWith":["GET "]}]},"AggregateOn":"Count"})";
  ASSERT_EQ(call("PutInsightRule", {{"RuleName", "clf"}, {"RuleDefinition", rule}}).status, 200);
  logs.events.emplace_back("g", from_ms((kNowS - 30) * 1000), R"(10.0.0.1 - - [05/Jan/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 5)");
  logs.events.emplace_back("g", from_ms((kNowS - 30) * 1000), R"(10.0.0.2 - - [05/Jan/2026:12:00:00 +0000] "POST / HTTP/1.1" 200 5)");
  const Answer a = call("GetInsightRuleReport", {{"RuleName", "clf"}, {"StartTime", kNowS - 60}, {"EndTime", kNowS}, {"Period", 60}});
  EXPECT_EQ(a.body["AggregationStatistic"], "SampleCount");
  ASSERT_EQ(a.body["Contributors"].size(), 1u) << a.raw;
  EXPECT_EQ(a.body["Contributors"][0]["Keys"], json::array({"10.0.0.1"}));
}

TEST_F(More, insight_rules_are_checked_listed_switched_and_deleted) {
  for (const char* bad : {"{}", "[]", "x", R"({"Schema":{"Name":"CloudWatchLogRule","Version":2}})",
                          R"({"Schema":{"Name":"CloudWatchLogRule","Version":1},"LogGroupNames":["a"],"LogFormat":"JSON","Contribution":{"Keys":[]},"AggregateOn":"Count"})",
                          R"({"Schema":{"Name":"CloudWatchLogRule","Version":1},"LogGroupNames":["a"],"LogFormat":"JSON","Contribution":{"Keys":["$.a"],"ValueOf":"$.b"},"AggregateOn":"Count"})"})
    EXPECT_EQ(call("PutInsightRule", {{"RuleName", "r"}, {"RuleDefinition", bad}}).code, "InvalidParameterValue") << bad;
  EXPECT_EQ(call("PutInsightRule", {{"RuleName", "r"}, {"RuleDefinition", kRule}, {"RuleState", "ON"}}).status, 400);
  ASSERT_EQ(call("PutInsightRule", {{"RuleName", "r"}, {"RuleDefinition", kRule}}).status, 200);
  const Answer a = call("DescribeInsightRules", json::object());
  EXPECT_EQ(a.body["InsightRules"][0]["Schema"], "CloudWatchLogRule/1");
  EXPECT_EQ(a.body["InsightRules"][0]["Definition"], kRule);
  EXPECT_EQ(a.body["InsightRules"][0]["ManagedRule"], false);
  EXPECT_EQ(a.body["InsightRules"][0]["State"], "ENABLED");
  const Answer b = call("DisableInsightRules", {{"RuleNames", {"r", "none"}}});
  EXPECT_EQ(b.body["Failures"].size(), 1u);
  EXPECT_EQ(b.body["Failures"][0]["FailureResource"], "none");
  EXPECT_EQ(call("DescribeInsightRules", json::object()).body["InsightRules"][0]["State"], "DISABLED");
  EXPECT_EQ(call("DeleteInsightRules", {{"RuleNames", std::vector<std::string>{"r"}}}).body["Failures"], json::array());
  EXPECT_EQ(call("GetInsightRuleReport", {{"RuleName", "r"}, {"StartTime", 0}, {"EndTime", 60}, {"Period", 60}}).code,
            "ResourceNotFoundException");
}

TEST_F(More, managed_rules_are_records) {
  const json rule = {{"TemplateName", "VpcEndpointService-BytesByEndpointId-v1"}, {"ResourceARN", "arn:aws:ec2:r:1:vpc/x"}};
  EXPECT_EQ(call("PutManagedInsightRules", {{"ManagedRules", std::vector<json>{rule}}}).body["Failures"], json::array());
  const Answer a = call("ListManagedInsightRules", {{"ResourceARN", "arn:aws:ec2:r:1:vpc/x"}});
  ASSERT_EQ(a.body["ManagedRules"].size(), 1u);
  EXPECT_EQ(a.body["ManagedRules"][0]["RuleState"]["State"], "ENABLED");
  EXPECT_EQ(call("DescribeInsightRules", json::object()).body["InsightRules"][0]["Schema"], "ServiceLogRule/1");
}

TEST_F(More, metric_streams_are_put_listed_started_and_stopped) {
  const json stream = {{"Name", "s"}, {"FirehoseArn", "arn:aws:firehose:r:1:deliverystream/x"}, {"RoleArn", "arn:aws:iam::1:role/x"},
                       {"OutputFormat", "json"}};
  EXPECT_EQ(call("PutMetricStream", stream).body["Arn"], "arn:aws:cloudwatch:us-east-1:000000000000:metric-stream/s");
  Answer a = call("GetMetricStream", {{"Name", "s"}});
  EXPECT_EQ(a.body["State"], "running");
  EXPECT_EQ(a.body["IncludeLinkedAccountsMetrics"], false);
  EXPECT_EQ(a.body["CreationDate"], kNowS);
  EXPECT_EQ(call("StopMetricStreams", {{"Names", {"s", "none"}}}).status, 400);
  EXPECT_EQ(call("GetMetricStream", {{"Name", "s"}}).body["State"], "running");
  EXPECT_EQ(call("StopMetricStreams", {{"Names", std::vector<std::string>{"s"}}}).status, 200);
  clock.advance(std::chrono::seconds(10));
  EXPECT_EQ(call("PutMetricStream", stream).status, 200);  // an update leaves the state
  a = call("GetMetricStream", {{"Name", "s"}});
  EXPECT_EQ(a.body["State"], "stopped");
  EXPECT_EQ(a.body["CreationDate"], kNowS);
  EXPECT_EQ(call("ListMetricStreams", json::object()).body["Entries"].size(), 1u);
  json both = stream;
  both["IncludeFilters"] = both["ExcludeFilters"] = std::vector<json>{{{"Namespace", "N"}}};
  EXPECT_EQ(call("PutMetricStream", both).code, "InvalidParameterCombination");
  json otel = stream;
  otel["OutputFormat"] = "opentelemetry1.0";
  otel["StatisticsConfigurations"] = std::vector<json>{{{"IncludeMetrics", std::vector<json>{{{"Namespace", "N"}, {"MetricName", "m"}}}},
                                                        {"AdditionalStatistics", std::vector<std::string>{"tm99"}}}};
  EXPECT_EQ(call("PutMetricStream", otel).code, "InvalidParameterValue");
  EXPECT_EQ(call("DeleteMetricStream", {{"Name", "s"}}).status, 200);
  EXPECT_EQ(call("DeleteMetricStream", {{"Name", "s"}}).status, 200);
  EXPECT_EQ(call("GetMetricStream", {{"Name", "s"}}).code, "ResourceNotFoundException");
}

TEST_F(More, switches_and_the_one_dataset) {
  EXPECT_EQ(call("GetOTelEnrichment", json::object()).body["Status"], "Stopped");
  call("StartOTelEnrichment", json::object());
  EXPECT_EQ(call("GetOTelEnrichment", json::object()).body["Status"], "Running");
  call("StopOTelEnrichment", json::object());
  EXPECT_EQ(call("GetOTelEnrichment", json::object()).body["Status"], "Stopped");
  const std::string arn = "arn:aws:cloudwatch:us-east-1:000000000000:dataset/default";
  EXPECT_EQ(call("GetDataset", {{"DatasetIdentifier", "default"}}).body["Arn"], arn);
  EXPECT_EQ(call("DisassociateDatasetKmsKey", {{"DatasetIdentifier", arn}}).code, "ResourceNotFoundException");
  const std::string key = "arn:aws:kms:us-east-1:000000000000:key/0123-abc";
  EXPECT_EQ(call("AssociateDatasetKmsKey", {{"DatasetIdentifier", arn}, {"KmsKeyArn", key}}).status, 200);
  EXPECT_EQ(call("GetDataset", {{"DatasetIdentifier", arn}}).body["KmsKeyArn"], key);
  EXPECT_EQ(call("AssociateDatasetKmsKey", {{"DatasetIdentifier", arn}, {"KmsKeyArn", "mine"}}).code, "ValidationError");
  EXPECT_EQ(call("GetDataset", {{"DatasetIdentifier", "arn:aws:cloudwatch:eu-west-1:000000000000:dataset/default"}}).code,
            "ResourceNotFoundException");
}

TEST_F(More, pictures_of_widgets) {
  put("N", "m", {{"Host", "a"}}, kNowS - 60, 1);
  const auto picture = [&](const json& widget) { return call("GetMetricWidgetImage", {{"MetricWidget", widget.dump()}}); };
  json widget = {{"metrics", json::array({json::array({"N", "m", "Host", "a"}), json::array({"...", "b", {{"yAxis", "right"}}}),
                                          json::array({{{"expression", "SUM(METRICS())"}, {"label", "all"}}})})},
                 {"width", 300}, {"height", 200}, {"title", "t"}, {"start", "-PT1H"}, {"period", 60}};
  const Answer a = picture(widget);
  ASSERT_EQ(a.status, 200) << a.raw;
  EXPECT_TRUE(a.body["MetricWidgetImage"].get<std::string>().starts_with("iVBORw0KGgo"));
  for (const auto& [name, value] : std::vector<std::pair<std::string, json>>{
           {"width", 0}, {"height", 2001}, {"view", "cube"}, {"theme", "pink"}, {"timezone", "CET"}, {"start", "soon"}, {"metrics", 5}}) {
    json bad = widget;
    bad[name] = value;
    EXPECT_EQ(picture(bad).code, "ValidationError") << name;
  }
  EXPECT_EQ(call("GetMetricWidgetImage", {{"MetricWidget", "{"}}).code, "ValidationError");
  EXPECT_EQ(picture(json::object()).status, 200);
}

TEST_F(More, a_picture_itself_where_image_png_is_asked_for) {
  put("N", "m", json::object(), kNowS, 1);
  const auto form = [&](const std::string& more) {
    http::Request request;
    request.method = "POST";
    request.target = "/";
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
    request.body = "Action=GetMetricWidgetImage&Version=2010-08-01&MetricWidget=%7B%22metrics%22%3A%5B%5B%22N%22%2C%22m%22%5D%5D%7D" + more;
    return api->answer(std::move(request));
  };
  const http::Response raw = form("&OutputFormat=image%2Fpng");
  EXPECT_EQ(raw.status, 200);
  EXPECT_TRUE(raw.body.starts_with("\x89PNG"));
  std::string type;
  for (const auto& [name, value] : raw.headers)
    if (name == "Content-Type") type = value;
  EXPECT_EQ(type, "image/png");
  const http::Response usual = form("");
  EXPECT_TRUE(usual.body.starts_with("<GetMetricWidgetImageResponse")) << usual.body.substr(0, 100);
  // JSON has no such form: the usual answer.
  const Answer other = call("GetMetricWidgetImage", {{"MetricWidget", R"({"metrics":[["N","m"]]})"}, {"OutputFormat", "image/png"}});
  EXPECT_EQ(other.status, 200);
  EXPECT_TRUE(other.body["MetricWidgetImage"].get<std::string>().starts_with("iVBORw0KGgo"));
}

}  // namespace
}  // namespace fog::cloudwatch
