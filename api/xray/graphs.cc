// Maps: GetServiceGraph, GetTraceGraph, GetTimeSeriesServiceStatistics.
#include "api/xray/model.h"
#include "api/xray/service.h"
#include "storage/base/hash.h"

namespace fog::xray {

namespace {

constexpr std::size_t kServicesPerPage = 1000;
constexpr std::size_t kTraceIdsMax = 100;
constexpr std::size_t kPointsPerPage = 1500;
constexpr std::int64_t kMinuteMs = 60'000;

// A page of services; reference ids are those of the whole answer, so edges may lead to other pages.
Status page_services(std::vector<xray::Service> all, const std::optional<std::string>& token,
                     std::optional<std::string>& next, std::string_view operation,
                     std::uint64_t parameters, std::optional<std::vector<xray::Service>>& out) {
  const auto key = [](const xray::Service& service) {
    std::string number = std::to_string(*service.reference_id);
    return std::string(8 - std::min<std::size_t>(8, number.size()), '0') + number;
  };
  TRY(out, page_of(std::move(all), token, next, kServicesPerPage, operation, parameters, key));
  return Ok{};
}

std::uint64_t hash_of(std::initializer_list<std::string> parts) {
  std::uint64_t hash = 1;
  for (const auto& part : parts) hash = hash64(part, hash);
  return hash;
}

Result<GetServiceGraphResult> get_service_graph(Call& call, const GetServiceGraphRequest& in) {
  if (in.end_time <= in.start_time) return invalid("StartTime must be before EndTime.");
  TRY(const auto group, find_group(call, in.group_name, in.group_arn));
  auto& xray = xray_of(call);
  TRY(const auto graph, xray.traces().graph(scope_of(call), in.start_time, in.end_time,
                                            group ? group->label : 0));
  GetServiceGraphResult out;
  out.start_time = in.start_time;
  out.end_time = in.end_time;
  out.contains_old_group_versions = false;
  if (group)
    for (const auto changed : group->expression_changes)
      if (changed > in.start_time && changed < in.end_time) out.contains_old_group_versions = true;
  TRYV(page_services(services_of(graph, call.account), in.next_token, out.next_token, "GetServiceGraph",
                     hash_of({std::to_string(to_ms(in.start_time)), std::to_string(to_ms(in.end_time)),
                              group ? group->arn : ""}),
                     out.services));
  return out;
}

Result<GetTraceGraphResult> get_trace_graph(Call& call, const GetTraceGraphRequest& in) {
  if (in.trace_ids.size() > kTraceIdsMax) return invalid("At most 100 trace ids may be given.");
  auto& store = xray_of(call).traces();
  const auto scope = scope_of(call);
  traces::TraceAssembler assembler;
  const traces::LinkResolver resolve = [&](traces::TraceId id,
                                           std::uint64_t span) -> std::optional<traces::LinkedSpan> {
    const auto stored = store.documents(scope, id);
    if (!stored) return std::nullopt;
    const auto trace = assembler.assemble(id, stored->documents, {}, 0);
    for (const auto& e : trace.entities) {
      if (e.id != span || e.segment < 0) continue;
      const auto& owner = trace.at(e.segment);
      return traces::LinkedSpan{{std::string(owner.node_name), std::string(owner.node_type),
                                 std::string(owner.account)},
                                traces::item_time_us(e)};
    }
    return std::nullopt;
  };
  traces::Graph graph;
  std::vector<traces::TraceId> seen;
  std::string ids;
  for (const auto& text : in.trace_ids) {
    ids += text;
    const auto id = traces::parse_trace_id(text);
    if (!id || std::find(seen.begin(), seen.end(), *id) != seen.end()) continue;
    seen.push_back(*id);
    if (const auto stored = store.documents(scope, *id)) graph.add(*stored->trace, 1, {}, &resolve);
  }
  GetTraceGraphResult out;
  TRYV(page_services(services_of(graph, call.account), in.next_token, out.next_token, "GetTraceGraph",
                     hash_of({ids}), out.services));
  return out;
}

// Fault share of the hour before `minute`.
double share_before(const std::map<std::int64_t, traces::ItemTotals>& totals, std::int64_t minute) {
  std::int64_t requests = 0, faults = 0;
  for (auto it = totals.lower_bound(minute - 60); it != totals.end() && it->first < minute; ++it) {
    requests += it->second.total();
    faults += it->second.fault;
  }
  return requests == 0 ? 0 : static_cast<double>(faults) / static_cast<double>(requests);
}

Result<GetTimeSeriesServiceStatisticsResult> get_time_series_service_statistics(
    Call& call, const GetTimeSeriesServiceStatisticsRequest& in) {
  if (in.end_time <= in.start_time) return invalid("StartTime must be before EndTime.");
  const std::int64_t period_s = in.period.value_or(60);
  if (period_s != 60 && period_s != 300) return invalid("Period must be 60 or 300.");
  TRY(const auto group, find_group(call, in.group_name, in.group_arn));
  trace_filter::Selector selector;
  const std::string expression = in.entity_selector_expression.value_or("");
  if (!expression.empty()) {
    auto parsed = trace_filter::parse_selector(expression);
    if (!parsed.ok()) return invalid_expression(parsed.error());
    selector = std::move(*parsed);
  }
  const bool with_forecast = in.forecast_statistics.value_or(false);
  if (with_forecast && !selector.service)
    return invalid("ForecastStatistics requires an EntitySelectorExpression that names a service.");

  const Timestamp reach = with_forecast ? in.start_time - std::chrono::hours(1) : in.start_time;
  TRY(const auto minutes, xray_of(call).traces().minutes(scope_of(call), reach, in.end_time,
                                                         group ? group->label : 0));
  std::map<std::int64_t, traces::ItemTotals> by_minute;
  for (const auto& [minute, graph] : minutes)
    by_minute[minute] = service_graph::select(graph, selector, call.account);

  struct Window {
    traces::ItemTotals totals;
    std::int64_t high = 0, low = 0;
  };
  std::map<std::int64_t, Window> windows;
  const std::int64_t first = to_ms(in.start_time) / kMinuteMs;
  const std::int64_t end = (to_ms(in.end_time) + kMinuteMs - 1) / kMinuteMs;
  for (const auto& [minute, totals] : by_minute) {
    if (minute < first || minute >= end || totals.items <= 0) continue;
    const std::int64_t start = minute * 60 / period_s * period_s;
    auto& window = windows[start];
    window.totals.add(totals, 1);
    if (!with_forecast) continue;
    const auto bounds = service_graph::forecast(totals.total(), share_before(by_minute, minute));
    window.high += bounds.high;
    window.low += bounds.low;
  }
  std::vector<TimeSeriesServiceStatistics> all;
  for (const auto& [start, window] : windows) {
    TimeSeriesServiceStatistics point;
    point.timestamp = from_ms(start * 1000);
    if (selector.service) point.service_summary_statistics = statistics<ServiceStatistics>(window.totals);
    else point.edge_summary_statistics = statistics<EdgeStatistics>(window.totals);
    point.response_time_histogram = histogram(window.totals.durations);
    if (with_forecast)
      point.service_forecast_statistics =
          ForecastStatistics{.fault_count_high = window.high, .fault_count_low = window.low};
    all.push_back(std::move(point));
  }
  GetTimeSeriesServiceStatisticsResult out;
  out.contains_old_group_versions = false;
  if (group)
    for (const auto changed : group->expression_changes)
      if (changed > in.start_time && changed < in.end_time) out.contains_old_group_versions = true;
  const auto key = [](const TimeSeriesServiceStatistics& point) {
    return std::to_string(to_ms(*point.timestamp));  // of one length until the year 2286
  };
  TRY(out.time_series_service_statistics,
      page_of(std::move(all), in.next_token, out.next_token, kPointsPerPage,
              "GetTimeSeriesServiceStatistics",
              hash_of({expression, std::to_string(to_ms(in.start_time)),
                       std::to_string(to_ms(in.end_time)), std::to_string(period_s)}),
              key));
  return out;
}

constexpr Operation kOperations[] = {bind<get_service_graph>(), bind<get_trace_graph>(),
                                     bind<get_time_series_service_statistics>()};

}  // namespace

std::span<const Operation> graph_operations() { return kOperations; }

}  // namespace fog::xray
