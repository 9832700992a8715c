// Damaged databases: every byte flipped and every cut of a resource store opens with what can be read and, for
// the hole, what the last good copy knew; nothing is made up.
#include <fstream>

#include "gtest/gtest.h"
#include "storage/resource_store.h"
#include "storage/sqlite/good_copy.h"
#include "tests/storage/temp_folder.h"

namespace fog {
namespace {

namespace fs = std::filesystem;

constexpr int kDocuments = 300;

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

void write_file(const fs::path& file, const std::string& bytes) { std::ofstream(file, std::ios::binary) << bytes; }

std::string document(int n) { return "document " + std::to_string(n) + std::string(200, 'x'); }

void fill(const fs::path& file) {
  auto store = ResourceStore::open(file).value();
  std::vector<ResourceStore::Change> batch;
  for (int n = 0; n < kDocuments; ++n) batch.push_back({{"kind", "1", "r", std::to_string(1000 + n)}, document(n)});
  ASSERT_TRUE(store->apply(std::move(batch)).ok());
}

int documents_of(ResourceStore& store) {
  int found = 0;
  store.for_each("kind", [&](const Resource& one) { found += one.document == document(std::stoi(one.key.name) - 1000) ? 1 : 0; });
  return found;
}

TEST(GoodCopy, is_there_after_an_orderly_end) {
  testing::TempFolder folder;
  const fs::path file = folder.path() / "resources.db";
  fill(file);
  EXPECT_TRUE(fs::exists(folder.path() / "resources.db.good"));
  const auto first = fs::last_write_time(folder.path() / "resources.db.good");
  (void)ResourceStore::open(file).value();
  EXPECT_EQ(fs::last_write_time(folder.path() / "resources.db.good"), first) << "nothing changed, no new copy";
}

TEST(GoodCopy, fills_the_hole_of_a_damaged_page_and_no_more) {
  testing::TempFolder folder;
  const fs::path file = folder.path() / "resources.db";
  fill(file);
  std::uint64_t id_before = 0;
  {
    auto store = ResourceStore::open(file).value();
    id_before = store->next_id();
    ASSERT_TRUE(store->put({"kind", "1", "r", "0999"}, "newer than the copy").ok());
  }
  const std::string good = read_file(folder.path() / "resources.db.good");
  const std::string whole = read_file(file);
  ASSERT_GT(whole.size(), 20u * 4096);
  const std::uint64_t damaged_before = damaged_databases();
  int repaired = 0;
  // Each page in turn becomes noise.
  for (std::size_t page = 0; page < whole.size() / 4096; ++page) {
    testing::TempFolder other;
    const fs::path there = other.path() / "resources.db";
    std::string damaged = whole;
    for (std::size_t i = 0; i < 4096; ++i) damaged[page * 4096 + i] = static_cast<char>(i * 7 + page);
    write_file(there, damaged);
    write_file(other.path() / "resources.db.good", good);
    auto store = ResourceStore::open(there);
    ASSERT_TRUE(store.ok()) << page << ": " << store.error().message();
    EXPECT_EQ(documents_of(**store), kDocuments) << page;
    EXPECT_GT((*store)->next_id(), id_before);
    repaired += fs::exists(other.path() / "resources.db.damaged") ? 1 : 0;
    ASSERT_TRUE((*store)->put({"kind", "1", "r", "after"}, "x").ok());
  }
  EXPECT_GT(repaired, 15);
  EXPECT_EQ(damaged_databases() - damaged_before, static_cast<std::uint64_t>(repaired));
}

TEST(GoodCopy, without_one_what_can_be_read_is_kept_or_the_start_is_refused) {
  testing::TempFolder folder;
  const fs::path file = folder.path() / "resources.db";
  fill(file);
  const std::string whole = read_file(file);
  int costly = 0;
  for (std::size_t page = 0; page < whole.size() / 4096; ++page) {
    testing::TempFolder other;
    const fs::path there = other.path() / "resources.db";
    std::string damaged = whole;
    std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(page * 4096), 4096, '\xa5');
    write_file(there, damaged);
    const auto store = ResourceStore::open(there);
    if (!store.ok()) {
      EXPECT_EQ(store.error().kind(), ErrorKind::kCorrupt) << page;
      EXPECT_TRUE(fs::exists(other.path() / "resources.db.damaged") || fs::exists(there));
      ++costly;  // the root of everything
      continue;
    }
    // A page holds some 18 documents; one of the tree's inner pages stands for all below it.
    costly += documents_of(**store) < kDocuments - 40 ? 1 : 0;
  }
  EXPECT_LE(costly, 8) << "of " << whole.size() / 4096;
}

TEST(GoodCopy, flipped_bytes_and_cuts_never_crash) {
  testing::TempFolder folder;
  const fs::path file = folder.path() / "resources.db";
  fill(file);
  const std::string good = read_file(folder.path() / "resources.db.good");
  const std::string whole = read_file(file);
  for (std::size_t at = 0; at < whole.size(); at += at < 110 ? 3 : 3501) {
    for (const bool cut : {false, true}) {
      testing::TempFolder other;
      const fs::path there = other.path() / "resources.db";
      std::string damaged = whole;
      if (cut) damaged.resize(at);
      else damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
      write_file(there, damaged);
      write_file(other.path() / "resources.db.good", good);
      const auto store = ResourceStore::open(there);
      if (!store.ok()) {
        ADD_FAILURE() << at << (cut ? " cut: " : " flipped: ") << store.error().message();
        continue;
      }
      // A cut to nothing is an empty database, as sound as any.
      if (!(cut && at == 0)) {
        EXPECT_GE(documents_of(**store), kDocuments - 1) << at;
      }
    }
  }
}

TEST(GoodCopy, of_a_database_that_fails_its_check_is_not_made) {
  testing::TempFolder folder;
  const fs::path file = folder.path() / "a.db";
  bool restored = true;
  {
    auto db = open_or_restore(file, {}, restored).value();
    EXPECT_FALSE(restored);
    ASSERT_TRUE(db.execute("CREATE TABLE t(a); INSERT INTO t VALUES(1)").ok());
    GoodCopy copy(file);
    copy.changed(db);
    copy.end(db);
  }
  write_file(file, "not a database at all, but long enough to look at: " + std::string(4096, 'z'));
  {
    auto db = open_or_restore(file, {}, restored).value();
    EXPECT_TRUE(restored);
    auto query = db.prepare("SELECT a FROM t").value();
    EXPECT_TRUE(query.step().value());
  }
  // Without a copy: the error of the check, and the file as it was.
  fs::remove(folder.path() / "a.db.good");
  write_file(file, std::string(8192, 'q'));
  const auto refused = open_or_restore(file, {}, restored);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind(), ErrorKind::kCorrupt);
  EXPECT_TRUE(fs::exists(file));
}

}  // namespace
}  // namespace fog
