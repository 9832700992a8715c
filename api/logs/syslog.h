// Syslog lines: RFC 5424 and RFC 3164, as JSON events. What is neither stays a line of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fog::logs {

struct SyslogEvent {
  bool is_valid = false;  // a priority was there
  std::optional<std::int64_t> time_ms;
  std::string hostname;
  // {"facility": "local0", "severity": "info", "hostname": ..., "appName": ..., "procId": ..., "msgId": ..., "message": ...};
  // members that the line does not have are left out. A line without priority: the line.
  std::string message;
};

// `now_ms` gives the year that RFC 3164 leaves out.
SyslogEvent read_syslog(std::string_view line, std::int64_t now_ms);

}  // namespace fog::logs
