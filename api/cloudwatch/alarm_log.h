// Log alarms: a scheduled Insights query whose results are an alarm's datapoints.
#pragma once

#include "api/cloudwatch/alarm_book.h"
#include "api/cloudwatch/alarm_messages.h"
#include "api/common/call.h"
#include "api/common/operation.h"

namespace fog::cloudwatch {

// "rate(5 minutes)", "rate(1 hour)". Error: the text for the caller.
Result<std::chrono::seconds> parse_rate(std::string_view expression);

// "avg(latency) by host, bin(5m) | sort desc" in its parts.
struct Aggregation {
  std::string stats{};              // without what follows it
  std::vector<std::string> keys{};  // columns of the group; empty: one value
};
Aggregation parse_aggregation(std::string_view expression);

// What one run of the query gave: values by contributor ("": not grouped).
struct LogRun {
  StoredRun run{};
  std::map<std::string, std::map<std::string, std::string>> attributes{};  // by contributor
  bool is_grouped = false;
  bool is_partial = false;
};
// Errors: the query cannot be run.
Result<LogRun> run_log_query(const Services& services, const AlarmEntry& alarm, Timestamp now);

// The newest events that the alarm's query finds in the window evaluated at `now`, ActionLogLineCount of
// them at most, each cut at 2,000 bytes; none where the query cannot be run or tells no @message.
std::vector<AlarmLogLine> newest_log_lines(const Services& services, const AlarmEntry& alarm, Timestamp now);

// Sixteen hexadecimal digits of the attributes, stable across runs.
std::string contributor_id(const std::map<std::string, std::string>& attributes);

std::span<const Operation> alarm_log_operations();

}  // namespace fog::cloudwatch
