// SnsState: topics and subscriptions, kept in memory for every read and written through to the
// resource store.
//
// Documents are immutable once in the index: a change puts a new one in its place, so that a
// publication works on what it took without a lock. Handlers that read, decide and then write hold
// changes() meanwhile; it serialises changes only and readers never wait for it (or for the disk).
// Threads: any.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/sns/documents.h"
#include "query/filter_policy/filter_policy.h"
#include "storage/base/guarded.h"
#include "storage/resource_store.h"

namespace fog::sns {

struct SubscriptionEntry {
  StoredSubscription document{};
  std::optional<filter_policy::FilterPolicy> filter{};  // only when it filters
  bool raw = false;

  const std::string& attribute(const std::string& name) const;  // empty when absent
};
using SubscriptionPtr = std::shared_ptr<const SubscriptionEntry>;
using SubscriptionList = std::vector<SubscriptionPtr>;

struct TopicEntry {
  StoredTopic document{};
  bool fifo = false;

  const std::string& attribute(const std::string& name) const;
};
using TopicPtr = std::shared_ptr<const TopicEntry>;

class SnsState {
 public:
  explicit SnsState(ResourceStore& store) : store_(store) {}
  // Reads everything from the store; also after a reset or restore.
  Status load();
  // Drops a scope from memory after the store forgot it.
  void forget(std::string_view account, std::string_view region);

  std::mutex& changes() { return changes_; }
  ResourceStore& store() { return store_; }

  TopicPtr topic(std::string_view arn) const;
  // Those of a topic that are confirmed or waiting, in order of creation of their ARN's text.
  std::shared_ptr<const SubscriptionList> subscriptions_of(std::string_view topic_arn) const;
  struct Publication {
    TopicPtr topic;
    std::shared_ptr<const SubscriptionList> subscriptions;
  };
  Publication publication(std::string_view topic_arn) const;  // topic null: unknown

  SubscriptionPtr subscription(std::string_view arn) const;
  SubscriptionPtr subscription_by_endpoint(std::string_view topic_arn, std::string_view protocol,
                                           std::string_view endpoint) const;
  SubscriptionPtr subscription_by_token(std::string_view token) const;

  // Pages by ARN: up to `limit` behind `after`.
  std::vector<TopicPtr> topics(std::string_view account, std::string_view region, std::string_view after,
                               std::size_t limit) const;
  std::vector<SubscriptionPtr> subscriptions(std::string_view account, std::string_view region,
                                             std::string_view after, std::size_t limit) const;
  std::size_t topic_count(std::string_view account, std::string_view region, bool fifo) const;

  // Writes; changes() is held by the caller.
  Status put(StoredTopic topic);
  Status erase_topic(const std::string& arn, Timestamp now);  // its subscriptions lose their topic
  Status put(StoredSubscription subscription);
  // `keep`: the document stays for a while, reachable by its tokens only.
  Status erase_subscription(const std::string& arn, Timestamp now, std::optional<StoredSubscription> keep = {});

 private:
  struct Slot {
    TopicPtr topic;
    std::shared_ptr<const SubscriptionList> subscriptions = std::make_shared<SubscriptionList>();
  };
  struct Index {
    std::map<std::string, Slot, std::less<>> topics;
    std::map<std::string, SubscriptionPtr, std::less<>> subscriptions;
    std::map<std::string, std::string, std::less<>> by_endpoint;  // topic, protocol, endpoint -> ARN
    std::map<std::string, SubscriptionPtr, std::less<>> by_token;
  };
  static void insert(Index& index, SubscriptionPtr entry);
  static void remove(Index& index, const std::string& arn);

  ResourceStore& store_;
  std::mutex changes_;
  Guarded<Index> index_;
};

SubscriptionPtr make_entry(StoredSubscription document);

}  // namespace fog::sns
