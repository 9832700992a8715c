// Sqs: queues of this server: standard and FIFO, visibility, delay, long polls, dead letters, tags.
// Kept by the resource log; everything is in memory for readers.
//
// A message becomes visible, is received (and hidden for the visibility time), then deleted or
// visible again. A queue's `visible` set orders what may be received by the time it may. In a FIFO
// queue a group with a hidden message gives nothing more until that one is gone.
//
// Times are virtual, but for the waiting of a long poll. Threads: any.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "api/common/call.h"
#include "api/common/message_queues.h"
#include "api/common/resettable.h"
#include "api/sqs/documents.h"
#include "storage/base/random.h"
#include "storage/base/worker.h"
#include "storage/resource_store.h"
#include "storage/wal/resource_log.h"

namespace fog::sqs {

using QueueAttributeMap = std::map<std::string, std::string>;
using TagMap = std::map<std::string, std::string>;
using MessageBodyAttributeMap = std::map<std::string, MessageAttributeValue>;

struct QueueKey {
  std::string account{};
  std::string region{};
  std::string name{};
  auto operator<=>(const QueueKey&) const = default;
  bool is_fifo() const { return name.ends_with(".fifo"); }
};

class Sqs final : public MessageQueues, public Worker, public Resettable {
 public:
  struct Deps {
    ResourceStore& store;
    ResourceLog& log;
    const Clock& clock;
    Random& random;
  };
  explicit Sqs(Deps deps) : deps_(deps) {}
  Status load();

  // A message of a caller, checked but for what depends on the queue's settings.
  struct Draft {
    std::string body{};
    MessageBodyAttributeMap attributes{};
    std::string trace_header{};
    std::optional<std::int32_t> delay_seconds{};
    std::string group_id{};
    std::string deduplication_id{};
    std::string sender{};
  };
  struct Sent {
    std::string message_id{};
    std::string sequence_number{};
    Lsn lsn = 0;
  };
  struct Receive {
    std::int32_t count = 1;
    std::optional<std::int32_t> visibility_seconds{};
  };
  struct Received {
    StoredMessage message{};
    StoredReceipt receipt{};
    std::string handle{};
  };

  // Errors are faults of the service; queue_missing() where there is no such queue.
  Result<StoredQueue> create(const QueueKey& key, QueueAttributeMap attributes, TagMap tags, Lsn& lsn);
  Status erase(const QueueKey& key, Lsn& lsn);
  Status purge(const QueueKey& key, Lsn& lsn);
  Result<StoredQueue> find(const QueueKey& key);
  Status change(const QueueKey& key, const std::function<Status(StoredQueue&)>& edit, Lsn& lsn);
  // Names, ascending, behind `after`.
  std::vector<std::string> list(std::string_view account, std::string_view region, std::string_view prefix, std::string_view after,
                                std::size_t limit);
  std::vector<std::string> dead_letter_sources(const QueueKey& key);
  struct Counts {
    std::size_t visible = 0, hidden = 0, delayed = 0;
  };
  Counts counts(const QueueKey& key);

  Result<Sent> send(const QueueKey& key, Draft draft);
  Result<std::vector<Received>> receive(const QueueKey& key, const Receive& how, Lsn& lsn);
  // Unknown messages of a well-formed handle are no error.
  Status remove(const QueueKey& key, const std::string& handle, Lsn& lsn);
  Status change_visibility(const QueueKey& key, const std::string& handle, std::int32_t seconds, Lsn& lsn);

  // --- long polls ---
  // When this call of `request_id` must answer; set at its first asking.
  std::chrono::steady_clock::time_point poll_until(const std::string& request_id, std::chrono::seconds wait);
  void forget_poll(const std::string& request_id);
  // Wakes once a message may be there or the time is over.
  void when_ready(const QueueKey& key, std::chrono::steady_clock::time_point until, std::function<void()> wake);
  // Every poll answers now; before the server stops.
  void end_polls();
  bool is_stopping() const { return stopping_; }

  Status send(std::string_view queue_arn, QueueMessage message) override;
  std::string_view name() const override { return "sqs"; }
  std::optional<Timestamp> next_due(Timestamp now) override;
  void tick(Timestamp now) override;
  Status reset(std::string_view account, std::string_view region) override;
  const Clock& clock() const { return deps_.clock; }

 private:
  struct Entry {
    StoredMessage message{};
    StoredReceipt receipt{};  // count 0: never received
  };
  struct Seen {
    Timestamp until{};
    Sent sent{};
  };
  struct Waiter {
    std::chrono::steady_clock::time_point until{};
    std::function<void()> wake{};
  };
  struct Queue {
    StoredQueue document{};
    std::map<std::int64_t, Entry> messages{};
    std::set<std::pair<std::int64_t, std::int64_t>> by_visible{};  // (visible from, id)
    std::map<std::string, Seen> seen{};                            // FIFO: deduplication
    std::vector<Waiter> waiters{};
    std::optional<Timestamp> purged{};

    std::int64_t number(const std::string& attribute, std::int64_t otherwise) const;
    bool is_true(const std::string& attribute) const;
  };
  using Batch = std::vector<ResourceStore::Change>;
  using Wakes = std::vector<std::function<void()>>;

  // All below: mutex_ held.
  Result<Queue*> queue(const QueueKey& key);
  Result<Sent> add(const QueueKey& key, Queue& queue, Draft draft, Batch& batch, Timestamp now);
  void place(Queue& queue, Entry entry);
  void take_out(const QueueKey& key, Queue& queue, std::int64_t id, Batch& batch);
  bool move_to_dead_letters(const QueueKey& key, Queue& queue, const Entry& entry, Batch& batch, Timestamp now, Wakes& wakes);
  bool has_visible(Queue& queue, bool fifo, Timestamp now);
  void write_message(const QueueKey& key, const StoredMessage& message, Batch& batch);
  void write_receipt(const QueueKey& key, const Entry& entry, Batch& batch);
  Result<Lsn> commit(Batch batch);

  Deps deps_;
  std::mutex mutex_;
  std::map<QueueKey, Queue> queues_;
  std::mutex polls_mutex_;
  std::map<std::string, std::chrono::steady_clock::time_point> polls_;
  std::atomic<bool> stopping_{false};
};

Error queue_missing();
std::string queue_arn(const QueueKey& key);
// An ARN of a queue; nothing: not one.
std::optional<QueueKey> parse_queue_arn(std::string_view arn);
std::string md5_hex(std::string_view bytes);
std::string md5_of_attributes(const MessageBodyAttributeMap& attributes);
// The settings a caller may give, checked; the stored form.
Status check_queue_attributes(const QueueAttributeMap& attributes, bool fifo, bool creating);

inline constexpr std::int64_t kMessageBytesMax = 1'048'576;

}  // namespace fog::sqs
