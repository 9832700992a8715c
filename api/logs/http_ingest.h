// The HTTP doors for log events that are no AWS calls: HLC (/services/collector/event), NDJSON
// (/ingest/bulk) and JSON (/ingest/json). Group and stream come from the query string.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "api/common/log_sink.h"
#include "storage/base/clock.h"

namespace fog::logs {

struct IngestRequest {
  std::string_view path;          // without the query
  std::string_view query;         // logGroup=...&logStream=...
  std::string_view content_type;
  std::string_view content_encoding;
  std::string_view authorization;
  std::string_view body;
  std::string_view account;
  std::string_view region;
};
struct IngestAnswer {
  int status = 200;
  std::string body = "{}";
  Lsn lsn = 0;  // hold the answer back until it is durable; 0: at once
};

// Account and region of a request's signature: a 12-digit access key is the account, the region stands in the
// credential scope. What it does not say stays as it is.
void scope_of_authorization(std::string_view authorization, std::string& account, std::string& region);

bool is_ingest_path(std::string_view path);
// 400 for what holds no event, 404 for a missing group or stream, 413, 415, 503.
IngestAnswer ingest(LogSink& sink, const Clock& clock, const IngestRequest& request);

// {"partialSuccess": {"rejectedLogRecords": n, "errorMessage": "..."}}, or {} when all were taken.
std::string partial_success(const LogSink::Outcome& outcome, std::size_t otherwise_rejected);
// The text inside: {"tooOldLogEventCount": a, ...}.
std::string rejection_counts(const LogSink::Outcome& outcome);

}  // namespace fog::logs
