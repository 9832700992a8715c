// The log store alone: ingestion, stored size, and scans, with the goals beside the figures.
//
//   bench_logs_store [--file events.ndjson] [--events N] [--folder DIR] [--threads N]
//
// The file holds one {"g": group, "s": stream, "t": ms, "m": message} a line; without one a fixed-seed
// workload of an inference service is made (JSON lines, platform lines, plain errors). Batches of 1000
// events of one stream. CPU time is that of the whole process, generator excluded.
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <set>
#include <filesystem>

#include <fmt/format.h>

#include "bench/log_lines.h"
#include "storage/log_store.h"

namespace {

using namespace fog;
using bench::Batch;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double resident_mib() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  long total = 0;
  long resident = 0;
  if (file != nullptr) {
    if (std::fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

// Median of five runs in ms of CPU (the machine may be busy) and of the clock on the wall; `work`
// returns a number that is printed as proof of work.
template <typename Work>
void time_query(const char* name, const char* goal, Work&& work) {
  std::vector<double> wall;
  std::vector<double> cpu;
  double answer = 0;
  for (int run = 0; run < 5; ++run) {
    const auto start = Clock::now();
    const double cpu_start = cpu_seconds();
    answer = work();
    cpu.push_back((cpu_seconds() - cpu_start) * 1000);
    wall.push_back(seconds_since(start) * 1000);
  }
  std::sort(wall.begin(), wall.end());
  std::sort(cpu.begin(), cpu.end());
  fmt::print("{:<44} CPU {:8.2f} ms, wall {:8.2f} ms   goal {:<12} answer {}\n", name, cpu[2], wall[2], goal, answer);
}

template <typename T>
T must(Result<T> result) {
  if (!result.ok()) {
    fmt::print(stderr, "{}\n", result.error().message());
    std::exit(1);
  }
  return std::move(result).value();
}

}  // namespace

int main(int argc, char** argv) {
  std::string file;
  std::size_t events_wanted = 1'000'000;
  std::size_t threads = 1;
  std::filesystem::path folder = std::filesystem::temp_directory_path() / fmt::format("fog-bench-{}", getpid());
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--file") == 0) file = argv[i + 1];
    if (std::strcmp(argv[i], "--events") == 0) events_wanted = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--threads") == 0) threads = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--folder") == 0) folder = argv[i + 1];
  }
  std::filesystem::create_directories(folder);
  auto wal = must(Wal::open({.folder = folder / "wal", .durability = Durability::kStrict}));
  auto store = must(open_log_store(*wal, {.folder = folder / "logs", .threads = threads}));
  must(wal->replay([](const Wal::Record&) {}));
  store->replayed();

  // Ingestion: batches are prepared outside the measured time, a few hundred at once.
  std::uint64_t raw = 0;
  std::uint64_t events = 0;
  double wall = 0;
  double cpu = 0;
  std::string needle;
  std::vector<Batch> ready;
  std::set<LogGroupId> group_set;
  const auto ingest = [&] {
    const auto start = Clock::now();
    const double cpu_start = cpu_seconds();
    std::vector<LogEventIn> in;
    for (Batch& batch : ready) {
      std::stable_sort(batch.events.begin(), batch.events.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      in.clear();
      for (const auto& [time, message] : batch.events) in.push_back({time, message});
      must(store->append({batch.group, batch.stream, batch.events.back().first + 100, in, {}}));
    }
    must(wal->wait_durable(wal->last_lsn()));
    wall += seconds_since(start);
    cpu += cpu_seconds() - cpu_start;
    ready.clear();
  };
  const auto emit = [&](const Batch& batch) {
    for (const auto& event : batch.events) {
      raw += event.second.size();
      ++events;
      if (const std::size_t at = event.second.find("\"request_id\":\""); at != std::string::npos && (needle.empty() || events < events_wanted / 3))
        needle = event.second.substr(at + 14, 36);
    }
    group_set.insert(batch.group);
    ready.push_back(batch);
    if (ready.size() >= 200) ingest();
  };
  if (file.empty()) {
    bench::generate(events_wanted, 1787184000000, emit);
  } else {
    bench::read_file(file, events_wanted, emit);
  }
  ingest();
  const double resident_after = resident_mib();
  {
    const auto start = Clock::now();
    const double cpu_start = cpu_seconds();
    must(store->flush());
    while (must(store->merge())) {
    }
    wall += seconds_since(start);
    cpu += cpu_seconds() - cpu_start;
  }
  const LogStoreHealth health = store->health();
  fmt::print("events {}  raw {:.1f} MB  ({:.0f} B an event)\n", events, static_cast<double>(raw) / 1e6,
             static_cast<double>(raw) / static_cast<double>(events));
  fmt::print("ingest {:.0f} events/s of CPU, sealing and merging included (goal 250000 with the request path), wall {:.0f}/s\n",
             static_cast<double>(events) / cpu, static_cast<double>(events) / wall);
  fmt::print("stored {:.1f} MB = {:.1f} B an event = 1/{:.2f} of raw (goal 1/7, stretch 1/9.2); {} segments, {} blocks\n",
             static_cast<double>(health.disk_bytes) / 1e6, static_cast<double>(health.disk_bytes) / static_cast<double>(events),
             static_cast<double>(raw) / static_cast<double>(health.disk_bytes), health.segments, health.blocks);
  fmt::print("resident after ingestion {:.0f} MiB, now {:.0f} MiB (goal 200)\n", resident_after, resident_mib());

  const std::vector<LogGroupId> groups(group_set.begin(), group_set.end());
  const auto scan = [&](std::vector<std::vector<LogPredicate>> where) {
    LogScanSpec spec;
    spec.groups = groups;
    spec.where = std::move(where);
    return must(store->snapshot(spec));
  };
  using What = LogPredicate::What;
  std::string goal_scale = fmt::format("(x{:.2f} of 5 M)", static_cast<double>(events) / 5e6);
  fmt::print("one thread; goals are for 5 M events {}\n", goal_scale);
  time_query("needle by request_id", "7 ms", [&] {
    const LogPredicate want{.what = What::kFieldEquals, .field = "request_id", .text = needle};
    double hits = 0;
    auto snapshot = scan({{want}});
    for (auto& block : snapshot.blocks) {
      RowSet rows = must(block->rows_visible());
      must(block->narrow(want, rows));
      std::string message;
      rows.visit([&](std::size_t row) { must(block->append_message(row, message)); });
      hits += static_cast<double>(rows.count());
    }
    return hits;
  });
  time_query("needle in @message", "-", [&] {
    const LogPredicate want{.what = What::kMessageContains, .text = needle};
    double hits = 0;
    auto snapshot = scan({{want}});
    for (auto& block : snapshot.blocks) {
      RowSet rows = must(block->rows_visible());
      must(block->narrow(want, rows));
      hits += static_cast<double>(rows.count());
    }
    return hits;
  });
  time_query("newest 100 with ERROR", "45 ms", [&] {
    const LogPredicate want{.what = What::kMessageContains, .text = "ERROR"};
    auto snapshot = scan({{want}});
    std::vector<std::int64_t> newest;
    std::string message;
    for (auto& block : snapshot.blocks) {
      if (newest.size() >= 100 && newest[99] > block->timestamp_max_ms()) break;
      RowSet rows = must(block->rows_visible());
      must(block->narrow(want, rows));
      const auto times = must(block->timestamps_ms());
      rows.visit([&](std::size_t row) { newest.push_back(times[row]); });
      std::sort(newest.rbegin(), newest.rend());
      if (newest.size() > 100) newest.resize(100);
    }
    return static_cast<double>(newest.back());
  });
  time_query("count by level", "50 ms", [&] {
    std::map<std::string, double> counts;
    auto snapshot = scan({});
    for (auto& block : snapshot.blocks) {
      const auto column = must(block->column("level"));
      if (column == nullptr || column->type != LogColumnType::kDictionary) continue;
      std::vector<std::size_t> by_code(column->dictionary.size());
      column->present.visit([&](std::size_t row) { ++by_code[column->code(row)]; });
      for (std::size_t code = 0; code < by_code.size(); ++code)
        counts[std::string(column->dictionary[code])] += static_cast<double>(by_code[code]);
    }
    return counts["ERROR"];
  });
  time_query("avg(latency_ms) by 5 minutes", "90 ms", [&] {
    std::unordered_map<std::int64_t, std::pair<double, double>> bins;
    auto snapshot = scan({});
    for (auto& block : snapshot.blocks) {
      const auto column = must(block->column("latency_ms"));
      if (column == nullptr || column->type != LogColumnType::kDouble) continue;
      const auto times = must(block->timestamps_ms());
      std::int64_t bin = INT64_MIN;
      std::pair<double, double>* cell = nullptr;
      column->present.visit([&](std::size_t row) {
        if (const std::int64_t b = times[row] / 300000; b != bin) {
          bin = b;
          cell = &bins[b];
        }
        cell->first += column->doubles[row];
        cell->second += 1;
      });
    }
    double sum = 0;
    for (const auto& entry : bins) sum += entry.second.first / entry.second.second;
    return std::round(sum);
  });
  time_query("rows with 'dies' or 'reset by peer', rebuilt", "2600 ms", [&] {
    const LogPredicate a{.what = What::kMessageContains, .text = " dies"};
    const LogPredicate b{.what = What::kMessageContains, .text = "reset by peer"};
    double bytes = 0;
    auto snapshot = scan({{a, b}});
    for (auto& block : snapshot.blocks) {
      RowSet rows = must(block->rows_visible());
      RowSet other = rows;
      must(block->narrow(a, rows));
      must(block->narrow(b, other));
      rows |= other;
      bytes += static_cast<double>(must(block->messages(rows))->bytes.size());
    }
    return bytes;
  });
  time_query("every message rebuilt", "-", [&] {
    double bytes = 0;
    auto snapshot = scan({});
    for (auto& block : snapshot.blocks)
      bytes += static_cast<double>(must(block->messages(RowSet(block->rows(), true)))->bytes.size());
    return bytes;
  });
  time_query("open the store again", "500 ms at 50 M", [&] {
    auto again_wal = must(Wal::open({.folder = {}, .durability = Durability::kEphemeral}));
    auto again = must(open_log_store(*again_wal, {.folder = folder / "logs", .threads = 0}));
    return static_cast<double>(again->health().blocks);
  });
  store.reset();
  wal.reset();
  std::filesystem::remove_all(folder);
  return 0;
}
