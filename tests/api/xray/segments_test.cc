// PutTraceSegments and BatchGetTraces: every refusal, and what comes back of what was put.
#include "fixture.h"

namespace fog::xray {
namespace {

struct RefusalRow {
  const char* document;
  const char* id;  // "": absent
  const char* code;
  bool subsegment;
};
#define T R"("trace_id":"1-6553f100-000000000000000000000001")"
#define TIMES R"("start_time":1700000000,"end_time":1700000001)"
const RefusalRow kRefusals[] = {
    {"noise", "", "ParseError", false},
    {"", "", "ParseError", false},
    {"12", "", "ParseError", false},
    {R"({"id":"0000000000000001",)", "", "ParseError", false},
    {"{\"id\":\"0000000000000001\",\"name\":\"\xff\"}", "", "ParseError", false},
    {"[]", "", "MissingId", true},
    {"{}", "", "MissingId", false},
    {R"({"id":null})", "", "MissingId", false},
    {R"({"id":"xyz",)" T "}", "xyz", "InvalidId", false},
    {R"({"id":7,)" T "}", "", "InvalidId", false},
    {R"({"id":"0000000000000001","name":"a"})", "0000000000000001", "MissingTraceId", false},
    {R"({"id":"0000000000000001","trace_id":"1-6553f100-00"})", "0000000000000001", "InvalidTraceId", false},
    {R"({"id":"0000000000000001","trace_id":"2-6553f100-000000000000000000000001"})", "0000000000000001", "InvalidTraceId", false},
    {R"({"id":"0000000000000001","trace_id":"1-6553f100-00000000000000000000000g"})", "0000000000000001", "InvalidTraceId", false},
    {R"({"id":"0000000000000001",)" T "}", "0000000000000001", "MissingName", false},
    {R"({"id":"0000000000000001",)" T R"(,"name":""})", "0000000000000001", "InvalidName", false},
    {R"({"id":"0000000000000001",)" T R"(,"name":"a|b"})", "0000000000000001", "InvalidName", false},
    {R"({"id":"0000000000000001",)" T R"(,"name":"\u20ac"})", "0000000000000001", "InvalidName", false},
    {R"({"id":"0000000000000001",)" T R"(,"name":"a"})", "0000000000000001", "MissingStartTime", false},
    {R"({"id":"0000000000000001",)" T R"(,"name":"a","start_time":"1700000000"})", "0000000000000001", "InvalidStartTime", false},
    {R"({"id":"0000000000000001",)" T R"(,"name":"a","start_time":-5,"end_time":1})", "0000000000000001", "InvalidStartTime", false},
    {R"({"id":"0000000000000001",)" T R"(,"name":"a","start_time":1700000000})", "0000000000000001", "MissingEndTime", false},
    {R"({"id":"0000000000000001",)" T R"(,"name":"a","start_time":1700000000,"in_progress":false})", "0000000000000001", "MissingEndTime", false},
    {R"({"id":"0000000000000001",)" T R"(,"name":"a","start_time":1700000000,"end_time":1699999999})", "0000000000000001", "InvalidEndTime", false},
    {R"({"id":"0000000000000001","type":"subsegment",)" T R"(,"name":"a",)" TIMES "}", "0000000000000001", "MissingParentId", true},
    {R"({"id":"0000000000000001","type":"subsegment","parent_id":"0000000000000002",)" T R"(,"name":"a|",)" TIMES "}", "0000000000000001", "InvalidName", true},
    {R"({"id":"0000000000000001",)" T R"(,"name":"a",)" TIMES R"(,"subsegments":[{"name":"b",)" TIMES "}]}", "0000000000000001", "MissingId", true},
    {R"({"id":"0000000000000001",)" T R"(,"name":"a",)" TIMES R"(,"subsegments":[{"id":"0000000000000002","name":"b","start_time":1}]})", "0000000000000001", "MissingEndTime", true},
    {R"([{"id":"0000000000000001",)" T R"(,"name":"a",)" TIMES R"(},{"id":"0000000000000002"}])", "0000000000000002", "MissingTraceId", false},
};

class SegmentsTest : public XRayTest {};

TEST_F(SegmentsTest, refusals_name_their_reason_and_store_nothing) {
  for (const auto& row : kRefusals) {
    SCOPED_TRACE(row.document);
    // Not by json: one of the rows is not UTF-8 and must be refused all the same.
    std::string quoted;
    for (const char* c = row.document; *c != 0; ++c) {
      if (*c == '"' || *c == '\\') quoted.push_back('\\');
      quoted.push_back(*c);
    }
    const auto answer = post("/TraceSegments", "{\"TraceSegmentDocuments\":[\"" + quoted + "\"]}");
    if (answer.status == 400) {
      EXPECT_NE(std::string_view(row.document).find('\xff'), std::string_view::npos) << answer.text;
      continue;
    }
    ASSERT_EQ(answer.status, 200) << answer.text;
    ASSERT_EQ(answer.body["UnprocessedTraceSegments"].size(), 1u) << answer.text;
    const auto& failed = answer.body["UnprocessedTraceSegments"][0];
    EXPECT_EQ(failed["ErrorCode"], row.code);
    EXPECT_EQ(failed.value("Id", ""), row.id);
    EXPECT_EQ(failed["Message"], row.subsegment ? "Invalid subsegment. ErrorCode: " + std::string(row.code) + ", Cause: null"
                                                : "Invalid segment. ErrorCode: " + std::string(row.code));
  }
  EXPECT_EQ(ok("/TraceSummaries", {{"StartTime", 0}, {"EndTime", 1800000000}})["TraceSummaries"], json::array());
}

TEST_F(SegmentsTest, size_is_limited_to_64_kb_and_depth_is_not_a_danger) {
  const auto with_padding = [](std::size_t size) {
    std::string text = R"({"id":"0000000000000001",)" T R"(,"name":"a",)" TIMES R"(,"metadata":{"p":")";
    text += std::string(size - text.size() - 3, 'x') + "\"}}";
    return text;
  };
  EXPECT_EQ(put({with_padding(64 * 1024)})["UnprocessedTraceSegments"], json::array());
  EXPECT_EQ(put({with_padding(64 * 1024 + 1)})["UnprocessedTraceSegments"][0]["ErrorCode"], "SegmentTooLarge");

  std::string deep = R"({"id":"0000000000000001",)" T R"(,"name":"a",)" TIMES;
  const int levels = 600;
  for (int i = 0; i < levels; ++i) deep += R"(,"subsegments":[{"id":"00000000000000ff","name":"s",)" TIMES;
  for (int i = 0; i < levels; ++i) deep += "}]";
  deep += "}";
  ASSERT_LT(deep.size(), 64u * 1024);
  EXPECT_EQ(put({deep})["UnprocessedTraceSegments"], json::array());
  const auto got = ok("/Traces", {{"TraceIds", {"1-6553f100-000000000000000000000001"}}});
  EXPECT_EQ(got["Traces"].size(), 1u);
  std::string arrays = R"({"id":"0000000000000001",)" T R"(,"name":"a",)" TIMES R"(,"metadata":)";
  arrays += std::string(20000, '[') + std::string(20000, ']') + "}";
  EXPECT_EQ(put({arrays})["UnprocessedTraceSegments"][0]["ErrorCode"], "ParseError");
}

TEST_F(SegmentsTest, names_of_any_script_are_names) {
  for (const char* name : {"Köln", "サービス 1", "a_b.c:d/e%f&g#h=i+j\\k-l@m", "## x", "日本"}) {
    const json document = {{"id", "0000000000000001"}, {"trace_id", "1-6553f100-000000000000000000000001"}, {"name", name},
                           {"start_time", 1700000000}, {"end_time", 1700000001}};
    EXPECT_EQ(put({document})["UnprocessedTraceSegments"], json::array()) << name;
  }
}

TEST_F(SegmentsTest, documents_come_back_compiled) {
  put({json::parse(R"({"trace_id":"1-6553F100-0000000000000000000000AB","id":"00000000000000a1","name":"front","start_time":1.7E9,
      "end_time":1700000001.5,"in_progress":false,"unknown":1,"user":7,"annotations":{"a":1,"b":[1],"c":"x"},
      "metadata":{"ns":{"deep":[1,{"x":null}]}},"http":{"request":{"method":"GET","nonsense":true},"response":{"status":"200","content_length":"12"}},
      "subsegments":[{"id":"00000000000000a2","name":"work","start_time":1700000000.1,"end_time":1700000000.4,
                      "type":"subsegment","trace_id":"1-6553f100-0000000000000000000000ab","parent_id":"00000000000000a1"}]})")});
  put({json::parse(R"({"trace_id":"1-6553f100-0000000000000000000000ab","id":"00000000000000a3","name":"DynamoDB","start_time":1700000000.2,
      "end_time":1700000000.3,"type":"subsegment","namespace":"aws","parent_id":"00000000000000a2","aws":{"operation":"Query","table_name":"t","custom":"kept"}})")});
  put({json::parse(R"({"trace_id":"1-6553f100-0000000000000000000000ab","id":"00000000000000a9","name":"lost","start_time":1700000000.6,
      "end_time":1700000000.7,"type":"subsegment","parent_id":"00000000000000ff"})")});
  for (const bool sealed : {false, true}) {
    if (sealed) {
      ASSERT_TRUE(traces->seal_all().ok());
    }
    const auto got = ok("/Traces", {{"TraceIds", {"1-6553f100-0000000000000000000000ab", "1-6553f100-0000000000000000000000ff", "nonsense"}}});
    EXPECT_EQ(got["UnprocessedTraceIds"], json({"1-6553f100-0000000000000000000000ff", "nonsense"}));
    ASSERT_EQ(got["Traces"].size(), 1u);
    const auto& trace = got["Traces"][0];
    EXPECT_EQ(trace["Id"], "1-6553f100-0000000000000000000000ab");
    EXPECT_EQ(trace["Duration"], 1.5);
    EXPECT_EQ(trace["LimitExceeded"], false);
    ASSERT_EQ(trace["Segments"].size(), 3u) << "the segment, the inferred table, the orphan";
    const auto front = json::parse(trace["Segments"][0]["Document"].get<std::string>());
    EXPECT_EQ(front, json::parse(R"({"trace_id":"1-6553F100-0000000000000000000000AB","id":"00000000000000a1","name":"front",
        "start_time":1.7E9,"end_time":1700000001.5,"annotations":{"a":1,"c":"x"},"metadata":{"ns":{"deep":[1,{"x":null}]}},
        "http":{"request":{"method":"GET"},"response":{"content_length":"12"}},
        "subsegments":[{"id":"00000000000000a2","name":"work","start_time":1700000000.1,"end_time":1700000000.4,
          "subsegments":[{"id":"00000000000000a3","name":"DynamoDB","start_time":1700000000.2,"end_time":1700000000.3,"namespace":"aws",
                          "aws":{"operation":"Query","table_name":"t","custom":"kept"}}]}]})"));
    const auto inferred = json::parse(trace["Segments"][1]["Document"].get<std::string>());
    EXPECT_EQ(inferred["inferred"], true);
    EXPECT_EQ(inferred["origin"], "AWS::DynamoDB::Table");
    EXPECT_EQ(inferred["name"], "DynamoDB");
    EXPECT_EQ(inferred["parent_id"], "00000000000000a3");
    EXPECT_EQ(inferred["trace_id"], "1-6553f100-0000000000000000000000ab");
    EXPECT_FALSE(inferred.contains("namespace"));
    const auto orphan = json::parse(trace["Segments"][2]["Document"].get<std::string>());
    EXPECT_EQ(orphan["parent_id"], "00000000000000ff");
    EXPECT_EQ(orphan["type"], "subsegment");
  }
}

TEST_F(SegmentsTest, telemetry_is_taken_and_kept_by_host) {
  EXPECT_EQ(ok("/TelemetryRecords", json::parse(R"({"TelemetryRecords":[{"Timestamp":1767225600,"SegmentsReceivedCount":1,
      "BackendConnectionErrors":{"TimeoutCount":0}}],"Hostname":"h","EC2InstanceId":"","ResourceARN":""})")),
            json::object());
  EXPECT_EQ(xray->telemetry({"000000000000", "us-east-1"}).count("h"), 1u);
  EXPECT_EQ(post("/TelemetryRecords", json::object()).status, 400);
}

// What the SDKs send, byte for byte.
TEST_F(SegmentsTest, captured_datagrams_are_good_documents) {
  std::size_t seen = 0;
  for (const char* name : {"xray-sdk-node--xray.udp", "xray-sdk-python--xray-2.udp", "xray-sdk-python--xray-3.udp",
                           "xray-sdk-python--xray.udp", "xray-sdk-python-0.95--xray.udp"}) {
    std::ifstream file(std::string(FOG_SHARED_DIR) + "/data/captures/" + name, std::ios::binary);
    if (!file) continue;
    const std::string datagram{std::istreambuf_iterator<char>(file), {}};
    const auto line = datagram.find('\n');
    ASSERT_NE(line, std::string::npos);
    EXPECT_EQ(put({json(datagram.substr(line + 1))})["UnprocessedTraceSegments"], json::array()) << name;
    ++seen;
  }
  if (seen == 0) GTEST_SKIP() << "the captures are not here";
  const auto summaries = ok("/TraceSummaries", {{"StartTime", 1795300000}, {"EndTime", 1795302000}});
  EXPECT_EQ(summaries["TraceSummaries"].size(), seen);
  EXPECT_EQ(ok("/TraceSummaries", {{"StartTime", 1795300000}, {"EndTime", 1795302000}, {"FilterExpression", "annotation.k = \"v\""}})["TraceSummaries"].size(), 4u);
}

TEST_F(SegmentsTest, captured_calls_are_answered) {
  std::size_t seen = 0;
  for (const char* name : {"boto3-1.43--xray-PutTraceSegments.http", "js-v3--xray-PutTraceSegments.http", "js-v2--xray-PutTraceSegments.http",
                           "boto3-1.26--xray-GetTraceSummaries.http", "awscli-2.9--xray-GetTraceSummaries.http",
                           "xray-sdk-node--xray-GetSamplingRules.http", "xray-sdk-node--xray-GetSamplingTargets.http",
                           "xray-sdk-python--xray-GetSamplingRules.http", "xray-sdk-python--xray-GetSamplingTargets.http",
                           "boto3-1.43--xray-PutTelemetryRecords.http"}) {
    std::ifstream file(std::string(FOG_SHARED_DIR) + "/data/captures/" + name, std::ios::binary);
    if (!file) continue;
    const std::string raw{std::istreambuf_iterator<char>(file), {}};
    const auto body = raw.find("\r\n\r\n");
    const auto path = raw.substr(5, raw.find(' ', 5) - 5);
    clock.set(from_ms(1795300940000));
    const auto answer = post(path, raw.substr(body + 4));
    EXPECT_EQ(answer.status, 200) << name << ": " << answer.text;
    ++seen;
  }
  if (seen == 0) GTEST_SKIP() << "the captures are not here";
}

}  // namespace
}  // namespace fog::xray
