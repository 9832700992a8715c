// kill -9 at every step of sealing and merging: a child process writes, seals, merges and deletes, and ends
// itself at the n-th sync point, for every n. What it had been told is durable must be there exactly once.
#include <signal.h>
#include <sys/wait.h>

#include <array>
#include <cstring>
#include <set>

#include "storage/segments/sync_point.h"
#include "tests/storage/segments/harness.h"

namespace fog {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kStart = 1787184000000;
constexpr std::size_t kNameMax = 32;

// In the child: how many sync points are still to pass, and where to say what happened.
std::atomic<int> points_left{0};
int report_fd = -1;

void die_at(const char* name) {
  if (points_left.fetch_sub(1) != 1) return;
  std::array<char, kNameMax> text{};
  std::strncpy(text.data(), name, text.size() - 1);
  const std::int64_t mark = -1;
  if (::write(report_fd, &mark, sizeof mark) == sizeof mark && ::write(report_fd, text.data(), text.size()) > 0)
    ::kill(::getpid(), SIGKILL);
}

LogStoreOptions small_blocks() {
  LogStoreOptions options;
  options.threads = 0;
  options.block_events_max = 16;
  return options;
}

void put(testing::OpenLogStore& logs, std::int64_t first, std::int64_t n) {
  std::vector<std::string> texts;
  std::vector<LogEventIn> events;
  for (std::int64_t i = first; i < first + n; ++i) texts.push_back("{\"n\":" + std::to_string(i) + "}");
  // Every other batch crosses midnight, so that one seal writes two segments.
  for (std::int64_t i = 0; i < n; ++i)
    events.push_back({kStart + (i % 2) * 86'400'000 + first + i, texts[static_cast<std::size_t>(i)]});
  const auto appended = logs.store->append({1, 10, kStart, events, {}});
  if (!appended.ok() || !logs.wal->wait_durable(appended->lsn).ok()) ::_exit(3);
  const std::int64_t acknowledged = first + n;
  if (::write(report_fd, &acknowledged, sizeof acknowledged) != sizeof acknowledged) ::_exit(3);
}

// Eight rounds of writing and sealing, with merges between.
void work(const fs::path& folder) {
  auto logs = testing::open_logs(folder, small_blocks());
  std::int64_t next = 0;
  for (int round = 0; round < 8; ++round) {
    put(logs, next, 6);
    next += 6;
    if (!logs->flush().ok()) ::_exit(3);
    put(logs, next, 2);
    next += 2;
    const auto merged = logs->merge();
    if (!merged.ok()) ::_exit(3);
  }
  while (*logs->merge()) {
  }
}

struct Outcome {
  std::int64_t acknowledged = 0;
  std::string died_at;  // empty: ran to its end
};

Outcome run_child(const fs::path& folder, int points) {
  int pipes[2];
  if (::pipe(pipes) != 0) return {};
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipes[0]);
    report_fd = pipes[1];
    points_left = points;
    segments::sync_point_hook = die_at;
    work(folder);
    segments::sync_point_hook = nullptr;
    ::_exit(0);
  }
  ::close(pipes[1]);
  Outcome outcome;
  std::int64_t number = 0;
  while (::read(pipes[0], &number, sizeof number) == sizeof number) {
    if (number >= 0) {
      outcome.acknowledged = number;
      continue;
    }
    std::array<char, kNameMax> text{};
    if (::read(pipes[0], text.data(), text.size()) > 0) outcome.died_at = text.data();
  }
  ::close(pipes[0]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(outcome.died_at.empty() ? WIFEXITED(status) && WEXITSTATUS(status) == 0 : WIFSIGNALED(status)) << status;
  return outcome;
}

TEST(LogKill, at_every_step_of_sealing_and_merging_nothing_is_lost_or_doubled) {
  const auto folder = testing::fresh_folder("logkill");
  std::set<std::string> seen;
  int points = 1;
  for (;; ++points) {
    fs::remove_all(folder);
    fs::create_directories(folder);
    const Outcome outcome = run_child(folder, points);
    if (outcome.died_at.empty()) break;
    seen.insert(outcome.died_at);
    const std::string where = outcome.died_at + ", point " + std::to_string(points);
    auto logs = testing::open_logs(folder, small_blocks());
    LogScanSpec spec;
    spec.groups = {1};
    // read_group fails the test for an event that comes twice under one number; numbers by message here.
    std::map<std::string, int> times;
    for (const auto& entry : testing::read_group(*logs.store, spec)) ++times[entry.second.message];
    for (const auto& [message, n] : times) EXPECT_EQ(n, 1) << message << " twice after " << where;
    for (std::int64_t i = 0; i < outcome.acknowledged; ++i)
      EXPECT_EQ(times.count("{\"n\":" + std::to_string(i) + "}"), 1u) << i << " is gone after " << where;
    EXPECT_LE(times.size(), static_cast<std::size_t>(outcome.acknowledged) + 6) << where;
    EXPECT_EQ(logs->health().damaged_blocks + logs->health().damaged_files, 0u) << where;
    const auto report = check_log_folder(folder / "logs");
    ASSERT_TRUE(report.ok());
    EXPECT_TRUE(report->findings.empty()) << report->findings.front() << " after " << where;
    // It goes on from there.
    EXPECT_TRUE(logs->flush().ok());
    EXPECT_TRUE(logs->merge().ok());
    ASSERT_FALSE(HasFailure()) << where;
  }
  EXPECT_GT(points, 100);
  const std::set<std::string> all = {"encoded",      "file created",  "file written", "file synced", "file renamed",
                                     "folder synced", "sealed",        "joined",       "merged",      "file deleted"};
  EXPECT_EQ(seen, all);
  fs::remove_all(folder);
}

// Sealing and merging on their own threads, beside the writer, and a kill at some moment: several lives of one
// folder, each of which must find all that the ones before were told.
TEST(LogKill, at_any_moment_of_background_work_nothing_is_lost_or_doubled) {
  const auto folder = testing::fresh_folder("logkillany");
  LogStoreOptions options = small_blocks();
  options.threads = 1;
  std::int64_t next = 0;
  std::uint64_t merges = 0;
  for (int life = 0; life < 12; ++life) {
    int pipes[2];
    ASSERT_EQ(::pipe(pipes), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(pipes[0]);
      report_fd = pipes[1];
      auto logs = testing::open_logs(folder, options);
      for (;; next += 8) {
        put(logs, next, 8);
        logs->maintain();
      }
    }
    ::close(pipes[1]);
    std::int64_t acknowledged = next;
    std::int64_t number = 0;
    // Killed after so many batches, a little later each time; what was told meanwhile is in the pipe.
    for (int batch = 0; batch < 40 + life * 7; ++batch)
      if (::read(pipes[0], &number, sizeof number) == sizeof number) acknowledged = number;
    ::kill(child, SIGKILL);
    while (::read(pipes[0], &number, sizeof number) == sizeof number) acknowledged = number;
    ::close(pipes[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << status;

    auto logs = testing::open_logs(folder, small_blocks());
    LogScanSpec spec;
    spec.groups = {1};
    std::map<std::string, int> times;
    for (const auto& entry : testing::read_group(*logs.store, spec)) ++times[entry.second.message];
    for (const auto& [message, n] : times) ASSERT_EQ(n, 1) << message << " twice in life " << life;
    for (std::int64_t i = 0; i < acknowledged; ++i)
      ASSERT_EQ(times.count("{\"n\":" + std::to_string(i) + "}"), 1u) << i << " is gone in life " << life;
    ASSERT_EQ(logs->health().damaged_blocks + logs->health().damaged_files, 0u) << life;
    const auto report = check_log_folder(folder / "logs");
    ASSERT_TRUE(report.ok());
    ASSERT_TRUE(report->findings.empty()) << report->findings.front() << " in life " << life;
    // What was written and not told may be there: the next life goes on behind it.
    next = static_cast<std::int64_t>(times.size());
    ASSERT_LE(next, acknowledged + 8);
    while (*logs->merge()) ++merges;
  }
  EXPECT_GT(next, 12 * 40 * 8 - 1);
  EXPECT_GT(merges, 0u);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace fog
