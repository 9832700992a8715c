// Head: the newest events of one log group, in memory until they are sealed.
//
// Appending happens under the group's lock; message bytes live in an arena that never moves, so a
// reader copies the row entries under the lock and works on them without it. Queries see a head as
// blocks like any other: full stretches are encoded once and kept, the short rest is encoded for the
// query that asks. A frozen head takes no more events and is encoded whole, once, by whoever needs it
// first, query or sealer.
#pragma once

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
// Sorts the rows and cuts them into days and blocks.
std::vector<EncodedDay> encode_days(std::vector<RowIn> rows, const std::vector<FieldSet>& field_sets,
                                    const BlockLimits& limits, const Shaper::Admit& admit);
std::vector<std::shared_ptr<const StoredBlock>> blocks_in_memory(const std::vector<EncodedDay>& days);

class Head {
 public:
  // Under the group's lock.
  void append(const LogBatch& batch, LogSequence first_sequence, Lsn lsn);

  std::size_t events() const { return rows_.size(); }
  std::size_t bytes() const { return bytes_; }
  Lsn last_lsn() const { return last_lsn_; }
  const std::vector<RowIn>& rows() const { return rows_; }
  const std::unordered_map<LogStreamId, StreamTotals>& streams() const { return streams_; }

  // The head as blocks. `lock` is the group's, held by the caller; it is released while encoding and
  // held again at the end. Events that come meanwhile may be missing.
  static std::vector<std::shared_ptr<const StoredBlock>> cook(const std::shared_ptr<Head>& head,
                                                              std::unique_lock<std::mutex>& lock,
                                                              const Shaper::Admit& admit);

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
  Lsn last_lsn_ = 0;
  std::unordered_map<LogStreamId, StreamTotals> streams_;

  std::size_t cooked_ = 0;  // rows [0, cooked_) are in blocks_
  std::vector<std::shared_ptr<const StoredBlock>> blocks_;
  std::size_t rest_end_ = 0;  // rows [cooked_, rest_end_) are in rest_, when rest_end_ > cooked_
  std::vector<std::shared_ptr<const StoredBlock>> rest_;
  std::mutex cooking_;

  std::mutex sealing_;
  bool is_encoded_ = false;
  std::vector<EncodedDay> encoded_;
};

}  // namespace fog::segments
