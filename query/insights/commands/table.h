// One parser for each command.
#pragma once

#include "query/insights/command.h"

namespace fog::insights {

Result<CommandPtr> parse_accum(Parser& parser);
Result<CommandPtr> parse_addtotals(Parser& parser);
Result<CommandPtr> parse_anomaly(Parser& parser);
Result<CommandPtr> parse_appendcols(Parser& parser);
Result<CommandPtr> parse_autoregress(Parser& parser);
Result<CommandPtr> parse_cidrlookup(Parser& parser);
Result<CommandPtr> parse_count_frequent(Parser& parser);
Result<CommandPtr> parse_dedup(Parser& parser);
Result<CommandPtr> parse_diff(Parser& parser);
Result<CommandPtr> parse_display(Parser& parser);
Result<CommandPtr> parse_estimate(Parser& parser);
Result<CommandPtr> parse_expand(Parser& parser);
Result<CommandPtr> parse_fields(Parser& parser);
Result<CommandPtr> parse_filldown(Parser& parser);
Result<CommandPtr> parse_fillmissing(Parser& parser);
Result<CommandPtr> parse_filter(Parser& parser);
Result<CommandPtr> parse_filter_index(Parser& parser);
Result<CommandPtr> parse_head(Parser& parser);
Result<CommandPtr> parse_join(Parser& parser);
Result<CommandPtr> parse_limit(Parser& parser);
Result<CommandPtr> parse_logcompare(Parser& parser);
Result<CommandPtr> parse_lookup(Parser& parser);
Result<CommandPtr> parse_outlier(Parser& parser);
Result<CommandPtr> parse_parse(Parser& parser);
Result<CommandPtr> parse_pattern(Parser& parser);
Result<CommandPtr> parse_relevantfields(Parser& parser);
Result<CommandPtr> parse_sessionize(Parser& parser);
Result<CommandPtr> parse_sort(Parser& parser);
Result<CommandPtr> parse_stats(Parser& parser);
Result<CommandPtr> parse_tail(Parser& parser);
Result<CommandPtr> parse_unmask(Parser& parser);
Result<CommandPtr> parse_unnest(Parser& parser);

}  // namespace fog::insights
