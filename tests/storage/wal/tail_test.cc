// Where a log file ends, and logs whose LSNs have grown far or leap.
#include "storage/wal/tail.h"

#include <gtest/gtest.h>

#include <fstream>

#include "storage/wal/check.h"
#include "storage/wal/file.h"
#include "tests/storage/temp_folder.h"

namespace fog {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> payloads(const fs::path& folder) {
  auto wal = Wal::open({.folder = folder});
  EXPECT_TRUE(wal.ok());
  std::vector<std::string> seen;
  EXPECT_TRUE((*wal)->replay([&](const Wal::Record& r) { seen.emplace_back(r.payload); }).ok());
  return seen;
}

Lsn write(const fs::path& folder, std::string_view payload) {
  auto wal = Wal::open({.folder = folder});
  EXPECT_TRUE(wal.ok());
  const Lsn lsn = (*wal)->append(StoreId::kLogs, 1, payload);
  EXPECT_TRUE((*wal)->wait_durable(lsn).ok());
  return lsn;
}

fs::path newest(const fs::path& folder) {
  fs::path last;
  for (const auto& entry : fs::directory_iterator(folder))
    if (last.empty() || entry.path() > last) last = entry.path();
  return last;
}

TEST(WalTail, ends_behind_the_last_whole_record) {
  const testing::TempFolder folder;
  const Lsn lsn = write(folder.path(), "whole");
  const fs::path file = newest(folder.path());
  const auto size = fs::file_size(file);
  std::ofstream(file, std::ios::app | std::ios::binary) << "a torn end.";
  const auto tail = wal_tail(file);
  ASSERT_TRUE(tail.ok());
  EXPECT_EQ(tail->sound_bytes, size);
  EXPECT_EQ(tail->next, lsn + 1);
}

TEST(WalTail, an_empty_file_makes_the_log_go_on_where_it_says) {
  const testing::TempFolder folder;
  const Lsn first = write(folder.path(), "before");
  ASSERT_TRUE(write_empty_wal_file(folder.path(), 5000).ok());
  EXPECT_GE(write(folder.path(), "after"), 5000u);
  EXPECT_LT(first, 5000u);
  EXPECT_EQ(payloads(folder.path()), (std::vector<std::string>{"before", "after"}));
  const auto findings = check_wal_folder(folder.path());
  ASSERT_TRUE(findings.ok());
  EXPECT_TRUE(findings->empty()) << findings->front();
}

// A log that has seen more records than the largest gap recovery believes in, and has deleted the old files.
TEST(WalTail, records_beyond_the_largest_gap_are_replayed) {
  const testing::TempFolder folder;
  ASSERT_TRUE(write_empty_wal_file(folder.path(), (Lsn{1} << 31) + 7).ok());
  write(folder.path(), "late in life");
  EXPECT_EQ(payloads(folder.path()), (std::vector<std::string>{"late in life"}));
}

}  // namespace
}  // namespace fog
