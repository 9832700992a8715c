// codec: decoding and encoding alone, in process: what the wire formats cost per request.
//
//   bench_codec [--benchmark_filter=...]
//
// PutMetricData: 1000 datums of three dimensions in each protocol. PutLogEvents: 1000 events of about
// 340 bytes of JSON text. Bodies are copied outside the timing. Goals (2 cores, Release): 0.6 ms JSON,
// 0.45 ms CBOR, 1.1 ms form for the datums.
#include <benchmark/benchmark.h>

#include <string>

#include "api/cloudwatch/shapes.h"
#include "api/codec/cbor.h"
#include "api/codec/json.h"
#include "api/codec/query.h"
#include "api/logs/shapes.h"

namespace fog {
namespace {

cloudwatch::PutMetricDataInput datums(int n) {
  cloudwatch::PutMetricDataInput in;
  in.namespace_ = "Bench/App";
  auto& data = in.metric_data.emplace();
  for (int i = 0; i < n; ++i) {
    cloudwatch::MetricDatum datum;
    datum.metric_name = "InferenceLatency";
    datum.dimensions = {{"ModelName", "gpt-" + std::to_string(i % 7)}, {"Environment", "production"}, {"Status", "success"}};
    datum.timestamp = from_ms(1767225600000 + i * 1000);
    datum.value = 1.25 * i + 0.001;
    datum.unit = cloudwatch::StandardUnit::Milliseconds;
    data.push_back(std::move(datum));
  }
  return in;
}

std::string form_of(const cloudwatch::PutMetricDataInput& in) {
  std::string out = "Action=PutMetricData&Version=2010-08-01&Namespace=Bench%2FApp";
  int i = 0;
  for (const auto& datum : *in.metric_data) {
    const std::string key = "&MetricData.member." + std::to_string(++i);
    out += key + ".MetricName=" + datum.metric_name;
    int k = 0;
    for (const auto& dimension : *datum.dimensions) {
      const std::string inner = key + ".Dimensions.member." + std::to_string(++k);
      out += inner + ".Name=" + dimension.name + inner + ".Value=" + dimension.value;
    }
    out += key + ".Timestamp=2026-01-01T00%3A00%3A00Z" + key + ".Value=" + std::to_string(*datum.value) + key + ".Unit=Milliseconds";
  }
  return out;
}

logs::PutLogEventsRequest events(int n) {
  logs::PutLogEventsRequest in;
  in.log_group_name = "/bench/app";
  in.log_stream_name = "s";
  for (int i = 0; i < n; ++i) {
    logs::InputLogEvent event;
    event.timestamp = 1767225600000 + i;
    event.message = R"({"timestamp":"2026-01-01T00:00:00.000Z","level":"INFO","request_id":"0b4a8f6e-5a0c-4a35-9d53-6b1d3f2c9e10","model":"gpt-4","latency_ms":)" +
                    std::to_string(i) + R"(,"tokens":812,"cost":0.0243,"status":"success","trace_id":"1-581cf771-a006649127e371903a2de979","message":"inference finished without any incident on the third attempt","user":"u-)" + std::to_string(i * 7) + R"("})";
    in.log_events.push_back(std::move(event));
  }
  return in;
}

template <typename T>
void decode_json_body(benchmark::State& state, const T& value) {
  const std::string body = encode_json(value);
  std::string copy = body;
  copy.reserve(body.size() + 64);
  for (auto _ : state) {
    T out;
    std::vector<Violation> violations;
    Decoding decoding;
    decoding.violations = &violations;
    if (!decode_json(copy, T::kShape, &out, decoding).ok() || !violations.empty()) state.SkipWithError("does not decode");
    benchmark::DoNotOptimize(out);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * body.size()));
}

void PutMetricData_json(benchmark::State& state) { decode_json_body(state, datums(static_cast<int>(state.range(0)))); }
void PutLogEvents_json(benchmark::State& state) { decode_json_body(state, events(static_cast<int>(state.range(0)))); }

void PutMetricData_cbor(benchmark::State& state) {
  const auto in = datums(static_cast<int>(state.range(0)));
  std::string body;
  encode_cbor(in.kShape, &in, body);
  for (auto _ : state) {
    cloudwatch::PutMetricDataInput out;
    std::vector<Violation> violations;
    Decoding decoding;
    decoding.violations = &violations;
    if (!decode_cbor(body, out.kShape, &out, decoding).ok() || !violations.empty()) state.SkipWithError("does not decode");
    benchmark::DoNotOptimize(out);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * body.size()));
}

void PutMetricData_form(benchmark::State& state) {
  const std::string body = form_of(datums(static_cast<int>(state.range(0))));
  for (auto _ : state) {
    Form form;
    form.add(body);
    cloudwatch::PutMetricDataInput out;
    std::vector<Violation> violations;
    Decoding decoding;
    decoding.violations = &violations;
    if (!decode_form(form, out.kShape, &out, decoding).ok() || !violations.empty()) state.SkipWithError("does not decode");
    benchmark::DoNotOptimize(out);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * body.size()));
}

void GetMetricData_encode_json(benchmark::State& state) {
  cloudwatch::GetMetricDataOutput out;
  cloudwatch::MetricDataResult result;
  result.timestamps.emplace();
  result.values.emplace();
  for (int i = 0; i < state.range(0); ++i) {
    result.timestamps->push_back(from_ms(1767225600000 + i * 60000));
    result.values->push_back(0.1 * i);
  }
  out.metric_data_results = {result};
  std::size_t bytes = 0;
  for (auto _ : state) {
    std::string text = encode_json(out);
    bytes = text.size();
    benchmark::DoNotOptimize(text);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes));
}

BENCHMARK(PutMetricData_json)->Arg(1)->Arg(1000)->Unit(benchmark::kMicrosecond);
BENCHMARK(PutMetricData_cbor)->Arg(1)->Arg(1000)->Unit(benchmark::kMicrosecond);
BENCHMARK(PutMetricData_form)->Arg(1)->Arg(1000)->Unit(benchmark::kMicrosecond);
BENCHMARK(PutLogEvents_json)->Arg(1)->Arg(1000)->Unit(benchmark::kMicrosecond);
BENCHMARK(GetMetricData_encode_json)->Arg(1440)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace fog

BENCHMARK_MAIN();
