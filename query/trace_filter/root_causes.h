// Root causes of a trace: the chains of services and entities that made it fail or slow.
//
// A fault or error chain ends at an entity with the flag none of whose children has it, and begins
// where the flag begins above it. The response-time chain starts at the root segment and follows
// the longest completed child while it takes at least half of its parent.
#pragma once

#include <string_view>
#include <vector>

#include "storage/traces/trace.h"

namespace fog::trace_filter {

enum class CauseKind { kFault, kError, kResponseTime };

struct CauseEntity {
  std::string_view name;
  bool remote = false;
  double coverage = 0;  // of the root's time, two decimals; response-time causes only
  std::vector<traces::ExceptionFact> exceptions;
};

struct CauseService {
  std::string_view name, type, account;
  bool inferred = false;
  std::vector<CauseEntity> path;
};

struct RootCause {
  std::vector<CauseService> services;
  bool client_impacting = false;
};

// Views live as long as the trace.
std::vector<RootCause> root_causes(const traces::Trace& trace, CauseKind kind);

}  // namespace fog::trace_filter
