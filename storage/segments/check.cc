// Verifies a log folder byte by byte for `fogwatch check`.
#include "storage/log_store.h"
#include "storage/segments/segment_file.h"

#include <fmt/format.h>

namespace fog {

using namespace segments;

namespace {

void check_segment(const std::filesystem::path& path, const ManifestSegment& entry, LogGroupId group, LogCheckReport& report) {
  ++report.segments;
  const Result<SegmentFooter> footer = read_segment_footer(path);
  if (!footer.ok()) {
    report.findings.push_back(footer.error().message());
  } else if (footer->group != group || footer->day != entry.day || footer->blocks.size() != entry.blocks.size()) {
    report.findings.push_back(path.string() + ": the footer does not match the manifest");
  }
  std::error_code error;
  if (std::filesystem::file_size(path, error) != entry.size || error)
    report.findings.push_back(path.string() + ": wrong size");
  const auto file = std::make_shared<SegmentFile>(path);
  std::uint64_t expected = kSegmentHeaderSize;
  for (std::size_t i = 0; i < entry.blocks.size(); ++i) {
    const BlockSummary& summary = entry.blocks[i];
    ++report.blocks;
    report.events += summary.rows;
    if (summary.offset != expected)
      report.findings.push_back(fmt::format("{}: block {} does not follow the one before it", path.string(), i));
    expected = summary.offset + summary.size;
    const Status status = verify_block(std::make_shared<const StoredBlock>(summary, file));
    if (!status.ok())
      report.findings.push_back(fmt::format("{}: block {} ({} events): {}", path.string(), i, summary.rows,
                                            status.error().message()));
  }
}

}  // namespace

Result<LogCheckReport> check_log_folder(const std::filesystem::path& folder) {
  LogCheckReport report;
  std::error_code error;
  std::vector<std::filesystem::path> groups;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.is_directory()) groups.push_back(entry.path());
  if (error) return Error::not_found(folder.string() + ": " + error.message());
  std::sort(groups.begin(), groups.end());
  for (const auto& path : groups) {
    const Result<Manifest> manifest = read_manifest(path);
    if (!manifest.ok()) {
      if (manifest.error().kind() == ErrorKind::kCorrupt) report.findings.push_back(manifest.error().message());
      continue;  // without a manifest the folder is a leftover
    }
    const Result<Manifest> previous = read_manifest(path, kPreviousManifestName);
    if (!previous.ok() && previous.error().kind() == ErrorKind::kCorrupt) report.findings.push_back(previous.error().message());
    for (const ManifestSegment& entry : manifest->segments)
      check_segment(path / segment_name(entry.id), entry, manifest->group, report);
  }
  return report;
}

}  // namespace fog
