// Groups, streams, events and queries through the JSON protocol.
#include <set>

#include "tests/api/logs/logs_fixture.h"

namespace fog::logs {
namespace {

TEST_F(LogsTest, describes_groups_in_pages_with_both_arns_and_stored_bytes) {
  for (int i = 0; i < 7; ++i) make("/g" + std::to_string(i), "s");
  put("/g0", "s", {{kNowMs, "12345"}, {kNowMs, "1"}});
  ok("PutRetentionPolicy", {{"logGroupName", "/g0"}, {"retentionInDays", 7}});
  json page = ok("DescribeLogGroups", {{"limit", 3}});
  const json first = page["logGroups"][0];
  EXPECT_EQ(first["arn"], "arn:aws:logs:us-east-1:000000000000:log-group:/g0:*");
  EXPECT_EQ(first["logGroupArn"], "arn:aws:logs:us-east-1:000000000000:log-group:/g0");
  EXPECT_EQ(first["storedBytes"], 6 + 2 * 26);
  EXPECT_EQ(first["retentionInDays"], 7);
  EXPECT_EQ(first["metricFilterCount"], 0);
  EXPECT_EQ(first["logGroupClass"], "STANDARD");
  EXPECT_EQ(first["deletionProtectionEnabled"], false);
  std::vector<std::string> names;
  for (;;) {
    for (const json& group : page["logGroups"]) names.push_back(group["logGroupName"]);
    if (!page.contains("nextToken")) break;
    page = ok("DescribeLogGroups", {{"limit", 3}, {"nextToken", page["nextToken"]}});
  }
  EXPECT_EQ(names, (std::vector<std::string>{"/g0", "/g1", "/g2", "/g3", "/g4", "/g5", "/g6"}));
  EXPECT_EQ(ok("DescribeLogGroups", {{"logGroupNamePattern", "3"}})["logGroups"].size(), 1u);
  EXPECT_EQ(ok("ListLogGroups", {{"logGroupNamePattern", "^/g1|^/g2"}})["logGroups"].size(), 2u);
}

TEST_F(LogsTest, protects_and_deletes_groups) {
  make("/g", "s");
  put("/g", "s", {{kNowMs, "old"}});
  ok("PutLogGroupDeletionProtection", {{"logGroupIdentifier", "/g"}, {"deletionProtectionEnabled", true}});
  fails("DeleteLogGroup", {{"logGroupName", "/g"}}, "ValidationException", "Log group /g is protected from deletion.");
  fails("DeleteLogStream", {{"logGroupName", "/g"}, {"logStreamName", "s"}}, "ValidationException", "Log group /g is protected from deletion.");
  ok("PutLogGroupDeletionProtection", {{"logGroupIdentifier", "/g"}, {"deletionProtectionEnabled", false}});
  ok("DeleteLogGroup", {{"logGroupName", "/g"}});
  make("/g", "s");
  EXPECT_TRUE(messages(ok("GetLogEvents", {{"logGroupName", "/g"}, {"logStreamName", "s"}})).empty()) << "events of the old group came back";
}

TEST_F(LogsTest, groups_and_streams_survive_a_restart_of_the_service) {
  make("/g", "a/b[1]$LATEST");
  put("/g", "a/b[1]$LATEST", {{kNowMs, "kept"}});
  ok("TagLogGroup", {{"logGroupName", "/g"}, {"tags", {{"k", "v"}}}});
  start();
  EXPECT_EQ(messages(ok("GetLogEvents", {{"logGroupName", "/g"}, {"logStreamName", "a/b[1]$LATEST"}})), std::vector<std::string>{"kept"});
  EXPECT_EQ(ok("ListTagsForResource", {{"resourceArn", "arn:aws:logs:us-east-1:000000000000:log-group:/g"}})["tags"]["k"], "v");
}

TEST_F(LogsTest, describes_streams_by_name_and_by_last_event) {
  make("/g", "a");
  for (const char* name : {"b", "c", "d"}) ok("CreateLogStream", {{"logGroupName", "/g"}, {"logStreamName", name}});
  put("/g", "b", {{kNowMs - 5000, "x"}});
  put("/g", "c", {{kNowMs - 9000, "x"}, {kNowMs - 1000, "y"}});
  const auto names = [&](json input) {
    input["logGroupName"] = "/g";
    input["limit"] = 2;
    std::vector<std::string> result;
    for (json page = ok("DescribeLogStreams", input);; page = ok("DescribeLogStreams", input)) {
      for (const json& stream : page["logStreams"]) result.push_back(stream["logStreamName"]);
      if (!page.contains("nextToken")) return result;
      input["nextToken"] = page["nextToken"];
    }
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(json::object()), (Names{"a", "b", "c", "d"}));
  EXPECT_EQ(names({{"descending", true}}), (Names{"d", "c", "b", "a"}));
  EXPECT_EQ(names({{"orderBy", "LastEventTime"}}), (Names{"a", "d", "b", "c"}));
  EXPECT_EQ(names({{"orderBy", "LastEventTime"}, {"descending", true}}), (Names{"c", "b", "d", "a"}));
  const json item = ok("DescribeLogStreams", {{"logGroupName", "/g"}, {"logStreamNamePrefix", "c"}})["logStreams"][0];
  EXPECT_EQ(item["firstEventTimestamp"], kNowMs - 9000);
  EXPECT_EQ(item["lastEventTimestamp"], kNowMs - 1000);
  EXPECT_EQ(item["lastIngestionTime"], kNowMs);
  EXPECT_EQ(item["storedBytes"], 0);
  EXPECT_EQ(item["uploadSequenceToken"].get<std::string>().size(), 56u);
}

TEST_F(LogsTest, rejects_events_outside_the_window_and_keeps_the_rest) {
  make("/g", "s");
  constexpr std::int64_t kDay = 86'400'000;
  ok("PutRetentionPolicy", {{"logGroupName", "/g"}, {"retentionInDays", 1}});
  const json answer = put("/g", "s", {{kNowMs - 15 * kDay, "too old"}, {kNowMs - 2 * kDay, "expired"}, {kNowMs - 1000, "good"}, {kNowMs + 7'200'001, "too new"}});
  EXPECT_EQ(answer["rejectedLogEventsInfo"], (json{{"tooOldLogEventEndIndex", 1}, {"expiredLogEventEndIndex", 2}, {"tooNewLogEventStartIndex", 3}}));
  EXPECT_EQ(answer["nextSequenceToken"].get<std::string>().size(), 56u);
  EXPECT_EQ(messages(ok("GetLogEvents", {{"logGroupName", "/g"}, {"logStreamName", "s"}})), std::vector<std::string>{"good"});
  EXPECT_FALSE(put("/g", "s", {{kNowMs, "fine"}}).contains("rejectedLogEventsInfo"));
}

TEST_F(LogsTest, retention_hides_at_once_and_frees_later) {
  make("/g", "s");
  put("/g", "s", {{kNowMs - 3'600'000, "x"}});
  ok("PutRetentionPolicy", {{"logGroupName", "/g"}, {"retentionInDays", 1}});
  EXPECT_EQ(messages(ok("FilterLogEvents", {{"logGroupName", "/g"}})).size(), 1u);
  clock.advance(std::chrono::hours(24));
  EXPECT_TRUE(messages(ok("FilterLogEvents", {{"logGroupName", "/g"}})).empty());
  LogUpkeep upkeep(*logs);
  upkeep.next_due(clock.now());
  clock.advance(std::chrono::hours(2));
  upkeep.tick(clock.now());
  EXPECT_EQ(ok("DescribeLogGroups", json::object())["logGroups"][0]["storedBytes"], 0);
}

TEST_F(LogsTest, walks_a_stream_in_both_directions_until_the_token_repeats) {
  make("/g", "s");
  make("/g", "other");
  std::vector<std::string> all;
  for (int i = 0; i < 150; ++i) {  // several blocks, some sealed
    all.push_back("event " + std::to_string(i));
    put("/g", "s", {{kNowMs - 1000 + i / 3, all.back()}});
    put("/g", "other", {{kNowMs - 1000 + i / 3, "noise"}});
    if (i == 90) {
      ASSERT_TRUE(store->flush().ok());
    }
  }
  for (const bool head : {true, false}) {
    json input{{"logGroupName", "/g"}, {"logStreamName", "s"}, {"limit", 40}, {"startFromHead", head}};
    std::vector<std::string> seen;
    for (;;) {
      const json page = ok("GetLogEvents", input);
      const std::vector<std::string> some = messages(page);
      const std::string next = page[head ? "nextForwardToken" : "nextBackwardToken"];
      EXPECT_EQ(next.substr(0, 2), head ? "f/" : "b/");
      EXPECT_EQ(next.size(), 58u);
      seen.insert(head ? seen.end() : seen.begin(), some.begin(), some.end());
      if (input.contains("nextToken") && input["nextToken"] == next) {
        EXPECT_TRUE(some.empty());
        break;
      }
      input["nextToken"] = next;
    }
    EXPECT_EQ(seen, all);
  }
  // A forward token at the end sees what comes later.
  json last = ok("GetLogEvents", {{"logGroupName", "/g"}, {"logStreamName", "s"}});
  const json empty = ok("GetLogEvents", {{"logGroupName", "/g"}, {"logStreamName", "s"}, {"nextToken", last["nextForwardToken"]}});
  EXPECT_EQ(empty["nextForwardToken"], last["nextForwardToken"]);
  put("/g", "s", {{kNowMs, "late"}});
  EXPECT_EQ(messages(ok("GetLogEvents", {{"logGroupName", "/g"}, {"logStreamName", "s"}, {"nextToken", empty["nextForwardToken"]}})), std::vector<std::string>{"late"});
  // The end of the window is exclusive here and inclusive in FilterLogEvents.
  EXPECT_TRUE(messages(ok("GetLogEvents", {{"logGroupName", "/g"}, {"logStreamName", "s"}, {"startTime", kNowMs}, {"endTime", kNowMs}})).empty());
  EXPECT_EQ(messages(ok("FilterLogEvents", {{"logGroupName", "/g"}, {"startTime", kNowMs}, {"endTime", kNowMs}})), std::vector<std::string>{"late"});
}

TEST_F(LogsTest, tokens_of_an_empty_stream_are_there_and_stable) {
  make("/g", "s");
  const json page = ok("GetLogEvents", {{"logGroupName", "/g"}, {"logStreamName", "s"}});
  ASSERT_TRUE(page.contains("nextForwardToken") && page.contains("nextBackwardToken"));
  for (const char* side : {"nextForwardToken", "nextBackwardToken"}) {
    const json again = ok("GetLogEvents", {{"logGroupName", "/g"}, {"logStreamName", "s"}, {"nextToken", page[side]}});
    EXPECT_EQ(again[side], page[side]);
  }
}

TEST_F(LogsTest, filters_over_streams_in_pages_and_directions) {
  make("/g", "a");
  make("/g", "b");
  std::vector<std::string> errors;
  for (int i = 0; i < 100; ++i) {
    const std::string text = (i % 4 == 0 ? "ERROR " : "fine ") + std::to_string(i);
    if (i % 4 == 0) errors.push_back(text);
    put("/g", i % 2 == 0 ? "a" : "b", {{kNowMs - 1000 + i, text}});
  }
  const auto walk = [&](json input) {
    input["logGroupName"] = "/g";
    std::vector<std::string> seen;
    std::set<std::string> ids;
    for (;;) {
      const json page = ok("FilterLogEvents", input);
      EXPECT_EQ(page["searchedLogStreams"], json::array());
      const auto some = messages(page);
      seen.insert(seen.end(), some.begin(), some.end());
      for (const json& event : page["events"]) EXPECT_TRUE(ids.insert(event["eventId"]).second);
      if (!page.contains("nextToken")) return seen;
      EXPECT_FALSE(some.empty());
      input["nextToken"] = page["nextToken"];
    }
  };
  EXPECT_EQ(walk({{"filterPattern", "ERROR"}, {"limit", 7}}), errors);
  std::vector<std::string> reversed(errors.rbegin(), errors.rend());
  EXPECT_EQ(walk({{"filterPattern", "ERROR"}, {"limit", 7}, {"startFromHead", false}, {"startTime", kNowMs - 2000}}), reversed);
  EXPECT_EQ(walk({{"logStreamNamePrefix", "b"}, {"limit", 9}}).size(), 50u);
  EXPECT_EQ(walk({{"logStreamNames", {"a"}}, {"filterPattern", "fine"}}).size(), 25u);
  EXPECT_TRUE(walk({{"filterPattern", "nowhere"}}).empty());
}

TEST_F(LogsTest, accounts_and_regions_do_not_see_each_other) {
  make("/g", "s");
  EXPECT_EQ(logs->find("111111111111", "us-east-1", "/g"), nullptr);
  EXPECT_EQ(logs->find("000000000000", "eu-west-1", "/g"), nullptr);
  ASSERT_TRUE(logs->reset("", "eu-west-1").ok());
  EXPECT_NE(logs->find("000000000000", "us-east-1", "/g"), nullptr);
  ASSERT_TRUE(logs->reset("000000000000", "").ok());
  EXPECT_EQ(logs->find("000000000000", "us-east-1", "/g"), nullptr);
}

TEST_F(LogsTest, listeners_and_sinks_see_the_same_events) {
  struct Listener final : LogListener {
    std::vector<std::string> seen;
    void on_log_batch(const CommittedLogBatch& batch) override {
      for (const LogEventIn& event : batch.events)
        seen.push_back(std::string(batch.group_name) + "/" + std::string(batch.stream_name) + ":" + std::string(event.message));
    }
  } listener;
  logs->add_listener(listener);
  const LogEventIn events[] = {{kNowMs, "later"}, {kNowMs - 5, "earlier"}, {kNowMs - 20 * 86'400'000ll, "ancient"}};
  const auto outcome = logs->put_logs("000000000000", "us-east-1", "made", "here", events, true);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->too_old, 1u);
  EXPECT_EQ(listener.seen, (std::vector<std::string>{"made/here:earlier", "made/here:later"}));
  EXPECT_FALSE(logs->put_logs("000000000000", "us-east-1", "not", "made", events, false).ok());
}

TEST_F(LogsTest, queries_events_in_memory_and_in_segments) {
  make("/g", "s");
  for (int i = 0; i < 100; ++i) {
    put("/g", "s", {{kNowMs - 1000 + i, R"({"level":")" + std::string(i % 10 == 0 ? "ERROR" : "INFO") + R"(","latency_ms":)" + std::to_string(i) + ".5}"}});
    if (i == 60) {
      ASSERT_TRUE(store->flush().ok());
    }
  }
  const json counted = query("/g", "stats count(*) as n, max(latency_ms) as top by level | sort level");
  EXPECT_EQ(counted["status"], "Complete");
  ASSERT_EQ(counted["results"].size(), 2u);
  EXPECT_EQ(counted["results"][0], (json{{{"field", "level"}, {"value", "ERROR"}}, {{"field", "n"}, {"value", "10"}}, {{"field", "top"}, {"value", "90.5"}}}));
  EXPECT_EQ(counted["statistics"]["recordsScanned"], 100.0);
  EXPECT_EQ(counted["statistics"]["recordsMatched"], 100.0);

  const json rows = query("/g", "fields @message, @logStream, @log | filter latency_ms > 97 | limit 5");
  ASSERT_EQ(rows["results"].size(), 3u);
  EXPECT_EQ(rows["results"][0][1], (json{{"field", "@logStream"}, {"value", "s"}}));
  EXPECT_EQ(rows["results"][0][2], (json{{"field", "@log"}, {"value", "000000000000:/g"}}));
  ASSERT_EQ(rows["results"][0].back()["field"], "@ptr");
  const json record = ok("GetLogRecord", {{"logRecordPointer", rows["results"][0].back()["value"]}})["logRecord"];
  EXPECT_EQ(record["level"], "INFO");
  EXPECT_EQ(record["latency_ms"], "99.5");
  EXPECT_EQ(record["@timestamp"], std::to_string(kNowMs - 1000 + 99));
  EXPECT_EQ(record["@logStream"], "s");

  const json fields = ok("GetLogGroupFields", {{"logGroupName", "/g"}})["logGroupFields"];
  EXPECT_EQ(fields.size(), 7u);
  for (const json& field : fields) EXPECT_EQ(field["percent"], 100);
  const json described = ok("DescribeQueries", {{"logGroupName", "/g"}})["queries"];
  ASSERT_EQ(described.size(), 2u);
  EXPECT_EQ(described[1]["queryString"], "SOURCE \"/g\" START=" + std::to_string(kNowMs / 1000 - 86400) + "000 END=" + std::to_string(kNowMs / 1000 + 10) +
                                             "999 | stats count(*) as n, max(latency_ms) as top by level | sort level");
  fails("StopQuery", {{"queryId", described[0]["queryId"]}}, "InvalidParameterException",
        "Query " + described[0]["queryId"].get<std::string>() + " is not in running status.");
  EXPECT_EQ(ok("ListLogGroupsForQuery", {{"queryId", described[0]["queryId"]}})["logGroupIdentifiers"], json::array({"/g"}));
  const json source = ok("StartQuery", {{"startTime", 0}, {"endTime", kNowMs / 1000 + 10}, {"queryString", described[1]["queryString"]}});
  EXPECT_TRUE(source.contains("queryId")) << "the normalised form is a query itself";
}

TEST_F(LogsTest, entities_become_fields_or_are_refused_without_costing_events) {
  make("/g", "s");
  json input{{"logGroupName", "/g"}, {"logStreamName", "s"}, {"logEvents", {{{"timestamp", kNowMs}, {"message", "m"}}}},
             {"entity", {{"keyAttributes", {{"Type", "Service"}, {"Name", "shop"}}}, {"attributes", {{"PlatformType", "AWS::EKS"}}}}}};
  EXPECT_FALSE(ok("PutLogEvents", input).contains("rejectedEntityInfo"));
  input["entity"]["keyAttributes"] = {{"Type", "Nonsense"}, {"Name", "shop"}};
  EXPECT_EQ(ok("PutLogEvents", input)["rejectedEntityInfo"]["errorType"], "InvalidTypeValue");
  const json rows = query("/g", "stats count(*) as n by @entity.KeyAttributes.Name as name | sort name");
  EXPECT_EQ(rows["results"].size(), 2u);
  EXPECT_EQ(messages(ok("FilterLogEvents", {{"logGroupName", "/g"}})).size(), 2u);
}

TEST_F(LogsTest, tries_patterns_on_messages) {
  const json answer = ok("TestMetricFilter", {{"filterPattern", "[ip, user, status = 4*]"}, {"logEventMessages", {"1.2.3.4 joe 404", "1.2.3.4 joe 200"}}});
  ASSERT_EQ(answer["matches"].size(), 1u);
  EXPECT_EQ(answer["matches"][0]["eventNumber"], 1);
  EXPECT_EQ(answer["matches"][0]["extractedValues"], (json{{"$ip", "1.2.3.4"}, {"$user", "joe"}, {"$status", "404"}}));
}

}  // namespace
}  // namespace fog::logs
