// Every case of cases.json through the engine, over blocks of several sizes, with and without worker
// threads; and every query through the printer and back.
//
// The expectations are those of the language description. Where the public service documentation is
// silent the description chose a rule ([C] there): ties of equal timestamps, no rows of stats without
// input, nearest-rank percentiles, four decimals half-up, alignment of bins, sort order of null,
// comparison of numbers with text, default names of created columns. Cases about those follow our
// choice, not an observation of the service.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "query/insights/query.h"
#include "query/insights/lex.h"
#include "tests/query/insights/memory_scan.h"

namespace fog::insights::test {
namespace {

using nlohmann::json;

json load() {
  std::ifstream file(FOG_SOURCE_DIR "/tests/query/insights/cases.json");
  return json::parse(file);
}

std::vector<std::map<std::string, std::string>> rows_of(const Table& table) {
  std::vector<std::map<std::string, std::string>> rows;
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    auto& row = rows.emplace_back();
    for (std::size_t c = 0; c < table.columns.size(); ++c)
      if (auto text = table.text(r, c)) row[table.columns[c]] = *text;
  }
  return rows;
}

void check(const json& one, std::size_t block_rows, WorkerPool* pool) {
  SCOPED_TRACE(one["name"].get<std::string>() + ", blocks of " + std::to_string(block_rows));
  auto query = parse(one["query"].get<std::string>(), {});
  if (one.contains("expectError")) {
    ASSERT_FALSE(query.ok());
    EXPECT_EQ(query.error().kind(), ErrorKind::kInvalid);
    EXPECT_TRUE(query.error().position().has_value());
    EXPECT_NE(dynamic_cast<const QueryErrorDetail*>(query.error().detail()), nullptr);
    EXPECT_FALSE(query.error().message().empty());
    return;
  }
  ASSERT_TRUE(query.ok()) << query.error().message();
  std::vector<Event> events;
  for (const json& e : one["events"])
    events.push_back({e["timestamp"].get<std::int64_t>(), e["message"].get<std::string>(), e.value("logStream", "default"), "/group"});
  MemoryScan scan(std::move(events), block_rows);
  RunOptions options;
  options.start_ms = one["startTime"].get<std::int64_t>() * 1000;
  options.end_ms = one["endTime"].get<std::int64_t>() * 1000 + 999;
  options.now_ms = options.end_ms;
  options.pool = pool;
  for (const auto& text : {one["query"].get<std::string>(), (*query)->print()}) {
    SCOPED_TRACE(text);
    auto again = parse(text, {});
    ASSERT_TRUE(again.ok()) << again.error().message();
    auto table = run(**again, scan, options);
    ASSERT_TRUE(table.ok()) << table.error().message();
    auto got = rows_of(*table);
    auto want = one["expect"].get<std::vector<std::map<std::string, std::string>>>();
    if (!one["ordered"].get<bool>()) {
      std::sort(got.begin(), got.end());
      std::sort(want.begin(), want.end());
    }
    EXPECT_EQ(got, want) << json(got).dump();
  }
}

TEST(InsightsCases, every_case_gives_its_rows) {
  json cases = load();
  ASSERT_GE(cases.size(), 96u);
  WorkerPool pool(2);
  for (const json& one : cases) {
    check(one, 1, nullptr);
    check(one, 2, &pool);
    check(one, 1000, nullptr);
  }
}

TEST(InsightsCases, printing_and_parsing_again_gives_the_same_query) {
  for (const json& one : load()) {
    auto query = parse(one["query"].get<std::string>(), {});
    if (!query.ok()) continue;
    std::string printed = (*query)->print();
    auto again = parse(printed, {});
    ASSERT_TRUE(again.ok()) << one["query"] << "\n" << printed << "\n" << again.error().message();
    EXPECT_EQ((*again)->print(), printed);
    EXPECT_EQ((*again)->columns(), (*query)->columns());
  }
}

}  // namespace
}  // namespace fog::insights::test
