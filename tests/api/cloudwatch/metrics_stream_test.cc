// What metric streams send, minute by minute.
#include <filesystem>
#include <fstream>
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

TEST_F(Streams, refusals_are_counted) {
  start();
  worker.tick(clock.now());
  outbound.status = 500;
  put("N", "m", json::object(), kNowS, 1);
  clock.advance(std::chrono::seconds(100));
  worker.tick(clock.now());
  EXPECT_EQ(worker.failures(), 1u);
}

}  // namespace
}  // namespace fog::cloudwatch
