#include "api/logs/pattern.h"

#include "api/logs/common.h"

namespace fog::logs {

Result<EventPattern> parse_pattern(std::string_view text) {
  if (text.find_first_not_of(' ') == std::string_view::npos) return EventPattern{};
  return invalid_parameter("Invalid metric filter pattern");
}

}  // namespace fog::logs
