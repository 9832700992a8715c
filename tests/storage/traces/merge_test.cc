// Small runs become one: nothing is lost or doubled, also for traces that grow afterwards.
#include "tests/storage/traces/rig.h"

namespace fog {
namespace {

using namespace traces;

std::size_t run_count(const fs::path& day) {
  auto bucket = Bucket::open(day, false);
  EXPECT_TRUE(bucket.ok());
  return (*bucket)->runs(1)->size();
}

TEST(TraceStoreMerge, many_small_runs_become_one) {
  TempFolder folder;
  Rig rig(folder.path());
  std::set<std::string> expected;
  for (std::uint32_t i = 0; i < 40; ++i) {
    const auto id = trace_id(i);
    expected.insert(id);
    rig.put({segment(id, 1, t(i), t(i + 1), R"(,"annotations":{"n":)" + std::to_string(i % 4) + "}")});
    if (i % 2 == 1) {
      ASSERT_TRUE(rig.store->seal_all().ok());
    }
  }
  // One of a sealed run grows: it has moved to a later run before the merging.
  rig.put({segment(trace_id(3), 2, t(3), t(4), R"(,"parent_id":"0000000000000001")")});
  ASSERT_TRUE(rig.store->seal_all().ok());
  // Another is in the head, read there, and so knows where its older part lies.
  rig.put({segment(trace_id(5), 2, t(5), t(9), R"(,"parent_id":"0000000000000001")")});
  ASSERT_EQ(rig.store->documents(rig.scope, *parse_trace_id(trace_id(5)))->documents.size(), 2u);

  const auto look = [&](const char* when) {
    SCOPED_TRACE(when);
    const auto found = rig.scan({});
    EXPECT_EQ(std::set<std::string>(found.begin(), found.end()), expected);
    EXPECT_EQ(found.size(), expected.size());
    TraceScan by_term;
    by_term.terms = {{annotation_term("n", 2.0)}};
    EXPECT_GE(rig.scan(by_term).size(), 10u) << "traces in the head are not tested for terms";
    for (const auto& id : expected) {
      const auto whole = rig.store->documents(rig.scope, *parse_trace_id(id));
      ASSERT_TRUE(whole.has_value()) << id;
      EXPECT_EQ(whole->documents.size(), id == trace_id(3) || id == trace_id(5) ? 2u : 1u) << id;
    }
    const auto graph = rig.store->graph(rig.scope, from_ms((kNow - 60) * 1000), from_ms((kNow + 600) * 1000), 0);
    ASSERT_TRUE(graph.ok());
    std::int64_t items = 0;
    for (std::size_t i = 0; i < graph->keys().size(); ++i) items += graph->node(i).totals.total();
    EXPECT_EQ(items, 42);
    EXPECT_EQ(rig.store->stats().damaged_blocks, 0u);
  };
  look("before");
  EXPECT_GE(rig.store->merge_small_runs(), 20u);
  look("after");
  EXPECT_EQ(rig.store->merge_small_runs(), 0u);
  ASSERT_TRUE(rig.store->seal_all().ok());
  look("sealed");
  rig.reopen();
  look("reopened");
  rig.store.reset();
  EXPECT_EQ(run_count(folder.path() / "traces" / "2023-11-14.db"), 2u);
}

TEST(TraceStoreMerge, merging_under_readers_and_writers_loses_nothing) {
  TempFolder folder;
  Rig rig(folder.path());
  constexpr std::uint32_t kTraces = 600;
  std::atomic<bool> done{false};
  std::atomic<std::uint32_t> stored{0};
  std::jthread writer([&] {
    for (std::uint32_t i = 0; i < kTraces; ++i) {
      rig.put({segment(trace_id(i), 1, t(i), t(i + 1))});
      ++stored;
      if (i % 10 == 9) {
        EXPECT_TRUE(rig.store->seal_all().ok());
      }
      if (i > 50 && i % 7 == 0) rig.put({segment(trace_id(i - 50), 2, t(i), t(i + 1), R"(,"parent_id":"0000000000000001")")});
    }
    done = true;
  });
  std::jthread merger([&] {
    while (!done) rig.store->merge_small_runs();
  });
  while (!done) {
    const auto least = stored.load();
    const auto found = rig.scan({});
    EXPECT_GE(found.size(), least);
    EXPECT_EQ(std::set<std::string>(found.begin(), found.end()).size(), found.size()) << "a trace twice";
  }
  merger.join();
  rig.store->merge_small_runs();
  EXPECT_EQ(rig.scan({}).size(), kTraces);
  EXPECT_EQ(rig.store->stats().damaged_blocks, 0u);
}

}  // namespace
}  // namespace fog
