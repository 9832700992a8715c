// The disk budget over real stores: the oldest data goes first, from whichever store has it; resources stay.
#include <fmt/format.h>

#include <set>

#include "storage/base/random.h"
#include "storage/budget/disk_budget.h"
#include "tests/storage/power/world.h"
#include "tests/storage/temp_folder.h"

namespace fog::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kTodayMs = 1'787'184'000'000 / kDayMs * kDayMs;

class Budget : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(world.open(folder.path(), Durability::kRelaxed).ok());
    ASSERT_TRUE(world.resources->put({"alarm", "1", "r", "a"}, "kept").ok());
    world.clock.set(from_ms(kTodayMs + kDayMs / 2));
  }
  void put_logs(std::int64_t at_ms, std::size_t n) {
    SeededRandom random(static_cast<std::uint64_t>(at_ms));
    for (std::size_t i = 0; i < n; ++i) {
      const std::string text = random.hex(2000);
      const LogEventIn event{at_ms + static_cast<std::int64_t>(i), text};
      ASSERT_TRUE(world.logs->append({1, 1, at_ms, std::span(&event, 1), {}}).ok());
    }
    ASSERT_TRUE(world.logs->flush().ok());
  }
  void put_metric(std::int64_t at_ms) {
    const double value = 1;
    MetricPoint point;
    point.metric_namespace = "App";
    point.metric_name = "m";
    point.time = from_ms(at_ms);
    point.values = std::span(&value, 1);
    ASSERT_TRUE(world.metrics->put({"1", "r", std::span(&point, 1)}).ok());
    ASSERT_TRUE(world.metrics->flush().ok());
  }
  void put_traces(std::int64_t at_ms, std::size_t n) {
    SeededRandom random(static_cast<std::uint64_t>(at_ms));
    for (std::size_t i = 0; i < n; ++i) {
      const std::string text = fmt::format(R"({{"trace_id":"1-{:08x}-{:024x}","id":"{:016x}","name":"s","start_time":{},"end_time":{},"metadata":{{"a":"{}"}}}})",
                                           at_ms / 1000, i + 1, i + 1, at_ms / 1000, at_ms / 1000, random.hex(2000));
      const std::string_view view = text;
      world.clock.set(from_ms(at_ms + 1000));
      ASSERT_NE(world.traces->append({"1", "r"}, std::span(&view, 1)).lsn, 0u);
    }
    ASSERT_TRUE(world.traces->seal_all().ok());
    world.clock.set(from_ms(kTodayMs + kDayMs / 2));
  }
  std::set<std::int64_t> log_days() {
    LogScanSpec spec;
    spec.groups = {1};
    std::set<std::int64_t> days;
    const auto snapshot = world.logs->snapshot(spec);
    for (const auto& block : snapshot->blocks) days.insert(block->timestamp_min_ms() / kDayMs - kTodayMs / kDayMs);
    return days;
  }
  bool has_metric(std::int64_t at_ms) {
    const auto id = world.metrics->find({"1", "r", "App", "m", {}});
    if (!id) return false;
    const auto columns = world.metrics->read(*id, {.start = from_ms(at_ms), .end = from_ms(at_ms + 60'000), .unit = {}});
    return columns.ok() && !columns->empty() && columns->front().size() > 0;
  }
  bool has_trace(std::int64_t at_ms) {
    return world.traces->documents({"1", "r"}, *traces::parse_trace_id(fmt::format("1-{:08x}-{:024x}", at_ms / 1000, 1))).has_value();
  }
  DiskBudget::Deps deps() {
    return {.folder = folder.path(),
            .stores = {dynamic_cast<OldestFirst*>(world.metrics.get()), dynamic_cast<OldestFirst*>(world.traces.get())},
            .logs = world.logs.get(),
            .groups = [] { return std::vector<LogGroupId>{1}; }};
  }
  std::uint64_t used() {
    DiskBudget meter(deps(), 0, Millis(0));
    meter.tick(world.clock.now());
    return meter.stats().used_bytes;
  }

  TempFolder folder;
  World world;
};

TEST_F(Budget, within_it_nothing_goes) {
  put_logs(kTodayMs - 5 * kDayMs, 100);
  put_traces(kTodayMs - 4 * kDayMs, 20);
  put_metric(kTodayMs - 3 * kDayMs);
  DiskBudget budget(deps(), used() * 2, Millis(0));
  budget.tick(world.clock.now());
  EXPECT_EQ(budget.stats().drops, 0u);
  EXPECT_EQ(log_days(), std::set<std::int64_t>{-5});
  EXPECT_GT(budget.stats().capacity_bytes, budget.stats().free_bytes);
}

TEST_F(Budget, the_oldest_goes_first_whichever_store_has_it) {
  const std::int64_t traces_at = kTodayMs - 9 * kDayMs + 1000;
  const std::int64_t metric_at = kTodayMs - 8 * kDayMs;
  put_traces(traces_at, 200);
  put_metric(metric_at);
  for (const int day : {-7, -5, -3, 0}) put_logs(kTodayMs + day * kDayMs, 200);
  put_traces(kTodayMs - kDayMs + 1000, 200);
  ASSERT_TRUE(has_trace(traces_at));
  ASSERT_TRUE(has_metric(metric_at));
  // Just above: the oldest day of traces is more than enough.
  {
    DiskBudget budget(deps(), used() - 1000, Millis(0));
    budget.tick(world.clock.now());
    EXPECT_EQ(budget.stats().drops, 1u);
    EXPECT_FALSE(has_trace(traces_at));
    EXPECT_TRUE(has_metric(metric_at));
    EXPECT_EQ(log_days(), (std::set<std::int64_t>{-7, -5, -3, 0}));
  }
  // A day of logs takes some 200 kB: the metric and two days go.
  {
    DiskBudget budget(deps(), used() - 300'000, Millis(0));
    budget.tick(world.clock.now());
    EXPECT_LE(budget.stats().used_bytes, budget.stats().budget_bytes);
    EXPECT_FALSE(has_metric(metric_at));
    EXPECT_EQ(log_days(), (std::set<std::int64_t>{-3, 0}));
    EXPECT_TRUE(has_trace(kTodayMs - kDayMs + 1000));
    EXPECT_FALSE(budget.stats().exceeded);
  }
  EXPECT_EQ(world.resources->get({"alarm", "1", "r", "a"}), "kept");
}

TEST_F(Budget, of_the_present_day_the_oldest_logs_go_and_what_cannot_go_is_said) {
  for (int hour = 0; hour < 8; ++hour) put_logs(kTodayMs + hour * kDayMs / 24, 100);
  const std::uint64_t before = used();
  DiskBudget budget(deps(), before - before / 3, Millis(0));
  budget.tick(world.clock.now());
  EXPECT_LE(budget.stats().used_bytes, budget.stats().budget_bytes);
  LogScanSpec spec;
  spec.groups = {1};
  EXPECT_FALSE(world.logs->snapshot(spec)->blocks.empty()) << "the newest stay";
  EXPECT_FALSE(budget.stats().exceeded);
  DiskBudget impossible(deps(), 1000, Millis(0));
  impossible.tick(world.clock.now());
  EXPECT_TRUE(impossible.stats().exceeded);
  EXPECT_EQ(world.resources->get({"alarm", "1", "r", "a"}), "kept");
}

TEST_F(Budget, what_went_stays_away_after_a_restart) {
  put_traces(kTodayMs - 9 * kDayMs + 1000, 50);
  for (const int day : {-7, 0}) put_logs(kTodayMs + day * kDayMs, 200);
  dynamic_cast<OldestFirst*>(world.traces.get())->drop_files_before(kTodayMs);
  DiskBudget::Deps only_logs = deps();
  only_logs.stores.clear();
  DiskBudget(std::move(only_logs), used() - 50'000, Millis(0)).tick(world.clock.now());
  ASSERT_EQ(log_days(), std::set<std::int64_t>{0});
  world.close();
  ASSERT_TRUE(world.open(folder.path(), Durability::kRelaxed).ok());
  EXPECT_EQ(log_days(), std::set<std::int64_t>{0});
  EXPECT_FALSE(has_trace(kTodayMs - 9 * kDayMs + 1000));
  EXPECT_EQ(world.resources->get({"alarm", "1", "r", "a"}), "kept");
}

}  // namespace
}  // namespace fog::testing
