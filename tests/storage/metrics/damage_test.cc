// Damaged files of metrics: a part costs its own data, the series file comes back as its good copy.
#include "storage/metrics/part.h"
#include "tests/storage/metrics/harness.h"

namespace fog {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;

class MetricDamage : public testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / ("fog-metrics-damage-" + std::to_string(::getpid()));
    fs::remove_all(folder);
    open();
  }
  void TearDown() override {
    store.reset();
    fs::remove_all(folder);
  }
  void open() {
    MetricStore::Options options;
    options.folder = folder;
    auto opened = MetricStore::open(options, wal, clock);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    store = std::move(opened).value();
    ASSERT_TRUE(wal.replay([&](const Wal::Record& r) { store->replay(r); }).ok());
  }
  void put(const std::string& name, std::int64_t at_ms) {
    const double value[] = {1};
    MetricPoint p;
    p.metric_namespace = "n";
    p.metric_name = name;
    p.time = from_ms(at_ms);
    p.values = value;
    ASSERT_TRUE(store->put({"1", "r", std::span(&p, 1)}).ok());
  }
  // How many values of a series lie in the day.
  std::size_t values(const std::string& name, std::int64_t day_ms) {
    const auto id = store->find({"1", "r", "n", name, {}});
    if (!id) return 0;
    ReadMetrics spec;
    spec.start = from_ms(day_ms / kDayMs * kDayMs);
    spec.end = from_ms(day_ms / kDayMs * kDayMs + kDayMs);
    const auto read = store->read(*id, spec);
    EXPECT_TRUE(read.ok()) << (read.ok() ? "" : read.error().message());
    return read.ok() && !read->empty() ? read->front().size() : 0;
  }

  fs::path folder;
  TestWal wal;
  ManualClock clock{from_ms(kNow)};
  std::unique_ptr<MetricStore> store;
};

TEST_F(MetricDamage, of_a_part_costs_that_part) {
  for (int series = 0; series < 3; ++series)
    for (const std::int64_t day : {kNow - 2 * kDayMs, kNow - kDayMs}) put("m" + std::to_string(series), day);
  ASSERT_TRUE(store->flush().ok());
  wal.drop_applied();
  store.reset();
  std::vector<fs::path> parts;
  for (const auto& entry : fs::directory_iterator(folder / "0" / "60")) parts.push_back(entry.path());
  ASSERT_EQ(parts.size(), 2u);
  std::sort(parts.begin(), parts.end());
  const auto size = fs::file_size(parts[0]);
  const std::uint64_t before = metrics::damaged_parts();
  const std::string noise(8192, '\x5a');
  for (const std::string damage : {"header", "page", "cut", "nothing"}) {
    const fs::path kept = folder.string() + ".kept";
    fs::copy_file(parts[0], kept, fs::copy_options::overwrite_existing);
    {
      std::fstream file(parts[0], std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(damage == "page" ? static_cast<std::streamoff>(size) - 8192 : 0);
      if (damage == "header" || damage == "page") file << noise;
    }
    if (damage == "cut") fs::resize_file(parts[0], size / 2);
    if (damage == "nothing") fs::resize_file(parts[0], 0);
    open();
    for (int series = 0; series < 3; ++series) {
      const std::string name = "m" + std::to_string(series);
      EXPECT_EQ(values(name, kNow - 2 * kDayMs), 0u) << damage;
      EXPECT_EQ(values(name, kNow - kDayMs), 1u) << damage;
    }
    EXPECT_GT(store->stats().chunks_damaged, 0u) << damage;
    // Housekeeping goes on around it.
    put("new", kNow);
    store->tick(clock.now());
    EXPECT_TRUE(store->flush().ok()) << damage;
    store.reset();
    wal.drop_applied();
    if (fs::exists(parts[0])) fs::copy_file(kept, parts[0], fs::copy_options::overwrite_existing);
    fs::remove(kept);
  }
  EXPECT_GE(metrics::damaged_parts() - before, 4u);
}

TEST_F(MetricDamage, of_the_series_file_brings_its_good_copy) {
  put("before", kNow);
  ASSERT_TRUE(store->flush().ok());
  wal.drop_applied();
  store.reset();  // an orderly end: the copy is made
  const fs::path file = folder / "0" / "series.db";
  ASSERT_TRUE(fs::exists(folder / "0" / "series.db.good"));
  open();
  put("after", kNow + 1);
  const SeriesId id = store->find({"1", "r", "n", "after", {}}).value();
  {
    std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
    out << std::string(5000, 'x');
  }
  fs::copy_file(file, fs::path(folder.string() + ".noise"));
  store.reset();
  fs::copy_file(fs::path(folder.string() + ".noise"), file, fs::copy_options::overwrite_existing);
  fs::remove(folder.string() + ".noise");
  for (const char* suffix : {"-wal", "-shm"}) fs::remove(file.string() + suffix);
  open();
  EXPECT_EQ(values("before", kNow), 1u);
  EXPECT_EQ(values("after", kNow), 1u) << "the log has it";
  EXPECT_TRUE(fs::exists(folder / "0" / "series.db.damaged"));
  put("later", kNow + 2);
  EXPECT_GT(store->find({"1", "r", "n", "later", {}}).value(), id) << "ids are not given out again";
}

}  // namespace
}  // namespace fog
