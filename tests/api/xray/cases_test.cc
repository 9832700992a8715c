// The filter and graph cases through the API, with what was put in the head and sealed.
#include <set>

#include "fixture.h"

namespace fog::xray {
namespace {

class CasesTest : public XRayTest, public ::testing::WithParamInterface<bool> {};

TEST_P(CasesTest, filter_expressions) {
  const auto spec = read_json("query/trace_filter/xray-filter-cases.json");
  for (const auto& group : spec["groups"])
    ok("/CreateGroup", {{"GroupName", group["GroupName"]}, {"FilterExpression", group["FilterExpression"]}});
  for (const auto& trace : spec["traces"])
    for (const auto& document : trace["documents"]) EXPECT_EQ(put({document})["UnprocessedTraceSegments"], json::array());
  if (GetParam()) {
      ASSERT_TRUE(traces->seal_all().ok());
    }
  for (const auto& each : spec["cases"]) {
    SCOPED_TRACE(each["expression"].get<std::string>());
    const json request = {{"StartTime", 1699999000}, {"EndTime", 1700001000}, {"FilterExpression", each["expression"]}};
    const auto answer = post("/TraceSummaries", request);
    if (each.value("error", false)) {
      EXPECT_EQ(answer.status, 400);
      EXPECT_EQ(answer.type, "InvalidRequestException");
      EXPECT_EQ(answer.body["Message"].get<std::string>().rfind("Invalid filter expression: ", 0), 0u) << answer.text;
      continue;
    }
    ASSERT_EQ(answer.status, 200) << answer.text;
    std::set<std::string> got, expected;
    for (const auto& summary : answer.body["TraceSummaries"]) got.insert(summary["Id"].get<std::string>());
    for (const auto& id : each["matches"]) expected.insert(id.get<std::string>());
    EXPECT_EQ(got, expected);
  }
}

json plain(const json& services) {
  json out = json::array();
  for (const auto& s : services) {
    json edges = json::array();
    for (const auto& e : s["Edges"]) {
      const auto& to = services[e["ReferenceId"].get<std::size_t>()];
      edges.push_back({{"ToName", to["Name"]}, {"ToType", to.value("Type", json())}, {"SummaryStatistics", e["SummaryStatistics"]}});
    }
    out.push_back({{"Name", s["Name"]}, {"Type", s.value("Type", json())}, {"Root", s["Root"]}, {"State", s["State"]},
                   {"SummaryStatistics", s.value("SummaryStatistics", json())}, {"Edges", edges}});
  }
  return out;
}

json sorted(json services) {
  const auto whole_ms = [](json& statistics) {
    if (statistics.is_object())
      statistics["TotalResponseTime"] = std::llround(statistics["TotalResponseTime"].get<double>() * 1000);
  };
  const auto key = [](const json& a, const char* name, const char* type) { return a[name].dump() + a[type].dump(); };
  for (auto& service : services) {
    whole_ms(service["SummaryStatistics"]);
    for (auto& edge : service["Edges"]) whole_ms(edge["SummaryStatistics"]);
    std::sort(service["Edges"].begin(), service["Edges"].end(),
              [&](const json& a, const json& b) { return key(a, "ToName", "ToType") < key(b, "ToName", "ToType"); });
  }
  std::sort(services.begin(), services.end(),
            [&](const json& a, const json& b) { return key(a, "Name", "Type") < key(b, "Name", "Type"); });
  return services;
}

TEST_P(CasesTest, service_graphs) {
  const auto spec = read_json("query/service_graph/service-graph-cases.json");
  for (const auto& each : spec["cases"]) {
    SCOPED_TRACE(each["name"].get<std::string>());
    ASSERT_TRUE(traces->erase("", "").ok());
    json ids = json::array();
    for (const auto& trace : each["traces"]) {
      ids.push_back(trace["trace_id"]);
      for (const auto& document : trace["documents"]) EXPECT_EQ(put({document})["UnprocessedTraceSegments"], json::array());
    }
    if (GetParam()) {
      ASSERT_TRUE(traces->seal_all().ok());
    }
    const auto expected = sorted(each["expected_services"]);
    EXPECT_EQ(sorted(plain(ok("/ServiceGraph", {{"StartTime", 1699999000}, {"EndTime", 1700001000}})["Services"])), expected);
    EXPECT_EQ(sorted(plain(ok("/TraceGraph", {{"TraceIds", ids}})["Services"])), expected);
  }
}

INSTANTIATE_TEST_SUITE_P(HeadAndSealed, CasesTest, ::testing::Bool(),
                         [](const auto& each) { return each.param ? "sealed" : "head"; });

}  // namespace
}  // namespace fog::xray
