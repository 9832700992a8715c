// Records that are put off, and room that is reserved: nothing is lost by either, nothing is written twice.
#include "storage/wal/gather.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

#include "storage/wal/check.h"
#include "storage/wal/file.h"
#include "storage/wal/tail.h"
#include "storage/wal/wal.h"
#include "tests/storage/temp_folder.h"

namespace fog {
namespace {

namespace fs = std::filesystem;
using testing::TempFolder;

std::unique_ptr<Wal> open(const fs::path& folder, Wal::Options options = {}) {
  options.folder = folder;
  auto wal = Wal::open(options);
  EXPECT_TRUE(wal.ok());
  return std::move(wal).value();
}

std::vector<std::string> payloads(Wal& wal) {
  std::vector<std::string> seen;
  EXPECT_TRUE(wal.replay([&](const Wal::Record& r) { seen.emplace_back(r.payload); }).ok());
  return seen;
}

fs::path only_file(const fs::path& folder) {
  fs::path found;
  for (const auto& entry : fs::directory_iterator(folder)) found = std::max(found, entry.path());
  return found;
}

// Longer than the log's thread takes for what it has been told of.
void let_the_log_work() { std::this_thread::sleep_for(std::chrono::milliseconds(50)); }

wal::Gatherer& gatherer(Wal& wal) { return dynamic_cast<wal::Gatherer&>(wal); }

TEST(WalGather, records_that_are_put_off_are_synced_together) {
  const TempFolder folder;
  auto wal = open(folder.path());
  ASSERT_TRUE(wal->wait_durable(wal->append(StoreId::kLogs, 1, "before")).ok());
  const std::uint64_t syncs = wal->stats().syncs;
  std::atomic<int> told{0};
  {
    const wal::Gathering gathering;
    for (int i = 0; i < 10; ++i) {
      const Lsn lsn = wal->append(StoreId::kLogs, 1, "together");
      wal->when_durable(lsn, [&](bool ok) { told += ok ? 1 : 100; });
    }
    EXPECT_TRUE(gathering.has_put_off());
  }
  let_the_log_work();
  EXPECT_EQ(told, 0);
  EXPECT_EQ(wal->stats().syncs, syncs);
  gatherer(*wal).write_gathered();
  EXPECT_TRUE(wal->wait_durable(wal->last_lsn()).ok());
  EXPECT_EQ(wal->stats().syncs, syncs + 1);
  wal.reset();
  EXPECT_EQ(told, 10);
  EXPECT_EQ(payloads(*open(folder.path())).size(), 11u);
}

TEST(WalGather, other_threads_and_those_who_wait_write_what_was_put_off) {
  const TempFolder folder;
  auto wal = open(folder.path());
  const auto put_off = [&] {
    const wal::Gathering gathering;
    return wal->append(StoreId::kLogs, 1, "put off");
  };
  std::atomic<bool> told{false};
  wal->when_durable(put_off(), [&](bool ok) { told = ok; });
  std::thread([&] { wal->append(StoreId::kLogs, 1, "another thread's"); }).join();
  for (int i = 0; i < 200 && !told; ++i) let_the_log_work();
  EXPECT_TRUE(told);
  {
    const wal::Gathering gathering;
    EXPECT_TRUE(wal->wait_durable(wal->append(StoreId::kLogs, 1, "waited for at once")).ok());
  }
  EXPECT_TRUE(wal->wait_durable(put_off()).ok());
}

TEST(WalGather, much_is_not_put_off) {
  const TempFolder folder;
  auto wal = open(folder.path());
  std::atomic<bool> told{false};
  const wal::Gathering gathering;
  wal->when_durable(wal->append(StoreId::kLogs, 1, std::string(200'000, 'x')), [&](bool ok) { told = ok; });
  EXPECT_FALSE(gathering.has_put_off());
  for (int i = 0; i < 200 && !told; ++i) let_the_log_work();
  EXPECT_TRUE(told);
}

TEST(WalGather, what_was_put_off_is_written_at_the_end) {
  const TempFolder folder;
  {
    auto wal = open(folder.path());
    const wal::Gathering gathering;
    wal->append(StoreId::kLogs, 1, "put off, and nobody asked");
  }
  EXPECT_EQ(payloads(*open(folder.path())).size(), 1u);
}

TEST(WalRoom, a_file_that_is_written_has_room_and_one_that_is_left_has_none) {
  const TempFolder folder;
  auto wal = open(folder.path());
  ASSERT_TRUE(wal->wait_durable(wal->append(StoreId::kLogs, 1, "small")).ok());
  const fs::path file = only_file(folder.path());
  const auto with_room = fs::file_size(file);
  EXPECT_GE(with_room, 100'000u);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(wal->wait_durable(wal->append(StoreId::kLogs, 1, "small")).ok());
  EXPECT_EQ(fs::file_size(file), with_room) << "its size stays while there is room";
  wal.reset();
  EXPECT_EQ(fs::file_size(file), 16u + 51 * (25 + 5));
}

// What a kill leaves: the file as it is, its room with it.
TEST(WalRoom, after_a_kill_room_is_no_damage) {
  const TempFolder folder;
  const TempFolder killed;
  auto wal = open(folder.path());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(wal->wait_durable(wal->append(StoreId::kLogs, 1, "record")).ok());
  const fs::path copy = killed.path() / only_file(folder.path()).filename();
  fs::copy_file(only_file(folder.path()), copy);
  const auto sound = 16u + 5 * (25 + 6);
  const auto tail = wal_tail(copy);
  ASSERT_TRUE(tail.ok());
  EXPECT_EQ(tail->sound_bytes, sound);
  const auto findings = check_wal_folder(killed.path());
  ASSERT_TRUE(findings.ok());
  EXPECT_TRUE(findings->empty()) << findings->front();
  auto again = open(killed.path());
  EXPECT_EQ(payloads(*again).size(), 5u);
  EXPECT_EQ(again->stats().torn_tails, 0u);
  EXPECT_EQ(again->stats().damaged_bytes, 0u);
  EXPECT_EQ(fs::file_size(copy), sound);
  EXPECT_TRUE(again->wait_durable(again->append(StoreId::kLogs, 1, "after")).ok());
  again.reset();
  EXPECT_EQ(payloads(*open(killed.path())).size(), 6u);
}

// Power is lost while a batch is written over the room: any of its parts may be there.
TEST(WalRoom, half_a_batch_in_the_room_is_cut_off) {
  const TempFolder folder;
  ASSERT_TRUE([&] {
    auto wal = open(folder.path());
    return wal->wait_durable(wal->append(StoreId::kLogs, 1, "whole")).ok();
  }());
  const fs::path file = only_file(folder.path());
  const std::string whole = read_whole(file).value();
  std::string batch;
  {
    const TempFolder other;
    {
      auto wal = open(other.path());
      wal->append(StoreId::kLogs, 1, "first");
      const std::string long_one(1000, 'y');
      ASSERT_TRUE(wal->wait_durable(wal->append(StoreId::kLogs, 1, long_one)).ok());
    }
    batch = read_whole(only_file(other.path())).value().substr(16 + 30);
  }
  for (const std::size_t from : {std::size_t{0}, std::size_t{40}, std::size_t{500}}) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{24}, std::size_t{25}, std::size_t{400}}) {
      std::string torn = whole + std::string(4096, '\0');
      torn.replace(whole.size() + from, size, batch, from, size);
      std::ofstream(file, std::ios::binary) << torn;
      auto wal = open(folder.path());
      EXPECT_EQ(payloads(*wal), std::vector<std::string>{"whole"}) << from << ' ' << size;
      EXPECT_EQ(wal->stats().torn_tails, 1u) << from << ' ' << size;
      EXPECT_EQ(fs::file_size(file), whole.size());
    }
  }
}

TEST(WalRoom, relaxed_and_large_writes_reserve_none) {
  const TempFolder folder;
  auto wal = open(folder.path());
  ASSERT_TRUE(wal->wait_durable(wal->append(StoreId::kLogs, 1, std::string(100'000, 'x'))).ok());
  EXPECT_EQ(fs::file_size(only_file(folder.path())), 16u + 25 + 100'000);
  const TempFolder relaxed;
  auto other = open(relaxed.path(), {.folder = {}, .durability = Durability::kRelaxed});
  ASSERT_TRUE(other->wait_durable(other->append(StoreId::kLogs, 1, "x")).ok());
  EXPECT_EQ(fs::file_size(only_file(relaxed.path())), 16u + 26);
}

}  // namespace
}  // namespace fog
