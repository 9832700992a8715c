// The memory budget of a query is what it takes from the system, whatever it keeps: groups, sets of texts,
// numbers, rows.
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <thread>

#include "query/insights/query.h"
#include "tests/query/insights/memory_scan.h"

namespace fog::insights::test {
namespace {

// The most that the heap held while it lived, over what it held before.
class HeapPeak {
 public:
  HeapPeak() : before_(held()), watcher_([this] {
    while (!ended_.load()) {
      peak_ = std::max(peak_, held());
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }) {}
  std::size_t stop() {
    ended_ = true;
    watcher_.join();
    peak_ = std::max(peak_, held());
    return peak_ - before_;
  }

 private:
  static std::size_t held() {
    const struct mallinfo2 info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
  }
  std::size_t before_;
  std::size_t peak_ = before_;
  std::atomic<bool> ended_{false};
  std::thread watcher_;
};

class InsightsMemory : public ::testing::Test {
 protected:
  static MemoryScan& scan() {
    static MemoryScan made = [] {
      std::vector<Event> events;
      for (std::int64_t k = 0; k < 120'000; ++k)
        events.push_back({k, "{\"id\":\"request-" + std::to_string(k * 7919) + "-of-many\",\"few\":\"" + std::to_string(k % 1000) + "\",\"v\":" + std::to_string(k) + "}"});
      return MemoryScan(std::move(events), 5000);
    }();
    return made;
  }
};

TEST_F(InsightsMemory, a_query_that_fails_for_its_budget_did_not_take_much_more) {
  constexpr std::size_t kBudget = 5u << 20;
  // What a block takes while it is looked at, and the growing of the largest table, come on top.
  constexpr std::size_t kAllowed = kBudget + kBudget / 2 + (4u << 20);
  for (const char* text : {"stats count(*) by id", "stats count(*) by id, v", "stats max(id), min(id) by v", "stats values(id) by v",
                           "stats values(id) by few", "stats count_distinct(id) by v", "stats pct(v, 50), latest(id) by id",
                           "fields concat(id, id) as long | sort long | dedup v"}) {
    auto query = parse(text, {});
    ASSERT_TRUE(query.ok()) << text;
    (void)scan();
    RunOptions options;
    options.end_ms = 1'000'000'000;
    options.memory_bytes_max = kBudget;
    HeapPeak peak;
    auto table = run(**query, scan(), options);
    const std::size_t taken = peak.stop();
    EXPECT_FALSE(table.ok()) << text;
    if (table.ok()) continue;
    EXPECT_EQ(table.error().kind(), ErrorKind::kLimit) << text;
    EXPECT_LT(taken, kAllowed) << text;
    std::printf("%8zu KiB  %s\n", taken >> 10, text);
  }
}

TEST_F(InsightsMemory, what_fits_is_not_refused) {
  // 120,000 groups: a key of 26 bytes, its place, an index, a count.
  auto query = parse("stats count(*) as n by id | stats count(*) as ids", {});
  ASSERT_TRUE(query.ok());
  RunOptions options;
  options.end_ms = 1'000'000'000;
  options.memory_bytes_max = 40u << 20;
  auto table = run(**query, scan(), options);
  ASSERT_TRUE(table.ok()) << table.error().message();
  EXPECT_EQ(table->text(0, 0), "120000");
}

}  // namespace
}  // namespace fog::insights::test
