#include "query/insights/query.h"

#include "query/insights/query_body.h"
#include "query/insights/lex.h"
#include "query/insights/parse.h"
#include "query/insights/run.h"

namespace fog::insights {

Query::Query(std::unique_ptr<QueryBody> body) : body_(std::move(body)) {}
Query::~Query() = default;

const std::optional<Source>& Query::source() const { return body_->pipeline.source; }
bool Query::event_rows() const { return body_->program.event_rows; }

std::optional<std::pair<std::int64_t, std::int64_t>> Query::source_window(std::int64_t now_ms) const {
  const auto& source = body_->pipeline.source;
  if (!source || source->start.empty()) return std::nullopt;
  auto at = [now_ms](const std::string& text) {
    if (text == "now") return now_ms;
    if (text[0] == '-' || text[0] == '+') {
      auto period = parse_period(std::string_view(text).substr(1), false);
      std::int64_t ms = period ? period->ms() : 0;
      return text[0] == '-' ? now_ms - ms : now_ms + ms;
    }
    return parse_number(text).i;
  };
  return std::pair{at(source->start), at(source->end)};
}

std::string Query::print() const {
  std::string out;
  print_pipeline(body_->pipeline, out);
  return out;
}

std::vector<std::string> Query::columns() const {
  std::vector<std::string> names;
  for (const auto& output : body_->program.outputs) names.push_back(output.name);
  return names;
}

Result<std::shared_ptr<const Query>> parse(std::string_view text, const BindOptions& options) {
  if (text.size() > kQueryCharsMax && utf8_length(text) > kQueryCharsMax)
    return query_error(text, 0, text.size(), "the query is longer than 10000 characters");
  auto body = std::make_unique<QueryBody>();
  body->text = text;
  // {{name}} must have been substituted before.
  Parser parser(body->text);
  TRYV(parser.start());
  TRY(body->pipeline, parser.pipeline(false));
  if (!parser.at_end()) return parser.unexpected();
  TRYV(bind_pipeline(body->text, body->pipeline, body->program, options, false));
  return std::shared_ptr<const Query>(std::make_shared<Query>(std::move(body)));
}

std::optional<std::string> Table::text(std::size_t row, std::size_t column) const {
  const Value& value = rows[row].values[column];
  if (value.null()) return std::nullopt;
  return to_text(value);
}

Result<Table> run(const Query& query, Scan& scan, const RunOptions& options) {
  const QueryBody& body = query.body();
  Memory memory(options.memory_bytes_max);
  RunInfo info{.now_ms = options.now_ms, .start_ms = options.start_ms, .end_ms = options.end_ms};
  Run run(body.pipeline, body.program, scan, options, info, memory);
  run.deadline = options.deadline;
  std::set<int> wanted;
  for (const auto& output : body.program.outputs) wanted.insert(output.slot);
  if (body.program.pointer_slot >= 0) wanted.insert(body.program.pointer_slot);
  std::int64_t rows_max = body.program.has_limit ? kLimitMax : std::min(options.limit, kLimitMax);
  try {
    TRY(BatchPtr batch, execute(run, body.pipeline.commands.size(), wanted, rows_max));
    if (batch->sel.size() > static_cast<std::size_t>(rows_max)) batch->sel.resize(static_cast<std::size_t>(rows_max));
    Table table = make_table(run, *batch);
    memory.add(table.arena->bytes());
    TRYV(run.status());
    return table;
  } catch (const std::bad_alloc&) {
    return Error::limit("the query needs more memory than there is");
  }
}

}  // namespace fog::insights
