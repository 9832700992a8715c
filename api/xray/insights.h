// Insights: rows of faults above what a service usually has, found once a minute.
//
// For every group with insights and every node: p is the fault share of the hour before, anomalous
// minutes left out; a minute with n >= 10 requests and more than FaultCountHigh faults is anomalous.
// Two in a row open an insight; anomalous nodes that are connected share one, whose root cause is the
// one farthest downstream. Five normal minutes close it.
// Threads: tick() by one at a time.
#pragma once

#include <map>
#include <set>

#include "api/xray/xray.h"
#include "storage/base/worker.h"
#include "storage/traces/graph.h"

namespace fog::xray {

class InsightWorker final : public Worker {
 public:
  explicit InsightWorker(XRay& xray) : xray_(xray) {}
  std::string_view name() const override { return "x-ray insights and group metrics"; }
  std::optional<Timestamp> next_due(Timestamp now) override;
  void tick(Timestamp now) override;

 private:
  using NodeMinutes = std::map<traces::NodeKey, std::map<std::int64_t, traces::ItemTotals>>;
  void look_at(const TraceScope& scope, const CompiledGroup& group, std::int64_t minute);
  void put_metrics(const TraceScope& scope, const CompiledGroup& group, std::int64_t minute,
                   const traces::Graph& graph);

  XRay& xray_;
  std::int64_t done_minute_ = -1;  // the last closed minute that was looked at
  // Minutes known to be anomalous, by group label and node.
  std::map<std::pair<TraceScope, std::uint64_t>, std::map<traces::NodeKey, std::set<std::int64_t>>> anomalous_;
};

}  // namespace fog::xray
