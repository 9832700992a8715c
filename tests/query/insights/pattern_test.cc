// What storage looks for in place of a pattern: every match must contain one of the texts.
#include <gtest/gtest.h>
#include <re2/re2.h>

#include "query/insights/pattern.h"

namespace fog::insights::test {
namespace {

struct Row {
  const char* pattern;
  std::vector<std::string> texts;
};

TEST(InsightsPattern, required_alternatives) {
  const Row rows[] = {
      {"timeout", {"timeout"}},
      {"Retry [23] of 3|reset by peer|[0-9]{3} dies", {"Retry ", "reset by peer", " dies"}},
      {"a\\|bcd|x[|]yzw|(p|q)rst", {"a|bcd", "yzw", "rst"}},
      {"abc|d", {}},            // a single letter is everywhere
      {"abc|", {}},             // matches all
      {"abc|.*", {}},
      {"(?i)abc|def", {}},      // letters of either case
      {"abc|(?i)def|ghi", {}},
      {"abc|\\x41bc", {}},
      {"abc|[[:alpha:]]def", {}},
      {"(abc|def)", {}},
      {"abcd?|efg", {"abc", "efg"}},
  };
  for (const Row& row : rows) {
    const auto pattern = compile_pattern(row.pattern);
    ASSERT_TRUE(pattern.ok()) << row.pattern;
    EXPECT_EQ(required_alternatives(**pattern), row.texts) << row.pattern;
  }
}

}  // namespace
}  // namespace fog::insights::test
