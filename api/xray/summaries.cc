// GetTraceSummaries.
#include "api/common/meters.h"
#include "api/xray/model.h"
#include "api/xray/service.h"
#include "api/xray/settings.h"
#include "query/trace_filter/root_causes.h"
#include "storage/base/bytes.h"
#include "storage/base/hash.h"
#include "storage/traces/terms.h"

namespace fog::xray {

namespace {

using traces::Entity;
using traces::EntityKind;

constexpr std::size_t kPageSize = 100;

class Summarizer {
 public:
  Summarizer(const traces::Trace& trace, const std::string& account) : trace_(trace), account_(account) {}

  TraceSummary make() {
    TraceSummary out;
    out.id = to_string(trace_.id);
    out.start_time = from_us(trace_.start_us);
    out.duration = seconds(trace_.duration_ms());
    if (const auto response = trace_.response_ms()) out.response_time = seconds(*response);
    out.has_error = out.has_fault = false;
    out.has_throttle = trace_.has_throttle();
    out.is_partial = trace_.partial;
    out.http.emplace();
    if (trace_.root >= 0) add_root(out);
    add_annotations(out);
    add_segments(out);
    out.fault_root_causes = causes<FaultRootCause, FaultRootCauseService, FaultRootCauseEntity>(
        trace_filter::CauseKind::kFault);
    out.error_root_causes = causes<ErrorRootCause, ErrorRootCauseService, ErrorRootCauseEntity>(
        trace_filter::CauseKind::kError);
    out.response_time_root_causes =
        causes<ResponseTimeRootCause, ResponseTimeRootCauseService, ResponseTimeRootCauseEntity>(
            trace_filter::CauseKind::kResponseTime);
    out.revision = static_cast<std::int32_t>(trace_.revision);
    return out;
  }

 private:
  static double seconds(std::int64_t ms) { return static_cast<double>(ms) / 1000.0; }
  ServiceId id_of(const Entity& segment) const {
    return service_id(segment.node_name, segment.node_type, segment.account, account_);
  }
  static void add_once(std::vector<ServiceId>& list, ServiceId id) {
    if (std::find(list.begin(), list.end(), id) == list.end()) list.push_back(std::move(id));
  }

  void add_root(TraceSummary& out) const {
    const Entity& root = trace_.at(trace_.root);
    out.has_error = root.error;
    out.has_fault = root.fault;
    out.entry_point = id_of(root);
    if (!root.http_url.empty()) out.http->http_url = std::string(root.http_url);
    if (!root.http_method.empty()) out.http->http_method = std::string(root.http_method);
    if (!root.user_agent.empty()) out.http->user_agent = std::string(root.user_agent);
    if (!root.client_ip.empty()) out.http->client_ip = std::string(root.client_ip);
    if (root.http_status >= 0) out.http->http_status = root.http_status;
  }

  // One entry for each distinct value of the first 50 keys.
  void add_annotations(TraceSummary& out) const {
    out.annotations.emplace();
    for (const Entity& e : trace_.entities) {
      for (const auto& a : trace_.annotations_of(e)) {
        auto found = out.annotations->find(std::string(a.key));
        if (found == out.annotations->end()) {
          if (out.annotations->size() == traces::kAnnotationKeysMax) continue;
          found = out.annotations->emplace(std::string(a.key), std::vector<ValueWithServiceIds>{}).first;
        }
        AnnotationValue value;
        if (const auto* text = std::get_if<std::string_view>(&a.value)) value.string_value = std::string(*text);
        else if (const auto* number = std::get_if<double>(&a.value)) value.number_value = *number;
        else value.boolean_value = std::get<bool>(a.value);
        auto entry = std::find_if(found->second.begin(), found->second.end(),
                                  [&](const auto& v) { return v.annotation_value == value; });
        if (entry == found->second.end()) {
          found->second.push_back({.annotation_value = value, .service_ids = std::vector<ServiceId>{}});
          entry = found->second.end() - 1;
        }
        if (e.segment >= 0) add_once(*entry->service_ids, id_of(trace_.at(e.segment)));
      }
    }
  }

  void add_segments(TraceSummary& out) const {
    out.users.emplace();
    out.service_ids.emplace();
    out.resource_arns.emplace();
    out.instance_ids.emplace();
    out.availability_zones.emplace();
    std::vector<std::string_view> arns, instances, zones;
    const auto fresh = [](std::vector<std::string_view>& seen, std::string_view value) {
      if (value.empty() || std::find(seen.begin(), seen.end(), value) != seen.end()) return false;
      seen.push_back(value);
      return true;
    };
    for (const Entity& e : trace_.entities) {
      if (!e.is_segment()) continue;
      add_once(*out.service_ids, id_of(e));
      if (e.kind == EntityKind::kInferred) continue;
      if (fresh(arns, e.resource_arn)) out.resource_arns->push_back({.arn = std::string(e.resource_arn)});
      if (fresh(instances, e.instance_id)) out.instance_ids->push_back({.id = std::string(e.instance_id)});
      if (fresh(zones, e.availability_zone))
        out.availability_zones->push_back({.name = std::string(e.availability_zone)});
      if (e.user.empty()) continue;
      auto user = std::find_if(out.users->begin(), out.users->end(),
                               [&](const TraceUser& u) { return u.user_name == e.user; });
      if (user == out.users->end()) {
        out.users->push_back({.user_name = std::string(e.user), .service_ids = std::vector<ServiceId>{}});
        user = out.users->end() - 1;
      }
      add_once(*user->service_ids, id_of(e));
    }
  }

  template <typename Cause, typename ServiceShape, typename EntityShape>
  std::vector<Cause> causes(trace_filter::CauseKind kind) const {
    std::vector<Cause> out;
    for (const auto& cause : trace_filter::root_causes(trace_, kind)) {
      Cause one;
      one.client_impacting = cause.client_impacting;
      one.services.emplace();
      for (const auto& service : cause.services) {
        ServiceShape s;
        s.name = std::string(service.name);
        s.names = {std::string(service.name)};
        s.account_id = service.account.empty() ? account_ : std::string(service.account);
        if (!service.type.empty()) s.type = std::string(service.type);
        s.inferred = service.inferred;
        s.entity_path.emplace();
        for (const auto& entity : service.path) {
          EntityShape e;
          e.name = std::string(entity.name);
          e.remote = entity.remote;
          if constexpr (requires { e.exceptions; }) {
            e.exceptions.emplace();
            for (const auto& x : entity.exceptions) {
              RootCauseException exception;
              if (!x.type.empty()) exception.name = std::string(x.type);
              if (!x.message.empty()) exception.message = std::string(x.message);
              e.exceptions->push_back(std::move(exception));
            }
          } else {
            e.coverage = entity.coverage;
          }
          s.entity_path->push_back(std::move(e));
        }
        one.services->push_back(std::move(s));
      }
      out.push_back(std::move(one));
    }
    return out;
  }

  const traces::Trace& trace_;
  const std::string& account_;
};

std::string position_key(const TracePosition& position) {
  std::string key;
  ByteWriter out(key);
  out.fixed(position.start_us);
  out.fixed(position.id_low);
  return key;
}

// A number in [0, 1) that a trace keeps for ever.
double share_of(traces::TraceId id) {
  char raw[16];
  std::memcpy(raw, &id.hi, 8);
  std::memcpy(raw + 8, &id.lo, 8);
  return static_cast<double>(hash64({raw, 16}, 0x5a) >> 11) * 0x1p-53;
}

Result<GetTraceSummariesResult> get_trace_summaries(Call& call, const GetTraceSummariesRequest& in) {
  if (in.end_time <= in.start_time) return invalid("StartTime must be before EndTime.");
  auto& xray = xray_of(call);
  const auto scope = scope_of(call);
  const std::string expression = in.filter_expression.value_or("");
  auto filter = trace_filter::Filter::parse(expression, xray.bindings(scope));
  if (!filter.ok()) return invalid_expression(filter.error());

  TraceScan scan;
  scan.from_ms = to_ms(in.start_time);
  scan.to_ms = to_ms(in.end_time);
  const auto range = in.time_range_type.value_or(TimeRangeType::TraceId);
  switch (range) {
    case TimeRangeType::TraceId: scan.range = TraceScan::Range::kFilingTime; break;
    case TimeRangeType::Event: scan.range = TraceScan::Range::kReceived; break;
    case TimeRangeType::Service: scan.range = TraceScan::Range::kSegmentEnd; break;
  }
  filter->add_hints(scan);
  std::uint64_t parameters = hash64(expression, static_cast<std::uint64_t>(range) + 7);
  for (const auto part : {scan.from_ms, scan.to_ms})
    parameters = parameters * 0x9e3779b97f4a7c15u + static_cast<std::uint64_t>(part);
  if (in.next_token) {
    TRY(const auto key, read_token(*in.next_token, "GetTraceSummaries", parameters));
    ByteReader reader(key);
    TracePosition position;
    position.start_us = reader.fixed<std::int64_t>();
    position.id_low = reader.fixed<std::uint64_t>();
    if (!reader.ok() || !reader.at_end()) return invalid("Invalid NextToken.");
    scan.after = position;
  }
  double keep = 1;
  if (in.sampling_strategy && in.sampling_strategy->name == SamplingStrategyName::FixedRate)
    keep = in.sampling_strategy->value.value_or(1);
  // With transaction search only a share of the traces is indexed.
  const double indexed = indexed_share(call);

  GetTraceSummariesResult out;
  out.trace_summaries.emplace();
  TracePosition last;
  bool more = false;
  TRY(const auto totals, xray.traces().scan(scope, scan, [&](const auto& trace) {
    if (indexed < 1 && share_of(trace->id) >= indexed) return true;
    if (keep < 1 && share_of(trace->id) >= keep) return true;
    if (!filter->matches(*trace)) return true;
    if (out.trace_summaries->size() == kPageSize) {
      more = true;
      return false;
    }
    auto summary = Summarizer(*trace, call.account).make();
    if (range == TimeRangeType::Event) {
      for (const auto update : trace->updates_ms)
        if (update >= scan.from_ms && update < scan.to_ms) summary.matched_event_time = from_ms(update);
    }
    out.trace_summaries->push_back(std::move(summary));
    last = {trace->start_us, trace->id.lo};
    return true;
  }));
  if (more) out.next_token = make_token("GetTraceSummaries", parameters, position_key(last));
  out.traces_processed_count = totals.in_range;
  if (!in.next_token) count_use(call, Meter::kTracesScanned, static_cast<std::uint64_t>(std::max<std::int64_t>(0, totals.in_range)));
  out.approximate_time =
      out.trace_summaries->empty() ? in.start_time : *out.trace_summaries->front().start_time;
  return out;
}

constexpr Operation kOperations[] = {bind<get_trace_summaries>()};

}  // namespace

std::span<const Operation> summary_operations() { return kOperations; }

}  // namespace fog::xray
