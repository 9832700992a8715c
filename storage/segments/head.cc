#include "storage/segments/head.h"

#include <cstring>

namespace fog::segments {

namespace {
constexpr std::size_t kChunkBytes = 1u << 20;
// A piece this long is left alone; shorter ones are joined once there are so many of them.
constexpr std::size_t kPieceRowsMin = 4096;
constexpr std::size_t kShortPiecesMax = 4;
}  // namespace

std::int64_t day_of(std::int64_t timestamp_ms) {
  constexpr std::int64_t kDay = 86400000;
  return timestamp_ms >= 0 ? timestamp_ms / kDay : -((-(timestamp_ms + 1)) / kDay) - 1;
}

std::vector<EncodedDay> encode_days(std::vector<RowIn> rows, const std::vector<FieldSet>& field_sets,
                                    const BlockLimits& limits, const Shaper::Admit& admit, BlockUse use) {
  sort_rows(rows);
  std::vector<EncodedDay> days;
  std::string bytes;
  for (std::size_t at = 0; at < rows.size();) {
    EncodedDay day;
    day.day = day_of(rows[at].timestamp);
    bytes.clear();
    while (at < rows.size() && day_of(rows[at].timestamp) == day.day) {
      BlockInput input;
      input.field_sets = field_sets;
      std::size_t size = 0;
      while (at < rows.size() && input.rows.size() < limits.events_max && size < limits.bytes_max &&
             day_of(rows[at].timestamp) == day.day) {
        size += rows[at].message.size();
        input.rows.push_back(rows[at++]);
      }
      day.blocks.push_back(write_block(input, admit, bytes, use));
    }
    day.bytes = std::make_shared<const std::string>(bytes);
    days.push_back(std::move(day));
  }
  return days;
}

std::vector<BlockPtr> blocks_in_memory(const std::vector<EncodedDay>& days) {
  std::vector<BlockPtr> blocks;
  for (const EncodedDay& day : days) {
    const auto source = std::make_shared<const MemorySource>(day.bytes);
    for (const BlockSummary& summary : day.blocks) blocks.push_back(std::make_shared<const StoredBlock>(summary, source));
  }
  return blocks;
}

std::string_view Head::keep(std::string_view message) {
  if (message.empty()) return {};
  if (message.size() > chunk_left_) {
    // A large message gets a chunk of its own size.
    const std::size_t size = std::max(message.size(), chunks_.empty() ? std::size_t{64 * 1024} : kChunkBytes);
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(size));
    chunk_at_ = chunks_.back().get();
    chunk_left_ = size;
    bytes_ += size;
  }
  std::memcpy(chunk_at_, message.data(), message.size());
  const std::string_view kept(chunk_at_, message.size());
  chunk_at_ += message.size();
  chunk_left_ -= message.size();
  return kept;
}

void Head::append(const LogBatch& batch, LogSequence first_sequence, Lsn lsn, std::uint64_t wal_bytes) {
  if (batch.events.empty()) return;
  if (rows_.empty()) {
    first_lsn_ = lsn;
    wal_bytes_ = wal_bytes;
  }
  last_lsn_ = lsn;
  std::uint32_t field_set = 0;
  if (!batch.fields.empty()) {
    // Batches of one entity follow each other; looking at the last few is enough.
    const std::size_t from = field_sets_.size() > 8 ? field_sets_.size() - 8 : 1;
    for (std::size_t i = field_sets_.size(); i-- > from;)
      if (field_sets_[i] == batch.fields) field_set = static_cast<std::uint32_t>(i);
    if (field_set == 0) {
      field_set = static_cast<std::uint32_t>(field_sets_.size());
      field_sets_.push_back(batch.fields);
    }
  }
  StreamTotals& totals = streams_[batch.stream];
  totals.events += batch.events.size();
  totals.last_ingestion = std::max(totals.last_ingestion, batch.ingestion_ms);
  LogSequence sequence = first_sequence;
  for (const LogEventIn& event : batch.events) {
    totals.first_timestamp = std::min(totals.first_timestamp, event.timestamp_ms);
    totals.last_timestamp = std::max(totals.last_timestamp, event.timestamp_ms);
    rows_.push_back({event.timestamp_ms, sequence++, batch.ingestion_ms, batch.stream, field_set, keep(event.message)});
  }
  bytes_ += batch.events.size() * sizeof(RowIn);
}

std::vector<BlockPtr> Head::blocks(std::mutex& group_lock, const Shaper::Admit& admit) {
  if (is_encoded_.load(std::memory_order_acquire)) return encoded_blocks_;
  // One at a time encodes; the others then find it done.
  const std::lock_guard cooking(cooking_);
  const std::size_t done = pieces_.empty() ? 0 : pieces_.back().end;
  std::size_t joined = 0;
  for (auto piece = pieces_.rbegin(); piece != pieces_.rend() && piece->end - piece->first < kPieceRowsMin; ++piece) ++joined;
  if (joined < kShortPiecesMax) joined = 0;
  const std::size_t first = joined == 0 ? done : pieces_[pieces_.size() - joined].first;
  std::vector<RowIn> rows;
  std::vector<FieldSet> field_sets;
  std::size_t end = 0;
  {
    const std::lock_guard lock(group_lock);
    end = rows_.size();
    if (end > done) {
      rows.assign(rows_.begin() + static_cast<std::ptrdiff_t>(first), rows_.end());
      field_sets = field_sets_;
    }
  }
  if (end > done) {
    pieces_.resize(pieces_.size() - joined);
    pieces_.push_back({first, end, blocks_in_memory(encode_days(std::move(rows), field_sets, {}, admit, BlockUse::kMemory))});
  }
  std::vector<BlockPtr> result;
  for (const Piece& piece : pieces_) result.insert(result.end(), piece.blocks.begin(), piece.blocks.end());
  return result;
}

const std::vector<EncodedDay>& Head::encoded(const Hidden& hidden, const BlockLimits& limits,
                                             const Shaper::Admit& admit) {
  const std::lock_guard lock(sealing_);
  if (is_encoded_.load(std::memory_order_relaxed)) return encoded_;
  std::vector<RowIn> rows;
  rows.reserve(rows_.size());
  for (const RowIn& row : rows_)
    if (!hidden.streams.contains(row.stream) && !hidden.expired(row.timestamp, row.sequence)) rows.push_back(row);
  encoded_ = encode_days(std::move(rows), field_sets_, limits, admit);
  encoded_blocks_ = blocks_in_memory(encoded_);
  is_encoded_.store(true, std::memory_order_release);
  return encoded_;
}

}  // namespace fog::segments
