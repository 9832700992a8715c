// The table of commands.
#include "query/insights/commands/table.h"

#include "query/insights/lex.h"

namespace fog::insights {

namespace {

// name, parser, allowed for the Infrequent Access class, what it does
constexpr CommandRecord kCommands[] = {
    {"fields", parse_fields, true, "adds columns"},
    {"display", parse_display, true, "the columns to show"},
    {"filter", parse_filter, true, "keeps rows where a condition holds"},
    {"where", parse_filter, true, "keeps rows where a condition holds"},
    {"filterindex", parse_filter_index, false, "filter on an indexed field"},
    {"stats", parse_stats, true, "aggregates by groups"},
    {"sort", parse_sort, true, "orders rows"},
    {"limit", parse_limit, true, "the first rows"},
    {"head", parse_head, true, "the first rows"},
    {"tail", parse_tail, true, "the last rows"},
    {"parse", parse_parse, true, "new fields from text"},
    {"dedup", parse_dedup, true, "the first row of each combination"},
    {"pattern", parse_pattern, false, "clusters of similar texts"},
    {"diff", parse_diff, false, "patterns now and before"},
    {"anomaly", parse_anomaly, false, "what is unusual about patterns"},
    {"unmask", parse_unmask, false, "masked content of fields"},
    {"unnest", parse_unnest, true, "a row for each element of a list"},
    {"expand", parse_expand, true, "a row for each element of a JSON array"},
    {"join", parse_join, true, "rows of two sources by an equal field"},
    {"lookup", parse_lookup, true, "columns of a table by equal keys"},
    {"cidrlookup", parse_cidrlookup, true, "columns of a table by network"},
    {"appendcols", parse_appendcols, true, "columns of a subquery, row by row"},
    {"logcompare", parse_logcompare, true, "values of an earlier window beside those of now"},
    {"relevantfields", parse_relevantfields, true, "fields that go with a condition"},
    {"accum", parse_accum, true, "running sum"},
    {"autoregress", parse_autoregress, true, "values of earlier rows"},
    {"filldown", parse_filldown, true, "last value in place of null"},
    {"fillmissing", parse_fillmissing, true, "a row for each absent time bin"},
    {"addtotals", parse_addtotals, true, "sums of rows and columns"},
    {"outlier", parse_outlier, true, "far values removed or clamped"},
    {"sessionize", parse_sessionize, true, "session ids by key and gap"},
    {"countfrequent", parse_count_frequent, true, "counts of combinations"},
    {"count_frequent", parse_count_frequent, true, "counts of combinations"},
    {"estimate", parse_estimate, true, "bytes in the window"},
};

}  // namespace

const CommandRecord* find_command(std::string_view name) {
  std::string key = lower(name);
  for (const CommandRecord& command : kCommands)
    if (command.name == key) return &command;
  return nullptr;
}

}  // namespace fog::insights
