// Scan: where the engine gets its events from. The engine knows blocks of columns, not stores: the
// api room gives it the store, a test gives it rows.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "query/insights/ast.h"
#include "storage/log_block.h"

namespace fog::insights {

// What a block calls the column that holds a field without masks; where it has none, nothing is masked.
inline constexpr std::string_view kUnmaskedPrefix = "unmasked:";

struct ScanRequest {
  // Whose events: what a SOURCE clause names, or nothing for the groups of the call.
  std::optional<Source> source;
  // Both inclusive.
  std::int64_t from_ms = 0;
  std::int64_t to_ms = 0;
  // Conjunction of disjunctions that every wanted row satisfies; a hint to skip blocks.
  std::vector<std::vector<LogPredicate>> where;
  // Only groups with an index on these fields (filterIndex); empty: all.
  std::vector<std::string> index_fields;
  bool newest_first = true;
};

struct ScanBlocks {
  std::vector<std::unique_ptr<LogBlock>> blocks;  // ordered as asked for
  // What was not looked at because of `where`; events inside the window, as far as known.
  std::uint64_t events_skipped = 0;
  std::uint64_t bytes_skipped = 0;
  // The part of it that a field index excluded.
  std::uint64_t index_events_skipped = 0;
  std::uint64_t index_bytes_skipped = 0;
  std::uint64_t groups = 0;
};

class Scan {
 public:
  virtual ~Scan() = default;
  virtual Result<ScanBlocks> open(const ScanRequest& request) = 0;
  // `<account>:<group name>`, the value of @log, and the name of a stream. Views stay valid.
  virtual std::string_view log_name(LogGroupId group) = 0;
  virtual std::string_view stream_name(LogStreamId stream) = 0;
  // Infrequent Access: only system fields exist.
  virtual bool discovers_fields(LogGroupId) { return true; }
  virtual std::string_view region() { return {}; }
  // The opaque @ptr of an event; `find` is the caller's business.
  virtual std::string pointer(LogGroupId group, LogStreamId stream, std::int64_t timestamp_ms,
                              LogSequence sequence) = 0;
};

}  // namespace fog::insights
