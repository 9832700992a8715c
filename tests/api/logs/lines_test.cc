// Lines of others: syslog, Lambda's platform lines, selection criteria, the HTTP doors. One row a rule.
#include <gtest/gtest.h>

#include "api/logs/http_ingest.h"
#include "api/logs/lambda_lines.h"
#include "api/logs/line_ingest.h"
#include "api/logs/selection.h"
#include "api/logs/syslog.h"

namespace fog::logs {
namespace {

constexpr std::int64_t kNow = 1'767'614'400'000;  // 2026-01-05T12:00:00Z

TEST(Syslog, Rows) {
  struct Row {
    const char* line;
    const char* message;
    std::int64_t time_ms;  // 0: none
    const char* hostname;
  };
  const Row rows[] = {
      {"<165>1 2026-01-05T11:59:00.003Z host.example evntslog - ID47 [exampleSDID@32473 iut=\"3\" x=\"a]\\\"b\"] An event",
       R"({"facility":"local4","severity":"notice","hostname":"host.example","appName":"evntslog","msgId":"ID47","structuredData":"[exampleSDID@32473 iut=\"3\" x=\"a]\\\"b\"]","message":"An event"})",
       kNow - 59'997, "host.example"},
      {"<34>1 - - - - - -", R"({"facility":"auth","severity":"crit","message":""})", 0, ""},
      {"<14>1 2026-01-05T12:00:00+01:00 h a 7 - - \xEF\xBB\xBFgr\xC3\xBC\xC3\x9F", "{\"facility\":\"user\",\"severity\":\"info\",\"hostname\":\"h\",\"appName\":\"a\",\"procId\":\"7\",\"message\":\"gr\xC3\xBC\xC3\x9F\"}",
       kNow - 3'600'000, "h"},
      {"<34>Jan  5 11:14:15 mymachine su[42]: 'su root' failed\n", R"({"facility":"auth","severity":"crit","hostname":"mymachine","appName":"su","procId":"42","message":"'su root' failed"})",
       kNow - 45 * 60'000 - 45'000, "mymachine"},
      {"<13>Dec 31 23:59:59 h tag: last year", R"({"facility":"user","severity":"notice","hostname":"h","appName":"tag","message":"last year"})", 1'767'225'599'000, "h"},
      {"<13>Jan  5 12:00:00 cron: no host", R"({"facility":"user","severity":"notice","appName":"cron","message":"no host"})", kNow, ""},
      {"<13>just words", R"({"facility":"user","severity":"notice","message":"just words"})", 0, ""},
      {"<13>1 yesterday h a - - - x", R"({"facility":"user","severity":"notice","message":"1 yesterday h a - - - x"})", 0, ""},
      {"<13>1 2026-01-05T12:00:00Z h a - - [broken x", R"({"facility":"user","severity":"notice","message":"1 2026-01-05T12:00:00Z h a - - [broken x"})", 0, ""},
      {"<192>1 - - - - - - x", "<192>1 - - - - - - x", 0, ""},
      {"<>x", "<>x", 0, ""},
      {"<1a>x", "<1a>x", 0, ""},
      {"no priority", "no priority", 0, ""},
      {"", "", 0, ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.line);
    const SyslogEvent event = read_syslog(row.line, kNow);
    EXPECT_EQ(event.message, row.message);
    EXPECT_EQ(event.time_ms.value_or(0), row.time_ms);
    EXPECT_EQ(event.hostname, row.hostname);
  }
}

TEST(LambdaLines, Rows) {
  using Kind = LambdaLine::Kind;
  struct Row {
    const char* line;
    std::optional<Kind> kind;
    const char* request = "";
    double duration = 0, used = 0, init = 0;
    bool failed = false;
  };
  const Row rows[] = {
      {"START RequestId: r-1 Version: $LATEST\n", Kind::kStart, "r-1"},
      {"END RequestId: r-1\n", Kind::kEnd, "r-1"},
      {"REPORT RequestId: r-1\tDuration: 2.03 ms\tBilled Duration: 3 ms\tMemory Size: 512 MB\tMax Memory Used: 70 MB\t\n", Kind::kReport, "r-1", 2.03, 70},
      {"REPORT RequestId: r-1\tDuration: 7.5 ms\tBilled Duration: 8 ms\tMemory Size: 128 MB\tMax Memory Used: 64 MB\tInit Duration: 250.12 ms\t\n"
       "XRAY TraceId: 1-5e8f2a4c-1234567890abcdef12345678\tSegmentId: 0a1b2c3d4e5f6a7b\tSampled: true\t\n", Kind::kReport, "r-1", 7.5, 64, 250.12},
      {"REPORT RequestId: r-1\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 30 MB\tStatus: timeout", Kind::kReport, "r-1", 3000, 30, 0, true},
      {"2026-01-05T12:00:00.000Z r-1 Task timed out after 3.00 seconds", Kind::kError},
      {"[ERROR] ValueError: no\nTraceback (most recent call last):", Kind::kError},
      {"[ERROR]\t2026-01-05T12:00:00.000Z\tr-1\tlogged, not raised", std::nullopt},
      {"2026-01-05T12:00:00.000Z\tr-1\tERROR\tInvoke Error \t{\"errorType\":\"Error\"}", Kind::kError},
      {"2026-01-05T12:00:00.000Z\tr-1\tERROR\tlogged, not raised", std::nullopt},
      {"RequestId: r-1 Error: Runtime exited with error: exit status 1", Kind::kError, "r-1"},
      {R"({"time":"2026-01-05T12:00:00Z","type":"platform.start","record":{"requestId":"r-1","version":"1"}})", Kind::kStart, "r-1"},
      {R"({"time":"t","type":"platform.report","record":{"requestId":"r-1","status":"success","metrics":{"durationMs":2.5,"billedDurationMs":3,"memorySizeMB":128,"maxMemoryUsedMB":60,"initDurationMs":9}}})",
       Kind::kReport, "r-1", 2.5, 60, 9},
      {R"({"type":"platform.report","record":{"requestId":"r-1","status":"error","metrics":{"durationMs":1}}})", Kind::kReport, "r-1", 1, 0, 0, true},
      {R"({"type":"platform.runtimeDone","record":{"requestId":"r-1","status":"success"}})", Kind::kEnd, "r-1"},
      {R"({"type":"platform.runtimeDone","record":{"requestId":"r-1","status":"failure"}})", Kind::kError, "r-1", 0, 0, 0, true},
      {R"({"type":"platform.report","record":7})", Kind::kReport},
      {R"({"type":"platform.initStart","record":{}})", std::nullopt},
      {R"({"type":"platform.report","record")", std::nullopt},
      {"an ordinary line", std::nullopt},
      {"", std::nullopt},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.line);
    const auto line = read_lambda_line(row.line);
    ASSERT_EQ(line.has_value(), row.kind.has_value());
    if (!line) continue;
    EXPECT_EQ(line->kind, *row.kind);
    EXPECT_EQ(line->request_id, row.request);
    EXPECT_EQ(line->duration_ms.value_or(0), row.duration);
    EXPECT_EQ(line->memory_used_mb.value_or(0), row.used);
    EXPECT_EQ(line->init_ms.value_or(0), row.init);
    EXPECT_EQ(line->failed, row.failed);
  }
}

TEST(Selection, Rows) {
  const auto allowed = [](std::string_view field) { return field == "@aws.region" || field == "LogGroupName"; };
  const auto value_of = [](std::string_view field) -> std::string_view { return field == "@aws.region" ? "us-east-1" : "/g"; };
  struct Row {
    const char* text;
    std::optional<bool> holds;  // nothing: refused
  };
  const Row rows[] = {
      {R"(@aws.region = "us-east-1")", true},
      {R"(@aws.region != "us-east-1")", false},
      {R"(@aws.region IN ["eu-west-1", "us-east-1"])", true},
      {R"(LogGroupName NOT IN ["/g"])", false},
      {R"(LogGroupName not in ['/h', "/i"])", true},
      {R"(@aws.region = "x" OR LogGroupName = "/g")", true},
      {R"(@aws.region = "x" AND LogGroupName = "/g" OR LogGroupName = "/g")", true},
      {R"(@aws.region = "x" AND (LogGroupName = "/g" OR LogGroupName = "/g"))", false},
      {R"(other = "x")", std::nullopt},
      {R"(@aws.region = us-east-1)", std::nullopt},
      {R"(@aws.region IN [])", std::nullopt},
      {R"(@aws.region IN ["a")", std::nullopt},
      {R"(@aws.region = "a" AND)", std::nullopt},
      {R"((@aws.region = "a")", std::nullopt},
      {R"(@aws.region)", std::nullopt},
      {R"(@aws.region = "a" x)", std::nullopt},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    const auto selection = parse_selection(row.text, allowed);
    ASSERT_EQ(selection.ok(), row.holds.has_value());
    if (selection.ok()) { EXPECT_EQ((*selection)->holds(value_of), *row.holds); }
  }
  const std::string deep = std::string(100, '(') + R"(@aws.region = "a")" + std::string(100, ')');
  EXPECT_FALSE(parse_selection(deep, allowed).ok());
}

// Keeps what it is given.
struct KeptSink final : LogSink {
  Result<Outcome> put_logs(std::string_view, std::string_view, std::string_view group, std::string_view stream,
                           std::span<const LogEventIn> events, bool create) override {
    if (group == "/none" && !create) return Error::not_found("The specified log group does not exist.");
    Outcome outcome{.lsn = 7};
    for (const LogEventIn& event : events) {
      if (event.timestamp_ms < kNow - 86'400'000 * 14) ++outcome.too_old;
      else kept += std::string(group) + "/" + std::string(stream) + "@" + std::to_string(event.timestamp_ms - kNow) + " " + std::string(event.message) + "\n";
    }
    return outcome;
  }
  std::string kept;
};

TEST(HttpIngest, Rows) {
  struct Row {
    const char* path;
    const char* body;
    int status;
    const char* kept;
    const char* answer = "{}";
    const char* query = "logGroup=%2Fg&logStream=s+1";
    const char* type = "application/json";
  };
  const char* kAll = R"({"message":"All events were invalid"})";
  const Row rows[] = {
      {"/services/collector/event", R"({"event":"a","time":1767614401.5})", 200, "/g/s 1@1500 {\"event\":\"a\",\"time\":1767614401.5}\n"},
      {"/services/collector/event", R"({"event":{"x":1}}{"event":2,"time":"1767614402"} {"event":[]})", 200,
       "/g/s 1@0 {\"event\":{\"x\":1}}\n/g/s 1@2000 {\"event\":2,\"time\":\"1767614402\"}\n/g/s 1@0 {\"event\":[]}\n"},
      {"/services/collector/event", R"([{"event":"a"},{"no":"event"}])", 200, "/g/s 1@0 {\"event\":\"a\"}\n",
       R"({"partialSuccess":{"rejectedLogRecords":1,"errorMessage":"{\"tooOldLogEventCount\": 0, \"tooNewLogEventCount\": 0, \"expiredLogEventCount\": 0}"}})"},
      {"/services/collector/event", R"({"no":"event"})", 400, "", kAll},
      {"/services/collector/event", R"({"event":)", 400, "", R"({"message":"The request body is not valid JSON."})"},
      {"/services/collector/event", R"({"event":"a"})", 415, "", R"({"message":"Content-Type must be application/json"})", "logGroup=/g&logStream=s", "text/plain"},
      {"/ingest/bulk", "{\"timestamp\":1767614400007,\"a\":1}\n\nbroken\n\"words\"\n[1,{\"b\":2}]\r\n", 200,
       "/g/s 1@7 {\"timestamp\":1767614400007,\"a\":1}\n/g/s 1@0 words\n/g/s 1@0 1\n/g/s 1@0 {\"b\":2}\n",
       R"({"partialSuccess":{"rejectedLogRecords":1,"errorMessage":"{\"tooOldLogEventCount\": 0, \"tooNewLogEventCount\": 0, \"expiredLogEventCount\": 0}"}})",
       "logGroup=/g&logStream=s%201", "application/x-ndjson"},
      {"/ingest/bulk", "broken\nalso\n", 400, "", kAll},
      {"/ingest/json", R"([{"a":1},7,{"timestamp":"1767614400001"}])", 200, "/g/s 1@0 {\"a\":1}\n/g/s 1@1 {\"timestamp\":\"1767614400001\"}\n",
       R"({"partialSuccess":{"rejectedLogRecords":1,"errorMessage":"{\"tooOldLogEventCount\": 0, \"tooNewLogEventCount\": 0, \"expiredLogEventCount\": 0}"}})"},
      {"/ingest/json", R"({"timestamp":1})", 200, "",
       R"({"partialSuccess":{"rejectedLogRecords":1,"errorMessage":"{\"tooOldLogEventCount\": 1, \"tooNewLogEventCount\": 0, \"expiredLogEventCount\": 0}"}})"},
      {"/ingest/json", "7", 400, "", kAll},
      {"/ingest/json", R"({"a":1})", 404, "", R"({"message":"The specified log group does not exist."})", "logGroup=/none&logStream=s"},
      {"/ingest/json", R"({"a":1})", 400, "", R"({"message":"The query parameters logGroup and logStream are required."})", "logGroup=/g"},
  };
  const ManualClock clock(from_ms(kNow));
  for (const Row& row : rows) {
    SCOPED_TRACE(row.body);
    KeptSink sink;
    const IngestAnswer answer = ingest(sink, clock, {.path = row.path, .query = row.query, .content_type = row.type, .content_encoding = {},
                                                     .authorization = {}, .body = row.body, .account = "1", .region = "r"});
    EXPECT_EQ(answer.status, row.status);
    EXPECT_EQ(sink.kept, row.kept);
    EXPECT_EQ(answer.body, row.answer);
    EXPECT_EQ(answer.lsn, row.status == 200 ? 7u : 0u);
  }
}

TEST(HttpIngest, ScopeOfASignature) {
  std::string account = "000000000000", region = "us-east-1";
  scope_of_authorization("AWS4-HMAC-SHA256 Credential=111122223333/20260105/eu-west-1/logs/aws4_request, SignedHeaders=host, Signature=x", account, region);
  EXPECT_EQ(account, "111122223333");
  EXPECT_EQ(region, "eu-west-1");
  scope_of_authorization("Bearer ACWL123", account, region);
  scope_of_authorization("Credential=", account, region);
  EXPECT_EQ(account, "111122223333");
}

TEST(LineIngest, EmbeddedMetricsNameTheirPlace) {
  const ManualClock clock(from_ms(kNow));
  KeptSink sink;
  const std::string named = R"({"_aws":{"Timestamp":1767614400005,"LogGroupName":"app-metrics","LogStreamName":"i-1","CloudWatchMetrics":[]}})";
  const std::string bad = R"({"_aws":{"LogGroupName":"a b","CloudWatchMetrics":[]}})";
  const std::vector<IncomingLine> lines = {{named, "1.2.3.4"}, {bad, ""}, {"{\"_aws\": broken", ""}, {"\r\n", ""}};
  EXPECT_EQ(take_emf_lines(sink, clock, {"1", "r", "/emf", "default"}, lines), 0u);
  EXPECT_EQ(sink.kept, "/emf/default@0 " + bad + "\n/emf/default@0 {\"_aws\": broken\napp-metrics/i-1@5 " + named + "\n");
}

TEST(LineIngest, SyslogHasAStreamAHost) {
  const ManualClock clock(from_ms(kNow));
  KeptSink sink;
  const std::vector<IncomingLine> lines = {{"<13>Jan  5 12:00:00 web app: a", "1.2.3.4"}, {"<13>b", "::1"}};
  EXPECT_EQ(take_syslog_lines(sink, clock, {"1", "r", "/syslog", "default"}, lines), 0u);
  EXPECT_EQ(sink.kept, "/syslog/__1@0 {\"facility\":\"user\",\"severity\":\"notice\",\"message\":\"b\"}\n"
                       "/syslog/web@0 {\"facility\":\"user\",\"severity\":\"notice\",\"hostname\":\"web\",\"appName\":\"app\",\"message\":\"a\"}\n");
}

}  // namespace
}  // namespace fog::logs
