// Printing an expression and reading it again gives the same expression: of every case, and of trees made at random.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "query/trace_filter/filter.h"
#include "query/trace_filter/print.h"

namespace fog::trace_filter {
namespace {

void expect_round_trip(const std::string& text, const Bindings& bindings) {
  SCOPED_TRACE(text);
  const auto read = internal::parse_expression(text, bindings, 0);
  ASSERT_TRUE(read.ok()) << read.error().message();
  const auto printed = print(read->get());
  const auto again = internal::parse_expression(printed, bindings, 0);
  ASSERT_TRUE(again.ok()) << printed << ": " << again.error().message();
  EXPECT_EQ(print(again->get()), printed);
}

TEST(TraceFilterPrint, forms) {
  for (const auto& [text, printed] : std::map<std::string, std::string>{
           {"OK and NOT fault ERROR", "ok AND !fault AND error"},
           {"(ok or fault) error", "(ok OR fault) AND error"},
           {"ok or fault error", "ok OR (fault AND error)"},
           {"service(){ok}", "service() { ok }"},
           {"service(id(type:\"a\\\"b\"))", "service(id(type: \"a\\\"b\"))"},
           {"edge(id(name:\"x\"),\"y\")", "edge(\"x\", \"y\")"},
           {"annotation.k >= 1.50", "annotation[\"k\"] >= 1.5"},
           {"rootcause.json=#[ {\"Services\":[ ]} ]", "rootcause.json = #[{\"Services\":[]}]"},
           {"http.status=200", "http.status = 200"},
           {"", ""}}) {
    const auto read = internal::parse_expression(text, {}, 0);
    ASSERT_TRUE(read.ok()) << text;
    EXPECT_EQ(print(read->get()), printed);
  }
}

TEST(TraceFilterPrint, every_case_reads_back_as_printed) {
  std::ifstream file(FOG_SOURCE_DIR "/tests/query/trace_filter/xray-filter-cases.json");
  const auto spec = nlohmann::json::parse(file);
  std::map<std::string, std::string> groups;
  for (const auto& group : spec["groups"]) groups[group["GroupName"].get<std::string>()] = group["FilterExpression"].get<std::string>();
  const Bindings bindings{[&](std::string_view name, bool is_arn) -> std::optional<std::string> {
                            const auto found = groups.find(std::string(name));
                            if (is_arn || found == groups.end()) return std::nullopt;
                            return found->second;
                          },
                          "123456789012"};
  for (const auto& each : spec["cases"])
    if (!each.value("error", false)) expect_round_trip(each["expression"].get<std::string>(), bindings);
}

// A random expression of the grammar; `place` 0: a trace, 1: a service block, 2: an edge block.
std::string make(std::mt19937_64& random, int depth, int place) {
  const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const auto text = [&] {
    constexpr const char* kTexts[] = {"\"\"", "\"a\"", "\"a b\"", "\"\\\"\"", "\"\\\\\"", "\"\xc3\xa4{}()\"", "\"AND\""};
    return std::string(kTexts[pick(std::size(kTexts))]);
  };
  const auto number = [&] {
    constexpr const char* kNumbers[] = {"0", "-1", "1.5", "1e9", "2.50", "0.001", "123456789.125", "-3e-7"};
    return std::string(kNumbers[pick(std::size(kNumbers))]);
  };
  const auto node = [&] {
    switch (pick(3)) {
      case 0: return text();
      case 1: return "id(name: " + text() + ", type: " + text() + ")";
      default: return "id(account.id: " + text() + ")";
    }
  };
  const auto block = [&](int where) { return pick(2) == 0 ? std::string() : "{" + make(random, depth + 1, where) + "}"; };
  constexpr const char* kNumberOps[] = {"=", "!=", "<", "<=", ">", ">="};
  constexpr const char* kTextOps[] = {" = ", " != ", " CONTAINS ", " beginswith ", " EndsWith "};
  switch (depth > 5 ? pick(4) : pick(place == 0 ? 11 : 7)) {
    case 0: {
      constexpr const char* kWords[] = {"ok", "ERROR", "Fault", "throttle", "partial", "fault = true", "ok != FALSE"};
      return kWords[pick(std::size(kWords))];
    }
    case 1: return std::string(pick(2) == 0 ? "responsetime" : "http.status") + kNumberOps[pick(6)] + number();
    case 2: return std::string(pick(2) == 0 ? "http.url" : "name") + kTextOps[pick(5)] + text();
    case 3: return pick(2) == 0 ? "duration" : "http.method";
    case 4: return "!" + std::string(pick(2) == 0 ? "" : " ") + "(" + make(random, depth + 1, place) + ")";
    case 5: return make(random, depth + 1, place) + (pick(2) == 0 ? " OR " : " or ") + make(random, depth + 1, place);
    case 6: return "(" + make(random, depth + 1, place) + ")" + (pick(2) == 0 ? " AND " : " ") + make(random, depth + 1, place);
    case 7: return "service(" + (pick(3) == 0 ? std::string() : node()) + ")" + block(1);
    case 8: return "edge(" + node() + "," + node() + ")" + block(2);
    case 9: return std::string(pick(2) == 0 ? "annotation.key_1" : "annotation[\"a \\\"b\"]") + (pick(2) == 0 ? "" : kNumberOps[pick(6)] + number());
    default: {
      constexpr const char* kCauses[] = {"rootcause.fault.service {name = \"a\" last}", "rootcause.error.exception{message CONTAINS \"x\" OR first}",
                                         "rootcause.responsetime.entity { coverage > 0.5 !remote index = 1 }", "rootcause.fault.entity",
                                         "rootcause.json = #[{\"ClientImpacting\":true,\"Services\":[{\"Names\":[\"a\"],\"EntityPath\":[{\"Exceptions\":[{\"Name\":\"]\"}]}]}]}]"};
      return kCauses[pick(std::size(kCauses))];
    }
  }
}

TEST(TraceFilterPrint, random_expressions_read_back_as_printed) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 3000 && !::testing::Test::HasFailure(); ++i) expect_round_trip(make(random, 0, 0), {});
}

}  // namespace
}  // namespace fog::trace_filter
