// CreateScheduledQuery, UpdateScheduledQuery, GetScheduledQuery, ListScheduledQueries,
// DeleteScheduledQuery, GetScheduledQueryHistory.
#include <fmt/format.h>

#include "api/logs/operations.h"
#include "api/logs/queries.h"
#include "api/logs/resource_tags.h"
#include "api/logs/scheduled_queries.h"
#include "api/logs/shelf.h"
#include "api/logs/store_scan.h"
#include "storage/base/random.h"

namespace fog::logs {
namespace {

using Query = GetScheduledQueryResponse;
constexpr Shelf<Query> kQueries(kScheduledQueryKind);
constexpr Shelf<TriggerHistoryRecord> kRuns(kScheduledRunKind);
constexpr std::size_t kQueriesMax = 1000;

Error validation(std::string message) { return fault(ValidationException{.message = std::move(message)}); }
Error query_missing() { return fault(ResourceNotFoundException{.message = "The specified scheduled query does not exist."}); }

// By name or ARN.
Result<std::pair<std::string, Query>> query_of(Call& call, const std::string& identifier) {
  if (const auto id = name_in_arn(call, "scheduled-query", identifier)) {
    if (auto query = kQueries.get(call, *id)) return std::pair(*id, std::move(*query));
    return query_missing();
  }
  for (auto& item : kQueries.list(call))
    if (item.second.name == identifier || item.first == identifier) return std::move(item);
  return query_missing();
}

// What create and update have in common.
template <typename Request>
Status check(Call& call, const Request& in) {
  if (const auto schedule = Schedule::parse(in.schedule_expression, in.timezone.value_or("UTC")); !schedule.ok())
    return validation(schedule.error().message());
  if (in.start_time_offset.value_or(1) < 0 || in.end_time_offset.value_or(0) < 0) return validation("Time offsets must not be negative.");
  if (in.start_time_offset && *in.start_time_offset <= in.end_time_offset.value_or(0))
    return validation("startTimeOffset must be greater than endTimeOffset.");
  if (in.schedule_start_time && in.schedule_end_time && *in.schedule_start_time >= *in.schedule_end_time)
    return validation("scheduleStartTime must be before scheduleEndTime.");
  if (in.query_language != QueryLanguage::CWLI) return validation(fmt::format("queryLanguage {} is not supported", to_string(in.query_language)));
  insights::BindOptions options;
  options.lookup_tables = call.service<Queries>().lookup_tables(call.account, call.region);
  for (const std::string& identifier : in.log_group_identifiers.value_or(std::vector<std::string>{})) {
    const auto name = group_name_of(call, identifier);
    if (!name || call.service<Logs>().find(call.account, call.region, *name) == nullptr)
      return queried_group_missing(identifier, call.account);
  }
  const auto query = insights::parse(in.query_string, options);
  if (!query.ok()) return validation(fmt::format("Invalid query string: {}", query.error().message()));
  if (!(*query)->source() && !in.log_group_identifiers)
    return validation("Log groups must be given by logGroupIdentifiers or by the SOURCE of the query.");
  if (in.destination_configuration && !in.destination_configuration->s3_configuration &&
      !in.destination_configuration->lookup_table_configuration)
    return validation("destinationConfiguration must hold s3Configuration or lookupTableConfiguration.");
  return Ok{};
}

template <typename Request>
void fill(Query& query, const Request& in) {
  query.description = in.description;
  query.query_language = in.query_language;
  query.query_string = in.query_string;
  query.log_group_identifiers = in.log_group_identifiers;
  query.schedule_expression = in.schedule_expression;
  query.timezone = in.timezone.value_or("UTC");
  query.start_time_offset = in.start_time_offset;
  query.end_time_offset = in.end_time_offset;
  query.destination_configuration = in.destination_configuration;
  query.schedule_start_time = in.schedule_start_time;
  query.schedule_end_time = in.schedule_end_time;
  query.execution_role_arn = in.execution_role_arn;
  query.state = in.state.value_or(ScheduledQueryState::ENABLED);
  query.schedule_type = ScheduleType::CUSTOMER_MANAGED;
}

Result<CreateScheduledQueryResponse> create_scheduled_query(Call& call, const CreateScheduledQueryRequest& in) {
  TRYV(check(call, in));
  const auto all = kQueries.list(call);
  for (const auto& item : all)
    if (item.second.name == in.name)
      return fault(ConflictException{.message = fmt::format("A scheduled query with name {} already exists.", in.name)});
  if (all.size() >= kQueriesMax) return fault(ServiceQuotaExceededException{.message = "Resource limit exceeded."});
  const std::string id = call.service<Random>().uuid();
  Query query;
  fill(query, in);
  query.name = in.name;
  query.scheduled_query_arn = resource_arn(call, "scheduled-query", id);
  query.creation_time = to_ms(call.now);
  query.last_updated_time = to_ms(call.now);
  TRYV(kQueries.put(call, id, query));
  if (in.tags) TRYV(put_resource_tags(call, *query.scheduled_query_arn, *in.tags));
  CreateScheduledQueryResponse out;
  out.scheduled_query_arn = query.scheduled_query_arn;
  out.state = query.state;
  return out;
}

Result<UpdateScheduledQueryResponse> update_scheduled_query(Call& call, const UpdateScheduledQueryRequest& in) {
  TRY(auto found, query_of(call, in.identifier));
  TRYV(check(call, in));
  auto& [id, query] = found;
  fill(query, in);
  query.last_updated_time = to_ms(call.now);
  TRYV(kQueries.put(call, id, query));
  // The two shapes have the same members.
  return decode_json<UpdateScheduledQueryResponse>(encode_json(query));
}

Result<GetScheduledQueryResponse> get_scheduled_query(Call& call, const GetScheduledQueryRequest& in) {
  TRY(auto found, query_of(call, in.identifier));
  return std::move(found.second);
}

Result<ListScheduledQueriesResponse> list_scheduled_queries(Call& call, const ListScheduledQueriesRequest& in) {
  std::vector<std::pair<std::string, ScheduledQuerySummary>> all;
  for (const auto& [id, query] : kQueries.list(call)) {
    if (in.state && query.state != in.state) continue;
    if (in.schedule_type && query.schedule_type != in.schedule_type) continue;
    ScheduledQuerySummary summary;
    summary.scheduled_query_arn = query.scheduled_query_arn;
    summary.name = query.name;
    summary.state = query.state;
    summary.schedule_type = query.schedule_type;
    summary.last_triggered_time = query.last_triggered_time;
    summary.last_execution_status = query.last_execution_status;
    summary.schedule_expression = query.schedule_expression;
    summary.timezone = query.timezone;
    summary.destination_configuration = query.destination_configuration;
    summary.creation_time = query.creation_time;
    summary.last_updated_time = query.last_updated_time;
    all.emplace_back(query.name.value_or(""), std::move(summary));
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  ListScheduledQueriesResponse out;
  auto cut = cut_page("ListScheduledQueries", "", all, in.next_token, static_cast<std::size_t>(in.max_results.value_or(50)),
                      [](const auto& item) -> const std::string& { return item.first; });
  if (!cut.ok()) return validation("The specified nextToken is invalid.");
  out.next_token = std::move(cut).value();
  auto& items = out.scheduled_queries.emplace();
  for (auto& item : all) items.push_back(std::move(item.second));
  return out;
}

Result<DeleteScheduledQueryResponse> delete_scheduled_query(Call& call, const DeleteScheduledQueryRequest& in) {
  TRY(const auto found, query_of(call, in.identifier));
  std::vector<ResourceStore::Change> changes;
  changes.push_back({kQueries.key(call, found.first), std::nullopt});
  for (const auto& run : kRuns.list(call, found.first + ":")) changes.push_back({kRuns.key(call, run.first), std::nullopt});
  TRYV(call.service<ResourceStore>().apply(std::move(changes)));
  TRYV(erase_resource_tags(call, *found.second.scheduled_query_arn));
  return DeleteScheduledQueryResponse{};
}

Result<GetScheduledQueryHistoryResponse> get_scheduled_query_history(Call& call, const GetScheduledQueryHistoryRequest& in) {
  TRY(const auto found, query_of(call, in.identifier));
  if (in.start_time > in.end_time) return validation("startTime must not be after endTime.");
  // Newest first.
  std::vector<std::pair<std::string, TriggerHistoryRecord>> all;
  for (auto& [name, record] : kRuns.list(call, found.first + ":")) {
    const std::int64_t at = record.triggered_timestamp.value_or(0);
    if (at < instant_ms(in.start_time) || at > instant_ms(in.end_time)) continue;
    if (in.execution_statuses && !in.execution_statuses->empty() &&
        std::find(in.execution_statuses->begin(), in.execution_statuses->end(), *record.execution_status) == in.execution_statuses->end())
      continue;
    all.emplace_back(fmt::format("{:020}{}", INT64_MAX - at, name), std::move(record));
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  GetScheduledQueryHistoryResponse out;
  out.name = found.second.name;
  out.scheduled_query_arn = found.second.scheduled_query_arn;
  auto cut = cut_page("GetScheduledQueryHistory", found.first, all, in.next_token, static_cast<std::size_t>(in.max_results.value_or(50)),
                      [](const auto& item) -> const std::string& { return item.first; });
  if (!cut.ok()) return validation("The specified nextToken is invalid.");
  out.next_token = std::move(cut).value();
  auto& items = out.trigger_history.emplace();
  for (auto& item : all) items.push_back(std::move(item.second));
  return out;
}

constexpr Operation kOperations[] = {
    bind<create_scheduled_query>(), bind<update_scheduled_query>(), bind<get_scheduled_query>(),
    bind<list_scheduled_queries>(), bind<delete_scheduled_query>(), bind<get_scheduled_query_history>(),
};

}  // namespace

std::span<const Operation> scheduled_query_operations() { return kOperations; }

}  // namespace fog::logs
