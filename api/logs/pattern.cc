#include "api/logs/pattern.h"

#include "api/logs/common.h"
#include "query/filter_pattern/filter_pattern.h"

namespace fog::logs {

Result<EventPattern> parse_pattern(std::string_view text) {
  Result<std::shared_ptr<const filter_pattern::Pattern>> pattern = filter_pattern::parse(text);
  if (!pattern.ok()) return invalid_parameter(pattern.error().message());
  EventPattern result;
  if ((*pattern)->matches_all()) return result;
  result.where = (*pattern)->where();
  result.matches = [kept = *std::move(pattern)](std::string_view message) { return kept->matches(message); };
  return result;
}

}  // namespace fog::logs
