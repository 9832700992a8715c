// The contract of MetricStore, stated once and run on disk and in memory: tiers, late data, order of
// selection, resets, restarts at any moment, and a random walk against a naive model.
#include "tests/storage/metrics/harness.h"

namespace fog {
namespace {

INSTANTIATE_TEST_SUITE_P(Engines, MetricStoreContract, testing::Values(true, false),
                         [](const auto& engine) { return engine.param ? "disk" : "memory"; });

TEST_P(MetricStoreContract, merges_what_falls_into_one_slot) {
  put({.values = {1, 2}, .counts = {1, 3}});
  put({.ms = kNow + 59'999, .values = {10}});
  put({.ms = kNow + 60'000, .values = {4}});
  const auto result = read(id({}), kNow / 1000, kNow / 1000 + 120, 60);
  ASSERT_EQ(result.size(), 1u);
  EXPECT_EQ(result[0].start_ms, (std::vector<std::int64_t>{kNow, kNow + 60'000}));
  EXPECT_EQ(result[0].count, (std::vector<double>{5, 1}));
  EXPECT_EQ(result[0].sum, (std::vector<double>{17, 4}));
  EXPECT_EQ(result[0].min, (std::vector<double>{1, 4}));
  EXPECT_EQ(result[0].max, (std::vector<double>{10, 4}));
}

TEST_P(MetricStoreContract, keeps_units_apart) {
  put({.values = {1}, .unit = 3});
  put({.values = {2}, .unit = 5});
  const auto result = read(id({}), kNow / 1000, kNow / 1000 + 60, 60);
  ASSERT_EQ(result.size(), 2u);
  EXPECT_EQ(result[0].unit, 3);
  EXPECT_EQ(result[1].sum[0], 2);
}

TEST_P(MetricStoreContract, a_series_is_its_set_of_dimensions_in_any_order) {
  put({.dims = {{"b", "2"}, {"a", "1"}}, .values = {1}});
  EXPECT_NE(id({.dims = {{"a", "1"}, {"b", "2"}}}), 0u);
  EXPECT_EQ(id({.dims = {{"a", "2"}, {"b", "1"}}}), 0u);
  EXPECT_EQ(id({.dims = {{"a", "1"}}}), 0u);
  EXPECT_EQ(id({.dims = {{"a", "1"}, {"b", "2"}}, .account = "2"}), 0u);
  EXPECT_TRUE(store->has_account("1"));
  EXPECT_FALSE(store->has_account("2"));
}

TEST_P(MetricStoreContract, only_high_resolution_is_seen_below_a_minute) {
  put({.values = {1}});
  put({.ms = kNow + 2000, .values = {5}, .high = true});
  put({.ms = kNow + 7000, .values = {7}, .high = true});
  const auto fine = read(id({}), kNow / 1000, kNow / 1000 + 60, 5);
  ASSERT_EQ(fine.size(), 1u);
  EXPECT_EQ(fine[0].start_ms, (std::vector<std::int64_t>{kNow, kNow + 5000}));
  EXPECT_EQ(fine[0].sum, (std::vector<double>{5, 7}));
  const auto minute = read(id({}), kNow / 1000, kNow / 1000 + 60, 60);
  EXPECT_EQ(minute[0].sum[0], 13);
}

TEST_P(MetricStoreContract, distribution_is_there_until_a_set_spoils_it) {
  put({.values = {3, 1}, .counts = {2, 1}});
  put({.ms = kNow + 60'000, .set = StatisticSetValue{3, 11, 2, 5}});
  put({.ms = kNow + 120'000, .set = StatisticSetValue{4, 12, 3, 3}});
  const auto result = read(id({}), kNow / 1000, kNow / 1000 + 180, 60, true);
  ASSERT_EQ(result[0].size(), 3u);
  EXPECT_EQ(result[0].distribution[0].weighted(), (std::vector<Distribution::Weighted>{{1, 1}, {3, 2}}));
  EXPECT_FALSE(result[0].distribution[1].available());
  EXPECT_EQ(result[0].distribution[2].weighted(), (std::vector<Distribution::Weighted>{{3, 4}}));
}

TEST_P(MetricStoreContract, a_bucket_belongs_to_the_range_by_its_start) {
  for (int i = 0; i < 10; ++i) put({.ms = kNow + i * 60'000, .values = {1}});
  const auto result = read(id({}), kNow / 1000, kNow / 1000 + 301, 300);
  EXPECT_EQ(result[0].count, (std::vector<double>{5, 5}));
}

TEST_P(MetricStoreContract, windows_may_begin_anywhere) {
  for (int i = 0; i < 10; ++i) put({.ms = kNow + i * 60'000, .values = {1}});
  ReadMetrics spec;
  spec.start = from_ms(kNow + 120'000);
  spec.end = from_ms(kNow + 480'000);
  spec.period = seconds(180);
  spec.align_to_start = true;
  const auto result = store->read(id({}), spec);
  EXPECT_EQ(result.value()[0].start_ms, (std::vector<std::int64_t>{kNow + 120'000, kNow + 300'000}));
  EXPECT_EQ(result.value()[0].count, (std::vector<double>{3, 3}));
}

TEST_P(MetricStoreContract, selects_in_order_by_every_condition) {
  put({.ns = "B", .name = "x", .values = {1}});
  put({.ns = "A", .name = "y", .dims = {{"h", "2"}}, .values = {1}});
  put({.ns = "A", .name = "y", .dims = {{"h", "1"}, {"z", "9"}}, .ms = kNow - 86'400'000, .values = {1}});
  put({.ns = "A", .name = "x", .dims = {{"h", "1"}}, .values = {1}});
  EXPECT_EQ(names({}), (std::vector<std::string>{"A/x h=1", "A/y h=1 z=9", "A/y h=2", "B/x"}));
  put({.ns = "A", .name = "a", .values = {1}});
  EXPECT_EQ(names({}).front(), "A/a");
  EXPECT_EQ(names({.metric_name = "x"}), (std::vector<std::string>{"A/x h=1", "B/x"}));
  EXPECT_EQ(names({.dimensions = {{"h", "1"}}}), (std::vector<std::string>{"A/x h=1", "A/y h=1 z=9"}));
  EXPECT_EQ(names({.dimensions = {{"h", std::nullopt}}}).size(), 3u);
  EXPECT_EQ(names({.dimension_names = std::vector<std::string>{"h"}}),
            (std::vector<std::string>{"A/x h=1", "A/y h=2"}));
  EXPECT_EQ(names({.dimension_names = std::vector<std::string>{}}), (std::vector<std::string>{"A/a", "B/x"}));
  EXPECT_EQ(names({.active_since = from_ms(kNow - 3'600'000)}).size(), 4u);
  EXPECT_TRUE(names({.metric_namespace = "C"}).empty());

  SeriesFilter filter{.account = "1", .region = "r"};
  SeriesInfo after;
  after.metric_namespace = "A";
  after.metric_name = "y";
  after.dimensions = {{"h", "1"}, {"z", "9"}};
  std::size_t n = 0;
  store->select(filter, &after, [&](const SeriesView& v) {
    if (n++ == 0) {
      EXPECT_EQ(v.dimensions[0].value, "2");
    }
    return true;
  });
  EXPECT_EQ(n, 2u);
}

TEST_P(MetricStoreContract, old_data_moves_to_coarser_tiers_and_goes_at_last) {
  put({.values = {1}});
  put({.ms = kNow + 60'000, .values = {2}});
  put({.ms = kNow + 300'000, .values = {4}});
  ASSERT_TRUE(store->flush().ok());
  const std::int64_t s = kNow / 1000;
  clock.set(from_ms(kNow + 20ll * 86'400'000));
  store->tick(clock.now());
  EXPECT_TRUE(read(id({}), s, s + 3600, 60).empty());
  auto five = read(id({}), s, s + 3600, 300, true);
  ASSERT_EQ(five.size(), 1u);
  EXPECT_EQ(five[0].sum, (std::vector<double>{3, 4}));
  EXPECT_EQ(five[0].distribution[0].weighted(), (std::vector<Distribution::Weighted>{{1, 1}, {2, 1}}));
  if (GetParam()) reopen();
  EXPECT_EQ(read(id({}), s, s + 3600, 300)[0].sum, (std::vector<double>{3, 4}));

  clock.set(from_ms(kNow + 80ll * 86'400'000));
  store->tick(clock.now());
  EXPECT_TRUE(read(id({}), s, s + 3600, 300).empty());
  EXPECT_EQ(read(id({}), s, s + 3600, 3600)[0].sum, (std::vector<double>{7}));

  clock.set(from_ms(kNow + 520ll * 86'400'000));
  store->tick(clock.now());
  EXPECT_EQ(id({}), 0u);
  EXPECT_EQ(store->stats().bytes_on_disk, 0u);
}

TEST_P(MetricStoreContract, late_data_joins_what_is_on_disk) {
  for (int i = 0; i < 12; ++i) {
    put({.ms = kNow + i * 60'000, .values = {1}});
    ASSERT_TRUE(store->flush().ok());
    put({.ms = kNow, .values = {100}});
  }
  store->tick(clock.now());  // joins
  const auto result = read(id({}), kNow / 1000, kNow / 1000 + 720, 60);
  ASSERT_EQ(result[0].size(), 12u);
  EXPECT_EQ(result[0].sum[0], 1201);
  EXPECT_EQ(result[0].count[0], 13);
  EXPECT_EQ(result[0].sum[11], 1);
}

TEST_P(MetricStoreContract, reset_forgets_its_scope_and_no_other) {
  put({.values = {1}});
  put({.values = {1}, .account = "2"});
  put({.values = {1}, .region = "q"});
  ASSERT_TRUE(store->flush().ok());
  put({.values = {5}});
  ASSERT_TRUE(store->reset("1", "r").ok());
  EXPECT_EQ(id({}), 0u);
  EXPECT_NE(id({.account = "2"}), 0u);
  EXPECT_NE(id({.region = "q"}), 0u);
  put({.values = {7}});
  EXPECT_EQ(read(id({}), kNow / 1000, kNow / 1000 + 60, 60)[0].sum[0], 7);
  if (GetParam()) reopen();
  EXPECT_EQ(read(id({}), kNow / 1000, kNow / 1000 + 60, 60)[0].sum[0], 7);
  EXPECT_NE(id({.account = "2"}), 0u);
  ASSERT_TRUE(store->flush().ok());
  if (GetParam()) {
    wal.drop_applied();
    reopen();
  }
  EXPECT_EQ(read(id({}), kNow / 1000, kNow / 1000 + 60, 60)[0].sum[0], 7);

  const SeriesId before = id({});
  ASSERT_TRUE(store->reset("", "").ok());
  EXPECT_EQ(id({}), 0u);
  EXPECT_EQ(id({.account = "2"}), 0u);
  if (GetParam()) reopen();
  EXPECT_EQ(store->stats().series, 0u);
  put({.values = {8}});
  EXPECT_GT(id({}), before);
  EXPECT_EQ(read(id({}), kNow / 1000, kNow / 1000 + 60, 60)[0].sum[0], 8);
}

TEST_P(MetricStoreContract, refuses_what_it_cannot_hold) {
  MetricPoint p;
  p.metric_namespace = "a";
  p.metric_name = "b";
  p.time = from_ms(-1);
  EXPECT_FALSE(store->put({"1", "r", std::span(&p, 1)}).ok());
  EXPECT_EQ(store->stats().series, 0u);
}

TEST_P(MetricStoreContract, weights_of_zero_leave_no_slot) {
  put({.values = {1, 2}, .counts = {0, 0}});
  EXPECT_TRUE(read(id({}), kNow / 1000, kNow / 1000 + 60, 60).empty());
  EXPECT_NE(id({}), 0u);
}

TEST_P(MetricStoreContract, does_not_hold_back_a_log_that_others_fill) {
  put({.values = {1}});
  wal.said = {.bytes_appended = 200u << 20, .bytes_on_disk = 200u << 20};
  store->tick(clock.now());
  EXPECT_EQ(store->stats().flushes, 0u);
  wal.said = {.bytes_appended = 300u << 20, .bytes_on_disk = 300u << 20};
  store->tick(clock.now());
  EXPECT_EQ(store->stats().flushes, 1u);
  EXPECT_EQ(wal.applied, wal.last);
  // Somebody else holds it: writing again and again would not help.
  put({.values = {2}});
  store->tick(clock.now());
  EXPECT_EQ(store->stats().flushes, 1u);
  wal.said.bytes_appended += 200u << 20;
  store->tick(clock.now());
  EXPECT_EQ(store->stats().flushes, 2u);
  store->tick(clock.now());
  EXPECT_EQ(store->stats().flushes, 2u) << "nothing new";
}

TEST_P(MetricStoreContract, flushes_by_itself_when_the_window_ends) {
  put({.values = {1}});
  const auto due = store->next_due(clock.now());
  ASSERT_TRUE(due.has_value());
  store->tick(clock.now());
  EXPECT_EQ(store->stats().flushes, 0u);
  clock.set(*due);
  store->tick(clock.now());
  EXPECT_EQ(store->stats().flushes, 1u);
  EXPECT_EQ(store->stats().head_bytes, 0u);
}

// A naive model: every observation in a map; the store is flushed, ticked and reopened at random.
TEST_P(MetricStoreContract, random_walk_agrees_with_a_map) {
  struct Cell {
    double count = 0, sum = 0, min = 0, max = 0;
  };
  using Model = std::map<std::tuple<std::string, UnitCode, std::int64_t>, Cell>;
  std::mt19937_64 random(GetParam() ? 1 : 2);
  Model model;
  std::int64_t now = kNow;
  const auto host = [&] { return "h" + std::to_string(random() % 5); };
  for (int step = 0; step < 3000; ++step) {
    const auto what = random() % 100;
    if (what < 88) {
      Datum d{.dims = {{"host", host()}}, .unit = static_cast<UnitCode>(random() % 2)};
      d.ms = now - static_cast<std::int64_t>(random() % (random() % 8 == 0 ? 3 * 86'400'000ull : 600'000ull));
      for (std::size_t n = 1 + random() % 2; n > 0; --n)
        d.values.push_back(static_cast<double>(random() % 1000) / 4);
      put(d);
      Cell& cell = model[{d.dims[0].second, d.unit, d.ms / 60'000}];
      for (const double v : d.values) {
        cell.min = cell.count > 0 ? std::min(cell.min, v) : v;
        cell.max = cell.count > 0 ? std::max(cell.max, v) : v;
        cell.count += 1;
        cell.sum += v;
      }
    } else if (what < 91) {
      now += static_cast<std::int64_t>(random() % 3'600'000);
      clock.set(from_ms(now));
      store->tick(clock.now());
    } else if (what < 93) {
      ASSERT_TRUE(store->flush().ok());
    } else if (what < 94 && GetParam()) {
      if (random() % 2 == 0) wal.drop_applied();
      reopen();
    } else {
      const std::string h = host();
      const std::int64_t period = random() % 3 == 0 ? 3600 : random() % 2 == 0 ? 300 : 60;
      const std::int64_t from = (now / 1000 - 3 * 86400) / period * period;
      std::map<std::pair<UnitCode, std::int64_t>, Cell> expected;
      for (const auto& [key, cell] : model) {
        if (std::get<0>(key) != h) continue;
        const std::int64_t slot = std::get<2>(key) * 60 / period * period;
        if (slot < from) continue;
        Cell& sum = expected[{std::get<1>(key), slot}];
        sum.min = sum.count > 0 ? std::min(sum.min, cell.min) : cell.min;
        sum.max = sum.count > 0 ? std::max(sum.max, cell.max) : cell.max;
        sum.count += cell.count;
        sum.sum += cell.sum;
      }
      const auto got = read(id({.dims = {{"host", h}}}), from, now / 1000 + 60, period);
      std::size_t n = 0;
      for (const SlotColumns& c : got)
        for (std::size_t i = 0; i < c.size(); ++i, ++n) {
          const Cell& want = expected[{c.unit, c.start_ms[i] / 1000}];
          ASSERT_EQ(c.count[i], want.count) << step;
          ASSERT_EQ(c.sum[i], want.sum);
          ASSERT_EQ(c.min[i], want.min);
          ASSERT_EQ(c.max[i], want.max);
        }
      ASSERT_EQ(n, expected.size()) << step;
    }
  }
}

// A crash between any two files of a flush: parts of some buckets are there, the marks are old.
TEST(MetricStoreCrash, counts_each_datum_once_wherever_a_flush_is_cut_off) {
  const fs::path folder = fs::temp_directory_path() / ("fog-metrics-crash-" + std::to_string(::getpid()));
  const fs::path copy = folder.string() + "-copy";
  for (int lost = 0; lost < 5; ++lost) {
    fs::remove_all(folder);
    TestWal wal;
    ManualClock clock{from_ms(kNow)};
    const auto open = [&](const fs::path& at) {
      MetricStore::Options options;
      options.folder = at;
      auto store = std::move(MetricStore::open(options, wal, clock)).value();
      EXPECT_TRUE(wal.replay([&](const Wal::Record& r) { store->replay(r); }).ok());
      return store;
    };
    auto store = open(folder);
    const double value[] = {2};
    for (int day = 0; day < 5; ++day) {
      MetricPoint p;
      p.metric_namespace = "n";
      p.metric_name = "m";
      p.time = from_ms(kNow - day * 86'400'000ll);
      p.values = value;
      ASSERT_TRUE(store->put({"1", "r", std::span(&p, 1)}).ok());
    }
    // The folder as it was before, then with the first parts of the flush only.
    fs::remove_all(copy);
    fs::copy(folder, copy, fs::copy_options::recursive);
    ASSERT_TRUE(store->flush().ok());
    int taken = 0;
    for (const auto& file : fs::directory_iterator(folder / "0" / "60")) {
      if (taken++ >= lost) break;
      fs::create_directories(copy / "0" / "60");
      fs::copy(file.path(), copy / "0" / "60" / file.path().filename());
    }
    std::ofstream(copy / "0" / "torn.tmp") << "x";
    store.reset();
    for (int round = 0; round < 3; ++round) {
      auto again = open(copy);
      if (round == 1) again->tick(clock.now());
      ReadMetrics spec;
      spec.start = from_ms(kNow - 10 * 86'400'000ll);
      spec.end = from_ms(kNow + 60'000);
      const auto slots = again->read(again->find({"1", "r", "n", "m", {}}).value(), spec);
      ASSERT_EQ(slots.value().size(), 1u);
      ASSERT_EQ(slots.value()[0].count, std::vector<double>(5, 1.0)) << lost << " round " << round;
    }
  }
  fs::remove_all(folder);
  fs::remove_all(copy);
}

TEST(MetricStoreCrash, passes_over_a_damaged_chunk_and_says_so) {
  const fs::path folder = fs::temp_directory_path() / ("fog-metrics-bad-" + std::to_string(::getpid()));
  fs::remove_all(folder);
  TestWal wal;
  ManualClock clock{from_ms(kNow)};
  MetricStore::Options options;
  options.folder = folder;
  auto store = std::move(MetricStore::open(options, wal, clock)).value();
  const double value[] = {1234.5};
  MetricPoint p;
  p.metric_namespace = "n";
  p.metric_name = "m";
  p.time = from_ms(kNow);
  p.values = value;
  ASSERT_TRUE(store->put({"1", "r", std::span(&p, 1)}).ok());
  ASSERT_TRUE(store->flush().ok());
  store.reset();
  for (const auto& file : fs::directory_iterator(folder / "0" / "60")) {
    std::fstream stream(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(stream)), {});
    const std::size_t found = bytes.find(std::string("\x00\x4a\x93\x40", 4));  // ends 1234.5
    ASSERT_NE(found, std::string::npos);
    stream.seekp(static_cast<std::streamoff>(found));
    stream.put('\x01');
  }
  store = std::move(MetricStore::open(options, wal, clock)).value();
  ReadMetrics spec;
  spec.start = from_ms(kNow);
  spec.end = from_ms(kNow + 60'000);
  const auto slots = store->read(store->find({"1", "r", "n", "m", {}}).value(), spec);
  EXPECT_TRUE(slots.value().empty());
  EXPECT_EQ(store->stats().chunks_damaged, 1u);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace fog
