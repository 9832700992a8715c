// Head: the newest events of one log group, in memory until they are sealed.
//
// Appending happens under the group's lock; message bytes live in an arena that never moves, so a
// reader copies the row entries under the lock and works on them without it. Queries see a head as
// blocks like any other: the events since the last query are encoded for the one that asks, lightly
// (no compression, no filter), and the piece is kept; short pieces are joined now and then. A frozen
// head takes no more events; the sealer encodes it whole, and queries use that as soon as it is done
// and never wait for it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "storage/segments/block_reader.h"
#include "storage/segments/segment_file.h"

namespace fog::segments {

// The blocks of one UTC day, ready to become a segment.
struct EncodedDay {
  std::int64_t day = 0;
  std::shared_ptr<const std::string> bytes;
  std::vector<BlockSummary> blocks;  // offsets into `bytes`
};
struct BlockLimits {
  std::size_t events_max = 32768;
  std::size_t bytes_max = 16u << 20;
};
std::int64_t day_of(std::int64_t timestamp_ms);
using BlockPtr = std::shared_ptr<const StoredBlock>;
// Sorts the rows and cuts them into days and blocks.
std::vector<EncodedDay> encode_days(std::vector<RowIn> rows, const std::vector<FieldSet>& field_sets,
                                    const BlockLimits& limits, const Shaper::Admit& admit,
                                    BlockUse use = BlockUse::kStored);
std::vector<BlockPtr> blocks_in_memory(const std::vector<EncodedDay>& days);

class Head {
 public:
  // Under the group's lock.
  void append(const LogBatch& batch, LogSequence first_sequence, Lsn lsn, std::uint64_t wal_bytes);

  std::size_t events() const { return rows_.size(); }
  std::size_t bytes() const { return bytes_; }
  Lsn first_lsn() const { return first_lsn_; }
  Lsn last_lsn() const { return last_lsn_; }
  // Bytes of log records that were written, by all groups, when its first batch came.
  std::uint64_t wal_bytes() const { return wal_bytes_; }
  const std::vector<RowIn>& rows() const { return rows_; }
  const std::unordered_map<LogStreamId, StreamTotals>& streams() const { return streams_; }

  // The head as blocks, for queries; without the group's lock, which is `group_lock`. Holds all events
  // of the moment of the call and perhaps later ones.
  std::vector<BlockPtr> blocks(std::mutex& group_lock, const Shaper::Admit& admit);

  // Frozen heads only, without the group's lock: the whole head, encoded once.
  const std::vector<EncodedDay>& encoded(const Hidden& hidden, const BlockLimits& limits, const Shaper::Admit& admit);

 private:
  std::string_view keep(std::string_view message);

  std::vector<RowIn> rows_;
  std::vector<FieldSet> field_sets_{1};
  std::vector<std::unique_ptr<char[]>> chunks_;
  std::size_t chunk_left_ = 0;
  char* chunk_at_ = nullptr;
  std::size_t bytes_ = 0;
  Lsn first_lsn_ = 0;
  Lsn last_lsn_ = 0;
  std::uint64_t wal_bytes_ = 0;
  std::unordered_map<LogStreamId, StreamTotals> streams_;

  // What queries have encoded: rows [first, end) of each piece, one piece behind the other.
  struct Piece {
    std::size_t first = 0;
    std::size_t end = 0;
    std::vector<BlockPtr> blocks;
  };
  std::mutex cooking_;
  std::vector<Piece> pieces_;

  std::mutex sealing_;
  std::atomic<bool> is_encoded_{false};
  std::vector<EncodedDay> encoded_;       // constant once is_encoded_
  std::vector<BlockPtr> encoded_blocks_;  // the same
};

}  // namespace fog::segments
