#include "api/logs/event_pipeline.h"

#include <fmt/format.h>

#include "api/codec/json.h"
#include "api/logs/common.h"
#include "query/emf/emf.h"
#include "storage/base/find_bytes.h"
#include "storage/base/log.h"
#include "storage/segments/log_record.h"

namespace fog::logs {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::size_t kBytesAtOnce = 4u << 20;
constexpr auto kSyncEvery = std::chrono::milliseconds(200);
// A writer may hold an LSN this long before the pipeline hears of it.
constexpr auto kHearsay = std::chrono::seconds(10);
constexpr std::int64_t kDefaultsRememberedMs = 15 * kMinuteMs;
constexpr std::string_view kDefaultKind = "log-default-sample";

std::int64_t minute_after(std::int64_t ms) { return (ms / kMinuteMs + 1) * kMinuteMs; }

bool in_scope(std::string_view own, std::string_view scope) { return scope.empty() || own == scope; }

// Set while this thread works on batches: what it delivers may write log events itself.
thread_local bool is_working = false;

}  // namespace

EventPipeline::EventPipeline(Deps deps, EventPipelineOptions options)
    : deps_(deps),
      options_(std::move(options)),
      filters_(deps.resources, options_.lambda_metrics),
      live_tail_(deps.clock, deps.random, options_.live_tail_sessions_max),
      deliveries_({.outbound = deps.outbound,
                   .topics = deps.topics,
                   .clock = deps.clock,
                   .random = deps.random,
                   .folder = options_.spools,
                   .destinations = options_.destinations,
                   .queue_bytes_max = options_.subscription_queue_bytes_max,
                   .resolve = [this](std::string_view arn) { return destination_target(deps_.resources, arn); },
                   .report =
                       [this](const SubscriptionSite& site, std::string_view type, const SubscriptionDelivery::Report& report) {
                         std::vector<std::pair<std::string, std::string>> dimensions = {{"DestinationType", std::string(type)},
                                                                                        {"FilterName", site.filter_name}};
                         if (site.group_name.empty()) dimensions.emplace_back("PolicyLevel", "ACCOUNT_LEVEL_POLICY");
                         else dimensions.emplace_back("LogGroupName", site.group_name);
                         const auto add = [&](std::string_view metric, std::string_view unit, std::uint64_t n) {
                           if (n > 0) count(site.account, site.region, metric, unit, dimensions, static_cast<double>(n));
                         };
                         add("ForwardedBytes", "Bytes", report.bytes);
                         add("ForwardedLogEvents", "None", report.events);
                         add("DeliveryErrors", "None", report.errors);
                         add("DeliveryThrottling", "None", report.throttled);
                       },
                   .wake = [this] { wake(); }}) {
  deps_.logs.count_metric_filters_with(
      [this](const Group& group) { return static_cast<std::int32_t>(filters_.metric_filters(group).size()); });
  load_defaults();
}

EventPipeline::~EventPipeline() { stop(); }

void EventPipeline::stop() {
  if (thread_) thread_->stop();
}

void EventPipeline::wake() {
  if (thread_) thread_->wake();
}

void EventPipeline::subscriptions_changed() {
  std::vector<SubscriptionSite> sites;
  for (EventFilters::Subscription& each : filters_.subscriptions()) {
    std::string group_name;
    if (each.group != 0) {
      const GroupPtr group = deps_.logs.by_id(each.group);
      if (group == nullptr) continue;
      group_name = group->name;
    }
    sites.push_back({each.id, std::move(each.account), std::move(each.region), std::move(group_name), std::move(each.filter_name),
                     std::move(each.destination_arn)});
  }
  deliveries_.set_sites(std::move(sites));
}

// ---- coming in -------------------------------------------------------------------------------------------

EventBatch EventPipeline::batch_of(const Group& group, const CommittedLogBatch& batch, GroupPlanPtr plan) const {
  EventBatch copy;
  copy.account = batch.account;
  copy.region = batch.region;
  copy.group_name = batch.group_name;
  copy.stream_name = batch.stream_name;
  copy.group = batch.group;
  copy.stream = batch.stream;
  copy.ingestion_ms = batch.ingestion_ms;
  copy.first_sequence = batch.first_sequence;
  copy.lsn = batch.lsn;
  copy.plan = std::move(plan);
  copy.rules = deps_.logs.rules().of(group);
  std::size_t bytes = 0;
  for (const LogEventIn& event : batch.events) bytes += event.message.size();
  copy.text.reserve(bytes);
  copy.events.reserve(batch.events.size());
  for (const LogEventIn& event : batch.events) {
    copy.events.push_back({event.timestamp_ms, copy.text.size(), event.message.size()});
    copy.text.append(event.message);
  }
  return copy;
}

void EventPipeline::on_log_batch(const CommittedLogBatch& batch) {
  if (options_.service_metrics) {
    std::uint64_t bytes = 0;
    for (const LogEventIn& event : batch.events) bytes += event.message.size() + kEventOverhead;
    const auto incoming = incoming_.lock();
    Incoming& own = (*incoming)[batch.group];
    if (own.group.empty()) own = {std::string(batch.account), std::string(batch.region), std::string(batch.group_name), 0, 0};
    own.bytes += bytes;
    own.events += batch.events.size();
  }
  const GroupPtr group = deps_.logs.by_id(batch.group);
  if (group == nullptr) return;
  GroupPlanPtr plan = filters_.plan(*group);
  const bool embeds = plan->extracts_metrics && std::any_of(batch.events.begin(), batch.events.end(), [](const LogEventIn& event) {
                        return emf::may_be_document(event.message);
                      });
  unsigned todo = 0;
  if (deps_.metrics != nullptr && (embeds || !plan->metrics.empty() || !plan->lambda_function.empty())) todo |= kMetrics;
  if (!plan->subscriptions.empty()) todo |= kDeliveries;
  if (todo == 0 && !live_tail_.watches(batch.group)) return;
  EventBatch copy = batch_of(*group, batch, std::move(plan));
  copy.embeds = embeds;
  enqueue(std::move(copy), todo);
}

void EventPipeline::enqueue(EventBatch batch, unsigned todo) {
  batches_.fetch_add(1, std::memory_order_relaxed);
  events_.fetch_add(batch.events.size(), std::memory_order_relaxed);
  batch.is_durable = todo != 0;
  if (todo != 0) {
    const std::lock_guard lock(marks_);
    outstanding_[batch.lsn] = todo;
    // Files of the log stay while a record of this store lies behind the mark of what is applied.
    if (latest_record_ <= applied_) latest_record_ = deps_.wal.append(kEventPipelineStore, 0, "H");
  }
  bool full = false;
  {
    const auto queue = queue_.lock();
    queue->bytes += batch.text.size();
    queue->batches.push_back(std::move(batch));
    full = queue->bytes > options_.queue_bytes_max;
  }
  wake();
  if (full && !is_working) process_some();
}

// ---- the work --------------------------------------------------------------------------------------------

Millis EventPipeline::work() {
  while (process_some()) {
  }
  const Timestamp now = deps_.clock.now();
  deliveries_.pump(now);
  const Millis again = live_tail_.flush(Steady::now());
  bool marks_wait = false;
  {
    const std::lock_guard lock(processing_);
    settle_marks(false);
    marks_wait = !undelivered_marks_.empty();
  }
  if (again > Millis(0)) return again;
  return marks_wait ? Millis(kSyncEvery) : Millis(1000);
}

bool EventPipeline::process_some() {
  const std::lock_guard lock(processing_);
  std::vector<EventBatch> batches;
  {
    const auto queue = queue_.lock();
    std::size_t bytes = 0;
    while (!queue->batches.empty() && bytes < kBytesAtOnce) {
      bytes += queue->batches.front().text.size();
      batches.push_back(std::move(queue->batches.front()));
      queue->batches.pop_front();
    }
    queue->bytes -= bytes;
  }
  if (batches.empty()) return false;
  is_working = true;
  process(std::move(batches));
  is_working = false;
  return true;
}

void EventPipeline::process(std::vector<EventBatch> batches) {
  const Timestamp now = deps_.clock.now();
  MetricEmission emission;
  std::vector<Lsn> measured, delivered;
  for (const EventBatch& batch : batches) {
    live_tail_.offer(batch);
    if (!batch.is_durable) continue;
    unsigned todo = 0;
    {
      const std::lock_guard lock(marks_);
      const auto found = outstanding_.find(batch.lsn);
      if (found != outstanding_.end()) todo = found->second;
    }
    if ((todo & kMetrics) == 0) continue;
    measured.push_back(batch.lsn);
    if (!batch.plan->metrics.empty()) emission.add_filters(batch, [&](const FilterMinute& minute) { minute_seen(batch, minute); });
    if (batch.embeds) {
      const MetricEmission::Embedded found = emission.add_embedded(batch, now);
      documents_.fetch_add(found.documents, std::memory_order_relaxed);
      embedded_errors_.fetch_add(found.parsing_errors + found.validation_errors, std::memory_order_relaxed);
      const std::vector<std::pair<std::string, std::string>> dimensions = {{"LogGroupName", batch.group_name}};
      if (found.parsing_errors > 0)
        count(batch.account, batch.region, "EMFParsingErrors", "None", dimensions, static_cast<double>(found.parsing_errors));
      if (found.validation_errors > 0)
        count(batch.account, batch.region, "EMFValidationErrors", "None", dimensions, static_cast<double>(found.validation_errors));
    }
    if (!batch.plan->lambda_function.empty())
      emission.add_lambda(batch, lambda_[fmt::format("{}/{}/{}", batch.account, batch.region, batch.plan->lambda_function)]);
  }
  put(emission, measured);
  deliver(batches, delivered);
  undelivered_marks_.insert(undelivered_marks_.end(), delivered.begin(), delivered.end());
  deliveries_.pump(now);
  settle_marks(false);
}

// Under processing_. Batches are done when all that came of them and of earlier ones is in the store.
void EventPipeline::put(MetricEmission& emission, const std::vector<Lsn>& measured) {
  std::vector<MetricEmission::Share> shares = std::move(unput_);
  unput_.clear();
  for (MetricEmission::Share& share : emission.take()) shares.push_back(std::move(share));
  unput_marks_.insert(unput_marks_.end(), measured.begin(), measured.end());
  for (MetricEmission::Share& share : shares) {
    if (deps_.metrics == nullptr) continue;
    const auto outcome = deps_.metrics->put_metrics(share.account, share.region, share.datums);
    if (outcome.ok()) {
      datums_.fetch_add(share.datums.size() - outcome->rejected, std::memory_order_relaxed);
      continue;
    }
    metric_failures_.fetch_add(1, std::memory_order_relaxed);
    LOG_WARN("metrics of log events cannot be put now: {}", outcome.error().message());
    unput_.push_back(std::move(share));
  }
  if (!unput_.empty() || unput_marks_.empty()) return;
  mark('M', unput_marks_, kMetrics);
  unput_marks_.clear();
}

void EventPipeline::deliver(const std::vector<EventBatch>& batches, std::vector<Lsn>& done) {
  Lsn newest = 0;
  for (const EventBatch& batch : batches)
    if (batch.is_durable && !batch.plan->subscriptions.empty()) newest = std::max(newest, batch.lsn);
  if (newest == 0) return;
  // Nobody outside hears of an event that a crash could still take back.
  if (const Status durable = deps_.wal.wait_durable(newest); !durable.ok()) LOG_WARN("{}", durable.error().message());
  for (const EventBatch& batch : batches) {
    if (!batch.is_durable || batch.plan->subscriptions.empty()) continue;
    {
      const std::lock_guard lock(marks_);
      const auto found = outstanding_.find(batch.lsn);
      if (found == outstanding_.end() || (found->second & kDeliveries) == 0) continue;
    }
    for (const SubscriptionRule& rule : batch.plan->subscriptions) {
      if (rule.created_ms > batch.ingestion_ms) continue;
      const std::vector<std::size_t> rows = matching(rule.pattern, batch, rule.on_transformed);
      if (!rows.empty()) deliveries_.offer(rule, batch, rows);
    }
    done.push_back(batch.lsn);
  }
}

// ---- what is done -----------------------------------------------------------------------------------------

void EventPipeline::mark(char kind, const std::vector<Lsn>& lsns, Todo done) {
  std::string payload(1, kind);
  ByteWriter to(payload);
  for (const Lsn lsn : lsns) to.varint(lsn);
  const std::lock_guard lock(marks_);
  latest_record_ = deps_.wal.append(kEventPipelineStore, 0, payload);
  for (const Lsn lsn : lsns) {
    const auto found = outstanding_.find(lsn);
    if (found == outstanding_.end()) continue;
    found->second &= ~static_cast<unsigned>(done);
    if (found->second == 0) outstanding_.erase(found);
  }
}

// Under processing_.
void EventPipeline::settle_marks(bool force) {
  const auto now = Steady::now();
  if (!undelivered_marks_.empty() && (force || now - synced_ >= kSyncEvery)) {
    deliveries_.sync();
    synced_ = now;
    mark('S', undelivered_marks_, kDeliveries);
    undelivered_marks_.clear();
  }
}

std::optional<Timestamp> EventPipeline::next_due(Timestamp now) {
  if (!queue_.lock_shared()->batches.empty()) return now;
  std::optional<Timestamp> due = deliveries_.next_due(now);
  const auto sooner = [&](Timestamp at) { due = due ? std::min(*due, at) : at; };
  {
    const std::lock_guard lock(processing_);
    for (const auto& entry : defaults_)
      if (!entry.second.settled) sooner(std::max(now, from_ms(entry.second.sample.due)));
  }
  const bool counted = !incoming_.lock_shared()->empty() || !counters_.lock_shared()->empty();
  if (counted) {
    const std::int64_t since = counting_since_ms_;
    sooner(since == 0 ? now : std::max(now, from_ms(minute_after(since))));
  }
  return due;
}

void EventPipeline::tick(Timestamp now) {
  while (process_some()) {
  }
  const std::int64_t real_ms = to_ms(deps_.clock.real_now());
  if (real_ms - sites_checked_ms_ > kMinuteMs || real_ms < sites_checked_ms_) {
    sites_checked_ms_ = real_ms;
    subscriptions_changed();  // groups may have gone with their filters
  }
  {
    const std::lock_guard lock(processing_);
    if (!unput_.empty()) {
      MetricEmission nothing;
      put(nothing, {});
    }
    settle_marks(true);
    publish_defaults(now);
  }
  publish_counters(now);
  deliveries_.pump(now);
  const auto steady = Steady::now();
  Lsn settled = 0;
  {
    const std::lock_guard lock(marks_);
    passed_.emplace_back(steady, deps_.wal.last_lsn());
    while (passed_.size() > 1 && steady - passed_.front().first > kHearsay) {
      settled = passed_.front().second;
      passed_.pop_front();
    }
    if (!outstanding_.empty()) settled = std::min(settled, outstanding_.begin()->first - 1);
    if (settled <= applied_) return;
    applied_ = settled;
  }
  deps_.wal.set_applied(kEventPipelineStore, settled);  // may delete files, which takes a while
}

bool EventPipeline::idle() { return deliveries_.idle(); }

// ---- recovery ----------------------------------------------------------------------------------------------

void EventPipeline::replay(const Wal::Record& record) {
  if (record.store == StoreId::kLogs) {
    const GroupPtr group = deps_.logs.by_id(record.id);
    if (group == nullptr) return;
    // Most groups lead to nothing, or to what can be told without reading the record.
    const GroupPlanPtr plan = filters_.plan(*group);
    const bool has_metrics = deps_.metrics != nullptr;
    unsigned todo = plan->subscriptions.empty() ? 0u : static_cast<unsigned>(kDeliveries);
    if (has_metrics && (!plan->metrics.empty() || !plan->lambda_function.empty())) todo |= kMetrics;
    const bool may_embed = has_metrics && plan->extracts_metrics && find_bytes(record.payload, "\"_aws\"") != std::string_view::npos;
    if (todo == 0 && !may_embed) return;
    LogBatch batch;
    LogSequence first = 0;
    std::vector<LogEventIn> events;
    if (!read_append_record(record.payload, batch, first, events)) return;
    if (may_embed && std::any_of(events.begin(), events.end(), [](const LogEventIn& event) {
          return emf::may_be_document(event.message);
        }))
      todo |= kMetrics;
    if (todo != 0) replayed_[record.lsn] = {std::string(record.payload), {record.id, todo}};
    return;
  }
  if (record.store != kEventPipelineStore || record.payload.empty()) return;
  latest_record_ = record.lsn;
  const unsigned done = record.payload.front() == 'M' ? kMetrics : record.payload.front() == 'S' ? kDeliveries : 0u;
  ByteReader in(record.payload.substr(1));
  while (done != 0 && !in.at_end()) {
    const Lsn lsn = in.varint();
    if (!in.ok()) return;
    const auto found = replayed_.find(lsn);
    if (found == replayed_.end()) continue;
    found->second.second.second &= ~done;
    if (found->second.second.second == 0) replayed_.erase(found);
  }
}

void EventPipeline::recovered() {
  subscriptions_changed();
  sites_checked_ms_ = to_ms(deps_.clock.real_now());
  for (const auto& [lsn, entry] : replayed_) {
    const auto& [payload, rest] = entry;
    LogBatch read;
    LogSequence first = 0;
    std::vector<LogEventIn> events;
    const GroupPtr group = deps_.logs.by_id(rest.first);
    if (group == nullptr || !read_append_record(payload, read, first, events)) continue;
    const std::string stream_name = group->stream_name(read.stream);
    const CommittedLogBatch batch{group->account,    group->region, group->name, stream_name, group->id, read.stream,
                                  read.ingestion_ms, first,         events,      lsn};
    EventBatch copy = batch_of(*group, batch, filters_.plan(*group));
    copy.embeds = copy.plan->extracts_metrics;
    copy.is_replayed = true;
    ++replayed_batches_;
    enqueue(std::move(copy), rest.second);
  }
  if (!replayed_.empty()) LOG_INFO("{} batches of log events are worked on again", replayed_.size());
  replayed_.clear();
  if (options_.own_thread) thread_ = std::make_unique<BackgroundThread>([this] { return work(); });
}

// ---- default values -----------------------------------------------------------------------------------------

void EventPipeline::load_defaults() {
  deps_.resources.for_each(kDefaultKind, [&](const Resource& resource) {
    auto sample = decode_json<StoredDefaultSample>(resource.document);
    if (!sample.ok()) return;
    const std::string id = fmt::format("{}/{}/{}", resource.key.account, resource.key.region, resource.key.name);
    defaults_[id] = {std::move(sample).value(), resource.key, false};
  });
}

// Under processing_: a minute in which a filter with a default value saw events.
void EventPipeline::minute_seen(const EventBatch& batch, const FilterMinute& seen) {
  ResourceKey key{std::string(kDefaultKind), batch.account, batch.region,
                  fmt::format("{:016x}:{}:{}", batch.group, seen.minute_ms, seen.rule->filter_name)};
  const std::string id = fmt::format("{}/{}/{}", key.account, key.region, key.name);
  auto [it, is_new] = defaults_.try_emplace(id);
  DefaultMinute& minute = it->second;
  if (is_new) {
    minute.key = std::move(key);
    minute.sample.metric_namespace = seen.rule->metric_namespace;
    minute.sample.metric_name = seen.rule->metric_name;
    minute.sample.unit = seen.rule->unit;
    minute.sample.value = *seen.rule->default_value;
    minute.sample.minute = seen.minute_ms;
    minute.sample.due = std::max(seen.minute_ms + kMinuteMs, to_ms(deps_.clock.now()));
    minute.settled = seen.matched;
    if (!seen.matched) {
      if (const Status kept = deps_.resources.put(minute.key, encode_json(minute.sample)); !kept.ok())
        LOG_WARN("a default sample is kept in memory only: {}", kept.error().message());
    }
    return;
  }
  if (!seen.matched || minute.settled) return;
  minute.settled = true;
  if (const Status erased = deps_.resources.erase(minute.key); !erased.ok()) LOG_WARN("{}", erased.error().message());
}

void EventPipeline::publish_defaults(Timestamp now) {
  const std::int64_t now_ms = to_ms(now);
  MetricEmission emission;
  std::vector<ResourceStore::Change> erased;
  for (auto it = defaults_.begin(); it != defaults_.end();) {
    DefaultMinute& minute = it->second;
    if (minute.settled && minute.sample.due + kDefaultsRememberedMs < now_ms) {
      it = defaults_.erase(it);
      continue;
    }
    if (!minute.settled && minute.sample.due <= now_ms) {
      SinkDatum datum;
      datum.metric_namespace = minute.sample.metric_namespace;
      datum.metric_name = minute.sample.metric_name;
      datum.unit = static_cast<UnitCode>(minute.sample.unit);
      datum.time = from_ms(minute.sample.minute);
      datum.values = {minute.sample.value};
      emission.add(std::move(datum), minute.key.account, minute.key.region);
      minute.settled = true;
      erased.push_back({minute.key, std::nullopt});
    }
    ++it;
  }
  if (erased.empty()) return;
  put(emission, {});
  if (const Status gone = deps_.resources.apply(std::move(erased)); !gone.ok()) LOG_WARN("{}", gone.error().message());
}

// ---- AWS/Logs ------------------------------------------------------------------------------------------------

void EventPipeline::count(std::string_view account, std::string_view region, std::string_view metric, std::string_view unit,
                          std::vector<std::pair<std::string, std::string>> dimensions, double value) {
  if (!options_.service_metrics) return;
  std::string key = fmt::format("{}/{}/{}", account, region, metric);
  for (const auto& [name, text] : dimensions) key += "\n" + name + "\n" + text;
  const auto counters = counters_.lock();
  Counter& counter = (*counters)[key];
  if (counter.metric.empty())
    counter = {std::string(account), std::string(region), std::string(metric), std::move(dimensions), unit_code(unit).value_or(kUnitNone), 0};
  counter.sum += value;
}

void EventPipeline::publish_counters(Timestamp now) {
  const std::int64_t now_ms = to_ms(now);
  std::int64_t since = counting_since_ms_;
  if (since == 0 || since > now_ms) counting_since_ms_ = since = now_ms;
  if (now_ms < minute_after(since)) return;
  counting_since_ms_ = now_ms;
  std::unordered_map<LogGroupId, Incoming> incoming;
  std::map<std::string, Counter> counters;
  std::swap(incoming, *incoming_.lock());
  std::swap(counters, *counters_.lock());
  if (incoming.empty() && counters.empty()) return;
  const Timestamp minute = from_ms(since / kMinuteMs * kMinuteMs);
  MetricEmission emission;
  const auto add = [&](const std::string& account, const std::string& region, std::string_view metric, UnitCode unit,
                       std::vector<std::pair<std::string, std::string>> dimensions, double value) {
    SinkDatum datum;
    datum.metric_namespace = "AWS/Logs";
    datum.metric_name = metric;
    datum.dimensions = std::move(dimensions);
    datum.time = minute;
    datum.unit = unit;
    datum.values = {value};
    emission.add(std::move(datum), account, region);
  };
  std::map<std::pair<std::string, std::string>, std::pair<double, double>> totals;
  const UnitCode bytes_unit = unit_code("Bytes").value_or(kUnitNone);
  for (const auto& entry : incoming) {
    const Incoming& in = entry.second;
    add(in.account, in.region, "IncomingBytes", bytes_unit, {{"LogGroupName", in.group}}, static_cast<double>(in.bytes));
    add(in.account, in.region, "IncomingLogEvents", kUnitNone, {{"LogGroupName", in.group}}, static_cast<double>(in.events));
    auto& [bytes, events] = totals[{in.account, in.region}];
    bytes += static_cast<double>(in.bytes);
    events += static_cast<double>(in.events);
  }
  for (const auto& [scope, sums] : totals) {
    add(scope.first, scope.second, "IncomingBytes", bytes_unit, {}, sums.first);
    add(scope.first, scope.second, "IncomingLogEvents", kUnitNone, {}, sums.second);
  }
  for (const auto& entry : counters) {
    const Counter& counter = entry.second;
    add(counter.account, counter.region, counter.metric, counter.unit, counter.dimensions, counter.sum);
  }
  const std::lock_guard lock(processing_);
  put(emission, {});
}

// ---- the rest -------------------------------------------------------------------------------------------------

Status EventPipeline::reset(std::string_view account, std::string_view region) {
  const std::lock_guard lock(processing_);
  {
    const auto queue = queue_.lock();
    std::vector<Lsn> gone;
    std::erase_if(queue->batches, [&](const EventBatch& batch) {
      if (!in_scope(batch.account, account) || !in_scope(batch.region, region)) return false;
      queue->bytes -= batch.text.size();
      gone.push_back(batch.lsn);
      return true;
    });
    const std::lock_guard marks(marks_);
    for (const Lsn lsn : gone) outstanding_.erase(lsn);
  }
  std::erase_if(unput_, [&](const auto& each) { return in_scope(each.account, account) && in_scope(each.region, region); });
  std::erase_if(defaults_, [&](const auto& each) { return in_scope(each.second.key.account, account) && in_scope(each.second.key.region, region); });
  std::erase_if(*incoming_.lock(), [&](const auto& each) { return in_scope(each.second.account, account) && in_scope(each.second.region, region); });
  std::erase_if(*counters_.lock(), [&](const auto& each) { return in_scope(each.second.account, account) && in_scope(each.second.region, region); });
  lambda_.clear();
  deliveries_.forget(account, region);
  filters_.forget();
  return Ok{};
}

EventPipeline::Stats EventPipeline::stats() {
  Stats stats;
  stats.batches = batches_;
  stats.events = events_;
  stats.waiting_bytes = queue_.lock_shared()->bytes;
  stats.metric_datums = datums_;
  stats.metric_failures = metric_failures_;
  stats.embedded_documents = documents_;
  stats.embedded_errors = embedded_errors_;
  stats.replayed_batches = replayed_batches_;
  stats.live_tail_sessions = live_tail_.sessions();
  stats.deliveries = deliveries_.stats();
  return stats;
}

}  // namespace fog::logs
