#include "query/insights/block_stage.h"

#include "storage/message_search.h"

namespace fog::insights {

namespace {

// Blocks this small get their bytes counted exactly when only part of them is in the window.
constexpr std::size_t kExactBytesRows = 8192;

// The message bytes of `n` rows of a block.
Result<std::uint64_t> bytes_of(LogBlock& block, const RowSet& rows, std::size_t n) {
  if (n == block.rows()) return block.message_bytes();
  if (block.rows() > kExactBytesRows) return block.message_bytes() * n / block.rows();
  TRY(const auto messages, block.messages(rows));
  const LogColumn& column = *messages;
  std::uint64_t bytes = 0;
  std::string text;
  rows.visit([&](std::size_t row) {
    text.clear();
    column.append_text(row, text);
    bytes += text.size();
  });
  return bytes;
}

void keep_newest(RowSet& rows, std::size_t n) {
  std::size_t left = rows.count();
  rows.visit([&](std::size_t row) {
    if (left-- > n) rows.clear(row);
  });
}

Status narrow(LogBlock& block, const std::vector<LogPredicate>& clause, RowSet& rows) {
  for (const LogPredicate& p : clause)
    if (p.what == LogPredicate::What::kFieldAtLeast || p.what == LogPredicate::What::kFieldAtMost ||
        p.what == LogPredicate::What::kFieldPresent)
      return Ok{};  // the columns themselves are as quick
  if (clause.size() == 1) return block.narrow(clause[0], rows);
  RowSet any(rows.rows(), false);
  for (const LogPredicate& p : clause) {
    RowSet one = rows;
    TRYV(block.narrow(p, one));
    any |= one;
  }
  rows = std::move(any);
  return Ok{};
}

// Rows whose message holds none of the texts are cleared. True: all that are left do hold one.
Result<bool> narrow_to(LogBlock& block, const std::vector<LogPredicate>& clause, RowSet& rows) {
  auto* search = dynamic_cast<MessageSearch*>(&block);
  if (search == nullptr) {
    TRYV(narrow(block, clause, rows));
    return false;
  }
  if (clause.size() == 1) return search->narrow_to(clause[0].text, rows);
  RowSet any(rows.rows(), false);
  bool exact = true;
  for (const LogPredicate& p : clause) {
    RowSet one = rows;
    TRY(const bool sure, search->narrow_to(p.text, one));
    exact = exact && sure;
    any |= one;
  }
  rows = std::move(any);
  return exact;
}

}  // namespace

BlockStage::BlockStage(Run& run, std::size_t commands) : run_(run) {
  while (lead_ < commands && run.pipeline.commands[lead_]->shape() != Command::Shape::kWhole) ++lead_;
  const std::vector<const Node*> all = leading_filters(run.pipeline, run.program, lead_);
  where_ = pushdown(run.program, all);
  for (const Node* filter : all) {
    std::vector<LogPredicate> texts = message_texts(run.program, *filter);
    if (texts.empty())
      filters_.push_back(filter);
    else
      text_filters_.push_back({filter, std::move(texts)});
  }
  narrow_ = pushdown(run.program, filters_);
  while (rows_ < lead_ && run.pipeline.commands[rows_]->shape() == Command::Shape::kRows) ++rows_;
}

Result<std::vector<std::unique_ptr<LogBlock>>> BlockStage::open(bool newest_first) {
  ScanRequest request;
  request.source = run_.pipeline.source;
  request.from_ms = run_.info.start_ms - run_.program.window_shift_ms;
  request.to_ms = run_.info.end_ms - run_.program.window_shift_ms;
  request.where = where_;
  request.index_fields = run_.program.index_fields;
  request.newest_first = newest_first;
  TRY(ScanBlocks blocks, run_.scan.open(request));
  std::scoped_lock lock(run_.statistics_mutex);
  Statistics& s = run_.statistics;
  s.groups_scanned = static_cast<double>(blocks.groups);
  s.records_scanned += static_cast<double>(blocks.events_skipped);
  s.bytes_scanned += static_cast<double>(blocks.bytes_skipped);
  s.records_skipped += static_cast<double>(blocks.index_events_skipped);
  s.bytes_skipped += static_cast<double>(blocks.index_bytes_skipped);
  from_ms_ = request.from_ms;
  to_ms_ = request.to_ms;
  return std::move(blocks.blocks);
}

// A block that nobody has to look at still counts when the answer is known: all of it matches.
void BlockStage::count_unseen(LogBlock& block) {
  if (filtering() || block.timestamp_min_ms() < from_ms_ || block.timestamp_max_ms() > to_ms_) return;
  count(block.rows(), block.rows(), block.message_bytes());
}

BatchPtr BlockStage::preview(LogBlock& block, std::size_t rows_max) {
  // The batch is gone before the block is looked at again.
  return process(std::shared_ptr<LogBlock>(&block, [](LogBlock*) {}), rows_max, false);
}

BatchPtr BlockStage::process(std::shared_ptr<LogBlock> block, std::size_t rows_max, bool counted) {
  block_damaged = false;
  auto fail = [this](Error error) {
    run_.fail(std::move(error));
    return BatchPtr{};
  };
  auto visible = block->rows_visible();
  if (!visible.ok()) return fail(std::move(visible).error());
  RowSet rows = std::move(visible).value();
  if (rows_max < rows.rows()) keep_newest(rows, rows_max);
  std::size_t scanned = rows.count();
  std::uint64_t bytes = 0;
  if (counted && scanned > 0) {
    auto measured = bytes_of(*block, rows, scanned);
    if (!measured.ok()) return fail(std::move(measured).error());
    bytes = *measured;
  }
  for (const auto& clause : narrow_) {
    if (rows.none()) break;
    if (auto done = narrow(*block, clause, rows); !done.ok()) return fail(std::move(done).error());
  }
  std::vector<const Node*> unsure;
  for (const TextFilter& filter : text_filters_) {
    if (rows.none()) break;
    auto exact = narrow_to(*block, filter.clause, rows);
    if (!exact.ok()) return fail(std::move(exact).error());
    if (!*exact) unsure.push_back(filter.node);
  }
  auto batch = std::make_shared<Batch>(run_, std::move(block));
  // Newest first, as the language has it.
  std::size_t left = rows.count();
  batch->sel.resize(left);
  if (left == rows.rows())
    for (std::uint32_t& row : batch->sel) row = static_cast<std::uint32_t>(--left);
  else
    rows.visit([&](std::size_t row) { batch->sel[--left] = static_cast<std::uint32_t>(row); });
  for (const Node* filter : filters_) batch->filter(*filter);
  for (const Node* filter : unsure) batch->filter(*filter);
  if (counted) count(scanned, batch->sel.size(), bytes);
  if (batch->sel.empty() || block_damaged || run_.stop()) return nullptr;
  BatchPtr result = batch;
  for (std::size_t k = 0; k < lead_; ++k) {
    // The filters at the head have run already.
    if (k < rows_ && run_.pipeline.commands[k]->filter()) continue;
    auto next = run_.pipeline.commands[k]->apply(std::move(result), run_);
    if (!next.ok()) return fail(std::move(next).error());
    result = std::move(next).value();
  }
  return result->sel.empty() || block_damaged ? nullptr : result;
}

void BlockStage::count(std::size_t scanned, std::size_t matched, std::uint64_t bytes) {
  std::scoped_lock lock(run_.statistics_mutex);
  run_.statistics.records_scanned += static_cast<double>(scanned);
  run_.statistics.records_matched += static_cast<double>(matched);
  run_.statistics.bytes_scanned += static_cast<double>(bytes);
}

void BlockStage::report() {
  if (!run_.options.progress) return;
  std::scoped_lock lock(run_.statistics_mutex);
  auto now = std::chrono::steady_clock::now();
  if (now - reported_ < std::chrono::milliseconds(50)) return;
  reported_ = now;
  run_.options.progress(run_.statistics);
}

}  // namespace fog::insights
