// Statistics: the shared cases, and agreement with a naive second implementation on random input.
#include "query/statistics/statistic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "storage/metrics/slots.h"

namespace fog {
namespace {

using nlohmann::json;

TEST(Statistic, every_case_of_the_file) {
  std::ifstream file(FOG_SOURCE_DIR "/tests/query/statistics/statistics-cases.json");
  const json cases = json::parse(file).at("cases");
  ASSERT_GE(cases.size(), 41u);
  for (const json& c : cases) {
    metrics::WideSlot slot;
    for (const json& sample : c.at("samples")) {
      if (sample.contains("value")) slot.add_value(sample["value"], 1);
      if (sample.contains("values"))
        for (std::size_t i = 0; i < sample["values"].size(); ++i)
          slot.add_value(sample["values"][i], sample.contains("counts") ? sample["counts"][i].get<double>() : 1);
      if (sample.contains("set")) {
        const json& s = sample["set"];
        slot.add_set(s["n"], s["sum"], s["min"], s["max"]);
      }
    }
    for (const auto& [name, expected] : c.at("expect").items()) {
      const auto statistic = parse_statistic(name);
      if (expected == "error") {
        EXPECT_FALSE(statistic.has_value()) << c["id"] << " " << name;
        continue;
      }
      ASSERT_TRUE(statistic.has_value()) << c["id"] << " " << name;
      const auto got = compute(*statistic, {slot.count, slot.sum, slot.min, slot.max, &slot.distribution});
      if (expected.is_null()) {
        EXPECT_FALSE(got.has_value()) << c["id"] << " " << name;
      } else {
        ASSERT_TRUE(got.has_value()) << c["id"] << " " << name;
        const double want = expected;
        EXPECT_NEAR(*got, want, std::fabs(want) * 1e-9) << c["id"] << " " << name;
      }
    }
  }
}

TEST(Statistic, names_that_are_none) {
  for (const char* name :
       {"", "p", "p-1", "p100.1", "p99.12345678901", "P90", "tm", "TM", "TM()", "TM(:)", "TM(1:2", "TM(5%:5%)",
        "TM(2:1)", "TM(1%:2)", "PR(1%:2%)", "PR(-1:2)", "IQM(1:2)", "average", "sum", "TM(1:2:3)", "TM(1e:2)",
        "p1e1", "o3", "TM(nan:)", "TM(:inf)", "p 5", "TM(1e999:)"})
    EXPECT_FALSE(parse_statistic(name).has_value()) << name;
  for (const char* name : {"p0", "p100", "p99.9999999999", "tm99", "wm1.5", "tc50", "ts50", "TM(:90%)", "TM(10%:)",
                           "PR(:3)", "TC(1.5e3:2E+4)", "IQM", "SampleCount"})
    EXPECT_TRUE(parse_statistic(name).has_value()) << name;
}

// The naive second implementation: expands whole weights into a sorted list of single values.
std::optional<double> naive(const std::string& kind, bool percent, double low, double high,
                            std::vector<double> all) {
  std::sort(all.begin(), all.end());
  const auto n = static_cast<double>(all.size());
  const auto rank = [&](double p) {
    const double r = p / 100 * (n - 1);
    const auto i = static_cast<std::size_t>(std::floor(r));
    const auto k = static_cast<std::size_t>(std::ceil(r));
    return all[i] + (r - std::floor(r)) * (all[k] - all[i]);
  };
  if (kind == "p") return rank(high);
  double weight = 0;
  double sum = 0;
  double winsorized = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (percent) {
      const double share = std::max(0.0, std::min(static_cast<double>(i) + 1, high * n / 100) -
                                             std::max(static_cast<double>(i), low * n / 100));
      weight += share;
      sum += share * all[i];
    } else {
      if (all[i] > low && all[i] <= high) {
        weight += 1;
        sum += all[i];
      }
      winsorized += std::clamp(all[i], low, high);
    }
  }
  if (kind == "TC") return weight;
  if (kind == "TS") return sum;
  if (kind == "PR") return weight / n * 100;
  if (kind == "WM") {
    if (!percent) return winsorized / n;
    return (sum + low / 100 * n * rank(low) + (100 - high) / 100 * n * rank(high)) / n;
  }
  return weight > 1e-12 ? std::optional(sum / weight) : std::nullopt;
}

TEST(Statistic, agrees_with_the_naive_implementation_on_random_input) {
  std::mt19937_64 random(3);
  const std::string kinds[] = {"p", "TM", "WM", "TC", "TS", "PR"};
  for (int round = 0; round < 10'000; ++round) {
    metrics::WideSlot slot;
    std::vector<double> all;
    for (std::size_t n = 1 + random() % 30; n > 0; --n) {
      const double value = static_cast<double>(random() % 2000) / 8;
      const auto weight = random() % 4;
      slot.add_value(value, static_cast<double>(weight));
      all.insert(all.end(), weight, value);
    }
    if (all.empty()) continue;
    const std::string kind = kinds[random() % 6];
    const bool percent = kind == "p" || (kind != "PR" && random() % 2 == 0);
    const double scale = percent ? 100 : 250;
    double low = std::floor(static_cast<double>(random() % 1000) / 1000 * scale * 100) / 100;
    double high = std::floor(static_cast<double>(random() % 1000) / 1000 * scale * 100) / 100;
    if (low > high) std::swap(low, high);
    if (low == high) continue;
    const std::string sign = percent ? "%" : "";
    const auto text = [](double v) { return json(v).dump(); };
    const std::string name = kind == "p" ? "p" + text(high)
                                         : kind + "(" + text(low) + sign + ":" + text(high) + sign + ")";
    const auto statistic = parse_statistic(name);
    ASSERT_TRUE(statistic.has_value()) << name;
    const auto got = compute(*statistic, {slot.count, slot.sum, slot.min, slot.max, &slot.distribution});
    const auto want = naive(kind, percent, low, high, all);
    ASSERT_EQ(got.has_value(), want.has_value()) << name;
    if (want) {
      ASSERT_NEAR(*got, *want, std::max(1e-9, std::fabs(*want) * 1e-9)) << name;
    }
  }
}

}  // namespace
}  // namespace fog
