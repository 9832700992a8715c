// LogGroup on disk: sealing, merging, expiry, the manifest. One thread at a time (`maintenance_`).
#include "storage/segments/limits.h"
#include "storage/segments/log_group.h"
#include "storage/segments/sync_point.h"
#include "storage/wal/file.h"

#include <algorithm>
#include <map>
#include <system_error>

namespace fog::segments {

Status LogGroup::write_manifest_locked(const State& next, bool keep_previous) {
  if (folder_.empty()) return Ok{};
  Manifest manifest;
  manifest.group = id_;
  manifest.applied = next.applied;
  manifest.next_sequence = next.next_sequence;
  manifest.next_segment = next.next_segment;
  for (const SegmentPtr& segment : next.segments) {
    ManifestSegment entry{segment->id, segment->day, segment->size, {}};
    for (const auto& block : segment->blocks) entry.blocks.push_back(block->summary);
    manifest.segments.push_back(std::move(entry));
  }
  manifest.dropped_streams.assign(next.hidden->streams.begin(), next.hidden->streams.end());
  manifest.floors = next.hidden->floors;
  const auto names = names_.lock_shared();
  manifest.field_names.insert(names->begin(), names->end());
  manifest.streams = next.streams;
  TRYV(make_folders(folder_));
  return write_manifest(folder_, manifest, keep_previous);
}

Result<SegmentPtr> LogGroup::store_day(const EncodedDay& day, Lsn lsn, std::vector<std::uint64_t> replaces) {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(lock_);
    id = state_.next_segment++;
  }
  if (folder_.empty()) return make_segment(id, day.day, day.bytes->size(), day.blocks, day.bytes);
  TRYV(make_folders(folder_));
  SegmentFooter footer{id_, day.day, lsn, std::move(replaces), day.blocks};
  for (BlockSummary& block : footer.blocks) block.offset += kSegmentHeaderSize;
  TRY(const std::uint64_t size, write_segment(folder_ / segment_name(id), *day.bytes, footer));
  return make_segment(id, day.day, size, std::move(footer.blocks), nullptr);
}

Status LogGroup::seal() {
  const std::lock_guard maintenance(maintenance_);
  for (;;) {
    std::shared_ptr<Head> head;
    std::shared_ptr<const Hidden> hidden;
    {
      const std::lock_guard lock(lock_);
      if (state_.dropped) return Ok{};
      if (!state_.frozen.empty()) head = state_.frozen.front();
      hidden = state_.hidden;
      if (head == nullptr && state_.newest_change <= state_.applied) return Ok{};
    }
    std::vector<SegmentPtr> made;
    if (head != nullptr) {
      const std::vector<EncodedDay>& days = head->encoded(*hidden, limits_, admitter());
      sync_point("encoded");
      for (const EncodedDay& day : days) {
        TRY(SegmentPtr segment, store_day(day, head->last_lsn(), {}));
        made.push_back(std::move(segment));
      }
    }
    State next;
    {
      const std::lock_guard lock(lock_);
      next.next_sequence = state_.next_sequence;
      next.next_segment = state_.next_segment;
      next.hidden = state_.hidden;
      next.streams = state_.streams;
      next.segments = state_.segments;
      next.segments.insert(next.segments.end(), made.begin(), made.end());
      next.applied = std::max(state_.applied, head != nullptr ? head->last_lsn() : Lsn{0});
      if (head != nullptr)
        for (const auto& [stream, totals] : head->streams())
          if (!next.hidden->streams.contains(stream)) next.streams[stream].add(totals);
      // With nothing newer in memory, later operations are in this manifest too.
      if (state_.frozen.size() == (head != nullptr ? 1u : 0u) && state_.head->events() == 0)
        next.applied = std::max(next.applied, state_.newest_change);
    }
    TRYV(write_manifest_locked(next));
    const std::lock_guard lock(lock_);
    if (state_.dropped) {
      for (const SegmentPtr& segment : made)
        if (segment->file != nullptr) segment->file->doom();
      return Ok{};
    }
    state_.segments = std::move(next.segments);
    state_.streams = std::move(next.streams);
    for (const LogStreamId stream : state_.hidden->streams) state_.streams.erase(stream);
    state_.applied = next.applied;
    if (head != nullptr) {
      counters_.frozen_bytes -= head->bytes();
      state_.frozen.pop_front();
      ++counters_.seals;
    }
    const bool only_operations = head == nullptr;
    sync_point("sealed");
    if (only_operations) return Ok{};
  }
}

Result<EncodedDay> LogGroup::join(const std::vector<SegmentPtr>& parts, const Hidden& hidden) {
  // Full blocks are copied as they are; small ones and those with hidden rows are written anew.
  EncodedDay joined;
  joined.day = parts.front()->day;
  std::string bytes;
  std::size_t whole = 0;
  for (const SegmentPtr& part : parts) whole += static_cast<std::size_t>(part->size);
  bytes.reserve(whole);
  std::vector<RowIn> rows;
  std::vector<FieldSet> field_sets{1};
  std::vector<BlockRows> sources;
  std::size_t row_bytes = 0;
  const auto flush_rows = [&] {
    if (rows.empty()) return;
    for (const EncodedDay& day : encode_days(std::move(rows), field_sets, limits_, admitter())) {
      const std::uint64_t base = bytes.size();
      bytes.append(*day.bytes);
      for (BlockSummary summary : day.blocks) {
        summary.offset += base;
        joined.blocks.push_back(summary);
      }
    }
    rows.clear();
    field_sets.assign(1, {});
    sources.clear();
    row_bytes = 0;
  };
  for (const SegmentPtr& part : parts) {
    for (const auto& block : part->blocks) {
      if (block->damaged.load()) continue;
      bool rewrite = block->summary.rows < limits_.events_max / 2 && block->summary.message_bytes < limits_.bytes_max / 2;
      TRY(const std::shared_ptr<const Directory> directory, block->directory());
      for (const LogStreamId stream : directory->streams) rewrite = rewrite || hidden.streams.contains(stream);
      if (!rewrite) {
        TRY(const std::string copy, block->read({0, block->summary.size, 0, 0}, 0, block->summary.size));
        BlockSummary summary = block->summary;
        summary.offset = bytes.size();
        bytes.append(copy);
        joined.blocks.push_back(summary);
        continue;
      }
      TRY(BlockRows source, read_all_rows(block, hidden));
      const auto first_set = static_cast<std::uint32_t>(field_sets.size());
      field_sets.insert(field_sets.end(), source.field_sets.begin(), source.field_sets.end());
      for (RowIn& row : source.rows) {
        if (row.field_set != 0) row.field_set += first_set;
        row_bytes += row.message.size();
        rows.push_back(row);
      }
      sources.push_back(std::move(source));
      if (rows.size() >= limits_.events_max || row_bytes >= limits_.bytes_max) flush_rows();
    }
  }
  flush_rows();
  joined.bytes = std::make_shared<const std::string>(std::move(bytes));
  return joined;
}

// Reads and writes beside sealing; only the change of the manifest excludes it.
Result<bool> LogGroup::merge() {
  const std::lock_guard merging(merging_);
  std::vector<SegmentPtr> segments;
  std::shared_ptr<const Hidden> hidden;
  {
    const std::lock_guard lock(lock_);
    if (state_.dropped) return false;
    segments = state_.segments;
    hidden = state_.hidden;
  }
  // Segments of one day and one size class (by full blocks: below 1, 8, 64), eight at a time.
  std::map<std::pair<std::int64_t, int>, std::vector<SegmentPtr>> classes;
  for (const SegmentPtr& segment : segments) {
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;
    bool damaged = false;
    for (const auto& block : segment->blocks) {
      rows += block->summary.rows;
      bytes += block->summary.message_bytes;
      damaged = damaged || block->damaged.load();
    }
    if (damaged) continue;  // stays as it is, for whoever wants to look at it
    const std::uint64_t blocks = std::max(rows / limits_.events_max, bytes / limits_.bytes_max);
    if (blocks * 2 >= kSegmentBlocksMax) continue;
    // Tiny ones in steps of eight as well, so that an event is rewritten a few times only.
    int level = blocks >= 8 ? 100 : blocks >= 1 ? 99 : 0;
    if (blocks == 0)
      for (std::uint64_t n = rows; n >= 8; n /= 8) ++level;
    classes[{segment->day, level}].push_back(segment);
  }
  for (auto& [key, parts] : classes) {
    if (parts.size() < kMergeSegmentsMin) continue;
    std::size_t taken = 0;
    for (std::uint64_t bytes = 0; taken < kMergeSegmentsMin && bytes + parts[taken]->size <= kMergeBytesMax; ++taken)
      bytes += parts[taken]->size;
    if (taken < 2) continue;
    parts.resize(taken);
    Result<EncodedDay> joined = join(parts, *hidden);
    if (!joined.ok()) {
      if (joined.error().kind() != ErrorKind::kCorrupt) return std::move(joined).error();
      // Find out which part it is, so that the next round leaves it alone.
      for (const SegmentPtr& part : parts)
        for (const auto& block : part->blocks)
          if (const Status status = verify_block(block); !status.ok() && !block->damaged.exchange(true)) {
            ++counters_.damaged_blocks;
            counters_.events_lost += block->summary.rows;
          }
      return true;
    }
    sync_point("joined");
    std::vector<std::uint64_t> replaces;
    std::set<std::uint64_t> gone;
    for (const SegmentPtr& part : parts) {
      replaces.push_back(part->id);
      gone.insert(part->id);
    }
    std::vector<SegmentPtr> made;
    if (!joined->blocks.empty()) {
      TRY(SegmentPtr segment, store_day(*joined, applied(), std::move(replaces)));
      made.push_back(std::move(segment));
    }
    TRY(const bool is_swapped, swap_segments(gone, made));
    if (!is_swapped) {
      for (const SegmentPtr& segment : made)
        if (segment->file != nullptr) segment->file->doom();
      made.clear();
      std::error_code error;
      if (!folder_.empty()) std::filesystem::remove(folder_, error);  // goes only when it is empty
      return true;
    }
    for (const SegmentPtr& part : parts)
      if (part->file != nullptr) part->file->doom();
    sync_point("merged");
    ++counters_.merges;
    return true;
  }
  return false;
}

// False: some of them have gone meanwhile.
Result<bool> LogGroup::swap_segments(const std::set<std::uint64_t>& gone, const std::vector<SegmentPtr>& made) {
  const std::lock_guard maintenance(maintenance_);
  State next;
  {
    const std::lock_guard lock(lock_);
    if (state_.dropped) return false;
    next.next_sequence = state_.next_sequence;
    next.next_segment = state_.next_segment;
    next.hidden = state_.hidden;
    next.streams = state_.streams;
    next.applied = state_.applied;
    for (const SegmentPtr& segment : state_.segments)
      if (!gone.contains(segment->id)) next.segments.push_back(segment);
    if (next.segments.size() + gone.size() != state_.segments.size()) return false;
    next.segments.insert(next.segments.end(), made.begin(), made.end());
  }
  TRYV(write_manifest_locked(next));
  const std::lock_guard lock(lock_);
  state_.segments = std::move(next.segments);
  return true;
}

Status LogGroup::drop_expired_files() {
  const std::lock_guard maintenance(maintenance_);
  std::vector<SegmentPtr> gone;
  State next;
  {
    const std::lock_guard lock(lock_);
    if (state_.dropped) return Ok{};
    for (const SegmentPtr& segment : state_.segments) {
      const bool expired = std::all_of(segment->blocks.begin(), segment->blocks.end(), [&](const auto& block) {
        return state_.hidden->expired(block->summary.timestamp_max, block->summary.sequence_max);
      });
      (expired ? gone : next.segments).push_back(segment);
    }
    if (gone.empty()) return Ok{};
    next.next_sequence = state_.next_sequence;
    next.next_segment = state_.next_segment;
    next.hidden = state_.hidden;
    next.streams = state_.streams;
    next.applied = state_.applied;
  }
  TRYV(write_manifest_locked(next));
  {
    const std::lock_guard lock(lock_);
    state_.segments = std::move(next.segments);
  }
  for (const SegmentPtr& segment : gone)
    if (segment->file != nullptr) segment->file->doom();
  return Ok{};
}

}  // namespace fog::segments
