// Log lines of the server itself. spdlog lives behind this in log.cc alone.
//
//   LOG_INFO("sealed {} events of group {}", n, id);
//
// The text is formatted by fmt; control characters in arguments are escaped before they are
// written.
#pragma once

#include <fmt/core.h>

#include <string_view>

namespace fog::log {

enum class Level { kDebug, kInfo, kWarn, kError, kOff };

// Called once by main, before threads start. Without it warnings and errors go to stderr.
void set_level(Level level);
bool enabled(Level level);
void write(Level level, std::string_view text);
// "debug", "info", "warn", "error", "off"; false for anything else.
bool parse_level(std::string_view text, Level& level);

template <typename... Args>
void print(Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level)) write(level, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace fog::log

#define LOG_DEBUG(...) ::fog::log::print(::fog::log::Level::kDebug, __VA_ARGS__)
#define LOG_INFO(...) ::fog::log::print(::fog::log::Level::kInfo, __VA_ARGS__)
#define LOG_WARN(...) ::fog::log::print(::fog::log::Level::kWarn, __VA_ARGS__)
#define LOG_ERROR(...) ::fog::log::print(::fog::log::Level::kError, __VA_ARGS__)
