// A service on memory stores, a clock in the hand and an outgoing door that records.
#pragma once

#include <gtest/gtest.h>

#include <deque>

#include "api/sns/common.h"
#include "api/sns/service.h"
#include "api/sns/sns.h"

namespace fog::sns {

class RecordingOutbound final : public Outbound {
 public:
  void http(OutboundRequest request, HttpDone done) override {
    requests.push_back(request);
    if (hold) {
      held.emplace_back(std::move(done));
      return;
    }
    done(answer(request));
  }
  bool has_mail_relay() const override { return relay; }
  void mail(OutboundMail message, MailDone done) override {
    mails.push_back(std::move(message));
    done(mail_status);
  }

  Result<OutboundResponse> answer(const OutboundRequest& request) {
    if (!connects) return Error::busy("connection refused");
    OutboundResponse response;
    response.status = statuses.empty() ? status : statuses.front();
    if (!statuses.empty()) statuses.pop_front();
    static_cast<void>(request);
    return response;
  }

  std::vector<OutboundRequest> requests;
  std::vector<OutboundMail> mails;
  std::vector<HttpDone> held;
  std::deque<int> statuses;
  int status = 200;
  bool connects = true, relay = false, hold = false;
  Status mail_status = Ok{};
};

class MemoryOutbox final : public Outbox {
 public:
  Status add(OutboxMessage message) override {
    messages.push_back(std::move(message));
    return Ok{};
  }
  std::vector<OutboxMessage> list(const OutboxFilter&) const override { return messages; }
  Status clear(const OutboxFilter&) override {
    messages.clear();
    return Ok{};
  }
  std::vector<OutboxMessage> messages;
};

inline std::string header(const OutboundRequest& request, std::string_view name) {
  for (const auto& [key, value] : request.headers) {
    if (http::equal_ignoring_case(key, name)) return value;
  }
  return "(absent)";
}

class SnsTest : public testing::Test {
 protected:
  SnsTest() { open(); }

  // Opens (again, on the same stores), as after a restart.
  void open() {
    if (!resources) resources = std::move(ResourceStore::open("")).value();
    if (!wal) {
      Wal::Options how;
      how.folder = wal_folder;
      how.durability = wal_folder.empty() ? Durability::kEphemeral : Durability::kRelaxed;
      wal = std::move(Wal::open(how)).value();
    }
    sns = std::make_unique<Sns>(Sns::Deps{.resources = *resources, .wal = *wal, .outbound = outbound, .outbox = outbox,
                                          .clock = clock, .random = random, .pool = nullptr, .queues = nullptr},
                                options);
    EXPECT_TRUE(sns->load().ok());
    if (!wal_folder.empty()) {
      const Status replayed = wal->replay([&](const Wal::Record& r) {
        if (r.store == StoreId::kDeliveries) sns->deliveries().replay(r);
      });
      EXPECT_TRUE(replayed.ok());
    }
    services = {};
    services.add<Sns>(*sns);
  }

  Call make_call() {
    Call call;
    call.account = "123456789012";
    call.region = "us-east-1";
    call.now = clock.now();
    call.is_signed = is_signed;
    call.services = &services;
    return call;
  }

  template <typename Input>
  Result<typename Input::Output> run(const Input& input) {
    for (const auto& table : registered.operations) {
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

  // "Code: message" of a call that must fail, "" of one that succeeds.
  template <typename Input>
  std::string fault_of(const Input& input) {
    const auto result = run(input);
    if (result.ok()) return "";
    WireFault scratch;
    const WireFault& wire = wire_of(result.error(), registered.errors, scratch);
    return (wire.query_code.empty() ? wire.code : wire.query_code) + ": " + wire.message;
  }

  std::string create(const std::string& name, std::map<std::string, std::string> attributes = {}) {
    CreateTopicInput in;
    in.name = name;
    if (name.ends_with(".fifo")) attributes.try_emplace("FifoTopic", "true");
    if (!attributes.empty()) in.attributes = attributes;
    return run(in).value().topic_arn.value();
  }

  // Subscribes and, where a handshake is needed, confirms.
  std::string subscribe(const std::string& topic, const std::string& protocol, const std::string& endpoint,
                        std::map<std::string, std::string> attributes = {}) {
    SubscribeInput in;
    in.topic_arn = topic;
    in.protocol = protocol;
    in.endpoint = endpoint;
    in.return_subscription_arn = true;
    if (!attributes.empty()) in.attributes = attributes;
    const std::string arn = run(in).value().subscription_arn.value();
    const SubscriptionPtr entry = sns->state().subscription(arn);
    if (!entry->document.confirmed) {
      const auto requests = outbound.requests.size();
      const auto mails = outbound.mails.size(), waiting = outbox.messages.size();
      sns->deliveries().tick(clock.now());
      ConfirmSubscriptionInput confirm;
      confirm.topic_arn = topic;
      confirm.token = entry->document.tokens.back().token;
      EXPECT_EQ(run(confirm).value().subscription_arn, arn);
      if (!keep_confirmations) {
        outbound.requests.resize(requests);
        outbound.mails.resize(mails);
        outbox.messages.resize(waiting);
      }
    }
    return arn;
  }

  std::string publish(const std::string& topic, const std::string& message) {
    PublishInput in;
    in.topic_arn = topic;
    in.message = message;
    return run(in).value().message_id.value();
  }
  void pump() { sns->deliveries().tick(clock.now()); }
  // Moves the clock as the server's advance does: from due time to due time.
  void advance(Millis by) {
    const Timestamp until = clock.now() + by;
    for (int i = 0; i < 100'000; ++i) {
      const auto due = sns->deliveries().next_due(clock.now());
      if (!due || *due > until) break;
      if (*due > clock.now()) clock.set(*due);
      pump();
    }
    clock.set(until);
    pump();
  }

  std::map<std::string, std::string> topic_attributes(const std::string& arn) {
    GetTopicAttributesInput in;
    in.topic_arn = arn;
    return run(in).value().attributes.value();
  }
  std::map<std::string, std::string> subscription_attributes(const std::string& arn) {
    GetSubscriptionAttributesInput in;
    in.subscription_arn = arn;
    return run(in).value().attributes.value();
  }

  ManualClock clock{std::chrono::sys_days(std::chrono::year{2024} / 1 / 2) + std::chrono::hours(3)};
  SeededRandom random{7};
  RecordingOutbound outbound;
  MemoryOutbox outbox;
  Options options;
  std::filesystem::path wal_folder;
  bool is_signed = true, keep_confirmations = false;
  std::unique_ptr<ResourceStore> resources;
  std::unique_ptr<Wal> wal;
  std::unique_ptr<Sns> sns;
  Services services;
  Service registered = service();
};

inline constexpr const char* kArn = "arn:aws:sns:us-east-1:123456789012:";

}  // namespace fog::sns
