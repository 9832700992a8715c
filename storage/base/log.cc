#include "storage/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <string>

namespace fog::log {
namespace {

std::atomic<Level> level_now{Level::kWarn};

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("fogwatch",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::warn);
    return made;
  }();
  return *instance;
}

// One log call is one line: what a caller smuggled in as a control character is shown, not obeyed.
std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

void set_level(Level level) {
  level_now = level;
}
bool enabled(Level level) {
  return level >= level_now.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view text) {
  const std::string line = printable(text);
  switch (level) {
    case Level::kDebug:
      logger().debug("{}", line);
      return;
    case Level::kInfo:
      logger().info("{}", line);
      return;
    case Level::kWarn:
      logger().warn("{}", line);
      return;
    case Level::kError:
      logger().error("{}", line);
      return;
    case Level::kOff:
      return;
  }
}

bool parse_level(std::string_view text, Level& level) {
  if (text == "debug")
    level = Level::kDebug;
  else if (text == "info")
    level = Level::kInfo;
  else if (text == "warn")
    level = Level::kWarn;
  else if (text == "error")
    level = Level::kError;
  else if (text == "off")
    level = Level::kOff;
  else
    return false;
  return true;
}

}  // namespace fog::log
