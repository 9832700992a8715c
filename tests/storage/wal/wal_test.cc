// The write-ahead log: what was durable is replayed, in order, once; damage costs what it touched.
#include "storage/wal/wal.h"

#include "storage/wal/file.h"
#include "tests/storage/temp_folder.h"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <random>
#include <thread>

namespace fog {
namespace {

using testing::TempFolder;
namespace fs = std::filesystem;

struct Seen {
  StoreId store;
  std::uint64_t id;
  Lsn lsn;
  std::string payload;
  bool operator==(const Seen&) const = default;
};

std::unique_ptr<Wal> open(const TempFolder& folder, Wal::Options options = {}) {
  options.folder = folder.path();
  auto wal = Wal::open(options);
  EXPECT_TRUE(wal.ok());
  return std::move(wal).value();
}

std::vector<Seen> replay(Wal& wal) {
  std::vector<Seen> seen;
  EXPECT_TRUE(wal.replay([&](const Wal::Record& r) {
                   seen.push_back({r.store, r.id, r.lsn, std::string(r.payload)});
                 })
                  .ok());
  return seen;
}

std::vector<fs::path> files(const TempFolder& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder.path())) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

// A log of `n` records with payloads "record-<i>", closed again.
std::vector<Seen> write_records(const TempFolder& folder, int n, Wal::Options options = {}) {
  auto wal = open(folder, options);
  std::vector<Seen> written;
  for (int i = 0; i < n; ++i) {
    const std::string payload = "record-" + std::to_string(i);
    const auto store = static_cast<StoreId>(1 + i % 3);
    const auto id = static_cast<std::uint64_t>(i * 7);
    const Lsn lsn = wal->append(store, id, payload);
    EXPECT_TRUE(wal->wait_durable(lsn).ok());
    written.push_back({store, id, lsn, payload});
  }
  return written;
}

TEST(Wal, replays_what_was_written_in_order) {
  const TempFolder folder;
  const auto written = write_records(folder, 50);
  auto wal = open(folder);
  EXPECT_EQ(replay(*wal), written);
  EXPECT_EQ(wal->last_lsn(), written.back().lsn);
  EXPECT_EQ(wal->stats().records_replayed, 50u);
}

TEST(Wal, goes_on_with_growing_lsns_after_reopening) {
  const TempFolder folder;
  auto expected = write_records(folder, 5);
  const auto more = write_records(folder, 5);
  expected.insert(expected.end(), more.begin(), more.end());
  EXPECT_GT(more.front().lsn, 5u + 1'000'000) << "numbers that a crash may have eaten are not given out again";
  auto wal = open(folder);
  EXPECT_EQ(replay(*wal), expected);
}

TEST(Wal, tells_waiters_from_many_threads) {
  const TempFolder folder;
  auto wal = open(folder);
  std::atomic<int> told{0};
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t)
    writers.emplace_back([&] {
      for (int i = 0; i < 500; ++i)
        wal->when_durable(wal->append(StoreId::kLogs, 1, "x"),
                          [&](bool ok) { told += ok ? 1 : 0; });
    });
  for (auto& writer : writers) writer.join();
  EXPECT_TRUE(wal->wait_durable(wal->last_lsn()).ok());
  wal.reset();
  EXPECT_EQ(told, 2000);
}

TEST(Wal, cuts_a_torn_tail_at_every_length) {
  const TempFolder folder;
  const auto written = write_records(folder, 3);
  const fs::path file = files(folder).front();
  const auto whole = read_whole(file).value();
  const std::size_t record = 25 + written.back().payload.size();
  for (std::size_t cut = 1; cut < record; ++cut) {
    const TempFolder copy;
    std::ofstream(copy.path() / file.filename()) << whole.substr(0, whole.size() - cut);
    auto wal = open(copy);
    EXPECT_EQ(replay(*wal).size(), 2u) << cut;
    EXPECT_EQ(wal->stats().torn_tails, 1u) << cut;
    // The lost LSN was never acknowledged; the next record takes it and is found again.
    EXPECT_TRUE(wal->wait_durable(wal->append(StoreId::kLogs, 9, "after")).ok());
    wal = open(copy);
    EXPECT_EQ(replay(*wal).size(), 3u) << cut;
  }
}

TEST(Wal, loses_only_the_record_that_a_flipped_byte_touched) {
  const TempFolder folder;
  const auto written = write_records(folder, 20);
  const fs::path file = files(folder).front();
  const auto whole = read_whole(file).value();
  for (std::size_t at = 16; at < whole.size(); ++at) {
    const TempFolder copy;
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    std::ofstream(copy.path() / file.filename()) << damaged;
    auto wal = open(copy);
    const auto seen = replay(*wal);
    EXPECT_EQ(seen.size(), 19u) << at;
    for (const Seen& one : seen) EXPECT_EQ(one, written.at(one.lsn - 1));
    EXPECT_GT(wal->stats().damaged_bytes + wal->stats().torn_tails, 0u);
  }
}

TEST(Wal, deletes_files_below_the_lowest_applied_lsn) {
  const TempFolder folder;
  write_records(folder, 60, {.folder = {}, .file_bytes_max = 200});
  auto wal = open(folder);
  ASSERT_EQ(replay(*wal).size(), 60u);
  const std::size_t before = files(folder).size();
  ASSERT_GT(before, 5u);
  wal->set_applied(StoreId::kLogs, 60);
  wal->set_applied(StoreId::kMetrics, 60);
  EXPECT_EQ(files(folder).size(), before) << "traces have not spoken yet";
  wal->set_applied(StoreId::kTraces, 30);
  const std::size_t after = files(folder).size();
  EXPECT_LT(after, before);
  wal = open(folder);
  const auto seen = replay(*wal);
  EXPECT_LE(seen.front().lsn, 31u);
  EXPECT_EQ(seen.back().lsn, 60u);
}

TEST(Wal, an_idle_store_does_not_hold_files_back) {
  const TempFolder folder;
  auto wal = open(folder, {.folder = {}, .file_bytes_max = 200});
  wal->append(StoreId::kTraces, 1, "once");
  wal->set_applied(StoreId::kTraces, 1);
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(wal->wait_durable(wal->append(StoreId::kLogs, 1, "some payload")).ok());
  wal->set_applied(StoreId::kLogs, wal->last_lsn());
  EXPECT_EQ(files(folder).size(), 1u);
}

TEST(Wal, relaxed_survives_reopening_too) {
  const TempFolder folder;
  const auto written =
      write_records(folder, 10, {.folder = {}, .durability = Durability::kRelaxed});
  auto wal = open(folder);
  EXPECT_EQ(replay(*wal), written);
}

TEST(Wal, ephemeral_is_durable_at_once_and_leaves_nothing) {
  const TempFolder folder;
  auto wal = open(folder, {.folder = {}, .durability = Durability::kEphemeral});
  bool told = false;
  wal->when_durable(wal->append(StoreId::kLogs, 1, "x"), [&](bool ok) { told = ok; });
  EXPECT_TRUE(told);
  EXPECT_TRUE(files(folder).empty());
}

TEST(Wal, random_damage_never_yields_a_wrong_record) {
  const TempFolder folder;
  const auto written = write_records(folder, 30);
  const fs::path file = files(folder).front();
  const auto whole = read_whole(file).value();
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    const TempFolder copy;
    std::string damaged = whole;
    for (int i = 0; i < 5; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
    damaged.resize(damaged.size() - random() % 40);
    std::ofstream(copy.path() / file.filename()) << damaged;
    auto wal = open(copy);
    for (const Seen& one : replay(*wal)) EXPECT_EQ(one, written.at(one.lsn - 1));
  }
}

}  // namespace
}  // namespace fog
