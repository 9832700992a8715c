// Transaction search: retrieval jobs. A retrieval is complete at once and forgotten after an hour.
#include "api/codec/json.h"
#include "api/xray/compiled.h"
#include "api/xray/model.h"
#include "api/xray/service.h"
#include "api/xray/spans.h"
#include "storage/base/hash.h"

namespace fog::xray {

namespace {

constexpr std::size_t kTracesPerPage = 5;
constexpr std::size_t kSpansMax = 100;
constexpr Millis kJobLife = std::chrono::hours(1);
constexpr std::size_t kJobsMax = 10'000;

Result<StartTraceRetrievalResult> start_trace_retrieval(Call& call, const StartTraceRetrievalRequest& in) {
  if (in.end_time < in.start_time) return invalid("StartTime must not be after EndTime.");
  for (const auto& id : in.trace_ids)
    if (!traces::parse_trace_id(id)) return invalid("Invalid trace id: " + id);
  auto jobs = xray_of(call).retrievals().lock();
  std::erase_if(*jobs, [&](const auto& each) { return each.second.started + kJobLife < call.now; });
  if (jobs->size() >= kJobsMax) return fault(ThrottledException{.message = "Too many trace retrievals."});
  const auto token = xray_of(call).random().uuid();
  (*jobs)[token] = {scope_of(call), in.trace_ids, call.now, to_ms(in.start_time), to_ms(in.end_time), false};
  return StartTraceRetrievalResult{.retrieval_token = token};
}

Result<RetrievalJob> find_job(const Call& call, const std::string& token) {
  auto jobs = xray_of(call).retrievals().lock_shared();
  const auto found = jobs->find(token);
  if (found == jobs->end() || found->second.scope != scope_of(call) ||
      found->second.started + kJobLife < call.now)
    return fault(ResourceNotFoundException{.message = "Retrieval token not found.", .resource_name = token});
  return found->second;
}

// The traces of a job that are stored and lie in its time range, in the order they were asked for.
std::vector<std::pair<std::string, TraceStore::TraceDocuments>> traces_of(const Call& call, const RetrievalJob& job) {
  std::vector<std::pair<std::string, TraceStore::TraceDocuments>> found;
  std::vector<traces::TraceId> seen;
  for (const auto& text : job.trace_ids) {
    const auto id = traces::parse_trace_id(text);
    if (!id || std::find(seen.begin(), seen.end(), *id) != seen.end()) continue;
    seen.push_back(*id);
    auto stored = xray_of(call).traces().documents(job.scope, *id);
    if (!stored) continue;
    const auto& trace = *stored->trace;
    if (trace.end_us / 1000 < job.from_ms || trace.start_us / 1000 > job.to_ms) continue;
    found.emplace_back(to_string(*id), std::move(*stored));
  }
  return found;
}

Result<ListRetrievedTracesResult> list_retrieved_traces(Call& call, const ListRetrievedTracesRequest& in) {
  TRY(const auto job, find_job(call, in.retrieval_token));
  ListRetrievedTracesResult out;
  out.trace_format = in.trace_format.value_or(TraceFormatType::XRAY);
  out.traces.emplace();
  out.retrieval_status = job.cancelled ? RetrievalStatus::CANCELLED : RetrievalStatus::COMPLETE;
  if (job.cancelled) return out;
  std::size_t first = 0;
  if (in.next_token) {
    TRY(const auto key, read_token(*in.next_token, "ListRetrievedTraces", hash64(in.retrieval_token)));
    if (key.empty() || key.size() > 4 || key.find_first_not_of("0123456789") != std::string::npos)
      return invalid("Invalid NextToken.");
    first = static_cast<std::size_t>(std::stoul(key));
  }
  const auto all = traces_of(call, job);
  for (std::size_t i = first; i < all.size(); ++i) {
    if (out.traces->size() == kTracesPerPage) {
      out.next_token = make_token("ListRetrievedTraces", hash64(in.retrieval_token), std::to_string(i));
      break;
    }
    const auto& [id, stored] = all[i];
    RetrievedTrace trace;
    trace.id = id;
    trace.duration = static_cast<double>(stored.trace->duration_ms()) / 1000.0;
    trace.spans.emplace();
    const auto documents = compile_documents(stored.trace->id, stored.documents);
    if (out.trace_format == TraceFormatType::XRAY) {
      for (const auto& document : documents)
        if (trace.spans->size() < kSpansMax) trace.spans->push_back({.id = document.id, .document = document.text});
    } else {
      for (const auto& document : documents)
        for (auto& span : spans_of(stored.trace->id, document.text))
          if (trace.spans->size() < kSpansMax) trace.spans->push_back({.id = std::move(span.id), .document = std::move(span.json)});
    }
    out.traces->push_back(std::move(trace));
  }
  return out;
}

Result<GetRetrievedTracesGraphResult> get_retrieved_traces_graph(Call& call, const GetRetrievedTracesGraphRequest& in) {
  TRY(const auto job, find_job(call, in.retrieval_token));
  GetRetrievedTracesGraphResult out;
  out.services.emplace();
  out.retrieval_status = job.cancelled ? RetrievalStatus::CANCELLED : RetrievalStatus::COMPLETE;
  if (job.cancelled) return out;
  if (in.next_token) return invalid("Invalid NextToken.");  // one page holds the graph of 100 traces
  traces::Graph graph;
  std::map<std::string, std::vector<GraphLink>> links;  // by name of the node that owns them
  for (const auto& [id, stored] : traces_of(call, job)) {
    graph.add(*stored.trace, 1, {});
    for (const auto& e : stored.trace->entities) {
      if (e.links == 0 || e.segment < 0) continue;
      GraphLink link;
      link.reference_type = "link";
      link.source_trace_id = id;
      link.destination_trace_ids.emplace();
      for (const auto& each : stored.trace->links_of(e)) link.destination_trace_ids->push_back(to_string(each.trace));
      links[std::string(stored.trace->at(e.segment).node_name)].push_back(std::move(link));
    }
  }
  for (auto& service : services_of(graph, call.account)) {
    RetrievedService one;
    one.links.emplace();
    if (service.type != "client")
      if (const auto found = links.find(*service.name); found != links.end()) one.links = found->second;
    one.service = std::move(service);
    out.services->push_back(std::move(one));
  }
  return out;
}

Result<CancelTraceRetrievalResult> cancel_trace_retrieval(Call& call, const CancelTraceRetrievalRequest& in) {
  TRYV(find_job(call, in.retrieval_token));
  auto jobs = xray_of(call).retrievals().lock();
  if (const auto found = jobs->find(in.retrieval_token); found != jobs->end()) found->second.cancelled = true;
  return CancelTraceRetrievalResult{};
}

constexpr Operation kOperations[] = {bind<start_trace_retrieval>(), bind<list_retrieved_traces>(),
                                     bind<get_retrieved_traces_graph>(), bind<cancel_trace_retrieval>()};

}  // namespace

std::span<const Operation> retrieval_operations() { return kOperations; }

}  // namespace fog::xray
