// Every case of cases.json, and rows of our own for what they leave out. Cases about rules the service
// does not document (substring instead of whole word, missing fields, the rest of a line in the last
// column) follow the choice of the specification.
#include "query/filter_pattern/filter_pattern.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace fog::filter_pattern {
namespace {

using nlohmann::json;

TEST(FilterPatternCases, every_case_matches_as_it_says) {
  std::ifstream file(FOG_SOURCE_DIR "/tests/query/filter_pattern/cases.json");
  json cases = json::parse(file);
  ASSERT_GE(cases.size(), 95u);
  for (const json& one : cases) {
    SCOPED_TRACE(one.dump());
    auto pattern = parse(one["pattern"].get<std::string>());
    if (one.value("error", false)) {
      ASSERT_FALSE(pattern.ok());
      EXPECT_EQ(pattern.error().message(), "Invalid metric filter pattern");
      EXPECT_EQ(pattern.error().kind(), ErrorKind::kInvalid);
      continue;
    }
    ASSERT_TRUE(pattern.ok());
    auto message = one["message"].get<std::string>();
    EXPECT_EQ((*pattern)->matches(message), one["match"].get<bool>());
    if (one.contains("extracted")) {
      EXPECT_EQ((*pattern)->extract(message), (one["extracted"].get<std::map<std::string, std::string>>()));
    }
    // What storage may skip by never excludes a match.
    if (one["match"].get<bool>())
      for (const auto& clause : (*pattern)->where()) {
        bool any = false;
        for (const LogPredicate& p : clause) any = any || message.find(p.text) != std::string::npos;
        EXPECT_TRUE(any);
      }
  }
}

struct Row {
  const char* pattern;
  const char* message;
  bool match;
};

TEST(FilterPattern, rows) {
  static const Row kRows[] = {
      {"   ", "anything", true},
      {"\"\"", "", true},
      {"\"a \\\"b\\\" c\"", "x a \"b\" c", true},
      {"-ERROR -WARN", "INFO", true},
      {"-ERROR -WARN", "WARN", false},
      {"?a -b", "c", true},  // ? terms are ignored beside others
      {"?%x[0-9]% ?b", "x7", true},
      {"{ $.a = 1 }", "{\"a\": 1.0}", true},
      {"{ $.a = 1 }", "{\"a\": \"1\"}", true},
      {"{ $.a = 1 }", "{\"a\": \"1.0\"}", false},
      {"{ $.a = 1 }", "{\"a\": 1} x", false},       // not one JSON object
      {"{ $.a = 1 }", "{\"a\": 1, \"b\": }", false},  // broken behind the value
      {"{ $.b NOT EXISTS }", "{\"a\": 1", false},
      {"{ $.a NOT EXISTS }", "{\"a\": null}", false},
      {"{ $.a = null }", "{\"a\": null}", false},
      {"{ $.a != x }", "{\"a\": null}", true},
      {"{ $.a != x }", "{\"a\": {}}", false},
      {"{ $.a[*] != x }", "{\"a\": [\"y\", \"z\"]}", true},
      {"{ $.a[*] != x }", "{\"a\": [\"y\", \"x\"]}", false},
      {"{ $.a[*] != x }", "{\"a\": []}", false},
      {"{ $.a.*.b = 1 }", "{\"a\": {\"p\": {\"b\": 2}, \"q\": {\"b\": 1}}}", true},
      {"{ $.a = true }", "{\"a\": true}", true},
      {"{ $.a is true }", "{\"a\": true}", true},
      {"{ $.a = \"\\\"q\\\"\" }", "{\"a\": \"\\\"q\\\"\"}", true},
      {"{ $.a >= -1.5e1 }", "{\"a\": -15}", true},
      {"{ ($.a = 1 || $.a = 2) && $.b = 3 }", "{\"a\": 2, \"b\": 3}", true},
      {"{ $.a-b = 1 }", "{\"a-b\": 1}", true},
      {"{ $.['a b'] = 1 }", "{\"a b\": 1}", true},
      {"{ $['a'][0] = 1 }", "{\"a\": [1]}", true},
      {"[a, b]", "one two three", true},
      {"[a, b, ...]", "one two", true},
      {"[..., last = x]", "a b x", true},
      {"[..., last = x]", "a b y", false},
      {"[, , c = 3]", "1 2 3", true},
      {"[(a = 1 || a = 2) && a != 3]", "2", true},
      {"[a != 4*]", "500", true},
      {"[a = 4]", "4.0", true},
      {"[a > 3]", "abc", false},
      {"[a = \"x y\", b]", "\"x y\" z", true},
      {"[a, b]", "\"unclosed z", true},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(std::string(row.pattern) + " on " + row.message);
    auto pattern = parse(row.pattern);
    ASSERT_TRUE(pattern.ok());
    EXPECT_EQ((*pattern)->matches(row.message), row.match);
  }
}

TEST(FilterPattern, bad_patterns_are_refused) {
  std::string deep = "{ ";
  for (int k = 0; k < 300; ++k) deep += '(';
  for (const std::string& text : std::vector<std::string>{
           "a.b", "\"open", "%open", "%%", "%a\\%", "%\xC3\xA9%", "%(%", "- a", "a\"b\"", "{", "{}", "{ a = 1 }", "{ $ = 1 }",
           "{ $.a }", "{ $.a = }", "{ $.a > x }", "{ $.a > \"1\" }", "{ $.a = 1 } x", "{ $.a = 1 &&}", "{ $.a IS }",
           "{ $.a NOT }", "{ $.* = 1 && $.*.* = 2 }", "{ $.* = 1 && $.a[*] = 1 && $.b[*] = 1 && $.c[*] = 1 }",
           "{ $.a = %x% && $.b = %y% && $.c = %z% }", "[a", "[..., ...]", "[a b]", "[a = 1 && b = 2]", "[a >]", "[a > x]",
           "[a] x", "[a=%x%, b=%y%, c=%z%]", "%[a%", "%a{1001}%", deep, std::string(1025, 'a')}) {
    SCOPED_TRACE(text.substr(0, 80));
    auto pattern = parse(text);
    ASSERT_FALSE(pattern.ok());
    EXPECT_EQ(pattern.error().message(), "Invalid metric filter pattern");
  }
}

TEST(FilterPattern, any_bytes_are_parsed_or_refused) {
  // A small fuzzer: pieces of patterns in any order.
  static const char* kPieces[] = {"{", "}", "[", "]", "$", ".a", "[0]", "[*]", "['x']", "=", "!=", ">", "1", "\"x\"", "%a%", "IS",
                                  " ", "NULL", "NOT", "EXISTS", "&&", "||", "(", ")", ",", "...", "?", "-", "word", "*", "\xFF"};
  std::uint64_t state = 7;
  auto next = [&state](std::size_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::size_t>(state >> 33) % n;
  };
  std::size_t parsed = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = next(2) ? "{ $" : next(2) ? "[" : "";
    for (std::size_t k = next(12); k > 0; --k) text += kPieces[next(std::size(kPieces))];
    auto pattern = parse(text);
    if (!pattern.ok()) continue;
    ++parsed;
    for (const char* message : {"", "{", "{}", "{\"a\":[1,{\"x\":null}]}", "a b c", "[x] \"y", "{\"a\":\"\\ud800\"}"}) {
      (void)(*pattern)->matches(message);
      (void)(*pattern)->extract(message);
    }
  }
  EXPECT_GT(parsed, 100u);
}

TEST(FilterPattern, values_of_metric_filters) {
  auto latency = parse("{ $.latency = * }");
  EXPECT_EQ((*latency)->value("{\"latency\": 1.50}", "$.latency"), "1.50");
  EXPECT_EQ((*latency)->value("{\"latency\": [1]}", "$.latency"), std::nullopt);
  auto delimited = parse("[ip, ..., bytes]");
  EXPECT_EQ((*delimited)->value("1.1.1.1 x y 77", "$bytes"), "77");
  EXPECT_EQ((*delimited)->value("1.1.1.1 x y 77", "$2"), "x");
  EXPECT_FALSE(select_json("{}", "latency").ok());
}

}  // namespace
}  // namespace fog::filter_pattern
