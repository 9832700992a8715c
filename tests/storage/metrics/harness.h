// A MetricStore of a test's own: on disk or in memory, with a log that can be cut off anywhere.
#pragma once

#include "storage/metric_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <map>
#include <random>
#include <set>

namespace fog {

namespace fs = std::filesystem;  // NOLINT: tests only
using std::chrono::seconds;

inline constexpr std::int64_t kNow = 1'767'614'400'000;  // 2026-01-05T12:00:00Z

// A log in memory that keeps its records, so that a test can end the process at any moment.
class TestWal final : public Wal {
 public:
  struct Kept {
    StoreId store;
    std::uint64_t id;
    Lsn lsn;
    std::string payload;
  };
  Status replay(const std::function<void(const Record&)>& visit) override {
    for (const Kept& k : kept) visit({k.store, k.id, k.lsn, k.payload});
    return Ok{};
  }
  Lsn append(StoreId store, std::uint64_t id, std::string_view payload) override {
    kept.push_back({store, id, ++last, std::string(payload)});
    return last;
  }
  void when_durable(Lsn, DurableDone done) override { done(true); }
  Status wait_durable(Lsn) override { return Ok{}; }
  void set_applied(StoreId, Lsn lsn) override { applied = std::max(applied, lsn); }
  Lsn last_lsn() const override { return last; }
  bool healthy() const override { return true; }
  Stats stats() const override { return said; }
  void drop_applied() {
    std::erase_if(kept, [this](const Kept& k) { return k.lsn <= applied; });
  }

  std::vector<Kept> kept;
  Lsn last = 0;
  Lsn applied = 0;
  Stats said;
};

struct Datum {
  std::string ns = "App";
  std::string name = "Latency";
  std::vector<std::pair<std::string, std::string>> dims = {};
  std::int64_t ms = kNow;
  std::vector<double> values = {};
  std::vector<double> counts = {};
  std::optional<StatisticSetValue> set = {};
  UnitCode unit = 0;
  bool high = false;
  std::string account = "1";
  std::string region = "r";
};

class MetricStoreContract : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      folder = fs::temp_directory_path() / ("fog-metrics-" + std::to_string(::getpid()));
      fs::remove_all(folder);
    }
    open();
  }
  void TearDown() override {
    store.reset();
    if (!folder.empty()) fs::remove_all(folder);
  }
  void open() {
    MetricStore::Options options;
    options.folder = folder;
    auto opened = MetricStore::open(options, wal, clock);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    store = std::move(opened).value();
    ASSERT_TRUE(wal.replay([&](const Wal::Record& r) { store->replay(r); }).ok());
  }
  void reopen() {
    store.reset();
    open();
  }
  void put(const Datum& d) {
    std::vector<DimensionView> dims;
    for (const auto& [n, v] : d.dims) dims.push_back({n, v});
    MetricPoint p;
    p.metric_namespace = d.ns;
    p.metric_name = d.name;
    p.dimensions = dims;
    p.time = from_ms(d.ms);
    p.unit = d.unit;
    p.high_resolution = d.high;
    p.values = d.values;
    p.counts = d.counts;
    p.set = d.set;
    ASSERT_TRUE(store->put({d.account, d.region, std::span(&p, 1)}).ok());
  }
  SeriesId id(const Datum& d) {
    std::vector<DimensionView> dims;
    for (const auto& [n, v] : d.dims) dims.push_back({n, v});
    return store->find({d.account, d.region, d.ns, d.name, dims}).value_or(0);
  }
  std::vector<SlotColumns> read(SeriesId series, std::int64_t from_s, std::int64_t to_s,
                                std::int64_t period, bool distribution = false) {
    ReadMetrics spec;
    spec.start = from_ms(from_s * 1000);
    spec.end = from_ms(to_s * 1000);
    spec.period = seconds(period);
    spec.with_distribution = distribution;
    auto result = store->read(series, spec);
    EXPECT_TRUE(result.ok());
    return std::move(result).value();
  }
  std::vector<std::string> names(SeriesFilter filter) {
    filter.account = "1";
    filter.region = "r";
    std::vector<std::string> out;
    store->select(filter, nullptr, [&](const SeriesView& v) {
      std::string text = std::string(v.metric_namespace) + "/" + std::string(v.metric_name);
      for (const auto& d : v.dimensions) text += " " + std::string(d.name) + "=" + std::string(d.value);
      out.push_back(text);
      return true;
    });
    return out;
  }

  fs::path folder;
  TestWal wal;
  ManualClock clock{from_ms(kNow)};
  std::unique_ptr<MetricStore> store;
};

}  // namespace fog
