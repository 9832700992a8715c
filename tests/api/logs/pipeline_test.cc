// The event pipeline without sockets: what a crash leaves undone is done again and nothing twice; what
// the metric store refuses is tried again; quick rejection of messages never costs a match.
#include "api/logs/event_pipeline.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/storage/temp_folder.h"

namespace fog::logs {
namespace {

constexpr std::int64_t kNow = 1'767'614'400'000;  // 2026-01-05T12:00:00Z
constexpr std::string_view kAccount = "000000000000", kRegion = "us-east-1";

// Counts samples by metric name.
struct CountingSink final : MetricSink {
  Result<Outcome> put_metrics(std::string_view, std::string_view, std::span<const SinkDatum> datums) override {
    if (failures > 0) {
      --failures;
      return Error::busy("not now");
    }
    for (const SinkDatum& datum : datums) {
      for (std::size_t i = 0; i < datum.values.size(); ++i) {
        counts[datum.metric_name] += datum.counts.empty() ? 1 : datum.counts[i];
        sums[datum.metric_name] += datum.values[i] * (datum.counts.empty() ? 1 : datum.counts[i]);
      }
    }
    return Outcome{};
  }
  int failures = 0;
  std::map<std::string, double> counts, sums;
};

// Keeps bodies; answers when told.
struct HeldOutbound final : Outbound {
  void http(OutboundRequest request, HttpDone done) override {
    bodies.push_back(std::move(request.body));
    waiting.push_back(std::move(done));
  }
  bool has_mail_relay() const override { return false; }
  void mail(OutboundMail, MailDone) override {}
  void answer(int status) {
    HttpDone done = std::move(waiting.front());
    waiting.erase(waiting.begin());
    if (status == 0) done(Error::busy("away"));
    else done(OutboundResponse{.status = status});
  }
  std::vector<std::string> bodies;
  std::vector<HttpDone> waiting;
};

constexpr const char* kFunction = "arn:aws:lambda:us-east-1:000000000000:function:f";

struct Rig {
  explicit Rig(const std::filesystem::path& folder, ManualClock& at, CountingSink& metrics, HeldOutbound& out) : clock(at) {
    resources = std::move(ResourceStore::open(folder / "resources.db")).value();
    wal = std::move(Wal::open({.folder = folder / "wal", .durability = Durability::kRelaxed})).value();
    store = std::move(open_log_store(*wal, {.folder = folder / "logs", .threads = 0})).value();
    logs = std::make_unique<Logs>(Logs::Deps{*resources, *store, *wal, clock});
    EventPipelineOptions options;
    options.own_thread = false;
    options.service_metrics = false;
    options.spools = folder / "spool";
    options.destinations = {{.arn_prefix = kFunction, .to = "http://127.0.0.1:1/in"}};
    pipeline = std::make_unique<EventPipeline>(
        EventPipeline::Deps{.logs = *logs, .resources = *resources, .wal = *wal, .clock = clock, .random = random, .metrics = &metrics, .outbound = &out},
        options);
    logs->add_listener(*pipeline);
    EXPECT_TRUE(wal->replay([&](const Wal::Record& record) {
      pipeline->replay(record);
      if (record.store == StoreId::kLogs) {
        EXPECT_TRUE(store->apply(record).ok());
      }
    }).ok());
    store->replayed();
    pipeline->recovered();
  }
  GroupPtr group() {
    if (const GroupPtr found = logs->find(kAccount, kRegion, "/g")) return found;
    return std::move(logs->create_group(kAccount, kRegion, "/g", {})).value();
  }
  void filter(const std::string& name, const std::string& pattern, const std::string& value = "1") {
    MetricFilter filter;
    filter.filter_name = name;
    filter.filter_pattern = pattern;
    filter.log_group_name = "/g";
    filter.metric_transformations.emplace().push_back({.metric_name = name, .metric_namespace = "n", .metric_value = value});
    filter.creation_time = kNow - 1000;
    EXPECT_TRUE(pipeline->filters().put_metric_filter(*group(), filter).ok());
  }
  void subscribe() {
    SubscriptionFilter filter;
    filter.filter_name = "s";
    filter.filter_pattern = "";
    filter.destination_arn = kFunction;
    filter.creation_time = kNow - 1000;
    EXPECT_TRUE(pipeline->filters().put_subscription_filter(*group(), filter).ok());
    pipeline->subscriptions_changed();
  }
  void put(const std::vector<std::string>& messages) {
    std::vector<LogEventIn> events;
    for (const std::string& message : messages) events.push_back({kNow, message});
    const auto outcome = logs->put_logs(kAccount, kRegion, "/g", "s", events, true);
    ASSERT_TRUE(outcome.ok());
    ASSERT_TRUE(wal->wait_durable(outcome->lsn).ok());
  }

  ManualClock& clock;
  SeededRandom random{1};
  std::unique_ptr<ResourceStore> resources;
  std::unique_ptr<Wal> wal;
  std::unique_ptr<RecoverableLogStore> store;
  std::unique_ptr<Logs> logs;
  std::unique_ptr<EventPipeline> pipeline;
};

class PipelineTest : public ::testing::Test {
 protected:
  std::unique_ptr<Rig> open() { return std::make_unique<Rig>(temp.path(), clock, metrics, outbound); }

  ::fog::testing::TempFolder temp;
  ManualClock clock{from_ms(kNow)};
  CountingSink metrics;
  HeldOutbound outbound;
};

TEST_F(PipelineTest, WhatACrashLeftUndoneIsDoneOnce) {
  auto rig = open();
  rig->filter("errors", "ERROR");
  rig->put({"ERROR a", "fine"});
  rig->pipeline->tick(clock.now());
  EXPECT_EQ(metrics.counts["errors"], 1);
  rig->put({"ERROR b", "ERROR c"});  // nobody works on it any more
  rig.reset();
  rig = open();
  EXPECT_EQ(rig->pipeline->stats().replayed_batches, 1u);
  rig->pipeline->tick(clock.now());
  EXPECT_EQ(metrics.counts["errors"], 3);
  rig.reset();
  rig = open();
  rig->pipeline->tick(clock.now());
  EXPECT_EQ(rig->pipeline->stats().replayed_batches, 0u);
  EXPECT_EQ(metrics.counts["errors"], 3);
}

TEST_F(PipelineTest, EventsFromBeforeAFilterAreNotItsOwn) {
  auto rig = open();
  clock.set(from_ms(kNow - 5000));
  rig->group();
  rig->put({"ERROR early"});
  clock.set(from_ms(kNow));
  rig->filter("errors", "ERROR");
  rig->put({"ERROR late"});
  rig.reset();
  rig = open();
  rig->pipeline->tick(clock.now());
  EXPECT_EQ(metrics.counts["errors"], 1);
}

TEST_F(PipelineTest, RefusedMetricsAreTriedAgainAlsoAfterACrash) {
  auto rig = open();
  rig->filter("errors", "ERROR");
  metrics.failures = 2;
  rig->put({"ERROR a"});
  rig->pipeline->tick(clock.now());
  rig->pipeline->tick(clock.now());
  EXPECT_EQ(metrics.counts["errors"], 1);
  metrics.failures = 1000;
  rig->put({"ERROR b"});
  rig->pipeline->tick(clock.now());
  rig.reset();
  metrics.failures = 0;
  rig = open();
  rig->pipeline->tick(clock.now());
  EXPECT_EQ(metrics.counts["errors"], 2);
}

TEST_F(PipelineTest, DeliveriesKeepTheirOrderThroughFailuresAndACrash) {
  auto rig = open();
  rig->subscribe();
  for (int i = 0; i < 3; ++i) rig->put({"line " + std::to_string(i)});
  rig->pipeline->tick(clock.now());
  ASSERT_EQ(outbound.waiting.size(), 1u);  // one at a time
  const std::string first = outbound.bodies[0];
  outbound.answer(503);
  rig->pipeline->tick(clock.now());
  EXPECT_TRUE(outbound.waiting.empty());  // not before its pause is over
  clock.advance(Millis(1000));
  rig->pipeline->tick(clock.now());
  ASSERT_EQ(outbound.waiting.size(), 1u);
  EXPECT_EQ(outbound.bodies[1], first);
  outbound.answer(200);
  rig->pipeline->tick(clock.now());
  ASSERT_EQ(outbound.waiting.size(), 1u);
  EXPECT_NE(outbound.bodies[2], first);
  const std::string second = outbound.bodies[2];
  rig.reset();  // its answer never comes
  outbound.answer(200);
  rig = open();
  rig->pipeline->tick(clock.now());
  ASSERT_EQ(outbound.waiting.size(), 1u);
  EXPECT_EQ(outbound.bodies[3], second);
  outbound.answer(200);
  rig->pipeline->tick(clock.now());
  outbound.answer(200);
  rig->pipeline->tick(clock.now());
  EXPECT_EQ(outbound.bodies.size(), 5u);
  EXPECT_EQ(rig->pipeline->stats().deliveries.waiting, 0u);
}

TEST_F(PipelineTest, AMessageIsGivenUpAfterADay) {
  auto rig = open();
  rig->subscribe();
  rig->put({"line"});
  rig->pipeline->tick(clock.now());
  int attempts = 0;
  for (; !outbound.waiting.empty(); ++attempts) {
    outbound.answer(0);
    const auto due = rig->pipeline->next_due(clock.now());
    if (!due) break;
    clock.set(std::max(*due, clock.now()));
    rig->pipeline->tick(clock.now());
  }
  EXPECT_GT(attempts, 200);
  EXPECT_LT(attempts, 400);
  EXPECT_GE(clock.now() - from_ms(kNow), std::chrono::hours(24));
  EXPECT_EQ(rig->pipeline->stats().deliveries.waiting, 0u);
  EXPECT_EQ(rig->pipeline->stats().deliveries.dropped, 1u);
}

TEST_F(PipelineTest, SubscriptionsThatAreGoneTakeTheirQueuesAlong) {
  auto rig = open();
  rig->subscribe();
  rig->put({"line"});
  rig->pipeline->tick(clock.now());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(temp.path() / "spool"), {}), 1);
  ASSERT_TRUE(rig->logs->delete_group(rig->group()).ok());
  rig->pipeline->subscriptions_changed();
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(temp.path() / "spool"), {}), 0);
  EXPECT_EQ(rig->pipeline->stats().deliveries.waiting, 0u);
}

TEST_F(PipelineTest, ValuesComeFromSelectors) {
  auto rig = open();
  rig->filter("ms", "{ $.ms >= 0 }", "$.ms");
  rig->filter("bytes", "[ip, code, bytes > 10]", "$bytes");
  rig->put({R"({"ms":12.5})", R"({"ms":"7"})", R"({"ms":2e1})", "1.2.3.4 200 11", "1.2.3.4 200 9", "1.2.3.4 200 many"});
  rig->pipeline->tick(clock.now());
  EXPECT_EQ(metrics.sums["ms"], 32.5);
  EXPECT_EQ(metrics.sums["bytes"], 11);
}

EventBatch batch_of(const std::vector<std::string>& messages) {
  EventBatch batch;
  for (const std::string& message : messages) {
    batch.events.push_back({0, batch.text.size(), message.size()});
    batch.text += message;
  }
  return batch;
}

TEST(QuickRejection, NeverCostsAMatch) {
  std::ifstream file(std::string(FOG_SOURCE_DIR) + "/tests/query/filter_pattern/cases.json");
  ASSERT_TRUE(file);
  const auto parsed = nlohmann::json::parse(file);
  const auto& cases = parsed.is_array() ? parsed : parsed["cases"];
  std::vector<std::string> messages, patterns;
  for (const auto& each : cases) {
    if (each.contains("message")) messages.push_back(each["message"]);
    patterns.push_back(each["pattern"]);
  }
  messages.push_back(R"({"level":"\u0045RROR"})");
  messages.push_back("");
  patterns.push_back(R"({ $.level = "ERROR" })");
  std::shuffle(messages.begin(), messages.end(), std::mt19937(3));
  const EventBatch batch = batch_of(messages);
  std::size_t matches = 0;
  for (const std::string& text : patterns) {
    const auto pattern = compile_pattern(text);
    if (!pattern.ok()) continue;
    std::vector<std::size_t> wanted;
    for (std::size_t i = 0; i < messages.size(); ++i)
      if (pattern->pattern->matches(messages[i])) wanted.push_back(i);
    EXPECT_EQ(matching(*pattern, batch, false), wanted) << text;
    matches += wanted.size();
  }
  EXPECT_GT(matches, 100u);
}

TEST(QuickRejection, ATextAcrossTwoMessagesIsInNeither) {
  const auto pattern = compile_pattern("needle");
  ASSERT_TRUE(pattern.ok());
  EXPECT_EQ(matching(*pattern, batch_of({"need", "le", "xneedle", "n", "eedle", "needleneedle", "needle"}), false),
            (std::vector<std::size_t>{2, 5, 6}));
}

}  // namespace
}  // namespace fog::logs
