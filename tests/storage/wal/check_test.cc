// `fogwatch check` of the write-ahead log: a sound log has no findings, every flipped byte is one.
#include <fstream>

#include "gtest/gtest.h"
#include "storage/wal/check.h"
#include "storage/wal/file.h"
#include "storage/wal/wal.h"
#include "tests/storage/temp_folder.h"

namespace fog {
namespace {

namespace fs = std::filesystem;

TEST(WalCheck, finds_every_flipped_byte_and_forgives_a_torn_tail) {
  const testing::TempFolder folder;
  constexpr std::size_t kLast = 25 + 9;
  {
    auto wal = Wal::open({.folder = folder.path(), .durability = Durability::kRelaxed});
    ASSERT_TRUE(wal.ok());
    ASSERT_TRUE((*wal)->replay([](const Wal::Record&) {}).ok());
    for (int i = 0; i < 20; ++i) (*wal)->append(StoreId::kLogs, 7, "payload " + std::to_string(i % 10));
  }
  EXPECT_EQ(check_wal_folder(folder.path()).value(), std::vector<std::string>{});
  const fs::path file = fs::directory_iterator(folder.path())->path();
  const std::string whole = read_whole(file).value();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    std::ofstream(file, std::ios::binary) << damaged;
    // A last record that claims to be longer than the file cannot be told from one that was cut.
    const std::size_t into_last = at + kLast >= whole.size() ? at + kLast - whole.size() : 0;
    const bool looks_cut = into_last >= 4 && into_last < 8;
    EXPECT_EQ(check_wal_folder(folder.path())->empty(), looks_cut) << at;
  }
  for (std::size_t cut = 1; cut < kLast; ++cut) {
    std::ofstream(file, std::ios::binary) << whole.substr(0, whole.size() - cut);
    EXPECT_TRUE(check_wal_folder(folder.path())->empty()) << cut;
  }
  EXPECT_FALSE(check_wal_folder(folder.path() / "absent").ok());
}

}  // namespace
}  // namespace fog
