#include "api/logs/scheduled_queries.h"

#include <fmt/format.h>

#include "api/codec/json.h"
#include "api/logs/common.h"
#include "api/logs/lookup_tables.h"
#include "api/logs/store_scan.h"
#include "query/transformers/date_format.h"
#include "storage/base/log.h"

namespace fog::logs {
namespace {

constexpr std::size_t kHistoryMax = 1000;  // rows of one query

std::int64_t seconds(Timestamp t) { return std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count(); }

}  // namespace

std::string scheduled_run_name(std::string_view id, std::int64_t triggered_ms, std::string_view query_id) {
  return fmt::format("{}:{:014}:{}", id, triggered_ms, query_id);
}

std::optional<Timestamp> ScheduledQueries::due(const Query& query) {
  if (query.state != ScheduledQueryState::ENABLED) return std::nullopt;
  const auto schedule = Schedule::parse(query.schedule_expression.value_or(""), query.timezone.value_or("UTC"));
  if (!schedule.ok()) return std::nullopt;
  const auto instant = [](std::int64_t given) { return from_ms(instant_ms(given)); };
  const Timestamp anchor = instant(query.creation_time.value_or(0));
  // Since the last run, and not for the time before the schedule was given.
  Timestamp after = std::max(anchor, instant(query.last_updated_time.value_or(0)));
  if (query.last_triggered_time) after = std::max(after, instant(*query.last_triggered_time));
  if (query.schedule_start_time) after = std::max(after, instant(*query.schedule_start_time) - Millis(1));
  const auto next = schedule->next(after, anchor);
  if (next && query.schedule_end_time && *next > instant(*query.schedule_end_time)) return std::nullopt;
  return next;
}

std::optional<Timestamp> ScheduledQueries::next_due(Timestamp) {
  std::optional<Timestamp> first;
  deps_.logs.resources().for_each(kScheduledQueryKind, [&](const Resource& resource) {
    const auto query = decode_json<Query>(resource.document);
    if (!query.ok()) return;
    const auto at = due(*query);
    if (at && (!first || *at < *first)) first = at;
  });
  return first;
}

void ScheduledQueries::tick(Timestamp now) {
  std::vector<std::pair<ResourceKey, Timestamp>> ready;
  deps_.logs.resources().for_each(kScheduledQueryKind, [&](const Resource& resource) {
    auto query = decode_json<Query>(resource.document);
    if (!query.ok()) return;
    auto at = due(*query);
    if (!at || *at > now) return;
    // Runs missed while the server was down are not made up for, but for the last one.
    for (int k = 0; k < 100'000; ++k) {
      query->last_triggered_time = to_ms(*at);
      const auto later = due(*query);
      if (!later || *later > now) break;
      at = later;
    }
    ready.emplace_back(resource.key, *at);
  });
  for (const auto& [key, trigger] : ready) jobs_.start(key.account + key.region + key.name, [this, key = key, trigger = trigger] { run(key, trigger); });
}

void ScheduledQueries::run(const ResourceKey& key, Timestamp trigger) {
  const auto read = [&]() -> std::optional<Query> {
    const auto document = deps_.logs.resources().get(key);
    if (!document) return std::nullopt;
    auto query = decode_json<Query>(*document);
    return query.ok() ? std::optional(std::move(query).value()) : std::nullopt;
  };
  const auto query = read();
  if (!query) return;
  const TriggerHistoryRecord record = execute(key, *query, trigger);
  auto latest = read();  // it may have been updated or deleted meanwhile
  if (!latest) return;
  latest->last_triggered_time = to_ms(trigger);
  latest->last_execution_status = record.execution_status;
  std::vector<ResourceStore::Change> changes;
  changes.push_back({key, encode_json(*latest)});
  const ResourceKey row{std::string(kScheduledRunKind), key.account, key.region,
                        scheduled_run_name(key.name, to_ms(trigger), record.query_id.value_or(""))};
  changes.push_back({row, encode_json(record)});
  const auto rows = deps_.logs.resources().list({.kind = std::string(kScheduledRunKind), .account = key.account, .region = key.region, .name_prefix = key.name + ":"});
  for (std::size_t k = 0; rows.size() >= kHistoryMax && k <= rows.size() - kHistoryMax; ++k) changes.push_back({rows[k].key, std::nullopt});
  if (auto written = deps_.logs.resources().apply(std::move(changes)); !written.ok())
    LOG_ERROR("scheduled query {}: {}", key.name, written.error().message());
}

TriggerHistoryRecord ScheduledQueries::execute(const ResourceKey& key, const Query& query, Timestamp trigger) {
  TriggerHistoryRecord record;
  record.triggered_timestamp = to_ms(trigger);
  record.query_id = deps_.random.uuid();
  const auto fail = [&](ExecutionStatus status, std::string message) {
    record.execution_status = status;
    record.error_message = std::move(message);
    return record;
  };
  Queries::Start start;
  Call caller;
  caller.account = key.account;
  caller.region = key.region;
  insights::BindOptions options;
  for (const std::string& identifier : query.log_group_identifiers.value_or(std::vector<std::string>{})) {
    const auto name = group_name_of(caller, identifier);
    const GroupPtr group = name ? deps_.logs.find(key.account, key.region, *name) : nullptr;
    if (group == nullptr) return fail(ExecutionStatus::Failed, queried_group_missing(identifier, key.account).message());
    options.infrequent_access = options.infrequent_access || group->settings.lock_shared()->log_group_class == LogGroupClass::INFREQUENT_ACCESS;
    start.groups.push_back(group);
  }
  options.lookup_tables = deps_.queries.lookup_tables(key.account, key.region);
  auto parsed = insights::parse(query.query_string.value_or(""), options);
  if (!parsed.ok()) return fail(ExecutionStatus::InvalidQuery, parsed.error().message());
  start.text = query.query_string.value_or("");
  start.query = std::move(parsed).value();
  if (start.query->source()) {
    auto groups = StoreScan::resolve(deps_.logs, key.account, key.region, *start.query->source());
    if (!groups.ok()) return fail(ExecutionStatus::Failed, groups.error().message());
    start.groups = std::move(groups).value();
  }
  // Without offsets the window is what has passed since the run before.
  const auto schedule = Schedule::parse(query.schedule_expression.value_or(""), query.timezone.value_or("UTC"));
  std::int64_t back = 3600;
  if (query.start_time_offset) {
    back = *query.start_time_offset;
  } else if (schedule.ok()) {
    if (const auto later = schedule->next(trigger, from_ms(query.creation_time.value_or(0))))
      back = seconds(*later) - seconds(trigger);
  }
  start.start_s = seconds(trigger) - back;
  start.end_s = seconds(trigger) - query.end_time_offset.value_or(0);
  start.limit = static_cast<std::int64_t>(insights::kLimitDefault);
  start.now = trigger;
  auto ran = deps_.queries.run_now(key.account, key.region, std::move(start));
  if (!ran.ok()) return fail(ExecutionStatus::Failed, ran.error().message());
  record.query_id = (*ran)->id;
  std::shared_ptr<const insights::Table> table;
  {
    const auto state = (*ran)->state.lock_shared();
    table = state->table;
    if (state->status == QueryStatus::Timeout) return fail(ExecutionStatus::Timeout, "The query timed out.");
    if (state->status != QueryStatus::Complete || table == nullptr) return fail(ExecutionStatus::Failed, "The query failed.");
  }
  record.execution_status = ExecutionStatus::Complete;
  deliver(key, query, trigger, *table, record);
  return record;
}

void ScheduledQueries::deliver(const ResourceKey& key, const Query& query, Timestamp trigger, const insights::Table& table,
                               TriggerHistoryRecord& record) {
  if (!query.destination_configuration) return;
  const auto report = [&](ScheduledQueryDestinationType type, std::string to, const Status& status, std::string where) {
    auto& list = record.destinations ? *record.destinations : record.destinations.emplace();
    ScheduledQueryDestination& item = list.emplace_back();
    item.destination_type = type;
    item.destination_identifier = std::move(to);
    item.status = status.ok() ? ActionStatus::COMPLETE : ActionStatus::FAILED;
    if (status.ok()) item.processed_identifier = std::move(where);
    else item.error_message = status.error().message();
  };
  if (const auto& s3 = query.destination_configuration->s3_configuration) {
    // s3://bucket/prefix
    const std::string_view uri = std::string_view(s3->destination_identifier).substr(5);
    const std::string_view bucket = uri.substr(0, uri.find('/'));
    std::string prefix = uri.size() > bucket.size() ? std::string(uri.substr(bucket.size() + 1)) : std::string();
    if (!prefix.empty() && prefix.back() != '/') prefix += '/';
    const std::string object = fmt::format("{}{}/{}/{}.csv", prefix, query.name.value_or(""), transformers::iso_time(to_ms(trigger)), *record.query_id);
    report(ScheduledQueryDestinationType::S3, s3->destination_identifier, deps_.objects.put(bucket, object, write_csv(table), [this] { return jobs_.stopping(); }),
           fmt::format("s3://{}/{}", bucket, object));
  }
  if (const auto& lookup = query.destination_configuration->lookup_table_configuration) {
    Call caller;
    caller.account = key.account;
    caller.region = key.region;
    LookupTable settings;
    settings.lookup_table_name = lookup->table_name;
    settings.lookup_table_arn = fmt::format("arn:{}:logs:{}:{}:lookup-table:{}", partition_of(key.region), key.region, key.account, lookup->table_name);
    settings.description = lookup->description;
    settings.kms_key_id = lookup->kms_key_id;
    auto made = put_lookup_table(deps_.logs.resources(), key.account, key.region, settings, write_csv(table), to_ms(deps_.clock.now()));
    const Status status = made.ok() ? Status(Ok{}) : Status(made.error());
    report(ScheduledQueryDestinationType::LOOKUP_TABLE, lookup->table_name, status, *settings.lookup_table_arn);
  }
}

}  // namespace fog::logs
