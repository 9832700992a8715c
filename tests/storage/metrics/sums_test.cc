// Reading many series at once: sums agree with single reads, choices and removals keep the index right, and
// nothing that happens in the background holds a writer up.
#include <sys/resource.h>

#include <thread>

#include "tests/storage/metrics/harness.h"

namespace fog {
namespace {

TEST_P(MetricStoreContract, sums_agree_with_single_reads) {
  std::mt19937_64 random(7);
  std::vector<SeriesId> ids;
  for (int s = 0; s < 40; ++s)
    for (int i = 0; i < 60; ++i) {
      Datum d;
      d.dims = {{"Host", "h" + std::to_string(s)}};
      d.unit = static_cast<UnitCode>(s % 3);
      d.ms = kNow - static_cast<std::int64_t>(random() % 200) * 60'000 * (s % 2 == 0 ? 1 : 30);
      if (random() % 5 == 0)
        d.set = StatisticSetValue{3, 30, 5, 20};
      else
        for (std::uint64_t k = 0; k <= random() % 3; ++k) d.values.push_back(static_cast<double>(random() % 1000) - 100);
      put(d);
      if (i == 30 && s % 10 == 0) {
        ASSERT_TRUE(store->flush().ok());
      }
      if (i == 59) ids.push_back(id(d));
    }
  // With gaps between them, in steps of an hour and of a minute, from the middle of a slot on.
  for (const std::int64_t period : {60, 300, 3600}) {
    ReadMetrics spec;
    spec.start = from_ms(kNow - 4 * 86'400'000 + 90'000);
    spec.end = from_ms(kNow - 120'000);
    spec.period = seconds(period);
    std::map<std::int64_t, std::array<double, 4>> expected;
    for (const SeriesId one : ids) {
      const auto units = store->read(one, spec).value();
      for (const SlotColumns& c : units)
        for (std::size_t i = 0; i < c.size(); ++i) {
          const auto [at, fresh] = expected.try_emplace(c.start_ms[i], std::array<double, 4>{0, 0, c.min[i], c.max[i]});
          at->second[0] += c.count[i];
          at->second[1] += c.sum[i];
          at->second[2] = std::min(at->second[2], c.min[i]);
          at->second[3] = std::max(at->second[3], c.max[i]);
        }
    }
    ASSERT_FALSE(expected.empty());
    // Whole, and in two pieces put together.
    const SlotSums whole = store->sum(ids, spec).value();
    SlotSums pieces = store->sum(std::span(ids).first(13), spec).value();
    pieces.merge(store->sum(std::span(ids).subspan(13), spec).value());
    for (const SlotSums* sums : {&whole, static_cast<const SlotSums*>(&pieces)}) {
      std::size_t seen = 0;
      for (std::size_t i = 0; i < sums->size(); ++i) {
        const auto at = expected.find(sums->start_ms + static_cast<std::int64_t>(i) * period * 1000);
        if (at == expected.end()) {
          EXPECT_EQ(sums->count[i], 0);
          continue;
        }
        ++seen;
        EXPECT_DOUBLE_EQ(sums->count[i], at->second[0]);
        EXPECT_NEAR(sums->sum[i], at->second[1], 1e-6);
        EXPECT_EQ(sums->min[i], at->second[2]);
        EXPECT_EQ(sums->max[i], at->second[3]);
      }
      EXPECT_EQ(seen, expected.size());
    }
  }
}

TEST_P(MetricStoreContract, of_a_choice_one_is_enough) {
  for (const char* host : {"a", "b", "c"})
    for (const char* zone : {"x", "y"}) put({.dims = {{"Host", host}, {"Zone", zone}}, .values = {1}});
  SeriesFilter filter;
  filter.choices = {{{"Host", "a"}, {"Host", "c"}}};
  EXPECT_EQ(names(filter).size(), 4u);
  filter.dimensions = {{"Zone", "y"}};
  EXPECT_EQ(names(filter), (std::vector<std::string>{"App/Latency Host=a Zone=y", "App/Latency Host=c Zone=y"}));
  filter.choices.push_back({{"Host", "c"}, {"Zone", "nowhere"}});
  EXPECT_EQ(names(filter), (std::vector<std::string>{"App/Latency Host=c Zone=y"}));
  filter.choices.push_back({{"Host", "nobody"}});
  EXPECT_TRUE(names(filter).empty());
}

TEST_P(MetricStoreContract, series_without_data_for_fifteen_months_disappear_and_others_stay) {
  for (int i = 0; i < 3000; ++i) put({.dims = {{"Host", std::to_string(i)}, {"Kind", i % 3 == 0 ? "old" : "new"}}, .values = {1}});
  EXPECT_EQ(names({}).size(), 3000u);
  clock.set(from_ms(kNow + 400ll * 86'400'000));
  for (int i = 0; i < 3000; ++i)
    if (i % 3 != 0)
      put({.dims = {{"Host", std::to_string(i)}, {"Kind", "new"}}, .ms = kNow + 400ll * 86'400'000, .values = {2}});
  clock.set(from_ms(kNow + 460ll * 86'400'000));
  store->tick(clock.now());
  EXPECT_EQ(store->stats().series, 2000u);
  SeriesFilter old;
  old.dimensions = {{"Kind", "old"}};
  EXPECT_TRUE(names(old).empty());
  EXPECT_EQ(names({}).size(), 2000u);
  EXPECT_EQ(id({.dims = {{"Host", "3"}, {"Kind", "old"}}}), 0u);
  EXPECT_NE(id({.dims = {{"Host", "4"}, {"Kind", "new"}}}), 0u);
  // One that comes back is a new series.
  put({.dims = {{"Host", "3"}, {"Kind", "old"}}, .ms = to_ms(clock.now()), .values = {5}});
  EXPECT_EQ(names(old).size(), 1u);
  ASSERT_TRUE(store->flush().ok());
  if (GetParam()) {
    wal.drop_applied();
    reopen();
    EXPECT_EQ(names({}).size(), 2001u);
  }
}

// A flush of many new series, a roll-up of a day, retention of series: while they run in a thread of their own, no
// put waits long. What a put waited for the lock is at most the time in which the writer did not compute, and at most
// the processor time the other thread used meanwhile: so other programs on the machine do not count.
TEST(MetricStoreUpkeep, holds_no_writer_up) {
  const fs::path folder = fs::temp_directory_path() / ("fog-metrics-upkeep-" + std::to_string(::getpid()));
  fs::remove_all(folder);
  TestWal wal;
  ManualClock clock{from_ms(kNow)};
  MetricStore::Options options;
  options.folder = folder;
  auto store = std::move(MetricStore::open(options, wal, clock)).value();
  const auto put = [&](std::int64_t ms, int from, int to) {
    std::vector<std::string> hosts;
    for (int i = from; i < to; ++i) hosts.push_back("host-" + std::to_string(i));
    std::vector<DimensionView> dims;
    for (const std::string& host : hosts) dims.push_back({"Host", host});
    std::vector<MetricPoint> points(hosts.size());
    const double value = 1.5;
    for (std::size_t i = 0; i < points.size(); ++i) {
      points[i].metric_namespace = "App";
      points[i].metric_name = "Latency";
      points[i].dimensions = std::span(&dims[i], 1);
      points[i].time = from_ms(ms);
      points[i].values = std::span(&value, 1);
    }
    ASSERT_TRUE(store->put({"1", "r", points}).ok());
  };
  constexpr int kSeries = 20'000;
  for (int i = 0; i < kSeries; i += 500)
    for (int minute = 0; minute < 3; ++minute) put(kNow + minute * 60'000, i, i + 500);

  std::atomic<bool> done{false};
  std::thread upkeep([&] {
    (void)store->flush();                                   // 20,000 new series
    clock.set(from_ms(kNow + 17ll * 86'400'000));
    store->tick(clock.now());                               // the day rolls up
    clock.set(from_ms(kNow + 500ll * 86'400'000));
    store->tick(clock.now());                               // and goes, with most series
    done = true;
  });
  std::vector<double> waited_ms;
  clockid_t upkeep_clock{};
  ASSERT_EQ(::pthread_getcpuclockid(upkeep.native_handle(), &upkeep_clock), 0);
  const auto used_ms = [](clockid_t which) {
    timespec t{};
    if (::clock_gettime(which, &t) != 0) return 0.0;  // it has ended
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
  };
  while (!done || waited_ms.size() < 100) {
    const auto begun = std::chrono::steady_clock::now();
    const double own = used_ms(CLOCK_THREAD_CPUTIME_ID);
    const double other = used_ms(upkeep_clock);
    put(to_ms(clock.now()), 0, 20);
    const double took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count();
    const double idle = took - (used_ms(CLOCK_THREAD_CPUTIME_ID) - own);
    waited_ms.push_back(std::max(0.0, std::min(idle, used_ms(upkeep_clock) - other)));
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  upkeep.join();
  EXPECT_GE(store->stats().roll_ups, 2u);
  EXPECT_LE(store->stats().series, 100u);
  const double slowest = *std::max_element(waited_ms.begin(), waited_ms.end());
  RecordProperty("slowest_wait_us", static_cast<int>(slowest * 1000));
  EXPECT_LT(slowest, 20.0);
  store.reset();
  fs::remove_all(folder);
}

}  // namespace
}  // namespace fog
