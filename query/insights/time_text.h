// Times as text: Java DateTimeFormatter patterns in, strftime patterns out, time zones.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fog::insights {

// Seconds east of UTC. Zones: UTC, Z, GMT, +02:00, +0200, UTC+2, or a name of the system's zone
// database. Nothing: no such zone.
std::optional<std::int64_t> offset_at_utc(std::string_view zone, std::int64_t utc_seconds);
// The same for a local time; in a gap or overlap the offset before the change counts.
std::optional<std::int64_t> offset_at_local(std::string_view zone, std::int64_t local_seconds);

// Epoch ms, or nothing when the text does not match the pattern. Without a zone in the text, `zone`.
std::optional<std::int64_t> parse_java_date(std::string_view text, std::string_view pattern, std::string_view zone);
std::optional<std::string> format_strftime(std::int64_t ms, std::string_view pattern, std::string_view zone);

}  // namespace fog::insights
