// Text forms the wire formats share: numbers, times, base64, UTF-8. Appenders write to `out`;
// parsers return nothing for what is not wholly of the form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/clock.h"

namespace fog {

void append_integer(std::int64_t value, std::string& out);
// The shortest text that reads back as the same double: 1.5, 2, 1e-05. Not for NaN and infinities.
// `as_real`: whole numbers keep a fraction ("2.0"), as Java prints them.
void append_double(double value, std::string& out, bool as_real);

// 2026-01-01T00:00:00Z, with milliseconds only when there are some.
void append_iso8601(Timestamp time, std::string& out);
// Epoch seconds with up to three decimals: 1767225600, 1767225600.123.
void append_epoch_seconds(Timestamp time, std::string& out);

// ISO 8601 date and time with any fraction, "Z", an offset or nothing (UTC); or epoch seconds.
std::optional<Timestamp> parse_timestamp(std::string_view text);
// Rounded to milliseconds; nothing when not finite or beyond the year 275760.
std::optional<Timestamp> timestamp_of_seconds(double seconds);
std::optional<std::int64_t> parse_integer(std::string_view text);
// Decimal text, "NaN", "Infinity", "-Infinity".
std::optional<double> parse_double(std::string_view text);

void append_base64(std::string_view bytes, std::string& out);
// Strict: alphabet of RFC 4648 section 4 with padding.
std::optional<std::string> decode_base64(std::string_view text);

bool is_utf8(std::string_view bytes);
// Ill-formed sequences become U+FFFD.
std::string to_utf8(std::string_view bytes);
// Unicode characters of well-formed UTF-8.
std::size_t utf8_length(std::string_view text);

}  // namespace fog
