#include "api/logs/store_scan.h"

#include <fmt/format.h>

#include "api/logs/common.h"
#include "api/logs/shown_block.h"
#include "query/insights/limits.h"
#include "storage/base/bytes.h"

namespace fog::logs {

std::string encode_pointer(const EventPointer& pointer) {
  std::string raw;
  ByteWriter to(raw);
  to.fixed<std::uint8_t>(1);
  to.varint(pointer.group);
  to.varint(pointer.stream);
  to.zigzag(pointer.timestamp_ms);
  to.varint(pointer.sequence);
  return base64url(raw);
}

std::optional<EventPointer> decode_pointer(std::string_view text) {
  if (text.size() > 512) return std::nullopt;
  const std::optional<std::string> raw = from_base64url(text);
  if (!raw) return std::nullopt;
  ByteReader in(*raw);
  EventPointer pointer;
  const auto version = in.fixed<std::uint8_t>();
  pointer.group = in.varint();
  pointer.stream = in.varint();
  pointer.timestamp_ms = in.zigzag();
  pointer.sequence = in.varint();
  if (!in.ok() || !in.at_end() || version != 1) return std::nullopt;
  return pointer;
}

Error queried_group_missing(std::string_view name, std::string_view account) {
  return fault(ResourceNotFoundException{
      .message = fmt::format("Log group '{}' does not exist for account ID '{}'", name, account)});
}

Result<std::vector<GroupPtr>> StoreScan::resolve(Logs& logs, std::string_view account, std::string_view region,
                                                 const insights::Source& source) {
  std::vector<GroupPtr> groups;
  const auto add = [&](const GroupPtr& group) {
    if (std::find(groups.begin(), groups.end(), group) == groups.end()) groups.push_back(group);
  };
  Call caller;
  caller.account = account;
  caller.region = region;
  for (const std::string& named : source.groups) {
    const std::optional<std::string> name = group_name_of(caller, named);
    const GroupPtr group = name ? logs.find(account, region, *name) : nullptr;
    if (group == nullptr) return queried_group_missing(named, account);
    add(group);
  }
  for (const insights::Source::Selector& selector : source.selectors) {
    // No group here has a data source.
    if (selector.kind == insights::Source::Selector::Kind::kDataSource) continue;
    if (!selector.accounts.empty() &&
        std::find(selector.accounts.begin(), selector.accounts.end(), account) == selector.accounts.end())
      continue;
    for (const GroupPtr& group : logs.list(account, region)) {
      const StoredLogGroup settings = *group->settings.lock_shared();
      const auto starts = [&](const std::string& prefix) { return group->name.starts_with(prefix); };
      if (!selector.prefixes.empty() && std::none_of(selector.prefixes.begin(), selector.prefixes.end(), starts)) continue;
      const std::string_view group_class = to_string(settings.log_group_class);
      if (selector.classes.empty() ? settings.log_group_class != LogGroupClass::STANDARD
                                   : std::find(selector.classes.begin(), selector.classes.end(), group_class) == selector.classes.end())
        continue;
      if (settings.log_group_class == LogGroupClass::DELIVERY) continue;
      // A tag is "key" or "key:value" (or "key=value").
      const bool tagged = std::all_of(selector.tags.begin(), selector.tags.end(), [&](const std::string& tag) {
        const std::size_t cut = tag.find_first_of(":=");
        if (!settings.tags) return false;
        const auto it = settings.tags->find(tag.substr(0, cut));
        return it != settings.tags->end() && (cut == std::string::npos || it->second == tag.substr(cut + 1));
      });
      if (tagged) add(group);
      if (groups.size() > insights::kSourceGroupsMax) return Error::limit("at most 10000 log groups can be queried at once");
    }
  }
  return groups;
}

void StoreScan::remember(const std::vector<GroupPtr>& groups) {
  const std::lock_guard lock(mutex_);
  for (const GroupPtr& group : groups)
    if (known_.emplace(group->id, group).second) log_names_.emplace(group->id, group->account + ":" + group->name);
}

Result<insights::ScanBlocks> StoreScan::open(const insights::ScanRequest& request) {
  std::vector<GroupPtr> groups = groups_;
  if (request.source) {
    TRY(groups, resolve(logs_, account_, region_, *request.source));
  }
  remember(groups);
  insights::ScanBlocks result;
  result.groups = groups.size();
  for (const GroupPtr& group : groups) {
    LogScanSpec spec;
    spec.groups = {group->id};
    spec.from_ms = std::max(request.from_ms, Logs::oldest_visible_ms(*group, now_));
    spec.to_ms = request.to_ms;
    spec.where = request.where;
    spec.newest_first = request.newest_first;
    const bool indexed = std::all_of(request.index_fields.begin(), request.index_fields.end(),
                                     [&](const std::string& field) { return logs_.is_indexed(*group, field); });
    if (!indexed) {
      const LogGroupStats stats = logs_.store().group_stats(group->id);
      result.index_events_skipped += stats.events;
      result.index_bytes_skipped += stats.message_bytes;
      continue;
    }
    const GroupRulesPtr rules = logs_.rules().of(*group);
    if (rules != nullptr) spec.where = shown_where(*rules, std::move(spec.where));
    TRY(LogSnapshot snapshot, logs_.store().snapshot(spec));
    result.events_skipped += snapshot.skipped.events;
    result.bytes_skipped += snapshot.skipped.bytes;
    for (auto& block : snapshot.blocks) result.blocks.push_back(shown(std::move(block), group, rules));
  }
  std::stable_sort(result.blocks.begin(), result.blocks.end(), [&](const auto& a, const auto& b) {
    return request.newest_first ? a->timestamp_max_ms() > b->timestamp_max_ms() : a->timestamp_min_ms() < b->timestamp_min_ms();
  });
  return result;
}

std::string_view StoreScan::log_name(LogGroupId group) {
  const std::lock_guard lock(mutex_);
  const auto it = log_names_.find(group);
  return it == log_names_.end() ? std::string_view() : std::string_view(it->second);
}

std::string_view StoreScan::stream_name(LogStreamId stream) {
  const std::lock_guard lock(mutex_);
  if (const auto it = stream_names_.find(stream); it != stream_names_.end()) return it->second;
  // Not seen before: stream ids are unique over all groups.
  std::string name;
  for (const auto& entry : known_) {
    name = entry.second->stream_name(stream);
    if (!name.empty()) break;
  }
  return stream_names_.emplace(stream, std::move(name)).first->second;
}

bool StoreScan::discovers_fields(LogGroupId group) {
  const std::lock_guard lock(mutex_);
  const auto it = known_.find(group);
  return it == known_.end() || it->second->settings.lock_shared()->log_group_class == LogGroupClass::STANDARD;
}

}  // namespace fog::logs
