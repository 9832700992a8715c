// CloudWatch metrics from request bytes to answer bytes, in process: what codec, checks, store and log cost
// together, without sockets. The log is on disk; one waits for it only at the end.
//
//   bench_metrics_api [seconds a workload = 2]
//
// Figures are of this process's own CPU time, so what else the machine runs matters little. Goals: 760 k datums per
// CPU-second in CBOR and 475 k in JSON at 1000 a call, 400 k at 20 a call, for the whole server.
#include <fmt/format.h>
#include <sys/resource.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "api/cloudwatch/service.h"
#include "api/cloudwatch/shapes.h"
#include "api/codec/cbor.h"
#include "api/codec/json.h"
#include "api/common/protocol.h"
#include "api/common/registry.h"
#include "storage/base/random.h"
#include "storage/metric_store.h"
#include "storage/resource_store.h"

namespace fog::cloudwatch {
namespace {

constexpr std::int64_t kNowMs = 1'767'614'400'000;

double cpu_s() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

// A CloudWatch by itself, on disk.
struct Rig {
  explicit Rig(const std::filesystem::path& folder) {
    Wal::Options log;
    log.folder = folder / "wal";
    wal = std::move(Wal::open(log)).value();
    MetricStore::Options options;
    options.folder = folder / "metrics";
    metrics = std::move(MetricStore::open(options, *wal, clock)).value();
    (void)wal->replay([](const Wal::Record&) {});
    resources = std::move(ResourceStore::open("")).value();
    services.add<MetricStore>(*metrics);
    services.add<ResourceStore>(*resources);
    services.add<Clock>(clock);
    registry.add(service());
    api = std::make_unique<Api>(registry, services, clock, random, Api::Options{});
  }
  std::string call(std::string_view operation, bool cbor, const std::string& body) {
    http::Request request;
    request.method = "POST";
    if (cbor) {
      target = fmt::format("/service/GraniteServiceVersion20100801/operation/{}", operation);  // requests hold views
      request.target = target;
      request.headers = {{"Content-Type", "application/cbor"}, {"Smithy-Protocol", "rpc-v2-cbor"}, {"Accept", "application/cbor"}};
    } else {
      request.target = "/";
      target = fmt::format("GraniteServiceVersion20100801.{}", operation);
      request.headers = {{"Content-Type", "application/x-amz-json-1.0"}, {"X-Amz-Target", target}};
    }
    request.body = body;
    http::Response response = api->answer(std::move(request));
    if (response.status != 200) {
      fmt::print("{} answers {}: {}\n", operation, response.status, response.body.substr(0, 300));
      std::exit(1);
    }
    return std::move(response.body);
  }

  ManualClock clock{from_ms(kNowMs)};
  SeededRandom random{1};
  std::unique_ptr<Wal> wal;
  std::unique_ptr<MetricStore> metrics;
  std::unique_ptr<ResourceStore> resources;
  Services services;
  Registry registry;
  std::unique_ptr<Api> api;
  std::string target;
};

std::vector<Dimension> dimensions_of(std::size_t series) {
  return {{.name = "ModelName", .value = "model-" + std::to_string(series % 19)},
          {.name = "Environment", .value = series % 2 == 0 ? "production" : "staging"},
          {.name = "Host", .value = "host-" + std::to_string(series)}};
}

// `n` datums of consecutive series, all of one minute.
PutMetricDataInput datums(std::size_t first, std::size_t n, std::int64_t time_ms, std::mt19937_64& random) {
  PutMetricDataInput in;
  in.namespace_ = "Bench";
  auto& data = in.metric_data.emplace();
  std::normal_distribution<double> gauss;
  for (std::size_t i = 0; i < n; ++i) {
    MetricDatum& datum = data.emplace_back();
    datum.metric_name = "InferenceLatency";
    datum.dimensions = dimensions_of(first + i);
    datum.timestamp = from_ms(time_ms);
    datum.value = std::round(std::exp(5 + gauss(random)) * 1000) / 1000;
    datum.unit = StandardUnit::Milliseconds;
  }
  return in;
}

template <typename T>
std::string encode(const T& in, bool cbor) {
  std::string out;
  if (cbor) encode_cbor(T::kShape, &in, out);
  else encode_json(T::kShape, &in, out);
  return out;
}

void put_rates(const std::filesystem::path& folder, double seconds) {
  for (const bool cbor : {true, false})
    for (const std::size_t n : {std::size_t{1000}, std::size_t{20}}) {
      std::filesystem::remove_all(folder);
      Rig rig(folder);
      std::mt19937_64 random(3);
      // A day of minutes of 1000 series, as programs send it; then again from its beginning.
      std::vector<std::string> bodies;
      for (std::int64_t minute = 0; minute < 100; ++minute)
        for (std::size_t at = 0; at < 1000; at += n)
          bodies.push_back(encode(datums(at, n, kNowMs - (100 - minute) * 60'000, random), cbor));
      std::size_t calls = 0;
      double used = 0;
      while (used < seconds) {
        const double begun = cpu_s();
        for (std::size_t i = 0; i < 50; ++i) rig.call("PutMetricData", cbor, bodies[calls++ % bodies.size()]);
        used += cpu_s() - begun;
      }
      (void)rig.wal->wait_durable(rig.wal->last_lsn());
      if (rig.metrics->stats().points_put != calls * n) std::exit(1);
      fmt::print("PutMetricData of {}, {}: {:.0f} k datums per CPU-s, {:.0f} calls\n", n, cbor ? "CBOR" : "JSON",
                 static_cast<double>(calls * n) / used / 1000, static_cast<double>(calls) / used);
    }
}

template <typename In>
void measure(Rig& rig, const char* what, std::string_view operation, const In& in, int times) {
  const std::string body = encode(in, false);
  const std::string answer = rig.call(operation, false, body);
  const double begun = cpu_s();
  for (int i = 0; i < times; ++i) rig.call(operation, false, body);
  fmt::print("{}: {:.2f} ms of CPU, {} bytes\n", what, (cpu_s() - begun) * 1000 / times, answer.size());
}

void reads(const std::filesystem::path& folder) {
  std::filesystem::remove_all(folder);
  Rig rig(folder);
  std::mt19937_64 random(3);
  constexpr std::size_t kSeries = 10'000;
  for (std::int64_t minute = 0; minute < 1440; ++minute)
    for (std::size_t at = 0; at < (minute < 1260 ? 500u : kSeries); at += 1000)
      rig.call("PutMetricData", true, encode(datums(at, minute < 1260 ? 500 : 1000, kNowMs - (1440 - minute) * 60'000, random), true));
  (void)rig.metrics->flush();

  const auto query = [](std::size_t series, std::string stat) {
    MetricDataQuery q;
    q.id = "q" + std::to_string(series);
    MetricStat& m = q.metric_stat.emplace();
    m.metric.namespace_ = "Bench";
    m.metric.metric_name = "InferenceLatency";
    m.metric.dimensions = dimensions_of(series);
    m.period = 60;
    m.stat = std::move(stat);
    return q;
  };
  GetMetricDataInput in;
  in.start_time = from_ms(kNowMs - 86'400'000);
  in.end_time = from_ms(kNowMs);
  in.metric_data_queries = {query(7, "Average")};
  measure(rig, "GetMetricData, one series, a day at 60 s (goal 1.6 over the wire)", "GetMetricData", in, 200);
  in.metric_data_queries = {query(7, "p99")};
  measure(rig, "the same, p99", "GetMetricData", in, 50);
  in.metric_data_queries.clear();
  for (std::size_t i = 0; i < 500; ++i) in.metric_data_queries.push_back(query(i, "Average"));
  measure(rig, "GetMetricData, 500 series, a day at 60 s, first page of 100,800 points (goal 150)", "GetMetricData", in, 10);
  in.start_time = from_ms(kNowMs - 3 * 3'600'000);
  measure(rig, "GetMetricData, 500 series, 3 h, whole", "GetMetricData", in, 10);
  MetricDataQuery select;
  select.id = "s";
  select.expression = "SELECT AVG(InferenceLatency) FROM Bench GROUP BY ModelName";
  in.metric_data_queries = {select};
  measure(rig, "SELECT AVG GROUP BY one label over 10 k series, 3 h (goal 150)", "GetMetricData", in, 10);
  select.expression = "SELECT AVG(InferenceLatency) FROM Bench GROUP BY Host ORDER BY MAX() DESC LIMIT 10";
  in.metric_data_queries = {select};
  measure(rig, "SELECT AVG GROUP BY host (10 k groups), top 10, 3 h", "GetMetricData", in, 5);
  select.expression = R"(SEARCH('{Bench,Environment,Host,ModelName} MetricName="InferenceLatency" Host=("host-1" OR "host-2")', 'Average', 60))";
  in.metric_data_queries = {select};
  measure(rig, "SEARCH for two hosts among 10 k series, 3 h", "GetMetricData", in, 20);
  ListMetricsInput list;
  list.namespace_ = "Bench";
  list.dimensions.emplace().push_back({.name = "ModelName", .value = "model-3"});
  measure(rig, "ListMetrics with one dimension filter, a page of 500 (goal 5)", "ListMetrics", list, 50);
}

}  // namespace
}  // namespace fog::cloudwatch

int main(int argc, char** argv) {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "fog-bench-metrics-api";
  fog::cloudwatch::put_rates(folder, argc > 1 ? std::atof(argv[1]) : 2);
  fog::cloudwatch::reads(folder);
  std::filesystem::remove_all(folder);
  return 0;
}
