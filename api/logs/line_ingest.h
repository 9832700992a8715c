// Lines that come through doors of their own: embedded metric format (the CloudWatch agent's port) and
// syslog. They are taken as log events; what follows from them is the event pipeline's.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "api/common/log_sink.h"
#include "storage/base/clock.h"

namespace fog::logs {

struct IncomingLine {
  std::string_view text;
  std::string_view peer;  // IP address
};

struct LineScope {
  std::string account, region;
  std::string group;   // of lines that name none
  std::string stream;
};

// Lines in embedded metric format go to _aws.LogGroupName and _aws.LogStreamName, others and broken ones
// to the scope's. Groups and streams are made on demand. Gives how many were refused (too old, busy).
std::size_t take_emf_lines(LogSink& sink, const Clock& clock, const LineScope& scope, std::span<const IncomingLine> lines);

// Syslog, a stream a host.
std::size_t take_syslog_lines(LogSink& sink, const Clock& clock, const LineScope& scope, std::span<const IncomingLine> lines);

}  // namespace fog::logs
