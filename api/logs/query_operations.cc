// StartQuery, GetQueryResults, StopQuery, DescribeQueries, ListLogGroupsForQuery.
#include <fmt/format.h>

#include "api/logs/common.h"
#include "api/logs/operations.h"
#include "api/logs/queries.h"
#include "api/logs/query_result_key.h"
#include "api/logs/store_scan.h"
#include "query/insights/lex.h"

namespace fog::logs {
namespace {

constexpr std::size_t kGroupsMax = 50;
constexpr std::size_t kRowsPerPage = 10'000;

Error query_missing() { return fault(ResourceNotFoundException{.message = "The specified query does not exist."}); }

Error malformed(const Error& error) {
  MalformedQueryException out{.message = error.message()};
  QueryCompileError& compile = out.query_compile_error.emplace();
  compile.message = error.message();
  QueryCompileErrorLocation& location = compile.location.emplace();
  const auto* detail = dynamic_cast<const insights::QueryErrorDetail*>(error.detail());
  location.start_char_offset = static_cast<std::int32_t>(detail != nullptr ? detail->start : error.position().value_or(0));
  location.end_char_offset = static_cast<std::int32_t>(detail != nullptr ? detail->end : error.position().value_or(0));
  return fault(std::move(out));
}

// The groups that the parameters name.
Result<std::vector<GroupPtr>> groups_of(Call& call, const StartQueryRequest& in) {
  std::vector<std::string> named;
  if (in.log_group_name) named.push_back(*in.log_group_name);
  if (in.log_group_names) named = *in.log_group_names;
  if (in.log_group_identifiers) named = *in.log_group_identifiers;
  if (named.size() > kGroupsMax)
    return invalid_parameter(fmt::format("The number of log groups cannot exceed {}.", kGroupsMax));
  std::vector<GroupPtr> groups;
  for (const std::string& identifier : named) {
    const std::optional<std::string> name =
        in.log_group_identifiers ? group_name_of(call, identifier) : std::optional<std::string>(identifier);
    const GroupPtr group = name ? call.service<Logs>().find(call.account, call.region, *name) : nullptr;
    if (group == nullptr) return queried_group_missing(identifier, call.account);
    if (std::find(groups.begin(), groups.end(), group) == groups.end()) groups.push_back(group);
  }
  return groups;
}

Result<StartQueryResponse> start_query(Call& call, const StartQueryRequest& in) {
  const int ways = (in.log_group_name ? 1 : 0) + (in.log_group_names ? 1 : 0) + (in.log_group_identifiers ? 1 : 0);
  if (ways > 1)
    return invalid_parameter("Only one of logGroupName, logGroupNames and logGroupIdentifiers can be provided.");
  if (in.start_time > in.end_time) return invalid_parameter("startTime must be less than or equal to endTime.");
  const QueryLanguage language = in.query_language.value_or(QueryLanguage::CWLI);
  if (language != QueryLanguage::CWLI)
    return invalid_parameter(fmt::format("queryLanguage {} is not supported", to_string(language)));
  Queries& queries = call.service<Queries>();
  TRY(std::vector<GroupPtr> groups, groups_of(call, in));
  insights::BindOptions bind_options;
  const auto has_class = [](LogGroupClass wanted) {
    return [wanted](const GroupPtr& group) { return group->settings.lock_shared()->log_group_class == wanted; };
  };
  bind_options.infrequent_access = std::any_of(groups.begin(), groups.end(), has_class(LogGroupClass::INFREQUENT_ACCESS));
  bind_options.lookup_tables = queries.lookup_tables(call.account, call.region);
  Result<std::shared_ptr<const insights::Query>> query = insights::parse(in.query_string, bind_options);
  if (!query.ok()) {
    if (query.error().kind() == ErrorKind::kInvalid) return malformed(query.error());
    return std::move(query).error();
  }
  if ((*query)->source()) {
    if (ways > 0) return invalid_parameter("Log groups cannot be given both in the request and in the SOURCE of the query.");
    TRY(groups, StoreScan::resolve(queries.logs(), call.account, call.region, *(*query)->source()));
  } else if (ways == 0) {
    return invalid_parameter("One of logGroupName, logGroupNames and logGroupIdentifiers is required.");
  }
  if (std::any_of(groups.begin(), groups.end(), has_class(LogGroupClass::DELIVERY)))
    return invalid_parameter("Log groups of class DELIVERY cannot be queried.");
  Queries::Start start;
  start.text = in.query_string;
  start.query = std::move(query).value();
  start.groups = std::move(groups);
  start.start_s = in.start_time;
  start.end_s = in.end_time;
  start.limit = in.limit.value_or(static_cast<std::int32_t>(insights::kLimitDefault));
  start.now = call.now;
  TRY(const QueryRunPtr run, queries.start(call.account, call.region, std::move(start)));
  StartQueryResponse out;
  out.query_id = run->id;
  return out;
}

Result<GetQueryResultsResponse> get_query_results(Call& call, const GetQueryResultsRequest& in) {
  const QueryRunPtr run = call.service<Queries>().find(call.account, call.region, in.query_id);
  if (run == nullptr) return query_missing();
  GetQueryResultsResponse out;
  out.query_language = QueryLanguage::CWLI;
  out.encryption_key = call.service<Logs>().resources().get(query_result_key(call));
  std::shared_ptr<const insights::Table> table;
  insights::Statistics statistics;
  {
    const auto state = run->state.lock_shared();
    out.status = state->status;
    table = state->table;
    statistics = state->statistics;
  }
  QueryStatistics& numbers = out.statistics.emplace();
  numbers.records_matched = statistics.records_matched;
  numbers.records_scanned = statistics.records_scanned;
  numbers.bytes_scanned = statistics.bytes_scanned;
  numbers.estimated_records_skipped = statistics.records_skipped;
  numbers.estimated_bytes_skipped = statistics.bytes_skipped;
  numbers.log_groups_scanned = statistics.groups_scanned;

  std::size_t from = 0;
  if (in.next_token) {
    // A finished result does not change, so a row number is a stable place in it.
    const std::optional<std::string> last = read_page_token("GetQueryResults", run->id, *in.next_token);
    if (!last) return bad_token();
    from = static_cast<std::size_t>(std::strtoull(last->c_str(), nullptr, 10));
  }
  auto& rows = out.results.emplace();
  if (table == nullptr) return out;
  const std::size_t page = in.max_items ? static_cast<std::size_t>(std::max(*in.max_items, 1)) : kRowsPerPage;
  const std::size_t end = std::min(table->rows.size(), from + std::min(page, kRowsPerPage));
  rows.reserve(end > from ? end - from : 0);
  for (std::size_t row = from; row < end; ++row) {
    std::vector<ResultField>& fields = rows.emplace_back();
    for (std::size_t column = 0; column < table->columns.size(); ++column) {
      std::optional<std::string> text = table->text(row, column);
      if (!text) continue;
      ResultField& field = fields.emplace_back();
      field.field = table->columns[column];
      field.value = std::move(text);
    }
    if (!table->rows[row].pointer.empty()) {
      ResultField& field = fields.emplace_back();
      field.field = "@ptr";
      field.value = table->rows[row].pointer;
    }
  }
  const bool running = out.status == QueryStatus::Running || out.status == QueryStatus::Scheduled;
  if (end < table->rows.size() && !running) out.next_token = page_token("GetQueryResults", run->id, std::to_string(end));
  return out;
}

Result<StopQueryResponse> stop_query(Call& call, const StopQueryRequest& in) {
  Queries& queries = call.service<Queries>();
  const QueryRunPtr run = queries.find(call.account, call.region, in.query_id);
  if (run == nullptr) return query_missing();
  if (!queries.stop(run)) return invalid_parameter(fmt::format("Query {} is not in running status.", in.query_id));
  StopQueryResponse out;
  out.success = true;
  return out;
}

Result<DescribeQueriesResponse> describe_queries(Call& call, const DescribeQueriesRequest& in) {
  const std::string parameters = fmt::format("{}|{}|{}", in.log_group_name.value_or(""), in.status ? to_string(*in.status) : "",
                                             in.query_language ? to_string(*in.query_language) : "");
  std::string after;
  if (in.next_token) {
    const auto last = read_page_token("DescribeQueries", parameters, *in.next_token);
    if (!last) return bad_token();
    after = *last;
  }
  DescribeQueriesResponse out;
  auto& items = out.queries.emplace();
  const auto limit = static_cast<std::size_t>(in.max_results.value_or(1000));
  bool reached = after.empty();
  for (const QueryRunPtr& run : call.service<Queries>().list(call.account, call.region)) {
    if (!reached) {
      reached = run->id == after;
      continue;
    }
    const auto state = run->state.lock_shared();
    if (in.log_group_name && std::find(run->groups.begin(), run->groups.end(), *in.log_group_name) == run->groups.end()) continue;
    if (in.status && state->status != *in.status) continue;
    if (in.query_language && *in.query_language != QueryLanguage::CWLI) continue;
    if (items.size() == limit) {
      out.next_token = page_token("DescribeQueries", parameters, *items.back().query_id);
      break;
    }
    QueryInfo& item = items.emplace_back();
    item.query_language = QueryLanguage::CWLI;
    item.query_id = run->id;
    item.query_string = run->text;
    item.status = state->status;
    item.create_time = run->created_ms;
    if (!run->groups.empty()) item.log_group_name = run->groups.front();
    if (state->duration) {
      item.query_duration = state->duration->count();
      item.bytes_scanned = state->statistics.bytes_scanned;
    }
  }
  return out;
}

Result<ListLogGroupsForQueryResponse> list_log_groups_for_query(Call& call, const ListLogGroupsForQueryRequest& in) {
  const QueryRunPtr run = call.service<Queries>().find(call.account, call.region, in.query_id);
  if (run == nullptr) return query_missing();
  std::string after;
  if (in.next_token) {
    const auto last = read_page_token("ListLogGroupsForQuery", run->id, *in.next_token);
    if (!last) return bad_token();
    after = *last;
  }
  std::vector<std::string> names = run->groups;
  std::sort(names.begin(), names.end());
  ListLogGroupsForQueryResponse out;
  auto& items = out.log_group_identifiers.emplace();
  const auto limit = static_cast<std::size_t>(in.max_results.value_or(500));
  for (const std::string& name : names) {
    if (!after.empty() && name <= after) continue;
    if (items.size() == limit) {
      out.next_token = page_token("ListLogGroupsForQuery", run->id, items.back());
      break;
    }
    items.push_back(name);
  }
  return out;
}

constexpr Operation kOperations[] = {
    bind<start_query>(),      bind<get_query_results>(),         bind<stop_query>(),
    bind<describe_queries>(), bind<list_log_groups_for_query>(),
};

}  // namespace

std::span<const Operation> query_operations() { return kOperations; }

}  // namespace fog::logs
