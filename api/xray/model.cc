#include "api/xray/model.h"

#include "api/codec/text.h"
#include "storage/base/bytes.h"
#include "storage/base/hash.h"

namespace fog::xray {

Error invalid(std::string message) {
  return fault(InvalidRequestException{.message = std::move(message)});
}

Error invalid_expression(const Error& error) {
  std::string text = "Invalid filter expression: " + error.message();
  if (error.position()) text += " at position " + std::to_string(*error.position());
  return invalid(std::move(text));
}

TraceScope scope_of(const Call& call) { return {call.account, call.region}; }
XRay& xray_of(const Call& call) { return call.service<XRay>(); }
ResourceKey key_of(const Call& call, const char* kind, std::string name) {
  return {kind, call.account, call.region, std::move(name)};
}

std::string group_arn(const TraceScope& scope, std::string_view name, std::string_view id) {
  std::string arn = "arn:" + std::string(partition_of(scope.region)) + ":xray:" + scope.region + ":" +
                    scope.account + ":group/" + std::string(name);
  if (!id.empty()) arn += "/" + std::string(id);
  return arn;
}

std::string rule_arn(const TraceScope& scope, std::string_view name) {
  return "arn:" + std::string(partition_of(scope.region)) + ":xray:" + scope.region + ":" +
         scope.account + ":sampling-rule/" + std::string(name);
}

std::string make_token(std::string_view operation, std::uint64_t parameters, std::string_view key) {
  std::string raw;
  ByteWriter out(raw);
  out.fixed(static_cast<std::uint32_t>(hash64(operation, 1)));
  out.fixed(static_cast<std::uint32_t>(parameters));
  out.raw(key);
  std::string token;
  append_base64(raw, token);
  while (!token.empty() && token.back() == '=') token.pop_back();
  for (char& c : token) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return token;
}

Result<std::string> read_token(const std::string& token, std::string_view operation,
                               std::uint64_t parameters) {
  std::string text = token;
  for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
  while (text.size() % 4 != 0) text.push_back('=');
  const auto raw = decode_base64(text);
  if (!raw) return invalid("Invalid NextToken.");
  ByteReader in(*raw);
  if (in.fixed<std::uint32_t>() != static_cast<std::uint32_t>(hash64(operation, 1)) ||
      in.fixed<std::uint32_t>() != static_cast<std::uint32_t>(parameters) || !in.ok())
    return invalid("Invalid NextToken.");
  return std::string(in.rest());
}

ServiceId service_id(std::string_view name, std::string_view type, std::string_view account,
                     const std::string& own_account) {
  ServiceId out;
  out.name = std::string(name);
  out.names = {std::string(name)};
  out.account_id = account.empty() ? own_account : std::string(account);
  if (!type.empty()) out.type = std::string(type);
  return out;
}

Timestamp from_us(std::int64_t us) { return from_ms(us / 1000); }

std::vector<HistogramEntry> histogram(const traces::DurationCounts& counts) {
  std::vector<HistogramEntry> out;
  for (const auto& entry : service_graph::histogram(counts))
    out.push_back({.value = entry.seconds,
                   .count = static_cast<std::int32_t>(std::min<std::int64_t>(entry.count, INT32_MAX))});
  return out;
}

std::vector<xray::Service> services_of(const traces::Graph& graph, const std::string& own_account) {
  std::vector<xray::Service> out;
  const auto nodes = service_graph::service_graph(graph);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& node = nodes[i];
    xray::Service service;
    service.reference_id = static_cast<std::int32_t>(i);
    service.name = node.key.name;
    service.names = {node.key.name};
    service.account_id = node.key.account.empty() ? own_account : node.key.account;
    if (!node.key.type.empty()) service.type = node.key.type;
    service.root = node.root;
    service.state = node.active ? "active" : "unknown";
    service.start_time = from_us(node.start_us);
    service.end_time = from_us(node.end_us);
    service.edges.emplace();
    for (const auto& each : node.edges) {
      Edge edge;
      const auto& totals = each.totals->totals;
      edge.reference_id = static_cast<std::int32_t>(each.to);
      edge.start_time = from_us(totals.start_us);
      edge.end_time = from_us(totals.end_us);
      edge.summary_statistics = statistics<EdgeStatistics>(totals);
      edge.response_time_histogram = histogram(totals.durations);
      edge.aliases.emplace();
      if (each.link) {
        edge.edge_type = "link";
        edge.received_event_age_histogram = histogram(each.totals->event_age);
      }
      service.edges->push_back(std::move(edge));
    }
    if (!node.client) {
      const auto& totals = node.totals->totals;
      service.summary_statistics = statistics<ServiceStatistics>(totals);
      service.duration_histogram = histogram(totals.durations);
      service.response_time_histogram = histogram(totals.durations);
    }
    out.push_back(std::move(service));
  }
  return out;
}

Result<std::shared_ptr<const CompiledGroup>> find_group(const Call& call,
                                                        const std::optional<std::string>& name,
                                                        const std::optional<std::string>& arn) {
  std::shared_ptr<const CompiledGroup> none;
  if (!name && !arn) return none;
  if (name && arn) return invalid("Only one of GroupName and GroupARN may be specified.");
  const auto groups = xray_of(call).groups(scope_of(call));
  for (const auto& group : *groups)
    if (name ? group.name == *name : group.arn == *arn)
      return std::shared_ptr<const CompiledGroup>(groups, &group);
  return invalid("Group not found.");
}

}  // namespace fog::xray
