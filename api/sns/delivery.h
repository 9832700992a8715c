// DeliveryQueue: every message that waits for a subscriber, until it arrived or was given up.
//
// enqueue() writes one log record a message, whatever the number of its subscribers; a publication
// without subscribers never gets here. Deliveries are started at once and run in lanes: one lane a
// subscription (started in order, several at a time) or, for FIFO topics, one a subscription and
// message group (strictly one after the other). What fails is offered again in the phases of its
// retry policy, in virtual time, then goes to the dead-letter queue or is dropped.
//
// Durability: a message lives in the write-ahead log until it is done. One that has to wait is moved
// into the resource store, so that an endpoint that is down for hours does not hold back the log.
// At least once: what was delivered in the last moments before a crash may be delivered again.
//
// Log record: 'M' + JSON of StoredMessage, under the message's id; or 'D' + varint pairs (message
// id, index of the target) of finished deliveries, under id 0.
//
// Threads: any; one at a time pumps. Without a worker pool deliveries start in tick() only.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>
#include <vector>

#include "api/common/message_queues.h"
#include "api/common/outbox.h"
#include "api/sns/delivery_policy.h"
#include "api/sns/documents.h"
#include "api/sns/envelope.h"
#include "api/sns/options.h"
#include "api/sns/signer.h"
#include "api/sns/state.h"
#include "storage/base/outbound.h"
#include "storage/base/random.h"
#include "storage/base/worker.h"
#include "storage/base/worker_pool.h"
#include "storage/wal/wal.h"

namespace fog::sns {

// What became of one attempt, for metrics and delivery-status logs.
struct DeliveryReport {
  enum class Event { kDelivered, kFailedAttempt, kFailed, kRedriven, kRedriveFailed };
  Event event = Event::kDelivered;
  const StoredMessage* message = nullptr;
  std::string protocol{};
  std::string destination{};
  std::string subscription_arn{};
  int status_code = 0;
  std::string provider_response{};
  int attempts = 0;
  Timestamp now{};
  Millis dwell{0};
};

class DeliveryQueue final : public Worker {
 public:
  struct Deps {
    ResourceStore& resources;
    Wal& wal;
    Outbound& outbound;
    Outbox& outbox;
    const Clock& clock;
    Random& random;
    SnsState& state;
    Signer& signer;
    const Options& options;
    WorkerPool* pool = nullptr;
    MessageQueues* queues = nullptr;
  };
  struct Stats {
    std::uint64_t enqueued = 0, delivered = 0, failed_attempts = 0, given_up = 0, waiting = 0;
  };
  using Report = std::function<void(const DeliveryReport&)>;
  // Whether this number takes no messages.
  using OptedOut = std::function<bool(std::string_view account, std::string_view region, std::string_view number)>;

  explicit DeliveryQueue(Deps deps) : deps_(deps) { life_->queue = this; }
  ~DeliveryQueue() override;
  void on_report(Report report) { report_ = std::move(report); }
  void on_opted_out(OptedOut opted_out) { opted_out_ = std::move(opted_out); }

  // Before the first enqueue: what the resource store holds, then each record of the log.
  Status load();
  void replay(const Wal::Record& record);
  // Drops a scope (after reset).
  void forget(std::string_view account, std::string_view region);

  // The caller's answer waits for the LSN.
  Lsn enqueue(StoredMessage message);

  std::string_view name() const override { return "sns deliveries"; }
  std::optional<Timestamp> next_due(Timestamp now) override;
  void tick(Timestamp now) override;
  bool idle() override;
  Stats stats() const;

 private:
  struct Target {
    int attempts = 0;
    Timestamp due{};
    Timestamp first{};
    bool dead_letter = false;
    bool done = false;
  };
  struct Message {
    std::uint64_t id = 0;
    StoredMessage document{};
    std::vector<Target> targets{};
    std::size_t open = 0;
    Lsn lsn = 0;           // 0: not in the log (any more)
    bool spilled = false;  // in the resource store
    bool dirty = false;    // its document there is out of date
    std::map<const std::string*, Seal> seals{};  // by text; used by the pumping thread only
  };
  using MessagePtr = std::shared_ptr<Message>;
  struct Job {
    MessagePtr message;
    std::size_t target = 0;
  };
  struct Lane {
    std::string key;
    std::deque<Job> ready{};
    std::size_t in_flight = 0;
    Timestamp not_before{};  // throttled, or a FIFO lane that waits for its first message's retry
    bool fifo = false;
    bool listed = false;
  };
  struct Attempt {
    enum class Kind { kDelivered, kRetry, kRefused, kDropped };
    Kind kind = Kind::kDelivered;
    int status_code = 0;
    std::string response{};
  };
  // What one attempt needs to know, gathered without holding the queue.
  struct Route {
    SubscriptionPtr subscription{};
    std::string protocol{};
    std::string endpoint{};
    std::string subscription_arn{};
    std::string dead_letter_arn{};
    RetryPolicy retry{};
    std::optional<int> rate{};
    std::string content_type{};
    bool raw = false;
  };

  void wake();
  void pump();
  std::vector<Job> take_jobs(Timestamp now);
  void admit(const MessagePtr& message);  // mutex_ held
  void push_job(Job job, bool front);     // mutex_ held
  Lane& lane_of(const Job& job);          // mutex_ held
  std::optional<Route> route(const Message& message, std::size_t target) const;
  // False: its endpoint takes no more at this moment.
  bool start(const Job& job);
  void put_back(std::vector<Job> jobs);
  void deliver_http(const Job& job, const Route& route);
  void deliver_mail(const Job& job, const Route& route);
  void deliver_queue(const Job& job, const Route& route, const std::string& queue_arn);
  void deliver_lambda(const Job& job, const Route& route);
  void deliver_firehose(const Job& job, const Route& route);
  // Adds what the message says of itself, stores it, and ends the attempt.
  void keep_in_outbox(const Job& job, const Route& to, OutboxMessage out);
  void deliver_outbox(const Job& job, const Route& route, std::string text, std::string raw);
  void send_request(const Job& job, const Route& route, OutboundRequest request);
  void finish(const Job& job, const Route& route, Attempt attempt);
  void settle(Message& message, std::size_t target);  // mutex_ held: done for good
  void flush();
  Result<const Seal*> seal_of(Message& message, const std::string& text);

  Deps deps_;
  Report report_;
  OptedOut opted_out_;

  // What an answer that comes after the end finds: nobody.
  struct Life {
    std::mutex mutex;
    DeliveryQueue* queue = nullptr;
  };
  std::shared_ptr<Life> life_ = std::make_shared<Life>();

  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, MessagePtr> messages_;
  std::unordered_map<std::string, std::unique_ptr<Lane>> lanes_;
  std::deque<Lane*> active_;
  std::multimap<Timestamp, Job> retries_;
  std::set<Lsn> live_;  // of messages that only the log holds
  std::vector<std::pair<std::uint64_t, std::size_t>> done_;
  std::set<std::uint64_t> dirty_;
  std::vector<ResourceKey> erased_;
  std::size_t in_flight_ = 0;
  bool pumping_ = false, again_ = false, scheduled_ = false;
  std::condition_variable quiet_;
  Stats stats_;
};

}  // namespace fog::sns
