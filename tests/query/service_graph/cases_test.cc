// Every case of service-graph-cases.json: assembled from documents, summed directly, by minute, and
// through the stored form of minutes; all must give the same map.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "query/service_graph/service_graph.h"
#include "storage/traces/trace.h"

namespace fog::service_graph {
namespace {

using nlohmann::json;

traces::Trace build(const json& spec) {
  traces::DocumentParser parser;
  std::vector<std::shared_ptr<const traces::StoredDocument>> documents;
  for (const auto& document : spec["documents"]) {
    std::vector<traces::DocumentHead> heads;
    const auto text = document.dump();
    EXPECT_EQ(parser.parse(text, {}, 0, heads).fault, traces::DocumentFault::kNone) << text;
    for (auto& head : heads) {
      auto stored = std::make_shared<traces::StoredDocument>();
      stored->id = head.id;
      stored->subsegment = head.subsegment;
      stored->complete = head.complete;
      stored->start_us = head.start_us;
      stored->text = head.text.empty() ? text : head.text;
      traces::merge_document(documents, std::move(stored));
    }
  }
  traces::TraceAssembler assembler;
  return assembler.assemble(*traces::parse_trace_id(spec["trace_id"].get<std::string>()), documents, {}, 1);
}

json statistics(const traces::ItemTotals& t) {
  return {{"OkCount", t.ok},
          {"ErrorStatistics",
           {{"ThrottleCount", t.throttle}, {"OtherCount", t.error}, {"TotalCount", t.throttle + t.error}}},
          {"FaultStatistics", {{"OtherCount", t.fault}, {"TotalCount", t.fault}}},
          {"TotalCount", t.total()},
          {"TotalResponseTime", static_cast<double>(t.response_ms) / 1000}};
}

json type_of(const traces::NodeKey& key) { return key.type.empty() ? json() : json(key.type); }

json rows(const traces::Graph& graph) {
  json out = json::array();
  const auto nodes = service_graph(graph);
  for (const auto& node : nodes) {
    json edges = json::array();
    for (const auto& edge : node.edges)
      edges.push_back({{"ToName", nodes[edge.to].key.name},
                       {"ToType", type_of(nodes[edge.to].key)},
                       {"SummaryStatistics", statistics(edge.totals->totals)}});
    out.push_back({{"Name", node.key.name},
                   {"Type", type_of(node.key)},
                   {"Root", node.root},
                   {"State", node.active ? "active" : "unknown"},
                   {"SummaryStatistics", node.client ? json() : statistics(node.totals->totals)},
                   {"Edges", edges}});
  }
  return out;
}

// Order does not matter, and 2 equals 2.0.
json sorted(json services) {
  const auto key = [](const json& row) {
    return row.value("Name", "") + "\n" + row["Type"].dump();
  };
  for (auto& service : services) {
    auto& edges = service["Edges"];
    std::sort(edges.begin(), edges.end(), [](const json& a, const json& b) {
      return std::pair(a["ToName"].dump(), a["ToType"].dump()) < std::pair(b["ToName"].dump(), b["ToType"].dump());
    });
    for (auto* each : {&service}) {
      if ((*each)["SummaryStatistics"].is_object())
        (*each)["SummaryStatistics"]["TotalResponseTime"] =
            std::round((*each)["SummaryStatistics"]["TotalResponseTime"].get<double>() * 1000);
    }
    for (auto& edge : edges)
      edge["SummaryStatistics"]["TotalResponseTime"] =
          std::round(edge["SummaryStatistics"]["TotalResponseTime"].get<double>() * 1000);
  }
  std::sort(services.begin(), services.end(), [&](const json& a, const json& b) { return key(a) < key(b); });
  return services;
}

TEST(ServiceGraphCases, each_case_gives_its_services) {
  std::ifstream file(FOG_SOURCE_DIR "/tests/query/service_graph/service-graph-cases.json");
  const auto spec = json::parse(file);
  ASSERT_GE(spec["cases"].size(), 10u);
  for (const auto& each : spec["cases"]) {
    SCOPED_TRACE(each["name"].get<std::string>());
    traces::Graph direct;
    std::map<std::int64_t, traces::Graph> minutes;
    for (const auto& trace_spec : each["traces"]) {
      const auto trace = build(trace_spec);
      direct.add(trace, 1, {});
      traces::add_by_minute(minutes, trace, 1, nullptr);
    }
    traces::Graph summed;
    for (const auto& [minute, graph] : minutes) {
      auto stored = traces::Graph::decode(graph.encode());
      ASSERT_TRUE(stored.ok());
      summed.add(*stored);
    }
    json expected = each["expected_services"];
    for (auto& service : expected)
      for (auto& edge : service["Edges"])
        if (!edge.contains("SummaryStatistics")) edge["SummaryStatistics"] = nullptr;
    EXPECT_EQ(sorted(rows(direct)), sorted(expected));
    EXPECT_EQ(sorted(rows(summed)), sorted(expected));

    // Taking the same traces out again leaves nothing to show.
    for (const auto& trace_spec : each["traces"]) direct.add(build(trace_spec), -1, {});
    EXPECT_EQ(rows(direct), json::array());
  }
}

TEST(DurationCounts, from_a_hundred_values_on_keeps_two_significant_digits) {
  traces::DurationCounts counts;
  for (int ms = 1; ms <= 99; ++ms) counts.add(ms * 7, 1);
  EXPECT_FALSE(counts.binned());
  EXPECT_EQ(counts.values().size(), 99u);
  counts.add(1234, 2);
  EXPECT_TRUE(counts.binned());
  EXPECT_EQ(counts.values().back(), std::pair(std::int64_t{1200}, std::int64_t{2}));
  for (const auto& [ms, count] : counts.values()) EXPECT_TRUE(ms < 100 || ms % 10 == 0) << ms;
  std::int64_t total = 0;
  for (const auto& [ms, count] : counts.values()) total += count;
  EXPECT_EQ(total, 101);
}

TEST(Forecast, three_deviations_and_at_least_three_faults) {
  EXPECT_EQ(forecast(10, 0).high, 3);
  EXPECT_EQ(forecast(1000, 0.1).high, 129);
  EXPECT_EQ(forecast(1000, 0.1).low, 71);
}

}  // namespace
}  // namespace fog::service_graph
