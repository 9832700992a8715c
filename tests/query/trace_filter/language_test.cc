// Corners of the filter language beside the case file: errors with their places, limits, root-cause
// patterns, selectors.
#include <gtest/gtest.h>

#include "query/trace_filter/filter.h"

namespace fog::trace_filter {
namespace {

struct ErrorRow {
  const char* text;
  const char* reason;
  std::size_t position;
};
constexpr ErrorRow kErrors[] = {
    {"colour = 1", "unknown keyword 'colour'", 0},
    {"ok AND", "unexpected end of the expression", 6},
    {"responsetime > \"5\"", "value of the wrong type for 'responsetime'", 15},
    {"http.url > \"x\"", "operator does not apply to 'http.url'", 9},
    {"fault CONTAINS true", "operator does not apply to 'fault'", 6},
    {"http.url = \"abc", "unterminated string", 11},
    {"service(\"a\") { service(\"b\") }", "'service' is not allowed inside a block", 15},
    {"service(\"a\") { coverage > 1 }", "'coverage' is not allowed here", 15},
    {"edge(\"a\",\"b\") { annotation.x }", "'annotation.x' is not allowed inside a block", 16},
    {"rootcause.responsetime.exception", "unknown keyword 'rootcause.responsetime.exception'", 0},
    {"rootcause.fault.service { message = \"x\" }", "'message' is not allowed here", 26},
    {"service(id(name: \"a\", name: \"b\"))", "'name' is given twice", 22},
    {"group.name = \"nobody\"", "unknown group 'nobody'", 13},
    {"group.name > \"slow\"", "expected = or !=", 11},
    {"rootcause.json = #[{]", "unterminated JSON", 18},
    {"rootcause.json = #[1]", "expected objects in the JSON array", 17},
    {"ok )", "unexpected ')'", 3},
    {"duration > 1e999", "invalid number", 11},
    {"ok ~ 1", "unexpected character '~'", 3},
    {"annotation[] = 1", "unexpected ']'", 11},
};

TEST(TraceFilterLanguage, errors_say_what_and_where) {
  for (const auto& row : kErrors) {
    const auto filter = Filter::parse(row.text, {});
    ASSERT_FALSE(filter.ok()) << row.text;
    EXPECT_EQ(filter.error().message(), row.reason) << row.text;
    EXPECT_EQ(filter.error().position(), row.position) << row.text;
    EXPECT_EQ(filter.error().kind(), ErrorKind::kInvalid);
  }
}

constexpr const char* kAccepted[] = {
    "", "   ", "duration>=2.5 service(\"x\"){fault}", "!(!(!ok))", "not not ok",
    "service()", "service(id(type:\"client\"))", "edge(id(name:\"a\"),id(account.id:\"1\")){ok}",
    "annotation.a-b.c = -1.5e3", "annotation[\"with space\"]", "rootcause.json = #[ { } ]",
    "rootcause.fault.json = #[{\"Services\":[{\"Name\":\"]\\\"\"}]}]",
    "rootcause.error.entity { index = 0 AND !remote }", "user BEGINSWITH \"a\\\\b\"",
    "OK = TRUE and THROTTLE != False"};

TEST(TraceFilterLanguage, accepts) {
  for (const auto* text : kAccepted) {
    const auto filter = Filter::parse(text, {});
    EXPECT_TRUE(filter.ok()) << text << ": " << (filter.ok() ? "" : filter.error().message());
  }
}

TEST(TraceFilterLanguage, depth_is_bounded) {
  const auto deep = [](std::size_t n) { return std::string(n, '(') + "ok" + std::string(n, ')'); };
  EXPECT_TRUE(Filter::parse(deep(90), {}).ok());
  EXPECT_FALSE(Filter::parse(deep(100000 / 3), {}).ok());
  EXPECT_FALSE(Filter::parse(std::string(5000, '!') + "ok", {}).ok());
}

TEST(TraceFilterLanguage, groups_that_name_each_other_are_refused) {
  const Bindings loop{[](std::string_view, bool) { return std::optional<std::string>("group.name = \"a\""); }, ""};
  const auto filter = Filter::parse("group.name = \"a\"", loop);
  ASSERT_FALSE(filter.ok());
  EXPECT_EQ(filter.error().message(), "groups refer to each other");
}

TEST(TraceFilterLanguage, selectors) {
  const auto edge = parse_selector("edge(id(name: \"a\", type: \"t\"), \"b\")");
  ASSERT_TRUE(edge.ok());
  ASSERT_TRUE(edge->edge.has_value());
  EXPECT_EQ(edge->edge->first.type, "t");
  EXPECT_EQ(edge->edge->second.name, "b");
  EXPECT_TRUE(parse_selector("id(name: \"a\")").ok());
  EXPECT_TRUE(parse_selector("service(\"a\")").ok());
  EXPECT_FALSE(parse_selector("service(\"a\") { ok }").ok());
  EXPECT_FALSE(parse_selector("fault").ok());
}

}  // namespace
}  // namespace fog::trace_filter
