// Segment file, little-endian, integers as varints:
//   "FOGLOGS1" | blocks | footer | crc32c u32 of the footer | size of the footer u32 | "FOGLOGE1"
//   footer    group | day zigzag | lsn | replaces: count, ids | blocks: count, summaries (block_writer.cc)
// Manifest file:
//   "FOGLOGM1" | body | crc32c u32 of the body
//   body      group | applied LSN | next sequence number | next segment id
//             | segments: count, each: id, day zigzag, size, blocks: count, summaries
//             | dropped streams: count, ids | floors: count, each: before zigzag, sequence
//             | field names: count, texts
//             | streams: count, each: id, events, first zigzag, last zigzag, ingestion zigzag
#include "storage/segments/segment_file.h"

#include "storage/base/hash.h"
#include "storage/base/log.h"
#include "storage/segments/limits.h"
#include "storage/segments/sync_point.h"
#include "storage/wal/file.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace fog::segments {

namespace {

constexpr std::string_view kHead = "FOGLOGS1";
constexpr std::string_view kTail = "FOGLOGE1";
constexpr std::string_view kManifestHead = "FOGLOGM1";

Error system_error(const std::filesystem::path& path, const char* what) {
  const int code = errno;
  const std::string text = fmt::format("{} {}: {}", what, path.string(), std::strerror(code));
  return code == ENOSPC || code == EDQUOT || code == EIO || code == EROFS || code == EMFILE ? Error::busy(text) : Error::internal(text);
}

// Closes on every way out.
struct OpenFile {
  int fd;
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
};

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool read_all(int fd, std::uint64_t offset, std::string& to) {
  std::size_t done = 0;
  while (done < to.size()) {
    const ssize_t n = ::pread(fd, to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

void write_summaries(const std::vector<BlockSummary>& blocks, std::string& out) {
  ByteWriter(out).varint(blocks.size());
  for (const BlockSummary& block : blocks) block.write(out);
}

bool read_summaries(ByteReader& in, std::vector<BlockSummary>& blocks) {
  const std::uint64_t n = in.varint();
  if (!in.ok() || n > in.rest().size()) return false;
  blocks.resize(static_cast<std::size_t>(n));
  for (BlockSummary& block : blocks)
    if (!BlockSummary::read(in, block)) return false;
  return true;
}

}  // namespace

SegmentFile::~SegmentFile() {
  if (fd_ >= 0) ::close(fd_);
  if (doomed_.load()) {
    ::unlink(path_.c_str());
    sync_point("file deleted");
  }
}

int SegmentFile::descriptor() const {
  const std::lock_guard lock(mutex_);
  if (fd_ < 0) fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  return fd_;
}

Result<std::string> SegmentFile::read(std::uint64_t offset, std::size_t size) const {
  const int fd = descriptor();
  if (fd < 0) return errno == ENOENT ? Error::corrupt("log segment is missing: " + path_.string())
                                     : system_error(path_, "cannot open");
  if (size > kSectionBytesLimit) return Error::corrupt("log segment: impossible size");
  std::string bytes(size, '\0');
  if (!read_all(fd, offset, bytes)) return Error::corrupt("log segment is cut short: " + path_.string());
  return bytes;
}

std::optional<std::string> SegmentFile::read_now(std::uint64_t offset, std::size_t size) const {
  const int fd = descriptor();
  if (fd < 0 || size > kSectionBytesLimit) return std::nullopt;
  std::string bytes(size, '\0');
  iovec place{bytes.data(), bytes.size()};
  const ssize_t n = ::preadv2(fd, &place, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  if (n == static_cast<ssize_t>(size)) return bytes;
  if (n < 0 && errno == EOPNOTSUPP) {  // a file system that cannot tell: then it is read as it is
    if (!read_all(fd, offset, bytes)) return std::nullopt;
    return bytes;
  }
  (void)::posix_fadvise(fd, static_cast<off_t>(offset), static_cast<off_t>(size), POSIX_FADV_WILLNEED);
  return std::nullopt;
}

std::int64_t Segment::timestamp_max() const {
  std::int64_t max = INT64_MIN;
  for (const auto& block : blocks) max = std::max(max, block->summary.timestamp_max);
  return max;
}

Status sync_folder(const std::filesystem::path& folder) {
  const OpenFile file{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (file.fd < 0 || ::fsync(file.fd) != 0) return system_error(folder, "cannot sync");
  return Ok{};
}

Status write_file_atomically(const std::filesystem::path& path, std::string_view head, std::string_view body,
                             std::string_view tail) {
  const std::filesystem::path temporary = path.string() + ".tmp";
  {
    const OpenFile file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640)};
    if (file.fd < 0) return system_error(temporary, "cannot create");
    sync_point("file created");
    bool ok = write_all(file.fd, head) && write_all(file.fd, body) && write_all(file.fd, tail);
    sync_point("file written");
    const bool synced = ok && ::fdatasync(file.fd) == 0;
    if (!synced) {
      ++(ok ? disk_faults().syncs : disk_faults().writes);
      Error error = system_error(temporary, "cannot write");
      ::unlink(temporary.c_str());
      return error;
    }
  }
  sync_point("file synced");
  if (::rename(temporary.c_str(), path.c_str()) != 0) return system_error(path, "cannot rename to");
  sync_point("file renamed");
  TRYV(sync_folder(path.parent_path()));
  sync_point("folder synced");
  return Ok{};
}

Result<std::string> read_whole_file(const std::filesystem::path& path) {
  const OpenFile file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0)
    return errno == ENOENT ? Error::not_found(path.string() + " does not exist") : system_error(path, "cannot open");
  struct stat info {};
  if (::fstat(file.fd, &info) != 0) return system_error(path, "cannot read");
  std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
  if (!read_all(file.fd, 0, bytes)) return Error::corrupt(path.string() + " cannot be read");
  return bytes;
}

std::string segment_name(std::uint64_t id) { return fmt::format("{:08x}.seg", id); }

std::uint64_t segment_id(std::string_view name) {
  if (!name.ends_with(".seg")) return 0;
  name.remove_suffix(4);
  std::uint64_t id = 0;
  const auto result = std::from_chars(name.data(), name.data() + name.size(), id, 16);
  return result.ec == std::errc() && result.ptr == name.data() + name.size() ? id : 0;
}

Result<std::uint64_t> write_segment(const std::filesystem::path& path, std::string_view blocks,
                                    const SegmentFooter& footer) {
  std::string tail;
  ByteWriter to(tail);
  to.varint(footer.group);
  to.zigzag(footer.day);
  to.varint(footer.lsn);
  to.varint(footer.replaces.size());
  for (const std::uint64_t id : footer.replaces) to.varint(id);
  write_summaries(footer.blocks, tail);
  const auto size = static_cast<std::uint32_t>(tail.size());
  to.fixed(crc32c(tail));
  to.fixed(size);
  to.raw(kTail);
  TRYV(write_file_atomically(path, kHead, blocks, tail));
  return static_cast<std::uint64_t>(kHead.size() + blocks.size() + tail.size());
}

Result<SegmentFooter> read_segment_footer(const std::filesystem::path& path) {
  const auto damaged = [&] { return Error::corrupt("damaged log segment " + path.string()); };
  const OpenFile file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat info {};
  if (file.fd < 0 || ::fstat(file.fd, &info) != 0) return damaged();
  const auto size = static_cast<std::uint64_t>(info.st_size);
  std::string head(kHead.size(), '\0');
  std::string end(8 + kTail.size(), '\0');
  if (size < head.size() + end.size() || !read_all(file.fd, 0, head) || head != kHead ||
      !read_all(file.fd, size - end.size(), end) || !std::string_view(end).ends_with(kTail))
    return damaged();
  std::uint32_t crc = 0;
  std::uint32_t body_size = 0;
  std::memcpy(&crc, end.data(), 4);
  std::memcpy(&body_size, end.data() + 4, 4);
  if (body_size > size - head.size() - end.size()) return damaged();
  std::string body(body_size, '\0');
  if (!read_all(file.fd, size - end.size() - body_size, body) || crc32c(body) != crc) return damaged();
  SegmentFooter footer;
  ByteReader in(body);
  footer.group = in.varint();
  footer.day = in.zigzag();
  footer.lsn = in.varint();
  const std::uint64_t replaced = in.varint();
  for (std::uint64_t i = 0; i < replaced && in.ok(); ++i) footer.replaces.push_back(in.varint());
  if (!read_summaries(in, footer.blocks)) return damaged();
  for (const BlockSummary& block : footer.blocks)
    if (block.offset > size || block.size > size - block.offset) return damaged();
  return footer;
}

void StreamTotals::add(const StreamTotals& other) {
  events += other.events;
  first_timestamp = std::min(first_timestamp, other.first_timestamp);
  last_timestamp = std::max(last_timestamp, other.last_timestamp);
  last_ingestion = std::max(last_ingestion, other.last_ingestion);
}

Status write_manifest(const std::filesystem::path& folder, const Manifest& manifest, bool keep_previous) {
  std::string body;
  ByteWriter to(body);
  to.varint(manifest.group);
  to.varint(manifest.applied);
  to.varint(manifest.next_sequence);
  to.varint(manifest.next_segment);
  to.varint(manifest.segments.size());
  for (const ManifestSegment& segment : manifest.segments) {
    to.varint(segment.id);
    to.zigzag(segment.day);
    to.varint(segment.size);
    write_summaries(segment.blocks, body);
  }
  to.varint(manifest.dropped_streams.size());
  for (const LogStreamId id : manifest.dropped_streams) to.varint(id);
  to.varint(manifest.floors.size());
  for (const Hidden::Floor& floor : manifest.floors) {
    to.zigzag(floor.before_ms);
    to.varint(floor.sequence_below);
  }
  to.varint(manifest.field_names.size());
  for (const std::string& name : manifest.field_names) to.text(name);
  to.varint(manifest.streams.size());
  for (const auto& [id, totals] : manifest.streams) {
    to.varint(id);
    to.varint(totals.events);
    to.zigzag(totals.first_timestamp);
    to.zigzag(totals.last_timestamp);
    to.zigzag(totals.last_ingestion);
  }
  std::string crc;
  ByteWriter(crc).fixed(crc32c(body));
  // The one before stays beside it: deletions are written nowhere else. Without it nothing is missing, hence no
  // errors. The current one is always there.
  const std::filesystem::path previous = folder / kPreviousManifestName;
  ::unlink(previous.c_str());
  if (keep_previous && ::link((folder / kManifestName).c_str(), previous.c_str()) != 0 && errno != ENOENT)
    LOG_WARN("cannot keep the manifest of {}: {}", folder.string(), std::strerror(errno));
  return write_file_atomically(folder / kManifestName, kManifestHead, body, crc);
}

Result<Manifest> read_manifest(const std::filesystem::path& folder, const char* name) {
  TRY(const std::string bytes, read_whole_file(folder / name));
  const auto damaged = [&] { return Error::corrupt(std::string("damaged log manifest ") + name + " in " + folder.string()); };
  if (bytes.size() < kManifestHead.size() + 4 || !bytes.starts_with(kManifestHead)) return damaged();
  const std::string_view body =
      std::string_view(bytes).substr(kManifestHead.size(), bytes.size() - kManifestHead.size() - 4);
  std::uint32_t crc = 0;
  std::memcpy(&crc, bytes.data() + bytes.size() - 4, 4);
  if (crc32c(body) != crc) return damaged();
  Manifest manifest;
  ByteReader in(body);
  manifest.group = in.varint();
  manifest.applied = in.varint();
  manifest.next_sequence = in.varint();
  manifest.next_segment = in.varint();
  const std::uint64_t segments = in.varint();
  for (std::uint64_t i = 0; i < segments && in.ok(); ++i) {
    ManifestSegment segment;
    segment.id = in.varint();
    segment.day = in.zigzag();
    segment.size = in.varint();
    if (!read_summaries(in, segment.blocks)) return damaged();
    manifest.segments.push_back(std::move(segment));
  }
  const std::uint64_t dropped = in.varint();
  for (std::uint64_t i = 0; i < dropped && in.ok(); ++i) manifest.dropped_streams.push_back(in.varint());
  const std::uint64_t floors = in.varint();
  for (std::uint64_t i = 0; i < floors && in.ok(); ++i) {
    Hidden::Floor floor;
    floor.before_ms = in.zigzag();
    floor.sequence_below = in.varint();
    manifest.floors.push_back(floor);
  }
  const std::uint64_t names = in.varint();
  for (std::uint64_t i = 0; i < names && in.ok(); ++i) manifest.field_names.emplace(in.text());
  const std::uint64_t streams = in.varint();
  for (std::uint64_t i = 0; i < streams && in.ok(); ++i) {
    const LogStreamId id = in.varint();
    StreamTotals& totals = manifest.streams[id];
    totals.events = in.varint();
    totals.first_timestamp = in.zigzag();
    totals.last_timestamp = in.zigzag();
    totals.last_ingestion = in.zigzag();
  }
  if (!in.ok() || !in.at_end()) return damaged();
  return manifest;
}

}  // namespace fog::segments
