// Log streams: create, delete, describe.
#include <fmt/format.h>

#include "api/logs/common.h"
#include "api/logs/operations.h"

namespace fog::logs {
namespace {

Result<Empty> create_log_stream(Call& call, const CreateLogStreamRequest& in) {
  TRY(const GroupPtr group, group_named(call, in.log_group_name));
  TRYV(call.service<Logs>().create_stream(group, in.log_stream_name));
  return Empty{};
}

Result<Empty> delete_log_stream(Call& call, const DeleteLogStreamRequest& in) {
  TRY(const GroupPtr group, group_named(call, in.log_group_name));
  if (group->settings.lock_shared()->deletion_protection_enabled)
    return fault(ValidationException{.message = fmt::format("Log group {} is protected from deletion.", group->name)});
  TRY(const Lsn lsn, call.service<Logs>().delete_stream(group, in.log_stream_name));
  call.durable_after(lsn);
  return Empty{};
}

struct Item {
  std::string name;
  StreamEntry entry;
  std::int64_t last_event_ms = INT64_MIN;  // streams without events are the oldest
};

LogStream describe(Logs& logs, const Group& group, const Item& stream) {
  LogStream item;
  item.log_stream_name = stream.name;
  item.creation_time = stream.entry.creation_ms;
  item.arn = stream_arn(group, stream.name);
  item.stored_bytes = 0;  // the service stopped counting in 2019
  if (const auto stats = logs.store().stream_stats(group.id, stream.entry.id)) {
    item.first_event_timestamp = stats->first_timestamp_ms;
    item.last_event_timestamp = stats->last_timestamp_ms;
    item.last_ingestion_time = stats->last_ingestion_ms;
    item.upload_sequence_token = position_digits({stats->last_ingestion_ms, stats->events}, stream.entry.id);
  }
  return item;
}

Result<DescribeLogStreamsResponse> describe_log_streams(Call& call, const DescribeLogStreamsRequest& in) {
  if (in.log_group_name && in.log_group_identifier)
    return fault(ValidationException{.message = "LogGroup name and LogGroup ARN are mutually exclusive parameters."});
  const bool by_time = in.order_by.value_or(OrderBy::LogStreamName) == OrderBy::LastEventTime;
  if (by_time && in.log_stream_name_prefix)
    return invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix.");
  TRY(const GroupPtr group, group_of(call, in.log_group_name, in.log_group_identifier));
  Logs& logs = call.service<Logs>();
  const bool descending = in.descending.value_or(false);
  const std::string parameters = fmt::format("{}|{}|{}|{}", group->id, in.log_stream_name_prefix.value_or(""), by_time, descending);

  std::vector<Item> items;
  {
    const auto streams = group->streams.lock_shared();
    const std::string prefix = in.log_stream_name_prefix.value_or("");
    for (auto it = streams->by_name.lower_bound(prefix); it != streams->by_name.end() && it->first.starts_with(prefix); ++it)
      items.push_back({it->first, it->second});
  }
  if (by_time)
    for (Item& item : items)
      if (const auto stats = logs.store().stream_stats(group->id, item.entry.id)) item.last_event_ms = stats->last_timestamp_ms;
  const auto before = [&](const Item& a, const Item& b) {
    return by_time && a.last_event_ms != b.last_event_ms ? a.last_event_ms < b.last_event_ms : a.name < b.name;
  };
  if (by_time) std::sort(items.begin(), items.end(), before);
  if (descending) std::reverse(items.begin(), items.end());

  std::size_t from = 0;
  if (in.next_token) {
    const auto last = read_page_token("DescribeLogStreams", parameters, *in.next_token);
    if (!last || (by_time && last->size() < 8)) return bad_token();
    Item place;
    if (by_time) {
      ByteReader reader(*last);
      place.last_event_ms = reader.fixed<std::int64_t>();
      place.name = reader.rest();
    } else {
      place.name = *last;
    }
    const auto after = [&](const Item& item) { return descending ? before(item, place) : before(place, item); };
    from = static_cast<std::size_t>(std::find_if(items.begin(), items.end(), after) - items.begin());
  }
  DescribeLogStreamsResponse out;
  auto& list = out.log_streams.emplace();
  const auto limit = static_cast<std::size_t>(in.limit.value_or(50));
  for (std::size_t i = from; i < items.size(); ++i) {
    if (list.size() == limit) {
      const Item& last = items[i - 1];
      std::string key;
      if (by_time) ByteWriter(key).fixed(last.last_event_ms);
      key += last.name;
      out.next_token = page_token("DescribeLogStreams", parameters, key);
      break;
    }
    list.push_back(describe(logs, *group, items[i]));
  }
  return out;
}

constexpr Operation kOperations[] = {
    bind<create_log_stream>(),
    bind<delete_log_stream>(),
    bind<describe_log_streams>(),
};

}  // namespace

std::span<const Operation> log_stream_operations() { return kOperations; }

}  // namespace fog::logs
