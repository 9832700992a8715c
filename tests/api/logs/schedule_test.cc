// When schedules of queries come due, and which expressions are none.
#include "api/logs/schedule.h"

#include <gtest/gtest.h>

#include "api/logs/lookup_tables.h"
#include "api/logs/masking.h"
#include "query/transformers/date_format.h"

namespace fog::logs {
namespace {

Timestamp at(std::string_view text) { return from_ms(transformers::read_iso_time(text).value()); }

struct Row {
  const char* expression;
  const char* zone;
  const char* after;
  const char* next;  // null: never
};

constexpr Row kRows[] = {
    {"rate(5 minutes)", "UTC", "2024-01-01T00:00:00Z", "2024-01-01T00:05:00.000Z"},
    {"rate(1 hour)", "UTC", "2024-01-01T10:00:00Z", "2024-01-01T11:00:00.000Z"},
    {"rate(1 day)", "UTC", "2024-01-01T10:00:01Z", "2024-01-02T00:00:00.000Z"},
    {"cron(*/15 * * * ? *)", "UTC", "2024-01-01T00:15:00Z", "2024-01-01T00:30:00.000Z"},
    {"cron(0 12 * * ? *)", "UTC", "2024-01-01T12:00:00Z", "2024-01-02T12:00:00.000Z"},
    {"cron(0 9 ? * MON-FRI *)", "America/New_York", "2024-07-05T14:00:00Z", "2024-07-08T13:00:00.000Z"},
    {"cron(0 9 ? * 2 *)", "UTC", "2024-07-05T00:00:00Z", "2024-07-08T09:00:00.000Z"},
    {"cron(0 9 * * 1)", "UTC", "2024-07-05T00:00:00Z", "2024-07-08T09:00:00.000Z"},
    {"cron(30 1 1 JAN,JUL ? *)", "UTC", "2024-01-01T01:30:00Z", "2024-07-01T01:30:00.000Z"},
    {"cron(0 0 29 2 ? *)", "UTC", "2024-03-01T00:00:00Z", "2028-02-29T00:00:00.000Z"},
    {"cron(0 0 1 1 ? 2023)", "UTC", "2024-01-01T00:00:00Z", nullptr},
    {"cron(0 0 1 1 ? 2026-2027)", "UTC", "2024-01-02T00:00:00Z", "2026-01-01T00:00:00.000Z"},
    {"cron(30 2 31 3 ? *)", "Europe/Berlin", "2024-01-01T00:00:00Z", "2024-03-31T01:30:00.000Z"},  // a local time that is skipped
};

TEST(Schedule, NextInstant) {
  for (const Row& row : kRows) {
    const auto schedule = Schedule::parse(row.expression, row.zone);
    ASSERT_TRUE(schedule.ok()) << row.expression;
    const auto next = schedule->next(at(row.after), at("2024-01-01T00:00:00Z"));
    if (row.next == nullptr) {
      EXPECT_FALSE(next.has_value()) << row.expression;
    } else {
      ASSERT_TRUE(next.has_value()) << row.expression;
      EXPECT_EQ(transformers::iso_time(to_ms(*next)), row.next) << row.expression;
    }
  }
}

TEST(Schedule, RefusesOtherExpressions) {
  for (const char* bad : {"", "rate(5)", "rate(0 minutes)", "rate(5 weeks)", "cron(* * * *)", "cron(60 * * * ? *)", "cron(* 24 * * ? *)",
                          "cron(* * 0 * ? *)", "cron(* * * 13 ? *)", "cron(* * ? * 8 *)", "cron(* * ? * 0 *)", "cron(5-1 * * * ? *)",
                          "cron(*/0 * * * ? *)", "cron(1, * * * ? *)", "cron(* * * * ? 1969)", "cron(* * * * ? * *)", "at(2024-01-01)"})
    EXPECT_FALSE(Schedule::parse(bad, "UTC").ok()) << bad;
  EXPECT_FALSE(Schedule::parse("rate(1 hour)", "Nowhere/City").ok());
}

TEST(LookupTable, ReadsCsv) {
  const auto table = read_csv("\xEF\xBB\xBF" "a,b\r\n\"x, \"\"y\"\"\",\n\n1,\"two\nlines\"");
  ASSERT_TRUE(table.ok()) << table.error().message();
  EXPECT_EQ(table->columns, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(table->rows, (std::vector<std::vector<std::string>>{{"x, \"y\"", ""}, {"1", "two\nlines"}}));
}

TEST(AccountPolicies, SelectGroupsByPrefix) {
  EXPECT_EQ(selected_prefix(std::nullopt).value(), "");
  EXPECT_EQ(selected_prefix(R"(LogGroupNamePrefix = "/app")").value(), "/app");
  EXPECT_EQ(selected_prefix(R"( LogGroupNamePrefix=="/app" )").value(), "/app");
  for (const char* bad : {"LogGroupNamePrefix", "LogGroupNamePrefix = /app", R"(LogGroupName = "x")", R"(LogGroupNamePrefix = "")",
                          R"(LogGroupNamePrefix = "a" AND x)"})
    EXPECT_FALSE(selected_prefix(bad).ok()) << bad;
}

}  // namespace
}  // namespace fog::logs
