// Logs Insights: parsed, printed, and run over a handful of events.
#include "query/insights/query.h"

#include <memory>

#include "tests/fuzz/target.h"
#include "tests/query/insights/memory_scan.h"

namespace fog::fuzz {

FOG_FUZZ(insights) {
  static insights::test::MemoryScan scan({
      {1'767'225'600'000, R"({"level":"ERROR","latency_ms":12.5,"model":"gpt","deep":{"a":[1,2,{"b":null}]},"ok":true})", "s1"},
      {1'767'225'660'000, R"({"level":"INFO","latency_ms":"7","user":{"name":"x y"},"at":"2026-01-01T00:00:00Z"})", "s2"},
      {1'767'225'720'000, "GET /index.html 200 55 key=value other=\"quoted text\"", "s1"},
      {1'767'225'780'000, "REPORT RequestId: 6d4f2c1e-0b1a-4c3d-9e8f-7a6b5c4d3e2f\tDuration: 102.25 ms\tBilled Duration: 103 ms", "s2"},
      {1'767'225'840'000, "", "s1"},
  });
  insights::BindOptions bind;
  bind.lookup_tables = [](std::string_view name) -> std::shared_ptr<const insights::LookupTable> {
    if (name != "hosts") return nullptr;
    return std::make_shared<insights::LookupTable>(insights::LookupTable{{"id", "name"}, {{"1", "a"}, {"ERROR", "b"}}});
  };
  const auto query = insights::parse(input, bind);
  if (!query.ok()) return;
  const std::string printed = (*query)->print();
  const auto again = insights::parse(printed, bind);
  must(again.ok() || printed.size() > 9000, "what was printed can be read");
  if (again.ok()) must((*again)->print() == printed, "printing is stable");
  insights::RunOptions options;
  options.start_ms = 1'767'225'600'000;
  options.end_ms = options.start_ms + 3'600'000;
  options.now_ms = options.end_ms;
  options.memory_bytes_max = 64u << 20;
  options.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  const auto table = insights::run(**query, scan, options);
  if (!table.ok()) return;
  for (std::size_t row = 0; row < std::min<std::size_t>(table->rows.size(), 50); ++row)
    for (std::size_t column = 0; column < table->columns.size(); ++column) (void)table->text(row, column);
}

}  // namespace fog::fuzz
