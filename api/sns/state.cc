#include "api/sns/state.h"

#include "api/codec/json.h"
#include "storage/base/log.h"

namespace fog::sns {
namespace {

constexpr std::string_view kTopicKind = "sns-topic";
constexpr std::string_view kSubscriptionKind = "sns-subscription";
// How long documents of deleted topics' subscriptions and of unsubscribed endpoints stay.
constexpr std::chrono::hours kGoneKept{48};

const std::string kNone;

template <typename Map>
const std::string& value_of(const Map& map, const std::string& name) {
  const auto found = map.find(name);
  return found == map.end() ? kNone : found->second;
}

std::string endpoint_key(std::string_view topic, std::string_view protocol, std::string_view endpoint) {
  std::string key(topic);
  key += '\n';
  key += protocol;
  key += '\n';
  key += endpoint;
  return key;
}

ResourceKey key_of(const StoredTopic& t) { return {std::string(kTopicKind), t.account, t.region, t.arn}; }
ResourceKey key_of(const StoredSubscription& s) {
  return {std::string(kSubscriptionKind), s.account, s.region, s.arn};
}

bool in_scope(std::string_view own, std::string_view scope) { return scope.empty() || own == scope; }

}  // namespace

const std::string& SubscriptionEntry::attribute(const std::string& name) const {
  return value_of(document.attributes, name);
}
const std::string& TopicEntry::attribute(const std::string& name) const {
  return value_of(document.attributes, name);
}

SubscriptionPtr make_entry(StoredSubscription document) {
  auto entry = std::make_shared<SubscriptionEntry>();
  entry->document = std::move(document);
  entry->raw = entry->attribute("RawMessageDelivery") == "true";
  if (const auto& policy = entry->attribute("FilterPolicy"); !policy.empty()) {
    const auto scope = entry->attribute("FilterPolicyScope") == "MessageBody"
                           ? filter_policy::Scope::kMessageBody
                           : filter_policy::Scope::kMessageAttributes;
    auto parsed = filter_policy::FilterPolicy::parse(policy, scope);
    if (parsed.ok() && !parsed->empty()) entry->filter = std::move(parsed).value();
  }
  return entry;
}

void SnsState::insert(Index& index, SubscriptionPtr entry) {
  const StoredSubscription& doc = entry->document;
  remove(index, doc.arn);
  for (const auto& token : doc.tokens) index.by_token[token.token] = entry;
  if (doc.gone_ms && !doc.topic_gone) return;  // unsubscribed: its tokens only
  index.subscriptions[doc.arn] = entry;
  if (doc.topic_gone) return;
  index.by_endpoint[endpoint_key(doc.topic_arn, doc.protocol, doc.endpoint)] = doc.arn;
  const auto slot = index.topics.find(doc.topic_arn);
  if (slot == index.topics.end()) return;
  auto list = std::make_shared<SubscriptionList>(*slot->second.subscriptions);
  const auto place = std::lower_bound(list->begin(), list->end(), doc.arn, [](const auto& a, const auto& b) {
    return a->document.arn < b;
  });
  list->insert(place, entry);
  slot->second.subscriptions = std::move(list);
}

void SnsState::remove(Index& index, const std::string& arn) {
  // A document reachable only by tokens has no entry here; its tokens are overwritten or expire.
  const auto found = index.subscriptions.find(arn);
  if (found == index.subscriptions.end()) return;
  const SubscriptionPtr old = found->second;
  const StoredSubscription& doc = old->document;
  for (const auto& token : doc.tokens) index.by_token.erase(token.token);
  index.by_endpoint.erase(endpoint_key(doc.topic_arn, doc.protocol, doc.endpoint));
  if (const auto slot = index.topics.find(doc.topic_arn); slot != index.topics.end()) {
    auto list = std::make_shared<SubscriptionList>(*slot->second.subscriptions);
    std::erase_if(*list, [&](const auto& s) { return s->document.arn == arn; });
    slot->second.subscriptions = std::move(list);
  }
  index.subscriptions.erase(found);
}

Status SnsState::load() {
  Index fresh;
  store_.for_each(kTopicKind, [&](const Resource& resource) {
    auto document = decode_json<StoredTopic>(resource.document);
    if (!document.ok()) {
      LOG_ERROR("topic document {} is damaged: {}", resource.key.name, document.error().message());
      return;
    }
    auto entry = std::make_shared<TopicEntry>();
    entry->document = std::move(document).value();
    entry->fifo = entry->document.name.ends_with(".fifo");
    fresh.topics[entry->document.arn].topic = std::move(entry);
  });
  // Lists are filled in place here; insert() would copy each list once a subscription.
  std::map<std::string, SubscriptionList> lists;
  store_.for_each(kSubscriptionKind, [&](const Resource& resource) {
    auto document = decode_json<StoredSubscription>(resource.document);
    if (!document.ok()) {
      LOG_ERROR("subscription document {} is damaged: {}", resource.key.name, document.error().message());
      return;
    }
    const SubscriptionPtr entry = make_entry(std::move(document).value());
    const StoredSubscription& doc = entry->document;
    for (const auto& token : doc.tokens) fresh.by_token[token.token] = entry;
    if (doc.gone_ms && !doc.topic_gone) return;
    fresh.subscriptions[doc.arn] = entry;
    if (doc.topic_gone) return;
    fresh.by_endpoint[endpoint_key(doc.topic_arn, doc.protocol, doc.endpoint)] = doc.arn;
    lists[doc.topic_arn].push_back(entry);
  });
  for (auto& [arn, list] : lists) {
    const auto slot = fresh.topics.find(arn);
    if (slot == fresh.topics.end()) continue;
    std::sort(list.begin(), list.end(),
              [](const auto& a, const auto& b) { return a->document.arn < b->document.arn; });
    slot->second.subscriptions = std::make_shared<SubscriptionList>(std::move(list));
  }
  *index_.lock() = std::move(fresh);
  return Ok{};
}

void SnsState::forget(std::string_view account, std::string_view region) {
  auto index = index_.lock();
  std::erase_if(index->topics, [&](const auto& t) {
    const auto& doc = t.second.topic->document;
    return in_scope(doc.account, account) && in_scope(doc.region, region);
  });
  const auto gone = [&](const auto& s) {
    const auto& doc = s.second->document;
    return in_scope(doc.account, account) && in_scope(doc.region, region);
  };
  for (const auto& [arn, entry] : index->subscriptions) {
    const auto& doc = entry->document;
    if (in_scope(doc.account, account) && in_scope(doc.region, region))
      index->by_endpoint.erase(endpoint_key(doc.topic_arn, doc.protocol, doc.endpoint));
  }
  std::erase_if(index->subscriptions, gone);
  std::erase_if(index->by_token, gone);
}

TopicPtr SnsState::topic(std::string_view arn) const {
  const auto index = index_.lock_shared();
  const auto found = index->topics.find(arn);
  return found == index->topics.end() ? nullptr : found->second.topic;
}

std::shared_ptr<const SubscriptionList> SnsState::subscriptions_of(std::string_view topic_arn) const {
  return publication(topic_arn).subscriptions;
}

SnsState::Publication SnsState::publication(std::string_view topic_arn) const {
  const auto index = index_.lock_shared();
  const auto found = index->topics.find(topic_arn);
  if (found == index->topics.end()) return {};
  return {found->second.topic, found->second.subscriptions};
}

SubscriptionPtr SnsState::subscription(std::string_view arn) const {
  const auto index = index_.lock_shared();
  const auto found = index->subscriptions.find(arn);
  return found == index->subscriptions.end() ? nullptr : found->second;
}

SubscriptionPtr SnsState::subscription_by_endpoint(std::string_view topic_arn, std::string_view protocol,
                                                   std::string_view endpoint) const {
  const auto index = index_.lock_shared();
  const auto arn = index->by_endpoint.find(endpoint_key(topic_arn, protocol, endpoint));
  if (arn == index->by_endpoint.end()) return nullptr;
  const auto found = index->subscriptions.find(arn->second);
  return found == index->subscriptions.end() ? nullptr : found->second;
}

SubscriptionPtr SnsState::subscription_by_token(std::string_view token) const {
  const auto index = index_.lock_shared();
  const auto found = index->by_token.find(token);
  return found == index->by_token.end() ? nullptr : found->second;
}

std::vector<TopicPtr> SnsState::topics(std::string_view account, std::string_view region, std::string_view after,
                                       std::size_t limit) const {
  std::vector<TopicPtr> out;
  const auto index = index_.lock_shared();
  for (auto it = after.empty() ? index->topics.begin() : index->topics.upper_bound(after);
       it != index->topics.end() && out.size() < limit; ++it) {
    const auto& doc = it->second.topic->document;
    if (doc.account == account && doc.region == region) out.push_back(it->second.topic);
  }
  return out;
}

std::vector<SubscriptionPtr> SnsState::subscriptions(std::string_view account, std::string_view region,
                                                     std::string_view after, std::size_t limit) const {
  std::vector<SubscriptionPtr> out;
  const auto index = index_.lock_shared();
  for (auto it = after.empty() ? index->subscriptions.begin() : index->subscriptions.upper_bound(after);
       it != index->subscriptions.end() && out.size() < limit; ++it) {
    const auto& doc = it->second->document;
    if (doc.account == account && doc.region == region && !doc.topic_gone) out.push_back(it->second);
  }
  return out;
}

std::size_t SnsState::topic_count(std::string_view account, std::string_view region, bool fifo) const {
  const auto index = index_.lock_shared();
  return static_cast<std::size_t>(
      std::count_if(index->topics.begin(), index->topics.end(), [&](const auto& t) {
        const auto& doc = t.second.topic->document;
        return doc.account == account && doc.region == region && t.second.topic->fifo == fifo;
      }));
}

Status SnsState::put(StoredTopic document) {
  TRYV(store_.put(key_of(document), encode_json(document)));
  auto entry = std::make_shared<TopicEntry>();
  entry->document = std::move(document);
  entry->fifo = entry->document.name.ends_with(".fifo");
  auto index = index_.lock();
  index->topics[entry->document.arn].topic = std::move(entry);
  return Ok{};
}

Status SnsState::erase_topic(const std::string& arn, Timestamp now) {
  const Publication old = publication(arn);
  if (!old.topic) return Ok{};
  std::vector<ResourceStore::Change> batch;
  batch.push_back({key_of(old.topic->document), std::nullopt});
  std::vector<SubscriptionPtr> orphans;
  for (const auto& entry : *old.subscriptions) {
    StoredSubscription doc = entry->document;
    doc.topic_gone = true;
    doc.gone_ms = to_ms(now);
    doc.tokens.clear();
    batch.push_back({key_of(doc), encode_json(doc)});
    orphans.push_back(make_entry(std::move(doc)));
  }
  // Those whose topic went long ago are cleared out on the way.
  {
    const auto index = index_.lock_shared();
    for (const auto& [other, entry] : index->subscriptions) {
      if (entry->document.topic_gone && from_ms(entry->document.gone_ms.value_or(0)) + kGoneKept < now)
        batch.push_back({key_of(entry->document), std::nullopt});
    }
  }
  const auto changes = batch;
  TRYV(store_.apply(std::move(batch)));
  auto index = index_.lock();
  for (const auto& change : changes) {
    if (!change.document && change.key.kind == kSubscriptionKind) index->subscriptions.erase(change.key.name);
  }
  for (auto& orphan : orphans) insert(*index, std::move(orphan));
  index->topics.erase(arn);
  return Ok{};
}

Status SnsState::put(StoredSubscription document) {
  TRYV(store_.put(key_of(document), encode_json(document)));
  const SubscriptionPtr entry = make_entry(std::move(document));
  auto index = index_.lock();
  insert(*index, entry);
  return Ok{};
}

Status SnsState::erase_subscription(const std::string& arn, Timestamp now, std::optional<StoredSubscription> keep) {
  const SubscriptionPtr old = subscription(arn);
  if (!old) return Ok{};
  std::vector<ResourceStore::Change> batch;
  SubscriptionPtr kept;
  if (keep) {
    keep->gone_ms = to_ms(now);
    batch.push_back({key_of(*keep), encode_json(*keep)});
    kept = make_entry(std::move(*keep));
  } else {
    batch.push_back({key_of(old->document), std::nullopt});
  }
  TopicPtr counted;
  if (const TopicPtr owner = topic(old->document.topic_arn)) {
    auto updated = std::make_shared<TopicEntry>(*owner);
    ++updated->document.subscriptions_deleted;
    batch.push_back({key_of(updated->document), encode_json(updated->document)});
    counted = std::move(updated);
  }
  TRYV(store_.apply(std::move(batch)));
  auto index = index_.lock();
  remove(*index, arn);
  if (kept) insert(*index, kept);
  if (counted) index->topics[counted->document.arn].topic = counted;
  return Ok{};
}

}  // namespace fog::sns
