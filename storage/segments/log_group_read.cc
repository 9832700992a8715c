// LogGroup for readers: its blocks, one event, totals.
#include "storage/segments/log_group.h"

#include <algorithm>

namespace fog::segments {

std::shared_ptr<const Hidden> LogGroup::hidden() const {
  const std::lock_guard lock(lock_);
  return state_.hidden;
}

std::vector<BlockPtr> LogGroup::blocks(const ReadScope& scope) {
  std::vector<BlockPtr> result;
  const auto overlaps = [&](std::int64_t min, std::int64_t max) { return max >= scope.from_ms && min <= scope.to_ms; };
  const auto add = [&](const std::vector<BlockPtr>& blocks) {
    for (const BlockPtr& block : blocks)
      if (overlaps(block->summary.timestamp_min, block->summary.timestamp_max)) result.push_back(block);
  };
  // Does a head hold events of the time and the streams?
  const auto wanted = [&](const Head& head) {
    for (const auto& [stream, totals] : head.streams())
      if (overlaps(totals.first_timestamp, totals.last_timestamp) &&
          (scope.streams == nullptr || scope.streams->contains(stream)))
        return true;
    return false;
  };
  // Segments and heads of one moment; a head that is sealed meanwhile stays a head for this reader.
  std::vector<SegmentPtr> segments;
  std::vector<std::shared_ptr<Head>> heads;
  {
    const std::lock_guard lock(lock_);
    segments = state_.segments;
    for (const auto& head : state_.frozen)
      if (wanted(*head)) heads.push_back(head);
    if (wanted(*state_.head)) heads.push_back(state_.head);
  }
  for (const SegmentPtr& segment : segments) add(segment->blocks);
  if (heads.empty()) return result;
  const Shaper::Admit admit = admitter();
  for (const auto& head : heads) add(head->blocks(lock_, admit));
  return result;
}

Result<LogEvent> LogGroup::find(LogSequence sequence, std::int64_t timestamp_ms, const OnDamage& on_damage) {
  ReadScope scope;
  scope.group = id_;
  scope.from_ms = timestamp_ms;
  scope.to_ms = timestamp_ms;
  scope.hidden = hidden();
  std::optional<Error> failure;
  for (const auto& block : blocks(scope)) {
    if (sequence < block->summary.sequence_min || sequence > block->summary.sequence_max) continue;
    const auto look = [&]() -> Result<std::optional<LogEvent>> {
      const auto reader = make_block_reader(block, scope, on_damage);
      TRY(const RowSet visible, reader->rows_visible());
      TRY(const auto sequences, reader->sequences());
      const auto it = std::find(sequences.begin(), sequences.end(), sequence);
      const auto row = static_cast<std::size_t>(it - sequences.begin());
      if (it == sequences.end() || !visible.test(row)) return std::optional<LogEvent>();
      TRY(const auto times, reader->timestamps_ms());
      TRY(const auto ingestions, reader->ingestion_times_ms());
      TRY(const auto codes, reader->stream_codes());
      TRY(const auto streams, reader->stream_ids());
      LogEvent event{streams[codes[row]], sequence, times[row], ingestions[row], {}};
      TRYV(reader->append_message(row, event.message));
      return std::optional<LogEvent>(std::move(event));
    };
    Result<std::optional<LogEvent>> found = look();
    if (!found.ok()) {
      failure = std::move(found).error();
    } else if (*found) {
      return **std::move(found);
    }
  }
  if (failure) return *std::move(failure);
  return Error::not_found("no such log event");
}

LogGroupStats LogGroup::stats(const OnDamage& on_damage) {
  std::vector<SegmentPtr> segments;
  std::shared_ptr<const Hidden> hidden;
  LogGroupStats stats;
  {
    const std::lock_guard lock(lock_);
    segments = state_.segments;
    hidden = state_.hidden;
    const auto add_head = [&](const Head& head) {
      for (const RowIn& row : head.rows()) {
        if (hidden->streams.contains(row.stream) || hidden->expired(row.timestamp, row.sequence)) continue;
        ++stats.events;
        stats.message_bytes += row.message.size();
      }
    };
    add_head(*state_.head);
    for (const auto& head : state_.frozen) add_head(*head);
  }
  for (const SegmentPtr& segment : segments) {
    stats.disk_bytes += segment->size;
    for (const auto& block : segment->blocks) {
      const BlockSummary& summary = block->summary;
      bool partly = false;
      bool all_expired = false;
      for (const Hidden::Floor& floor : hidden->floors) {
        if (summary.timestamp_min < floor.before_ms && summary.sequence_min < floor.sequence_below) partly = true;
        if (summary.timestamp_max < floor.before_ms && summary.sequence_max < floor.sequence_below) all_expired = true;
      }
      if (all_expired) continue;
      if (!hidden->streams.empty() && !partly) {
        const auto directory = block->directory();
        if (directory.ok())
          for (const LogStreamId stream : (*directory)->streams) partly = partly || hidden->streams.contains(stream);
      }
      if (!partly) {
        stats.events += summary.rows;
        stats.message_bytes += summary.message_bytes;
        continue;
      }
      {
        const auto known = partly_.lock_shared();
        if (const auto it = known->find(block.get()); it != known->end() && it->second.hidden == hidden) {
          stats.events += it->second.events;
          stats.message_bytes += it->second.bytes;
          continue;
        }
      }
      PartlyHidden counted{hidden, 0, 0};
      if (const Result<BlockRows> rows = read_all_rows(block, *hidden); rows.ok()) {
        counted.events = rows->rows.size();
        for (const RowIn& row : rows->rows) counted.bytes += row.message.size();
      } else if (rows.error().kind() == ErrorKind::kCorrupt && !block->damaged.exchange(true)) {
        on_damage(*block);
      }
      stats.events += counted.events;
      stats.message_bytes += counted.bytes;
      const auto known = partly_.lock();
      if (known->size() > 4096) known->clear();
      (*known)[block.get()] = counted;
    }
  }
  return stats;
}

std::optional<StreamTotals> LogGroup::stream_totals(LogStreamId stream) const {
  const std::lock_guard lock(lock_);
  if (state_.hidden->streams.contains(stream)) return std::nullopt;
  StreamTotals totals;
  if (const auto it = state_.streams.find(stream); it != state_.streams.end()) totals.add(it->second);
  const auto add = [&](const Head& head) {
    if (const auto it = head.streams().find(stream); it != head.streams().end()) totals.add(it->second);
  };
  for (const auto& head : state_.frozen) add(*head);
  add(*state_.head);
  if (totals.events == 0) return std::nullopt;
  return totals;
}

LogGroup::Sizes LogGroup::sizes() const {
  const std::lock_guard lock(lock_);
  Sizes sizes;
  const auto add = [&](const Head& head) {
    sizes.head_events += head.events();
    sizes.head_bytes += head.bytes();
  };
  add(*state_.head);
  for (const auto& head : state_.frozen) add(*head);
  sizes.segments = state_.segments.size();
  for (const SegmentPtr& segment : state_.segments) {
    sizes.blocks += segment->blocks.size();
    sizes.disk_bytes += segment->size;
  }
  return sizes;
}

std::optional<LogGroup::Held> LogGroup::held() const {
  const std::lock_guard lock(lock_);
  std::optional<Held> held;
  const Head& oldest = state_.frozen.empty() ? *state_.head : *state_.frozen.front();
  if (oldest.events() > 0) held = Held{oldest.first_lsn(), oldest.wal_bytes(), false};
  if (state_.newest_change > state_.applied) {
    if (!held) held = Held{state_.oldest_change, UINT64_MAX, true};
    held->lsn = std::min(held->lsn, state_.oldest_change);
    held->has_change = true;
  }
  return held;
}
Lsn LogGroup::applied() const {
  const std::lock_guard lock(lock_);
  return state_.applied;
}

}  // namespace fog::segments
