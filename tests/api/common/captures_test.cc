// Every recorded request of a real client, through routing, signature, decompression and decoding;
// and the golden answers, produced again by the encoders.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "api/codec/event_stream.h"
#include "api/codec/json.h"
#include "api/codec/text.h"
#include "tests/api/common/raw_http.h"
#include "tests/api/common/stub_api.h"

namespace fog::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kCaptures = fs::path(FOG_SOURCE_DIR) / "tests/captures";
constexpr std::string_view kKey = "AKIAIOSFODNN7EXAMPLE";
constexpr std::string_view kSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

const char* name_of(Protocol protocol) {
  switch (protocol) {
    case Protocol::kQuery: return "query";
    case Protocol::kJson: return "json";
    case Protocol::kRestJson: return "rest-json";
    case Protocol::kCbor: return "cbor";
    case Protocol::kNone: return "none";
  }
  return "";
}

// What one capture turns into, as a row that can be compared with tests/captures/decoded.json.
json replay(const StubApi& stub, const std::string& file) {
  RawRequest raw = parse_request(read_file(kCaptures / file));
  const auto signature = sigv4::parse(raw.request);
  json row;
  if (!signature.is_present()) {
    row["signature"] = "none";
  } else {
    sigv4::Options options;
    options.secrets_of = [](const sigv4::Signature& by) -> std::optional<sigv4::Secrets> {
      if (by.access_key != kKey) return std::nullopt;
      return sigv4::Secrets{std::string(kSecret), ""};
    };
    std::string iso = signature.time;
    iso = iso.substr(0, 4) + '-' + iso.substr(4, 2) + '-' + iso.substr(6, 5) + ':' + iso.substr(11, 2) + ':' + iso.substr(13);
    const Timestamp now = parse_timestamp(iso).value();
    const Status good = sigv4::verify(raw.request, now, options);
    row["signature"] = good.ok() ? "good" : good.error().message();
    // A changed body must not pass.
    if (good.ok() && !raw.request.body.empty()) {
      http::Request changed = raw.request;
      changed.body.back() = static_cast<char>(changed.body.back() ^ 1);
      EXPECT_FALSE(sigv4::verify(changed, now, options).ok()) << file;
    }
    EXPECT_FALSE(sigv4::verify(raw.request, now + std::chrono::minutes(16), options).ok()) << file;
  }
  Exchange x(std::move(raw.request));
  const auto ours = stub.api->route(x);
  if (!ours.ok() || !ours.value()) {
    row["route"] = ours.ok() ? "another door" : ours.error().message();
    return row;
  }
  row["protocol"] = name_of(x.protocol);
  row["operation"] = std::string(x.service->info->name) + ':' + x.operation_name;
  row["scope"] = x.call.account + '/' + x.call.region;
  for (const Status& status : {stub.api->authenticate(x), stub.api->decompress(x), stub.api->decode(x)}) {
    if (!status.ok()) {
      row["error"] = status.error().message();
      return row;
    }
  }
  std::string input;
  encode_json(x.input.shape(), x.input.get(), input);
  row["input"] = json::parse(input);
  // Long ones by their size and first entry.
  if (row["input"].contains("MetricData") && row["input"]["MetricData"].size() > 10)
    row["input"]["MetricData"] = {{"size", row["input"]["MetricData"].size()}, {"first", row["input"]["MetricData"][0]}, {"last", row["input"]["MetricData"].back()}};
  return row;
}

TEST(Captures, decode_to_what_the_client_was_told_to_send) {
  const StubApi stub;
  const json expected = json::parse(read_file(kCaptures / "decoded.json"));
  json found = json::object();
  for (const auto& entry : fs::directory_iterator(kCaptures)) {
    const std::string file = entry.path().filename();
    if (entry.path().extension() != ".http") continue;
    found[file] = replay(stub, file);
    EXPECT_TRUE(expected.contains(file)) << file << " is not in decoded.json";
    if (expected.contains(file)) {
      EXPECT_EQ(found[file], expected[file]) << file;
    }
  }
  EXPECT_EQ(found.size(), expected.size());
  // For a new capture: run with FOG_WRITE_DECODED=1, then read what it wrote.
  if (std::getenv("FOG_WRITE_DECODED") != nullptr) {
    std::ofstream out(kCaptures / "decoded.json");
    out << "{\n";
    bool first = true;
    for (const auto& [file, row] : found.items()) {
      out << (first ? "" : ",\n") << json(file).dump() << ": " << row.dump();
      first = false;
    }
    out << "\n}\n";
  }
}

// The same call gives the same input through query (boto3 1.26), JSON by boto3 and JSON by JS.
TEST(Captures, of_different_clients_agree) {
  const json rows = json::parse(read_file(kCaptures / "decoded.json"));
  std::map<std::string, std::pair<std::string, json>> first;
  int compared = 0;
  for (const auto& [file, row] : rows.items()) {
    const auto name = file.substr(file.find("--") + 2);
    for (const char* operation : {"cloudwatch-GetMetricData.http", "sns-Publish.http", "cloudwatch-DescribeAlarms.http", "logs-PutLogEvents.http", "cloudwatch-PutMetricAlarm.http"}) {
      if (name != operation || !(file.starts_with("boto3-") || file.starts_with("js-v3--"))) continue;
      const auto [found, fresh] = first.emplace(operation, std::pair{file, row["input"]});
      if (fresh) continue;
      EXPECT_EQ(found->second.second, row["input"]) << found->second.first << " and " << file;
      ++compared;
    }
  }
  EXPECT_GE(compared, 9);
}

// --- golden answers ---------------------------------------------------------------------------

constexpr std::string_view kRequestId = "0b4a8f6e-5a0c-4a35-9d53-6b1d3f2c9e10";

class Golden : public testing::Test {
 protected:
  // Status, headers (but those the server adds) and body must be those of the file.
  template <typename Input>
  void expect(const std::string& file, Protocol protocol, std::string_view content_type, const Status& status,
              const typename Input::Output* output = nullptr) {
    Exchange x{http::Request()};
    x.protocol = protocol;
    x.content_type = content_type;
    x.service = stub_.registry.by_signing_name(Input::kOperation.service->signing_name);
    x.entry = stub_.registry.find(*x.service, Input::kOperation.name);
    x.call.request_id = kRequestId;
    x.output = Value(Input::Output::kShape);
    if (output != nullptr) *static_cast<typename Input::Output*>(x.output.get()) = *output;
    const http::Response ours = stub_.api->encode(x, status);
    const RawResponse golden = parse_response(read_file(kCaptures / "responses" / (file + ".resp")));
    EXPECT_EQ(ours.status, golden.status) << file;
    EXPECT_EQ(ours.body, golden.body) << file;
    std::map<std::string, std::string> wanted, have(ours.headers.begin(), ours.headers.end());
    for (const auto& [name, value] : golden.headers)
      if (name != "Date" && name != "Content-Length") wanted[name] = value;
    EXPECT_EQ(have, wanted) << file;
  }
  StubApi stub_;
};

cloudwatch::GetMetricDataOutput metric_data() {
  cloudwatch::GetMetricDataOutput out;
  cloudwatch::MetricDataResult result;
  result.id = "m1";
  result.label = "Latency";
  result.timestamps = {from_ms(1767225660000), from_ms(1767225600000)};
  result.values = {2.0, 1.5};
  result.status_code = cloudwatch::StatusCode::Complete;
  out.metric_data_results = {result};
  out.messages.emplace();
  return out;
}

constexpr std::string_view kJson10 = "application/x-amz-json-1.0";
constexpr std::string_view kJson11 = "application/x-amz-json-1.1";

TEST_F(Golden, answers_of_cloudwatch) {
  const auto data = metric_data();
  const cloudwatch::ListMetricsOutput no_metrics{.metrics = std::vector<cloudwatch::Metric>()};
  expect<cloudwatch::GetMetricDataInput>("query-GetMetricData", Protocol::kQuery, "", Ok{}, &data);
  expect<cloudwatch::GetMetricDataInput>("json10-GetMetricData", Protocol::kJson, kJson10, Ok{}, &data);
  expect<cloudwatch::GetMetricDataInput>("cbor-GetMetricData", Protocol::kCbor, "", Ok{}, &data);
  expect<cloudwatch::ListMetricsInput>("query-ListMetrics-empty", Protocol::kQuery, "", Ok{}, &no_metrics);
  expect<cloudwatch::PutMetricDataInput>("query-PutMetricData", Protocol::kQuery, "", Ok{});
  expect<cloudwatch::PutMetricDataInput>("json10-PutMetricData", Protocol::kJson, kJson10, Ok{});
  expect<cloudwatch::PutMetricDataInput>("cbor-PutMetricData", Protocol::kCbor, "", Ok{});
}

TEST_F(Golden, faults_of_cloudwatch) {
  const Status bad = fault(cloudwatch::InvalidParameterValueException{.message = "The parameter Period must be at least 1"});
  expect<cloudwatch::GetMetricDataInput>("query-error-cloudwatch", Protocol::kQuery, "", bad);
  expect<cloudwatch::GetMetricDataInput>("json10-error", Protocol::kJson, kJson10, bad);
  expect<cloudwatch::GetMetricDataInput>("cbor-error", Protocol::kCbor, "", bad);
  expect<cloudwatch::GetMetricDataInput>("json10-error-throttle", Protocol::kJson, kJson10,
                                         wire_fault({.code = "com.amazon.coral.availability#ThrottlingException",
                                                     .query_code = "Throttling",
                                                     .message = "Rate exceeded"}));
}

TEST_F(Golden, answers_and_faults_of_logs_xray_and_sns) {
  expect<logs::CreateLogGroupRequest>("json11-CreateLogGroup", Protocol::kJson, kJson11, Ok{});
  const logs::PutLogEventsResponse put{.next_sequence_token = "49590302500000000000000000000000000000000000000000000002"};
  expect<logs::PutLogEventsRequest>("json11-PutLogEvents", Protocol::kJson, kJson11, Ok{}, &put);
  expect<logs::CreateLogGroupRequest>("json11-error", Protocol::kJson, kJson11,
                                      fault(logs::ResourceAlreadyExistsException{.message = "The specified log group already exists"}));
  const xray::PutTraceSegmentsResult segments{.unprocessed_trace_segments = std::vector<xray::UnprocessedTraceSegment>()};
  expect<xray::PutTraceSegmentsRequest>("restjson-PutTraceSegments", Protocol::kRestJson, "application/json", Ok{}, &segments);
  expect<xray::GetTraceSummariesRequest>("restjson-error", Protocol::kRestJson, "application/json",
                                         fault(xray::InvalidRequestException{.message = "The filter expression is not valid"}));
  const sns::ListTopicsResponse topics{.topics = std::vector<sns::Topic>()};
  expect<sns::ListTopicsInput>("query-sns-ListTopics-empty", Protocol::kQuery, "", Ok{}, &topics);
  const sns::PublishResponse published{.message_id = "567910cd-659e-55d4-8ccb-5aaf14679dc0"};
  expect<sns::PublishInput>("query-sns-Publish", Protocol::kQuery, "", Ok{}, &published);
  expect<sns::PublishInput>("query-sns-error", Protocol::kQuery, "", fault(sns::NotFoundException{.message = "Topic does not exist"}));
}

// Chunks of a chunked body.
std::vector<std::string> chunks(std::string_view body) {
  std::vector<std::string> out;
  while (!body.empty()) {
    const auto end = body.find("\r\n");
    const auto n = std::stoul(std::string(body.substr(0, end)), nullptr, 16);
    if (n == 0) break;
    out.emplace_back(body.substr(end + 2, n));
    body.remove_prefix(end + 4 + n);
  }
  return out;
}

TEST_F(Golden, frames_of_live_tail) {
  const auto golden = parse_response(read_file(kCaptures / "responses/eventstream-StartLiveTail.resp"));
  const auto frames = chunks(golden.body);
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[0], initial_response_frame());
  logs::StartLiveTailResponseStream start;
  start.session_start = logs::LiveTailSessionStart{.request_id = std::string(kRequestId),
                                                   .session_id = "5f2c0f0a-1111-4222-8333-944455566666",
                                                   .log_group_identifiers = std::vector<std::string>{"arn:aws:logs:us-east-1:000000000000:log-group:/demo"},
                                                   .log_stream_names = std::vector<std::string>(),
                                                   .log_stream_name_prefixes = std::vector<std::string>(),
                                                   .log_event_filter_pattern = ""};
  const auto& sent = *start.session_start;
  // The session id of the recording, whatever it was.
  const auto at = frames[1].find("\"sessionId\":\"");
  ASSERT_NE(at, std::string::npos);
  start.session_start->session_id = frames[1].substr(at + 13, sent.session_id->size());
  EXPECT_EQ(event_frame(logs::StartLiveTailResponseStream::kShape, &start), frames[1]);

  logs::StartLiveTailResponseStream update;
  logs::LiveTailSessionLogEvent event{.log_stream_name = "s1",
                                      .log_group_identifier = "000000000000:/demo",
                                      .message = "hello",
                                      .timestamp = 1767225600000,
                                      .ingestion_time = 1767225600005};
  update.session_update = logs::LiveTailSessionUpdate{.session_metadata = logs::LiveTailSessionMetadata{.sampled = false},
                                                      .session_results = std::vector<logs::LiveTailSessionLogEvent>{event}};
  EXPECT_EQ(event_frame(logs::StartLiveTailResponseStream::kShape, &update), frames[2]);

  const auto other = chunks(parse_response(read_file(kCaptures / "responses/eventstream-StartLiveTail-exception.resp")).body);
  logs::StartLiveTailResponseStream timeout;
  timeout.session_timeout_exception = logs::SessionTimeoutException{.message = "Session timed out"};
  ASSERT_FALSE(other.empty());
  EXPECT_EQ(event_frame(logs::StartLiveTailResponseStream::kShape, &timeout), other.back());
}

}  // namespace
}  // namespace fog::test
