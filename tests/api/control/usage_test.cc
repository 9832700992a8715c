#include "api/control/usage.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "storage/base/clock.h"

namespace fog {
namespace {

using Json = nlohmann::json;
constexpr std::uint64_t kGigabyte = 1ull << 30;

// A month passes over what stands; the rest is added.
struct Month {
  ManualClock clock{from_ms(1'767'225'600'000)};
  Usage usage{"", clock};
  double alarms = 0;
  double metrics = 0;

  Month() {
    usage.restore();
    Usage::Sources sources;
    sources.standing.emplace_back(Meter::kAlarms, [this] { return alarms; });
    sources.active_metrics = [this](const std::string&, const std::string&, Timestamp) { return metrics; };
    usage.start(std::move(sources));
    usage.meters().saw("000000000000", "us-east-1");
  }
  void pass(int hours = 730) {
    for (int hour = 0; hour < hours; ++hour) {
      clock.advance(std::chrono::hours(1));
      usage.tick(clock.now());
    }
  }
  Json report() { return Json::parse(usage.report_json()); }
  double cost(const std::string& operation) {
    const Json whole = report();
    for (const Json& line : whole["services"]) {
      if (line["operation"] == operation) return line["cost"].get<double>();
    }
    return 0;
  }
};

// 5 GB of logs 2.50, 100 custom metrics 30.00, 5 alarms 0.50, 1 M traces sampled at 10 % 0.50.
TEST(Usage, the_users_table) {
  Month month;
  month.alarms = 5;
  month.metrics = 100;
  month.usage.meters().add(Meter::kLogsIngested, 5 * kGigabyte);
  month.usage.meters().add(Meter::kTracesRecorded, 1'000'000 / 10);
  month.pass();
  month.metrics = 0;  // the hour that has just begun saw none yet
  EXPECT_NEAR(month.cost("PutLogEvents"), 2.50, 1e-6);
  EXPECT_NEAR(month.cost("custom metrics"), 30.00, 1e-6);
  EXPECT_NEAR(month.cost("alarms"), 0.50, 1e-6);
  EXPECT_NEAR(month.cost("PutTraceSegments"), 0.50, 1e-6);
  EXPECT_NEAR(month.report()["total"].get<double>(), 33.50, 1e-6);
}

TEST(Usage, free_units_cost_nothing) {
  Month month;
  month.usage.meters().add(Meter::kLogsIngested, 5 * kGigabyte);
  ASSERT_TRUE(month.usage.set_prices(R"({"prices": [{"service": "logs", "operation": "PutLogEvents", "free": 4}]})").ok());
  EXPECT_NEAR(month.cost("PutLogEvents"), 0.50, 1e-6);
}

TEST(Usage, an_hour_without_data_costs_no_metric_and_a_clock_set_back_nothing_twice) {
  Month month;
  month.metrics = 10;
  month.pass(10);
  month.metrics = 0;
  month.pass(10);
  const double before = month.cost("custom metrics");
  EXPECT_NEAR(before, 10 * 10 * 0.30 / 730, 1e-6);
  month.clock.advance(-std::chrono::hours(5));
  month.usage.tick(month.clock.now());
  EXPECT_NEAR(month.cost("custom metrics"), before, 1e-9);
}

TEST(Usage, prices_that_are_wrong_change_nothing) {
  for (const char* table : {"", "[]", "{}", R"({"prices": [{"service": "logs", "operation": "Nothing"}]})", R"({"prices": [{"service": "logs", "operation": "PutLogEvents", "price": -1}]})",
                            R"({"prices": [{"service": "logs", "operation": "PutLogEvents", "price": 1}, {"service": "logs", "operation": "PutLogEvents", "unit": "TB"}]})"}) {
    PriceTable prices;
    EXPECT_FALSE(prices.change(table).ok()) << table;
    EXPECT_EQ(prices.json(), PriceTable().json());
  }
}

}  // namespace
}  // namespace fog
