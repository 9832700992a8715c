// Metric math: expressions over three series.
#include "query/metric_math/evaluate.h"

#include "tests/fuzz/target.h"

namespace fog::fuzz {

using namespace metric_math;

FOG_FUZZ(metric_math) {
  if (input.size() > 4096) return;
  Cut cut(input);
  std::vector<Query> queries;
  for (int m = 1; m <= 3; ++m) {
    Series series;
    series.label = "cpu";
    for (std::int64_t i = 0; i < 10; ++i)
      if (i % m == 0) series.push(1'767'225'600'000 + i * 60'000, m == 2 ? 0 : static_cast<double>(i * m) - 3);
    series.source = m;
    queries.push_back({.id = "m" + std::to_string(m), .given = metric_math::Value(std::move(series)), .is_metric = m < 3, .period_ms = 60'000});
  }
  for (int e = 1; e <= 4 && (e == 1 || !cut.rest().empty()); ++e) {
    const std::string_view text = cut.next();
    (void)mentions(text);
    if (!text.empty()) queries.push_back({.id = "e" + std::to_string(e), .expression = std::string(text)});
  }
  Environment environment;
  environment.start_ms = 1'767'225'600'000;
  environment.end_ms = environment.start_ms + 600'000;
  environment.search = [&](const SearchCall&) -> Result<Array> { return Array{std::get<Series>(*queries[0].given), std::get<Series>(*queries[1].given)}; };
  environment.band = [](const Series& series, double) -> Result<std::pair<Series, Series>> { return std::pair(series, series); };
  (void)evaluate(queries, environment);
}

}  // namespace fog::fuzz
