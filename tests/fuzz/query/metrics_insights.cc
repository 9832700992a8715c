// Metrics Insights: one SELECT, planned and executed over a store in memory.
#include "query/metrics_insights/select.h"

#include <memory>

#include "tests/fuzz/target.h"

namespace fog::fuzz {

FOG_FUZZ(metrics_insights) {
  static ManualClock clock(from_ms(1'767'225'900'000));
  static const auto wal = std::move(Wal::open({.durability = Durability::kEphemeral})).value();
  static const auto store = [] {
    auto made = std::move(MetricStore::open({}, *wal, clock)).value();
    const double values[] = {1, 2.5, -3};
    for (const char* instance : {"i-1", "i-2", ""}) {
      const DimensionView dimensions[] = {{"InstanceId", instance}, {"Stage", "prod"}};
      const MetricPoint points[] = {{.metric_namespace = "AWS/EC2", .metric_name = "CPUUtilization", .dimensions = dimensions, .time = from_ms(1'767'225'660'000), .values = values}};
      (void)made->put({.account = "1", .region = "r", .points = points});
    }
    return made;
  }();
  const auto select = metrics_insights::parse(input);
  if (!select.ok()) return;
  const auto plan = metrics_insights::plan(*select, *store, "1", "r", [](const SeriesView&) { return std::map<std::string, std::string>{{"env", "x"}}; });
  (void)metrics_insights::execute(*select, plan, *store, from_ms(1'767'225'600'000), from_ms(1'767'225'900'000), std::chrono::seconds(60));
}

}  // namespace fog::fuzz
