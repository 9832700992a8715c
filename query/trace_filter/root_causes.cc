#include "query/trace_filter/root_causes.h"

#include <cmath>

namespace fog::trace_filter {

using traces::Entity;
using traces::EntityKind;
using traces::Trace;

namespace {

// Chains of one trace are few; a broken client must not make them endless.
constexpr std::size_t kCausesMax = 50;

bool has_flag(const Entity& e, CauseKind kind) {
  return kind == CauseKind::kFault ? e.fault : e.error;
}

// `chain` from top to bottom; a new service begins wherever the owning segment changes.
RootCause cause_of(const Trace& trace, const std::vector<std::int32_t>& chain, bool with_coverage) {
  RootCause cause;
  cause.client_impacting = chain.front() == trace.root;
  const double whole_ms =
      trace.root < 0 ? 0 : static_cast<double>(trace.at(trace.root).duration_ms());
  std::int32_t segment = -1;
  for (const auto index : chain) {
    const Entity& e = trace.at(index);
    if (cause.services.empty() || e.segment != segment) {
      segment = e.segment;
      const Entity& owner = trace.at(segment);
      cause.services.push_back({owner.node_name, owner.node_type, owner.account,
                                owner.kind == EntityKind::kInferred, {}});
    }
    CauseEntity entity;
    entity.name = e.is_segment() ? e.node_name : e.name;
    entity.remote = e.remote || e.kind == EntityKind::kInferred;
    if (with_coverage && whole_ms > 0)
      entity.coverage = std::round(static_cast<double>(e.duration_ms()) / whole_ms * 100) / 100;
    const auto exceptions = trace.exceptions_of(e);
    entity.exceptions.assign(exceptions.begin(), exceptions.end());
    cause.services.back().path.push_back(std::move(entity));
  }
  return cause;
}

std::vector<RootCause> flag_causes(const Trace& trace, CauseKind kind) {
  std::vector<bool> child_has_flag(trace.entities.size(), false);
  bool any = false;
  for (const auto& e : trace.entities) {
    if (!has_flag(e, kind)) continue;
    any = true;
    if (e.parent >= 0) child_has_flag[static_cast<std::size_t>(e.parent)] = true;
  }
  std::vector<RootCause> causes;
  if (!any) return causes;
  std::vector<std::vector<std::pair<std::int32_t, std::string_view>>> seen;
  for (std::size_t i = 0; i < trace.entities.size() && causes.size() < kCausesMax; ++i) {
    const Entity& e = trace.entities[i];
    if (!has_flag(e, kind) || child_has_flag[i] || e.segment < 0) continue;
    std::vector<std::int32_t> chain{static_cast<std::int32_t>(i)};
    for (auto at = e.parent; at >= 0 && has_flag(trace.at(at), kind); at = trace.at(at).parent)
      chain.push_back(at);
    std::reverse(chain.begin(), chain.end());
    // The same services and entities by name are the same cause.
    std::vector<std::pair<std::int32_t, std::string_view>> shape;
    for (const auto index : chain)
      shape.emplace_back(trace.at(index).segment,
                         trace.at(index).is_segment() ? trace.at(index).node_name
                                                      : trace.at(index).name);
    if (std::find(seen.begin(), seen.end(), shape) != seen.end()) continue;
    seen.push_back(std::move(shape));
    causes.push_back(cause_of(trace, chain, false));
  }
  return causes;
}

std::vector<RootCause> response_time_causes(const Trace& trace) {
  if (trace.root < 0 || trace.at(trace.root).in_progress) return {};
  std::vector<std::int32_t> longest(trace.entities.size(), -1);
  const auto length = [&](std::int32_t index) {
    return trace.at(index).end_us - trace.at(index).start_us;
  };
  for (std::size_t i = 0; i < trace.entities.size(); ++i) {
    const Entity& e = trace.entities[i];
    if (e.in_progress || e.parent < 0) continue;
    auto& best = longest[static_cast<std::size_t>(e.parent)];
    if (best < 0 || length(static_cast<std::int32_t>(i)) > length(best))
      best = static_cast<std::int32_t>(i);
  }
  std::vector<std::int32_t> chain{trace.root};
  while (true) {
    const auto child = longest[static_cast<std::size_t>(chain.back())];
    if (child < 0 || 2 * length(child) < length(chain.back())) break;
    chain.push_back(child);
  }
  return {cause_of(trace, chain, true)};
}

}  // namespace

std::vector<RootCause> root_causes(const Trace& trace, CauseKind kind) {
  return kind == CauseKind::kResponseTime ? response_time_causes(trace) : flag_causes(trace, kind);
}

}  // namespace fog::trace_filter
