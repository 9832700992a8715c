#include "storage/segments/log_group.h"

#include "storage/base/log.h"
#include "storage/segments/limits.h"

#include <algorithm>
#include <map>
#include <system_error>

namespace fog::segments {

namespace {

bool same_floors(const Hidden& hidden, std::int64_t before, LogSequence below) {
  for (const Hidden::Floor& floor : hidden.floors)
    if (floor.before_ms >= before && floor.sequence_below >= below) return true;
  return false;
}

}  // namespace

LogGroup::LogGroup(LogGroupId id, std::filesystem::path folder, BlockLimits limits, StoreCounters& counters)
    : id_(id), folder_(std::move(folder)), limits_(limits), counters_(counters) {
  state_.head = std::make_shared<Head>();
}

LogGroup::~LogGroup() {
  counters_.active_bytes -= state_.head->bytes();
  for (const auto& head : state_.frozen) counters_.frozen_bytes -= head->bytes();
}

bool LogGroup::admit(std::string_view field) {
  {
    const auto names = names_.lock_shared();
    if (names->contains(field)) return true;
    if (names->size() >= kFieldsPerGroupMax) return false;
  }
  const auto names = names_.lock();
  if (names->size() >= kFieldsPerGroupMax) return names->contains(field);
  names->emplace(field);
  return true;
}

// ---- opening -------------------------------------------------------------------------------------------

Status LogGroup::open() {
  if (folder_.empty()) return Ok{};
  Result<Manifest> manifest = read_manifest(folder_);
  if (manifest.ok() && manifest->group == id_) {
    TRYV(adopt(*manifest));
  } else {
    if (!manifest.ok() && manifest.error().kind() != ErrorKind::kCorrupt) return std::move(manifest).error();
    ++counters_.damaged_files;
    LOG_ERROR("log group {}: the manifest is damaged; using the segments that are there", id_);
    TRYV(rebuild_without_manifest());
  }
  // What the manifest does not name is left over from a crash.
  std::set<std::uint64_t> known;
  for (const SegmentPtr& segment : state_.segments) known.insert(segment->id);
  std::error_code error;
  std::vector<std::filesystem::path> leftovers;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    const std::string name = entry.path().filename().string();
    const std::uint64_t id = segment_id(name);
    if (name.ends_with(".tmp") || (id != 0 && !known.contains(id))) leftovers.push_back(entry.path());
  }
  for (const auto& path : leftovers) std::filesystem::remove(path, error);
  return Ok{};
}

SegmentPtr LogGroup::make_segment(std::uint64_t id, std::int64_t day, std::uint64_t size,
                                  std::vector<BlockSummary> blocks, std::shared_ptr<const std::string> bytes) {
  auto segment = std::make_shared<Segment>();
  segment->id = id;
  segment->day = day;
  segment->size = size;
  std::shared_ptr<const ByteSource> source;
  if (bytes != nullptr) {
    source = std::make_shared<const MemorySource>(std::move(bytes));
  } else {
    segment->file = std::make_shared<SegmentFile>(folder_ / segment_name(id));
    source = segment->file;
  }
  for (const BlockSummary& summary : blocks) segment->blocks.push_back(std::make_shared<const StoredBlock>(summary, source));
  return segment;
}

Status LogGroup::adopt(const Manifest& manifest) {
  state_.applied = manifest.applied;
  state_.next_sequence = manifest.next_sequence;
  state_.next_segment = manifest.next_segment;
  state_.streams = manifest.streams;
  auto hidden = std::make_shared<Hidden>();
  hidden->streams.insert(manifest.dropped_streams.begin(), manifest.dropped_streams.end());
  hidden->floors = manifest.floors;
  state_.hidden = std::move(hidden);
  names_.lock()->insert(manifest.field_names.begin(), manifest.field_names.end());
  for (const ManifestSegment& entry : manifest.segments) {
    std::error_code error;
    const std::uint64_t size = std::filesystem::file_size(folder_ / segment_name(entry.id), error);
    if (error) {
      ++counters_.damaged_files;
      for (const BlockSummary& block : entry.blocks) counters_.events_lost += block.rows;
      LOG_ERROR("log group {}: segment {} is missing", id_, segment_name(entry.id));
      continue;
    }
    if (size != entry.size) {
      ++counters_.damaged_files;
      LOG_ERROR("log group {}: segment {} has {} bytes instead of {}", id_, segment_name(entry.id), size, entry.size);
    }
    state_.segments.push_back(make_segment(entry.id, entry.day, entry.size, entry.blocks, nullptr));
  }
  return Ok{};
}

Status LogGroup::rebuild_without_manifest() {
  std::error_code error;
  std::map<std::uint64_t, SegmentFooter> footers;
  std::uint64_t highest = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    const std::uint64_t id = segment_id(entry.path().filename().string());
    if (id == 0) continue;
    highest = std::max(highest, id);
    Result<SegmentFooter> footer = read_segment_footer(entry.path());
    if (footer.ok() && footer->group == id_) {
      footers.emplace(id, *std::move(footer));
    } else {
      ++counters_.damaged_files;
      LOG_ERROR("log group {}: segment {} is damaged", id_, entry.path().filename().string());
    }
  }
  std::set<std::uint64_t> replaced;
  for (const auto& entry : footers) replaced.insert(entry.second.replaces.begin(), entry.second.replaces.end());
  state_.next_segment = highest + 1;
  for (auto& [id, footer] : footers) {
    if (replaced.contains(id)) continue;
    state_.applied = std::max(state_.applied, footer.lsn);
    const std::uint64_t size = std::filesystem::file_size(folder_ / segment_name(id), error);
    for (const BlockSummary& block : footer.blocks)
      state_.next_sequence = std::max(state_.next_sequence, block.sequence_max + 1);
    state_.segments.push_back(make_segment(id, footer.day, size, footer.blocks, nullptr));
  }
  // Deletions are written in manifests alone; the one before knows all but the last of them.
  if (const Result<Manifest> previous = read_manifest(folder_, kPreviousManifestName); previous.ok() && previous->group == id_) {
    auto hidden = std::make_shared<Hidden>();
    hidden->streams.insert(previous->dropped_streams.begin(), previous->dropped_streams.end());
    hidden->floors = previous->floors;
    state_.hidden = std::move(hidden);
    state_.next_sequence = std::max(state_.next_sequence, previous->next_sequence);
    state_.next_segment = std::max(state_.next_segment, previous->next_segment);
    names_.lock()->insert(previous->field_names.begin(), previous->field_names.end());
  }
  // Totals of the streams and names of the fields, from the blocks themselves.
  for (const SegmentPtr& segment : state_.segments) {
    for (const auto& block : segment->blocks) {
      const Result<BlockRows> rows = read_all_rows(block, *state_.hidden);
      if (!rows.ok()) continue;
      for (const RowIn& row : rows->rows)
        state_.streams[row.stream].add({1, row.timestamp, row.timestamp, row.ingestion});
      if (const auto directory = block->directory(); directory.ok())
        for (const ColumnEntry& column : (*directory)->columns)
          if (column.name.kind != HoleKind::kHidden) admit(column.name.name);
    }
  }
  return write_manifest_locked(state_, false);
}

// ---- writing ---------------------------------------------------------------------------------------------

void LogGroup::insert_locked(const LogBatch& batch, LogSequence first, Lsn lsn, std::uint64_t wal_bytes) {
  const std::uint64_t before = state_.head->bytes();
  state_.head->append(batch, first, lsn, wal_bytes);
  counters_.active_bytes += state_.head->bytes() - before;
  if (state_.head->events() >= limits_.events_max || state_.head->bytes() >= limits_.bytes_max) freeze_locked();
}

Result<LogStore::Appended> LogGroup::append(const LogBatch& batch, const std::function<Lsn(LogSequence)>& log,
                                            std::uint64_t wal_bytes) {
  const std::lock_guard lock(lock_);
  if (state_.dropped) return Error::not_found("the log group was deleted");
  if (state_.hidden->streams.contains(batch.stream)) return Error::not_found("the log stream was deleted");
  LogStore::Appended appended;
  appended.first_sequence = state_.next_sequence;
  appended.lsn = log(appended.first_sequence);
  state_.next_sequence += batch.events.size();
  insert_locked(batch, appended.first_sequence, appended.lsn, wal_bytes);
  return appended;
}

void LogGroup::replay(const LogBatch& batch, LogSequence first, Lsn lsn, std::uint64_t wal_bytes) {
  const std::lock_guard lock(lock_);
  if (lsn <= state_.applied || state_.hidden->streams.contains(batch.stream)) return;
  state_.next_sequence = std::max(state_.next_sequence, first + batch.events.size());
  insert_locked(batch, first, lsn, wal_bytes);
}

bool LogGroup::head_is_full() const {
  const std::lock_guard lock(lock_);
  return !state_.frozen.empty();
}

void LogGroup::freeze_locked() {
  if (state_.head->events() == 0) return;
  const std::uint64_t cost = state_.head->bytes();
  counters_.active_bytes -= cost;
  counters_.frozen_bytes += cost;
  state_.frozen.push_back(std::move(state_.head));
  state_.head = std::make_shared<Head>();
}

void LogGroup::changed_locked(Lsn lsn) {
  if (state_.newest_change <= state_.applied) state_.oldest_change = lsn;
  state_.newest_change = lsn;
}

void LogGroup::freeze() {
  const std::lock_guard lock(lock_);
  freeze_locked();
}

void LogGroup::drop_stream(LogStreamId stream, const std::function<Lsn()>& log) {
  const std::lock_guard lock(lock_);
  if (state_.dropped) return;
  const Lsn lsn = log();
  changed_locked(lsn);
  auto hidden = std::make_shared<Hidden>(*state_.hidden);
  hidden->streams.insert(stream);
  state_.hidden = std::move(hidden);
  state_.streams.erase(stream);
}

void LogGroup::hide_before(std::int64_t before_ms, const std::function<Lsn(LogSequence)>& log) {
  const std::lock_guard lock(lock_);
  const LogSequence below = state_.next_sequence;
  if (state_.dropped) return;
  // Nothing that old is visible: no need to remember it.
  bool older = false;
  for (const SegmentPtr& segment : state_.segments)
    for (const auto& block : segment->blocks)
      older = older || (block->summary.timestamp_min < before_ms &&
                        !state_.hidden->expired(block->summary.timestamp_max, block->summary.sequence_max));
  const auto look = [&](const Head& head) {
    for (const auto& entry : head.streams()) older = older || entry.second.first_timestamp < before_ms;
  };
  for (const auto& head : state_.frozen) look(*head);
  look(*state_.head);
  if (!older || same_floors(*state_.hidden, before_ms, below)) return;
  hide_locked(before_ms, below, log(below));
}

void LogGroup::replay_hide_before(std::int64_t before_ms, LogSequence below, Lsn lsn) {
  const std::lock_guard lock(lock_);
  if (!same_floors(*state_.hidden, before_ms, below)) hide_locked(before_ms, below, lsn);
}

void LogGroup::hide_locked(std::int64_t before_ms, LogSequence below, Lsn lsn) {
  changed_locked(lsn);
  auto hidden = std::make_shared<Hidden>(*state_.hidden);
  std::erase_if(hidden->floors, [&](const Hidden::Floor& floor) {
    return floor.before_ms <= before_ms && floor.sequence_below <= below;
  });
  hidden->floors.push_back({before_ms, below});
  state_.hidden = std::move(hidden);
}

void LogGroup::drop() {
  const std::lock_guard maintenance(maintenance_);
  State old;
  {
    const std::lock_guard lock(lock_);
    counters_.active_bytes -= state_.head->bytes();
    for (const auto& head : state_.frozen) counters_.frozen_bytes -= head->bytes();
    old = std::move(state_);
    state_ = State{};
    state_.dropped = true;
    state_.head = std::make_shared<Head>();
  }
  if (folder_.empty()) return;
  // Without its manifest the folder is nothing; files go with their last reader.
  std::error_code error;
  if (std::filesystem::remove(folder_ / "MANIFEST", error))
    if (const Status synced = sync_folder(folder_); !synced.ok()) LOG_WARN("{}", synced.error().message());
  for (const SegmentPtr& segment : old.segments) segment->file->doom();
  old = State{};
  std::filesystem::remove(folder_, error);  // unless a reader still holds files
}

}  // namespace fog::segments
