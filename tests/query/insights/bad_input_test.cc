// Malformed and hostile queries: a clear error with its place, within the budget, and no crash.
#include <gtest/gtest.h>

#include <thread>

#include "query/insights/lex.h"
#include "query/insights/query.h"
#include "tests/query/insights/memory_scan.h"

namespace fog::insights::test {
namespace {

struct Bad {
  std::string query;
  std::size_t start = 0, end = 0;  // code points of the offence; 0, 0: not checked
};

TEST(InsightsBadInput, malformed_queries_are_refused_with_their_place) {
  std::string deep(5000, '(');
  std::string sum = "1", chain = "a";
  for (int k = 0; k < 4000; ++k) sum += "+1";
  for (int k = 0; k < 1700; ++k) chain += " or a";
  const std::vector<Bad> rows = {
      {"|"}, {"fields a |"}, {"| fields a"}, {"fields a | | fields b"}, {"fields"}, {"fields a,"}, {"fields a as"}, {"frobnicate", 0, 10},
      {"fields \xC3\xA9 | frobnicate 3", 11, 21}, {"filter"}, {"filter a ="}, {"filter a == 1"}, {"filter (a = 1"}, {"filter a = 1)"},
      {"filter a not b"}, {"filter a in 1"}, {"filter a in [1"}, {"filter \"a"}, {"filter 'a"}, {"fields `a"}, {"fields a$"},
      {"filter a like /x"}, {"filter a like /(/"}, {"filter a like /a(?=b)/"}, {"filter a like /(a)\\1/"}, {"filter a like /a++/"},
      {"filter a =~ /(?>x)/"}, {"filter a like /x{1,2000}/"}, {"filter a like /((((x{100}){100}){100}){100})/"}, {"fields nosuch(1)"},
      {"fields strlen()"}, {"fields strlen(1, 2)"}, {"fields abs(*)"}, {"fields bin(5)"}, {"fields bin(0m)"}, {"fields bin(5parsec)"},
      {"fields 5m"}, {"fields 1e999"}, {"stats"}, {"stats count(*) by"}, {"stats a"}, {"stats sum(a) + b"}, {"stats sum(avg(a))"},
      {"stats pct(a)"}, {"stats pct(a, 101)"}, {"stats pct(a, b)"}, {"stats sum(*)"}, {"stats count(a, b)"}, {"stats topk(0, a)"},
      {"stats topk(1, a), count(*)"}, {"stats histogram(a, 0)"}, {"stats rate(a, 5)"}, {"filter sum(a) > 1"}, {"fields count(*)"},
      {"sort"}, {"limit"}, {"limit 0"}, {"limit 100001"}, {"limit 1.5"}, {"limit -1"}, {"limit a"}, {"head 0"}, {"tail 0"}, {"parse"},
      {"parse @message"}, {"parse @message \"*\""}, {"parse @message \"*\" as a, b"}, {"parse \"a\" as b"}, {"parse @message /x/"},
      {"parse @message /(x)/"}, {"parse @message /(x)/ as a, b"}, {"parse @message logfmt"}, {"parse @message csv as"}, {"dedup"},
      {"dedup a | fields b"}, {"dedup a | sort b"}, {"stats count(*) by a | limit 5 | stats count(*)"},
      {"stats count(*) by a | sort a | stats count(*)"}, {"stats count(*) as n by a | fields b"}, {"stats count(*) by a | filter b = 1"},
      {"stats count(*) by a | stats count(*) by bin(5m)"}, {"estimate | fields a"}, {"anomaly"}, {"fillmissing"},
      {"stats count(*) by a | fillmissing"}, {"logcompare timeshift 1d"}, {"lookup nowhere a as b OUTPUT c"}, {"unnest a"}, {"unnest a into"},
      {"join left=a right=a where a.x = a.y (SOURCE '/g')"}, {"join left=a right=b where x = b.y (SOURCE '/g')"},
      {"join left=a right=b where a.x = b.y (SOURCE '/g') | join left=a right=b where a.x = b.y (SOURCE '/g')"},
      {"join left=a right=b where a.x = b.y (fields c)"}, {"filter a in (SOURCE '/g' | filter b in (SOURCE '/h' | fields c) | fields d)"},
      {"filter a in (fields b)"}, {"filter a in (SOURCE '/g' | fields b"}, {"appendcols"}, {"outlier"}, {"outlier action=explode a"},
      {"autoregress a p=0"}, {"autoregress a p=5-2"}, {"sessionize"}, {"addtotals fieldname="}, {"relevantfields a"}, {"SOURCE"}, {"SOURCE | fields a"},
      {"SOURCE logGroups(class: ['COLD']) | fields a"}, {"SOURCE logGroups(nope: ['x']) | fields a"},
      {"SOURCE logGroups(namePrefix: ['1','2','3','4','5','6']) | fields a"}, {"SOURCE '/g' START=x END=now | fields a"}, {"fields {{x}}"},
      {"fields a as b c"}, {"fields a | SOURCE '/g'"}, {"pattern"}, {"fields a.[0]"}, {"fields a[x]"}, {"fields a[0"}, {"fields a[0]."},
      {"filter " + deep}, {"fields " + std::string(5000, '-') + "1"}, {"filter " + std::string(4000, '!') + "a"},
      {"fields a" + std::string(10'000, ' ')}, {"fields " + sum}, {"filter " + chain}, {"filter a = \"\\"}, {"\xFF\xFE"}, {"fields a \x01"},
      {std::string("fields a\0b", 10)}};
  for (const Bad& bad : rows) {
    SCOPED_TRACE(bad.query.substr(0, 100));
    auto query = parse(bad.query, {});
    ASSERT_FALSE(query.ok());
    EXPECT_EQ(query.error().kind(), ErrorKind::kInvalid);
    EXPECT_FALSE(query.error().message().empty());
    auto* detail = dynamic_cast<const QueryErrorDetail*>(query.error().detail());
    ASSERT_NE(detail, nullptr);
    EXPECT_LE(detail->start, detail->end);
    if (bad.end > 0) {
      EXPECT_EQ(detail->start, bad.start);
      EXPECT_EQ(detail->end, bad.end);
    }
  }
  EXPECT_EQ(parse("fields a |\n frobnicate 3", {}).error().message(), "unexpected symbol found frobnicate at line 2 and position 1");
}

TEST(InsightsBadInput, long_chains_of_operators_run) {
  std::string text = "fields 1";
  for (int k = 0; k < 1400; ++k) text += "+1";
  text += " as a | filter a = 1401";
  for (int k = 0; k < 700; ++k) text += " or a";
  auto query = parse(text, {});
  ASSERT_TRUE(query.ok()) << query.error().message();
  MemoryScan scan({{5, "x"}});
  RunOptions options;
  options.end_ms = 10;
  auto table = run(**query, scan, options);
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(table->text(0, 0), "1401");
}

TEST(InsightsBadInput, stats_commands_and_classes_have_limits) {
  std::string query = "stats count(*) as n";
  for (int k = 0; k < 9; ++k) query += " | stats sum(n) as n";
  EXPECT_TRUE(parse(query, {}).ok());
  EXPECT_FALSE(parse(query + " | stats sum(n) as n", {}).ok());
  BindOptions rare;
  rare.infrequent_access = true;
  EXPECT_TRUE(parse("stats count(*) as n | stats sum(n)", rare).ok());
  EXPECT_FALSE(parse("stats count(*) as n | stats sum(n) as n | stats sum(n)", rare).ok());
  EXPECT_FALSE(parse("pattern @message", rare).ok());
}

std::vector<Event> many(std::size_t n) {
  std::vector<Event> events;
  for (std::size_t k = 0; k < n; ++k)
    events.push_back({static_cast<std::int64_t>(k), "{\"id\": \"" + std::to_string(k * 7919) + "x\", \"v\": " + std::to_string(k) + "}"});
  return events;
}

RunOptions all_time() {
  RunOptions options;
  options.start_ms = 0;
  options.end_ms = 1'000'000'000;
  return options;
}

TEST(InsightsBadInput, too_many_groups_fail_within_the_budget) {
  MemoryScan scan(many(20'000), 1000);
  RunOptions options = all_time();
  options.memory_bytes_max = 2 << 20;
  for (const char* text : {"stats count(*), max(v), values(v) by id", "stats count_distinct(id), values(id)", "fields @message | accum v",
                           "sort id | dedup id", "fields concat(@message, @message, @message, @message) as big | sort big | accum v"}) {
    auto query = parse(text, {});
    ASSERT_TRUE(query.ok());
    auto table = run(**query, scan, options);
    ASSERT_FALSE(table.ok()) << text;
    EXPECT_EQ(table.error().kind(), ErrorKind::kLimit) << text;
    EXPECT_EQ(table.error().message(), "the query needs more than its memory budget of 2 MiB");
  }
}

TEST(InsightsBadInput, a_cancelled_query_stops_and_a_late_one_times_out) {
  MemoryScan scan(many(1000), 100);
  auto query = parse("filter @message like /[0-9]+x/ | stats count(*)", {});
  std::atomic<bool> cancelled{true};
  RunOptions options = all_time();
  options.cancelled = &cancelled;
  auto stopped = run(**query, scan, options);
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().kind(), ErrorKind::kConflict);
  options.cancelled = nullptr;
  options.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  auto late = run(**query, scan, options);
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().message(), "the query timed out");
}

// StopQuery frees the cores within 50 ms: also in the middle of a block, whatever a row costs.
TEST(InsightsBadInput, a_block_under_way_is_given_up_when_the_query_is_cancelled) {
  MemoryScan scan(many(30'000), 30'000);
  for (const char* text : {"fields strlen(regexReplace(concat(@message, @message, @message), '[a-z0-9]', 'xyz')) as n | stats sum(n)",
                           "parse @message /(?<a>.*)(?<b>[a-z].*)(?<c>[0-9].*)/ | stats count(*) by a, b, c", "pattern @message",
                           "filter @message like /(.*[a-z]){3}[^a]zz/ | stats count(*)"}) {
    auto query = parse(text, {});
    ASSERT_TRUE(query.ok()) << text;
    std::atomic<bool> cancelled{false};
    RunOptions options = all_time();
    options.cancelled = &cancelled;
    std::chrono::steady_clock::time_point asked;
    std::thread stopper([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      asked = std::chrono::steady_clock::now();
      cancelled = true;
    });
    auto table = run(**query, scan, options);
    const auto ended = std::chrono::steady_clock::now();
    stopper.join();
    if (table.ok()) continue;  // quicker than the stopper
    EXPECT_EQ(table.error().kind(), ErrorKind::kConflict) << text;
    EXPECT_LT(std::chrono::duration<double>(ended - asked).count(), 0.5) << text;  // 50 ms with optimisation, on an idle machine
  }
}

TEST(InsightsBadInput, newest_rows_are_found_without_opening_old_blocks) {
  MemoryScan scan(many(5000), 100);
  auto query = parse("fields v | limit 3", {});
  auto table = run(**query, scan, all_time());
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(table->text(0, 0), "4999");
  EXPECT_EQ(table->statistics.records_scanned, 5000);  // all were candidates; most were not opened
}

// First rows of a long query: those of the newest few events come before any block is through.
TEST(InsightsBadInput, a_sort_over_many_events_shows_rows_at_once) {
  MemoryScan scan(many(70'000), 35'000);
  auto query = parse("fields v | filter v >= 0 | sort id desc | limit 50", {});
  ASSERT_TRUE(query.ok());
  RunOptions options = all_time();
  options.partial_after = std::chrono::hours(1);
  std::vector<std::size_t> shown;
  options.partial = [&](const Table& table) { shown.push_back(table.rows.size()); };
  auto table = run(**query, scan, options);
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(shown, std::vector<std::size_t>{50});
  EXPECT_EQ(table->statistics.records_scanned, 70'000);
  options.partial = {};
  auto again = run(**query, scan, options);
  ASSERT_TRUE(again.ok());
  ASSERT_EQ(again->rows.size(), table->rows.size());
  for (std::size_t row = 0; row < table->rows.size(); ++row) EXPECT_EQ(again->text(row, 0), table->text(row, 0));
}

TEST(InsightsBadInput, groups_are_shown_as_they_grow) {
  MemoryScan scan(many(1'000), 100);
  auto query = parse("stats count(*) as n, max(v) as m by v % 7 as k | sort k asc | limit 3", {});
  ASSERT_TRUE(query.ok());
  RunOptions options = all_time();
  options.partial_after = std::chrono::milliseconds(0);
  std::vector<std::int64_t> counts;
  options.partial = [&](const Table& table) {
    ASSERT_EQ(table.rows.size(), 3u);
    EXPECT_EQ(table.text(0, 0), "0");
    counts.push_back(std::stoll(table.text(0, 1).value_or("-1")));
  };
  auto table = run(**query, scan, options);
  ASSERT_TRUE(table.ok());
  ASSERT_GT(counts.size(), 3u);
  EXPECT_TRUE(std::is_sorted(counts.begin(), counts.end()));
  EXPECT_LT(counts.back(), 143);
  EXPECT_EQ(table->text(0, 1), "143");
}

TEST(InsightsBadInput, partial_rows_are_shown_while_the_query_runs) {
  MemoryScan scan(many(5000), 100);
  auto query = parse("filter v >= 0 | fields v | sort v asc | limit 5", {});
  RunOptions options = all_time();
  std::size_t calls = 0;
  options.partial_after = std::chrono::milliseconds(0);
  options.partial = [&calls](const Table& table) {
    ++calls;
    EXPECT_EQ(table.columns, std::vector<std::string>{"v"});
    EXPECT_LE(table.rows.size(), 5u);
    EXPECT_GE(table.rows.size(), 1u);
  };
  auto table = run(**query, scan, options);
  ASSERT_TRUE(table.ok());
  EXPECT_GT(calls, 0u);
  EXPECT_EQ(table->text(0, 0), "0");
  EXPECT_EQ(table->text(4, 0), "4");
}

TEST(InsightsBadInput, any_text_is_parsed_or_refused) {
  // A small fuzzer: pieces of queries in any order. What parses also runs and prints.
  static const char* kPieces[] = {"fields ", "filter ", "stats ", "sort ", "limit 3", "parse @message ", "dedup ", "pattern @message", "| ", "| ", "| ",
                                  "a", "@timestamp", "@message", "b.c", "`x y`", "j", "count(*)", "sum(a)", "bin(5m)", "by ", "as x", ", ", "= ", "like ",
                                  "/x(.)/ ", "\"*a*\" ", "as p, q", "1", "\"t\"", "in [1, \"a\"] ", "not ", "and ", "or ", "(", ")", "+ ", "- ", "desc ",
                                  "jsonParse(@message) as j", "unnest j into e", "display ", "strlen(a)", "fillmissing ", "filldown ", "accum a", "addtotals ",
                                  "[0]", ".k", "# c\n", "diff", "expand a", "logfmt as m", "csv as c1, c2", "multi ", "5m", "\xC3\xA9", "'"};
  std::uint64_t state = 11;
  auto next = [&state](std::size_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::size_t>(state >> 33) % n;
  };
  MemoryScan scan({{10, "{\"a\": 1, \"b\": {\"c\": \"x1\"}}"}, {20, "plain x2 text a=1"}, {30, "[1,2]"}}, 2);
  RunOptions options = all_time();
  std::size_t ran = 0;
  for (int round = 0; round < 8'000; ++round) {
    std::string text = kPieces[next(8)];
    for (std::size_t k = next(14); k > 0; --k) text += kPieces[next(std::size(kPieces))];
    auto query = parse(text, {});
    if (!query.ok()) continue;
    std::string printed = (*query)->print();
    auto again = parse(printed, {});
    ASSERT_TRUE(again.ok()) << text << "\n" << printed << "\n" << again.error().message();
    ASSERT_EQ((*again)->print(), printed) << text;
    auto table = run(**query, scan, options);
    auto other = run(**again, scan, options);
    ASSERT_EQ(table.ok(), other.ok()) << text;
    if (table.ok()) {
      ASSERT_EQ(table->rows.size(), other->rows.size()) << text << "\n" << printed;
      ASSERT_EQ(table->columns, other->columns) << text << "\n" << printed;
    }
    ++ran;
  }
  EXPECT_GT(ran, 60u);
}

}  // namespace
}  // namespace fog::insights::test
