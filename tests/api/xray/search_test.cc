// Transaction search and what traces leave in other stores: spans as log events, metrics of groups and services.
#include <fmt/format.h>

#include "api/xray/spans.h"
#include "fixture.h"

namespace fog::xray {
namespace {

struct Logged final : LogSink {
  Result<Outcome> put_logs(std::string_view account, std::string_view region, std::string_view group, std::string_view stream,
                           std::span<const LogEventIn> events, bool create) override {
    if (fails) return Error::busy("full");
    EXPECT_TRUE(create);
    where = fmt::format("{}/{}/{}/{}", account, region, group, stream);
    for (const auto& event : events) {
      spans.push_back(json::parse(event.message));
      times.push_back(event.timestamp_ms);
    }
    return Outcome{.lsn = 77};
  }
  bool fails = false;
  std::string where;
  std::vector<json> spans;
  std::vector<std::int64_t> times;
};

class SearchTest : public XRayTest {
 protected:
  SearchTest() {
    xray.emplace(*traces, *resources, clock, random, XRay::Sinks{.metrics = &metrics, .logs = &logged, .notify = {}});
  }
  static json document(std::uint64_t n) {
    return {{"name", "front"}, {"id", fmt::format("{:016x}", n)}, {"trace_id", fmt::format("1-{:08x}-{:024x}", kNow, n)}, {"start_time", kNow - 2}, {"end_time", kNow - 1},
            {"subsegments", {{{"name", "S3"}, {"id", fmt::format("{:016x}", n + 1000)}, {"namespace", "aws"}, {"start_time", kNow - 2}, {"end_time", kNow - 1.5}, {"error", true}}}}};
  }
  Logged logged;
};

TEST_F(SearchTest, spans_become_log_events_while_that_is_the_destination) {
  put({document(1)});
  EXPECT_TRUE(logged.spans.empty());
  ok("/UpdateTraceSegmentDestination", {{"Destination", "CloudWatchLogs"}});
  put({document(2), "{}", json::array({document(3), document(4)}).dump()});
  ASSERT_EQ(logged.spans.size(), 6u) << "two spans of each of the three good documents";
  EXPECT_EQ(logged.where, "000000000000/us-east-1/aws/spans/default");
  EXPECT_EQ(logged.spans[0]["kind"], "SERVER");
  EXPECT_EQ(logged.spans[1]["kind"], "CLIENT");
  EXPECT_EQ(logged.spans[1]["parentSpanId"], logged.spans[0]["spanId"]);
  EXPECT_EQ(logged.spans[1]["status"]["code"], "ERROR");
  EXPECT_EQ(logged.spans[0]["traceId"], fmt::format("{:08x}{:024x}", kNow, 2));
  EXPECT_EQ(logged.spans[0]["resource"]["attributes"]["service.name"], "front");
  EXPECT_EQ(logged.times[0], (kNow - 1) * 1000);
  // Other doors go the same way, and the answer waits for the events as well.
  const auto text = document(5).dump();
  const std::string_view views[] = {text};
  EXPECT_EQ(take_documents(*xray, {"000000000000", "us-east-1"}, views).lsn, 77u);
  EXPECT_EQ(logged.spans.size(), 8u);
  // Another region has its own setting; a full log store costs the spans, not the traces.
  take_documents(*xray, {"000000000000", "eu-west-1"}, views);
  EXPECT_EQ(logged.spans.size(), 8u);
  logged.fails = true;
  EXPECT_EQ(put({document(6)})["UnprocessedTraceSegments"], json::array());
  logged.fails = false;
  ok("/UpdateTraceSegmentDestination", {{"Destination", "XRay"}});
  put({document(7)});
  EXPECT_EQ(logged.spans.size(), 8u);
}

TEST_F(SearchTest, a_thousand_levels_become_a_thousand_spans) {
  std::string inner;
  for (int i = 1000; i > 0; --i)
    inner = fmt::format(R"([{{"name":"s","id":"{:016x}","start_time":1,"end_time":2{}}}])", i, inner.empty() ? "" : ",\"subsegments\":" + inner);
  std::vector<SpanText> spans;
  append_spans_of_sent(fmt::format(R"({{"name":"s","id":"00000000000f0000","trace_id":"1-5759e988-bd862e3fe1be46a994272793","start_time":1,"end_time":2,"subsegments":{}}})", inner), spans);
  EXPECT_EQ(spans.size(), 1001u);
  for (const char* odd : {"", "5", "[]", "[1]", "{}", R"({"trace_id":5})", R"({"trace_id":"1-5759e988-bd862e3fe1be46a994272793","id":"0000000000000001","name":5,"links":[{"trace_id":"x","id":7}],"subsegments":{}})"})
    append_spans_of_sent(odd, spans);
}

TEST_F(SearchTest, counts_and_latencies_become_metrics) {
  ok("/CreateGroup", {{"GroupName", "slow"}, {"FilterExpression", "duration > 1"}});
  minute_workers = xray::workers(*xray);
  const std::int64_t minute = kNow / 60;
  for (int i = 0; i < 6; ++i) {
    json root = {{"name", "front"}, {"id", fmt::format("{:016x}", i + 1)}, {"trace_id", fmt::format("1-{:08x}-{:024x}", kNow, i)}, {"origin", "AWS::EC2::Instance"},
                 {"start_time", minute * 60 + 1}, {"end_time", minute * 60 + (i == 5 ? 4 : 1.5)}};
    if (i == 0) root["fault"] = true;
    if (i == 1) root["error"] = true;
    if (i == 2) root["error"] = root["throttle"] = true;
    put({root});
  }
  clock.set(from_ms((minute + 1) * 60000 + 15000));
  tick();
  std::map<std::string, double> sums;
  std::map<std::string, std::vector<double>> latencies, counts;
  for (const auto& datum : metrics.put) {
    EXPECT_EQ(datum.metric_namespace, "AWS/X-Ray");
    EXPECT_EQ(datum.time, from_ms(minute * 60000));
    std::string key = datum.metric_name;
    for (const auto& [name, value] : datum.dimensions) key += " " + name + "=" + value;
    if (datum.counts.empty()) sums[key] += datum.values.at(0);
    else latencies[key] = datum.values, counts[key] = datum.counts;
  }
  for (const auto& [where, row] : std::map<std::string, std::vector<double>>{{"GroupName=Default", {6, 3, 2, 1, 1}}, {"GroupName=slow", {1, 1, 0, 0, 0}},
                                                                            {"ServiceName=front ServiceType=AWS::EC2::Instance", {6, 3, 2, 1, 1}}}) {
    SCOPED_TRACE(where);
    EXPECT_EQ(sums["TotalCount " + where], row[0]);
    EXPECT_EQ(sums["OkCount " + where], row[1]);
    EXPECT_EQ(sums["ErrorCount " + where], row[2]);
    EXPECT_EQ(sums["ThrottleCount " + where], row[3]);
    EXPECT_EQ(sums["FaultCount " + where], row[4]);
  }
  EXPECT_EQ(sums["ApproximateTraceCount GroupName=Default"], 6);
  EXPECT_EQ(latencies["ResponseTime GroupName=Default"], (std::vector<double>{0.5, 3}));
  EXPECT_EQ(counts["ResponseTime GroupName=Default"], (std::vector<double>{5, 1}));
  EXPECT_EQ(sums.count("TotalCount ServiceName=front"), 0u);
}

TEST_F(SearchTest, quotas_never_exceed_the_reservoir) {
  struct Row {
    int reservoir;
    std::vector<int> requests;  // of each client
    std::vector<int> quotas;
  };
  int n = 0;
  for (const auto& row : {Row{0, {5, 9}, {0, 0}}, Row{1, {5, 9, 2}, {0, 1, 0}}, Row{5, {5, 9}, {2, 3}}, Row{5, {9, 5}, {3, 2}}, Row{6, {1, 2, 3, 4}, {1, 1, 2, 2}},
                          Row{7, {4, 4, 4}, {3, 2, 2}}, Row{100, {1}, {100}}, Row{3, {0, 0, 0, 0}, {1, 1, 1, 0}}}) {
    const auto name = fmt::format("r{}", n++);
    SCOPED_TRACE(name);
    ok("/CreateSamplingRule", {{"SamplingRule", {{"RuleName", name}, {"Priority", 100 + n}, {"FixedRate", 0.5}, {"ReservoirSize", row.reservoir}, {"ServiceName", "*"}, {"ServiceType", "*"},
                                                 {"Host", "*"}, {"HTTPMethod", "*"}, {"URLPath", "*"}, {"ResourceARN", "*"}, {"Version", 1}}}});
    std::vector<int> quotas(row.requests.size());
    for (int round = 0; round < 2; ++round) {  // the second round knows every client
      for (std::size_t c = 0; c < row.requests.size(); ++c) {
        const auto target = ok("/SamplingTargets", {{"SamplingStatisticsDocuments", {{{"RuleName", name}, {"ClientID", fmt::format("{:024x}", c)}, {"Timestamp", kNow},
                                                                                      {"RequestCount", row.requests[c]}, {"SampledCount", 0}}}}})["SamplingTargetDocuments"][0];
        quotas[c] = target["ReservoirQuota"].get<int>();
        EXPECT_TRUE(target["ReservoirQuotaTTL"].is_number());
        EXPECT_EQ(target["FixedRate"], 0.5);
        EXPECT_EQ(target["Interval"], 10);
      }
    }
    EXPECT_EQ(quotas, row.quotas);
  }
}

}  // namespace
}  // namespace fog::xray
