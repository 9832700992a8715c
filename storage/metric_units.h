// The units a datum may bear, in the order in which CloudWatch lists and prefers them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fog {

inline constexpr std::array<std::string_view, 27> kMetricUnits = {
    "Megabits",         "Terabits",         "Gigabits",         "Count",
    "Bytes",            "Gigabytes",        "Gigabytes/Second", "Kilobytes",
    "Kilobits/Second",  "Terabytes",        "Terabits/Second",  "Bytes/Second",
    "Percent",          "Megabytes",        "Megabits/Second",  "Milliseconds",
    "Microseconds",     "Kilobytes/Second", "Gigabits/Second",  "Megabytes/Second",
    "Bits",             "Bits/Second",      "Count/Second",     "Seconds",
    "Kilobits",         "Terabytes/Second", "None"};

inline constexpr std::uint8_t kUnitNone = 26;

// Index into kMetricUnits.
constexpr std::optional<std::uint8_t> unit_code(std::string_view name) {
  for (std::size_t i = 0; i < kMetricUnits.size(); ++i)
    if (kMetricUnits[i] == name) return static_cast<std::uint8_t>(i);
  return std::nullopt;
}

}  // namespace fog
