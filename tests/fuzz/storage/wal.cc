// A log file of any bytes: opens, gives what is sound, goes on writing; and `fogwatch check` of the same.
#include "storage/wal/wal.h"

#include <fstream>
#include <iterator>

#include "storage/base/log.h"
#include "storage/wal/check.h"
#include "tests/fuzz/target.h"
#include "tests/storage/temp_folder.h"

namespace fog::fuzz {

static constexpr const char* kName = "00000000000000000001.wal";

FOG_FUZZ(wal) {
  log::set_level(log::Level::kOff);
  const testing::TempFolder folder;
  std::ofstream(folder.path() / kName, std::ios::binary) << input;
  (void)check_wal_folder(folder.path());
  auto wal = Wal::open({.folder = folder.path(), .durability = Durability::kRelaxed});
  if (!wal.ok()) return;
  Lsn last = 0;
  const Status replayed = (*wal)->replay([&](const Wal::Record& record) {
    must(record.lsn > last, "records come in order");
    last = record.lsn;
  });
  if (replayed.ok()) must((*wal)->append(StoreId::kLogs, 1, "x") > last, "new records come behind old ones");
}

FOG_FUZZ_SEEDS(wal) {
  const testing::TempFolder folder;
  {
    auto wal = Wal::open({.folder = folder.path(), .durability = Durability::kRelaxed});
    (void)(*wal)->replay([](const Wal::Record&) {});
    for (int i = 0; i < 5; ++i) (void)(*wal)->append(static_cast<StoreId>(1 + i % 4), static_cast<std::uint64_t>(i), std::string(static_cast<std::size_t>(i) * 7, 'p'));
  }
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    std::ifstream in(entry.path(), std::ios::binary);
    out.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return out;
}

}  // namespace fog::fuzz
