// Log lines for benches: a fixed-seed workload of an inference service, or a file of lines.
//
// About 282 bytes a line: JSON lines, platform lines (START, END, REPORT) and plain errors of six groups with
// twelve streams each, in batches of 1000 events of one stream.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <simdjson.h>

namespace fog::bench {

struct Batch {
  std::uint64_t group = 0;
  std::uint64_t stream = 0;
  std::vector<std::pair<std::int64_t, std::string>> events;
};

// Gives full batches, then the rest.
class Batcher {
 public:
  template <typename Emit>
  void add(std::uint64_t group, std::uint64_t stream, std::int64_t time, std::string message, Emit&& emit) {
    Batch& batch = open_[stream];
    batch.group = group;
    batch.stream = stream;
    batch.events.emplace_back(time, std::move(message));
    if (batch.events.size() == 1000) {
      emit(batch);
      batch.events.clear();
    }
  }
  template <typename Emit>
  void finish(Emit&& emit) {
    for (auto& entry : open_)
      if (!entry.second.events.empty()) emit(entry.second);
  }

 private:
  std::unordered_map<std::uint64_t, Batch> open_;
};

template <typename Emit>
void read_file(const std::string& path, std::size_t events_max, Emit&& emit) {
  std::FILE* file = std::fopen(path.c_str(), "r");
  if (file == nullptr) {
    fmt::print(stderr, "cannot open {}\n", path);
    std::exit(1);
  }
  simdjson::dom::parser parser;
  std::unordered_map<std::string, std::uint64_t> groups;
  std::unordered_map<std::string, std::uint64_t> streams;
  Batcher batcher;
  char* line = nullptr;
  std::size_t capacity = 0;
  for (ssize_t n = 0; events_max > 0 && (n = getline(&line, &capacity, file)) > 0; --events_max) {
    simdjson::dom::element record = parser.parse(line, static_cast<std::size_t>(n));
    const auto text = [&](const char* key) { return std::string(record[key].get_string().value()); };
    const std::string group = text("g");
    const std::string stream = group + "\n" + text("s");
    const std::uint64_t g = groups.try_emplace(group, groups.size() + 1).first->second;
    const std::uint64_t s = streams.try_emplace(stream, streams.size() + 1000).first->second;
    batcher.add(g, s, record["t"].get_int64().value(), text("m"), emit);
  }
  batcher.finish(emit);
  std::free(line);
  std::fclose(file);
}

// Times begin at `start_ms` and rise by 20 ms an invocation, i.e. about 3 ms a line.
template <typename Emit>
void generate(std::size_t events, std::int64_t start_ms, Emit&& emit) {
  std::mt19937_64 random(1);
  const auto pick = [&](std::uint64_t n) { return random() % n; };
  const auto hex = [&](int n) {
    std::string text;
    for (int i = 0; i < n; ++i) text.push_back("0123456789abcdef"[pick(16)]);
    return text;
  };
  static constexpr const char* kModels[] = {"gpt-4o", "gpt-4o-mini", "llama-3.1-8b", "gemini-1.5-flash", "command-r-08-24"};
  static constexpr const char* kLevels[] = {"INFO", "INFO", "INFO", "INFO", "DEBUG", "DEBUG", "WARN", "ERROR"};
  Batcher batcher;
  std::int64_t time = start_ms;
  for (std::size_t made = 0; made < events;) {
    time += static_cast<std::int64_t>(pick(40));
    const std::uint64_t group = 1 + pick(6);
    const std::uint64_t stream = group * 1000 + pick(12);
    const std::string id = hex(8) + "-" + hex(4) + "-4" + hex(3) + "-a" + hex(3) + "-" + hex(12);
    const std::string trace = "1-" + hex(8) + "-" + hex(24);
    const std::string model = kModels[pick(5)];
    batcher.add(group, stream, time, "START RequestId: " + id + " Version: $LATEST", emit);
    std::int64_t at = time;
    const std::size_t lines = 2 + pick(4);
    for (std::size_t i = 0; i < lines; ++i) {
      at += static_cast<std::int64_t>(pick(300));
      batcher.add(group, stream, at,
                  fmt::format(R"({{"level":"{}","message":"Wafer map classified, {} dies inspected, {} defects found","operation":"classify.defect",)"
                              R"("model":"{}","latency_ms":{:.2f},"tokens":{},"cost":{:.6f},"trace_id":"{}","request_id":"{}","environment":"production",)"
                              R"("region":"eu-west-1","user_id":"u-{:05}","cache_hit":{},"status_code":200}})",
                              kLevels[pick(8)], pick(30), pick(1000), model, static_cast<double>(pick(500000)) / 100, pick(2000),
                              static_cast<double>(pick(90000)) / 1e6, trace, id, pick(20000), pick(2) != 0 ? "true" : "false"),
                  emit);
    }
    batcher.add(group, stream, at, "END RequestId: " + id, emit);
    batcher.add(group, stream, at,
                fmt::format("REPORT RequestId: {}\tDuration: {:.2f} ms\tBilled Duration: {} ms\tMemory Size: 1024 MB\tMax Memory Used: {} MB", id,
                            static_cast<double>(pick(300000)) / 100, pick(3000), 128 + pick(800)),
                emit);
    made += lines + 3;
    // One line in a hundred is plain text.
    if (pick(14) == 0) {
      batcher.add(group, stream, at, "[ERROR] " + id + " connection reset by peer while streaming the response", emit);
      ++made;
    }
  }
  batcher.finish(emit);
}

}  // namespace fog::bench
