// Metric math: the shared cases, the error texts, bounds, and agreement with a naive second evaluator.
#include "query/metric_math/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "query/metric_math/ast.h"
#include "query/metric_math/search.h"

namespace fog::metric_math {
namespace {

using nlohmann::json;

constexpr std::int64_t kMonday = 1'767'571'200'000;  // 2026-01-05T00:00:00Z

std::int64_t parse_iso(const std::string& text) {
  std::tm tm{};
  EXPECT_NE(::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &tm), nullptr);
  return std::int64_t{::timegm(&tm)} * 1000;
}

Series series_of(const json& values, std::int64_t start, std::int64_t period, const std::string& label) {
  Series s;
  s.label = label;
  s.period_ms = period;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!values[i].is_null()) s.push(start + static_cast<std::int64_t>(i) * period, values[i]);
  return s;
}

// A metric of a search case, as the catalogue would show it.
struct Listed {
  std::string key, ns, name;
  std::vector<std::pair<std::string, std::string>> dims;
  json values;
};

Array run_search(const std::string& text, std::vector<Listed> inventory, std::int64_t start, std::int64_t period) {
  auto search = Search::parse(text);
  EXPECT_TRUE(search.ok()) << text;
  std::sort(inventory.begin(), inventory.end(), [](const Listed& a, const Listed& b) {
    return std::tie(a.ns, a.name, a.dims) < std::tie(b.ns, b.name, b.dims);
  });
  std::map<std::string, std::uint32_t> symbols;
  const auto symbol = [&](const std::string& s) {
    return symbols.try_emplace(s, static_cast<std::uint32_t>(symbols.size())).first->second;
  };
  Array out;
  for (const Listed& m : inventory) {
    std::vector<DimensionView> dims;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> dim_symbols;
    for (const auto& [n, v] : m.dims) {
      dims.push_back({n, v});
      dim_symbols.emplace_back(symbol(n), symbol(v));
    }
    if (search->metric_namespace() && *search->metric_namespace() != m.ns) continue;
    if (search->dimension_names()) {
      std::vector<std::string> names = *search->dimension_names();
      std::sort(names.begin(), names.end());
      std::vector<std::string> mine;
      for (const auto& d : m.dims) mine.push_back(d.first);
      if (names != mine) continue;
    }
    SeriesView view{.id = 1, .metric_namespace = m.ns, .metric_name = m.name, .dimensions = dims,
                    .namespace_symbol = symbol(m.ns), .name_symbol = symbol(m.name), .dimension_symbols = dim_symbols,
                    .newest = {}};
    if (search->matches(view, "000000000000")) out.push_back(series_of(m.values, start, period, m.key));
  }
  return out;
}

TEST(MetricMath, every_case_of_the_file) {
  std::ifstream file(FOG_SOURCE_DIR "/tests/query/metric_math/metric-math-cases.json");
  const json cases = json::parse(file).at("cases");
  ASSERT_GE(cases.size(), 81u);
  for (const json& c : cases) {
    const std::string id = c["id"];
    const std::int64_t period = c.value("period", 60) * 1000;
    const std::int64_t start = c.contains("start") ? parse_iso(c["start"]) : kMonday;
    const std::size_t slots = c["slots"];
    std::vector<Query> queries;
    for (const json& m : c["metrics"]) {
      Query q;
      q.id = m["id"];
      q.given = Value(series_of(m["values"], start, period, q.id));
      q.is_metric = true;
      q.period_ms = period;
      queries.push_back(q);
    }
    for (const json& e : c["expressions"]) {
      Query q;
      q.id = e["id"];
      q.expression = e["expression"];
      q.period_ms = e.value("period", 0) * 1000;
      queries.push_back(q);
    }
    Environment environment;
    environment.start_ms = start;
    environment.end_ms = start + static_cast<std::int64_t>(slots) * period;
    environment.search = [&](const SearchCall& call) -> Result<Array> {
      std::vector<Listed> inventory;
      for (const json& m : c["inventory"]) {
        Listed l{m["key"], m["ns"], m["name"], {}, m["values"]};
        for (const auto& [n, v] : m["dims"].items()) l.dims.emplace_back(n, v);
        inventory.push_back(l);
      }
      return run_search(call.query, inventory, start, period);
    };
    const auto result = evaluate(queries, environment);
    if (c["expect"].contains("error")) {
      EXPECT_FALSE(result.ok()) << id;
      continue;
    }
    ASSERT_TRUE(result.ok()) << id << ": " << result.error().message();
    for (const auto& [name, expected] : c["expect"].items()) {
      std::size_t at = 0;
      while (queries[at].id != name) ++at;
      const Evaluated& got = (*result)[at];
      ASSERT_EQ(got.series.size(), expected.size()) << id << " " << name;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        if (expected[i].contains("metric")) {
          EXPECT_EQ(got.series[i].label, expected[i]["metric"]) << id;
        }
        const Series want = series_of(expected[i]["values"], start, period, "");
        ASSERT_EQ(got.series[i].time_ms, want.time_ms) << id << " " << name;
        for (std::size_t k = 0; k < want.size(); ++k)
          EXPECT_NEAR(got.series[i].value[k], want.value[k], std::fabs(want.value[k]) * 1e-9) << id << " " << name;
      }
    }
  }
}

std::string error_of(const std::string& expression, const std::string& other = "") {
  std::vector<Query> queries(2);
  queries[0].id = "m1";
  queries[0].given = Value(series_of(json{1, 2}, kMonday, 60'000, "m1"));
  queries[0].is_metric = true;
  queries[0].period_ms = 60'000;
  queries[1].id = "e1";
  queries[1].expression = expression;
  if (!other.empty()) {
    queries.emplace_back();
    queries[2].id = "e2";
    queries[2].expression = other;
  }
  Environment environment;
  environment.start_ms = kMonday;
  environment.end_ms = kMonday + 120'000;
  const auto result = evaluate(queries, environment);
  return result.ok() ? "" : result.error().message();
}

TEST(MetricMath, error_texts) {
  const std::string e = "Error in expression 'e1': ";
  EXPECT_EQ(error_of("m1 +"), e + "Invalid syntax");
  EXPECT_EQ(error_of("m1 m1"), e + "Invalid syntax");
  EXPECT_EQ(error_of("'text'"), e + "Invalid syntax");
  EXPECT_EQ(error_of("REPEAT"), e + "Invalid syntax");
  EXPECT_EQ(error_of("[]"), e + "Invalid syntax");
  EXPECT_EQ(error_of("XYZ(m1)"), e + "Function 'XYZ' not found");
  EXPECT_EQ(error_of("mx"), e + "Unknown identifier 'mx'");
  EXPECT_EQ(error_of("ABS()"), e + "Wrong number of arguments for function 'ABS'");
  EXPECT_EQ(error_of("METRIC_COUNT(m1)*m1"), e + "Invalid argument type for function 'METRIC_COUNT'");
  EXPECT_EQ(error_of("IF([m1],1,2)"), e + "Invalid argument type for function 'IF'");
  EXPECT_EQ(error_of("5"), e + "The expression must return a time series");
  EXPECT_EQ(error_of("e1+1"), e + "Circular reference");
  EXPECT_EQ(error_of("e2", "e1"), e + "Circular reference");
  EXPECT_EQ(error_of("e2", "XYZ()"), "Error in expression 'e2': Function 'XYZ' not found");
  EXPECT_EQ(error_of("PERIOD(e2)*m1", "m1"), e + "Invalid argument type for function 'PERIOD'");
  EXPECT_FALSE(error_of("[m1]*[m1]").empty());
  EXPECT_FALSE(error_of("TIME_SERIES(1/0)").empty());
  EXPECT_EQ(error_of("SORT([m1],AVG,UP)"), e + "Invalid argument type for function 'SORT'");
}

TEST(MetricMath, bounds_hold_whatever_the_nesting) {
  EXPECT_FALSE(error_of(std::string(10'000, '(') + "m1" + std::string(10'000, ')')).empty());
  EXPECT_FALSE(error_of(std::string(10'000, '-') + "m1").empty());
  EXPECT_FALSE(error_of(std::string(10'000, '[')).empty());
  std::string powers = "m1";
  for (int i = 0; i < 5000; ++i) powers += "^1";
  EXPECT_FALSE(error_of(powers).empty());
  std::string sum = "m1";
  for (int i = 0; i < 5000; ++i) sum += "+1";
  EXPECT_FALSE(error_of(sum).empty());
}

// A request that would take the memory of the whole server is refused in words.
TEST(MetricMath, a_request_may_compute_so_many_points) {
  Series wide;
  for (std::int64_t i = 0; i < 400'000; ++i) wide.push(kMonday + i * 1000, 1);
  wide.period_ms = 1000;
  const auto run = [&](int terms) {
    std::vector<Query> queries(2);
    queries[0].id = "m";
    queries[0].given = Value(wide);
    queries[1].id = "e";
    queries[1].expression = "m";
    for (int i = 1; i < terms; ++i) queries[1].expression += "+m";
    Environment environment;
    environment.start_ms = kMonday;
    environment.end_ms = kMonday + 400'000'000;
    return evaluate(queries, environment);
  };
  EXPECT_TRUE(run(5).ok());
  const auto refused = run(60);
  ASSERT_FALSE(refused.ok() && (*refused)[1].messages.empty());
  const std::string text = refused.ok() ? (*refused)[1].messages[0].value : refused.error().message();
  EXPECT_NE(text.find("more than 32000000 data points"), std::string::npos) << text;
}

TEST(Search, cuts_strings_into_pieces) {
  using P = std::vector<std::string>;
  EXPECT_EQ(search_pieces("SDBFailure"), (P{"SDB", "Failure"}));
  EXPECT_EQ(search_pieces("Project2-trial333"), (P{"Project", "2", "trial", "333"}));
  EXPECT_EQ(search_pieces("CustomCount1"), (P{"Custom", "Count", "1"}));
  EXPECT_EQ(search_pieces("__a__"), (P{"a"}));
  EXPECT_EQ(search_pieces(""), P{});
}

TEST(Search, words_match_as_published) {
  for (const char* word : {"Custom", "custom", "COUNT", "Count1", "CustomCount", "1", "CustomCount1"})
    EXPECT_TRUE(search_word_matches(word, "CustomCount1")) << word;
  for (const char* word : {"customcount", "count1", "couNT", "Custo", "2"})
    EXPECT_FALSE(search_word_matches(word, "CustomCount1")) << word;
  EXPECT_TRUE(search_word_matches("network/errors", "Network-Errors-2"));
  EXPECT_TRUE(search_word_matches("network/errors", "NetworkErrors2"));
  EXPECT_TRUE(search_word_matches("sdbfailure", "SDBFailure"));
  EXPECT_TRUE(search_word_matches("SDB", "SDBFailure"));
}

TEST(Search, expressions_that_are_none) {
  for (const char* text : {"", "  ", "{", "{}", "{a", "{a,}", "(", "a AND", "a OR", "NOT", "\"a", "a=", "=a", "a)", "{a} ("})
    EXPECT_FALSE(Search::parse(text).ok()) << text;
  EXPECT_FALSE(Search::parse(std::string(1025, 'a')).ok());
  EXPECT_FALSE(Search::parse(std::string(1000, '(')).ok());
  for (const char* text : {"{AWS/EC2}", "{AWS/EC2, \"Group Name\"},", "a", "a b", "a AND (b OR NOT c)", "MetricName=\"x y\"",
                           ":aws.AccountId=1", "{\"A B\",C} x"})
    EXPECT_TRUE(Search::parse(text).ok()) << text;
}

// --- a naive second evaluator ------------------------------------------------------------------------
// Slots in vectors of optional, an expression as a closure; no shared code with the real one.

using Slots = std::vector<std::optional<double>>;
struct Naive {
  std::string text;
  std::function<std::variant<double, Slots>()> value;
};

TEST(MetricMath, agrees_with_the_naive_evaluator_on_random_input) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 10'000; ++round) {
    const std::size_t n = 1 + random() % 8;
    std::vector<Slots> metrics(3, Slots(n));
    std::vector<Query> queries;
    for (std::size_t m = 0; m < metrics.size(); ++m) {
      json values = json::array();
      for (auto& slot : metrics[m]) {
        if (random() % 3 != 0) slot = static_cast<double>(random() % 9) - 2;
        values.push_back(slot ? json(*slot) : json());
      }
      Query q;
      q.id = "m" + std::to_string(m);
      q.given = Value(series_of(values, kMonday, 60'000, q.id));
      q.is_metric = true;
      q.period_ms = 60'000;
      queries.push_back(q);
    }
    using Result2 = std::variant<double, Slots>;
    const auto point = [n](const Result2& v, std::size_t i) -> std::optional<double> {
      if (const auto* d = std::get_if<double>(&v)) return *d;
      (void)n;
      return std::get<Slots>(v)[i];
    };
    std::function<Naive(int)> make = [&](int depth) -> Naive {
      const auto pick = random() % (depth <= 0 ? 2 : 9);
      if (pick == 0) {
        const std::size_t m = random() % 3;
        return {"m" + std::to_string(m), [&metrics, m] { return Result2(metrics[m]); }};
      }
      if (pick == 1) {
        const auto k = static_cast<double>(random() % 5) + 1;
        return {std::to_string(static_cast<int>(k)), [k] { return Result2(k); }};
      }
      if (pick <= 5) {
        const Naive a = make(depth - 1);
        const Naive b = make(depth - 1);
        static const char* const kSigns[] = {"+", "-", "*", "<", ">=", "==", " AND ", " OR "};
        const std::string sign = kSigns[random() % 8];
        const auto f = [sign](double x, double y) -> double {
          if (sign == "+") return x + y;
          if (sign == "-") return x - y;
          if (sign == "*") return x * y;
          if (sign == "<") return x < y;
          if (sign == ">=") return x >= y;
          if (sign == "==") return x == y;
          if (sign == " AND ") return x != 0 && y != 0;
          return x != 0 || y != 0;
        };
        return {"(" + a.text + sign + b.text + ")", [a, b, f, n, point]() -> Result2 {
                  const Result2 x = a.value();
                  const Result2 y = b.value();
                  const bool sx = x.index() == 0;
                  const bool sy = y.index() == 0;
                  if (sx && sy) return f(std::get<double>(x), std::get<double>(y));
                  Slots out(n);
                  for (std::size_t i = 0; i < n; ++i) {
                    const auto p = point(x, i);
                    const auto q = point(y, i);
                    if ((!p && !q) || (sx && !q) || (sy && !p)) continue;
                    out[i] = f(p.value_or(0), q.value_or(0));
                  }
                  return out;
                }};
      }
      if (pick == 6) {  // FILL with a number
        const std::size_t m = random() % 3;
        return {"FILL(m" + std::to_string(m) + ",7)", [&metrics, m]() -> Result2 {
                  Slots out = metrics[m];
                  for (auto& slot : out) slot = slot.value_or(7);
                  return out;
                }};
      }
      if (pick == 7) {
        const std::size_t m = random() % 3;
        return {"SUM(m" + std::to_string(m) + ")", [&metrics, m]() -> Result2 {
                  double sum = 0;
                  for (const auto& slot : metrics[m]) sum += slot.value_or(0);
                  return sum;
                }};
      }
      const std::size_t m = random() % 3;
      return {"RUNNING_SUM(m" + std::to_string(m) + ")", [&metrics, m]() -> Result2 {
                Slots out = metrics[m];
                double sum = 0;
                for (auto& slot : out)
                  if (slot) slot = sum += *slot;
                return out;
              }};
    };
    const Naive naive = make(3);
    Query e;
    e.id = "e1";
    e.expression = naive.text;
    queries.push_back(e);
    Environment environment;
    environment.start_ms = kMonday;
    environment.end_ms = kMonday + static_cast<std::int64_t>(n) * 60'000;
    const auto got = evaluate(queries, environment);
    const Result2 want = naive.value();
    if (want.index() == 0) {
      EXPECT_FALSE(got.ok()) << naive.text;
      continue;
    }
    ASSERT_TRUE(got.ok()) << naive.text << got.error().message();
    const Series& s = (*got)[3].series[0];
    std::size_t at = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const auto& slot = std::get<Slots>(want)[i];
      if (!slot) continue;
      ASSERT_LT(at, s.size()) << naive.text;
      ASSERT_EQ(s.time_ms[at], kMonday + static_cast<std::int64_t>(i) * 60'000) << naive.text;
      ASSERT_EQ(s.value[at++], *slot) << naive.text;
    }
    ASSERT_EQ(at, s.size()) << naive.text;
  }
}

}  // namespace
}  // namespace fog::metric_math
