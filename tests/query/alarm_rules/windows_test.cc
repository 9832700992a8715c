#include "query/alarm_rules/windows.h"

#include <gtest/gtest.h>

#include "query/alarm_rules/mute_schedule.h"

namespace fog::alarm_rules {
namespace {

using namespace std::chrono;

Timestamp at(int y, unsigned m, unsigned d, int hour = 0, int minute = 0, int second = 0) {
  return sys_days(year{y} / month{m} / day{d}) + hours(hour) + minutes(minute) + seconds(second);
}

TEST(Windows, slide_with_every_evaluation) {
  const auto first = sliding_buckets(at(2024, 1, 1, 12, 15, 2), 300, 3);
  ASSERT_EQ(first.size(), 3u);
  EXPECT_EQ(first[0].start, at(2024, 1, 1, 12, 0));
  EXPECT_EQ(first[2].start, at(2024, 1, 1, 12, 10));
  EXPECT_EQ(first[2].end, at(2024, 1, 1, 12, 15));
  const auto next = sliding_buckets(at(2024, 1, 1, 12, 16, 2), 300, 3);
  EXPECT_EQ(next[0].start, at(2024, 1, 1, 12, 1));
  EXPECT_EQ(next[2].start, at(2024, 1, 1, 12, 11));
  EXPECT_EQ(sliding_buckets(at(2024, 1, 1, 12, 0, 37), 10, 1)[0].end, at(2024, 1, 1, 12, 0, 30));
}

TEST(Windows, have_their_cadence) {
  EXPECT_EQ(cadence(10, 3), seconds(10));
  EXPECT_EQ(cadence(60, 1440), seconds(60));
  EXPECT_EQ(cadence(3600, 24), seconds(60));
  EXPECT_EQ(cadence(3600, 25), seconds(3600));
}

TEST(Windows, follow_the_wall_clock) {
  const auto hour = wall_clock_buckets(at(2024, 1, 1, 12, 59, 30), 3600, 2, TimeZone::utc());
  EXPECT_EQ(hour[1].start, at(2024, 1, 1, 11));
  EXPECT_EQ(hour[1].end, at(2024, 1, 1, 12));
  const auto half = TimeZone::find("+05:30");
  ASSERT_TRUE(half.ok());
  EXPECT_EQ(wall_clock_buckets(at(2024, 1, 1, 12, 45), 3600, 1, *half)[0].end, at(2024, 1, 1, 12, 30));
  EXPECT_EQ(wall_clock_buckets(at(2024, 1, 1, 12), 86'400, 1, *half)[0].start, at(2023, 12, 30, 18, 30));
  // 2024-01-03 is a Wednesday.
  const auto week = wall_clock_buckets(at(2024, 1, 3, 12), 604'800, 1, TimeZone::utc());
  EXPECT_EQ(week[0].start, at(2023, 12, 25));
  EXPECT_EQ(week[0].end, at(2024, 1, 1));
}

TEST(TimeZone, knows_summer_time) {
  const auto berlin = TimeZone::find("Europe/Berlin");
  if (!berlin.ok()) GTEST_SKIP() << "no zone files on this machine";
  EXPECT_EQ(berlin->offset_at(at(2024, 1, 1)), hours(1));
  EXPECT_EQ(berlin->offset_at(at(2024, 7, 1)), hours(2));
  EXPECT_EQ(berlin->offset_at(at(2060, 7, 1)), hours(2));
  EXPECT_EQ(berlin->offset_at(at(2024, 3, 31, 0, 59, 59)), hours(1));
  EXPECT_EQ(berlin->offset_at(at(2024, 3, 31, 1)), hours(2));
  const auto days = wall_clock_buckets(at(2024, 4, 1, 12), 86'400, 1, *berlin);
  EXPECT_EQ(days[0].end - days[0].start, hours(23));
  EXPECT_EQ(berlin->from_local(at(2024, 7, 1, 12)), at(2024, 7, 1, 10));
}

TEST(TimeZone, refuses_nonsense) {
  for (const char* name : {"", "Mars/Base", "../etc/passwd", "/etc/passwd", "Europe", "+5", "+05:31", "UTC+25:00", "+05:30x"})
    EXPECT_FALSE(TimeZone::find(name).ok()) << name;
  EXPECT_TRUE(TimeZone::find("UTC-03:00").ok());
}

TEST(MuteSchedule, recurs) {
  // Weekdays 22:00 for eight hours.
  const auto rule = MuteSchedule::parse("cron(0 22 * * MON-FRI)", "PT8H", "");
  ASSERT_TRUE(rule.ok()) << rule.error().message();
  EXPECT_TRUE(rule->recurring());
  const auto window = rule->active_at(at(2024, 1, 2, 3));  // Tuesday, inside Monday's window
  ASSERT_TRUE(window.has_value());
  EXPECT_EQ(window->start, at(2024, 1, 1, 22));
  EXPECT_EQ(window->end, at(2024, 1, 2, 6));
  EXPECT_FALSE(rule->active_at(at(2024, 1, 2, 6)));
  EXPECT_EQ(rule->next_start(at(2024, 1, 5, 22)), at(2024, 1, 8, 22)) << "Friday to Monday";
}

TEST(MuteSchedule, happens_once) {
  const auto rule = MuteSchedule::parse("at(2024-01-02T10:00)", "P1D", "+02:00");
  ASSERT_TRUE(rule.ok());
  EXPECT_FALSE(rule->recurring());
  EXPECT_EQ(rule->next_start(at(2024, 1, 1)), at(2024, 1, 2, 8));
  EXPECT_TRUE(rule->active_at(at(2024, 1, 3, 7, 59)));
  EXPECT_FALSE(rule->active_at(at(2024, 1, 3, 8)));
  EXPECT_FALSE(rule->next_start(at(2024, 1, 2, 8)));
}

TEST(MuteSchedule, days_match_either_way_when_both_are_given) {
  const auto rule = MuteSchedule::parse("cron(0 0 13 * 5)", "PT1H", "UTC");
  ASSERT_TRUE(rule.ok());
  EXPECT_EQ(rule->next_start(at(2024, 2, 10)), at(2024, 2, 13));
  EXPECT_EQ(rule->next_start(at(2024, 2, 13)), at(2024, 2, 16));
}

TEST(MuteSchedule, refuses) {
  for (const char* expression : {"cron(0 0 * *)", "cron(60 0 * * *)", "cron(*/5 * * * *)", "cron(a * * * *)",
                                 "rate(5 minutes)", "at(2024-13-01T00:00)", "cron(5-1 * * * *)", ""})
    EXPECT_FALSE(MuteSchedule::parse(expression, "PT1H", "").ok()) << expression;
  EXPECT_FALSE(MuteSchedule::parse("cron(0 0 * * *)", "PT30S", "").ok());
  EXPECT_FALSE(MuteSchedule::parse("cron(0 0 * * *)", "P16D", "").ok());
  EXPECT_FALSE(MuteSchedule::parse("cron(0 0 * * *)", "PT1H", "Nowhere").ok());
  const auto never = MuteSchedule::parse("cron(0 0 31 2 *)", "PT1H", "");
  ASSERT_TRUE(never.ok());
  EXPECT_FALSE(never->next_start(at(2024, 1, 1)));
}

}  // namespace
}  // namespace fog::alarm_rules
