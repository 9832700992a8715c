// The metrics store by itself: ingestion, bytes a sample, memory, queries. Fixed seed.
//
//   bench_metrics_store [series=10000] [minutes=1440] [folder]
//   bench_metrics_store months [series=10000] [folder]     15 months of hourly data: opening, reading
// Prints one line a figure; goals stand beside those the project has. Queries are given in CPU time of the one thread,
// which depends little on what else the machine runs.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include "query/metric_math/search.h"
#include "query/metrics_insights/select.h"
#include "query/statistics/statistic.h"
#include "storage/metric_store.h"
#include "storage/metrics/buckets.h"
#include "storage/metrics/chunk.h"
#include "storage/metrics/part.h"

namespace fog {
namespace {

using Clock_ = std::chrono::steady_clock;
constexpr std::int64_t kStartMs = 1'767'571'200'000;

double ms_since(Clock_::time_point t) { return std::chrono::duration<double, std::milli>(Clock_::now() - t).count(); }
double cpu_s() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}
double rss_mib() {
  std::ifstream file("/proc/self/statm");
  double total = 0;
  double resident = 0;
  file >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

// Series and values of the kinds programs publish: latencies with two decimals, counts, costs with
// six, percentages, zeros and ones.
struct Generated {
  std::vector<std::vector<std::pair<std::string, std::string>>> dimensions;
  std::vector<std::vector<DimensionView>> views;
  std::vector<std::string> names;
  std::vector<int> kinds;
  std::vector<double> bases;
  std::mt19937_64 random{1};

  explicit Generated(std::size_t n) {
    const char* const kNames[] = {"InferenceLatency", "TokensUsed", "InferenceCount", "InferenceCost",
                                  "PipelineSuccess",  "PipelineError", "JobDuration", "CPUUserTime"};
    for (std::size_t i = 0; i < n; ++i) {
      const int kind = static_cast<int>(random() % 8);
      kinds.push_back(kind);
      names.emplace_back(kNames[kind]);
      bases.push_back(60 + 40 * static_cast<double>(i % 17));
      dimensions.push_back({{"Environment", i % 3 == 0 ? "production" : "staging"},
                            {"Model", "model-" + std::to_string(i % 19)},
                            {"Host", "node-" + std::to_string(i)}});
    }
    for (const auto& d : dimensions) {
      views.emplace_back();
      for (const auto& [name, value] : d) views.back().push_back({name, value});
    }
  }
  double value(std::size_t i) {
    std::normal_distribution<double> gauss;
    const double base = bases[i];
    const auto round = [](double v, double scale) { return std::round(v * scale) / scale; };
    switch (kinds[i]) {
      case 0: return round(base * std::exp(0.35 * gauss(random)), 100);
      case 1: return std::floor(base * 3 * std::exp(0.5 * gauss(random)));
      case 2: return std::floor(base / 10 * static_cast<double>(random() % 1000) / 1000) + 1;
      case 3: return round(base / 1e4 * std::exp(0.5 * gauss(random)), 1e6);
      case 4: return 1;
      case 5: return random() % 100 < 3 ? 1 : 0;
      case 6: return round(base / 7 * std::exp(0.2 * gauss(random)), 1000);
      default: return round(std::min(100.0, std::max(0.0, base / 12 + 4 * gauss(random))), 100);
    }
  }
};

std::uint64_t folder_bytes(const std::filesystem::path& folder) {
  std::uint64_t bytes = 0;
  for (const auto& e : std::filesystem::recursive_directory_iterator(folder))
    if (e.is_regular_file()) bytes += e.file_size();
  return bytes;
}

struct Engine {
  std::unique_ptr<Wal> wal;
  std::unique_ptr<MetricStore> store;
};

Engine open(const std::filesystem::path& folder, const Clock& clock) {
  Engine e;
  Wal::Options log;
  log.folder = folder / "wal";
  e.wal = std::move(Wal::open(log)).value();
  MetricStore::Options options;
  options.folder = folder / "metrics";
  e.store = std::move(MetricStore::open(options, *e.wal, clock)).value();
  (void)e.wal->replay([&](const Wal::Record& r) {
    if (r.store == StoreId::kMetrics) e.store->replay(r);
  });
  return e;
}

// p99 of 10,000 slots of 100 values each: a hundred series with a slot a minute.
template <typename Measure>
void distributions(MetricStore& store, ManualClock& clock, const Measure& measure) {
  std::mt19937_64 random(5);
  std::vector<SeriesId> ids;
  const std::int64_t begin_ms = to_ms(clock.now()) / 60'000 * 60'000 - 100 * 60'000;
  for (int s = 0; s < 100; ++s) {
    const std::string host = "dist-" + std::to_string(s);
    const DimensionView dimension{"Host", host};
    for (int slot = 0; slot < 100; ++slot) {
      std::vector<double> values(100);
      for (double& v : values) v = static_cast<double>(random() % 100'000) / 100;
      MetricPoint p;
      p.metric_namespace = "Distributions";
      p.metric_name = "Latency";
      p.dimensions = std::span(&dimension, 1);
      p.time = from_ms(begin_ms + slot * 60'000);
      p.values = values;
      (void)store.put({"000000000000", "us-east-1", std::span(&p, 1)});
    }
    ids.push_back(*store.find({"000000000000", "us-east-1", "Distributions", "Latency", std::span(&dimension, 1)}));
  }
  const Statistic p99 = *parse_statistic("p99");
  ReadMetrics spec;
  spec.start = from_ms(begin_ms);
  spec.end = from_ms(begin_ms + 100 * 60'000);
  spec.with_distribution = true;
  const auto read = [&] {
    std::size_t points = 0;
    (void)store.scan(ids, spec, [&](std::size_t, SlotColumns& columns) { points += compute(p99, columns).value.size(); });
    if (points != 10'000) std::abort();
  };
  measure("p99 over 10 k distributions of 100 values, from memory (goal 50 ms)", 5, read);
  (void)store.flush();
  measure("the same, from disk", 5, read);
}

// 15 months of hourly slots: parts as roll-ups leave them, sixteen months of files.
int months(std::size_t series, const std::filesystem::path& folder) {
  std::filesystem::remove_all(folder);
  const std::int64_t now_ms = kStartMs;
  ManualClock clock{from_ms(now_ms)};
  std::vector<SeriesId> ids;
  {
    Engine e = open(folder, clock);
    const double value = 1;
    for (std::size_t i = 0; i < series; ++i) {
      const std::string host = "node-" + std::to_string(i);
      const DimensionView dimension{"Host", host};
      MetricPoint p;
      p.metric_namespace = "App";
      p.metric_name = "Latency";
      p.dimensions = std::span(&dimension, 1);
      p.time = clock.now();
      p.values = std::span(&value, 1);
      (void)e.store->put({"000000000000", "us-east-1", std::span(&p, 1)});
      ids.push_back(*e.store->find({"000000000000", "us-east-1", "App", "Latency", std::span(&dimension, 1)}));
    }
    (void)e.store->flush();
  }
  std::mt19937_64 random(9);
  const std::int64_t first_s = now_ms / 1000 - 455ll * 86400;
  std::size_t slots = 0;
  std::uint64_t number = 1'000'000;  // above what the engine has given out
  for (std::int64_t month = metrics::bucket_start_s(metrics::Tier::k3600s, first_s); month < now_ms / 1000;
       month = metrics::bucket_end_s(metrics::Tier::k3600s, month)) {
    const std::int64_t end = std::min(metrics::bucket_end_s(metrics::Tier::k3600s, month), now_ms / 1000 - 63 * 86400);
    if (end <= month) break;
    auto writer = std::move(metrics::write_part(folder / "metrics" / "0", {.tier = metrics::Tier::k3600s, .bucket_s = month, .first = number, .last = number, .lsn = 0, .source = {}})).value();
    ++number;
    for (const SeriesId id : ids) {
      metrics::SlotBlock block;
      for (std::int64_t t = std::max(month, first_s) / 3600; t < end / 3600; ++t) {
        metrics::WideSlot wide;
        wide.count = 60;
        wide.min = static_cast<double>(random() % 100);
        wide.max = wide.min + static_cast<double>(random() % 100);
        wide.sum = 30 * (wide.min + wide.max);
        wide.distribution.add(wide.min, 30);
        wide.distribution.add(wide.max, 30);
        block.push_wide(static_cast<std::uint32_t>(t), std::move(wide));
      }
      if (block.size() == 0) continue;
      slots += block.size();
      if (!writer->add(metrics::chunk_id(id, 0), metrics::encode_chunk(block)).ok()) return 1;
    }
    if (!writer->finish().ok()) return 1;
  }
  fmt::print("{} hourly slots of {} series on disk, {} MiB\n", slots, series, folder_bytes(folder) >> 20);
  const auto t = Clock_::now();
  const double cpu = cpu_s();
  Engine e = open(folder, clock);
  fmt::print("open: {:.0f} ms, {:.0f} ms of CPU (goal 300); {:.0f} MiB resident\n", ms_since(t), (cpu_s() - cpu) * 1000, rss_mib());
  ReadMetrics spec;
  spec.start = from_ms(first_s * 1000);
  spec.end = from_ms(now_ms);
  spec.period = std::chrono::hours(1);
  const double begun = cpu_s();
  const auto units = e.store->read(ids[ids.size() / 2], spec).value();
  fmt::print("one series, 15 months: {} slots, {:.1f} ms of CPU\n", units.empty() ? 0 : units[0].size(), (cpu_s() - begun) * 1000);
  if (units.empty() || units[0].size() < 390 * 24) return 1;
  e = {};
  std::filesystem::remove_all(folder);
  return 0;
}

int run(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "months")
    return months(argc > 2 ? static_cast<std::size_t>(std::atoi(argv[2])) : 10'000,
                  argc > 3 ? std::filesystem::path(argv[3]) : std::filesystem::temp_directory_path() / "fog-bench-months");
  const auto series = static_cast<std::size_t>(argc > 1 ? std::atoi(argv[1]) : 10000);
  const int minutes = argc > 2 ? std::atoi(argv[2]) : 1440;
  const std::filesystem::path folder =
      argc > 3 ? std::filesystem::path(argv[3]) : std::filesystem::temp_directory_path() / "fog-bench-metrics";
  std::filesystem::remove_all(folder);
  ManualClock clock{from_ms(kStartMs)};
  Engine e = open(folder, clock);
  fmt::print("start: {:.1f} MiB resident\n", rss_mib());
  Generated data(series);

  // --- ingestion: a minute at a time, 1000 datums a call, time moving along -------------------------
  double put_s = 0;
  double put_max_ms = 0;
  std::vector<double> values(series);
  std::vector<MetricPoint> points;
  const double cpu_before = cpu_s();
  double generating = 0;
  for (int m = 0; m < minutes; ++m) {
    const auto g = Clock_::now();
    for (std::size_t i = 0; i < series; ++i) values[i] = data.value(i);
    generating += ms_since(g);
    const Timestamp time = from_ms(kStartMs + m * 60'000);
    clock.set(time + std::chrono::seconds(5));
    for (std::size_t i = 0; i < series; i += 1000) {
      points.clear();
      for (std::size_t k = i; k < std::min(series, i + 1000); ++k) {
        MetricPoint& p = points.emplace_back();
        p.metric_namespace = data.kinds[k] < 6 ? "AIDevOps" : "WaferMonitor";
        p.metric_name = data.names[k];
        p.dimensions = data.views[k];
        p.time = time;
        p.values = std::span(&values[k], 1);
      }
      const auto t = Clock_::now();
      if (!e.store->put({"000000000000", "us-east-1", points}).ok()) return 1;
      const double took = ms_since(t);
      put_s += took / 1000;
      put_max_ms = std::max(put_max_ms, took);
    }
    e.store->tick(clock.now());
  }
  const double n = static_cast<double>(series) * minutes;
  fmt::print("put: {:.0f} samples, {:.2f} M/s inside put(), slowest call {:.1f} ms, CPU {:.1f} s beside {:.1f} s of "
             "generating\n",
             n, n / put_s / 1e6, put_max_ms, cpu_s() - cpu_before - generating / 1000, generating / 1000);
  fmt::print("memory after: {:.0f} MiB resident (goals: 150 for 10 k series, 600 for 100 k)\n", rss_mib());
  auto t = Clock_::now();
  (void)e.store->flush();
  fmt::print("flush of the rest: {:.0f} ms\n", ms_since(t));
  clock.advance(std::chrono::hours(27));
  t = Clock_::now();
  e.store->tick(clock.now());
  fmt::print("join of the day: {:.0f} ms\n", ms_since(t));
  fmt::print("disk: {:.2f} bytes a sample in parts (goal 4, stretch 2.5), {:.2f} with series and log\n",
             static_cast<double>(e.store->stats().bytes_on_disk) / n, static_cast<double>(folder_bytes(folder)) / n);

  // --- queries ---------------------------------------------------------------------------------------
  const Timestamp start = from_ms(kStartMs);
  const Timestamp end = from_ms(kStartMs + minutes * 60'000ll);
  std::vector<SeriesId> ids;
  SeriesFilter all{.account = "000000000000", .region = "us-east-1"};
  t = Clock_::now();
  e.store->select(all, nullptr, [&](const SeriesView& v) {
    ids.push_back(v.id);
    return true;
  });
  fmt::print("first select (brings the order about): {:.1f} ms for {} series\n", ms_since(t), ids.size());
  const auto measure = [&](const char* what, int times, auto&& body) {
    body();
    std::vector<double> took;
    for (int i = 0; i < times; ++i) {
      const double at = cpu_s();
      body();
      took.push_back((cpu_s() - at) * 1000);
    }
    std::sort(took.begin(), took.end());
    fmt::print("{}: median {:.2f} ms of CPU, worst {:.2f} ms\n", what, took[took.size() / 2], took.back());
  };
  ReadMetrics spec;
  spec.start = start;
  spec.end = end;
  measure("one series, all at 60 s (goal 1.6 ms over the wire)", 50,
          [&] { (void)e.store->read(ids[ids.size() / 2], spec); });
  measure("500 series, all at 60 s (goal 150 ms over the wire)", 5, [&] {
    std::vector<SeriesId> some;
    for (std::size_t i = 0; i < 500 && i < ids.size(); ++i) some.push_back(ids[i * (ids.size() / 500 + 1) % ids.size()]);
    std::sort(some.begin(), some.end());
    some.erase(std::unique(some.begin(), some.end()), some.end());
    (void)e.store->scan(some, spec, [](std::size_t, SlotColumns&) {});
  });
  const auto select = metrics_insights::parse("SELECT AVG(InferenceLatency) FROM AIDevOps GROUP BY Model").value();
  const auto insights = [&](const std::string& text, Timestamp from, Timestamp to) {
    const auto s = metrics_insights::parse(text).value();
    const auto plan = metrics_insights::plan(s, *e.store, "000000000000", "us-east-1", {});
    (void)metrics_insights::execute(s, plan, *e.store, from, to, std::chrono::seconds(60));
  };
  measure("SELECT AVG GROUP BY over one metric, all", 3,
          [&] { insights("SELECT AVG(InferenceLatency) FROM AIDevOps GROUP BY Model", start, end); });
  measure("average by one label over every series, all (goal 1100 ms, stretch 500; one thread)", 3, [&] {
    std::vector<SeriesId> sorted = ids;
    std::sort(sorted.begin(), sorted.end());
    metrics_insights::Plan plan;
    plan.groups.resize(19);
    for (std::size_t g = 0; g < 19; ++g) plan.groups[g].values = {std::to_string(g)};
    for (std::size_t i = 0; i < sorted.size(); ++i) plan.groups[i % 19].series.push_back(sorted[i]);
    (void)metrics_insights::execute(select, plan, *e.store, start, end, std::chrono::seconds(60));
  });
  measure("average by one label over every series, 3 h (goal 150 ms; one thread)", 5, [&] {
    metrics_insights::Plan plan;
    plan.groups.resize(1);
    plan.groups[0].values = {"x"};
    plan.groups[0].series = ids;
    (void)metrics_insights::execute(select, plan, *e.store, end - std::chrono::hours(3), end, std::chrono::seconds(60));
  });
  measure("SEARCH that returns 100 (goal 30 ms over 100 k series)", 10, [&] {
    auto search = metric_math::Search::parse("{AIDevOps,Environment,Host,Model} InferenceLatency Model=\"model-3\"").value();
    SeriesFilter filter = all;
    search.narrow(filter);
    std::size_t found = 0;
    e.store->select(filter, nullptr, [&](const SeriesView& v) {
      if (search.matches(v, "000000000000")) ++found;
      return found < 100;
    });
  });
  measure("ListMetrics page with one dimension filter (goal 5 ms)", 20, [&] {
    SeriesFilter filter = all;
    filter.dimensions.push_back({"Model", "model-3"});
    std::size_t found = 0;
    e.store->select(filter, nullptr, [&](const SeriesView&) { return ++found < 500; });
  });
  measure("SEARCH by words alone over every series, none found", 5, [&] {
    auto search = metric_math::Search::parse("{AIDevOps,Environment,Host,Model} InferenceLatency nobody").value();
    SeriesFilter filter = all;
    search.narrow(filter);
    e.store->select(filter, nullptr, [&](const SeriesView& v) { return !search.matches(v, "000000000000") || true; });
  });
  distributions(*e.store, clock, measure);

  // --- restart ----------------------------------------------------------------------------------------
  e = {};
  t = Clock_::now();
  e = open(folder, clock);
  fmt::print("restart: {:.0f} ms (goal 300)\n", ms_since(t));
  e = {};
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace fog

int main(int argc, char** argv) { return fog::run(argc, argv); }
