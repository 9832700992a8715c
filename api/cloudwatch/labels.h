// Labels of metric data results: defaults that tell series apart, and placeholders like ${LAST}.
// Pure; any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/cloudwatch/metric_queries.h"

namespace fog::cloudwatch {

// One label a source: the metric's name, then the values of dimensions that not all of them share,
// then statistic and period where they differ.
std::vector<std::string> distinguishing_labels(std::span<const SeriesSource> sources);

// Minutes east of UTC of "+HHMM" or "-HHMM"; nothing for anything else.
std::optional<int> parse_utc_offset(std::string_view text);

struct LabelFacts {
  const metric_math::Series* series = nullptr;  // ascending
  std::string_view default_label;
  const SeriesSource* source = nullptr;  // null: an expression
  Timestamp now{};
  int utc_offset_minutes = 0;
};
// Unknown placeholders stay as they are, as do those past the fifth; values of an empty series are "--".
std::string expand_label(std::string_view label, const LabelFacts& facts);

}  // namespace fog::cloudwatch
