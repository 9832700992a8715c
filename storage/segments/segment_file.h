// Segment files and the manifest of a log group.
//
// A segment holds the blocks of one group and one UTC day and never changes. The manifest names the
// segments that count; it is replaced as a whole by rename. Files that it does not name are leftovers
// of a crash and are deleted when the store opens.
// Formats: at the top of segment_file.cc.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/segments/block_reader.h"

namespace fog::segments {

// A file that is opened on first use and read by many threads; deleted with its last user once doomed.
class SegmentFile final : public ByteSource {
 public:
  explicit SegmentFile(std::filesystem::path path) : path_(std::move(path)) {}
  ~SegmentFile() override;
  SegmentFile(const SegmentFile&) = delete;
  SegmentFile& operator=(const SegmentFile&) = delete;

  Result<std::string> read(std::uint64_t offset, std::size_t size) const override;
  std::optional<std::string> read_now(std::uint64_t offset, std::size_t size) const override;
  void doom() { doomed_.store(true); }
  const std::filesystem::path& path() const { return path_; }

 private:
  int descriptor() const;  // negative: cannot be opened, see errno

  std::filesystem::path path_;
  std::atomic<bool> doomed_{false};
  mutable std::mutex mutex_;
  mutable int fd_ = -1;
};

struct Segment {
  std::uint64_t id = 0;
  std::int64_t day = 0;  // days since 1970-01-01 UTC
  std::uint64_t size = 0;
  std::shared_ptr<SegmentFile> file;  // null: in memory
  std::vector<std::shared_ptr<const StoredBlock>> blocks;

  std::int64_t timestamp_max() const;
};
using SegmentPtr = std::shared_ptr<const Segment>;

struct SegmentFooter {
  LogGroupId group = 0;
  std::int64_t day = 0;
  Lsn lsn = 0;                              // of the newest event in it, for recovery without manifest
  std::vector<std::uint64_t> replaces;      // segments that were merged into this one
  std::vector<BlockSummary> blocks;
};

// `blocks` is the concatenation of the blocks; offsets in the footer count from the file's start, and
// the first block lies at kSegmentHeaderSize. Written, synced and renamed into place.
constexpr std::size_t kSegmentHeaderSize = 8;
Result<std::uint64_t> write_segment(const std::filesystem::path& path, std::string_view blocks,
                                    const SegmentFooter& footer);
Result<SegmentFooter> read_segment_footer(const std::filesystem::path& path);

struct StreamTotals {
  std::uint64_t events = 0;
  std::int64_t first_timestamp = INT64_MAX;
  std::int64_t last_timestamp = INT64_MIN;
  std::int64_t last_ingestion = INT64_MIN;
  void add(const StreamTotals& other);
};

struct ManifestSegment {
  std::uint64_t id = 0;
  std::int64_t day = 0;
  std::uint64_t size = 0;
  std::vector<BlockSummary> blocks;
};

struct Manifest {
  LogGroupId group = 0;
  Lsn applied = 0;
  LogSequence next_sequence = 1;
  std::uint64_t next_segment = 1;
  std::vector<ManifestSegment> segments;
  std::vector<LogStreamId> dropped_streams;
  std::vector<Hidden::Floor> floors;
  std::set<std::string> field_names;
  std::unordered_map<LogStreamId, StreamTotals> streams;
};
inline constexpr const char* kManifestName = "MANIFEST";
inline constexpr const char* kPreviousManifestName = "MANIFEST.old";
// The manifest before stays as MANIFEST.old unless it is not worth keeping.
Status write_manifest(const std::filesystem::path& folder, const Manifest& manifest, bool keep_previous = true);
// Errors: not_found (no manifest), corrupt.
Result<Manifest> read_manifest(const std::filesystem::path& folder, const char* name = kManifestName);

std::string segment_name(std::uint64_t id);  // "0000002a.seg"
// The id in a segment file's name; 0: not a segment.
std::uint64_t segment_id(std::string_view name);

// Writes a file whole: temporary name, sync, rename, sync of the folder.
Status write_file_atomically(const std::filesystem::path& path, std::string_view head, std::string_view body,
                             std::string_view tail);
Result<std::string> read_whole_file(const std::filesystem::path& path);
Status sync_folder(const std::filesystem::path& folder);

}  // namespace fog::segments
