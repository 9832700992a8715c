#include "query/service_graph/service_graph.h"

#include <cmath>

namespace fog::service_graph {

using traces::Graph;

std::vector<HistogramEntry> histogram(const traces::DurationCounts& counts) {
  std::vector<HistogramEntry> out;
  for (const auto& [ms, count] : counts.values())
    if (count > 0) out.push_back({static_cast<double>(ms) / 1000.0, count});
  return out;
}

std::vector<GraphNode> service_graph(const Graph& graph) {
  const auto& keys = graph.keys();
  std::vector<bool> shown(keys.size(), false);
  for (std::size_t i = 0; i < keys.size(); ++i) shown[i] = graph.node(i).totals.items > 0;
  for (const auto& [key, edge] : graph.edges())
    if (edge.totals.items > 0) shown[key.from] = shown[key.to] = true;

  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (shown[i]) order.push_back(i);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return keys[a] < keys[b]; });
  std::vector<std::size_t> number(keys.size(), 0);
  std::vector<GraphNode> nodes(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto& totals = graph.node(order[i]);
    number[order[i]] = i;
    nodes[i].key = keys[order[i]];
    nodes[i].client = nodes[i].key.type == traces::kClientType;
    nodes[i].root = totals.roots > 0;
    nodes[i].active = totals.sent > 0;
    nodes[i].totals = &totals;
    nodes[i].start_us = totals.totals.start_us;
    nodes[i].end_us = totals.totals.end_us;
  }
  for (const auto& [key, edge] : graph.edges()) {
    if (edge.totals.items <= 0) continue;
    auto& from = nodes[number[key.from]];
    from.edges.push_back({number[key.to], key.link, &edge});
    // A client has no segments of its own: it was there while it called.
    if (graph.node(key.from).totals.items > 0) continue;
    from.start_us = std::min(from.start_us, edge.totals.start_us);
    from.end_us = std::max(from.end_us, edge.totals.end_us);
  }
  for (auto& node : nodes)
    std::sort(node.edges.begin(), node.edges.end(), [](const GraphEdge& a, const GraphEdge& b) {
      return std::pair(a.to, a.link) < std::pair(b.to, b.link);
    });
  // A node seen only as the far end of a call lived as long as that call.
  for (const auto& node : nodes) {
    for (const auto& edge : node.edges) {
      auto& to = nodes[edge.to];
      if (to.totals->totals.items > 0) continue;
      to.start_us = std::min(to.start_us, edge.totals->totals.start_us);
      to.end_us = std::max(to.end_us, edge.totals->totals.end_us);
    }
  }
  return nodes;
}

traces::ItemTotals select(const Graph& graph, const trace_filter::Selector& selector,
                          const std::string& own_account) {
  const auto hit = [&](const trace_filter::NodeMatcher& matcher, std::size_t index) {
    const auto& key = graph.keys()[index];
    return trace_filter::matches_node(matcher, key.name, key.type, key.account, own_account);
  };
  traces::ItemTotals sum;
  if (selector.service) {
    for (std::size_t i = 0; i < graph.keys().size(); ++i)
      if (hit(*selector.service, i)) sum.add(graph.node(i).totals, 1);
    return sum;
  }
  for (const auto& [key, edge] : graph.edges()) {
    if (key.link) continue;
    if (selector.edge && (!hit(selector.edge->first, key.from) || !hit(selector.edge->second, key.to)))
      continue;
    sum.add(edge.totals, 1);
  }
  return sum;
}

FaultForecast forecast(std::int64_t requests, double fault_share) {
  constexpr double kLeastShare = 0.001;
  constexpr double kDeviations = 3;
  constexpr std::int64_t kLeastHigh = 3;
  const double n = static_cast<double>(requests);
  const double p = std::max(fault_share, kLeastShare);
  const double width = kDeviations * std::sqrt(n * p * (1 - p));
  return {std::max(kLeastHigh, static_cast<std::int64_t>(std::ceil(n * p + width))),
          std::max<std::int64_t>(0, static_cast<std::int64_t>(std::floor(n * p - width)))};
}

}  // namespace fog::service_graph
