// The X-Ray service as main sees it.
//
//   xray::XRay xray(traces, resources, clock, random, {.metrics = &metric_sink});
//   services.add<xray::XRay>(xray);   registry.add(xray::service());
//   for (auto& worker : xray::workers(xray)) ...   // one a minute: metrics of groups, insights
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "api/common/operation.h"
#include "api/common/registry.h"
#include "api/common/trace_sink.h"
#include "api/xray/xray.h"
#include "storage/base/worker.h"

namespace fog::xray {

fog::Service service();
std::vector<std::unique_ptr<Worker>> workers(XRay& xray);

// One table a resource file.
std::span<const Operation> segment_operations();
std::span<const Operation> trace_operations();
std::span<const Operation> summary_operations();
std::span<const Operation> graph_operations();
std::span<const Operation> group_operations();
std::span<const Operation> sampling_rule_operations();
std::span<const Operation> sampling_operations();
std::span<const Operation> tag_operations();
std::span<const Operation> setting_operations();
std::span<const Operation> policy_operations();
std::span<const Operation> retrieval_operations();
std::span<const Operation> insight_operations();

// Documents from a door other than PutTraceSegments (the daemon's UDP port, OTLP): the same path,
// failures logged. The LSN to wait for; 0: nothing was stored.
struct Taken {
  Lsn lsn = 0;
  std::size_t accepted = 0;
  std::size_t rejected = 0;
  bool busy = false;  // nothing was stored; the caller may try again
};
Taken take_documents(XRay& xray, const TraceScope& scope, std::span<const std::string_view> documents);

// Documents of other services of this process.
std::unique_ptr<TraceSink> make_trace_sink(TraceStore& traces);

}  // namespace fog::xray
