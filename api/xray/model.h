// What the X-Ray handlers have in common: names of kinds, ARNs, paging tokens, errors, and shapes
// made from the trace model.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/common/call.h"
#include "api/xray/shapes.h"
#include "api/xray/xray.h"
#include "query/service_graph/service_graph.h"

namespace fog::xray {

inline constexpr const char* kDefaultGroup = "Default";
inline constexpr const char* kDefaultRule = "Default";
inline constexpr const char* kGroupKind = "xray-group";
inline constexpr const char* kRuleKind = "xray-sampling-rule";
inline constexpr const char* kTagsKind = "xray-tags";
inline constexpr const char* kPolicyKind = "xray-resource-policy";
inline constexpr const char* kSettingKind = "xray-setting";
inline constexpr const char* kInsightKind = "xray-insight";

Error invalid(std::string message);  // InvalidRequestException

// A bad filter expression, with the place in it.
Error invalid_expression(const Error& error);

TraceScope scope_of(const Call& call);
XRay& xray_of(const Call& call);
ResourceKey key_of(const Call& call, const char* kind, std::string name);

std::string group_arn(const TraceScope& scope, std::string_view name, std::string_view id);
std::string rule_arn(const TraceScope& scope, std::string_view name);

// Paging: a token carries the operation, a hash of the request's other parameters and the last key.
std::string make_token(std::string_view operation, std::uint64_t parameters, std::string_view key);
// InvalidRequestException for anything make_token did not make for this request.
Result<std::string> read_token(const std::string& token, std::string_view operation,
                               std::uint64_t parameters);

// A page of `all` that begins after the key in `token`; `key` gives each item's, ascending.
template <typename T, typename Key>
Result<std::vector<T>> page_of(std::vector<T> all, const std::optional<std::string>& token,
                               std::optional<std::string>& next, std::size_t size,
                               std::string_view operation, std::uint64_t parameters, Key key) {
  std::vector<T> page;
  std::string after;
  if (token) {
    TRY(after, read_token(*token, operation, parameters));
  }
  for (auto& item : all) {
    if (token && key(item) <= after) continue;
    if (page.size() == size) {
      next = make_token(operation, parameters, key(page.back()));
      break;
    }
    page.push_back(std::move(item));
  }
  return page;
}

ServiceId service_id(std::string_view name, std::string_view type, std::string_view account,
                     const std::string& own_account);

// Statistics shapes differ in name only.
template <typename T>
T statistics(const traces::ItemTotals& totals) {
  T out;
  out.ok_count = totals.ok;
  out.error_statistics.emplace();
  out.error_statistics->throttle_count = totals.throttle;
  out.error_statistics->other_count = totals.error;
  out.error_statistics->total_count = totals.throttle + totals.error;
  out.fault_statistics.emplace();
  out.fault_statistics->other_count = totals.fault;
  out.fault_statistics->total_count = totals.fault;
  out.total_count = totals.total();
  out.total_response_time = static_cast<double>(totals.response_ms) / 1000.0;
  return out;
}
std::vector<HistogramEntry> histogram(const traces::DurationCounts& counts);
std::vector<xray::Service> services_of(const traces::Graph& graph, const std::string& own_account);

// The group a request names by name or ARN; null: none named. Unknown: InvalidRequestException.
Result<std::shared_ptr<const CompiledGroup>> find_group(const Call& call,
                                                        const std::optional<std::string>& name,
                                                        const std::optional<std::string>& arn);

Timestamp from_us(std::int64_t us);

}  // namespace fog::xray
