// Crashes and damage: a copy of the folder at any moment opens to what was durable; flipped bytes and
// cut files cost traces, never the truth of the others.
#include "storage/sqlite/database.h"
#include "tests/storage/traces/rig.h"

namespace fog {
namespace {

using namespace traces;

void copy_folder(const fs::path& from, const fs::path& to) {
  fs::remove_all(to);
  fs::copy(from, to, fs::copy_options::recursive);
}

// What the store says about each of n traces: true if all of it is there; false if nothing is.
std::vector<bool> intact(Rig& rig, const std::vector<std::string>& documents) {
  std::vector<bool> out;
  for (std::uint32_t i = 0; i < documents.size(); ++i) {
    const auto whole = rig.store->documents(rig.scope, *parse_trace_id(trace_id(i)));
    out.push_back(whole.has_value());
    if (!whole) continue;
    EXPECT_EQ(to_string(whole->trace->id), trace_id(i));
    EXPECT_EQ(whole->documents.size(), 1u);
    if (!whole->documents.empty()) {
      EXPECT_EQ(whole->documents[0]->text, documents[i]);
    }
  }
  return out;
}

TEST(TraceStoreRecovery, every_copy_of_the_folder_holds_what_was_durable_then) {
  TempFolder folder, other;
  const auto copy = other.path() / "copy";
  Rig rig(folder.path());
  std::vector<std::string> documents;
  const auto check = [&](const char* step) {
    SCOPED_TRACE(step);
    ASSERT_TRUE(rig.wal->wait_durable(rig.wal->last_lsn()).ok());
    copy_folder(folder.path(), copy);
    Rig after(copy);
    const auto there = intact(after, documents);
    EXPECT_EQ(std::count(there.begin(), there.end(), true), static_cast<std::ptrdiff_t>(documents.size()));
    EXPECT_EQ(after.scan({}).size(), documents.size());
    for (std::uint32_t i = 0; i < documents.size(); ++i) {
      const auto whole = after.store->documents(after.scope, *parse_trace_id(trace_id(i)));
      ASSERT_TRUE(whole.has_value());
      EXPECT_EQ(whole->trace->revision, 1u) << "a record was counted twice";
    }
    // And it goes on.
    after.put({segment(trace_id(9000), 1, t(0), t(1))});
    ASSERT_TRUE(after.store->seal_all().ok());
    EXPECT_EQ(after.scan({}).size(), documents.size() + 1);
  };
  for (int round = 0; round < 8; ++round) {
    for (int i = 0; i < 5; ++i) {
      const auto n = static_cast<std::uint32_t>(documents.size());
      documents.push_back(segment(trace_id(n), 1, t(n), t(n + 1)));
      rig.put({documents.back()});
    }
    check("after append");
    ASSERT_TRUE(rig.store->seal_all().ok());
    check("after sealing");
  }
  // A crash between the commit of a run and the note that its records are applied: they come again.
  const auto note = [&](const char* sql) {
    auto database = Database::open(copy / "traces" / "catalogue.db", {});
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE(database->execute(sql).ok());
  };
  copy_folder(folder.path(), copy);
  note("DELETE FROM state");
  {
    Rig after(copy);
    EXPECT_EQ(after.scan({}).size(), documents.size());
    ASSERT_TRUE(after.store->seal_all().ok());
    EXPECT_EQ(after.scan({}).size(), documents.size());
  }
  EXPECT_GE(rig.store->merge_small_runs(), 8u);
  check("after merging");
}

TEST(TraceStoreDamage, a_broken_block_costs_its_own_traces) {
  TempFolder folder;
  Rig rig(folder.path());
  std::vector<std::string> documents;
  for (std::uint32_t i = 0; i < 60; ++i) {
    documents.push_back(segment(trace_id(i), 1, t(i), t(i + 1)));
    rig.put({documents.back()});
    if (i % 20 == 19) {
      ASSERT_TRUE(rig.store->seal_all().ok());
    }
  }
  const auto day = folder.path() / "traces" / "2023-11-14.db";
  for (const char* table : {"docs", "facts"}) {
    SCOPED_TRACE(table);
    rig.store.reset();
    {
      auto database = Database::open(day, {});
      ASSERT_TRUE(database.ok());
      // Two bytes in the middle of the blob of one run: of documents the second, of facts the third.
      const std::string run = std::string(table) == "docs" ? "2" : "3";
      const std::string sql = "UPDATE " + std::string(table) +
                              " SET data = CAST(substr(data, 1, 40) || x'a55a' || substr(data, 43) AS BLOB) WHERE run=" + run;
      ASSERT_TRUE(database->execute(sql.c_str()).ok());
    }
    rig.reopen();
    const auto there = intact(rig, documents);
    for (std::uint32_t i = 0; i < 20; ++i) {
      EXPECT_TRUE(there[i]) << i;
      EXPECT_FALSE(there[20 + i]) << i;
      if (std::string(table) == "docs") {
        EXPECT_TRUE(there[40 + i]) << i;
      } else {
        EXPECT_FALSE(there[40 + i]) << i;
      }
    }
    // Summaries of what lost its documents remain.
    EXPECT_EQ(rig.scan({}).size(), std::string(table) == "docs" ? 60u : 40u);
  }
  EXPECT_EQ(rig.store->merge_small_runs(), 0u) << "too few, and what is damaged stays where it is";
}

TEST(TraceStoreDamage, flipped_bytes_and_cut_files_never_lie) {
  TempFolder folder, other;
  const auto copy = other.path() / "copy";
  std::vector<std::string> documents;
  {
    Rig rig(folder.path());
    for (std::uint32_t i = 0; i < 50; ++i) {
      documents.push_back(segment(trace_id(i), 1, t(i), t(i + 1), R"(,"annotations":{"n":)" + std::to_string(i % 5) + "}"));
      rig.put({documents.back()});
      if (i % 25 == 24) {
        ASSERT_TRUE(rig.store->seal_all().ok());
      }
    }
  }
  fs::remove_all(folder.path() / "wal");  // what is lost stays lost
  const auto name = fs::path("traces") / "2023-11-14.db";
  const auto size = fs::file_size(folder.path() / name);
  std::size_t most_lost = 0, whole = 0, rounds = 0;
  const auto look = [&] {
    Rig rig(copy);
    const auto there = intact(rig, documents);
    const auto lost = static_cast<std::size_t>(std::count(there.begin(), there.end(), false));
    TraceScan by_term;
    by_term.terms = {{annotation_term("n", 2.0)}};
    for (const auto& spec : {TraceScan{}, by_term}) {
      std::set<std::string> known;
      for (const auto& id : rig.scan(spec)) {
        EXPECT_TRUE(known.insert(id).second) << id << " twice";
        EXPECT_TRUE(std::any_of(documents.begin(), documents.end(), [&](const auto& d) { return d.find(id) != std::string::npos; })) << id;
      }
    }
    (void)rig.store->graph(rig.scope, from_ms((kNow - 60) * 1000), from_ms((kNow + 600) * 1000), 0);
    rig.put({segment(trace_id(9000), 1, t(0), t(1))});
    EXPECT_TRUE(rig.store->documents(rig.scope, *parse_trace_id(trace_id(9000))).has_value());
    most_lost = std::max(most_lost, lost);
    whole += lost == 0 ? 1 : 0;
    ++rounds;
  };
  for (std::uintmax_t at = 7; at < size; at += 997) {
    SCOPED_TRACE(at);
    copy_folder(folder.path(), copy);
    std::fstream file(copy / name, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(file.get() ^ 0x11);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
    file.close();
    look();
  }
  EXPECT_GT(whole, rounds / 3) << "most bytes of the file belong to no trace of these";
  for (std::uintmax_t cut = 0; cut < size; cut += size / 9) {
    SCOPED_TRACE(cut);
    copy_folder(folder.path(), copy);
    fs::resize_file(copy / name, cut);
    look();
  }
}

}  // namespace
}  // namespace fog
