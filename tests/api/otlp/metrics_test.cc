// OTLP metrics: what becomes of each kind of point, real clients' bodies in both encodings, and what is refused.
#include "api/otlp/metrics.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <protozero/pbf_reader.hpp>
#include <sstream>

namespace fog::otlp {
namespace {

using nlohmann::json;

constexpr std::int64_t kNowMs = 1'795'301'177'000;  // the captures' day

class RecordingSink final : public MetricSink {
 public:
  Result<Outcome> put_metrics(std::string_view account, std::string_view region, std::span<const SinkDatum> datums) override {
    if (is_full) return Error::busy("no");
    EXPECT_EQ(account, "000000000000");
    EXPECT_EQ(region, "us-east-1");
    Outcome outcome{.lsn = 7, .rejected = 0};
    for (const SinkDatum& d : datums) {
      if (d.metric_name.empty()) ++outcome.rejected;
      else got.push_back(d);
    }
    return outcome;
  }
  std::vector<SinkDatum> got;
  bool is_full = false;
};

// "N/requests{route=/x} Count 3" or "... count=1 sum=2 min=3 max=4" or "... 1x2 3x4".
std::string text_of(const SinkDatum& d) {
  std::ostringstream out;
  out << d.metric_namespace << '/' << d.metric_name << '{';
  for (std::size_t i = 0; i < d.dimensions.size(); ++i) out << (i > 0 ? "," : "") << d.dimensions[i].first << '=' << d.dimensions[i].second;
  out << "} " << kMetricUnits[d.unit];
  for (std::size_t i = 0; i < d.values.size(); ++i) {
    out << ' ' << d.values[i];
    if (!d.counts.empty()) out << 'x' << d.counts[i];
  }
  if (d.set) out << " count=" << d.set->count << " sum=" << d.set->sum << " min=" << d.set->min << " max=" << d.set->max;
  return out.str();
}

class OtlpMetrics : public testing::Test {
 protected:
  ExportAnswer send(const json& metrics, const json& resource = {{"service.name", "shop"}}) {
    json attributes = json::array();
    for (const auto& [key, value] : resource.items())
      attributes.push_back({{"key", key}, {"value", {{"stringValue", value}}}});
    json scope = json::object();
    scope["metrics"] = metrics;
    json group = json::object();
    group["resource"]["attributes"] = attributes;
    group["scopeMetrics"] = json::array({scope});
    json request = json::object();
    request["resourceMetrics"] = json::array({group});
    return raw("application/json", "", request.dump());
  }
  ExportAnswer raw(std::string_view type, std::string_view encoding, std::string_view body) {
    return receiver.take({"000000000000", "us-east-1"}, type, encoding, body);
  }
  std::vector<std::string> got() {
    std::vector<std::string> out;
    for (const SinkDatum& d : sink.got) out.push_back(text_of(d));
    sink.got.clear();
    return out;
  }
  static std::string at(std::int64_t seconds) { return std::to_string((kNowMs / 1000 + seconds) * 1'000'000'000); }

  RecordingSink sink;
  ManualClock clock{from_ms(kNowMs)};
  MetricReceiver receiver{sink, clock};
};

std::string capture(const std::string& name) {
  std::ifstream file(std::string(FOG_SOURCE_DIR) + "/tests/captures/" + name, std::ios::binary);
  std::stringstream all;
  all << file.rdbuf();
  std::string text = all.str();
  text = text.substr(text.find("\r\n\r\n") + 4);
  std::string body;
  while (!text.empty()) {
    const std::size_t line = text.find("\r\n");
    const auto n = static_cast<std::size_t>(std::stoul(text.substr(0, line), nullptr, 16));
    if (n == 0) break;
    body += text.substr(line + 2, n);
    text = text.substr(line + 2 + n + 2);
  }
  return body;
}

TEST_F(OtlpMetrics, a_real_clients_export_in_both_encodings) {
  const std::vector<std::string> expected = {"demo/requests{route=/x} None 3",
                                             "demo/latency{route=/x} Milliseconds count=1 sum=12.5 min=12.5 max=12.5",
                                             "demo/temp{} None 21"};
  const ExportAnswer first = raw("application/json", "", capture("otel-js-json--otlp-metrics.http"));
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, "{}");
  EXPECT_EQ(first.lsn, 7u);
  EXPECT_EQ(sink.got.at(0).time, from_ms(1'795'301'177'571));
  EXPECT_EQ(got(), expected);
  MetricReceiver other(sink, clock);
  const ExportAnswer second = other.take({"000000000000", "us-east-1"}, "application/x-protobuf", "", capture("otel-js-proto--otlp-metrics.http"));
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(second.content_type, "application/x-protobuf");
  EXPECT_EQ(second.body, "");
  EXPECT_EQ(got(), expected);
}

TEST_F(OtlpMetrics, gzip_bodies) {
  const std::string body = capture("otel-js-proto--otlp-metrics.http");
  std::string packed(body.size() + 100, '\0');
  z_stream stream{};
  ASSERT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  ASSERT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  EXPECT_EQ(raw("application/x-protobuf", "gzip", packed).status, 200);
  EXPECT_EQ(got().size(), 3u);
}

TEST_F(OtlpMetrics, cumulative_counters_become_what_was_added) {
  const auto sum = [&](double value, std::int64_t start, std::int64_t time, const char* route = "/a", bool monotonic = true) {
    json point = {{"asDouble", value}, {"startTimeUnixNano", at(start)}, {"timeUnixNano", at(time)},
                  {"attributes", json::array({{{"key", "route"}, {"value", {{"stringValue", route}}}}})}};
    json metric = {{"name", "n"}, {"unit", "{request}"},
                   {"sum", {{"aggregationTemporality", 2}, {"isMonotonic", monotonic}, {"dataPoints", json::array({point})}}}};
    EXPECT_EQ(send(json::array({metric})).body, "{}");
    return got();
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(sum(5, -100, 0), Texts{}) << "began before the server did: only a mark";
  EXPECT_EQ(sum(8, -100, 60), Texts{"shop/n{route=/a} Count 3"});
  EXPECT_EQ(sum(8, -100, 120), Texts{"shop/n{route=/a} Count 0"});
  EXPECT_EQ(sum(2, 130, 180), Texts{"shop/n{route=/a} Count 2"}) << "the program began anew";
  EXPECT_EQ(sum(7, 1, 60, "/b"), Texts{"shop/n{route=/b} Count 7"}) << "began after the server did";
  EXPECT_EQ(sum(4, 1, 120, "/b"), Texts{"shop/n{route=/b} Count 4"}) << "fell: anew";
  EXPECT_EQ(sum(9, -100, 60, "/c", false), Texts{"shop/n{route=/c} Count 9"}) << "an up-down counter is a gauge";
}

TEST_F(OtlpMetrics, streams_that_fall_silent_are_forgotten_first) {
  MetricReceiver small(sink, clock, {.streams_max = 2});
  const auto sum = [&](const char* name, double value) {
    json point = {{"asDouble", value}, {"startTimeUnixNano", at(-100)}, {"timeUnixNano", at(0)}};
    json metric = {{"name", name}, {"sum", {{"aggregationTemporality", 2}, {"isMonotonic", true}, {"dataPoints", json::array({point})}}}};
    json request = {{"resourceMetrics", json::array({{{"scopeMetrics", json::array({{{"metrics", json::array({metric})}}})}}})}};
    small.take({"000000000000", "us-east-1"}, "application/json", "", request.dump());
    return got();
  };
  sum("a", 1);
  sum("b", 1);
  EXPECT_EQ(sum("a", 3), std::vector<std::string>{"OTLP/a{} None 2"});
  sum("c", 1);  // b goes
  EXPECT_EQ(sum("a", 4).size(), 1u);
  EXPECT_TRUE(sum("b", 5).empty());
}

struct Row {
  const char* what;
  const char* metric;
  std::vector<std::string> expected;
  int rejected = 0;
};

TEST_F(OtlpMetrics, every_kind_of_point) {
  const Row rows[] = {
      {"gauge, integer as text", R"({"name":"g","unit":"By","gauge":{"dataPoints":[{"asInt":"42"}]}})", {"shop/g{} Bytes 42"}},
      {"attributes of every type",
       R"({"name":"g","unit":"1","gauge":{"dataPoints":[{"asDouble":1.5,"attributes":[{"key":"s","value":{"stringValue":"x"}},
        {"key":"i","value":{"intValue":"7"}},{"key":"b","value":{"boolValue":true}},{"key":"d","value":{"doubleValue":0.5}},
        {"key":"l","value":{"arrayValue":{"values":[{"intValue":1},{"stringValue":"z"}]}}},{"key":"e","value":{"stringValue":""}}]}]}})",
       {"shop/g{s=x,i=7,b=true,d=0.5,l=[1,z]} None 1.5"}},
      {"delta counter", R"({"name":"c","unit":"By/s","sum":{"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA","isMonotonic":true,
        "dataPoints":[{"asDouble":2.5}]}})", {"shop/c{} Bytes/Second 2.5"}},
      {"delta histogram without extremes: the buckets' bounds",
       R"({"name":"h","unit":"s","histogram":{"aggregationTemporality":1,"dataPoints":[{"count":"4","sum":10,"explicitBounds":[1,2,5],"bucketCounts":["0","3","1","0"]}]}})",
       {"shop/h{} Seconds count=4 sum=10 min=1 max=5"}},
      {"a histogram of count and sum alone", R"({"name":"h","histogram":{"aggregationTemporality":1,"dataPoints":[{"count":2,"sum":10}]}})",
       {"shop/h{} None count=2 sum=10 min=5 max=5"}},
      {"nothing observed: nothing stored", R"({"name":"h","histogram":{"aggregationTemporality":1,"dataPoints":[{"count":0,"sum":0}]}})", {}},
      {"buckets that do not fit their bounds", R"({"name":"h","histogram":{"aggregationTemporality":1,"dataPoints":[{"count":1,"sum":1,"explicitBounds":[1,2],"bucketCounts":[1]}]}})", {}, 1},
      {"bounds out of order", R"({"name":"h","histogram":{"aggregationTemporality":1,"dataPoints":[{"count":1,"sum":1,"explicitBounds":[2,1],"bucketCounts":[1,0,0]}]}})", {}, 1},
      {"exponential histogram: middles of buckets",
       R"({"name":"e","exponentialHistogram":{"aggregationTemporality":1,"dataPoints":[{"count":6,"sum":20,"scale":0,"zeroCount":"1",
        "positive":{"offset":0,"bucketCounts":["2","1"]},"negative":{"offset":1,"bucketCounts":["2"]}}]}})",
       {"shop/e{} None -3x2 0x1 1.5x2 3x1"}},
      {"extremes bound the middles",
       R"({"name":"e","exponentialHistogram":{"aggregationTemporality":1,"dataPoints":[{"count":2,"sum":4,"scale":0,"min":1.75,"max":2.25,"positive":{"offset":0,"bucketCounts":[1,1]}}]}})",
       {"shop/e{} None 1.75x1 2.25x1"}},
      {"a scale beyond the standard", R"({"name":"e","exponentialHistogram":{"aggregationTemporality":1,"dataPoints":[{"count":2,"sum":4,"scale":99}]}})", {}, 1},
      {"NaN", R"({"name":"g","gauge":{"dataPoints":[{"asDouble":"NaN"}]}})", {}, 1},
      {"infinity", R"({"name":"g","gauge":{"dataPoints":[{"asDouble":"Infinity"},{"asDouble":1}]}})", {"shop/g{} None 1"}, 1},
      {"no recorded value", R"({"name":"g","gauge":{"dataPoints":[{"flags":1}]}})", {}},
      {"no value", R"({"name":"g","gauge":{"dataPoints":[{}]}})", {}, 1},
      {"a kind of a later version", R"({"name":"g","hologram":{"dataPoints":[{"asDouble":1}]}})", {}},
      {"what the service refuses is counted", R"({"name":"","gauge":{"dataPoints":[{"asDouble":1}]}})", {}, 1},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    const ExportAnswer answer = send(json::array({json::parse(row.metric)}));
    EXPECT_EQ(answer.status, 200);
    const json body = json::parse(answer.body);
    if (row.rejected == 0)
      EXPECT_EQ(body, json::object());
    else
      EXPECT_EQ(body["partialSuccess"]["rejectedDataPoints"], std::to_string(row.rejected));
    EXPECT_EQ(got(), row.expected);
  }
}

TEST_F(OtlpMetrics, cumulative_histograms_and_summaries_are_subtracted) {
  const auto histogram = [&](int count, double sum, std::vector<int> buckets, double max) {
    json point = {{"count", count}, {"sum", sum}, {"explicitBounds", {1, 2}}, {"bucketCounts", buckets}, {"min", 0.5}, {"max", max},
                  {"startTimeUnixNano", at(1)}, {"timeUnixNano", at(60)}};
    send(json::array({{{"name", "h"}, {"histogram", {{"aggregationTemporality", 2}, {"dataPoints", json::array({point})}}}}}));
    return got();
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(histogram(2, 2, {1, 1, 0}, 1.5), Texts{"shop/h{} None count=2 sum=2 min=0.5 max=1.5"});
  EXPECT_EQ(histogram(4, 5, {1, 3, 0}, 1.5), Texts{"shop/h{} None count=2 sum=3 min=1 max=2"}) << "extremes of the interval are unknown";
  EXPECT_EQ(histogram(4, 5, {1, 3, 0}, 1.5), Texts{});
  const auto summary = [&](int count, double sum) {
    json point = {{"count", count}, {"sum", sum}, {"startTimeUnixNano", at(1)}, {"timeUnixNano", at(60)},
                  {"quantileValues", json::array({{{"quantile", 1}, {"value", 9}}, {{"quantile", 0}, {"value", 1}}})}};
    send(json::array({{{"name", "s"}, {"summary", {{"dataPoints", json::array({point})}}}}}));
    return got();
  };
  EXPECT_EQ(summary(2, 10), Texts{"shop/s{} None count=2 sum=10 min=1 max=9"});
  EXPECT_EQ(summary(5, 22), Texts{"shop/s{} None count=3 sum=12 min=1 max=9"});
}

TEST_F(OtlpMetrics, namespaces_and_units) {
  const json gauge = json::array({json::parse(R"({"name":"g","gauge":{"dataPoints":[{"asDouble":1}]}})")});
  send(gauge, {{"service.name", "api"}, {"service.namespace", "shop"}});
  send(gauge, {{"service.namespace", "shop"}});
  send(gauge, json::object());
  EXPECT_EQ(got(), (std::vector<std::string>{"shop/api/g{} None 1", "shop/g{} None 1", "OTLP/g{} None 1"}));
  for (const auto& [ucum, unit] : std::map<std::string, std::string>{{"s", "Seconds"}, {"%", "Percent"}, {"MBy/s", "Megabytes/Second"},
                                                                     {"{packet}", "Count"}, {"{packet}/s", "Count/Second"}, {"1", "None"}, {"furlong", "None"}})
    EXPECT_EQ(kMetricUnits[unit_of_ucum(ucum)], unit) << ucum;
}

TEST_F(OtlpMetrics, more_buckets_than_a_datum_may_have_values) {
  json point = {{"count", 400}, {"sum", 1}, {"scale", 3}, {"positive", {{"offset", -200}, {"bucketCounts", std::vector<int>(400, 1)}}}};
  send(json::array({{{"name", "e"}, {"exponentialHistogram", {{"aggregationTemporality", 1}, {"dataPoints", json::array({point})}}}}}));
  ASSERT_EQ(sink.got.size(), 1u);
  EXPECT_LE(sink.got[0].values.size(), 150u);
  double n = 0;
  for (const double count : sink.got[0].counts) n += count;
  EXPECT_EQ(n, 400);
  EXPECT_TRUE(std::is_sorted(sink.got[0].values.begin(), sink.got[0].values.end()));
}

TEST_F(OtlpMetrics, refusals) {
  struct Bad {
    const char* type;
    const char* encoding;
    std::string body;
    int status;
  };
  const Bad rows[] = {{"text/plain", "", "{}", 415},
                      {"application/json", "br", "{}", 415},
                      {"application/json", "gzip", "not gzip", 400},
                      {"application/json", "", "[1", 400},
                      {"application/json; charset=utf-8", "", "{}", 200},
                      {"application/x-protobuf", "", std::string("\x0a\xff\xff\xff\xff\x0f", 6), 400},
                      {"application/x-protobuf", "", "", 200}};
  for (const Bad& row : rows) EXPECT_EQ(raw(row.type, row.encoding, row.body).status, row.status) << row.type << ' ' << row.body;
  sink.is_full = true;
  EXPECT_EQ(send(json::array({json::parse(R"({"name":"g","gauge":{"dataPoints":[{"asDouble":1}]}})")})).status, 503);
}

TEST_F(OtlpMetrics, partial_success_in_protobuf_and_broken_bodies_do_no_harm) {
  std::string body = capture("otel-js-proto--otlp-metrics.http");
  for (std::size_t n = 0; n < body.size(); ++n) raw("application/x-protobuf", "", std::string_view(body).substr(0, n));
  for (std::size_t i = 0; i < body.size(); ++i) {
    std::string twisted = body;
    twisted[i] = static_cast<char>(~twisted[i]);
    raw("application/x-protobuf", "", twisted);
  }
  // A gauge of NaN: field 1 (rejected) is 1 in field 1 of the response.
  json metric = json::parse(R"({"name":"g","gauge":{"dataPoints":[{"asDouble":"NaN"}]}})");
  (void)metric;
  const std::string nan_gauge = [] {
    const auto wrap = [](char tag, const std::string& inner) { return std::string(1, tag) + static_cast<char>(inner.size()) + inner; };
    std::string value(9, '\0');
    value[0] = 0x21;  // as_double = 4, fixed64
    const double nan = NAN;
    std::memcpy(value.data() + 1, &nan, 8);
    const std::string gauge = wrap(0x0a, value);
    const std::string m = wrap(0x0a, "g") + wrap(0x2a, gauge);
    return wrap(0x0a, wrap(0x12, wrap(0x12, m)));
  }();
  const ExportAnswer answer = raw("application/x-protobuf", "", nan_gauge);
  EXPECT_EQ(answer.status, 200);
  protozero::pbf_reader response(answer.body);
  ASSERT_TRUE(response.next(1));
  auto partial = response.get_message();
  ASSERT_TRUE(partial.next(1));
  EXPECT_EQ(partial.get_int64(), 1);
}

}  // namespace
}  // namespace fog::otlp
