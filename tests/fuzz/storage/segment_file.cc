// Segment footers and manifests, with their checksums made right.
#include "storage/segments/segment_file.h"

#include <fstream>

#include "storage/base/hash.h"
#include "tests/fuzz/target.h"
#include "tests/storage/temp_folder.h"

namespace fog::fuzz {

static std::string crc_of(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return {reinterpret_cast<const char*>(&crc), 4};
}

FOG_FUZZ(segment_file) {
  static const testing::TempFolder folder;
  const auto size = static_cast<std::uint32_t>(input.size());
  for (const bool whole : {false, true}) {
    const std::string segment = whole ? std::string(input) : "FOGLOGS1" + std::string(input) + crc_of(input) + std::string(reinterpret_cast<const char*>(&size), 4) + "FOGLOGE1";
    std::ofstream(folder.path() / "1.seg", std::ios::binary) << segment;
    (void)segments::read_segment_footer(folder.path() / "1.seg");
    std::ofstream(folder.path() / "MANIFEST", std::ios::binary) << (whole ? std::string(input) : "FOGLOGM1" + std::string(input) + crc_of(input));
    (void)segments::read_manifest(folder.path());
  }
}

FOG_FUZZ_SEEDS(segment_file) {
  const testing::TempFolder folder;
  segments::Manifest manifest;
  manifest.group = 7;
  manifest.applied = 99;
  manifest.segments.push_back({.id = 3, .day = 20000, .size = 1234, .blocks = {{.offset = 8, .size = 100, .directory_size = 50, .rows = 3}}});
  manifest.dropped_streams = {4, 5};
  manifest.floors.push_back({.before_ms = 5, .sequence_below = 6});
  manifest.field_names = {"a", "level"};
  manifest.streams[9] = {.events = 3, .first_timestamp = 1, .last_timestamp = 2, .last_ingestion = 3};
  (void)segments::write_manifest(folder.path(), manifest);
  (void)segments::write_segment(folder.path() / "1.seg", "blocks", {.group = 7, .day = 20000, .lsn = 3, .replaces = {1, 2}, .blocks = manifest.segments[0].blocks});
  std::vector<std::string> out;
  for (const char* name : {"MANIFEST", "1.seg"}) {
    const auto bytes = segments::read_whole_file(folder.path() / name);
    if (!bytes.ok()) continue;
    out.push_back(*bytes);
    if (bytes->size() > 20) out.push_back(bytes->substr(8, bytes->size() - (name[0] == 'M' ? 12 : 24)));
  }
  return out;
}

}  // namespace fog::fuzz
