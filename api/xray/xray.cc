#include "api/xray/xray.h"

#include "api/codec/json.h"
#include "api/xray/documents.h"
#include "api/xray/model.h"
#include "api/xray/settings.h"
#include "api/xray/shapes.h"
#include "api/xray/spans.h"
#include "storage/base/hash.h"
#include "storage/base/log.h"

namespace fog::xray {

struct XRay::Telemetry {
  Guarded<std::map<TraceScope, std::map<std::string, TelemetryRecord>>> by_host;
};

XRay::XRay(TraceStore& traces, ResourceStore& resources, const Clock& clock, Random& random,
           Sinks sinks)
    : traces_(traces),
      resources_(resources),
      clock_(clock),
      random_(random),
      sinks_(std::move(sinks)),
      telemetry_(std::make_unique<Telemetry>()) {
  traces_.set_labeller([this](const TraceScope& scope, const traces::Trace& trace) {
    std::vector<std::uint64_t> labels;
    for (const auto& group : *groups(scope))
      if (group.label != 0 && group.filter.matches(trace)) labels.push_back(group.label);
    return labels;
  });
  if (sinks_.logs != nullptr)
    traces_.set_listener([this](const TraceScope& scope, std::span<const std::string_view> documents) -> Lsn {
      return writes_spans(scope) ? write_spans(scope, documents) : 0;
    });
}

XRay::~XRay() {
  traces_.set_labeller({});
  traces_.set_listener({});
}

bool XRay::writes_spans(const TraceScope& scope) {
  {
    auto known = span_scopes_.lock_shared();
    if (const auto found = known->find(scope); found != known->end()) return found->second;
  }
  const auto document = resources_.get({kSettingKind, scope.account, scope.region, kDestinationSetting});
  const auto stored = document ? decode_json<StoredDestination>(*document) : Result<StoredDestination>(StoredDestination{});
  const bool writes = document && stored.ok() && stored->destination == TraceSegmentDestination::CloudWatchLogs;
  return (*span_scopes_.lock())[scope] = writes;
}

// One event a span, at the time the span ended. What logs refuse (spans of a month ago) stays a trace only.
Lsn XRay::write_spans(const TraceScope& scope, std::span<const std::string_view> documents) {
  std::vector<SpanText> spans;
  for (const auto document : documents) append_spans_of_sent(document, spans);
  std::vector<LogEventIn> events;
  events.reserve(spans.size());
  for (const auto& span : spans) events.push_back({span.end_ms, span.json});
  if (events.empty()) return 0;
  const auto put = sinks_.logs->put_logs(scope.account, scope.region, kSpanGroup, kSpanStream, events, true);
  if (put.ok()) return put->lsn;
  LOG_WARN("x-ray: {} spans did not get into {}: {}", events.size(), kSpanGroup, put.error().message());
  return 0;
}

std::shared_ptr<const Groups> XRay::groups(const TraceScope& scope) {
  {
    auto known = groups_.lock_shared();
    if (const auto found = known->find(scope); found != known->end()) return found->second;
  }
  auto compiled = std::make_shared<Groups>();
  CompiledGroup everything;
  everything.name = kDefaultGroup;
  everything.arn = group_arn(scope, kDefaultGroup, "");
  compiled->push_back(everything);
  const auto stored =
      resources_.list({.kind = kGroupKind, .account = scope.account, .region = scope.region});
  std::map<std::string, std::string> by_name, by_arn;
  std::vector<StoredGroup> documents;
  for (const auto& resource : stored) {
    auto document = decode_json<StoredGroup>(resource.document);
    if (!document.ok()) continue;
    by_name[document->group.group_name.value_or("")] = document->group.filter_expression.value_or("");
    by_arn[document->group.group_arn.value_or("")] = document->group.filter_expression.value_or("");
    documents.push_back(std::move(*document));
  }
  trace_filter::Bindings named;
  named.account = scope.account;
  named.group = [&](std::string_view group, bool is_arn) -> std::optional<std::string> {
    const auto& map = is_arn ? by_arn : by_name;
    if (const auto found = map.find(std::string(group)); found != map.end()) return found->second;
    if (group == (is_arn ? everything.arn : everything.name)) return "";
    return std::nullopt;
  };
  for (const auto& document : documents) {
    const auto& group = document.group;
    const bool is_default = group.group_name == kDefaultGroup;
    CompiledGroup one = is_default ? compiled->front() : CompiledGroup{};
    one.name = group.group_name.value_or("");
    one.arn = group.group_arn.value_or("");
    one.expression = group.filter_expression.value_or("");
    one.expression_changes = document.expression_changes;
    if (group.insights_configuration) {
      one.insights = group.insights_configuration->insights_enabled.value_or(false);
      one.notifications = group.insights_configuration->notifications_enabled.value_or(false);
    }
    if (is_default) {
      compiled->front() = std::move(one);
      continue;
    }
    one.label = hash64(one.arn) | 1;
    auto filter = trace_filter::Filter::parse(one.expression, named);
    if (filter.ok()) one.filter = std::move(*filter);
    else LOG_WARN("x-ray: expression of group {} no longer parses: {}", one.name, filter.error().message());
    compiled->push_back(std::move(one));
  }
  auto known = groups_.lock();
  return (*known)[scope] = std::move(compiled);
}

Status XRay::change_groups(const TraceScope& scope, std::vector<ResourceStore::Change> changes) {
  traces_.settle_labels(scope);
  TRYV(resources_.apply(std::move(changes)));
  groups_.lock()->erase(scope);
  return Ok{};
}

trace_filter::Bindings XRay::bindings(const TraceScope& scope) {
  trace_filter::Bindings out;
  out.account = scope.account;
  out.group = [all = groups(scope)](std::string_view name,
                                    bool is_arn) -> std::optional<std::string> {
    for (const auto& group : *all)
      if ((is_arn ? group.arn : group.name) == name) return group.expression;
    return std::nullopt;
  };
  return out;
}

void XRay::note_telemetry(const TraceScope& scope, const std::string& host, TelemetryRecord record) {
  constexpr std::size_t kHostsMax = 1000;
  auto by_host = telemetry_->by_host.lock();
  auto& hosts = (*by_host)[scope];
  if (hosts.size() >= kHostsMax && !hosts.contains(host)) hosts.erase(hosts.begin());
  hosts[host] = std::move(record);
}

std::map<std::string, TelemetryRecord> XRay::telemetry(const TraceScope& scope) const {
  auto by_host = telemetry_->by_host.lock_shared();
  const auto found = by_host->find(scope);
  return found == by_host->end() ? std::map<std::string, TelemetryRecord>{} : found->second;
}

Status XRay::reset(std::string_view account, std::string_view region) {
  const auto hit = [&](const TraceScope& scope) {
    return (account.empty() || scope.account == account) && (region.empty() || scope.region == region);
  };
  std::erase_if(*groups_.lock(), [&](const auto& each) { return hit(each.first); });
  std::erase_if(*span_scopes_.lock(), [&](const auto& each) { return hit(each.first); });
  std::erase_if(*sampling_.lock(), [&](const auto& each) { return hit(each.first); });
  std::erase_if(*retrievals_.lock(), [&](const auto& each) { return hit(each.second.scope); });
  std::erase_if(*telemetry_->by_host.lock(), [&](const auto& each) { return hit(each.first); });
  return Ok{};
}

}  // namespace fog::xray
