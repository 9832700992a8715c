// Spool: order, bound, restart, torn and damaged files; the same random history against a deque.
#include "storage/spool/spool.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "tests/storage/temp_folder.h"

namespace fog {
namespace {

namespace fs = std::filesystem;

std::unique_ptr<Spool> open(const fs::path& folder, std::size_t bytes_max = 1 << 20, std::size_t file_max = 256) {
  auto spool = Spool::open({.folder = folder, .bytes_max = bytes_max, .file_bytes_max = file_max});
  EXPECT_TRUE(spool.ok());
  return std::move(spool).value();
}

TEST(Spool, GivesBackInOrderAlsoAfterReopening) {
  const testing::TempFolder temp;
  auto spool = open(temp.path());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(spool->push("record " + std::to_string(i)).ok());
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(spool->front(), "record " + std::to_string(i));
    spool->pop();
  }
  ASSERT_TRUE(spool->sync().ok());
  spool = open(temp.path());
  EXPECT_EQ(spool->records(), 60u);
  for (int i = 40; i < 100; ++i) {
    ASSERT_EQ(spool->front(), "record " + std::to_string(i));
    spool->pop();
  }
  EXPECT_EQ(spool->front(), std::nullopt);
  EXPECT_EQ(spool->bytes(), 0u);
}

TEST(Spool, TheOldestGiveWayPastTheBound) {
  for (const bool memory : {true, false}) {
    const testing::TempFolder temp;
    auto spool = open(memory ? fs::path() : temp.path(), 1000);
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(spool->push(std::string(90, static_cast<char>('0' + i % 10))).ok());
    EXPECT_LE(spool->bytes(), 1000u);
    EXPECT_EQ(spool->records() + spool->dropped(), 100u);
    EXPECT_FALSE(spool->push(std::string(1001, 'x')).ok());
    std::optional<std::string> last;
    while (auto record = spool->front()) {
      last = record;
      spool->pop();
    }
    EXPECT_EQ(last, std::string(90, '9'));
  }
}

TEST(Spool, ATornTailCostsItsRecordOnly) {
  const testing::TempFolder temp;
  auto spool = open(temp.path(), 1 << 20, 1 << 20);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(spool->push("record " + std::to_string(i)).ok());
  spool.reset();
  for (const auto& entry : fs::directory_iterator(temp.path()))
    if (entry.path().extension() == ".spool") fs::resize_file(entry.path(), fs::file_size(entry.path()) - 2);
  spool = open(temp.path(), 1 << 20, 1 << 20);
  EXPECT_EQ(spool->records(), 2u);
  EXPECT_EQ(spool->dropped(), 1u);
  ASSERT_TRUE(spool->push("record 3").ok());
  for (const char* wanted : {"record 0", "record 1", "record 3"}) {
    EXPECT_EQ(spool->front(), wanted);
    spool->pop();
  }
}

TEST(Spool, ADamagedFileCostsItselfOnly) {
  const testing::TempFolder temp;
  auto spool = open(temp.path());
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(spool->push("record " + std::to_string(i)).ok());
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(temp.path()))
    if (entry.path().extension() == ".spool") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  ASSERT_GT(files.size(), 2u);
  {
    std::fstream file(files[1], std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(20);
    file.put('!');
  }
  for (const bool again : {false, true}) {
    if (again) spool = open(temp.path());
    int last = -1;
    while (auto record = spool->front()) {
      const int number = std::stoi(record->substr(7));
      EXPECT_GT(number, last);
      last = number;
      spool->pop();
    }
    if (again) continue;
    EXPECT_EQ(last, 59);
    EXPECT_GT(spool->dropped(), 0u);
  }
}

TEST(Spool, ARandomHistoryIsThatOfAQueue) {
  const testing::TempFolder temp;
  std::mt19937 random(7);
  std::deque<std::string> model;
  auto spool = open(temp.path());
  for (int step = 0; step < 3000; ++step) {
    switch (random() % 5) {
      case 0: case 1: {
        std::string record(1 + random() % 60, static_cast<char>(random()));
        ASSERT_TRUE(spool->push(record).ok());
        model.push_back(std::move(record));
        break;
      }
      case 2: case 3:
        ASSERT_EQ(spool->front(), model.empty() ? std::nullopt : std::optional(model.front()));
        spool->pop();
        if (!model.empty()) model.pop_front();
        break;
      default:
        if (random() % 20 == 0) {
          spool.reset();
          spool = open(temp.path());
        }
    }
    ASSERT_EQ(spool->records(), model.size());
  }
}

}  // namespace
}  // namespace fog
