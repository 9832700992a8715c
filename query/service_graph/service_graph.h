// ServiceGraph: what a map shows, from the sums of a traces::Graph.
//
// Nodes are numbered from 0, in the order of name, type and account; what only corrections left
// behind is dropped. A client node stands for whoever called a root service.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "query/trace_filter/filter.h"
#include "storage/traces/graph.h"

namespace fog::service_graph {

struct HistogramEntry {
  double seconds = 0;
  std::int64_t count = 0;
};
std::vector<HistogramEntry> histogram(const traces::DurationCounts& counts);

struct GraphEdge {
  std::size_t to = 0;
  bool link = false;  // an asynchronous link, not a call
  const traces::EdgeTotals* totals = nullptr;
};

struct GraphNode {
  traces::NodeKey key;
  bool root = false;
  bool active = false;  // sent segments; else client or inferred
  bool client = false;
  std::int64_t start_us = 0, end_us = 0;
  const traces::NodeTotals* totals = nullptr;
  std::vector<GraphEdge> edges;
};

// Pointers live as long as `graph`.
std::vector<GraphNode> service_graph(const traces::Graph& graph);

// Statistics of what a selector names: of nodes for service(), of edges for edge() and for none.
traces::ItemTotals select(const traces::Graph& graph, const trace_filter::Selector& selector,
                          const std::string& own_account);

// Bounds of the fault count of a minute that `n` requests of a service with the fault share `p` keep.
struct FaultForecast {
  std::int64_t high = 0;
  std::int64_t low = 0;
};
FaultForecast forecast(std::int64_t requests, double fault_share);

}  // namespace fog::service_graph
