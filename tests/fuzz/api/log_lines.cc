// Lines of doors that are no AWS calls: syslog, platform lines of functions, scopes in headers, schedules, tables.
#include "api/logs/http_ingest.h"
#include "api/logs/lambda_lines.h"
#include "api/logs/lookup_tables.h"
#include "api/logs/schedule.h"
#include "api/logs/syslog.h"
#include "tests/fuzz/target.h"

namespace fog::fuzz {

class DeafSink final : public LogSink {
 public:
  Result<Outcome> put_logs(std::string_view, std::string_view, std::string_view, std::string_view, std::span<const LogEventIn>, bool) override { return Outcome{}; }
};

FOG_FUZZ(log_lines) {
  Cut cut(input);
  const std::string_view text = cut.next(), other = cut.next();
  (void)logs::read_syslog(text, 1'767'225'720'000);
  (void)logs::read_lambda_line(text);
  std::string account = "1", region = "r";
  logs::scope_of_authorization(text, account, region);
  if (const auto table = logs::read_csv(text); table.ok())
    for (const auto& row : table->rows) must(row.size() == table->columns.size(), "a value for each column");
  if (const auto schedule = logs::Schedule::parse(text, other); schedule.ok()) {
    const Timestamp now = from_ms(1'767'225'720'000);
    if (const auto next = schedule->next(now, from_ms(0))) must(*next > now, "the next run lies ahead");
  }
  static ManualClock clock(from_ms(1'767'225'720'000));
  DeafSink sink;
  for (const char* path : {"/services/collector/event", "/ingest/bulk", "/ingest/json"})
    (void)logs::ingest(sink, clock, {.path = path, .query = other.empty() ? "logGroup=g&logStream=s" : other, .content_type = "application/json", .body = text, .account = "1", .region = "r"});
}

FOG_FUZZ_SEEDS(log_lines) {
  return {"<34>1 2026-10-11T22:14:15.003Z mymachine su - ID47 [ex@1 iut=\"3\"] BOM'su root' failed", "<13>Feb  5 17:32:18 10.0.0.99 app[12]: message", "<999>x",
          "REPORT RequestId: 6d4f2c1e-0b1a-4c3d-9e8f-7a6b5c4d3e2f\tDuration: 102.25 ms\tBilled Duration: 103 ms\tMemory Size: 128 MB\tMax Memory Used: 64 MB\tInit Duration: 99 ms",
          R"({"time":"2026-01-01T00:00:00Z","type":"platform.report","record":{"requestId":"a","metrics":{"durationMs":1.5,"billedDurationMs":2,"memorySizeMB":128}}})",
          "AWS4-HMAC-SHA256 Credential=123456789012/20260101/eu-west-1/logs/aws4_request", "id,name\n1,\"a \"\"b\"\"\"\n2,c\r\n", "cron(0/15 8-18 ? * MON-FRI *)\x1f" "Europe/Berlin", "rate(5 minutes)\x1fUTC",
          "cron(0 10 L * ? 2026-2028)\x1f+01:00", R"({"time":1760000000,"event":{"a":1}}{"event":"x"})", "[{\"a\":1},2]", "{\"a\":1}\n{\"b\":2}\n"};
}

}  // namespace fog::fuzz
