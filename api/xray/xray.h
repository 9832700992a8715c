// XRay: what the X-Ray handlers share beyond the stores: compiled groups, sampling statistics,
// telemetry, retrieval jobs. One per server, registered as a service by main.
//
// Groups, rules, tags, policies and settings live in the ResourceStore (kinds "xray-..."); what is
// here can be lost in a crash without anyone noticing.
// Threads: any.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/common/log_sink.h"
#include "api/common/metric_sink.h"
#include "api/common/resettable.h"
#include "query/trace_filter/filter.h"
#include "storage/base/clock.h"
#include "storage/base/guarded.h"
#include "storage/base/random.h"
#include "storage/resource_store.h"
#include "storage/trace_store.h"

namespace fog::xray {

struct TelemetryRecord;
struct InsightEvent;

struct CompiledGroup {
  std::string name;
  std::string arn;
  std::uint64_t label = 0;  // in the trace store; 0 for Default: every trace
  std::string expression;
  trace_filter::Filter filter;
  std::vector<Timestamp> expression_changes;
  bool insights = false;
  bool notifications = false;
};
using Groups = std::vector<CompiledGroup>;

// One report window of a sampling rule.
struct SamplingWindow {
  std::string rule;
  Timestamp start{};
  std::int64_t requests = 0, borrowed = 0, sampled = 0;
};

struct SamplingClient {
  Timestamp reported{};
  std::int64_t requests = 0;
};

struct SamplingState {
  std::map<std::string, std::map<std::string, SamplingClient>> clients;  // by rule, client
  std::deque<SamplingWindow> windows;                                    // ascending by start
  std::map<std::string, Timestamp> boosted;                              // by rule: last boost
};

struct RetrievalJob {
  TraceScope scope;
  std::vector<std::string> trace_ids;
  Timestamp started{};
  std::int64_t from_ms = 0, to_ms = 0;
  bool cancelled = false;
};

class XRay final : public Resettable {
 public:
  // Where insight events (EventBridge's JSON) of groups with notifications go; absent: nowhere.
  using InsightNotifier = std::function<void(const TraceScope&, const std::string& event_json)>;
  struct Sinks {
    MetricSink* metrics = nullptr;
    LogSink* logs = nullptr;
    InsightNotifier notify;
  };

  XRay(TraceStore& traces, ResourceStore& resources, const Clock& clock, Random& random, Sinks sinks);
  ~XRay() override;

  TraceStore& traces() { return traces_; }
  ResourceStore& resources() { return resources_; }
  const Clock& clock() const { return clock_; }
  Random& random() { return random_; }
  const Sinks& sinks() const { return sinks_; }

  // Default first. Compiled on first use after a change.
  std::shared_ptr<const Groups> groups(const TraceScope& scope);
  // Stores the changes of a group; labels of traces received before stay as they were.
  Status change_groups(const TraceScope& scope, std::vector<ResourceStore::Change> changes);
  trace_filter::Bindings bindings(const TraceScope& scope);

  Guarded<std::map<TraceScope, SamplingState>>& sampling() { return sampling_; }
  Guarded<std::map<std::string, RetrievalJob>>& retrievals() { return retrievals_; }
  // The last telemetry record of each host.
  void note_telemetry(const TraceScope& scope, const std::string& host, TelemetryRecord record);
  std::map<std::string, TelemetryRecord> telemetry(const TraceScope& scope) const;

  // Whether segments go to CloudWatch Logs too, as spans (UpdateTraceSegmentDestination).
  bool writes_spans(const TraceScope& scope);
  void note_destination_change(const TraceScope& scope) { span_scopes_.lock()->erase(scope); }

  Status reset(std::string_view account, std::string_view region) override;

 private:
  struct Telemetry;
  Lsn write_spans(const TraceScope& scope, std::span<const std::string_view> documents);

  TraceStore& traces_;
  ResourceStore& resources_;
  const Clock& clock_;
  Random& random_;
  Sinks sinks_;
  Guarded<std::map<TraceScope, std::shared_ptr<const Groups>>> groups_;
  Guarded<std::map<TraceScope, SamplingState>> sampling_;
  Guarded<std::map<std::string, RetrievalJob>> retrievals_;
  Guarded<std::map<TraceScope, bool>> span_scopes_;  // as far as asked
  std::unique_ptr<Telemetry> telemetry_;
};

}  // namespace fog::xray
