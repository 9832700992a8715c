// Alarms on memory stores, a clock in the hand, and a publisher that records.
#pragma once

#include <gtest/gtest.h>

#include "api/cloudwatch/alarm_operations.h"
#include "api/cloudwatch/service.h"
#include "api/common/registry.h"
#include "storage/metric_store.h"
#include "storage/wal/wal.h"

namespace fog::cloudwatch {

class AlarmPublisher final : public TopicPublisher {
 public:
  Result<std::string> publish(const TopicMessage& message) override {
    if (missing) return Error::not_found("Topic does not exist");
    messages.push_back(message);
    return std::string("id");
  }
  std::vector<TopicMessage> messages;
  bool missing = false;
};

class AlarmDoor final : public Outbound {
 public:
  void http(OutboundRequest request, HttpDone done) override {
    requests.push_back(std::move(request));
    done(OutboundResponse{.status = 200, .headers = {}, .body = {}});
  }
  bool has_mail_relay() const override { return false; }
  void mail(OutboundMail, MailDone done) override { done(Ok{}); }
  std::vector<OutboundRequest> requests;
};

inline constexpr const char* kTopic = "arn:aws:sns:us-east-1:123456789012:t";

class AlarmTest : public testing::Test {
 protected:
  AlarmTest() {
    resources = std::move(ResourceStore::open("")).value();
    Wal::Options how;
    how.durability = Durability::kEphemeral;
    wal = std::move(Wal::open(how)).value();
    metrics = std::move(MetricStore::open({}, *wal, clock)).value();
    open();
  }

  void open() {
    services = {};
    services.add<MetricStore>(*metrics);
    services.add<ResourceStore>(*resources);
    book = std::make_unique<AlarmBook>(*resources);
    EXPECT_TRUE(book->load().ok());
    engine = std::make_unique<AlarmEngine>(
        AlarmEngine::Deps{.book = *book, .services = services, .clock = clock, .random = random, .topics = &publisher, .outbound = &door},
        options);
    engine->start(clock.now());
    services.add<AlarmEngine>(*engine);
  }

  Call make_call() {
    Call call;
    call.account = "123456789012";
    call.region = "us-east-1";
    call.now = clock.now();
    call.services = &services;
    return call;
  }

  template <typename Input>
  Result<typename Input::Output> run(const Input& input) {
    for (const auto& table : {alarm_put_operations(), alarm_describe_operations(), alarm_mute_operations(), tag_operations()}) {
      for (const Operation& operation : table) {
        if (operation.info != &Input::kOperation) continue;
        Call call = make_call();
        typename Input::Output output;
        if (Status status = operation.invoke(call, &input, &output); !status.ok()) return std::move(status).error();
        return output;
      }
    }
    return Error::internal("no handler");
  }

  template <typename Input>
  std::string fault_of(const Input& input) {
    const auto result = run(input);
    if (result.ok()) return "";
    WireFault scratch;
    const WireFault& wire = wire_of(result.error(), registered.errors, scratch);
    return (wire.query_code.empty() ? wire.code : wire.query_code) + ": " + wire.message;
  }

  PutMetricAlarmInput simple(const std::string& name = "a") {
    PutMetricAlarmInput in;
    in.alarm_name = name;
    in.namespace_ = "N";
    in.metric_name = "M";
    in.statistic = Statistic::Average;
    in.period = 60;
    in.evaluation_periods = 1;
    in.threshold = 10;
    in.comparison_operator = ComparisonOperator::GreaterThanThreshold;
    in.alarm_actions = std::vector<std::string>{kTopic};
    in.ok_actions = std::vector<std::string>{kTopic};
    return in;
  }

  void observe(double value, std::string_view name = "M", Millis ago = Millis(0)) {
    const double values[] = {value};
    MetricPoint point;
    point.metric_namespace = "N";
    point.metric_name = name;
    point.time = clock.now() - ago;
    point.unit = 26;
    point.values = values;
    const MetricPoint points[] = {point};
    EXPECT_TRUE(metrics->put({.account = "123456789012", .region = "us-east-1", .points = points}).ok());
  }

  // As the server's clock does: from due time to due time.
  void advance(Millis by) {
    const Timestamp until = clock.now() + by;
    for (int i = 0; i < 100'000; ++i) {
      const auto due = engine->next_due(clock.now());
      if (!due || *due > until) break;
      if (*due > clock.now()) clock.set(*due);
      engine->tick(clock.now());
    }
    clock.set(until);
  }

  AlarmPtr alarm(const std::string& name = "a") { return book->find({"123456789012", "us-east-1", name}); }
  std::string state(const std::string& name = "a") { return std::string(to_string(alarm(name)->state())); }
  std::vector<AlarmHistoryItem> history(const std::string& name, std::optional<HistoryItemType> type = {},
                                        AlarmType kind = AlarmType::MetricAlarm) {
    DescribeAlarmHistoryInput in;
    if (!name.empty()) in.alarm_name = name;
    in.history_item_type = type;
    in.alarm_types = std::vector<AlarmType>{kind};
    in.scan_by = ScanBy::TimestampAscending;
    return run(in)->alarm_history_items.value();
  }
  void set_state(const std::string& name, StateValue value, const std::string& reason = "by hand") {
    SetAlarmStateInput in;
    in.alarm_name = name;
    in.state_value = value;
    in.state_reason = reason;
    EXPECT_EQ(fault_of(in), "");
  }

  ManualClock clock{std::chrono::sys_days(std::chrono::year{2024} / 1 / 2) + std::chrono::hours(3)};
  SeededRandom random{7};
  AlarmPublisher publisher;
  AlarmDoor door;
  AlarmOptions options;
  std::unique_ptr<ResourceStore> resources;
  std::unique_ptr<Wal> wal;
  std::unique_ptr<MetricStore> metrics;
  std::unique_ptr<AlarmBook> book;
  std::unique_ptr<AlarmEngine> engine;
  Services services;
  Service registered = service();
};

}  // namespace fog::cloudwatch
