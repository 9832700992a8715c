// Limits of the log segment engine, all in one place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fog::segments {

// Leaves of one JSON event that become fields; later ones stay part of the line only.
constexpr std::size_t kFieldsPerEventMax = 200;
// Distinct field names of one log group; events keep later ones as part of the line only.
constexpr std::size_t kFieldsPerGroupMax = 1000;
// Deeper JSON is stored as text without fields.
constexpr int kJsonDepthMax = 128;

constexpr std::size_t kMessageBytesMax = 16u << 20;
constexpr std::size_t kBatchBytesMax = 64u << 20;

// A block is refused when its directory claims more than this; protects readers of damaged files.
constexpr std::size_t kBlockEventsLimit = 1u << 20;
constexpr std::size_t kSectionBytesLimit = 1u << 30;

// Merging: blocks and segments below these sizes are joined with their neighbours of the same day.
constexpr std::size_t kSegmentBlocksMax = 64;
constexpr std::size_t kMergeSegmentsMin = 8;
// A merge holds its result in memory: so much of it at most.
constexpr std::uint64_t kMergeBytesMax = 24u << 20;

// zstd level 1: higher levels gain nothing on log columns and cost three times as much.
constexpr int kZstdLevel = 1;

// A group whose unsealed data holds the write-ahead log back further than this is sealed, however small.
constexpr std::uint64_t kWalBytesMax = 96u << 20;
// Recovery keeps so much unsealed data in memory; beyond it, sealing is part of opening.
constexpr std::uint64_t kReplayBytesMax = 384u << 20;

}  // namespace fog::segments
