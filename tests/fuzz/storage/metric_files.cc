// Parts and the series file are SQLite databases: any bytes may stand there.
#include <fstream>
#include <iterator>

#include "storage/base/log.h"
#include "storage/metrics/catalogue.h"
#include "storage/metrics/part.h"
#include "storage/metrics/series_file.h"
#include "tests/fuzz/target.h"
#include "tests/storage/temp_folder.h"

namespace fog::fuzz {

using namespace metrics;

static const PartName kPart{.tier = Tier::k60s, .bucket_s = 86400, .first = 1, .last = 1, .lsn = 5};

FOG_FUZZ(metric_files) {
  log::set_level(log::Level::kOff);
  const testing::TempFolder folder;
  const auto file = folder.path() / kPart.file();
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << input;
  const auto part = open_part(folder.path(), kPart);
  const auto visit = [](std::uint64_t, std::string_view) { return true; };
  (void)part->read_all(visit);
  const SeriesId wanted[] = {1, 2};
  (void)part->read(wanted, visit);
  (void)part->bytes();
  std::ofstream(folder.path() / "series.db", std::ios::binary) << input;
  auto series = SeriesFile::open(folder.path() / "series.db");
  if (!series.ok()) return;
  Catalogue catalogue;
  SeriesFile::Marks marks;
  (void)series->load(catalogue, marks);
  (void)PartName::parse(Tier::k60s, input.substr(0, 100));
}

FOG_FUZZ_SEEDS(metric_files) {
  const testing::TempFolder folder;
  auto writer = write_part(folder.path(), kPart);
  if (!writer.ok()) return {};
  SlotBlock block;
  block.push_value(5, 1.5);
  for (std::uint64_t id = 1; id < 40; ++id) (void)(*writer)->add(chunk_id(id, 0), "chunk");
  (void)(*writer)->finish();
  {
    auto series = SeriesFile::open(folder.path() / "series.db");
    SeriesFile::Changes changes;
    changes.added.push_back({.id = 1, .account = "1", .region = "r", .metric_namespace = "n", .metric_name = "m", .dimensions = {{"d", "v"}}});
    changes.activity.emplace_back(0, std::string(8192, '\0'));
    if (series.ok()) (void)series->apply(changes, {.series_lsn = 1, .applied_lsn = 2});
  }
  std::vector<std::string> out{"86400.1-1.5.db"};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    out.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return out;
}

}  // namespace fog::fuzz
