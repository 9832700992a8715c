// Sns: the service as one object: state, delivery queue, signing key, FIFO bookkeeping. Handlers find
// it through their Call; main opens it, replays the log into it and runs its worker.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "api/common/call.h"
#include "api/common/resettable.h"
#include "api/common/topic_publisher.h"
#include "api/sns/delivery.h"
#include "api/sns/options.h"
#include "api/sns/signer.h"
#include "api/sns/state.h"
#include "api/sns/telemetry.h"
#include "storage/base/guarded.h"
#include "storage/wal/resource_log.h"

namespace fog::sns {

// A message a caller wants to publish, whatever operation it came by.
struct Draft {
  std::string message{};
  std::optional<std::string> subject{};
  std::optional<std::string> structure{};
  std::map<std::string, MessageAttributeValue> attributes{};
  std::optional<std::string> deduplication_id{};
  std::optional<std::string> group_id{};
};

// A checked draft: the texts a protocol may ask for.
struct Checked {
  std::string message{};
  std::map<std::string, std::string> bodies{};
};

struct Published {
  std::string message_id{};
  std::optional<std::string> sequence_number{};
  Lsn lsn = 0;
};

// Who publishes: only what delivery needs of a Call.
struct Publisher {
  std::string account{};
  std::string region{};
  std::string base_url{};
  std::string principal{};
  std::string trace_header{};
  Timestamp now{};
};

class Sns final : public TopicPublisher, public Resettable {
 public:
  struct Deps {
    ResourceStore& resources;
    Wal& wal;
    Outbound& outbound;
    Outbox& outbox;
    const Clock& clock;
    Random& random;
    WorkerPool* pool = nullptr;       // null: deliveries start in tick() only
    MessageQueues* queues = nullptr;  // null: no queues here
    ResourceLog* log = nullptr;       // null: archives are written at once
  };
  Sns(Deps deps, Options options);
  ~Sns() override;

  // Reads the resource store; then main passes records of StoreId::kDeliveries to deliveries().replay().
  Status load();

  SnsState& state() { return state_; }
  DeliveryQueue& deliveries() { return deliveries_; }
  Signer& signer() { return signer_; }
  Telemetry& telemetry() { return telemetry_; }
  const Options& options() const { return options_; }
  // Known once the server listens; before the first request.
  void set_default_url(std::string url) { options_.default_url = std::move(url); }
  std::string base_url(const Call& call) const;
  Random& random() { return deps_.random; }
  const Clock& clock() const { return deps_.clock; }
  Outbox& outbox() { return deps_.outbox; }

  // Queues the draft for whoever wants it. The draft and the topic were checked.
  Result<Published> publish(const Publisher& publisher, const SnsState::Publication& to, const Draft& draft,
                            Checked checked);
  // Straight to a number or a mobile endpoint.
  Result<Published> publish_direct(const Publisher& publisher, std::string protocol, std::string endpoint,
                                   const Draft& draft, Checked checked);
  // Delivers archived messages of the window to the subscription once more; how many. The newest LSN in `lsn`.
  Result<std::size_t> replay(const SubscriptionEntry& subscription, const struct ReplayWindow& window, Timestamp now, Lsn& lsn);
  // Housekeeping, once an hour.
  void trim(Timestamp now);
  // A SubscriptionConfirmation or UnsubscribeConfirmation.
  Lsn send_confirmation(const Call& call, std::string_view kind, const StoredSubscription& subscription,
                        const std::string& token);

  Result<std::string> publish(const TopicMessage& message) override;
  Status reset(std::string_view account, std::string_view region) override;

 private:
  // One per FIFO topic: what was published in the last five minutes.
  struct Fifo {
    std::uint64_t last_sequence = 0;
    struct Seen {
      Timestamp until{};
      std::string message_id{};
      std::string sequence_number{};
    };
    std::map<std::string, Seen> seen{};
  };

  struct Bodies;
  bool wants(const SubscriptionEntry& subscription, const TopicEntry& topic, const std::map<std::string, MessageAttributeValue>& attributes,
             const std::string& message, const std::map<std::string, std::string>& texts, Bodies& bodies);

  Deps deps_;
  Options options_;
  SnsState state_;
  Signer signer_;
  Telemetry telemetry_;
  Guarded<std::map<std::string, Fifo>> fifo_;
  DeliveryQueue deliveries_;
};

// The checks of 4.1 to 4.3, shared by Publish and PublishBatch. `topic_arn` empty: not to a topic.
Result<Checked> check_draft(const Draft& draft, bool to_topic, bool is_fifo, bool content_based);
Status check_message_attributes(const std::map<std::string, MessageAttributeValue>& attributes);
std::size_t message_bytes(const Draft& draft);
bool valid_phone_number(std::string_view number);

// Puts a number on the list of those who take no messages.
Status opt_out(Sns& sns, std::string_view account, std::string_view region, const std::string& number);

inline constexpr std::size_t kMessageBytesMax = 262'144;

}  // namespace fog::sns
