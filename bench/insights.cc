// Logs Insights over the log store, in process: latency of the queries that performance goals name.
//
//   bench_insights --file events.ndjson [--events N] [--rounds N] [--threads N] [--query TEXT] [--folder DIR]
//
// The file holds one {"g": group, "s": stream, "t": ms, "m": message} a line. Everything is sealed
// before the first query. With --folder the store stays there, and the next run with it needs no file. Printed: best and median time of the rounds, least processor time, rows, and the first row.
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <unordered_map>

#include <fmt/format.h>
#include <simdjson.h>

#include "query/insights/query.h"
#include "storage/log_store.h"

namespace {

using namespace fog;
using Clock = std::chrono::steady_clock;

class StoreScan final : public insights::Scan {
 public:
  StoreScan(LogStore& store, std::vector<LogGroupId> groups) : store_(store), groups_(std::move(groups)) {}
  Result<insights::ScanBlocks> open(const insights::ScanRequest& request) override {
    LogScanSpec spec;
    spec.groups = groups_;
    spec.from_ms = request.from_ms;
    spec.to_ms = request.to_ms;
    spec.where = request.where;
    spec.newest_first = request.newest_first;
    TRY(LogSnapshot snapshot, store_.snapshot(spec));
    insights::ScanBlocks blocks;
    blocks.blocks = std::move(snapshot.blocks);
    blocks.events_skipped = snapshot.skipped.events;
    blocks.groups = groups_.size();
    return blocks;
  }
  std::string_view log_name(LogGroupId) override { return "000000000000:/bench"; }
  std::string_view stream_name(LogStreamId) override { return "stream"; }
  std::string pointer(LogGroupId group, LogStreamId, std::int64_t, LogSequence sequence) override {
    return fmt::format("{}-{}", group, sequence);
  }

 private:
  LogStore& store_;
  std::vector<LogGroupId> groups_;
};

// Processor time of all threads, for machines that do other things as well.
double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

struct Loaded {
  std::size_t events = 0;
  std::size_t bytes = 0;
  std::vector<LogGroupId> groups;
  std::string needle;  // a request id from the middle
};

Loaded load(LogStore& store, const char* path, std::size_t events_max) {
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) {
    fmt::print(stderr, "cannot open {}\n", path);
    std::exit(1);
  }
  simdjson::dom::parser parser;
  std::unordered_map<std::string, LogGroupId> groups;
  std::unordered_map<std::string, LogStreamId> streams;
  std::unordered_map<LogStreamId, std::pair<LogGroupId, std::vector<std::pair<std::int64_t, std::string>>>> open;
  Loaded loaded;
  auto flush = [&](LogStreamId stream, auto& batch) {
    std::vector<LogEventIn> events;
    for (auto& [time, message] : batch.second) events.push_back({time, message});
    auto done = store.append({.group = batch.first, .stream = stream, .ingestion_ms = events.back().timestamp_ms, .events = events, .fields = {}});
    if (!done.ok()) {
      fmt::print(stderr, "append: {}\n", done.error().message());
      std::exit(1);
    }
    batch.second.clear();
  };
  char* line = nullptr;
  std::size_t capacity = 0;
  for (ssize_t n = 0; loaded.events < events_max && (n = getline(&line, &capacity, file)) > 0;) {
    simdjson::dom::element record = parser.parse(line, static_cast<std::size_t>(n));
    auto text = [&](const char* key) { return std::string(record[key].get_string().value()); };
    LogGroupId group = groups.try_emplace(text("g"), groups.size() + 1).first->second;
    LogStreamId stream = streams.try_emplace(text("g") + "\n" + text("s"), streams.size() + 1000).first->second;
    std::string message = text("m");
    loaded.bytes += message.size();
    ++loaded.events;
    if (auto at = message.find("request_id\":\""); at != std::string::npos && (loaded.needle.empty() || loaded.events == 400'000))
      loaded.needle = message.substr(at + 13, 36);
    auto& batch = open[stream];
    batch.first = group;
    batch.second.emplace_back(record["t"].get_int64().value(), std::move(message));
    if (batch.second.size() == 1000) flush(stream, batch);
  }
  for (auto& [stream, batch] : open)
    if (!batch.second.empty()) flush(stream, batch);
  std::free(line);
  std::fclose(file);
  for (auto& entry : groups) loaded.groups.push_back(entry.second);
  if (auto done = store.flush(); !done.ok()) fmt::print(stderr, "flush: {}\n", done.error().message());
  return loaded;
}

// What a kept store is, for the next run over it.
void remember(const std::filesystem::path& folder, const Loaded& loaded) {
  std::ofstream out(folder / "loaded");
  out << loaded.events << ' ' << loaded.bytes << ' ' << loaded.needle;
  for (const LogGroupId group : loaded.groups) out << ' ' << group;
}
bool recall(const std::filesystem::path& folder, Loaded& loaded) {
  std::ifstream in(folder / "loaded");
  if (!(in >> loaded.events >> loaded.bytes >> loaded.needle)) return false;
  for (LogGroupId group = 0; in >> group;) loaded.groups.push_back(group);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const char* file = nullptr;
  std::size_t events = SIZE_MAX;
  std::size_t threads = 1;
  int rounds = 5;
  std::filesystem::path kept;
  std::vector<std::string> queries;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!std::strcmp(argv[i], "--file")) file = argv[i + 1];
    if (!std::strcmp(argv[i], "--events")) events = std::stoull(argv[i + 1]);
    if (!std::strcmp(argv[i], "--rounds")) rounds = std::stoi(argv[i + 1]);
    if (!std::strcmp(argv[i], "--threads")) threads = std::stoull(argv[i + 1]);
    if (!std::strcmp(argv[i], "--folder")) kept = argv[i + 1];
    if (!std::strcmp(argv[i], "--query")) queries.push_back(argv[i + 1]);
  }
  Loaded loaded;
  const bool again = !kept.empty() && recall(kept, loaded);
  if (file == nullptr && !again) {
    fmt::print(stderr, "usage: bench_insights --file events.ndjson [--events N] [--rounds N] [--threads N] [--query TEXT] [--folder DIR]\n");
    return 2;
  }
  auto folder = !kept.empty() ? kept : std::filesystem::temp_directory_path() / fmt::format("bench_insights_{}", Clock::now().time_since_epoch().count());
  {
    auto wal = Wal::open({.folder = folder / "wal", .durability = Durability::kRelaxed});
    if (!wal.ok()) return 1;
    auto store = open_log_store(**wal, {.folder = folder / "logs", .threads = 1});
    if (!store.ok()) return 1;
    const auto apply = [&](const Wal::Record& record) { return record.store == StoreId::kLogs ? (*store)->apply(record) : Status(Ok{}); };
    if (!(*wal)->replay([&](const Wal::Record& record) { (void)apply(record).ok(); }).ok()) return 1;
    (*store)->replayed();
    auto start = Clock::now();
    if (!again) {
      loaded = load(**store, file, events);
      if (!kept.empty()) remember(kept, loaded);
    }
    fmt::print("{} events, {} MB, loaded in {:.1f} s, {} blocks\n", loaded.events, loaded.bytes / 1'000'000,
               std::chrono::duration<double>(Clock::now() - start).count(), (*store)->health().blocks);
    if (queries.empty())
      queries = {"filter request_id = \"" + loaded.needle + "\" | fields @timestamp, @message",
                 "fields @timestamp, @message | filter @message like /ERROR/ | sort @timestamp desc | limit 100",
                 "fields @timestamp, @message | limit 100",
                 "stats count(*) by level",
                 "stats avg(latency_ms) as a by bin(5m)",
                 "stats sum(tokens) as t by model | sort t desc | limit 10",
                 "stats pct(latency_ms, 99) as p by model",
                 "filter @message like /lat[a-z]+_ms\":[0-9]{3,}\\.[0-9]5/ | stats count(*)",
                 "filter @message like /(?i)out of memory/ | stats count(*)",
                 "filter @message like \"timeout\" | stats count(*) by bin(1h)",
                 "stats count_distinct(user_id) as u by region",
                 "sort latency_ms desc | limit 20",
                 "parse @message \"\\\"latency_ms\\\":*,\" as l | stats avg(l)",
                 "pattern @message"};
    std::unique_ptr<WorkerPool> pool;
    if (threads > 1) pool = std::make_unique<WorkerPool>(threads - 1);
    for (const std::string& text : queries) {
      auto query = insights::parse(text, {});
      if (!query.ok()) {
        fmt::print("{}\n  {}\n", text, query.error().message());
        continue;
      }
      StoreScan scan(**store, loaded.groups);
      insights::RunOptions options;
      options.start_ms = 0;
      options.end_ms = 4'000'000'000'000;
      options.now_ms = options.end_ms;
      options.pool = pool.get();
      std::vector<double> times, cpu;
      std::string shown;
      for (int round = 0; round < rounds; ++round) {
        auto begin = Clock::now();
        double cpu_begin = cpu_ms();
        auto table = insights::run(**query, scan, options);
        times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
        cpu.push_back(cpu_ms() - cpu_begin);
        if (!table.ok()) {
          shown = table.error().message();
          continue;
        }
        shown = fmt::format("{} rows, {} matched;", table->rows.size(), table->statistics.records_matched);
        for (std::size_t c = 0; c < table->columns.size() && !table->rows.empty(); ++c)
          shown += ' ' + table->columns[c] + '=' + table->text(0, c).value_or("-").substr(0, 60);
      }
      std::sort(times.begin(), times.end());
      std::sort(cpu.begin(), cpu.end());
      fmt::print("{:9.2f} ms best {:9.2f} ms median {:9.2f} ms cpu  {}\n    {}\n", times.front(), times[times.size() / 2], cpu.front(), text, shown);
    }
  }
  if (kept.empty()) std::filesystem::remove_all(folder);
  return 0;
}
