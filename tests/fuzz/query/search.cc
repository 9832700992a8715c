// SEARCH: which metrics an expression means.
#include "query/metric_math/search.h"

#include "tests/fuzz/target.h"

namespace fog::fuzz {

FOG_FUZZ(search) {
  Cut cut(input);
  const std::string_view text = cut.next(), other = cut.rest();
  (void)metric_math::search_pieces(other);
  (void)metric_math::search_word_matches(other, "CPUUtilization99-x");
  auto search = metric_math::Search::parse(text);
  if (!search.ok()) return;
  SeriesFilter filter;
  search->narrow(filter);
  const DimensionView dimensions[] = {{"InstanceId", "i-123"}, {"Stage", other}};
  const std::pair<std::uint32_t, std::uint32_t> symbols[] = {{3, 4}, {5, 6}};
  SeriesView series;
  series.id = 1;
  series.metric_namespace = "AWS/EC2";
  series.metric_name = "CPUUtilization";
  series.dimensions = dimensions;
  series.namespace_symbol = 1;
  series.name_symbol = 2;
  series.dimension_symbols = symbols;
  (void)search->matches(series, "000000000000");
}

FOG_FUZZ_SEEDS(search) {
  return {"{AWS/EC2,InstanceId} MetricName=\"CPUUtilization\"\x1fprod", "Namespace=App AND (cpu OR \"Disk Read\") NOT Stage=test\x1ftestStage1",
          "{\"My Space\",\"a b\"} :aws.AccountId=\"0\"", "MetricName=(a OR b) NOT (c AND d)"};
}

}  // namespace fog::fuzz
