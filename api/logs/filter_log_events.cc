// FilterLogEvents: the events of many streams of a group that match a pattern.
#include <fmt/format.h>

#include "api/logs/common.h"
#include "api/logs/event_page.h"
#include "api/logs/masking.h"
#include "api/logs/operations.h"
#include "api/logs/pattern.h"

namespace fog::logs {
namespace {

constexpr std::size_t kEventsDefault = 10'000;
constexpr std::int64_t kDescendingSinceMs = 1'704'067'200'000;  // 2024-01-01: older data is only read upwards

Result<std::optional<std::vector<LogStreamId>>> streams_of(const Group& group, const FilterLogEventsRequest& in) {
  std::optional<std::vector<LogStreamId>> ids;
  if (in.log_stream_names) {
    ids.emplace();
    for (const std::string& name : *in.log_stream_names) {
      const std::optional<StreamEntry> stream = group.stream(name);
      if (!stream) return stream_missing();
      ids->push_back(stream->id);
    }
  } else if (in.log_stream_name_prefix) {
    ids.emplace();
    const auto streams = group.streams.lock_shared();
    for (auto it = streams->by_name.lower_bound(*in.log_stream_name_prefix);
         it != streams->by_name.end() && it->first.starts_with(*in.log_stream_name_prefix); ++it)
      ids->push_back(it->second.id);
  }
  return ids;
}

Result<FilterLogEventsResponse> filter_log_events(Call& call, const FilterLogEventsRequest& in) {
  if (in.log_stream_names && in.log_stream_name_prefix)
    return invalid_parameter("logStreamNames and logStreamNamePrefix are mutually exclusive parameters.");
  TRY(const EventPattern pattern, parse_pattern(in.filter_pattern.value_or("")));
  TRY(const GroupPtr group, group_of(call, in.log_group_name, in.log_group_identifier));
  TRY(auto streams, streams_of(*group, in));

  std::string parameters = fmt::format("{}|{}|{}|{}|{}", group->id, in.start_time.value_or(INT64_MIN), in.end_time.value_or(INT64_MAX),
                                       in.filter_pattern.value_or(""), in.log_stream_name_prefix.value_or(""));
  if (in.log_stream_names)
    for (const std::string& name : *in.log_stream_names) parameters += "|" + name;
  PageSpec spec;
  spec.ascending = in.start_from_head.value_or(true);
  if (in.next_token) {
    const std::optional<std::string> last = read_page_token("FilterLogEvents", parameters, *in.next_token);
    if (!last) return bad_token();
    ByteReader reader(*last);
    spec.ascending = reader.fixed<std::uint8_t>() != 0;  // a listing keeps its direction
    Position place;
    place.timestamp_ms = reader.fixed<std::int64_t>();
    place.sequence = reader.fixed<std::uint64_t>();
    if (!reader.ok() || !reader.at_end()) return bad_token();
    spec.beyond = place;
  }
  if (!spec.ascending && in.start_time.value_or(0) < kDescendingSinceMs)
    return invalid_parameter("startFromHead can be false only when startTime is on or after January 1, 2024 00:00:00 UTC.");
  spec.group = group->id;
  spec.streams = std::move(streams);
  spec.from_ms = std::max(in.start_time.value_or(INT64_MIN), Logs::oldest_visible_ms(*group, call.now));
  spec.to_ms = in.end_time.value_or(INT64_MAX);
  spec.events_max = in.limit ? static_cast<std::size_t>(*in.limit) : kEventsDefault;
  spec.where = pattern.where;
  spec.matches = pattern.matches;
  TRY(EventPage page, read_page(call.service<Logs>().store(), spec));

  FilterLogEventsResponse out;
  out.searched_log_streams.emplace();  // the service does not fill it any more
  if (page.more && !page.events.empty()) {
    std::string key;
    ByteWriter to(key);
    to.fixed(static_cast<std::uint8_t>(spec.ascending ? 1 : 0));
    to.fixed(page.events.back().timestamp_ms);
    to.fixed(static_cast<std::uint64_t>(page.events.back().sequence));
    out.next_token = page_token("FilterLogEvents", parameters, key);
  }
  auto& events = out.events.emplace();
  events.reserve(page.events.size());
  std::unordered_map<LogStreamId, std::string> names;
  const GroupRulesPtr rules = in.unmask.value_or(false) ? nullptr : call.service<Logs>().rules().of(*group);
  for (::fog::LogEvent& event : page.events) {
    if (rules != nullptr) rules->mask(event.ingestion_ms, event.sequence, event.message);
    std::string& name = names[event.stream];
    if (name.empty()) name = group->stream_name(event.stream);
    FilteredLogEvent& item = events.emplace_back();
    item.log_stream_name = name;
    item.timestamp = event.timestamp_ms;
    item.ingestion_time = event.ingestion_ms;
    item.event_id = position_digits({event.timestamp_ms, event.sequence}, event.stream);
    item.message = std::move(event.message);
  }
  return out;
}

constexpr Operation kOperations[] = {heavy(bind<filter_log_events>())};

}  // namespace

std::span<const Operation> filter_log_events_operations() { return kOperations; }

}  // namespace fog::logs
