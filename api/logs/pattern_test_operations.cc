// TestMetricFilter: tries a filter pattern on messages given in the call.
#include "api/logs/common.h"
#include "api/logs/operations.h"
#include "query/filter_pattern/filter_pattern.h"

namespace fog::logs {
namespace {

Result<TestMetricFilterResponse> test_metric_filter(Call&, const TestMetricFilterRequest& in) {
  const auto pattern = filter_pattern::parse(in.filter_pattern);
  if (!pattern.ok()) return invalid_parameter(pattern.error().message());
  TestMetricFilterResponse out;
  auto& matches = out.matches.emplace();
  for (std::size_t i = 0; i < in.log_event_messages.size(); ++i) {
    const std::string& message = in.log_event_messages[i];
    if (!(*pattern)->matches(message)) continue;
    MetricFilterMatchRecord& record = matches.emplace_back();
    record.event_number = static_cast<std::int64_t>(i + 1);
    record.event_message = message;
    record.extracted_values = (*pattern)->extract(message);
  }
  return out;
}

constexpr Operation kOperations[] = {bind<test_metric_filter>()};

}  // namespace

std::span<const Operation> pattern_test_operations() { return kOperations; }

}  // namespace fog::logs
