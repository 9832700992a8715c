// A block on disk (and of the newest events in memory): its directory and how it is written.
//
// Threads: none; values.
// Format: at the top of block_writer.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/result.h"
#include "storage/log_block.h"
#include "storage/segments/column_codec.h"
#include "storage/segments/shape.h"

namespace fog::segments {

// What a segment's footer and the manifest know of a block: enough to find and skip it.
struct BlockSummary {
  std::uint64_t offset = 0;  // of the block in its file
  std::uint64_t size = 0;
  std::uint64_t directory_size = 0;  // the last bytes of the block
  std::uint64_t rows = 0;
  std::int64_t timestamp_min = 0;
  std::int64_t timestamp_max = 0;
  std::uint64_t message_bytes = 0;
  LogSequence sequence_min = 0;
  LogSequence sequence_max = 0;

  void write(std::string& out) const;
  static bool read(ByteReader& in, BlockSummary& summary);
};

// A piece of a block: where it lies and how to check it.
struct Section {
  std::uint64_t offset = 0;  // from the start of the block
  std::uint64_t stored = 0;
  std::uint64_t raw = 0;     // size after decompression; equal to `stored` when stored as it is
  std::uint32_t crc = 0;     // of the stored bytes
};

struct ColumnEntry {
  PhysicalName name;
  Encoding encoding = Encoding::kText;
  bool escaped = false;
  bool numeric = false;
  double min = 0;
  double max = 0;
  std::uint64_t present = 0;
  Section section;
};

using FieldSet = std::vector<std::pair<std::string, std::string>>;

struct Directory {
  std::uint64_t rows = 0;
  Section templates;
  Section template_codes;
  Section timestamps;
  Section batches;
  Section batch_codes;
  Section filter;  // checked page by page, see token_filter.h
  std::vector<LogStreamId> streams;
  std::vector<FieldSet> field_sets;
  std::vector<ColumnEntry> columns;
};

std::string encode_directory(const Directory& directory);
// `bytes` is the directory as stored, with its checksum.
Result<Directory> decode_directory(std::string_view bytes, std::uint64_t block_size);

// Checks and decompresses the stored bytes of a section.
Result<std::string> open_section(const Section& section, std::string_view stored);

// A row on its way into a block.
struct RowIn {
  std::int64_t timestamp = 0;
  LogSequence sequence = 0;
  std::int64_t ingestion = 0;
  LogStreamId stream = 0;
  std::uint32_t field_set = 0;  // index into BlockInput::field_sets
  std::string_view message;
};

struct BlockInput {
  std::vector<RowIn> rows;              // will be sorted by (timestamp, sequence)
  std::vector<FieldSet> field_sets{1};  // the first is empty
};

// By (timestamp, sequence).
void sort_rows(std::vector<RowIn>& rows);

// kMemory: for the newest events, read a few times at most: neither compressed nor filtered.
enum class BlockUse : std::uint8_t { kStored, kMemory };

// Appends the block to `out`. The summary's offset is `out.size()` before the call.
BlockSummary write_block(BlockInput& input, const Shaper::Admit& admit, std::string& out,
                         BlockUse use = BlockUse::kStored);

}  // namespace fog::segments
