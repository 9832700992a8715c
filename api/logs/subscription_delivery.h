// SubscriptionDelivery: carries what subscription filters matched to where it belongs.
//
// Every subscription has an outlet: a bounded queue on disk whose messages leave one after the other,
// so that their order is kept. What fails is tried again after 1, 2, 4 ... 300 s of virtual time, for
// a day; then it is dropped and counted. At least once: after a crash the last ones may come again.
//
// A destination is an ARN; the configuration says what stands behind it:
//   http://..., https://...   a webhook: POST of the event a Lambda function would get
//   aws+http://...            the API of Lambda, Kinesis or Firehose (by the ARN), signed
//   sns:ARN                   a topic of this server; ARNs of topics lead there by themselves
//   file:FOLDER               one gzip file a message
// A logical destination (arn:...:destination:NAME) stands for its target. An ARN behind which nothing
// stands takes nothing; that is counted.
//
// Threads: any; answers of endpoints come on threads of Outbound.
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/common/topic_publisher.h"
#include "api/logs/event_batch.h"
#include "storage/base/clock.h"
#include "storage/base/outbound.h"
#include "storage/base/random.h"
#include "storage/spool/spool.h"

namespace fog::logs {

struct LogDestination {
  std::string arn_prefix;
  std::string to;  // as above
  std::string access_key = "test";
  std::string secret_key = "test";
};

// Who a delivery is counted for.
struct SubscriptionSite {
  std::uint64_t id = 0;
  std::string account;
  std::string region;
  std::string group_name;  // empty: of an account policy
  std::string filter_name;
  std::string destination_arn;
};

class SubscriptionDelivery {
 public:
  struct Report {
    std::uint64_t bytes = 0, events = 0, errors = 0, throttled = 0;
  };
  struct Deps {
    Outbound* outbound = nullptr;
    TopicPublisher* topics = nullptr;
    const Clock& clock;
    Random& random;
    std::filesystem::path folder;  // empty: queues in memory
    std::vector<LogDestination> destinations;
    std::size_t queue_bytes_max = 64u << 20;  // of one subscription
    // The target of a logical destination's ARN; nothing: there is none.
    std::function<std::optional<std::string>(std::string_view arn)> resolve;
    std::function<void(const SubscriptionSite&, std::string_view destination_type, const Report&)> report;
    std::function<void()> wake;  // there is something for pump()
  };
  struct Stats {
    std::uint64_t delivered = 0, failed_attempts = 0, dropped = 0, waiting = 0, waiting_bytes = 0;
  };

  explicit SubscriptionDelivery(Deps deps) : deps_(std::move(deps)) {}
  ~SubscriptionDelivery();

  // Which subscriptions there are; queues of others are removed. Before the first offer, and on change.
  void set_sites(std::vector<SubscriptionSite> sites);
  // Queues a message with these events. In the system's hands when it returns; on disk after sync().
  void offer(const SubscriptionRule& rule, const EventBatch& batch, const std::vector<std::size_t>& rows);
  // The message by which a stream is probed when a filter is made.
  void offer_control(const SubscriptionSite& site);
  void sync();
  // Whether something stands behind the ARN.
  bool leads_somewhere(std::string_view arn) const;

  // Starts what is due.
  void pump(Timestamp now);
  std::optional<Timestamp> next_due(Timestamp now);
  bool idle();
  Stats stats();
  void forget(std::string_view account, std::string_view region);

 private:
  struct Target {
    enum class Kind { kWebhook, kLambda, kKinesis, kFirehose, kTopic, kFolder } kind = Kind::kWebhook;
    std::string to;
    std::string arn;  // of the thing itself
    const LogDestination* destination = nullptr;
  };
  struct Outlet {
    SubscriptionSite site;
    std::unique_ptr<Spool> spool;
    bool in_flight = false;
    bool dirty = false;
    bool removed = false;
    std::uint64_t number = 0;  // of the record in flight
    int attempts = 0;
    Timestamp due{};
    std::uint64_t dropped_seen = 0;
  };
  using OutletPtr = std::shared_ptr<Outlet>;
  struct Message {
    std::uint64_t events = 0;
    std::int64_t queued_ms = 0;
    std::string partition_key;
    std::string packed;
  };

  std::optional<Target> target_of(std::string_view arn) const;
  OutletPtr outlet_of(const SubscriptionSite& site);
  void queue(const SubscriptionSite& site, std::uint64_t events, std::string_view partition_key, std::string_view json);
  void start(const OutletPtr& outlet, std::unique_lock<std::mutex>& lock, Timestamp now);
  void done(const OutletPtr& outlet, std::uint64_t events, std::size_t bytes, int status, std::string_view type);
  OutboundRequest request_for(const Target& target, const Message& message) const;
  void count(const SubscriptionSite& site, std::string_view type, const Report& report);

  // Answers of endpoints may come after this has gone.
  struct Life {
    std::mutex mutex;
    bool over = false;
  };

  Deps deps_;
  std::shared_ptr<Life> life_ = std::make_shared<Life>();
  std::mutex mutex_;
  std::map<std::uint64_t, SubscriptionSite> sites_;
  std::map<std::uint64_t, OutletPtr> outlets_;
  std::size_t in_flight_ = 0;
  Stats stats_;
};

// The DATA_MESSAGE of these events, as JSON.
std::string data_message(const SubscriptionRule& rule, const EventBatch& batch, const std::vector<std::size_t>& rows);

}  // namespace fog::logs
