#include "api/xray/insights.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/codec/json.h"
#include "api/codec/text.h"
#include "api/xray/documents.h"
#include "api/xray/model.h"
#include "api/xray/service.h"
#include "storage/base/hash.h"
#include "storage/base/log.h"

namespace fog::xray {

namespace {

using std::chrono::minutes;

constexpr std::int64_t kHistoryMinutes = 60;
constexpr std::int64_t kRequestsMin = 10;
constexpr std::int64_t kNormalMinutesToClose = 5;
constexpr std::int64_t kMinutesPerTickMax = 1440;  // after a jump of the clock no more is made up
constexpr std::size_t kEventsMax = 1000;
constexpr std::size_t kServicesWithMetricsMax = 1000;
constexpr std::size_t kSummariesPerPage = 100;
constexpr std::size_t kEventsPerPage = 50;
constexpr Millis kMinute{60'000};
// Late documents still count: a minute is looked at this long after it ended.
constexpr Millis kSettle{10'000};

RequestImpactStatistics impact(const traces::ItemTotals& totals) {
  return {.fault_count = totals.fault, .ok_count = totals.total() - totals.fault, .total_count = totals.total()};
}

ServiceId id_of(const traces::NodeKey& key, const std::string& account) {
  return service_id(key.name, key.type, key.account, account);
}

std::vector<StoredInsight> insights_of(ResourceStore& resources, const TraceScope& scope) {
  std::vector<StoredInsight> all;
  for (const auto& resource :
       resources.list({.kind = kInsightKind, .account = scope.account, .region = scope.region})) {
    auto stored = decode_json<StoredInsight>(resource.document);
    if (stored.ok()) all.push_back(std::move(*stored));
  }
  return all;
}

Status store(ResourceStore& resources, const TraceScope& scope, const StoredInsight& insight) {
  return resources.put({kInsightKind, scope.account, scope.region, *insight.summary.insight_id}, encode_json(insight));
}

// Nodes by their distance from the clients: the farthest is the most downstream.
std::map<traces::NodeKey, int> depths(const traces::Graph& graph) {
  std::vector<int> depth(graph.keys().size(), 0);
  // Longest paths in a graph that may have circles: as many rounds as nodes, no more than 64.
  const std::size_t rounds = std::min<std::size_t>(graph.keys().size(), 64);
  for (std::size_t round = 0; round < rounds; ++round)
    for (const auto& [key, edge] : graph.edges())
      if (!key.link && key.from != key.to && edge.totals.items > 0 && depth[key.to] < depth[key.from] + 1 &&
          depth[key.from] < 64)
        depth[key.to] = depth[key.from] + 1;
  std::map<traces::NodeKey, int> out;
  for (std::size_t i = 0; i < depth.size(); ++i) out[graph.keys()[i]] = depth[i];
  return out;
}

// Sets of anomalous nodes that are connected by calls.
std::vector<std::set<traces::NodeKey>> clusters(const traces::Graph& graph, const std::set<traces::NodeKey>& nodes) {
  std::vector<std::set<traces::NodeKey>> out;
  for (const auto& node : nodes) out.push_back({node});
  for (const auto& [key, edge] : graph.edges()) {
    const auto& from = graph.keys()[key.from];
    const auto& to = graph.keys()[key.to];
    if (edge.totals.items <= 0 || !nodes.contains(from) || !nodes.contains(to)) continue;
    const auto holding = [&](const traces::NodeKey& node) {
      return std::find_if(out.begin(), out.end(), [&](const auto& cluster) { return cluster.contains(node); });
    };
    const auto a = holding(from);
    const auto b = holding(to);
    if (a == b) continue;
    a->insert(b->begin(), b->end());
    out.erase(b);
  }
  return out;
}

std::vector<InsightImpactGraphService> impact_graph(const traces::Graph& graph, const std::string& account) {
  std::vector<InsightImpactGraphService> out;
  const auto nodes = service_graph::service_graph(graph);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    InsightImpactGraphService service;
    service.reference_id = static_cast<std::int32_t>(i);
    service.name = nodes[i].key.name;
    service.names = {nodes[i].key.name};
    if (!nodes[i].key.type.empty()) service.type = nodes[i].key.type;
    service.account_id = nodes[i].key.account.empty() ? account : nodes[i].key.account;
    service.edges.emplace();
    for (const auto& edge : nodes[i].edges)
      service.edges->push_back({.reference_id = static_cast<std::int32_t>(edge.to)});
    out.push_back(std::move(service));
  }
  return out;
}

traces::ItemTotals client_totals(const traces::Graph& graph) {
  traces::ItemTotals sum;
  for (const auto& [key, edge] : graph.edges())
    if (graph.keys()[key.from].type == traces::kClientType) sum.add(edge.totals, 1);
  return sum;
}

// As EventBridge would hand it to a target.
std::string notification(const TraceScope& scope, const StoredInsight& insight, Timestamp at, const std::string& id) {
  const auto& s = insight.summary;
  const auto time = [](Timestamp when) {
    std::string text;
    append_iso8601(when, text);
    return text;
  };
  nlohmann::json detail = {{"State", std::string(to_string(s.state.value_or(InsightState::ACTIVE)))},
                           {"Category", "FAULT"},
                           {"InsightId", s.insight_id.value_or("")},
                           {"GroupName", s.group_name.value_or("")},
                           {"GroupARN", s.group_arn.value_or("")},
                           {"Summary", s.summary.value_or("")},
                           {"StartTime", time(s.start_time.value_or(at))}};
  if (s.end_time) detail["EndTime"] = time(*s.end_time);
  if (s.root_cause_service_id) detail["RootCauseServiceId"] = nlohmann::json::parse(encode_json(*s.root_cause_service_id));
  const auto add_impact = [&](const char* name, const std::optional<RequestImpactStatistics>& impact) {
    if (impact) detail[name] = nlohmann::json::parse(encode_json(*impact));
  };
  add_impact("ClientRequestImpactStatistics", s.client_request_impact_statistics);
  add_impact("RootCauseServiceRequestImpactStatistics", s.root_cause_service_request_impact_statistics);
  return nlohmann::json{{"version", "0"},
                        {"id", id},
                        {"source", "aws.xray"},
                        {"detail-type", "AWS X-Ray Insight Update"},
                        {"account", scope.account},
                        {"time", time(at)},
                        {"region", scope.region},
                        {"resources", nlohmann::json::array({s.group_arn.value_or("")})},
                        {"detail", detail}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::optional<Timestamp> InsightWorker::next_due(Timestamp now) {
  const std::int64_t minute = to_ms(now - kSettle) / kMinute.count();
  if (done_minute_ < 0 || done_minute_ < minute - 1) return now;
  return from_ms((done_minute_ + 2) * kMinute.count()) + kSettle;
}

void InsightWorker::tick(Timestamp now) {
  const std::int64_t closed = to_ms(now - kSettle) / kMinute.count() - 1;
  if (done_minute_ >= closed && done_minute_ - closed < kMinutesPerTickMax) return;
  std::int64_t minute = done_minute_ < 0 || done_minute_ > closed ? closed : done_minute_ + 1;
  minute = std::max(minute, closed - kMinutesPerTickMax + 1);
  for (; minute <= closed; ++minute) {
    for (const auto& scope : xray_.traces().scopes()) {
      const auto groups = xray_.groups(scope);
      for (const auto& group : *groups) look_at(scope, group, minute);
    }
    done_minute_ = minute;
  }
}

namespace {

constexpr std::size_t kValuesMax = 150;  // of one datum

// Counts of one kind of item and how long it took, under the same dimensions.
class ItemMetrics {
 public:
  ItemMetrics(std::vector<SinkDatum>& out, std::vector<std::pair<std::string, std::string>> dimensions, Timestamp time)
      : out_(out), dimensions_(std::move(dimensions)), time_(time) {}

  void add(const traces::ItemTotals& totals) {
    count("TotalCount", totals.total());
    count("OkCount", totals.ok);
    count("ErrorCount", totals.error + totals.throttle);
    count("ThrottleCount", totals.throttle);
    count("FaultCount", totals.fault);
    const auto& values = totals.durations.values();
    for (std::size_t first = 0; first < values.size(); first += kValuesMax) {
      auto& datum = make("ResponseTime", "Seconds");
      for (std::size_t i = first; i < std::min(values.size(), first + kValuesMax); ++i) {
        if (values[i].second <= 0) continue;
        datum.values.push_back(static_cast<double>(values[i].first) / 1000);
        datum.counts.push_back(static_cast<double>(values[i].second));
      }
      if (datum.values.empty()) out_.pop_back();
    }
  }
  void count(const char* name, std::int64_t value) { make(name, "Count").values = {static_cast<double>(value)}; }

 private:
  SinkDatum& make(const char* name, const char* unit) {
    SinkDatum datum;
    datum.metric_namespace = "AWS/X-Ray";
    datum.metric_name = name;
    datum.dimensions = dimensions_;
    datum.time = time_;
    datum.unit = unit_code(unit).value_or(kUnitNone);
    out_.push_back(std::move(datum));
    return out_.back();
  }
  std::vector<SinkDatum>& out_;
  std::vector<std::pair<std::string, std::string>> dimensions_;
  Timestamp time_;
};

}  // namespace

// Of the group: what its clients saw. Of each service (with the Default group, which has every trace):
// what it did, as its node in the map.
void InsightWorker::put_metrics(const TraceScope& scope, const CompiledGroup& group, std::int64_t minute,
                                const traces::Graph& graph) {
  const auto clients = client_totals(graph);
  const Timestamp time = from_ms(minute * kMinute.count());
  std::vector<SinkDatum> datums;
  if (clients.items > 0) {
    ItemMetrics of_group(datums, {{"GroupName", group.name}}, time);
    of_group.count("ApproximateTraceCount", clients.items);
    of_group.add(clients);
  }
  for (std::size_t i = 0; group.label == 0 && i < graph.keys().size() && i < kServicesWithMetricsMax; ++i) {
    const auto& key = graph.keys()[i];
    const auto& totals = graph.node(i).totals;
    if (key.type == traces::kClientType || totals.total() <= 0) continue;
    std::vector<std::pair<std::string, std::string>> dimensions{{"ServiceName", key.name}};
    if (!key.type.empty()) dimensions.emplace_back("ServiceType", key.type);
    ItemMetrics(datums, std::move(dimensions), time).add(totals);
  }
  if (datums.empty()) return;
  const auto put = xray_.sinks().metrics->put_metrics(scope.account, scope.region, datums);
  if (!put.ok()) LOG_WARN("x-ray: metrics of group {} were not stored: {}", group.name, put.error().message());
}

void InsightWorker::look_at(const TraceScope& scope, const CompiledGroup& group, std::int64_t minute) {
  const bool wants_metrics = xray_.sinks().metrics != nullptr;
  if (!group.insights && !wants_metrics) return;
  const std::int64_t first = group.insights ? minute - kHistoryMinutes : minute;
  auto history = xray_.traces().minutes(scope, from_ms(first * kMinute.count()),
                                        from_ms((minute + 1) * kMinute.count()), group.label);
  if (!history.ok()) return;
  const auto now_graph = history->find(minute);
  if (now_graph != history->end() && wants_metrics) put_metrics(scope, group, minute, now_graph->second);
  if (!group.insights) return;

  auto& known = anomalous_[{scope, group.label}];
  std::set<traces::NodeKey> current, standing;
  const traces::Graph empty;
  const auto& graph = now_graph == history->end() ? empty : now_graph->second;
  for (std::size_t i = 0; i < graph.keys().size(); ++i) {
    const auto& key = graph.keys()[i];
    const auto& totals = graph.node(i).totals;
    auto& bad_minutes = known[key];
    while (!bad_minutes.empty() && *bad_minutes.begin() < minute - kHistoryMinutes) bad_minutes.erase(bad_minutes.begin());
    std::int64_t requests = 0, faults = 0;
    for (const auto& [at, past] : *history) {
      if (at >= minute || bad_minutes.contains(at)) continue;
      for (std::size_t k = 0; k < past.keys().size(); ++k) {
        if (past.keys()[k] != key) continue;
        requests += past.node(k).totals.total();
        faults += past.node(k).totals.fault;
      }
    }
    const double share = requests == 0 ? 0 : static_cast<double>(faults) / static_cast<double>(requests);
    const auto bounds = service_graph::forecast(totals.total(), share);
    if (totals.total() < kRequestsMin || totals.fault <= bounds.high) continue;
    current.insert(key);
    if (bad_minutes.contains(minute - 1)) standing.insert(key);
    bad_minutes.insert(minute);
  }

  auto open = insights_of(xray_.resources(), scope);
  std::erase_if(open, [&](const StoredInsight& each) {
    return each.summary.group_arn != group.arn || each.summary.state != InsightState::ACTIVE;
  });
  const Timestamp end = from_ms((minute + 1) * kMinute.count());
  const auto is_in = [&](const std::set<traces::NodeKey>& cluster, const std::optional<ServiceId>& id) {
    return id && std::any_of(cluster.begin(), cluster.end(),
                             [&](const auto& key) { return id_of(key, scope.account) == *id; });
  };
  const auto far = depths(graph);
  std::set<std::string> touched;
  const auto save = [&](StoredInsight& insight, bool notify) {
    touched.insert(*insight.summary.insight_id);
    insight.summary.last_update_time = end;
    if (auto stored = store(xray_.resources(), scope, insight); !stored.ok())
      LOG_WARN("x-ray: an insight was not stored: {}", stored.error().message());
    if (notify && group.notifications && xray_.sinks().notify) 
      xray_.sinks().notify(scope, notification(scope, insight, end, xray_.random().uuid()));
  };
  for (const auto& cluster : clusters(graph, current)) {
    auto found = std::find_if(open.begin(), open.end(), [&](const StoredInsight& each) {
      if (is_in(cluster, each.summary.root_cause_service_id)) return true;
      for (const auto& service : each.summary.top_anomalous_services.value_or(std::vector<AnomalousService>{}))
        if (is_in(cluster, service.service_id)) return true;
      return false;
    });
    const bool lasts = std::any_of(cluster.begin(), cluster.end(), [&](const auto& key) { return standing.contains(key); });
    if (found == open.end() && !lasts) continue;
    // The root cause: farthest downstream, then most faults.
    const auto faults_of = [&](const traces::NodeKey& key) {
      for (std::size_t i = 0; i < graph.keys().size(); ++i)
        if (graph.keys()[i] == key) return graph.node(i).totals;
      return traces::ItemTotals{};
    };
    const auto root = *std::max_element(cluster.begin(), cluster.end(), [&](const auto& a, const auto& b) {
      return std::pair(far.at(a), faults_of(a).fault) < std::pair(far.at(b), faults_of(b).fault);
    });
    const bool fresh = found == open.end();
    StoredInsight created;
    StoredInsight& insight = fresh ? created : *found;
    auto& summary = insight.summary;
    if (fresh) {
      summary.insight_id = xray_.random().uuid();
      summary.group_arn = group.arn;
      summary.group_name = group.name;
      summary.categories = {InsightCategory::FAULT};
      summary.state = InsightState::ACTIVE;
      summary.start_time = from_ms((minute - 1) * kMinute.count());
    }
    const auto root_totals = faults_of(root);
    summary.root_cause_service_id = id_of(root, scope.account);
    summary.client_request_impact_statistics = impact(client_totals(graph));
    summary.root_cause_service_request_impact_statistics = impact(root_totals);
    summary.top_anomalous_services.emplace();
    for (const auto& key : cluster) summary.top_anomalous_services->push_back({.service_id = id_of(key, scope.account)});
    summary.summary = fmt::format("{} of {} requests to {} failed with faults.", root_totals.fault, root_totals.total(), root.name);
    insight.normal_minutes = 0;
    insight.services = impact_graph(graph, scope.account);
    if (insight.events.size() < kEventsMax)
      insight.events.push_back({.summary = summary.summary,
                                .event_time = end,
                                .client_request_impact_statistics = summary.client_request_impact_statistics,
                                .root_cause_service_request_impact_statistics =
                                    summary.root_cause_service_request_impact_statistics,
                                .top_anomalous_services = summary.top_anomalous_services});
    save(insight, true);
  }
  for (auto& insight : open) {
    if (touched.contains(*insight.summary.insight_id)) continue;
    const bool closes = ++insight.normal_minutes >= kNormalMinutesToClose;
    if (closes) {
      insight.summary.state = InsightState::CLOSED;
      insight.summary.end_time = end;
      insight.summary.summary = "The insight was closed after 5 normal minutes.";
      if (insight.events.size() < kEventsMax)
        insight.events.push_back({.summary = insight.summary.summary, .event_time = end});
    }
    save(insight, closes);
  }
}

// --- reading -----------------------------------------------------------------------------------

namespace {

Result<StoredInsight> lookup(const Call& call, const std::string& id) {
  const auto document = xray_of(call).resources().get(key_of(call, kInsightKind, id));
  if (!document) return invalid("Insight not found.");
  return decode_json<StoredInsight>(*document);
}

Result<GetInsightResult> get_insight(Call& call, const GetInsightRequest& in) {
  TRY(const auto stored, lookup(call, in.insight_id));
  const auto& s = stored.summary;
  Insight out;
  out.insight_id = s.insight_id;
  out.group_arn = s.group_arn;
  out.group_name = s.group_name;
  out.root_cause_service_id = s.root_cause_service_id;
  out.categories = s.categories;
  out.state = s.state;
  out.start_time = s.start_time;
  out.end_time = s.end_time;
  out.summary = s.summary;
  out.client_request_impact_statistics = s.client_request_impact_statistics;
  out.root_cause_service_request_impact_statistics = s.root_cause_service_request_impact_statistics;
  out.top_anomalous_services = s.top_anomalous_services;
  return GetInsightResult{.insight = std::move(out)};
}

Result<GetInsightSummariesResult> get_insight_summaries(Call& call, const GetInsightSummariesRequest& in) {
  if (in.end_time <= in.start_time) return invalid("StartTime must be before EndTime.");
  if (!in.group_name && !in.group_arn) return invalid("Either GroupName or GroupARN is required.");
  TRY(const auto group, find_group(call, in.group_name, in.group_arn));
  struct Row {
    std::string key;
    InsightSummary summary;
  };
  std::vector<Row> rows;
  for (auto& stored : insights_of(xray_of(call).resources(), scope_of(call))) {
    auto& s = stored.summary;
    if (s.group_arn != group->arn) continue;
    if (s.start_time.value_or(Timestamp{}) >= in.end_time) continue;
    if (s.end_time && *s.end_time < in.start_time) continue;
    if (in.states && !in.states->empty() && s.state != in.states->front()) continue;
    // Newest first.
    rows.push_back({std::to_string(9'000'000'000'000'000 - to_ms(s.start_time.value_or(Timestamp{}))) + *s.insight_id,
                    std::move(s)});
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.key < b.key; });
  GetInsightSummariesResult out;
  const auto size = static_cast<std::size_t>(in.max_results.value_or(static_cast<std::int32_t>(kSummariesPerPage)));
  TRY(auto page, page_of(std::move(rows), in.next_token, out.next_token, size, "GetInsightSummaries",
                         hash64(group->arn), [](const Row& row) { return row.key; }));
  out.insight_summaries.emplace();
  for (auto& row : page) out.insight_summaries->push_back(std::move(row.summary));
  return out;
}

Result<GetInsightEventsResult> get_insight_events(Call& call, const GetInsightEventsRequest& in) {
  TRY(auto stored, lookup(call, in.insight_id));
  struct Row {
    std::string key;
    InsightEvent event;
  };
  std::vector<Row> rows;
  for (std::size_t i = stored.events.size(); i-- > 0;)  // newest first
    rows.push_back({fmt::format("{:06}", stored.events.size() - i), std::move(stored.events[i])});
  GetInsightEventsResult out;
  const auto size = static_cast<std::size_t>(in.max_results.value_or(static_cast<std::int32_t>(kEventsPerPage)));
  TRY(auto page, page_of(std::move(rows), in.next_token, out.next_token, size, "GetInsightEvents",
                         hash64(in.insight_id), [](const Row& row) { return row.key; }));
  out.insight_events.emplace();
  for (auto& row : page) out.insight_events->push_back(std::move(row.event));
  return out;
}

Result<GetInsightImpactGraphResult> get_insight_impact_graph(Call& call, const GetInsightImpactGraphRequest& in) {
  if (in.end_time <= in.start_time) return invalid("StartTime must be before EndTime.");
  if (in.end_time - in.start_time > std::chrono::hours(6)) return invalid("The time range must not exceed 6 hours.");
  if (in.start_time < call.now - std::chrono::days(30)) return invalid("StartTime must not be more than 30 days old.");
  TRY(auto stored, lookup(call, in.insight_id));
  GetInsightImpactGraphResult out;
  out.insight_id = in.insight_id;
  out.start_time = in.start_time;
  out.end_time = in.end_time;
  out.service_graph_start_time = stored.summary.start_time;
  out.service_graph_end_time = stored.summary.end_time ? stored.summary.end_time : stored.summary.last_update_time;
  out.services = std::move(stored.services);
  return out;
}

constexpr Operation kOperations[] = {bind<get_insight>(), bind<get_insight_summaries>(), bind<get_insight_events>(),
                                     bind<get_insight_impact_graph>()};

}  // namespace

std::span<const Operation> insight_operations() { return kOperations; }

std::vector<std::unique_ptr<Worker>> workers(XRay& xray) {
  std::vector<std::unique_ptr<Worker>> all;
  all.push_back(std::make_unique<InsightWorker>(xray));
  return all;
}

}  // namespace fog::xray
