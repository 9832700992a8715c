// Once everything is safe elsewhere, the log of writes begins a fresh file and the long one goes.
#include <chrono>
#include <filesystem>
#include <thread>

#include "gtest/gtest.h"
#include "storage/wal/wal.h"
#include "tests/storage/temp_folder.h"

namespace fog {
namespace {

std::uintmax_t bytes_of(const std::filesystem::path& folder) {
  std::uintmax_t sum = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::error_code gone;
    const auto size = entry.file_size(gone);
    if (!gone) sum += size;
  }
  return sum;
}

bool shrinks(const std::filesystem::path& folder) {
  for (int i = 0; i < 1000; ++i) {
    if (bytes_of(folder) < 1024) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

using testing::TempFolder;

TEST(WalFreshFile, what_all_stores_have_applied_is_not_read_again) {
  const TempFolder folder;
  const std::string payload(300'000, 'p');
  Lsn last = 0;
  {
    auto wal = Wal::open({.folder = folder.path()}).value();
    for (int i = 0; i < 10; ++i) {
      wal->append(StoreId::kMetrics, 1, "small");
      last = wal->append(StoreId::kLogs, 1, payload);
    }
    ASSERT_TRUE(wal->wait_durable(last).ok());
    wal->set_applied(StoreId::kLogs, last);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_GT(bytes_of(folder.path()), 3'000'000u) << "metrics are not safe yet";
    wal->set_applied(StoreId::kMetrics, last);
    EXPECT_TRUE(shrinks(folder.path())) << bytes_of(folder.path());
    EXPECT_EQ(wal->last_lsn(), last);
  }
  {
    auto wal = Wal::open({.folder = folder.path()}).value();
    ASSERT_TRUE(wal->replay([](const Wal::Record&) { FAIL() << "nothing is left to read"; }).ok());
    EXPECT_GE(wal->last_lsn(), last) << "numbers must not be given out again";
    const Lsn next = wal->append(StoreId::kLogs, 1, "after");
    EXPECT_GT(next, last);
    ASSERT_TRUE(wal->wait_durable(next).ok());
  }
  auto wal = Wal::open({.folder = folder.path()}).value();
  int seen = 0;
  ASSERT_TRUE(wal->replay([&](const Wal::Record& record) {
    ++seen;
    EXPECT_EQ(record.payload, "after");
  }).ok());
  EXPECT_EQ(seen, 1);
}

TEST(WalFreshFile, at_its_end_too) {
  const TempFolder folder;
  {
    auto wal = Wal::open({.folder = folder.path()}).value();
    const Lsn last = wal->append(StoreId::kLogs, 1, std::string(3'000'000, 'p'));
    ASSERT_TRUE(wal->wait_durable(last).ok());
    wal->set_applied(StoreId::kLogs, last);
  }
  EXPECT_LT(bytes_of(folder.path()), 1024u);
}

}  // namespace
}  // namespace fog
