#include "api/logs/event_page.h"

#include <queue>

namespace fog::logs {
namespace {

// The rows of one block that are wanted, in the page's direction.
struct OpenBlock {
  std::unique_ptr<LogBlock> block;
  std::vector<std::uint32_t> rows;
  std::size_t next = 0;
  std::span<const std::int64_t> times;
  std::span<const LogSequence> sequences;

  Position position() const { return {times[rows[next]], sequences[rows[next]]}; }
};

bool beyond(const PageSpec& spec, Position position) {
  if (!spec.beyond) return true;
  return spec.ascending ? position > *spec.beyond : position < *spec.beyond;
}

Status open(const PageSpec& spec, OpenBlock& open) {
  LogBlock& block = *open.block;
  TRY(RowSet rows, block.rows_visible());
  for (const auto& clause : spec.where) {
    RowSet any(block.rows(), false);
    for (const LogPredicate& predicate : clause) {
      RowSet some = rows;
      TRYV(block.narrow(predicate, some));
      any |= some;
    }
    rows &= any;
    if (rows.none()) return Ok{};
  }
  TRY(open.times, block.timestamps_ms());
  TRY(open.sequences, block.sequences());
  rows.visit([&](std::size_t row) {
    if (beyond(spec, {open.times[row], open.sequences[row]})) open.rows.push_back(static_cast<std::uint32_t>(row));
  });
  if (!spec.ascending) std::reverse(open.rows.begin(), open.rows.end());
  return Ok{};
}

}  // namespace

Result<EventPage> read_page(LogStore& store, const PageSpec& spec) {
  EventPage page;
  LogScanSpec scan;
  scan.groups = {spec.group};
  scan.from_ms = spec.from_ms;
  scan.to_ms = spec.to_ms;
  if (spec.beyond && spec.ascending) scan.from_ms = std::max(scan.from_ms, spec.beyond->timestamp_ms);
  if (spec.beyond && !spec.ascending) scan.to_ms = std::min(scan.to_ms, spec.beyond->timestamp_ms);
  scan.streams = spec.streams;
  scan.where = spec.where;
  scan.newest_first = !spec.ascending;
  TRY(LogSnapshot snapshot, store.snapshot(scan));

  const auto later = [&](const std::shared_ptr<OpenBlock>& a, const std::shared_ptr<OpenBlock>& b) {
    return spec.ascending ? a->position() > b->position() : a->position() < b->position();
  };
  std::priority_queue<std::shared_ptr<OpenBlock>, std::vector<std::shared_ptr<OpenBlock>>, decltype(later)> open_blocks(later);
  std::size_t next_block = 0;
  // Blocks come in order of their first possible event; those that may hold the next one are opened.
  const auto open_more = [&]() -> Status {
    while (next_block < snapshot.blocks.size()) {
      const LogBlock& block = *snapshot.blocks[next_block];
      if (!open_blocks.empty()) {
        const std::int64_t time = open_blocks.top()->position().timestamp_ms;
        if (spec.ascending ? block.timestamp_min_ms() > time : block.timestamp_max_ms() < time) return Ok{};
      }
      auto opened = std::make_shared<OpenBlock>();
      opened->block = std::move(snapshot.blocks[next_block++]);
      if (Status status = open(spec, *opened); !status.ok()) {
        if (status.error().kind() == ErrorKind::kCorrupt) continue;
        return status;
      }
      if (!opened->rows.empty()) open_blocks.push(std::move(opened));
    }
    return Ok{};
  };

  std::size_t bytes = 0;
  std::string message;
  for (;;) {
    TRYV(open_more());
    if (open_blocks.empty()) return page;
    std::shared_ptr<OpenBlock> top = open_blocks.top();
    open_blocks.pop();
    const Position position = top->position();
    const std::uint32_t row = top->rows[top->next++];
    message.clear();
    const auto take = [&]() -> Result<bool> {
      TRYV(top->block->append_message(row, message));
      if (spec.matches && !spec.matches(message)) return true;
      if (page.events.size() == spec.events_max ||
          (!page.events.empty() && bytes + message.size() + kEventOverhead > kPageBytesMax)) {
        page.more = true;
        return false;
      }
      TRY(const auto ingestions, top->block->ingestion_times_ms());
      TRY(const auto codes, top->block->stream_codes());
      TRY(const auto streams, top->block->stream_ids());
      bytes += message.size() + kEventOverhead;
      page.events.push_back({streams[codes[row]], position.sequence, position.timestamp_ms, ingestions[row], std::move(message)});
      message = {};
      return true;
    };
    Result<bool> taken = take();
    if (!taken.ok()) {
      if (taken.error().kind() != ErrorKind::kCorrupt) return std::move(taken).error();
      continue;  // the rest of this block is not to be had
    }
    if (!*taken) return page;
    if (top->next < top->rows.size()) open_blocks.push(std::move(top));
  }
}

}  // namespace fog::logs
