// OTLP traces: both encodings decode to the same spans, the mapping row by row, and what clients get
// back when something is wrong.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#include <random>

#include "api/otlp/traces.h"
#include "storage/base/clock.h"

namespace fog::otlp {
namespace {

using nlohmann::json;

struct Rig {
  ManualClock clock{from_ms(1'700'000'000'000)};
  std::unique_ptr<Wal> wal = std::move(*Wal::open({.folder = {}, .durability = Durability::kEphemeral}));
  std::unique_ptr<TraceStore> store = std::move(*TraceStore::open({}, *wal, clock));
  TraceScope scope{"000000000000", "us-east-1"};
};

// A span as JSON rows write it: attributes as a plain object.
json attributes(const json& plain) {
  json out = json::array();
  for (const auto& [key, value] : plain.items()) {
    json v;
    if (value.is_string()) v = {{"stringValue", value}};
    else if (value.is_boolean()) v = {{"boolValue", value}};
    else if (value.is_number_integer()) v = {{"intValue", std::to_string(value.get<std::int64_t>())}};
    else if (value.is_number()) v = {{"doubleValue", value}};
    else {
      json items = json::array();
      for (const auto& each : value) items.push_back({{"stringValue", each}});
      v = {{"arrayValue", {{"values", items}}}};
    }
    out.push_back({{"key", key}, {"value", v}});
  }
  return out;
}

std::vector<json> mapped(json span, const json& resource = json::object()) {
  if (span.contains("attributes")) span["attributes"] = attributes(span["attributes"]);
  for (const auto& [key, value] : {std::pair{"traceId", "6b021f39ae6d33226e89fc90aa7b10d5"}, {"spanId", "b7ddc60a8881b4bd"}, {"name", "span"},
                                   {"startTimeUnixNano", "1700000000000000000"}, {"endTimeUnixNano", "1700000000500000000"}})
    if (!span.contains(key)) span[key] = value;
  json scope_spans = json::object(), resource_spans = json::object(), request = json::object();
  scope_spans["spans"] = json::array({span});
  resource_spans["resource"]["attributes"] = attributes(resource);
  resource_spans["scopeSpans"] = json::array({scope_spans});
  request["resourceSpans"] = json::array({resource_spans});
  auto groups = decode_traces_json(request.dump());
  std::vector<json> out;
  if (!groups.ok() || groups->empty() || (*groups)[0].spans.empty()) {
    ADD_FAILURE() << "not decoded: " << request.dump();
    return out;
  }
  for (const auto& document : segments_of((*groups)[0].spans[0], (*groups)[0], {})) out.push_back(json::parse(document));
  return out;
}

struct MappingRow {
  const char* what;
  json span;
  json resource;
  json expected;  // members of the first document; null: must be absent
};

TEST(OtlpMapping, rows) {
  const MappingRow rows[] = {
      {"server span", {{"kind", 2}, {"attributes", {{"http.request.method", "GET"}, {"url.path", "/x"}, {"http.response.status_code", 503}, {"server.address", "h"}, {"server.port", 8080}}}}, {{"service.name", "shop"}},
       {{"name", "shop"}, {"type", nullptr}, {"fault", true}, {"error", nullptr}, {"trace_id", "1-6b021f39-ae6d33226e89fc90aa7b10d5"}, {"id", "b7ddc60a8881b4bd"}, {"namespace", nullptr},
        {"http", {{"request", {{"method", "GET"}, {"url", "http://h:8080/x"}}}, {"response", {{"status", 503}, {"content_length", 0}}}}}}},
      {"default port is dropped", {{"kind", "SPAN_KIND_SERVER"}, {"attributes", {{"http.method", "GET"}, {"http.scheme", "https"}, {"http.host", "h"}, {"net.host.port", 443}, {"http.target", "/a?b"}}}}, json::object(),
       {{"http", {{"request", {{"method", "GET"}, {"url", "https://h/a?b"}}}, {"response", {{"content_length", 0}}}}}}},
      {"client below a parent", {{"kind", 3}, {"parentSpanId", "00000000000000aa"}, {"attributes", {{"peer.service", "db"}, {"http.status_code", 429}}}}, {{"service.name", "shop"}},
       {{"name", "db"}, {"type", "subsegment"}, {"parent_id", "00000000000000aa"}, {"namespace", "remote"}, {"error", true}, {"throttle", true}, {"fault", nullptr}}},
      {"internal below a parent", {{"kind", 1}, {"name", "work <x>"}, {"parentSpanId", "00000000000000aa"}}, {{"service.name", "shop"}},
       {{"name", "work x"}, {"type", "subsegment"}, {"namespace", nullptr}}},
      {"root of any kind is named after its service", {{"kind", 1}}, {{"service.name", "job"}}, {{"name", "job"}, {"type", nullptr}}},
      {"nothing left of the name", {{"kind", 1}, {"name", "<>|"}}, json::object(), {{"name", "span"}}},
      {"aws call", {{"kind", 3}, {"parentSpanId", "00000000000000aa"}, {"attributes", {{"rpc.system", "aws-api"}, {"rpc.service", "DynamoDB"}, {"rpc.method", "Query"}, {"aws.dynamodb.table_names", {"t"}}, {"aws.request_id", "r"}}}}, json::object(),
       {{"name", "DynamoDB"}, {"namespace", "aws"}, {"aws", {{"operation", "Query"}, {"table_name", "t"}, {"request_id", "r"}}}}},
      {"aws call named by the agent", {{"kind", 3}, {"parentSpanId", "00000000000000aa"}, {"attributes", {{"rpc.system", "aws-api"}, {"aws.remote.service", "AWS::S3"}}}}, json::object(), {{"name", "S3"}}},
      {"sql", {{"kind", 3}, {"name", "SELECT t"}, {"parentSpanId", "00000000000000aa"}, {"attributes", {{"db.system", "mysql"}, {"db.name", "shop"}, {"db.connection_string", "jdbc:mysql://db.example.com:3306"}, {"db.statement", "SELECT 1"}, {"db.user", "u"}}}}, json::object(),
       {{"name", "shop@db.example.com"}, {"namespace", "remote"},
        {"sql", {{"connection_string", "jdbc:mysql://db.example.com:3306/shop"}, {"url", "SELECT t"}, {"sanitized_query", "SELECT 1"}, {"database_type", "mysql"}, {"user", "u"}}}}},
      {"ec2", {{"kind", 2}}, {{"cloud.provider", "aws"}, {"cloud.platform", "aws_ec2"}, {"cloud.account.id", "111111111111"}, {"host.id", "i-1"}, {"cloud.availability_zone", "z"}, {"telemetry.sdk.name", "opentelemetry"}, {"telemetry.sdk.language", "nodejs"}, {"telemetry.sdk.version", "2"}},
       {{"origin", "AWS::EC2::Instance"}, {"aws", {{"account_id", "111111111111"}, {"ec2", {{"instance_id", "i-1"}, {"availability_zone", "z"}}}, {"xray", {{"sdk", "opentelemetry for nodejs"}, {"sdk_version", "2"}, {"auto_instrumentation", false}}}}}}},
      {"fargate", {{"kind", 2}}, {{"cloud.provider", "aws"}, {"cloud.platform", "aws_ecs"}, {"aws.ecs.launchtype", "fargate"}}, {{"origin", "AWS::ECS::Fargate"}}},
      {"another cloud", {{"kind", 2}}, {{"cloud.provider", "gcp"}, {"cloud.platform", "aws_ec2"}}, {{"origin", nullptr}, {"aws", nullptr}}},
      {"status without events", {{"kind", 2}, {"status", {{"code", 2}, {"message", "boom"}}}}, json::object(), {{"fault", true}}},
      {"user", {{"kind", 2}, {"attributes", {{"enduser.id", "alice"}}}}, json::object(), {{"user", "alice"}}},
      {"annotations and metadata", {{"kind", 2}, {"attributes", {{"aws.xray.annotations", {"a-b"}}, {"a-b", 3}, {"aws.xray.metadata.m", "v"}, {"rest", true}}}}, {{"r", "1"}},
       {{"annotations", {{"a_b", 3}}}, {"metadata", {{"m", "v"}, {"default", {{"rest", true}, {"otel.resource.r", "1"}}}}}}},
      {"links", {{"kind", 2}, {"links", {{{"traceId", "00000000000000000000000000000001"}, {"spanId", "00000000000000bb"}}}}}, json::object(),
       {{"links", {{{"trace_id", "1-00000000-000000000000000000000001"}, {"id", "00000000000000bb"}, {"attributes", json::object()}}}}}},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.what);
    const auto documents = mapped(row.span, row.resource);
    ASSERT_EQ(documents.size(), 1u);
    for (const auto& [key, value] : row.expected.items()) {
      if (value.is_null()) {
        EXPECT_FALSE(documents[0].contains(key)) << key << ": " << documents[0].dump();
      } else {
        EXPECT_EQ(documents[0].value(key, json()), value) << key;
      }
    }
  }
}

TEST(OtlpMapping, a_local_root_that_calls_becomes_two_documents) {
  const auto documents = mapped({{"kind", 3}, {"parentSpanId", "00000000000000aa"},
                                 {"attributes", {{"aws.span.kind", "LOCAL_ROOT"}, {"aws.local.service", "mine"}, {"aws.remote.service", "theirs"}, {"http.method", "GET"}}}});
  ASSERT_EQ(documents.size(), 2u);
  EXPECT_EQ(documents[0]["name"], "mine");
  EXPECT_FALSE(documents[0].contains("type"));
  EXPECT_FALSE(documents[0].contains("http"));
  EXPECT_EQ(documents[0]["parent_id"], "00000000000000aa");
  EXPECT_EQ(documents[1]["name"], "theirs");
  EXPECT_EQ(documents[1]["id"], "b7ddc60a8881b4bd");
  EXPECT_EQ(documents[1]["parent_id"], documents[0]["id"]);
  EXPECT_EQ(documents[1]["namespace"], "remote");
}

TEST(OtlpMapping, exceptions_and_their_causes) {
  const auto document = mapped({{"kind", 2}, {"events", {{{"name", "exception"}, {"timeUnixNano", "1"}, {"attributes", attributes({{"exception.type", "A"}, {"exception.message", "m"},
                                 {"exception.stacktrace", "A: m\n\tat p.C.f(C.java:10)\nCaused by: B: n\n\tat p.D.g(D.java:20)"}})}}}}},
                               {{"telemetry.sdk.language", "java"}})[0];
  const auto& exceptions = document["cause"]["exceptions"];
  ASSERT_EQ(exceptions.size(), 2u);
  EXPECT_EQ(exceptions[0]["cause"], exceptions[1]["id"]);
  EXPECT_EQ(exceptions[0]["stack"], json::parse(R"([{"path":"C.java","label":"p.C.f","line":10}])"));
  EXPECT_EQ(exceptions[1]["type"], "B");
  EXPECT_EQ(exceptions[1]["message"], "n");
}

struct StackRow {
  const char* language;
  const char* text;
  const char* path;
  const char* label;
  std::int64_t line;
};
TEST(OtlpStack, each_language) {
  for (const auto& row : {StackRow{"java", "E\n\tat a.B.c(B.java:7)", "B.java", "a.B.c", 7},
                          StackRow{"nodejs", "Error: x\n    at f (/app/x.js:12:5)", "/app/x.js", "f", 12},
                          StackRow{"nodejs", "Error: x\n    at /app/x.js:12:5", "/app/x.js", "", 12},
                          StackRow{"python", "Traceback\n  File \"/a.py\", line 3, in run\n    x()", "/a.py", "run", 3},
                          StackRow{"dotnet", "X\n   at N.C.M(String s) in /a/b.cs:line 9", "/a/b.cs", "N.C.M(String s)", 9},
                          StackRow{"php", "#0 /a/b.php(33): f()", "/a/b.php", "f()", 33},
                          StackRow{"go", "goroutine 1 [running]:\nmain.f(0x1)\n\t/a/m.go:21 +0x1d", "/a/m.go", "main.f(0x1)", 21}}) {
    const auto frames = parse_stack(row.language, row.text);
    ASSERT_EQ(frames.size(), 1u) << row.language;
    EXPECT_EQ(frames[0].path, row.path);
    EXPECT_EQ(frames[0].label, row.label);
    EXPECT_EQ(frames[0].line, row.line);
  }
}

std::string protobuf_request(std::size_t spans, bool broken_id) {
  std::string request;
  protozero::pbf_writer root(request);
  protozero::pbf_writer resource_spans(root, 1);
  {
    protozero::pbf_writer resource(resource_spans, 1);
    protozero::pbf_writer pair(resource, 1);
    pair.add_string(1, "service.name");
    protozero::pbf_writer value(pair, 2);
    value.add_string(1, "proto");
  }
  protozero::pbf_writer scope_spans(resource_spans, 2);
  for (std::size_t i = 0; i < spans; ++i) {
    protozero::pbf_writer span(scope_spans, 2);
    span.add_bytes(1, std::string(15, 'k') + static_cast<char>('a' + i));
    span.add_bytes(2, broken_id && i == 0 ? "short" : "spanspan");
    span.add_string(5, "op");
    span.add_enum(6, 2);
    span.add_fixed64(7, 1700000000000000000u);
    span.add_fixed64(8, 1700000000250000000u);
  }
  return request;
}

TEST(OtlpExport, protobuf_is_stored_and_answered_in_kind) {
  Rig rig;
  const auto answer = export_traces(*rig.store, rig.scope, "application/x-protobuf", "", protobuf_request(3, false));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "application/x-protobuf");
  EXPECT_TRUE(answer.body.empty());
  EXPECT_GT(answer.lsn, 0u);
  EXPECT_EQ(rig.store->stats().documents_accepted, 3u);
  const auto partial = export_traces(*rig.store, rig.scope, "application/x-protobuf", "", protobuf_request(2, true));
  EXPECT_EQ(partial.status, 200);
  EXPECT_EQ(partial.rejected_spans, 1u);
  protozero::pbf_reader root(partial.body);
  ASSERT_TRUE(root.next(1));
  auto success = root.get_message();
  ASSERT_TRUE(success.next(1));
  EXPECT_EQ(success.get_int64(), 1);
}

TEST(OtlpExport, refusals) {
  Rig rig;
  EXPECT_EQ(export_traces(*rig.store, rig.scope, "text/plain", "", "x").status, 415);
  EXPECT_EQ(export_traces(*rig.store, rig.scope, "application/json", "", "{").status, 400);
  EXPECT_EQ(json::parse(export_traces(*rig.store, rig.scope, "application/json", "", "[]").body)["code"], 3);
  EXPECT_EQ(export_traces(*rig.store, rig.scope, "application/json; charset=utf-8", "", "{}").body, "{}");
  EXPECT_EQ(export_traces(*rig.store, rig.scope, "application/json", "gzip", "noise").status, 400);
  EXPECT_EQ(export_traces(*rig.store, rig.scope, "application/json", "br", "{}").status, 415);
  EXPECT_EQ(export_traces(*rig.store, rig.scope, "application/json", "", "{}          ", 4).status, 413);
  EXPECT_EQ(rig.store->stats().documents_accepted, 0u);
}

// Bytes changed at random: an answer, no crash.
TEST(OtlpExport, noise_in_protobuf_is_harmless) {
  Rig rig;
  const auto good = protobuf_request(3, false);
  std::mt19937 random(3);
  for (int i = 0; i < 3000; ++i) {
    auto bad = good;
    for (unsigned n = 1 + random() % 4; n > 0; --n) bad[random() % bad.size()] = static_cast<char>(random());
    if (random() % 4 == 0) bad.resize(random() % bad.size());
    const auto answer = export_traces(*rig.store, rig.scope, "application/x-protobuf", "", bad);
    EXPECT_TRUE(answer.status == 200 || answer.status == 400);
  }
}

std::string dechunk(std::string_view raw) {
  std::string out;
  auto at = raw.find("\r\n\r\n") + 4;
  while (at < raw.size()) {
    const auto size = std::stoul(std::string(raw.substr(at)), nullptr, 16);
    at = raw.find("\r\n", at) + 2;
    if (size == 0) break;
    out += raw.substr(at, size);
    at += size + 2;
  }
  return out;
}

TEST(OtlpExport, captured_requests_of_the_javascript_exporters) {
  std::size_t seen = 0;
  std::string first;
  for (const auto& [name, type, encoding] : {std::tuple{"otel-js-json", "application/json", ""}, std::tuple{"otel-js-json-gzip", "application/json", "gzip"},
                                             std::tuple{"otel-js-proto", "application/x-protobuf", ""}, std::tuple{"otel-js-proto-gzip", "application/x-protobuf", "gzip"}}) {
    std::ifstream file(std::string(FOG_SHARED_DIR) + "/data/captures/" + name + "--otlp-traces.http", std::ios::binary);
    if (!file) continue;
    ++seen;
    Rig rig;
    const std::string raw{std::istreambuf_iterator<char>(file), {}};
    const auto answer = export_traces(*rig.store, rig.scope, type, encoding, dechunk(raw));
    EXPECT_EQ(answer.status, 200) << name << answer.body;
    EXPECT_EQ(answer.accepted_spans, 1u) << name;
    std::string text;
    TraceScan all;
    all.to_ms = std::numeric_limits<std::int64_t>::max() / 4;
    ASSERT_TRUE(rig.store->scan(rig.scope, all, [&](const auto& trace) {
      const auto document = json::parse(rig.store->documents(rig.scope, trace->id)->documents[0]->text);
      EXPECT_EQ(document["fault"], true);
      EXPECT_EQ(document["name"], "demo");
      EXPECT_EQ(document["http"]["response"]["status"], 500);
      EXPECT_EQ(document["cause"]["exceptions"][0]["message"], "boom");
      EXPECT_EQ(document["metadata"]["default"]["big"], 1099511627776);
      EXPECT_EQ(document["metadata"]["default"]["arr"], json({"a", "b"}));
      return true;
    }).ok());
  }
  if (seen == 0) GTEST_SKIP() << "the captures are not here";
}

}  // namespace
}  // namespace fog::otlp
