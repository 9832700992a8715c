// OTLP/HTTP traces: POST /v1/traces, whatever door it came through.
#pragma once

#include <string>
#include <string_view>

#include "api/otlp/segments.h"
#include "storage/trace_store.h"
#include "storage/wal/wal.h"

namespace fog::otlp {

struct ExportAnswer {
  int status = 200;
  std::string content_type;
  std::string body;
  Lsn lsn = 0;  // hold the answer back until it is durable; 0: at once
  std::size_t accepted_spans = 0;
  std::size_t rejected_spans = 0;
};

// `body` as received; `content_encoding` empty, "identity" or "gzip". Answers in the encoding of the
// request: 200 with an ExportTraceServiceResponse (partial success for spans that were dropped), 400
// for what can't be decoded, 413 past `body_bytes_max` inflated, 415 for other types, 503 when
// nothing can be stored now.
ExportAnswer export_traces(TraceStore& store, const TraceScope& scope, std::string_view content_type,
                           std::string_view content_encoding, std::string_view body,
                           std::size_t body_bytes_max = 40u << 20, const SegmentOptions& options = {});

}  // namespace fog::otlp
