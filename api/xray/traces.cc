// BatchGetTraces.
#include "api/common/meters.h"
#include "api/xray/compiled.h"
#include "api/xray/model.h"
#include "api/xray/service.h"

namespace fog::xray {

namespace {

constexpr std::size_t kTraceIdsMax = 100;

Result<BatchGetTracesResult> batch_get_traces(Call& call, const BatchGetTracesRequest& in) {
  if (in.trace_ids.size() > kTraceIdsMax) return invalid("At most 100 trace ids may be given.");
  if (in.next_token) return invalid("Invalid NextToken.");  // every answer is whole: none was given out
  BatchGetTracesResult out;
  out.traces.emplace();
  out.unprocessed_trace_ids.emplace();
  std::vector<traces::TraceId> seen;
  for (const auto& text : in.trace_ids) {
    const auto id = traces::parse_trace_id(text);
    const auto stored = id ? xray_of(call).traces().documents(scope_of(call), *id) : std::nullopt;
    if (!stored) {
      out.unprocessed_trace_ids->push_back(text);
      continue;
    }
    if (std::find(seen.begin(), seen.end(), *id) != seen.end()) continue;
    seen.push_back(*id);
    xray::Trace trace;
    trace.id = to_string(*id);
    trace.duration = static_cast<double>(stored->trace->duration_ms()) / 1000.0;
    trace.limit_exceeded = stored->trace->limit_exceeded;
    trace.segments.emplace();
    for (auto& document : compile_documents(*id, stored->documents))
      trace.segments->push_back({.id = std::move(document.id), .document = std::move(document.text)});
    out.traces->push_back(std::move(trace));
  }
  count_use(call, Meter::kTracesRetrieved, out.traces->size());
  return out;
}

constexpr Operation kOperations[] = {bind<batch_get_traces>()};

}  // namespace

std::span<const Operation> trace_operations() { return kOperations; }

}  // namespace fog::xray
