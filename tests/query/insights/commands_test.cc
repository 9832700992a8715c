// Rows for commands and functions that cases.json leaves out: events, a query, the rows it gives.
#include <gtest/gtest.h>

#include "query/insights/query.h"
#include "tests/query/insights/memory_scan.h"

namespace fog::insights::test {
namespace {

constexpr std::int64_t kT0 = 1'705'312'800'000;  // 2024-01-15 10:00:00 UTC

struct Row {
  const char* name;
  std::vector<const char*> messages;  // one a minute from kT0 on
  const char* query;
  const char* rows;  // name=value; ... one row a line
};

std::string show(const Table& table) {
  std::string out;
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    std::string line;
    for (std::size_t c = 0; c < table.columns.size(); ++c)
      if (auto text = table.text(r, c)) line += (line.empty() ? "" : "; ") + table.columns[c] + "=" + *text;
    out += line + "\n";
  }
  return out;
}

std::shared_ptr<const LookupTable> tables(std::string_view name) {
  if (name == "hosts")
    return std::make_shared<LookupTable>(LookupTable{{"id", "owner", "cidr"},
                                                     {{"h1", "ann", "10.0.0.0/8"}, {"h2", "bob", "10.1.0.0/16"}, {"h1", "eve", "0.0.0.0/0"}}});
  return nullptr;
}

Result<Table> run_query(const std::vector<const char*>& messages, const std::string& text, std::size_t block_rows) {
  BindOptions bind;
  bind.lookup_tables = tables;
  TRY(auto query, parse(text, bind));
  std::vector<Event> events;
  std::int64_t time = kT0;
  for (const char* message : messages) {
    std::string body = message;
    std::string group = "/group";
    if (body.starts_with("other:")) {
      body = body.substr(6);
      group = "/other";
    }
    // "@-86400 text" is that many seconds before kT0.
    std::int64_t at = time;
    if (body.starts_with("@")) {
      at = kT0 + std::stoll(body.substr(1)) * 1000;
      body = body.substr(body.find(' ') + 1);
    } else {
      time += 60'000;
    }
    events.push_back({at, body, "default", group});
  }
  MemoryScan scan(std::move(events), block_rows);
  RunOptions options;
  options.start_ms = kT0;
  options.end_ms = kT0 + 3'599'999;
  options.now_ms = kT0 + 3'600'000;
  TRYV([&]() -> Status {
    auto again = parse(query->print(), bind);
    if (!again.ok()) return Error::internal("printed: " + query->print() + ": " + again.error().message());
    if ((*again)->print() != query->print()) return Error::internal("printed: " + query->print() + " then " + (*again)->print());
    query = *again;
    return Ok{};
  }());
  return run(*query, scan, options);
}

TEST(InsightsCommands, rows) {
  static const std::vector<Row> kRows = {
      {"tail", {"a", "b", "c"}, "fields @message | tail 2", "@message=b\n@message=a\n"},
      {"two limits", {"a", "b", "c"}, "fields @message | limit 2 | head 1", "@message=c\n"},
      {"unnest null and scalar", {"{\"k\":1,\"l\":\"x\"}", "{\"k\":2}"}, "unnest l into e | display k, e | sort k", "k=1; e=x\nk=2\n"},
      {"unnest split", {"{\"l\":\"a,b\"}"}, "unnest split(l, \",\") into e | display e", "e=a\ne=b\n"},
      {"join inner", {"{\"id\":1,\"v\":\"a\"}", "{\"id\":2,\"v\":\"b\"}", "other:{\"key\":\"1\",\"w\":\"x\"}", "other:{\"key\":1,\"w\":\"y\"}"},
       "filter ispresent(v) | join left=l right=r where l.id = r.key (SOURCE \"/other\") | display l.v, r.w | sort r.w",
       "l.v=a; r.w=x\nl.v=a; r.w=y\n"},
      {"join left with stats",
       {"{\"id\":1,\"v\":\"a\"}", "{\"id\":2,\"v\":\"b\"}", "{\"v\":\"c\"}", "other:{\"key\":1,\"w\":3}", "other:{\"key\":1,\"w\":4}"},
       "filter ispresent(v) | join type=left left=l right=r where l.id = r.key (SOURCE \"/other\" | stats sum(w) as total by key) "
       "| display l.v, r.total | sort l.v",
       "l.v=a; r.total=7\nl.v=b\nl.v=c\n"},
      {"in subquery", {"{\"id\":1}", "{\"id\":2}", "other:{\"key\":2}"},
       "filter ispresent(id) and id in (SOURCE \"/other\" | fields key) | display id", "id=2\n"},
      {"not in subquery", {"{\"id\":1}", "{\"id\":2}", "other:{\"key\":2}"},
       "filter id not in (SOURCE \"/other\" | fields key) | display id", "id=1\n"},
      {"lookup", {"{\"h\":\"h1\"}", "{\"h\":\"h9\",\"owner\":\"zoe\"}"},
       "lookup hosts id as h OUTPUT owner, cidr as net | display h, owner, net | sort h", "h=h1; owner=ann; net=10.0.0.0/8\nh=h9; owner=zoe\n"},
      {"lookup new", {"{\"h\":\"h1\",\"owner\":\"me\"}", "{\"h\":\"h2\"}"},
       "lookup hosts id as h OUTPUTNEW owner | display h, owner | sort h", "h=h1; owner=me\nh=h2; owner=bob\n"},
      {"cidrlookup", {"{\"ip\":\"10.1.2.3\"}", "{\"ip\":\"10.2.0.1\"}", "{\"ip\":\"8.8.8.8\"}"},
       "cidrlookup hosts ip OUTPUT owner | display ip, owner | sort owner", "ip=10.2.0.1; owner=ann\nip=10.1.2.3; owner=bob\nip=8.8.8.8; owner=eve\n"},
      {"appendcols", {"{\"a\":1}", "{\"a\":2}", "other:{\"b\":7}"},
       "filter ispresent(a) | fields a | sort a | appendcols (SOURCE \"/other\" | fields b, b + 1 as a)", "a=1; b=7\na=2\n"},
      {"appendcols override", {"{\"a\":1}", "{\"a\":2}", "other:{\"b\":7}"},
       "filter ispresent(a) | fields a | sort a | appendcols override=true max=5 (SOURCE \"/other\" | fields b as a)", "a=7\na=2\n"},
      {"fillmissing", {"{\"v\":1}", "@1800 {\"v\":2}"}, "stats sum(v) as s by bin(20m) | fillmissing with 0 for s | sort bin(20m)",
       "bin(20m)=2024-01-15 10:00:00.000; s=1\nbin(20m)=2024-01-15 10:20:00.000; s=2\nbin(20m)=2024-01-15 10:40:00.000; s=0\n"},
      {"addtotals col", {"{\"a\":2,\"b\":3}", "{\"a\":5,\"t\":\"x\"}"}, "fields a, b, t | sort a | addtotals fieldname=sum col=true",
       "a=2; b=3; sum=5\na=5; t=x; sum=5\na=7; b=3; sum=10\n"},
      {"outlier", {"{\"v\":1}", "{\"v\":2}", "{\"v\":3}", "{\"v\":100}"}, "fields v | outlier action=remove param=0.5 v | sort v", "v=1\nv=2\nv=3\n"},
      {"outlier clamp", {"{\"v\":1}", "{\"v\":1}", "{\"v\":1}", "{\"v\":9}"}, "fields v | outlier param=1 mark=true v | sort v desc | limit 1",
       "v=5; v_outlier=1\n"},
      {"sessionize", {"{\"u\":\"a\"}", "{\"u\":\"a\"}", "@2400 {\"u\":\"a\"}", "@2460 {\"u\":\"b\"}"},
       "fields u | sessionize u maxspan 10m | sort @timestamp | display u, session_id",
       "u=a; session_id=a-1\nu=a; session_id=a-1\nu=a; session_id=a-2\nu=b; session_id=b-1\n"},
      {"logcompare", {"{\"h\":\"a\"}", "{\"h\":\"a\"}", "@-86400 {\"h\":\"a\"}", "@-86340 {\"h\":\"b\"}"},
       "stats count(*) as n by h | logcompare timeshift 1d", "h=a; n=2; n_baseline=1\n"},
      {"diff", {"user 1 in", "user 2 in", "fresh text here", "@-3000 user 9 in", "@-2000 old other words"}, "diff | sort @pattern",
       "@pattern=fresh text here; @sampleCount=1; @differenceCount=1; @differenceDescription=New\n"
       "@pattern=old other words; @sampleCount=0; @differenceCount=-1; @differenceDescription=Not present\n"
       "@pattern=user <Number-1> in; @sampleCount=2; @differenceCount=1; @differenceDescription=+100%\n"},
      {"pattern", {"[ERROR] failed after 12 ms", "[ERROR] failed after 7 ms", "[INFO] ok for ann from 10.0.0.1", "[INFO] ok for bob from 10.0.0.2"},
       "pattern @message | sort @pattern",
       "@pattern=[ERROR] failed after <Number-1> ms; @ratio=0.5; @sampleCount=2; @severityLabel=Error\n"
       "@pattern=[INFO] ok for <Token-1> from <IP-2>; @ratio=0.5; @sampleCount=2; @severityLabel=Info\n"},
      {"pattern then diff", {"a 1", "a 2", "@-100 a 3"}, "fields @timestamp, @message | pattern @message | diff",
       "@pattern=a <Number-1>; @sampleCount=2; @differenceCount=1; @differenceDescription=+100%\n"},
      {"relevantfields", {"{\"h\":\"x\",\"e\":1}", "{\"h\":\"x\",\"e\":1}", "{\"h\":\"y\",\"e\":0}"}, "relevantfields h where e = 1",
       "@fieldName=h; @relevanceScore=1; @topRelevanceContributors=x\n"},
      {"topk", {"{\"v\":\"a\"}", "{\"v\":\"b\"}", "{\"v\":\"b\"}", "{}"}, "stats topk(1, v) as top", "top=b; _count=2\n"},
      {"values", {"{\"v\":\"a\"}", "{\"v\":\"b\"}", "{\"v\":\"a\"}"}, "stats values(v) as l", "l=[\"a\",\"b\"]\n"},
      {"histogram", {"{\"v\":0}", "{\"v\":1}", "{\"v\":10}"}, "stats histogram(v, 2) as h", "h={\"0-5\":2,\"5-10\":1}\n"},
      {"rate", {"{\"v\":10}", "{\"v\":40}"}, "stats rate(v, 1m) as r", "r=30\n"},
      {"stats over limit", {"{\"v\":1}", "{\"v\":2}", "{\"v\":4}"}, "limit 2 | stats sum(v) as s", "s=6\n"},
      {"sort then stats", {"{\"v\":\"b\"}", "{\"v\":\"a\"}"}, "sort v | stats values(v) as l", "l=[\"a\",\"b\"]\n"},
      {"sort by aggregate respelled", {"{\"g\":1}", "{\"g\":2}", "{\"g\":2}"}, "stats count(*) by g | sort COUNT( * ) desc", "g=2; count(*)=2\ng=1; count(*)=1\n"},
      {"sort by aggregate text", {"{\"g\":1}", "{\"g\":2}", "{\"g\":2}"}, "stats count(*) by g | sort count(*) desc", "g=2; count(*)=2\ng=1; count(*)=1\n"},
      {"bin offset", {"{\"v\":1}", "@-600 {\"v\":5}"}, "stats sum(v) as s by bin(1h) offset 1h", "bin(1h)=2024-01-15 10:00:00.000; s=5\n"},
      {"estimate", {"abc", "de"}, "fields @message | estimate", "estimatedBytes=5\n"},
      {"expand text", {"{\"l\":\"[1,\\\"b\\\"]\"}", "{\"l\":\"x\"}"}, "expand l | display l | sort l", "l=b\nl=x\nl=1\n"},
      {"parse csv quotes", {"a,\"b \"\"q\"\",c\",d"}, "parse @message csv as x, y | display x, y", "x=a; y=b \"q\",c\n"},
      {"parse multi keeps rows", {"x1 x2", "none"}, "parse @message /x(\\d)/ as n multi | display n | sort n", "\nn=1\nn=2\n"},
      {"filldown all", {"{\"a\":1}", "{\"b\":2}"}, "fields a, b | sort @timestamp | filldown", "a=1\na=1; b=2\n"},
      {"filterIndex", {"{\"a\":1}", "{\"a\":2}"}, "filterIndex a in [2] | display a", "a=2\n"},
      {"unmask", {"{\"a\":1}"}, "unmask a", "a=1\n"},
      {"system fields", {"x"}, "fields @log, @logStream, @aws.account, @aws.region, @ingestionTime",
       "@log=000000000000:/group; @logStream=default; @aws.account=000000000000; @aws.region=us-east-1; @ingestionTime=2024-01-15 10:00:00.000\n"},
      {"strings", {"{\"s\":\"Ünï x\"}"},
       "fields toupper(s) as a, startsWith(s, \"Ü\") as b, urlencode(s) as c, base64decode(base64encode(s)) as d, md5(\"a\") as e, "
       "split(\"a-b\", \"-\") as f, hexToDec(\"0xff\") as g, decToHex(-255) as h, regexReplace(s, \"[a-z]\", \"_\") as i",
       "a=ÜNÏ X; b=1; c=%C3%9Cn%C3%AF+x; d=Ünï x; e=0cc175b9c0f1b6a831c399e269772661; f=[\"a\",\"b\"]; g=255; h=-0xff; i=Ü_ï _\n"},
      {"numbers", {"{}"},
       "fields round(1.005, 2) as a, round(-2.5) as b, round(1234, -2) as c, 1/3*3 as d, -7 % 3 as e, 2^-1 as f, 9223372036854775807 + 1 as g, "
       "haversine(0, 0, 0, 1) as h, toInt(-2.7) as i, 0 * -1 as j, 5 / 2.5 as k, +\"3\" as l, 2 ^ 3 ^ 2 as m, 1e300 * 1e300 as n",
       "a=1.01; b=-3; c=1200; d=1; e=-1; f=0.5; g=9223372036854775808; h=111.1949; i=-2; j=0; k=2; l=3; m=512\n"},
      {"dates", {"{\"t\":\"15/Jan/2024 11:30:05.250\"}"},
       "fields parseDate(t, \"dd/MMM/yyyy HH:mm:ss.SSS\") as a, parseDate(t, \"dd/MMM/yyyy HH:mm:ss.SSS\", \"+01:00\") as b, "
       "formatDate(0, \"%Y-%m-%d %H:%M:%S\") as c, formatDate(0, \"%H\", \"+02:00\") as d, now() as e, queryTimeRange() as f, "
       "parseDate(t, \"yyyy\") as g, datefloor(@timestamp, 1mo) as h, dateceil(@timestamp, 1w) as i",
       "a=1705318205250; b=1705314605250; c=1970-01-01 00:00:00; d=02; e=1705316400; f=3599999; h=2024-01-01 00:00:00.000; "
       "i=2024-01-22 00:00:00.000\n"},
      {"json", {"{\"a\":{\"b\":[1,{\"c.d\":2}]}}"},
       "fields jsonParse(@message) as j, j.a.b[1].`c.d` as v, jsonArraySize(\"[1,2]\") as n, jsonArrayContains(\"[\\\"x\\\"]\", \"x\") as y, "
       "jsonStringify(j.a) as s | display v, n, y, s",
       "v=2; n=2; y=1; s={\"b\":[1,{\"c.d\":2}]}\n"},
      {"ips", {"{}"}, "fields isPrivateIP(\"10.0.0.1\") as a, isPublicIP(\"8.8.8.8\") as b, isReservedIP(\"127.0.0.1\") as c, ipv4ToNumber(\"1.2.3.4\") as d, "
                      "isIpInSubnet(\"10.1.2.3\", \"10.9.9.9/8\") as e",
       "a=1; b=1; c=1; d=16909060; e=1\n"},
      {"alias reuse", {"{\"a\":1}"}, "fields a + 1 as a | fields a + 1 as a | display a", "a=3\n"},
      {"duplicate names", {"{\"a\":1,\"b\":2}"}, "fields a as x, b as x", "x=2\n"},
      {"map renders", {"{\"a\":1}"}, "fields jsonParse(@message) as j", "j={\"a\":1}\n"},
      {"source", {"a", "other:b"}, "SOURCE \"/other\" | fields @message", "@message=b\n"},
      {"source as described", {"a"}, "SOURCE \"/group\" START=1705312800000 END=1705316399999 | fields @message", "@message=a\n"},
      {"comment only", {"a"}, "# nothing\n", "@timestamp=2024-01-15 10:00:00.000; @message=a\n"},
  };
  for (const Row& row : kRows)
    for (std::size_t block_rows : {1u, 100u}) {
      SCOPED_TRACE(std::string(row.name) + ": " + row.query);
      auto table = run_query(row.messages, row.query, block_rows);
      ASSERT_TRUE(table.ok()) << table.error().message();
      EXPECT_EQ(show(*table), row.rows);
    }
}

TEST(InsightsCommands, event_rows_carry_a_pointer_and_others_do_not) {
  auto events = run_query({"a"}, "fields @message", 10);
  ASSERT_TRUE(events.ok());
  EXPECT_EQ(events->rows[0].pointer, "p0-1705312800000-1");
  auto groups = run_query({"a"}, "stats count(*)", 10);
  ASSERT_TRUE(groups.ok());
  EXPECT_EQ(groups->rows[0].pointer, "");
}

TEST(InsightsCommands, anomaly_needs_pattern_and_adds_columns) {
  auto table = run_query({"@3590 late 1"}, "pattern @message | anomaly", 10);
  ASSERT_TRUE(table.ok()) << table.error().message();
  EXPECT_EQ(show(*table), "@pattern=late <Number-1>; @ratio=1; @sampleCount=1; @anomalyType=New pattern; "
                          "@anomalyDescription=First seen in the last tenth of the time range\n");
}

TEST(InsightsCommands, statistics_count_events_and_bytes) {
  auto table = run_query({"aa", "b", "ccc"}, "filter @message like \"c\"", 1);
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(table->statistics.records_scanned, 3);
  EXPECT_EQ(table->statistics.records_matched, 1);
  EXPECT_EQ(table->statistics.bytes_scanned, 6);
  EXPECT_EQ(table->statistics.groups_scanned, 1);
}

}  // namespace
}  // namespace fog::insights::test
