#include "api/sns/delivery.h"

#include <fmt/format.h>

#include "api/codec/json.h"
#include "api/sns/common.h"
#include "storage/base/bytes.h"
#include "storage/base/log.h"

namespace fog::sns {
namespace {

constexpr std::string_view kKind = "sns-delivery";
// Finished deliveries are noted in the log in groups while there is more to do.
constexpr std::size_t kDoneMarksMax = 256;
constexpr std::size_t kJobsAtOnce = 64;
// A message the log holds alone for longer goes to the resource store.
constexpr std::chrono::seconds kLogHoldMax{60};
constexpr std::size_t kSpillsAtOnce = 1'000;

ResourceKey key_of(const StoredMessage& message, std::uint64_t id) {
  return {std::string(kKind), message.account, message.region, fmt::format("{:020}", id)};
}

bool in_scope(std::string_view own, std::string_view scope) { return scope.empty() || own == scope; }

}  // namespace

DeliveryQueue::~DeliveryQueue() {
  {
    const std::lock_guard alive(life_->mutex);
    life_->queue = nullptr;
  }
  std::unique_lock lock(mutex_);
  quiet_.wait_for(lock, std::chrono::seconds(5), [&] { return !pumping_ && !scheduled_; });
}

// --- what survives ---------------------------------------------------------------------------------

Status DeliveryQueue::load() {
  const std::lock_guard lock(mutex_);
  deps_.resources.for_each(kKind, [&](const Resource& resource) {
    auto stored = decode_json<StoredDelivery>(resource.document);
    if (!stored.ok()) {
      LOG_ERROR("delivery document {} is damaged: {}", resource.key.name, stored.error().message());
      return;
    }
    auto message = std::make_shared<Message>();
    message->id = static_cast<std::uint64_t>(stored->id);
    message->document = std::move(stored->message);
    message->spilled = true;
    message->targets.resize(message->document.targets.size());
    for (auto& target : message->targets) target.done = true;
    for (const auto& attempt : stored->attempts) {
      if (attempt.target < 0 || static_cast<std::size_t>(attempt.target) >= message->targets.size()) continue;
      Target& target = message->targets[static_cast<std::size_t>(attempt.target)];
      target = {.attempts = static_cast<int>(attempt.attempts), .due = from_ms(attempt.due_ms),
                .first = from_ms(attempt.first_ms), .dead_letter = attempt.dead_letter, .done = false};
      ++message->open;
    }
    if (message->open > 0) admit(message);
  });
  return Ok{};
}

void DeliveryQueue::replay(const Wal::Record& record) {
  if (record.payload.empty()) return;
  const std::lock_guard lock(mutex_);
  const std::string_view body = record.payload.substr(1);
  if (record.payload.front() == 'D') {
    ByteReader reader(body);
    while (!reader.at_end()) {
      const std::uint64_t id = reader.varint();
      const std::uint64_t index = reader.varint();
      if (!reader.ok()) return;
      const auto found = messages_.find(id);
      if (found == messages_.end() || index >= found->second->targets.size()) continue;
      const MessagePtr keep = found->second;
      settle(*keep, index);
    }
    done_.clear();  // they are in the log already
    return;
  }
  if (record.payload.front() != 'M' || messages_.contains(record.id)) return;
  auto document = decode_json<StoredMessage>(body);
  if (!document.ok()) {
    LOG_ERROR("delivery record {} is damaged: {}", record.id, document.error().message());
    return;
  }
  auto message = std::make_shared<Message>();
  message->id = record.id;
  message->document = std::move(document).value();
  message->lsn = record.lsn;
  message->targets.resize(message->document.targets.size());
  for (auto& target : message->targets) target.due = target.first = from_ms(message->document.time_ms);
  message->open = message->targets.size();
  live_.insert(record.lsn);
  admit(message);
}

void DeliveryQueue::forget(std::string_view account, std::string_view region) {
  const std::lock_guard lock(mutex_);
  for (auto it = messages_.begin(); it != messages_.end();) {
    Message& message = *it->second;
    if (!in_scope(message.document.account, account) || !in_scope(message.document.region, region)) {
      ++it;
      continue;
    }
    for (std::size_t i = 0; i < message.targets.size(); ++i) {
      if (!message.targets[i].done) done_.emplace_back(message.id, i);
      message.targets[i].done = true;
    }
    message.open = 0;
    live_.erase(message.lsn);
    dirty_.erase(message.id);
    if (message.spilled) erased_.push_back(key_of(message.document, message.id));
    it = messages_.erase(it);
  }
  std::erase_if(retries_, [](const auto& r) { return r.second.message->open == 0; });
}

Lsn DeliveryQueue::enqueue(StoredMessage document) {
  auto message = std::make_shared<Message>();
  message->id = deps_.resources.next_id();
  const std::string payload = "M" + encode_json(document);
  message->document = std::move(document);
  message->targets.resize(message->document.targets.size());
  for (auto& target : message->targets) target.due = target.first = from_ms(message->document.time_ms);
  message->open = message->targets.size();
  Lsn lsn = 0;
  {
    const std::lock_guard lock(mutex_);
    // Under the lock, so that the log's applied mark never passes a message that is not yet known here.
    lsn = deps_.wal.append(StoreId::kDeliveries, message->id, payload);
    message->lsn = lsn;
    live_.insert(lsn);
    ++stats_.enqueued;
    admit(message);
  }
  wake();
  return lsn;
}

void DeliveryQueue::admit(const MessagePtr& message) {
  messages_[message->id] = message;
  for (std::size_t i = 0; i < message->targets.size(); ++i) {
    const Target& target = message->targets[i];
    if (target.done) continue;
    Job job{message, i};
    if (target.attempts > 0 && !lane_of(job).fifo) {
      retries_.emplace(target.due, std::move(job));
    } else {
      push_job(std::move(job), false);
    }
  }
}

DeliveryQueue::Lane& DeliveryQueue::lane_of(const Job& job) {
  const StoredMessage& document = job.message->document;
  std::string key = document.targets[job.target];
  const bool fifo = document.sequence_number.has_value();
  if (fifo) key += "\n" + document.group_id.value_or("");
  if (key.empty()) key = document.direct_protocol.value_or("");
  auto& lane = lanes_[key];
  if (!lane) {
    lane = std::make_unique<Lane>();
    lane->key = key;
    lane->fifo = fifo;
  }
  return *lane;
}

void DeliveryQueue::push_job(Job job, bool front) {
  Lane& lane = lane_of(job);
  if (lane.fifo) lane.not_before = std::max(lane.not_before, front ? job.message->targets[job.target].due : lane.not_before);
  if (front) lane.ready.push_front(std::move(job));
  else lane.ready.push_back(std::move(job));
  if (!lane.listed) {
    lane.listed = true;
    active_.push_back(&lane);
  }
}

// --- scheduling -----------------------------------------------------------------------------------

std::optional<Timestamp> DeliveryQueue::next_due(Timestamp now) {
  const std::lock_guard lock(mutex_);
  std::optional<Timestamp> due;
  const auto sooner = [&](Timestamp t) { due = due ? std::min(*due, t) : t; };
  for (const Lane* lane : active_) {
    if (!lane->ready.empty()) sooner(std::max(now, lane->not_before));
  }
  if (!retries_.empty()) sooner(retries_.begin()->first);
  return due;
}

void DeliveryQueue::tick(Timestamp now) {
  pump();
  {
    std::size_t spills = kSpillsAtOnce;
    const std::lock_guard lock(mutex_);
    for (auto it = messages_.begin(); !live_.empty() && it != messages_.end() && spills > 0; ++it) {
      if (it->second->spilled || now - from_ms(it->second->document.time_ms) < kLogHoldMax) continue;
      dirty_.insert(it->first);
      --spills;
    }
  }
  flush();
}

bool DeliveryQueue::idle() {
  const std::lock_guard lock(mutex_);
  return in_flight_ == 0 && !pumping_ && !scheduled_;
}

DeliveryQueue::Stats DeliveryQueue::stats() const {
  const std::lock_guard lock(mutex_);
  Stats out = stats_;
  for (const auto& [id, message] : messages_) out.waiting += message->open;
  return out;
}

void DeliveryQueue::wake() {
  if (deps_.pool == nullptr) return;
  {
    const std::lock_guard lock(mutex_);
    if (scheduled_) return;
    if (pumping_) {
      again_ = true;
      return;
    }
    scheduled_ = true;
  }
  const bool taken = deps_.pool->submit([this] {
    {
      const std::lock_guard lock(mutex_);
      scheduled_ = false;
    }
    pump();
  });
  if (taken) return;
  const std::lock_guard lock(mutex_);  // the pool is full: tick() will come by
  scheduled_ = false;
  quiet_.notify_all();
}

std::vector<DeliveryQueue::Job> DeliveryQueue::take_jobs(Timestamp now) {
  std::vector<Job> jobs;
  const std::lock_guard lock(mutex_);
  while (!retries_.empty() && retries_.begin()->first <= now) {
    Job job = std::move(retries_.begin()->second);
    retries_.erase(retries_.begin());
    if (!job.message->targets[job.target].done) push_job(std::move(job), false);
  }
  for (std::size_t lanes = active_.size(); lanes > 0 && jobs.size() < kJobsAtOnce; --lanes) {
    Lane* lane = active_.front();
    active_.pop_front();
    lane->listed = false;
    const std::size_t lane_max = lane->fifo ? 1 : deps_.options.lane_in_flight_max;
    while (!lane->ready.empty() && jobs.size() < kJobsAtOnce && lane->in_flight < lane_max &&
           in_flight_ < deps_.options.in_flight_max && lane->not_before <= now) {
      Job job = std::move(lane->ready.front());
      lane->ready.pop_front();
      Target& target = job.message->targets[job.target];
      if (target.done) continue;
      ++lane->in_flight;
      ++in_flight_;
      jobs.push_back(std::move(job));
      // A throttled lane says when it may go on once the route is known (start()).
      if (lane->fifo) break;
    }
    if (!lane->ready.empty()) {
      lane->listed = true;
      active_.push_back(lane);
    } else if (lane->in_flight == 0) {
      lanes_.erase(std::string(lane->key));
    }
  }
  return jobs;
}

void DeliveryQueue::pump() {
  {
    const std::lock_guard lock(mutex_);
    if (pumping_) {
      again_ = true;
      return;
    }
    pumping_ = true;
  }
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      again_ = false;
    }
    const std::vector<Job> jobs = take_jobs(deps_.clock.now());
    std::vector<Job> unsent;
    for (const Job& job : jobs) {
      if (!start(job)) unsent.push_back(job);
    }
    put_back(std::move(unsent));
    bool flush_now = false;
    {
      const std::lock_guard lock(mutex_);
      flush_now = done_.size() >= kDoneMarksMax || (jobs.empty() && (!done_.empty() || !dirty_.empty() || !erased_.empty()));
    }
    if (flush_now) flush();
    const std::lock_guard lock(mutex_);
    if (!jobs.empty() || again_) continue;
    pumping_ = false;
    quiet_.notify_all();
    return;
  }
}

void DeliveryQueue::put_back(std::vector<Job> jobs) {
  const std::lock_guard lock(mutex_);
  for (auto job = jobs.rbegin(); job != jobs.rend(); ++job) {
    --lane_of(*job).in_flight;
    --in_flight_;
    push_job(std::move(*job), true);
  }
}

// --- what became of it --------------------------------------------------------------------------------

void DeliveryQueue::settle(Message& message, std::size_t index) {
  if (message.targets[index].done) return;
  message.targets[index].done = true;
  --message.open;
  done_.emplace_back(message.id, index);
  if (message.spilled) dirty_.insert(message.id);
  if (message.open > 0) return;
  live_.erase(message.lsn);
  if (message.spilled) {
    dirty_.erase(message.id);
    erased_.push_back(key_of(message.document, message.id));
  }
  messages_.erase(message.id);
}

void DeliveryQueue::finish(const Job& job, const Route& to, Attempt attempt) {
  const Timestamp now = deps_.clock.now();
  DeliveryReport report;
  const bool tell = attempt.kind != Attempt::Kind::kDropped;
  {
    const std::lock_guard lock(mutex_);
    Lane& lane = lane_of(job);
    if (lane.in_flight > 0) --lane.in_flight;
    if (in_flight_ > 0) --in_flight_;
    Message& message = *job.message;
    const MessagePtr keep = job.message;
    Target& target = message.targets[job.target];
    if (target.done) return;  // forgotten meanwhile
    ++target.attempts;
    report.attempts = target.attempts;
    report.dwell = now - target.first;
    const bool dead_letter = target.dead_letter;
    std::optional<Millis> pause;
    switch (attempt.kind) {
      case Attempt::Kind::kDelivered:
        report.event = dead_letter ? DeliveryReport::Event::kRedriven : DeliveryReport::Event::kDelivered;
        ++stats_.delivered;
        settle(message, job.target);
        break;
      case Attempt::Kind::kDropped: settle(message, job.target); break;
      case Attempt::Kind::kRetry: pause = to.retry.delay(target.attempts); [[fallthrough]];
      case Attempt::Kind::kRefused:
        ++stats_.failed_attempts;
        if (pause) {
          // Ten per cent either way, so that many failed at once do not return at once.
          const double jitter = 0.9 + 0.2 * static_cast<double>(deps_.random.next() >> 11) * 0x1.0p-53;
          target.due = now + Millis(static_cast<std::int64_t>(static_cast<double>(pause->count()) * jitter));
          report.event = DeliveryReport::Event::kFailedAttempt;
          if (pause->count() > 0) dirty_.insert(message.id);
          if (lane.fifo) push_job(job, true);
          else retries_.emplace(target.due, job);
        } else if (!dead_letter && !to.dead_letter_arn.empty()) {
          report.event = DeliveryReport::Event::kFailed;
          ++stats_.given_up;
          target.dead_letter = true;
          target.attempts = 0;
          target.due = now;
          dirty_.insert(message.id);
          push_job(job, true);
        } else {
          report.event = dead_letter ? DeliveryReport::Event::kRedriveFailed : DeliveryReport::Event::kFailed;
          if (!dead_letter) ++stats_.given_up;
          settle(message, job.target);
        }
        break;
    }
    if (!lane.ready.empty() && !lane.listed) {
      lane.listed = true;
      active_.push_back(&lane);
    }
    if (lane.ready.empty() && lane.in_flight == 0 && !lane.listed && !(lane.not_before > now))
      lanes_.erase(std::string(lane.key));
    again_ = true;
  }
  if (!tell || !report_) return;
  report.message = &job.message->document;
  report.protocol = to.protocol;
  report.destination = report.event == DeliveryReport::Event::kRedriven ||
                               report.event == DeliveryReport::Event::kRedriveFailed
                           ? to.dead_letter_arn
                           : to.endpoint;
  report.subscription_arn = to.subscription_arn;
  report.status_code = attempt.status_code;
  report.provider_response = std::move(attempt.response);
  report.now = now;
  report_(report);
}

void DeliveryQueue::flush() {
  std::vector<ResourceStore::Change> batch;
  std::vector<std::pair<std::uint64_t, std::size_t>> done;
  std::vector<std::pair<std::uint64_t, ResourceKey>> spilled;
  {
    const std::lock_guard lock(mutex_);
    done.swap(done_);
    for (const std::uint64_t id : dirty_) {
      const auto found = messages_.find(id);
      if (found == messages_.end()) continue;
      const Message& message = *found->second;
      StoredDelivery document;
      document.id = static_cast<std::int64_t>(message.id);
      document.message = message.document;
      for (std::size_t i = 0; i < message.targets.size(); ++i) {
        const Target& target = message.targets[i];
        if (target.done) continue;
        StoredAttempt attempt;
        attempt.target = static_cast<std::int64_t>(i);
        attempt.attempts = target.attempts;
        attempt.due_ms = to_ms(target.due);
        attempt.first_ms = to_ms(target.first);
        attempt.dead_letter = target.dead_letter;
        document.attempts.push_back(attempt);
      }
      batch.push_back({key_of(message.document, id), encode_json(document)});
      spilled.emplace_back(id, key_of(message.document, id));
    }
    dirty_.clear();
    for (auto& key : erased_) batch.push_back({std::move(key), std::nullopt});
    erased_.clear();
  }
  bool stored = true;
  if (!batch.empty()) {
    const Status status = deps_.resources.apply(std::move(batch));
    stored = status.ok();
    if (!stored) LOG_ERROR("waiting deliveries cannot be stored: {}", status.error().message());
  }
  if (!done.empty()) {
    std::string payload = "D";
    ByteWriter writer(payload);
    for (const auto& [id, index] : done) {
      writer.varint(id);
      writer.varint(index);
    }
    deps_.wal.append(StoreId::kDeliveries, 0, payload);
  }
  Lsn applied = 0;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [id, key] : spilled) {
      const auto found = messages_.find(id);
      if (found == messages_.end()) {
        erased_.push_back(std::move(key));  // finished while it was being written
        continue;
      }
      if (!stored) {
        dirty_.insert(id);
        continue;
      }
      live_.erase(found->second->lsn);
      found->second->spilled = true;
    }
    applied = live_.empty() ? deps_.wal.last_lsn() : *live_.begin() - 1;
  }
  deps_.wal.set_applied(StoreId::kDeliveries, applied);  // may delete files, which takes a while
}

}  // namespace fog::sns
