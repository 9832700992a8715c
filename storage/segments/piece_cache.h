// PieceCache: pieces of blocks as queries use them, decompressed and checked once and shared by the
// queries that follow.
//
// A piece never changes, since blocks do not. What is kept is small for the rows it speaks of (codes,
// packed numbers, presence), so that the columns of a query over some million events fit. When the
// cache is full only every fourth newcomer gets in: a scan of more than fits would otherwise push out
// everything before it is met again. Pieces of blocks that are gone are never asked for and leave first.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "storage/base/guarded.h"

namespace fog::segments {

// The columns that a few different queries over 5 M events touch take about 50 MiB.
constexpr std::size_t kPieceBytesMax = 64u << 20;

enum class PieceKind : std::uint8_t {
  kSection,    // by offset in the block: std::string, the decompressed bytes
  kTemplates,  // TemplateRows
  kPresence,   // by column: RowSet
  kColumn,     // by column: PhysicalColumn
  kLook,       // by column: ColumnLook
};

struct PieceKey {
  std::uint64_t block = 0;  // StoredBlock::id
  PieceKind kind = PieceKind::kSection;
  std::uint64_t index = 0;
  bool operator==(const PieceKey&) const = default;
};

class PieceCache {
 public:
  explicit PieceCache(std::size_t bytes_max = kPieceBytesMax) : bytes_max_(bytes_max) {}

  // Null: not here. T belongs to the kind.
  template <typename T>
  std::shared_ptr<const T> find(const PieceKey& key) {
    return std::static_pointer_cast<const T>(find_any(key));
  }
  void add(const PieceKey& key, std::shared_ptr<const void> piece, std::size_t bytes);
  // Called about once a second: what no query has used for some minutes leaves.
  void age();
  std::size_t bytes() const { return state_.lock_shared()->bytes; }

 private:
  struct Hash {
    std::size_t operator()(const PieceKey& key) const {
      std::uint64_t h = key.block * 0x9e3779b97f4a7c15ull + static_cast<std::uint64_t>(key.kind);
      h = (h ^ (h >> 29)) * 0xbf58476d1ce4e5b9ull + key.index;
      return static_cast<std::size_t>((h ^ (h >> 32)) * 0x94d049bb133111ebull);
    }
  };
  struct Entry {
    std::shared_ptr<const void> piece;
    std::size_t bytes = 0;
    std::size_t place = 0;      // in the ring
    std::uint64_t used_at = 0;  // turn of age()
    bool recent = false;        // used since the hand came by
  };
  struct State {
    std::unordered_map<PieceKey, Entry, Hash> entries;
    std::vector<PieceKey> ring;
    std::size_t hand = 0;
    std::size_t bytes = 0;
    std::uint64_t turn = 0;
    std::uint64_t newcomers = 0;
  };
  std::shared_ptr<const void> find_any(const PieceKey& key);
  static void remove(State& state, const PieceKey& key);

  const std::size_t bytes_max_;
  Guarded<State> state_;
};

}  // namespace fog::segments
