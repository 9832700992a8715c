// What rules do to events on every way out, and what runs by itself: exports, scheduled queries,
// anomaly detectors.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "api/codec/gzip.h"
#include "api/codec/json.h"
#include "api/logs/side_tasks.h"
#include "tests/api/logs/logs_fixture.h"

namespace fog::logs {
namespace {

constexpr const char* kPolicy =
    R"({"Name":"p","Version":"2021-06-01","Statement":[{"DataIdentifier":["arn:aws:dataprotection::aws:data-identifier/EmailAddress"],"Operation":{"Audit":{"FindingsDestination":{"CloudWatchLogs":{"LogGroup":"/audit"}}}}},{"DataIdentifier":["arn:aws:dataprotection::aws:data-identifier/EmailAddress"],"Operation":{"Deidentify":{"MaskConfig":{}}}}]})";

class TasksTest : public LogsTest {
 protected:
  TasksTest() {
    folder = std::filesystem::temp_directory_path() / ("fogwatch-tasks-" + std::to_string(::getpid()) + "-" + std::to_string(random.next()));
    wire();
  }
  ~TasksTest() override {
    tasks->stop();
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  void wire() {
    tasks = std::make_unique<SideTasks>(SideTasks::Deps{.logs = *logs, .queries = *queries, .pool = pool, .clock = clock, .random = random},
                                        ObjectStore::Options{.root = folder});
    services.add<ResourceStore>(*resources);
    services.add<Random>(random);
    tasks->add_to(services);
  }
  // As the server's background thread would, from due time to due time.
  void advance(Millis by) {
    const Timestamp target = clock.now() + by;
    for (int round = 0; round < 10'000; ++round) {
      std::optional<Timestamp> next;
      bool any = false;
      for (Worker* worker : tasks->workers()) {
        const auto due = worker->next_due(clock.now());
        if (!due) continue;
        if (*due <= clock.now()) {
          worker->tick(clock.now());
          while (!worker->idle()) std::this_thread::yield();
          any = true;
        } else if (!next || *due < *next) {
          next = due;
        }
      }
      if (any) continue;
      if (!next || *next > target) break;
      clock.set(*next);
    }
    clock.set(target);
  }
  static std::string file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream bytes;
    bytes << in.rdbuf();
    return bytes.str();
  }
  std::vector<std::string> column(const json& result, const std::string& name) {
    std::vector<std::string> values;
    for (const json& row : result["results"])
      for (const json& field : row)
        if (field["field"] == name) values.push_back(field["value"]);
    return values;
  }

  std::filesystem::path folder;
  std::unique_ptr<SideTasks> tasks;
};

TEST_F(TasksTest, MasksOnEveryReadAndUnmaskRestores) {
  make("/g", "s");
  put("/g", "s", {{kNowMs - 10, "old a@b.com"}});
  ok("PutDataProtectionPolicy", {{"logGroupIdentifier", "/g"}, {"policyDocument", kPolicy}});
  put("/g", "s", {{kNowMs - 9, "new a@b.com"}, {kNowMs - 8, R"({"who":"x@y.org","n":7})"}});
  const json read{{"logGroupName", "/g"}, {"logStreamName", "s"}, {"startFromHead", true}};
  EXPECT_EQ(messages(ok("GetLogEvents", read)), (std::vector<std::string>{"old a@b.com", "new *******", R"({"who":"*******","n":7})"}));
  json open = read;
  open["unmask"] = true;
  EXPECT_EQ(messages(ok("GetLogEvents", open))[1], "new a@b.com");
  EXPECT_EQ(messages(ok("FilterLogEvents", {{"logGroupName", "/g"}, {"filterPattern", "new"}})), (std::vector<std::string>{"new *******"}));
  EXPECT_EQ(column(query("/g", "fields who | filter n = 7"), "who"), (std::vector<std::string>{"*******"}));
  EXPECT_EQ(column(query("/g", "fields @message | filter n = 7"), "@message"), (std::vector<std::string>{R"({"who":"*******","n":7})"}));
  EXPECT_EQ(column(query("/g", "fields unmask(who) as w | filter n = 7"), "w"), (std::vector<std::string>{"x@y.org"}));
  EXPECT_EQ(column(query("/g", "unmask @message | filter @message like /new/"), "@message"), (std::vector<std::string>{"new a@b.com"}));
  EXPECT_TRUE(column(query("/g", R"(fields n | filter who = "x@y.org")"), "n").empty());
  // Sealed blocks look the same.
  ASSERT_TRUE(store->flush().ok());
  EXPECT_EQ(column(query("/g", "stats count(*) as c by who | filter ispresent(who)"), "who"), (std::vector<std::string>{"*******"}));
}

TEST_F(TasksTest, FindingsGoToTheAuditGroup) {
  make("/g", "s");
  ok("CreateLogGroup", {{"logGroupName", "/audit"}});
  ok("PutDataProtectionPolicy", {{"logGroupIdentifier", "/g"}, {"policyDocument", kPolicy}});
  put("/g", "s", {{kNowMs, "to a@b.com"}});
  json found = json::object();
  for (int k = 0; k < 5000 && messages(found).empty(); ++k) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    found = ok("FilterLogEvents", {{"logGroupName", "/audit"}});
  }
  ASSERT_EQ(messages(found).size(), 1u);
  const json record = json::parse(messages(found)[0]);
  EXPECT_EQ(record["dataIdentifiers"][0]["name"], "EmailAddress");
  EXPECT_EQ(record["dataIdentifiers"][0]["detections"][0]["start"], 3);
  EXPECT_EQ(record["dataIdentifiers"][0]["detections"][0]["end"], 10);
}

TEST_F(TasksTest, TransformersMakeFieldsOfLaterEvents) {
  make("/g", "s");
  put("/g", "s", {{kNowMs - 10, "1 before"}});
  ok("PutTransformer", {{"logGroupIdentifier", "/g"},
                        {"transformerConfig", json::array({{{"grok", {{"match", "%{INT:n} %{WORD:word}"}}}},
                                                           {{"typeConverter", {{"entries", json::array({{{"key", "n"}, {"type", "integer"}}})}}}}})}});
  put("/g", "s", {{kNowMs - 9, "2 after"}, {kNowMs - 8, "30 later"}});
  EXPECT_EQ(column(query("/g", "fields word, n | filter n > 1 | sort n desc"), "word"), (std::vector<std::string>{"later", "after"}));
  EXPECT_EQ(column(query("/g", "stats sum(n) as s"), "s"), (std::vector<std::string>{"32"}));
  EXPECT_EQ(messages(ok("FilterLogEvents", {{"logGroupName", "/g"}})), (std::vector<std::string>{"1 before", "2 after", "30 later"}));
  ok("DeleteTransformer", {{"logGroupIdentifier", "/g"}});
  put("/g", "s", {{kNowMs - 7, "4 untouched"}});
  ASSERT_TRUE(store->flush().ok());
  EXPECT_EQ(column(query("/g", "stats sum(n) as s, count(*) as c"), "s"), (std::vector<std::string>{"32"}));
  fails("DeleteTransformer", {{"logGroupIdentifier", "/g"}}, "ResourceNotFoundException", "The specified transformer does not exist.");
}

TEST_F(TasksTest, ExportsInAwssLayout) {
  make("/g", "a/b");
  make("/g", "c");
  put("/g", "a/b", {{kNowMs - 1000, "one"}, {kNowMs - 999, "two"}});
  put("/g", "c", {{kNowMs - 500, "three"}});
  const std::string id = ok("CreateExportTask", {{"logGroupName", "/g"}, {"from", 0}, {"to", kNowMs}, {"destination", "bucket"}})["taskId"];
  advance(Millis(0));
  const json task = ok("DescribeExportTasks", {{"taskId", id}})["exportTasks"][0];
  EXPECT_EQ(task["status"]["code"], "COMPLETED") << task.dump();
  const auto below = folder / "bucket" / "exportedlogs";
  EXPECT_EQ(file(below / "aws-logs-write-test"), "Permission Check Successful");
  EXPECT_EQ(gunzip(file(below / id / "a-b" / "000000.gz"), 1000).value(), "2026-01-05T11:59:59.000Z one\n2026-01-05T11:59:59.001Z two\n");
  EXPECT_EQ(gunzip(file(below / id / "c" / "000000.gz"), 1000).value(), "2026-01-05T11:59:59.500Z three\n");
  fails("CancelExportTask", {{"taskId", id}}, "InvalidOperationException", "The specified export task has already completed");
  fails("CreateExportTask", {{"logGroupName", "/g"}, {"from", 0}, {"to", 1}, {"destination", "Bad_Bucket"}}, "InvalidParameterException",
        "The given bucket does not exist. Please make sure the bucket is valid.");
}

TEST_F(TasksTest, RulesAndTasksSurviveARestart) {
  make("/g", "s");
  put("/g", "s", {{kNowMs - 10, "old a@b.com"}});
  const auto restart = [&] {
    tasks->stop();
    start();
    wire();
  };
  restart();
  ok("PutDataProtectionPolicy", {{"logGroupIdentifier", "/g"}, {"policyDocument", kPolicy}});
  put("/g", "s", {{kNowMs - 9, "new a@b.com"}});
  // A task that was running when the server ended.
  const std::string id = ok("CreateExportTask", {{"logGroupName", "/g"}, {"from", 0}, {"to", kNowMs}, {"destination", "bucket"}})["taskId"];
  advance(Millis(0));
  const ResourceKey key{std::string(kExportKind), "000000000000", "us-east-1", id};
  StoredExportTask stored = decode_json<StoredExportTask>(resources->get(key).value()).value();
  stored.task.status->code = ExportTaskStatusCode::RUNNING;
  ASSERT_TRUE(resources->put(key, encode_json(stored)).ok());
  std::filesystem::remove_all(folder);
  restart();
  EXPECT_EQ(messages(ok("GetLogEvents", {{"logGroupName", "/g"}, {"logStreamName", "s"}, {"startFromHead", true}})),
            (std::vector<std::string>{"old a@b.com", "new *******"}));
  advance(Millis(0));
  EXPECT_EQ(ok("DescribeExportTasks", {{"taskId", id}})["exportTasks"][0]["status"]["code"], "COMPLETED");
  EXPECT_EQ(gunzip(file(folder / "bucket" / "exportedlogs" / id / "s" / "000000.gz"), 1000).value(),
            "2026-01-05T11:59:59.990Z old a@b.com\n2026-01-05T11:59:59.991Z new *******\n");
  // A cancellation that the end of the server cut short.
  stored.task.status->code = ExportTaskStatusCode::PENDING_CANCEL;
  ASSERT_TRUE(resources->put(key, encode_json(stored)).ok());
  restart();
  advance(Millis(0));
  EXPECT_EQ(ok("DescribeExportTasks", {{"taskId", id}})["exportTasks"][0]["status"]["code"], "CANCELLED");
}

TEST_F(TasksTest, ScheduledQueriesRunWhenDue) {
  make("/g", "s");
  put("/g", "s", {{kNowMs - 1000, R"({"level":"ERROR"})"}, {kNowMs - 999, R"({"level":"INFO"})"}});
  const json made = ok("CreateScheduledQuery",
                       {{"name", "q"}, {"queryLanguage", "CWLI"}, {"queryString", "stats count(*) as n by level | sort level asc"},
                        {"logGroupIdentifiers", {"/g"}}, {"scheduleExpression", "cron(0/10 * * * ? *)"}, {"startTimeOffset", 7200},
                        {"executionRoleArn", "arn:aws:iam::1:role/r"},
                        {"destinationConfiguration", {{"s3Configuration", {{"destinationIdentifier", "s3://bucket/p"}, {"roleArn", "r"}}},
                                                      {"lookupTableConfiguration", {{"tableName", "levels"}, {"roleArn", "r"}}}}}});
  advance(std::chrono::minutes(25));
  const json history = ok("GetScheduledQueryHistory", {{"identifier", made["scheduledQueryArn"]}, {"startTime", 0}, {"endTime", kNowMs * 2}});
  ASSERT_EQ(history["triggerHistory"].size(), 2u) << history.dump();
  EXPECT_EQ(history["triggerHistory"][0]["triggeredTimestamp"], kNowMs + 20 * 60'000);
  EXPECT_EQ(history["triggerHistory"][0]["executionStatus"], "Complete");
  const std::string where = history["triggerHistory"][0]["destinations"][0]["processedIdentifier"];
  EXPECT_EQ(file(folder / where.substr(5)), "level,n\nERROR,1\nINFO,1\n");
  EXPECT_EQ(column(query("/g", "fields level | lookup levels level as level OUTPUT n | filter n = 1 | stats count(*) as c"), "c"),
            (std::vector<std::string>{"2"}));
  fails("CreateScheduledQuery", {{"name", "q"}, {"queryLanguage", "CWLI"}, {"queryString", "fields 1"}, {"logGroupIdentifiers", {"/g"}},
                                 {"scheduleExpression", "rate(1 hour)"}, {"executionRoleArn", "r"}},
        "ConflictException", "A scheduled query with name q already exists.");
}

TEST_F(TasksTest, DetectorsLearnAndNoticeNewPatterns) {
  make("/g", "s");
  std::vector<std::pair<std::int64_t, std::string>> usual;
  for (int minute = 40; minute > 0; --minute)
    for (int k = 0; k < 6; ++k) usual.emplace_back(kNowMs - minute * 60'000 + k, "request " + std::to_string(minute * 7 + k) + " done");
  put("/g", "s", usual);
  const std::string group = ok("DescribeLogGroups", json::object())["logGroups"][0]["logGroupArn"];
  const std::string arn = ok("CreateLogAnomalyDetector", {{"logGroupArnList", {group}}, {"evaluationFrequency", "ONE_MIN"}})["anomalyDetectorArn"];
  EXPECT_EQ(ok("GetLogAnomalyDetector", {{"anomalyDetectorArn", arn}})["anomalyDetectorStatus"], "INITIALIZING");
  advance(Millis(1));
  EXPECT_EQ(ok("GetLogAnomalyDetector", {{"anomalyDetectorArn", arn}})["anomalyDetectorStatus"], "ANALYZING");
  EXPECT_TRUE(ok("ListAnomalies", {{"anomalyDetectorArn", arn}})["anomalies"].empty());
  put("/g", "s", {{kNowMs + 10, "panic: disk 7 is gone"}, {kNowMs + 11, "panic: disk 8 is gone"}});
  advance(std::chrono::minutes(1));
  const json anomalies = ok("ListAnomalies", {{"anomalyDetectorArn", arn}})["anomalies"];
  const auto found = std::find_if(anomalies.begin(), anomalies.end(), [](const json& a) { return a["patternString"].get<std::string>().find("panic") == 0; });
  ASSERT_NE(found, anomalies.end()) << anomalies.dump();
  EXPECT_EQ((*found)["logSamples"].size(), 2u);
  EXPECT_EQ((*found)["state"], "Active");
  ok("UpdateAnomaly", {{"anomalyDetectorArn", arn}, {"patternId", (*found)["patternId"]}, {"suppressionType", "INFINITE"}});
  EXPECT_EQ(ok("ListAnomalies", {{"anomalyDetectorArn", arn}, {"suppressionState", "SUPPRESSED"}})["anomalies"].size(), 1u);
  ok("DeleteLogGroup", {{"logGroupName", "/g"}});
  advance(std::chrono::minutes(2));
  EXPECT_EQ(ok("GetLogAnomalyDetector", {{"anomalyDetectorArn", arn}})["anomalyDetectorStatus"], "FAILED");
}

}  // namespace
}  // namespace fog::logs
