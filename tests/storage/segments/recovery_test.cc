// Crashes and damage: copies of the folder taken at any moment, cut files, flipped bytes.
#include <algorithm>
#include <fstream>
#include <random>

#include "storage/segments/segment_file.h"
#include "tests/storage/segments/harness.h"

namespace fog {
namespace {

namespace fs = std::filesystem;

LogStoreOptions small_blocks() {
  LogStoreOptions options;
  options.threads = 0;
  options.block_events_max = 32;
  return options;
}

Lsn put(LogStore& store, LogGroupId group, LogStreamId stream, int first, int n) {
  std::vector<std::string> texts;
  for (int i = first; i < first + n; ++i)
    texts.push_back("{\"n\":" + std::to_string(i) + ",\"id\":\"request-" + std::to_string(i * 7919) + "\"}");
  std::vector<LogEventIn> events;
  for (int i = 0; i < n; ++i) events.push_back({1787184000000 + (first + i) * 10, texts[static_cast<std::size_t>(i)]});
  const auto appended = store.append({group, stream, 1787184000500, events, {}});
  EXPECT_TRUE(appended.ok());
  return appended.ok() ? appended->lsn : 0;
}

std::size_t count(LogStore& store, LogGroupId group) {
  LogScanSpec spec;
  spec.groups = {group};
  return testing::read_group(store, spec).size();
}

void copy_folder(const fs::path& from, const fs::path& to) {
  fs::remove_all(to);
  fs::copy(from, to, fs::copy_options::recursive);
}

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

TEST(LogRecovery, every_copy_of_the_folder_holds_what_was_durable_then) {
  const auto folder = testing::fresh_folder("logcrash");
  const auto copy = folder.string() + ".copy";
  int total = 0;
  auto logs = testing::open_logs(folder, small_blocks());
  // After every step, a kill: the folder as it is must open to exactly what was put.
  const auto check = [&](const char* step) {
    ASSERT_TRUE(logs.wal->wait_durable(logs.wal->last_lsn()).ok());
    copy_folder(folder, copy);
    auto after = testing::open_logs(copy, small_blocks());
    EXPECT_EQ(count(*after.store, 1), static_cast<std::size_t>(total)) << step;
    EXPECT_EQ(after->health().events_lost, 0u) << step;
    EXPECT_EQ(after->group_stats(1).events, static_cast<std::uint64_t>(total)) << step;
    // And it can be written and sealed again, without giving a number twice.
    put(*after.store, 1, 10, 5000, 5);
    EXPECT_TRUE(after->flush().ok());
    EXPECT_EQ(count(*after.store, 1), static_cast<std::size_t>(total + 5)) << step;
  };
  for (int round = 0; round < 10; ++round) {
    put(*logs.store, 1, 10, total, 25);
    total += 25;
    check("after append");
    if (round % 2 == 1) {
      ASSERT_TRUE(logs->flush().ok());
      check("after sealing");
    }
    if (round == 8) {
      // A segment that was written and renamed, but whose manifest never came.
      const auto group = folder / "logs" / "1";
      for (const auto& file : files_below(group)) {
        if (segments::segment_id(file.filename().string()) == 0) continue;
        fs::copy_file(file, group / segments::segment_name(0xffff));
        std::ofstream(group / "00000abc.seg.tmp") << "half";
        break;
      }
      check("with leftovers");
    }
  }
  for (int i = 0; i < 12; ++i) {
    put(*logs.store, 1, 10, total, 3);
    total += 3;
    ASSERT_TRUE(logs->flush().ok());
  }
  while (*logs->merge()) check("after merging");
  logs = {};
  fs::remove_all(folder);
  fs::remove_all(copy);
}

TEST(LogRecovery, a_dropped_group_and_stream_stay_dropped) {
  const auto folder = testing::fresh_folder("logdrop");
  {
    auto logs = testing::open_logs(folder, small_blocks());
    put(*logs.store, 1, 10, 0, 50);
    put(*logs.store, 1, 11, 0, 50);
    put(*logs.store, 2, 20, 0, 50);
    ASSERT_TRUE(logs->flush().ok());
    put(*logs.store, 2, 20, 50, 5);
    ASSERT_TRUE(logs->drop_stream(1, 10).ok());
    ASSERT_TRUE(logs->drop_group(2).ok());
    EXPECT_EQ(logs->append({2, 20, 0, {}, {}}).error().kind(), ErrorKind::kNotFound);
    EXPECT_EQ(logs->append({1, 10, 0, {}, {}}).error().kind(), ErrorKind::kNotFound);
    EXPECT_FALSE(fs::exists(folder / "logs" / "2" / "MANIFEST"));
  }
  auto logs = testing::open_logs(folder, small_blocks());
  EXPECT_EQ(count(*logs.store, 1), 50u);
  EXPECT_EQ(count(*logs.store, 2), 0u);
  EXPECT_EQ(logs->group_stats(1).events, 50u);
  EXPECT_FALSE(logs->stream_stats(1, 10).has_value());
  logs = {};
  fs::remove_all(folder);
}

// Deletions are in no segment: a damaged manifest must not bring back what was deleted.
TEST(LogRecovery, what_was_deleted_stays_deleted_when_the_manifest_is_damaged) {
  const auto folder = testing::fresh_folder("logdeleted");
  {
    auto logs = testing::open_logs(folder, small_blocks());
    put(*logs.store, 1, 10, 0, 50);
    put(*logs.store, 1, 11, 50, 50);
    ASSERT_TRUE(logs->flush().ok());
    ASSERT_TRUE(logs->drop_stream(1, 10).ok());
    ASSERT_TRUE(logs->delete_before(1, 1787184000000 + 60 * 10).ok());  // ten of stream 11
    ASSERT_TRUE(logs->flush().ok());
    put(*logs.store, 1, 11, 100, 5);
    ASSERT_TRUE(logs->flush().ok());
    ASSERT_EQ(count(*logs.store, 1), 45u);
  }
  const auto manifest = folder / "logs" / "1" / "MANIFEST";
  fs::resize_file(manifest, fs::file_size(manifest) - 1);
  for (int i = 0; i < 2; ++i) {  // and at the next opening
    auto logs = testing::open_logs(folder, small_blocks());
    EXPECT_EQ(count(*logs.store, 1), 45u);
    EXPECT_EQ(logs->group_stats(1).events, 45u);
    EXPECT_FALSE(logs->stream_stats(1, 10).has_value());
    EXPECT_EQ(logs->health().damaged_files, i == 0 ? 1u : 0u);
  }
  const auto report = check_log_folder(folder / "logs");
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->findings.empty()) << report->findings.front();
  fs::remove_all(folder);
}

TEST(LogRecovery, a_reader_keeps_what_is_deleted_meanwhile) {
  const auto folder = testing::fresh_folder("logheld");
  auto logs = testing::open_logs(folder, small_blocks());
  put(*logs.store, 1, 10, 0, 30);
  ASSERT_TRUE(logs->flush().ok());
  LogScanSpec spec;
  spec.groups = {1};
  auto snapshot = logs->snapshot(spec);
  ASSERT_TRUE(logs->drop_group(1).ok());
  std::size_t rows = 0;
  for (auto& block : snapshot->blocks) {
    const auto messages = block->messages(RowSet(block->rows(), true));
    ASSERT_TRUE(messages.ok()) << messages.error().message();
    rows += (*messages)->rows;
  }
  EXPECT_EQ(rows, 30u);
  snapshot->blocks.clear();
  EXPECT_EQ(files_below(folder / "logs").size(), 0u);
  logs = {};
  fs::remove_all(folder);
}

// Flips one byte anywhere, or cuts a file anywhere: opening works, other blocks answer, nothing wrong
// is ever shown.
TEST(LogRecovery, damage_costs_its_block_only) {
  const auto folder = testing::fresh_folder("logdamage");
  const auto copy = fs::path(folder.string() + ".copy");
  constexpr std::size_t kTotal = 4 * 30;
  testing::ModelGroup whole;
  LogScanSpec spec;
  spec.groups = {1};
  {
    auto logs = testing::open_logs(folder, small_blocks());
    for (int i = 0; i < 4; ++i) {
      put(*logs.store, 1, 10, i * 30, 30);
      ASSERT_TRUE(logs->flush().ok());
    }
    whole = testing::read_group(*logs.store, spec);
    ASSERT_EQ(whole.size(), kTotal);
  }
  std::mt19937_64 random(7);
  std::size_t complete = 0;
  for (int round = 0; round < 150; ++round) {
    copy_folder(folder, copy);
    const std::vector<fs::path> files = files_below(copy / "logs");
    const fs::path victim = files[random() % files.size()];
    const auto size = static_cast<std::size_t>(fs::file_size(victim));
    const std::size_t at = random() % size;
    const bool cut = round % 5 == 0;
    if (cut) {
      fs::resize_file(victim, at);
    } else {
      std::fstream file(victim, std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(static_cast<std::streamoff>(at));
      const auto old = static_cast<char>(file.get());
      file.seekp(static_cast<std::streamoff>(at));
      file.put(static_cast<char>(old ^ static_cast<char>(1 << random() % 8)));
    }
    const std::string what = victim.filename().string() + (cut ? " cut at " : " flipped at ") + std::to_string(at);
    const auto report = check_log_folder(copy / "logs");
    ASSERT_TRUE(report.ok()) << what;
    EXPECT_FALSE(report->findings.empty()) << "check saw nothing: " << what;
    auto logs = testing::open_logs(copy, small_blocks());
    const testing::ModelGroup left = testing::read_group(*logs.store, spec);
    EXPECT_GE(left.size(), kTotal - 30) << what;
    complete += left.size() == kTotal ? 1 : 0;
    for (const auto& [key, event] : left) {
      const auto it = whole.find(key);
      ASSERT_TRUE(it != whole.end() && it->second == event) << "wrong event shown: " << what;
    }
    // Merging passes over it, and new events are taken.
    EXPECT_TRUE(logs->merge().ok()) << what;
    put(*logs.store, 1, 10, 1000, 3);
    EXPECT_TRUE(logs->flush().ok()) << what;
    if (left.size() < kTotal) {
      EXPECT_GT(logs->health().damaged_blocks + logs->health().damaged_files, 0u) << what;
    }
  }
  EXPECT_GT(complete, 0u);
  fs::remove_all(folder);
  fs::remove_all(copy);
}

}  // namespace
}  // namespace fog
