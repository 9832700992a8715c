// Everything but segments: the words of every error, and that what is set can be read.
#include <set>

#include "fixture.h"

namespace fog::xray {
namespace {

class OperationsTest : public XRayTest {
 protected:
  static constexpr const char* kArn = "arn:aws:xray:us-east-1:000000000000:";
  json rule(const std::string& name, int priority = 100) {
    return {{"RuleName", name}, {"ResourceARN", "*"}, {"Priority", priority}, {"FixedRate", 0.1}, {"ReservoirSize", 5}, {"ServiceName", "*"},
            {"ServiceType", "*"}, {"Host", "*"}, {"HTTPMethod", "*"}, {"URLPath", "*"}, {"Version", 1}};
  }
  json segment(int n, std::int64_t start, double seconds, bool fault = false, const std::string& name = "svc") {
    char id[64];
    std::snprintf(id, sizeof id, "1-%08llx-%024x", static_cast<long long>(start), static_cast<unsigned>(n));
    json s = {{"trace_id", id}, {"id", "0000000000000001"}, {"name", name}, {"start_time", start}, {"end_time", static_cast<double>(start) + seconds}};
    if (fault) s["fault"] = true;
    return s;
  }
};

struct ErrorRow {
  const char* path;
  const char* body;
  int status;
  const char* type;
  const char* message;  // "": not checked
};
const ErrorRow kErrors[] = {
    {"/TraceSummaries", R"({"StartTime":5,"EndTime":5})", 400, "InvalidRequestException", "StartTime must be before EndTime."},
    {"/TraceSummaries", R"({"StartTime":5})", 400, "InvalidRequestException", ""},
    {"/TraceSummaries", R"({"StartTime":5,"EndTime":6,"FilterExpression":"ok >"})", 400, "InvalidRequestException", "Invalid filter expression: operator does not apply to 'ok' at position 3"},
    {"/TraceSummaries", R"({"StartTime":5,"EndTime":6,"FilterExpression":"group.name = \"g\""})", 400, "InvalidRequestException", "Invalid filter expression: unknown group 'g' at position 13"},
    {"/TraceSummaries", R"({"StartTime":5,"EndTime":6,"NextToken":"x"})", 400, "InvalidRequestException", "Invalid NextToken."},
    {"/TraceSummaries", R"({"StartTime":5,"EndTime":6,"TimeRangeType":"Never"})", 400, "InvalidRequestException", ""},
    {"/TraceSegments", R"({})", 400, "InvalidRequestException", ""},
    {"/Traces", R"({"TraceIds":["x"],"NextToken":"y"})", 400, "InvalidRequestException", "Invalid NextToken."},
    {"/ServiceGraph", R"({"StartTime":9,"EndTime":5})", 400, "InvalidRequestException", "StartTime must be before EndTime."},
    {"/ServiceGraph", R"({"StartTime":1,"EndTime":5,"GroupName":"nobody"})", 400, "InvalidRequestException", "Group not found."},
    {"/TimeSeriesServiceStatistics", R"({"StartTime":1,"EndTime":5,"Period":61})", 400, "InvalidRequestException", "Period must be 60 or 300."},
    {"/TimeSeriesServiceStatistics", R"({"StartTime":1,"EndTime":5,"EntitySelectorExpression":"fault"})", 400, "InvalidRequestException", "Invalid filter expression: expected id(), service() or edge() at position 0"},
    {"/TimeSeriesServiceStatistics", R"({"StartTime":1,"EndTime":5,"ForecastStatistics":true})", 400, "InvalidRequestException", "ForecastStatistics requires an EntitySelectorExpression that names a service."},
    {"/CreateGroup", R"({"GroupName":"g"})", 400, "InvalidRequestException", "FilterExpression must not be empty."},
    {"/CreateGroup", R"({"GroupName":"g","FilterExpression":"("})", 400, "InvalidRequestException", "Invalid filter expression: unexpected end of the expression at position 1"},
    {"/CreateGroup", R"({"GroupName":"a b","FilterExpression":"ok"})", 400, "InvalidRequestException", "GroupName may contain only letters, digits and dashes."},
    {"/CreateGroup", R"({"GroupName":"Default","FilterExpression":"ok"})", 400, "InvalidRequestException", "The group name Default is reserved."},
    {"/CreateGroup", R"({"GroupName":"taken","FilterExpression":"ok"})", 400, "InvalidRequestException", "A group with the same name already exists."},
    {"/CreateGroup", R"({"GroupName":"g","FilterExpression":"ok","InsightsConfiguration":{"NotificationsEnabled":true}})", 400, "InvalidRequestException", "NotificationsEnabled requires InsightsEnabled."},
    {"/CreateGroup", R"({"GroupName":"g","FilterExpression":"ok","Tags":[{"Key":"aws:x","Value":""}]})", 400, "InvalidRequestException", "Tag keys starting with aws: are reserved for system use."},
    {"/CreateGroup", R"({"GroupName":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","FilterExpression":"ok"})", 400, "InvalidRequestException", ""},
    {"/GetGroup", R"({})", 400, "InvalidRequestException", "Exactly one of GroupName and GroupARN is required."},
    {"/GetGroup", R"({"GroupName":"nobody"})", 400, "InvalidRequestException", "Group not found."},
    {"/UpdateGroup", R"({"GroupName":"Default","FilterExpression":"ok"})", 400, "InvalidRequestException", "The filter expression of the Default group can't be changed."},
    {"/DeleteGroup", R"({"GroupName":"Default"})", 400, "InvalidRequestException", "The Default group can't be deleted."},
    {"/CreateSamplingRule", R"({"SamplingRule":{"RuleName":"r","ResourceARN":"*","Priority":1,"FixedRate":0.1,"ReservoirSize":1,"ServiceName":"*","ServiceType":"*","Host":"*","HTTPMethod":"*","URLPath":"*","Version":2}})", 400, "InvalidRequestException", "Version must be 1."},
    {"/CreateSamplingRule", R"({"SamplingRule":{"RuleName":"r","ResourceARN":"*","Priority":0,"FixedRate":0.1,"ReservoirSize":1,"ServiceName":"*","ServiceType":"*","Host":"*","HTTPMethod":"*","URLPath":"*","Version":1}})", 400, "InvalidRequestException", ""},
    {"/CreateSamplingRule", R"({"SamplingRule":{"ResourceARN":"*","Priority":1,"FixedRate":0.1,"ReservoirSize":1,"ServiceName":"*","ServiceType":"*","Host":"*","HTTPMethod":"*","URLPath":"*","Version":1}})", 400, "InvalidRequestException", "Exactly one of RuleName and RuleARN is required."},
    {"/CreateSamplingRule", R"({"SamplingRule":{"RuleName":"Default","ResourceARN":"*","Priority":1,"FixedRate":0.1,"ReservoirSize":1,"ServiceName":"*","ServiceType":"*","Host":"*","HTTPMethod":"*","URLPath":"*","Version":1}})", 400, "InvalidRequestException", "A sampling rule with the same name already exists."},
    {"/UpdateSamplingRule", R"({"SamplingRuleUpdate":{"RuleName":"Default","Host":"x"}})", 400, "InvalidRequestException", "Only FixedRate and ReservoirSize of the Default rule can be changed."},
    {"/UpdateSamplingRule", R"({"SamplingRuleUpdate":{"RuleName":"nobody","Host":"x"}})", 400, "InvalidRequestException", "Sampling rule does not exist."},
    {"/UpdateSamplingRule", R"({"SamplingRuleUpdate":{"RuleName":"Default","FixedRate":1.5}})", 400, "InvalidRequestException", "FixedRate must be between 0 and 1."},
    {"/DeleteSamplingRule", R"({"RuleName":"Default"})", 400, "InvalidRequestException", "The Default sampling rule can't be deleted."},
    {"/DeleteSamplingRule", R"({"RuleName":"a","RuleARN":"b"})", 400, "InvalidRequestException", "Exactly one of RuleName and RuleARN is required."},
    {"/TagResource", R"({"ResourceARN":"arn:aws:xray:us-east-1:000000000000:group/x","Tags":[]})", 404, "ResourceNotFoundException", "Resource not found."},
    {"/ListTagsForResource", R"({"ResourceARN":"nothing"})", 404, "ResourceNotFoundException", "Resource not found."},
    {"/PutEncryptionConfig", R"({"Type":"KMS"})", 400, "InvalidRequestException", "KeyId is required for encryption type KMS."},
    {"/PutEncryptionConfig", R"({"Type":"ROT13"})", 400, "InvalidRequestException", ""},
    {"/UpdateIndexingRule", R"({"Name":"Other","Rule":{"Probabilistic":{"DesiredSamplingPercentage":5}}})", 404, "ResourceNotFoundException", "Indexing rule not found."},
    {"/UpdateIndexingRule", R"({"Name":"Default","Rule":{"Probabilistic":{"DesiredSamplingPercentage":101}}})", 400, "InvalidRequestException", "DesiredSamplingPercentage must be between 0 and 100."},
    {"/PutResourcePolicy", R"({"PolicyName":"p","PolicyDocument":"not json"})", 400, "MalformedPolicyDocumentException", "The policy document is not valid JSON."},
    {"/PutResourcePolicy", R"({"PolicyName":"p","PolicyDocument":"{}","PolicyRevisionId":"7"})", 400, "InvalidPolicyRevisionIdException", ""},
    {"/DeleteResourcePolicy", R"({"PolicyName":"p"})", 400, "InvalidRequestException", "Resource policy not found."},
    {"/ListRetrievedTraces", R"({"RetrievalToken":"none"})", 404, "ResourceNotFoundException", "Retrieval token not found."},
    {"/GetRetrievedTracesGraph", R"({"RetrievalToken":"none"})", 404, "ResourceNotFoundException", "Retrieval token not found."},
    {"/CancelTraceRetrieval", R"({"RetrievalToken":"none"})", 404, "ResourceNotFoundException", "Retrieval token not found."},
    {"/StartTraceRetrieval", R"({"TraceIds":["x"],"StartTime":1,"EndTime":2})", 400, "InvalidRequestException", "Invalid trace id: x"},
    {"/Insight", R"({"InsightId":"11111111-1111-4111-8111-111111111111"})", 400, "InvalidRequestException", "Insight not found."},
    {"/InsightSummaries", R"({"StartTime":1,"EndTime":2})", 400, "InvalidRequestException", "Either GroupName or GroupARN is required."},
    {"/InsightEvents", R"({"InsightId":"11111111-1111-4111-8111-111111111111","MaxResults":51})", 400, "InvalidRequestException", ""},
    {"/InsightImpactGraph", R"({"InsightId":"11111111-1111-4111-8111-111111111111","StartTime":1699990000,"EndTime":1700014000})", 400, "InvalidRequestException", "The time range must not exceed 6 hours."},
};

TEST_F(OperationsTest, errors) {
  ok("/CreateGroup", {{"GroupName", "taken"}, {"FilterExpression", "ok"}});
  for (const auto& row : kErrors) {
    SCOPED_TRACE(std::string(row.path) + " " + row.body);
    const auto answer = post(row.path, std::string(row.body));
    EXPECT_EQ(answer.status, row.status) << answer.text;
    EXPECT_EQ(answer.type, row.type);
    ASSERT_TRUE(answer.body.is_object()) << answer.text;
    EXPECT_EQ(answer.body.value("__type", ""), row.type);
    EXPECT_TRUE(answer.body.contains("Message")) << answer.text;
    if (*row.message != 0) {
      EXPECT_EQ(answer.body.value("Message", ""), row.message);
    }
  }
}

TEST_F(OperationsTest, all_38_operations_have_a_handler) {
  std::size_t with = 0;
  for (const auto* entry : registry.entries(*registry.services().front())) with += entry->operation != nullptr;
  EXPECT_EQ(with, 38u);
  EXPECT_EQ(registry.entries(*registry.services().front()).size(), 38u);
}

TEST_F(OperationsTest, groups_live) {
  const auto made = ok("/CreateGroup", {{"GroupName", "slow"}, {"FilterExpression", "responsetime > 2"}, {"Tags", {{{"Key", "k"}, {"Value", "v"}}}}})["Group"];
  const std::string arn = made["GroupARN"];
  EXPECT_EQ(arn.rfind(std::string(kArn) + "group/slow/", 0), 0u);
  EXPECT_EQ(made["InsightsConfiguration"], json({{"InsightsEnabled", false}, {"NotificationsEnabled", false}}));
  EXPECT_EQ(ok("/ListTagsForResource", {{"ResourceARN", arn}})["Tags"], json({{{"Key", "k"}, {"Value", "v"}}}));
  ok("/TagResource", {{"ResourceARN", arn}, {"Tags", {{{"Key", "z"}, {"Value", ""}}}}});
  ok("/UntagResource", {{"ResourceARN", arn}, {"TagKeys", {"k"}}});
  EXPECT_EQ(ok("/ListTagsForResource", {{"ResourceARN", arn}})["Tags"], json({{{"Key", "z"}, {"Value", ""}}}));

  put({segment(1, kNow - 100, 5), segment(2, kNow - 100, 1)});
  const json range = {{"StartTime", kNow - 500}, {"EndTime", kNow + 10}, {"GroupName", "slow"}};
  const auto count = [&] {
    std::int64_t n = 0;
    const auto graph = ok("/ServiceGraph", range);
    for (const auto& s : graph["Services"])
      if (s.contains("SummaryStatistics")) n += s["SummaryStatistics"]["TotalCount"].get<std::int64_t>();
    return std::pair(n, graph["ContainsOldGroupVersions"].get<bool>());
  };
  EXPECT_EQ(count(), std::pair(std::int64_t{1}, false));
  ok("/UpdateGroup", {{"GroupARN", arn}, {"FilterExpression", "responsetime > 0"}});
  EXPECT_EQ(count(), std::pair(std::int64_t{1}, true)) << "traces stored before stay as they were";
  put({segment(3, kNow - 100, 1)});
  EXPECT_EQ(count(), std::pair(std::int64_t{2}, true));
  EXPECT_EQ(ok("/Groups", json::object())["Groups"].size(), 2u);
  EXPECT_EQ(ok("/Groups", json::object())["Groups"][0]["GroupName"], "Default");
  EXPECT_EQ(ok("/DeleteGroup", {{"GroupName", "slow"}}), json::object());
  EXPECT_EQ(post("/ListTagsForResource", json{{"ResourceARN", arn}}).status, 404);
}

TEST_F(OperationsTest, the_default_sampling_rule_is_as_sdks_need_it) {
  const auto rules = ok("/GetSamplingRules", json::object())["SamplingRuleRecords"];
  ASSERT_EQ(rules.size(), 1u);
  const auto& r = rules[0]["SamplingRule"];
  EXPECT_EQ(r, json::parse(R"({"RuleName":"Default","RuleARN":"arn:aws:xray:us-east-1:000000000000:sampling-rule/Default","ResourceARN":"*",
      "Priority":10000,"FixedRate":0.05,"ReservoirSize":1,"ServiceName":"*","ServiceType":"*","Host":"*","HTTPMethod":"*","URLPath":"*",
      "Version":1,"Attributes":{}})"));
  EXPECT_EQ(rules[0]["CreatedAt"], 0);
}

TEST_F(OperationsTest, sampling_rules_live_and_targets_share_the_reservoir) {
  EXPECT_EQ(ok("/CreateSamplingRule", {{"SamplingRule", rule("b", 20)}})["SamplingRuleRecord"]["SamplingRule"]["Attributes"], json::object());
  ok("/CreateSamplingRule", {{"SamplingRule", rule("a", 10)}});
  clock.advance(Millis(5000));
  EXPECT_EQ(ok("/UpdateSamplingRule", {{"SamplingRuleUpdate", {{"RuleName", "b"}, {"ReservoirSize", 7}}}})["SamplingRuleRecord"]["ModifiedAt"], kNow + 5);
  const auto all = ok("/GetSamplingRules", json::object())["SamplingRuleRecords"];
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0]["SamplingRule"]["RuleName"], "Default");
  EXPECT_EQ(all[1]["SamplingRule"]["RuleName"], "a");

  const auto report = [&](const std::string& client, int requests, const std::string& name = "b", std::int64_t age = 0) {
    return ok("/SamplingTargets", {{"SamplingStatisticsDocuments", {{{"RuleName", name}, {"ClientID", client}, {"Timestamp", kNow + 5 - age},
                                                                     {"RequestCount", requests}, {"SampledCount", 1}, {"BorrowCount", 0}}}}});
  };
  const std::string one(24, 'a'), two(24, 'b');
  auto answer = report(one, 5);
  EXPECT_EQ(answer["SamplingTargetDocuments"][0]["ReservoirQuota"], 7);
  EXPECT_EQ(answer["SamplingTargetDocuments"][0]["Interval"], 10);
  EXPECT_EQ(answer["SamplingTargetDocuments"][0]["ReservoirQuotaTTL"], kNow + 305);
  EXPECT_TRUE(answer["LastRuleModification"].is_number());
  EXPECT_EQ(answer["LastRuleModification"], kNow + 5);
  EXPECT_EQ(report(two, 9)["SamplingTargetDocuments"][0]["ReservoirQuota"], 4) << "the odd one goes to the busier client";
  EXPECT_EQ(report(one, 5)["SamplingTargetDocuments"][0]["ReservoirQuota"], 3);
  EXPECT_EQ(report(one, 5, "nobody")["UnprocessedStatistics"][0]["ErrorCode"], "RuleNotFound");
  EXPECT_EQ(report(one, 5, "b", 301)["UnprocessedStatistics"][0]["ErrorCode"], "StatisticsTooOld");
  clock.advance(Millis(31000));
  EXPECT_EQ(report(one, 5)["SamplingTargetDocuments"][0]["ReservoirQuota"], 7) << "the other fell silent";
  const auto windows = ok("/SamplingStatisticSummaries", json::object())["SamplingStatisticSummaries"];
  ASSERT_EQ(windows.size(), 2u);
  EXPECT_EQ(windows[1]["RequestCount"], 19);
  EXPECT_EQ(ok("/DeleteSamplingRule", {{"RuleARN", std::string(kArn) + "sampling-rule/b"}})["SamplingRuleRecord"]["SamplingRule"]["RuleName"], "b");
  EXPECT_EQ(ok("/SamplingTargets", {{"SamplingStatisticsDocuments", json::array()}})["LastRuleModification"], kNow + 36);
}

TEST_F(OperationsTest, a_boost_follows_anomalies_once_a_cool_down) {
  auto with_boost = rule("boosted");
  with_boost["SamplingRateBoost"] = {{"MaxRate", 0.5}, {"CooldownWindowMinutes", 10}};
  ok("/CreateSamplingRule", {{"SamplingRule", with_boost}});
  const json report = {{"SamplingStatisticsDocuments", {{{"RuleName", "boosted"}, {"ClientID", std::string(24, 'a')}, {"Timestamp", kNow}, {"RequestCount", 100}, {"SampledCount", 10}}}},
                       {"SamplingBoostStatisticsDocuments", {{{"RuleName", "boosted"}, {"ServiceName", "s"}, {"Timestamp", kNow}, {"AnomalyCount", 10}, {"TotalCount", 100}, {"SampledAnomalyCount", 5}}}}};
  const auto first = ok("/SamplingTargets", report)["SamplingTargetDocuments"][0];
  EXPECT_NEAR(first["SamplingBoost"]["BoostRate"].get<double>(), 0.3, 1e-9);
  EXPECT_EQ(first["SamplingBoost"]["BoostRateTTL"], kNow + 60);
  EXPECT_FALSE(ok("/SamplingTargets", report)["SamplingTargetDocuments"][0].contains("SamplingBoost"));
}

TEST_F(OperationsTest, rules_are_limited_to_25) {
  for (int i = 0; i < 25; ++i) ok("/CreateSamplingRule", {{"SamplingRule", rule("r" + std::to_string(i))}});
  const auto answer = post("/CreateSamplingRule", json{{"SamplingRule", rule("one-more")}});
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.type, "RuleLimitExceededException");
}

TEST_F(OperationsTest, summaries_say_it_all) {
  const auto spec = read_json("query/trace_filter/xray-filter-cases.json");
  for (const auto& document : spec["traces"][1]["documents"]) put({document});
  const auto s = ok("/TraceSummaries", {{"StartTime", 1699999000}, {"EndTime", 1700001000}})["TraceSummaries"][0];
  EXPECT_EQ(s["Duration"], 0.9);
  EXPECT_EQ(s["ResponseTime"], 0.9);
  EXPECT_EQ(s["HasFault"], true);
  EXPECT_EQ(s["HasError"], false);
  EXPECT_EQ(s["IsPartial"], false);
  EXPECT_EQ(s["Revision"], 2);
  EXPECT_EQ(s["Http"]["HttpStatus"], 500);
  EXPECT_EQ(s["EntryPoint"], json({{"Name", "shop.example.com"}, {"Names", {"shop.example.com"}}, {"AccountId", "000000000000"}, {"Type", "AWS::EC2::Instance"}}));
  EXPECT_EQ(s["ServiceIds"].size(), 3u);
  EXPECT_EQ(s["Users"][0]["UserName"], "carol");
  EXPECT_EQ(s["Annotations"]["tier"][0]["AnnotationValue"], json({{"StringValue", "gold"}}));
  EXPECT_EQ(s["Annotations"]["tier"][0]["ServiceIds"][0]["Name"], "payments");
  ASSERT_EQ(s["FaultRootCauses"].size(), 1u);
  const auto& chain = s["FaultRootCauses"][0]["Services"];
  ASSERT_EQ(chain.size(), 3u);
  EXPECT_EQ(chain[0]["Name"], "shop.example.com");
  EXPECT_EQ(chain[2]["Type"], "AWS::DynamoDB::Table");
  EXPECT_EQ(chain[2]["Inferred"], true);
  EXPECT_EQ(chain[1]["EntityPath"][1]["Exceptions"][0], json({{"Name", "InternalServerError"}, {"Message", "table unavailable"}}));
  EXPECT_EQ(s["FaultRootCauses"][0]["ClientImpacting"], true);
  EXPECT_EQ(s["ResponseTimeRootCauses"][0]["Services"][0]["EntityPath"][0]["Coverage"], 1.0);
}

TEST_F(OperationsTest, summaries_page_without_losing_or_repeating) {
  for (int i = 0; i < 250; ++i) put({segment(i, kNow - 1000 + i / 2, 0.1)});
  ASSERT_TRUE(traces->seal_all().ok());
  for (int i = 250; i < 260; ++i) put({segment(i, kNow - 1000 + i / 2, 0.1)});
  std::set<std::string> seen;
  json request = {{"StartTime", kNow - 2000}, {"EndTime", kNow}};
  int pages = 0;
  while (true) {
    const auto page = ok("/TraceSummaries", request);
    for (const auto& s : page["TraceSummaries"]) EXPECT_TRUE(seen.insert(s["Id"].get<std::string>()).second);
    ++pages;
    put({segment(1000 + pages, kNow - 5, 0.1)});  // newer than the place: must not disturb
    if (!page.contains("NextToken")) break;
    request["NextToken"] = page["NextToken"];
  }
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(seen.size(), 260u);
  request["FilterExpression"] = "ok";
  EXPECT_EQ(post("/TraceSummaries", request).body["Message"], "Invalid NextToken.") << "the token belongs to another question";
}

TEST_F(OperationsTest, events_find_traces_by_when_they_were_received) {
  put({segment(1, kNow - 100000, 1)});
  const auto s = ok("/TraceSummaries", {{"StartTime", kNow - 1}, {"EndTime", kNow + 1}, {"TimeRangeType", "Event"}})["TraceSummaries"];
  ASSERT_EQ(s.size(), 1u);
  EXPECT_EQ(s[0]["MatchedEventTime"], kNow);
  EXPECT_EQ(ok("/TraceSummaries", {{"StartTime", kNow - 1}, {"EndTime", kNow + 1}})["TraceSummaries"].size(), 0u);
}

TEST_F(OperationsTest, time_series_of_services_and_edges) {
  const std::int64_t minute = kNow / 60 * 60 - 600;
  for (int i = 0; i < 10; ++i) put({segment(i, minute + i * 30, 1, i % 5 == 0)});
  const json range = {{"StartTime", minute}, {"EndTime", minute + 600}};
  auto with = range;
  with["EntitySelectorExpression"] = "service(\"svc\")";
  const auto points = ok("/TimeSeriesServiceStatistics", with)["TimeSeriesServiceStatistics"];
  ASSERT_EQ(points.size(), 5u);
  EXPECT_EQ(points[0]["Timestamp"], minute);
  EXPECT_EQ(points[0]["ServiceSummaryStatistics"]["TotalCount"], 2);
  EXPECT_EQ(points[0]["ServiceSummaryStatistics"]["FaultStatistics"]["TotalCount"], 1);
  EXPECT_EQ(points[0]["ResponseTimeHistogram"], json({{{"Value", 1.0}, {"Count", 2}}}));
  auto coarse = range;
  coarse["Period"] = 300;
  const auto five = ok("/TimeSeriesServiceStatistics", coarse)["TimeSeriesServiceStatistics"];
  std::int64_t total = 0;
  for (const auto& p : five) total += p["EdgeSummaryStatistics"]["TotalCount"].get<std::int64_t>();
  EXPECT_EQ(total, 10);
  with["ForecastStatistics"] = true;
  EXPECT_EQ(ok("/TimeSeriesServiceStatistics", with)["TimeSeriesServiceStatistics"][0]["ServiceForecastStatistics"], json({{"FaultCountHigh", 3}, {"FaultCountLow", 0}}));
}

TEST_F(OperationsTest, encryption_indexing_destination) {
  EXPECT_EQ(ok("/EncryptionConfig", json::object())["EncryptionConfig"], json({{"Status", "ACTIVE"}, {"Type", "NONE"}}));
  EXPECT_EQ(ok("/PutEncryptionConfig", {{"Type", "KMS"}, {"KeyId", "alias/k"}})["EncryptionConfig"]["Status"], "UPDATING");
  EXPECT_EQ(ok("/EncryptionConfig", json::object())["EncryptionConfig"], json({{"Status", "ACTIVE"}, {"Type", "KMS"}, {"KeyId", "arn:aws:kms:us-east-1:000000000000:alias/k"}}));
  EXPECT_EQ(ok("/GetIndexingRules", json::object())["IndexingRules"][0]["Rule"]["Probabilistic"]["DesiredSamplingPercentage"], 1.0);
  ok("/UpdateIndexingRule", {{"Name", "Default"}, {"Rule", {{"Probabilistic", {{"DesiredSamplingPercentage", 50}}}}}});
  EXPECT_EQ(ok("/GetTraceSegmentDestination", json::object()), json({{"Destination", "XRay"}, {"Status", "ACTIVE"}}));
  for (int i = 0; i < 60; ++i) put({segment(i, kNow - 100, 1)});
  EXPECT_EQ(ok("/UpdateTraceSegmentDestination", {{"Destination", "CloudWatchLogs"}})["Status"], "PENDING");
  clock.advance(Millis(2000));
  EXPECT_EQ(ok("/GetTraceSegmentDestination", json::object())["Status"], "ACTIVE");
  const auto found = ok("/TraceSummaries", {{"StartTime", kNow - 200}, {"EndTime", kNow}})["TraceSummaries"].size();
  EXPECT_GT(found, 10u);
  EXPECT_LT(found, 50u) << "half of the traces are indexed";
}

TEST_F(OperationsTest, resource_policies) {
  const auto first = ok("/PutResourcePolicy", {{"PolicyName", "p"}, {"PolicyDocument", "{}"}, {"PolicyRevisionId", "0"}})["ResourcePolicy"];
  EXPECT_EQ(post("/PutResourcePolicy", json{{"PolicyName", "p"}, {"PolicyDocument", "{}"}, {"PolicyRevisionId", "0"}}).type, "InvalidPolicyRevisionIdException");
  const auto second = ok("/PutResourcePolicy", {{"PolicyName", "p"}, {"PolicyDocument", "{\"a\":1}"}, {"PolicyRevisionId", first["PolicyRevisionId"]}})["ResourcePolicy"];
  EXPECT_GT(std::stoll(second["PolicyRevisionId"].get<std::string>()), std::stoll(first["PolicyRevisionId"].get<std::string>()));
  for (int i = 0; i < 4; ++i) ok("/PutResourcePolicy", {{"PolicyName", "q" + std::to_string(i)}, {"PolicyDocument", "{}"}});
  EXPECT_EQ(post("/PutResourcePolicy", json{{"PolicyName", "sixth"}, {"PolicyDocument", "{}"}}).type, "PolicyCountLimitExceededException");
  EXPECT_EQ(post("/PutResourcePolicy", json{{"PolicyName", "p"}, {"PolicyDocument", "{\"x\":\"" + std::string(6000, 'x') + "\"}"}}).type, "PolicySizeLimitExceededException");
  EXPECT_EQ(ok("/ListResourcePolicies", json::object())["ResourcePolicies"].size(), 5u);
  ok("/DeleteResourcePolicy", {{"PolicyName", "p"}});
  EXPECT_EQ(ok("/ListResourcePolicies", json::object())["ResourcePolicies"].size(), 4u);
}

TEST_F(OperationsTest, retrieval_in_both_formats) {
  json ids = json::array();
  for (int i = 0; i < 7; ++i) {
    const auto s = segment(i, kNow - 100, 1, i == 0);
    ids.push_back(s["trace_id"]);
    put({s});
  }
  const auto token = ok("/StartTraceRetrieval", {{"TraceIds", ids}, {"StartTime", kNow - 200}, {"EndTime", kNow}})["RetrievalToken"];
  const auto page = ok("/ListRetrievedTraces", {{"RetrievalToken", token}, {"TraceFormat", "OTEL"}});
  EXPECT_EQ(page["RetrievalStatus"], "COMPLETE");
  ASSERT_EQ(page["Traces"].size(), 5u);
  const auto span = json::parse(page["Traces"][0]["Spans"][0]["Document"].get<std::string>());
  EXPECT_EQ(span["kind"], "SERVER");
  EXPECT_EQ(span["traceId"].get<std::string>().size(), 32u);
  EXPECT_EQ(span["durationNano"], 1000000000);
  EXPECT_EQ(span["status"]["code"], "ERROR");
  EXPECT_EQ(ok("/ListRetrievedTraces", {{"RetrievalToken", token}, {"TraceFormat", "OTEL"}, {"NextToken", page["NextToken"]}})["Traces"].size(), 2u);
  EXPECT_EQ(ok("/GetRetrievedTracesGraph", {{"RetrievalToken", token}})["Services"].size(), 2u);
  EXPECT_EQ(ok("/CancelTraceRetrieval", {{"RetrievalToken", token}}), json::object());
  EXPECT_EQ(ok("/ListRetrievedTraces", {{"RetrievalToken", token}})["RetrievalStatus"], "CANCELLED");
  clock.advance(std::chrono::hours(2));
  EXPECT_EQ(post("/ListRetrievedTraces", json{{"RetrievalToken", token}}).status, 404);
}

TEST_F(OperationsTest, insights_open_on_two_bad_minutes_and_close_after_five_good_ones) {
  ok("/UpdateGroup", {{"GroupName", "Default"}, {"InsightsConfiguration", {{"InsightsEnabled", true}, {"NotificationsEnabled", true}}}});
  std::int64_t minute = kNow / 60;
  int n = 0;
  // One minute of traffic, then the worker looks at it once it has settled.
  const auto pass = [&](int faults) {
    for (int i = 0; i < 20; ++i) {
      auto root = segment(n, minute * 60 + i, 0.5, i < faults, "front");
      root["subsegments"] = {{{"id", "0000000000000002"}, {"name", "back"}, {"namespace", "remote"}, {"start_time", minute * 60 + i},
                              {"end_time", static_cast<double>(minute * 60 + i) + 0.2}, {"fault", i < faults}}};
      put({root});
      ++n;
    }
    ++minute;
    clock.set(from_ms(minute * 60000 + 15000));
    tick();
  };
  const auto summaries = [&] {
    return ok("/InsightSummaries", {{"StartTime", kNow - 1000}, {"EndTime", kNow + 10000}, {"GroupName", "Default"}})["InsightSummaries"];
  };
  for (int i = 0; i < 5; ++i) pass(0);
  pass(15);
  EXPECT_TRUE(summaries().empty()) << "one bad minute is no insight";
  pass(15);
  ASSERT_EQ(summaries().size(), 1u);
  auto insight = summaries()[0];
  EXPECT_EQ(insight["State"], "ACTIVE");
  EXPECT_EQ(insight["RootCauseServiceId"]["Name"], "back") << "the node farthest downstream";
  EXPECT_EQ(insight["ClientRequestImpactStatistics"], json({{"FaultCount", 15}, {"OkCount", 5}, {"TotalCount", 20}}));
  EXPECT_EQ(insight["TopAnomalousServices"].size(), 2u);
  const json id = {{"InsightId", insight["InsightId"]}};
  EXPECT_EQ(ok("/Insight", id)["Insight"]["Categories"], json({"FAULT"}));
  auto graph_request = id;
  graph_request["StartTime"] = kNow;
  graph_request["EndTime"] = kNow + 600;
  EXPECT_EQ(ok("/InsightImpactGraph", graph_request)["Services"].size(), 3u);
  for (int i = 0; i < 5; ++i) pass(0);
  EXPECT_EQ(summaries()[0]["State"], "CLOSED");
  EXPECT_GE(ok("/InsightEvents", id)["InsightEvents"].size(), 2u);
  ASSERT_FALSE(notified.empty());
  EXPECT_EQ(notified.front()["detail-type"], "AWS X-Ray Insight Update");
  EXPECT_EQ(notified.back()["detail"]["State"], "CLOSED");
  ASSERT_FALSE(metrics.put.empty());
  EXPECT_EQ(metrics.put.front().metric_name, "ApproximateTraceCount");
  EXPECT_EQ(metrics.put.front().values, std::vector<double>{20});
}

}  // namespace
}  // namespace fog::xray
