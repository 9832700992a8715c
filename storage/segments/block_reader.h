// BlockReader: the LogBlock of the segment engine, over bytes in a file or in memory.
//
// A BlockReader is made for one query and decodes what it is asked, or finds it in a PieceCache.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "storage/log_store.h"
#include "storage/segments/block_format.h"
#include "storage/segments/piece_cache.h"
#include "storage/segments/stored_block.h"

namespace fog::segments {

// Which events of a group a reader may see.
struct Hidden {
  std::unordered_set<LogStreamId> streams;  // dropped
  struct Floor {
    std::int64_t before_ms = 0;       // events older than this ...
    LogSequence sequence_below = 0;   // ... that were stored before this one are expired
    bool operator==(const Floor&) const = default;
  };
  std::vector<Floor> floors;

  bool expired(std::int64_t timestamp, LogSequence sequence) const {
    for (const Floor& floor : floors)
      if (timestamp < floor.before_ms && sequence < floor.sequence_below) return true;
    return false;
  }
};

struct ReadScope {
  LogGroupId group = 0;
  std::int64_t from_ms = INT64_MIN;
  std::int64_t to_ms = INT64_MAX;
  std::shared_ptr<const std::unordered_set<LogStreamId>> streams;  // null: all
  std::shared_ptr<const Hidden> hidden;
  std::shared_ptr<PieceCache> cache;  // null: none
};

// `on_damage` is told of each block that turns out to be damaged, with the number of its events.
using OnDamage = std::function<void(const StoredBlock&)>;
std::unique_ptr<LogBlock> make_block_reader(std::shared_ptr<const StoredBlock> block, ReadScope scope,
                                            OnDamage on_damage);

// What a query does with a block: look into it, or leave it, because nothing in it can satisfy the conditions
// or all its events are of streams that the scope leaves out.
enum class BlockChoice : std::uint8_t { kLook, kNothing, kOtherStreams };
using LogConditions = std::vector<std::vector<LogPredicate>>;  // a conjunction of disjunctions
// For each block (made by make_block_reader).
std::vector<BlockChoice> choose_blocks(std::span<const std::unique_ptr<LogBlock>> blocks, const LogConditions& where);

// All rows of a block, messages rebuilt into `arena` (for merging). Hidden rows are left out.
struct BlockRows {
  std::vector<RowIn> rows;  // messages are views into `bytes`
  std::vector<FieldSet> field_sets;
  std::string bytes;
};
Result<BlockRows> read_all_rows(const std::shared_ptr<const StoredBlock>& block, const Hidden& hidden);

// Decodes everything and compares it with the summary; an Error says what is wrong.
Status verify_block(const std::shared_ptr<const StoredBlock>& block);

}  // namespace fog::segments
