// What metric streams send, minute by minute.
#include <fmt/format.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <protozero/pbf_reader.hpp>
#include <set>
#include <sstream>

#include "api/cloudwatch/metric_stream_worker.h"
#include "metrics_fixture.h"

namespace fog::cloudwatch {
namespace {

class RecordingOutbound final : public Outbound {
 public:
  void http(OutboundRequest request, HttpDone done) override {
    requests.push_back(std::move(request));
    done(OutboundResponse{.status = status});
  }
  bool has_mail_relay() const override { return false; }
  void mail(OutboundMail, MailDone) override {}
  std::vector<OutboundRequest> requests;
  int status = 200;
};

class Streams : public CloudWatch {
 protected:
  void start(const json& more = json::object()) {
    json input = {{"Name", "s"}, {"FirehoseArn", "arn:x"}, {"RoleArn", "arn:y"}, {"OutputFormat", "json"}};
    input.update(more);
    ASSERT_EQ(call("PutMetricStream", input).status, 200);
  }
  RecordingOutbound outbound;
  MetricStreamWorker worker{{*metrics, *resources, &outbound, random}, {{"arn:x", {.url = "http://sink/", .folder = {}, .access_key = "k"}}}};
};

TEST_F(Streams, a_minute_is_sent_half_a_minute_after_its_end) {
  start({{"StatisticsConfigurations", std::vector<json>{{{"IncludeMetrics", std::vector<json>{{{"Namespace", "N"}, {"MetricName", "m"}}}},
                                                          {"AdditionalStatistics", std::vector<std::string>{"p50"}}}}}});
  worker.tick(clock.now());
  put("N", "m", {{"Host", "a"}}, kNowS, 4, "Count");
  put("N", "m", {{"Host", "a"}}, kNowS + 1, 6, "Count");
  clock.advance(std::chrono::seconds(80));
  worker.tick(clock.now());
  EXPECT_TRUE(outbound.requests.empty());
  clock.advance(std::chrono::seconds(10));
  worker.tick(clock.now());
  worker.tick(clock.now());
  ASSERT_EQ(outbound.requests.size(), 1u);
  EXPECT_EQ(worker.records(), 1u);
  EXPECT_TRUE(worker.idle());
  const json body = json::parse(outbound.requests[0].body);
  EXPECT_EQ(body["records"].size(), 1u);
  const auto& headers = outbound.requests[0].headers;
  EXPECT_NE(std::find(headers.begin(), headers.end(), std::pair<std::string, std::string>("X-Amz-Firehose-Access-Key", "k")), headers.end());
}

TEST_F(Streams, records_are_lines_of_json_in_a_folder) {
  const auto folder = std::filesystem::temp_directory_path() / ("fog-stream-" + std::to_string(::getpid()));
  std::filesystem::remove_all(folder);
  MetricStreamWorker to_files{{*metrics, *resources, nullptr, random}, {{"arn:x", {.url = {}, .folder = folder, .access_key = {}}}}};
  start({{"ExcludeFilters", std::vector<json>{{{"Namespace", "Noise"}}}}});
  to_files.tick(clock.now());
  put("N", "m", {{"Host", "a"}}, kNowS, 4, "Count");
  put("Noise", "m", json::object(), kNowS, 4);
  clock.advance(std::chrono::seconds(100));
  to_files.tick(clock.now());
  std::string text;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path());
    std::stringstream all;
    all << file.rdbuf();
    text += all.str();
  }
  EXPECT_EQ(json::parse(text), json({{"metric_stream_name", "s"}, {"account_id", "000000000000"}, {"region", "us-east-1"},
                                     {"namespace", "N"}, {"metric_name", "m"}, {"dimensions", {{"Host", "a"}}},
                                     {"timestamp", kNowS * 1000}, {"value", {{"max", 4.0}, {"min", 4.0}, {"sum", 4.0}, {"count", 1.0}}},
                                     {"unit", "Count"}}));
  std::filesystem::remove_all(folder);
}

TEST_F(Streams, nothing_is_sent_of_the_time_it_was_stopped) {
  start();
  worker.tick(clock.now());
  call("StopMetricStreams", {{"Names", std::vector<std::string>{"s"}}});
  put("N", "m", json::object(), kNowS, 1);
  clock.advance(std::chrono::seconds(100));
  worker.tick(clock.now());
  clock.advance(std::chrono::seconds(200));
  call("StartMetricStreams", {{"Names", std::vector<std::string>{"s"}}});
  worker.tick(clock.now());
  EXPECT_TRUE(outbound.requests.empty());
}

TEST_F(Streams, what_was_refused_is_sent_again_and_given_up_after_an_hour) {
  start();
  worker.tick(clock.now());
  outbound.status = 500;
  put("N", "m", json::object(), kNowS, 1);
  clock.advance(std::chrono::seconds(100));
  worker.tick(clock.now());
  EXPECT_EQ(worker.failures(), 1u);
  // The next try is a second away, then two, four ...
  ASSERT_EQ(worker.next_due(clock.now()), clock.now() + std::chrono::seconds(1));
  clock.advance(std::chrono::seconds(1));
  worker.tick(clock.now());
  EXPECT_EQ(worker.failures(), 2u);
  EXPECT_EQ(worker.next_due(clock.now()), clock.now() + std::chrono::seconds(2));
  outbound.status = 200;
  clock.advance(std::chrono::seconds(2));
  worker.tick(clock.now());
  ASSERT_EQ(outbound.requests.size(), 3u);
  EXPECT_EQ(json::parse(outbound.requests[0].body)["records"], json::parse(outbound.requests[2].body)["records"]);
  clock.advance(std::chrono::seconds(10));
  worker.tick(clock.now());
  EXPECT_EQ(outbound.requests.size(), 3u);

  outbound.status = 503;
  put("N", "m", json::object(), kNowS + 110, 1);
  int ticks = 0;
  for (; worker.dropped() == 0 && ticks < 100; ++ticks) {
    clock.set(std::max(clock.now(), *worker.next_due(clock.now())));
    worker.tick(clock.now());
  }
  EXPECT_EQ(worker.dropped(), 1u);
  EXPECT_GT(clock.now(), from_ms((kNowS + 3600) * 1000));
  EXPECT_LT(clock.now(), from_ms((kNowS + 2 * 3600) * 1000));
}

TEST_F(Streams, late_data_bring_a_further_record_of_their_minute) {
  start();
  worker.tick(clock.now());
  put("N", "m", json::object(), kNowS, 1);
  clock.advance(std::chrono::seconds(100));
  worker.tick(clock.now());
  EXPECT_EQ(worker.records(), 1u);
  put("N", "m", json::object(), kNowS + 5, 4);     // late: the minute has been sent
  put("N", "m", json::object(), kNowS + 95, 7);    // of the next minute
  clock.advance(std::chrono::seconds(60));
  worker.tick(clock.now());
  EXPECT_EQ(worker.records(), 3u);
  clock.advance(std::chrono::seconds(60));
  worker.tick(clock.now());
  EXPECT_EQ(worker.records(), 3u);
}

// --- OpenTelemetry ------------------------------------------------------------------------------------

std::string from_base64(const std::string& text) {
  std::string out;
  std::uint32_t word = 0;
  int bits = 0;
  for (const char c : text) {
    const std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const std::size_t digit = digits.find(c);
    if (digit == std::string_view::npos) break;
    word = word << 6 | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits >= 8) out.push_back(static_cast<char>(word >> (bits -= 8)));
  }
  return out;
}

// A message as "number:text" leaves; nested messages in braces where `nested` says so, by path of numbers.
std::string leaves(protozero::pbf_reader message, const std::string& path) {
  static const std::set<std::string> kNested = {"1", "1.1", "1.1.1", "1.1.1.2", "1.2", "1.2.2", "1.2.2.11", "1.2.2.11.1",
                                                "1.2.2.11.1.6", "1.2.2.11.1.7", "1.2.2.11.1.7.2", "1.2.2.11.1.7.2.6",
                                                "1.2.2.11.1.7.2.6.1", "1.2.2.11.1.7.2.6.1.2", "1.2.2.11.1.1"};
  std::string out;
  while (message.next()) {
    const std::string here = path + (path.empty() ? "" : ".") + std::to_string(message.tag());
    if (message.wire_type() == protozero::pbf_wire_type::fixed64) {
      const std::uint64_t raw = message.get_fixed64();
      const bool is_number = here == "1.2.2.11.1.2" || here == "1.2.2.11.1.3" || here == "1.2.2.11.1.4";
      double value = 0;
      std::memcpy(&value, &raw, 8);
      out += is_number ? std::to_string(raw) : fmt::format("{}", value);
      out += ' ';
    } else if (kNested.contains(here)) {
      const std::string number = std::to_string(message.tag());
      out += number + "{" + leaves(message.get_message(), here) + "} ";
    } else {
      out += std::string(message.get_view()) + " ";
    }
  }
  if (!out.empty()) out.pop_back();
  return out;
}

TEST_F(Streams, opentelemetry_messages_bear_their_length) {
  for (const bool is_old : {true, false}) {
    SCOPED_TRACE(is_old);
    outbound.requests.clear();
    MetricStreamWorker fresh{{*metrics, *resources, &outbound, random}, {{"arn:x", {.url = "http://sink/", .folder = {}, .access_key = {}}}}};
    start({{"OutputFormat", is_old ? "opentelemetry0.7" : "opentelemetry1.0"},
           {"StatisticsConfigurations", std::vector<json>{{{"IncludeMetrics", std::vector<json>{{{"Namespace", "N"}, {"MetricName", "m"}}}},
                                                          {"AdditionalStatistics", std::vector<std::string>{"p50"}}}}}});
    const std::int64_t now_s = to_ms(clock.now()) / 60'000 * 60;
    fresh.tick(clock.now());
    put("N", "m", {{"Host", "a"}}, now_s, 4, "Milliseconds");
    put("N", "m", {{"Host", "a"}}, now_s + 1, 6, "Milliseconds");
    clock.advance(std::chrono::seconds(120));
    fresh.tick(clock.now());
    ASSERT_EQ(outbound.requests.size(), 1u);
    const std::string bytes = from_base64(json::parse(outbound.requests[0].body)["records"][0]["data"].get<std::string>());
    const char* at = bytes.data();
    const std::uint64_t length = protozero::decode_varint(&at, bytes.data() + bytes.size());
    ASSERT_EQ(static_cast<std::size_t>(bytes.data() + bytes.size() - at), length);
    const std::string text = leaves(protozero::pbf_reader(at, length), "");
    const std::string resource = "1{1{cloud.provider 2{aws}} 1{cloud.account.id 2{000000000000}} 1{cloud.region 2{us-east-1}} "
                                 "1{aws.exporter.arn 2{arn:aws:cloudwatch:us-east-1:000000000000:metric-stream/s}}}";
    const std::string numbers = fmt::format("{}000000000 {}000000000 2 10", now_s, now_s + 60);
    const std::string quantiles = "6{0 4} 6{0.5 5} 6{1 6}";
    const std::string point = is_old ? "1{Namespace N} 1{MetricName m} 1{Host a} " + numbers + " " + quantiles
                                     : numbers + " " + quantiles + " 7{Namespace 2{N}} 7{MetricName 2{m}} 7{Dimensions 2{6{1{Host 2{a}}}}}";
    EXPECT_EQ(text, "1{" + resource + " 2{2{amazonaws.com/N/m ms 11{1{" + point + "}}}}}");
  }
}

}  // namespace
}  // namespace fog::cloudwatch
