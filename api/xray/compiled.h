// CompiledDocuments: the documents of a trace as BatchGetTraces shows them.
//
// One document a segment: independent subsegments stand in the `subsegments` of their parent, what
// does not fit the schema is gone, generated segments for calls that nobody answered are added.
// Orphans (subsegments whose parent has not come) are documents of their own.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "storage/traces/trace.h"

namespace fog::xray {

struct CompiledDocument {
  std::string id;  // 16 hex
  double start_s = 0;
  std::string text;  // JSON
};

// By start_time, then id.
std::vector<CompiledDocument> compile_documents(
    traces::TraceId trace, std::span<const std::shared_ptr<const traces::StoredDocument>> documents);

}  // namespace fog::xray
