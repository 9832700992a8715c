#include "api/control/prices.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace fog {
namespace {

using Json = nlohmann::ordered_json;

// AWS's gigabyte has 2^30 bytes, its month 730 hours.
constexpr double kGigabyte = 1024.0 * 1024.0 * 1024.0;
constexpr double kHoursOfMonth = 730;
constexpr double kMonth = kHoursOfMonth * 3600e3;  // milliseconds
constexpr double kMillion = 1e6;

constexpr const char* kAsOf = "2025-06";
// The price pages of CloudWatch, X-Ray, SNS and SQS, first tier, US East (N. Virginia); text messages: to the US.
constexpr PriceRow kRows[] = {
    {Meter::kLogsIngested, "logs", "PutLogEvents", "GB", kGigabyte, 0.50},
    {Meter::kLogsIngestedInfrequent, "logs", "PutLogEvents (Infrequent Access)", "GB", kGigabyte, 0.25},
    {Meter::kLogsScanned, "logs", "StartQuery", "GB scanned", kGigabyte, 0.005},
    {Meter::kLogsStored, "logs", "storage", "GB-month", kGigabyte * kMonth, 0.03, 0, true},
    {Meter::kLiveTail, "logs", "StartLiveTail", "minutes", 60e3, 0.01},
    {Meter::kMetrics, "cloudwatch", "custom metrics", "metric-months", kHoursOfMonth, 0.30, 0, true},
    {Meter::kMetricsRequested, "cloudwatch", "GetMetricData", "1,000 metrics", 1000, 0.01},
    {Meter::kMetricRequests, "cloudwatch", "API requests", "1,000 requests", 1000, 0.01},
    {Meter::kWidgetImages, "cloudwatch", "GetMetricWidgetImage", "1,000 metrics", 1000, 0.02},
    {Meter::kAlarms, "cloudwatch", "alarms", "alarm metric-months", kMonth, 0.10, 0, true},
    {Meter::kAlarmsHighResolution, "cloudwatch", "high-resolution alarms", "alarm metric-months", kMonth, 0.30, 0, true},
    {Meter::kAlarmsComposite, "cloudwatch", "composite alarms", "alarm-months", kMonth, 0.50, 0, true},
    {Meter::kDashboards, "cloudwatch", "dashboards", "dashboard-months", kMonth, 3.00, 0, true},
    {Meter::kInsightRules, "cloudwatch", "Contributor Insights rules", "rule-months", kMonth, 0.50, 0, true},
    {Meter::kTracesRecorded, "xray", "PutTraceSegments", "1,000,000 traces", kMillion, 5.00},
    {Meter::kTracesRetrieved, "xray", "BatchGetTraces", "1,000,000 traces", kMillion, 0.50},
    {Meter::kTracesScanned, "xray", "GetTraceSummaries", "1,000,000 traces", kMillion, 0.50},
    {Meter::kSnsRequests, "sns", "requests", "1,000,000 requests", kMillion, 0.50},
    {Meter::kSnsHttp, "sns", "deliveries http", "1,000,000 deliveries", kMillion, 0.60},
    {Meter::kSnsEmail, "sns", "deliveries email", "100,000 deliveries", 100e3, 2.00},
    {Meter::kSnsSms, "sns", "deliveries sms", "messages", 1, 0.00645},
    {Meter::kSnsPush, "sns", "deliveries application", "1,000,000 deliveries", kMillion, 0.50},
    {Meter::kSnsFirehose, "sns", "deliveries firehose", "1,000,000 deliveries", kMillion, 0.19},
    {Meter::kSnsQueue, "sns", "deliveries sqs, lambda", "1,000,000 deliveries", kMillion, 0.00},
    {Meter::kSqsRequests, "sqs", "requests", "1,000,000 requests", kMillion, 0.40},
};
static_assert(std::size(kRows) == kMeterCount);
constexpr bool is_in_order() {
  for (std::size_t i = 0; i < kMeterCount; ++i) {
    if (kRows[i].meter != static_cast<Meter>(i)) return false;
  }
  return true;
}
static_assert(is_in_order(), "a row a meter, in their order");

}  // namespace

PriceTable::PriceTable() : as_of_(kAsOf) { std::copy(std::begin(kRows), std::end(kRows), rows_.begin()); }

std::string PriceTable::json() const {
  Json prices = Json::array();
  for (const PriceRow& row : rows_) prices.push_back({{"service", row.service}, {"operation", row.operation}, {"unit", row.unit}, {"price", row.price}, {"free", row.free}});
  return Json{{"currency", currency_}, {"as_of", as_of_}, {"prices", std::move(prices)}}.dump(2);
}

Status PriceTable::change(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("prices") || !json["prices"].is_array()) return Error::invalid("a price table is an object with a list \"prices\"");
  PriceTable changed = *this;
  for (const auto& [name, target] : {std::pair("currency", &changed.currency_), std::pair("as_of", &changed.as_of_)}) {
    if (!json.contains(name)) continue;
    if (!json[name].is_string()) return Error::invalid(fmt::format("\"{}\" is not a text", name));
    *target = json[name].get<std::string>();
  }
  for (const Json& given : json["prices"]) {
    const auto text_of = [&](const char* name) { return given.is_object() && given.contains(name) && given[name].is_string() ? given[name].get<std::string>() : std::string(); };
    const std::string service = text_of("service");
    const std::string operation = text_of("operation");
    const auto row = std::find_if(changed.rows_.begin(), changed.rows_.end(), [&](const PriceRow& r) { return r.service == service && r.operation == operation; });
    if (row == changed.rows_.end()) return Error::invalid(fmt::format("there is no price for service \"{}\", operation \"{}\"", service, operation));
    if (given.contains("unit") && text_of("unit") != row->unit) return Error::invalid(fmt::format("{} {} is priced by {}", service, operation, row->unit));
    for (const auto& [name, target] : {std::pair("price", &row->price), std::pair("free", &row->free)}) {
      if (!given.contains(name)) continue;
      if (!given[name].is_number() || given[name].get<double>() < 0) return Error::invalid(fmt::format("{} {}: \"{}\" is not a number from 0 on", service, operation, name));
      *target = given[name].get<double>();
    }
  }
  *this = std::move(changed);
  return Ok{};
}

}  // namespace fog
