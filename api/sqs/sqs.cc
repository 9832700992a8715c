#include "api/sqs/sqs.h"

#include <fmt/format.h>

#include <charconv>

#include <nlohmann/json.hpp>

#include "api/codec/json.h"
#include "api/common/fault.h"
#include "storage/base/hash.h"
#include "storage/base/log.h"

namespace fog::sqs {
namespace {

constexpr std::string_view kQueueKind = "sqs-queue";
constexpr std::string_view kMessageKind = "sqs-message";
constexpr std::string_view kReceiptKind = "sqs-receipt";
constexpr std::chrono::minutes kDeduplicationWindow{5};
constexpr std::chrono::seconds kPurgePause{60};
constexpr std::size_t kHiddenMax = 120'000;
constexpr std::size_t kHiddenFifoMax = 20'000;
// Polls are looked at once a second; one that ends within this ends now.
constexpr std::chrono::milliseconds kPollGrain{500};

ResourceKey queue_document(const QueueKey& key) { return {std::string(kQueueKind), key.account, key.region, key.name}; }

ResourceKey message_document(std::string_view kind, const QueueKey& key, std::int64_t id) {
  return {std::string(kind), key.account, key.region, fmt::format("{}/{:020}", key.name, id)};
}

// What a handle holds: the message's number and how often it had been received.
std::string make_handle(const QueueKey& key, std::int64_t id, std::int64_t count) {
  return fmt::format("FWQ{:016x}{:08x}{:08x}", id, count & 0xffffffff, hash64(key.name) & 0xffffffff);
}

std::optional<std::int64_t> id_of_handle(const std::string& handle) {
  if (handle.size() != 35 || !handle.starts_with("FWQ")) return std::nullopt;
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(handle.data() + 3, handle.data() + 19, id, 16);
  if (error != std::errc{} || end != handle.data() + 19) return std::nullopt;
  return id;
}

Error bad_handle(const std::string& handle) {
  return fault(ReceiptHandleIsInvalid{.message = fmt::format("The input receipt handle \"{}\" is not a valid receipt handle.", handle)});
}

struct Redrive {
  std::string target;
  std::int64_t receives_max = 0;
};

std::optional<Redrive> redrive_of(const StoredQueue& queue) {
  const auto text = queue.attributes.find("RedrivePolicy");
  if (text == queue.attributes.end()) return std::nullopt;
  const auto policy = nlohmann::json::parse(text->second, nullptr, false);
  if (!policy.is_object() || !policy.contains("deadLetterTargetArn") || !policy["deadLetterTargetArn"].is_string()) return std::nullopt;
  Redrive out{.target = policy["deadLetterTargetArn"].get<std::string>()};
  const auto count = policy.find("maxReceiveCount");
  if (count != policy.end() && count->is_number_integer()) out.receives_max = count->get<std::int64_t>();
  if (count != policy.end() && count->is_string()) out.receives_max = std::atoll(count->get<std::string>().c_str());
  if (out.receives_max < 1) return std::nullopt;
  return out;
}

}  // namespace

Error queue_missing() { return fault(QueueDoesNotExist{.message = "The specified queue does not exist."}); }

std::string queue_arn(const QueueKey& key) {
  return fmt::format("arn:{}:sqs:{}:{}:{}", partition_of(key.region), key.region, key.account, key.name);
}

std::optional<QueueKey> parse_queue_arn(std::string_view arn) {
  std::string_view parts[5];
  for (auto& part : parts) {
    const std::size_t colon = arn.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    part = arn.substr(0, colon);
    arn.remove_prefix(colon + 1);
  }
  if (parts[0] != "arn" || parts[2] != "sqs" || arn.empty() || arn.find(':') != std::string_view::npos) return std::nullopt;
  return QueueKey{std::string(parts[4]), std::string(parts[3]), std::string(arn)};
}

std::int64_t Sqs::Queue::number(const std::string& attribute, std::int64_t otherwise) const {
  const auto found = document.attributes.find(attribute);
  return found == document.attributes.end() ? otherwise : std::atoll(found->second.c_str());
}

bool Sqs::Queue::is_true(const std::string& attribute) const {
  const auto found = document.attributes.find(attribute);
  return found != document.attributes.end() && found->second == "true";
}

// --- what survives --------------------------------------------------------------------------------

Status Sqs::load() {
  const std::lock_guard lock(mutex_);
  const auto damaged = [](const Resource& resource, const Error& error) {
    LOG_ERROR("queue document {} is damaged: {}", resource.key.name, error.message());
  };
  deps_.store.for_each(kQueueKind, [&](const Resource& resource) {
    auto document = decode_json<StoredQueue>(resource.document);
    if (!document.ok()) return damaged(resource, document.error());
    queues_[{resource.key.account, resource.key.region, resource.key.name}].document = std::move(document).value();
  });
  deps_.store.for_each(kMessageKind, [&](const Resource& resource) {
    const std::size_t slash = resource.key.name.rfind('/');
    const auto queue = queues_.find({resource.key.account, resource.key.region, resource.key.name.substr(0, slash)});
    auto document = decode_json<StoredMessage>(resource.document);
    if (!document.ok()) return damaged(resource, document.error());
    if (queue == queues_.end()) return;
    Entry entry;
    entry.message = std::move(document).value();
    const auto receipt = deps_.store.get({std::string(kReceiptKind), resource.key.account, resource.key.region, resource.key.name});
    if (receipt) {
      if (auto read = decode_json<StoredReceipt>(*receipt); read.ok()) entry.receipt = std::move(read).value();
    }
    const auto id = entry.message.system.find("MessageDeduplicationId");
    if (id != entry.message.system.end()) {
      queue->second.seen[id->second] = {from_ms(entry.message.sent_ms) + kDeduplicationWindow,
                                        {entry.message.message_id, entry.message.system["SequenceNumber"], 0}};
    }
    place(queue->second, std::move(entry));
  });
  return Ok{};
}

void Sqs::write_message(const QueueKey& key, const StoredMessage& message, Batch& batch) {
  batch.push_back({message_document(kMessageKind, key, message.id), encode_json(message)});
}

void Sqs::write_receipt(const QueueKey& key, const Entry& entry, Batch& batch) {
  batch.push_back({message_document(kReceiptKind, key, entry.message.id), encode_json(entry.receipt)});
}

Result<Lsn> Sqs::commit(Batch batch) {
  if (batch.empty()) return Lsn{0};
  return deps_.log.put(std::move(batch));
}

Status Sqs::reset(std::string_view account, std::string_view region) {
  end_polls();
  stopping_ = false;
  const std::lock_guard lock(mutex_);
  std::erase_if(queues_, [&](const auto& queue) {
    return (account.empty() || queue.first.account == account) && (region.empty() || queue.first.region == region);
  });
  return Ok{};
}

// --- queues -----------------------------------------------------------------------------------------

Result<Sqs::Queue*> Sqs::queue(const QueueKey& key) {
  const auto found = queues_.find(key);
  if (found == queues_.end()) return queue_missing();
  return &found->second;
}

Result<StoredQueue> Sqs::create(const QueueKey& key, QueueAttributeMap attributes, TagMap tags, Lsn& lsn) {
  const std::lock_guard lock(mutex_);
  if (const auto found = queues_.find(key); found != queues_.end()) {
    for (const auto& [name, value] : attributes) {
      const auto stored = found->second.document.attributes.find(name);
      if (stored == found->second.document.attributes.end() ? !value.empty() : stored->second != value)
        return fault(QueueNameExists{
            .message = fmt::format("A queue already exists with the same name and a different value for attribute {}", name)});
    }
    return found->second.document;
  }
  Queue fresh;
  fresh.document.name = key.name;
  std::erase_if(attributes, [](const auto& a) { return a.second.empty(); });
  fresh.document.attributes = std::move(attributes);
  fresh.document.tags = std::move(tags);
  fresh.document.created_ms = fresh.document.modified_ms = to_ms(deps_.clock.now());
  Batch batch;
  batch.push_back({queue_document(key), encode_json(fresh.document)});
  TRY(lsn, commit(std::move(batch)));
  const StoredQueue document = fresh.document;
  queues_[key] = std::move(fresh);
  return document;
}

Status Sqs::erase(const QueueKey& key, Lsn& lsn) {
  Wakes wakes;
  {
    const std::lock_guard lock(mutex_);
    TRY(Queue* const own, queue(key));
    Batch batch;
    batch.push_back({queue_document(key), std::nullopt});
    for (const auto& [id, entry] : own->messages) {
      batch.push_back({message_document(kMessageKind, key, id), std::nullopt});
      batch.push_back({message_document(kReceiptKind, key, id), std::nullopt});
    }
    TRY(lsn, commit(std::move(batch)));
    for (auto& waiter : own->waiters) wakes.push_back(std::move(waiter.wake));
    queues_.erase(key);
  }
  for (auto& wake : wakes) wake();
  return Ok{};
}

Status Sqs::purge(const QueueKey& key, Lsn& lsn) {
  const std::lock_guard lock(mutex_);
  TRY(Queue* const own, queue(key));
  const Timestamp now = deps_.clock.now();
  if (own->purged && now < *own->purged + kPurgePause)
    return fault(PurgeQueueInProgress{.message = fmt::format("Only one PurgeQueue operation on {} is allowed every 60 seconds.", key.name)});
  own->purged = now;
  Batch batch;
  for (const auto& [id, entry] : own->messages) {
    batch.push_back({message_document(kMessageKind, key, id), std::nullopt});
    batch.push_back({message_document(kReceiptKind, key, id), std::nullopt});
  }
  TRY(lsn, commit(std::move(batch)));
  own->messages.clear();
  own->by_visible.clear();
  return Ok{};
}

Result<StoredQueue> Sqs::find(const QueueKey& key) {
  const std::lock_guard lock(mutex_);
  TRY(Queue* const own, queue(key));
  return own->document;
}

Status Sqs::change(const QueueKey& key, const std::function<Status(StoredQueue&)>& edit, Lsn& lsn) {
  const std::lock_guard lock(mutex_);
  TRY(Queue* const own, queue(key));
  StoredQueue document = own->document;
  TRYV(edit(document));
  document.modified_ms = to_ms(deps_.clock.now());
  Batch batch;
  batch.push_back({queue_document(key), encode_json(document)});
  TRY(lsn, commit(std::move(batch)));
  own->document = std::move(document);
  return Ok{};
}

std::vector<std::string> Sqs::list(std::string_view account, std::string_view region, std::string_view prefix, std::string_view after,
                                   std::size_t limit) {
  std::vector<std::string> out;
  const std::lock_guard lock(mutex_);
  for (auto it = queues_.lower_bound({std::string(account), std::string(region), std::string(prefix)});
       it != queues_.end() && it->first.account == account && it->first.region == region && it->first.name.starts_with(prefix) && out.size() < limit;
       ++it)
    if (after.empty() || it->first.name > after) out.push_back(it->first.name);
  return out;
}

std::vector<std::string> Sqs::dead_letter_sources(const QueueKey& key) {
  std::vector<std::string> out;
  const std::string arn = queue_arn(key);
  const std::lock_guard lock(mutex_);
  for (const auto& [other, own] : queues_) {
    const auto redrive = redrive_of(own.document);
    if (redrive && redrive->target == arn && other.account == key.account && other.region == key.region) out.push_back(other.name);
  }
  return out;
}

Sqs::Counts Sqs::counts(const QueueKey& key) {
  Counts out;
  const std::lock_guard lock(mutex_);
  const auto found = queues_.find(key);
  if (found == queues_.end()) return out;
  const std::int64_t now = to_ms(deps_.clock.now());
  for (const auto& [visible, id] : found->second.by_visible) {
    if (visible <= now) ++out.visible;
    else if (found->second.messages.at(id).receipt.count > 0) ++out.hidden;
    else ++out.delayed;
  }
  return out;
}

// --- messages ---------------------------------------------------------------------------------------

void Sqs::place(Queue& own, Entry entry) {
  const std::int64_t visible = std::max(entry.message.visible_ms, entry.receipt.visible_ms);
  own.by_visible.insert({visible, entry.message.id});
  own.messages[entry.message.id] = std::move(entry);
}

void Sqs::take_out(const QueueKey& key, Queue& own, std::int64_t id, Batch& batch) {
  const auto found = own.messages.find(id);
  if (found == own.messages.end()) return;
  const Entry& entry = found->second;
  own.by_visible.erase({std::max(entry.message.visible_ms, entry.receipt.visible_ms), id});
  own.messages.erase(found);
  batch.push_back({message_document(kMessageKind, key, id), std::nullopt});
  batch.push_back({message_document(kReceiptKind, key, id), std::nullopt});
}

Result<Sqs::Sent> Sqs::add(const QueueKey& key, Queue& own, Draft draft, Batch& batch, Timestamp now) {
  Sent sent;
  Entry entry;
  StoredMessage& message = entry.message;
  if (key.is_fifo()) {
    if (draft.deduplication_id.empty()) {
      if (!own.is_true("ContentBasedDeduplication"))
        return wire_fault({.code = "InvalidParameterValue",
                           .message = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"});
      draft.deduplication_id = md5_hex(draft.body) + md5_hex("2" + draft.body);
    }
    std::erase_if(own.seen, [&](const auto& s) { return s.second.until <= now; });
    const bool per_group = own.document.attributes.contains("DeduplicationScope") && own.document.attributes.at("DeduplicationScope") == "messageGroup";
    const std::string seen_key = per_group ? draft.group_id + "\n" + draft.deduplication_id : draft.deduplication_id;
    if (const auto before = own.seen.find(seen_key); before != own.seen.end()) return before->second.sent;
    message.id = static_cast<std::int64_t>(deps_.store.next_id());
    sent.sequence_number = fmt::format("{:020}", 10'000'000'000'000'000'000u + static_cast<std::uint64_t>(message.id));
    sent.message_id = deps_.random.uuid();
    own.seen[seen_key] = {now + kDeduplicationWindow, sent};
    message.system["SequenceNumber"] = sent.sequence_number;
    message.system["MessageDeduplicationId"] = draft.deduplication_id;
  } else {
    message.id = static_cast<std::int64_t>(deps_.store.next_id());
    sent.message_id = deps_.random.uuid();
  }
  if (!draft.group_id.empty()) message.system["MessageGroupId"] = draft.group_id;
  if (!draft.trace_header.empty()) message.system["AWSTraceHeader"] = draft.trace_header;
  message.system["SenderId"] = draft.sender;
  message.message_id = sent.message_id;
  message.body = std::move(draft.body);
  message.attributes = std::move(draft.attributes);
  message.sent_ms = to_ms(now);
  const std::int64_t delay = draft.delay_seconds ? *draft.delay_seconds : own.number("DelaySeconds", 0);
  message.visible_ms = message.sent_ms + delay * 1000;
  write_message(key, message, batch);
  place(own, std::move(entry));
  return sent;
}

Result<Sqs::Sent> Sqs::send(const QueueKey& key, Draft draft) {
  Wakes wakes;
  Sent sent;
  {
    const std::lock_guard lock(mutex_);
    TRY(Queue* const own, queue(key));
    const Timestamp now = deps_.clock.now();
    Batch batch;
    TRY(sent, add(key, *own, std::move(draft), batch, now));
    TRY(sent.lsn, commit(std::move(batch)));
    if (!own->waiters.empty() && has_visible(*own, key.is_fifo(), now)) {
      wakes.push_back(std::move(own->waiters.front().wake));
      own->waiters.erase(own->waiters.begin());
    }
  }
  for (auto& wake : wakes) wake();
  return sent;
}

Status Sqs::send(std::string_view arn, QueueMessage message) {
  const auto key = parse_queue_arn(arn);
  if (!key) return Error::not_found("not the ARN of a queue");
  Draft draft;
  draft.body = std::move(message.body);
  for (auto& [name, attribute] : message.attributes) {
    MessageAttributeValue value;
    value.data_type = attribute.type;
    if (attribute.type.starts_with("Binary")) value.binary_value = std::move(attribute.value);
    else value.string_value = std::move(attribute.value);
    draft.attributes[name] = std::move(value);
  }
  draft.group_id = std::move(message.group_id);
  draft.deduplication_id = std::move(message.deduplication_id);
  draft.trace_header = std::move(message.trace_header);
  draft.sender = key->account;
  if (key->is_fifo() && draft.group_id.empty()) return Error::invalid("The request must contain the parameter MessageGroupId.");
  {
    const std::lock_guard lock(mutex_);
    if (!queues_.contains(*key)) return Error::not_found("The specified queue does not exist.");
  }
  auto sent = send(*key, std::move(draft));
  if (!sent.ok()) return std::move(sent).error();
  return Ok{};
}

bool Sqs::has_visible(Queue& own, bool fifo, Timestamp now) {
  if (own.by_visible.empty() || own.by_visible.begin()->first > to_ms(now)) return false;
  if (!fifo) return true;
  std::set<std::string> blocked;
  for (const auto& [id, entry] : own.messages) {
    const auto group = entry.message.system.find("MessageGroupId");
    const std::string& name = group == entry.message.system.end() ? own.document.name : group->second;
    if (blocked.contains(name)) continue;
    if (std::max(entry.message.visible_ms, entry.receipt.visible_ms) <= to_ms(now)) return true;
    blocked.insert(name);
  }
  return false;
}

// True: the message went to the queue of dead letters instead of to the receiver.
bool Sqs::move_to_dead_letters(const QueueKey& key, Queue& own, const Entry& entry, Batch& batch, Timestamp now, Wakes& wakes) {
  const auto redrive = redrive_of(own.document);
  if (!redrive || entry.receipt.count < redrive->receives_max) return false;
  const auto target_key = parse_queue_arn(redrive->target);
  const auto target = target_key ? queues_.find(*target_key) : queues_.end();
  if (target == queues_.end() || &target->second == &own) return false;
  Entry moved;
  moved.message = entry.message;
  moved.message.id = static_cast<std::int64_t>(deps_.store.next_id());
  moved.message.visible_ms = to_ms(now);
  moved.message.system["DeadLetterQueueSourceArn"] = queue_arn(key);
  write_message(*target_key, moved.message, batch);
  place(target->second, std::move(moved));
  for (auto& waiter : target->second.waiters) wakes.push_back(std::move(waiter.wake));
  target->second.waiters.clear();
  take_out(key, own, entry.message.id, batch);
  return true;
}

Result<std::vector<Sqs::Received>> Sqs::receive(const QueueKey& key, const Receive& how, Lsn& lsn) {
  std::vector<Received> out;
  Wakes wakes;
  {
    const std::lock_guard lock(mutex_);
    TRY(Queue* const own, queue(key));
    const Timestamp now = deps_.clock.now();
    const std::int64_t now_ms = to_ms(now);
    const std::int64_t expired_ms = now_ms - own->number("MessageRetentionPeriod", 345'600) * 1000;
    const std::int64_t hide = how.visibility_seconds ? *how.visibility_seconds : own->number("VisibilityTimeout", 30);
    // Who may be received, in order.
    std::vector<std::int64_t> ids;
    const auto wanted = static_cast<std::size_t>(how.count);
    if (key.is_fifo()) {
      std::set<std::string> blocked;
      for (const auto& [id, entry] : own->messages) {
        const auto group = entry.message.system.find("MessageGroupId");
        const std::string& name = group == entry.message.system.end() ? key.name : group->second;
        if (std::max(entry.message.visible_ms, entry.receipt.visible_ms) > now_ms) blocked.insert(name);
        else if (!blocked.contains(name)) ids.push_back(id);
        if (ids.size() >= wanted + 16) break;
      }
    } else {
      for (const auto& [visible, id] : own->by_visible) {
        if (visible > now_ms || ids.size() >= wanted + 16) break;
        ids.push_back(id);
      }
    }
    const std::size_t hidden = own->by_visible.size() - ids.size();
    if (!ids.empty() && hidden >= (key.is_fifo() ? kHiddenFifoMax : kHiddenMax) && ids.size() < wanted + 16) {
      std::size_t received = 0;
      for (const auto& [visible, id] : own->by_visible) received += visible > now_ms && own->messages.at(id).receipt.count > 0 ? 1 : 0;
      if (received >= (key.is_fifo() ? kHiddenFifoMax : kHiddenMax)) return fault(OverLimit{.message = "Too many messages in flight."});
    }
    Batch batch;
    for (const std::int64_t id : ids) {
      if (out.size() == wanted) break;
      Entry& entry = own->messages.at(id);
      if (entry.message.sent_ms < expired_ms) {
        take_out(key, *own, id, batch);
        continue;
      }
      if (move_to_dead_letters(key, *own, entry, batch, now, wakes)) continue;
      own->by_visible.erase({std::max(entry.message.visible_ms, entry.receipt.visible_ms), id});
      if (entry.receipt.count++ == 0) entry.receipt.first_ms = now_ms;
      entry.receipt.visible_ms = now_ms + hide * 1000;
      own->by_visible.insert({std::max(entry.message.visible_ms, entry.receipt.visible_ms), id});
      write_receipt(key, entry, batch);
      out.push_back({entry.message, entry.receipt, make_handle(key, id, entry.receipt.count)});
    }
    TRY(lsn, commit(std::move(batch)));
  }
  for (auto& wake : wakes) wake();
  return out;
}

Status Sqs::remove(const QueueKey& key, const std::string& handle, Lsn& lsn) {
  const std::lock_guard lock(mutex_);
  TRY(Queue* const own, queue(key));
  const auto id = id_of_handle(handle);
  if (!id) return bad_handle(handle);
  Batch batch;
  take_out(key, *own, *id, batch);
  TRY(lsn, commit(std::move(batch)));
  return Ok{};
}

Status Sqs::change_visibility(const QueueKey& key, const std::string& handle, std::int32_t seconds, Lsn& lsn) {
  Wakes wakes;
  {
    const std::lock_guard lock(mutex_);
    TRY(Queue* const own, queue(key));
    const auto id = id_of_handle(handle);
    if (!id) return bad_handle(handle);
    const auto found = own->messages.find(*id);
    const std::int64_t now_ms = to_ms(deps_.clock.now());
    if (found == own->messages.end())
      return wire_fault({.code = "InvalidParameterValue",
                         .message = fmt::format("Value {} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not "
                                                "available for visibility timeout change.", handle)});
    Entry& entry = found->second;
    if (entry.receipt.visible_ms <= now_ms)
      return fault(MessageNotInflight{.message = "The message referred to isn't in flight."});
    own->by_visible.erase({std::max(entry.message.visible_ms, entry.receipt.visible_ms), *id});
    entry.receipt.visible_ms = now_ms + std::int64_t{seconds} * 1000;
    own->by_visible.insert({std::max(entry.message.visible_ms, entry.receipt.visible_ms), *id});
    Batch batch;
    write_receipt(key, entry, batch);
    TRY(lsn, commit(std::move(batch)));
    if (seconds == 0) {
      for (auto& waiter : own->waiters) wakes.push_back(std::move(waiter.wake));
      own->waiters.clear();
    }
  }
  for (auto& wake : wakes) wake();
  return Ok{};
}

// --- long polls ---------------------------------------------------------------------------------------

std::chrono::steady_clock::time_point Sqs::poll_until(const std::string& request_id, std::chrono::seconds wait) {
  const std::lock_guard lock(polls_mutex_);
  return polls_.try_emplace(request_id, std::chrono::steady_clock::now() + wait - kPollGrain).first->second;
}

void Sqs::forget_poll(const std::string& request_id) {
  const std::lock_guard lock(polls_mutex_);
  polls_.erase(request_id);
}

void Sqs::when_ready(const QueueKey& key, std::chrono::steady_clock::time_point until, std::function<void()> wake) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = queues_.find(key);
    if (found != queues_.end() && !stopping_ && !has_visible(found->second, key.is_fifo(), deps_.clock.now())) {
      found->second.waiters.push_back({until, std::move(wake)});
      return;
    }
  }
  wake();
}

void Sqs::end_polls() {
  Wakes wakes;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (auto& [key, own] : queues_) {
      for (auto& waiter : own.waiters) wakes.push_back(std::move(waiter.wake));
      own.waiters.clear();
    }
  }
  for (auto& wake : wakes) wake();
}

std::optional<Timestamp> Sqs::next_due(Timestamp now) {
  std::optional<Timestamp> due;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, own] : queues_) {
    if (own.waiters.empty()) continue;
    const auto next = own.by_visible.upper_bound({to_ms(now), INT64_MAX});
    if (next != own.by_visible.end() && (!due || from_ms(next->first) < *due)) due = from_ms(next->first);
  }
  return due;
}

void Sqs::tick(Timestamp now) {
  Wakes wakes;
  {
    const auto steady = std::chrono::steady_clock::now();
    const std::lock_guard lock(mutex_);
    for (auto& [key, own] : queues_) {
      if (own.waiters.empty()) continue;
      const bool ready = has_visible(own, key.is_fifo(), now);
      std::erase_if(own.waiters, [&](Waiter& waiter) {
        if (!ready && waiter.until > steady) return false;
        wakes.push_back(std::move(waiter.wake));
        return true;
      });
    }
  }
  for (auto& wake : wakes) wake();
}

}  // namespace fog::sqs
