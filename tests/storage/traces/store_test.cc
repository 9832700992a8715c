// The contract of the trace store: merging, reading back, scans, graphs, labels, erasing, retention,
// crash and reopen, damage; and a random walk beside a plain model.
#include "tests/storage/traces/rig.h"

namespace fog {
namespace {

using namespace traces;

// Every test of the contract runs in memory and on disk, with what it stored in the head or sealed.
struct Where {
  bool disk;
  bool sealed;
};
class TraceStoreContract : public ::testing::TestWithParam<Where> {
 protected:
  void SetUp() override { rig.emplace(GetParam().disk ? folder.path() : fs::path()); }
  void settle() {
    if (GetParam().sealed) {
      ASSERT_TRUE(rig->store->seal_all().ok());
    }
  }
  TempFolder folder;
  std::optional<Rig> rig;
};

TEST_P(TraceStoreContract, merges_documents_in_any_order) {
  const auto id = trace_id(1);
  rig->put({fmt::format(R"({{"id":"00000000000000a2","name":"call","start_time":{:.3f},"end_time":{:.3f},"type":"subsegment",)"
                        R"("namespace":"remote","trace_id":"{}","parent_id":"00000000000000a1"}})",
                        t(0.1), t(0.2), id)});
  settle();
  rig->put({fmt::format(R"({{"trace_id":"{}","id":"00000000000000a1","name":"svc","start_time":{:.3f},"in_progress":true}})", id, t(0))});
  settle();
  auto found = rig->store->documents(rig->scope, *parse_trace_id(id));
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->trace->partial);
  EXPECT_FALSE(found->trace->response_ms());
  rig->put({segment(id, 0xa1, t(0), t(0.5))});
  settle();
  rig->put({fmt::format(R"({{"trace_id":"{}","id":"00000000000000a1","name":"svc","start_time":{:.3f},"in_progress":true}})", id, t(0))});
  settle();
  found = rig->store->documents(rig->scope, *parse_trace_id(id));
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->trace->partial) << "an in-progress document never replaces a complete one";
  EXPECT_EQ(found->trace->response_ms(), 500);
  EXPECT_EQ(found->trace->revision, 4u);
  EXPECT_EQ(found->documents.size(), 2u);
  EXPECT_EQ(found->trace->entities.size(), 3u) << "segment, call, inferred segment";
  EXPECT_EQ(rig->scan({}).size(), 1u);
}

TEST_P(TraceStoreContract, a_segment_that_arrives_late_replaces_the_inferred_node) {
  const auto id = trace_id(2);
  rig->put({segment(id, 1, t(0), t(1),
                    fmt::format(R"(,"subsegments":[{{"id":"0000000000000002","name":"back","start_time":{:.3f},"end_time":{:.3f},"namespace":"remote"}}])",
                                t(0.1), t(0.9)))});
  settle();
  rig->put({segment(id, 3, t(0.2), t(0.8), R"(,"parent_id":"0000000000000002","origin":"AWS::ECS::Container")")});
  settle();
  auto graph = rig->store->graph(rig->scope, from_ms((kNow - 60) * 1000), from_ms((kNow + 120) * 1000), 0);
  ASSERT_TRUE(graph.ok());
  std::map<std::string, std::int64_t> counts;
  for (std::size_t i = 0; i < graph->keys().size(); ++i) {
    const auto& key = graph->keys()[i];
    if (graph->node(i).totals.items != 0) counts[key.name + "/" + key.type] = graph->node(i).totals.total();
  }
  EXPECT_EQ(counts, (std::map<std::string, std::int64_t>{{"svc/", 1}, {"svc/AWS::ECS::Container", 1}}));
}

TEST_P(TraceStoreContract, scans_newest_first_and_goes_on_after_a_position) {
  for (std::uint32_t i = 0; i < 50; ++i) rig->put({segment(trace_id(i, kNow + i), 1, t(i), t(i + 0.25))});
  settle();
  for (std::uint32_t i = 50; i < 60; ++i) rig->put({segment(trace_id(i, kNow + i), 1, t(i), t(i + 0.25))});
  std::vector<std::string> expected;
  for (std::uint32_t i = 60; i-- > 0;) expected.push_back(trace_id(i, kNow + i));
  EXPECT_EQ(rig->scan({}), expected);
  TraceScan later;
  later.after = TracePosition{(kNow + 30) * 1000000, 30};
  EXPECT_EQ(rig->scan(later), std::vector<std::string>(expected.end() - 30, expected.end()));
  TraceScan range;
  range.from_ms = (kNow + 10) * 1000;
  range.to_ms = (kNow + 12) * 1000;
  EXPECT_EQ(rig->scan(range), (std::vector<std::string>{trace_id(11, kNow + 11), trace_id(10, kNow + 10)}));
}

TEST_P(TraceStoreContract, the_three_kinds_of_range) {
  // Filed by its id; received now; ended 100 s after its id says.
  rig->put({segment(trace_id(1), 1, t(0), t(100))});
  settle();
  const auto count = [&](TraceScan::Range range, std::int64_t from, std::int64_t to) {
    TraceScan spec;
    spec.range = range;
    spec.from_ms = from * 1000;
    spec.to_ms = to * 1000;
    return rig->scan(spec).size();
  };
  EXPECT_EQ(count(TraceScan::Range::kFilingTime, kNow, kNow + 1), 1u);
  EXPECT_EQ(count(TraceScan::Range::kFilingTime, kNow + 1, kNow + 200), 0u);
  EXPECT_EQ(count(TraceScan::Range::kFilingTime, kNow - 1, kNow), 0u) << "the end is exclusive";
  EXPECT_EQ(count(TraceScan::Range::kSegmentEnd, kNow + 100, kNow + 101), 1u);
  EXPECT_EQ(count(TraceScan::Range::kSegmentEnd, kNow, kNow + 100), 0u);
  EXPECT_EQ(count(TraceScan::Range::kReceived, kNow, kNow + 1), 1u);
  EXPECT_EQ(count(TraceScan::Range::kReceived, kNow + 1, kNow + 50), 0u);
}

TEST_P(TraceStoreContract, a_foreign_id_is_filed_by_its_start) {
  const std::string foreign = "1-4efaaf4d-1e8720b39541901950019ee5";
  rig->put({segment(foreign, 1, t(0), t(1))});
  settle();
  TraceScan spec;
  spec.from_ms = kNow * 1000;
  spec.to_ms = (kNow + 1) * 1000;
  EXPECT_EQ(rig->scan(spec), std::vector<std::string>{foreign});
  EXPECT_TRUE(rig->store->documents(rig->scope, *parse_trace_id("1-4EFAAF4D-1E8720B39541901950019EE5")));
  // And its next document finds it again.
  rig->put({segment(foreign, 2, t(0.1), t(2), R"(,"parent_id":"0000000000000001")")});
  settle();
  EXPECT_EQ(rig->scan(spec).size(), 1u);
}

TEST_P(TraceStoreContract, pushed_down_predicates_narrow_a_scan) {
  rig->put({segment(trace_id(1), 1, t(0), t(1), R"(,"annotations":{"tier":"gold","n":1},"fault":true)"),
            segment(trace_id(2), 1, t(0), t(5), R"(,"annotations":{"tier":"silver"})"),
            segment(trace_id(3), 1, t(0), t(9), R"(,"annotations":{"tier":"gold"})")});
  settle();
  TraceScan gold;
  gold.terms = {{annotation_term("tier", std::string_view("gold"))}};
  TraceScan any = gold;
  any.terms = {{annotation_term("tier", std::string_view("gold")), annotation_term("tier", std::string_view("silver"))},
               {service_name_term("svc")}};
  TraceScan slow;
  slow.response_ms_min = 5000;
  TraceScan fault;
  fault.flags_set = TraceFlags::kFault;
  EXPECT_EQ(rig->scan(any).size(), 3u);
  EXPECT_EQ(rig->scan(slow).size(), 2u);
  EXPECT_EQ(rig->scan(fault), std::vector<std::string>{trace_id(1)});
  if (GetParam().sealed) {
    EXPECT_EQ(rig->scan(gold).size(), 2u);
  }
}

TEST_P(TraceStoreContract, labels_stay_as_they_were_when_stored) {
  std::uint64_t label = 11;
  rig->store->set_labeller([&](const TraceScope&, const Trace&) { return std::vector<std::uint64_t>{label}; });
  rig->put({segment(trace_id(1), 1, t(0), t(1))});
  settle();
  rig->store->settle_labels(rig->scope);
  label = 22;
  rig->put({segment(trace_id(2), 1, t(0), t(1))});
  settle();
  const auto total = [&](std::uint64_t of) {
    auto graph = rig->store->graph(rig->scope, from_ms((kNow - 60) * 1000), from_ms((kNow + 60) * 1000), of);
    EXPECT_TRUE(graph.ok());
    std::int64_t n = 0;
    for (std::size_t i = 0; i < graph->keys().size(); ++i) n += graph->node(i).totals.total();
    return n;
  };
  EXPECT_EQ(total(0), 2);
  EXPECT_EQ(total(11), 1);
  EXPECT_EQ(total(22), 1);
  EXPECT_EQ(total(33), 0);
  rig->store->set_labeller({});
}

TEST_P(TraceStoreContract, graphs_of_parts_of_minutes_are_exact) {
  for (std::uint32_t i = 0; i < 240; ++i)
    rig->put({segment(trace_id(i, kNow), 1, t(i), t(i + 0.5))});
  settle();
  for (const auto& [from, to] : std::vector<std::pair<int, int>>{{0, 240}, {7, 9}, {13, 200}, {20, 141}, {59, 61}, {240, 300}}) {
    auto graph = rig->store->graph(rig->scope, from_ms((kNow + from) * 1000), from_ms((kNow + to) * 1000), 0);
    ASSERT_TRUE(graph.ok());
    std::int64_t n = 0;
    for (std::size_t i = 0; i < graph->keys().size(); ++i) n += graph->node(i).totals.total();
    EXPECT_EQ(n, std::max(0, std::min(240, to) - from)) << from << ".." << to;
  }
}

TEST_P(TraceStoreContract, erasing_a_scope_spares_the_others) {
  const TraceScope other{"111111111111", "eu-west-1"};
  rig->put({segment(trace_id(1), 1, t(0), t(1))});
  const auto document = segment(trace_id(2), 1, t(0), t(1));
  const std::string_view view = document;
  rig->store->append(other, std::span(&view, 1));
  settle();
  ASSERT_TRUE(rig->store->erase("000000000000", "").ok());
  EXPECT_FALSE(rig->store->documents(rig->scope, *parse_trace_id(trace_id(1))));
  EXPECT_TRUE(rig->scan({}).empty());
  EXPECT_TRUE(rig->store->documents(other, *parse_trace_id(trace_id(2))));
  rig->store->tick(rig->clock.now());
  rig->put({segment(trace_id(3), 1, t(0), t(1))});
  EXPECT_EQ(rig->scan({}), std::vector<std::string>{trace_id(3)});
  if (GetParam().disk) {
    rig->reopen();
    EXPECT_EQ(rig->scan({}), std::vector<std::string>{trace_id(3)});
    EXPECT_TRUE(rig->store->documents(other, *parse_trace_id(trace_id(2))));
  }
}

TEST_P(TraceStoreContract, retention_drops_days) {
  rig->put({segment(trace_id(1), 1, t(0), t(1))});
  settle();
  rig->clock.advance(std::chrono::days(31));
  rig->store->tick(rig->clock.now());  // seals the idle trace into its day,
  rig->clock.advance(std::chrono::days(1));
  rig->store->tick(rig->clock.now());  // which is old
  EXPECT_TRUE(rig->scan({}).empty());
  EXPECT_EQ(rig->store->stats().traces_expired_days, 1u);
}

TEST_P(TraceStoreContract, what_was_appended_is_there_after_a_crash_once) {
  if (!GetParam().disk) GTEST_SKIP() << "memory forgets";
  for (std::uint32_t i = 0; i < 30; ++i) {
    const auto receipt = rig->put({segment(trace_id(i), 1, t(i), t(i + 1))});
    ASSERT_TRUE(rig->wal->wait_durable(receipt.lsn).ok());
    if (i == 14) settle();
  }
  rig->reopen();
  EXPECT_EQ(rig->scan({}).size(), 30u);
  for (std::uint32_t i = 0; i < 30; ++i) {
    const auto found = rig->store->documents(rig->scope, *parse_trace_id(trace_id(i)));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->trace->revision, 1u) << i;
  }
  ASSERT_TRUE(rig->store->seal_all().ok());
  rig->reopen();
  EXPECT_EQ(rig->scan({}).size(), 30u);
  auto graph = rig->store->graph(rig->scope, from_ms((kNow - 60) * 1000), from_ms((kNow + 600) * 1000), 0);
  ASSERT_TRUE(graph.ok());
  std::int64_t n = 0;
  for (std::size_t i = 0; i < graph->keys().size(); ++i) n += graph->node(i).totals.total();
  EXPECT_EQ(n, 30);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, TraceStoreContract,
                         ::testing::Values(Where{false, false}, Where{false, true}, Where{true, false}, Where{true, true}),
                         [](const auto& each) {
                           return std::string(each.param.disk ? "disk" : "memory") + (each.param.sealed ? "_sealed" : "_head");
                         });

// The record that was replayed although its trace is sealed must not count twice: the sealing is
// kept, the note of how far the log was applied is taken back.
TEST(TraceStoreRecovery, a_replayed_record_of_a_sealed_trace_changes_nothing) {
  TempFolder folder;
  Rig rig(folder.path());
  const auto receipt = rig.put({segment(trace_id(1), 1, t(0), t(1))});
  ASSERT_TRUE(rig.wal->wait_durable(receipt.lsn).ok());
  ASSERT_TRUE(rig.store->seal_all().ok());
  // As if the stop had come between the sealing and the note: hand the record in again.
  std::string payload(1, 1);
  ByteWriter out(payload);
  out.zigzag(kNow * 1000);
  out.varint(1);
  out.text(segment(trace_id(1), 1, t(0), t(1)));
  rig.store->apply_record({StoreId::kTraces, 1, receipt.lsn, payload});
  const auto found = rig.store->documents(rig.scope, *parse_trace_id(trace_id(1)));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->trace->revision, 1u);
  EXPECT_EQ(rig.scan({}).size(), 1u);
  ASSERT_TRUE(rig.store->seal_all().ok());
  EXPECT_EQ(rig.store->stats().head_traces, 0u);
  auto graph = rig.store->graph(rig.scope, from_ms((kNow - 60) * 1000), from_ms((kNow + 60) * 1000), 0);
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(graph->node(0).totals.total(), 1);
}

TEST(TraceStoreDamage, a_damaged_day_costs_only_its_traces) {
  TempFolder folder;
  Rig rig(folder.path());
  rig.put({segment(trace_id(1, kNow), 1, t(0), t(1)), segment(trace_id(2, kNow - 86400), 1, t(-86400), t(-86399))});
  ASSERT_TRUE(rig.store->seal_all().ok());
  rig.store.reset();
  rig.wal.reset();
  std::vector<fs::path> days;
  for (const auto& entry : fs::directory_iterator(folder.path() / "traces"))
    if (entry.path().filename().string().starts_with("2023")) days.push_back(entry.path());
  std::sort(days.begin(), days.end());
  std::erase_if(days, [](const fs::path& p) { return p.extension() != ".db"; });
  ASSERT_EQ(days.size(), 2u);
  std::ofstream(days[0], std::ios::trunc) << "this is no database, whatever its name says, and long enough to be read";
  rig.open();
  EXPECT_EQ(rig.scan({}), std::vector<std::string>{trace_id(1)});
  EXPECT_EQ(rig.store->stats().damaged_files, 1u);
  rig.put({segment(trace_id(3, kNow - 86400), 1, t(-86400), t(-86399))});
  ASSERT_TRUE(rig.store->seal_all().ok());
  EXPECT_EQ(rig.scan({}).size(), 2u) << "a day that was set aside can be written again";
}

// Random documents, sealings and reopenings beside a model that keeps plain text.
TEST(TraceStoreModel, random_operations_agree_with_a_plain_model) {
  TempFolder folder;
  Rig rig(folder.path());
  std::mt19937 random(7);
  struct Known {
    std::map<int, double> ends;  // by segment: latest end given
    std::uint32_t revision = 0;
  };
  std::map<std::string, Known> model;
  for (int step = 0; step < 600; ++step) {
    const int dice = static_cast<int>(random() % 100);
    if (dice < 90) {
      const auto n = random() % 40;
      const auto id = trace_id(static_cast<std::uint32_t>(n), kNow + static_cast<std::int64_t>(n) * 3600);
      const int which = static_cast<int>(random() % 3);
      const double start = t(static_cast<double>(n) * 3600);
      const double end = start + static_cast<double>(random() % 5000) / 1000;
      const auto receipt = rig.put({segment(id, static_cast<std::uint64_t>(which) + 1, start, end)});
      ASSERT_TRUE(rig.wal->wait_durable(receipt.lsn).ok());
      model[id].ends[which] = end;
      ++model[id].revision;
    } else if (dice < 96) {
      ASSERT_TRUE(rig.store->seal_all().ok());
    } else {
      rig.reopen();
    }
    rig.clock.advance(Millis(10));
    if (step % 20 != 19) continue;
    const auto ids = rig.scan({});
    EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size()) << "no trace twice";
    ASSERT_EQ(ids.size(), model.size());
    for (const auto& [id, known] : model) {
      const auto found = rig.store->documents(rig.scope, *parse_trace_id(id));
      ASSERT_TRUE(found) << id;
      EXPECT_EQ(found->documents.size(), known.ends.size());
      EXPECT_EQ(found->trace->revision, known.revision);
      double latest = 0;
      for (const auto& [which, end] : known.ends) latest = std::max(latest, end);
      EXPECT_NEAR(static_cast<double>(found->trace->end_us) / 1e6, latest, 1e-5);
    }
    auto graph = rig.store->graph(rig.scope, from_ms(kNow * 1000 - 3600000), from_ms((kNow + 50 * 3600) * 1000), 0);
    ASSERT_TRUE(graph.ok());
    std::int64_t segments = 0, expected = 0;
    for (std::size_t i = 0; i < graph->keys().size(); ++i) segments += graph->node(i).totals.total();
    for (const auto& [id, known] : model) expected += static_cast<std::int64_t>(known.ends.size());
    EXPECT_EQ(segments, expected) << "step " << step;
  }
}

}  // namespace
}  // namespace fog
