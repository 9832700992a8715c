// Metrics Insights: the shared cases against a real store, syntax errors, bounds.
#include "query/metrics_insights/select.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

namespace fog::metrics_insights {
namespace {

using nlohmann::json;
constexpr std::int64_t kStart = 1'767'571'200'000;

class Store {
 public:
  Store() {
    Wal::Options log;
    log.durability = Durability::kEphemeral;
    wal = std::move(Wal::open(log)).value();
    store = std::move(MetricStore::open({}, *wal, clock)).value();
  }
  ManualClock clock{from_ms(kStart + 600'000)};
  std::unique_ptr<Wal> wal;
  std::unique_ptr<MetricStore> store;
};

TEST(MetricsInsights, every_case_of_the_file) {
  std::ifstream file(FOG_SOURCE_DIR "/tests/query/metrics_insights/metrics-insights-cases.json");
  const json all = json::parse(file);
  ASSERT_GE(all["cases"].size(), 30u);
  Store s;
  std::map<std::string, std::map<std::string, std::string>> tags;  // by dimension values
  for (const json& m : all["shared"]["inventory"]) {
    std::vector<std::pair<std::string, std::string>> dims;
    for (const auto& [n, v] : m["dims"].items()) dims.emplace_back(n, v);
    std::vector<DimensionView> views;
    std::string key;
    for (const auto& [n, v] : dims) {
      views.push_back({n, v});
      key += n + "=" + v + ";";
    }
    if (m.contains("tags")) tags[key] = m["tags"];
    const std::string ns = m["ns"];
    const std::string name = m["name"];
    for (std::size_t slot = 0; slot < m["samples"].size(); ++slot) {
      if (m["samples"][slot].is_null()) continue;
      const std::vector<double> values = m["samples"][slot];
      MetricPoint p;
      p.metric_namespace = ns;
      p.metric_name = name;
      p.dimensions = views;
      p.time = from_ms(kStart + static_cast<std::int64_t>(slot) * 60'000);
      p.values = values;
      ASSERT_TRUE(s.store->put({"1", "r", std::span(&p, 1)}).ok());
    }
  }
  const TagsOf tags_of = [&](const SeriesView& v) {
    std::string key;
    for (const auto& d : v.dimensions) key += std::string(d.name) + "=" + std::string(d.value) + ";";
    return tags[key];
  };
  for (const json& c : all["cases"]) {
    const auto select = parse(c["query"].get<std::string>());
    if (c["expect"].contains("error")) {
      EXPECT_FALSE(select.ok()) << c["id"];
      continue;
    }
    ASSERT_TRUE(select.ok()) << c["id"] << select.error().message();
    const Plan p = plan(*select, *s.store, "1", "r", tags_of);
    const auto got = execute(*select, p, *s.store, from_ms(kStart), from_ms(kStart + 180'000), std::chrono::seconds(60));
    ASSERT_TRUE(got.ok());
    const json& want = c["expect"]["series"];
    ASSERT_EQ(got->series.size(), want.size()) << c["id"];
    for (std::size_t i = 0; i < want.size(); ++i) {
      EXPECT_EQ(got->series[i].label, want[i]["label"].is_null() ? "" : want[i]["label"].get<std::string>()) << c["id"];
      std::size_t at = 0;
      for (std::size_t slot = 0; slot < want[i]["values"].size(); ++slot) {
        const json& value = want[i]["values"][slot];
        if (value.is_null()) continue;
        ASSERT_LT(at, got->series[i].size()) << c["id"];
        EXPECT_EQ(got->series[i].time_ms[at], kStart + static_cast<std::int64_t>(slot) * 60'000) << c["id"];
        EXPECT_NEAR(got->series[i].value[at++], value.get<double>(), std::fabs(value.get<double>()) * 1e-9) << c["id"];
      }
      EXPECT_EQ(at, got->series[i].size()) << c["id"];
    }
  }
}

TEST(MetricsInsights, statements_that_are_none) {
  for (const char* text :
       {"", "SELECT", "SELECT AVG(a)", "SELECT AVG(a) FROM", "SELECT AVG() FROM b", "SELECT AVG(a) FROM b WHERE",
        "SELECT AVG(a) FROM b WHERE c", "SELECT AVG(a) FROM b WHERE c < 'd'", "SELECT AVG(a) FROM b GROUP c",
        "SELECT AVG(a) FROM b ORDER BY AVG", "SELECT AVG(a) FROM b LIMIT 0", "SELECT AVG(a) FROM b LIMIT x",
        "SELECT AVG(a) FROM b c", "SELECT AVG(a) FROM b WHERE c = 'd", "SELECT AVG(a) FROM SCHEMA()", "SELECT a FROM b",
        "SELECT AVG(a) FROM b WHERE x.y = 'z'", "SELECT AVG(a) FROM b LIMIT 99999999999999999999"})
    EXPECT_FALSE(parse(text).ok()) << text;
  EXPECT_FALSE(parse("SELECT AVG(a) FROM b WHERE " + std::string(10'000, '(')).ok());
}

TEST(MetricsInsights, in_or_and_parentheses) {
  Store s;
  for (const char* host : {"a", "b", "c"}) {
    const DimensionView d[] = {{"host", host}};
    const double v[] = {1};
    MetricPoint p;
    p.metric_namespace = "n";
    p.metric_name = "m";
    p.dimensions = d;
    p.time = from_ms(kStart);
    p.values = v;
    ASSERT_TRUE(s.store->put({"1", "r", std::span(&p, 1)}).ok());
  }
  const auto count = [&](const std::string& where) {
    const auto select = parse("SELECT COUNT(m) FROM n WHERE " + where);
    EXPECT_TRUE(select.ok()) << where;
    std::size_t n = 0;
    for (const auto& g : plan(*select, *s.store, "1", "r", {}).groups) n += g.series.size();
    return n;
  };
  EXPECT_EQ(count("host IN ('a','b')"), 2u);
  EXPECT_EQ(count("host = 'a' OR host = 'c'"), 2u);
  EXPECT_EQ(count("(host = 'a' OR host = 'c') AND host != 'c'"), 1u);
  EXPECT_EQ(count("other != 'x'"), 0u);
  EXPECT_EQ(count("AWS.AccountId = '1'"), 3u);
  EXPECT_EQ(count("tag.env = 'x'"), 0u);
}

}  // namespace
}  // namespace fog::metrics_insights
