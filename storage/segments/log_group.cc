#include "storage/segments/log_group.h"

#include "storage/base/log.h"
#include "storage/segments/limits.h"
#include "storage/segments/sync_point.h"

#include <system_error>

namespace fog::segments {

namespace {

// Rows times the size of an entry, plus arenas: what a head costs.
std::uint64_t head_cost(const Head& head) { return head.bytes(); }

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
  counters_.active_bytes -= head_cost(*state_.head);
  for (const auto& head : state_.frozen) counters_.frozen_bytes -= head_cost(*head);
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
  // Totals of the streams and names of the fields, from the blocks themselves.
  const Hidden nothing;
  for (const SegmentPtr& segment : state_.segments) {
    for (const auto& block : segment->blocks) {
      const Result<BlockRows> rows = read_all_rows(block, nothing);
      if (!rows.ok()) continue;
      for (const RowIn& row : rows->rows)
        state_.streams[row.stream].add({1, row.timestamp, row.timestamp, row.ingestion});
      if (const auto directory = block->directory(); directory.ok())
        for (const ColumnEntry& column : (*directory)->columns)
          if (column.name.kind != HoleKind::kHidden) admit(column.name.name);
    }
  }
  return write_manifest_locked(state_);
}

// ---- writing ---------------------------------------------------------------------------------------------

void LogGroup::touch(Lsn lsn, std::uint64_t wal_bytes) {
  if (state_.oldest_unapplied) return;
  state_.oldest_unapplied = lsn;
  state_.oldest_wal_bytes = wal_bytes;
}

Result<LogStore::Appended> LogGroup::append(const LogBatch& batch, const std::function<Lsn(LogSequence)>& log,
                                            std::uint64_t wal_bytes) {
  const std::lock_guard lock(lock_);
  if (state_.dropped) return Error::not_found("the log group was deleted");
  if (state_.hidden->streams.contains(batch.stream)) return Error::not_found("the log stream was deleted");
  LogStore::Appended appended;
  appended.first_sequence = state_.next_sequence;
  appended.lsn = log(appended.first_sequence);
  touch(appended.lsn, wal_bytes);
  state_.next_sequence += batch.events.size();
  const std::uint64_t before = head_cost(*state_.head);
  state_.head->append(batch, appended.first_sequence, appended.lsn);
  counters_.active_bytes += head_cost(*state_.head) - before;
  if (state_.head->events() >= limits_.events_max || state_.head->bytes() >= limits_.bytes_max) freeze_locked();
  return appended;
}

void LogGroup::replay(const LogBatch& batch, LogSequence first, Lsn lsn) {
  const std::lock_guard lock(lock_);
  if (lsn <= state_.applied || state_.hidden->streams.contains(batch.stream)) return;
  touch(lsn, 0);
  state_.next_sequence = std::max(state_.next_sequence, first + batch.events.size());
  const std::uint64_t before = head_cost(*state_.head);
  state_.head->append(batch, first, lsn);
  counters_.active_bytes += head_cost(*state_.head) - before;
  if (state_.head->events() >= limits_.events_max || state_.head->bytes() >= limits_.bytes_max) freeze_locked();
}

bool LogGroup::head_is_full() const {
  const std::lock_guard lock(lock_);
  return !state_.frozen.empty();
}

void LogGroup::freeze_locked() {
  if (state_.head->events() == 0) return;
  const std::uint64_t cost = head_cost(*state_.head);
  counters_.active_bytes -= cost;
  counters_.frozen_bytes += cost;
  state_.frozen.push_back(std::move(state_.head));
  state_.head = std::make_shared<Head>();
}

void LogGroup::freeze() {
  const std::lock_guard lock(lock_);
  freeze_locked();
}

void LogGroup::drop_stream(LogStreamId stream, const std::function<Lsn()>& log) {
  const std::lock_guard lock(lock_);
  if (state_.dropped) return;
  const Lsn lsn = log();
  touch(lsn, UINT64_MAX);
  state_.newest_change = lsn;
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
  touch(lsn, UINT64_MAX);
  state_.newest_change = lsn;
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
    counters_.active_bytes -= head_cost(*state_.head);
    for (const auto& head : state_.frozen) counters_.frozen_bytes -= head_cost(*head);
    old = std::move(state_);
    state_ = State{};
    state_.dropped = true;
    state_.head = std::make_shared<Head>();
  }
  if (folder_.empty()) return;
  // Without its manifest the folder is nothing; files go with their last reader.
  std::error_code error;
  std::filesystem::remove(folder_ / "MANIFEST", error);
  for (const SegmentPtr& segment : old.segments) segment->file->doom();
  old = State{};
  std::filesystem::remove(folder_, error);  // unless a reader still holds files
}

// ---- reading -----------------------------------------------------------------------------------------------

std::shared_ptr<const Hidden> LogGroup::hidden() const {
  const std::lock_guard lock(lock_);
  return state_.hidden;
}

std::vector<std::shared_ptr<const StoredBlock>> LogGroup::blocks(const ReadScope& scope) {
  std::vector<std::shared_ptr<const StoredBlock>> result;
  const auto overlaps = [&](std::int64_t min, std::int64_t max) { return max >= scope.from_ms && min <= scope.to_ms; };
  const auto add = [&](const std::vector<std::shared_ptr<const StoredBlock>>& blocks) {
    for (const auto& block : blocks)
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
  std::vector<SegmentPtr> segments;
  std::vector<std::shared_ptr<Head>> frozen;
  std::shared_ptr<const Hidden> hidden;
  std::vector<std::shared_ptr<const StoredBlock>> cooked;
  const Shaper::Admit admit = admitter();
  {
    std::unique_lock lock(lock_);
    const std::shared_ptr<Head> head = state_.head;
    if (wanted(*head)) cooked = Head::cook(head, lock, admit);
    // While cooking, the head may have been frozen and even sealed: what was cooked is then there twice.
    if (head != state_.head) cooked.clear();
    if (head != state_.head && wanted(*state_.head)) {
      const std::shared_ptr<Head> newer = state_.head;
      cooked = Head::cook(newer, lock, admit);
      if (newer != state_.head) cooked = {};
    }
    segments = state_.segments;
    frozen.assign(state_.frozen.begin(), state_.frozen.end());
    hidden = state_.hidden;
  }
  for (const SegmentPtr& segment : segments) add(segment->blocks);
  for (const auto& head : frozen)
    if (wanted(*head)) add(blocks_in_memory(head->encoded(*hidden, limits_, admit)));
  add(cooked);
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
    sizes.head_bytes += head_cost(head);
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

std::optional<Lsn> LogGroup::oldest_unapplied() const {
  const std::lock_guard lock(lock_);
  return state_.oldest_unapplied;
}
std::uint64_t LogGroup::oldest_wal_bytes() const {
  const std::lock_guard lock(lock_);
  return state_.oldest_wal_bytes;
}
Lsn LogGroup::applied() const {
  const std::lock_guard lock(lock_);
  return state_.applied;
}

// ---- what is on disk -----------------------------------------------------------------------------------------

Status LogGroup::write_manifest_locked(const State& next) {
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
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  return write_manifest(folder_, manifest);
}

Result<SegmentPtr> LogGroup::store_day(const EncodedDay& day, Lsn lsn, std::vector<std::uint64_t> replaces) {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(lock_);
    id = state_.next_segment++;
  }
  if (folder_.empty()) return make_segment(id, day.day, day.bytes->size(), day.blocks, day.bytes);
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  SegmentFooter footer{id_, day.day, lsn, std::move(replaces), day.blocks};
  for (BlockSummary& block : footer.blocks) block.offset += kSegmentHeaderSize;
  TRY(const std::uint64_t size, write_segment(folder_ / segment_name(id), *day.bytes, footer));
  return make_segment(id, day.day, size, std::move(footer.blocks), nullptr);
}

void LogGroup::refresh_unapplied() {
  // Heads remember only their newest LSN; what is left began after what was applied.
  if (state_.frozen.empty() && state_.head->events() == 0 && state_.newest_change <= state_.applied) {
    state_.oldest_unapplied.reset();
  } else {
    state_.oldest_unapplied = state_.applied + 1;
  }
}

Status LogGroup::seal() {
  const std::lock_guard maintenance(maintenance_);
  for (;;) {
    std::shared_ptr<Head> head;
    std::shared_ptr<const Hidden> hidden;
    std::uint64_t wal_bytes_at_newer = 0;
    {
      const std::lock_guard lock(lock_);
      if (state_.dropped) return Ok{};
      if (!state_.frozen.empty()) head = state_.frozen.front();
      hidden = state_.hidden;
      if (head == nullptr && state_.newest_change <= state_.applied) return Ok{};
      wal_bytes_at_newer = state_.oldest_wal_bytes;
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
      counters_.frozen_bytes -= head_cost(*head);
      state_.frozen.pop_front();
      ++counters_.seals;
    }
    state_.oldest_wal_bytes = wal_bytes_at_newer;
    const bool only_operations = head == nullptr;
    refresh_unapplied();
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

Result<bool> LogGroup::merge() {
  const std::lock_guard maintenance(maintenance_);
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
    State next;
    {
      const std::lock_guard lock(lock_);
      next.next_sequence = state_.next_sequence;
      next.next_segment = state_.next_segment;
      next.hidden = state_.hidden;
      next.streams = state_.streams;
      next.applied = state_.applied;
      for (const SegmentPtr& segment : state_.segments)
        if (!gone.contains(segment->id)) next.segments.push_back(segment);
      next.segments.insert(next.segments.end(), made.begin(), made.end());
    }
    TRYV(write_manifest_locked(next));
    {
      const std::lock_guard lock(lock_);
      state_.segments = std::move(next.segments);
    }
    for (const SegmentPtr& part : parts)
      if (part->file != nullptr) part->file->doom();
    sync_point("merged");
    ++counters_.merges;
    return true;
  }
  return false;
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
