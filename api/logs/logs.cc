#include "api/logs/logs.h"

#include <fmt/format.h>

#include "api/codec/json.h"
#include "api/logs/index_policies.h"
#include "api/logs/masking.h"
#include "storage/base/log.h"

namespace fog::logs {
namespace {

constexpr std::string_view kGroupKind = "log-group";
constexpr std::string_view kStreamKind = "log-stream";
constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kTooNewMs = 2 * 3'600'000;
constexpr std::int64_t kTooOldMs = 14 * kDayMs;

ResourceKey group_key(const Group& group) { return {std::string(kGroupKind), group.account, group.region, group.name}; }
// Stream names may hold anything but ':' and '*'; the id keeps recreated groups apart.
std::string stream_prefix(LogGroupId group) { return fmt::format("{:016x}:", group); }
ResourceKey stream_key(const Group& group, std::string_view stream) {
  return {std::string(kStreamKind), group.account, group.region, stream_prefix(group.id) + std::string(stream)};
}

}  // namespace

Logs::~Logs() = default;

Logs::Logs(Deps deps) : deps_(deps), rules_(std::make_unique<EventRules>(deps.resources)) {
  const auto index = index_.lock();
  deps_.resources.for_each(kGroupKind, [&](const Resource& resource) {
    auto stored = decode_json<StoredLogGroup>(resource.document);
    if (!stored.ok()) {
      LOG_ERROR("log group {} cannot be read: {}", resource.key.name, stored.error().message());
      return;
    }
    auto group = std::make_shared<Group>();
    group->id = static_cast<LogGroupId>(stored->id);
    group->account = resource.key.account;
    group->region = resource.key.region;
    group->name = resource.key.name;
    *group->settings.lock() = std::move(stored).value();
    index->by_id[group->id] = group;
    index->by_scope[{group->account, group->region}][group->name] = std::move(group);
  });
  deps_.resources.for_each(kStreamKind, [&](const Resource& resource) {
    auto stored = decode_json<StoredLogStream>(resource.document);
    const std::size_t colon = resource.key.name.find(':');
    if (!stored.ok() || colon == std::string::npos) return;
    const LogGroupId id = std::strtoull(resource.key.name.c_str(), nullptr, 16);
    const auto found = index->by_id.find(id);
    if (found == index->by_id.end()) return;  // of a group that was deleted
    const auto streams = found->second->streams.lock();
    const std::string name = resource.key.name.substr(colon + 1);
    const auto stream = static_cast<LogStreamId>(stored->id);
    streams->by_name[name] = {stream, stored->creation_time};
    streams->names[stream] = name;
  });
}

GroupPtr Logs::find(std::string_view account, std::string_view region, std::string_view name) const {
  const auto index = index_.lock_shared();
  const auto scope = index->by_scope.find(ScopeKey(account, region));
  if (scope == index->by_scope.end()) return nullptr;
  const auto it = scope->second.find(name);
  return it == scope->second.end() ? nullptr : it->second;
}

std::vector<GroupPtr> Logs::list(std::string_view account, std::string_view region) const {
  std::vector<GroupPtr> groups;
  const auto index = index_.lock_shared();
  const auto scope = index->by_scope.find(ScopeKey(account, region));
  if (scope == index->by_scope.end()) return groups;
  groups.reserve(scope->second.size());
  for (const auto& entry : scope->second) groups.push_back(entry.second);
  return groups;
}

std::vector<GroupPtr> Logs::all() const {
  std::vector<GroupPtr> groups;
  const auto index = index_.lock_shared();
  for (const auto& entry : index->by_id) groups.push_back(entry.second);
  return groups;
}

GroupPtr Logs::by_id(LogGroupId id) const {
  const auto index = index_.lock_shared();
  const auto it = index->by_id.find(id);
  return it == index->by_id.end() ? nullptr : it->second;
}

Result<GroupPtr> Logs::create_group(std::string_view account, std::string_view region, std::string_view name, StoredLogGroup settings) {
  const std::lock_guard one_at_a_time(changes_);
  if (find(account, region, name) != nullptr) return Error::exists("The specified log group already exists");
  auto group = std::make_shared<Group>();
  group->id = deps_.resources.next_id();
  group->account = account;
  group->region = region;
  group->name = name;
  settings.id = static_cast<std::int64_t>(group->id);
  TRYV(deps_.resources.put(group_key(*group), encode_json(settings)));
  *group->settings.lock() = std::move(settings);
  const auto index = index_.lock();
  index->by_id[group->id] = group;
  index->by_scope[ScopeKey(account, region)][group->name] = group;
  return group;
}

void Logs::forget(const GroupPtr& group) {
  const auto index = index_.lock();
  index->by_id.erase(group->id);
  const auto scope = index->by_scope.find(ScopeKey(group->account, group->region));
  if (scope == index->by_scope.end()) return;
  scope->second.erase(group->name);
  if (scope->second.empty()) index->by_scope.erase(scope);
}

Result<Lsn> Logs::delete_group(const GroupPtr& group) {
  const std::lock_guard one_at_a_time(changes_);
  if (find(group->account, group->region, group->name) != group)
    return Error::not_found("The specified log group does not exist.");
  std::vector<ResourceStore::Change> changes;
  changes.push_back({group_key(*group), std::nullopt});
  for (const auto& entry : group->streams.lock_shared()->by_name)
    changes.push_back({stream_key(*group, entry.first), std::nullopt});
  for (const Resource& part : deps_.resources.list({.kind = std::string(kGroupPartKind),
                                                    .account = group->account,
                                                    .region = group->region,
                                                    .name_prefix = group_part(group->id, "")}))
    changes.push_back({part.key, std::nullopt});
  TRYV(deps_.resources.apply(std::move(changes)));
  forget(group);
  return deps_.store.drop_group(group->id);
}

Status Logs::change(const GroupPtr& group, const std::function<Status(StoredLogGroup&)>& edit) {
  const std::lock_guard one_at_a_time(changes_);
  if (find(group->account, group->region, group->name) != group)
    return Error::not_found("The specified log group does not exist.");
  StoredLogGroup settings = *group->settings.lock_shared();
  TRYV(edit(settings));
  TRYV(deps_.resources.put(group_key(*group), encode_json(settings)));
  *group->settings.lock() = std::move(settings);
  return Ok{};
}

Status Logs::create_stream(const GroupPtr& group, std::string_view name) {
  const std::lock_guard one_at_a_time(changes_);
  if (find(group->account, group->region, group->name) != group)
    return Error::not_found("The specified log group does not exist.");
  if (group->stream(name)) return Error::exists("The specified log stream already exists");
  StoredLogStream stored;
  stored.id = static_cast<std::int64_t>(deps_.resources.next_id());
  stored.creation_time = to_ms(deps_.clock.now());
  TRYV(deps_.resources.put(stream_key(*group, name), encode_json(stored)));
  const auto streams = group->streams.lock();
  const auto id = static_cast<LogStreamId>(stored.id);
  streams->by_name[std::string(name)] = {id, stored.creation_time};
  streams->names[id] = name;
  return Ok{};
}

Result<Lsn> Logs::delete_stream(const GroupPtr& group, std::string_view name) {
  const std::lock_guard one_at_a_time(changes_);
  const std::optional<StreamEntry> stream = group->stream(name);
  if (!stream) return Error::not_found("The specified log stream does not exist.");
  TRYV(deps_.resources.erase(stream_key(*group, name)));
  {
    const auto streams = group->streams.lock();
    streams->by_name.erase(std::string(name));
    streams->names.erase(stream->id);
  }
  return deps_.store.drop_stream(group->id, stream->id);
}

std::int64_t Logs::oldest_visible_ms(const Group& group, Timestamp now) {
  const auto settings = group.settings.lock_shared();
  // The service keeps what arrives in a DELIVERY group for a day.
  const bool delivery = settings->log_group_class == LogGroupClass::DELIVERY;
  if (!settings->retention_in_days && !delivery) return INT64_MIN;
  const std::int64_t days = delivery ? 1 : *settings->retention_in_days;
  return to_ms(now) - days * kDayMs;
}

Result<Logs::Accepted> Logs::put_events(Group& group, std::string_view stream_name, StreamEntry stream,
                                        std::span<const LogEventIn> events,
                                        std::vector<std::pair<std::string, std::string>> fields, Timestamp now) {
  const std::int64_t now_ms = to_ms(now);
  const std::int64_t oldest = oldest_visible_ms(group, now);
  Accepted accepted;
  std::size_t first = 0;
  std::size_t last = events.size();
  while (first < last && events[first].timestamp_ms < now_ms - kTooOldMs) accepted.too_old_end = ++first;
  while (first < last && events[first].timestamp_ms < oldest) accepted.expired_end = ++first;
  while (last > first && events[last - 1].timestamp_ms > now_ms + kTooNewMs) accepted.too_new_start = --last;
  const std::span<const LogEventIn> good = events.subspan(first, last - first);
  if (good.empty()) return accepted;
  if (good.back().timestamp_ms - good.front().timestamp_ms > kDayMs)
    return Error::invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.");
  TRY(const LogStore::Appended appended,
      deps_.store.append({group.id, stream.id, now_ms, good, std::move(fields)}));
  accepted.lsn = appended.lsn;
  const LogSequence newest = appended.first_sequence + good.size() - 1;
  for (LogSequence old = group.last_sequence; old < newest && !group.last_sequence.compare_exchange_weak(old, newest);) {
  }
  const CommittedLogBatch batch{group.account, group.region,           group.name, stream_name, group.id, stream.id,
                                now_ms,        appended.first_sequence, good,       appended.lsn};
  for (LogListener* listener : listeners_) listener->on_log_batch(batch);
  return accepted;
}

Result<LogSink::Outcome> Logs::put_logs(std::string_view account, std::string_view region, std::string_view group_name,
                                        std::string_view stream_name, std::span<const LogEventIn> events, bool create) {
  GroupPtr group = find(account, region, group_name);
  if (group == nullptr) {
    if (!create) return Error::not_found("The specified log group does not exist.");
    StoredLogGroup settings;
    settings.creation_time = to_ms(deps_.clock.now());
    auto made = create_group(account, region, group_name, std::move(settings));
    if (made.ok()) {
      group = std::move(made).value();
    } else {
      group = find(account, region, group_name);  // someone else was faster
      if (group == nullptr) return std::move(made).error();
    }
  }
  std::optional<StreamEntry> stream = group->stream(stream_name);
  if (!stream) {
    if (!create) return Error::not_found("The specified log stream does not exist.");
    const Status made = create_stream(group, stream_name);
    if (!made.ok() && made.error().kind() != ErrorKind::kExists) return made.error();
    stream = group->stream(stream_name);
    if (!stream) return Error::not_found("The specified log stream does not exist.");
  }
  std::vector<LogEventIn> sorted(events.begin(), events.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const LogEventIn& a, const LogEventIn& b) { return a.timestamp_ms < b.timestamp_ms; });
  // Calls of PutLogEvents span a day at most; longer stretches become several.
  Outcome outcome;
  const Timestamp now = deps_.clock.now();
  for (std::size_t at = 0; at < sorted.size();) {
    std::size_t end = at;
    while (end < sorted.size() && sorted[end].timestamp_ms - sorted[at].timestamp_ms <= kDayMs) ++end;
    TRY(const Accepted accepted, put_events(*group, stream_name, *stream, std::span(sorted).subspan(at, end - at), {}, now));
    outcome.lsn = std::max(outcome.lsn, accepted.lsn);
    outcome.too_old += accepted.too_old_end;
    if (accepted.expired_end > 0) outcome.expired += accepted.expired_end - accepted.too_old_end;
    if (accepted.too_new_start != SIZE_MAX) outcome.too_new += end - at - accepted.too_new_start;
    at = end;
  }
  return outcome;
}

bool Logs::is_indexed(const Group& group, std::string_view field) const {
  static constexpr std::string_view kAlways[] = {"@logStream",          "@aws.region",        "@aws.account",
                                                 "@source.log",         "@data_source_name",  "@data_source_type",
                                                 "@data_format",        "traceId",            "severityText",
                                                 "attributes.session.id"};
  if (std::find(std::begin(kAlways), std::end(kAlways), field) != std::end(kAlways)) return true;
  if (indexed_) return indexed_(group, field);
  const auto fields = indexed_fields(*rules_, group);
  return std::any_of(fields.begin(), fields.end(), [&](const IndexedSince& named) { return named.field.name == field; });
}

Result<LogSequence> Logs::last_sequence(const Group& group) {
  if (const LogSequence known = group.last_sequence; known != 0) return known;
  LogScanSpec all;
  all.groups = {group.id};
  TRY(const LogSnapshot snapshot, deps_.store.snapshot(all));
  LogSequence last = 0;
  for (const auto& block : snapshot.blocks) {
    const auto sequences = block->sequences();
    if (!sequences.ok()) continue;  // damaged: those events are not shown either
    for (const LogSequence sequence : *sequences) last = std::max(last, sequence);
  }
  return last;
}

Status Logs::reset(std::string_view account, std::string_view region) {
  const std::lock_guard one_at_a_time(changes_);
  rules_->forget();
  Lsn lsn = 0;
  if (account.empty() && region.empty()) {
    {
      const auto index = index_.lock();
      *index = Index{};
    }
    TRY(lsn, deps_.store.drop_all());
    return deps_.wal.wait_durable(lsn);
  }
  for (const GroupPtr& group : all()) {
    if ((!account.empty() && group->account != account) || (!region.empty() && group->region != region)) continue;
    forget(group);
    TRY(const Lsn dropped, deps_.store.drop_group(group->id));
    lsn = std::max(lsn, dropped);
  }
  return lsn == 0 ? Status(Ok{}) : deps_.wal.wait_durable(lsn);
}

}  // namespace fog::logs
