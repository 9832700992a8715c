#include "server/raw_metrics.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "api/control/json_page.h"

namespace fog {
namespace {

using page::Json;

// Enough for any test; a store of millions is not meant to be read this way.
constexpr std::size_t kLinesMax = 100'000;
constexpr std::chrono::hours kBack{15 * 24};
constexpr std::chrono::hours kAhead{3};

struct Line {
  std::int64_t t;
  double v;
  std::size_t times;
};

void add_lines(const SlotColumns& columns, std::vector<Line>& lines) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::int64_t t = columns.start_ms[i] / 1000;
    const Distribution* known = i < columns.distribution.size() && columns.distribution[i].available() && columns.distribution[i].is_exact() ? &columns.distribution[i] : nullptr;
    if (known == nullptr) {
      lines.push_back({t, columns.sum[i] / columns.count[i], 1});
      continue;
    }
    for (const Distribution::Weighted& value : known->weighted()) lines.push_back({t, value.value, static_cast<std::size_t>(std::max(1.0, std::round(value.weight)))});
  }
}

}  // namespace

http::Response raw_metrics(const http::Request& request, const MetricStore& store, const Meters& meters, Timestamp now) {
  if (request.method != "GET") return page::wrong_method("GET");
  Json metrics = Json::array();
  for (const auto& [account, region] : meters.scopes()) {
    std::vector<SeriesId> series;
    store.select({.account = account, .region = region}, nullptr, [&](const SeriesView& view) {
      series.push_back(view.id);
      return series.size() < kLinesMax;
    });
    for (const SeriesId id : series) {
      const auto described = store.describe(id);
      if (!described) continue;
      const SeriesInfo& info = *described;
      auto read = store.read(id, {.start = now - kBack, .end = now + kAhead, .with_distribution = true});
      if (!read.ok()) continue;
      std::vector<Line> lines;
      for (const SlotColumns& columns : *read) add_lines(columns, lines);
      Json dimensions = Json::array();
      for (const auto& [name, value] : info.dimensions) dimensions.push_back({{"n", name}, {"v", value}});
      for (const Line& line : lines) {
        for (std::size_t i = 0; i < line.times && metrics.size() < kLinesMax; ++i)
          metrics.push_back({{"ns", info.metric_namespace}, {"n", info.metric_name}, {"v", line.v}, {"t", line.t}, {"d", dimensions}, {"account", account}, {"region", region}});
      }
    }
  }
  return page::json({{"metrics", std::move(metrics)}});
}

}  // namespace fog
