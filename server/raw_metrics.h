// What was put into CloudWatch, as suites written for LocalStack ask for it: every value of every metric.
// GET /_aws/cloudwatch/metrics/raw and /cloudwatch/metrics/raw.
#pragma once

#include "api/common/http_message.h"
#include "api/common/meters.h"
#include "storage/metric_store.h"

namespace fog {

// {"metrics": [{"ns", "n", "v", "t", "d": [{"n", "v"}], "account", "region"}]}: a line a value of a minute, where
// values are known one by one; else one with the minute's mean. `meters` knows where metrics are.
http::Response raw_metrics(const http::Request& request, const MetricStore& store, const Meters& meters, Timestamp now);

}  // namespace fog
