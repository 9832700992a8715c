// From an alarm to the datapoints it looks at: one metric straight from the store, everything else
// through the queries that GetMetricData uses.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "api/cloudwatch/alarm_book.h"
#include "api/common/services.h"
#include "query/alarm_rules/windows.h"
#include "storage/metric_store.h"

namespace fog::cloudwatch {

struct AlarmSeries {
  std::map<std::string, std::string> attributes{};  // group label -> value; empty: not grouped
  std::vector<alarm_rules::Slot> slots{};           // oldest first
};

struct AlarmData {
  std::vector<AlarmSeries> series{};
  bool is_grouped = false;   // contributors
  bool is_partial = false;
  double samples = 0;        // in the evaluation window, of a single metric
};

// Errors: the query cannot be evaluated.
Result<AlarmData> fetch_alarm_data(const Services& services, const AlarmEntry& alarm, Timestamp now);

}  // namespace fog::cloudwatch
