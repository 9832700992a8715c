// What recovery makes of the log of writes: damage in it, heads that were never sealed, and how short it stays.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <random>
#include <thread>

#include "storage/segments/sync_point.h"
#include "tests/storage/segments/harness.h"

namespace fog {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kStart = 1787184000000;

LogStoreOptions options(std::size_t threads) {
  LogStoreOptions options;
  options.threads = threads;
  options.block_events_max = 32;
  return options;
}

Lsn put(LogStore& store, LogGroupId group, int first, int n) {
  std::vector<std::string> texts;
  for (int i = first; i < first + n; ++i)
    texts.push_back("{\"n\":" + std::to_string(i) + ",\"id\":\"request-" + std::to_string(i * 7919) + "\"}");
  std::vector<LogEventIn> events;
  for (int i = 0; i < n; ++i) events.push_back({kStart + (first + i) * 10, texts[static_cast<std::size_t>(i)]});
  const auto appended = store.append({group, 10, kStart + 500, events, {}});
  EXPECT_TRUE(appended.ok());
  return appended.ok() ? appended->lsn : 0;
}

testing::ModelGroup read(LogStore& store, LogGroupId group) {
  LogScanSpec spec;
  spec.groups = {group};
  return testing::read_group(store, spec);
}

std::vector<fs::path> wal_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder / "wal"))
    if (entry.path().extension() == ".wal") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

template <typename Condition>
bool within_seconds(int seconds, Condition&& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

// One byte flipped anywhere in the log of writes, or the log cut anywhere: it opens, a flip costs the batch it
// touched (and what it cuts off, if it looks like the end), and nothing is shown wrong or twice.
TEST(LogReplay, damage_in_the_log_of_writes_costs_its_batch_only) {
  const auto folder = testing::fresh_folder("logreplay");
  const auto copy = fs::path(folder.string() + ".copy");
  constexpr int kBatches = 12;
  constexpr int kEach = 5;
  testing::ModelGroup whole;
  {
    auto logs = testing::open_logs(folder, options(0));
    for (int i = 0; i < kBatches; ++i) put(*logs.store, 1, i * kEach, kEach);
    whole = read(*logs.store, 1);
    ASSERT_EQ(whole.size(), static_cast<std::size_t>(kBatches * kEach));
  }
  ASSERT_EQ(wal_files(folder).size(), 1u);
  const auto size = static_cast<std::size_t>(fs::file_size(wal_files(folder).front()));
  std::mt19937_64 random(11);
  for (int round = 0; round < 200; ++round) {
    fs::remove_all(copy);
    fs::copy(folder, copy, fs::copy_options::recursive);
    const fs::path victim = wal_files(copy).front();
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
    const std::string what = (cut ? "cut at " : "flipped at ") + std::to_string(at) + " of " + std::to_string(size);
    auto logs = testing::open_logs(copy, options(0));
    const testing::ModelGroup left = read(*logs.store, 1);
    if (!cut) {
      EXPECT_GE(left.size(), whole.size() - kEach) << what;
    }
    EXPECT_EQ(left.size() % kEach, 0u) << "half a batch: " << what;
    for (const auto& [key, event] : left) {
      const auto it = whole.find(key);
      ASSERT_TRUE(it != whole.end() && it->second == event) << "wrong event shown: " << what;
    }
    if (left.size() < whole.size() && !cut) {
      EXPECT_GT(logs.wal->stats().damaged_bytes + logs.wal->stats().torn_tails, 0u) << what;
    }
    // New events go on behind it, and stay once sealed and opened again.
    put(*logs.store, 1, 1000, 3);
    EXPECT_TRUE(logs->flush().ok()) << what;
    EXPECT_EQ(read(*logs.store, 1).size(), left.size() + 3) << what;
    logs = {};
    logs = testing::open_logs(copy, options(0));
    EXPECT_EQ(read(*logs.store, 1).size(), left.size() + 3) << what;
  }
  fs::remove_all(folder);
  fs::remove_all(copy);
}

// Full heads come back unsealed: they answer at once, are sealed in the background, and another kill at any
// moment of that loses and doubles nothing.
TEST(LogReplay, heads_that_were_never_sealed_are_sealed_in_the_background) {
  const auto folder = testing::fresh_folder("logunsealed");
  const auto copy = fs::path(folder.string() + ".copy");
  constexpr int kTotal = 32 * 20 + 7;
  testing::ModelGroup whole;
  {
    // Sealing is on, but waits until the folder has been copied.
    static std::atomic<bool> stop{true};
    segments::sync_point_hook = [](const char* name) {
      while (std::string_view(name) == "encoded" && stop) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    };
    auto logs = testing::open_logs(folder, options(1));
    for (int i = 0; i < kTotal; i += 3) put(*logs.store, 1, i, std::min(3, kTotal - i));
    whole = read(*logs.store, 1);
    ASSERT_EQ(whole.size(), static_cast<std::size_t>(kTotal)) << "a frozen head did not answer";
    ASSERT_TRUE(logs.wal->wait_durable(logs.wal->last_lsn()).ok());
    fs::copy(folder, copy, fs::copy_options::recursive);
    stop = false;
    logs = {};
    segments::sync_point_hook = nullptr;
  }
  for (int kill = 0; kill < 6; ++kill) {
    auto logs = testing::open_logs(copy, options(1));
    EXPECT_EQ(read(*logs.store, 1), whole) << "kill " << kill;
    EXPECT_EQ(logs->group_stats(1).events, static_cast<std::uint64_t>(kTotal)) << "kill " << kill;
    if (kill == 3) {
      // Up to here at least one round has sealed something; let this one finish.
      EXPECT_TRUE(within_seconds(20, [&] { return logs->health().head_events < 32; })) << logs->health().head_events;
      EXPECT_EQ(read(*logs.store, 1), whole);
    }
    const auto next = fs::path(folder.string() + ".next");
    fs::remove_all(next);
    // Files come and go while it is copied, as at a kill; the log is copied first, as the disk would have it.
    // A manifest that changed meanwhile may name files that the copy came too early for: no disk ever looked so.
    const auto manifest = [&] {
      std::ifstream in(copy / "logs" / "1" / "MANIFEST", std::ios::binary);
      return std::string(std::istreambuf_iterator<char>(in), {});
    };
    bool is_copied = false;
    for (int attempt = 0; attempt < 500 && !is_copied; ++attempt) {
      std::error_code error;
      fs::remove_all(next);
      fs::create_directories(next);
      const std::string before = manifest();
      fs::copy(copy / "wal", next / "wal", fs::copy_options::recursive, error);
      if (error) continue;
      fs::copy(copy / "logs", next / "logs", fs::copy_options::recursive, error);
      is_copied = !error && manifest() == before;
    }
    ASSERT_TRUE(is_copied);
    logs = {};
    fs::remove_all(copy);
    fs::rename(next, copy);
  }
  {
    auto logs = testing::open_logs(copy, options(1));
    EXPECT_EQ(read(*logs.store, 1), whole);
    EXPECT_TRUE(logs->flush().ok());
    EXPECT_EQ(read(*logs.store, 1), whole);
  }
  fs::remove_all(folder);
  fs::remove_all(copy);
}

// One event of a quiet group must not keep the log of writes of a busy one for ever.
TEST(LogReplay, a_small_quiet_head_does_not_hold_the_log_of_writes_back) {
  const auto folder = testing::fresh_folder("logquiet");
  LogStoreOptions large;
  large.threads = 1;
  auto logs = testing::open_logs(folder, large);
  put(*logs.store, 2, 0, 1);
  const std::string text(1u << 20, 'x');
  const std::vector<LogEventIn> events(8, LogEventIn{kStart, text});
  const auto bytes = [&] {
    std::uint64_t sum = 0;
    for (const fs::path& file : wal_files(folder)) {
      std::error_code gone;
      const auto size = fs::file_size(file, gone);
      if (!gone) sum += size;
    }
    return sum;
  };
  std::uint64_t highest = 0;
  for (int i = 0; i < 48; ++i) {  // 384 MiB
    const auto appended = logs->append({1, 10, kStart, events, {}});
    ASSERT_TRUE(appended.ok());
    ASSERT_TRUE(logs.wal->wait_durable(appended->lsn).ok());
    logs->maintain();
    highest = std::max(highest, bytes());
  }
  EXPECT_TRUE(within_seconds(20, [&] {
    logs->maintain();
    return bytes() < (170u << 20);
  })) << bytes();
  EXPECT_LT(highest, 320u << 20);
  EXPECT_EQ(read(*logs.store, 2).size(), 1u);
  logs = {};
  fs::remove_all(folder);
}

}  // namespace
}  // namespace fog
