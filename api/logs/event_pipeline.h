// EventPipeline: what happens behind a write: metric filters, embedded metrics, Lambda's platform
// lines, subscription filters, live tail, and the service's own counters.
//
//   accepted events -> copied, if anybody asks for them -> a thread of its own: match, put metrics,
//   queue deliveries, tell live tail
//
// Nothing of it costs the writer more than the copy; when the queue is full, the writer helps.
// Durability: what an acknowledged event leads to is never lost. Records of kEventPipelineStore in the
// write-ahead log say which batches are done; at recovery the others are done again, so that a crash
// may double the very last samples and deliveries, and loses none.
//
// Record: kind 1 byte, then LSNs of batches as varints. 'H': work is outstanding. 'M': metrics are in
// the log before this record. 'S': deliveries are in their queues on disk.
//
// Threads: any.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "api/common/log_listener.h"
#include "api/common/metric_sink.h"
#include "api/common/resettable.h"
#include "api/common/topic_publisher.h"
#include "api/logs/destination_target.h"
#include "api/logs/event_batch.h"
#include "api/logs/live_tail.h"
#include "api/logs/metric_emission.h"
#include "api/logs/subscription_delivery.h"
#include "storage/base/background.h"
#include "storage/base/worker.h"
#include "storage/wal/wal.h"

namespace fog::logs {

inline constexpr StoreId kEventPipelineStore = static_cast<StoreId>(6);

struct EventPipelineOptions {
  bool lambda_metrics = true;   // AWS/Lambda from platform lines
  bool service_metrics = true;  // AWS/Logs
  std::filesystem::path spools;  // empty: queues in memory
  std::vector<LogDestination> destinations;
  std::size_t subscription_queue_bytes_max = 64u << 20;
  std::size_t live_tail_sessions_max = 64;  // of an account and region
  std::size_t queue_bytes_max = 64u << 20;
  bool own_thread = true;  // false: tick() does everything (tests)
};

class EventPipeline final : public LogListener, public Worker, public Resettable {
 public:
  struct Deps {
    Logs& logs;
    ResourceStore& resources;
    Wal& wal;
    const Clock& clock;
    Random& random;
    MetricSink* metrics = nullptr;
    TopicPublisher* topics = nullptr;
    Outbound* outbound = nullptr;
  };
  struct Stats {
    std::uint64_t batches = 0, events = 0;  // taken in
    std::uint64_t waiting_bytes = 0;
    std::uint64_t metric_datums = 0, metric_failures = 0;
    std::uint64_t embedded_documents = 0, embedded_errors = 0;
    std::uint64_t replayed_batches = 0;
    std::size_t live_tail_sessions = 0;
    SubscriptionDelivery::Stats deliveries;
  };

  EventPipeline(Deps deps, EventPipelineOptions options);
  ~EventPipeline() override;

  // Recovery: each record of StoreId::kLogs and of kEventPipelineStore in order, when the groups are
  // known; then recovered(), which begins the work.
  void replay(const Wal::Record& record);
  void recovered();
  void stop();  // no work after it returns; what is outstanding is done at the next start

  void on_log_batch(const CommittedLogBatch& batch) override;

  std::string_view name() const override { return "log-pipeline"; }
  std::optional<Timestamp> next_due(Timestamp now) override;
  void tick(Timestamp now) override;
  bool idle() override;
  Status reset(std::string_view account, std::string_view region) override;

  EventFilters& filters() { return filters_; }
  SubscriptionDelivery& deliveries() { return deliveries_; }
  LiveTail& live_tail() { return live_tail_; }
  Logs& logs() { return deps_.logs; }
  // After filters or account policies changed.
  void subscriptions_changed();
  void wake();
  // Counts something in AWS/Logs, once a minute: `dimensions` are names and values.
  void count(std::string_view account, std::string_view region, std::string_view metric, std::string_view unit,
             std::vector<std::pair<std::string, std::string>> dimensions, double value);
  Stats stats();

 private:
  enum Todo : unsigned { kMetrics = 1, kDeliveries = 2 };
  struct Queue {
    std::deque<EventBatch> batches;
    std::size_t bytes = 0;
  };
  struct DefaultMinute {
    StoredDefaultSample sample;
    ResourceKey key;
    bool settled = false;  // matched, or published
  };
  struct Counter {
    std::string account, region, metric;
    std::vector<std::pair<std::string, std::string>> dimensions;
    UnitCode unit = 0;
    double sum = 0;
  };
  struct Incoming {
    std::string account, region, group;
    std::uint64_t bytes = 0, events = 0;
  };

  EventBatch batch_of(const Group& group, const CommittedLogBatch& batch, GroupPlanPtr plan) const;
  void enqueue(EventBatch batch, unsigned todo);
  bool process_some();
  void process(std::vector<EventBatch> batches);
  void put(MetricEmission& emission, const std::vector<Lsn>& measured);
  void deliver(const std::vector<EventBatch>& batches, std::vector<Lsn>& done);
  void minute_seen(const EventBatch& batch, const FilterMinute& minute);
  void load_defaults();
  void publish_defaults(Timestamp now);
  void publish_counters(Timestamp now);
  void mark(char kind, const std::vector<Lsn>& lsns, Todo done);
  void settle_marks(bool force);
  Millis work();

  Deps deps_;
  EventPipelineOptions options_;
  EventFilters filters_;
  LiveTail live_tail_;
  SubscriptionDelivery deliveries_;

  Guarded<Queue> queue_;
  std::mutex processing_;  // held by whoever works on batches; guards what follows
  std::unordered_map<std::string, LambdaStates> lambda_;
  std::vector<MetricEmission::Share> unput_;  // metrics the store refused for now
  std::vector<Lsn> unput_marks_;              // batches they came from
  std::vector<Lsn> undelivered_marks_;  // offered, their queues not yet synced
  std::chrono::steady_clock::time_point synced_{};
  std::map<std::string, DefaultMinute> defaults_;

  std::mutex marks_;  // guards what follows
  std::map<Lsn, unsigned> outstanding_;  // what is left to do of a batch
  Lsn latest_record_ = 0;
  Lsn applied_ = 0;
  std::deque<std::pair<std::chrono::steady_clock::time_point, Lsn>> passed_;  // last LSNs of the past seconds

  Guarded<std::unordered_map<LogGroupId, Incoming>> incoming_;
  Guarded<std::map<std::string, Counter>> counters_;
  std::atomic<std::int64_t> counting_since_ms_{0};

  std::map<Lsn, std::pair<std::string, std::pair<LogGroupId, unsigned>>> replayed_;
  std::atomic<std::uint64_t> batches_{0}, events_{0}, datums_{0}, metric_failures_{0}, documents_{0}, embedded_errors_{0},
      replayed_batches_{0};
  std::atomic<std::int64_t> sites_checked_ms_{0};
  std::unique_ptr<BackgroundThread> thread_;
};

}  // namespace fog::logs
