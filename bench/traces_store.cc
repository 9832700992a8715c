// The trace store and its queries, in one process: documents/s in, bytes on disk, query latencies.
//
//   bench_traces_store [TRACES] [FOLDER]     (100000 traces, a folder below the temporary one)
//   bench_traces_store - [FOLDER]            (documents from standard input, one a line, a trace's together)
//
// Documents resemble those of a real system: four to five a trace over six hours, 1 KB each, fixed
// seed. Appending runs 25 documents a call on a strict log, waiting for each call's durability from
// one of 8 callers; CPU seconds are those of the whole process, sealing included.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <random>
#include <thread>

#include <fmt/format.h>

#include "query/service_graph/service_graph.h"
#include "query/trace_filter/filter.h"
#include "storage/base/clock.h"
#include "storage/trace_store.h"

namespace {

using namespace fog;
namespace fs = std::filesystem;
using Steady = std::chrono::steady_clock;

constexpr std::int64_t kStart = 1'787'184'000;  // 2026-08-20
constexpr std::int64_t kSeconds = 6 * 3600;
constexpr std::size_t kDocumentsPerCall = 25;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

double seconds_since(Steady::time_point start) { return std::chrono::duration<double>(Steady::now() - start).count(); }

// Documents of trace number n.
void make_trace(std::uint64_t n, std::uint64_t of, std::vector<std::string>& out) {
  std::mt19937_64 random(n * 2654435761u + 1);
  const double t = static_cast<double>(kStart) + static_cast<double>(n) * static_cast<double>(kSeconds) / static_cast<double>(of);
  const auto trace = fmt::format("1-{:08x}-{:016x}{:08x}", static_cast<std::int64_t>(t), random(), static_cast<std::uint32_t>(random()));
  const auto id = [&] { return fmt::format("{:016x}", random()); };
  const char* models[] = {"command-r-08-24", "titan-embed-v2", "gpt-4", "mistral-large", "llama-3-70b"};
  const auto* model = models[random() % 5];
  const auto tenant = random() % 50;
  const double took = 0.05 + static_cast<double>(random() % 1000) / 1000.0 + (random() % 200 == 0 ? 6 : 0);
  const bool fault = random() % 50 == 0;
  const char* flag = fault ? R"("fault":true,)" : "";
  const int status = fault ? 500 : 200;
  const auto a = id(), call1 = id(), b = id(), call2 = id(), call3 = id(), c = id(), d = id();
  out.push_back(fmt::format(
      R"({{"id":"{}","name":"gateway","trace_id":"{}","start_time":{:.6f},"end_time":{:.6f},{}"origin":"AWS::EC2::Instance","http":{{"request":{{"method":"POST","url":"https://api.example.com/v1/chat.completion","client_ip":"10.1.{}.{}","user_agent":"fab-client/2.{}"}},"response":{{"status":{},"content_length":{}}}}},"annotations":{{"tenant":"tenant-{:03}","model":"{}","operation":"chat.completion","environment":"production","cold_start":false,"tokens":{},"request":"r-{:08x}"}},"user":"u-{:05}","subsegments":[{{"id":"{}","name":"authenticate","start_time":{:.6f},"end_time":{:.6f}}},{{"id":"{}","name":"orchestrator","start_time":{:.6f},"end_time":{:.6f},"namespace":"remote",{}"http":{{"request":{{"method":"POST","url":"http://orchestrator.internal/v1/chat.completion"}},"response":{{"status":{}}}}}}}]}})",
      a, trace, t, t + took, flag, random() % 8, random() % 256, random() % 9, status, random() % 9000, tenant, model, random() % 2000,
      n / 100, random() % 40000, id(), t + 0.001, t + 0.003, call1, t + 0.004, t + took - 0.003, flag, status));
  out.push_back(fmt::format(
      R"({{"id":"{}","name":"orchestrator","trace_id":"{}","parent_id":"{}","start_time":{:.6f},"end_time":{:.6f},{}"origin":"AWS::Lambda::Function","http":{{"request":{{"method":"POST","url":"http://orchestrator.internal/v1/chat.completion"}},"response":{{"status":{}}}}},"aws":{{"function_arn":"arn:aws:lambda:eu-central-1:123456789012:function:orchestrator","request_id":"{}{}"}},"annotations":{{"tenant":"tenant-{:03}","model":"{}","operation":"chat.completion","environment":"production","cold_start":false}},"metadata":{{"default":{{"prompt_chars":{},"stop":["\n\n"],"temperature":0.2}}}},"subsegments":[{{"id":"{}","name":"retriever","start_time":{:.6f},"end_time":{:.6f},"namespace":"remote","http":{{"request":{{"method":"POST","url":"http://retriever.internal/search"}},"response":{{"status":200}}}}}},{{"id":"{}","name":"S3","start_time":{:.6f},"end_time":{:.6f},"namespace":"aws","aws":{{"operation":"GetObject","region":"eu-central-1","request_id":"{}{}","retries":0,"bucket_name":"prompt-templates"}}}},{{"id":"{}","name":"inference-worker","start_time":{:.6f},"end_time":{:.6f},"namespace":"remote",{}"http":{{"request":{{"method":"POST","url":"http://inference-worker.internal/generate"}},"response":{{"status":{}}}}}}}]}})",
      b, trace, call1, t + 0.006, t + took - 0.004, flag, status, id(), id(), tenant, model, random() % 20000, call2, t + 0.008, t + 0.02,
      id(), t + 0.02, t + 0.024, id(), id(), call3, t + 0.025, t + took - 0.005, flag, status));
  out.push_back(fmt::format(
      R"({{"id":"{}","name":"retriever","trace_id":"{}","parent_id":"{}","start_time":{:.6f},"end_time":{:.6f},"origin":"AWS::ECS::Container","http":{{"request":{{"method":"POST","url":"http://retriever.internal/search"}},"response":{{"status":200}}}},"annotations":{{"tenant":"tenant-{:03}","documents":{}}},"subsegments":[{{"id":"{}","name":"DynamoDB","start_time":{:.6f},"end_time":{:.6f},"namespace":"aws","aws":{{"operation":"Query","region":"eu-central-1","request_id":"{}{}","retries":0,"table_name":"embeddings"}}}}]}})",
      c, trace, call2, t + 0.009, t + 0.019, tenant, random() % 30, id(), t + 0.01, t + 0.016, id(), id()));
  out.push_back(fmt::format(
      R"({{"id":"{}","name":"inference-worker","trace_id":"{}","parent_id":"{}","start_time":{:.6f},"end_time":{:.6f},{}"origin":"AWS::ECS::Container","http":{{"request":{{"method":"POST","url":"http://inference-worker.internal/generate"}},"response":{{"status":{}}}}},"annotations":{{"model":"{}","tenant":"tenant-{:03}","gpu":"gpu-{}","queue_depth":{}}},"subsegments":[{{"id":"{}","name":"tokenize","start_time":{:.6f},"end_time":{:.6f}}},{{"id":"{}","name":"invoke_model","start_time":{:.6f},"end_time":{:.6f},"metadata":{{"model":{{"name":"{}","batch":1}}}}}},{{"id":"{}","name":"detokenize","start_time":{:.6f},"end_time":{:.6f}}}]}})",
      d, trace, call3, t + 0.026, t + took - 0.006, flag, status, model, tenant, random() % 8, random() % 40, id(), t + 0.026, t + 0.027, id(),
      t + 0.027, t + took - 0.008, model, id(), t + took - 0.008, t + took - 0.007));
}

std::uint64_t folder_bytes(const fs::path& folder) {
  std::uint64_t sum = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) sum += entry.file_size();
  return sum;
}

struct Bench {
  TraceStore& store;
  TraceScope scope{"000000000000", "us-east-1"};

  // The best of three; the first page of 100 as GetTraceSummaries takes it.
  void query(const char* what, const char* expression, std::int64_t from_s, std::int64_t to_s, std::size_t page) {
    const auto filter = trace_filter::Filter::parse(expression, {});
    if (!filter.ok()) {
      std::printf("%s: %s\n", what, filter.error().message().c_str());
      return;
    }
    double best = 1e9, best_cpu = 1e9;
    std::size_t matches = 0, seen = 0;
    for (int round = 0; round < 3; ++round) {
      matches = seen = 0;
      TraceScan scan;
      scan.from_ms = from_s * 1000;
      scan.to_ms = to_s * 1000;
      filter->add_hints(scan);
      const auto start = Steady::now();
      const double cpu = cpu_seconds();
      auto done = store.scan(scope, scan, [&](const auto& trace) {
        ++seen;
        if (filter->matches(*trace)) ++matches;
        return matches < page;
      });
      if (!done.ok()) std::printf("%s: %s\n", what, done.error().message().c_str());
      best = std::min(best, seconds_since(start));
      best_cpu = std::min(best_cpu, cpu_seconds() - cpu);
    }
    std::printf("%-52s %8.1f ms wall, %8.1f ms CPU  (%zu matches, %zu looked at)\n", what, best * 1000, best_cpu * 1000, matches, seen);
  }
};

}  // namespace

int main(int argc, char** argv) {
  const bool from_input = argc > 1 && std::string_view(argv[1]) == "-";
  const std::uint64_t traces = from_input ? UINT64_MAX : argc > 1 ? std::stoull(argv[1]) : 100'000;
  const fs::path folder = argc > 2 ? fs::path(argv[2]) : fs::temp_directory_path() / "fogwatch-bench-traces";
  fs::remove_all(folder);
  // Documents of the file carry their own times: its first trace tells when it begins.
  std::string line;
  std::int64_t begin = kStart;
  if (from_input) {
    const auto id = std::getline(std::cin, line) ? traces::parse_trace_id(std::string_view(line).substr(line.find("\"trace_id\":\"") + 12, 35)) : std::nullopt;
    if (!id) {
      std::fprintf(stderr, "no documents on standard input\n");
      return 2;
    }
    begin = id->epoch_s();
  }
  ManualClock clock(from_ms((begin + kSeconds) * 1000));
  auto wal = std::move(*Wal::open({.folder = folder / "wal", .durability = Durability::kStrict}));
  TraceStore::Options options;
  options.folder = folder / "traces";
  auto store = std::move(*TraceStore::open(options, *wal, clock));
  const TraceScope scope{"000000000000", "us-east-1"};

  constexpr std::size_t kCallers = 8;
  constexpr std::uint64_t kChunk = 20'000;
  std::uint64_t documents = 0, bytes = 0, kept = 0;
  double append_wall = 0, append_cpu = 0, seal_wall = 0, seal_cpu = 0;
  std::vector<std::string> sample;
  for (std::uint64_t first = 0; first < traces; first += kChunk) {
    std::vector<std::string> made;
    if (from_input) {
      std::string trace_before;
      for (std::uint64_t n = 0; !line.empty(); std::getline(std::cin, line)) {
        const auto trace = line.substr(line.find("\"trace_id\":\"") + 12, 35);
        if (trace != trace_before && n++ == kChunk) break;
        if (trace != trace_before && kept++ % 200'000 == 7) sample.push_back(line);
        trace_before = trace;
        made.push_back(std::move(line));
        line.clear();
      }
      if (made.empty()) break;
    }
    for (std::uint64_t n = first; !from_input && n < std::min(traces, first + kChunk); ++n) {
      ++kept;
      make_trace(n, traces, made);
      if (n % std::max<std::uint64_t>(1, traces / 5) == 7) sample.push_back(made.back());
    }
    documents += made.size();
    for (const auto& document : made) bytes += document.size();
    auto start = Steady::now();
    double cpu = cpu_seconds();
    {
      std::vector<std::jthread> callers;
      for (std::size_t c = 0; c < kCallers; ++c) {
        callers.emplace_back([&, c] {
          std::vector<std::string_view> call;
          for (std::size_t i = c * kDocumentsPerCall; i < made.size(); i += kCallers * kDocumentsPerCall) {
            call.assign(made.begin() + static_cast<std::ptrdiff_t>(i),
                        made.begin() + static_cast<std::ptrdiff_t>(std::min(made.size(), i + kDocumentsPerCall)));
            const auto receipt = store->append(scope, call);
            if (receipt.lsn == 0 || !wal->wait_durable(receipt.lsn).ok()) std::printf("refused\n");
          }
        });
      }
    }
    append_wall += seconds_since(start);
    append_cpu += cpu_seconds() - cpu;
    start = Steady::now();
    cpu = cpu_seconds();
    if (auto sealed = store->seal_all(); !sealed.ok()) std::printf("%s\n", sealed.error().message().c_str());
    seal_wall += seconds_since(start);
    seal_cpu += cpu_seconds() - cpu;
  }
  const auto per = [](double n, double s) { return n / s; };
  const auto n = static_cast<double>(documents);
  std::printf("%llu traces, %llu documents, %.1f MB (%.0f B a document)\n", static_cast<unsigned long long>(traces),
              static_cast<unsigned long long>(documents), static_cast<double>(bytes) / 1e6, static_cast<double>(bytes) / n);
  std::printf("append, 25 a call, strict: %.0f documents/s wall, %.0f per CPU second\n", per(n, append_wall), per(n, append_cpu));
  std::printf("sealing:                   %.0f documents/s wall, %.0f per CPU second\n", per(n, seal_wall), per(n, seal_cpu));
  std::printf("both:                      %.0f per CPU second\n", per(n, append_cpu + seal_cpu));
  std::printf("on disk: %.3f of raw\n", static_cast<double>(folder_bytes(folder / "traces")) / static_cast<double>(bytes));

  Bench bench{*store};
  const std::int64_t end = begin + kSeconds + 60;
  if (from_input) {
    bench.query("annotation.tokens = 1700, page", "annotation.tokens = 1700", begin, end, 100);
    bench.query("annotation.tenant = and model =, page", "annotation.tenant = \"tenant-007\" AND annotation.model = \"command-r-08-24\"", begin, end, 100);
  } else {
    bench.query("annotation.request = (100 of all)", "annotation.request = \"r-00000007\"", begin, end, 1000);
    bench.query("annotation.tokens = 1700, page", "annotation.tokens = 1700", begin, end, 100);
  }
  bench.query("service(\"gateway\") AND responsetime > 5, page", "service(\"gateway\") AND responsetime > 5", begin, end, 100);
  bench.query("no filter, page", "", begin, end, 100);
  bench.query("no index helps, one hour, all of it", "http.url CONTAINS \"nowhere\"", begin, begin + 3600, 100);
  const auto timed = [](const std::string& what, const auto& work) {
    const auto start = Steady::now();
    const double cpu = cpu_seconds();
    const auto detail = work();
    std::printf("%-52s %8.1f ms wall, %8.1f ms CPU  (%s)\n", what.c_str(), seconds_since(start) * 1000, (cpu_seconds() - cpu) * 1000,
                detail.c_str());
  };
  const auto map = [&](std::int64_t from_ms_, std::int64_t to_ms_) {
    const auto graph = store->graph(scope, from_ms(from_ms_), from_ms(to_ms_), 0);
    return graph.ok() ? fmt::format("{} nodes", service_graph::service_graph(*graph).size()) : graph.error().message();
  };
  timed("service graph over 6 hours", [&] { return map(begin * 1000, end * 1000); });
  timed("service graph, an hour and parts of two minutes", [&] { return map(begin * 1000 + 12345, (begin + 3600) * 1000 + 23456); });
  timed("documents of traces", [&] {
    std::size_t got = 0;
    for (const auto& document : sample) {
      const auto at = document.find("\"trace_id\":\"") + 12;
      got += store->documents(scope, *traces::parse_trace_id(document.substr(at, 35))).has_value();
    }
    return fmt::format("{} traces", got);
  });
  store.reset();
  wal.reset();
  fs::remove_all(folder);
  return 0;
}
